"""What was passed at the gate: the strike-off ledger 销号, and the second looks a team owes (docs/rules.md §4 rows 38, 55)."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import partial
from typing import Any, Literal

from fastapi import Request

from liuti.doors.api import Said, Text, answer
from liuti.doors.boards.frame import WATCHED, Cursor, Limit, period
from liuti.doors.deps import admit, office, who
from liuti.flow import sight
from liuti.flow.kernel import Actor
from liuti.flow.parts import drawn_again
from liuti.flow.table import FLOW
from liuti.flow.words import Role
from liuti.store import boards
from liuti.store.boards import Rechecked, Struck

RECHECKS = (Role.TEAM, Role.INSPECTOR, Role.PRINCIPAL, Role.AUDITADMIN)


async def strike_offs(
    request: Request, unit: Text = "", since: date | None = None, until: date | None = None, cursor: Cursor = "",
    limit: Limit = 50,
) -> Said:  # fmt: skip
    """Who struck off what, when, how, on what evidence: read from the ledger, so that it only grows. Days in local time,
    both included, the last 30 unless said otherwise; units and leaders read of their own. `undone` is what took it back."""
    here, actor = office(request), await who(request)
    admit(actor, *WATCHED)
    asked = period(since, until, here.now(), here.desk.world())
    look = partial(
        boards.struck_off, actor=actor, since=asked.begins, until=asked.ends, unit=unit, cursor=cursor, limit=limit
    )
    found, now = await here.engine.read(look), here.now()
    rows = [_struck(actor, one, now) for one in found.rows]
    return answer({"since": asked.first, "until": asked.last, "rows": rows, "cursor": found.cursor})


def _struck(actor: Actor, one: Struck, now: datetime) -> dict[str, Any]:
    issue = one.found.issue
    return {
        "issue": sight.listed(actor, issue, one.found.row, now), "own_word": issue.own_word, "undone": one.undone,
        "evidence": {
            "photos": issue.photos, "site_photos": issue.site_photos, "files": f"/api/v1/issues/{issue.id}/files",
            "seal": one.entry["seal"],
        },
    } | _passed(one.entry)  # fmt: skip


def _passed(entry: dict[str, Any]) -> dict[str, Any]:
    return {
        "at": entry["at"], "version": entry["version"], "by": entry["by"], "role": entry["role"],
        "unit": entry["unit"] or None, "method": entry["facts"].get("method"), "note": entry["words"].get("note") or None,
    }  # fmt: skip


async def rechecks(
    request: Request, state: Literal["", "waiting", "agreed", "disagreed"] = "waiting", cursor: Cursor = "",
    limit: Limit = 50,
) -> Said:  # fmt: skip
    """What inspectors passed and the lot fell on, the latest first, as long as it may be reopened. Anybody can draw again:
    the lot falls where sha256(`seed:second:` and the seal of the pass) stands below the share."""
    here, actor = office(request), await who(request)
    admit(actor, *RECHECKS)
    world, now = here.desk.world(), here.now()
    draw = world.policy.draw
    since = now - timedelta(days=world.policy.limits.reopen_days)
    look = partial(
        boards.rechecks,
        actor=actor,
        drawn=partial(drawn_again, draw),
        since=since,
        state=state,
        cursor=cursor,
        limit=limit,
    )
    found = await here.engine.read(look)

    def shown(one: Rechecked) -> dict[str, Any]:
        mine = one.finding is None and one.entry["by"] != actor.id
        return {
            "issue": sight.listed(actor, one.found.issue, one.found.row, now), "finding": one.finding,
            "seal": one.entry["seal"], "yours": mine and "recheck" in FLOW.open_to(one.found.issue, actor, world, now),
        } | _passed(one.entry)  # fmt: skip

    return answer({"rows": [shown(one) for one in found.rows], "draw": draw.model_dump(), "cursor": found.cursor})
