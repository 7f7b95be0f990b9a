"""The feed names every entry once: across pages, after late commits, and for who comes back with a mark."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from msgspec import json
from sqlalchemy import Column, Connection, Table, event, insert, text
from sqlalchemy import Engine as CoreEngine
from sqlalchemy.util import await_only

from liuti.store import feed, read
from liuti.store.engine import Engine
from liuti.store.feed import Line, Mark, Tail
from liuti.store.tables import Moment, entries, issues

START = datetime(2026, 3, 2, 2, tzinfo=UTC)
A, B, C = (f"01999999-0000-7000-8000-00000000000{n}" for n in "abc")


def second(n: float) -> datetime:
    return START + timedelta(seconds=n)


def row_of(table: Table, **values: Any) -> dict[str, Any]:
    """A row that fits: what is not given and must not be empty is of the column's kind."""

    def some(column: Column[Any]) -> Any:
        kind: type = datetime if isinstance(column.type, Moment) else column.type.python_type
        return START if kind is datetime else kind()

    return {c.name: some(c) for c in table.c if not c.nullable} | values


def write(conn: Connection, *rows: tuple[str, int, float]) -> None:
    """Entries: issue, version, and the second it is dated."""
    for issue, version, at in rows:
        if version == 1:
            conn.execute(insert(issues).values(row_of(issues, id=issue, query_code=issue[-12:])))
        conn.execute(insert(entries).values(row_of(entries, issue_id=issue, version=version, at=second(at))))


async def keep(engine: Engine, *rows: tuple[str, int, float]) -> None:
    await engine.write(lambda conn: write(conn, *rows))


async def hear(engine: Engine, tail: Tail, now: float) -> list[tuple[str, int]]:
    """What is news to that reader at that second."""
    rows = await engine.read(partial(feed.since, at=tail.begin(second(now))))
    return [(line.issue, line.version) for line, _ in tail.take(rows)]


def keys(rows: Iterable[Line]) -> list[tuple[str, int]]:
    return [(row.issue, row.version) for row in rows]


async def test_the_feed_is_in_the_order_of_time_and_ends(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    await keep(engine, (B, 1, 5), (A, 1, 3), (C, 1, 5), (A, 2, 5), (A, 3, 5), (B, 2, 9))
    whole = [(A, 1), (A, 2), (A, 3), (B, 1), (C, 1), (B, 2)]
    assert keys(await engine.read(partial(feed.since, at=second(3)))) == whole
    assert keys(await engine.read(partial(feed.since, at=second(3.1)))) == whole[1:]
    assert keys(await engine.read(partial(feed.since, at=second(3), most=4))) == whole[:4]
    for page in (1, 2, 3, 4):  # also where a page ends within one moment
        monkeypatch.setattr(feed, "PAGE", page)
        assert keys(await engine.read(partial(feed.since, at=second(3)))) == whole


async def test_a_grant_alone_brings_its_facts(engine: Engine) -> None:
    await keep(engine, (A, 1, 1))
    for version, move in ((2, "sign"), (3, "grant")):
        entry = row_of(entries, issue_id=A, version=version, at=second(version), move=move, facts='{"of":"extend"}')
        await engine.write(lambda conn: conn.execute(insert(entries).values(entry)))  # noqa: B023
    rows = await engine.read(partial(feed.since, at=second(2)))
    assert [row.facts for row in rows] == [None, '{"of":"extend"}']


async def test_what_was_there_before_is_no_news_and_what_comes_is_news_once(engine: Engine) -> None:
    await keep(engine, (A, 1, 0))
    tail = Tail.starting(second(10))
    assert await hear(engine, tail, 10) == [(A, 1)]  # the caller lets this first reading pass in silence
    assert await hear(engine, tail, 11) == []
    await keep(engine, (A, 2, 12), (B, 1, 12))
    assert await hear(engine, tail, 12) == [(A, 2), (B, 1)]
    assert await hear(engine, tail, 13) == []


async def test_a_transaction_that_commits_late_is_not_lost(engine: Engine) -> None:
    """On PostgreSQL as it happens: an entry is dated and written, another one overtakes it, then it is committed."""
    if engine.dialect == "sqlite":
        pytest.skip("on SQLite one writes at a time; the tests beside write the entries in that order")
    tail, gate, written = Tail.starting(second(0)), asyncio.Event(), asyncio.Event()

    def slowly(conn: Connection) -> None:
        write(conn, (A, 1, 1))
        written.set()
        await_only(gate.wait())

    slow = asyncio.create_task(engine.write(slowly))
    await written.wait()
    await keep(engine, (B, 1, 2))
    assert await hear(engine, tail, 2) == [(B, 1)]
    gate.set()
    await slow
    assert await hear(engine, tail, 3) == [(A, 1)]
    assert await hear(engine, tail, 4) == []


async def test_late_commits_are_told_within_the_overlap_once(engine: Engine) -> None:
    reach = feed.OVERLAP.total_seconds()
    tail = Tail.starting(second(0))
    await keep(engine, (A, 1, 100))
    assert await hear(engine, tail, 100) == [(A, 1)]
    await keep(engine, (B, 1, 100 - reach + 1), (C, 1, 100 - reach - 1))
    assert await hear(engine, tail, 101) == [(B, 1)]
    await keep(engine, (A, 2, 100 + reach))
    assert await hear(engine, tail, 100 + reach) == [(A, 2)]
    assert await hear(engine, tail, 100 + reach) == []


async def test_a_server_whose_clock_runs_ahead_does_not_hide_the_others(engine: Engine) -> None:
    tail = Tail.starting(second(0))
    await keep(engine, (A, 1, 3600))
    assert await hear(engine, tail, 1) == [(A, 1)]
    await keep(engine, (B, 1, 2))
    assert await hear(engine, tail, 2) == [(B, 1)]
    await keep(engine, (C, 1, 3601))
    assert await hear(engine, tail, 3) == [(C, 1)]


async def test_a_clock_set_back_does_not_make_old_entries_news(engine: Engine) -> None:
    reach = feed.OVERLAP.total_seconds()
    tail = Tail.starting(second(0))
    await keep(engine, (A, 1, 1))
    assert await hear(engine, tail, 1) == [(A, 1)]
    await keep(engine, (B, 1, 2 * reach))
    assert await hear(engine, tail, 2 * reach) == [(B, 1)]
    assert await hear(engine, tail, 2 * reach) == []
    assert await hear(engine, tail, 0) == []


async def test_in_a_rush_the_overlap_and_what_is_kept_stay_bounded(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "AGAIN", 3)
    tail = Tail.starting(second(0))
    await keep(engine, *((A, n, n) for n in range(1, 11)))
    assert len(await hear(engine, tail, 10)) == 10
    assert tail.begin(second(10)) == second(8)
    assert sorted(tail.known) == [(A, 8), (A, 9), (A, 10)]
    await keep(engine, (B, 1, 9))
    assert await hear(engine, tail, 10) == [(B, 1)]


# -- who comes back with a mark ----------------------------------------------------------------------------------------


async def last_mark(engine: Engine, tail: Tail, now: float) -> Mark:
    await hear(engine, tail, now)
    mark = feed.read_mark(json.encode(tail.mark()).decode())
    assert mark == tail.mark()
    return mark


async def gap(engine: Engine, mark: Mark) -> list[tuple[str, int]] | None:
    rows = await engine.read(partial(feed.since, at=mark.since))
    left = feed.missed(rows, mark)
    return None if left is None else keys(left)


async def test_a_mark_says_what_was_missed(engine: Engine) -> None:
    tail = Tail.starting(second(0))
    before = await last_mark(engine, tail, 0)
    assert await gap(engine, before) == []
    await keep(engine, (A, 1, 1), (A, 2, 2))
    first = await last_mark(engine, tail, 2)
    assert await gap(engine, before) == [(A, 1), (A, 2)]
    assert await gap(engine, first) == []
    await keep(engine, (B, 1, 2), (A, 3, 3))
    assert await gap(engine, first) == [(B, 1), (A, 3)]


async def test_every_entry_carries_the_mark_of_who_has_read_up_to_it(engine: Engine) -> None:
    tail = Tail.starting(second(0))
    await keep(engine, (A, 1, 1), (B, 1, 1), (A, 2, 2))
    rows = await engine.read(partial(feed.since, at=tail.begin(second(2))))
    start = tail.mark()
    marks = [mark for _, mark in tail.take(rows)]
    assert [await gap(engine, mark) for mark in marks] == [[(B, 1), (A, 2)], [(A, 2)], []]
    assert feed.marks(rows, start) == marks


async def test_what_came_in_behind_a_mark_is_not_passed_over_in_silence(engine: Engine) -> None:
    tail = Tail.starting(second(0))
    await keep(engine, (A, 1, 5))
    mark = await last_mark(engine, tail, 5)
    await keep(engine, (B, 1, 4))
    assert await gap(engine, mark) is None
    # Once the reader has had it too, the mark knows, and still says how far the reader has come.
    mark = await last_mark(engine, tail, 5)
    assert (mark.issue, mark.seen) == (A, 2)
    assert await gap(engine, mark) == []
    await keep(engine, (C, 1, 6))
    assert await gap(engine, mark) == [(C, 1)]


async def test_a_mark_of_another_ledger_is_not_believed(engine: Engine) -> None:
    await keep(engine, (A, 1, 5))
    assert await gap(engine, Mark(START, second(5), B, 1, 1, feed.weigh(B, 1))) is None
    assert await gap(engine, Mark(START, second(5), A, 1, 1, feed.weigh(B, 1))) is None
    assert await gap(engine, Mark(START, second(5), A, 1, 1, feed.weigh(A, 1))) == []
    for wrong in ("", "[]", "{}", "[1,2]", '["x","y"]'):
        assert feed.read_mark(wrong) is None


async def test_too_long_a_gap_is_not_read(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    await keep(engine, *((A, n, n) for n in range(1, 7)))
    start = Mark(START, START)
    monkeypatch.setattr(read, "several", lambda _conn, _ids: {})
    monkeypatch.setattr(feed, "TOLD", 6)
    found = await engine.read(partial(feed.gap, mark=start))
    assert found is not None and len(found.rows) == 6
    monkeypatch.setattr(feed, "TOLD", 5)
    assert await engine.read(partial(feed.gap, mark=start)) is None


# -- the price ---------------------------------------------------------------------------------------------------------


async def test_nothing_new_costs_one_statement(engine: Engine) -> None:
    await keep(engine, (A, 1, 1), (A, 2, 2))
    tail, spoken = Tail.starting(second(0)), []

    def note(_conn: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        spoken.append(statement)

    await hear(engine, tail, 2)
    event.listen(CoreEngine, "before_cursor_execute", note)
    try:
        found = await engine.read(partial(feed.news, at=tail.begin(second(3)), known=tail.known))
    finally:
        event.remove(CoreEngine, "before_cursor_execute", note)
    assert len(found.rows) == 2 and not found.issues
    assert len(spoken) == 1, spoken


async def test_the_reading_walks_an_index(engine: Engine) -> None:
    spoken: list[tuple[str, Any]] = []

    def note(_conn: Any, _cursor: Any, statement: str, parameters: Any, *_more: Any) -> None:
        spoken.append((statement, parameters))

    def explain(conn: Connection) -> str:
        conn.execute(text("CREATE INDEX IF NOT EXISTS ix_entries_at ON entries (at, issue_id, version)"))
        event.listen(conn, "before_cursor_execute", note)
        feed.since(conn, START)
        statement, parameters = spoken[0]
        if conn.dialect.name == "sqlite":
            plan = conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        else:
            for way in ("seqscan", "bitmapscan"):  # so few rows it would rather read all of
                conn.execute(text(f"SET LOCAL enable_{way} = off"))
            plan = conn.exec_driver_sql(f"EXPLAIN {statement}", parameters)
        return "\n".join(str(tuple(row)) for row in plan)

    plan = await engine.write(explain)
    assert "ix_entries_at" in plan, plan
    assert "Sort" not in plan and "TEMP B-TREE" not in plan and "SCAN" not in plan, plan
