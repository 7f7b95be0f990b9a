"""What the indicators read: issues with their entries, ratings and voices, by keyset, and the rules of that time.

Everything is told as it stood at the period's last instant (docs/rules.md §7). A page is four statements, however long
the tables; between pages no transaction is held, since nothing older than the period's end changes any more.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, NamedTuple

from msgspec import json
from msgspec.structs import replace
from sqlalchemy import BindParameter, ColumnElement, Connection, String, and_, bindparam, exists, or_, select

from liuti import policy as policies_
from liuti.figures.cases import Case, Leader, Rating
from liuti.figures.past import Entry, Rated, past
from liuti.figures.periods import Period
from liuti.figures.stand import case_of
from liuti.figures.tables import Limits, Residents
from liuti.flow.clocks import World
from liuti.flow.words import OPEN, Kind, Role
from liuti.policy import Policy
from liuti.store import residents
from liuti.store.act import STATE
from liuti.store.claims import with_legacy
from liuti.store.people import roles_of
from liuti.store.tables import Moment, audit, entries, grids, issues, people, policies, ratings, units, voices

MOST = 200
AHEAD = timedelta(days=policies_.default().clocks.overall_most)
"""How long after the last move of an issue something of it may still fall due: what was done and closed early counts in
the period it was due in."""
_SINCE, _END = bindparam("since", type_=Moment), bindparam("end", type_=Moment)
_STIRRED = exists().where(and_(entries.c.issue_id == issues.c.id, entries.c.at >= _SINCE))
# Where nothing has happened for so long and nothing is open, there is nothing to count.
_PAGE = (
    select(issues.c.id, issues.c.state)
    .where(
        issues.c.id > bindparam("after", type_=String),
        issues.c.submitted_at < _END,
        or_(issues.c.step.in_([step.value for step in OPEN]), _STIRRED),
    )
    .order_by(issues.c.id)
    .limit(bindparam("most"))
)
_IDS: BindParameter[Any] = bindparam("ids", expanding=True)
_ENTRIES = (
    select(
        entries.c.issue_id, entries.c.move, entries.c.unit, entries.c.from_step, entries.c.to_step, entries.c.at,
        entries.c.awaits, entries.c.facts,
    )
    .where(entries.c.issue_id.in_(_IDS))
    .order_by(entries.c.issue_id, entries.c.version)
)  # fmt: skip
_RATINGS = (
    select(
        ratings.c.issue_id, ratings.c.voice_id, ratings.c.round, ratings.c.level, ratings.c.solved, ratings.c.contacted,
        ratings.c.channel, ratings.c.at,
    )
    .where(ratings.c.issue_id.in_(_IDS))
    .order_by(ratings.c.issue_id, ratings.c.voice_id, ratings.c.round)
)  # fmt: skip
_VOICES = select(voices.c.issue_id, voices.c.at, voices.c.left_at).where(voices.c.issue_id.in_(_IDS))


class Page(NamedTuple):
    """Rows as they were read, in the order of their columns; `last`: read on after it; "" at the end."""

    issues: Sequence[Any]
    entries: Sequence[Any]
    ratings: Sequence[Any]
    voices: Sequence[Any]
    last: str


def page(
    conn: Connection, period: Period, after: str = "", most: int = MOST, among: ColumnElement[bool] | None = None,
    ahead: timedelta = AHEAD,
) -> Page:  # fmt: skip
    """The issues that may count in the period, by id, with all that stands beside them; `among` narrows them."""
    wanted = _PAGE if among is None else _PAGE.where(among)
    given = {"after": after, "since": period.start - ahead, "end": period.end, "most": most}
    rows = conn.execute(wanted, given).all()
    if not rows:
        return Page((), (), (), (), "")
    ids = {"ids": [row.id for row in rows]}
    told, said, behind = (conn.execute(wanted, ids).all() for wanted in (_ENTRIES, _RATINGS, _VOICES))
    return Page(rows, told, said, behind, rows[-1].id if len(rows) == most else "")


def cases_of(page: Page, period: Period, world: World) -> list[Case]:
    """The cases as they stood at the period's end: open then, moved in it, or due in it. Tip-offs have a channel of
    their own.

    Apart from the reading, since it takes a while: a millisecond for a few cases.
    """
    told: defaultdict[str, list[Entry]] = defaultdict(list)
    for issue, move, unit, came_from, to, at, awaits, facts in page.entries:
        told[issue].append(Entry(move, unit, came_from, to, at, awaits, json.decode(facts)))
    said: defaultdict[str, list[Rated]] = defaultdict(list)
    for issue, voice, turn, level, solved, contacted, channel, at in page.ratings:
        said[issue].append(Rated(Rating(voice, turn, level, solved or "", contacted, channel), at))
    behind: defaultdict[str, list[tuple[Any, Any]]] = defaultdict(list)
    for issue, at, left in page.voices:
        behind[issue].append((at, left))
    found = []
    for issue, state in page.issues:
        then = past(STATE.decode(state), period.as_of, told[issue], said[issue], behind[issue])
        case = case_of(then, world) if then.entries and then.kind != Kind.TIP_OFF else None
        if case is not None and then.live_since(period.start):
            found.append(case)
        elif case is not None and case.falls_in(period):
            found.append(replace(case, over=True))
    return found


# -- the rules and the people of that time -------------------------------------------------------------------------


class Frame(NamedTuple):
    """What a period is judged by besides its cases. `names`, by dimension and key, are today's."""

    world: World
    limits: Limits
    leaders: list[Leader]
    tiers: dict[str, dict[str, str]]
    """Which units, and which grids, are like each other: those of one kind, of one level."""
    names: dict[str, dict[str, str]]
    above: dict[str, tuple[str, ...]]
    """The places a grid lies in, from the district down."""
    residents: Residents = Residents()


def frame(conn: Connection, period: Period, world: World) -> Frame:
    """The rules, the limits and the leaders of the period's end; the names of today."""
    then = World(_policy_of(conn, period, world.policy), world.calendar)
    found = conn.execute(select(units.c.id, units.c.kind, units.c.name)).all()
    places = conn.execute(select(grids.c.id, grids.c.name, grids.c.level, grids.c.path)).all()
    leaders, posts = _leaders(conn, period)
    names = {
        "unit": {row.id: row.name for row in found},
        "category": {key: category.zh for key, category in then.policy.categories.items()},
        "grid": {row.id: row.name for row in places},
        "leader": posts,
        "level": LEVELS,
    }
    tiers = {"unit": {row.id: row.kind for row in found}, "grid": {row.id: row.level for row in places}}
    above = {row.id: tuple(row.path.strip("/").split("/")[:-1]) for row in places}
    asked = residents.summed(conn, period.start, period.as_of)
    return Frame(then, limits_of(then), leaders, tiers, names, above, asked)


def _policy_of(conn: Connection, period: Period, today: Policy) -> Policy:
    """The one in force at the period's end: of the registered ones the newest by then, before the first the packaged.
    A policy given as a file and never registered has no history: it counts for all time."""
    base = policies_.default()
    kept = conn.execute(select(policies.c.version, policies.c.words, policies.c.at)).all()
    if today.digest not in {base.digest, *(policies_.load(row.words).digest for row in kept)}:
        return today
    newer = [row for row in kept if row.version > base.version and row.at <= period.as_of]
    return policies_.load(max(newer, key=lambda row: row.version).words) if newer else base


def limits_of(world: World) -> Limits:
    rates, limits = world.policy.rates, world.policy.limits
    three = rates.composite
    return Limits(
        world.policy.version, rates.counts_below, rates.ranked_from, three.contacted, three.solved, three.satisfied,
        rates.extended_alert, rates.suspended_alert, limits.excluded_share,
    )  # fmt: skip


LEVELS = {"district": "区", "town": "镇街", "department": "部门"}
_CHANGES = ("add_person", "set_roles", "set_active")
_LATER = (
    select(audit.c.act, audit.c.subject, audit.c.before)
    .where(audit.c.at > bindparam("as_of", type_=Moment), audit.c.act.in_(_CHANGES))
    .order_by(audit.c.id.desc())
)


def _leaders(conn: Connection, period: Period) -> tuple[list[Leader], dict[str, str]]:
    """Who held the role at the period's end: today's people, with what the book says was changed since undone."""
    rows = conn.execute(select(people.c.id, people.c.roles, people.c.active, people.c.level, people.c.post)).all()
    then: dict[str, dict[str, Any]] = {row.id: {"roles": row.roles, "active": row.active} for row in rows}
    for act, subject, before in conn.execute(_LATER, {"as_of": period.as_of}):
        if act == "add_person":
            then.pop(subject, None)
        elif subject in then:
            then[subject] |= json.decode(before) or {}
    held = (row for row in rows if row.id in then and _leads(then[row.id]))
    legacy = with_legacy(conn, period.end.date().isoformat(), period.as_of)
    leaders = sorted((Leader(row.id, row.level, row.id in legacy) for row in held), key=lambda leader: leader.id)
    return leaders, {row.id: row.post for row in rows if row.post}


def _leads(person: dict[str, Any]) -> bool:
    return bool(person["active"]) and Role.LEADER in roles_of(person["roles"])
