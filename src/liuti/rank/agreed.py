"""The one category of a topic whose messages were given several."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple


class Given(NamedTuple):
    """A message's category, and how sure the model was that gave it: 0 where nothing was sure, None for a person's word."""

    category: str
    confidence: float | None = None


def agreed(given: Iterable[Given]) -> Given | None:
    """What most of the messages were given, equally many: the earliest of them, who stands first (docs/rules.md §6).

    What people gave goes before what a model suggested, and that before what was filled in where nothing was sure: so
    one correction by hand outweighs any number of suggestions. A suggestion is as sure as the messages that agree in
    it are on the average. None when no message has a category.
    """
    told = [one for one in given if one.category]
    weighty = [one for one in told if one.confidence is None] or [one for one in told if one.confidence] or told
    if not weighty:
        return None
    # Of equal counts `most_common` names the one it met first.
    (category, _), *_ = Counter(one.category for one in weighty).most_common(1)
    sure = [one.confidence for one in weighty if one.category == category and one.confidence is not None]
    return Given(category, round(statistics.fmean(sure), 4) if sure else None)
