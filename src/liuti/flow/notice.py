"""The yearly notice of the State Council: which days are off and which weekend days are worked instead."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

EARLIEST, LATEST = 1970, 2200
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Notice:
    """The State Council's notice for one year: days off, weekend days worked instead, and where it is published.

    Holds: no day is both; a worked day is a Saturday or Sunday; every day is of the year, or of the December before
    (a notice may move work ahead of New Year).
    """

    year: int
    off: frozenset[date]
    worked: frozenset[date]
    source: str

    def __post_init__(self) -> None:
        if not EARLIEST <= self.year < LATEST:
            raise ValueError(f"a notice is for a year from {EARLIEST} to {LATEST - 1}, not {self.year}")
        for day in sorted(self.off | self.worked):
            if day.year != self.year and (day.year, day.month) != (self.year - 1, 12):
                raise ValueError(f"{day} is not a day of {self.year}")
        for day in sorted(self.off & self.worked):
            raise ValueError(f"{day} cannot be both off and worked")
        for day in sorted(self.worked):
            if day.weekday() < 5:
                raise ValueError(f"{day} is a weekday and worked anyway: only a Saturday or Sunday is made up for")

    @classmethod
    def parse(cls, toml_text: str) -> Notice:
        """The notice in a file with ``year``, ``source`` and a ``[[holiday]]`` each with ``name``, ``first``, ``last``
        and ``worked`` days; ValueError in words if anything is missing, unknown or not a date."""
        try:
            table = tomllib.loads(toml_text)
            year, source, holidays = table.pop("year"), table.pop("source"), table.pop("holiday")
            if table:
                raise ValueError(f"a notice has no {', '.join(table)}")
            off: set[date] = set()
            worked: set[date] = set()
            for holiday in holidays:
                off.update(_days(holiday.pop("first"), holiday.pop("last")))
                worked.update(_day(day) for day in holiday.pop("worked", ()))
                if set(holiday) - {"name"}:
                    raise ValueError(f"a holiday has no {', '.join(set(holiday) - {'name'})}")
        except KeyError as missing:
            raise ValueError(f"the notice lacks {missing.args[0]}") from None
        if type(year) is not int or type(source) is not str:
            raise ValueError("a notice's year is a number and its source is text")
        return cls(year, frozenset(off), frozenset(worked), source)


def _day(given: object) -> date:
    if type(given) is not date:
        raise ValueError(f"a day is written as 2026-10-01, not {given!r}")
    return given


def _days(first: object, last: object) -> Iterable[date]:
    start, end = _day(first), _day(last)
    if not 0 <= (end - start).days < 60:
        raise ValueError(f"a holiday from {start} to {end} is no holiday")
    return (start + DAY * n for n in range((end - start).days + 1))
