"""What a letter says: enough to know what happened and where to look, and nothing a stranger may not read."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any
from zoneinfo import ZoneInfo

from liuti.flow.issue import Issue
from liuti.flow.words import STATE_NAMES, Clock, Lane, Step
from liuti.senders import Letter
from liuti.store.act import STATE
from liuti.store.household import hide_phones
from liuti.store.vault import KeyRing


def written(row: Mapping[str, Any], ring: KeyRing, base_url: str, zone: ZoneInfo) -> Letter:
    """The letter a row of the outbox stands for; its id is the same at every try, here and after a restore.

    The text is made anew at every try, so that nothing secret lies in the outbox: what invites to rate carries the
    single-use token of the round that runs now.
    """
    issue = STATE.decode(row["state"])
    named = f"{row['issue_id']}/{row['version']}/{row['event']}/{row['recipient']}"
    return Letter(
        id="letter_" + sha256(named.encode()).hexdigest()[:32],
        event=row["event"],
        issue=row["issue_id"],
        entry=row["version"],
        recipient=row["recipient"],
        words=_words(row, issue, ring, base_url, zone),
        at=row["at"],
    )


def _words(row: Mapping[str, Any], issue: Issue, ring: KeyRing, base_url: str, zone: ZoneInfo) -> dict[str, str]:
    step = Step(row["to_step"])
    zh, en = STATE_NAMES[step]
    words = {"query_code": row["query_code"], "step_zh": zh, "step_en": en}
    voice = row["recipient"].removeprefix("voice:") if row["recipient"].startswith("voice:") else ""
    overall = issue.timer(Clock.OVERALL)
    due = issue.deadline if not voice else overall.due if overall is not None and overall.running else None
    if due is not None:
        words["due"] = due.astimezone(zone).isoformat(timespec="minutes")
    if voice and issue.reply and _is_answered(row["event"], step, issue):
        words["reply"] = hide_phones(issue.reply)
    if voice and row["event"] == "invite":
        words["token"] = ring.rating_token(voice, issue.id, issue.verdict.round)
        words["rate"] = f"{base_url}/r/{words['token']}"
    return words


def _is_answered(event: str, step: Step, issue: Issue) -> bool:
    """The reply goes with the end of an issue; in the direct lane with the result (docs/rules.md §4 row 36)."""
    return step is Step.CLOSED or (event == "submit_result" and issue.lane is Lane.DIRECT)
