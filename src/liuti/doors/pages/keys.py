"""The receipts a citizen keeps on this phone: each opens one issue, and only here."""

from __future__ import annotations

from functools import partial

from fastapi import Request, Response
from starlette.datastructures import URL

from liuti.doors.deps import office, same_site, who
from liuti.flow.kernel import ANYONE, Actor, Refused
from liuti.store import passes

KEPT = "liuti_keys"
MOST = 20
HALF_A_YEAR = 180 * 24 * 3600


def kept_on(request: Request) -> dict[str, str]:
    """Secrets by issue, newest last; a cookie cut short or meddled with loses only what cannot be read."""
    pairs = (one.split("~") for one in request.cookies.get(KEPT, "").split("|"))
    return {pair[0]: pair[1] for pair in pairs if len(pair) == 2}


def keep(response: Response, request: Request, issue: str, secret: str) -> None:
    """Put a receipt with the others; the oldest one goes when there are too many."""
    kept = {known: one for known, one in kept_on(request).items() if known != issue} | {issue: secret}
    text = "|".join(f"{known}~{one}" for known, one in list(kept.items())[-MOST:])
    response.set_cookie(
        KEPT, text, max_age=HALF_A_YEAR, httponly=True, samesite="lax", secure=_is_secure(request.url), path="/"
    )


def _is_secure(url: URL) -> bool:
    return url.scheme == "https"


async def visitor(request: Request, issue: str) -> Actor:
    """Who stands at this issue's page: an official signed in, else the person whose receipt is on this phone, else anyone."""
    actor = await _signed_in(request)
    if actor != ANYONE:
        return actor
    secret = kept_on(request).get(issue)
    if secret is None:
        return ANYONE
    same_site(request)
    known = await speaker(request, secret)
    return known if known is not None and issue in (known.issue, known.origin) else ANYONE


async def _signed_in(request: Request) -> Actor:
    try:
        return await who(request)
    except Refused as refused:
        if refused.status == 403:
            raise
        return ANYONE


async def speaker(request: Request, secret: str) -> Actor | None:
    """The citizen a receipt's secret stands for; None for what is none of ours, or a voice that left."""
    here = office(request)
    claim = here.ring.open_secret(secret)
    if claim is None:
        return None
    return await here.engine.ask(partial(passes.voice_actor, voice_id=claim.voice_id))
