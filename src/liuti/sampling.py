"""Every night: residents are drawn and asked about the published topics that are being rated, where the policy wants it (docs/rules.md §7)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, time
from functools import partial

import structlog

from liuti.flow.clocks import World
from liuti.store import chores, residents
from liuti.store.engine import Engine

LOG = structlog.get_logger()
NIGHT = time(4)


class Sampling:
    """Draws once for each round of each topic; the letters say the rest."""

    def __init__(self, engine: Engine, world: Callable[[], World]) -> None:
        self._engine, self._world = engine, world

    async def at_night(self, now: datetime) -> int:
        """Once between two nights, by whichever worker is first; nothing where the policy asks nobody."""
        world = self._world()
        due = datetime.combine(now.astimezone(world.calendar.zone).date(), NIGHT, world.calendar.zone)
        if not world.policy.sample.residents or now < due:
            return 0
        if await self._engine.write(partial(chores.take, name="sample", due=due, now=now)):
            await self.draw(now)
        return 0

    async def draw(self, now: datetime) -> int:
        """How many were invited."""
        rule, after, invited = self._world().policy.sample, "", 0
        while True:
            more, after = await self._engine.write(partial(residents.draw_all, rule=rule, now=now, after=after))
            invited += more
            if not after:
                break
        if invited:
            LOG.info("residents_drawn", invited=invited)
        return invited
