"""What all boards read by: a page and its cursor, who reads only their own, an entry with the issue it stands in."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeVar

from msgspec import json
from sqlalchemy import ColumnElement, Connection, RowMapping, String, and_, bindparam, false, or_, select, text, tuple_

from liuti.flow.kernel import Actor, Refused
from liuti.flow.words import UNIT_ROLES, Role
from liuti.store import read
from liuti.store.tables import Moment, entries, issues

T = TypeVar("T")
SPARE = 3
"""Rows looked at for each row wanted, where only the whole state can tell: a page is one statement, and may be short."""
WATCHERS = frozenset({Role.INSPECTOR, Role.TEAM, Role.PRINCIPAL, Role.AUDITADMIN})
"""They see everybody's lateness; leaders and units see their own."""


class Board(NamedTuple):
    rows: list[Any]
    cursor: str | None
    """Give it back to read on; None at the end. A page may hold fewer rows than asked for and still have a cursor."""


# -- reading on ----------------------------------------------------------------------------------------------------


def mark(*key: Any) -> str:
    return base64.urlsafe_b64encode(json.encode(key)).decode()


def key(cursor: str, shape: type[T]) -> T:
    """The key a cursor holds, or Refused 422 `bad_cursor`: whatever somebody made up must not reach the database."""
    try:
        key = json.decode(base64.urlsafe_b64decode(cursor.encode()), type=shape)
        at, issue, version = (*key, 0)[:3]  # type: ignore[misc]
        if at.tzinfo is None or at.astimezone(UTC).year < 2000 or "\x00" in issue or not 0 <= version < 2**31:
            raise ValueError("no key of ours")
    except (ValueError, OverflowError) as error:
        zh, en = "翻页标记无效,请从头查起。", "This cursor is not ours: start from the first page."
        raise Refused("bad_cursor", 422, zh, en, "cursor") from error
    return key


def fill(
    rows: Sequence[RowMapping], looked_at: int, limit: int, take: Callable[[RowMapping], T | None],
    mark: Callable[[RowMapping], str],
) -> tuple[list[T], str | None]:  # fmt: skip
    """As many rows as wanted of those looked at, and where to go on: after the last one looked at."""
    taken: list[T] = []
    for place, row in enumerate(rows):
        if len(taken) == limit:
            return taken, mark(rows[place - 1])
        if (one := take(row)) is not None:
            taken.append(one)
    return taken, mark(rows[-1]) if len(rows) == looked_at else None


def by_deadline(row: RowMapping) -> str:
    return mark(row["deadline"], row["id"])


def after_deadline(cursor: str) -> list[ColumnElement[bool]]:
    if not cursor:
        return []
    deadline, last = key(cursor, tuple[datetime, str])
    given = tuple_(bindparam("mark_at", deadline, type_=Moment), bindparam("mark_id", last, type_=String))
    return [tuple_(issues.c.deadline, issues.c.id) > given]


def before_entry(cursor: str) -> list[ColumnElement[bool]]:
    if not cursor:
        return []
    at, issue, version = key(cursor, tuple[datetime, str, int])
    mark = bindparam("mark_at", at, type_=Moment)
    return [
        or_(
            entries.c.at < mark,
            and_(entries.c.at == mark, tuple_(entries.c.issue_id, entries.c.version) < tuple_(issue, version)),
        )
    ]


def by_entry(row: RowMapping) -> str:
    return mark(row["entry_at"], row["id"], row["entry_version"])


def own(conn: Connection, actor: Actor) -> list[ColumnElement[bool]]:
    """Leaders and units read of their own; whoever watches over all of them is not narrowed."""
    if not actor.roles.isdisjoint(WATCHERS):
        return []
    mine: list[ColumnElement[bool]] = [issues.c.leader == actor.id] if Role.LEADER in actor.roles else []
    if actor.unit and not actor.roles.isdisjoint(UNIT_ROLES):
        mine.append(read.at_work(actor.unit) if mine else read.of_unit(conn, actor.unit))
    return [or_(*mine)] if mine else [false()]


_ENTRY_KEYS = (
    entries.c.at.label("entry_at"), entries.c.version.label("entry_version"), entries.c.move.label("entry_move"),
    entries.c.facts.label("entry_facts"),
)  # fmt: skip
NEWEST = (entries.c.at.desc(), entries.c.issue_id.desc(), entries.c.version.desc())
WITH_ISSUE = select(*read.SHOWN, *_ENTRY_KEYS).join(entries, entries.c.issue_id == issues.c.id)
# Written bare: a parameter would not match the partial index.
AWAITS = text("entries.awaits <> ''")
