"""The issue: everything the rules need to know about one matter, as one value (docs/rules.md §1, §3)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from msgspec import Struct

from liuti.flow.words import Channel, Clock, Closing, Kind, Lane, Step, Urgency

# What an issue is made of is frozen and cannot hold itself: the collector need not look at it (gc=False).


class Urged(Struct, frozen=True, gc=False):
    """When a clock urged whoever was late, and whom (unit:ID, person:ID, role:NAME)."""

    at: datetime
    to: tuple[str, ...]


class Timer(Struct, frozen=True, omit_defaults=True, gc=False):
    """One clock on one issue. Elapsed time is always (stopped or now) - started - pauses; nothing else is kept."""

    clock: Clock
    started: datetime
    due: datetime
    next: datetime | None
    """When time acts on it next: the warning, the strike, then each rung of the ladder."""
    length: str = ""
    unit: str = ""
    policy: int = 0
    provisional: bool = False
    warned: bool = False
    red: bool = False
    struck: datetime | None = None
    """When it first struck; stays for good (was_overdue)."""
    paused: datetime | None = None
    pauses: tuple[tuple[datetime, datetime], ...] = ()
    stopped: datetime | None = None
    rung: int = 0
    urged: Urged | None = None
    """Its urge, until one of those who were urged acts on the issue."""
    extended: int = 0
    """Calendar days granted beyond the first due time."""

    @property
    def running(self) -> bool:
        return self.stopped is None and self.paused is None


class Assignment(Struct, frozen=True, omit_defaults=True, gc=False):
    """A unit at work on the issue: dispatched, signed, done, or sent back."""

    unit: str
    lead: bool
    dispatched: datetime
    signed: datetime | None = None
    contacted: datetime | None = None
    done: datetime | None = None
    sent_back: datetime | None = None
    ruled: bool = False
    """A ruling put the unit here: it may not send the issue back."""

    @property
    def active(self) -> bool:
        return self.sent_back is None


class Ask(Struct, frozen=True, omit_defaults=True, gc=False):
    """A move that waits for somebody else's grant (docs/rules.md §4, two people)."""

    id: int
    move: str
    form: dict[str, Any]
    by: str
    role: str
    unit: str
    at: datetime
    awaits: tuple[str, ...]
    """Who still has to grant, in order; the first one has it now."""
    signed_by: tuple[str, ...] = ()
    outcome: str = ""
    """Empty while open, then granted, denied or lapsed."""
    ended: datetime | None = None

    @property
    def open(self) -> bool:
        return not self.outcome


class Vote(Struct, frozen=True, omit_defaults=True, gc=False):
    person: str
    round: int
    yes: bool
    scored: str = ""
    """The scoring round it was cast on; a new one asks for new votes."""


class Signature(Struct, frozen=True, gc=False):
    gate: int
    person: str
    at: datetime


class Evidence(Struct, frozen=True, gc=False):
    """A person's value of a factor of the score; its words stand in the entry of that version."""

    factor: str
    value: float
    by: str
    at: datetime
    version: int


class Milestone(Struct, frozen=True, omit_defaults=True, gc=False):
    title: str
    due: datetime
    unit: str
    done: datetime | None = None
    waived: bool = False
    evidence: str = ""


class Order(Struct, frozen=True, omit_defaults=True, gc=False):
    """A written order 督办单 beside the issue; drafted by the ladder or an inspector, in force once signed."""

    id: int
    to: str
    text: str
    drafted: datetime
    clock: str = ""
    signed: datetime | None = None
    signed_by: str = ""
    responded: datetime | None = None
    reply: str = ""
    settled: datetime | None = None


class Verdict(Struct, frozen=True, omit_defaults=True, gc=False):
    """What this round's ratings add up to; the rows themselves are kept apart and only grow."""

    round: int = 0
    invited: int = 0
    rated: int = 0
    bad: int = 0
    proposer_level: int = 0
    proposer_solved: str = ""
    proposer_reason: bool = False
    tries: int = 0


class Issue(Struct, omit_defaults=True, gc=False):
    """The whole state of one issue. `decide` works on a shallow copy: every collection is replaced, never altered."""

    id: str
    step: Step = Step.PROPOSE
    version: int = 0
    lane: Lane | None = None
    kind: Kind = Kind.HELP
    urgency: Urgency = Urgency.GENERAL
    danger: bool = False
    category: str = ""
    category_confidence: float | None = None
    """How sure the model was that gave the category, 0 where nothing was sure; None: a person gave it."""
    grid: str = ""
    whole_district: bool = False
    livelihood: bool = False
    wants_contact: bool = True
    against: str = ""
    """The unit a tip-off is about; it never sees the issue."""
    anonymous: bool = False
    """The proposer's identity is hidden from every unit."""
    source: Channel = Channel.WEB
    external_id: str = ""
    proposer: str = ""
    voices: int = 0
    has_files: bool = False
    submitted: datetime | None = None
    reported: datetime | None = None
    timers: tuple[Timer, ...] = ()
    asks: tuple[Ask, ...] = ()
    # choosing
    supplement_asked: bool = False
    missing: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    cleared: tuple[str, ...] = ()
    """Texts that many sent alike, looked at by a person: their households count each for itself."""
    burst_reviewed: datetime | None = None
    """Voices that came at once up to here were looked at by a person."""
    round: int = 1
    reserves: int = 0
    votes: tuple[Vote, ...] = ()
    signatures: tuple[Signature, ...] = ()
    adjustments: int = 0
    published: datetime | None = None
    # answering for it
    leader: str = ""
    leader_post: str = ""
    designated: bool = False
    claimed: datetime | None = None
    conflicts: tuple[str, ...] = ()
    took_part: tuple[str, ...] = ()
    """Officials who acted on it: they stay out of an appeal."""
    # solving
    lead_unit: str = ""
    assignments: tuple[Assignment, ...] = ()
    plan_by: str = ""
    plan_goal: str = ""
    milestones: tuple[Milestone, ...] = ()
    tries: int = 0
    extensions: int = 0
    rulings: int = 0
    suspended_from: datetime | None = None
    suspended_days: int = 0
    own_word: Closing | None = None
    reply: str = ""
    photos: int = 0
    site_photos: int = 0
    # verifying and rating
    to_inspect: bool = False
    """Drawn from what the clock would have passed: an inspector looks."""
    check_fails: int = 0
    interviews: int = 0
    orders: tuple[Order, ...] = ()
    verdict: Verdict = Verdict()
    redos: int = 0
    last_round: bool = False
    last_urge: datetime | None = None
    # ends
    closing: Closing | None = None
    ended: datetime | None = None
    ended_from: Step | None = None
    refusal: str = ""
    settled_by: str = ""
    appeal_upheld: bool = False
    """The proposer's appeal against this end was upheld: it is about to be undone."""
    excluded: str = ""
    lead: str = ""
    """The lead issue this one was merged into."""
    merged_at: datetime | None = None
    took_in: tuple[str, ...] = ()

    @property
    def is_open(self) -> bool:
        return self.ended is None and self.step not in _ENDS

    @property
    def due_at(self) -> datetime | None:
        """The next moment at which time acts on this issue: what the sweep is keyed by."""
        return min((t.next for t in self.timers if t.next is not None and t.running), default=None)

    @property
    def deadline(self) -> datetime | None:
        """The earliest due time that still runs: what people's worklists are sorted by."""
        return min((t.due for t in self.timers if t.running), default=None)

    @property
    def overdue(self) -> bool:
        return any(t.red and t.running for t in self.timers)

    def timer(self, clock: Clock, unit: str = "") -> Timer | None:
        """The running or paused timer of that clock, if there is one."""
        for timer in reversed(self.timers):
            if timer.clock == clock and timer.stopped is None and (not unit or timer.unit == unit):
                return timer
        return None

    def latest(self, clock: Clock) -> Timer | None:
        """The last timer of that clock, stopped or not."""
        return next((t for t in reversed(self.timers) if t.clock == clock), None)

    def assignment(self, unit: str) -> Assignment | None:
        return next((a for a in reversed(self.assignments) if a.unit == unit and a.active), None)

    def open_asks(self) -> Iterator[Ask]:
        return (ask for ask in self.asks if not ask.outcome)


_ENDS = frozenset({Step.CLOSED, Step.REJECTED, Step.MERGED, Step.WITHDRAWN})
