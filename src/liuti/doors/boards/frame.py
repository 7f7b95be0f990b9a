"""What all boards share: who reads them, their pages, a clock as they show it, the entries as their reader may see them."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, NamedTuple
from zoneinfo import ZoneInfo

from fastapi import Query

from liuti.flow import sight
from liuti.flow.clocks import World
from liuti.flow.issue import Issue, Timer
from liuti.flow.kernel import CLOCK, NO_FACTS, Actor, Case, Refused
from liuti.flow.table import FLOW
from liuti.flow.words import Role
from liuti.store import boards, read

Cursor = Annotated[str, Query(max_length=200)]
Limit = Annotated[int, Query(ge=1, le=read.MOST)]
WATCHED = (Role.INSPECTOR, Role.TEAM, Role.PRINCIPAL, Role.AUDITADMIN, Role.LEADER, Role.OFFICER, Role.UNIT_HEAD)


class Days(NamedTuple):
    """A period of days in local time, both included, and the moments it begins and ends at."""

    first: date
    last: date
    begins: datetime
    ends: datetime


LONGEST = timedelta(days=366)
YEARS = (2000, 2999)


def period(since: date | None, until: date | None, now: datetime, world: World) -> Days:
    """The last 30 days unless said otherwise. Refused 422 for one that runs backwards, or longer than a year."""
    zone = ZoneInfo(world.policy.hours.zone)
    last = until or now.astimezone(zone).date()
    # Beyond these years there is nothing to count, and no day before or after to count to.
    first = since or (last - timedelta(days=29) if last.year > YEARS[0] else last)
    if not timedelta() <= last - first < LONGEST or not (YEARS[0] <= first.year <= last.year <= YEARS[1]):
        zh, en = "期间须从早到晚,不超过366天。", "A period runs from early to late, 366 days at most."
        raise Refused("bad_period", 422, zh, en, "since")
    begins = datetime.combine(first, time(), zone).astimezone(UTC)
    return Days(first, last, begins, datetime.combine(last + timedelta(days=1), time(), zone).astimezone(UTC))


def clock_of(timer: Timer, now: datetime) -> dict[str, Any]:
    """The clock as every reader sees it, its colour by the time of day, even where the sweep is late."""
    view = sight.clock_view(timer, now)
    return view | {"colour": boards.alarm(timer, now) or view["colour"]}


def as_time(issue: Issue, move: str, world: World, now: datetime) -> Case:
    return Case(issue, CLOCK, FLOW.moves[move], None, now, world, NO_FACTS, now)


def seen(actor: Actor, issue: Issue, told: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The entries as this reader may see them."""
    lines = (sight.entry_seen(actor, issue, one, {one["unit"]: one["unit_name"] or one["unit"]}) for one in told)
    return [line for line in lines if line is not None]
