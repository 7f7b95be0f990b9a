"""From cases to a report: groups, shares with their intervals, raw and adjusted, ranks within tiers (docs/rules.md §7)."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from liuti.figures.cases import Case, Leader
from liuti.figures.intervals import Times, times, wilson
from liuti.figures.periods import Period
from liuti.figures.rates import DEFINITIONS, Definition

BY = ("unit", "category", "grid", "leader", "level")


class Limits(Struct, frozen=True):
    """What the policy in force at the period's end says of rates."""

    policy: int
    counts_below: int
    ranked_from: int
    contacted: float
    solved: float
    satisfied: float
    extended_alert: float
    suspended_alert: float
    excluded_alert: float


class Share(Struct, frozen=True):
    """hits of n; below the limit for counts there is no value and no interval."""

    hits: float
    n: int
    value: float | None = None
    low: float | None = None
    high: float | None = None
    text: str = ""


class Rate(Struct, frozen=True):
    """`raw` counts every case, `adjusted` leaves the excluded ones out; `rank` is by the adjusted lower bound."""

    raw: Share
    adjusted: Share
    rank: int | None = None
    alert: bool = False


class Composite(Struct, frozen=True):
    """The three rates by the policy's weights; low and high are the bounds weighted likewise."""

    value: float
    low: float
    high: float
    rank: int | None = None


class Group(Struct, frozen=True):
    key: str
    tier: str
    cases: int
    excluded: int
    excluded_alert: bool
    overdue_open: int
    orders: int
    without_result: int
    rates: dict[str, Rate]
    composite: Composite | None
    hours: Times
    channels: dict[str, dict[str, Rate]] = {}
    """The rates of what people said, apart by the way they said it: `token`, `callback`."""


class Said(Struct, frozen=True):
    """What a rate is, in words."""

    key: str
    zh: str
    en: str
    numerator: tuple[str, str]
    denominator: tuple[str, str]


class Residents(Struct, frozen=True):
    """What a random sample of residents said in the period, who did not bring the matters themselves; in no rate above."""

    invited: int = 0
    answered: int = 0
    satisfied: int = 0
    solved: int = 0

    def shares(self, limits: Limits) -> dict[str, Share]:
        counted = {"satisfied": self.satisfied, "solved": self.solved}
        shares = {name: share(hits, self.answered, limits) for name, hits in counted.items()}
        return {"answered": share(self.answered, self.invited, limits)} | shares


class Figures(Struct, frozen=True):
    """One period's figures: of all cases together, and by one dimension."""

    period: str
    by: str
    start: str
    end: str
    as_of: str
    final: bool
    """The period is over: these figures will come out the same whenever they are asked for."""
    policy: int
    definitions: Sequence[Said]
    total: Group
    groups: Sequence[Group]


CLAIMS = (
    Said("claimed", "领题率", "Leaders with a claim",
         ("本期内有领题在手、或有历史领题的领导", "leaders who held a claim in the period, or have a legacy claim"),
         ("全体领题领导", "all leaders")),
    Said("claimed_here", "领题率(不含历史领题)", "Leaders with a claim, legacy ones not counted",
         ("本期内有领题在手的领导", "leaders who held a claim in the period"), ("全体领题领导", "all leaders")),
)  # fmt: skip
"""Of leaders, not of cases."""


def share(hits: float, n: int, limits: Limits) -> Share:
    """With its text: `9/10 (59.6-98.2 %), 不参与排名`."""
    count = f"{hits:g}/{n}"
    if n < limits.counts_below:
        return Share(hits, n, text=count)
    low, high = wilson(hits, n)
    unranked = ", 不参与排名" if n < limits.ranked_from else ""
    return Share(hits, n, hits / n, low, high, f"{count} ({100 * low:.1f}-{100 * high:.1f} %){unranked}")


class _Sum(Struct):
    hits: float = 0
    of: int = 0
    adjusted_hits: float = 0
    adjusted_of: int = 0

    def add(self, hits: float, of: int, *, excluded: bool) -> None:
        self.hits, self.of = self.hits + hits, self.of + of
        if not excluded:
            self.adjusted_hits, self.adjusted_of = self.adjusted_hits + hits, self.adjusted_of + of


class _Heap:
    """What has come together of one group."""

    def __init__(self) -> None:
        self.sums: defaultdict[str, _Sum] = defaultdict(_Sum)
        self.channels: defaultdict[str, defaultdict[str, _Sum]] = defaultdict(partial(defaultdict, _Sum))
        self.hours: list[float] = []
        self.ids: set[str] = set()
        self.excluded = self.overdue_open = self.orders = self.without_result = 0

    @property
    def told(self) -> bool:
        return bool(self.sums or self.ids or self.overdue_open or self.orders or self.without_result)


def compute(
    cases: Iterable[Case],
    period: Period,
    by: str,
    limits: Limits,
    leaders: Sequence[Leader] = (),
    tiers: Mapping[str, str] | None = None,
    above: Mapping[str, Sequence[str]] | None = None,
) -> Figures:
    """`leaders` are all who hold that role; `tiers` says of a group which groups are like it; `above` of a grid which
    places it lies in: their rows hold its cases as well."""
    levels = {leader.id: leader.level for leader in leaders}
    keys_of = _keys(by, levels, above or {})
    heaps: defaultdict[str, _Heap] = defaultdict(_Heap)
    whole, holding = _Heap(), set[str]()
    for case in cases:
        holding.add(case.leader if not case.over else "")
        _count(case, period, whole, lambda _unit: whole)
        for key in keys_of(case):
            _count(case, period, heaps[key], _home(key, by, heaps))
    _claims(leaders, holding, by, heaps, whole)
    groups = [_group(key, (tiers or {}).get(key, ""), heap, limits) for key, heap in sorted(heaps.items()) if heap.told]
    said = [Said(d.key, d.zh, d.en, d.numerator, d.denominator) for d in DEFINITIONS] + [*CLAIMS]
    return Figures(
        period.name, by, period.start.isoformat(), period.end.isoformat(), period.as_of.isoformat(),
        period.final, limits.policy, said, _group("", "", whole, limits),
        _ranked(groups, limits) if by == "unit" else groups,
    )  # fmt: skip


def _keys(
    by: str, levels: Mapping[str, str], above: Mapping[str, Sequence[str]]
) -> Callable[[Case], Iterable[str]]:  # fmt: skip
    if by not in BY:
        raise ValueError(f"figures are by one of {', '.join(BY)}")
    if by == "level":
        return lambda case: (levels.get(case.leader, ""),)
    if by == "grid":
        return lambda case: (case.grid, *above.get(case.grid, ()))
    return lambda case: (str(getattr(case, by)),)


def _home(own: str, by: str, heaps: Mapping[str, _Heap]) -> Callable[[str], _Heap]:
    return lambda unit: heaps[unit if by == "unit" and unit else own]


def _count(case: Case, period: Period, own: _Heap, home: Callable[[str], _Heap]) -> None:
    excluded = bool(case.excluded)
    for definition in DEFINITIONS:
        for line in definition.lines(case, period):
            heap = home(line.unit)
            heap.sums[definition.key].add(line.hits, line.of, excluded=excluded)
            if definition.voiced and line.channel:
                heap.channels[line.channel][definition.key].add(line.hits, line.of, excluded=excluded)
            _note(case, heap)
    for order in case.orders:
        home(order.unit).orders += period.holds(order.began)
    own.without_result += case.without_result and period.holds(case.rated_by)
    if case.handling is not None:
        handling = case.handling
        if handling.done is not None and period.holds(handling.done):
            own.hours.append(handling.hours)
            _note(case, own)
        own.overdue_open += handling.done is None and not handling.held and handling.due < period.as_of


def _note(case: Case, heap: _Heap) -> None:
    if case.id not in heap.ids:
        heap.ids.add(case.id)
        heap.excluded += bool(case.excluded)


def _claims(
    leaders: Sequence[Leader], holding: set[str], by: str, heaps: defaultdict[str, _Heap], whole: _Heap
) -> None:
    for leader in leaders:
        here = leader.id in holding
        home = [heaps[leader.id if by == "leader" else leader.level]] if by in ("leader", "level") else []
        for heap in (whole, *home):
            heap.sums["claimed"].add(here or leader.legacy, 1, excluded=False)
            heap.sums["claimed_here"].add(here, 1, excluded=False)


def _group(key: str, tier: str, heap: _Heap, limits: Limits) -> Group:
    names: dict[str, Definition | None] = {d.key: d for d in DEFINITIONS} | {said.key: None for said in CLAIMS}
    rates = {name: _rate(heap.sums[name], definition, limits) for name, definition in names.items()}
    cases = len(heap.ids)
    alert = cases > 0 and heap.excluded > limits.excluded_alert * cases
    channels = {
        channel: {name: _rate(sums, names[name], limits) for name, sums in sorted(by_key.items())}
        for channel, by_key in sorted(heap.channels.items())
    }
    return Group(
        key, tier, cases, heap.excluded, alert, heap.overdue_open, heap.orders, heap.without_result, rates,
        _composite(rates, limits), times(heap.hours), channels,
    )  # fmt: skip


def _rate(sums: _Sum, definition: Definition | None, limits: Limits) -> Rate:
    raw = share(sums.hits, sums.of, limits)
    adjusted = share(sums.adjusted_hits, sums.adjusted_of, limits)
    most = {"extended": limits.extended_alert, "suspended": limits.suspended_alert}
    alert = definition is not None and definition.alert in most and sums.hits > most[definition.alert] * sums.of
    return Rate(raw, adjusted, None, alert)


def _composite(rates: Mapping[str, Rate], limits: Limits) -> Composite | None:
    """None while one of the three has too few cases for a value."""
    weights = {"response": limits.contacted, "solved": limits.solved, "satisfied": limits.satisfied}
    parts = [(weight, rates[name].adjusted) for name, weight in weights.items()]
    if any(part.value is None for _, part in parts):
        return None
    value, low, high = (
        math.fsum(weight * (getattr(part, field) or 0.0) for weight, part in parts)
        for field in ("value", "low", "high")
    )
    return Composite(value, low, high)


def _ranked(groups: Sequence[Group], limits: Limits) -> list[Group]:
    """Units only, from the limit on, against units of their tier; equal lower bounds share a rank."""
    ranked = {group.key: dict(group.rates) for group in groups}
    composites = {group.key: group.composite for group in groups}
    for tier in {group.tier for group in groups}:
        like = [group for group in groups if group.tier == tier and group.key]
        for definition in DEFINITIONS:
            if definition.better:
                name = definition.key
                lows = {g.key: g.rates[name].adjusted.low or 0.0 for g in like if _enough(g, name, limits)}
                for key, place in _places(lows).items():
                    ranked[key][name] = replace(ranked[key][name], rank=place)
        three = ("response", "solved", "satisfied")
        whole = {g.key: g.composite.low for g in like if g.composite and all(_enough(g, n, limits) for n in three)}
        for key, place in _places(whole).items():
            if (old := composites[key]) is not None:
                composites[key] = replace(old, rank=place)
    return [replace(group, rates=ranked[group.key], composite=composites[group.key]) for group in groups]


def _enough(group: Group, name: str, limits: Limits) -> bool:
    return group.rates[name].adjusted.n >= limits.ranked_from


def _places(lows: Mapping[str, float]) -> dict[str, int]:
    return {key: 1 + sum(other > low for other in lows.values()) for key, low in lows.items()}
