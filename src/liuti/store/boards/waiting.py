"""What waits at a step for somebody outside the unit: results to be verified, people to be phoned (docs/rules.md §4)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection, RowMapping, and_, exists, func, or_, select

from liuti.flow import sight
from liuti.flow.issue import Issue
from liuti.flow.kernel import Actor
from liuti.flow.words import Clock, Step
from liuti.store import read
from liuti.store.boards.pages import SPARE, Board, after_deadline, by_deadline, fill
from liuti.store.read import Found
from liuti.store.tables import assignments, contacts, issues, ratings, voices


def at_step(
    conn: Connection, actor: Actor, step: Step, fits: Callable[[Issue], bool], cursor: str = "", limit: int = 50
) -> Board:  # fmt: skip
    """What stands at a step and `fits`, outside the actor's own unit, the most pressing first."""
    at_work = exists().where(
        assignments.c.issue_id == issues.c.id, assignments.c.unit_id == actor.unit, assignments.c.status != "sent_back"
    )
    outside = [~at_work] if actor.unit else []
    where = [issues.c.step == step.value, *read.allowed(sight.scope(actor)), *outside, *after_deadline(cursor)]
    most = limit * SPARE
    found = select(*read.SHOWN).where(*where).order_by(issues.c.deadline, issues.c.id).limit(most)

    def take(row: RowMapping) -> Found | None:
        one = read.found_in(row)
        return one if sight.may_see(actor, one.issue) and fits(one.issue) else None

    return Board(*fill(conn.execute(found).mappings().all(), most, limit, take, by_deadline))


MOST_VOICES = 20
_RATED = (
    select(func.max(ratings.c.round))
    .where(ratings.c.issue_id == voices.c.issue_id, ratings.c.voice_id == voices.c.id)
    .scalar_subquery()
)


def unrated(conn: Connection, found: Sequence[Issue]) -> dict[str, list[dict[str, Any]]]:
    """Of each issue the first 20 voices invited that have not rated in its round, those who phoned first.

    Whether there is a number, never the number: that is opened for a purpose, and on record (docs/rules.md §8).
    """
    by_round: dict[int, list[str]] = {}
    invited = {issue.id: timer.started for issue in found if (timer := issue.latest(Clock.EVALUATE)) is not None}
    people: dict[str, list[dict[str, Any]]] = {one: [] for one in invited}
    for issue in found:
        by_round.setdefault(issue.verdict.round, []).append(issue.id)
    if not by_round:
        return people
    waiting = [and_(voices.c.issue_id.in_(ids), func.coalesce(_RATED, 0) < number) for number, ids in by_round.items()]
    phoned = (voices.c.channel == "12345").label("phoned")
    place = func.row_number().over(partition_by=voices.c.issue_id, order_by=(phoned.desc(), voices.c.at, voices.c.id))
    has_number = contacts.c.phone_hash.is_not(None).label("has_number")
    numbered = (
        select(voices.c.id, voices.c.issue_id, voices.c.channel, voices.c.at, phoned, has_number, place.label("place"))
        .select_from(voices.outerjoin(contacts, contacts.c.voice_id == voices.c.id))
        .where(or_(*waiting), voices.c.left_at.is_(None))
        .subquery()
    )
    for row in conn.execute(
        select(numbered).where(numbered.c.place <= MOST_VOICES).order_by(numbered.c.issue_id, numbered.c.place)
    ).mappings():
        if row["issue_id"] in invited and row["at"] <= invited[row["issue_id"]]:
            people[row["issue_id"]].append(dict(row))
    return people
