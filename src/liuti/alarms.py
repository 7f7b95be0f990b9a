"""Every night: rates that passed a limit of the policy are told to the inspection teams (docs/rules.md §7)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, time, timedelta
from functools import partial

import structlog

from liuti.figures.alerts import alarms
from liuti.figures.periods import period_of
from liuti.flow.clocks import World
from liuti.monthly import figures_by, gather
from liuti.store import alerts, chores
from liuti.store.engine import Engine

LOG = structlog.get_logger()
NIGHT = time(3)
MISSED = timedelta(days=3)
"""For so long a month is looked at again when it is over: a night on which nobody worked, or that a fault ended early,
is made up for."""


class Watching:
    """Looks at the month of the day before: the last night of a month is looked at in the first of the next."""

    def __init__(self, engine: Engine, world: Callable[[], World]) -> None:
        self._engine, self._world = engine, world

    async def at_night(self, now: datetime) -> int:
        """Once between two nights, by whichever worker is first."""
        zone = self._world().calendar.zone
        due = datetime.combine(now.astimezone(zone).date(), NIGHT, zone)
        if now < due or not await self._engine.write(partial(chores.take, name="alerts", due=due, now=now)):
            return 0
        made = await self.look(now)
        if made:
            LOG.warning("rates_passed_limits", alert=True, made=made)
        return 0

    async def look(self, now: datetime) -> int:
        """How many alerts are new; what is known of a month is not told again."""
        here = now.astimezone(self._world().calendar.zone)
        months = dict.fromkeys(f"{here - ago:%Y-%m}" for ago in (MISSED, timedelta(days=1)))
        return sum([await self._look_at(month, now) for month in months])

    async def _look_at(self, month: str, now: datetime) -> int:
        world = self._world()
        period = period_of(month, now, world.calendar.zone)
        gathered = await gather(self._engine, period, world)
        made = await asyncio.to_thread(figures_by, gathered, period, "unit")
        found = alarms(made, gathered.cases, gathered.frame.limits)
        return await self._engine.write(partial(alerts.keep, period=period.name, found=found, now=now))
