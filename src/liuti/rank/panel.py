"""The recommendation laid before the panel: the top of the list, slots set aside, and how firm each place is."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

import msgspec

from liuti.rank.factors import FACTORS, MANY, Factor, Origin
from liuti.rank.score import TOTAL_DIGITS, Score

SET_ASIDE_EVERY = 5
GRAVE = 0.8  # severity or vulnerable from here on is high
FEW = 6  # households, verified or not
SWING = 0.2


class Why(StrEnum):
    """Why a matter stands where it does in the list."""

    TOTAL = "total"
    SET_ASIDE = "set_aside"
    BELOW = "below"
    UNKNOWN = "unknown"


WORDS = {
    Why.TOTAL: ("得分居前", "Among the highest totals"),
    Why.SET_ASIDE: ("预留名额:情况严重或涉及困难群体,而反映户数少", "A slot set aside: grave or vulnerable, and few households"),
    Why.BELOW: ("得分未进入本轮名额", "Below the slots of this round"),
    Why.UNKNOWN: ("待核的权重过多,不自动推荐", "Too much to be verified for a recommendation"),
}  # fmt: skip


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the list. ``rank``: its place among the recommended, else None. ``by_total``: its place among all
    that may be recommended, without slots set aside; None when it may not."""

    id: str
    total: float
    rank: int | None
    by_total: int | None
    why: Why
    zh: str
    en: str


def quiet(score: Score, few: int = FEW) -> bool:
    """Whether a set-aside slot may go to it: known to be grave or to touch vulnerable people, and from ``few``
    households or fewer. All of them are counted: nobody's phone being proved does not make fifty neighbours few."""
    known = {one.name: one.value for one in score.factors if one.origin is not Origin.UNKNOWN}
    grave = max(known.get("severity", 0.0), known.get("vulnerable", 0.0)) >= GRAVE
    return grave and _behind(score) <= few


def _behind(score: Score) -> int:
    """The households behind it; where a person put the factor right, as many as that value stands for."""
    (factor,) = (one for one in score.factors if one.name == "households")
    if factor.origin is Origin.EVIDENCE:
        return round(float(MANY**factor.value)) - 1
    return int(factor.raw["verified"] + factor.raw["unverified"])


class _Line(NamedTuple):
    """What the choice looks at; lines sort as the list does: by total, then the earlier first proposal, then the id."""

    below: float
    proposed: datetime
    id: str
    may: bool
    quiet: bool


def recommend(
    scores: Iterable[Score], slots: int, set_aside_every: int = SET_ASIDE_EVERY, few: int = FEW
) -> list[Place]:
    """All matters, the recommended ones first in their rank, then those below, then those not recommendable.

    By total; equal totals: the earlier first proposal, then the id. One slot in ``set_aside_every``, rounded up, goes
    to a quiet matter (see ``quiet``): one that stands in the top by its total takes such a slot with it; for those
    still lacking, the best quiet ones below take the place of the last others. Where there are too few, totals decide.
    """
    every = {one.id: one for one in scores}
    lines = sorted(_line(one, few) for one in every.values())
    chosen, aside = _chosen(lines, slots, set_aside_every)
    by_total = {line.id: at for at, line in enumerate((line for line in lines if line.may), 1)}
    rank = {line.id: at for at, line in enumerate((line for line in lines if line.id in chosen), 1)}
    places = [_place(every[i.id], rank.get(i.id), by_total.get(i.id), i.id in aside) for i in lines]
    return sorted(places, key=lambda one: (one.rank is None, one.rank or 0, one.by_total is None))


def _line(score: Score, few: int) -> _Line:
    return _Line(-score.total, score.first_proposed, score.id, score.recommendable, quiet(score, few))


def _chosen(lines: Iterable[_Line], slots: int, every: int) -> tuple[set[str], set[str]]:
    """Of sorted lines: who has a slot, and which of them only because it was set aside."""
    if slots < 0 or every < 1:
        raise ValueError(f"slots {slots}, one in {every} set aside")
    may = [line for line in lines if line.may]
    top, below = may[:slots], may[slots:]
    loud = [line.id for line in top if not line.quiet]
    lacking = math.ceil(slots / every) - (len(top) - len(loud))
    aside = [line.id for line in below if line.quiet][: max(0, lacking)]
    leaving = set(loud[len(loud) - len(aside) :])
    return {line.id for line in top if line.id not in leaving} | set(aside), set(aside)


def _place(score: Score, rank: int | None, by_total: int | None, aside: bool) -> Place:
    if rank is not None:
        why = Why.SET_ASIDE if aside else Why.TOTAL
    else:
        why = Why.UNKNOWN if by_total is None else Why.BELOW
    zh, en = WORDS[why]
    return Place(id=score.id, total=score.total, rank=rank, by_total=by_total, why=why, zh=zh, en=en)


class Change(msgspec.Struct, frozen=True):
    """What the panel did to one matter: pin it to a rank, drop it, or swap it with another."""

    id: str
    what: str
    to_rank: int | None = None
    other: str = ""


def final(ranked: Sequence[str], changes: Iterable[Change]) -> dict[str, int]:
    """The ranks after the panel's changes, in their order: a pinned one stands at its rank and the others move on, a
    dropped one is gone and they move up, of two that are swapped one may come from outside the list."""
    order = list(ranked)
    for change in changes:
        if change.what == "swap":
            order = [{change.id: change.other, change.other: change.id}.get(one, one) for one in order]
            continue
        order = [one for one in order if one != change.id]
        if change.what == "pin":
            order.insert((change.to_rank or 1) - 1, change.id)
    return {one: at for at, one in enumerate(order, 1)}


class Firmness(msgspec.Struct, frozen=True, kw_only=True):
    """How often a matter keeps a slot while single weights change: ``share`` of all the changes, and the ones, as
    ("severity", 0.8), under which it has none."""

    id: str
    share: float
    out: tuple[tuple[str, float], ...]


def sensitivity(
    scores: Sequence[Score], slots: int, set_aside_every: int = SET_ASIDE_EVERY, few: int = FEW, swing: float = SWING
) -> list[Firmness]:
    """Each weight in turn less and more by ``swing``, the others shared out so that they still add up to 100; for all
    who have a slot at least once, the firmest first."""
    changes = [(name, 1 + by) for name in FACTORS for by in (-swing, swing)]
    out: dict[str, list[tuple[str, float]]] = {}
    kept = Counter[str]()
    bases = [_base(one, few) for one in scores]
    chosen_by_change = {
        change: _chosen(sorted(_moved(one, *change) for one in bases), slots, set_aside_every)[0] for change in changes
    }
    for chosen in chosen_by_change.values():
        kept.update(chosen)
    for change, chosen in chosen_by_change.items():
        for name in kept.keys() - chosen:
            out.setdefault(name, []).append(change)
    found = [Firmness(id=one, share=round(n / len(changes), 4), out=tuple(out.get(one, ()))) for one, n in kept.items()]
    return sorted(found, key=lambda one: (-one.share, one.id))


class _Base(NamedTuple):
    """A score's line with the sums that a change of one weight moves."""

    line: _Line
    weight: float
    points: float
    unknown: float
    most: float
    factors: dict[str, Factor]


def _base(score: Score, few: int) -> _Base:
    every = score.factors
    weight = math.fsum(one.weight for one in every)
    points = math.fsum(one.value * one.weight for one in every)
    unknown = math.fsum(one.weight for one in every if one.origin is Origin.UNKNOWN)
    return _Base(_line(score, few), weight, points, unknown, score.unknown_most, {one.name: one for one in every})


def _moved(base: _Base, name: str, times: float) -> _Line:
    """The line had that factor's weight been ``times`` as much; grave and few do not depend on weights."""
    factor = base.factors[name]
    more = factor.weight * (times - 1)
    scale = 100 / (base.weight + more)
    total = round(scale * (base.points + more * factor.value), TOTAL_DIGITS)
    unknown = scale * (base.unknown + (more if factor.origin is Origin.UNKNOWN else 0.0))
    return base.line._replace(below=-total, may=round(unknown, TOTAL_DIGITS) <= base.most)
