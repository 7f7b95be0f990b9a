"""领题 and 挂钩 by leader: who has which claims and links, and who has none; not for the public (docs/rules.md §2, §7)."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar, Literal

from fastapi import APIRouter, Request, Response
from msgspec import to_builtins

from liuti.doors import given, moves
from liuti.doors.api import Said, Text, answer
from liuti.doors.deps import admit, office, who
from liuti.figures.tables import Limits, Share, share
from liuti.flow.kernel import Form
from liuti.flow.parts import Id
from liuti.flow.words import Role
from liuti.store import claims
from liuti.store.audit import By
from liuti.store.claims import Held, LinkKind
from liuti.store.figures import limits_of

WATCHERS = (Role.INSPECTOR, Role.TEAM, Role.PRINCIPAL, Role.AUDITADMIN)
LINKS = (Role.INSPECTOR, Role.LEADER)


class NewLink(Form):
    """To which project; whose, where an inspector sets it."""

    example: ClassVar[dict[str, Any]] = {"kind": "industry", "target": "project-01", "leader": "leader1"}
    kind: LinkKind
    target: Id
    leader: Id | None = None


FORMS = (NewLink,)


def router() -> APIRouter:
    routes = APIRouter(prefix="/api/v1", tags=["claim"])
    add, problems = routes.add_api_route, moves.problems
    writes = {"x-roles": [role.value for role in LINKS]}
    add("/boards/leaders", leaders, methods=["GET"], summary="领导领题与挂钩 claims and links by leader, and who has none",
        openapi_extra={"x-roles": [role.value for role in WATCHERS]}, responses=problems(401, 403, 422))  # fmt: skip
    add("/links", listed, methods=["GET"], summary="挂钩 links of leaders to projects",
        responses=problems(401, 403, 422))  # fmt: skip
    add("/links", link, methods=["POST"], status_code=201, summary="挂钩 link a leader to a project",
        openapi_extra=moves.body(NewLink) | writes, responses=problems(401, 403, 409, 413, 422))  # fmt: skip
    add("/links/{link}/end", end, methods=["POST"], summary="解除挂钩 end a link", openapi_extra=writes,
        responses=problems(401, 403, 404, 409, 422))  # fmt: skip
    return routes


async def leaders(
    request: Request, level: Literal["", "district", "town", "department"] = "",
    without: Literal["", "claim", "link"] = "",
) -> Said:  # fmt: skip
    """By level: leaders with a claim ÷ leaders, with its interval, and the same without legacy claims. A link is no
    claim. `without` leaves those that have no claim, or no link."""
    here, actor = office(request), await who(request)
    admit(actor, *WATCHERS)
    found = await here.engine.read(partial(claims.by_leader, level=level))
    limits = limits_of(here.desk.world())
    levels = sorted({one.leader.level for one in found})
    return answer({
        "levels": [_summed(name, [one for one in found if one.leader.level == name], limits) for name in levels],
        "total": _summed("", found, limits),
        "rows": [_shown(one) for one in found if not without or _lacks(one, without)],
    })  # fmt: skip


def _lacks(held: Held, what: str) -> bool:
    return not (held.claimed if what == "claim" else held.links.total())


def _summed(level: str, found: list[Held], limits: Limits) -> dict[str, Any]:
    def rate(hits: int) -> dict[str, Any]:
        told: Share = share(hits, len(found), limits)
        shown: dict[str, Any] = to_builtins(told)
        return shown

    return {
        "level": level or None, "leaders": len(found), "without_claim": sum(not one.claimed for one in found),
        "without_link": sum(not one.links.total() for one in found),
        "claimed": rate(sum(one.claimed for one in found)),
        "claimed_here": rate(sum(one.claimed_here for one in found)),
    }  # fmt: skip


def _shown(held: Held) -> dict[str, Any]:
    one = held.leader
    return {
        "leader": one.id, "name": one.name, "post": one.post, "level": one.level, "unit": one.unit or None,
        "claims": {state: held.claims[state] for state in ("open", "closed")},
        "legacy": {state: held.legacy[state] for state in ("open", "closed")},
        "links": {kind: held.links[kind] for kind in ("industry", "livelihood")},
        "without_claim": not held.claimed, "without_link": not held.links.total(),
    }  # fmt: skip


async def listed(
    request: Request, leader: Text = "", before: given.Before = "", limit: given.Page = 50
) -> Response:  # fmt: skip
    """The latest first, ended ones too; whoever inspects reads everybody's, a leader their own."""
    here, actor = office(request), await who(request)
    admit(actor, *WATCHERS, Role.LEADER)
    whose = leader if not actor.roles.isdisjoint(WATCHERS) else actor.id
    found = await here.engine.read(partial(claims.links_of, leader=whose, before=before, limit=limit))
    return answer({"links": [dict(row) for row in found]})


async def link(request: Request) -> Response:
    """By an inspector for any leader, by a leader for themselves."""
    here, actor = office(request), await who(request)
    admit(actor, *LINKS)
    form, by = await given.form(request, NewLink), By(actor.id, here.now())
    add = partial(
        claims.add_link, actor=actor, leader=form.leader or actor.id, kind=form.kind, target=form.target, by=by
    )
    return answer(await here.engine.write(add), 201)


async def end(request: Request, link: str) -> Response:
    """By an inspector, or by the leader whose link it is; it stays on record with its days."""
    here, actor = office(request), await who(request)
    admit(actor, *LINKS)
    by = By(actor.id, here.now())
    return answer(await here.engine.write(partial(claims.end_link, actor=actor, link=link, by=by)))
