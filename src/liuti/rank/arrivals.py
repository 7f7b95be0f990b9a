"""Messages one by one: each gets its topic as it comes, in an index that grows and can start from a nightly batch."""

from __future__ import annotations

from array import array
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from liuti.rank import sketch, topics
from liuti.rank.sketch import SPACE, Counted, Floats, Longs

Key = TypeVar("Key", bound=Hashable)

GRAMS, LISTED, LOOKED_UP = 48, 600, 8_000
"""Grams looked up for a message, topics read of the list of each, and of all."""
TOPICS, MESSAGES = 24, 192
"""Topics and messages compared with it in full."""
COUNTED = 1 << 16
"""Messages a gram is counted in, up to here."""
DRIFT = 1.25
"""A topic is weighed anew when there are so many times the messages there were."""
_LOG = (1 + np.log(np.maximum(np.arange(8), 1))).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Placed(Generic[Key]):
    """The topic's number, likeness to its centre (0 to 1; 1 for a topic of its own), whether it is new, and the nearest messages."""

    topic: int
    similarity: float
    new: bool
    nearest: list[tuple[Key, float]]


@dataclass(slots=True)
class _Message:
    """A message in numbers: grams (names of places from `SPACE` on), their counts through its length, its districts."""

    gram: NDArray[np.int32]
    value: Floats
    district: dict[int, float]


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
    """All messages so far and their topics. Adding a message changes no other message's topic."""

    def __init__(self) -> None:
        self._keys: list[Key] = []
        self._counts = np.zeros(SPACE, dtype=np.int32)
        self._start = array("q", [0])
        self._gram = np.zeros(1 << 12, dtype=np.int32)
        self._value = np.zeros(1 << 12, dtype=np.float32)
        self._district: dict[int, dict[int, float]] = {}
        self._topics: dict[int, _Topic] = {}
        self._next = 0
        self._grams_known, self._named_so_far = 0, (0, 0)
        self._listed: dict[int, array[int]] = {}
        self._query = np.zeros(2 * SPACE, dtype=np.float32)
        self._tables = np.zeros((2, COUNTED + 1), dtype=np.float32)
        self._tables_at = 0

    def __len__(self) -> int:
        return len(self._keys)

    @classmethod
    def of(
        cls, keys: Sequence[Key], titles: Sequence[str], bodies: Sequence[str], topic: Sequence[int] | NDArray[np.int32]
    ) -> Index[Key]:
        """The index as if these messages had come with these topics; it goes on from the highest number."""
        index = cls()
        for at in range(0, len(keys), sketch.BATCH):
            batch = sketch.prepare(titles[at : at + sketch.BATCH], bodies[at : at + sketch.BATCH])
            index._counts += np.bincount(batch.packed & np.uint32(SPACE - 1), minlength=SPACE).astype(np.int32)
        for at in range(0, len(keys), sketch.BATCH):
            batch = sketch.prepare(titles[at : at + sketch.BATCH], bodies[at : at + sketch.BATCH])
            index._next = len(keys)
            for i, message in enumerate(index._read(batch)):
                index._join(keys[at + i], message, int(topic[at + i]))
        index._next = max((int(t) + 1 for t in topic), default=0)
        return index

    def add(self, key: Key, title: str, body: str, *, nearest: int = 5) -> Placed[Key]:
        """Give the message its topic, or one of its own, and keep it."""
        batch = sketch.prepare([title], [body])
        self._counts[batch.packed & np.uint32(SPACE - 1)] += 1
        message = self._read(batch)[0]
        ranked = self._ranked(message)
        near = self._nearest(message, ranked, nearest)
        if ranked and ranked[0][1] >= self._enough():
            best, _, similarity = ranked[0]
            self._join(key, message, best)
            return Placed(best, similarity, new=False, nearest=near)
        self._join(key, message, self._next)
        self._next += 1
        return Placed(self._next - 1, 1.0, new=True, nearest=near)

    def put(self, key: Key, title: str, body: str, topic: int | None = None) -> int:
        """Keep a message whose topic somebody else found; None makes a new one. The topic's number."""
        batch = sketch.prepare([title], [body])
        self._counts[batch.packed & np.uint32(SPACE - 1)] += 1
        number = self._next if topic is None else topic
        self._next = max(self._next, number + 1)
        self._join(key, self._read(batch)[0], number)
        return number

    def similar(self, title: str, body: str, n: int = 5) -> list[tuple[Key, float]]:
        """The `n` nearest messages and how like they are (0 to 1), nearest first; nothing is kept."""
        batch = sketch.prepare([title], [body])
        gram = batch.packed & np.uint32(SPACE - 1)
        counted = self._named_so_far
        self._counts[gram] += 1
        message = self._read(batch)[0]
        near = self._nearest(message, self._ranked(message), n)
        self._counts[gram] -= 1
        self._named_so_far = counted
        return near

    # -- a message in numbers ------------------------------------------------------------------------------------

    def _rare(self, gram: NDArray[np.int32]) -> Floats:
        """How rare each gram is among the messages so far."""
        n = len(self._keys) + 1
        if n > self._tables_at * 1.01:
            weight = sketch.rarity(np.clip(np.arange(COUNTED + 1), 1, max(n, 2)), max(n, 2))
            self._tables = np.stack([weight**sketch.RARE, weight**sketch.RARE_PLACE])
            self._tables_at = n
        counts = np.minimum(self._counts[gram & (SPACE - 1)], COUNTED)
        rare: Floats = self._tables[(gram >= SPACE).astype(np.int8), counts]
        return rare

    def _read(self, batch: Counted) -> list[_Message]:
        districts: list[dict[int, float]] = [{} for _ in range(batch.messages)]
        for at, number in np.unique(batch.district, axis=0).tolist() if len(batch.district) else ():
            districts[at][number] = 1.0
        _, grams, wholes, places = sketch.tallied(batch)
        until = np.cumsum(batch.length)
        out = []
        for at, end in enumerate(until.tolist()):
            row = slice(end - int(batch.length[at]), end)
            gram, whole, place = grams[row], wholes[row], places[row]
            named = np.flatnonzero(place)
            if len(named):
                self._named_so_far = self._named_so_far[0] + len(named), self._named_so_far[1] + 1
                place = place[named]
            else:
                named, place = np.arange(len(gram)), whole
            many = {number: 1.0 / len(districts[at]) for number in districts[at]}
            both = np.concatenate([gram, gram[named] + SPACE])
            out.append(self._normed(_Message(both, np.concatenate([whole, place]), many)))
        return out

    # -- what is near --------------------------------------------------------------------------------------------

    def _enough(self) -> float:
        named, naming = self._named_so_far
        return topics.enough(self._grams_known / max(len(self._keys), 1), named / max(naming, 1))

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
        which, inverse = np.unique(np.concatenate(found), return_inverse=True)
        share = np.bincount(inverse, np.repeat(weights, [len(part) for part in found]))
        return which[np.lexsort((which, -share))[:TOPICS]].astype(np.int64)

    def _ranked(self, message: _Message) -> list[tuple[int, float, float]]:
        """Topics worth a look with their likeness (average over members) and nearness of their centre, best first."""
        weighed = message.value * self._rare(message.gram)
        numbers = self._candidates(message.gram, weighed).tolist()
        if not numbers:
            return []
        found = [self._fresh(self._topics[number]) for number in numbers]
        start = np.cumsum([0, *(len(topic.gram) for topic in found)])[:-1]
        gram = np.concatenate([topic.gram for topic in found])
        centre = np.concatenate([topic.value for topic in found]) * self._rare(gram)
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

    def _nearest(self, message: _Message, ranked: list[tuple[int, float, float]], n: int) -> list[tuple[Key, float]]:
        """The nearest among the last members of the best topics."""
        members = [m for number, _, _ in ranked[:8] for m in self._topics[number].members[-MESSAGES // 8 :]]
        if not members or n < 1:
            return []
        gram, value, start = self._rows(members)
        weighed = message.value * self._rare(message.gram)
        whole, place = self._products(message.gram, weighed, gram, value * self._rare(gram), start)
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

    def _normed(self, message: _Message) -> _Message:
        """The row at the length it has with today's rarity: 1 for its text, and 1 for its places."""
        square = (message.value * self._rare(message.gram)) ** 2
        place = message.gram >= SPACE
        named = float(square[place].sum())
        lengths = np.sqrt([max(float(square.sum()) - named, 1e-6), max(named, 1e-6)])
        return _Message(
            message.gram, (message.value / lengths[place.astype(np.int8)]).astype(np.float32), message.district
        )

    def _fresh(self, topic: _Topic) -> _Topic:
        """The topic, its sum made anew from its last members when rarity has drifted since."""
        if len(self._keys) > topic.made * DRIFT:
            topic.made = len(self._keys)
            last = topic.members[-MESSAGES:]
            rows = [self._normed(_Message(*self._rows([m])[:2], {})) for m in last]
            for m, row in zip(last, rows, strict=True):
                self._value[self._start[m] : self._start[m + 1]] = row.value
            topic.gram, where = np.unique(np.concatenate([row.gram for row in rows]), return_inverse=True)
            total = np.bincount(where, np.concatenate([row.value for row in rows]))
            topic.value = (total * (topic.size / len(last))).astype(np.float32)
        return topic

    # -- keeping it ----------------------------------------------------------------------------------------------

    def _join(self, key: Key, message: _Message, number: int) -> None:
        at, begin, end = len(self._keys), self._start[-1], self._start[-1] + len(message.gram)
        while end > len(self._gram):
            self._gram = np.concatenate([self._gram, np.zeros_like(self._gram)])
            self._value = np.concatenate([self._value, np.zeros_like(self._value)])
        self._keys.append(key)
        self._grams_known += int(np.count_nonzero(message.gram < SPACE))
        self._gram[begin:end], self._value[begin:end] = message.gram, message.value
        self._start.append(end)
        if message.district:
            self._district[at] = message.district
        topic = self._topics.get(number)
        if topic is None:
            topic = self._topics[number] = _Topic(message.gram, message.value, at + 1)
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
    """As the batch sees it."""
    if place < topics.SWAPPED * whole:
        return 0.0
    return whole * (topics.ANYWHERE + place) / (1 + topics.ANYWHERE) * (1 - differ)


def _differ(one: dict[int, float], other: dict[int, float], size: int) -> float:
    """Share of the other's members that name a district, and another one."""
    if not one or not other:
        return 0.0
    same = sum(share * other.get(district, 0.0) for district, share in one.items())
    return min(max((sum(other.values()) - same) / size, 0.0), 1.0)
