"""What has been heard so far: how often each pair of characters, hence how rare it is, and a message as a row by that."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from liuti.rank import sketch, topics
from liuti.rank.sketch import SPACE, Counted, Floats

COUNTED = 1 << 16
"""Messages a gram is counted in, up to here."""
STALE = 1.01
"""Rarity is reckoned anew when there are so many times the messages there were."""


@dataclass(slots=True)
class Message:
    """A message in numbers: grams (names of places from `SPACE` on), their counts through its length, its districts."""

    gram: NDArray[np.int32]
    value: Floats
    district: dict[int, float]


class Heard:
    """Counts that grow with every message."""

    def __init__(self) -> None:
        self.messages = 0
        self._counts = np.zeros(SPACE, dtype=np.int32)
        self._grams = self._named = self._naming = 0
        self._rarity = np.zeros((2, COUNTED + 1), dtype=np.float32)
        self._reckoned = 0

    def count(self, batch: Counted, times: int = 1) -> None:
        """Add a batch, or with `times` -1 take it back."""
        np.add.at(self._counts, batch.packed & np.uint32(SPACE - 1), times)
        named = batch.packed >> np.uint32(sketch.BITS + 4) > 0
        self._grams += times * len(batch.packed)
        self._named += times * int(named.sum())
        self._naming += times * len(np.unique(np.repeat(np.arange(batch.messages), batch.length)[named]))
        self.messages += times * batch.messages

    def enough(self) -> float:
        """Likeness from which a message joins a topic: the batch's bar for texts of this length."""
        return topics.enough(self._grams / max(self.messages, 1), self._named / max(self._naming, 1))

    def rare(self, gram: NDArray[np.int32]) -> Floats:
        """How rare each gram is among the messages so far, as a word or as the name of a place."""
        n = max(self.messages, 2)
        if not self._reckoned * STALE >= n >= self._reckoned / STALE:
            weight = sketch.rarity(np.clip(np.arange(COUNTED + 1), 1, n), n)
            self._rarity = np.stack([weight**sketch.RARE, weight**sketch.RARE_PLACE])
            self._reckoned = n
        counts = np.minimum(self._counts[gram & (SPACE - 1)], COUNTED)
        rare: Floats = self._rarity[(gram >= SPACE).astype(np.int8), counts]
        return rare

    def read(self, batch: Counted) -> list[Message]:
        """The messages of a batch as rows, as rare as their grams are now."""
        districts: list[dict[int, float]] = [{} for _ in range(batch.messages)]
        for at, number in np.unique(batch.district, axis=0).tolist() if len(batch.district) else ():
            districts[at][number] = 1.0
        _, grams, wholes, places = sketch.tallied(batch)
        out = []
        for at, end in enumerate(np.cumsum(batch.length).tolist()):
            row = slice(end - int(batch.length[at]), end)
            gram, whole, place = grams[row], wholes[row], places[row]
            named = np.flatnonzero(place)
            place = place[named]
            if not len(named):
                named, place = np.arange(len(gram)), whole
            many = {number: 1.0 / len(districts[at]) for number in districts[at]}
            both = np.concatenate([gram, gram[named] + SPACE])
            out.append(self.normed(Message(both, np.concatenate([whole, place]), many)))
        return out

    def normed(self, message: Message) -> Message:
        """The row at the length it has with today's rarity: 1 for its text, and 1 for its places."""
        square = (message.value * self.rare(message.gram)) ** 2
        place = message.gram >= SPACE
        named = float(square[place].sum())
        lengths = np.sqrt([max(float(square.sum()) - named, 1e-6), max(named, 1e-6)]).astype(np.float32)
        return Message(message.gram, message.value / lengths[place.astype(np.int8)], message.district)
