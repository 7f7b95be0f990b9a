"""The workers from outside: started, told the time, killed without a word, and started again."""

from __future__ import annotations

import asyncio
import os
import random
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from pathlib import Path

from msgspec import Struct, json
from sqlalchemy import Connection, select

from liuti.store.engine import Engine
from liuti.store.tables import letters
from simulate import receiver, worker

ROOT = Path(__file__).resolve().parent.parent
Named = tuple[str, int, str, str]
"""A letter: issue, entry, event, recipient."""


class Killed(Struct, array_like=True):
    """A worker that was killed: its name, the simulated time, and the letters it had leased and not marked as sent."""

    name: str
    at: datetime
    in_hand: list[Named]
    busy: bool


async def _program(module: str, log: Path) -> asyncio.subprocess.Process:
    bare = {name: value for name, value in os.environ.items() if not name.startswith("LIUTI_")}
    env = bare | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'src'}"}
    pipe = asyncio.subprocess.PIPE
    with log.open("ab") as faults:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", module, stdin=pipe, stdout=pipe, stderr=faults, env=env, cwd=ROOT
        )


async def _end(process: asyncio.subprocess.Process) -> None:
    """With its input, as it should; killed if it does not."""
    if process.returncode is None:
        assert process.stdin is not None
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), 20)
        except TimeoutError:
            process.kill()
            await process.wait()


@asynccontextmanager
async def receiving(orders: receiver.Orders, log: Path) -> AsyncIterator[str]:
    """The address letters go to."""
    process = await _program("simulate.receiver", log)
    try:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(json.encode(orders) + b"\n")
        port = int(await process.stdout.readline())
        yield f"http://127.0.0.1:{port}/letters"
    finally:
        await _end(process)


class Hand:
    """One worker that is ready."""

    def __init__(self, name: str, process: asyncio.subprocess.Process) -> None:
        self.name, self.process = name, process

    def tell(self, at: datetime) -> None:
        """What time it is."""
        assert self.process.stdin is not None
        self.process.stdin.write(at.isoformat().encode() + b"\n")

    async def heard(self) -> int | None:
        """First how many entries it wrote, then how many letters it sent; None when it died before it could say so."""
        assert self.process.stdout is not None
        line = await self.process.stdout.readline()
        return int(line) if line else None


class Hands:
    """So many workers; whoever is killed is replaced by another, and the rest goes on meanwhile."""

    def __init__(self, engine: Engine, orders: worker.Orders, many: int, log: Path, seed: int) -> None:
        self._engine, self._orders, self._many, self._log = engine, orders, many, log
        self._chance = random.Random(f"{seed}/kills")
        self._hands: list[Hand] = []
        self._coming: set[asyncio.Task[None]] = set()
        self._at_work: list[Hand] = []
        self._dead: set[Hand] = set()
        self._born = self._turn = 0
        self.killed: list[Killed] = []
        self.struck = self.sent = 0

    async def start(self) -> None:
        for _ in range(self._many):
            self._replace()
        await asyncio.gather(*self._coming)

    async def stop(self) -> None:
        for task in list(self._coming):
            await task
        await asyncio.gather(*(_end(hand.process) for hand in self._hands))

    def __len__(self) -> int:
        return self._many

    async def sweep(self, at: datetime, *, all_of_them: bool) -> int:
        """They work at that time, all or one in turn: how many entries they say they wrote. Letters go on leaving until
        `posted`."""
        while not self._hands:
            await asyncio.wait(self._coming, return_when=asyncio.FIRST_COMPLETED)
        self._turn += 1
        self._at_work = list(self._hands) if all_of_them else [self._hands[self._turn % len(self._hands)]]
        for hand in self._at_work:
            hand.tell(at)
        struck = sum([await self._hear(hand) for hand in self._at_work])
        self.struck += struck
        return struck

    async def posted(self) -> None:
        """All that was to leave at that time has left, but for what the dead had in hand."""
        for hand in self._at_work:
            self.sent += await self._hear(hand)
        self._at_work = []

    async def _hear(self, hand: Hand) -> int:
        said = await hand.heard()
        if said is None and hand not in self._dead:
            raise RuntimeError(f"worker {hand.name} ended by itself: {self._log}")
        return said or 0

    async def kill(self, at: datetime, seconds: float) -> None:
        """One of those at work, in a moment."""
        doomed = self._chance.choice(self._at_work or self._hands)
        await asyncio.sleep(seconds)
        self._dead.add(doomed)
        await self._kill(doomed, at, busy=doomed in self._at_work)

    async def _kill(self, hand: Hand, at: datetime, *, busy: bool) -> None:
        hand.process.kill()
        await hand.process.wait()
        self._hands.remove(hand)
        # What commits in the server after this look was never known to the dead, so none of it was sent.
        held = await self._engine.read(partial(_in_hand, by=hand.name))
        self.killed.append(Killed(hand.name, at, held, busy))
        self._replace()

    def _replace(self) -> None:
        self._born += 1
        task = asyncio.create_task(self._hire(f"worker-{self._born:03}"))
        self._coming.add(task)
        task.add_done_callback(self._coming.discard)

    async def _hire(self, name: str) -> None:
        process = await _program("simulate.worker", self._log)
        assert process.stdin is not None and process.stdout is not None
        orders = worker.Orders(
            name, self._orders.database_url, self._orders.keys, self._orders.webhook, self._orders.secret
        )
        process.stdin.write(json.encode(orders) + b"\n")
        if await process.stdout.readline() != b"ready\n":
            raise RuntimeError(f"worker {name} did not start: {self._log}")
        self._hands.append(Hand(name, process))


def _in_hand(conn: Connection, by: str) -> list[Named]:
    held = select(letters.c.issue_id, letters.c.version, letters.c.event, letters.c.recipient).where(
        letters.c.lease == by
    )
    return [(row[0], row[1], row[2], row[3]) for row in conn.execute(held)]
