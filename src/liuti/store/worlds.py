"""The rules in force, held by a running process and read again now and then: a notice that came in counts at once."""

from __future__ import annotations

import asyncio
import random

from liuti.flow.clocks import World
from liuti.store.engine import Engine
from liuti.store.world import load_world


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
        """Refresh until cancelled; a database that is away for a while changes nothing."""
        while True:
            await asyncio.sleep(seconds * random.uniform(0.8, 1.2))  # noqa: S311 - spreads the readers, guards nothing
            try:
                await self.refresh(engine)
            except OSError:
                continue
