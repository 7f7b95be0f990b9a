"""出题: a matter comes in, is completed, and is accepted, refused or withdrawn (docs/rules.md §4 rows 1, 5-8, 11, 12)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from itertools import islice
from typing import Any, ClassVar

from pydantic import AwareDatetime, Field

from liuti.flow.kernel import Case, Fault, Form, Move, Need, Signer, rule
from liuti.flow.parts import (
    DISPATCHED,
    INTAKE,
    PROPOSER,
    VOICES,
    Id,
    Text,
    category_is_known,
    direct,
    not_the_accused,
    units_exist,
)  # fmt: skip
from liuti.flow.people import Contact, FileRef, add_files, add_voice, consent_on_behalf, notice_shown
from liuti.flow.words import Channel, Clock, Kind, Lane, Relation, Role, Step, Urgency

UNKNOWN, DISTRICT = "unknown", "全区"


class Submit(Form):
    """What a person brings up. `place` is an address in words, `全区` for the whole district, or `unknown`."""

    words: ClassVar[tuple[str, ...]] = ("title", "text", "place")
    personal: ClassVar[tuple[str, ...]] = ("contact", "reporter")
    units: ClassVar[tuple[str, ...]] = ("against",)
    example: ClassVar[dict[str, Any]] = {
        "kind": "help",
        "text": "小区东门的路灯坏了一周,晚上很黑,老人出行不便。",
        "place": "东门社区3栋门口",
        "contact": {"name": "王某", "phone": "13800000000", "address": "东门社区3栋2单元501"},
        "notice_version": "1",
    }
    kind: Kind = Kind.HELP
    title: str = Field("", max_length=200)
    text: str = Field("", max_length=8000)
    place: str = Field("", max_length=200)
    grid: str = Field("", max_length=64)
    category: str = Field("", max_length=64)
    danger: bool = False
    contact: Contact = Contact()
    wants_contact: bool = True
    anonymous: bool = False
    on_behalf: bool = False
    consent: bool = False
    notice_version: str = Field("", max_length=32)
    against: str = Field("", max_length=64)
    source: Channel | None = None
    external_id: str = Field("", max_length=128)
    reporter: str = Field("", max_length=128)
    """Who brought it in at the source, as the source numbers people: one of them is one voice however often they wrote."""
    reported_at: AwareDatetime | None = None
    files: tuple[FileRef, ...] = ()


def _says(text: str, least: int) -> bool:
    """Whether so many visible characters are in it; looks no further than it has to."""
    seen = (char for char in text if char.isprintable() and not char.isspace())
    return len(tuple(islice(seen, least))) == least


def _danger(case: Case) -> bool:
    form = case.form
    words = f"{form.title} {form.text}"
    return case.world.policy.urgency_of(words, form.category, form.danger) is Urgency.URGENT


@rule
def says_what(case: Case) -> bool | Fault:
    """请用至少 {least} 个字说明情况,或附一张照片。
    Please say what it is about in at least {least} characters, or add a photo."""
    form, least = case.form, case.world.policy.limits.min_visible
    enough = bool(form.files) or _says(form.title + form.text, least)
    return enough or _danger(case) or Fault(least=least, field="text")


@rule
def says_where(case: Case) -> bool | Fault:
    """请说明地点;涉及全区填「全区」,不清楚填 unknown。
    Please say where: a place, the whole district, or unknown."""
    return bool(case.form.place or case.form.grid) or _danger(case) or Fault(field="place")


@rule
def within_daily_limit(case: Case) -> bool | Fault:
    """每人每天最多提交 {most} 件,请明天再来;紧急情况不受此限。
    At most {most} issues a day for each person; danger is never limited."""
    limits, facts = case.world.policy.limits, case.facts
    most = limits.proposals_per_day
    fit = facts.today < most and facts.today_here < limits.proposals_per_address
    return case.role != Role.CITIZEN or fit or _danger(case) or Fault(most=most)


@rule
def only_staff_name_a_source(case: Case) -> bool | Fault:
    """来源、外部编号和原始时间只由受理员或网格员填写。
    Only intake and grid workers state a source, an outside number or the original time."""
    form = case.form
    own = form.source is None and not (form.external_id or form.reporter) and form.reported_at is None
    return case.role != Role.CITIZEN or own or Fault(field="source")


def open_issue(case: Case) -> None:
    issue, form, policy = case.issue, case.form, case.world.policy
    words = f"{form.title} {form.text}"
    issue.kind, issue.category, issue.grid = form.kind, form.category, form.grid
    issue.urgency = policy.urgency_of(words, form.category, form.danger)
    issue.danger = issue.urgency is Urgency.URGENT
    issue.whole_district = form.place == DISTRICT
    issue.wants_contact, issue.against = form.wants_contact, form.against
    issue.anonymous = form.anonymous or form.kind is Kind.TIP_OFF
    issue.source = form.source or _channel(case.role)
    issue.external_id = form.external_id
    issue.submitted = case.now
    issue.reported = form.reported_at
    issue.proposer, issue.voices, issue.has_files = case.facts.fresh, 1, bool(form.files)
    add_voice(case, issue.source)
    add_files(case, form.files)
    if issue.danger and (number := policy.emergency_number(words)):
        case.noted["emergency"] = number


def _channel(role: str) -> Channel:
    return {"grid_worker": Channel.GRID, "intake": Channel.COUNTER}.get(role, Channel.WEB)


BACKLOG = timedelta(days=1)
"""What was reported so much earlier comes in with many others: intake finds it in its worklist, not in a letter each."""


def INTAKE_IF_FRESH(case: Case) -> Iterable[str]:  # noqa: N802 - stands in a row beside PROPOSER and reads like it
    reported = case.form.reported_at
    return () if reported is not None and reported < case.now - BACKLOG else INTAKE(case)


class Supplement(Form):
    """What is missing, in words the person understands."""

    words: ClassVar[tuple[str, ...]] = ("missing",)
    example: ClassVar[dict[str, Any]] = {"missing": ["具体地点"]}
    missing: tuple[Text, ...] = Field((), max_length=20)


@rule
def lists_what_is_missing(case: Case) -> bool | Fault:
    """要求补正的,须列明缺什么。
    A request for facts lists what is missing."""
    return bool(case.form.missing) or Fault(field="missing")


@rule
def asked_only_once(case: Case) -> bool:
    """补正只能要求一次。
    Facts may be asked for only once."""
    return not case.issue.supplement_asked


def ask_for_facts(case: Case) -> None:
    case.issue.supplement_asked, case.issue.missing = True, case.form.missing


class Supply(Form):
    words: ClassVar[tuple[str, ...]] = ("text", "place")
    example: ClassVar[dict[str, Any]] = {"text": "在东门社区3栋门口。", "place": "东门社区3栋"}
    text: str = Field("", max_length=8000)
    place: str = Field("", max_length=200)
    grid: str = Field("", max_length=64)
    files: tuple[FileRef, ...] = ()


@rule
def supplies_something(case: Case) -> bool | Fault:
    """请补充文字、地点或照片。
    Please add words, a place or a photo."""
    form = case.form
    return bool(form.text or form.place or form.grid or form.files) or Fault(field="text")


def take_facts(case: Case) -> None:
    form = case.form
    case.issue.missing = ()
    case.issue.grid = form.grid or case.issue.grid
    case.issue.whole_district = form.place == DISTRICT or case.issue.whole_district
    if form.files:
        case.issue.has_files = True
        add_files(case, form.files)


@rule
def time_to_supply_is_over(case: Case) -> bool:
    """补正期限届满后才能按逾期未补处理。
    It lapses once the time to supply is over."""
    timer = case.issue.timer(Clock.SUPPLEMENT)
    return timer is not None and timer.due <= case.now


def lapse(case: Case) -> None:
    """Nobody supplied: refused, to be submitted again; danger and other people's matters go on (row 7)."""
    issue = case.issue
    if issue.danger or issue.urgency is Urgency.URGENT or issue.voices > 1:
        case.to = Step.PROPOSE
    else:
        case.to, issue.refusal = Step.REJECTED, "no_supplement"


class Rejection(Form):
    """Why an issue cannot be taken, and the lawful route the person is told."""

    words: ClassVar[tuple[str, ...]] = ("reason",)
    example: ClassVar[dict[str, Any]] = {"route": "judicial", "reason": "该纠纷已由法院受理,请通过诉讼途径解决。"}
    route: str = Field("", max_length=32)
    reason: str = Field("", max_length=4000)
    earlier: str = Field("", max_length=64)


@rule
def says_why_and_where_to(case: Case) -> bool | Fault:
    """不予受理须写明理由和救济途径,途径为:{routes}。
    A refusal gives the reason and the lawful route, one of: {routes}."""
    form, routes = case.form, case.world.policy.routes
    if form.route in routes and form.reason:
        return True
    return Fault(routes=", ".join(routes), field="reason" if form.route in routes else "route")


@rule
def names_the_earlier_issue(case: Case) -> bool | Fault:
    """以「已处理」为由不予受理的,须写明原题编号。
    A refusal as settled names the earlier issue."""
    return case.form.route != "settled" or bool(case.form.earlier) or Fault(field="earlier")


SECOND_OFFICER = Signer("intake", (Role.INTAKE,))


def second_officer(case: Case) -> tuple[Signer, ...]:
    return (SECOND_OFFICER,) if case.world.policy.routes[case.form.route].second else ()


def refuse(case: Case) -> None:
    case.issue.refusal, case.issue.settled_by = case.form.route, case.form.earlier


class Acceptance(Form):
    """Into the pool of topics. `confidence` says that nobody chose the category, and how sure was what suggested it."""

    example: ClassVar[dict[str, Any]] = {"category": "lighting", "urgency": "general", "grid": "g-01"}
    category: Id
    urgency: Urgency
    grid: str = Field("", max_length=64)
    livelihood: bool | None = None
    confidence: float | None = Field(None, ge=0, le=1)


@rule
def grid_is_set(case: Case) -> bool | Fault:
    """请写明所在网格;涉及全区的除外。
    Name the grid, unless it is about the whole district."""
    return bool(case.form.grid or case.issue.grid) or case.issue.whole_district or Fault(field="grid")


@rule
def neither_urgent_nor_tip_off(case: Case) -> bool:
    """紧急事项和举报一律直办,不进入选题。
    Urgent matters and tip-offs go to the direct lane, never into selection."""
    urgent = Urgency.URGENT in (case.issue.urgency, case.form.urgency)
    return not urgent and case.issue.kind is not Kind.TIP_OFF


def into_the_pool(case: Case) -> None:
    issue, form = case.issue, case.form
    issue.lane, issue.category, issue.urgency = Lane.TOPIC, form.category, form.urgency
    issue.category_confidence = form.confidence
    issue.grid = form.grid or issue.grid
    if form.livelihood is not None:
        issue.livelihood = form.livelihood


class DirectAcceptance(Form):
    """Straight to a unit."""

    units: ClassVar[tuple[str, ...]] = ("unit",)
    example: ClassVar[dict[str, Any]] = {"unit": "u-01", "category": "lighting", "urgency": "general"}
    unit: str = Field("", max_length=64)
    category: str = Field("", max_length=64)
    urgency: Urgency | None = None
    grid: str = Field("", max_length=64)


@rule
def names_a_unit(case: Case) -> bool | Fault:
    """直办须写明承办单位。
    The direct lane needs a unit by name."""
    return bool(case.form.unit) or Fault(field="unit")


def straight_to_the_unit(case: Case) -> None:
    issue, form = case.issue, case.form
    issue.lane = Lane.DIRECT
    issue.category = form.category or issue.category
    if form.urgency is not None:
        issue.urgency = form.urgency
    issue.danger = issue.danger or issue.urgency is Urgency.URGENT
    issue.grid = form.grid or issue.grid
    direct(case, form.unit)


MOVES = (
    Move(
        1, "submit", "出题", "submit", (), (Role.CITIZEN, Role.GRID_WORKER, Role.INTAKE), (Step.PROPOSE,), Submit,
        guards=(only_staff_name_a_source, consent_on_behalf, notice_shown, says_what, says_where, within_daily_limit, units_exist),
        needs=(Need.TODAY, Need.UNITS), does=open_issue, tells=(PROPOSER, INTAKE_IF_FRESH), starts=(Clock.INTAKE, Clock.OVERALL),
    ),
    Move(
        5, "ask_supplement", "要求补正", "ask for facts", (Step.PROPOSE,), (Role.INTAKE,), (Step.SUPPLEMENT,), Supplement,
        guards=(asked_only_once, lists_what_is_missing), does=ask_for_facts, tells=(PROPOSER,), starts=(Clock.SUPPLEMENT,),
    ),
    Move(
        6, "supply", "补正", "supply facts", (Step.SUPPLEMENT,), (Relation.PROPOSER, Role.GRID_WORKER), (Step.PROPOSE,), Supply,
        guards=(supplies_something,), does=take_facts, tells=(INTAKE,),
    ),
    Move(
        7, "lapse", "逾期未补", "lapse", (Step.SUPPLEMENT,), (Role.CLOCK,), (Step.REJECTED, Step.PROPOSE),
        guards=(time_to_supply_is_over,), does=lapse, tells=(PROPOSER,),
    ),
    Move(
        8, "reject", "不予受理", "refuse", (Step.PROPOSE,), (Role.INTAKE,), (Step.REJECTED,), Rejection,
        guards=(says_why_and_where_to, names_the_earlier_issue), does=refuse, tells=(VOICES,),
        signers=second_officer, asks_of=(SECOND_OFFICER,),
    ),
    Move(
        11, "accept_topic", "受理入库", "accept as a topic", (Step.PROPOSE,), (Role.INTAKE,), (Step.SELECT,), Acceptance,
        guards=(category_is_known, grid_is_set, neither_urgent_nor_tip_off), does=into_the_pool, tells=(VOICES,), starts=(Clock.SELECT,),
    ),
    Move(
        12, "accept_direct", "直办受理", "accept directly", (Step.PROPOSE,), (Role.INTAKE,), (Step.SOLVE,), DirectAcceptance,
        guards=(names_a_unit, units_exist, not_the_accused, category_is_known), needs=(Need.UNITS,), does=straight_to_the_unit,
        tells=(VOICES, DISPATCHED), starts=(Clock.SIGN, Clock.CONTACT, Clock.SOLVE),
    ),
)  # fmt: skip
