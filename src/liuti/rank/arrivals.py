"""Messages one by one: each gets its topic as it comes, in an index that grows and can start from a nightly batch."""

from __future__ import annotations

from array import array
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from liuti.rank import sketch, topics
from liuti.rank.heard import Heard, Message
from liuti.rank.sketch import SPACE, Floats, Longs

Key = TypeVar("Key", bound=Hashable)

SWAPPED = 0.3
"""As in the batch, but milder: with few members yet, an average of places says less."""
GRAMS, LISTED, LOOKED_UP = 48, 600, 8_000
"""Grams looked up for a message, topics read of the list of each, and of all."""
TOPICS, MESSAGES = 24, 96
"""Topics and messages compared with it in full."""
WEIGHT = 1 << 20
"""Steps in which what topics share is told."""
DRIFT = 1.25
"""A topic is weighed anew when there are so many times the messages there were."""


@dataclass(frozen=True, slots=True)
class Placed(Generic[Key]):
    """The topic's number, likeness to its centre (0 to 1; 1 for a topic of its own), whether it is new, and the nearest messages."""

    topic: int
    similarity: float
    new: bool
    nearest: list[tuple[Key, float]]


@dataclass(slots=True)
class _Topic:
    gram: NDArray[np.int32]
    value: Floats
    made: int
    """How many messages there were when its rows were last weighed: rarity drifts as the index grows."""
    size: int = 0
    members: array[int] = field(default_factory=lambda: array("i"))
    district: dict[int, float] = field(default_factory=dict)


class Index(Generic[Key]):
    """All messages so far and their topics. Adding a message changes no other message's topic. For one caller at a time."""

    def __init__(self) -> None:
        self._keys: list[Key] = []
        self._heard = Heard()
        self._start = array("q", [0])
        self._gram = np.zeros(1 << 12, dtype=np.int32)
        self._value = np.zeros(1 << 12, dtype=np.float32)
        self._district: dict[int, dict[int, float]] = {}
        self._topics: dict[int, _Topic] = {}
        self._next = 0
        self._listed: dict[int, array[int]] = {}
        self._query = np.zeros(2 * SPACE, dtype=np.float32)

    def __len__(self) -> int:
        return len(self._keys)

    @classmethod
    def of(
        cls, keys: Sequence[Key], titles: Sequence[str], bodies: Sequence[str], topic: Sequence[int] | NDArray[np.int32]
    ) -> Index[Key]:
        """The index as if these messages had come with these topics; it goes on from the highest number."""
        index = cls()
        cuts = [slice(at, at + sketch.BATCH) for at in range(0, len(keys), sketch.BATCH)]
        batches = [sketch.prepare(titles[cut], bodies[cut], signed=False) for cut in cuts]
        for batch in batches:
            index._heard.count(batch)
        for cut, batch in zip(cuts, batches, strict=True):
            for key, message, number in zip(keys[cut], index._heard.read(batch), topic[cut], strict=True):
                index._join(key, message, int(number))
        return index

    def add(self, key: Key, title: str, body: str, *, nearest: int = 5) -> Placed[Key]:
        """Give the message its topic, or one of its own, and keep it."""
        message = self._read(title, body)
        ranked = self._ranked(message)
        near = self._nearest(message, ranked, nearest)
        if ranked and ranked[0][1] >= self._heard.enough():
            best, _, similarity = ranked[0]
            self._join(key, message, best)
            return Placed(best, similarity, new=False, nearest=near)
        self._join(key, message, self._next)
        return Placed(self._next - 1, 1.0, new=True, nearest=near)

    def put(self, key: Key, title: str, body: str, topic: int | None = None) -> int:
        """Keep a message whose topic somebody else found; None makes a new one. The topic's number."""
        number = self._next if topic is None else topic
        self._join(key, self._read(title, body), number)
        return number

    @property
    def bar(self) -> float:
        """Likeness from which a message joins a topic: it depends on how much people here write."""
        return self._heard.enough()

    def similar(self, title: str, body: str, n: int = 5) -> list[tuple[Key, float]]:
        """The `n` nearest messages and how like they are (0 to 1), nearest first; nothing is kept."""
        message = self._read(title, body)
        near = self._nearest(message, self._ranked(message), n)
        self._heard.count(sketch.prepare([title], [body], signed=False), -1)
        return near

    def _read(self, title: str, body: str) -> Message:
        batch = sketch.prepare([title], [body], signed=False)
        self._heard.count(batch)
        return self._heard.read(batch)[0]

    # -- what is near --------------------------------------------------------------------------------------------

    def _candidates(self, gram: NDArray[np.int32], value: Floats) -> Longs:
        """Topics that share the weightiest grams of the text or of its places, best first; of long lists the latest."""
        found, weights, room = [], [], LOOKED_UP
        for at in np.argsort(-value, kind="stable")[:GRAMS].tolist():
            listed = self._listed.get(int(gram[at]))
            if listed is None or value[at] <= 0:
                continue
            part = np.frombuffer(listed, dtype=np.int32)[-LISTED:]
            found.append(part)
            weights.append(value[at] * value[at])
            room -= len(part)
            if room <= 0:
                break
        if not found:
            return np.zeros(0, dtype=np.int64)
        # Number and weight in one, so that one plain sort brings equal numbers together.
        heavy = (np.array(weights) * (WEIGHT / weights[0])).astype(np.int64)
        both = np.concatenate(found).astype(np.int64) * (WEIGHT << 1) + np.repeat(heavy, [len(part) for part in found])
        both.sort()
        number = both // (WEIGHT << 1)
        start = np.flatnonzero(np.diff(number, prepend=-1))
        which, share = number[start], np.add.reduceat(both % (WEIGHT << 1), start)
        best: Longs = which[np.lexsort((which, -share))[:TOPICS]]
        return best

    def _ranked(self, message: Message) -> list[tuple[int, float, float]]:
        """Topics worth a look with their likeness (average over members) and nearness of their centre, best first."""
        weighed = message.value * self._heard.rare(message.gram)
        numbers = self._candidates(message.gram, weighed).tolist()
        if not numbers:
            return []
        found = [self._fresh(self._topics[number]) for number in numbers]
        start = np.cumsum([0, *(len(topic.gram) for topic in found)])[:-1]
        gram = np.concatenate([topic.gram for topic in found])
        centre = np.concatenate([topic.value for topic in found]) * self._heard.rare(gram)
        whole, place = self._products(message.gram, weighed, gram, centre, start)
        length = np.sqrt(np.add.reduceat(np.where(gram < SPACE, centre, 0) ** 2, start))
        out = []
        for i, topic in enumerate(found):
            differ = _differ(message.district, topic.district, topic.size)
            likeness = _likeness(float(whole[i]) / topic.size, float(place[i]) / topic.size, differ)
            out.append((numbers[i], likeness, min(float(whole[i]) / max(float(length[i]), 1e-9), 1.0)))
        return sorted(out, key=lambda row: (-row[1], row[0]))

    def _products(
        self, gram: NDArray[np.int32], weighed: Floats, others: NDArray[np.int32], values: Floats, start: Longs
    ) -> tuple[Floats, Floats]:
        """Of one row with many laid end to end: the product of texts, and of places."""
        self._query[gram] = weighed
        product = values * self._query[others]
        self._query[gram] = 0
        place = np.where(others >= SPACE, product, 0)
        named = np.add.reduceat(place, start)
        return np.add.reduceat(product, start) - named, named

    def _nearest(self, message: Message, ranked: list[tuple[int, float, float]], n: int) -> list[tuple[Key, float]]:
        """The nearest among the last members of the best topics."""
        last = (m for number, _, _ in ranked[:8] for m in self._topics[number].members[-MESSAGES // 8 :])
        members = [m for m in last if self._start[m] < self._start[m + 1]]
        if not members or n < 1:
            return []
        gram, value, start = self._rows(members)
        weighed = message.value * self._heard.rare(message.gram)
        whole, place = self._products(message.gram, weighed, gram, value * self._heard.rare(gram), start)
        out = []
        for i, member in enumerate(members):
            differ = _differ(message.district, self._district.get(member, {}), 1)
            out.append((_likeness(float(whole[i]), float(place[i]), differ), member))
        out.sort(key=lambda row: (-row[0], row[1]))
        return [(self._keys[member], min(likeness, 1.0)) for likeness, member in out[:n]]

    def _rows(self, members: Sequence[int]) -> tuple[NDArray[np.int32], Floats, Longs]:
        """Rows of these messages laid end to end, and where each begins."""
        spans = [(self._start[m], self._start[m + 1]) for m in members]
        gram = np.concatenate([self._gram[a:b] for a, b in spans])
        value = np.concatenate([self._value[a:b] for a, b in spans])
        return gram, value, np.cumsum([0, *(b - a for a, b in spans)])[:-1]

    def _fresh(self, topic: _Topic) -> _Topic:
        """The topic, its sum made anew from its last members when rarity has drifted since."""
        if self._heard.messages > topic.made * DRIFT:
            topic.made = self._heard.messages
            last = topic.members[-MESSAGES:]
            rows = [self._heard.normed(Message(*self._rows([m])[:2], {})) for m in last]
            for m, row in zip(last, rows, strict=True):
                self._value[self._start[m] : self._start[m + 1]] = row.value
            topic.gram, where = np.unique(np.concatenate([row.gram for row in rows]), return_inverse=True)
            total = np.bincount(where, np.concatenate([row.value for row in rows]))
            topic.value = (total * (topic.size / len(last))).astype(np.float32)
        return topic

    # -- keeping it ----------------------------------------------------------------------------------------------

    def _join(self, key: Key, message: Message, number: int) -> None:
        at, begin, end = len(self._keys), self._start[-1], self._start[-1] + len(message.gram)
        while end > len(self._gram):
            self._gram = np.concatenate([self._gram, np.zeros_like(self._gram)])
            self._value = np.concatenate([self._value, np.zeros_like(self._value)])
        self._keys.append(key)
        self._next = max(self._next, number + 1)
        self._gram[begin:end], self._value[begin:end] = message.gram, message.value
        self._start.append(end)
        if message.district:
            self._district[at] = message.district
        topic = self._topics.get(number)
        if topic is None:
            topic = self._topics[number] = _Topic(message.gram, message.value, self._heard.messages)
            fresh = message.gram
        else:
            fresh = message.gram[~np.isin(message.gram, topic.gram, assume_unique=True)]
            gram = np.concatenate([topic.gram, message.gram])
            topic.gram, where = np.unique(gram, return_inverse=True)
            topic.value = np.bincount(where, np.concatenate([topic.value, message.value])).astype(np.float32)
        topic.size += 1
        topic.members.append(at)
        for district, share in message.district.items():
            topic.district[district] = topic.district.get(district, 0.0) + share
        for gram in fresh.tolist():
            self._listed.setdefault(gram, array("i")).append(number)


def _likeness(whole: float, place: float, differ: float) -> float:
    """As in the batch."""
    if place < SWAPPED * whole:
        return 0.0
    return whole * (topics.ANYWHERE + place) / (1 + topics.ANYWHERE) * (1 - differ)


def _differ(one: dict[int, float], other: dict[int, float], size: int) -> float:
    """Share of the other's members that name a district, and another one."""
    if not one or not other:
        return 0.0
    same = sum(share * other.get(district, 0.0) for district, share in one.items())
    return min(max((sum(other.values()) - same) / size, 0.0), 1.0)
