"""挂钩 on pages: a leader's links to projects and claims from before; an inspector sets links for anybody."""

from __future__ import annotations

from functools import partial
from typing import Any

from fastapi import APIRouter, Request, Response

from liuti.doors import leaders as door
from liuti.doors.deps import admit, office, who
from liuti.doors.pages import moving
from liuti.doors.pages.fields import Around
from liuti.doors.pages.frame import PageRoute, directory, go, page, reader_of
from liuti.doors.pages.moving import Offer, Tried
from liuti.doors.pages.sent import raw_of, sent
from liuti.flow.kernel import Refused, parse
from liuti.flow.words import Role
from liuti.store import claims
from liuti.store.audit import By

KINDS = {"industry": ("产业项目", "industry project"), "livelihood": ("民生项目", "livelihood project")}
READS = (*door.WATCHERS, Role.LEADER)


def router() -> APIRouter:
    routes = APIRouter(include_in_schema=False, route_class=PageRoute)
    routes.add_api_route("/leader/links", listed, methods=["GET"])
    routes.add_api_route("/leader/links", link, methods=["POST"])
    routes.add_api_route("/leader/links/{link}/end", end, methods=["POST"])
    return routes


async def listed(request: Request) -> Response:
    return await _listed(request)


async def _listed(request: Request, tried: Tried | None = None) -> Response:
    """A leader's own; whoever inspects reads everybody's: three statements."""
    here, actor = office(request), (await reader_of(request)).actor
    admit(actor, *READS)
    watches = not actor.roles.isdisjoint(door.WATCHERS)

    def look(conn: Any) -> Any:
        mine = claims.links_of(conn, "" if watches else actor.id)
        return mine, claims.targets(conn), claims.legacy_of(conn, actor.id) if Role.LEADER in actor.roles else []

    found, targets, legacy = await here.engine.read(look)
    known = {(kind, one): name for kind, options in targets.items() for one, name in options}
    may = not actor.roles.isdisjoint(door.LINKS)
    words: dict[str, Any] = {
        "links": [dict(row) | {"name": known.get((row["kind"], row["target"]), row["target"]),
                               "yours": may and (Role.INSPECTOR in actor.roles or row["leader"] == actor.id)} for row in found],
        "legacy": legacy, "kinds": KINDS, "watches": watches,
        "offers": [await _offer(request, kind, options, tried) for kind, options in targets.items() if options] if may else [],
        "may": may,
    }  # fmt: skip
    return await page(request, "leader/links.html", tried.status if tried else 200, **words)


async def _offer(request: Request, kind: str, options: list[tuple[str, str]], tried: Tried | None) -> Offer:
    """The form for one kind of project, its projects by name; whose link it is only an inspector says."""
    here, reader = office(request), await reader_of(request)
    around = Around(None, await directory(here), here.desk.world().policy, reader.t)
    leave = ("kind",) if Role.INSPECTOR in reader.actor.roles else ("kind", "leader")
    same = tried if tried is not None and tried.raw.get("kind") == kind else None
    offer = moving.offer_of(request, "link", *KINDS[kind], door.NewLink, around, same, leave)
    offer.action, offer.name = "/leader/links", f"link-{kind}"
    offer.hidden["kind"] = kind
    for one in offer.fields:
        if one.name == "target":
            one.kind, one.options = "choice", options
    return offer


async def link(request: Request) -> Response:
    here, actor = office(request), await who(request)
    await reader_of(request, actor)
    admit(actor, *door.LINKS)
    raw = raw_of(request, door.NewLink, await sent(request))
    try:
        form = parse(door.NewLink, raw)
        add = partial(claims.add_link, actor=actor, leader=form.leader or actor.id, kind=form.kind, target=form.target)
        await here.engine.write(partial(add, by=By(actor.id, here.now())))
    except Refused as refused:
        if refused.status not in (409, 422):
            raise
        return await _listed(request, Tried("link", raw, refused))
    return go("/leader/links", "linked")


async def end(request: Request, link: str) -> Response:
    here, actor = office(request), await who(request)
    await reader_of(request, actor)
    admit(actor, *door.LINKS)
    await sent(request)
    by = By(actor.id, here.now())
    await here.engine.write(partial(claims.end_link, actor=actor, link=link, by=by))
    return go("/leader/links", "link_ended")
