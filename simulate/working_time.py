"""Working time once more, day by day and by hand: what the checks reckon with instead of the calendar they check.

All times here are plain wall times of the district (UTC+8 all year); docs/rules.md §5 is the only source.
"""

from __future__ import annotations

import tomllib
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from importlib.resources import files
from typing import NamedTuple

DAY = timedelta(days=1)
HERE = timedelta(hours=8)
OPENS, CLOSES = time(9), time(17, 30)
FIRST, LAST = date(2025, 1, 1), date(2028, 12, 31)
MICRO = timedelta(microseconds=1)


def local(at: datetime) -> datetime:
    return (at.astimezone(UTC) + HERE).replace(tzinfo=None)


def utc(at: datetime) -> datetime:
    return (at - HERE).replace(tzinfo=UTC)


class Length(NamedTuple):
    """`5wd` as 5 and "wd"."""

    n: float
    unit: str


def length(text: str) -> Length:
    unit = text.lstrip("0123456789.")
    return Length(float(text.removesuffix(unit)), unit)


@cache
def _listed() -> tuple[set[date], set[date]]:
    off, worked = set[date](), set[date]()
    for item in files("liuti.calendars").iterdir():
        if item.name.endswith(".toml"):
            for holiday in tomllib.loads(item.read_text("utf-8"))["holiday"]:
                days = (holiday["last"] - holiday["first"]).days + 1
                off |= {holiday["first"] + n * DAY for n in range(days)}
                worked |= set(holiday.get("worked", ()))
    return off, worked


@cache
def is_worked(day: date) -> bool:
    off, worked = _listed()
    return day in worked or (day.weekday() < 5 and day not in off)


def closing(day: date) -> datetime:
    return datetime.combine(day, CLOSES)


def next_worked(day: date) -> date:
    """That day, or the first worked one after it."""
    while not is_worked(day):
        day += DAY
    return day


def plus_worked(day: date, n: int) -> date:
    """Worked day number n after day 0, which is that day or the next worked one."""
    day = next_worked(day)
    for _ in range(n):
        day = next_worked(day + DAY)
    return day


def due(start: datetime, span: Length) -> datetime:
    if span.unit == "h":
        return start + timedelta(hours=span.n)
    if span.unit == "d":
        return closing(start.date() + int(span.n) * DAY)
    if span.unit == "wd":
        return closing(plus_worked(start.date(), int(span.n)))
    return after_office(start, timedelta(hours=span.n))


def after_office(start: datetime, left: timedelta) -> datetime:
    day = next_worked(start.date())
    while True:
        begin = max(start, datetime.combine(day, OPENS))
        end = closing(day)
        if begin < end and begin + left <= end:
            return begin + left
        left -= max(end - begin, timedelta())
        day = next_worked(day + DAY)


def same_day(arrived: datetime, cutoff: time, next_by: time) -> datetime:
    """By closing time of the day it came in; past the cutoff by that hour of the next worked day."""
    if not is_worked(arrived.date()):
        return closing(next_worked(arrived.date()))
    if arrived.time() > cutoff:
        return datetime.combine(next_worked(arrived.date() + DAY), next_by)
    return closing(arrived.date())


@cache
def _before() -> dict[date, tuple[int, int]]:
    """Worked days, and office microseconds, before each day."""
    found, days, used, day = {}, 0, 0, FIRST
    whole = (datetime.combine(FIRST, CLOSES) - datetime.combine(FIRST, OPENS)) // MICRO
    while day <= LAST:
        found[day] = days, used
        days, used, day = days + is_worked(day), used + whole * is_worked(day), day + DAY
    return found


def office(a: datetime, b: datetime) -> timedelta:
    """Office time from a to b."""
    return (_office_at(b) - _office_at(a)) * MICRO


def _office_at(at: datetime) -> int:
    used = _before()[at.date()][1]
    if is_worked(at.date()):
        begin = datetime.combine(at.date(), OPENS)
        used += (min(max(at, begin), closing(at.date())) - begin) // MICRO
    return used


def days_between(a: datetime, b: datetime, unit: str) -> int:
    """How many days later b counts than a: worked days for `wd`, else all."""
    if unit == "wd":
        return _before()[b.date()][0] - _before()[a.date()][0]
    return (b.date() - a.date()).days


def resumed(paused: datetime, was_due: datetime, now: datetime, unit: str) -> datetime:
    """When a clock paused then is due once it runs again now: it has never less left than it had."""
    if paused >= was_due:
        return was_due
    if unit == "h":
        return now + (was_due - paused)
    if unit == "oh":
        return after_office(now, office(paused, was_due))
    if days_between(paused, now, unit) <= 0:
        return was_due
    left = days_between(paused, was_due, unit)

    def in_days(n: int) -> datetime:
        return closing(plus_worked(now.date(), n)) if unit == "wd" else closing(now.date() + n * DAY)

    def between(a: datetime, b: datetime) -> timedelta:
        return office(a, b) if unit == "wd" else b - a

    if left == 0 and between(now, in_days(0)) < between(paused, was_due):
        return in_days(1)
    return in_days(left)


def used(start: datetime, end: datetime, part: float, *, of_office: bool) -> datetime:
    """When that part of the time is used: of office time, or of all time where no office time lies between."""
    whole = office(start, end) if of_office else timedelta()
    if end <= start:
        return end
    if not whole:
        return start + (end - start) * part
    wanted = -(-(whole // MICRO * round(part * 100)) // 100) * MICRO
    return max(start, min(end, after_office(start, wanted)))


def next_morning(at: datetime) -> datetime:
    """When the first worked day after that day opens."""
    return datetime.combine(next_worked(at.date() + DAY), OPENS)
