"""The one room that decides how database work runs: which thread, which transaction, and when the caller is answered.

Everything else in the store is a plain function over a SQLAlchemy Core `Connection`. Such a function does database work
and nothing else: it may be run again from the start when the database asks for it, and it never ends its transaction.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from types import TracebackType
from typing import Literal, Protocol, Self, TypeVar, cast

from sqlalchemy import Connection
from sqlalchemy import Engine as CoreEngine
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.util import greenlet_spawn

from liuti.store.pool import Pool
from liuti.store.sqlite import Closed, Sqlite

T = TypeVar("T")

ATTEMPTS = 3
"""How often one piece of work is started, at most, when PostgreSQL asks for a new try."""
ASKS_FOR_ANOTHER_TRY = frozenset({"40001", "40P01"})
"""SQLSTATEs after which nothing was kept and the same work may succeed: serialization failure, deadlock."""
COMMITTING = "while committing"


DatabaseFault = DBAPIError
"""What the database itself raises, for whoever has to say so to a person."""


class Engine(Protocol):
    """Runs functions over a connection, each in a transaction of its own."""

    @property
    def dialect(self) -> Literal["postgresql", "sqlite"]: ...

    async def write(self, fn: Callable[[Connection], T]) -> T:
        """Run `fn` in one transaction and return its result only after the commit.

        Whatever `fn` raises undoes its writes and reaches the caller. A caller that is cancelled while waiting
        does not know whether the write was kept, as with any network: keys make the repetition safe.
        """
        ...

    async def read(self, fn: Callable[[Connection], T]) -> T:
        """Run `fn` on one unchanging snapshot; a statement that writes is refused by the database."""
        ...

    async def ask(self, fn: Callable[[Connection], T]) -> T:
        """Run `fn`, which makes a single reading statement: that is a snapshot by itself and needs no transaction."""
        ...

    def pool(self) -> Pool:
        """How busy the connections are at this moment."""
        ...

    async def close(self) -> None:
        """Finish what was accepted, refuse what comes after, leave no thread and no connection behind."""
        ...


def open_engine(url: str, *, pool: int = 8, lock_timeout_ms: int = 5_000, statement_timeout_ms: int = 30_000) -> Engine:
    """Return the engine for `postgresql://…` or `sqlite:///path`; no connection is made before the first work.

    `pool` is the number of connections (PostgreSQL; about four a core) or reading threads (SQLite, at most 4).
    Raises ValueError for any other database, and for SQLite in memory: its readers would each see their own.
    """
    address = make_url(url)
    backend = address.get_backend_name()
    if backend in {"postgresql", "postgres"}:
        return _Postgres(address, pool, lock_timeout_ms, statement_timeout_ms)
    if backend == "sqlite" and address.database and ":memory:" not in address.database:
        return Sqlite(address, min(pool, 4))
    raise ValueError(f"not a database this program knows: {backend}; give postgresql://… or sqlite:///path")


class Blocking:
    """The same engine for programs without an event loop of their own: commands, imports, measurements."""

    def __init__(self, url: str, *, pool: int = 2) -> None:
        self._runner = asyncio.Runner()
        self._engine = open_engine(url, pool=pool)

    def write(self, fn: Callable[[Connection], T]) -> T:
        """Engine.write, waiting here."""
        return self._runner.run(self._engine.write(fn))

    def read(self, fn: Callable[[Connection], T]) -> T:
        """Engine.read, waiting here."""
        return self._runner.run(self._engine.read(fn))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with self._runner:
            self._runner.run(self._engine.close())


class _Postgres:
    """SQLAlchemy Core over asyncpg, a whole transaction in one greenlet.

    Connections are not tested before use. One that broke while idle is found by its first statement; then the pool is
    emptied and the work starts again on a new connection, since nothing of it can have been kept. Only a connection
    lost during COMMIT itself reaches the caller as an error, because nobody knows what the server did.
    """

    dialect: Literal["postgresql"] = "postgresql"

    def __init__(self, address: URL, pool: int, lock_ms: int, statement_ms: int) -> None:
        self._closed = False
        self._running = 0
        self._idle = asyncio.Event()
        # libpq's word for encryption in an address; asyncpg calls it ssl.
        encryption = {"ssl": address.query["sslmode"]} if "sslmode" in address.query else {}
        self._pool = create_async_engine(
            address.set(drivername="postgresql+asyncpg").difference_update_query(["sslmode"]),
            pool_size=pool,
            max_overflow=0,
            pool_timeout=30,
            pool_use_lifo=True,
            hide_parameters=True,  # an error text ends up in logs, and the parameters are people's names and phones
            connect_args={
                "prepared_statement_cache_size": 512,
                "server_settings": {
                    "application_name": "liuti",
                    "lock_timeout": str(lock_ms),
                    "statement_timeout": str(statement_ms),
                    "idle_in_transaction_session_timeout": str(2 * statement_ms),
                    # Every statement here is short: compiling one to machine code costs more than it saves.
                    "jit": "off",
                },
                **encryption,
            },
        )
        self._writes = self._pool.sync_engine
        self._reads = self._writes.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        # BEGIN and COMMIT are round trips too, and who is asking is looked up at every request.
        self._asks = self._writes.execution_options(isolation_level="AUTOCOMMIT")

    async def write(self, fn: Callable[[Connection], T]) -> T:
        return await self._run(self._writes, fn)

    async def read(self, fn: Callable[[Connection], T]) -> T:
        return await self._run(self._reads, fn)

    async def ask(self, fn: Callable[[Connection], T]) -> T:
        return await self._run(self._asks, fn)

    def pool(self) -> Pool:
        connections = self._writes.pool
        most, in_use = connections.size(), connections.checkedout()  # type: ignore[attr-defined]
        return Pool(most, in_use, max(0, self._running - in_use))

    async def close(self) -> None:
        self._closed = True
        if self._running:
            await self._idle.wait()
        await self._pool.dispose()

    async def _run(self, engine: CoreEngine, fn: Callable[[Connection], T]) -> T:
        if self._closed:
            raise Closed("this engine is closed")
        self._running += 1
        try:
            return await _with_new_tries(engine, fn)
        finally:
            self._running -= 1
            if self._closed and not self._running:
                self._idle.set()


async def _with_new_tries(engine: CoreEngine, fn: Callable[[Connection], T]) -> T:
    for attempt in range(1, ATTEMPTS + 1):
        try:
            # One greenlet for the whole transaction: AsyncConnection would enter one for each of its steps.
            return cast("T", await greenlet_spawn(_in_transaction, engine, fn))
        except DBAPIError as error:
            if attempt == ATTEMPTS or not _nothing_was_kept(error):
                raise
        await asyncio.sleep(random.uniform(0.001, 0.01) * attempt)  # noqa: S311 - spreads rivals, hides nothing
    raise AssertionError("the last attempt returns or raises")


def _in_transaction(engine: CoreEngine, fn: Callable[[Connection], T]) -> T:
    with engine.connect() as conn:
        with conn.begin() as transaction:
            result = fn(conn)
            try:
                transaction.commit()
            except DBAPIError as error:
                error.add_detail(COMMITTING)
                raise
        return result


def _nothing_was_kept(error: DBAPIError) -> bool:
    if getattr(error.orig, "sqlstate", None) in ASKS_FOR_ANOTHER_TRY:
        return True
    return error.connection_invalidated and COMMITTING not in error.detail
