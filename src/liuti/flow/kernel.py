"""The one mechanism all six steps share: who stands where, what refuses, what changes, who waits for whom."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from msgspec import Struct
from pydantic import BaseModel, ConfigDict, ValidationError

from liuti.flow.issue import Ask, Issue
from liuti.flow.words import ROLE_NAMES, Channel, Clock, Relation, Role, Step

if TYPE_CHECKING:
    from liuti.flow.clocks import World


class Refused(Exception):  # noqa: N818 - the one expected exception: a refusal is an answer, not an error
    """A refusal with a stable code and the rule in words, raised low and spoken once, at the door."""

    def __init__(self, code: str, status: int, zh: str, en: str, field: str | None = None, **extra: Any) -> None:
        super().__init__(code)
        self.code, self.status, self.zh, self.en, self.field, self.extra = code, status, zh, en, field, extra


class Actor(Struct, frozen=True):
    """Who acts: an official with roles in one unit, a citizen known by a voice, or the clock."""

    id: str
    roles: frozenset[Role]
    unit: str = ""
    level: str = ""
    post: str = ""
    name: str = ""
    tip_offs: bool = False
    """Named, as a person, to read tip-offs."""
    former_units: frozenset[str] = frozenset()
    voice: str = ""
    issue: str = ""
    origin: str = ""
    """The issue the voice was raised on, when a merge moved it to another."""
    rating: int = 0
    """The round a single-use rating token is for; such an actor may do nothing else."""
    channel: Channel = Channel.WEB


CLOCK = Actor("clock", frozenset({Role.CLOCK}))
ANYONE = Actor("", frozenset({Role.CITIZEN}))


class Form(BaseModel):
    """What a move asks. `words` name the erasable free text, `personal` what is encrypted and kept apart,
    `units` and `people` the fields that hold ids to be looked up."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)
    words: ClassVar[tuple[str, ...]] = ()
    personal: ClassVar[tuple[str, ...]] = ()
    units: ClassVar[tuple[str, ...]] = ()
    people: ClassVar[tuple[str, ...]] = ()
    example: ClassVar[dict[str, Any]] = {}


F = TypeVar("F", bound=Form)


class Nothing(Form):
    """A move that asks for nothing more than the wish to make it."""


class Fault(dict[str, Any]):
    """Why a guard does not hold: the figures for its sentence, and `field` when one field is to blame."""


@dataclass(frozen=True, slots=True)
class Guard:
    """A condition with its rule in words; 403 a duty, 409 done already, 422 a condition."""

    check: Callable[[Case], bool | Fault]
    code: str
    status: int
    zh: str
    en: str

    def refusal(self, verdict: bool | Fault) -> Refused:
        extra = dict(verdict) if isinstance(verdict, Fault) else {}
        zh, en = (self.zh.format_map(extra), self.en.format_map(extra)) if extra else (self.zh, self.en)
        return Refused(self.code, self.status, zh, en, extra.pop("field", None), **extra)


def hold(guards: Iterable[Guard], case: Case) -> None:
    """All of them, in order; raises the first one's refusal."""
    for guard in guards:
        if (verdict := guard.check(case)) is not True:
            raise guard.refusal(verdict)


def _guard(status: int) -> Callable[[Callable[[Case], bool | Fault]], Guard]:
    def wrap(check: Callable[[Case], bool | Fault]) -> Guard:
        lines = [line.strip() for line in (check.__doc__ or "").strip().splitlines() if line.strip()]
        if len(lines) != 2:
            raise TypeError(f"{check.__name__}: a guard says its rule in two lines, Chinese and English")
        return Guard(check, check.__name__, status, lines[0], lines[1])

    return wrap


duty = _guard(403)
again = _guard(409)
rule = _guard(422)


class Need(StrEnum):
    """A fact from outside the issue that a move's guards look at; the store knows how to fetch each."""

    CLAIMS = "claims"
    NEXT_VOICE = "next_voice"
    UNITS = "units"
    PEOPLE = "people"
    LEAD = "lead"
    VOICED = "voiced"
    TODAY = "today"
    RATED = "rated"
    STANDING = "standing"
    PASSED = "passed"


class Unit(Struct, frozen=True):
    id: str
    name: str
    supervisor: str = ""
    """The leader in charge of the unit 分管领导."""
    supervisor_post: str = ""


class Standing(Struct, frozen=True):
    """Where the latest round put the issue, frozen when it was opened (docs/rules.md §6)."""

    round: str
    by: str
    """Who ran the score."""
    digest: str
    """Of the snapshot the score was computed from."""
    total: float
    rank: int | None
    """Among the recommended by the score; None when it is not one of them."""
    final: int | None
    """The same after what the panel pinned, dropped and swapped."""
    slots: int
    at: datetime
    """When the round was opened."""
    closed: bool = False


class Passed(Struct, frozen=True):
    """The check that opened the running round of ratings, as the ledger has it."""

    version: int
    by: str
    role: str
    seal: str
    """Of its entry: nobody knew it before, and it never changes, so it is what the second look is drawn by."""
    rechecked: bool = False


class Facts(Struct):
    """What the guards may know beyond the issue, fetched under the same lock."""

    fresh: str = ""
    """An id nobody has yet, for the voice or file a move brings."""
    claims: int = 0
    """Open claims of the leader who would take this one."""
    next_voice: str = ""
    units: Mapping[str, Unit] = {}
    people: Mapping[str, Actor] = {}
    lead: Issue | None = None
    returning: tuple[str, ...] = ()
    """Whom the undoing of a merge takes back from the lead, the earliest first; whoever has left it stays away."""
    staying: str = ""
    """The earliest of those who are left behind the lead."""
    voiced: bool = False
    today: int = 0
    """What this person brought in today, known by their phone."""
    today_here: int = 0
    """The same for people without a phone, known by where they write from."""
    rater: str = ""
    """The voice a rating is for, when it belongs to the issue and was invited."""
    rated: bool = False
    standing: Standing | None = None
    passed: Passed | None = None
    round: str = ""
    """The scoring round that is open."""
    in_round: bool = False
    """Whether the other issue of a swap has a place in that round too."""


NO_FACTS = Facts()


class Row(Struct, gc=False):
    """Something to write beside the issue: a voice, a rating; `table` names its home."""

    table: str
    values: dict[str, Any]


class Letter(Struct, frozen=True, gc=False):
    event: str
    to: str
    """voice:ID, voices (each of them), person:ID, unit:ID or role:NAME."""


class Next(Struct, frozen=True):
    """A move that follows at once, in the same transaction, with an entry of its own."""

    move: str
    form: dict[str, Any] = {}
    actor: Actor | None = None
    """None: the clock."""


class Case(Struct, gc=False):
    """One attempt at one move: what guards look at and effects change."""

    issue: Issue
    actor: Actor
    move: Move
    form: Any
    now: datetime
    world: World
    facts: Facts
    asked: datetime
    """The moment conditions are judged by: now, or when the request was made."""
    ask: Ask | None = None
    role: str = ""
    to: Step | None = None
    noted: dict[str, Any] = {}
    letters: list[Letter] = []
    then: list[Next] = []
    rows: list[Row] = []
    keeps: set[Clock] = set()
    """Clocks of the row that this attempt leaves alone."""
    answer: Answer | None = None
    dispatched: list[str] = []
    until: datetime | None = None
    """A due time fixed by a date in the form: a plan's end, a review date, the next round."""
    other: Decision | None = None

    def tell(self, event: str, *recipients: str) -> None:
        self.letters += [Letter(event, to) for to in recipients if to[-1] != ":"]


class Decision(Struct, gc=False):
    """What will be written if nothing stands in the way; no side effect has happened."""

    issue: Issue
    came_from: Step | None
    move: str
    actor: Actor
    role: str
    at: datetime
    form: Form
    noted: dict[str, Any]
    letters: list[Letter]
    then: list[Next]
    rows: list[Row]
    awaits: str = ""
    other: Decision | None = None


Who = Role | Relation
Effect = Callable[[Case], None]
Audience = Callable[[Case], Iterable[str]]


def _nobody(_case: Case) -> tuple[Signer, ...]:
    return ()


def _the_same(_case: Case, _ask: Ask) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Signer:
    """Who has to grant a request, and what keeps them out of it (docs/rules.md §4, two people)."""

    name: str
    who: tuple[Who, ...]
    duties: tuple[Guard, ...] = ()
    starts: Clock | None = None
    """The clock that runs while the request lies with this signer."""


@dataclass(frozen=True, slots=True)
class Move:
    """One row of the agreed table (docs/rules.md §4); `at` empty means a new issue, `to` empty the same step."""

    row: int
    name: str
    zh: str
    en: str
    at: tuple[Step, ...]
    by: tuple[Who, ...]
    to: tuple[Step, ...] = ()
    form: type[Form] = Nothing
    duties: tuple[Guard, ...] = ()
    agains: tuple[Guard, ...] = ()
    guards: tuple[Guard, ...] = ()
    needs: tuple[Need, ...] = ()
    does: Effect | None = None
    tells: tuple[Audience, ...] = ()
    starts: tuple[Clock, ...] = ()
    stops: tuple[Clock, ...] = ()
    signers: Callable[[Case], tuple[Signer, ...]] = _nobody
    denied: Effect | None = None
    stays: bool = False
    """Its request outlives the step it was asked at (an appeal)."""
    asks_of: tuple[Signer, ...] = ()
    """Every signer `signers` may name, for the printed table."""
    same: Callable[[Case, Ask], bool] = _the_same
    """Whether an open request of this row is the one now attempted: asked twice is 409."""


class Answer(Form):
    """The answer to a request; `request` may be left out while only one is open."""

    words: ClassVar[tuple[str, ...]] = ("reason",)
    example: ClassVar[dict[str, Any]] = {"request": 1, "reason": "情况属实"}
    request: int | None = None
    reason: str | None = None
    unit: str | None = None
    """In a ruling on a send-back: the unit that shall do it, when it is not the one suggested."""


def parse(form: type[F], raw: Any) -> F:
    """The form, or Refused 422 with every field at fault."""
    if isinstance(raw, form):
        return raw
    try:
        return form.model_validate(raw)
    except ValidationError as error:
        faults = [
            {"field": ".".join(str(part) for part in fault["loc"]), "rule": fault["type"], "message": fault["msg"]}
            for fault in error.errors(include_url=False, include_context=False, include_input=False)
        ]
        names = "、".join(f["field"] for f in faults[:4]) or "body"
        raise Refused(
            "bad_form",
            422,
            f"填写有误:{names}。",
            f"Please correct: {names}.",
            faults[0]["field"] or None,
            faults=faults,
        ) from None


def stale(issue: Issue) -> Refused:
    zh, en = "此题已被他人更新,请刷新后再办。", "The issue has changed since you saw it: read it again."
    return Refused("stale", 412, zh, en, version=issue.version)


def not_yours(who: Iterable[Who]) -> Refused:
    names = [ROLE_NAMES[w.value] for w in who]
    zh, en = "、".join(n[0] for n in names), ", ".join(n[1] for n in names)
    return Refused("not_yours", 403, f"此动作由{zh}办理。", f"This move is for: {en}.")
