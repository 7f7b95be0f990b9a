"""How a story is written down: who does what how long after the turn before, and what only the stage can fill in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from liuti.flow.words import Step

ANYBODY, PROPOSER = "anybody", "proposer"


@dataclass(frozen=True, slots=True)
class In:
    """In a form: the date that many days after the turn."""

    days: int


@dataclass(frozen=True, slots=True)
class Later:
    """In a form: the date that many days after the work is due now."""

    days: int


@dataclass(frozen=True, slots=True)
class Ordered:
    """In a form: the number of the order signed last; earlier ones may be drafts of the clock."""


@dataclass(frozen=True, slots=True)
class Other:
    """In a form: the id of the story's issue with that number."""

    issue: int


@dataclass(frozen=True, slots=True)
class Heard:
    """In a form: the id of the n-th voice of the issue."""

    voice: int


@dataclass(frozen=True, slots=True)
class Photo:
    """In a form: a picture, one of a few."""

    name: str = "现场照片.jpg"


@dataclass(frozen=True, slots=True)
class Turn:
    """`after` the turn before (5oh, 2wd, 20h, 3d; nothing: at once), `who` (a person's id, anybody, proposer, voice:N) makes the move.

    Skipped when the issue does not stand `at` that step: what the clock does depends on a draw.
    """

    after: str
    who: str
    move: str
    form: Mapping[str, Any] = field(default_factory=dict)
    at: Step | None = None
    issue: int = 0
