"""The live channel as a route: boards hear of each move they may see as server-sent events."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from types import FrameType
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Header, Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from liuti.doors.deps import Office, who
from liuti.doors.live import Live, Viewing
from liuti.doors.moves import problems

PATIENCE = 30.0
"""Seconds a viewer may take to accept what is sent before the line counts as dead."""
EVENT_STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "`event: move` for each move you may see, `event: reload` where too much was missed to be told one "
        "by one; `id` is to be given back as Last-Event-ID, as browsers do by themselves",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
}  # fmt: skip


class EventStream(StreamingResponse):
    """A viewer's stream; it ends by itself, or when the caller hangs up or takes nothing any more."""

    media_type = "text/event-stream"

    def __init__(self, viewing: Viewing) -> None:
        super().__init__((), headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        self._viewing = viewing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._viewing.seated():
            telling = asyncio.create_task(self._tell(send))
            leaving = asyncio.create_task(_hung_up(receive))
            try:
                await asyncio.wait({telling, leaving}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                telling.cancel()
                leaving.cancel()
                await asyncio.gather(telling, leaving, return_exceptions=True)
            # A line that broke or is dead is no fault of ours.
            if not telling.cancelled() and not isinstance(fault := telling.exception(), OSError | None):
                raise fault

    async def _tell(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        async for text in self._viewing.blocks():
            async with asyncio.timeout(PATIENCE):
                await send({"type": "http.response.body", "body": text.encode(), "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _hung_up(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


# -- in the app --------------------------------------------------------------------------------------------------------


def router() -> APIRouter:
    routes = APIRouter(prefix="/api/v1", tags=["reading"])
    routes.add_api_route(
        "/events", events, methods=["GET"], summary="实时动态 what happens, as it happens (server-sent events)",
        status_code=200, response_class=EventStream, responses=EVENT_STREAM | problems(401, 403, 422, 503),
    )  # fmt: skip
    return routes


async def events(request: Request, last_event_id: Annotated[str, Header(max_length=1000)] = "") -> Response:
    """Each move on an issue you may see, within about a second: `event: move`, data: issue, version, step, move, overdue,
    at. Nothing personal is in it: read the issue for more. After `event: reload` read your lists again. The stream ends
    every few minutes; come back with the last `id` as Last-Event-ID and nothing is lost or told twice."""
    actor = await who(request)
    live: Live = request.app.state.live
    return EventStream(await live.join(actor, last_event_id))


@asynccontextmanager
async def on_air(app: FastAPI, here: Office) -> AsyncIterator[Live]:
    """The channel of this process, within the app's life; streams end as soon as the process is told to stop."""
    live = app.state.live = Live(here.engine, here.ring, here.now)
    try:
        with _told_early(live.close_soon):
            yield live
    finally:
        await live.close()


@contextmanager
def _told_early(call: Callable[[], None]) -> Iterator[None]:
    """Run `call` in the loop when a signal tells the process to stop, and then what was there to hear it before.

    The server ends its app after the last caller has gone, or its grace is over: a stream would hold it up to the last.
    """
    loop, before = asyncio.get_running_loop(), {}
    if threading.current_thread() is threading.main_thread():
        before = {one: signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGINT)}

    def heard(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(call)
        listening = before[signal.Signals(number)]
        assert callable(listening)
        listening(number, frame)

    chained = [one for one, listening in before.items() if callable(listening)]
    for one in chained:
        signal.signal(one, heard)
    try:
        yield
    finally:
        for one in chained:
            if signal.getsignal(one) is heard:
                signal.signal(one, before[one])
