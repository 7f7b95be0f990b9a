"""A worker that is killed in the middle of a sweep: no clock is lost or struck twice, and every letter leaves."""

from __future__ import annotations

import asyncio
import base64
import os
import re
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from sqlalchemy import Connection, func, select

from liuti.flow.kernel import Actor
from liuti.flow.table import FLOW
from liuti.flow.words import Role
from liuti.senders import ConsoleSender
from liuti.settings import Settings
from liuti.store import ledger
from liuti.store.act import Desk
from liuti.store.engine import Engine
from liuti.store.outbox import LEASE
from liuti.store.tables import entries, letters
from liuti.store.worlds import Worlds
from liuti.worker import LETTERS, Worker
from tests.patience import PATIENCE

MANY, BATCH, KILLS, MOST = 240, 20, 2, 80
"""Issues, and of these struck together; how often a worker is killed; how many a worker strikes before it stands still
in the middle of a batch, at the latest: a busy machine must not let one of them finish before it is killed."""
KEYS = "1:" + base64.b64encode(b"k" * 32).decode()
WORK = f"""
import itertools, time
from liuti.store import act, sweep
sweep.BATCH, numbers, strike = {BATCH}, itertools.count(1), act.Desk._strike_one
def until_it_stands_still(*given):
    if next(numbers) > {MOST}:
        time.sleep(3600)
    return strike(*given)
act.Desk._strike_one = until_it_stands_still
from liuti.cli import app
app()
"""
INTAKE = Actor("intake1", frozenset({Role.INTAKE}))
STRUCK = select(func.count()).select_from(entries).where(entries.c.role == "clock")
LINE = re.compile(r"✉ (\S+) → (\S+) \[(\S+) #(\d+)\]")


async def due_since_an_hour(engine: Engine, settings: Settings) -> tuple[Desk, list[str]]:
    """A desk, and issues whose INTAKE of a day ran out."""
    worlds, then = Worlds(None), datetime.now(UTC) - timedelta(hours=25)
    await worlds.refresh(engine)
    desk = Desk(engine, FLOW, worlds, settings.ring(), lambda: datetime.now(UTC))

    def submit(conn: Connection) -> list[str]:
        form = {"text": "学院路口有一个大坑。", "place": "学院路"}
        return [desk.act_now(conn, INTAKE, "submit", form, now=then).issue for _ in range(MANY)]

    return desk, await engine.write(submit)


@asynccontextmanager
async def working(database_url: str, folder: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """A real `liuti work`, killed without a word when the block ends; its letters go to a file."""
    here = os.environ | {"LIUTI_DATABASE_URL": database_url, "LIUTI_KEYS": KEYS, "PYTHONUNBUFFERED": "1"}
    with (folder / "letters.log").open("ab") as out, (folder / "worker.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", WORK, "work", env=here, stdout=out, stderr=log, cwd=folder
        )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)
        await process.wait()


async def more_than(engine: Engine, before: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while await count(engine) <= before:  # noqa: ASYNC110 - the worker tells nobody
            await asyncio.sleep(0.002)


async def count(engine: Engine) -> int:
    return await engine.read(lambda conn: conn.execute(STRUCK).scalar_one())


def printed(folder: Path) -> Counter[tuple[str, str, str, int]]:
    found = LINE.findall((folder / "letters.log").read_text("utf-8", "replace"))
    return Counter((event, to, issue, int(entry)) for event, to, issue, entry in found)


async def test_a_worker_killed_with_kill_9_in_mid_sweep_loses_nothing_and_does_nothing_twice(
    engine: Engine, database_url: str, tmp_path: Path
) -> None:
    settings = Settings(database_url=database_url, keys=SecretStr(KEYS), files_dir=tmp_path)
    desk, ids = await due_since_an_hour(engine, settings)
    for _ in range(KILLS):
        before = await count(engine)
        async with working(database_url, tmp_path) as process:
            await more_than(engine, before)
            process.send_signal(signal.SIGKILL)
            assert await process.wait() == -signal.SIGKILL
        assert before < await count(engine) < 2 * MANY, "killed when some were struck and others were not"
    marked = await engine.read(lambda conn: set(conn.execute(sent_letters()).all()))

    # Those who held a lease are dead: when it has run out, whoever comes next sends what they had in hand.
    later = datetime.now(UTC) + LEASE
    with (tmp_path / "letters.log").open("a", encoding="utf-8") as out:
        worker = Worker(desk, ConsoleSender(lambda line: print(line, file=out)), lambda: later)
        while await worker.sweep_once(later):
            pass
        while await worker.post_once(later):
            pass

    found = select(entries.c.issue_id, entries.c.move).where(entries.c.role == "clock")
    made = Counter((row[0], row[1]) for row in await engine.read(lambda conn: conn.execute(found).all()))
    assert made == Counter({(issue, move): 1 for issue in ids for move in ("overdue", "urge")})
    chains = await engine.read(lambda conn: list(ledger.verify(conn)))
    assert [place for place in chains if not isinstance(place, int)] == []
    written = await engine.read(lambda conn: Counter(tuple(row) for row in conn.execute(every_letter()).all()))
    spoken = Counter((issue, event) for event, _, issue, _ in written if event != "submit")
    assert spoken == made, "no strike without its letter, and no letter without its strike"
    told = printed(tmp_path)
    assert set(told) == set(written) and set(written.values()) == {1}, "each is there once, and each has left"
    assert await engine.read(lambda conn: set(conn.execute(sent_letters()).all())) == set(written)
    twice = {letter for letter, times in told.items() if times > 1}
    assert not twice & {tuple(letter) for letter in marked}, "what was marked as sent is never sent again"
    assert len(twice) <= KILLS * LETTERS, "at most what was in hand"


def every_letter() -> Any:
    return select(letters.c.event, letters.c.recipient, letters.c.issue_id, letters.c.version)


def sent_letters() -> Any:
    return every_letter().where(letters.c.sent_at.is_not(None))
