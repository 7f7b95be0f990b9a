"""Progress by query code, and the rating a letter asks for: neither needs an account."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from liuti.doors.api import by_query_code
from liuti.doors.deps import of_secret, office
from liuti.doors.pages import keys, moving
from liuti.doors.pages.fields import Around
from liuti.doors.pages.frame import PageRoute, directory, page, reader_of
from liuti.doors.pages.moving import Tried
from liuti.doors.pages.sent import raw_of, sent
from liuti.flow import sight
from liuti.flow.evaluate import Rating
from liuti.flow.kernel import Actor, Refused
from liuti.flow.table import FLOW
from liuti.store import read
from liuti.store.read import Found

CALLERS_ONLY = ("voice", "outcome", "number", "called_at")


def router() -> APIRouter:
    routes = APIRouter(include_in_schema=False, route_class=PageRoute)
    routes.add_api_route("/progress", progress, methods=["GET", "HEAD"])
    routes.add_api_route("/r/{token}", ask_rating, methods=["GET"])
    routes.add_api_route("/r/{token}", rate, methods=["POST"])
    return routes


async def progress(request: Request) -> Response:
    """Where it stands and until when, for whoever holds the code; and the receipts kept on this phone."""
    code = request.query_params.get("code", "")[:40]
    words: dict[str, Any] = {
        "code": code,
        "found": None,
        "refused": None,
        "moves": FLOW.moves,
        "kept": await _kept(request),
    }
    status = 200
    if code:
        try:
            words["found"] = await by_query_code(request, code)
        except Refused as refused:
            words["refused"], status = refused, refused.status
    return await page(request, "progress.html", status, **words)


async def _kept(request: Request) -> list[dict[str, Any]]:
    """One line for each receipt of this phone: what they open is asked for anew when one of them is opened."""
    here, ids = office(request), list(keys.kept_on(request))
    found = await here.engine.read(lambda conn: read.several(conn, ids))
    now = here.now()
    mine = [Actor("", frozenset(), issue=issue, origin=issue) for issue in ids]
    return [
        sight.listed(actor, found[actor.issue].issue, found[actor.issue].row, now)
        for actor in reversed(mine) if actor.issue in found
    ]  # fmt: skip


# -- rating by a link ----------------------------------------------------------------------------------------------


async def ask_rating(request: Request, token: str) -> Response:
    actor, found = await _invited(request, token)
    return await _rating(request, token, actor, found, None)


async def rate(request: Request, token: str) -> Response:
    actor, found = await _invited(request, token)
    given = await sent(request)
    raw = raw_of(request, Rating, given)
    try:
        await moving.made(request, actor, "rate", raw, found.issue.id, given)
    except Refused as refused:
        return await _rating(request, token, actor, found, Tried("rate", raw, refused))
    return await page(request, "rated.html", issue=found.issue)


async def _invited(request: Request, token: str) -> tuple[Actor, Found]:
    """Whom the link was sent to, and their issue; Refused 404 for a link that is none of ours."""
    here = office(request)
    try:
        actor = await of_secret(here, token)
    except Refused as refused:
        zh, en = (
            "这个评价链接无效,请核对短信中的地址。",
            "This link is not one of ours: please check the address in the message.",
        )
        raise Refused("no_such_invitation", 404, zh, en) from refused
    found = await here.engine.read(lambda conn: read.find(conn, actor.issue))
    if not actor.rating or found is None:
        raise Refused("no_such_invitation", 404, "这个评价链接无效。", "This link is not one of ours.")
    await reader_of(request, actor)
    return actor, found


async def _rating(request: Request, token: str, actor: Actor, found: Found, tried: Tried | None) -> Response:
    here, reader = office(request), await reader_of(request)
    around = Around(found.issue, await directory(here), here.desk.world().policy, reader.t)
    offer = moving.offer_of(request, "rate", "评题", "rate", Rating, around, tried, CALLERS_ONLY)
    offer.action = f"/r/{token}"
    seen = sight.seen_by(actor, found.issue, found.row, here.now())
    words: dict[str, Any] = {"offer": offer, "seen": seen, "field": {one.name: one for one in offer.fields}}
    return await page(request, "rate.html", tried.status if tried else 200, **words)
