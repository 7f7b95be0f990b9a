"""The moves open at many steps: withdraw, co-sign, attach, urge, order, correct, step aside, and time itself (rows 2-4, 45-51)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, ClassVar

from msgspec.structs import replace
from pydantic import Field

from liuti.flow import amended, clocks
from liuti.flow.issue import Order, Timer
from liuti.flow.kernel import Case, Fault, Form, Move, Need, Next, Row, again, rule
from liuti.flow.parts import (
    INSPECTORS,
    LEAD_UNIT,
    LEADER,
    PROPOSER,
    UNITS,
    Reason,
    Text,
    category_is_known,
    outside_handling_units,
    propose_interview,
    units_exist,
)  # fmt: skip
from liuti.flow.people import Contact, FileRef, add_files, add_voice, consent_on_behalf, notice_shown
from liuti.flow.standing import addressed
from liuti.flow.words import OPEN, UNIT_ROLES, Channel, Clock, Kind, Relation, Role, Step, Urgency

# -- people --------------------------------------------------------------------------------------------------------


def withdraw(case: Case) -> None:
    """Alone and no danger: it ends. Otherwise it goes on, and the earliest other voice becomes the proposer."""
    issue = case.issue
    case.rows.append(Row("leave_voice", {"id": issue.proposer, "at": case.now}))
    if issue.voices <= 1 and not issue.danger:
        return
    case.to = None
    if case.facts.next_voice:
        issue.proposer = case.facts.next_voice
        issue.voices -= 1


class Cosign(Form):
    """附议: 我也遇到."""

    words: ClassVar[tuple[str, ...]] = ("text",)
    personal: ClassVar[tuple[str, ...]] = ("contact",)
    example: ClassVar[dict[str, Any]] = {
        "text": "我家楼下也一样",
        "contact": {"phone": "13900000000"},
        "notice_version": "1",
    }
    text: str = Field("", max_length=2000)
    contact: Contact = Contact()
    on_behalf: bool = False
    consent: bool = False
    notice_version: str = Field("", max_length=32)


@again
def one_voice_a_person(case: Case) -> bool:
    """您已经附议或就是出题人。
    You are a voice of this issue already."""
    return not case.facts.voiced and not (case.actor.voice and case.actor.issue == case.issue.id)


@rule
def tip_offs_take_no_cosigners(case: Case) -> bool:
    """举报不接受附议。
    A tip-off takes no co-signers."""
    return case.issue.kind is not Kind.TIP_OFF


@rule
def within_daily_cosigns(case: Case) -> bool | Fault:
    """每人每天最多附议 {most} 次。
    At most {most} co-signs a day for each person."""
    most = case.world.policy.limits.cosigns_per_day
    return case.role != Role.CITIZEN or case.facts.today < most or Fault(most=most)


def cosign(case: Case) -> None:
    case.issue.voices += 1
    add_voice(case, Channel.GRID if case.role == Role.GRID_WORKER else Channel.WEB)


class Attachment(Form):
    """Files the door has looked at; `on_site` marks a photo taken where it happened."""

    words: ClassVar[tuple[str, ...]] = ("note",)
    example: ClassVar[dict[str, Any]] = {"files": [], "note": "现场照片", "on_site": True}
    files: tuple[FileRef, ...] = ()
    note: str = Field("", max_length=1000)
    on_site: bool = False


@rule
def brings_a_file(case: Case) -> bool | Fault:
    """请选择要上传的文件。
    Please choose a file."""
    return bool(case.form.files) or Fault(field="files")


def attach(case: Case) -> None:
    """A unit's photos are evidence of work, a grid worker's are proof from the place (row 38)."""
    issue = case.issue
    pictures = sum(1 for f in case.form.files if f.media_type.startswith("image/"))
    issue.has_files = True
    if not case.actor.roles.isdisjoint(UNIT_ROLES):
        issue.photos += pictures
    elif Role.GRID_WORKER in case.actor.roles:
        issue.site_photos += pictures
    add_files(case, case.form.files)


# -- pressing ------------------------------------------------------------------------------------------------------


class Urge(Form):
    """催办; the clock names the timer it speaks for."""

    words: ClassVar[tuple[str, ...]] = ("text",)
    example: ClassVar[dict[str, Any]] = {"text": "请尽快处理。"}
    text: str = Field("", max_length=1000)
    clock: Clock | None = None
    unit: str = Field("", max_length=64)


@rule
def one_urge_in_a_while(case: Case) -> bool | Fault:
    """群众每 {days} 天可以催办一次。
    People may urge once in {days} days."""
    days, last = case.world.policy.limits.urge_days, case.issue.last_urge
    own = case.role == Relation.VOICE
    return not own or last is None or case.now >= last + timedelta(days=days) or Fault(days=days)


@rule
def urged_timer_is_red(case: Case) -> bool:
    """时钟只催办已超期的时限。
    The clock urges only what is overdue."""
    timer = timer_of(case)
    return case.role != Role.CLOCK or (
        timer is not None and timer.red and timer.next is not None and timer.next <= case.now
    )


def URGED(case: Case) -> Iterable[str]:  # noqa: N802 - stands in a row beside UNITS and reads like it
    """A person urges everybody at work on it; the clock only whoever is late, which `urge` says itself."""
    return () if case.role == Role.CLOCK else (*UNITS(case), *LEADER(case))


def urge(case: Case) -> None:
    """The ladder's rungs 1-3: an urge, then an order drafted for an inspector, then an interview proposed. A person's
    urge may bring the next rung forward."""
    if case.role == Relation.VOICE:
        case.issue.last_urge = case.now
    timer = timer_of(case)
    if case.role != Role.CLOCK or timer is None:
        clocks.press(case)
        return
    late = responsible(case, timer)
    rung = clocks.climb(case, timer, late)
    case.noted["rung"] = rung
    # A clock in hours leaves nobody a day to look at a list: intake on duty hears of it at once as well.
    on_duty = ("role:intake",) if rung == 1 and timer.length.endswith("h") else ()
    case.tell("urge", *dict.fromkeys((*late, *on_duty)))
    if rung == 2:
        case.noted["order"] = _draft(case, next(iter(late), "role:inspector"), timer.clock)
    elif rung == 3:
        propose_interview(case)


def _draft(case: Case, to: str, clock: str) -> int:
    """An order without words, for an inspector to write and sign; its number."""
    number = len(case.issue.orders) + 1
    case.issue.orders = (*case.issue.orders, Order(number, to, "", case.now, clock=clock))
    case.tell("order.drafted", "role:inspector")
    return number


class OrderSheet(Form):
    """督办单: to whom (unit:ID, person:ID, role:NAME), what is ordered; `draft` names one the ladder drew up."""

    words: ClassVar[tuple[str, ...]] = ("text",)
    example: ClassVar[dict[str, Any]] = {"to": "unit:u-01", "text": "请于两个工作日内书面说明超期原因。"}
    to: str = Field("", pattern=r"^((unit|person|role):[A-Za-z0-9._-]+)?$")
    text: Text
    draft: int | None = None


def _order(case: Case, number: int | None) -> Order | None:
    return next((o for o in case.issue.orders if o.id == number), None)


@rule
def order_names_its_addressee(case: Case) -> bool | Fault:
    """督办单须写明督办对象,或签发已拟的督办单。
    An order names its addressee, or signs a draft."""
    if case.form.draft is None:
        return bool(case.form.to) or Fault(field="to")
    draft = _order(case, case.form.draft)
    return (draft is not None and draft.signed is None) or Fault(field="draft")


def issue_order(case: Case) -> None:
    issue, form = case.issue, case.form
    draft = _order(case, form.draft)
    number = draft.id if draft else len(issue.orders) + 1
    to = form.to or (draft.to if draft else "")
    signed = Order(
        number, to, form.text, draft.drafted if draft else case.now, draft.clock if draft else "",
        signed=case.now, signed_by=case.actor.id,
    )  # fmt: skip
    issue.orders = (*(o for o in issue.orders if o.id != number), signed)
    case.keeps.add(Clock.ORDER)
    clocks.begin(case, Clock.ORDER, str(number))
    case.noted["order"] = number
    case.tell("order", to)


class Response(Form):
    words: ClassVar[tuple[str, ...]] = ("reply",)
    example: ClassVar[dict[str, Any]] = {"reply": "因备件到货推迟,明日完成。"}
    order: int | None = None
    reply: Text


def _mine(case: Case) -> Order | None:
    return next(
        (
            o
            for o in case.issue.orders
            if o.signed
            and o.responded is None
            and case.form.order in (None, o.id)
            and addressed(o.to, case.actor, case.issue)
        ),
        None,
    )


@rule
def answers_an_order(case: Case) -> bool | Fault:
    """没有等待您答复的这份督办单。
    No such order waits for your reply."""
    return _mine(case) is not None or Fault(field="order")


def respond(case: Case) -> None:
    order = _mine(case)
    assert order is not None
    answered = replace(order, responded=case.now, reply=case.form.reply)
    case.issue.orders = tuple(answered if o is order else o for o in case.issue.orders)
    case.keeps.add(Clock.ORDER)
    clocks.stop(case, Clock.ORDER, str(order.id))
    case.noted["order"] = order.id


class Settlement(Form):
    words: ClassVar[tuple[str, ...]] = ("note",)
    example: ClassVar[dict[str, Any]] = {"order": 1, "note": "情况属实,予以销号。"}
    order: int
    note: str = ""
    untrue: bool = False
    """The answer proved untrue: another order is drafted at once."""


@rule
def order_was_answered(case: Case) -> bool | Fault:
    """督办单答复后才能办结。
    An order is settled once it was answered."""
    order = _order(case, case.form.order)
    return (order is not None and order.responded is not None and order.settled is None) or Fault(field="order")


def settle(case: Case) -> None:
    order = _order(case, case.form.order)
    case.issue.orders = tuple(replace(o, settled=case.now) if o is order else o for o in case.issue.orders)
    case.noted["order"] = case.form.order
    if case.form.untrue and order is not None:
        _draft(case, order.to, order.clock)


# -- correcting and stepping aside ---------------------------------------------------------------------------------


class Correction(Form):
    words: ClassVar[tuple[str, ...]] = ("reason",)
    units: ClassVar[tuple[str, ...]] = ("unit",)
    example: ClassVar[dict[str, Any]] = {"urgency": "basic", "reason": "影响供暖,提高等级。"}
    reason: Text
    kind: Kind | None = None
    urgency: Urgency | None = None
    category: str | None = None
    grid: str | None = None
    livelihood: bool | None = None
    unit: str = Field("", max_length=64)
    """Needed when the correction makes it urgent or a tip-off while it stands in selection or claim."""


def _leaves_selection(case: Case) -> bool:
    form, step = case.form, case.issue.step
    grave = form.urgency is Urgency.URGENT or form.kind is Kind.TIP_OFF
    return grave and step in (Step.SELECT, Step.CLAIM)


@rule
def names_the_unit_to_go_to(case: Case) -> bool | Fault:
    """更正为紧急或举报的,立即转直办,须写明承办单位。
    What becomes urgent or a tip-off goes direct at once: name the unit."""
    return not _leaves_selection(case) or bool(case.form.unit) or Fault(field="unit")


@rule
def stays_a_single_matter(case: Case) -> bool | Fault:
    """已有附议或并单的题不能更正为举报。
    An issue with other voices cannot become a tip-off."""
    return case.form.kind is not Kind.TIP_OFF or case.issue.voices <= 1 or Fault(field="kind")


def reclassify(case: Case) -> None:
    issue, form = case.issue, case.form
    before, case.noted["was"] = (
        issue.urgency,
        {"kind": issue.kind, "urgency": issue.urgency, "category": issue.category},
    )
    issue.kind, issue.urgency = form.kind or issue.kind, form.urgency or issue.urgency
    if form.category:
        issue.category, issue.category_confidence = form.category, None
    issue.grid = form.grid if form.grid is not None else issue.grid
    issue.livelihood = form.livelihood if form.livelihood is not None else issue.livelihood
    issue.danger = issue.danger or issue.urgency is Urgency.URGENT
    issue.anonymous = issue.anonymous or issue.kind is Kind.TIP_OFF
    if clocks.more_urgent(case, before):
        clocks.hasten(case)
    if _leaves_selection(case):
        case.then.append(Next("divert", {"unit": form.unit, "reason": form.reason}, case.actor))


@again
def not_declared_yet(case: Case) -> bool:
    """您已申报回避。
    You have declared this conflict already."""
    return case.actor.id not in case.issue.conflicts


def declare_conflict(case: Case) -> None:
    case.issue.conflicts = (*case.issue.conflicts, case.actor.id)


# -- time ----------------------------------------------------------------------------------------------------------


class Strike(Form):
    """Which timer time acts on."""

    example: ClassVar[dict[str, Any]] = {"clock": "intake"}
    clock: Clock
    unit: str = ""


def timer_of(case: Case) -> Timer | None:
    form = case.form
    return case.issue.timer(form.clock, form.unit) if form.clock is not None else None


@rule
def warning_is_due(case: Case) -> bool:
    """时限用去四分之三时预警。
    A warning comes when three quarters of the time are used."""
    timer = timer_of(case)
    return (
        timer is not None and timer.running and not timer.warned and timer.next is not None and timer.next <= case.now
    )


@rule
def time_has_passed(case: Case) -> bool:
    """时限届满才算超期。
    Overdue begins when the due time has passed."""
    timer = timer_of(case)
    late = timer is not None and timer.running and not timer.red and timer.due <= case.now
    return late and case.form.clock not in clocks.STRIKES


def warn(case: Case) -> None:
    timer = timer_of(case)
    assert timer is not None
    clocks.mark_warned(case, timer)
    case.tell("warn", *responsible(case, timer))


def overdue(case: Case) -> None:
    """Marked for good; an unclaimed topic may now be designated."""
    timer = timer_of(case)
    assert timer is not None
    red = clocks.mark_struck(case, timer)
    case.noted["due"] = timer.due
    if red.clock is Clock.CLAIM:
        clocks.begin(case, Clock.DESIGNATE)
        case.tell("designate.due", "role:principal", "role:inspector")
    if red.clock is Clock.ORDER and _unanswered(case, red) == UNANSWERED:
        propose_interview(case)
    case.tell("overdue", *responsible(case, red))


UNANSWERED = 2
"""So many orders that one addressee left unanswered propose an interview (docs/rules.md §5.4, L3)."""


def _unanswered(case: Case, red: Timer) -> int:
    """Orders to the same addressee whose time to answer is over, this one among them."""
    to = {str(order.id): order.to for order in case.issue.orders}
    over = (t for t in case.issue.timers if t.clock is Clock.ORDER and t.red and t.running)
    return sum(to.get(timer.unit) == to.get(red.unit) for timer in over)


def responsible(case: Case, timer: Timer) -> list[str]:
    """Who is late when this clock runs out."""
    issue = case.issue
    if timer.clock is Clock.ORDER:
        order = next((o for o in issue.orders if str(o.id) == timer.unit), None)
        return [order.to] if order else []
    if timer.clock in _BY_UNIT:
        return ["unit:" + (timer.unit or issue.lead_unit)]
    if timer.clock is Clock.OVERALL:
        return ["unit:" + issue.lead_unit] if issue.lead_unit else ["role:intake"]
    return {
        Clock.PLAN: ["person:" + issue.leader],
        Clock.SUPPLEMENT: ["voice:" + issue.proposer],
        Clock.HOLD: ["person:" + issue.leader],
        Clock.REVIEW: ["role:inspector", "role:team"],
    }.get(timer.clock, ["role:" + _BY_ROLE[timer.clock]] if timer.clock in _BY_ROLE else [])


_BY_UNIT = frozenset({Clock.SIGN, Clock.CONTACT, Clock.SOLVE, Clock.REDO, Clock.BAD_REVIEW})
_BY_ROLE = {
    Clock.INTAKE: Role.INTAKE, Clock.SELECT: Role.PANEL, Clock.CLAIM: Role.LEADER, Clock.DESIGNATE: Role.PRINCIPAL,
    Clock.RULING: Role.INSPECTOR, Clock.CALLBACK: Role.CALLER, Clock.APPEAL: Role.TEAM, Clock.EVALUATE: Role.CALLER,
}  # fmt: skip


@rule
def something_is_provisional(case: Case) -> bool:
    """没有需要重算的暂定时限,历年通知也没有改动。
    There is no provisional due time to compute again, and no notice was amended."""
    return clocks.is_provisional(case.issue) or amended.outdated(case.issue, case.world)


def recompute(case: Case) -> None:
    amended.recompute(case)
    clocks.recompute(case)
    case.noted["due"] = {t.clock.value: t.due for t in case.issue.timers if t.running}


BEFORE_CHECK = (Step.PROPOSE, Step.SUPPLEMENT, Step.SELECT, Step.CLAIM, Step.SOLVE)
# An appeal outlives every step, so its clock may run at every end.
TIMED = tuple(Step)
INSPECTOR = (Role.INSPECTOR,)
MOVES = (
    Move(
        2, "withdraw", "撤回", "withdraw", BEFORE_CHECK, (Relation.PROPOSER,), (Step.WITHDRAWN,), needs=(Need.NEXT_VOICE,),
        does=withdraw, tells=(LEAD_UNIT, LEADER),
    ),
    Move(
        3, "cosign", "附议", "co-sign", OPEN, (Role.CITIZEN, Role.GRID_WORKER), (), Cosign, agains=(one_voice_a_person,),
        guards=(tip_offs_take_no_cosigners, consent_on_behalf, notice_shown, within_daily_cosigns),
        needs=(Need.VOICED, Need.TODAY), does=cosign,
    ),
    Move(
        4, "attach", "附件", "attach a file", OPEN, (Relation.VOICE, Relation.HANDLER), (), Attachment,
        guards=(brings_a_file,), does=attach,
    ),
    Move(
        45, "urge", "催办", "urge", OPEN, (Relation.VOICE, Role.INSPECTOR, Role.CLOCK), (), Urge,
        guards=(one_urge_in_a_while, urged_timer_is_red), does=urge, tells=(URGED,),
    ),
    Move(
        46, "order", "督办", "order", OPEN, INSPECTOR, (), OrderSheet, guards=(order_names_its_addressee,), does=issue_order,
        tells=(LEADER,), starts=(Clock.ORDER,),
    ),
    Move(
        46, "respond", "答复督办", "answer the order", OPEN, (Relation.ADDRESSEE,), (), Response, guards=(answers_an_order,),
        does=respond, tells=(INSPECTORS,), stops=(Clock.ORDER,),
    ),
    Move(
        46, "settle", "督办销号", "settle the order", OPEN, INSPECTOR, (), Settlement, duties=(outside_handling_units,),
        guards=(order_was_answered,), does=settle, tells=(UNITS,),
    ),
    Move(
        47, "reclassify", "更正", "correct", OPEN, (Role.INTAKE,), (), Correction,
        guards=(names_the_unit_to_go_to, units_exist, stays_a_single_matter, category_is_known), needs=(Need.UNITS,),
        does=reclassify, tells=(PROPOSER, UNITS),
    ),
    Move(
        48, "declare_conflict", "回避", "step aside", OPEN, (Relation.OFFICIAL,), (), Reason, agains=(not_declared_yet,),
        does=declare_conflict, tells=(INSPECTORS,),
    ),
    Move(50, "warn", "预警", "warn", TIMED, (Role.CLOCK,), (), Strike, guards=(warning_is_due,), does=warn),
    Move(51, "overdue", "超期", "mark overdue", TIMED, (Role.CLOCK,), (), Strike, guards=(time_has_passed,), does=overdue),
    Move(
        52, "recompute", "重算时限", "compute the due times again", TIMED, (Role.CLOCK,), (),
        guards=(something_is_provisional,), does=recompute, tells=(UNITS,),
    ),
)  # fmt: skip
