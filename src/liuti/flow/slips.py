"""How far a plan's milestones have slipped: planned against actual, in local days (docs/rules.md §2, §4 row 29)."""

from __future__ import annotations

from datetime import datetime, tzinfo
from typing import NamedTuple

from liuti.flow.issue import Milestone


class Slip(NamedTuple):
    """`state` is open, done or waived; `late`: done after its due time, or open past it; a waived one never is."""

    state: str
    late: bool
    days: int
    """From the planned local day to the actual one, or to today; 0 where it is not late, or late within the day."""


def slip_of(milestone: Milestone, now: datetime, zone: tzinfo) -> Slip:
    if milestone.waived:
        return Slip("waived", late=False, days=0)
    actual = milestone.done or now
    late = actual > milestone.due
    days = (actual.astimezone(zone).date() - milestone.due.astimezone(zone).date()).days if late else 0
    return Slip("done" if milestone.done is not None else "open", late, days)
