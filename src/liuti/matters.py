"""Which messages are the same matter: an index that grows as they come, and a nightly batch that looks at all again."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, time
from functools import partial
from typing import NamedTuple

import structlog

from liuti.flow.clocks import World
from liuti.rank import topics as batch
from liuti.rank.arrivals import Index
from liuti.rank.bcubed import between
from liuti.store import chores, topics
from liuti.store.engine import Engine
from liuti.store.topics import Member

LOG = structlog.get_logger()
NIGHT = time(2)
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
WRITTEN_AT_ONCE = 1_000
MANY = 1_000
"""So many without a topic are not looked at one by one: a backlog has come in."""
_Placed = tuple[str, str, str, str]
"""Issue, title, body, topic; no topic: an empty one."""


class Matters:
    """The index of one process, and the topic each of its numbers stands for. A topic is named by its first message."""

    def __init__(self) -> None:
        self._index: Index[str] = Index()
        self._numbers: dict[str, int] = {}
        self._topics: dict[int, str] = {}
        self._known: dict[str, str] = {}
        self._since, self._after = LONG_AGO, ""
        self._turn = asyncio.Lock()

    async def anew(self) -> None:
        """Forget, and learn again from what is written: after the batch moved things."""
        async with self._turn:
            self._forget()

    async def similar(self, engine: Engine, title: str, body: str, n: int = 5) -> list[tuple[str, float]]:
        """The nearest messages, by id, with how like they are from 0 to 1."""
        async with self._turn:
            await self._refresh(engine)
            return await asyncio.to_thread(self._index.similar, title, body, n)

    async def arrive(self, engine: Engine, now: datetime) -> int:
        """Give every issue that has none its topic; how many that were. Very many at once are looked at together."""
        made = 0
        async with self._turn:
            await self._refresh(engine)
            while rows := await engine.read(topics.unplaced):
                if len(rows) >= MANY:
                    made += (await reconcile(engine, now)).placed
                    self._forget()
                    await self._refresh(engine)
                    continue
                found = await asyncio.to_thread(self._place, rows)
                await engine.write(partial(topics.place, members=found, source="arrival", now=now))
                made += len(rows)
        return made

    def _forget(self) -> None:
        self._index, self._numbers, self._topics, self._known = Index(), {}, {}, {}
        self._since, self._after = LONG_AGO, ""

    def _place(self, rows: Sequence[tuple[str, str, str]]) -> list[Member]:
        found = []
        for issue, title, body in rows:
            if issue in self._known:  # placed before, and not written: a fault came between
                found.append(Member(issue, self._known[issue], title, 1.0))
                continue
            placed = self._index.add(issue, title, body)
            topic = self._topics.setdefault(placed.topic, issue)
            self._numbers.setdefault(topic, placed.topic)
            self._known[issue] = topic
            found.append(Member(issue, topic, title, round(placed.similarity, 4)))
        return found

    async def _refresh(self, engine: Engine) -> None:
        """Take in what was placed since, here or in other processes."""
        fresh: list[_Placed] = []
        while rows := await engine.read(partial(topics.placed, since=self._since, after=self._after)):
            self._since, self._after = rows[-1].at, rows[-1].id
            fresh += [(row.id, row.title, row.body, row.topic) for row in rows if row.id not in self._known]
        if fresh:
            await asyncio.to_thread(self._take if self._known else self._load, fresh)

    def _take(self, rows: Sequence[_Placed]) -> None:
        for issue, title, body, topic in rows:
            number = self._index.put(issue, title, body, self._numbers.get(topic))
            self._topics.setdefault(self._numbers.setdefault(topic, number), topic)
            self._known[issue] = topic

    def _load(self, rows: Sequence[_Placed]) -> None:
        """The first many at once, which is several times as fast."""
        keys, titles, bodies, names = zip(*rows, strict=True)
        for name in names:
            self._topics.setdefault(self._numbers.setdefault(name, len(self._numbers)), name)
        self._index = Index.of(keys, titles, bodies, [self._numbers[name] for name in names])
        self._known.update(zip(keys, names, strict=True))


class Reconciled(NamedTuple):
    """How many messages, how many had no topic, how many were moved, and how far one by one and the batch agreed (B-cubed
    F1 over those that had one, 0 to 1)."""

    messages: int
    placed: int
    moved: int
    agreement: float


async def reconcile(engine: Engine, now: datetime, progress: Callable[[int, int], None] | None = None) -> Reconciled:
    """Look at all messages at once; place what has no topic, move what belongs elsewhere. A person's word stays."""
    rows = await _everything(engine)
    if not rows:
        return Reconciled(0, 0, 0, 1.0)
    _, titles, bodies, before = zip(*rows, strict=True)
    found = await asyncio.to_thread(partial(batch.find, titles, bodies, progress=progress))
    labels = found.topic.tolist()
    names = _names(before, [row[0] for row in rows], labels)
    heads = {row[0]: row[1] for row in rows}
    members = [
        Member(issue, names[label], heads.get(names[label], title), round(near, 4))
        for (issue, title, *_), label, near in zip(rows, labels, found.similarity.tolist(), strict=True)
    ]
    new = [one for one, topic in zip(members, before, strict=True) if not topic]
    changed = [one for one, topic in zip(members, before, strict=True) if topic and one.topic != topic]
    for some in _parts(new):
        await engine.write(partial(topics.place, members=some, source="batch", now=now))
    moved = 0
    for some in _parts(changed):
        moved += await engine.write(partial(topics.move, members=some, source="batch", now=now))
    return Reconciled(len(rows), len(new), moved, _agreement(before, labels))


def _parts(members: Sequence[Member]) -> list[Sequence[Member]]:
    return [members[start : start + WRITTEN_AT_ONCE] for start in range(0, len(members), WRITTEN_AT_ONCE)]


def _agreement(before: Sequence[str], labels: Sequence[int]) -> float:
    had = [(topic, label) for topic, label in zip(before, labels, strict=True) if topic]
    if not had:
        return 1.0
    numbers = {topic: number for number, topic in enumerate(dict.fromkeys(topic for topic, _ in had))}
    return between([numbers[topic] for topic, _ in had], [label for _, label in had]).f1


async def _everything(engine: Engine) -> list[_Placed]:
    """Every message, oldest first, with its topic or without one."""
    since, after, found = LONG_AGO, "", list[_Placed]()
    while rows := await engine.read(partial(topics.placed, since=since, after=after)):
        since, after = rows[-1].at, rows[-1].id
        found += [(row.id, row.title, row.body, row.topic) for row in rows]
    after = ""
    while fresh := await engine.read(partial(topics.unplaced, after=after)):
        after = fresh[-1].id
        found += [(row.id, row.title, row.body, "") for row in fresh]
    return sorted(found)


class Arranging:
    """What a worker does for the topics: each message on arrival, all of them once a night."""

    def __init__(self, engine: Engine, world: Callable[[], World]) -> None:
        self._engine, self._world, self._matters = engine, world, Matters()

    async def arrive(self, now: datetime) -> int:
        return await self._matters.arrive(self._engine, now)

    async def at_night(self, now: datetime) -> int:
        """Once between two nights, by whichever worker is first."""
        zone = self._world().calendar.zone
        due = datetime.combine(now.astimezone(zone).date(), NIGHT, zone)
        if now < due or not await self._engine.write(partial(chores.take, name="reconcile", due=due, now=now)):
            return 0
        done = await reconcile(self._engine, now)
        await self._matters.anew()
        LOG.info("topics_reconciled", messages=done.messages, moved=done.moved, agreement=round(done.agreement, 3))
        return 0


def _names(before: Sequence[str], issues: Sequence[str], labels: Sequence[int]) -> dict[int, str]:
    """A name for each group of the batch: of the topic most of it comes from, which no larger group took; else its first."""
    counts: dict[int, Counter[str]] = defaultdict(Counter)
    first: dict[int, str] = {}
    for topic, issue, label in zip(before, issues, labels, strict=True):
        if topic:
            counts[label][topic] += 1
        first.setdefault(label, issue)
    claims = sorted((-n, label, topic) for label, found in counts.items() for topic, n in found.items())
    names: dict[int, str] = {}
    taken: set[str] = set()
    for _, label, topic in claims:
        if label not in names and topic not in taken:
            names[label] = topic
            taken.add(topic)
    for label, issue in first.items():
        if label not in names:
            names[label] = issue if issue not in taken else f"{issue}-{label}"
            taken.add(names[label])
    return names
