"""Indicators: the three rates and all the others, each with its n and its interval (docs/rules.md §7)."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from msgspec import to_builtins

from liuti.doors.api import answer
from liuti.doors.deps import admit, office, who
from liuti.doors.moves import problems
from liuti.figures.few import hidden
from liuti.figures.periods import Period, period_of
from liuti.figures.tables import BY, Figures
from liuti.flow import sight
from liuti.flow.kernel import Actor, Refused, not_yours
from liuti.flow.words import OFFICIALS, Role
from liuti.monthly import figures_by, gather

ABOUT_PEOPLE = ("leader", "level")
WATCHERS = (Role.INSPECTOR, Role.TEAM, Role.PRINCIPAL)


def router() -> APIRouter:
    routes = APIRouter(prefix="/api/v1", tags=["supervise"])
    routes.add_api_route(
        "/figures",
        figures,
        methods=["GET"],
        summary="指标 rates of a period, by unit, category, grid, leader or level",
        responses=problems(401, 403, 422),
    )
    return routes


async def figures(
    request: Request, period: Annotated[str, Query(max_length=10)],
    by: Annotated[str, Query(max_length=10)] = "unit",
) -> Response:  # fmt: skip
    """A period is `2026-10`, `2026-Q4` or `2026`; while it runs `final` is false, afterwards the figures never change.
    Officials only; by leader and by level only who inspects and the principal."""
    here, actor = office(request), await who(request)
    admit_to(actor, by)
    world = here.desk.world()
    asked = wanted(period, here.now(), world.calendar.zone)
    gathered = await gather(here.engine, asked, world)
    # Minutes of a large district's cases: not where everybody else waits for an answer.
    found = await asyncio.to_thread(figures_by, gathered, asked, by)
    frame = gathered.frame
    shown = _shown(found if tells_all(actor) else hidden(found, frame.above), frame.names[by])
    shown["residents"] = to_builtins(frame.residents.shares(frame.limits)) if frame.residents.invited else None
    return answer(shown)


def tells_all(actor: Actor) -> bool:
    """Whether the reader may know what few people said: not the public, not who reads for a unit alone."""
    return not actor.roles.isdisjoint(sight.READERS)


def admit_to(actor: Actor, by: str) -> None:
    """Officials read figures; those about people, by leader and level, only who inspects and the principal."""
    admit(actor, *OFFICIALS, Role.AUDITADMIN)
    if by not in BY:
        zh, en = f"by 须为:{'、'.join(BY)}。", f"by is one of: {', '.join(BY)}."
        raise Refused("bad_form", 422, zh, en, "by")
    if by in ABOUT_PEOPLE and actor.roles.isdisjoint(WATCHERS):
        raise not_yours(WATCHERS)


def wanted(name: str, now: Any, zone: Any) -> Period:
    """The period of that name, or Refused 422 in words."""
    try:
        return period_of(name, now, zone)
    except ValueError as error:
        zh = "期间须为月 2026-10、季 2026-Q4 或年 2026,且已经开始。"
        en = "A period is a month 2026-10, a quarter 2026-Q4 or a year 2026, and has begun."
        raise Refused("bad_period", 422, zh, en, "period") from error


def _shown(found: Figures, names: dict[str, str]) -> dict[str, Any]:
    shown: dict[str, Any] = to_builtins(found)
    for group in shown["groups"]:
        group["name"] = names.get(group["key"])
    return shown
