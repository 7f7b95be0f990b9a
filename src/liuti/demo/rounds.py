"""The rounds of the selection in the demo's last weeks: scored, frozen and closed by the functions the doors call."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, time, timedelta
from functools import partial

from liuti.demo.spread import Scene
from liuti.flow.calendar import Calendar
from liuti.flow.clocks import World
from liuti.flow.kernel import Refused
from liuti.matters import Matters
from liuti.store import rounds
from liuti.store.engine import Engine
from liuti.store.subjects import gather, seen

SLOTS = 10
ANALYST = "analyst1"
OPENS = (time(9), time(16, 30), time(14), time(11))
"""Hours of the day a round may be opened at, the likeliest first."""
MOST, APART = 4, 3
"""So many rounds at most, so many working days between two at least: shorter than the panel lets a matter wait."""
LONGEST = timedelta(days=60)


def opened_at(scenes: Sequence[Scene], calendar: Calendar, now: datetime) -> list[datetime]:
    """When a round is opened, the earliest first. No moment falls between the first vote on a matter and its
    publishing: votes count on the score they were cast on."""
    voted = list(_votings(scenes, now))
    found, waited, day = list[datetime](), APART, now.astimezone(calendar.zone).date()
    earliest = day - LONGEST
    while len(found) < MOST and day > earliest:
        waited += calendar.working(day)
        hours = (datetime.combine(day, hour, calendar.zone) for hour in OPENS)
        free = (at for at in hours if at < now and not any(first <= at <= last for first, last in voted))
        if calendar.working(day) and waited >= APART and (at := next(free, None)) is not None:
            found.append(at)
            waited = 0
        day -= timedelta(days=1)
    return found[::-1]


def _votings(scenes: Sequence[Scene], now: datetime) -> Iterator[tuple[datetime, datetime]]:
    """From the first vote to the decision, or to now where there is none yet."""
    stories = defaultdict[int, dict[str, datetime]](dict)
    for scene in scenes:
        stories[scene.story].setdefault(scene.turn.move, scene.at)
    for moves in stories.values():
        if "vote" in moves:
            yield moves["vote"], min((moves[one] for one in ("publish", "reserve") if one in moves), default=now)


async def open_next(engine: Engine, world: World, matters: Matters, at: datetime) -> None:
    """Close the round before, give every message its topic, score what waits and freeze it; nothing where nothing waits."""
    await matters.arrive(engine, at)
    waiting = await engine.read(partial(gather, policy=world.policy, as_of=at))
    try:
        prepared = await asyncio.to_thread(rounds.prepare, seen(waiting), world.policy, SLOTS, at)
    except Refused:
        return
    running = await engine.read(rounds.running)
    if running:
        await engine.write(partial(rounds.close_round, round_id=running, by=ANALYST, now=at))
    await engine.write(partial(rounds.keep, prepared=prepared, by=ANALYST, now=at))
