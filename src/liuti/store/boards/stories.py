"""What happened to the issues on a board: the entries that touched their clocks and the measures taken, or one move's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from msgspec import json
from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    Select,
    bindparam,
    func,
    literal,
    null,
    select,
    union_all,
)

from liuti.store.tables import entries, units
from liuti.store.tables_boards import measures

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


_OF_MOVES = {name: _told(entries.c.move == name) for name in ("fail_check", "rate")}


def told(conn: Connection, ids: Sequence[str], move: str) -> dict[str, list[dict[str, Any]]]:
    """Of each issue the entries of one move; one statement, 80 an issue at most."""
    found: dict[str, list[dict[str, Any]]] = {one: [] for one in ids}
    for row in conn.execute(_OF_MOVES[move], {"ids": list(ids)}).mappings() if ids else ():
        found[row["issue_id"]].append(_line(row))
    return found


def _line(row: RowMapping) -> dict[str, Any]:
    return dict(row) | {"words": json.decode(row["words"] or "null"), "facts": json.decode(row["facts"])}


# -- clocks --------------------------------------------------------------------------------------------------------


class Story(NamedTuple):
    """One issue's: what touched its clocks, and which of the ladder's upper rungs were climbed, both in their order."""

    lines: list[dict[str, Any]]
    measures: list[dict[str, Any]]


_OF_CLOCKS = _told(entries.c.move.not_in(_ASIDE))


# A measure as a row beside the entries: version 0, which no entry has.
_AS_ENTRY: dict[str, ColumnElement[Any]] = {
    "issue_id": measures.c.issue_id, "version": literal(0), "move": measures.c.kind, "at": measures.c.done_at,
    "seal": measures.c.id,
}  # fmt: skip
_MEASURES = select(*(_AS_ENTRY.get(one.name, null()).label(one.name) for one in _OF_CLOCKS.selected_columns)).where(
    measures.c.issue_id.in_(bindparam("ids", expanding=True)), measures.c.done_at.is_not(None)
)
_STORIES = union_all(_OF_CLOCKS.order_by(None), _MEASURES).order_by("issue_id", "version", "seal")


def stories(conn: Connection, ids: Sequence[str]) -> dict[str, Story]:
    """Of each issue the entries that touched its clocks, 80 at most, and the measures done on it: L3 held, L4 issued, L5
    handed over. One statement."""
    found = {one: Story([], []) for one in ids}
    for row in conn.execute(_STORIES, {"ids": list(ids)}).mappings() if ids else ():
        if row["version"]:
            found[row["issue_id"]].lines.append(_line(row))
        else:
            done = {"id": row["seal"], "kind": row["move"], "done_at": row["at"]}
            found[row["issue_id"]].measures.append(done)
    return found
