"""A case as the indicators see it: what had happened to one issue by the end of a period (docs/rules.md §7)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from liuti.figures.periods import Period


class Promise(Struct, frozen=True, gc=False):
    """Something one unit had to do: since when, until when, and when it was done."""

    unit: str
    began: datetime
    due: datetime
    done: datetime | None = None

    @property
    def kept(self) -> bool:
        return self.done is not None and self.done <= self.due

    def falls_in(self, period: Period) -> bool:
        """Due in the period, and no longer open to be kept."""
        settled = self.done is not None or self.due < period.as_of
        return period.start <= self.due < period.end and settled


class Handling(Struct, frozen=True, gc=False):
    """The time to the result; `first_due` is the due time without extensions, `hours` working hours less pauses."""

    due: datetime
    first_due: datetime
    done: datetime | None = None
    hours: float = 0.0
    held: bool = False
    """No result yet, and its clock was paused before the due time came."""

    @property
    def in_time(self) -> bool:
        return self.done is not None and self.done <= self.due

    @property
    def in_time_unextended(self) -> bool:
        return self.done is not None and self.done <= self.first_due

    def falls_in(self, period: Period) -> bool:
        settled = self.done is not None or self.due < period.as_of
        return period.start <= self.due < period.end and settled and not self.held


class Rating(Struct, frozen=True, gc=False):
    """One voice's word in one round; level 0: nobody rated."""

    voice: str
    round: int
    level: int
    solved: str = ""
    contacted: bool | None = None
    channel: str = ""


class Case(Struct, frozen=True):
    """One issue at the end of a period. Empty names: not known, or not yet."""

    id: str
    submitted: datetime
    unit: str = ""
    category: str = ""
    grid: str = ""
    leader: str = ""
    step: str = "solve"
    wants_contact: bool = True
    handling: Handling | None = None
    """None where no result is owed: merged, withdrawn, refused."""
    signs: Sequence[Promise] = ()
    """One for each dispatch whose signature was owed until it was given or late."""
    contact_owed: bool = False
    """A unit was told to contact the person, whatever came of it."""
    contacts: Sequence[Promise] = ()
    orders: Sequence[Promise] = ()
    dispatches: Sequence[tuple[str, datetime, bool]] = ()
    """Unit, when, and whether it asked to send the issue back."""
    extensions: int = 0
    rated_by: datetime | None = None
    """When its ratings were final: closed, or the time to rate an answer without a result over."""
    without_result: bool = False
    ratings: Sequence[Rating] = ()
    invited: int = 0
    redone: int = 0
    fails: int = 0
    reopened: int = 0
    repeat: bool = False
    excluded: str = ""
    over: bool = False
    """It had ended before the period began; it is here for what was due in it."""

    @property
    def last_words(self) -> dict[str, Rating]:
        """Each voice's latest rating: a later round does not silence who said nothing more."""
        latest: dict[str, Rating] = {}
        for rating in sorted(self.ratings, key=lambda r: r.round):
            latest[rating.voice] = rating
        return latest

    def falls_in(self, period: Period) -> bool:
        """Whether something of it was due in the period, though nobody may have touched it then any more."""
        owed = (self.handling, *self.signs, *self.contacts, *self.orders)
        return period.holds(self.rated_by) or any(one is not None and one.falls_in(period) for one in owed)


class Leader(Struct, frozen=True):
    id: str
    level: str
    legacy: bool = False
    """Has a claim from before, brought in from a list."""
