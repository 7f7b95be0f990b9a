"""What was passed at the gate: the strike-off ledger 销号, and the second looks a team owes (docs/rules.md §4 rows 38, 55)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from msgspec import json
from sqlalchemy import ColumnElement, Connection, RowMapping, Select, bindparam, select, text

from liuti.flow import sight
from liuti.flow.kernel import Actor
from liuti.flow.words import Role, Step
from liuti.store import read
from liuti.store.boards.pages import SPARE, Board, before_entry, by_entry, fill, mark, own
from liuti.store.read import Found, Wish
from liuti.store.tables import Moment, entries, issues

LOOKED = 2000
"""Passes drawn from at a time: of one in ten, two hundred second looks."""
# Written bare: a parameter would not match the partial index.
_PASSED = text("entries.move = 'pass_check'")
_NEWEST = (entries.c.at.desc(), entries.c.issue_id.desc(), entries.c.version.desc())
_PASS = (
    entries.c.at.label("entry_at"), entries.c.version.label("entry_version"), entries.c.actor, entries.c.role,
    entries.c.unit, entries.c.facts.label("entry_facts"), entries.c.words.label("entry_words"), entries.c.seal,
)  # fmt: skip
_STRUCK = select(*read.SHOWN, *_PASS).join(entries, entries.c.issue_id == issues.c.id).where(_PASSED).order_by(*_NEWEST)
_AFTERWARDS = ("fail_check", "pass_check", "redo", "escalate", "reopen")


class Struck(NamedTuple):
    """One line of the strike-off ledger: who passed it, when, how; and whether it still stands."""

    found: Found
    entry: dict[str, Any]
    undone: dict[str, Any] | None
    """What took it back since: move, version, at."""


def struck_off(
    conn: Connection, actor: Actor, since: datetime, until: datetime, unit: str = "", cursor: str = "", limit: int = 50
) -> Board:  # fmt: skip
    """Read from the ledger alone, the latest first; `unit` is one that works or worked on the issue."""
    most = limit * SPARE
    where: list[ColumnElement[bool]] = [
        entries.c.at >= bindparam("since", since, type_=Moment), entries.c.at < bindparam("until", until, type_=Moment),
        *read.allowed(sight.scope(actor)), *own(conn, actor), *read.narrowed(conn, actor, Wish(unit=unit)), *before_entry(cursor),
    ]  # fmt: skip
    rows = conn.execute(_STRUCK.where(*where).limit(most)).mappings().all()

    def take(row: RowMapping) -> tuple[Found, dict[str, Any]] | None:
        one = read.found_in(row)
        return (one, _entry(row)) if sight.may_see(actor, one.issue) else None

    taken, following = fill(rows, most, limit, take, by_entry)
    later = _afterwards(conn, [found.issue.id for found, _ in taken])
    return Board([Struck(found, entry, _undone(entry, later[found.issue.id])) for found, entry in taken], following)


def _entry(row: RowMapping) -> dict[str, Any]:
    return {
        "at": row["entry_at"], "version": row["entry_version"], "by": row["actor"], "role": row["role"], "unit": row["unit"],
        "facts": json.decode(row["entry_facts"]), "words": json.decode(row["entry_words"] or "null") or {},
        "seal": row["seal"],
    }  # fmt: skip


_LATER: Select[Any] = (
    select(entries.c.issue_id, entries.c.version, entries.c.move, entries.c.at)
    .where(entries.c.issue_id.in_(bindparam("ids", expanding=True)), entries.c.move.in_(_AFTERWARDS))
    .order_by(entries.c.issue_id, entries.c.version)
)


def _afterwards(conn: Connection, ids: Sequence[str]) -> dict[str, list[RowMapping]]:
    found: dict[str, list[RowMapping]] = {one: [] for one in ids}
    if ids:
        for row in conn.execute(_LATER, {"ids": sorted(set(ids))}).mappings():
            found[row["issue_id"]].append(row)
    return found


def _undone(entry: dict[str, Any], later: Sequence[RowMapping]) -> dict[str, Any] | None:
    after = (row for row in later if row["version"] > entry["version"] and row["move"] != "pass_check")
    return next(({name: row[name] for name in ("move", "version", "at")} for row in after), None)


# -- the second look -----------------------------------------------------------------------------------------------


class Rechecked(NamedTuple):
    """A pass that was drawn for a second look, and what the team found; None while nobody has looked."""

    found: Found
    entry: dict[str, Any]
    finding: dict[str, Any] | None


_LIGHT = (
    select(
        entries.c.issue_id.label("id"), entries.c.at.label("entry_at"), entries.c.version.label("entry_version"),
        entries.c.actor, entries.c.role, entries.c.unit, entries.c.facts.label("entry_facts"),
        entries.c.words.label("entry_words"), entries.c.seal,
    )
    .where(
        _PASSED, entries.c.role == Role.INSPECTOR.value, entries.c.at >= bindparam("since", type_=Moment)
    )
    .order_by(*_NEWEST)
    .limit(LOOKED)
)  # fmt: skip
_LOOKS = (
    select(entries.c.issue_id, entries.c.version, entries.c.move, entries.c.actor, entries.c.at, entries.c.facts,
           entries.c.words)
    .where(entries.c.issue_id.in_(bindparam("ids", expanding=True)), entries.c.move.in_(("pass_check", "recheck")))
    .order_by(entries.c.issue_id, entries.c.version)
)  # fmt: skip


def rechecks(
    conn: Connection, actor: Actor, drawn: Callable[[str], bool], since: datetime, state: str = "", cursor: str = "",
    limit: int = 50,
) -> Board:  # fmt: skip
    """What inspectors passed since then and the lot fell on, the latest first. `state`: `waiting`, `agreed`,
    `disagreed`. Waiting is what still stands as it was passed: a later check of the same issue has a lot of its own."""
    rows = conn.execute(_LIGHT.where(*before_entry(cursor)), {"since": since}).mappings().all()
    chosen = [row for row in rows if drawn(row["seal"])]
    ids = sorted({row["id"] for row in chosen})
    findings, last = _looks(conn, ids)
    found = read.several(conn, ids)
    taken: list[Rechecked] = []
    for row in chosen:
        one, finding = found[row["id"]], findings.get((row["id"], row["entry_version"]))
        if _state(one, row, finding, last) not in (state or "waiting", state or "agreed", state or "disagreed"):
            continue
        if not sight.may_see(actor, one.issue):
            continue
        if len(taken) == limit:
            before = taken[-1]
            return Board(taken, mark(before.entry["at"], before.found.issue.id, before.entry["version"]))
        taken.append(Rechecked(one, _entry(row), finding))
    return Board(taken, by_entry(rows[-1]) if len(rows) == LOOKED else None)


def _state(one: Found, row: RowMapping, finding: dict[str, Any] | None, last: dict[str, int]) -> str:
    if finding is not None:
        return "agreed" if finding["agrees"] else "disagreed"
    stands = one.issue.step in (Step.EVALUATE, Step.CLOSED) and last[row["id"]] == row["entry_version"]
    return "waiting" if stands else "undone"


def _looks(conn: Connection, ids: Sequence[str]) -> tuple[dict[tuple[str, int], dict[str, Any]], dict[str, int]]:
    """Findings by issue and the version of the pass they looked at; and the last pass of each issue."""
    found: dict[tuple[str, int], dict[str, Any]] = {}
    last: dict[str, int] = {}
    for row in conn.execute(_LOOKS, {"ids": ids}).mappings() if ids else ():
        if row["move"] == "pass_check":
            last[row["issue_id"]] = row["version"]
            continue
        facts = json.decode(row["facts"])
        note = (json.decode(row["words"] or "null") or {}).get("note")
        found[row["issue_id"], facts["passed"]] = {
            "at": row["at"], "by": row["actor"], "agrees": facts["agrees"], "method": facts["method"], "note": note,
            "version": row["version"],
        }  # fmt: skip
    return found, last
