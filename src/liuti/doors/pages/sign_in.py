"""Signing in and out on a page: the same passwords, locks and sessions as the API's."""

from __future__ import annotations

from functools import partial

from fastapi import APIRouter, Request, Response

from liuti.doors.account import opened
from liuti.doors.deps import COOKIE, office, same_site, who
from liuti.doors.pages.frame import PageRoute, go, inside, page
from liuti.doors.pages.sent import sent
from liuti.flow.kernel import Refused
from liuti.store import passes
from liuti.store.audit import By


def router() -> APIRouter:
    routes = APIRouter(include_in_schema=False, route_class=PageRoute)
    routes.add_api_route("/sign-in", ask, methods=["GET"])
    routes.add_api_route("/sign-in", sign_in, methods=["POST"])
    routes.add_api_route("/sign-out", sign_out, methods=["POST"])
    return routes


async def ask(request: Request) -> Response:
    following = inside(request.query_params.get("next"), "/desk")
    return await page(request, "sign_in.html", following=following, refused=None, login="")


async def sign_in(request: Request) -> Response:
    same_site(request)
    given = await sent(request)
    following = inside(given.one("next"), "/desk")
    try:
        secret = await opened(request, given.one("login")[:64], given.one("password")[:200])
    except Refused as refused:
        words = {"following": following, "refused": refused, "login": given.one("login")}
        return await page(request, "sign_in.html", refused.status, **words)
    response = go(following)
    response.set_cookie(
        COOKIE, secret, max_age=12 * 3600, httponly=True, samesite="lax", secure=request.url.scheme == "https", path="/"
    )
    return response


async def sign_out(request: Request) -> Response:
    here, secret = office(request), request.cookies.get(COOKIE)
    actor = await who(request)
    if secret:
        await here.engine.write(partial(passes.end_session, secret=secret, by=By(actor.id, here.now())))
    response = go("/", "signed_out")
    response.delete_cookie(COOKIE, path="/")
    return response
