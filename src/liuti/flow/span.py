"""Lengths of time as people promise them, when they are over, and what a pause leaves of them."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, NamedTuple, cast

Unit = Literal["wd", "oh", "h", "d"]

SPAN = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,6})?)(wd|oh|h|d)")


@dataclass(frozen=True, slots=True)
class Span:
    """A length of time in the unit people promise it in: working days, office hours, hours or days.

    Holds: n is above zero, and whole for ``wd`` and ``d``. Source: docs/rules.md §5.
    """

    n: float
    unit: Unit
    text: str = field(init=False, repr=False, compare=False)
    """As it is written, ``5wd``: kept, because every clock that starts notes it."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.n) and self.n > 0):
            raise ValueError(f"a span is longer than nothing, not {self.n:g}{self.unit}")
        if self.n != int(self.n):
            if self.unit in ("wd", "d"):
                raise ValueError(f"days are counted whole, not {self.n:g}{self.unit}")
        else:
            object.__setattr__(self, "n", int(self.n))
        object.__setattr__(self, "text", f"{self.n}{self.unit}")

    @classmethod
    def parse(cls, text: str) -> Span:
        """The span written as a number and its unit, as in ``5wd``; ValueError in words if it is not one."""
        found = SPAN.fullmatch(text)
        if not found:
            raise ValueError(
                f"a span is a number and a unit (wd working days, oh office hours, h hours, d days), "
                f"as in 5wd, not {text!r}"
            )
        return cls(float(found[1]), cast(Unit, found[2]))

    def __str__(self) -> str:
        return self.text


class Due(NamedTuple):
    """The moment something is due (UTC), and whether a year without a notice was needed to tell it."""

    at: datetime
    provisional: bool


class Rest(NamedTuple):
    """What a clock had left when it was paused, in its own unit.

    ``left`` is exact wall time for ``h``, exact office time for ``oh``, and for ``wd`` and ``d`` whole (working) days
    from the day of the pause to the day it is due, one day written as ``timedelta(days=1)``. ``at`` is the pause and
    ``due`` what stood then. A clock that was late when paused has nothing left, and keeps its ``due`` for ever.
    """

    unit: Unit
    left: timedelta
    at: datetime
    due: datetime

    @property
    def late(self) -> bool:
        return self.at >= self.due
