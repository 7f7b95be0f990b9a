"""What happens without anybody asking: clocks strike, letters leave, and guessed due times are counted again."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import traceback
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import structlog

from liuti.alarms import Watching
from liuti.flow.amended import Amended
from liuti.flow.kernel import CLOCK, Refused
from liuti.flow.table import FLOW
from liuti.letters import written
from liuti.lines import post_of
from liuti.matters import Arranging
from liuti.post import Post
from liuti.sampling import Sampling
from liuti.senders import NotSent, NotYet, Sender
from liuti.settings import Settings
from liuti.store import codes, outbox, passes, sweep
from liuti.store.act import Desk
from liuti.store.engine import open_engine
from liuti.store.world import forget_amended
from liuti.store.worlds import Worlds

T = TypeVar("T")
Chore = tuple[Callable[[datetime], Awaitable[int]], float]
LOG = structlog.get_logger()

LETTERS, AT_ONCE = 50, 10
"""Leased together, and sent at a time: at 15 seconds for the slowest a batch is through within its lease."""
SIDE_BY_SIDE = 2
"""Batches in hand at once: while the database writes one, the next is decided. What one holds the other passes by."""
RETRIED = 20
"""Deferred issues tried again before a batch, at most: each of them is a transaction of its own."""
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=30), timedelta(hours=1)
"""How long an issue that failed is left alone: doubling each time."""
RECOUNT_EVERY = timedelta(hours=1)
"""A server that has not heard of a new notice yet may still write a provisional due time."""

ALL_HAVE_HEARD = timedelta(minutes=5)
"""By then every running server has read the world anew (`Worlds.watch`) and starts no clock by an old notice."""


@dataclass(frozen=True, slots=True)
class _Deferred:
    until: datetime
    times: int


class Worker:
    """Any number may work on one database: rows in hand are locked, letters in hand leased under the worker's name.

    `sender` sends one letter or raises; `now` is the time. `worlds`, if given, is read anew before due times are
    counted again. `pause` is the seconds of rest when there is nothing to do. `chores` are done beside: each says how
    much it did, and rests its seconds when that was nothing.
    """

    def __init__(
        self,
        desk: Desk,
        sender: Sender,
        now: Callable[[], datetime],
        *,
        base_url: str = "",
        worlds: Worlds | None = None,
        name: str = "",
        batch: int = sweep.BATCH,
        pause: float = 1.0,
        chores: Sequence[Chore] = (),
    ) -> None:
        self._desk, self._engine, self._sender, self._now = desk, desk.engine, sender, now
        self._base_url, self._worlds, self._batch, self._pause = base_url, worlds, batch, pause
        self._chores: tuple[Chore, ...] = (
            (self.sweep_once, pause), (self.post_once, pause), (self._tend, 60.0), *chores,
        )  # fmt: skip
        self.name = name or f"{os.getpid()}-{os.urandom(6).hex()}"
        self._deferred: dict[str, _Deferred] = {}
        self._alarms: list[asyncio.Event] = []
        self._stopping = False
        self._recounted: tuple[datetime, tuple[int, ...]] | None = None

    # -- running ---------------------------------------------------------------------------------------------------

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set; then what is in hand is finished, and letters not tried yet are given back."""
        self._stopping = stop.is_set()
        log = LOG.bind(worker=self.name)
        log.info("worker_started")
        async with asyncio.TaskGroup() as tasks:
            # Side by side: a slow address outside must not hold up the clocks.
            loops = [tasks.create_task(self._repeat(once, pause)) for once, pause in self._chores]
            stopped = tasks.create_task(self._stop_at(stop))
            await asyncio.wait(loops)
            stopped.cancel()
        log.info("worker_stopped")

    async def _stop_at(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._stopping = True
        for alarm in self._alarms:
            alarm.set()

    async def _repeat(self, once: Callable[[datetime], Awaitable[int]], pause: float) -> None:
        alarm = asyncio.Event()
        self._alarms.append(alarm)
        stumbles = 0
        while not self._stopping:
            alarm.clear()
            outcome = await _outcome(once(self._now()))
            if isinstance(outcome, Exception):
                stumbles += 1
                LOG.error("worker_stumbled", worker=self.name, at=once.__name__, times=stumbles, **_fault(outcome))
            else:
                stumbles = 0
                if outcome:
                    continue
            rest = min(pause * 2 ** min(stumbles, 6), 60.0) * random.uniform(0.75, 1.25)  # noqa: S311 - spreads workers
            with suppress(TimeoutError):
                await asyncio.wait_for(alarm.wait(), rest)
        self._alarms.remove(alarm)

    # -- clocks strike ---------------------------------------------------------------------------------------------

    async def sweep_once(self, now: datetime) -> int:
        """Strike a batch or two of what is due; the number of ledger entries written.

        If a batch fails, nothing of it was written and each of its issues is tried alone: one that fails again is
        left alone for a while and reported. Raises only when the database itself is away.
        """
        made = await self._each_alone(self._again(now), now)
        batches = await asyncio.gather(*(self._strike_batch(now) for _ in range(SIDE_BY_SIDE)))
        for outcome in batches:
            if isinstance(outcome, Exception):
                LOG.warning("batch_undone", worker=self.name, **_fault(outcome))
        made += sum(outcome for outcome in batches if not isinstance(outcome, Exception))
        if any(isinstance(outcome, Exception) for outcome in batches):
            ids = partial(sweep.due_ids, now=now, most=self._batch, beside=tuple(self._deferred))
            made += await self._each_alone(await self._engine.read(ids), now)
        return made

    async def _strike_batch(self, now: datetime) -> int | Exception:
        strike = partial(sweep.strike_due, desk=self._desk, now=now, most=self._batch, beside=tuple(self._deferred))
        return await _outcome(self._engine.write(strike))

    def _again(self, now: datetime) -> list[str]:
        return [issue for issue, one in self._deferred.items() if one.until <= now][:RETRIED]

    async def _each_alone(self, ids: Sequence[str], now: datetime) -> int:
        made = 0
        for issue in ids:
            work = partial(sweep.strike_one, desk=self._desk, issue=issue, now=now)
            outcome = await _outcome(self._engine.write(work))
            if isinstance(outcome, Exception):
                await self._defer(issue, now, outcome)
            else:
                made += outcome
                self._deferred.pop(issue, None)
        return made

    async def _defer(self, issue: str, now: datetime, fault: Exception) -> None:
        # When the database is away, that is nobody's fault: this raises, and the sweep ends here.
        await self._engine.read(partial(sweep.due_ids, now=now, most=1))
        times = self._deferred[issue].times + 1 if issue in self._deferred else 1
        until = now + min(FIRST_WAIT * 2 ** min(times - 1, 10), LONGEST_WAIT)
        self._deferred[issue] = _Deferred(until, times)
        LOG.error(
            "strike_deferred", alert=True, worker=self.name, issue=issue, times=times, until=until, **_fault(fault)
        )

    # -- letters leave ---------------------------------------------------------------------------------------------

    async def post_once(self, now: datetime) -> int:
        """Send a batch of the letters that are due; the number leased."""
        taken = await self._engine.write(partial(outbox.take, by=self.name, now=now, most=LETTERS))
        turns = asyncio.Semaphore(AT_ONCE)
        kept = await asyncio.gather(*(self._send_in_turn(turns, row, now) for row in taken))
        back = [row["id"] for row, tried in zip(taken, kept, strict=True) if not tried]
        if back:
            await self._engine.write(partial(outbox.give_back, ids=back, by=self.name, now=now))
        return len(taken) - len(back)

    async def _send_in_turn(self, turns: asyncio.Semaphore, row: Any, now: datetime) -> bool:
        """False when the worker was told to stop before it was this letter's turn."""
        async with turns:
            if self._stopping:
                return False
            outcome = await _outcome(self._send(row))
        mark = self._held(row, outcome) if isinstance(outcome, NotYet) else self._marked(row, outcome, now)
        marked = await _outcome(mark)
        if isinstance(marked, Exception):  # its lease runs out, and it is sent again with the same id
            LOG.error("letter_not_marked", worker=self.name, letter=row["id"], **_fault(marked))
        return True

    async def _send(self, row: Any) -> None:
        desk = self._desk
        world = desk.world()
        await self._sender.send(written(row, desk.ring, self._base_url, world.calendar.zone, world.policy))

    async def _held(self, row: Any, quiet: NotYet) -> None:
        await self._engine.write(partial(outbox.hold, letter=row["id"], by=self.name, until=quiet.until))

    async def _marked(self, row: Any, outcome: Exception | None, now: datetime) -> None:
        if outcome is not None:
            await self._failed(row, outcome, now)
        else:
            await self._engine.write(partial(outbox.sent, letter=row["id"], by=self.name, now=now))

    async def _failed(self, row: Any, fault: Exception, now: datetime) -> None:
        why = fault.why if isinstance(fault, NotSent) else type(fault).__name__
        tries = outbox.TRIES if isinstance(fault, NotSent) and fault.final else row["tries"]
        mark = partial(outbox.failed, letter=row["id"], by=self.name, tries=tries, fault=why, now=now)
        dead = await self._engine.write(mark)
        log = LOG.bind(
            worker=self.name, letter=row["id"], event_name=row["event"], to=row["recipient"], tries=row["tries"]
        )
        if dead:
            log.error("letter_dead", alert=True, why=why)
        else:
            log.warning("letter_failed", why=why, **({} if isinstance(fault, NotSent) else _fault(fault)))

    # -- due times that were guessed ---------------------------------------------------------------------------------

    async def _tend(self, now: datetime) -> int:
        """Read the rules anew, and count again when the calendar has changed, or once in a while."""
        if self._worlds is not None:
            await self._worlds.refresh(self._engine)
        years, last = self._desk.world().calendar.years, self._recounted
        if last is None or last[1] != years or now >= last[0] + RECOUNT_EVERY:
            await self.recompute_once(now)
        if isinstance(self._desk.world(), Amended):
            await self.recount_amended(now)
        return 0

    async def recount_amended(self, now: datetime) -> int:
        """Row 52 on every issue that an amended notice gives another due time; how many.

        What the notice said before is dropped once a pass found every server to know the new one, and nothing failed.
        """
        world, after, made, failed = self._desk.world(), "", 0, 0
        while True:
            after, ids = await self._engine.read(partial(sweep.outdated_ids, world=world, after=after))
            for issue in ids:
                outcome = await _outcome(self._desk.act(CLOCK, "recompute", {}, issue))
                if not isinstance(outcome, Exception):
                    made += 1
                elif not (isinstance(outcome, Refused) and outcome.code == "something_is_provisional"):
                    failed += 1
                    LOG.error("recount_failed", alert=True, worker=self.name, issue=issue, **_fault(outcome))
                if self._stopping:
                    return made
            if not after:
                break
        if made or failed:
            LOG.warning("notice_amended", worker=self.name, recounted=made, failed=failed)
        if not failed:
            await self._engine.write(partial(forget_amended, until=now - ALL_HAVE_HEARD))
        return made

    async def recompute_once(self, now: datetime) -> int:
        """Go through all provisional due times once; the number of issues whose times could be counted again."""
        if self._worlds is not None:
            await self._worlds.refresh(self._engine)
        years = self._desk.world().calendar.years
        after, made, left = "", 0, 0
        while not self._stopping:
            outcome = await _outcome(self._engine.write(partial(sweep.recount, desk=self._desk, after=after, now=now)))
            page = await self._recount_alone(after, now) if isinstance(outcome, Exception) else outcome
            after, made, left = page.last, made + page.made, left + page.left
            if not after:
                self._recounted = now, years
                break
        if left:
            LOG.warning("due_times_provisional", alert=True, worker=self.name, issues=left, notices_of=years)
        return made

    async def _recount_alone(self, after: str, now: datetime) -> sweep.Page:
        ids = await self._engine.read(partial(sweep.provisional_ids, after=after))
        made = 0
        for issue in ids:
            work = partial(sweep.recount_one, desk=self._desk, issue=issue, now=now)
            outcome = await _outcome(self._engine.write(work))
            if isinstance(outcome, Exception):
                LOG.error("recount_failed", alert=True, worker=self.name, issue=issue, **_fault(outcome))
            else:
                made += outcome
        return sweep.Page(ids[-1] if len(ids) == sweep.BATCH else "", made, len(ids) - made)


async def _outcome(work: Awaitable[T]) -> T | Exception:
    """The one place that catches whatever goes wrong: whoever asked puts that one item off, and the rest goes on."""
    try:
        return await work
    except Exception as fault:  # noqa: BLE001 - see above
        return fault


def _fault(fault: Exception) -> dict[str, str]:
    """What may stand in a log: the kind and the place, never the words, which may be a person's."""
    frame = next(iter(traceback.extract_tb(fault.__traceback__)[-1:]), None)
    kind = f"Refused {fault.code}" if isinstance(fault, Refused) else type(fault).__name__
    return {"fault": kind, "where": f"{Path(frame.filename).name}:{frame.lineno}" if frame else ""}


# -- a process that works ------------------------------------------------------------------------------------------


def stop_on_signals(stop: asyncio.Event) -> None:
    """The first SIGTERM or SIGINT sets `stop`; a second one ends the process as if nobody listened."""
    loop = asyncio.get_running_loop()
    signals = (signal.SIGTERM, signal.SIGINT)

    def heard() -> None:
        stop.set()
        for one in signals:
            loop.remove_signal_handler(one)

    for one in signals:
        loop.add_signal_handler(one, heard)


def utc_now() -> datetime:
    return datetime.now(UTC)


async def run_worker(settings: Settings, stop: asyncio.Event, now: Callable[[], datetime] = utc_now) -> None:
    """A worker on the database the settings name, until `stop` is set; leaves no connection behind."""
    engine = open_engine(settings.database_url, pool=4)
    worlds = Worlds(settings.policy_words())
    post: Post | None = None
    try:
        await worlds.refresh(engine)
        desk = Desk(engine, FLOW, worlds, settings.ring(), now, settings.seal)
        post = post_of(settings, engine, desk.ring, now, lambda: desk.world().calendar.zone)
        arranging, watching = Arranging(engine, desk.world), Watching(engine, desk.world)
        sampling = Sampling(engine, desk.world)
        forget: Chore = (lambda at: engine.write(partial(codes.forget, now=at)), 3600.0)
        kept = timedelta(days=desk.world().policy.retention.access_log)
        sign_out: Chore = (lambda at: engine.write(partial(passes.sweep_passes, before=at - kept)), 3600.0)
        chores = (
            (arranging.arrive, 2.0),
            (arranging.at_night, 300.0),
            (watching.at_night, 300.0),
            (sampling.at_night, 300.0),
            forget,
            sign_out,
        )
        await Worker(desk, post, now, base_url=settings.base_url, worlds=worlds, chores=chores).run(stop)
    finally:
        if post is not None:
            await post.aclose()
        await engine.close()
