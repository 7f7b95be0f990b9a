"""One page: in the reader's language and look, for whoever is signed in; a refusal is a page too."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote, urlsplit

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.routing import APIRoute
from jinja2 import Environment

from liuti.doors import problems
from liuti.doors.deps import Office, office, who
from liuti.doors.pages import menu
from liuti.doors.pages.assets import address
from liuti.doors.pages.sent import Sent, held
from liuti.flow.kernel import ANYONE, Actor, Refused
from liuti.flow.words import ADMINS, CLOCK_NAMES, OFFICIALS, ROLE_NAMES, SIX, STATE_NAMES, STEP_NAMES
from liuti.store.directory import Directory, read_directory
from liuti.templating import templates

TEMPLATES = Path(__file__).parents[1] / "templates"
LANG, THEME, LARGE, DONE = "liuti_lang", "liuti_theme", "liuti_large", "liuti_done"
A_YEAR = 365 * 24 * 3600
FRESH = timedelta(seconds=30)
"""How long names of units, places and officials are kept before they are read anew."""
_PACK_FROM = 1_000


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads, and how they like it."""

    actor: Actor
    en: bool
    theme: Literal["auto", "light", "dark"]
    large: bool

    @property
    def official(self) -> bool:
        """Whoever works here, administrators included."""
        return not self.actor.roles.isdisjoint(OFFICIALS | ADMINS) and not self.actor.voice

    def t(self, zh: str, en: str) -> str:
        """The sentence in the reader's language."""
        return en if self.en else typeset(zh)


_CJK = "\u2e80-\u9fff\u3000-\u303f\uff00-\uffef\u201c\u201d"
_FULL = str.maketrans(",:;?!()", "\uff0c\uff1a\uff1b\uff1f\uff01\uff08\uff09")
_HALF = re.compile(rf"(?<=[{_CJK}])[,:;?!()]|[(,](?=[{_CJK}])|\)(?=[{_CJK}])")


def _widened(zh: str) -> str:
    return _HALF.sub(lambda found: found[0].translate(_FULL), zh)


@lru_cache(maxsize=4096)
def typeset(zh: str) -> str:
    """A Chinese sentence with the full-width punctuation it is read with; what we write in sources is plain."""
    # Twice: a mark that follows a bracket is known for one of ours only when the bracket is.
    return _widened(_widened(zh))


@dataclass(slots=True)
class _Names:
    read_at: datetime
    directory: Directory


async def directory(here: Office) -> Directory:
    """Units, places and officials by name, at most half a minute old."""
    kept: _Names | None = here.names
    now = here.now()
    if kept is None or not timedelta() <= now - kept.read_at < FRESH:
        kept = here.names = _Names(now, await here.engine.read(read_directory))
    return kept.directory


async def reader_of(request: Request, actor: Actor | None = None) -> Reader:
    """Whoever reads this page; `actor` where the page has already found out, a citizen by a key for instance."""
    if actor is None:
        known: Reader | None = getattr(request.state, "reader", None)
        if known is not None:
            return known
        try:
            actor = await who(request)
        except Refused:  # a session that ended: the page is shown as to anyone, and says so where it matters
            actor = ANYONE
    request.state.reader = reader = look_of(request, actor)
    return reader


def look_of(request: Request, actor: Actor) -> Reader:
    cookies = request.cookies
    asked = request.query_params.get("lang") or cookies.get(LANG, "")
    english = asked == "en" if asked in ("zh", "en") else problems.speaks_english(request)
    theme = cookies.get(THEME, "auto")
    return Reader(actor, english, theme if theme in ("light", "dark") else "auto", cookies.get(LARGE) == "1")  # type: ignore[arg-type]


# -- making the page -----------------------------------------------------------------------------------------------


@cache
def _environment() -> Environment:
    made = templates(TEMPLATES)
    made.filters["unrequired"] = lambda one: replace(one, required=False)
    made.globals |= {
        "asset": address, "STATE_NAMES": STATE_NAMES, "STEP_NAMES": STEP_NAMES, "CLOCK_NAMES": CLOCK_NAMES,
        "ROLE_NAMES": ROLE_NAMES, "SIX": [step.value for step in SIX],
    }  # fmt: skip
    return made


async def page(request: Request, name: str, status: int = 200, **words: Any) -> HTMLResponse:
    """The template `name` as a page. `names` (the directory), `policy`, `now` and the reader are there for all of them."""
    here, reader = office(request), await reader_of(request)
    shared = {"names": await directory(here), "policy": here.desk.world().policy, "now": here.now()}
    return _answer(request, _rendered(request, reader, name, shared | words), reader, status)


def _rendered(request: Request, reader: Reader, name: str, words: dict[str, Any]) -> str:
    here = office(request)
    zone = here.desk.world().calendar.zone
    said = _Said(reader, zone, words.get("now") or here.now())
    done, items = request.cookies.get(DONE, ""), menu.items(reader)
    return _environment().get_template(name).render(
        reader=reader, t=reader.t, en=reader.en, actor=reader.actor, path=request.url.path, menu=items,
        within=menu.current(items, request.url.path),
        when=said.when, day=said.day, month_name=said.month, left=said.left, ago=said.ago, pair=said.pair, back=_back_to(request),
        done=menu.DONE.get(done), **words,
    )  # fmt: skip


def _answer(request: Request, text: str, reader: Reader, status: int) -> HTMLResponse:
    body = text.encode()
    headers = {
        "Content-Language": "en" if reader.en else "zh-CN", "Vary": "Accept-Language, Cookie, Accept-Encoding",
        "Cache-Control": "no-store" if reader.actor != ANYONE else "private, no-cache",
    }  # fmt: skip
    if len(body) > _PACK_FROM and "gzip" in request.headers.get("accept-encoding", ""):
        body = gzip.compress(body, 5, mtime=0)
        headers["Content-Encoding"] = "gzip"
    response = HTMLResponse(body, status, headers)
    if DONE in request.cookies:
        response.delete_cookie(DONE, path="/")
    if (asked := request.query_params.get("lang")) in ("zh", "en"):
        response.set_cookie(LANG, str(asked), max_age=A_YEAR, samesite="lax", path="/")
    return response


class _Said:
    """Times in the reader's words, in the district's zone."""

    def __init__(self, reader: Reader, zone: Any, now: datetime) -> None:
        self._reader, self._zone, self._now = reader, zone, now

    def when(self, moment: datetime | str | None) -> str:
        """Day and minute; the year only where it is another one. The ledger's facts tell a time as text."""
        if not moment:
            return ""
        if isinstance(moment, str):
            moment = datetime.fromisoformat(moment)
        there = moment.astimezone(self._zone)
        return f"{self.day(there.date())} {there:%H:%M}"

    def day(self, value: date | datetime | None) -> str:
        if value is None:
            return ""
        if isinstance(value, datetime):
            value = value.astimezone(self._zone).date()
        other = value.year != self._now.astimezone(self._zone).year
        if self._reader.en:
            return f"{value.day} {value:%b}" + (f" {value.year}" if other else "")
        return (f"{value.year}年" if other else "") + f"{value.month}月{value.day}日"

    def month(self, value: str) -> str:
        """A month that is named 2026-11."""
        first = date.fromisoformat(f"{value}-01")
        return f"{first:%b} {first.year}" if self._reader.en else f"{first.year}年{first.month}月"

    def left(self, due: datetime | None) -> str:
        """How long there still is, or how long it is late."""
        if due is None:
            return ""
        span = due - self._now
        length = self._length(abs(span))
        if span < timedelta():
            return self._reader.t(f"超期 {length}", f"{length} late")
        return self._reader.t(f"还剩 {length}", f"{length} left")

    def ago(self, moment: datetime | None) -> str:
        if moment is None:
            return ""
        length = self._length(self._now - moment)
        return self._reader.t(f"{length}前", f"{length} ago")

    def _length(self, span: timedelta) -> str:
        minutes = int(span.total_seconds() // 60)
        t = self._reader.t
        if minutes < 60:
            return t(f"{minutes} 分钟", f"{minutes} min")
        if minutes < 48 * 60:
            return t(f"{minutes // 60} 小时", f"{minutes // 60} h")
        return t(f"{minutes // 1440} 天", f"{minutes // 1440} days")

    def pair(self, names: Any) -> str:
        """One of a pair (zh, en), or of anything that has both."""
        if isinstance(names, (tuple, list)):
            return self._reader.t(names[0], names[1])
        if isinstance(names, dict):
            return self._reader.t(names["zh"], names["en"])
        return self._reader.t(names.zh, names.en)


# -- going on, and refusing ----------------------------------------------------------------------------------------


def inside(address: str | None, otherwise: str = "/") -> str:
    """An address of this very site, to go back to; anything else is not followed."""
    parts = urlsplit(address or "")
    fits = address and address.startswith("/") and not address.startswith(("//", "/\\")) and not parts.netloc
    return address if fits and address is not None else otherwise


def _back_to(request: Request) -> str:
    return quote(request.url.path + (f"?{request.url.query}" if request.url.query else ""), safe="/")


def go(address: str, done: str = "") -> Response:
    """On to another page after something was done; `done` names the sentence of `menu.DONE` it then begins with."""
    response = RedirectResponse(address, 303)
    if done:
        response.set_cookie(DONE, done, max_age=60, httponly=True, samesite="lax", path="/")
    return response


async def prefer(request: Request) -> Response:
    """Language, colours and large print, kept on this device; a plain link, so that it works without JavaScript."""
    asked = request.query_params
    response = RedirectResponse(inside(asked.get("back")), 303)
    for name, cookie, known in (
        ("lang", LANG, ("zh", "en")),
        ("theme", THEME, ("auto", "light", "dark")),
        ("large", LARGE, ("0", "1")),
    ):
        if asked.get(name) in known:
            response.set_cookie(cookie, asked[name], max_age=A_YEAR, samesite="lax", path="/")
    return response


def is_page(request: Request) -> bool:
    """Whether the answer is read by a person in a browser."""
    asks = "text/html" in request.headers.get("accept", "")
    return asks and not request.url.path.startswith(("/api/", "/openapi.json", "/metrics", "/static/"))


def refusal(request: Request, refused: Refused) -> Response:
    """The rule in words, and the way on; whoever is not signed in is asked to, and comes back after."""
    if refused.status == 401 and request.method == "GET":
        return RedirectResponse(f"/sign-in?next={_back_to(request)}", 303)
    reader: Reader = getattr(request.state, "reader", None) or look_of(request, ANYONE)
    title = problems.TITLES.get(refused.status, problems.TITLES[422])
    given: Sent | None = getattr(request.state, "sent", None)
    words = {
        "title": title, "refused": refused, "now": office(request).now(), "sign_in": refused.status == 401,
        "given": given, "held": held(office(request), given.files) if given else [], "address": request.url.path,
    }  # fmt: skip
    return _answer(request, _rendered(request, reader, "refused.html", words), reader, refused.status)


class PageRoute(APIRoute):
    """A route people read: what refuses is answered as a page."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handled(request: Request) -> Response:
            try:
                return await handle(request)
            except Refused as refused:
                await reader_of(request)
                return refusal(request, refused)
            except RequestValidationError as error:
                await reader_of(request)
                return refusal(request, problems.bad_query(error))

        return handled
