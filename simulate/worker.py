"""One real worker, told what time it is: for each line with a time it sweeps and sends until nothing is left, and says so.

A program of its own (`python -m simulate.worker`), so that it can be killed like one.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime

import structlog
from msgspec import Struct, json

from liuti.flow.table import FLOW
from liuti.senders import WebhookSender
from liuti.store.act import Desk
from liuti.store.engine import open_engine
from liuti.store.vault import KeyRing
from liuti.store.worlds import Worlds
from liuti.worker import Worker

BATCH = 50
"""Issues struck in one transaction: few, so that a worker is often killed when some are and others are not."""


class Orders(Struct):
    name: str
    database_url: str
    keys: str
    webhook: str
    secret: str


class Clock:
    """The time as last heard."""

    def __init__(self) -> None:
        self.at = datetime(9999, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at


async def lines() -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader


async def work() -> None:
    heard = await lines()
    orders = json.decode(await heard.readline(), type=Orders)
    engine, clock, worlds = open_engine(orders.database_url, pool=4), Clock(), Worlds(None)
    await worlds.refresh(engine)
    desk = Desk(engine, FLOW, worlds, KeyRing.parse(orders.keys), clock)
    sender = WebhookSender(orders.webhook, orders.secret, "https://simulated", clock, allow_private=True)
    worker = Worker(desk, sender, clock, name=orders.name, batch=BATCH)
    print("ready", flush=True)
    try:
        while line := await heard.readline():
            clock.at = datetime.fromisoformat(line.decode().strip())
            swept = sent = 0
            while made := await worker.sweep_once(clock.at):
                swept += made
            print(swept, flush=True)
            while made := await worker.post_once(clock.at):
                sent += made
            print(sent, flush=True)
    finally:
        await sender.aclose()
        await engine.close()


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    asyncio.run(work())
