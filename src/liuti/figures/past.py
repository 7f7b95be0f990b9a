"""An issue as it stood at a past moment: from its entries, its ratings and what its clocks keep of their story.

Nothing that came later shows: a due time is counted again from the clock's start by the pauses and extensions there had
been, everything else is told by the ledger. So the figures of a period come out the same a year later (docs/rules.md §7).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct

from liuti.figures.cases import Rating
from liuti.flow.issue import Issue, Timer
from liuti.flow.words import OPEN, Clock, Lane


class Entry(Struct, frozen=True, gc=False):
    """A row of the ledger, without its words and its seal."""

    move: str
    unit: str
    came_from: str | None
    to: str
    at: datetime
    awaits: str
    facts: dict[str, Any]


class Rated(Struct, frozen=True, gc=False):
    """A row of the ratings, with its time."""

    rating: Rating
    at: datetime


class Deed(Struct, frozen=True, gc=False):
    """What was really done, by one person or by two; `form` is what was asked for, `facts` what came of it."""

    name: str
    unit: str
    at: datetime
    came_from: str | None
    to: str
    form: Mapping[str, Any]
    facts: Mapping[str, Any]


class Past(Struct):
    """Everything about one issue up to a moment."""

    issue: Issue
    at: datetime
    entries: Sequence[Entry]
    deeds: Sequence[Deed]
    ratings: Sequence[Rated]
    voices: Sequence[tuple[datetime, datetime | None]]
    """Since when, and until when, each voice has been behind it."""
    was: Mapping[str, str] = {}
    """Kind and urgency before the first correction that came later; empty: none came."""

    @property
    def kind(self) -> str:
        return self.was.get("kind", self.issue.kind)

    @property
    def lane(self) -> Lane | None:
        return next((_LANES[d.name] for d in reversed(self.deeds) if d.name in _LANES), None)

    def live_since(self, start: datetime) -> bool:
        """Whether it was open then, or moved since `start`. What only moved later was not there to be counted."""
        return bool(self.entries) and (self.entries[-1].to in OPEN or self.entries[-1].at >= start)

    def timers(self, clock: Clock) -> Iterator[Timer]:
        """Those started by then, the earliest first."""
        return (t for t in self.issue.timers if t.clock is clock and t.started <= self.at)

    def latest(self, clock: Clock) -> Timer | None:
        return next(reversed(list(self.timers(clock))), None)


_LANES = {"accept_topic": Lane.TOPIC, "claim": Lane.TOPIC, "accept_direct": Lane.DIRECT, "divert": Lane.DIRECT}


def past(
    issue: Issue, at: datetime, entries: Sequence[Entry], ratings: Sequence[Rated] = (),
    voices: Sequence[tuple[datetime, datetime | None]] = (),
) -> Past:  # fmt: skip
    """Forget what came after `at`."""
    before = [entry for entry in entries if entry.at <= at]
    corrected = (entry for entry in entries if entry.at > at and entry.move == "reclassify")
    was: Mapping[str, str] = next((entry.facts["was"] for entry in corrected), {})
    return Past(issue, at, before, list(_deeds(before)), [r for r in ratings if r.at <= at], voices, was)


def _deeds(entries: Sequence[Entry]) -> Iterator[Deed]:
    asked: dict[int, Mapping[str, Any]] = {}
    for entry in entries:
        granted = entry.move == "grant"
        if entry.awaits and not granted:
            asked[entry.facts["request"]] = entry.facts
        if entry.awaits or entry.move == "deny":
            continue
        form = asked.get(entry.facts.get("request", 0), entry.facts) if granted else entry.facts
        name = str(entry.facts["of"]) if granted else entry.move
        yield Deed(name, entry.unit, entry.at, entry.came_from, entry.to, form, entry.facts)
