"""Figures for readers who know the cases: what fewer than five people said stays untold (docs/rules.md §7, §8)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from liuti.figures.rates import DEFINITIONS
from liuti.figures.tables import Composite, Figures, Group, Rate, Share

FEW = 5
"""Below it a count of what people said could be laid beside a case, and its unit would know who said it."""
UNTOLD = Share(0, 0, text="少于5人不显示 fewer than 5")
VOICED = frozenset(definition.key for definition in DEFINITIONS if definition.voiced)
_NOTHING = Rate(UNTOLD, UNTOLD)
_NOBODY = -1


def hidden(found: Figures, above: Mapping[str, Sequence[str]] | None = None) -> Figures:
    """The same without what few people said, without what would give it away beside a larger number, and, where few are
    excluded or few are left, without the adjusted rate: its difference to the raw one is their word.

    `above` says of a grid which places it lies in, from the district down: their rows hold its cases as well.
    """
    rows = [found.total, *found.groups]
    upward = _upward(rows, above or {}) if found.by == "grid" else [_NOBODY, *(0 for _ in found.groups)]
    for name in sorted(VOICED):
        rates = [row.rates[name] for row in rows]
        raw = _told([(rate.raw.n,) for rate in rates], upward, set(range(len(rows))))
        adjusted = _told([(rate.adjusted.n, rate.raw.n - rate.adjusted.n) for rate in rates], upward, raw)
        for place in range(len(rows)):
            if place not in adjusted:
                part = replace(rates[place], adjusted=UNTOLD, rank=None) if place in raw else _NOTHING
                rows[place] = replace(rows[place], rates=rows[place].rates | {name: part})
    total, *groups = (replace(row, channels={}, composite=_composite(row)) for row in rows)
    return replace(found, total=total, groups=groups)


def _upward(rows: Sequence[Group], above: Mapping[str, Sequence[str]]) -> list[int]:
    """For each row the one that holds its cases as well and is the next larger."""
    places = {row.key: place for place, row in enumerate(rows) if place}
    larger = (next((places[up] for up in reversed(above.get(row.key, ())) if up in places), 0) for row in rows[1:])
    return [_NOBODY, *larger]


def _told(sizes: Sequence[tuple[int, ...]], upward: Sequence[int], told: set[int]) -> set[int]:
    """Of the rows that might be told those that may be: of each, and of what is left of it without the rows below it
    that are told, every size is nothing or large enough. Then nothing that can be counted from them is small."""
    told = {place for place in told if not any(map(_is_few, sizes[place]))}
    while True:
        below: dict[int, list[int]] = {place: [] for place in told}
        for place in sorted(told):
            up = upward[place]
            while up not in told and up != _NOBODY:
                up = upward[up]
            if up != _NOBODY:
                below[up].append(place)
        close = (
            (place, size)
            for place in sorted(told)
            for size in range(len(sizes[place]))
            if _gives_away(place, size, sizes, below)
        )
        if (found := next(close, None)) is None:
            return told
        place, size = found
        told.remove(min((one for one in below[place] if sizes[one][size]), key=lambda one: sizes[one][size]))


def _gives_away(place: int, size: int, sizes: Sequence[tuple[int, ...]], below: Mapping[int, Sequence[int]]) -> bool:
    return _is_few(sizes[place][size] - sum(sizes[one][size] for one in below[place]))


def _is_few(n: int) -> bool:
    return 0 < n < FEW


def _composite(row: Group) -> Composite | None:
    return None if any(row.rates[name].adjusted is UNTOLD for name in VOICED) else row.composite
