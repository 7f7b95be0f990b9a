"""What tests that wait have in common: how long at most, and a port nobody else is given meanwhile."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

PATIENCE = 60.0
"""Seconds for what must happen and takes a moment where nothing else runs: how long it took says how busy the machine was."""


async def until(truth: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Returns once it is true; TimeoutError when it does not come true."""
    async with asyncio.timeout(seconds):
        while not truth():  # noqa: ASYNC110 - any truth may be waited for
            await asyncio.sleep(0.005)


@contextmanager
def own_port() -> Iterator[int]:
    """A port for a server that is started later, or again and again.

    On Linux it stays bound, so that the system gives it to nobody else, to listen or to call from; nobody listens there,
    so that a server which takes an address over from a dead one (SO_REUSEADDR, as ours do) may.
    """
    with socket.socket() as kept:
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        kept.bind(("127.0.0.1", 0))
        port = int(kept.getsockname()[1])
        if sys.platform != "linux":
            kept.close()
        yield port
