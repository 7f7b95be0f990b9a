"""Readings for whoever weighs and claims: a round as one sheet, a topic as a picture, scores of many at once (docs/rules.md §6)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any, NamedTuple

from msgspec import json
from sqlalchemy import Connection, and_, bindparam, func, literal, select, union_all

from liuti.flow import sight
from liuti.flow.issue import Issue
from liuti.flow.kernel import Actor
from liuti.flow.words import OPEN, Kind, Step
from liuti.policy import Policy
from liuti.rank.factors import Crowd
from liuti.rank.score import Score, Watch, households
from liuti.store import read, rounds, subjects
from liuti.store.read import Found
from liuti.store.rounds import Line
from liuti.store.subjects import same_text
from liuti.store.tables import issues
from liuti.store.tables_rank import places, topic_members

MOST_AREAS = 400
"""Grids told for all topics of a page together, the largest first."""
SCORE = json.Decoder(Score)


# -- rounds --------------------------------------------------------------------------------------------------------


class Sheet(NamedTuple):
    """A round with a page of its list, what to read on after, and what the panel changed in it."""

    round: Any
    lines: list[Line]
    after: int | None
    changes: list[Any]


def sheet(conn: Connection, name: str, after: int = 0, most: int = 50) -> Sheet:
    """Four statements; Refused 404 for a round there is none of."""
    found = rounds.find(conn, name)
    made = rounds.changes(conn, found.id)
    lines, more = rounds.lines(conn, found.id, after, most, made)
    return Sheet(found, lines, more, made)


def line_in(conn: Connection, name: str, issue: str) -> tuple[Any, Line | None, list[Any]]:
    """A round, the issue's line in it, and what the panel changed: four statements."""
    found = rounds.find(conn, name)
    made = rounds.changes(conn, found.id)
    return found, rounds.line_in(conn, found.id, issue, made), made


def snapshots(conn: Connection, round_id: str) -> list[Any]:
    """What the round froze of each line, in its order: issue_id, rank, total, snapshot."""
    stmt = select(places.c.issue_id, places.c.rank, places.c.total, places.c.snapshot)
    return list(conn.execute(stmt.where(places.c.round_id == round_id).order_by(places.c.line)))


_LAST = (
    select(places.c.issue_id, func.max(places.c.round_id).label("round_id"))
    .where(places.c.issue_id.in_(bindparam("ids", expanding=True)))
    .group_by(places.c.issue_id)
    .subquery()
)
_SCORED = select(places.c.issue_id, places.c.round_id, places.c.score).join(
    _LAST, and_(_LAST.c.issue_id == places.c.issue_id, _LAST.c.round_id == places.c.round_id)
)


def scores_of(conn: Connection, ids: Sequence[str]) -> dict[str, tuple[str, Score]]:
    """Round and score of each issue in the latest round that had it, in one statement; those never scored are missing."""
    if not ids:
        return {}
    rows = conn.execute(_SCORED, {"ids": list(ids)})
    return {row.issue_id: (row.round_id, SCORE.decode(row.score)) for row in rows}


# -- claims --------------------------------------------------------------------------------------------------------


class Claims(NamedTuple):
    """What waits to be claimed, the most pressing first, whether there is more of it, and what one leader has open."""

    waiting: list[Found]
    more: bool
    mine: list[Found]


def claims(conn: Connection, actor: Actor, most: int, most_mine: int) -> Claims:
    """One statement, each half of it along an index."""
    may = read.allowed(sight.scope(actor))
    halves = [(0, issues.c.step == Step.CLAIM.value, most + 1)]
    halves.append((1, and_(issues.c.leader == actor.id, issues.c.step.in_([step.value for step in OPEN])), most_mine))
    picked = [
        select(*read.SHOWN, literal(side).label("side"))
        .where(where, *may)
        .order_by(issues.c.deadline, issues.c.id)
        .limit(limit)
        .subquery()
        for side, where, limit in halves
    ]
    rows = conn.execute(union_all(*(select(one) for one in picked))).mappings().all()
    found: tuple[list[Found], list[Found]] = ([], [])
    for row in sorted(rows, key=lambda row: (row["side"], row["deadline"], row["id"])):
        found[row["side"]].append(read.found_in(row))
    return Claims(found[0][:most], len(found[0]) > most, found[1])


# -- topics --------------------------------------------------------------------------------------------------------


class Picture(NamedTuple):
    """How many messages of a topic came in each span of time, and from which grids, the most first."""

    growth: tuple[int, ...]
    spread: tuple[tuple[str, int], ...]


# What was found to be a tip-off stays in the topic it had, and tells nobody anything.
_TOLD = topic_members.join(issues, and_(issues.c.id == topic_members.c.issue_id, issues.c.kind != Kind.TIP_OFF.value))
_OURS = topic_members.c.topic_id.in_(bindparam("topics", expanding=True))
_AREAS = (
    select(topic_members.c.topic_id, issues.c.grid, func.count().label("n"))
    .select_from(_TOLD)
    .where(_OURS, issues.c.grid != "")
    .group_by(topic_members.c.topic_id, issues.c.grid)
    .order_by(func.count().desc(), issues.c.grid)
    .limit(MOST_AREAS)
)


def pictures(conn: Connection, topics: Sequence[str], marks: Sequence[datetime]) -> dict[str, Picture]:
    """Of each topic its growth between the `marks`, one number less than there are marks, and its spread: two statements."""
    if not topics:
        return {}
    asked = {"topics": list(topics)}
    spans = [
        func.count().filter(issues.c.submitted_at >= since, issues.c.submitted_at < until).label(f"n{n}")
        for n, (since, until) in enumerate(pairwise(marks))
    ]
    grown = select(topic_members.c.topic_id, *spans).select_from(_TOLD).where(_OURS).group_by(topic_members.c.topic_id)
    growth = {row[0]: tuple(row[1:]) for row in conn.execute(grown, asked)}
    spread: dict[str, list[tuple[str, int]]] = {}
    for row in conn.execute(_AREAS, asked):
        spread.setdefault(row.topic_id, []).append((row.grid, row.n))
    return {one: Picture(growth.get(one, ()), tuple(spread.get(one, ()))) for one in topics}


class Behind(NamedTuple):
    """Whom a topic comes from as the next round would count them. `lead`: the issue a flag is cleared on, the earliest
    at `select`; None while none stands there. `copies`: issues whose own words are a flagged text, with its mark."""

    lead: Issue | None
    crowd: Crowd
    copies: dict[str, str]


_COUNTED = [step.value for step in subjects.COUNTS]
_MEMBERS = (
    select(
        issues.c.id, issues.c.step, issues.c.state, issues.c.title, issues.c.body, issues.c.submitted_at, issues.c.reported_at
    )
    .select_from(_TOLD)
    .where(topic_members.c.topic_id == bindparam("topic"), issues.c.step.in_(_COUNTED))
)  # fmt: skip


def behind(conn: Connection, policy: Policy, topic: str, now: datetime) -> Behind:
    """Two statements, one more for each 500 messages; a round that opens now counts the same (docs/rules.md §6)."""
    rows = list(conn.execute(_MEMBERS, {"topic": topic}))
    waiting = [row for row in rows if row.step == Step.SELECT.value]
    first = min(waiting, key=lambda row: (subjects.since(row), row.id), default=None)
    lead = read.STATE.decode(first.state) if first is not None else None
    said = subjects.voices_behind(conn, {row.id for row in rows})
    rule = policy.score
    watch = Watch(same_text_accounts=rule.same_text_accounts, same_text_hours=rule.same_text_hours)
    heard = [voice for row in rows for voice in said.get(row.id, ())]
    cleared, reviewed = (lead.cleared, lead.burst_reviewed) if lead is not None else ((), None)
    crowd = households(heard, now, cleared, reviewed, watch)
    marks = {row.id: same_text(f"{row.title} {row.body}") for row in rows} if crowd.same_text else {}
    copies = {issue: mark for issue, mark in marks.items() if mark in crowd.same_text}
    return Behind(lead, crowd, copies)
