"""出题 on a phone: words, photos, place; what is alike is shown before sending, and nothing typed is ever lost."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import segno
from fastapi import APIRouter, Request, Response

from liuti.doors.deps import office
from liuti.doors.pages import keys, moving
from liuti.doors.pages.fields import Around
from liuti.doors.pages.frame import PageRoute, directory, go, page, reader_of
from liuti.doors.pages.maps import allow_tiles, map_of, split, with_point
from liuti.doors.pages.moving import Offer, Tried
from liuti.doors.pages.sent import Sent, raw_of, sent
from liuti.doors.topics import near
from liuti.flow.kernel import Actor, Refused
from liuti.flow.propose import Submit
from liuti.store import topics

SHOWN = 3
SURE = 0.5
"""Confidence from which a guessed category is put before a citizen."""
INSIDE_ONLY = (
    "title",
    "on_behalf",
    "consent",
    "source",
    "external_id",
    "reporter",
    "reported_at",
    "against",
    "notice_version",
)
"""What a citizen is not asked: an officer's fields, and those that stand elsewhere on the page."""


def router() -> APIRouter:
    routes = APIRouter(include_in_schema=False, route_class=PageRoute)
    routes.add_api_route("/propose", ask, methods=["GET", "HEAD"])
    routes.add_api_route("/propose", submit, methods=["POST"])
    routes.add_api_route("/similar", alike, methods=["POST"])
    routes.add_api_route("/receipts/{secret}", opened, methods=["GET"])
    return routes


async def ask(request: Request) -> Response:
    return await _form(request, None, [])


async def alike(request: Request) -> Response:
    """Only what is alike and the category it looks like, for a page that asks while its reader still types."""
    given = await sent(request)
    found, guess = await _alike(request, given), await _guess(request, given)
    return await page(request, "parts/similar.html", similar=found, guess=guess, key=given.key or "")


async def submit(request: Request) -> Response:
    """Send it, unless something alike is to be looked at first; then the same button sends it."""
    reader = await reader_of(request)
    given = await sent(request)
    raw = raw_of(request, Submit, given) | {"notice_version": given.one("notice_version")}
    raw["place"] = with_point(str(raw.get("place", "")), given.one("point"))
    if not raw.get("category") and given.one("guessed"):
        raw["category"] = given.one("guessed")
    if not given.one("looked") and (found := await _alike(request, given)):
        return await _form(request, Tried("submit", raw, _LOOK, given.files), found, looked=True)
    try:
        receipt = await moving.made(request, reader.actor, "submit", raw, "", given)
    except Refused as refused:
        return await _form(request, Tried("submit", raw, refused, given.files), [], refused.status)
    return await _receipt(request, receipt)


_LOOK = Refused("look_first", 200, "先看看是不是同一件事。", "Please look whether it is the same matter.", "looked")


async def _alike(request: Request, given: Sent) -> list[dict[str, Any]]:
    text, actor = given.one("text").strip(), (await reader_of(request)).actor
    if len(text) < 4 or given.one("danger") == "true":
        return []
    return await near(request, actor, topics.head(given.one("place"), given.one("title")), text[:4000], SHOWN)


async def _guess(request: Request, given: Sent) -> str:
    """The category the words speak for, where the district has a model and it is sure enough; "" for none."""
    here, text = office(request), given.one("text").strip()
    if here.categories is None or len(text) < 8 or given.one("category"):
        return ""
    first = next(iter(await asyncio.to_thread(here.categories.suggest, given.one("title"), text[:4000], 1)), None)
    known = here.desk.world().policy.categories
    return first.category if first is not None and first.confidence >= SURE and first.category in known else ""


async def _form(
    request: Request, tried: Tried | None, similar: list[dict[str, Any]], status: int = 200, *, looked: bool = False
) -> Response:
    here, reader = office(request), await reader_of(request)
    around = Around(None, await directory(here), here.desk.world().policy, reader.t)
    leave = INSIDE_ONLY if not reader.official else ("title",)
    offer = moving.offer_of(request, "submit", "出题", "Propose", Submit, around, tried, leave)
    offer.action = "/propose"
    place, point = split(str(tried.raw.get("place", "")) if tried is not None else "")
    field, shown = _by_name(offer), map_of(here.settings)
    field["place"].value = place
    words: dict[str, Any] = {
        "offer": offer, "field": field, "similar": similar, "looked": looked, "map": shown, "guess": "", "key": offer.key,
        "point": f"{point[0]},{point[1]}" if point is not None else "",
    }  # fmt: skip
    response = await page(request, "propose.html", status, **words)
    allow_tiles(response, shown)
    return response


def _by_name(offer: Offer) -> dict[str, Any]:
    return {one.name: one for one in offer.fields}


# -- the receipt ---------------------------------------------------------------------------------------------------


async def _receipt(request: Request, receipt: Any) -> Response:
    """Shown once, and kept on this phone: the query code for anybody, the link for the person alone."""
    here = office(request)
    secret = here.ring.voice_secret(receipt.voice)
    link = f"{_here(request)}/receipts/{secret}"
    words = {
        "receipt": receipt, "code": receipt.query_code, "link": link, "picture": _picture(link),
        "emergency": receipt.noted.get("emergency"),
    }  # fmt: skip
    response = await page(request, "receipt.html", 201, **words)
    response.headers["Cache-Control"] = "no-store"
    keys.keep(response, request, receipt.issue, secret)
    return response


def _here(request: Request) -> str:
    """This server as the reader reached it, so that a link and its picture lead back to where they were made."""
    return f"{request.url.scheme}://{request.url.netloc}"


def _picture(text: str) -> str:
    """A QR code as SVG, drawn in the page's own ink; the text it stands for is beside it in words."""
    out = io.BytesIO()
    segno.make(text, error="m", micro=False).save(
        out,
        kind="svg",
        xmldecl=False,
        svgns=True,
        border=2,
        svgclass="qr",
        lineclass=None,
        omitsize=True,
        dark="#000",
        light="#fff",
    )
    return out.getvalue().decode()


async def opened(request: Request, secret: str) -> Response:
    """The link of a receipt: it opens its issue, and this phone keeps it."""
    actor: Actor | None = await keys.speaker(request, secret)
    if actor is None:
        zh, en = "这个回执链接无效,请核对。", "This link is not one of ours: please check it."
        raise Refused("no_such_receipt", 404, zh, en)
    response = go(f"/issues/{actor.issue}")
    keys.keep(response, request, actor.issue, secret)
    return response
