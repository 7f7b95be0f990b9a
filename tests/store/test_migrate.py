"""The migrations make exactly the tables the store speaks of, once, and a ledger that can only grow."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Column, Connection, Table, delete, insert, select, text, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import DBAPIError, IntegrityError

from liuti.store import codes, migrate
from liuti.store.engine import Engine, open_engine
from liuti.store.tables import META, Moment, audit, entries, issues, looks, people, ratings, units
from liuti.store.tables_boards import measures
from liuti.store.tables_rank import adjustments, places, rounds
from liuti.store.tables_registries import finding_acts, findings, project_strikes, projects, team_samples, teams

NOON = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
NEWEST = max(path.name[:4] for path in migrate._folder().glob("versions/0*.py"))
SHAPE_OF_POSTGRES = """
SELECT 'column', table_name || '.' || column_name,
       concat_ws(' ', data_type, character_maximum_length, is_nullable, column_default)
FROM information_schema.columns WHERE table_schema = 'public'
UNION ALL SELECT 'constraint', conrelid::regclass || '.' || conname, pg_get_constraintdef(oid)
FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype IN ('p', 'u', 'f', 'c')
UNION ALL SELECT 'index', indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
"""
SHAPE_OF_SQLITE = "SELECT type, name, sql FROM sqlite_master WHERE type IN ('table', 'index') AND sql IS NOT NULL"
ABOUT_MIGRATING = re.compile(r"alembic_version|issue_words")


def shape(conn: Connection) -> dict[tuple[str, str], list[str]]:
    """Every table, column, constraint and index as the database itself writes it down; their order says nothing."""
    if conn.dialect.name == "sqlite":
        rows = conn.exec_driver_sql(SHAPE_OF_SQLITE).all()
    else:
        rows = conn.exec_driver_sql(SHAPE_OF_POSTGRES).all()
    return {
        (kind, name): sorted(line.strip(" \t,").replace('"', "") for line in words.splitlines())
        for kind, name, words in rows
        if not ABOUT_MIGRATING.search(name)
    }


def kind_of(column: Column[Any]) -> type:
    return datetime if isinstance(column.type, Moment) else column.type.python_type


def example(table: Table, **values: Any) -> dict[str, Any]:
    """A row of `table` with something in every column."""
    kinds: Mapping[type, Any] = {str: "x", int: 1, bool: True, datetime: NOON, bytes: b"x", float: 1.0}
    return {column.name: kinds[kind_of(column)] for column in table.columns} | values


ISSUE = example(issues, id="i", query_code="q")
ROWS: dict[str, dict[str, Any]] = {
    "entries": example(entries, issue_id="i", version=1),
    "ratings": example(ratings, issue_id="i", voice_id="v"),
    "looks": example(looks, id=1),
    "audit": example(audit, id=1),
    "places": example(places, round_id="r", line=1, issue_id="i"),
    "adjustments": example(adjustments, issue_id="i", version=1, round_id="r"),
    "project_strikes": example(project_strikes, project_id="p", version=1),
    "team_samples": example(team_samples, id="s", team_id="t"),
    "finding_acts": example(finding_acts, finding_id="f", version=1),
}
# What the rows of the ledger belong to, in the order they can be written.
PARENTS: tuple[tuple[Table, dict[str, Any]], ...] = (
    (issues, ISSUE),
    (rounds, example(rounds, id="r")),
    (units, example(units, id="u")),
    (people, example(people, id="a", unit_id="u")),
    (projects, example(projects, id="p", lead_unit="u", leader="a")),
    (teams, example(teams, id="t")),
    (findings, example(findings, id="f", team_id="t", issue_id="i", unit_id="u")),
)
ERASED: dict[str, dict[str, Any]] = {
    "entries": {"words": None, "salt": None}, "ratings": {"text": ""}, "looks": {}, "audit": {},
    "places": {}, "adjustments": {}, "project_strikes": {}, "team_samples": {}, "finding_acts": {},
}  # fmt: skip
LEDGER = [META.tables[name] for name in ROWS]


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[Engine]:
    opened = open_engine(database_url, pool=2)
    yield opened
    await opened.close()


@pytest.fixture
async def ledger(engine: Engine) -> Engine:
    def fill(conn: Connection) -> None:
        for table, row in PARENTS:
            conn.execute(insert(table), [row])
        for table in LEDGER:
            conn.execute(insert(table), [ROWS[table.name]])

    await engine.write(fill)
    return engine


async def test_the_migrated_database_is_the_one_the_tables_describe(engine: Engine) -> None:
    assert {codes.phone_codes.name, measures.name} <= set(META.tables)
    migrated = await engine.read(shape)
    await engine.write(META.drop_all)
    assert await engine.read(shape) == {}
    await engine.write(META.create_all)
    assert migrated == await engine.read(shape)
    assert len(migrated) > len(META.tables)


async def test_a_bare_database_is_pending_and_a_migrated_one_is_not(bare_database_url: str) -> None:
    assert (migrate.current(bare_database_url), migrate.pending(bare_database_url)) == (None, True)
    migrate.upgrade(bare_database_url)
    assert (migrate.current(bare_database_url), migrate.pending(bare_database_url)) == (NEWEST, False)
    migrate.upgrade(bare_database_url)


async def test_a_database_half_way_is_pending(bare_database_url: str) -> None:
    migrate.upgrade(bare_database_url, "0001")
    assert (migrate.current(bare_database_url), migrate.pending(bare_database_url)) == ("0001", True)
    migrate.upgrade(bare_database_url)
    assert not migrate.pending(bare_database_url)


async def test_a_newer_release_has_been_here_and_is_left_alone(engine: Engine, database_url: str) -> None:
    await engine.write(lambda conn: conn.execute(text("UPDATE alembic_version SET version_num = '9999'")))
    migrate.upgrade(database_url)
    assert (migrate.current(database_url), migrate.pending(database_url)) == ("9999", False)


async def test_the_probe_asks_over_an_open_connection(engine: Engine) -> None:
    assert not await engine.read(migrate.is_behind)
    await engine.write(lambda conn: conn.execute(text("DELETE FROM alembic_version")))
    assert await engine.read(migrate.is_behind)


async def test_servers_starting_at_once_migrate_once(bare_database_url: str) -> None:
    with ThreadPoolExecutor(4) as servers:
        started = [servers.submit(migrate.upgrade, bare_database_url) for _ in range(4)]
        while not all(server.done() for server in started):  # noqa: ASYNC110 - the loop goes on while they migrate
            await asyncio.sleep(0.01)
    assert [server.result() for server in started] == [None] * 4
    assert migrate.current(bare_database_url) == NEWEST


async def test_a_migration_that_fails_leaves_the_database_as_it_was(bare_database_url: str) -> None:
    engine = open_engine(bare_database_url)
    await engine.write(lambda conn: conn.execute(text("CREATE TABLE looks (mine INTEGER)")))
    with pytest.raises(DBAPIError):
        migrate.upgrade(bare_database_url)
    assert migrate.current(bare_database_url) is None
    await engine.write(lambda conn: conn.execute(text("DROP TABLE looks")))
    await engine.close()
    migrate.upgrade(bare_database_url)


def test_asking_for_the_revision_makes_no_file(tmp_path: Path) -> None:
    assert migrate.pending(f"sqlite:///{tmp_path / 'none.db'}")
    assert list(tmp_path.iterdir()) == []


def test_sqlite_keeps_a_write_ahead_log(tmp_path: Path) -> None:
    migrate.upgrade(f"sqlite:///{tmp_path / 'liuti.db'}")
    raw = sqlite3.connect(tmp_path / "liuti.db")
    assert raw.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    raw.close()


def test_another_kind_of_database_is_refused() -> None:
    with pytest.raises(ValueError, match="mysql"):
        migrate.upgrade("mysql://somewhere/liuti")


def test_the_migrations_lie_beside_the_package_in_a_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    room = tmp_path / "site-packages" / "liuti" / "store"
    room.mkdir(parents=True)
    monkeypatch.setattr(migrate, "__file__", str(room / "migrate.py"))
    (room.parent / "migrations").mkdir()
    assert migrate._folder() == room.parent / "migrations"


@pytest.mark.parametrize("table", LEDGER, ids=str)
async def test_no_row_of_the_ledger_goes(ledger: Engine, table: Table) -> None:
    with pytest.raises(IntegrityError, match="append-only"):
        await ledger.write(lambda conn: conn.execute(delete(table)))
    assert await ledger.read(lambda conn: len(conn.execute(select(table)).all())) == 1


@pytest.mark.parametrize("table", LEDGER, ids=str)
async def test_no_column_of_the_ledger_changes(ledger: Engine, table: Table) -> None:
    other = example(table)
    for column in table.columns:
        kind = kind_of(column)
        changed = {str: "y", int: 2, bool: False, datetime: NOON.replace(hour=5), bytes: b"y", float: 2.0}[kind]
        assert changed != other[column.name]
        values = {column.name: changed} | {k: v for k, v in ERASED[table.name].items() if k != column.name}
        with pytest.raises(IntegrityError, match="append-only"):
            await ledger.write(lambda conn, values=values: conn.execute(update(table).values(values)))  # type: ignore[misc]


@pytest.mark.parametrize("table", [entries, ratings], ids=str)
async def test_the_law_may_erase_words_and_only_words(ledger: Engine, table: Table) -> None:
    erased = ERASED[table.name]
    for _twice in (1, 2):
        await ledger.write(lambda conn: conn.execute(update(table).values(erased)))
    row = await ledger.read(lambda conn: conn.execute(select(table)).one())
    assert dict(row._mapping) == ROWS[table.name] | erased


async def test_words_are_never_erased_without_their_salt(ledger: Engine) -> None:
    with pytest.raises(IntegrityError, match="append-only"):
        await ledger.write(lambda conn: conn.execute(update(entries).values(words=None)))


@pytest.mark.parametrize("table", LEDGER, ids=str)
async def test_the_ledger_is_not_emptied_as_a_whole(ledger: Engine, table: Table) -> None:
    empty = f"DELETE FROM {table}" if ledger.dialect == "sqlite" else f"TRUNCATE {table}"
    with pytest.raises(IntegrityError, match="append-only"):
        await ledger.write(lambda conn: conn.execute(text(empty)))


@pytest.mark.parametrize("table", LEDGER, ids=str)
async def test_no_row_takes_the_place_of_another(ledger: Engine, table: Table) -> None:
    row = ROWS[table.name]
    put = {
        "sqlite": insert(table).prefix_with("OR REPLACE").values(row),
        "postgresql": postgresql.insert(table)
        .values(row)
        .on_conflict_do_update(constraint=table.primary_key, set_={table.columns.keys()[-1]: None}),
    }
    with pytest.raises(IntegrityError, match="append-only"):
        await ledger.write(lambda conn: conn.execute(put[ledger.dialect]))


async def test_a_key_used_again_does_not_push_out_its_first_entry(ledger: Engine) -> None:
    put = insert(entries).values(ROWS["entries"] | {"version": 2})
    put = put.prefix_with("OR REPLACE") if ledger.dialect == "sqlite" else put
    with pytest.raises(IntegrityError):
        await ledger.write(lambda conn: conn.execute(put))


async def test_the_issues_of_a_ledger_are_not_truncated_under_it(ledger: Engine) -> None:
    empty = "DELETE FROM issues" if ledger.dialect == "sqlite" else "TRUNCATE issues CASCADE"
    with pytest.raises(IntegrityError):
        await ledger.write(lambda conn: conn.execute(text(empty)))


@pytest.fixture
def found() -> Mapping[str, str]:
    return {
        "sqlite": "SELECT issue_id FROM issue_words WHERE issue_words MATCH '\"路灯\"'",
        "postgresql": "SELECT issue_id FROM issue_words WHERE tokens @@ to_tsquery('simple', '路灯')",
    }


async def test_issues_are_found_by_their_words_until_these_are_erased(engine: Engine, found: Mapping[str, str]) -> None:
    tokens = ":tokens" if engine.dialect == "sqlite" else "to_tsvector('simple', :tokens)"
    add = text(f"INSERT INTO issue_words (issue_id, tokens) VALUES (:id, {tokens})")
    query = text(found[engine.dialect])
    await engine.write(lambda conn: conn.execute(add, {"id": "i", "tokens": "路灯 灯不 不亮 亮"}))
    await engine.write(lambda conn: conn.execute(add, {"id": "k", "tokens": "下水 水堵 堵"}))
    assert await engine.read(lambda conn: conn.execute(query).scalars().all()) == ["i"]
    await engine.write(lambda conn: conn.execute(text("DELETE FROM issue_words WHERE issue_id = 'i'")))
    assert await engine.read(lambda conn: conn.execute(query).scalars().all()) == []
