"""What a letter says: enough to know what happened and where to look, and nothing a stranger may not read."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any
from zoneinfo import ZoneInfo

from msgspec import json

from liuti.flow.issue import Ask, Issue
from liuti.flow.words import STATE_NAMES, Clock, Closing, Kind, Lane, Step, Urgency
from liuti.letter_words import Language, Spoken, speak
from liuti.policy import Policy
from liuti.policy_sections import Named
from liuti.senders import Letter
from liuti.store.act import STATE
from liuti.store.household import hide_phones
from liuti.store.vault import KeyRing

CLOSINGS = {
    Closing.SOLVED: ("已解决", "solved"), Closing.PARTLY: ("部分解决", "partly solved"),
    Closing.EXPLAINED: ("解释说明", "explained"), Closing.TERMINATED: ("终止办理", "ended without a result"),
}  # fmt: skip
REASONS = {
    "reject": "reason", "reserve": "reason", "recall": "reason", "extend": "reason", "appeal.denied": "reason",
    "progress": "text",
}  # fmt: skip
"""The one field of a move's form that its letter may repeat to the people: what was written for them to read."""
_UNTIL = {
    "ask_supplement": (Clock.SUPPLEMENT,), "warn": (Clock.SUPPLEMENT,), "reserve": (Clock.SELECT,), "suspend": (Clock.HOLD,),
    "invite": (Clock.EVALUATE,),
} | dict.fromkeys(
    ("extend", "approve_plan", "milestone", "resume", "fail_check", "redo", "escalate"), (Clock.REDO, Clock.SOLVE)
)  # fmt: skip


def written(
    row: Mapping[str, Any], ring: KeyRing, base_url: str, zone: ZoneInfo, policy: Policy | None = None
) -> Letter:
    """The letter a row of the outbox stands for; its id is the same at every try, here and after a restore.

    The text is made anew at every try, so that nothing secret lies in the outbox: what invites to rate carries the
    single-use token of the round that runs now. `policy` gives routes, causes and grounds their names; the row's
    `words` (the entry's, where they are not erased) the reason.
    """
    issue = STATE.decode(row["state"])
    named = f"{row['issue_id']}/{row['version']}/{row['event']}/{row['recipient']}"
    return Letter(
        id="letter_" + sha256(named.encode()).hexdigest()[:32],
        event=row["event"],
        issue=row["issue_id"],
        entry=row["version"],
        recipient=row["recipient"],
        words=_words(row, issue, ring, base_url, zone, policy),
        at=row["at"],
        urgent=issue.danger or issue.urgency is Urgency.URGENT,
    )


def _words(
    row: Mapping[str, Any], issue: Issue, ring: KeyRing, base_url: str, zone: ZoneInfo, policy: Policy | None
) -> dict[str, str]:
    event, step = row["event"], Step(row["to_step"])
    zh, en = STATE_NAMES[step]
    words = {"query_code": row["query_code"], "step_zh": zh, "step_en": en}
    voice = row["recipient"].removeprefix("voice:") if row["recipient"].startswith("voice:") else ""
    overall = issue.timer(Clock.OVERALL)
    due = issue.deadline if not voice else overall.due if overall is not None and overall.running else None
    if due is not None:
        words["due"] = _said(due, zone)
    if not voice:
        return words
    if event == "sample":  # a stranger to the matter: what is public of it, and not the code that opens more
        token = ring.resident_token(voice, issue.id, issue.verdict.round)
        return {"title": hide_phones(row["title"]), "token": token, "rate": f"{base_url}/s/{token}"}
    words |= _told(event, step, issue, zone) | _named(event, issue, policy)
    if issue.kind is not Kind.TIP_OFF:  # a phone may be shared: what was found is read with the receipt
        words |= _repeated(row, event, step, issue)
    if event == "invite":
        words["token"] = ring.rating_token(voice, issue.id, issue.verdict.round)
        words["rate"] = f"{base_url}/r/{words['token']}"
    return words


def _told(event: str, step: Step, issue: Issue, zone: ZoneInfo) -> dict[str, str]:
    """Dates and plain facts that belong to the event."""
    found: dict[str, str] = {}
    for clock in _UNTIL.get(event, ()):
        timer = issue.timer(clock)
        if timer is not None:
            found["until"] = _said(timer.due, zone)
            break
    if event == "lapse":
        found["rejected" if step is Step.REJECTED else "goes_on"] = "1"
    if event in ("claim", "designate", "handover") and issue.leader_post:
        found["leader_post"] = issue.leader_post
    return found


def _named(event: str, issue: Issue, policy: Policy | None) -> dict[str, str]:
    """Codes by their names in both languages: how it was closed, and of the policy the route, the cause, the ground."""
    names: tuple[str, str] | None = None
    if event == "close" and issue.closing is not None:
        names = CLOSINGS[issue.closing]
    elif policy is not None and (found := _listed(event, issue, policy)) is not None:
        names = found.zh, found.en
    what = {"close": "closing", "reject": "route"}.get(event, "cause")
    return {f"{what}_zh": names[0], f"{what}_en": names[1]} if names else {}


def _listed(event: str, issue: Issue, policy: Policy) -> Named | None:
    if event == "reject":
        return policy.routes.get(issue.refusal)
    if event == "suspend":
        return policy.suspend_causes.get(_form(issue, event).get("cause", ""))
    if event == "terminate":
        return policy.terminate_grounds.get(_form(issue, event).get("ground", ""))
    return None


def _repeated(row: Mapping[str, Any], event: str, step: Step, issue: Issue) -> dict[str, str]:
    """What officials wrote for the people, phones masked; nothing the people themselves wrote."""
    found: dict[str, str] = {}
    if issue.reply and _is_answered(event, step, issue):
        found["reply"] = issue.reply
    said = _form(issue, event) or _entry_words(row)
    if event in REASONS and isinstance(reason := said.get(REASONS[event]), str):
        found["reason"] = reason
    if event in ("explain", "terminate") and isinstance(reply := said.get("answer"), str):
        found["reply"] = reply
    if event in ("ask_supplement", "warn") and issue.missing:
        found["missing"] = "\n".join(f"- {line}" for line in issue.missing)
    return {name: hide_phones(text) for name, text in found.items() if text}


def _form(issue: Issue, event: str) -> dict[str, Any]:
    """The form of the latest such request that was granted; empty for a move that one person makes alone."""
    granted: list[Ask] = [ask for ask in issue.asks if ask.move == event and ask.outcome == "granted"]
    return granted[-1].form if granted else {}


def _entry_words(row: Mapping[str, Any]) -> dict[str, Any]:
    text = row.get("words")
    found: dict[str, Any] = json.decode(text) if text else {}
    return found


def _said(moment: datetime, zone: ZoneInfo) -> str:
    return moment.astimezone(zone).isoformat(timespec="minutes")


def _is_answered(event: str, step: Step, issue: Issue) -> bool:
    """The reply goes with the end of an issue; in the direct lane with the result (docs/rules.md §4 row 36)."""
    return step is Step.CLOSED or (event == "submit_result" and issue.lane is Lane.DIRECT)


# -- to look at beforehand -----------------------------------------------------------------------------------------

EXAMPLE: dict[str, str] = {
    "query_code": "7K3M9QX2W4HA", "step_zh": "解题中", "step_en": "being solved", "due": "2026-12-25T17:30+08:00",
    "until": "2026-12-04T17:30+08:00", "missing": "- 具体地点", "reason": "灯具到货推迟。", "reply": "路灯已于昨日修复并亮灯。",
    "route_zh": "应当通过诉讼、仲裁、行政复议或政府信息公开等法定途径处理",
    "route_en": "Goes to a court, arbitration, administrative review or an information request",
    "cause_zh": "受季节或天气限制", "cause_en": "Season or weather", "closing_zh": "已解决", "closing_en": "solved",
    "leader_post": "副主任", "rejected": "1", "code": "048213", "rate": "https://liuti.example/r/lr1.EXAMPLE", "title": "12 lamps, Yingbin Road",
}  # fmt: skip


def preview(event: str, language: Language = "zh") -> Spoken:
    """How the letter about `event` looks, filled from an example; events without words of their own show the common ones."""
    return speak(event, language, EXAMPLE)
