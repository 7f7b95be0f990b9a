"""Figures that take a while, counted once for everybody who asks, off the event loop, and kept for a quarter of an hour."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

from liuti.doors.deps import Office
from liuti.doors.figures import wanted
from liuti.monthly import Report, gather, report_of

T = TypeVar("T")
KEPT = timedelta(minutes=15)
PATIENCE = 4.0
"""Seconds a page waits; then it says that it is being counted, and asks again by itself."""
MOST = 12


@dataclass(slots=True)
class _Counted(Generic[T]):
    at: datetime
    task: asyncio.Task[T]


class Counting(Generic[T]):
    """At most one count of each name at a time. One that failed is not kept: whoever asks next counts again."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._kept: dict[str, _Counted[T]] = {}

    async def of(self, name: str, count: Callable[[], Awaitable[T]], kept: timedelta = KEPT) -> T | None:
        """What was counted, or None while it still is."""
        found = self._kept.get(name)
        if found is None or _is_stale(found, self._now() - kept):
            found = self._kept[name] = _Counted(self._now(), asyncio.ensure_future(count()))
            while len(self._kept) > MOST:
                self._kept.pop(next(iter(self._kept)))
        done, _ = await asyncio.wait({found.task}, timeout=PATIENCE)
        if not done:
            return None
        if found.task.exception() is not None:
            self._kept.pop(name, None)
        return found.task.result()


def _is_stale(found: _Counted[Any], before: datetime) -> bool:
    return found.at < before and found.task.done()


async def report(here: Office, name: str) -> Report | None:
    """The report of a period by every dimension; Refused 422 for what is no period, None while it is being counted."""
    world = here.desk.world()
    period = wanted(name, here.now(), world.calendar.zone)

    async def count() -> Report:
        gathered = await gather(here.engine, period, world)
        return await asyncio.to_thread(report_of, gathered, period)

    return await counting(here).of(f"report {name}", count)


def counting(here: Office) -> Counting[Any]:
    if here.counted is None:
        here.counted = Counting(here.now)
    found: Counting[Any] = here.counted
    return found
