"""The engine's promises: committed before answered, undone when it fails, neighbours unharmed, nothing left running."""

from __future__ import annotations

import asyncio
import multiprocessing
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from sqlalchemy import Column, Connection, Integer, MetaData, String, Table, func, insert, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from liuti.store import sqlite
from liuti.store.engine import Blocking, Engine, open_engine
from tests.patience import PATIENCE, until

metadata = MetaData()
lantern = Table(
    "lantern",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("colour", String, nullable=False, unique=True),
    Column("lit", Integer, nullable=False, default=0),
)


class Spilled(Exception):
    """What a piece of work raises on purpose."""


@pytest.fixture
async def lanterns(bare_database_url: str) -> AsyncIterator[Engine]:
    engine = open_engine(bare_database_url, pool=4)
    await engine.write(metadata.create_all)
    yield engine
    await engine.close()


@pytest.fixture
async def on_file(tmp_path: Path) -> AsyncIterator[Engine]:
    engine = open_engine(f"sqlite:///{tmp_path / 'lanterns.db'}")
    await engine.write(metadata.create_all)
    yield engine
    await engine.close()


@pytest.fixture
async def on_server(postgres_server: str) -> AsyncIterator[Engine]:
    engine = open_engine(postgres_server, pool=2)
    yield engine
    await engine.close()


def hang(colour: str) -> Callable[[Connection], str]:
    def work(conn: Connection) -> str:
        conn.execute(insert(lantern).values(colour=colour))
        return colour

    return work


def spill_after(colour: str) -> Callable[[Connection], str]:
    def work(conn: Connection) -> str:
        hang(colour)(conn)
        raise Spilled(colour)

    return work


def colours(conn: Connection) -> list[str]:
    return list(conn.scalars(select(lantern.c.colour).order_by(lantern.c.id)))


def light(conn: Connection) -> None:
    """Read, then write what was read plus one: wrong whenever two of them interleave without a lock."""
    lit = conn.scalar(select(lantern.c.lit).where(lantern.c.colour == "red").with_for_update())
    assert lit is not None
    conn.execute(update(lantern).where(lantern.c.colour == "red").values(lit=lit + 1))


async def test_a_write_is_seen_by_another_engine_as_soon_as_it_is_answered(
    lanterns: Engine, bare_database_url: str
) -> None:
    other = open_engine(bare_database_url)
    try:
        for number in range(20):
            assert await lanterns.write(hang(f"red {number}")) == f"red {number}"
            assert f"red {number}" in await other.read(colours)
    finally:
        await other.close()


async def test_a_write_that_raises_is_undone_and_its_error_reaches_the_caller(lanterns: Engine) -> None:
    await lanterns.write(hang("red"))
    with pytest.raises(Spilled, match="green"):
        await lanterns.write(spill_after("green"))
    assert await lanterns.read(colours) == ["red"]


async def test_a_broken_constraint_is_an_integrity_error_on_both(lanterns: Engine) -> None:
    await lanterns.write(hang("red"))
    with pytest.raises(IntegrityError):
        await lanterns.write(hang("red"))
    await lanterns.write(hang("green"))
    assert await lanterns.read(colours) == ["red", "green"]


async def test_an_error_text_does_not_tell_the_parameters(lanterns: Engine) -> None:
    await lanterns.write(hang("13800000000"))
    with pytest.raises(IntegrityError) as caught:
        await lanterns.write(lambda conn: conn.execute(insert(lantern).values(id=1, colour="13911111111")))
    assert "13911111111" not in str(caught.value)


async def test_a_savepoint_inside_a_write_is_undone_alone(lanterns: Engine) -> None:
    def work(conn: Connection) -> None:
        hang("red")(conn)
        with pytest.raises(IntegrityError), conn.begin_nested():
            hang("green")(conn)
            hang("red")(conn)
        hang("blue")(conn)

    await lanterns.write(work)
    assert await lanterns.read(colours) == ["red", "blue"]


async def test_a_failing_write_does_not_hurt_its_neighbours(lanterns: Engine) -> None:
    works = [spill_after(f"bad {n}") if n % 3 == 0 else hang(f"good {n}") for n in range(60)]
    answers = await asyncio.gather(*(lanterns.write(work) for work in works), return_exceptions=True)
    assert [isinstance(answer, Spilled) for answer in answers] == [n % 3 == 0 for n in range(60)]
    assert set(await lanterns.read(colours)) == {f"good {n}" for n in range(60) if n % 3}


async def test_no_count_is_lost_between_many_callers(lanterns: Engine) -> None:
    await lanterns.write(hang("red"))
    await asyncio.gather(*(lanterns.write(light) for _ in range(100)))
    assert await lanterns.read(lambda conn: conn.scalar(select(lantern.c.lit))) == 100


async def test_a_read_may_not_write(lanterns: Engine) -> None:
    await lanterns.write(hang("red"))
    with pytest.raises(DBAPIError):
        await lanterns.read(hang("green"))
    assert await lanterns.read(colours) == ["red"]
    await lanterns.write(hang("green"))


async def test_a_read_sees_one_snapshot_while_others_write(lanterns: Engine) -> None:
    started, written = threading.Event(), threading.Event()

    def twice(conn: Connection) -> tuple[list[str], list[str]]:
        before = colours(conn)
        started.set()
        # On PostgreSQL the loop must go on turning meanwhile, so the waiting is done by the server.
        while not written.is_set():
            conn.execute(text("SELECT pg_sleep(0.01)")) if lanterns.dialect == "postgresql" else time.sleep(0.01)
        return before, colours(conn)

    await lanterns.write(hang("red"))
    reading = asyncio.create_task(lanterns.read(twice))
    while not started.is_set():  # noqa: ASYNC110 - it is set in a thread
        await asyncio.sleep(0.005)
    await lanterns.write(hang("green"))
    written.set()
    assert await reading == (["red"], ["red"])
    assert await lanterns.read(colours) == ["red", "green"]


async def test_a_cancelled_caller_leaves_the_engine_working(lanterns: Engine) -> None:
    tasks = [asyncio.create_task(lanterns.write(hang(f"red {n}"))) for n in range(30)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    kept = {answer for answer in answers if isinstance(answer, str)}
    assert len(kept) == 15
    assert kept <= set(await lanterns.read(colours))
    await asyncio.gather(*(lanterns.write(hang(f"green {n}")) for n in range(10)))


async def test_closing_finishes_what_was_accepted_and_refuses_the_rest(bare_database_url: str) -> None:
    before = set(threading.enumerate())
    engine = open_engine(bare_database_url)
    await engine.write(metadata.create_all)
    await engine.read(colours)
    writes = [asyncio.create_task(engine.write(hang(f"red {n}"))) for n in range(20)]
    await asyncio.sleep(0)
    await engine.close()
    assert all(write.done() for write in writes)
    await engine.close()
    assert await asyncio.gather(*writes) == [f"red {n}" for n in range(20)]
    for attempt in (lambda: engine.write(hang("late")), lambda: engine.read(colours)):
        with pytest.raises(RuntimeError, match="closed"):
            await attempt()
    assert set(threading.enumerate()) <= before
    again = open_engine(bare_database_url)
    assert len(await again.read(colours)) == 20
    await again.close()


def test_the_blocking_face_leaves_no_thread_and_raises_what_the_work_raised(bare_database_url: str) -> None:
    before = set(threading.enumerate())
    with Blocking(bare_database_url) as engine:
        engine.write(metadata.create_all)
        engine.write(hang("red"))
        with pytest.raises(Spilled):
            engine.write(spill_after("green"))
        assert engine.read(colours) == ["red"]
    assert set(threading.enumerate()) <= before


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "sqlite:///file::memory:?uri=true", "mysql://a/b"])
def test_an_address_that_would_not_hold_its_promises_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="postgresql://"):
        open_engine(url)


# --- SQLite: the group -----------------------------------------------------------------------------------------------


async def all_at_once(engine: Engine, *works: Callable[[Connection], object]) -> list[object]:
    """Their answers: the writer is busy until all of them wait, so that they come into one group."""
    begun, goes_on = threading.Event(), threading.Event()

    def busy(_conn: Connection) -> None:
        begun.set()
        assert goes_on.wait(PATIENCE)

    first = asyncio.create_task(engine.write(busy))
    await until(begun.is_set)
    rest = [asyncio.create_task(engine.write(work)) for work in works]
    await until(lambda: engine.pool().waiting == len(works))
    goes_on.set()
    await first
    return await asyncio.gather(*rest, return_exceptions=True)


async def test_writes_that_wait_share_one_commit(on_file: Engine, tmp_path: Path) -> None:
    commits = 0
    wal = tmp_path / "lanterns.db-wal"

    def count(conn: Connection) -> None:
        nonlocal commits
        raw = conn.connection.dbapi_connection
        assert isinstance(raw, sqlite3.Connection)
        raw.set_trace_callback(add)

    def add(said: str) -> None:
        nonlocal commits
        commits += said == "COMMIT"

    await on_file.write(count)
    commits = 0
    await all_at_once(on_file, *(hang(f"red {n}") for n in range(200)))
    assert commits == 2, "of whoever kept the writer busy, and of all who waited"
    assert len(await on_file.read(colours)) == 200
    assert wal.exists()


async def test_when_the_commit_fails_everyone_in_the_group_is_told_and_nothing_is_kept(on_file: Engine) -> None:
    def forbid_commit(conn: Connection) -> None:
        raw = conn.connection.dbapi_connection
        assert isinstance(raw, sqlite3.Connection)
        raw.execute("PRAGMA defer_foreign_keys=ON")
        conn.execute(text("CREATE TABLE hook (lantern INTEGER REFERENCES lantern (id) DEFERRABLE INITIALLY DEFERRED)"))

    await on_file.write(forbid_commit)
    wrong = text("INSERT INTO hook VALUES (99)")
    answers = await all_at_once(on_file, hang("red"), lambda conn: conn.execute(wrong), hang("green"))
    assert all(isinstance(answer, OperationalError) for answer in answers)
    assert await on_file.read(colours) == []
    assert await on_file.write(hang("blue")) == "blue"


async def test_when_one_write_ends_the_whole_transaction_the_neighbours_are_not_told_they_were_kept(
    on_file: Engine,
) -> None:
    await on_file.write(hang("red"))

    def swallow(conn: Connection) -> None:
        with pytest.raises(IntegrityError):
            conn.execute(text("INSERT OR ROLLBACK INTO lantern (colour, lit) VALUES ('red', 0)"))

    answers = await all_at_once(on_file, hang("green"), swallow, hang("blue"))
    told_kept = {answer for answer in answers if isinstance(answer, str)}
    assert told_kept | {"red"} == set(await on_file.read(colours))
    assert isinstance(answers[1], Exception)
    assert await on_file.write(hang("white")) == "white"


async def test_foreign_keys_hold_and_commits_reach_the_disk(on_file: Engine) -> None:
    pragmas = await on_file.write(
        lambda conn: [conn.scalar(text(f"PRAGMA {name}")) for name in ("foreign_keys", "synchronous", "journal_mode")]
    )
    assert pragmas == [1, 2, "wal"]


def _hang_many(url: str, name: str, start: threading.Barrier, count: int) -> None:
    async def run() -> None:
        engine = open_engine(url)
        await engine.read(lambda conn: conn.scalar(select(func.count()).select_from(lantern)))
        start.wait()

        async def one(number: int) -> None:
            await engine.write(hang(f"{name} {number}"))
            await engine.write(light)

        for first in range(0, count, 10):
            await asyncio.gather(*(one(number) for number in range(first, first + 10)))
        await engine.close()

    asyncio.run(run())


async def test_two_processes_on_one_file_lose_nothing(on_file: Engine, tmp_path: Path) -> None:
    await on_file.write(hang("red"))
    url = f"sqlite:///{tmp_path / 'lanterns.db'}"
    spawn = multiprocessing.get_context("spawn")
    start = spawn.Barrier(2)
    both = [spawn.Process(target=_hang_many, args=(url, name, start, 200)) for name in ("east", "west")]
    for process in both:
        process.start()
    for process in both:
        await asyncio.to_thread(process.join, 3 * PATIENCE)
    assert [process.exitcode for process in both] == [0, 0]
    assert len(await on_file.read(colours)) == 401
    assert await on_file.read(lambda conn: conn.scalar(select(func.max(lantern.c.lit)))) == 400


async def test_a_writer_waits_for_another_process_but_not_for_ever(
    on_file: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rival = sqlite3.connect(tmp_path / "lanterns.db", isolation_level=None)
    try:
        rival.execute("BEGIN IMMEDIATE")
        waiting = asyncio.create_task(on_file.write(hang("red")))
        await asyncio.sleep(0.1)
        assert not waiting.done()
        rival.execute("COMMIT")
        assert await waiting == "red"

        monkeypatch.setattr(sqlite, "LOCK_PATIENCE", 0.1)
        rival.execute("BEGIN IMMEDIATE")
        with pytest.raises(OperationalError, match="locked"):
            await on_file.write(hang("green"))
    finally:
        rival.close()
    assert await on_file.write(hang("blue")) == "blue"


# --- PostgreSQL: new tries -------------------------------------------------------------------------------------------


async def test_a_deadlock_is_tried_again_and_both_succeed(on_server: Engine) -> None:
    await on_server.write(lambda conn: conn.execute(text("CREATE TABLE pair (id int PRIMARY KEY, n int)")))
    await on_server.write(lambda conn: conn.execute(text("INSERT INTO pair VALUES (1, 0), (2, 0)")))
    starts, held = 0, set[int]()

    def add(first: int, second: int) -> Callable[[Connection], None]:
        def work(conn: Connection) -> None:
            nonlocal starts
            starts += 1
            conn.execute(text("UPDATE pair SET n = n + 1 WHERE id = :id"), {"id": first})
            held.add(first)
            while len(held) < 2:
                conn.execute(text("SELECT pg_sleep(0.01)"))
            conn.execute(text("UPDATE pair SET n = n + 1 WHERE id = :id"), {"id": second})

        return work

    try:
        await asyncio.gather(on_server.write(add(1, 2)), on_server.write(add(2, 1)))
        assert starts == 3
        assert await on_server.read(lambda conn: list(conn.scalars(text("SELECT n FROM pair")))) == [2, 2]
    finally:
        await on_server.write(lambda conn: conn.execute(text("DROP TABLE pair")))


async def test_a_serialization_failure_is_tried_three_times_and_then_told(on_server: Engine) -> None:
    starts = 0

    def fail(conn: Connection) -> None:
        nonlocal starts
        starts += 1
        conn.execute(text("DO $$ BEGIN RAISE EXCEPTION 'again' USING ERRCODE = '40001'; END $$"))

    with pytest.raises(DBAPIError):
        await on_server.write(fail)
    assert starts == 3


async def test_a_connection_that_broke_while_idle_is_replaced_unnoticed(
    on_server: Engine, postgres_server: str
) -> None:
    number = "SELECT pg_backend_pid()"
    first = await on_server.write(lambda conn: conn.scalar(text(number)))
    other = open_engine(postgres_server)
    try:
        await other.write(lambda conn: conn.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": first}))
    finally:
        await other.close()
    await asyncio.sleep(0.05)
    assert await on_server.write(lambda conn: conn.scalar(text(number))) != first


async def test_a_connection_lost_in_the_middle_of_the_work_starts_it_again(on_server: Engine) -> None:
    starts = 0

    def work(conn: Connection) -> int:
        nonlocal starts
        starts += 1
        if starts == 1:
            conn.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
        return starts

    assert await on_server.write(work) == 2


async def test_a_connection_lost_while_committing_is_told_and_not_tried_again(on_server: Engine) -> None:
    def lay_fuse(conn: Connection) -> None:
        conn.execute(text("CREATE TABLE fuse (n int)"))
        blow = "BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END"
        conn.execute(text(f"CREATE FUNCTION blow() RETURNS trigger LANGUAGE plpgsql AS $$ {blow} $$"))
        when = "AFTER INSERT ON fuse DEFERRABLE INITIALLY DEFERRED FOR EACH ROW"
        conn.execute(text(f"CREATE CONSTRAINT TRIGGER blow {when} EXECUTE FUNCTION blow()"))

    def clear_fuse(conn: Connection) -> None:
        conn.execute(text("DROP TABLE fuse"))
        conn.execute(text("DROP FUNCTION blow()"))

    await on_server.write(lay_fuse)
    starts = 0

    def work(conn: Connection) -> None:
        nonlocal starts
        starts += 1
        conn.execute(text("INSERT INTO fuse VALUES (1)"))

    try:
        with pytest.raises(DBAPIError, match="while committing"):
            await on_server.write(work)
        assert starts == 1
    finally:
        await on_server.write(clear_fuse)


async def test_the_server_keeps_time_for_locks_and_statements(postgres_server: str) -> None:
    engine = open_engine(postgres_server, lock_timeout_ms=1234, statement_timeout_ms=5678)
    try:
        shown = await engine.read(
            lambda conn: [conn.scalar(text(f"SHOW {name}")) for name in ("lock_timeout", "statement_timeout", "jit")]
        )
    finally:
        await engine.close()
    assert shown == ["1234ms", "5678ms", "off"]


async def test_a_cancelled_statement_gives_its_connection_back(on_server: Engine) -> None:
    for _ in range(4):  # more often than the pool has connections
        sleeping = asyncio.create_task(on_server.write(lambda conn: conn.execute(text("SELECT pg_sleep(30)"))))
        await asyncio.sleep(0.05)
        sleeping.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sleeping
    # A connection still at it would be free after 30 seconds.
    assert await asyncio.wait_for(on_server.read(lambda conn: conn.scalar(text("SELECT 1"))), 20) == 1
