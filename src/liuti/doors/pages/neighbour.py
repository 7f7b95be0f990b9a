"""A resident drawn by lot is asked how a matter nearby went: by the link of a letter, once, without an account."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from liuti.doors import residents
from liuti.doors.deps import office
from liuti.doors.pages.fields import Around, fields_of, read_back
from liuti.doors.pages.frame import PageRoute, directory, page, reader_of
from liuti.doors.pages.sent import faults_of, sent
from liuti.doors.residents import ResidentsWord
from liuti.flow.kernel import Refused
from liuti.store.vault import RatingClaim


def router() -> APIRouter:
    routes = APIRouter(include_in_schema=False, route_class=PageRoute)
    routes.add_api_route("/s/{token}", ask, methods=["GET"])
    routes.add_api_route("/s/{token}", say, methods=["POST"])
    return routes


def _claim(request: Request, token: str) -> RatingClaim:
    try:
        return residents.claimed(office(request), token)
    except Refused as refused:
        zh, en = (
            "这个链接无效,请核对短信中的地址。",
            "This link is not one of ours: please check the address in the message.",
        )
        raise Refused("no_such_invitation", 404, zh, en) from refused


async def ask(request: Request, token: str) -> Response:
    return await _form(request, token, _claim(request, token), {}, None)


async def say(request: Request, token: str) -> Response:
    here, claim, given = office(request), _claim(request, token), await sent(request)
    raw = read_back(ResidentsWord, given.fields, here.desk.world().calendar.zone)
    try:
        await residents.keep(here, claim, raw)
    except Refused as refused:
        return await _form(request, token, claim, raw, refused)
    return await page(request, "neighbour/said.html")


async def _form(
    request: Request, token: str, claim: RatingClaim, raw: dict[str, Any], refused: Refused | None
) -> Response:
    here, reader = office(request), await reader_of(request)
    seen = await residents.matter(here, claim)
    said = {name: reader.t(*words) for name, words in faults_of(refused).items()} if refused is not None else {}
    around = Around(None, await directory(here), here.desk.world().policy, reader.t)
    fields = {one.name: one for one in fields_of(ResidentsWord, around, raw, said)}
    words = {"seen": seen, "field": fields, "refused": refused, "action": f"/s/{token}"}
    return await page(request, "neighbour/ask.html", refused.status if refused is not None else 200, **words)
