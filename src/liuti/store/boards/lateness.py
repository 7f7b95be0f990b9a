"""The overdue board: what is late or about to be, the earliest due first (docs/rules.md §5)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, func, select, union_all

from liuti.flow import sight
from liuti.flow.clocks import STRIKES
from liuti.flow.issue import Issue, Timer
from liuti.flow.kernel import Actor
from liuti.flow.words import OPEN, Step
from liuti.store import read
from liuti.store.boards.pages import SPARE, WATCHERS, Board, after_deadline, by_deadline, fill, own
from liuti.store.measures import RUNGS
from liuti.store.read import Found, Wish
from liuti.store.tables import issues
from liuti.store.tables_boards import measures

# A clock may run at these; an appeal's at an end too.
_CLOCKED = (*OPEN, Step.CLOSED, Step.REJECTED)

COUNTED = 1000
TIMED = 3
"""The rungs time climbs by itself; L4 and L5 are measures on the issue."""


@dataclass(frozen=True, slots=True)
class Late:
    """What the overdue board should hold; empty fields do not narrow it."""

    step: Step | None = None
    unit: str = ""
    leader: str = ""
    grid: str = ""
    rung: int | None = None
    colour: str = ""
    cursor: str = ""
    limit: int = 50


def alarm(timer: Timer, now: datetime) -> str:
    """`red` once the due time passed, `yellow` from the warning on, else "": by the clock, even where the sweep is late.

    A clock whose time does something else than make somebody late (it lapses, closes or resumes) never alarms.
    """
    if not timer.running or timer.clock in STRIKES:
        return ""
    if timer.red or timer.due <= now:
        return "red"
    return "yellow" if timer.warned or (timer.next is not None and timer.next <= now) else ""


def alarms(issue: Issue, now: datetime) -> list[tuple[Timer, str]]:
    """The clocks of an issue that are late or about to be, the earliest due first."""
    found = [(timer, colour) for timer in issue.timers if (colour := alarm(timer, now))]
    return sorted(found, key=lambda one: one[0].due)


def worst(found: list[tuple[Timer, str]]) -> str:
    """The colour of a whole row: red as soon as one of its clocks is."""
    return "red" if any(colour == "red" for _, colour in found) else "yellow"


LAG = timedelta(hours=1)
"""How long what time only closes or resumes may wait for the sweep and still be found among the yellow."""


def late(conn: Connection, actor: Actor, wish: Late, now: datetime, until: datetime) -> Board:
    """Issues late or about to be, the earliest due first, in one statement. `until` is the latest due time of a clock
    that can have been warned by now."""
    limit = max(1, min(wish.limit, read.MOST))
    most = limit * SPARE
    where = [*_late_where(conn, actor, wish), issues.c.deadline <= (now if wish.colour == "red" else until)]
    if wish.colour == "yellow":
        where.append(issues.c.deadline > now - LAG)
    picked = earliest(wish.step, [*where, *after_deadline(wish.cursor)], most)
    found = select(*read.SHOWN).join(picked, picked.c.id == issues.c.id)
    rows = conn.execute(found.order_by(issues.c.deadline, issues.c.id).limit(most)).mappings().all()

    def take(row: RowMapping) -> Found | None:
        one = read.found_in(row)
        late_ones = alarms(one.issue, now)
        fits = late_ones and wish.colour in ("", worst(late_ones))
        by_time = wish.rung is not None and wish.rung <= TIMED
        fits = fits and (not by_time or max(t.rung for t, _ in late_ones) == wish.rung)
        return one if fits and sight.may_see(actor, one.issue) else None

    return Board(*fill(rows, most, limit, take, by_deadline))


def _late_where(conn: Connection, actor: Actor, wish: Late) -> list[ColumnElement[bool]]:
    narrow = read.narrowed(conn, actor, Wish(unit=wish.unit, leader=wish.leader, grid=wish.grid))
    # A first sieve for the few that stand so high; the state itself decides.
    climbed = [issues.c.state.like(f'%"rung":{wish.rung}%')] if wish.rung and wish.rung <= TIMED else []
    if wish.rung and wish.rung > TIMED:
        # That a file was handed over is not for those it may be about.
        untold = {"transfer"} if actor.roles.isdisjoint(WATCHERS) else set()
        kinds = [kind for kind, rung in RUNGS.items() if rung == wish.rung and kind not in untold]
        climbed.append(
            issues.c.id.in_(
                select(measures.c.issue_id).where(measures.c.kind.in_(kinds), measures.c.done_at.is_not(None))
            )
        )
    return [*read.allowed(sight.scope(actor)), *own(conn, actor), *narrow, *climbed]


def earliest(step: Step | None, where: list[ColumnElement[bool]], most: int) -> Any:
    """The first by deadline, step by step along the index, so that a page does not grow with the table."""
    columns = (issues.c.id, issues.c.deadline, issues.c.step, issues.c.lead_unit, issues.c.grid, issues.c.leader)
    order = (issues.c.deadline, issues.c.id)
    each = [
        select(*columns).where(issues.c.step == one.value, *where).order_by(*order).limit(most).subquery()
        for one in ([step] if step else _CLOCKED)
    ]
    return union_all(*(select(one) for one in each)).subquery("picked")


def late_counts(conn: Connection, actor: Actor, wish: Late, now: datetime) -> dict[str, dict[str, int]]:
    """How many are red by step, unit, grid and leader, counted over the 1000 longest overdue at each step."""
    picked = earliest(wish.step, [*_late_where(conn, actor, wish), issues.c.deadline <= now], COUNTED)
    by: dict[str, dict[str, int]] = {"step": {}, "lead_unit": {}, "grid": {}, "leader": {}}
    grouped = select(*(picked.c[name] for name in by), func.count().label("n"))
    for row in conn.execute(grouped.group_by(*(picked.c[name] for name in by))).mappings():
        for name, counts in by.items():
            counts[row[name] or ""] = counts.get(row[name] or "", 0) + row["n"]
    return by
