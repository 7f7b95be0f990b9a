"""The app factory: settings and a clock in, a server out; importing this does nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from functools import cache

from fastapi import APIRouter, FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from liuti import __version__, replies
from liuti.doors import (
    account,
    api,
    audit,
    boards,
    campaigns,
    codes,
    events,
    figures,
    leaders,
    measures,
    metrics,
    moves,
    openapi,
    pages,
    plans,
    problems,
    projects,
    residents,
    rounds,
    teams,
    topics,
)  # fmt: skip
from liuti.doors.deps import Office
from liuti.doors.hashing import Hashing
from liuti.doors.straight import Straight
from liuti.flow.table import FLOW
from liuti.lines import sms_of
from liuti.matters import Matters
from liuti.rank.categories import Model
from liuti.settings import Settings
from liuti.store.act import Desk
from liuti.store.engine import open_engine
from liuti.store.worlds import Worlds

HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
    (b"content-security-policy", b"default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"),
]


class Hardened:
    """The headers every answer carries."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def more(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = {name for name, _ in message["headers"]}
                message["headers"] = [*message["headers"], *(h for h in HEADERS if h[0] not in given)]
            await send(message)

        await self.app(scope, receive, more)


def _categories(settings: Settings) -> Model | None:
    """What suggests categories at intake; ValueError in words for a file that is none of ours."""
    return Model.load(settings.category_model.read_bytes()) if settings.category_model is not None else None


def _replies(settings: Settings) -> tuple[replies.Reply, ...]:
    """The district's reply templates, or those shipped; RepliesUnfit in words for a file with a fault."""
    words = settings.reply_words()
    return replies.default() if words is None else replies.load(words)


ROOMS = (
    moves, api, account, audit, codes, figures, rounds, topics, boards, measures, campaigns, projects, leaders, plans, residents, teams, events,
)  # fmt: skip


@cache
def _routers() -> tuple[APIRouter, ...]:
    """Made once: they hold nothing of the server they hang in, and making them takes longer than most tests."""
    return tuple(room.router() for room in ROOMS)


def utc_now() -> datetime:
    return datetime.now(UTC)


def make_app(settings: Settings, now: Callable[[], datetime] = utc_now) -> FastAPI:
    """A server over the database the settings name. `now` is the only clock there is; nothing in HTTP can set it."""

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        engine, hashing = open_engine(settings.database_url, pool=settings.pool), Hashing()
        try:
            worlds = Worlds(settings.policy_words())
            await worlds.refresh(engine)
            ring = settings.ring()
            desk = Desk(engine, FLOW, worlds, ring, now, settings.seal)
            app.state.office, app.state.hashing = (
                Office(settings, engine, desk, ring, now, Matters(), _categories(settings), _replies(settings)),
                hashing,
            )
            app.state.sms = sms = sms_of(settings, now)
            watching = asyncio.create_task(worlds.watch(engine))
            try:
                async with events.on_air(app, app.state.office):
                    yield
            finally:
                watching.cancel()
                with suppress(asyncio.CancelledError):
                    await watching
                await sms.aclose()
        finally:
            await hashing.close()
            await engine.close()

    app = FastAPI(
        title="liuti 六题",
        version=__version__,
        lifespan=life,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
    )
    times = metrics.Times()
    app.add_middleware(Hardened)
    app.add_middleware(metrics.Timed, times=times)
    problems.install(app)
    told = metrics.router(times, settings.metrics_token, settings.metrics_networks)
    for door in (*_routers(), told, api.health()):
        app.include_router(door)
    pages.install(app)
    app.router.routes.insert(0, Straight())
    app.openapi = lambda: openapi.document(app)  # type: ignore[method-assign]
    return app
