"""A database of any size: some issues played through the desk, and as many copies of them as asked, each with its chain."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import asyncpg
from sqlalchemy import Connection, select
from sqlalchemy.engine import make_url

from bench.story import UNIT
from liuti.store import ledger, migrate
from liuti.store.engine import Engine, open_engine
from liuti.store.ids import uuid7
from liuti.store.tables import assignments, entries, issues, voices
from liuti.store.vault import query_code
from liuti.store.words import bigrams

TABLES = (issues, assignments, voices, entries)
CHUNK = 2_000
"""Issues written together."""
Texts = Callable[[int], tuple[str, str]]
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")
Rows = dict[str, list[dict[str, Any]]]


@dataclass(frozen=True)
class Original:
    """One played issue: all its rows, and the ids that a copy has anew."""

    id: str
    voice: str
    rows: Rows

    @cached_property
    def named(self) -> dict[str, list[list[str]]]:
        """The columns that name the issue, its voice or its unit, row by row: what a copy says differently."""
        ids = (self.id, self.voice, UNIT)
        return {
            name: [
                [column for column, value in row.items() if isinstance(value, str) and any(one in value for one in ids)]
                for row in many
            ]
            for name, many in self.rows.items()
        }

    @property
    def issue(self) -> dict[str, Any]:
        return self.rows["issues"][0]

    def later(self, by: timedelta) -> Original:
        """The same life, lived so much later: every moment of it, in columns and in words."""

        def moved(value: Any) -> Any:
            if isinstance(value, datetime):
                return value + by if value.year < 9999 else value
            return _MOMENT.sub(lambda found: _said(found[0], by), value) if isinstance(value, str) else value

        rows = {
            name: [{column: moved(value) for column, value in row.items()} for row in many]
            for name, many in self.rows.items()
        }
        return Original(self.id, self.voice, rows)

    def again(self, number: int, title: str, body: str, unit: str = UNIT) -> Rows:
        """A copy with ids of its own, other words, another unit, and the chain sealed anew."""
        born = self.issue["submitted_at"] + timedelta(milliseconds=number % 60_000)
        issue, voice = uuid7(born), uuid7(born)

        rows: Rows = {}
        for name, many in self.rows.items():
            rows[name] = []
            for row, named in zip(many, self.named[name], strict=True):
                again = {
                    column: row[column].replace(self.id, issue).replace(self.voice, voice).replace(UNIT, unit)
                    for column in named
                }
                rows[name].append(row | again)
        head = ledger.START
        for entry in rows["entries"]:
            entry["previous"] = head
            head = entry["seal"] = ledger.sealed(entry)
        code = query_code(number.to_bytes(7, "big"))
        rows["issues"][0] |= {"head": head, "query_code": code, "title": title, "body": body}
        return rows


def _said(moment: str, by: timedelta) -> str:
    return (datetime.fromisoformat(moment) + by).isoformat().replace("+00:00", "Z")


async def kept(engine: Engine, ids: Iterable[str]) -> list[Original]:
    """What is kept of these issues, as originals."""

    def rows_of(conn: Connection, issue: str) -> Original:
        found: Rows = {}
        for table in TABLES:
            column = table.c.id if table is issues else table.c.issue_id
            order = [column.asc() for column in table.primary_key.columns]
            stmt = select(table).where(column == issue).order_by(*order)
            found[table.name] = [dict(row) for row in conn.execute(stmt).mappings()]
        return Original(issue, found["voices"][0]["id"], found)

    return [await engine.read(lambda conn, issue=issue: rows_of(conn, issue)) for issue in ids]  # type: ignore[misc]


def play(folder: Path, story: Callable[[Engine], Any]) -> Any:
    """Run `story` on a database of its own, thrown away with the folder."""
    url = f"sqlite:///{Path(mkdtemp(dir=folder)) / 'played.db'}"
    migrate.upgrade(url)

    async def inside() -> Any:
        engine = open_engine(url)
        try:
            return await story(engine)
        finally:
            await engine.close()

    return asyncio.run(inside())


def pour(url: str, copied: Iterable[Rows], *, words: bool = True) -> int:
    """Write the copies into an empty, migrated database, its indexes made anew at the end; how many."""
    if make_url(url).get_backend_name() == "sqlite":
        return _pour_sqlite(url, copied, words)
    return asyncio.run(_pour_postgres(url, copied, words))


def _chunks(copied: Iterable[Rows]) -> Iterator[tuple[int, Rows]]:
    many: Rows = {table.name: [] for table in TABLES}
    size = 0
    for rows in copied:
        size += 1
        for name, some in rows.items():
            many[name] += some
        if size == CHUNK:
            yield size, many
            many, size = {table.name: [] for table in TABLES}, 0
    if size:
        yield size, many


def _words_of(row: dict[str, Any]) -> str:
    return bigrams(f"{row['title']} {row['body']} {row['place']}")


_INDEXES = """
SELECT indexname, indexdef FROM pg_indexes JOIN pg_class ON relname = indexname
WHERE tablename IN ('issues', 'assignments', 'voices', 'entries', 'issue_words')
AND NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conindid = pg_class.oid)
"""


async def _pour_postgres(url: str, copied: Iterable[Rows], words: bool) -> int:
    conn = await asyncpg.connect(url)
    written = 0
    try:
        indexes = await conn.fetch(_INDEXES)
        for name, _ in indexes:
            await conn.execute(f"DROP INDEX {name}")
        # What is copied is whole by its making: no foreign key is looked up four million times.
        await conn.execute("SET session_replication_role = replica; SET synchronous_commit = off")
        await conn.execute("SET maintenance_work_mem = '512MB'")
        await conn.execute("CREATE TEMP TABLE tokens_ (issue_id varchar, tokens text)")
        for size, many in _chunks(copied):
            for name, rows in many.items():
                if rows:
                    columns = list(rows[0])
                    records = [tuple(row.values()) for row in rows]
                    await conn.copy_records_to_table(name, records=records, columns=columns)
            if words:
                tokens = [(row["id"], _words_of(row)) for row in many["issues"]]
                await conn.copy_records_to_table("tokens_", records=tokens)
                await conn.execute(
                    "INSERT INTO issue_words SELECT issue_id, to_tsvector('simple', tokens) FROM tokens_"
                )
                await conn.execute("TRUNCATE tokens_")
            written += size
        for _, made in indexes:
            await conn.execute(made)
        await conn.execute("VACUUM ANALYZE")
    finally:
        await conn.close()
    return written


def _pour_sqlite(url: str, copied: Iterable[Rows], words: bool) -> int:
    written = 0
    with closing(sqlite3.connect(make_url(url).database or "", isolation_level=None)) as conn:
        found = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
        indexes = conn.execute(found).fetchall()
        for name, _ in indexes:
            conn.execute(f"DROP INDEX {name}")
        conn.execute("PRAGMA synchronous = OFF")
        conn.execute("PRAGMA cache_size = -200000")
        for size, many in _chunks(copied):
            conn.execute("BEGIN")
            for name, rows in many.items():
                if rows:
                    given = ", ".join(f'"{column}"' for column in rows[0])
                    places = ", ".join("?" * len(rows[0]))
                    values = ([_plain(value) for value in row.values()] for row in rows)
                    conn.executemany(f"INSERT INTO {name} ({given}) VALUES ({places})", values)
            if words:
                tokens = ((row["id"], _words_of(row)) for row in many["issues"])
                conn.executemany("INSERT INTO issue_words (issue_id, tokens) VALUES (?, ?)", tokens)
            conn.execute("COMMIT")
            written += size
        for _, made in indexes:
            conn.execute(made)
        conn.execute("ANALYZE")
        conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return written


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return value
