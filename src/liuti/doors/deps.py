"""What every door needs: the office behind the counter, and who is standing in front of it."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from hashlib import sha256
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from fastapi import Request
from msgspec import DecodeError, json
from msgspec.structs import replace

from liuti.flow import sight
from liuti.flow.kernel import ANYONE, Actor, Refused, not_yours
from liuti.flow.words import ADMINS, Role
from liuti.matters import Matters
from liuti.rank.categories import Model
from liuti.replies import Reply
from liuti.settings import Settings
from liuti.store import passes
from liuti.store.act import Desk
from liuti.store.engine import Engine
from liuti.store.vault import KeyRing

COOKIE = "liuti_session"
MOST_JSON = 1_000_000


@dataclass(slots=True)
class Office:
    """One running server: made by the app factory, the same for all requests."""

    settings: Settings
    engine: Engine
    desk: Desk
    ring: KeyRing
    now: Callable[[], datetime]
    matters: Matters
    categories: Model | None
    """What suggests a category at intake; None: nothing is guessed."""
    replies: tuple[Reply, ...] = ()
    """Reply templates, as the district wrote them."""
    names: Any = None
    """Units, places and officials by name, as `doors.pages.frame.directory` last read them."""
    counted: Any = None
    """Figures that take a while, as `doors.pages.counting` last counted them."""


def office(request: Request) -> Office:
    found: Office = request.app.state.office
    return found


async def who(request: Request) -> Actor:
    """The actor behind the request: an official's session or token, a voice's secret, a rating token, or anyone.

    Looked up once a request. Raises Refused 401 for a pass that is not, or no longer, ours; 403 for a cookie sent from
    another site.
    """
    known: Actor | None = getattr(request.state, "actor", None)
    if known is None:
        known = request.state.actor = await _who(request)
    return known


async def _who(request: Request) -> Actor:
    here = office(request)
    given = request.headers.get("authorization", "")
    if given:
        kind, _, secret = given.partition(" ")
        if kind.lower() != "bearer" or not secret:
            raise not_ours()
        return await of_secret(here, secret.strip())
    cookie = request.cookies.get(COOKIE)
    if cookie:
        same_site(request)
        # A page and the board it draws from both ask; within one request the answer is the same.
        known: Actor | None = getattr(request.state, "signed_in", None)
        if known is None:
            known = await here.engine.ask(partial(passes.bearer, secret=cookie, now=here.now())) or ANYONE
            request.state.signed_in = known
        return known
    return ANYONE


async def of_secret(here: Office, secret: str) -> Actor:
    """Whoever a secret stands for: a voice, a rating token's voice, a session or a token; Refused 401 for any other."""
    if secret.startswith("lv1.") and (claim := here.ring.open_secret(secret)) is not None:
        actor = await here.engine.ask(partial(passes.voice_actor, voice_id=claim.voice_id))
    elif secret.startswith("lr1.") and (token := here.ring.open_rating(secret)) is not None:
        actor = await here.engine.ask(partial(passes.voice_actor, voice_id=token.voice_id))
        actor = replace(actor, rating=token.round) if actor is not None else None
    else:
        actor = await here.engine.ask(partial(passes.bearer, secret=secret, now=here.now()))
    if actor is None:
        raise not_ours()
    return actor


def admit(actor: Actor, *roles: Role) -> None:
    """Whoever holds one of the roles; Refused 401 for nobody in particular, 403 for anybody else."""
    if not actor.id:
        raise sign_in_first()
    if actor.roles.isdisjoint(roles):
        # To an admin without sight that is the rule, but where only admins are let in.
        cases = not ADMINS.issuperset(roles) and not actor.roles.isdisjoint(sight.BLIND)
        raise sight.blind() if cases else not_yours(roles)


def sign_in_first() -> Refused:
    return Refused("sign_in", 401, "请先登录。", "Please sign in.")


def not_ours() -> Refused:
    return Refused(
        "sign_in", 401, "登录已失效或凭证无效,请重新登录。", "This pass is not valid (any more): please sign in."
    )


def same_site(request: Request) -> None:
    """A cookie counts only for what our own pages send (the cookie is SameSite=Lax besides)."""
    if request.method in ("GET", "HEAD"):
        return
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        raise Refused("other_site", 403, "请求来自其他网站,已拒绝。", "This came from another site.")


def place_of(request: Request) -> str:
    """A keyed hash of where an anonymous person writes from: enough to count by, nothing to find them by."""
    here = office(request)
    client = request.client.host if request.client else ""
    for network in here.settings.proxies():
        if client and _within(client, network):
            client = request.headers.get("x-forwarded-for", client).split(",")[-1].strip()
            break
    key = here.settings.keys.get_secret_value().encode()
    return "net:" + hmac.new(key, client.encode(), sha256).hexdigest()[:32]


def _within(client: str, network: Any) -> bool:
    try:
        return ip_address(client) in network
    except ValueError:
        return False


async def body_of(request: Request, most: int = MOST_JSON) -> bytes:
    """The body, or Refused 413 as soon as it grows too large."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > most:
            raise too_large(most)
        parts.append(part)
    return b"".join(parts)


def too_large(most: int) -> Refused:
    return Refused("too_large", 413, f"内容超过 {most // 1000} kB。", f"More than {most // 1000} kB.", most=most)


class Malformed:
    """A body that is no JSON object; refused as a bad form, in its place in the order of refusals."""


def form_of(body: bytes) -> Any:
    if not body.strip():
        return {}
    if b"\x00" in body or b"\\u0000" in body:
        # PostgreSQL keeps no NUL in a text and SQLite would: refused here, so that both answer alike.
        return Malformed()
    try:
        given = json.decode(body)
    except (DecodeError, UnicodeDecodeError):
        return Malformed()
    return given if isinstance(given, dict) else Malformed()


NO_VERSION = -1


def seen_version(request: Request) -> int | None:
    """The version in If-Match; `*` and none at all ask for nothing. What is no version of ours is NO_VERSION, so that
    the desk refuses it as stale in its place, after who and where."""
    given = request.headers.get("if-match", "").strip()
    if not given or given == "*":
        return None
    text = given.removeprefix("W/").strip('"')
    return int(text) if text.isdecimal() and len(text) <= 9 else NO_VERSION


def key_of(request: Request) -> str | None:
    key = request.headers.get("idempotency-key")
    if key is None:
        return None
    if not 1 <= len(key) <= 100 or not key.isprintable():
        zh, en = "幂等键须为 1-100 个可见字符。", "An Idempotency-Key has 1-100 visible characters."
        raise Refused("bad_key", 422, zh, en, "Idempotency-Key")
    return key
