"""Lists of issues: the public one, all of them for officials, and each official's desk: what waits for them."""

from __future__ import annotations

from enum import StrEnum
from functools import partial
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Query, Request, Response

from liuti.doors.deps import office, sign_in_first
from liuti.doors.pages.frame import PageRoute, go, page, reader_of
from liuti.flow import sight
from liuti.flow.kernel import ANYONE, Actor
from liuti.flow.words import ADMINS, UNIT_ROLES, Kind, Lane, Role, Step
from liuti.store import read
from liuti.store.read import Wish

E = TypeVar("E", bound=StrEnum)
Word = Annotated[str, Query(max_length=100)]
Cursor = Annotated[str, Query(max_length=200)]
SHOWN = 20


def router() -> APIRouter:
    routes = APIRouter(include_in_schema=False, route_class=PageRoute)
    routes.add_api_route("/issues", public, methods=["GET", "HEAD"])
    routes.add_api_route("/desk", desk, methods=["GET"])
    routes.add_api_route("/desk/issues", everything, methods=["GET"])
    return routes


async def public(
    request: Request, q: Word = "", step: str = "", category: Word = "", grid: Word = "", cursor: Cursor = ""
) -> Response:
    """What was selected in public, newest first, the same for everybody."""
    wish = Wish(_known(Step, step), "topic", grid=grid, category=category, q=q, cursor=cursor, limit=SHOWN)
    return await _list(request, "issues.html", ANYONE, wish)


async def everything(
    request: Request, q: Word = "", step: str = "", lane: str = "", kind: str = "", category: Word = "", grid: Word = "",
    unit: Word = "", late: bool = False, mine: bool = False, cursor: Cursor = "",
) -> Response:  # fmt: skip
    """All that this official may see."""
    actor = await official(request)
    wish = Wish(
        _known(Step, step), _known(Lane, lane) or "", unit, "", grid, category, _known(Kind, kind) or "", late or None, mine, q,
        cursor, SHOWN,
    )  # fmt: skip
    return await _list(request, "all_issues.html", actor, wish)


async def official(request: Request) -> Actor:
    """Whoever is signed in; Refused 401 for anyone else."""
    reader = await reader_of(request)
    if not reader.actor.id or reader.actor.voice:
        raise sign_in_first()
    return reader.actor


def _known(kind: type[E], text: str) -> E | None:
    """The word of that kind, or None: an address somebody mistyped shows the whole list."""
    try:
        return kind(text)
    except ValueError:
        return None


async def _list(request: Request, name: str, actor: Actor, wish: Wish) -> Response:
    here = office(request)
    found = await here.engine.read(partial(read.page, actor=actor, wish=wish))
    now = here.now()
    lines = [sight.listed(actor, one.issue, one.row, now) for one in found.found]
    return await page(request, name, lines=lines, cursor=found.cursor, wish=wish)


# -- the desk ------------------------------------------------------------------------------------------------------

QUEUES: dict[Role, tuple[tuple[str, str, dict[str, Any]], ...]] = {
    Role.INTAKE: (("待受理", "To accept", {"step": Step.PROPOSE}), ("待补正", "Waiting for facts", {"step": Step.SUPPLEMENT})),
    Role.ANALYST: (("选题中", "In selection", {"step": Step.SELECT}),),
    Role.PANEL: (("选题中", "In selection", {"step": Step.SELECT}), ("待领题", "To be claimed", {"step": Step.CLAIM})),
    Role.GATE: (("选题中", "In selection", {"step": Step.SELECT}),),
    Role.LEADER: (
        ("我领的题", "My claims", {"step": Step.SOLVE, "mine": True}), ("待领题", "To be claimed", {"step": Step.CLAIM}),
    ),
    Role.PRINCIPAL: (("待领题", "To be claimed", {"step": Step.CLAIM}), ("超期", "Late", {"overdue": True})),
    Role.OFFICER: (("解题中", "To solve", {"step": Step.SOLVE, "mine": True}),),
    Role.UNIT_HEAD: (("解题中", "To solve", {"step": Step.SOLVE, "mine": True}),),
    Role.INSPECTOR: (("待核查", "To verify", {"step": Step.SUPERVISE}), ("超期", "Late", {"overdue": True})),
    Role.TEAM: (("超期", "Late", {"overdue": True}), ("评题中", "Being rated", {"step": Step.EVALUATE})),
    Role.CALLER: (("评题中", "Being rated", {"step": Step.EVALUATE}),),
    Role.GRID_WORKER: (("待补正", "Waiting for facts", {"step": Step.SUPPLEMENT}),),
}  # fmt: skip
"""What waits for each role, the most pressing first; the pages of a role say more."""


async def desk(request: Request) -> Response:
    """The most pressing of each queue of this official's roles: one statement a queue, at most four."""
    here, actor = office(request), await official(request)
    if not actor.roles.isdisjoint(ADMINS):
        return go("/admin")
    rows = [row for role, rows in QUEUES.items() if role in actor.roles for row in rows]
    wishes = {(zh, en): Wish(**wish, limit=8, by_deadline=True) for zh, en, wish in rows[:4]}
    found = await here.engine.read(lambda conn: {name: read.page(conn, actor, wish) for name, wish in wishes.items()})
    now = here.now()
    shown = [
        (name, [sight.listed(actor, one.issue, one.row, now) for one in page_.found], page_.cursor is not None, wishes[name])
        for name, page_ in found.items()
    ]  # fmt: skip
    return await page(request, "desk.html", queues=shown, in_unit=not actor.roles.isdisjoint(UNIT_ROLES))
