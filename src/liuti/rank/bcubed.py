"""How well groups fit known topics, and how well two groupings fit each other: B-cubed."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

Key = TypeVar("Key")


@dataclass(frozen=True, slots=True)
class Fit:
    """Precision and recall from 0 to 1, means over the messages judged."""

    precision: float
    recall: float

    @property
    def f1(self) -> float:
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0


def against(gold: Mapping[Key, int], groups: Mapping[Key, int], ignored: Set[Key] = frozenset()) -> Fit:
    """Of each gold message: the share of its topic in its group (precision), and of its topic that is there (recall).

    Every message counts in the size of its group, known topic or not, but for those ignored. A gold message that
    stands in no group, or is to be ignored, is an error of the caller: KeyError, ValueError.
    """
    if not gold:
        raise ValueError("no message has a known topic")
    if ignored & gold.keys():
        raise ValueError("a message has a known topic and is to be ignored")
    size: dict[int, int] = {}
    for key, group in groups.items():
        if key not in ignored:
            size[group] = size.get(group, 0) + 1
    whole: dict[int, int] = {}
    here: dict[tuple[int, int], int] = {}
    for key, topic in gold.items():
        whole[topic] = whole.get(topic, 0) + 1
        place = topic, groups[key]
        here[place] = here.get(place, 0) + 1
    precision = sum(n * n / size[group] for (_, group), n in here.items())
    recall = sum(n * n / whole[topic] for (topic, _), n in here.items())
    return Fit(precision / len(gold), recall / len(gold))


def between(one: ArrayLike, other: ArrayLike) -> Fit:
    """How far `one` agrees with `other`, two numberings of the same messages in the same order; 1 when they are equal.

    Precision is what `one` keeps apart of what `other` does, recall what it holds together; F1 is the same either way.
    """
    a, b = _dense(one), _dense(other)
    if len(a) != len(b):
        raise ValueError("the two do not number the same messages")
    if not len(a):
        return Fit(1.0, 1.0)
    _, which, here = np.unique(a * (b.max() + 1) + b, return_inverse=True, return_counts=True)
    share = here[which]
    return Fit(float(np.mean(share / np.bincount(a)[a])), float(np.mean(share / np.bincount(b)[b])))


def _dense(labels: ArrayLike) -> NDArray[np.int64]:
    return np.unique(np.asarray(labels), return_inverse=True)[1].astype(np.int64)
