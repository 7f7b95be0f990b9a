"""The call-backs: who is to be phoned, and the tries so far (docs/rules.md §4 row 39)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from fastapi import Request

from liuti.doors.api import Said, answer
from liuti.doors.boards.frame import Cursor, Limit, clock_of
from liuti.doors.deps import admit, office, who
from liuti.flow import sight
from liuti.flow.clocks import World
from liuti.flow.issue import Issue
from liuti.flow.kernel import Actor
from liuti.flow.table import FLOW
from liuti.flow.words import Clock, Role, Step
from liuti.store import boards
from liuti.store.read import Found


async def callbacks(request: Request, cursor: Cursor = "", limit: Limit = 50) -> Said:
    """Whose call-back is due, the earliest first, those who phoned before those who only did not answer. The number
    itself is opened at `people`, for a purpose, and the look is on record."""
    here, actor = office(request), await who(request)
    admit(actor, Role.CALLER)
    world, now = here.desk.world(), here.now()

    def fits(issue: Issue) -> bool:
        return issue.timer(Clock.CALLBACK) is not None and "rate" in FLOW.open_to(issue, actor, world, now)

    def look(conn: Any) -> tuple[boards.Board, dict[str, list[dict[str, Any]]], dict[str, list[dict[str, Any]]]]:
        page = boards.at_step(conn, actor, Step.EVALUATE, fits, cursor, limit)
        called = [one.issue.id for one in page.rows if one.issue.verdict.tries]
        return page, boards.unrated(conn, [one.issue for one in page.rows]), boards.told(conn, called, "rate")

    page, people, calls = await here.engine.read(look)
    rows = [
        _to_phone(actor, one, people.get(one.issue.id, []), calls.get(one.issue.id, []), world, now)
        for one in page.rows
    ]
    return answer({"rows": rows, "cursor": page.cursor})


def _to_phone(
    actor: Actor, found: Found, people: list[dict[str, Any]], calls: list[dict[str, Any]], world: World, now: datetime
) -> dict[str, Any]:
    issue = found.issue
    timer = issue.timer(Clock.CALLBACK)
    assert timer is not None
    since = [line for line in calls if line["role"] == Role.CALLER and line["at"] >= timer.started]
    tries = [{"at": line["at"], "by": line["actor"], "voice": line["facts"].get("voice"),
              "outcome": line["facts"].get("outcome", "rated")} for line in since]  # fmt: skip
    opened = sight.may_open_contact(actor, issue)
    return {
        "issue": sight.listed(actor, issue, found.row, now), "round": issue.verdict.round,
        "invited": issue.verdict.invited, "rated": issue.verdict.rated,
        "tries": issue.verdict.tries, "tries_most": world.policy.limits.call_tries, "calls": tries,
        "people": [
            {"voice": one["id"], "proposer": one["id"] == issue.proposer, "channel": one["channel"],
             "phoned": bool(one["phoned"]), "has_number": bool(one["has_number"]),
             "tries": sum(1 for call in tries if call["voice"] == one["id"])} for one in people
        ] if opened else [],
        "contact": f"/api/v1/issues/{issue.id}/people" if opened else None,
        "clock": clock_of(timer, now),
    }  # fmt: skip
