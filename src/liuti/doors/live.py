"""What one process knows of the latest moves, for all who watch: many of them cost one reading a second."""

from __future__ import annotations

import asyncio
import base64
import binascii
import random
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

import structlog
from msgspec import json

from liuti.flow import sight
from liuti.flow.issue import Issue
from liuti.flow.kernel import Actor, Refused
from liuti.store import feed
from liuti.store.engine import Engine
from liuti.store.feed import Line, Mark, Tail
from liuti.store.sqlite import Closed
from liuti.store.vault import KeyRing, Unreadable

LOG = structlog.get_logger()

KEPT = 2000
"""Moves a process remembers: whoever lost the line for a moment goes on from there without a statement."""
MOST, MOST_STRANGERS = 1000, 500
"""Viewers of one process, and those of them who showed no pass: passers-by never keep the officials out."""
RETRY_MS = 3000
NOBODY = "00000000-0000-0000-0000-000000000000"
"""The keys seal what belongs to a voice; an id of the feed belongs to none."""
LINGER = 10
"""Readings without any viewer before the process stops reading."""


class Told(NamedTuple):
    """One piece of news and the id of whoever has heard it; without a line: too much happened at once."""

    line: Line | None
    id: str


class Live:
    """What one process knows of the latest moves. It reads while somebody watches, once in `tick` seconds.

    A stream says something at least every `heartbeat` seconds, and ends after about `life` seconds: who comes back shows
    the pass again, and one that was revoked is no good any more.
    """

    def __init__(
        self, engine: Engine, ring: KeyRing, now: Callable[[], datetime], *, tick: float = 1.0, heartbeat: float = 15.0,
        life: float = 300.0,
    ) -> None:  # fmt: skip
        self._engine, self._ring, self._now = engine, ring, now
        self.tick, self.heartbeat, self.life = tick, heartbeat, life
        self.viewers = self.strangers = 0
        self.bell = asyncio.Event()
        """Rung once, when there is news or the end has come; then there is another."""
        self.closing = asyncio.Event()
        self.end = 0
        """The number the next piece of news will have."""
        self.id = ""
        self._first = 0
        self._log: deque[Told] = deque()
        self._numbers: dict[str, int] = {}
        """Of every id that was given: the number of the news that comes after it."""
        self._issues: dict[str, Issue] = {}
        self._texts: dict[tuple[int, Actor], str] = {}
        self._tail: Tail | None = None
        self._reading: asyncio.Task[None] | None = None
        self._starting = asyncio.Lock()
        self._alone = self._stumbles = 0

    # -- for whoever watches -------------------------------------------------------------------------------------------

    async def join(self, actor: Actor, last_id: str) -> Viewing:
        """A seat for somebody who has heard everything up to `last_id`, or who asks for what comes from now on.

        Refused 403 for who may read no case, 503 when all seats are taken or the server is about to stop.
        """
        sight.scope(actor)
        if self.closing.is_set():
            raise Closed("this channel is closed")
        if self.viewers >= MOST or (not actor.id and self.strangers >= MOST_STRANGERS):
            zh, en = "实时通道已满,请稍后再试。", "Too many are watching: please try again later."
            raise Refused("too_many_viewers", 503, zh, en, retry_after=30)
        self._alone = 0
        async with self._starting:
            if self._reading is None:
                await self._start()
        if not last_id:
            return Viewing(self, actor, self.end, [_block(id=self.id)])
        if self._first <= (number := self._numbers.get(last_id, -1)):
            return Viewing(self, actor, number, [_block(id=last_id)])
        return await self._after(actor, last_id)

    async def _after(self, actor: Actor, last_id: str) -> Viewing:
        mark = self._opened(last_id)
        found = await self._engine.read(partial(feed.gap, mark=mark)) if mark is not None else None
        if mark is None or found is None:
            return Viewing(self, actor, self.end, [self.reload()])
        blocks = [_block(id=last_id)]
        for row, after in zip(found.rows, feed.marks(found.rows, mark), strict=True):
            # What this process has not come across yet, it is about to tell.
            if self._tail is None or self._tail.has_passed(row):
                text = _seen(actor, found.issues.get(row.issue), row)
                blocks += [_block("move", self._sealed(after), text)] if text else []
        return Viewing(self, actor, self.end, blocks)

    def heard_from(self, number: int, actor: Actor) -> str | None:
        """The news from that number on which the actor may see, as a stream says it; None when it is forgotten."""
        if number < self._first:
            return None
        return "".join(
            self._text(at, told, actor) for at, told in enumerate(islice(self._log, number - self._first, None), number)
        )

    def reload(self) -> str:
        return _block("reload", self.id, "{}")

    def _text(self, number: int, told: Told, actor: Actor) -> str:
        known = self._texts.get((number, actor))
        if known is None:
            if told.line is None:
                known = _block("reload", told.id, "{}")
            else:
                text = _seen(actor, self._issues.get(told.line.issue), told.line)
                known = _block("move", told.id, text) if text else ""
            self._texts[number, actor] = known
        return known

    # -- reading -------------------------------------------------------------------------------------------------------

    async def _start(self) -> None:
        tail = Tail.starting(self._now())
        tail.take(await self._engine.read(partial(feed.since, at=tail.begin(self._now()))))
        self._tail, self.id = tail, self._sealed(tail.mark())
        self._first = self.end
        self._log.clear()
        self._issues.clear()
        self._numbers = {self.id: self.end}
        self._reading = asyncio.create_task(self._read_on())

    async def _read_on(self) -> None:
        try:
            while self._alone < LINGER and not await self._closes_within(self.tick):
                await self._read_once()
                self._alone = 0 if self.viewers else self._alone + 1
        finally:
            self._reading = None

    async def _closes_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                return await self.closing.wait()
        except TimeoutError:
            return False

    async def _read_once(self) -> None:
        assert self._tail is not None
        reading = partial(feed.news, at=self._tail.begin(self._now()), known=self._tail.known)
        try:
            found = await self._engine.read(reading)
        except Closed:
            self.close_soon()
        except Exception as fault:  # noqa: BLE001 - the outermost loop of the channel: in a second it tries again
            self._stumbles += 1
            if self._stumbles % 60 == 1:
                LOG.error("feed_stumbled", fault=type(fault).__name__, times=self._stumbles)
        else:
            self._stumbles = 0
            self._tell(self._tail.take(found.rows), found.issues)

    def _tell(self, fresh: list[tuple[Line, Mark]], issues: dict[str, Issue]) -> None:
        self._texts.clear()
        if not fresh:
            return
        if len(fresh) > feed.TOLD:
            self._keep(Told(None, self._sealed(fresh[-1][1])))
        else:
            self._issues |= issues
            for line, mark in fresh:
                self._keep(Told(line, self._sealed(mark)))
        if len(self._issues) > 2 * KEPT:
            used = {told.line.issue for told in self._log if told.line is not None}
            self._issues = {name: issue for name, issue in self._issues.items() if name in used}
        self._ring_bell()

    def _keep(self, told: Told) -> None:
        if len(self._log) == KEPT:
            self._numbers.pop(self._log.popleft().id, None)
            self._first += 1
        self._log.append(told)
        self.end += 1
        self.id = told.id
        self._numbers[told.id] = self.end

    def _ring_bell(self) -> None:
        rung, self.bell = self.bell, asyncio.Event()
        rung.set()

    # -- ids: nobody learns from one what happened to issues that are not theirs to see ---------------------------------

    def _sealed(self, mark: Mark) -> str:
        sealed = self._ring.encrypt(json.encode(mark).decode(), NOBODY, "feed")
        return base64.urlsafe_b64encode(sealed).decode().rstrip("=")

    def _opened(self, text: str) -> Mark | None:
        try:
            sealed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
            return feed.read_mark(self._ring.decrypt(sealed, NOBODY, "feed"))
        except (Unreadable, binascii.Error, ValueError):
            return None

    # -- the end -------------------------------------------------------------------------------------------------------

    def close_soon(self) -> None:
        """All streams end, and nobody is let in any more."""
        self.closing.set()
        self._ring_bell()

    async def close(self) -> None:
        self.close_soon()
        if self._reading is not None:
            await self._reading


class Viewing:
    """One viewer's seat: where they are in the news."""

    def __init__(self, live: Live, actor: Actor, number: int, first: list[str]) -> None:
        self._live, self._actor, self._number, self._blocks = live, actor, number, first

    async def blocks(self) -> AsyncIterator[str]:
        """What the stream says, until its time is over or the server stops."""
        live, clock = self._live, asyncio.get_running_loop().time
        end = clock() + live.life * random.uniform(0.9, 1.1)  # noqa: S311 - so that they do not all come back at once
        yield f"retry: {RETRY_MS}\n" + "".join(self._blocks)
        while not live.closing.is_set() and clock() < end:
            bell = live.bell
            if text := self._next():
                yield text
                continue
            try:
                async with asyncio.timeout(min(live.heartbeat, max(0.0, end - clock()))):
                    await bell.wait()
            except TimeoutError:
                # With the id: who saw nothing for an hour, and comes back, need not be told about that hour.
                yield ":\n" + _block(id=live.id)

    def _next(self) -> str:
        text = self._live.heard_from(self._number, self._actor)
        self._number = self._live.end
        return self._live.reload() if text is None else text

    @contextmanager
    def seated(self) -> Iterator[None]:
        stranger = not self._actor.id
        self._live.viewers += 1
        self._live.strangers += stranger
        try:
            yield
        finally:
            self._live.viewers -= 1
            self._live.strangers -= stranger


def _block(event: str = "", id: str = "", data: str = "") -> str:  # noqa: A002 - the word of the format
    """One event as it is sent. Without data it is none, and the browser keeps the id all the same."""
    fields = {"event": event, "id": id, "data": data}
    return "".join(f"{name}: {value}\n" for name, value in fields.items() if value) + "\n"


def _seen(actor: Actor, issue: Issue | None, line: Line) -> str:
    """The data of the event for this reader, "" when the move or the issue is not theirs to see."""
    if issue is None or not sight.may_see(actor, issue):
        return ""
    entry: dict[str, Any] = {
        "version": line.version, "move": line.move, "at": line.at, "role": line.role, "unit": "", "actor": "",
        "from_step": line.from_step, "to_step": line.to_step, "awaits": line.awaits, "words": None, "seal": "",
        "facts": json.decode(line.facts) if line.facts else {},
    }  # fmt: skip
    seen = sight.entry_seen(actor, issue, entry, {})
    if seen is None:
        return ""
    shown = {"issue": line.issue, "version": line.version, "step": line.to_step, "move": seen["move"]}
    return json.encode(shown | {"overdue": issue.overdue, "at": line.at}).decode()
