"""Where things stand in a chart: numbers for the pieces of templates/parts/charts.html, in units of a hundred."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from liuti.flow.issue import Issue
from liuti.rank.factors import CRITERIA

GAP = 0.4
AREAS = 6
"""Communities with a bar of their own; the others share one."""
SMALLEST = 7
"""Days a Gantt spans at least."""


class Part(NamedTuple):
    """A piece of a bar: what it is, where it begins, how long it is."""

    name: str
    x: float
    width: float


def stacked(subs: Mapping[str, float]) -> list[Part]:
    """The four sub-scores one after another, out of a hundred."""
    at, parts = 0.0, []
    for name in CRITERIA:
        parts.append(Part(name, round(at, 2), round(max(subs[name] - GAP, 0.0), 2)))
        at += subs[name]
    return parts


def columns(numbers: Sequence[int]) -> list[tuple[float, float, float, int]]:
    """x, width and height of each column, the highest a hundred, and its number."""
    if not numbers:
        return []
    wide, most = 100 / len(numbers), max(1, *numbers)
    return [
        (round(wide * (n + 0.1), 2), round(wide * 0.8, 2), round(100 * one / most, 2), one)
        for n, one in enumerate(numbers)
    ]


class Area(NamedTuple):
    name: str
    n: int
    length: float


def areas(found: Sequence[tuple[str, int]], others: str) -> list[Area]:
    """The most first; what is beyond six shares one bar, called `others`."""
    shown, rest = list(found[:AREAS]), found[AREAS:]
    if rest:
        shown.append((others, sum(n for _, n in rest)))
    most = max((n for _, n in shown), default=1)
    return [Area(name, n, round(100 * n / most, 2)) for name, n in shown]


# -- milestones in time --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Row:
    """One milestone: planned from where the one before it was due; `slip` is what it took or takes beyond its day."""

    title: str
    unit: str
    due: datetime
    done: datetime | None
    waived: bool
    plan: Part
    slip: Part | None
    mark: float | None
    """Where it was done."""

    @property
    def state(self) -> str:
        if self.waived:
            return "waived"
        if self.done is not None:
            return "slipped" if self.done > self.due else "done"
        return "late" if self.slip is not None else "planned"


@dataclass(frozen=True, slots=True)
class Gantt:
    """A claim and its milestones between two days; `today` and `months` are places in it."""

    since: datetime
    until: datetime
    today: float | None
    months: list[float]
    rows: list[Row]


def gantt(issue: Issue, promised: datetime | None, now: datetime, zone: ZoneInfo) -> Gantt:
    """From the claim, or the first thing known, to the last: promised, due or done."""
    dues = [one.due for one in issue.milestones]
    dones = [one.done for one in issue.milestones if one.done is not None]
    late = [now] if any(one.done is None and not one.waived and one.due < now for one in issue.milestones) else []
    begins = issue.claimed or issue.submitted or now
    last = max([*dues, *dones, *late, *([promised] if promised is not None else []), begins + timedelta(days=SMALLEST)])
    span = last - begins

    def at(moment: datetime) -> float:
        return round(min(100.0, max(0.0, 100 * ((moment - begins) / span))), 2)

    rows, since = [], begins
    for one in issue.milestones:
        ends = one.done or (now if not one.waived else one.due)
        slip = (
            Part("slip", at(one.due), max(0.8, at(ends) - at(one.due))) if ends > one.due and not one.waived else None
        )
        rows.append(Row(
            one.title, one.unit, one.due, one.done, one.waived, Part("plan", at(since), max(0.8, at(one.due) - at(since))), slip,
            at(one.done) if one.done is not None else None,
        ))  # fmt: skip
        since = one.due
    months, first = [], begins.astimezone(zone).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    while (first := (first + timedelta(days=32)).replace(day=1)) < last:
        months.append(at(first))
    return Gantt(begins, last, at(now) if begins <= now <= last else None, months, rows)
