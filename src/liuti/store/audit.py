"""The book of what administrators did: who changed what, from what, to what and when; it only grows (docs/rules.md §8)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from msgspec import json
from sqlalchemy import Connection, bindparam, insert, select

from liuti.flow.kernel import Refused
from liuti.store.tables import audit

MOST = 100
SET_UP = "set-up"
"""Who acts where nobody is there yet: a demo, a measurement, a test."""


class By(NamedTuple):
    """Whose hand it was, a person's id or `shell:<login>` for a command, and when."""

    who: str
    at: datetime


class Page(NamedTuple):
    rows: list[dict[str, Any]]
    cursor: str | None
    """Give it back to read on; None at the end."""


_KEEP = insert(audit)
_ROWS = select(audit).order_by(audit.c.id.desc()).limit(bindparam("most"))


def note(
    conn: Connection, by: By, act: str, subject: str, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None
) -> None:
    """One change, in the transaction that makes it. `before` is None for what is new, `after` for what is gone.

    No secret belongs in here, no hash of one, and no name: ids say who is meant.
    """
    row = {"at": by.at, "by": by.who, "act": act, "subject": subject, "before": _text(before), "after": _text(after)}
    conn.execute(_KEEP, [row])


def changed(
    conn: Connection, by: By, act: str, subject: str, before: Mapping[str, Any], after: Mapping[str, Any]
) -> None:
    """`note`, of what is no longer the same; also when nothing is, since somebody did act."""
    names = [name for name in after if before.get(name) != after[name]]
    note(conn, by, act, subject, {name: before.get(name) for name in names}, {name: after[name] for name in names})


def page(conn: Connection, subject: str = "", cursor: str = "", limit: int = 50) -> Page:
    """The latest first, of one person or unit if `subject` is given. Refused 422 `bad_cursor`."""
    limit = max(1, min(limit, MOST))
    found = _ROWS.where(audit.c.subject == subject) if subject else _ROWS
    if cursor:
        found = found.where(audit.c.id < _number(cursor))
    rows = conn.execute(found, {"most": limit + 1}).mappings().all()
    shown = [
        dict(row) | {"before": json.decode(row["before"]), "after": json.decode(row["after"])} for row in rows[:limit]
    ]
    return Page(shown, str(shown[-1]["id"]) if len(rows) > limit else None)


def _number(cursor: str) -> int:
    if not (cursor.isascii() and cursor.isdecimal() and len(cursor) < 19):
        zh, en = "翻页标记无效,请从头查起。", "This cursor is not ours: start from the first page."
        raise Refused("bad_cursor", 422, zh, en, "cursor")
    return int(cursor)


def _text(state: Mapping[str, Any] | None) -> str:
    return json.encode(state, order="deterministic").decode()
