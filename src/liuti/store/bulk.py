"""Many rows in one statement: on PostgreSQL as arrays, which spares a third of the server's work for single ones."""

from __future__ import annotations

from functools import cache
from typing import Any

from sqlalchemy import Connection, Table, bindparam, insert, update
from sqlalchemy.dialects import postgresql

Rows = list[dict[str, Any]]
Beside = tuple[tuple[Table, Rows], ...]

FEW = 8
"""Below so many rows the arrays cost more than they save."""
MANY = 100
"""From so many rows on, what all of them say alike is said once."""
_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]


def insert_many(conn: Connection, table: Table, rows: Rows) -> None:
    """Insert rows that all give the same columns."""
    if len(rows) < FEW or conn.dialect.name != "postgresql":
        conn.execute(insert(table), rows)
        return
    one, many = _told_once(rows, ())
    conn.exec_driver_sql(_insert(table, tuple(one), tuple(many)), (*one.values(), *many.values()))


def update_many(conn: Connection, table: Table, keys: tuple[str, ...], rows: Rows) -> None:
    """Set every column the rows give but `keys`, in the one row where the keys are equal."""
    if len(rows) < FEW or conn.dialect.name != "postgresql":
        found = update(table).where(*(table.c[key] == bindparam(f"k_{key}") for key in keys))
        conn.execute(found, [{f"k_{n}" if n in keys else n: value for n, value in row.items()} for row in rows])
        return
    one, many = _told_once(rows, keys)
    conn.exec_driver_sql(_update(table, keys, tuple(one), tuple(many)), (*one.values(), *many.values()))


def change_with(conn: Connection, table: Table, row: dict[str, Any], keys: dict[str, Any], beside: Beside) -> bool:
    """Change the one row the keys name and, only if it is there, insert rows beside it; False when it is not.

    On PostgreSQL that is one statement and one round trip instead of three: most of what a move costs is waiting.
    """
    if conn.dialect.name == "postgresql":
        given = [(other, rows) for other, rows in beside if rows]
        said = _change_with(
            table, tuple(row), tuple(keys), tuple((other, tuple(rows[0]), len(rows) == 1) for other, rows in given)
        )
        values = [*row.values(), *keys.values()]
        for _, rows in given:
            values += rows[0].values() if len(rows) == 1 else _arrays(tuple(rows[0]), rows)
        return bool(conn.exec_driver_sql(said, tuple(values)).scalar_one())
    found = update(table).where(*(table.c[key] == bindparam(f"k_{key}") for key in keys))
    if conn.execute(found, row | {f"k_{key}": value for key, value in keys.items()}).rowcount != 1:
        return False
    for other, rows in beside:
        if rows:
            insert_many(conn, other, rows)
    return True


@cache
def _change_with(
    table: Table, names: tuple[str, ...], keys: tuple[str, ...], beside: tuple[tuple[Table, tuple[str, ...], bool], ...]
) -> str:
    sets = ", ".join(f'"{name}" = ${n}' for n, name in enumerate(names, start=1))
    same = " AND ".join(f'"{key}" = ${n}' for n, key in enumerate(keys, start=len(names) + 1))
    said, used = [f"changed AS (UPDATE {table.name} SET {sets} WHERE {same} RETURNING 1)"], len(names) + len(keys)  # noqa: S608 - our own names
    for other, columns, single in beside:
        listed = _listed(columns)
        # `changed` only says whether there is a row. A single one goes in as it is: an array of one costs more.
        rows = (
            f"SELECT {', '.join(_places(other, columns, used))} FROM changed"  # noqa: S608
            if single
            else f"SELECT new.* FROM changed, {_unnest(other, columns, used)} AS new ({listed})"  # noqa: S608
        )
        said.append(f"{other.name}_ AS (INSERT INTO {other.name} ({listed}) {rows})")
        used += len(columns)
    return f"WITH {', '.join(said)} SELECT count(*) FROM changed"  # noqa: S608


def _arrays(names: tuple[str, ...], rows: Rows) -> tuple[list[Any], ...]:
    return tuple([row[name] for row in rows] for name in names)


def _told_once(rows: Rows, keys: tuple[str, ...]) -> tuple[dict[str, Any], dict[str, list[Any]]]:
    """The columns that say the same in every row, once; and the others, as arrays.

    A value in an array costs the driver and the server more than all there is to decide about it, and of what one
    sweep writes half is the same in all its rows. Not in a few rows, though: what those share is chance, and each
    choice of columns is a statement of its own to be planned.
    """
    names = tuple(rows[0])
    columns = dict(zip(names, _arrays(names, rows), strict=True))
    if len(rows) < MANY:
        return {}, columns
    # The first column stays in any case: rows are counted by it.
    kept = (*keys, names[0])
    one = {n: got[0] for n, got in columns.items() if n not in kept and got.count(got[0]) == len(got)}
    return one, {name: got for name, got in columns.items() if name not in one}


@cache
def _insert(table: Table, one: tuple[str, ...], many: tuple[str, ...]) -> str:
    same = _places(table, one)
    said = f"SELECT {', '.join([*same, 'new.*'])} FROM {_unnest(table, many, len(one))} AS new"  # noqa: S608 - our own names
    return f"INSERT INTO {table.name} ({_listed((*one, *many))}) {said}"


@cache
def _update(table: Table, keys: tuple[str, ...], one: tuple[str, ...], many: tuple[str, ...]) -> str:
    sets = [f'"{name}" = {place}' for name, place in zip(one, _places(table, one), strict=True)]
    sets += [f'"{name}" = new."{name}"' for name in many if name not in keys]
    same = " AND ".join(f'{table.name}."{key}" = new."{key}"' for key in keys)
    rows = f"{_unnest(table, many, len(one))} AS new ({_listed(many)})"
    return f"UPDATE {table.name} SET {', '.join(sets)} FROM {rows} WHERE {same}"  # noqa: S608 - our own names


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _unnest(table: Table, names: tuple[str, ...], used: int = 0) -> str:
    return f"unnest({', '.join(place + '[]' for place in _places(table, names, used))})"


def _places(table: Table, names: tuple[str, ...], used: int = 0) -> list[str]:
    kinds = (table.c[name].type.compile(dialect=_DIALECT) for name in names)
    return [f"${n}::{kind}" for n, kind in enumerate(kinds, start=used + 1)]
