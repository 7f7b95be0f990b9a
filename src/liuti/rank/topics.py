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
PAIR = 1 << 32
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
ENOUGH = 0.016
"""Likeness from which two groups are one topic, in texts of `GRAMS` grams of which `GRAMS_PLACE` name places."""
GRAMS, GRAMS_PLACE = 135.0, 14.4
STAGES = (24.0, 14.0, 9.0, 6.0, 4.0, 2.6, 1.8, 1.35, 1.0)
"""Likeness asked for from stage to stage, in times of what is enough."""
PICKED, PICKED_PLACE = 24, 12
"""Grams looked up for every group and stage, about."""
PAIRS = 6_000_000
"""Pairs looked at in a stage, about, and of them scored:"""
SCORED = 1_200_000


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
    """The batch's rows of length 1: of its texts, and of the names of places in them."""
    gram = (batch.packed & np.uint32(SPACE - 1)).astype(np.int32)
    weight = rare[gram]
    message = np.repeat(np.arange(batch.messages), batch.length)
    times = batch.packed >> np.uint32(20) & np.uint32(7)
    placed = batch.packed >> np.uint32(24) & np.uint32(7)
    log = 1 + np.log(np.maximum(np.arange(8), 1))
    count = log[times] + TITLE * (batch.packed >> np.uint32(23) & np.uint32(1))
    whole = np.where(placed > 0, NAMED * count, count) * weight**RARE
    place = np.where(placed > 0, log[placed] + count - log[times], 0) * weight**RARE_PLACE
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
    """Groups of messages that become topics: sums of rows, and pairs worth a look with their likeness."""

    def __init__(self, whole: sparse.csr_array, place: sparse.csr_array, district: sparse.csr_array, signature: NDArray[np.uint32]) -> None:
        n = whole.shape[0]
        self.enough = enough(whole.nnz / n, place.nnz / n)
        self.whole, self.place, self.district = Rows(whole), Rows(place), Rows(district)
        self.districts = np.asarray(district.sum(axis=1)).ravel()
        self.size = np.ones(n)
        self.signature = signature
        self.group = np.arange(n)
        self.left = np.zeros(0, dtype=np.int64)
        self.right = np.zeros(0, dtype=np.int64)
        self.likeness = np.zeros(0, dtype=np.float32)
        self.tried = np.zeros(0, dtype=np.int64)

    def score(self, left: Longs, right: Longs) -> Floats:
        """Average likeness of their members: of texts, times of places, and nothing where their districts differ."""
        many = self.size[left] * self.size[right]
        place = self.place.dot(left, right) / many
        both = self.districts[left] * self.districts[right]
        differ = np.zeros(len(left))
        at = np.flatnonzero(both)
        differ[at] = (both[at] - self.district.dot(left[at], right[at])) / many[at]
        return (self.whole.dot(left, right) / many * (ANYWHERE + place) / (1 + ANYWHERE) * (1 - np.clip(differ, 0, 1))).astype(np.float32)

    def live(self) -> Longs:
        return np.unique(self.group)

    def look(self, stage: int) -> None:
        """New pairs of groups: those that share grams picked for both, weighty ones most likely."""
        live = self.live()
        draw = np.random.default_rng(stage).random(SPACE, dtype=np.float32)
        key, row, value = [], [], []
        for rows, picked, shift in ((self.whole, PICKED, 0), (self.place, PICKED_PLACE, SPACE)):
            x = rows.matrix[live]
            square = x.data * x.data
            r = np.repeat(np.arange(len(live)), np.diff(x.indptr))
            total = np.bincount(r, square, minlength=len(live))
            at = np.flatnonzero(draw[x.indices] * total[r] < picked * square)
            key.append(x.indices[at].astype(np.int64) + shift)
            row.append(r[at])
            value.append(x.data[at] / np.sqrt(total[r[at]]))
        k, r, v = np.concatenate(key), np.concatenate(row), np.concatenate(value)
        width = int(np.clip(PAIRS // max(len(k), 1), 2, 512))
        a, b = sketch.pairs_in_lists(k, r, self.signature[live[r], stage % sketch.LANES].astype(np.int64), width)
        self._add(live, r[a], r[b], v[a] * v[b])

    def _add(self, live: Longs, a: Longs, b: Longs, share: Floats) -> None:
        pair, which = np.unique(np.minimum(a, b) * len(live) + np.maximum(a, b), return_inverse=True)
        share = np.bincount(which, share, minlength=len(pair))
        a, b = np.divmod(pair, len(live))
        keep = np.zeros(len(pair), dtype=np.bool_)
        each = int(np.clip(SCORED // max(len(live), 1), 8, 64))
        for side in (a, b):
            by = np.lexsort((-share, side))
            start = np.flatnonzero(np.diff(side[by], prepend=-1))
            rank = np.arange(len(by)) - np.repeat(start, np.diff(start, append=len(by)))
            keep[by[rank < each]] = True
        left, right = live[a[keep]], live[b[keep]]
        new = left * PAIR + right
        new = np.setdiff1d(new, self.tried, assume_unique=True)
        self.tried = np.concatenate([self.tried, new])
        left, right = np.divmod(new, PAIR)
        self._keep(
            np.concatenate([self.left, left]), np.concatenate([self.right, right]), np.concatenate([self.likeness, self.score(left, right)])
        )

    def _keep(self, left: Longs, right: Longs, likeness: Floats) -> None:
        at = np.flatnonzero(likeness >= self.enough / 2)
        self.left, self.right, self.likeness = left[at], right[at], likeness[at]

    def _mutual(self, enough: float) -> Longs:
        """Pairs that are each other's nearest."""
        at = np.flatnonzero(self.likeness >= enough)
        at = at[np.lexsort((-self.right[at], -self.left[at], self.likeness[at]))]
        nearest = np.full(len(self.size), -1)
        # Pairs stand from the least like to the most: the last one written for a group is with its nearest.
        nearest[np.stack([self.left[at], self.right[at]], axis=1).ravel()] = np.repeat(at, 2)
        return at[(nearest[self.left[at]] == at) & (nearest[self.right[at]] == at)]

    def merge(self, enough: float) -> int:
        """Join all pairs that are each other's nearest and like enough; how many that were."""
        chosen = self._mutual(enough)
        if not len(chosen):
            return 0
        one, other = self.left[chosen], self.right[chosen]
        n, k = len(self.size), len(chosen)
        into = np.arange(n + k)
        into[one] = into[other] = n + np.arange(k)
        self.group = into[self.group]
        sums = sparse.csr_array((np.ones(2 * k, dtype=np.float32), np.stack([one, other], axis=1).ravel(), np.arange(0, 2 * k + 1, 2)), shape=(k, n))
        for rows in (self.whole, self.place, self.district):
            grown = sums @ rows.matrix
            grown.sort_indices()
            rows.grow(grown)
        self.size = np.append(self.size, self.size[one] + self.size[other])
        self.districts = np.append(self.districts, self.districts[one] + self.districts[other])
        self.signature = np.concatenate([self.signature, np.minimum(self.signature[one], self.signature[other])])
        a, b = into[self.left], into[self.right]
        a, b, kept = np.minimum(a, b), np.maximum(a, b), self.likeness
        moved = b >= n
        pair = np.unique(a[moved & (a != b)] * PAIR + b[moved & (a != b)])
        self.tried = np.concatenate([self.tried, pair])
        c, d = np.divmod(pair, PAIR)
        still = ~moved & (a != b)
        self._keep(np.concatenate([a[still], c]), np.concatenate([b[still], d]), np.concatenate([kept[still], self.score(c, d)]))
        return k


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
    for stage, times in enumerate(STAGES):
        gathering.look(stage)
        while gathering.merge(times * gathering.enough):
            pass
        if progress:
            progress(n + 2 * n * (stage + 1) // len(STAGES), 3 * n)
    group = np.empty(n, dtype=np.int64)
    group[order] = gathering.group
    near = np.empty(n, dtype=np.float32)
    centre = gathering.group
    length = np.sqrt(np.asarray(gathering.whole.matrix.multiply(gathering.whole.matrix).sum(axis=1)).ravel())
    near[order] = gathering.whole.dot(np.arange(n), centre) / np.maximum(length[centre], 1e-9)
    return Topics(numbered(group), np.clip(near, 0, 1))


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
