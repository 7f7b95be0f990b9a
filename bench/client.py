"""A light HTTP client in a process of its own: it must cost so little that the server is what is measured."""

from __future__ import annotations

import asyncio
import itertools
import sys
import time
from dataclasses import dataclass
from functools import partial
from typing import cast
from urllib.parse import urlsplit

import uvloop
from msgspec import json

from bench.callers import Done, cpu_time
from bench.story import PROGRESS


@dataclass(slots=True)
class Visit:
    """What to ask for: the moves of `ids` at `base`, by as many connections as told, for `seconds`."""

    base: str
    secret: str
    ids: list[str]
    connections: int
    seconds: float


class _Line(asyncio.Protocol):
    """One connection that asks again as soon as it is answered."""

    def __init__(self, head: bytes, ids: list[str], name: str, until: float, done: asyncio.Future[int]) -> None:
        self._head, self._ids, self._name, self._until, self._done = head, itertools.cycle(ids), name, until, done
        self._transport: asyncio.WriteTransport | None = None
        self._heard = b""
        self._made = 0
        self._key = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transport is one in all but its ancestry.
        self._transport = cast("asyncio.WriteTransport", transport)
        self._ask()

    def _ask(self) -> None:
        assert self._transport is not None
        if time.perf_counter() >= self._until:
            self._transport.close()
            return
        self._key += 1
        line = (
            f"POST /api/v1/issues/{next(self._ids)}/progress HTTP/1.1\r\nIdempotency-Key: {self._name}-{self._key}\r\n"
        )
        self._transport.write(line.encode() + self._head)

    def data_received(self, data: bytes) -> None:
        self._heard += data
        head, found, body = self._heard.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        if len(body) < length:
            return
        if not head.startswith(b"HTTP/1.1 200 "):
            self._fail(RuntimeError(self._heard.decode(errors="replace")[:600]))
            return
        self._made, self._heard = self._made + 1, b""
        self._ask()

    def _fail(self, error: Exception) -> None:
        if not self._done.done():
            self._done.set_exception(error)
        if self._transport is not None:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is not None:
            self._fail(exc)
        elif not self._done.done():
            self._done.set_result(self._made)


async def _visit(visit: Visit, seconds: float, name: str) -> Done:
    address, body = urlsplit(visit.base), json.encode(PROGRESS)
    head = (
        f"Host: {address.netloc}\r\nAuthorization: Bearer {visit.secret}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body
    loop, used, began = asyncio.get_running_loop(), cpu_time(), time.perf_counter()
    waiting = []
    for n in range(visit.connections):
        done: asyncio.Future[int] = loop.create_future()
        line = _Line(head, visit.ids[n :: visit.connections], f"{name}-{n}", began + seconds, done)
        await loop.create_connection(partial(_same, line), "127.0.0.1", address.port or 80)
        waiting.append(done)
    made = await asyncio.gather(*waiting)
    return Done(sum(made), time.perf_counter() - began, cpu_time() - used, 0)


def _same(line: _Line) -> _Line:
    return line


async def _process() -> None:
    visit = json.decode(sys.stdin.readline(), type=Visit)
    if urlsplit(visit.base).hostname != "127.0.0.1":
        raise SystemExit("only our own server is measured")
    await _visit(visit, 1.0, f"warm-{time.time_ns()}")
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    print(json.encode(await _visit(visit, visit.seconds, f"bench-{time.time_ns()}")).decode(), flush=True)


if __name__ == "__main__":
    uvloop.run(_process())
