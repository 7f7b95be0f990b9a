"""The rules in force, held by a running process and read again now and then: a notice that came in counts at once."""

from __future__ import annotations

import asyncio
import random

import structlog

from liuti.flow.clocks import World
from liuti.store.engine import Engine
from liuti.store.world import load_world

LOG = structlog.get_logger()


class Worlds:
    """Called, it answers with the world as last read. `policy_words` is the text of the district's policy file."""

    def __init__(self, policy_words: str | None) -> None:
        self._policy_words = policy_words
        self._world: World | None = None

    def __call__(self) -> World:
        assert self._world is not None, "refresh first"
        return self._world

    async def refresh(self, engine: Engine) -> None:
        self._world = await engine.read(lambda conn: load_world(conn, self._policy_words))

    async def watch(self, engine: Engine, seconds: float = 30) -> None:
        """Refresh until cancelled. What goes wrong, in the database or in what it holds, leaves the last world in force."""
        task = asyncio.current_task()
        # A cancellation that met with a fault may come out as the fault: it is not asked for twice.
        while task is None or not task.cancelling():
            await asyncio.sleep(seconds * random.uniform(0.8, 1.2))  # noqa: S311 - spreads the readers, guards nothing
            try:
                await self.refresh(engine)
            except Exception as fault:  # noqa: BLE001 - nobody else is there to begin again
                LOG.error("world_not_read", alert=True, fault=type(fault).__name__)
