"""The board of requests: whatever waits for another person's word (docs/rules.md §4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from msgspec import json
from sqlalchemy import Connection, RowMapping, or_

from liuti.flow import sight
from liuti.flow.issue import Ask, Issue
from liuti.flow.kernel import Actor
from liuti.store import read
from liuti.store.boards.pages import AWAITS, NEWEST, SPARE, WITH_ISSUE, Board, before_entry, by_entry, fill
from liuti.store.read import Found
from liuti.store.tables import entries, issues

_STANDS = or_(entries.c.to_step == issues.c.step, entries.c.move == "appeal")
_ASKED = WITH_ISSUE.where(AWAITS, entries.c.move.not_in(("grant", "deny")), _STANDS).order_by(*NEWEST)


class Asked(NamedTuple):
    found: Found
    ask: Ask


def requests(
    conn: Connection, actor: Actor, fits: Callable[[Issue, Ask], bool], move: str = "", cursor: str = "", limit: int = 50
) -> Board:  # fmt: skip
    """Requests still open that `fits`, the latest first. One that lapsed at a change of step is not found any more."""
    where = [*read.allowed(sight.scope(actor)), *before_entry(cursor)]
    most = limit * SPARE
    stmt = _ASKED.where(*where, entries.c.move == move) if move else _ASKED.where(*where)
    rows = conn.execute(stmt.limit(most)).mappings().all()

    def take(row: RowMapping) -> Asked | None:
        one, number = read.found_in(row), json.decode(row["entry_facts"]).get("request")
        ask = next((a for a in one.issue.open_asks() if a.id == number), None)
        seen = ask is not None and sight.may_see(actor, one.issue)
        return Asked(one, ask) if seen and ask is not None and fits(one.issue, ask) else None

    return Board(*fill(rows, most, limit, take, by_entry))
