"""The rules a running server holds: read again and again, whatever happens to the database between."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs

from liuti.store.engine import Engine
from liuti.store.world import import_notice
from liuti.store.worlds import Worlds
from tests.patience import PATIENCE

NOTICE_2031 = """
year = 2031
source = "as a test has it"
[[holiday]]
name = "元旦"
first = 2031-01-01
last = 2031-01-01
"""


async def test_a_watch_that_is_cancelled_ends_though_the_database_answers_with_a_fault(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    worlds, asked = Worlds(None), asyncio.Event()
    await worlds.refresh(engine)

    async def gives_up(_fn: Callable[[Connection], Any]) -> Any:
        if asked.is_set():
            return await asyncio.sleep(10 * PATIENCE)
        asked.set()
        try:
            await asyncio.sleep(10 * PATIENCE)
        except asyncio.CancelledError:
            raise TimeoutError from None

    monkeypatch.setattr(engine, "read", gives_up)
    watching = asyncio.create_task(worlds.watch(engine, seconds=0.01))
    async with asyncio.timeout(PATIENCE):
        await asked.wait()
        watching.cancel()
        await asyncio.wait([watching])


HICCUPS = [
    OperationalError("SELECT 张三", None, Exception("the server closed the connection")),
    TimeoutError(),
    ConnectionRefusedError(),
    ValueError("a notice nobody understands"),
    RuntimeError(),
]


@pytest.mark.parametrize("hiccup", HICCUPS, ids=lambda fault: type(fault).__name__)
async def test_a_hiccup_is_logged_and_the_watch_goes_on(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, hiccup: Exception
) -> None:
    worlds, read, left = Worlds(None), engine.read, [hiccup]
    await worlds.refresh(engine)

    async def sometimes(fn: Callable[[Connection], Any]) -> Any:
        if left:
            raise left.pop()
        return await read(fn)

    await engine.write(lambda conn: import_notice(conn, NOTICE_2031, datetime(2026, 3, 2, tzinfo=UTC)))
    monkeypatch.setattr(engine, "read", sometimes)
    with capture_logs() as lines:
        watching = asyncio.create_task(worlds.watch(engine, seconds=0.01))
        async with asyncio.timeout(PATIENCE):
            while 2031 not in worlds().calendar.years:
                assert not watching.done()
                await asyncio.sleep(0.01)
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
    said = [line for line in lines if line["event"] == "world_not_read"]
    assert [line["fault"] for line in said] == [type(hiccup).__name__]
    assert "张三" not in str(lines)
