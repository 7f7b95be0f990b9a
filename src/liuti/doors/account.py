"""Signing in and out: a password becomes a revocable session, in a cookie for pages and as a bearer for programs."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar

from fastapi import APIRouter, Request, Response
from pydantic import Field

from liuti.doors.api import answer
from liuti.doors.deps import COOKIE, body_of, form_of, office, sign_in_first, who
from liuti.doors.hashing import Hashing
from liuti.doors.moves import body, problems
from liuti.flow.kernel import Form, Refused, parse
from liuti.store import passes
from liuti.store.audit import By


class Login(Form):
    example: ClassVar[dict[str, Any]] = {"login": "intake1", "password": "liuti-demo"}
    login: str = Field(min_length=1, max_length=64)
    password: str = Field(min_length=1, max_length=200)


def router() -> APIRouter:
    routes = APIRouter(prefix="/api/v1", tags=["account"])
    routes.add_api_route(
        "/session", sign_in, methods=["POST"], summary="登录 sign in", openapi_extra=body(Login) | {"security": []},
        responses=problems(401, 413, 422, 503),
    )  # fmt: skip
    routes.add_api_route(
        "/session", sign_out, methods=["DELETE"], summary="退出 sign out", status_code=204, responses=problems(401, 403)
    )
    routes.add_api_route("/me", me, methods=["GET"], summary="我是谁 who am I", responses=problems(401))
    return routes


async def sign_in(request: Request) -> Response:
    """Ten wrong passwords lock the login for fifteen minutes; whether a login exists is not told."""
    here = office(request)
    form = parse(Login, form_of(await body_of(request, 10_000)))
    secret = await opened(request, form.login, form.password)
    actor = await here.engine.read(partial(passes.bearer, secret=secret, now=here.now()))
    response = answer({"token": secret, "person": _shown(actor)})
    response.set_cookie(
        COOKIE, secret, max_age=12 * 3600, httponly=True, samesite="lax", secure=request.url.scheme == "https", path="/"
    )
    return response


async def opened(request: Request, login: str, password: str) -> str:
    """The secret of a new session, or Refused 401 `wrong_login`, 503 when too many sign in at once."""
    here = office(request)
    now = here.now()
    stored = await here.engine.read(partial(passes.stored_password, login=login))
    hashing: Hashing = request.app.state.hashing
    fit = await hashing.do(passes.check_password, stored, password)
    person = await here.engine.write(partial(passes.login, login=login, ok=fit, now=now))
    if person is None:
        raise Refused(
            "wrong_login", 401, "用户名或密码不对,或已被暂时锁定。", "Wrong login or password, or locked for a while."
        )
    return await here.engine.write(partial(passes.open_session, person_id=person, now=now))


async def sign_out(request: Request) -> Response:
    """Ends the session; a program's token is not a session, and stays until it is revoked or runs out."""
    here = office(request)
    secret = request.cookies.get(COOKIE) or request.headers.get("authorization", "").removeprefix("Bearer ").strip()
    actor = await who(request)
    if secret:
        await here.engine.write(partial(passes.end_session, secret=secret, by=By(actor.id, here.now())))
    response = Response(status_code=204)
    response.delete_cookie(COOKIE, path="/")
    return response


async def me(request: Request) -> Response:
    actor = await who(request)
    if not actor.id:
        raise sign_in_first()
    return answer(_shown(actor))


def _shown(actor: Any) -> dict[str, Any]:
    return {
        "id": actor.id, "name": actor.name, "post": actor.post, "unit": actor.unit or None, "level": actor.level or None,
        "roles": sorted(actor.roles), "issue": actor.issue or None,
    }  # fmt: skip
