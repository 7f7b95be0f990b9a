"""Readings: one issue, lists by keyset, the timeline; every row leaves through `sight`."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from typing import Any
from weakref import WeakKeyDictionary

from msgspec import json
from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    RowMapping,
    String,
    bindparam,
    exists,
    false,
    func,
    literal,
    or_,
    select,
    tuple_,
    union_all,
)

from liuti.flow import sight
from liuti.flow.issue import Issue
from liuti.flow.kernel import Actor, Refused
from liuti.flow.sight import Scope
from liuti.flow.words import UNIT_ROLES, Kind, Step
from liuti.store import search
from liuti.store.tables import Moment, assignments, contacts, entries, files, grids, issues, units, voices

STATE = json.Decoder(Issue)
MOST = 100
SHOWN = (
    issues.c.id,
    issues.c.state,
    issues.c.title,
    issues.c.body,
    issues.c.place,
    issues.c.query_code,
    issues.c.deadline,
)
_ONE = select(*SHOWN).where(issues.c.id == bindparam("id"))
_SEVERAL = select(*SHOWN).where(issues.c.id.in_(bindparam("ids", expanding=True)))
_BY_CODE = select(*SHOWN).where(issues.c.query_code == bindparam("code"))


@dataclass(frozen=True, slots=True)
class Found:
    issue: Issue
    row: Mapping[str, Any]


def found_in(row: RowMapping) -> Found:
    return Found(STATE.decode(row["state"]), {name: row[name] for name in ("title", "body", "place", "query_code")})


def find(conn: Connection, issue_id: str) -> Found | None:
    row = conn.execute(_ONE, {"id": issue_id}).mappings().first()
    return found_in(row) if row is not None else None


def several(conn: Connection, ids: Sequence[str]) -> dict[str, Found]:
    """Those of them that are there, in one statement."""
    if not ids:
        return {}
    found = (found_in(row) for row in conn.execute(_SEVERAL, {"ids": list(ids)}).mappings())
    return {one.issue.id: one for one in found}


def by_code(conn: Connection, code: str) -> Found | None:
    row = conn.execute(_BY_CODE, {"code": code}).mappings().first()
    return found_in(row) if row is not None else None


# -- lists ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Wish:
    """What a list should hold; empty fields do not narrow it."""

    step: Step | None = None
    lane: str = ""
    unit: str = ""
    leader: str = ""
    grid: str = ""
    category: str = ""
    kind: str = ""
    overdue: bool | None = None
    mine: bool = False
    q: str = ""
    cursor: str = ""
    limit: int = 50
    by_deadline: bool = False
    steps: tuple[Step, ...] = ()
    """Any of these; for a worklist that spans several."""


@dataclass(frozen=True, slots=True)
class Page:
    found: list[Found]
    cursor: str | None
    """Give it back to read on; None at the end."""


def page(conn: Connection, actor: Actor, wish: Wish) -> Page:
    """One statement, however long the table: by deadline for a worklist, else the newest first."""
    limit = max(1, min(wish.limit, MOST))
    where = [*allowed(sight.scope(actor)), *narrowed(conn, actor, wish)]
    if wish.cursor:
        where.append(_after(wish))
    order = (issues.c.deadline, issues.c.id) if wish.by_deadline else (issues.c.id.desc(),)
    rows = conn.execute(select(*SHOWN).where(*where).order_by(*order).limit(limit + 1)).mappings().all()
    found = [found_in(row) for row in rows[:limit]]
    return Page(found, _cursor(rows[limit - 1], wish) if len(rows) > limit else None)


def allowed(scope: Scope) -> list[ColumnElement[bool]]:
    """The same rule as `sight.may_see`, as a condition (a test holds them together)."""
    own = [issues.c.id.in_(scope.voice_issues)] if scope.voice_issues else []
    working = [at_work(scope.unit)] if scope.unit else []
    answers = [issues.c.leader == scope.leader] if scope.leader else []
    rules: list[ColumnElement[bool]] = []
    if not scope.everything:
        rules.append(or_(issues.c.public, *working, *own))
    if not scope.tip_offs:
        rules.append(or_(issues.c.kind != Kind.TIP_OFF.value, *working, *answers, *own))
    if scope.unit:
        rules.append(or_(issues.c.against.is_(None), issues.c.against != scope.unit))
    return rules


def at_work(unit: str) -> ColumnElement[bool]:
    """Looked up row by row, for where it is one reason among others to see an issue."""
    sent = exists().where(assignments.c.issue_id == issues.c.id, assignments.c.unit_id == unit)
    return or_(issues.c.lead_unit == unit, sent)


LITTLE = 5_000
"""What a unit may have for its lists to begin with that; one with more comes by often enough among all the others."""


REMEMBERED = 600.0
"""Seconds for which it is not asked again whether a unit has little: either way finds the same rows."""
MOST_KNOWN = 10_000
_little: WeakKeyDictionary[Engine, dict[str, tuple[bool, float]]] = WeakKeyDictionary()


def of_unit(conn: Connection, unit: str) -> ColumnElement[bool]:
    """What a unit leads or is sent to: as one set where that is little, else looked up row by row."""
    led = issues.alias("led")
    own = select(led.c.id).where(led.c.lead_unit == unit)
    sent = select(assignments.c.issue_id).where(assignments.c.unit_id == unit)
    known = _little.setdefault(conn.engine, {})
    little, until = known.get(unit, (True, 0.0))
    if until < monotonic():
        some = union_all(*(select(each.limit(LITTLE + 1).subquery()) for each in (own, sent))).subquery()
        little = conn.execute(select(func.count()).select_from(some)).scalar_one() <= LITTLE
        if len(known) >= MOST_KNOWN:  # whoever asks may name units that are none
            known.clear()
        known[unit] = little, monotonic() + REMEMBERED
    return issues.c.id.in_(union_all(own, sent)) if little else at_work(unit)


def narrowed(conn: Connection, actor: Actor, wish: Wish) -> list[ColumnElement[bool]]:
    equal = {
        issues.c.step: wish.step.value if wish.step else "",
        issues.c.lane: wish.lane,
        issues.c.leader: wish.leader,
        issues.c.category: wish.category,
        issues.c.kind: wish.kind,
    }
    where = [column == value for column, value in equal.items() if value]
    if wish.steps:
        where.append(issues.c.step.in_([step.value for step in wish.steps]))
    if wish.unit:
        where.append(of_unit(conn, wish.unit))
    if wish.grid:
        within = select(grids.c.path + "/").where(grids.c.id == wish.grid).scalar_subquery()
        below = select(grids.c.id).where((grids.c.path + "/").startswith(within))
        where.append(or_(issues.c.grid == wish.grid, issues.c.grid.in_(below)))
    if wish.overdue is not None:
        where.append(issues.c.overdue if wish.overdue else ~issues.c.overdue)
    if wish.mine:
        where.append(_mine(conn, actor))
    if wish.q:
        holds = search.condition(conn, wish.q)
        where.append(holds if holds is not None else false())
    return where


def _mine(conn: Connection, actor: Actor) -> ColumnElement[bool]:
    """A unit's own, a leader's own, a voice's own."""
    if actor.voice:
        return issues.c.id.in_([i for i in (actor.issue, actor.origin) if i])
    if not actor.roles.isdisjoint(UNIT_ROLES):
        return of_unit(conn, actor.unit)
    return issues.c.leader == actor.id


def _after(wish: Wish) -> ColumnElement[bool]:
    try:
        deadline, last = json.decode(base64.urlsafe_b64decode(wish.cursor.encode()), type=tuple[datetime | None, str])
    except ValueError as error:
        raise Refused(
            "bad_cursor",
            422,
            "翻页标记无效,请从头查起。",
            "This cursor is not ours: start from the first page.",
            "cursor",
        ) from error
    if not wish.by_deadline or deadline is None:
        return issues.c.id < last
    at = bindparam("after_at", deadline, type_=Moment)
    return tuple_(issues.c.deadline, issues.c.id) > tuple_(at, bindparam("after_id", last, type_=String))


def _cursor(row: RowMapping, wish: Wish) -> str:
    return base64.urlsafe_b64encode(json.encode((row["deadline"] if wish.by_deadline else None, row["id"]))).decode()


# -- one issue's surroundings --------------------------------------------------------------------------------------

_TIMELINE = (
    select(entries, units.c.name.label("unit_name"))
    .select_from(entries.outerjoin(units, units.c.id == entries.c.unit))
    .where(entries.c.issue_id == bindparam("id"), entries.c.version > bindparam("after"))
    .order_by(entries.c.version)
    .limit(200)
)
_FILES = select(files).where(files.c.issue_id == bindparam("id")).order_by(files.c.at, files.c.id).limit(200)
_FILE = select(files).where(files.c.id == bindparam("file"), files.c.issue_id == bindparam("id"))


def timeline(conn: Connection, actor: Actor, issue: Issue, after: int = 0) -> list[dict[str, Any]]:
    """What happened, as this reader may see it; 200 entries at most from `after` on."""
    lines = []
    for row in conn.execute(_TIMELINE, {"id": issue.id, "after": after}).mappings():
        entry = dict(row) | {"words": _json(row["words"]), "facts": _json(row["facts"])}
        names = {row["unit"]: row["unit_name"]} if row["unit_name"] else {}
        if (line := sight.entry_seen(actor, issue, entry, names)) is not None:
            lines.append(line)
    return lines


def _json(text: str | None) -> Any:
    return json.decode(text) if text is not None else None


def files_of(conn: Connection, issue: Issue) -> list[dict[str, Any]]:
    return [dict(row) for row in conn.execute(_FILES, {"id": issue.id}).mappings()]


_FILES_OF = (
    select(files)
    .where(files.c.issue_id.in_(bindparam("ids", expanding=True)))
    .order_by(files.c.at, files.c.id)
    .limit(2_000)
)


def files_of_several(conn: Connection, ids: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """The files of a page of issues, in one statement."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in conn.execute(_FILES_OF, {"ids": list(ids)}).mappings() if ids else ():
        found.setdefault(row["issue_id"], []).append(dict(row))
    return found


def file(conn: Connection, issue_id: str, file_id: str) -> RowMapping | None:
    return conn.execute(_FILE, {"id": issue_id, "file": file_id}).mappings().first()


_CONTACTS = (
    select(voices.c.id, voices.c.verified, voices.c.channel, contacts.c.sealed)
    .select_from(voices.outerjoin(contacts, contacts.c.voice_id == voices.c.id))
    .where(voices.c.issue_id == bindparam("id"), voices.c.left_at.is_(None))
    .order_by(voices.c.at, voices.c.id)
    .limit(200)
)


def voices_of(conn: Connection, issue: Issue) -> list[RowMapping]:
    """The first 200 voices with their sealed contacts; who may open them is for `sight` to say."""
    return list(conn.execute(_CONTACTS, {"id": issue.id}).mappings())


COUNTED = 1000
_COUNTS = union_all(
    *(
        select(literal(step.value).label("step"), func.count().label("n")).select_from(
            select(issues.c.id).where(issues.c.step == step.value).limit(COUNTED).subquery()
        )
        for step in Step
    )
)


def counts(conn: Connection) -> dict[str, int]:
    """How many issues stand at each step, counted up to 1000: a page must not grow with the table."""
    return {row.step: row.n for row in conn.execute(_COUNTS)}
