"""Check 5: every rate of every month and unit, as liuti tells it, against the recomputation that shares no line with it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from liuti.figures.periods import period_of
from liuti.figures.rates import DEFINITIONS
from liuti.figures.tables import Figures
from liuti.flow.clocks import World
from liuti.flow.words import Kind
from liuti.monthly import Gathered, Report, gather, report_of
from liuti.store.engine import Engine
from simulate.checks import Found, Story
from tests.figures.lives import Told
from tests.figures.recount import recount


def months(year: int) -> list[str]:
    return [f"{year}-{month:02}" for month in range(1, 13)]


async def reports(engine: Engine, world: World, names: Sequence[str], now: datetime) -> list[Report]:
    """As `liuti report` makes them."""
    made = []
    for name in names:
        period = period_of(name, now, world.calendar.zone)
        gathered: Gathered = await gather(engine, period, world)
        made.append(report_of(gathered, period))
    return made


def lives(told: Sequence[Story]) -> list[Told]:
    """Tip-offs have a channel of their own and stand in no rate."""
    return [
        Told(one.rows, one.states, one.ratings, [(v["at"], v["left_at"]) for v in one.voices])
        for one in told
        if one.issue.kind is not Kind.TIP_OFF and len(one.states) == len(one.rows)
    ]


def compare(told: Sequence[Told], made: Sequence[Report], found: Found) -> None:
    for report in made:
        by_hand = recount(told, report.period.start, report.period.end)
        figures = report.tables["unit"]
        counted = _counted(figures)
        for key in sorted(by_hand.keys() | counted.keys()):
            ours, theirs = counted.get(key, [0, 0, 0, 0]), by_hand.get(key, [0, 0, 0, 0])
            found.counts["rates"] += ours == theirs
            if ours != theirs:
                unit, rate = key
                found.fault("rates", f"{report.period.name} {unit} {rate}: told {ours}, by hand {theirs}")


def _counted(figures: Figures) -> dict[tuple[str, str], list[float]]:
    found = {}
    for group in [figures.total, *figures.groups]:
        key = "*" if group is figures.total else group.key
        for definition in DEFINITIONS:
            rate = group.rates[definition.key]
            found[key, definition.key] = [rate.raw.hits, rate.raw.n, rate.adjusted.hits, rate.adjusted.n]
    return found
