"""The live channel: who hears of what, once each, also after the line was lost, at the price of one reading for all."""

from __future__ import annotations

import asyncio
import base64
import inspect
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from msgspec import json
from pydantic import SecretStr
from sqlalchemy import Engine as CoreEngine
from sqlalchemy import event

from liuti.doors import app as front
from liuti.doors import events, live
from liuti.doors.live import Live
from liuti.settings import Settings, new_key
from liuti.store import feed, passes
from tests.doors.town import Body, Clockwork, Town, at
from tests.patience import PATIENCE, own_port, until
from tests.test_crash import ready

ROOT = Path(__file__).parents[2]
QUICK = 0.05


def with_events(app: FastAPI) -> FastAPI:
    """The app with its live channel, also while `make_app` does not open it by itself."""
    if not hasattr(front, "events"):
        app.include_router(events.router())
        inner = app.router.lifespan_context

        @asynccontextmanager
        async def life(app: Any) -> AsyncIterator[None]:
            async with inner(app), events.on_air(app, app.state.office):
                yield

        app.router.lifespan_context = life
    return app


@pytest.fixture
async def town(database_url: str, tmp_path: Path) -> AsyncIterator[Town]:
    settings = Settings(database_url=database_url, keys=SecretStr(new_key()), files_dir=tmp_path / "files", pool=5)
    clock = Clockwork(at("2026-03-02 10:00"))
    app = with_events(front.make_app(settings, clock))
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://town.test") as client:
            place = Town(client, app.state.office, clock)
            await place.settle()
            channel(place).tick = QUICK
            yield place


def app_of(town: Town) -> Any:
    return town.client._transport.app  # type: ignore[attr-defined]


def channel(town: Town) -> Live:
    found: Live = app_of(town).state.live
    return found


async def read_again(live: Live, times: int = 1) -> None:
    """Waits until so many readings were begun and ended from now on, and everybody was told."""
    real, ended, begun = live._read_once, 0, 0

    async def counted() -> None:
        nonlocal begun, ended
        begun += 1
        mine = begun
        await real()
        ended = mine

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(live, "_read_once", counted)
        await until(lambda: ended >= times)
    for _ in range(100):  # turns of the loop, until whoever was told has said it: no time makes sure of that
        await asyncio.sleep(0)


async def restart(town: Town) -> None:
    """Another process takes over: it has the database and the keys, and nothing else."""
    await channel(town).close()
    here = town.office
    app_of(town).state.live = Live(here.engine, here.ring, here.now, tick=QUICK)


class Board:
    """Someone who watches, and reads the stream as a browser does."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.raw = ""
        self.events: list[tuple[str, Body]] = []
        self.last_id = ""
        self.ended = False
        self._rest = ""
        self.leaves = asyncio.Event()

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            return
        self.raw += message["body"].decode()
        self.ended = not message.get("more_body", False)
        *blocks, self._rest = (self._rest + message["body"].decode()).split("\n\n")
        for block in blocks:
            self._read(block)

    def _read(self, block: str) -> None:
        fields: dict[str, str] = {}
        for line in block.split("\n"):
            name, colon, value = line.partition(":")
            assert colon and name in ("", "event", "id", "data", "retry"), line
            assert name not in fields and (not value or value[0] == " "), line
            fields[name] = value[1:]
        self.last_id = fields.get("id", self.last_id)
        if "data" in fields:
            self.events.append((fields["event"], json.decode(fields["data"])))

    @property
    def moves(self) -> list[tuple[str, str]]:
        return [(body["issue"], body["move"]) for kind, body in self.events if kind == "move"]

    @property
    def reloads(self) -> int:
        return sum(kind == "reload" for kind, _ in self.events)

    async def hears(self, truth: Callable[[], Any]) -> None:
        await until(lambda: truth() or self.ended)
        assert truth(), self.raw

    async def hears_no_more(self, town: Town) -> None:
        """Two whole readings later, nothing has come."""
        before = self.raw
        await read_again(channel(town), 2)
        assert "data:" not in self.raw[len(before) :], self.raw[len(before) :]


@asynccontextmanager
async def watching(town: Town, who: str, last_id: str = "") -> AsyncIterator[Board]:
    """Open the stream, and hang up at the end."""
    board = Board()
    headers = town.headers(who) | ({"Last-Event-ID": last_id} if last_id else {})
    scope = {
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1", "method": "GET",
        "path": "/api/v1/events", "raw_path": b"/api/v1/events", "query_string": b"", "root_path": "", "scheme": "http",
        "server": ("town.test", 80), "client": ("127.0.0.1", 1),
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
    }  # fmt: skip
    asked = asyncio.Event()

    async def receive() -> Any:
        if not asked.is_set():
            asked.set()
            return {"type": "http.request", "body": b"", "more_body": False}
        await board.leaves.wait()
        return {"type": "http.disconnect"}

    task = asyncio.create_task(app_of(town)(scope, receive, board.send))
    try:
        await board.hears(lambda: board.raw or task.done())
        yield board
    finally:
        board.leaves.set()
        async with asyncio.timeout(5):
            await task


async def test_a_board_hears_of_a_move_within_two_seconds(town: Town) -> None:
    """By the reading that comes next, and one comes every second: what a busy machine adds is not ours to measure."""
    assert inspect.signature(Live).parameters["tick"].default <= 1.0
    issue = await town.direct()
    async with watching(town, "inspector") as board:
        assert board.status == 200 and board.headers["content-type"].startswith("text/event-stream")
        receipt = await town.does("officer_roads", "sign", {}, issue)
        await read_again(channel(town))
        assert board.events, "one that began after the move tells it"
    assert board.events == [
        ("move", {
            "issue": issue, "version": receipt["version"], "step": "solve", "move": "sign", "overdue": False,
            "at": "2026-03-02T02:00:00Z",
        }),
    ]  # fmt: skip


async def test_the_document_describes_the_stream(town: Town) -> None:
    described = app_of(town).openapi()["paths"]["/api/v1/events"]["get"]
    assert list(described["responses"]["200"]["content"]) == ["text/event-stream"]
    assert set(described["responses"]) == {"200", "401", "403", "422", "503"}


async def test_what_is_late_says_so(town: Town) -> None:
    issue = await town.direct()
    async with watching(town, "inspector") as board:
        await town.later(days=1)
        await board.hears(lambda: (issue, "overdue") in board.moves)
    assert next(body["overdue"] for _, body in board.events if body["move"] == "overdue")


@pytest.mark.parametrize("elsewhere", [False, True], ids=["the same process", "another process"])
async def test_who_comes_back_hears_what_was_missed_once(town: Town, elsewhere: bool) -> None:
    issue = await town.direct()
    async with watching(town, "inspector") as board:
        await town.does("officer_roads", "sign", {}, issue)
        await board.hears(lambda: board.moves == [(issue, "sign")])
    town.clock.now += timedelta(minutes=10)
    await town.does("officer_roads", "contact", {"method": "phone", "result": "已联系"}, issue)
    await town.does("officer_roads", "progress", {"text": "已进场施工。"}, issue)
    town.clock.now += timedelta(minutes=5)
    if elsewhere:
        await restart(town)
    else:
        await asyncio.sleep(3 * QUICK)
    async with watching(town, "inspector", board.last_id) as again:
        await again.hears(lambda: len(again.moves) == 2)
        await town.does("officer_roads", "progress", {"text": "明日完工。"}, issue)
        await again.hears(lambda: len(again.moves) == 3)
        await again.hears_no_more(town)
    assert again.moves == [(issue, "contact"), (issue, "progress"), (issue, "progress")]
    assert not again.reloads
    async with watching(town, "inspector", again.last_id) as third:
        await third.hears_no_more(town)


async def test_what_happens_while_somebody_comes_back_is_told_once(town: Town) -> None:
    issue = await town.direct()
    async with watching(town, "inspector") as board:
        pass
    await restart(town)
    # Somebody watches, so that the new process reads already; and it has not read of the move when they come.
    async with watching(town, "inspector"), AsyncExitStack() as stack:
        async with no_reading(channel(town)):
            await town.does("officer_roads", "sign", {}, issue)
            again = await stack.enter_async_context(watching(town, "inspector", board.last_id))
        await again.hears(lambda: again.moves)
        await again.hears_no_more(town)
    assert again.moves == [(issue, "sign")]


async def test_what_is_committed_later_than_it_is_dated_is_told_all_the_same(town: Town) -> None:
    first, second = await town.direct(), await town.direct()
    async with watching(town, "inspector") as board:
        town.clock.now += timedelta(seconds=40)
        await town.does("officer_roads", "sign", {}, first)
        await board.hears(lambda: board.moves == [(first, "sign")])
        await board.hears_no_more(town)
        town.clock.now -= timedelta(seconds=30)
        await town.does("officer_roads", "sign", {}, second)
        await board.hears(lambda: board.moves == [(first, "sign"), (second, "sign")])
        await board.hears_no_more(town)
    # Whoever has heard both is told neither again, whatever their order.
    await restart(town)
    async with watching(town, "inspector", board.last_id) as again:
        await again.hears_no_more(town)
    assert not again.events


async def test_a_late_commit_while_one_is_away_is_not_lost_without_a_word(town: Town) -> None:
    first, second = await town.direct(), await town.direct()
    async with watching(town, "inspector") as board:
        town.clock.now += timedelta(seconds=40)
        await town.does("officer_roads", "sign", {}, first)
        await board.hears(lambda: board.moves)
    await restart(town)
    town.clock.now -= timedelta(seconds=30)
    await town.does("officer_roads", "sign", {}, second)
    async with watching(town, "inspector", board.last_id) as again:
        await again.hears(lambda: again.events)
    assert again.events == [("reload", {})]


async def test_a_person_hears_of_their_own_issue_and_of_what_is_public(town: Town) -> None:
    own, other, public = await town.direct(), await town.direct(), await town.published()
    async with watching(town, own) as person, watching(town, "") as stranger, watching(town, "intake1") as official:
        await town.does("officer_roads", "sign", {}, other)
        town.clock.now += timedelta(seconds=1)
        await town.does("officer_roads", "sign", {}, own)
        town.clock.now += timedelta(seconds=1)
        await town.does("leader1", "claim", town.card(), public)
        await official.hears(lambda: len(official.moves) == 3)
        await person.hears_no_more(town)
    assert official.moves == [(other, "sign"), (own, "sign"), (public, "claim")]
    assert person.moves == [(own, "sign"), (public, "claim")]
    assert stranger.moves == [(public, "claim")]


async def test_what_happens_inside_the_house_is_not_told_outside(town: Town) -> None:
    issue = await town.claimed()
    async with watching(town, "") as stranger, watching(town, "inspector") as official:
        await town.does("leader1", "handover", {"leader": "leader2", "reason": "分工调整。"}, issue)
        town.clock.now += timedelta(seconds=1)
        await town.does("principal", "grant", {}, issue)
        await official.hears(lambda: len(official.moves) == 2)
        await stranger.hears(lambda: stranger.moves)
        await stranger.hears_no_more(town)
    assert official.moves == [(issue, "handover"), (issue, "grant")]
    # The asking was a matter of the house; what was granted is the move itself.
    assert stranger.moves == [(issue, "handover")]
    assert stranger.events[0][1]["version"] == official.events[1][1]["version"]


async def test_a_tip_off_is_heard_of_by_nobody_it_is_hidden_from(town: Town) -> None:
    async with watching(town, "head_roads") as unit, watching(town, "inspector") as official:
        await town.submit(kind="tip_off", text="承办单位收了施工队的好处。", against="roads")
        plain = await town.direct()
        await official.hears(lambda: (plain, "accept_direct") in official.moves)
        await unit.hears_no_more(town)
    assert {issue for issue, _ in official.moves} == {issue for issue, _ in unit.moves} == {plain}


async def test_an_admin_without_sight_and_a_pass_that_is_none_are_refused(town: Town) -> None:
    async with watching(town, "inspector") as admitted:
        assert admitted.status == 200
    for who, status in (("sysadmin", 403), ("nonsense", 401)):
        async with watching(town, who) as board:
            assert board.status == status
    assert channel(town).viewers == 0


async def test_an_id_tells_nothing_and_one_that_is_not_ours_asks_for_a_new_reading(town: Town) -> None:
    issue = await town.direct()
    async with watching(town, "inspector") as board:
        await town.does("officer_roads", "sign", {}, issue)
        await board.hears(lambda: board.moves)
    plain = base64.urlsafe_b64decode(board.last_id + "==")
    assert issue.encode() not in plain and UUID(issue).bytes not in plain and b"2026" not in plain
    for wrong in ("nonsense", "好", board.last_id[:-4] + "AAAA", "%%%"):
        async with watching(town, "inspector", wrong.encode().decode("latin-1")) as again:
            assert again.events == [("reload", {})]
            assert again.last_id


async def test_two_hundred_viewers_cost_one_reading(town: Town) -> None:
    issue = await town.direct()
    spoken: list[str] = []

    def hear(_conn: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        spoken.append(statement)

    whom = ("inspector", "", "intake1", issue)
    async with Crowd(town, [whom[n % 4] for n in range(200)]) as boards:
        assert channel(town).viewers == 200
        event.listen(CoreEngine, "before_cursor_execute", hear)
        try:
            await read_again(channel(town), 5)
            idle, readings = len(spoken), sum("entries" in one for one in spoken)
            assert 5 <= readings == idle <= 12, spoken
            async with no_reading(channel(town)):
                await town.does("officer_roads", "sign", {}, issue)
                spoken.clear()
            await boards[0].hears(lambda: all(board.moves for n, board in enumerate(boards) if n % 4 != 1))
            issues = [one for one in spoken if "entries" not in one]
            assert len(issues) == 1 and "issues.state" in issues[0], issues
        finally:
            event.remove(CoreEngine, "before_cursor_execute", hear)
    assert channel(town).viewers == channel(town).strangers == 0


class Crowd:
    """Many viewers at once."""

    def __init__(self, town: Town, whom: list[str]) -> None:
        self.streams = [watching(town, who) for who in whom]

    async def __aenter__(self) -> list[Board]:
        return list(await asyncio.gather(*(stream.__aenter__() for stream in self.streams)))

    async def __aexit__(self, *error: Any) -> None:
        await asyncio.gather(*(stream.__aexit__(None, None, None) for stream in self.streams))


async def test_nobody_watching_nothing_is_read(town: Town) -> None:
    async with watching(town, "inspector"):
        assert channel(town)._reading is not None
    await until(lambda: channel(town)._reading is None)
    issue = await town.direct()
    async with watching(town, "inspector") as board:
        await town.does("officer_roads", "sign", {}, issue)
        await board.hears(lambda: board.moves == [(issue, "sign")])


async def test_a_quiet_line_is_kept_open_and_moves_the_id_on(town: Town) -> None:
    channel(town).heartbeat = 0.2
    async with watching(town, "") as stranger:
        before = stranger.last_id
        await town.direct()  # nothing a stranger hears of
        await stranger.hears(lambda: stranger.last_id != before)
        assert not stranger.events
        assert "\n\n:\n" in stranger.raw


async def test_a_stream_ends_so_that_the_pass_is_shown_again(town: Town) -> None:
    channel(town).life = 0.2
    async with watching(town, "inspector") as board:
        await board.hears(lambda: board.ended)
    assert channel(town).viewers == 0


async def test_strangers_never_take_the_officials_seats(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "MOST", 3)
    monkeypatch.setattr(live, "MOST_STRANGERS", 2)
    async with watching(town, "") as one, watching(town, "") as two:
        assert one.status == two.status == 200
        async with watching(town, "") as third:
            assert third.status == 503 and third.headers["retry-after"] == "30"
        async with watching(town, "inspector") as official:
            assert official.status == 200
            async with watching(town, "intake1") as late:
                assert late.status == 503


async def test_too_much_at_once_asks_for_a_new_reading(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    issue = await town.direct()
    async with watching(town, "inspector") as board:
        monkeypatch.setattr(feed, "TOLD", 2)
        async with no_reading(channel(town)):
            for word in ("一", "二", "三"):
                await town.does("officer_roads", "progress", {"text": f"第{word}次进展。"}, issue)
        await board.hears(lambda: board.events)
    assert board.events == [("reload", {})]


async def test_who_fell_behind_what_is_remembered_is_told_to_read_anew(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "KEPT", 2)
    issue = await town.direct()
    async with watching(town, "inspector"):
        seat = await channel(town).join((await _actor(town, "inspector")), "")
        for word in ("一", "二", "三"):
            await town.does("officer_roads", "progress", {"text": f"第{word}次进展。"}, issue)
        await read_again(channel(town))
        assert seat._next().startswith("event: reload")
        assert seat._next() == ""


@asynccontextmanager
async def no_reading(live: Live) -> AsyncIterator[None]:
    """Nothing is read meanwhile: the reading under way has ended, and the next one waits at the door."""
    waits, goes_on, real = asyncio.Event(), asyncio.Event(), live._read_once

    async def held() -> None:
        waits.set()
        await goes_on.wait()
        await real()

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(live, "_read_once", held)
        await until(waits.is_set)
        try:
            yield
        finally:
            goes_on.set()


async def _actor(town: Town, who: str) -> Any:
    return await town.office.engine.ask(partial(passes.bearer, secret=town.secrets[who], now=town.clock.now))


async def test_a_database_that_stumbles_does_not_end_the_streams(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    issue = await town.direct()
    async with watching(town, "inspector") as board:
        real, stumbles = feed.news, 0

        def away(*given: Any, **more: Any) -> Any:
            nonlocal stumbles
            stumbles += 1
            raise OSError("the database is away")

        monkeypatch.setattr(feed, "news", away)
        await board.hears(lambda: stumbles > 2)
        monkeypatch.setattr(feed, "news", real)
        await town.does("officer_roads", "sign", {}, issue)
        await board.hears(lambda: board.moves == [(issue, "sign")])


SERVE = """
import uvicorn
from liuti.doors.app import make_app
from liuti.settings import Settings
from tests.doors.test_events import with_events
uvicorn.run(with_events(make_app(Settings())), port={port}, log_level="warning", timeout_graceful_shutdown=1000)
"""


async def test_a_server_stops_well_within_its_grace_with_viewers_connected(database_url: str, tmp_path: Path) -> None:
    with own_port() as port:
        await stops(database_url, tmp_path, port)


async def stops(database_url: str, tmp_path: Path, port: int) -> None:
    here = os.environ | {
        "LIUTI_DATABASE_URL": database_url, "LIUTI_FILES_DIR": str(tmp_path / "files"), "LIUTI_KEYS": new_key(),
        "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}",
    }  # fmt: skip
    with (tmp_path / "server.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", SERVE.format(port=port), env=here, stdout=log, stderr=log
        )
    try:
        await ready(process, port, tmp_path)
        lines = [await asyncio.open_connection("127.0.0.1", port) for _ in range(5)]
        for reading, writing in lines:
            writing.write(b"GET /api/v1/events HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n")
            assert b" 200 " in await reading.readuntil(b"\r\n")
            await reading.readuntil(b"retry: ")
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(PATIENCE):  # the grace is a thousand
            rests = [await reading.read() for reading, _ in lines]
            await process.wait()
        assert all(rest.endswith(b"0\r\n\r\n") for rest in rests), "the streams were cut off"
        for _, writing in lines:
            writing.close()
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    assert "Traceback" not in (tmp_path / "server.log").read_text("utf-8")
