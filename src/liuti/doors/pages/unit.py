"""本单位: all that waits for a department on one page, each once, with what to do next and until when."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request, Response

from liuti.doors.api import found_by
from liuti.doors.deps import office
from liuti.doors.pages import assignment, duties
from liuti.doors.pages.doorway import holding
from liuti.doors.pages.duties import Duty
from liuti.doors.pages.frame import PageRoute, page, reader_of
from liuti.doors.pages.issue import shown
from liuti.doors.pages.labels import CHOICES
from liuti.doors.pages.moving import Tried
from liuti.doors.pages.sent import raw_of, sent
from liuti.flow import sight
from liuti.flow.issue import Ask, Issue
from liuti.flow.kernel import Actor, Refused
from liuti.flow.solve import Result
from liuti.flow.table import FLOW
from liuti.flow.words import Role, Step
from liuti.store import boards, read
from liuti.store.read import Found, Wish

MOST = 100
ASKED = 20
SOON = timedelta(days=7)
"""How far ahead a milestone is worth looking at every day."""


class Queue(NamedTuple):
    name: str
    zh: str
    en: str


QUEUES = (
    Queue("order", "督办单要答复", "Orders to answer"),
    Queue("sign", "待签收", "To sign"),
    Queue("contact", "待联系", "To contact"),
    Queue("today", "今日到期", "Due today"),
    Queue("redo", "重办", "To do again"),
    Queue("requests", "待您同意", "Waiting for your word"),
    Queue("milestone", "近期里程碑", "Milestones coming"),
    Queue("hold", "挂账", "Suspended"),
    Queue("waits", "等负责人同意", "Waiting for the head"),
    Queue("rest", "其余在办", "Everything else"),
)
"""In the order of a usual day; those that hold something late come before the others."""


@dataclass(slots=True)
class Row:
    """One issue, or one request, with the first thing to be done about it."""

    seen: dict[str, Any]
    duty: Duty
    also: list[Duty] = field(default_factory=list)
    ask: Ask | None = None


def router() -> APIRouter:
    routes = APIRouter(include_in_schema=False, route_class=PageRoute)
    routes.add_api_route("/desk/unit", desk, methods=["GET"])
    routes.add_api_route("/desk/unit/{issue}/reply", use_template, methods=["POST"])
    return routes


async def desk(request: Request) -> Response:
    """Three statements: what is solved or suspended (and how much that is), and what waits for the head's word."""
    here, actor = office(request), await holding(request, Role.OFFICER, Role.UNIT_HEAD)
    world, now = here.desk.world(), here.now()
    zone = ZoneInfo(world.policy.hours.zone)

    def answerable(issue: Issue, ask: Ask) -> bool:
        return ask.id in {one.id for one in FLOW.answerable(issue, actor, world, now)}

    def look(conn: Any) -> tuple[read.Page, list[Any]]:
        working = read.page(
            conn, actor, Wish(steps=(Step.SOLVE, Step.SUSPENDED), mine=True, limit=MOST, by_deadline=True)
        )
        heads = Role.UNIT_HEAD in actor.roles
        return working, boards.requests(conn, actor, answerable, limit=ASKED).rows if heads else []

    working, asked = await here.engine.read(look)
    yours = {one.found.issue.id for one in asked}
    rows = [row for one in working.found if (row := _row(actor, one, now, zone)) is not None]
    rows = [row for row in rows if row.duty.queue != "waits" or row.seen["id"] not in yours]
    rows += [
        Row(
            sight.listed(actor, one.found.issue, one.found.row, now),
            _answer(one.found.issue, one.ask),
            [],
            one.ask,
        )
        for one in asked
    ]
    queues = _queued(rows, now)
    words: dict[str, Any] = {"queues": queues, "more": working.cursor is not None, "choices": CHOICES, "moves": FLOW.moves,
             "heads": Role.UNIT_HEAD in actor.roles}  # fmt: skip
    return await page(request, "unit/desk.html", **words)


def _row(actor: Actor, one: Found, now: datetime, zone: ZoneInfo) -> Row | None:
    """None where nothing is the unit's to do any more: it was sent back, or its part is done."""
    found = duties.of(one.issue, actor.unit, now.astimezone(zone).date(), zone)
    if not found:
        return None
    first = found[0]
    if first.queue == "milestone" and first.due is not None and first.due > now + SOON:
        first = first._replace(queue="rest")
    return Row(sight.listed(actor, one.issue, one.row, now), first, found[1:3])


def _answer(issue: Issue, ask: Ask) -> Duty:
    """A request is as pressing as the clock it holds up."""
    move = FLOW.moves[ask.move]
    return Duty("requests", "answer", f"答复:{move.zh}", f"answer: {move.en}", issue.deadline, str(ask.id))


def _queued(rows: list[Row], now: datetime) -> list[tuple[Queue, list[Row]]]:
    """The queues that hold anything, those with something late first; in each the earliest due first."""
    far = now + timedelta(days=36_500)
    rows.sort(key=lambda row: row.duty.due or far)
    found = [(queue, [row for row in rows if row.duty.queue == queue.name]) for queue in QUEUES]
    held = [(queue, those) for queue, those in found if those]
    return sorted(held, key=lambda pair: not (pair[1][0].duty.due is not None and pair[1][0].duty.due < now))


# -- replies -------------------------------------------------------------------------------------------------------


async def use_template(request: Request, issue: str) -> Response:
    """The page of the issue again, its reply begun with a template; for browsers that do it without JavaScript."""
    actor = await holding(request, Role.OFFICER, Role.UNIT_HEAD)
    given, found = await sent(request), await found_by(request, issue, actor)
    raw = raw_of(request, Result, given)
    try:
        raw = await assignment.with_template(request, await reader_of(request), found, raw, given.one("template"))
    except Refused as refused:
        return await shown(request, issue, actor, Tried("submit_result", raw, refused))
    return await shown(request, issue, actor, Tried("submit_result", raw, None))
