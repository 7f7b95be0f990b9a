"""The gate: results to be verified by somebody outside the unit, the drawn sample marked (docs/rules.md §4 rows 37, 38)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from fastapi import Request

from liuti.doors.api import Said, answer
from liuti.doors.boards.frame import Cursor, Limit, as_time, clock_of, seen
from liuti.doors.deps import admit, office, who
from liuti.flow import sight
from liuti.flow.clocks import World
from liuti.flow.issue import Issue
from liuti.flow.kernel import Actor
from liuti.flow.parts import drawn
from liuti.flow.table import FLOW
from liuti.flow.words import Clock, Role, Step
from liuti.store import boards
from liuti.store.read import Found

VERIFIES = (Role.INSPECTOR, Role.TEAM)


async def verification(request: Request, cursor: Cursor = "", limit: Limit = 50) -> Said:
    """Results that an inspector outside the unit may verify, the earliest due first; a team reads the same list.
    `drawn` says whether the policy's seed draws it from what the clock would have passed: anybody can draw it again."""
    here, actor = office(request), await who(request)
    admit(actor, *VERIFIES)
    world, now = here.desk.world(), here.now()
    reads_on = Role.INSPECTOR not in actor.roles

    def fits(issue: Issue) -> bool:
        return reads_on or "pass_check" in FLOW.open_to(issue, actor, world, now)

    def look(conn: Any) -> tuple[boards.Board, dict[str, list[dict[str, Any]]]]:
        page = boards.at_step(conn, actor, Step.SUPERVISE, fits, cursor, limit)
        failed = [one.issue.id for one in page.rows if one.issue.check_fails]
        return page, boards.told(conn, failed, "fail_check")

    page, failed = await here.engine.read(look)
    rows = [_to_verify(actor, one, failed.get(one.issue.id, []), world, now) for one in page.rows]
    return answer({"rows": rows, "draw": world.policy.draw.model_dump(), "cursor": page.cursor})


def _to_verify(actor: Actor, found: Found, failed: list[dict[str, Any]], world: World, now: datetime) -> dict[str, Any]:
    issue = found.issue
    category, review = world.policy.categories.get(issue.category), issue.timer(Clock.REVIEW)
    physical = category is not None and category.physical
    return {
        "issue": sight.listed(actor, issue, found.row, now), "own_word": issue.own_word, "reply": issue.reply or None,
        "sample": issue.to_inspect, "drawn": drawn(as_time(issue, "warn", world, now)),
        "photos": issue.photos, "site_photos": issue.site_photos,
        "on_site": physical and not issue.site_photos,
        "check_fails": issue.check_fails, "redos": issue.redos, "last_round": issue.last_round,
        "defects": [
            {"at": line["at"], "by": line["by"], "method": line["facts"].get("method", "on_site"),
             "defects": (line.get("words") or {}).get("defects", [])} for line in seen(actor, issue, failed)
        ],
        "clock": clock_of(review, now) if review is not None else None,
    }  # fmt: skip
