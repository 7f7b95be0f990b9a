"""What a year was asked to be, and what is left of it beside the database."""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec import Struct

from simulate.hands import Killed


class Wanted(Struct, frozen=True):
    issues: int = 20_000
    seed: int = 1
    workers: int = 3
    kills: int = 60
    """About so many workers are killed, the more likely the more letters wait."""
    tick: timedelta = timedelta(minutes=15)
    fails: int = 3
    """Of a thousand letters, how many the receiving server turns away at first."""


class Played(Struct):
    wanted: Wanted
    start: datetime
    end: datetime
    ticks: list[datetime]
    killed: list[Killed]
    moves: dict[str, int]
    refused: dict[str, int]
    not_offered: dict[str, int]
    time_first: int
    """How often a clock was due before somebody acted, so that it struck first."""
    seconds: float
