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
_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]


def insert_many(conn: Connection, table: Table, rows: Rows) -> None:
    """Insert rows that all give the same columns."""
    if len(rows) < FEW or conn.dialect.name != "postgresql":
        conn.execute(insert(table), rows)
        return
    # A column that is empty in every row is left out: each costs as much on the way as one that says something.
    names = tuple(name for name in rows[0] if any(row[name] is not None for row in rows))
    conn.exec_driver_sql(_insert(table, names), _arrays(names, rows))


def update_many(conn: Connection, table: Table, keys: tuple[str, ...], rows: Rows) -> None:
    """Set every column the rows give but `keys`, in the one row where the keys are equal."""
    names = tuple(rows[0])
    if len(rows) < FEW or conn.dialect.name != "postgresql":
        found = update(table).where(*(table.c[key] == bindparam(f"k_{key}") for key in keys))
        conn.execute(found, [{f"k_{n}" if n in keys else n: value for n, value in row.items()} for row in rows])
        return
    conn.exec_driver_sql(_update(table, keys, names), _arrays(names, rows))


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


@cache
def _insert(table: Table, names: tuple[str, ...]) -> str:
    return f"INSERT INTO {table.name} ({_listed(names)}) SELECT * FROM {_unnest(table, names)}"  # noqa: S608 - our own names


@cache
def _update(table: Table, keys: tuple[str, ...], names: tuple[str, ...]) -> str:
    sets = ", ".join(f'"{name}" = new."{name}"' for name in names if name not in keys)
    same = " AND ".join(f'{table.name}."{key}" = new."{key}"' for key in keys)
    return f"UPDATE {table.name} SET {sets} FROM {_unnest(table, names)} AS new ({_listed(names)}) WHERE {same}"  # noqa: S608


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _unnest(table: Table, names: tuple[str, ...], used: int = 0) -> str:
    return f"unnest({', '.join(place + '[]' for place in _places(table, names, used))})"


def _places(table: Table, names: tuple[str, ...], used: int = 0) -> list[str]:
    kinds = (table.c[name].type.compile(dialect=_DIALECT) for name in names)
    return [f"${n}::{kind}" for n, kind in enumerate(kinds, start=used + 1)]
