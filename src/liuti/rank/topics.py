"""Which messages are the same matter at the same place: average link over sums of vectors, so that no topic outgrows it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from liuti.rank import sketch
from liuti.rank.sketch import BATCH, CHUNK, SPACE, Counted, Floats, Longs, Rows, prepare

Progress = Callable[[int, int], None]

LONG = 1024
"""Grams a group is told by at most; up to twice as many before it is cut."""
ANYWHERE = 0.1
"""What likeness counts for without a common place, beside likeness of places from 0 to 1."""
SWAPPED = 0.55
"""Where places are less like than this share of the texts' likeness, the same words were said about another place."""
ENOUGH = 0.013
"""Likeness from which two groups are one topic, in texts of `GRAMS` grams of which `GRAMS_PLACE` name places."""
GRAMS, GRAMS_PLACE = 157.0, 18.7
STAGES = (24.0, 14.0, 9.0, 6.0, 4.0, 2.6, 1.8, 1.35, 1.0)
"""Likeness asked for from stage to stage, in times of what is enough."""
PICKED = 8
"""Grams looked up for every group and stage, about."""
PAIRS = 1_500_000
"""Pairs looked at in a stage, about, unless three neighbours for every gram looked up are more."""
LAST_LOOKS = 4
"""The last stage looks again: by then there are few groups."""


@dataclass(frozen=True, slots=True)
class Topics:
    """Of every message the number of its topic, in order of first appearance, and its likeness (0 to 1) to that topic's centre."""

    topic: NDArray[np.int32]
    similarity: Floats


def enough(grams: float, grams_place: float) -> float:
    """Likeness from which two groups are one topic in texts of so many grams and so many for places, on average.

    Two tellings of one matter share some words, however long they are; the longer, the less of them that is. So the bar
    goes down with both lengths. It never gets so high that copies would stay apart.
    """
    return min(ENOUGH * GRAMS / max(grams, 1.0) * GRAMS_PLACE / max(grams_place, 1.0), 0.4)


class Gathering:
    """Groups of messages that become topics: sums of rows, and pairs of groups with their likeness."""

    def __init__(
        self,
        whole: sparse.csr_array,
        place: sparse.csr_array,
        district: sparse.csr_array,
        signature: NDArray[np.uint32],
    ) -> None:
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
        place = self.place.dot(left, right) / many
        bound = (ANYWHERE + place) / (1 + ANYWHERE)
        both = self.districts[left] * self.districts[right]
        at = np.flatnonzero(both)
        bound[at] *= 1 - np.clip((both[at] - self.district.dot(left[at], right[at])) / many[at], 0, 1)
        able = np.flatnonzero(bound >= least)
        whole = self.whole.dot(left[able], right[able]) / many[able]
        likeness = np.where(place[able] < SWAPPED * whole, 0, whole * bound[able])
        good = np.flatnonzero(likeness >= least)
        return able[good], likeness[good].astype(np.float32)

    def compact(self) -> None:
        """Forget groups that were merged into others."""
        live, self.group = np.unique(self.group, return_inverse=True)
        into = np.full(len(self.size), -1)
        into[live] = np.arange(len(live))
        for rows in (self.whole, self.place, self.district):
            rows.take(rows.matrix[live])
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
        self._take(_distinct(np.concatenate(pairs)), n, least)

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
        mutual: Longs = at[(nearest[self.left[at]] == at) & (nearest[self.right[at]] == at)]
        return mutual

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
        pairs = _distinct(a[moved] * (n + k) + b[moved])
        a, b, likeness = a[still], b[still], self.likeness[still]
        self._take(pairs, n + k, least)
        self.left, self.right = np.concatenate([a, self.left]), np.concatenate([b, self.right])
        self.likeness = np.concatenate([likeness, self.likeness])
        return k

    def _grow(self, one: Longs, other: Longs) -> None:
        """Add the groups that these pairs of groups become."""
        k = len(one)
        both = np.stack([one, other], axis=1).ravel()
        sums = sparse.csr_array(
            (np.ones(2 * k, dtype=np.float32), both, np.arange(0, 2 * k + 1, 2)), shape=(k, len(self.size))
        )
        for rows in (self.whole, self.place, self.district):
            grown = sums @ rows.matrix
            grown.sort_indices()
            rows.grow(_cut(grown))
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
    rare = sketch.rarity(counts, n)
    order = np.argsort(np.concatenate([batch.digest for batch in counted]), kind="stable")
    whole, place = _weighed(counted, rare, counts > 1, order)
    signature = np.concatenate([batch.signature for batch in counted])[order]
    gathering = Gathering(whole, place, sketch.districts(counted)[order], signature)
    bar = enough(*sketch.lengths(counted, counts > 1))
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


def _weighed(
    counted: Sequence[Counted], rare: Floats, met: NDArray[np.bool_], order: Longs
) -> tuple[sparse.csr_array, sparse.csr_array]:
    """Rows of texts and of places in this order, whichever way the messages came."""
    pairs = [sketch.weighed(batch, rare, met) for batch in counted]
    place = sparse.vstack([row for _, row in pairs], format="csr")
    whole = sparse.vstack([row for row, _ in pairs], format="csr")
    del pairs
    return whole[order], place[order]


def _nearness(whole: sparse.csr_array, gathering: Gathering) -> Floats:
    """Likeness of each message's text to the sum of its group."""
    sums = gathering.whole.matrix
    length = np.sqrt(np.asarray(sums.multiply(sums).sum(axis=1)).ravel())
    out = np.empty(len(gathering.group), dtype=np.float32)
    for at in range(0, len(out), CHUNK):
        group = gathering.group[at : at + CHUNK]
        out[at : at + CHUNK] = whole[at : at + CHUNK].multiply(sums[group]).sum(axis=1) / np.maximum(
            length[group], 1e-9
        )
    return out


def _cut(rows: sparse.csr_array) -> sparse.csr_array:
    """The rows, very long ones without their lightest grams: a topic of thousands must not cost thousands at every turn."""
    long = np.flatnonzero(np.diff(rows.indptr) > 2 * LONG)
    if not len(long):
        return rows
    for row in long.tolist():
        value = rows.data[rows.indptr[row] : rows.indptr[row + 1]]
        value[value < np.partition(value, -LONG)[-LONG]] = 0
    rows.eliminate_zeros()
    return rows


def _distinct(values: Longs) -> Longs:
    values.sort()
    return values[np.diff(values, prepend=-1) > 0]


def numbered(group: Longs) -> NDArray[np.int32]:
    """Groups numbered from 0 in order of their first member."""
    _, first, inverse = np.unique(group, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int32)
    rank[np.argsort(first)] = np.arange(len(first), dtype=np.int32)
    return rank[inverse]
