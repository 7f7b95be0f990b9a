"""The board of written orders, found by the entries that drafted or signed them (docs/rules.md §5)."""

from __future__ import annotations

from typing import NamedTuple

from msgspec import json
from sqlalchemy import Connection, RowMapping, text

from liuti.flow import sight
from liuti.flow.issue import Issue, Order
from liuti.flow.kernel import Actor
from liuti.flow.words import Clock
from liuti.store import read
from liuti.store.boards.pages import NEWEST, SPARE, WITH_ISSUE, Board, before_entry, by_entry, fill, own
from liuti.store.read import Found


class Ordered(NamedTuple):
    found: Found
    order: Order
    state: str


# The entry an order stands in: its signing, its draft by the ladder's second rung or after an untrue answer, or the last round after two redos.
_OF_ORDERS = text(
    "(entries.move IN ('order', 'escalate', 'settle') OR "
    "(entries.move = 'urge' AND entries.role = 'clock' AND entries.facts LIKE '%\"rung\"\\:2%'))"
)
_ORDERS = WITH_ISSUE.where(_OF_ORDERS).order_by(*NEWEST)


def state_of(order: Order) -> str:
    if order.settled is not None:
        return "settled"
    return "answered" if order.responded is not None else "signed" if order.signed is not None else "drafted"


def orders(conn: Connection, actor: Actor, state: str = "", cursor: str = "", limit: int = 50) -> Board:
    """Written orders, the latest drafted or signed first; a draft that was signed stands at its signing."""
    where = [*read.allowed(sight.scope(actor)), *own(conn, actor), *before_entry(cursor)]
    most = limit * SPARE
    rows = conn.execute(_ORDERS.where(*where).limit(most)).mappings().all()

    def take(row: RowMapping) -> Ordered | None:
        one = read.found_in(row)
        order = _order_of(one.issue, row)
        if order is None or not sight.may_see(actor, one.issue) or state not in ("", state_of(order)):
            return None
        return Ordered(one, order, state_of(order))

    return Board(*fill(rows, most, limit, take, by_entry))


def _order_of(issue: Issue, row: RowMapping) -> Order | None:
    """The order an entry signed, or the one time drafted in it; a draft signed since stands at its signing instead."""
    facts = json.decode(row["entry_facts"])
    if row["entry_move"] == "settle":
        return next((o for o in issue.orders if o.drafted == row["entry_at"] and not o.signed_by), None)
    if row["entry_move"] == "order":
        return next((o for o in issue.orders if o.id == facts.get("order")), None)
    clock, unit = facts.get("clock", ""), facts.get("unit", "")
    to = "unit:" + unit if unit and clock != Clock.ORDER else ""
    by_clock = (o for o in issue.orders if o.drafted == row["entry_at"] and o.signed_by in ("", "clock"))
    return next((o for o in by_clock if o.clock == clock and to in ("", o.to)), None)
