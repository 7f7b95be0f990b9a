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
from liuti.store.topics import Member, Told

LOG = structlog.get_logger()
NIGHT = time(2)
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
WRITTEN_AT_ONCE = 1_000
MANY = 1_000
"""So many without a topic are not looked at one by one: a backlog has come in."""


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
        """The nearest messages, by id, with how like they are: 1 is as like as messages of one topic are."""
        async with self._turn:
            await self._refresh(engine)
            near = await asyncio.to_thread(self._index.similar, title, body, n)
            bar = self._index.bar
        return [(issue, min(likeness / bar, 1.0)) for issue, likeness in near]

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

    def _place(self, rows: Sequence[Told]) -> list[Member]:
        found = []
        for row in rows:
            if row.id in self._known:  # placed before, and not written: a fault came between
                found.append(Member(row.id, self._known[row.id], row.title, 1.0))
                continue
            placed = self._index.add(row.id, row.head, row.body)
            topic = self._topics.setdefault(placed.topic, row.id)
            self._numbers.setdefault(topic, placed.topic)
            self._known[row.id] = topic
            found.append(Member(row.id, topic, row.title, round(placed.similarity, 4)))
        return found

    async def _refresh(self, engine: Engine) -> None:
        """Take in what was placed since, here or in other processes."""
        fresh: list[Told] = []
        while rows := await engine.read(partial(topics.placed, since=self._since, after=self._after)):
            self._since, self._after = rows[-1].at or self._since, rows[-1].id
            fresh += [row for row in rows if row.id not in self._known]
        if fresh:
            await asyncio.to_thread(self._take if self._known else self._load, fresh)

    def _take(self, rows: Sequence[Told]) -> None:
        for row in rows:
            number = self._index.put(row.id, row.head, row.body, self._numbers.get(row.topic))
            self._topics.setdefault(self._numbers.setdefault(row.topic, number), row.topic)
            self._known[row.id] = row.topic

    def _load(self, rows: Sequence[Told]) -> None:
        """The first many at once, which is several times as fast."""
        for row in rows:
            self._topics.setdefault(self._numbers.setdefault(row.topic, len(self._numbers)), row.topic)
        numbers = [self._numbers[row.topic] for row in rows]
        self._index = Index.of([r.id for r in rows], [r.head for r in rows], [r.body for r in rows], numbers)
        self._known.update((row.id, row.topic) for row in rows)


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
    before = [row.topic for row in rows]
    compare = partial(batch.find, [row.head for row in rows], [row.body for row in rows], progress=progress)
    found = await asyncio.to_thread(compare)
    labels = found.topic.tolist()
    names = _names(before, [row.id for row in rows], labels)
    titles = {row.id: row.title for row in rows}
    members = [
        Member(row.id, names[label], titles.get(names[label], row.title), round(near, 4))
        for row, label, near in zip(rows, labels, found.similarity.tolist(), strict=True)
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


async def _everything(engine: Engine) -> list[Told]:
    """Every message, oldest first, with its topic or without one."""
    since, after, found = LONG_AGO, "", list[Told]()
    while rows := await engine.read(partial(topics.placed, since=since, after=after)):
        since, after = rows[-1].at or since, rows[-1].id
        found += rows
    after = ""
    while fresh := await engine.read(partial(topics.unplaced, after=after)):
        after = fresh[-1].id
        found += fresh
    return sorted(found, key=lambda row: row.id)


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
