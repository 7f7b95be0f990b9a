"""Brings a database to the shape this release needs: once, whoever asks first, and all of it or nothing."""

from __future__ import annotations

import asyncio
import functools
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

T = TypeVar("T")

TURN = int.from_bytes(b"liuti", "big")
"""The advisory lock that two servers starting at once queue for."""
LOCK_PATIENCE = "5s"
"""How long PostgreSQL may wait for a table in use: whoever asks for that table meanwhile waits behind the migration."""
PATIENCE_S = 600
"""Seconds one statement, or the wait for another server's migration, may take."""


def upgrade(url: str, revision: str = "head") -> None:
    """Bring the database at `url` (postgresql://…, sqlite:///path) to `revision`, in one transaction.

    Nothing happens when it is there already, or when a newer release has been here: the release before a migration
    runs on the schema after it. Of several callers at once one migrates and the others wait. Blocks; may be called
    from any thread, also one whose event loop is running. Raises DBAPIError and leaves the database as it was.
    """
    _with_connection(url, functools.partial(_upgrade, revision=revision), alone=True)


def current(url: str) -> str | None:
    """The revision the database stands at, None when it was never migrated. Blocks, from any thread."""
    address = make_url(url)
    if address.get_backend_name() == "sqlite" and not Path(address.database or "").is_file():
        return None  # connecting would leave an empty file behind
    return _with_connection(url, revision_of)


def pending(url: str) -> bool:
    """Whether this release knows migrations the database has not had. Blocks, from any thread."""
    return _is_behind(current(url))


def revision_of(conn: Connection) -> str | None:
    """What `current` answers, over an open connection."""
    return MigrationContext.configure(conn).get_current_revision()


def is_behind(conn: Connection) -> bool:
    """What `pending` answers, over an open connection: cheap enough for a probe every second."""
    return _is_behind(revision_of(conn))


def _is_behind(revision: str | None) -> bool:
    return revision in ({None} | _known()) - {_scripts().get_current_head()}


def _upgrade(conn: Connection, revision: str) -> None:
    before = revision_of(conn)
    if before is not None and before not in _known():
        return
    config = _config()
    config.attributes["connection"] = conn
    command.upgrade(config, revision)
    if conn.dialect.name == "sqlite" and revision_of(conn) != before:
        orphans = conn.exec_driver_sql("PRAGMA foreign_key_check").all()
        if orphans:
            raise ValueError(f"rows without the row they belong to, nothing was migrated: {orphans[:10]}")


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_folder()).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _folder() -> Path:
    """The migrations: beside the package in a wheel, at the top of the project in an editable install."""
    package = Path(__file__).resolve().parents[1]
    inside = package / "migrations"
    return inside if inside.is_dir() else package.parents[1] / "migrations"


@functools.cache
def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


@functools.cache
def _known() -> frozenset[str]:
    return frozenset(script.revision for script in _scripts().walk_revisions())


# --- a connection for this one purpose -------------------------------------------------------------------------------


def _with_connection(url: str, fn: Callable[[Connection], T], *, alone: bool = False) -> T:
    """`fn` in one transaction; `alone`: with nobody else migrating, and on SQLite nobody else writing."""
    address = make_url(url)
    backend = address.get_backend_name()
    if backend == "sqlite":
        return _on_sqlite(address, fn, alone=alone)
    if backend in {"postgresql", "postgres"}:
        # A thread of its own, since this one may have an event loop running.
        with ThreadPoolExecutor(1, thread_name_prefix="liuti-migrate") as thread:
            return thread.submit(lambda: asyncio.run(_on_postgres(address, fn, alone=alone))).result()
    raise ValueError(f"not a database this program knows: {backend}; give postgresql://… or sqlite:///path")


def _on_sqlite(address: URL, fn: Callable[[Connection], T], *, alone: bool) -> T:
    engine = create_engine(
        address.set(drivername="sqlite+pysqlite"),
        poolclass=NullPool,
        # isolation_level None: the driver would say BEGIN itself, not before DDL and without IMMEDIATE.
        # Foreign keys stay off (SQLite's default): a table that batch mode copies is dropped under its children.
        connect_args={"isolation_level": None, "timeout": PATIENCE_S},
    )
    event.listen(engine, "connect", _set_wal)
    event.listen(engine, "begin", lambda conn: conn.exec_driver_sql("BEGIN IMMEDIATE" if alone else "BEGIN"))
    with engine.begin() as conn:
        return fn(conn)


def _set_wal(raw: sqlite3.Connection, _record: object) -> None:
    raw.execute("PRAGMA journal_mode=WAL")


async def _on_postgres(address: URL, fn: Callable[[Connection], T], *, alone: bool) -> T:
    # libpq's word for encryption in an address; asyncpg calls it ssl.
    encryption = {"ssl": address.query["sslmode"]} if "sslmode" in address.query else {}
    engine = create_async_engine(
        address.set(drivername="postgresql+asyncpg").difference_update_query(["sslmode"]),
        poolclass=NullPool,
        connect_args={
            "server_settings": {"application_name": "liuti migrate", "statement_timeout": f"{PATIENCE_S}s"},
            **encryption,
        },
    )
    async with engine.begin() as conn:
        return await conn.run_sync(functools.partial(_in_turn, fn=fn) if alone else fn)


def _in_turn(conn: Connection, fn: Callable[[Connection], T]) -> T:
    conn.execute(text("SELECT pg_advisory_xact_lock(:turn)"), {"turn": TURN})
    conn.execute(text(f"SET LOCAL lock_timeout = '{LOCK_PATIENCE}'"))
    return fn(conn)
