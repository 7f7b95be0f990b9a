"""Which words of a text spoke for something, when only the worth of its pieces is known."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from liuti.rank.pieces import SIZES

WORDS, LOUD = 5, 0.2
"""Words told at most; what one must have spoken, as a share of the loudest."""
_GLUE = np.zeros(0x10000, np.bool_)
_GLUE[[ord(letter) for letter in "的了是在和与及个这那就也都被把我你他们\n"]] = True
"""Letters that stand between words and would tell nothing as part of one."""


def words(
    text: str,
    place: NDArray[np.int64],
    length: NDArray[np.int64],
    rarity: NDArray[np.float32],
    worth: NDArray[np.float64],
) -> list[tuple[str, ...]]:
    """For each column of `worth` (one row a piece) the words that spoke loudest, loudest first.

    Every piece gives its letters an equal share of its worth. A word ends where two letters cling less than those around
    them: the commoner their pair, the more they cling, and a pair that was never learned does not.
    """
    heat, bond = np.zeros((len(text), worth.shape[1])), np.zeros(len(text))
    for size in SIZES:
        of_size = np.flatnonzero(length == size)
        at, share = place[of_size], worth[of_size] / size
        for i in range(size):
            heat[at + i] += share
        if size == 2:
            bond[at] = 1 / rarity[of_size]
    glue = _GLUE[np.frombuffer(text.encode("utf-16-le"), np.uint16)]
    bond[glue] = 0
    bond[:-1][glue[1:]] = 0
    starts, ends = _cut(bond)
    if not len(starts):
        return [()] * worth.shape[1]
    spoken = np.cumsum(heat, axis=0)
    loud = spoken[ends - 1] - spoken[starts] + heat[starts]
    found = [text[start:end] for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]
    return [_loudest(found, column) for column in loud.T.tolist()]


def _cut(bond: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Where words of two letters and more start and end; `bond` is between each letter and the next."""
    around = np.concatenate([[0.0], bond, [0.0]])
    ends = np.flatnonzero((bond == 0) | ((bond < around[:-2]) & (bond <= around[2:]))) + 1
    starts = np.concatenate([[0], ends[:-1]])
    long = ends - starts > 1
    return starts[long], ends[long]


def _loudest(found: list[str], loud: list[float]) -> tuple[str, ...]:
    total: dict[str, float] = {}
    for word, worth in zip(found, loud, strict=True):
        if worth > 0:
            total[word] = total.get(word, 0.0) + worth
    least = LOUD * max(total.values(), default=0.0)
    return tuple(
        sorted((word for word in total if total[word] >= least), key=lambda word: (-total[word], word))[:WORDS]
    )
