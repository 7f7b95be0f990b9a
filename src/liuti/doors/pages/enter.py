"""代人登记: what somebody says on the phone or at the counter, typed while they talk; the query code is read out to them."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from liuti.doors.deps import office
from liuti.doors.pages import moving
from liuti.doors.pages.doorway import holding
from liuti.doors.pages.fields import Around
from liuti.doors.pages.frame import PageRoute, directory, page, reader_of
from liuti.doors.pages.moving import Tried
from liuti.doors.pages.sent import Sent, raw_of, sent
from liuti.doors.topics import near
from liuti.flow import sight
from liuti.flow.kernel import Actor, Refused
from liuti.flow.propose import Submit
from liuti.flow.words import Channel, Role
from liuti.store import earlier, read, topics

ENTERS = (Role.INTAKE, Role.GRID_WORKER)
ALIKE = 4
SHORTEST = 4
"""Fewer characters say too little to be compared with anything."""
LEFT_OUT = ("title", "reporter", "against", "notice_version")


def router() -> APIRouter:
    routes = APIRouter(include_in_schema=False, route_class=PageRoute)
    routes.add_api_route("/desk/enter", ask, methods=["GET"])
    routes.add_api_route("/desk/enter", enter, methods=["POST"])
    routes.add_api_route("/desk/enter/alike", alike, methods=["POST"])
    return routes


async def ask(request: Request) -> Response:
    actor = await holding(request, *ENTERS)
    first = {"on_behalf": True, "source": (Channel.HOTLINE if Role.INTAKE in actor.roles else Channel.GRID).value}
    return await _form(request, actor, Tried("submit", first, None), {})


async def alike(request: Request) -> Response:
    """Only what is alike and what this phone brought up before, for a page that asks while its reader still types."""
    actor = await holding(request, *ENTERS)
    return await page(request, "intake/alike.html", **await _known(request, actor, await sent(request)))


async def enter(request: Request) -> Response:
    """Keep it and show the code to read out; or, by the other button, only look for what is alike."""
    actor = await holding(request, *ENTERS)
    given = await sent(request)
    raw = raw_of(request, Submit, given) | {"notice_version": given.one("notice_version")}
    if given.one("do") == "look":
        return await _form(request, actor, Tried("submit", raw, None, given.files), await _known(request, actor, given))
    try:
        receipt = await moving.made(request, actor, "submit", raw, "", given)
    except Refused as refused:
        known = await _known(request, actor, given) if refused.status == 422 else {}
        return await _form(request, actor, Tried("submit", raw, refused, given.files), known)
    words = {"code": receipt.query_code, "receipt": receipt, "emergency": receipt.noted.get("emergency")}
    words |= {"accepts": Role.INTAKE in actor.roles, "same": await _alike(request, actor, given, receipt.issue)}
    return await page(request, "intake/entered.html", 201, **words)


async def _form(request: Request, actor: Actor, tried: Tried, known: dict[str, Any]) -> Response:
    here, reader = office(request), await reader_of(request)
    around = Around(None, await directory(here), here.desk.world().policy, reader.t)
    offer = moving.offer_of(request, "submit", "登记", "Enter", Submit, around, tried, LEFT_OUT)
    offer.action, offer.open = "/desk/enter", tried.refused is not None
    words = {
        "offer": offer,
        "field": {one.name: one for one in offer.fields},
        "similar": [],
        "before": [],
        "looked": bool(known),
    }
    return await page(request, "intake/enter.html", tried.status, **words | known)


# -- what is known already -----------------------------------------------------------------------------------------


async def _known(request: Request, actor: Actor, given: Sent) -> dict[str, Any]:
    found = {"similar": await _alike(request, actor, given), "before": await _before(request, actor, given)}
    return found | {"looked": True}


async def _alike(request: Request, actor: Actor, given: Sent, but: str = "") -> list[dict[str, Any]]:
    text = given.one("text").strip()
    if len(text) < SHORTEST or given.one("kind") == "tip_off":
        return []
    return await near(request, actor, topics.head(given.one("place"), ""), text[:4000], ALIKE, but)


async def _before(request: Request, actor: Actor, given: Sent) -> list[dict[str, Any]]:
    """What this phone brought up before, as far as whoever asks may know of it."""
    here, phone = office(request), given.one("contact.phone")
    if sum(char.isdigit() for char in phone) < 7:
        return []
    hashed = here.ring.phone_hash(phone)

    def look(conn: Any) -> list[read.Found]:
        ids = earlier.of_phone(conn, hashed)
        found = read.several(conn, ids)
        return [found[one] for one in ids if one in found]

    now = here.now()
    found = await here.engine.read(look)
    return [sight.listed(actor, one.issue, one.row, now) for one in found if sight.may_link(actor, one.issue)]
