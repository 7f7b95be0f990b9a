"""Which messages are the same matter at the same place: average link over sums of vectors, so that no topic outgrows it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from liuti.rank import sketch, text

Progress = Callable[[int, int], None]
Floats = NDArray[np.float32]
Longs = NDArray[np.int64]

BATCH = 1024
SPACE = 1 << sketch.BITS
TITLE = 1.0
"""What standing in the title adds to a gram's count."""
RARE, RARE_PLACE = 1.4, 2.0
"""Powers of a gram's rarity in a text and in the name of a place."""
COMMON = 0.5
"""A gram in more than this share of the messages tells nothing."""
NAMED = 0.5
"""Share of its count that a gram keeps in its text where it names a place: that is judged by itself."""
ANYWHERE = 0.1
"""What likeness counts for without a common place, beside likeness of places from 0 to 1."""
ENOUGH = 0.02
"""Likeness from which two groups are one topic, in texts of `GRAMS` grams of which `GRAMS_PLACE` name places."""
GRAMS, GRAMS_PLACE = 135.0, 14.4
STAGES = (24.0, 14.0, 9.0, 6.0, 4.0, 2.6, 1.8, 1.35, 1.0)
"""Likeness asked for from stage to stage, in times of what is enough."""
PICKED = 8
"""Grams looked up for every group and stage, about."""
PAIRS = 1_500_000
"""Pairs looked at in a stage, about, unless three neighbours for every gram looked up are more."""
LAST_LOOKS = 4

@dataclass(frozen=True, slots=True)
class Topics:
    """Of every message the number of its topic, in order of first appearance, and its likeness (0 to 1) to that topic's centre."""

    topic: NDArray[np.int32]
    similarity: Floats


@dataclass(frozen=True, slots=True)
class Counted:
    """A batch of messages in numbers. `packed` holds a row a gram of a message: 20 bits gram, then how often (3), title (1), place (3)."""

    messages: int
    length: NDArray[np.int32]
    packed: NDArray[np.uint32]
    district: NDArray[np.int32]
    signature: NDArray[np.uint32]
    digest: NDArray[np.uint64]


def prepare(titles: Sequence[str], bodies: Sequence[str]) -> Counted:
    """A batch of at most `BATCH` messages, alone: batches may be prepared anywhere and in any order."""
    read = text.read(titles, bodies)
    found = sketch.grams(read)
    signature = sketch.signatures(found, len(titles))
    key = (found.message.astype(np.uint32) << np.uint32(sketch.BITS)) | found.gram
    key = (key << np.uint32(2)) | (found.title.astype(np.uint32) << np.uint32(1)) | found.place
    key.sort()
    whole = key >> np.uint32(2)
    start = np.flatnonzero(np.diff(whole, prepend=np.uint32(0xFFFFFFFF)))
    if not len(key):
        return Counted(
            len(titles), np.zeros(len(titles), dtype=np.int32), key, read.district, signature, _digest(read, len(titles))
        )
    times = np.minimum(np.diff(start, append=len(key)), 7).astype(np.uint32)
    titled = np.bitwise_or.reduceat(key, start) >> np.uint32(1) & np.uint32(1)
    placed = np.minimum(np.add.reduceat((key & np.uint32(1)).astype(np.int32), start), 7).astype(np.uint32)
    packed = whole[start] & np.uint32(SPACE - 1) | times << np.uint32(20) | titled << np.uint32(23) | placed << np.uint32(24)
    length = np.bincount(whole[start] >> np.uint32(sketch.BITS), minlength=len(titles)).astype(np.int32)
    return Counted(len(titles), length, packed, read.district, signature, _digest(read, len(titles)))


def _digest(read: text.Characters, messages: int) -> NDArray[np.uint64]:
    """A number a message that is the same for equal texts, and else hardly ever."""
    out = np.zeros(messages, dtype=np.uint64)
    if len(read.code):
        start = np.flatnonzero(np.diff(read.message, prepend=-1))
        place = np.arange(len(read.code)) - np.repeat(start, np.diff(start, append=len(read.code)))
        mixed = (read.code.astype(np.uint64) + np.uint64(1)) * (place.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) | np.uint64(1))
        mixed ^= mixed >> np.uint64(29)
        mixed *= np.uint64(0xD6E8FEB86659FD93)
        out[read.message[start]] = np.add.reduceat(mixed, start)
    return out


@dataclass(slots=True)
class Rows:
    """Sparse rows that grow at the end; a row is never changed."""

    matrix: sparse.csr_array

    def dot(self, left: Longs, right: Longs) -> Floats:
        out = np.empty(len(left), dtype=np.float32)
        for at in range(0, len(left), 16384):
            a, b = self.matrix[left[at : at + 16384]], self.matrix[right[at : at + 16384]]
            out[at : at + 16384] = a.multiply(b).sum(axis=1)
        return out

    def grow(self, rows: sparse.csr_array) -> None:
        self.matrix = sparse.vstack([self.matrix, rows], format="csr")


def rarity(counts: NDArray[np.int64], messages: int) -> Floats:
    """How rare each gram is, 0 for what is in one message only or in too many."""
    weight = np.log((1 + messages) / (1 + counts)) + 1
    weight[(counts < 2) | (counts > max(COMMON * messages, 20))] = 0
    return weight.astype(np.float32)


def weighed(batch: Counted, rare: Floats) -> tuple[sparse.csr_array, sparse.csr_array]:
    """The batch's rows of length 1: of its texts, and of the names of places in them. A text that names none is placed by all its words."""
    gram = (batch.packed & np.uint32(SPACE - 1)).astype(np.int32)
    weight = rare[gram]
    message = np.repeat(np.arange(batch.messages), batch.length)
    times = batch.packed >> np.uint32(20) & np.uint32(7)
    placed = batch.packed >> np.uint32(24) & np.uint32(7)
    log = 1 + np.log(np.maximum(np.arange(8), 1))
    count = log[times] + TITLE * (batch.packed >> np.uint32(23) & np.uint32(1))
    whole = np.where(placed > 0, NAMED * count, count) * weight**RARE
    place = np.where(placed > 0, log[placed] + count - log[times], 0) * weight**RARE_PLACE
    nowhere = np.bincount(message, place, minlength=batch.messages) == 0
    place = np.where(nowhere[message], whole, place)
    return _rows(message, gram, whole, batch.messages), _rows(message, gram, place, batch.messages)


def _rows(message: Longs, gram: NDArray[np.int32], value: NDArray[np.float64], messages: int) -> sparse.csr_array:
    at = np.flatnonzero(value)
    message, value = message[at], value[at]
    norm = np.sqrt(np.bincount(message, value**2, minlength=messages))
    value /= np.maximum(norm, 1e-9)[message]
    until = np.concatenate([[0], np.cumsum(np.bincount(message, minlength=messages))])
    return sparse.csr_array((value.astype(np.float32), gram[at], until), shape=(messages, SPACE))


def enough(grams: float, grams_place: float) -> float:
    """Likeness from which two groups are one topic in texts of so many grams and so many for places, on average.

    Two tellings of one matter share some words, however long they are; the longer, the less of them that is. So the bar
    goes down with both lengths.
    """
    return ENOUGH * GRAMS / max(grams, 1.0) * GRAMS_PLACE / max(grams_place, 1.0)


class Gathering:
    """Groups of messages that become topics: sums of rows, and pairs of groups with their likeness."""

    def __init__(self, whole: sparse.csr_array, place: sparse.csr_array, district: sparse.csr_array, signature: NDArray[np.uint32]) -> None:
        n = whole.shape[0]
        self.whole, self.place, self.district = Rows(whole), Rows(place), Rows(district)
        self.districts = np.asarray(district.sum(axis=1)).ravel()
        self.size = np.ones(n)
        self.signature = signature
        self.group = np.arange(n)
        self.left = np.zeros(0, dtype=np.int64)
        self.right = np.zeros(0, dtype=np.int64)
        self.likeness = np.zeros(0, dtype=np.float32)

    def score(self, left: Longs, right: Longs, least: float) -> tuple[Longs, Floats]:
        """Which pairs are at least so like, and how much: the average likeness of their members' texts, times of their places.

        Members that name different districts count as not alike.
        """
        many = self.size[left] * self.size[right]
        bound = (ANYWHERE + self.place.dot(left, right) / many) / (1 + ANYWHERE)
        both = self.districts[left] * self.districts[right]
        at = np.flatnonzero(both)
        bound[at] *= 1 - np.clip((both[at] - self.district.dot(left[at], right[at])) / many[at], 0, 1)
        able = np.flatnonzero(bound >= least)
        likeness = self.whole.dot(left[able], right[able]) / many[able] * bound[able]
        good = np.flatnonzero(likeness >= least)
        return able[good], likeness[good].astype(np.float32)

    def compact(self) -> None:
        """Forget groups that were merged into others."""
        live, self.group = np.unique(self.group, return_inverse=True)
        into = np.full(len(self.size), -1)
        into[live] = np.arange(len(live))
        for rows in (self.whole, self.place, self.district):
            rows.matrix = rows.matrix[live]
        self.districts, self.size, self.signature = self.districts[live], self.size[live], self.signature[live]
        self.left, self.right = into[self.left], into[self.right]

    def look(self, turn: int, least: float) -> None:
        """Find pairs at least so like: they share grams drawn for this turn, weighty ones most likely."""
        self.compact()
        draw = np.random.default_rng(turn).random(SPACE, dtype=np.float32)
        order = self.signature[:, turn % sketch.LANES].astype(np.int64)
        n = len(self.size)
        pairs = [self.left * n + self.right]
        # Texts alone must be this like to reach `least` without a common place.
        for rows in (self.place, self.whole) if least * (1 + ANYWHERE) < ANYWHERE else (self.place,):
            x = rows.matrix
            square = x.data * x.data
            row = np.repeat(np.arange(n), np.diff(x.indptr))
            total = np.bincount(row, square, minlength=n)
            at = np.flatnonzero(draw[x.indices] * total[row] < PICKED * square)
            key, row = x.indices[at].astype(np.int64), row[at]
            width = int(np.clip(PAIRS // max(len(at), 1), 3, 64))
            a, b = sketch.pairs_in_lists(key, row, order[row], width)
            pairs.append(np.minimum(row[a], row[b]) * n + np.maximum(row[a], row[b]))
        self._take(np.unique(np.concatenate(pairs)), n, least / 2)

    def _take(self, pairs: Longs, base: int, least: float) -> None:
        left, right = np.divmod(pairs, base)
        at, self.likeness = self.score(left, right, least)
        self.left, self.right = left[at], right[at]

    def _mutual(self, least: float) -> Longs:
        """Pairs at least so like that are each other's nearest."""
        at = np.flatnonzero(self.likeness >= least)
        at = at[np.lexsort((-self.right[at], -self.left[at], self.likeness[at]))]
        nearest = np.full(len(self.size), -1)
        # Pairs stand from the least like to the most: the last one written for a group is with its nearest.
        nearest[np.stack([self.left[at], self.right[at]], axis=1).ravel()] = np.repeat(at, 2)
        return at[(nearest[self.left[at]] == at) & (nearest[self.right[at]] == at)]

    def merge(self, least: float) -> int:
        """Join all pairs that are each other's nearest and like enough; how many that were. Only what changed is scored anew."""
        chosen = self._mutual(least)
        if not len(chosen):
            return 0
        one, other = self.left[chosen], self.right[chosen]
        n, k = len(self.size), len(chosen)
        into = np.arange(n + k)
        into[one] = into[other] = n + np.arange(k)
        self.group = into[self.group]
        self._grow(one, other)
        a, b = into[self.left], into[self.right]
        a, b = np.minimum(a, b), np.maximum(a, b)
        still = np.flatnonzero(b < n)
        moved = np.flatnonzero((b >= n) & (a != b))
        pairs = np.unique(a[moved] * (n + k) + b[moved])
        a, b, likeness = a[still], b[still], self.likeness[still]
        self._take(pairs, n + k, least / 2)
        self.left, self.right = np.concatenate([a, self.left]), np.concatenate([b, self.right])
        self.likeness = np.concatenate([likeness, self.likeness])
        return k

    def _grow(self, one: Longs, other: Longs) -> None:
        """Add the groups that these pairs of groups become."""
        k = len(one)
        both = np.stack([one, other], axis=1).ravel()
        sums = sparse.csr_array((np.ones(2 * k, dtype=np.float32), both, np.arange(0, 2 * k + 1, 2)), shape=(k, len(self.size)))
        for rows in (self.whole, self.place, self.district):
            grown = sums @ rows.matrix
            grown.sort_indices()
            rows.grow(grown)
        self.size = np.append(self.size, self.size[one] + self.size[other])
        self.districts = np.append(self.districts, self.districts[one] + self.districts[other])
        self.signature = np.concatenate([self.signature, np.minimum(self.signature[one], self.signature[other])])


def find(titles: Sequence[str], bodies: Sequence[str], *, progress: Progress | None = None) -> Topics:
    """Topics of all these messages. Equal messages in another order give the same groups.

    `progress` is told how much of how much is done, first by messages read, then by stages.
    """
    n = len(titles)
    total = 3 * n
    counted = []
    for at in range(0, n, BATCH):
        counted.append(prepare(titles[at : at + BATCH], bodies[at : at + BATCH]))
        if progress:
            progress(min(at + BATCH, n), total)
    return gathered(counted, progress=progress)


def gathered(counted: Sequence[Counted], *, progress: Progress | None = None) -> Topics:
    """Topics of batches prepared before, in their order."""
    n = sum(batch.messages for batch in counted)
    if n == 0:
        return Topics(np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.float32))
    counts = np.zeros(SPACE, dtype=np.int64)
    for batch in counted:
        counts += np.bincount(batch.packed & np.uint32(SPACE - 1), minlength=SPACE)
    rare = rarity(counts, n)
    pairs = [weighed(batch, rare) for batch in counted]
    digest = np.concatenate([batch.digest for batch in counted])
    order = np.argsort(digest, kind="stable")
    whole = sparse.vstack([w for w, _ in pairs], format="csr")[order]
    place = sparse.vstack([p for _, p in pairs], format="csr")[order]
    signature = np.concatenate([batch.signature for batch in counted])[order]
    gathering = Gathering(whole, place, _districts(counted)[order], signature)
    bar = enough(*_lengths(counted, rare))
    for turn, times in enumerate((*STAGES, *[1.0] * LAST_LOOKS)):
        if times * bar < 1:
            gathering.look(turn, times * bar)
            while gathering.merge(times * bar):
                pass
        if progress:
            progress(n + 2 * n * (turn + 1) // (len(STAGES) + LAST_LOOKS), 3 * n)
    gathering.compact()
    group, near = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.float32)
    group[order] = gathering.group
    near[order] = _nearness(whole, gathering)
    return Topics(numbered(group), np.clip(near, 0, 1))


def _nearness(whole: sparse.csr_array, gathering: Gathering) -> Floats:
    """Likeness of each message's text to the sum of its group."""
    sums = gathering.whole.matrix
    length = np.sqrt(np.asarray(sums.multiply(sums).sum(axis=1)).ravel())
    out = np.empty(len(gathering.group), dtype=np.float32)
    for at in range(0, len(out), 16384):
        group = gathering.group[at : at + 16384]
        out[at : at + 16384] = whole[at : at + 16384].multiply(sums[group]).sum(axis=1) / np.maximum(length[group], 1e-9)
    return out


def _lengths(counted: Sequence[Counted], rare: Floats) -> tuple[float, float]:
    """Grams of a message on average, and grams that name places of a message that names any."""
    grams = named = naming = 0
    for batch in counted:
        known = rare[batch.packed & np.uint32(SPACE - 1)] > 0
        place = known & (batch.packed >> np.uint32(24) > 0)
        grams += int(known.sum())
        named += int(place.sum())
        naming += len(np.unique(np.repeat(np.arange(batch.messages), batch.length)[place]))
    return grams / max(sum(batch.messages for batch in counted), 1), named / max(naming, 1)


def numbered(group: Longs) -> NDArray[np.int32]:
    """Groups numbered from 0 in order of their first member."""
    _, first, inverse = np.unique(group, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int32)
    rank[np.argsort(first)] = np.arange(len(first), dtype=np.int32)
    return rank[inverse]


def _districts(counted: Sequence[Counted]) -> sparse.csr_array:
    """Of every message the districts named in its title, one of them each with equal parts."""
    base = np.cumsum([0, *(batch.messages for batch in counted)])
    pairs = np.concatenate([batch.district + np.array([[at, 0]]) for at, batch in zip(base[:-1], counted, strict=True)])
    pairs = np.unique(pairs, axis=0) if len(pairs) else pairs.astype(np.int64)
    many = np.bincount(pairs[:, 0], minlength=base[-1])
    value = (1 / np.maximum(many, 1))[pairs[:, 0]].astype(np.float32)
    return sparse.csr_array((value, (pairs[:, 0], pairs[:, 1])), shape=(int(base[-1]), text.DISTRICTS))
