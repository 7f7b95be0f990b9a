"""Figures for readers who know the cases: what fewer than five people said stays untold (docs/rules.md §7, §8)."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from liuti.figures.rates import DEFINITIONS
from liuti.figures.tables import Figures, Group, Rate, Share

FEW = 5
"""Below it a count of what people said could be laid beside a case, and its unit would know who said it."""
UNTOLD = Share(0, 0, text="少于5人不显示 fewer than 5")
VOICED = frozenset(definition.key for definition in DEFINITIONS if definition.voiced)
_NOTHING = Rate(UNTOLD, UNTOLD)


def hidden(found: Figures) -> Figures:
    """The same without what few people said, without what would give it away beside the whole, and, where few are
    excluded, without the adjusted rate: its difference to the raw one is their word."""
    groups, total = list(found.groups), found.total
    for name in sorted(VOICED):
        told = [place for place, group in enumerate(groups) if group.rates[name].raw.n]
        told.sort(key=lambda place: groups[place].rates[name].raw.n)
        few = sum(_few(groups[place], name) for place in told)
        # One hidden row is the whole less the others: the next smallest is hidden with it, else the whole.
        for place in told[: 2 if few == 1 else few]:
            groups[place] = _with(groups[place], name, _NOTHING)
        if (few == 1 and len(told) == 1) or _few(total, name):
            total = _with(total, name, _NOTHING)
    return replace(found, total=_unexcluded(total), groups=[_unexcluded(group) for group in groups])


def _few(group: Group, name: str) -> bool:
    return 0 < group.rates[name].raw.n < FEW


def _with(group: Group, name: str, rate: Rate) -> Group:
    return replace(group, rates=group.rates | {name: rate})


def _unexcluded(group: Group) -> Group:
    close = [name for name in VOICED if 0 < group.rates[name].raw.n - group.rates[name].adjusted.n < FEW]
    rates = {name: replace(group.rates[name], adjusted=UNTOLD, rank=None) for name in close}
    composite = None if _untold(group, close) else group.composite
    return replace(group, rates=group.rates | rates, channels={}, composite=composite)


def _untold(group: Group, close: Sequence[str]) -> bool:
    return bool(close) or any(group.rates[name].raw is UNTOLD for name in VOICED)
