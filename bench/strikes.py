"""How many overdue issues one worker fires a second, beside what the same database does with the same writes set by set."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import asyncpg
import uvloop

from bench.callers import counting, cpu_time
from bench.copies import Original, Rows, kept, play, pour
from bench.plays import START, Plays
from bench.story import desk_on
from liuti.senders import ConsoleSender
from liuti.store import ledger, sweep
from liuti.store.engine import Blocking, Engine, open_engine
from liuti.store.sweep import BATCH
from liuti.worker import Worker

KINDS = ("submitted", "dispatched", "in_hand", "published")
EACH = 20
FIRED = START + timedelta(days=90)
LIMIT = 10_000
"""Issues that the limit takes, before and after."""


AS_OFTEN = (2, 2, 1)
"""Strikes on three issues of the limit, as ours come to: where a matter is late in its step, the whole of it often is."""


class Fired(NamedTuple):
    """Strikes a second, an entry and what letters it owes each; seconds of this process's CPU a strike, statements a batch;
    the limit's strikes a second."""

    strikes: float
    cpu: float
    statements: int
    limit: float


async def about_to_be_late(engine: Engine) -> list[Original]:
    """Not accepted, not signed for, not solved, not claimed: some of each, warned in their time, and due at `FIRED`."""
    plays, found = Plays(engine), []
    await plays.open()
    for kind in KINDS:
        ids = [await getattr(plays, kind)() for _ in range(EACH)]
        dues = [await plays.warned(one) for one in ids]
        found += [
            one.later(FIRED - due - timedelta(milliseconds=number))
            for number, (one, due) in enumerate(zip(await kept(engine, ids), dues, strict=True))
        ]
    return found


def copied(originals: list[Original], many: int) -> Iterator[Rows]:
    for number in range(many):
        row = originals[number % len(originals)]
        yield row.again(number, row.issue["title"], row.issue["body"])


_TAKE = "SELECT id, version, state FROM issues WHERE due_at <= $1 ORDER BY due_at, id LIMIT 500 FOR UPDATE SKIP LOCKED"
_CHANGE = (
    "UPDATE issues SET version = new.version, due_at = new.due_at, state = new.state, overdue = true "
    "FROM unnest($1::text[], $2::int[], $3::timestamptz[], $4::text[]) AS new (id, version, due_at, state) "
    "WHERE issues.id = new.id"
)
_ENTER = (
    "INSERT INTO entries (issue_id, version, move, actor, role, unit, to_step, at, facts, words_digest, algorithm, previous, seal, awaits) "
    "SELECT id, version, 'overdue', 'clock', 'clock', '', 'solve', $3, $4, '', 'sha256', $5, $5, '' "
    "FROM unnest($1::text[], $2::int[]) AS new (id, version)"
)
_TELL = (
    "INSERT INTO letters (issue_id, version, event, recipient, at, next_at) "
    "SELECT id, version, 'overdue', 'unit:u-01', $3, $3 FROM unnest($1::text[], $2::int[]) AS new (id, version)"
)
FACTS = '{"clock":"SOLVE","due":"2026-03-09T09:30:00Z","unit":""}'


async def set_by_set(url: str, now: datetime, many: int) -> float:
    """Strikes a second without a rule, a chain or an object: 500 issues locked, three tables written, committed, on the bare
    driver."""
    conn = await asyncpg.connect(url)
    try:
        began, struck = time.perf_counter(), 0
        for _ in range(0, many, BATCH):
            async with conn.transaction():
                rows = await conn.fetch(_TAKE, now)
                often = [AS_OFTEN[number % len(AS_OFTEN)] for number in range(len(rows))]
                ids, versions = [row[0] for row in rows], [row[1] + n for row, n in zip(rows, often, strict=True)]
                each = [(row[0], row[1] + n) for row, all_ in zip(rows, often, strict=True) for n in range(1, all_ + 1)]
                of, numbered = [one[0] for one in each], [one[1] for one in each]
                await conn.execute(_CHANGE, ids, versions, [now + timedelta(days=1)] * len(rows), [row[2] for row in rows])  # fmt: skip
                await conn.execute(_ENTER, of, numbered, now, FACTS, "0" * 64)
                await conn.execute(_TELL, of, numbered, now)
                struck += len(each)
        return struck / (time.perf_counter() - began)
    finally:
        await conn.close()


async def _swept(url: str) -> tuple[int, float, float, int]:
    """Everything due, batch after batch, as the worker does it: entries, seconds, CPU seconds, statements a batch."""
    engine = open_engine(url, pool=4)
    try:
        desk = desk_on(engine)
        worker = Worker(desk, ConsoleSender(lambda _line: None), lambda: FIRED)
        with counting() as said:
            made = await worker.sweep_once(FIRED)
        statements = len(said)
        made, used, began = 0, cpu_time(), time.perf_counter()
        while done := await worker.sweep_once(FIRED):
            made += done
        return made, time.perf_counter() - began, cpu_time() - used, statements
    finally:
        await engine.close()


def fire_overdue(url: str, folder: Path, many: int) -> Fired:
    """On an empty, migrated database of its own. Afterwards every chain is walked, but those the limit wrote to."""
    pour(url, copied(play(folder, about_to_be_late), many + LIMIT), words=False)
    before = uvloop.run(set_by_set(url, FIRED, LIMIT))
    made, seconds, cpu, statements = uvloop.run(_swept(url))
    _verify(url)
    after = uvloop.run(set_by_set(url, FIRED + timedelta(days=30), LIMIT))
    return Fired(made / seconds, cpu / made, statements, (before + after) / 2)


def _verify(url: str) -> None:
    with Blocking(url) as engine:
        broken = engine.read(lambda conn: sum(isinstance(one, ledger.Broken) for one in ledger.verify(conn)))
        left = engine.read(lambda conn: sweep.due_ids(conn, FIRED, 1))
    if broken != LIMIT or left:
        raise RuntimeError(f"{broken - LIMIT} chains are broken, {len(left)} are still due")
