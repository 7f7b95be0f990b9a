"""What the ledger says of the issues on a board: the entries that touched their clocks, or those of one move."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import json
from sqlalchemy import ColumnElement, Connection, Select, bindparam, func, select

from liuti.store.tables import entries, units

# What never starts, stops, pauses, extends or climbs a clock.
_ASIDE = ("cosign", "attach", "vote", "sign_gate", "progress", "milestone", "finish", "declare_conflict")
MOST_ENTRIES = 80
"""Of one issue's history, the latest."""

_ENTRY = (
    entries.c.issue_id, entries.c.version, entries.c.move, entries.c.actor, entries.c.role, entries.c.unit,
    entries.c.from_step, entries.c.to_step, entries.c.at, entries.c.facts, entries.c.words, entries.c.awaits,
    entries.c.seal,
)  # fmt: skip


def _told(condition: ColumnElement[bool]) -> Select[Any]:
    """The latest entries of each of the issues `ids`, in their order."""
    back = func.row_number().over(partition_by=entries.c.issue_id, order_by=entries.c.version.desc()).label("back")
    ours = entries.c.issue_id.in_(bindparam("ids", expanding=True))
    numbered = select(*_ENTRY, back).where(ours, condition).subquery()
    name = units.c.name.label("unit_name")
    found = select(numbered, name).outerjoin(units, units.c.id == numbered.c.unit)
    return found.where(numbered.c.back <= MOST_ENTRIES).order_by(numbered.c.issue_id, numbered.c.version)


_OF_CLOCKS = _told(entries.c.move.not_in(_ASIDE))
_OF_MOVES = {name: _told(entries.c.move == name) for name in ("fail_check", "rate")}


def told(conn: Connection, ids: Sequence[str], move: str = "") -> dict[str, list[dict[str, Any]]]:
    """Of each issue the entries that touched its clocks, or those of one move; one statement, 80 an issue at most."""
    found: dict[str, list[dict[str, Any]]] = {one: [] for one in ids}
    if ids:
        for row in conn.execute(_OF_MOVES[move] if move else _OF_CLOCKS, {"ids": list(ids)}).mappings():
            plain = {"words": json.decode(row["words"] or "null"), "facts": json.decode(row["facts"])}
            found[row["issue_id"]].append(dict(row) | plain)
    return found
