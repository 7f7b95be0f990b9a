"""What time has to see to: the issues that are due, and those whose due time was counted without a year's notice.

A batch is one transaction. Its rows are found and locked by one SELECT that skips what others hold, so any number of
workers share the work, and an issue seen here is locked in the very state it is decided on. Nothing is set apart for
an issue that fails (a savepoint costs two statements for each of the thousands that do not): whatever goes wrong undoes
the batch, and the caller does it again one by one.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Integer, Select, bindparam, or_, select, text

from liuti.flow.amended import outdated
from liuti.flow.clocks import World
from liuti.flow.words import Step
from liuti.store.act import STATE, Desk
from liuti.store.tables import Moment, issues

BATCH = 500
_ROW = select(issues.c.id, issues.c.state, issues.c.head, issues.c.query_code)
_IS_DUE = issues.c.due_at <= bindparam("now", type_=Moment)
_BESIDE = issues.c.id.not_in(bindparam("beside", expanding=True))
_MOST = bindparam("most", type_=Integer)


def _first_due(found: Select[Any]) -> Select[Any]:
    return found.where(_IS_DUE).order_by(issues.c.due_at, issues.c.id).limit(_MOST)


_DUE = _first_due(_ROW).with_for_update(skip_locked=True)
_DUE_IDS = _first_due(select(issues.c.id))
_ONE = _ROW.where(issues.c.id == bindparam("id")).with_for_update(skip_locked=True)
# Written bare: `= 1`, as SQLAlchemy says it to SQLite, would not match the partial index.
_IS_PROVISIONAL = text("issues.provisional")
_PROVISIONAL = _ROW.where(_IS_PROVISIONAL, issues.c.id > bindparam("after")).order_by(issues.c.id).limit(_MOST)
_PROVISIONAL_IDS = _PROVISIONAL.with_only_columns(issues.c.id)
# Where some clock may still run: merged issues come back with theirs, and an end may have an appeal.
_OVER = (Step.CLOSED.value, Step.REJECTED.value, Step.WITHDRAWN.value)
_WITH_CLOCKS = (
    select(issues.c.id, issues.c.state)
    .where(issues.c.id > bindparam("after"), or_(issues.c.step.not_in(_OVER), issues.c.due_at.is_not(None)))
    .order_by(issues.c.id)
    .limit(_MOST)
)


class Page(NamedTuple):
    """A stretch of the provisional issues: the id it ends with ("" after the last), and the entries written."""

    last: str
    made: int
    left: int
    """How many of it are still provisional."""


def strike_due(conn: Connection, desk: Desk, now: datetime, most: int = BATCH, beside: Collection[str] = ()) -> int:
    """Strike at most so many issues that are due and not named `beside`; the number of entries written.

    LookupError when there are such issues, but time finds nothing to do on any of them.
    """
    stmt, given = _beside(_DUE, now, most, beside)
    rows = conn.execute(stmt, given).all()
    made = desk.strike_held(conn, rows, now)
    if rows and not made:
        raise LookupError(f"{len(rows)} issues are due, but no clock of theirs strikes")
    return made


def due_ids(conn: Connection, now: datetime, most: int = BATCH, beside: Collection[str] = ()) -> list[str]:
    """The same issues, only named; nothing is locked."""
    stmt, given = _beside(_DUE_IDS, now, most, beside)
    return list(conn.execute(stmt, given).scalars())


def _beside(stmt: Select[Any], now: datetime, most: int, beside: Collection[str]) -> tuple[Select[Any], dict[str, Any]]:
    given: dict[str, Any] = {"now": now, "most": most}
    return (stmt.where(_BESIDE), given | {"beside": list(beside)}) if beside else (stmt, given)


def strike_one(conn: Connection, desk: Desk, issue: str, now: datetime) -> int:
    """Strike that issue if it is still due and nobody else holds it. LookupError as above."""
    rows = conn.execute(_ONE.where(_IS_DUE), {"id": issue, "now": now}).all()
    made = desk.strike_held(conn, rows, now)
    if rows and not made:
        raise LookupError("it is due, but no clock of it strikes")
    return made


def recount(conn: Connection, desk: Desk, after: str, now: datetime, most: int = BATCH) -> Page:
    """Of the next provisional issues after that id, count those again that today's calendar can say more about."""
    # Not skipping what is locked: whoever has it holds it for a moment, and no other pass comes by soon.
    rows = conn.execute(_PROVISIONAL.with_for_update(), {"after": after, "most": most}).all()
    made, left = desk.recount_held(conn, rows, now)
    return Page(rows[-1].id if len(rows) == most else "", made, left)


def recount_one(conn: Connection, desk: Desk, issue: str, now: datetime) -> int:
    """The same for one issue, unless somebody else holds it."""
    return desk.recount_held(conn, conn.execute(_ONE.where(_IS_PROVISIONAL), {"id": issue}).all(), now)[0]


def provisional_ids(conn: Connection, after: str, most: int = BATCH) -> list[str]:
    return list(conn.execute(_PROVISIONAL_IDS, {"after": after, "most": most}).scalars())


def outdated_ids(conn: Connection, world: World, after: str, most: int = BATCH) -> tuple[str, list[str]]:
    """Of the next issues with clocks after that id: the id to go on from ("" after the last), and those of them whose due
    times an amended notice moves. Nothing is locked: whoever acts on them looks again."""
    rows = conn.execute(_WITH_CLOCKS, {"after": after, "most": most}).all()
    found = [row.id for row in rows if outdated(STATE.decode(row.state), world)]
    return (rows[-1].id if len(rows) == most else ""), found
