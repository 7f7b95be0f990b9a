"""The year goes by: people move between two ticks of the clock, workers see to each tick, and nobody waits for more."""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from msgspec import json
from sqlalchemy import Connection, bindparam, func, select

from liuti.flow.issue import Issue
from liuti.flow.kernel import Refused
from liuti.flow.table import FLOW
from liuti.store.act import STATE, Desk
from liuti.store.tables import Moment, entries, issues, letters, voices
from simulate import ladder
from simulate.hands import Hands
from simulate.town import ALONE, VOICES, WISHES, Life, Scene, Town, Wish

AT: ContextVar[datetime] = ContextVar("at")
"""What time it is for whoever acts: several do at once, each at a time of their own."""
SECOND = timedelta(seconds=1)
LETTERS_EACH = 22
"""About so many letters an issue: how many of them a worker lives for."""
FEW = 30
"""Issues and letters that one worker sees to alone."""
AGAIN = {"below_cap": 6.0, "stale": 0.1}
"""After these refusals somebody tries again, so many office hours later."""

_MANY: Any = bindparam("ids", expanding=True)
_AT: Any = bindparam("at", type_=Moment)
_STATES = select(issues.c.id, issues.c.state).where(issues.c.id.in_(_MANY))
_VOICES = (
    select(voices.c.id, voices.c.origin_id)
    .where(voices.c.issue_id == bindparam("issue"), voices.c.left_at.is_(None))
    .order_by(voices.c.at, voices.c.id)
)
_STRUCK = (
    select(entries.c.issue_id, entries.c.move, entries.c.to_step, entries.c.facts)
    .where(entries.c.at == _AT, entries.c.role == "clock")
    .order_by(entries.c.issue_id, entries.c.version)
)
_TO_DO = select(
    select(func.count()).where(issues.c.due_at <= _AT).scalar_subquery(),
    select(func.count()).where(letters.c.next_at <= _AT).scalar_subquery(),
)


class Year:
    """`tick`: how far apart the workers look at the clock; strikes may be late by that much and no more."""

    def __init__(
        self, desk: Desk, town: Town, hands: Hands, *, tick: timedelta, issues: int, kills: int, shown: Callable[[datetime, int], object]
    ) -> None:  # fmt: skip
        self.desk, self.engine, self.town, self.hands = desk, desk.engine, town, hands
        self.tick, self.shown = tick, shown
        desk.now = AT.get
        self.chance = random.Random(f"{town.seed}/year")
        self.life = issues * LETTERS_EACH / kills if kills else math.inf
        """So many letters go by between two killings, on the average."""
        self.left = self.life * self.chance.random()
        self.moves: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.not_offered: Counter[str] = Counter()
        self.ticks: list[datetime] = []
        self.due_first = self._letters = 0
        self._began, self.pace = 0.0, 0.004

    async def run(self, start: datetime, end: datetime) -> None:
        """Until nobody wants anything, no clock is due and no letter waits, or until `end`."""
        at = start
        await self._tick(at)
        while True:
            then = at + self.tick
            if not self.town.queue or self.town.queue[0].at > then:
                await self._posted()
                moments = [await self.engine.ask(_next_moment), self.town.queue[0].at if self.town.queue else None]
                ahead = [one for one in moments if one is not None]
                if not ahead or at >= end:
                    return
                then = max(then, start + -((start - min(ahead)) // self.tick) * self.tick)
            await self._play(then)  # while letters leave
            await self._posted()
            at = then
            await self._tick(at)

    # -- workers ---------------------------------------------------------------------------------------------------

    async def _tick(self, at: datetime) -> None:
        """Every clock that is due has struck, and people know of it; letters are leaving."""
        self.ticks.append(at)
        self.shown(at, sum(self.moves.values()))
        due, waits = await self.engine.ask(partial(_to_do, at=at))
        if not due and not waits:
            return
        self._began, self._letters = time.monotonic(), due + waits
        self.left -= waits
        doomed = self.left < 0
        if doomed:
            self.left = self.life * self.chance.uniform(0.3, 1.7)
        killing: asyncio.Task[None] | None = None
        if doomed:
            killing = asyncio.create_task(self.hands.kill(at, self.chance.uniform(0.0, 1.1) * waits * self.pace))
        # Where there is little to do all of them would only wake to find nothing.
        struck = await self.hands.sweep(at, all_of_them=doomed or due + waits > FEW)
        if killing is not None:
            await self.hands.posted()
            await killing
        # What a dead one had in hand is free again once the server has noticed; others take it at the same hour.
        while doomed and (await self.engine.ask(partial(_to_do, at=at)))[0]:
            struck += 1 + await self.hands.sweep(at, all_of_them=False)
            await self.hands.posted()
        if struck or doomed:
            await self._react(at)

    async def _posted(self) -> None:
        await self.hands.posted()
        if self._letters > FEW:
            self.pace += ((time.monotonic() - self._began) / self._letters - self.pace) / 8
        self._letters = 0

    async def _react(self, at: datetime) -> None:
        for row in await self.engine.ask(lambda conn: conn.execute(_STRUCK, {"at": at}).all()):
            ladder.struck(self.town, self.town.lives[row.issue_id], row.move, row.to_step, json.decode(row.facts), at)

    # -- people ----------------------------------------------------------------------------------------------------

    async def _play(self, then: datetime) -> None:
        """Everything wished up to then."""
        while found := self.town.until(then):
            states = await self._states({one.life.issue for one in found if one.life.issue})
            alone = [one for one in found if one.name in ALONE]
            groups: dict[int, list[Wish]] = {}
            for one in found:
                if one.name not in ALONE:
                    groups.setdefault(one.life.number, []).append(one)
            await asyncio.gather(*(self._each(group, states, then) for group in groups.values()))
            for one in alone:
                await self._each([one], {}, then)

    async def _each(self, group: Sequence[Wish], states: dict[str, Issue], then: datetime) -> None:
        for place, one in enumerate(group):
            issue = states.get(one.life.issue) if place == 0 else None
            if issue is None:
                issue = (
                    (await self._states({one.life.issue})).get(one.life.issue, Issue(""))
                    if one.life.issue
                    else Issue("")
                )
            await self._try(one, issue, then)

    async def _try(self, one: Wish, issue: Issue, then: datetime) -> None:
        life, town = one.life, self.town
        at = max(one.at, life.last + SECOND) if life.last is not None else one.at
        other = self._lead_of(one, issue)
        if other is not None and other.last is not None:
            at = max(at, other.last + SECOND)
        if at in (then, self.ticks[-1]):
            at += SECOND
        if at > then:
            town.again(one, at)
            return
        due = issue.due_at
        if due is not None and due <= at:
            self.due_first += 1  # time acts first
            town.again(one, then + timedelta(seconds=1 + self.chance.randrange(120)))
            return
        said = await self._voices(issue.id) if one.name in VOICES else []
        act = WISHES[one.name](Scene(town, life, issue, at, one.given, said))
        if act is None:
            return
        if act.move not in FLOW.open_to(issue, act.actor, self.desk.world(), at):
            self.not_offered[act.move] += 1
            return
        AT.set(at)
        try:
            receipt = await self.desk.act(act.actor, act.move, act.form, issue.id)
        except Refused as refused:
            self.refused[f"{act.move}: {refused.code}"] += 1
            if refused.code in AGAIN:
                town.again(one, town.office(at, AGAIN[refused.code]))
            return
        self.moves[act.move] += 1
        if other is not None:
            other.last = at
        town.made(life, act, receipt, at)

    def _lead_of(self, one: Wish, issue: Issue) -> Life | None:
        """The other issue a merge writes on."""
        lead = one.given.get("lead") or issue.lead
        return self.town.lives.get(lead) if one.name in ALONE and lead else None

    async def _states(self, ids: set[str]) -> dict[str, Issue]:
        if not ids:
            return {}
        found = await self.engine.ask(lambda conn: conn.execute(_STATES, {"ids": sorted(ids)}).all())
        return {row.id: STATE.decode(row.state) for row in found}

    async def _voices(self, issue: str) -> list[tuple[str, str]]:
        found = await self.engine.ask(lambda conn: conn.execute(_VOICES, {"issue": issue}).all())
        return [(row.id, row.origin_id) for row in found]


def _to_do(conn: Connection, at: datetime) -> tuple[int, int]:
    """Issues that are due, and letters that are to leave."""
    row = conn.execute(_TO_DO, {"at": at}).one()
    return int(row[0]), int(row[1])


def _next_moment(conn: Connection) -> datetime | None:
    """When time acts next, or a letter is to leave."""
    first = select(func.min(issues.c.due_at)).scalar_subquery()
    letter = select(func.min(letters.c.next_at)).scalar_subquery()
    row = conn.execute(select(first, letter)).one()
    return min((one for one in row if one is not None), default=None)
