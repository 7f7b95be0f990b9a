"""SQLite behind the engine's door: one thread that writes and commits in groups, and a few that read."""

from __future__ import annotations

import asyncio
import queue
import random
import sqlite3
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, cast

from sqlalchemy import Connection, create_engine, event
from sqlalchemy import Engine as CoreEngine
from sqlalchemy.engine import URL
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from liuti.store.pool import Pool

T = TypeVar("T")

GROUP = 256
"""Writes that share one SQLite commit, at most: bounds how long the first of them waits for the last."""
LOCK_PATIENCE = 30.0
"""Seconds a SQLite writer waits for another process to let go of the file before its callers get the error."""


class Closed(RuntimeError):  # noqa: N818 - a state, said to whoever comes too late
    """Work for an engine that is closed or closing: nothing of it was begun."""


class _Seat(sqlite3.Connection):
    """A connection whose commit and rollback end one caller's savepoint, never the transaction of the group."""

    def commit(self) -> None:
        if self.in_transaction:
            self.execute("RELEASE seat")

    def rollback(self) -> None:
        if self.in_transaction:
            self.execute("ROLLBACK TO seat")
            self.execute("RELEASE seat")


@dataclass(slots=True)
class _Write:
    fn: Callable[[Connection], Any]
    loop: asyncio.AbstractEventLoop
    done: asyncio.Future[None]
    result: Any = None
    error: BaseException | None = None


class Sqlite:
    """One writing thread that commits in groups, and a few reading threads, on one file in WAL mode.

    The writer takes all that waits, begins one transaction, runs each write in its own savepoint, commits (with
    fsync), and only then answers: thirty callers share the price of one commit, and one that fails is undone alone.
    Several processes may open the same file; their writers take turns.
    """

    dialect: Literal["sqlite"] = "sqlite"

    def __init__(self, address: URL, readers: int) -> None:
        address = address.set(drivername="sqlite+pysqlite")
        # isolation_level None: this room says BEGIN itself, the driver would say it too late and without IMMEDIATE.
        options = {"isolation_level": None, "cached_statements": 512, "timeout": LOCK_PATIENCE}
        self._writes = create_engine(
            address, poolclass=NullPool, hide_parameters=True, connect_args={**options, "factory": _Seat}
        )
        self._reads = create_engine(
            address,
            pool_size=readers,
            max_overflow=0,
            hide_parameters=True,
            connect_args={**options, "check_same_thread": False},
        )
        event.listen(self._writes, "connect", _prepare_writer)
        event.listen(self._reads, "connect", _prepare_reader)
        event.listen(self._writes, "begin", lambda conn: _raw(conn).execute("SAVEPOINT seat"))
        event.listen(self._reads, "begin", lambda conn: _raw(conn).execute("BEGIN"))
        self._conn: Connection | None = None
        self._readers = ThreadPoolExecutor(readers, thread_name_prefix="liuti-read")
        self._queue: queue.SimpleQueue[_Write | None] = queue.SimpleQueue()
        self._gate = threading.Lock()
        self._closed = False
        self._writer = threading.Thread(target=self._run, name="liuti-write", daemon=True)
        self._writer.start()

    async def write(self, fn: Callable[[Connection], T]) -> T:
        loop = asyncio.get_running_loop()
        write = _Write(fn, loop, loop.create_future())
        self._put(write)
        await write.done
        if write.error is not None:
            raise write.error
        return cast("T", write.result)

    async def read(self, fn: Callable[[Connection], T]) -> T:
        if self._closed:
            raise Closed("this engine is closed")
        return await asyncio.get_running_loop().run_in_executor(self._readers, _on_a_snapshot, self._reads, fn)

    ask = read

    def pool(self) -> Pool:
        readers = self._reads.pool
        return Pool(readers.size(), readers.checkedout(), self._queue.qsize())  # type: ignore[attr-defined]

    async def close(self) -> None:
        if not self._closed:
            self._put(None)
        while self._writer.is_alive():  # noqa: ASYNC110 - waiting in yet another thread would leave that one behind
            await asyncio.sleep(0.002)

    def _put(self, write: _Write | None) -> None:
        # The gate keeps a write from slipping in behind the closing word, where nobody would ever answer it.
        with self._gate:
            if self._closed:
                raise Closed("this engine is closed")
            self._closed = write is None
            self._queue.put(write)

    def _run(self) -> None:
        closing = False
        while not closing:
            taken = [self._queue.get()]
            with suppress(queue.Empty):
                while len(taken) < GROUP:
                    taken.append(self._queue.get_nowait())
            closing = taken[-1] is None
            group = [write for write in taken if write is not None and not write.done.cancelled()]
            if group:
                self._keep(group)
                _answer(group)
        self._drop_connection()
        self._readers.shutdown()
        self._reads.dispose()

    def _keep(self, group: list[_Write]) -> None:
        """Leave every write with its result committed, or with its error and undone."""
        try:
            if self._conn is None:
                self._conn = self._writes.connect()
            raw = _raw(self._conn)
            _take_turn(raw)
            for write in group:
                _seat(self._conn, write)
                # Some errors (a full disk) end the whole transaction, and the neighbours' work with it.
                if not raw.in_transaction:
                    raise write.error or sqlite3.OperationalError("the transaction was ended from within")
            raw.execute("COMMIT")
        except BaseException as error:  # noqa: BLE001 - whatever it was, each caller must hear it and the thread must live
            heard = OperationalError("COMMIT", None, error) if isinstance(error, sqlite3.Error) else error
            for write in group:
                write.error = heard
            self._drop_connection()

    def _drop_connection(self) -> None:
        conn, self._conn = self._conn, None
        if conn is not None:
            raw = _raw(conn)
            conn.detach()
            raw.close()


def _seat(conn: Connection, write: _Write) -> None:
    try:
        with conn.begin():
            write.result = write.fn(conn)
    except BaseException as error:  # noqa: BLE001 - it belongs to the caller, who raises it again
        write.error = error


def _on_a_snapshot(engine: CoreEngine, fn: Callable[[Connection], T]) -> T:
    with engine.begin() as conn:
        return fn(conn)


def _answer(group: list[_Write]) -> None:
    by_loop: defaultdict[asyncio.AbstractEventLoop, list[_Write]] = defaultdict(list)
    for write in group:
        by_loop[write.loop].append(write)
    for loop, writes in by_loop.items():
        with suppress(RuntimeError):  # a loop that is closed has nobody left to answer
            loop.call_soon_threadsafe(_tell, writes)


def _tell(writes: list[_Write]) -> None:
    for write in writes:
        if not write.done.done():
            write.done.set_result(None)


def _take_turn(raw: sqlite3.Connection) -> None:
    """Begin the transaction, waiting for other processes: SQLite's own waiting sleeps up to 0.1 s and starves."""
    deadline = time.monotonic() + LOCK_PATIENCE
    while True:
        try:
            raw.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(random.uniform(0.0005, 0.003))  # noqa: S311 - spreads rivals, hides nothing
        else:
            return


def _raw(conn: Connection) -> sqlite3.Connection:
    return cast("sqlite3.Connection", conn.connection.dbapi_connection)


def _prepare_writer(raw: sqlite3.Connection, _record: object) -> None:
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=0"):
        raw.execute(f"PRAGMA {pragma}")


def _prepare_reader(raw: sqlite3.Connection, _record: object) -> None:
    for pragma in ("journal_mode=WAL", "query_only=ON"):
        raw.execute(f"PRAGMA {pragma}")
