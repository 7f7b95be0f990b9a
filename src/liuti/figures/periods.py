"""A period: a month, a quarter or a year by local midnights, and how far into it one can see."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, tzinfo

from msgspec import Struct

_NAME = re.compile(r"(\d{4})(?:-(?:(0[1-9]|1[0-2])|Q([1-4])))?", re.ASCII)
_INSTANT = timedelta(microseconds=1)


class Period(Struct, frozen=True):
    """From start to before end, as known at as_of: the last instant of it, or now while it still runs."""

    name: str
    start: datetime
    end: datetime
    as_of: datetime

    @property
    def final(self) -> bool:
        """It is over: nothing that comes later changes what is told of it."""
        return self.as_of >= self.end - _INSTANT

    def holds(self, at: datetime | None) -> bool:
        return at is not None and self.start <= at <= self.as_of


def period_of(name: str, now: datetime, zone: tzinfo) -> Period:
    """`2026-10`, `2026-Q4` or `2026`. ValueError for any other name, and for a period that has not begun."""
    found = _NAME.fullmatch(name)
    if found is None or not 1970 <= int(found[1]) < 9999:
        raise ValueError(f"{name}: a period is a month 2026-10, a quarter 2026-Q4 or a year 2026")
    year, month, months = int(found[1]), 1, 12
    if found[2]:
        month, months = int(found[2]), 1
    elif found[3]:
        month, months = 3 * int(found[3]) - 2, 3
    after = month + months
    start = datetime(year, month, 1, tzinfo=zone)
    end = datetime(year + (after > 12), (after - 1) % 12 + 1, 1, tzinfo=zone)
    if now < start:
        raise ValueError(f"{name}: this period has not begun")
    return Period(name, start, end, min(now, end - _INSTANT))
