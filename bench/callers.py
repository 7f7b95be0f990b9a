"""One process of callers: many at once on one engine, each making real moves through the desk until the time is over."""

from __future__ import annotations

import asyncio
import itertools
import sys
import time
from dataclasses import dataclass
from resource import RUSAGE_SELF, getrusage

import uvloop
from msgspec import json
from sqlalchemy import Engine as CoreEngine
from sqlalchemy import event

from bench.story import OFFICER, PROGRESS, desk_on
from liuti.serving import settle
from liuti.store.act import Desk
from liuti.store.engine import Engine, open_engine


@dataclass(slots=True)
class Errand:
    """What a process is to do: `callers` at once on the issues `ids`, for `seconds`."""

    url: str
    ids: list[str]
    callers: int
    seconds: float
    pool: int = 8


@dataclass(slots=True)
class Done:
    """How it went: moves, seconds, seconds of processor time in this process, statements a move."""

    moves: int
    seconds: float
    cpu: float
    statements: float


def cpu_time() -> float:
    used = getrusage(RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def act(engine: Engine, errand: Errand, seconds: float) -> Done:
    """`progress` by the unit, round and round over the issues; no two callers meet on one."""
    desk, used, began = desk_on(engine), cpu_time(), time.perf_counter()
    made = await asyncio.gather(
        *(_call(desk, errand.ids[n :: errand.callers], began + seconds) for n in range(errand.callers))
    )
    passed, used = time.perf_counter() - began, cpu_time() - used
    return Done(sum(made), passed, used, await statements(engine, errand.ids[0]))


async def _call(desk: Desk, ids: list[str], until: float) -> int:
    made = 0
    for issue in itertools.cycle(ids):
        if time.perf_counter() >= until:
            break
        await desk.act(OFFICER, "progress", PROGRESS, issue)
        made += 1
    return made


async def statements(engine: Engine, issue: str) -> int:
    """How many SQL statements one move takes, BEGIN and COMMIT not counted."""
    with counting() as said:
        await desk_on(engine).act(OFFICER, "progress", PROGRESS, issue)
    return len(said)


class counting:  # noqa: N801 - read as a word: with counting() as said
    """The SQL said by any engine of this process while the block lasts."""

    def __init__(self) -> None:
        self._said: list[str] = []

    def _hear(self, _conn: object, _cursor: object, statement: str, *_more: object) -> None:
        self._said.append(statement)

    def __enter__(self) -> list[str]:
        event.listen(CoreEngine, "before_cursor_execute", self._hear)
        return self._said

    def __exit__(self, *_error: object) -> None:
        event.remove(CoreEngine, "before_cursor_execute", self._hear)


async def _process() -> None:
    """Read an errand, warm up, say so, wait for the word to go, act, report: a line each."""
    errand = json.decode(sys.stdin.readline(), type=Errand)
    engine = open_engine(errand.url, pool=errand.pool)
    try:
        await act(engine, errand, 0.5)
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        print(json.encode(await act(engine, errand, errand.seconds)).decode(), flush=True)
    finally:
        await engine.close()


if __name__ == "__main__":
    settle()
    uvloop.run(_process())  # on the server's loop, and settled as a server is
