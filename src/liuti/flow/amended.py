"""Due times after a notice of working days was amended: what the old one explains is counted by the new (docs/rules.md §5)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from liuti.flow import clocks
from liuti.flow.calendar import Calendar
from liuti.flow.clocks import World
from liuti.flow.issue import Issue, Timer
from liuti.flow.words import Clock, Lane

if TYPE_CHECKING:
    from liuti.flow.kernel import Case


class Amended(World, frozen=True):
    """A world whose calendar is new: `before` are those in force until lately, the latest first."""

    before: tuple[Calendar, ...] = ()


def outdated(issue: Issue, world: World) -> bool:
    """Whether some due time stands as an earlier calendar had it, and today's has it otherwise."""
    return any(True for _ in _moving(issue, world))


def recompute(case: Case) -> None:
    """Move those due times to where today's calendar has them; a direct issue's OVERALL goes with its SOLVE."""
    issue = case.issue
    for timer, due in list(_moving(issue, case.world)):
        clocks.swap(case, timer, clocks.moved(case, timer, due))
        overall = issue.timer(Clock.OVERALL)
        if timer.clock is Clock.SOLVE and issue.lane is Lane.DIRECT and overall is not None:
            clocks.swap(case, overall, clocks.moved(case, overall, due))


def _moving(issue: Issue, world: World) -> Iterator[tuple[Timer, datetime]]:
    """Each such timer with its new due time.

    A due time that no earlier calendar explains was granted to a date, or follows another clock: it stays.
    A provisional one has its own rule (`clocks.settled`).
    """
    if not isinstance(world, Amended):
        return
    past = [World(world.policy, calendar) for calendar in world.before]
    for timer in issue.timers:
        if timer.stopped is None and not timer.provisional and timer.length != "until":
            now = _due(issue, timer, world)
            if now != timer.due and any(_due(issue, timer, then) == timer.due for then in past):
                yield timer, now


def _due(issue: Issue, timer: Timer, world: World) -> datetime:
    return clocks.counted(issue, timer, world).at + timedelta(days=timer.extended)
