"""A few passwords are looked at at a time: each costs 64 MiB and a tenth of a second, and anybody may ask for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import BoundedSemaphore
from typing import ParamSpec, TypeVar

from liuti.flow.kernel import Refused

P = ParamSpec("P")
T = TypeVar("T")

AT_ONCE, WAITING = 2, 30
"""128 MiB for each server process; whoever comes last waits some two seconds on one core."""
COME_BACK = 3
"""Seconds after which those who wait now are through."""


class Hashing:
    """Threads of its own, so that a rush at the door holds up neither files nor the event loop."""

    def __init__(self, at_once: int = AT_ONCE, waiting: int = WAITING) -> None:
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix="liuti-hash")
        # Given back when the work is done or dropped, not when its caller stops waiting: a thread cannot be called back.
        self._seats = BoundedSemaphore(at_once + waiting)

    async def do(self, work: Callable[P, T], *args: P.args, **more: P.kwargs) -> T:
        """The result of `work`, in its turn. Refused 503 `door_is_full` when too many wait already."""
        if not self._seats.acquire(blocking=False):
            zh, en = "登录人数过多,请稍后再试。", "Too many are signing in: please try again in a moment."
            raise Refused("door_is_full", 503, zh, en, retry_after=COME_BACK)
        try:
            done: Future[T] = self._threads.submit(work, *args, **more)
        except RuntimeError:
            self._seats.release()
            raise
        done.add_done_callback(lambda _done: self._seats.release())
        return await asyncio.wrap_future(done)

    async def close(self) -> None:
        """Those who wait are sent away; what is being computed ends first."""
        await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)
