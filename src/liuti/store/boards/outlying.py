"""Who stands out: refusals, merges, overrides, closings without result, exclusions and send-backs, counted (docs/rules.md §8)."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from msgspec import json
from sqlalchemy import Connection, RowMapping, bindparam, func, select, text

from liuti.store.boards.pages import AWAITS
from liuti.store.tables import Moment, entries

OUTLYING = ("reject", "merge", "adjust", "explain", "terminate", "exclude", "send_back")
# What an officer's or unit's figure is measured against: how many they decided, or brought to a result.
MEASURE = {
    "reject": ("accept_topic", "accept_direct", "reject"), "merge": ("accept_topic", "accept_direct", "merge"),
    "adjust": ("publish", "reserve"), "explain": ("publish", "reserve", "explain"),
    "terminate": ("submit_result", "terminate"), "exclude": ("submit_result",), "send_back": ("sign", "send_back"),
}  # fmt: skip
# Written bare, as above: of all entries only these are found by their move.
_COUNTED_MOVES = sorted({*OUTLYING, "grant", "deny", *(move for moves in MEASURE.values() for move in moves)})
_IS_ACT = text(f"entries.move IN ({', '.join(repr(move) for move in _COUNTED_MOVES)})")
MOST_ACTS = 20_000
"""Entries one answer is computed from; a longer period is asked for piece by piece."""
_IN_PERIOD = (
    _IS_ACT, entries.c.at >= bindparam("since", type_=Moment), entries.c.at < bindparam("until", type_=Moment),
)  # fmt: skip
_LIGHT = (
    entries.c.issue_id, entries.c.version, entries.c.move, entries.c.actor, entries.c.unit, entries.c.awaits, entries.c.facts,
)  # fmt: skip
_ACTS = (
    select(*_LIGHT)
    .where(entries.c.move.in_((*OUTLYING, "grant", "deny")), *_IN_PERIOD)
    .order_by(entries.c.at, entries.c.issue_id, entries.c.version)
    .limit(MOST_ACTS + 1)
)
_ASKS_OF = select(*_LIGHT).where(
    entries.c.issue_id.in_(bindparam("ids", expanding=True)), entries.c.move.in_(OUTLYING), AWAITS
)
_RECENT = (
    select(entries.c.move, entries.c.actor, entries.c.unit)
    .where(entries.c.move.in_(sorted({m for moves in MEASURE.values() for m in moves} - set(OUTLYING))), *_IN_PERIOD)
    .limit(10 * MOST_ACTS)
    .subquery()
)
_MEASURES = select(_RECENT, func.count().label("n")).group_by(_RECENT.c.move, _RECENT.c.actor, _RECENT.c.unit)


class Tally(NamedTuple):
    """What one officer or unit did of one kind: in force, asked for, and denied."""

    made: int = 0
    asked: int = 0
    denied: int = 0


class Outliers(NamedTuple):
    by_officer: dict[tuple[str, str], Tally]
    by_unit: dict[tuple[str, str], Tally]
    measures: dict[str, dict[tuple[str, str], int]]
    """`officer` and `unit`: how often each made each move that a figure is measured against."""
    whole: bool
    """False when the period held more than 20,000 such entries (or 200,000 to measure by): not all of it is counted."""


def outliers(conn: Connection, since: datetime, until: datetime) -> Outliers:
    """Refusals, merges, overrides, closings without result, exclusions and send-backs, from the ledger alone.

    Each counts for who asked for it, in the period in which it came into force; three statements at most.
    """
    period = {"since": since, "until": until}
    acts = conn.execute(_ACTS, period).mappings().all()
    whole, acts = len(acts) <= MOST_ACTS, acts[:MOST_ACTS]
    asked = {
        (row["issue_id"], json.decode(row["facts"]).get("request")): row
        for row in acts
        if row["awaits"] and row["move"] in OUTLYING
    }
    answers = [
        (row, json.decode(row["facts"])) for row in acts if row["move"] in ("grant", "deny") and not row["awaits"]
    ]
    answers = [(row, facts) for row, facts in answers if facts["of"] in OUTLYING]
    earlier = sorted({row["issue_id"] for row, facts in answers if (row["issue_id"], facts["request"]) not in asked})
    if earlier:
        for row in conn.execute(_ASKS_OF, {"ids": earlier}).mappings():
            asked.setdefault((row["issue_id"], json.decode(row["facts"]).get("request")), row)
    measures, measured = _measures(conn, period)
    found = Outliers({}, {}, measures, whole and measured < 10 * MOST_ACTS)
    for row in acts:
        if row["move"] in OUTLYING:
            _count(found, row["move"], row, "asked" if row["awaits"] else "made")
    for row, facts in answers:
        _count(
            found, facts["of"], asked[row["issue_id"], facts["request"]], "made" if row["move"] == "grant" else "denied"
        )
    return found


def _count(found: Outliers, move: str, row: RowMapping, what: str) -> None:
    for tallies, who in ((found.by_officer, row["actor"]), (found.by_unit, row["unit"])):
        if who:
            tally = tallies.get((who, move), Tally())
            tallies[who, move] = tally._replace(**{what: getattr(tally, what) + 1})


def _measures(conn: Connection, period: dict[str, datetime]) -> tuple[dict[str, dict[tuple[str, str], int]], int]:
    """What figures are measured against, and how many entries that was."""
    found: dict[str, dict[tuple[str, str], int]] = {"officer": {}, "unit": {}}
    total = 0
    for move, actor, unit, number in conn.execute(_MEASURES, period):
        total += number
        for name, who in (("officer", actor), ("unit", unit)):
            found[name][who, move] = found[name].get((who, move), 0) + number
    return found, total
