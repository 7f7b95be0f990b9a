"""Working time: which days are worked, when a span of time is due, what a pause leaves over."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, cast
from zoneinfo import ZoneInfo

from liuti.flow.notice import DAY, EARLIEST, LATEST, Notice
from liuti.flow.span import Due, Rest, Span, Unit

__all__ = ["Calendar", "Due", "Notice", "Rest", "Span", "Unit"]

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICRO: Final = timedelta(microseconds=1)
SECOND: Final = 1_000_000
HOUR: Final = 3600 * SECOND
SURE: Final = False


def _micros(at: datetime) -> int:
    return (at - EPOCH) // MICRO


def _moment(micros: int) -> datetime:
    return EPOCH + timedelta(0, 0, micros)  # by place: a keyword costs half as much again, and every due() pays it


class _Table:
    """Every day of some years laid out as sorted microseconds since 1970, so that a question is a bisection."""

    __slots__ = (
        "begins", "closes", "closings", "day_begins", "day_closings", "days", "ends", "first", "last", "opens", "start",
        "used", "used_after", "years",
    )  # fmt: skip

    def __init__(self, calendar: Calendar, first: int, last: int) -> None:
        self.years = (first, last)
        self.start = start = date(first, 1, 1)
        dates = [start + DAY * n for n in range((date(last + 1, 1, 1) - start).days)]
        self.day_begins = [_micros(calendar.moment(day, time())) for day in dates]
        self.day_closings = [calendar.moment(day, calendar.closes) for day in dates]
        after = [*self.day_begins[1:], _micros(calendar.moment(date(last + 1, 1, 1), time()))]
        work = [n for n, day in enumerate(dates) if calendar.working(day)]
        self.days = [dates[n] for n in work]
        self.begins = [self.day_begins[n] for n in work]
        self.ends = [after[n] for n in work]
        self.opens = [_micros(calendar.moment(day, calendar.opens)) for day in self.days]
        self.closings = [self.day_closings[n] for n in work]
        self.closes = [_micros(at) for at in self.closings]
        self.used = [0]
        for opens, closes in zip(self.opens, self.closes, strict=True):
            self.used.append(self.used[-1] + closes - opens)
        self.used_after = self.used[1:]
        self.first, self.last = self.day_begins[0], self.closes[-1]

    def position(self, micros: int) -> int:
        """Office time from the table's first day up to this moment, in microseconds."""
        n = bisect_right(self.closes, micros)
        opens = self.opens[n]
        return self.used[n] + micros - opens if micros > opens else self.used[n]

    def after(self, micros: int, amount: int) -> int:
        """The earliest moment by which that much office time has passed since; IndexError beyond the table."""
        n = bisect_right(self.closes, micros)
        begin = max(micros, self.opens[n])
        if begin + amount <= self.closes[n]:
            return begin + amount
        return self.at(self.used[n] + begin - self.opens[n] + amount)

    def at(self, position: int) -> int:
        """The earliest moment with so much office time before it; IndexError beyond the table."""
        n = bisect_left(self.used_after, position)
        return self.opens[n] + position - self.used[n]


class Calendar:
    """Working time in one time zone, from the notices that are loaded.

    Takes aware datetimes of any zone (TypeError for naive ones) and answers in UTC. A working day is one the notices
    say is worked, else Monday to Friday that is not off; a year without a notice is reckoned as Monday to Friday and
    what depends on it is marked provisional. ValueError before 1970 or after 2200.
    Source: docs/rules.md §5.
    """

    def __init__(
        self,
        notices: Iterable[Notice] = (),
        zone: str = "Asia/Shanghai",
        opens: time = time(9),
        closes: time = time(17, 30),
    ) -> None:
        if opens >= closes:
            raise ValueError(f"the office opens before it closes, not at {opens} and {closes}")
        self.zone, self.opens, self.closes = ZoneInfo(zone), opens, closes
        notices = sorted(notices, key=lambda notice: notice.year)
        self.years: tuple[int, ...] = tuple(notice.year for notice in notices)
        if len(set(self.years)) != len(self.years):
            raise ValueError(f"a year has one notice, these years do not: {self.years}")
        self._off = frozenset(day for notice in notices for day in notice.off)
        self._worked = frozenset(day for notice in notices for day in notice.worked)
        # Stretches of years with a notice as beginning, end, beginning, end: inside one where the bisection is odd.
        self._known: list[int] = []
        for year in self.years:
            begin, end = (_micros(self.moment(date(y, 1, 1), time())) for y in (year, year + 1))
            if self._known and self._known[-1] == begin:
                self._known.pop()
                self._known.append(end)
            else:
                self._known += [begin, end]
        first, last = (self.years[0], self.years[-1]) if self.years else (2025, 2025)
        self._table = _Table(self, max(EARLIEST, first - 1), min(LATEST - 1, last + 1))

    def moment(self, day: date, at: time) -> datetime:
        """That local day and time of day, in UTC."""
        return datetime.combine(day, at, self.zone).astimezone(UTC)

    def closing(self, day: date) -> datetime:
        """When the office closes on that local day, worked or not."""
        table = self._table
        n = (day - table.start).days
        return table.day_closings[n] if 0 <= n < len(table.day_closings) else self.moment(day, self.closes)

    def working(self, day: date) -> bool:
        """Whether that local day is worked."""
        return day in self._worked or (day.weekday() < 5 and day not in self._off)

    def due(self, start: datetime, span: Span) -> Due:
        """When a span that starts now is over.

        ``wd``: closing time of working day n after day 0, which is the local day of the start at any hour, or the next
        working day if that one is not worked. ``oh``: when so much office time has passed. ``d``: closing time of local
        day n. ``h``: by the clock on the wall.
        """
        micros, unit = (start - EPOCH) // MICRO, span.unit
        if unit == "h":
            return Due(_moment(micros + round(span.n * HOUR)), SURE)
        table = self._table
        if not table.first <= micros < table.last:
            table = self._covering(micros)
        try:
            if unit == "wd":
                n = bisect_right(table.ends, micros) + cast(int, span.n)
                return Due(table.closings[n], self._guessed(micros, table.closes[n]))
            if unit == "d":
                n = bisect_right(table.day_begins, micros) - 1 + cast(int, span.n)
                return Due(table.day_closings[n], SURE)
            end = table.after(micros, round(span.n * HOUR))
            return Due(_moment(end), self._guessed(micros, end))
        except IndexError:
            self._grow(table)
            return self.due(start, span)

    def same_day(self, arrived: datetime, cutoff: time, next_by: time) -> Due:
        """When a consultation is to be answered (docs/rules.md §2 A16): closing time of the day it arrived; past the
        cutoff, ``next_by`` of the next working day; on a rest day it counts as arrived when the next one opens."""
        micros = _micros(arrived)
        table = self._covering(micros)
        n = bisect_right(table.ends, micros)
        if micros >= table.begins[n] and arrived.astimezone(self.zone).time() > min(cutoff, self.closes):
            n, at = n + 1, next_by
        else:
            at = self.closes
        if n == len(table.days):
            self._grow(table)
            return self.same_day(arrived, cutoff, next_by)
        end = self.moment(table.days[n], at)
        return Due(end, self._guessed(micros, _micros(end)))

    def rest(self, at: datetime, due: datetime, unit: Unit) -> Rest:
        """What a clock that is due then has left when it is paused now; see ``Rest`` for how it is counted."""
        left = timedelta()
        if at < due:
            if unit == "h":
                left = due - at
            elif unit == "oh":
                left = timedelta(microseconds=self._office(at, due))
            else:
                left = self._days_between(at, due, unit) * DAY
        return Rest(unit, left, at.astimezone(UTC), due.astimezone(UTC))

    def resume(self, now: datetime, rest: Rest) -> Due:
        """When a paused clock is due once it runs again.

        It never has less than at the pause: ``h`` and ``oh`` have exactly the same, ``wd`` and ``d`` the same whole
        days, and stay due at closing time. On its last day the hours are all a clock has: if fewer would be left
        before closing than at the pause, it is due the (working) day after. A pause within one day changes nothing;
        nor does one that began when the clock was already late.
        """
        end = self._resumed(now, rest)
        if rest.unit in ("h", "d"):
            return Due(end, SURE)
        spells = ((rest.at, rest.due), (now, end))
        return Due(end, any(self._guessed(_micros(min(a, b)), _micros(b)) for a, b in spells))

    def _resumed(self, now: datetime, rest: Rest) -> datetime:
        unit = rest.unit
        if rest.late:
            return rest.due
        if unit == "h":
            return now.astimezone(UTC) + rest.left
        if unit == "oh":
            return self._office_after(now, rest.left // MICRO)
        if self._days_between(rest.at, now, unit) <= 0:
            return rest.due
        end = self._closing_after(now, unit, rest.left.days)
        if not rest.left and self._between(now, end, unit) < self._between(rest.at, rest.due, unit):
            return self._closing_after(now, unit, 1)
        return end

    def office_seconds(self, a: datetime, b: datetime) -> int:
        """Whole seconds of office time from a to b; below zero if b is earlier."""
        return self._office(a, b) // SECOND if a <= b else -(self._office(b, a) // SECOND)

    def next_working_day_start(self, at: datetime) -> datetime:
        """When the first working day after this local day opens."""
        micros = _micros(at)
        table = self._covering(micros)
        n = bisect_right(table.ends, micros)
        n += micros >= table.begins[n]
        if n == len(table.opens):
            self._grow(table)
            return self.next_working_day_start(at)
        return _moment(table.opens[n])

    def fraction(self, start: datetime, due: datetime, part: float = 0.75, unit: Unit = "wd") -> datetime:
        """When that part (0 to 1) of the time from start to due is used: of office time for ``wd`` and ``oh``, of wall
        time for ``h`` and ``d`` and where no office time lies between. Never after due."""
        begin, end = (start - EPOCH) // MICRO, (due - EPOCH) // MICRO
        if end <= begin:
            return _moment(end)
        if unit in ("wd", "oh"):
            self._covering(begin)
            table = self._covering(end)  # never shrinks, so it covers both
            used = table.position(begin)
            if office := table.position(end) - used:
                return _moment(max(begin, min(end, table.at(used + math.ceil(office * part)))))
        return _moment(begin + round((end - begin) * part))

    def _guessed(self, start: int, end: int) -> bool:
        n = bisect_right(self._known, start)
        return not (n & 1 and end < self._known[n])

    def _between(self, a: datetime, b: datetime, unit: Unit) -> int:
        return self._office(a, b) if unit == "wd" else (b - a) // MICRO

    def _office(self, a: datetime, b: datetime) -> int:
        start, end = _micros(a), _micros(b)
        self._covering(start)
        table = self._covering(end)  # never shrinks, so it covers both
        return table.position(end) - table.position(start)

    def _office_after(self, start: datetime, amount: int) -> datetime:
        micros = _micros(start)
        table = self._covering(micros)
        try:
            return _moment(table.after(micros, amount))
        except IndexError:
            self._grow(table)
            return self._office_after(start, amount)

    def _days_between(self, a: datetime, b: datetime, unit: Unit) -> int:
        """How many days later b counts than a: working days for ``wd``, else local days."""
        start, end = _micros(a), _micros(b)
        self._covering(start)
        table = self._covering(end)
        ends = table.ends if unit == "wd" else table.day_begins
        return bisect_right(ends, end) - bisect_right(ends, start)

    def _closing_after(self, start: datetime, unit: Unit, days: int) -> datetime:
        micros = _micros(start)
        table = self._covering(micros)
        try:
            if unit == "wd":
                return table.closings[bisect_right(table.ends, micros) + days]
            return table.day_closings[bisect_right(table.day_begins, micros) - 1 + days]
        except IndexError:
            self._grow(table)
            return self._closing_after(start, unit, days)

    def _covering(self, micros: int) -> _Table:
        """A table with this moment in it; laid out anew, larger, when the one at hand has not."""
        while not self._table.first <= micros < self._table.last:
            self._grow(self._table, earlier=micros < self._table.first)
        return self._table

    def _grow(self, table: _Table, *, earlier: bool = False) -> None:
        first, last = table.years
        more = last - first + 1
        if first <= EARLIEST if earlier else last + 1 >= LATEST:
            raise ValueError(f"the calendar reaches from {EARLIEST} to {LATEST}")
        years = (max(EARLIEST, first - more), last) if earlier else (first, min(LATEST - 1, last + more))
        self._table = _Table(self, *years)  # one assignment: who reads meanwhile keeps a whole table
