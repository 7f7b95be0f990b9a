"""The milestones of the plans at work, planned and actual, the furthest slipped first (docs/rules.md §2)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, tzinfo
from typing import NamedTuple

from sqlalchemy import Connection, select

from liuti.flow import sight
from liuti.flow.issue import Milestone
from liuti.flow.kernel import Actor
from liuti.flow.slips import Slip, slip_of
from liuti.flow.words import Lane, Step
from liuti.store import read
from liuti.store.boards import pages
from liuti.store.read import Found, Wish
from liuti.store.tables import issues

AT_WORK = (Step.SOLVE, Step.SUSPENDED, Step.SUPERVISE, Step.EVALUATE)
MOST_PLANS = 2000
"""Read at once, the earliest deadline first: more than all leaders of a district may have in hand under the cap."""


class Planned(NamedTuple):
    found: Found
    number: int
    milestone: Milestone
    slip: Slip


def milestones(
    conn: Connection, actor: Actor, wish: Wish, now: datetime, zone: tzinfo
) -> tuple[list[Planned], bool]:  # fmt: skip
    """Of the issues this reader sees that stand before their end, the furthest slipped first, then by planned time;
    leaders and units read of their own. The second says that there were more plans than are read at once."""
    where = [
        *read.allowed(sight.scope(actor)), *pages.own(conn, actor), *read.narrowed(conn, actor, wish),
        issues.c.lane == Lane.TOPIC.value, issues.c.step.in_([step.value for step in AT_WORK]),
        # Only plans have them, and what is empty is not written into the state.
        issues.c.state.contains('"milestones":['),
    ]  # fmt: skip
    wanted = select(*read.SHOWN).where(*where).order_by(issues.c.deadline, issues.c.id).limit(MOST_PLANS + 1)
    rows = [read.found_in(row) for row in conn.execute(wanted).mappings()]
    found = [one for row in rows[:MOST_PLANS] if sight.may_see(actor, row.issue) for one in _planned(row, now, zone)]
    found.sort(key=lambda one: (not one.slip.late, -one.slip.days, one.milestone.due, one.found.issue.id, one.number))
    return found, len(rows) > MOST_PLANS


def _planned(found: Found, now: datetime, zone: tzinfo) -> Iterator[Planned]:
    for number, milestone in enumerate(found.issue.milestones, start=1):
        yield Planned(found, number, milestone, slip_of(milestone, now, zone))
