"""Rates that pass a limit of the policy: exclusions, extensions and suspensions, by unit and of all together (docs/rules.md §7)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct

from liuti.figures.cases import Case
from liuti.figures.tables import Figures, Group, Limits

KINDS = ("excluded", "extended", "suspended")


class Alarm(Struct, frozen=True):
    """`hits` of `n` is more than the share `most`; `unit` is empty for all of them together. `case` is the latest one
    of those that count: where to begin to look."""

    kind: str
    unit: str
    hits: float
    n: int
    most: float
    case: str


def alarms(found: Figures, cases: Sequence[Case], limits: Limits) -> list[Alarm]:
    """From figures by unit and the cases they were made of; below the limit for counts nothing is a rate."""
    told: list[Alarm] = []
    for group in (found.total, *found.groups):
        whole = group is found.total
        for kind, (hits, n, most, over) in _counted(group, limits).items():
            if over and n >= limits.counts_below and (whole or group.key):
                concerned = (case.id for case in cases if (whole or case.unit == group.key) and _counts(kind, case))
                told.append(Alarm(kind, group.key, hits, n, most, _latest(concerned)))
    return [one for one in told if one.case]


def _counted(group: Group, limits: Limits) -> dict[str, tuple[float, int, float, bool]]:
    extended, suspended = (group.rates[name] for name in KINDS[1:])
    return {
        "excluded": (group.excluded, group.cases, limits.excluded_alert, group.excluded_alert),
        "extended": (extended.raw.hits, extended.raw.n, limits.extended_alert, extended.alert),
        "suspended": (suspended.raw.hits, suspended.raw.n, limits.suspended_alert, suspended.alert),
    }


def _counts(kind: str, case: Case) -> bool:
    return {"excluded": bool(case.excluded), "extended": case.extensions > 0, "suspended": case.step == "suspended"}[
        kind
    ]


def _latest(ids: Iterable[str]) -> str:
    return max(ids, default="")
