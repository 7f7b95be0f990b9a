"""解题: the leader fixes the plan, units sign, contact, work and report; somebody else verifies (rows 23-30, 34, 36)."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any, ClassVar, Literal

from msgspec.structs import replace
from pydantic import BaseModel, ConfigDict, Field

from liuti.flow import clocks
from liuti.flow.issue import Ask, Assignment, Milestone
from liuti.flow.kernel import Case, Fault, Form, Move, Need, Next, Signer, again, rule
from liuti.flow.parts import (
    DISPATCHED,
    INSPECTORS,
    LEAD_UNIT,
    LEADER,
    PROPOSER,
    UNITS,
    VOICES,
    Id,
    Text,
    below_cap,
    closing_of,
    designee_has_no_conflict,
    designee_is_a_leader,
    dispatch,
    drawn,
    passes_by_clock,
    units_exist,
)  # fmt: skip
from liuti.flow.words import Clock, Closing, Lane, Relation, Role, Step


class Handover(Form):
    words: ClassVar[tuple[str, ...]] = ("reason",)
    people: ClassVar[tuple[str, ...]] = ("leader",)
    example: ClassVar[dict[str, Any]] = {"leader": "p-01", "reason": "分工调整。"}
    leader: Id
    reason: Text


@rule
def principal_alone_when_leader_cannot(case: Case) -> bool:
    """该领导未回避、未离任的,移交须由其本人提出。
    The principal hands over alone only when the leader has a conflict or has left."""
    alone = case.role == Role.PRINCIPAL
    holder = case.facts.people.get(case.issue.leader)
    return not alone or case.issue.leader in case.issue.conflicts or holder is None or not holder.roles


PRINCIPAL = Signer("principal", (Role.PRINCIPAL,))


def principal_unless_alone(case: Case) -> tuple[Signer, ...]:
    return () if case.role == Role.PRINCIPAL else (PRINCIPAL,)


def handover(case: Case) -> None:
    person = case.facts.people[case.form.leader]
    case.issue.leader, case.issue.leader_post = person.id, person.post or person.name
    case.noted["leader"] = person.id


class PlannedMilestone(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)
    title: Text
    due: date
    unit: str = ""


class Plan(Form):
    """A measurable goal, who does it, by which steps and when."""

    words: ClassVar[tuple[str, ...]] = ("goal", "milestones")
    units: ClassVar[tuple[str, ...]] = ("lead_unit", "assisting")
    example: ClassVar[dict[str, Any]] = {
        "goal": "修复12盏路灯,夜间照度达标", "lead_unit": "u-01", "due": "2026-12-15",
        "milestones": [{"title": "完成线路检修", "due": "2026-12-10"}],
    }  # fmt: skip
    goal: str = Field("", max_length=1000)
    lead_unit: str = Field("", max_length=64)
    assisting: tuple[Id, ...] = Field((), max_length=20)
    milestones: tuple[PlannedMilestone, ...] = Field((), max_length=50)
    due: date


@rule
def only_topics_are_planned(case: Case) -> bool:
    """直办题不需要方案。
    The direct lane has no plan."""
    return case.issue.lane is Lane.TOPIC


@rule
def planned_once(case: Case) -> bool:
    """方案只能审定一次。
    A plan is approved once."""
    return not case.issue.plan_by


@rule
def goal_is_set(case: Case) -> bool | Fault:
    """方案须有可衡量的目标。
    A plan has a measurable goal."""
    return bool(case.form.goal) or Fault(field="goal")


@rule
def lead_unit_is_set(case: Case) -> bool | Fault:
    """方案须明确主办单位。
    A plan names the lead unit."""
    return bool(case.form.lead_unit) or Fault(field="lead_unit")


@rule
def has_a_milestone(case: Case) -> bool | Fault:
    """方案至少要有一个里程碑。
    A plan has at least one milestone."""
    return bool(case.form.milestones) or Fault(field="milestones")


@rule
def plan_ends_in_time(case: Case) -> bool | Fault:
    """方案完成日须在今后 {days} 天内,里程碑不得晚于完成日。
    A plan ends within {days} days, and no milestone lies after its end."""
    days, due = case.world.policy.clocks.solve_topic_most, case.form.due
    most = case.asked + timedelta(days=days + 1)
    inside = all(m.due <= due for m in case.form.milestones)
    return (case.asked < closing_of(case, due) <= most and inside) or Fault(days=days, field="due")


def approve_plan(case: Case) -> None:
    issue, form = case.issue, case.form
    issue.plan_by, issue.plan_goal = case.actor.id, form.goal
    issue.milestones = tuple(
        Milestone(m.title, closing_of(case, m.due), m.unit or form.lead_unit) for m in form.milestones
    )
    case.until = closing_of(case, form.due)
    dispatch(case, form.lead_unit, lead=True)
    for unit in dict.fromkeys(form.assisting):
        if unit != form.lead_unit and issue.assignment(unit) is None:
            dispatch(case, unit, lead=False)


def _own(case: Case) -> Assignment:
    own = case.issue.assignment(case.actor.unit)
    assert own is not None
    return own


def _put(case: Case, old: Assignment, new: Assignment) -> None:
    case.issue.assignments = tuple(new if a is old else a for a in case.issue.assignments)


@again
def not_signed_yet(case: Case) -> bool:
    """本单位已经签收。
    Your unit has signed already."""
    return _own(case).signed is None


def sign(case: Case) -> None:
    own = _own(case)
    _put(case, own, replace(own, signed=case.now))
    case.keeps.add(Clock.SIGN)
    clocks.stop(case, Clock.SIGN, case.actor.unit)


class ContactNote(Form):
    """How and when the person was reached, and what came of it."""

    words: ClassVar[tuple[str, ...]] = ("result",)
    example: ClassVar[dict[str, Any]] = {"method": "phone", "result": "已电话联系,约定周三上门查看。"}
    method: Literal["phone", "visit", "message", "other"]
    at: datetime | None = None
    reached: bool = True
    result: Text


@rule
def person_wants_contact(case: Case) -> bool:
    """当事人要求不联系,此项不适用。
    The person asked for no contact: this does not apply."""
    return case.issue.wants_contact


@rule
def contact_is_past(case: Case) -> bool | Fault:
    """联系时间不能晚于现在。
    A contact lies in the past."""
    at = case.form.at
    return at is None or (at.tzinfo is not None and at <= case.now) or Fault(field="at")


def contact(case: Case) -> None:
    """Reaching the person stops the clocks; a try that failed is logged and lets them run."""
    case.keeps.add(Clock.CONTACT)
    if not case.form.reached:
        case.keeps.add(Clock.BAD_REVIEW)
        case.issue.tries += 1
        return
    own = _own(case)
    _put(case, own, replace(own, contacted=case.form.at or case.now))
    clocks.stop(case, Clock.CONTACT, case.actor.unit)


class Joining(Form):
    words: ClassVar[tuple[str, ...]] = ("reason",)
    units: ClassVar[tuple[str, ...]] = ("unit",)
    example: ClassVar[dict[str, Any]] = {"unit": "u-02", "reason": "涉及占道,需会同办理。"}
    unit: Id
    reason: str = ""


@rule
def not_at_work_yet(case: Case) -> bool | Fault:
    """该单位已在办理此题。
    That unit is at work on it already."""
    return case.issue.assignment(case.form.unit) is None or Fault(field="unit")


@rule
def not_about_that_unit(case: Case) -> bool | Fault:
    """举报不得交被举报单位办理。
    A tip-off never goes to the unit it is about."""
    return not case.issue.against or case.form.unit != case.issue.against or Fault(field="unit")


def add_unit(case: Case) -> None:
    dispatch(case, case.form.unit, lead=False)


class Work(Form):
    """What was done; `public` shows it to people, else officials alone read it."""

    words: ClassVar[tuple[str, ...]] = ("text",)
    example: ClassVar[dict[str, Any]] = {"text": "已完成线路排查,明日更换灯头。", "public": True}
    text: Text
    public: bool = True


@again
def not_finished_yet(case: Case) -> bool:
    """本单位的协办已经完成。
    Your unit has finished its part."""
    return _own(case).done is None


def finish(case: Case) -> None:
    own = _own(case)
    _put(case, own, replace(own, done=case.now))


def progress(case: Case) -> None:
    if case.form.public:
        case.tell("progress", "voices")


class MilestoneReport(Form):
    """Milestone number (from 1): done with evidence, or waived with the leader's consent."""

    words: ClassVar[tuple[str, ...]] = ("evidence", "reason")
    example: ClassVar[dict[str, Any]] = {"number": 1, "evidence": "检修记录已存档。"}
    number: int = Field(ge=1)
    evidence: str = ""
    waive: bool = False
    reason: str = ""


@rule
def milestone_is_open(case: Case) -> bool | Fault:
    """没有这个未完成的里程碑。
    There is no such open milestone."""
    number, all_of_them = case.form.number, case.issue.milestones
    if number > len(all_of_them):
        return Fault(field="number")
    one = all_of_them[number - 1]
    return (one.done is None and not one.waived) or Fault(field="number")


@rule
def evidence_or_reason(case: Case) -> bool | Fault:
    """完成须附依据,免做须写理由。
    Done needs evidence, waived needs a reason."""
    form = case.form
    return bool(form.reason if form.waive else form.evidence) or Fault(field="reason" if form.waive else "evidence")


@rule
def no_waiver_waits(case: Case) -> bool | Fault:
    """这个里程碑的免做申请正在等待答复。
    A waiver of this milestone is already waiting for an answer."""
    waits = any(
        a.move == "milestone" and a.form["number"] == case.form.number and (case.ask is None or a.id != case.ask.id)
        for a in case.issue.open_asks()
    )
    return not waits or Fault(field="number")


def reports_another(_case: Case, _ask: Ask) -> bool:
    """One waiver that waits keeps nobody from reporting on other milestones."""
    return False


ITS_LEADER = Signer("its_leader", (Relation.ITS_LEADER,))


def leader_when_waived(case: Case) -> tuple[Signer, ...]:
    return (ITS_LEADER,) if case.form.waive else ()


def milestone(case: Case) -> None:
    place, form = case.form.number - 1, case.form
    one = case.issue.milestones[place]
    new = replace(one, waived=True) if form.waive else replace(one, done=case.now, evidence=form.evidence)
    case.issue.milestones = (*case.issue.milestones[:place], new, *case.issue.milestones[place + 1 :])


class Result(Form):
    """The unit's reply and its own word on the outcome."""

    words: ClassVar[tuple[str, ...]] = ("reply", "evidence")
    example: ClassVar[dict[str, Any]] = {
        "word": "solved",
        "reply": "12盏路灯已全部修复。",
        "evidence": "验收单",
        "told": True,
    }
    word: Literal[Closing.SOLVED, Closing.PARTLY, Closing.EXPLAINED]
    reply: str = Field("", max_length=8000)
    evidence: str = Field("", max_length=4000)
    told: bool = False


@rule
def plan_is_approved(case: Case) -> bool:
    """选题办理的,方案审定后才能反馈结果。
    A topic's result needs an approved plan."""
    return case.issue.lane is not Lane.TOPIC or bool(case.issue.plan_by)


@rule
def milestones_are_met(case: Case) -> bool | Fault:
    """还有 {open} 个里程碑未完成也未免做。
    {open} milestones are neither done nor waived."""
    left = sum(1 for m in case.issue.milestones if m.done is None and not m.waived)
    return left == 0 or Fault(open=left)


@rule
def replies_in_words(case: Case) -> bool | Fault:
    """请写明给群众的答复。
    Please write the reply to the people."""
    return bool(case.form.reply) or Fault(field="reply")


@rule
def shows_evidence(case: Case) -> bool | Fault:
    """反馈结果须附办理依据。
    A result comes with evidence."""
    return bool(case.form.evidence) or case.issue.photos > 0 or Fault(field="evidence")


@rule
def physical_works_show_a_photo(case: Case) -> bool | Fault:
    """涉及工程的,须附完工照片。
    Physical works need a photo of the finished work."""
    category = case.world.policy.categories.get(case.issue.category)
    return category is None or not category.physical or case.issue.photos > 0 or Fault(field="evidence")


@rule
def direct_reply_is_told(case: Case) -> bool | Fault:
    """直办题的答复须同时告知当事人。
    In the direct lane the reply is told to the person now."""
    told = case.form.told or not case.issue.wants_contact or case.issue.lane is not Lane.DIRECT
    return told or Fault(field="told")


HEAD = Signer("unit_head", (Role.UNIT_HEAD,))


def with_head(_case: Case) -> tuple[Signer, ...]:
    return (HEAD,)


def submit_result(case: Case) -> None:
    """To verification; consultations and low-risk direct issues pass at once, but for a drawn share."""
    issue = case.issue
    issue.own_word, issue.reply = case.form.word, case.form.reply
    if passes_by_clock(case):
        issue.to_inspect = drawn(case)
        if not issue.to_inspect:
            case.then.append(Next("pass_check", {"method": "rule"}))


class Resumption(Form):
    words: ClassVar[tuple[str, ...]] = ("reason",)
    example: ClassVar[dict[str, Any]] = {"reason": "许可已经批复。"}
    reason: str = ""


@rule
def cause_is_gone(case: Case) -> bool | Fault:
    """恢复办理须说明挂账原因已消除。
    Resuming says that the cause is gone."""
    return case.role == Role.CLOCK or bool(case.form.reason) or Fault(field="reason")


@rule
def review_date_has_come(case: Case) -> bool:
    """复核日到了,时钟才恢复办理。
    The clock resumes at the review date, not before."""
    timer = case.issue.timer(Clock.HOLD)
    return case.role != Role.CLOCK or (timer is not None and timer.due <= case.now)


def resume(case: Case) -> None:
    issue = case.issue
    if issue.suspended_from is not None:
        issue.suspended_days += (case.now - issue.suspended_from).days
        issue.suspended_from = None


UNIT = (Relation.OWN_UNIT,)
SOLVE = (Step.SOLVE,)
MOVES = (
    Move(
        23, "handover", "移交", "hand over", SOLVE, (Relation.ITS_LEADER, Role.PRINCIPAL), (), Handover,
        guards=(principal_alone_when_leader_cannot, designee_is_a_leader, designee_has_no_conflict, below_cap),
        needs=(Need.PEOPLE, Need.CLAIMS), does=handover, tells=(VOICES, LEADER, UNITS),
        signers=principal_unless_alone, asks_of=(PRINCIPAL,),
    ),
    Move(
        24, "approve_plan", "定方案", "approve the plan", SOLVE, (Relation.ITS_LEADER,), (), Plan,
        guards=(only_topics_are_planned, planned_once, goal_is_set, lead_unit_is_set, has_a_milestone, units_exist, plan_ends_in_time),
        needs=(Need.UNITS,), does=approve_plan, tells=(VOICES, DISPATCHED),
        stops=(Clock.PLAN,), starts=(Clock.SOLVE, Clock.SIGN, Clock.CONTACT),
    ),
    Move(25, "sign", "签收", "sign", SOLVE, UNIT, agains=(not_signed_yet,), does=sign, stops=(Clock.SIGN,)),
    Move(
        26, "contact", "先行联系", "contact the person", SOLVE, UNIT, (), ContactNote,
        guards=(person_wants_contact, contact_is_past), does=contact, stops=(Clock.CONTACT, Clock.BAD_REVIEW),
    ),
    Move(
        27, "add_unit", "会办", "add a unit", SOLVE, (Relation.LEAD_UNIT, Relation.ITS_LEADER), (), Joining,
        guards=(units_exist, not_at_work_yet, not_about_that_unit), needs=(Need.UNITS,), does=add_unit,
        tells=(DISPATCHED, LEAD_UNIT), starts=(Clock.SIGN,),
    ),
    Move(
        28, "finish", "协办完成", "finish its part", SOLVE, (Relation.ASSISTING_UNIT,), (), Work,
        agains=(not_finished_yet,), does=finish, tells=(LEAD_UNIT,),
    ),
    Move(
        29, "milestone", "里程碑", "report a milestone", SOLVE, UNIT, (), MilestoneReport,
        guards=(milestone_is_open, evidence_or_reason, no_waiver_waits), does=milestone, tells=(LEADER, VOICES),
        signers=leader_when_waived, asks_of=(ITS_LEADER,), same=reports_another,
    ),
    Move(30, "progress", "进展", "note progress", SOLVE, UNIT, (), Work, does=progress, tells=(LEADER,)),
    Move(
        34, "resume", "恢复", "resume", (Step.SUSPENDED,), (Relation.OWN_UNIT, Role.INSPECTOR, Role.CLOCK), SOLVE, Resumption,
        guards=(cause_is_gone, review_date_has_come), does=resume, tells=(VOICES, LEADER, UNITS),
    ),
    Move(
        36, "submit_result", "反馈结果", "submit the result", SOLVE, (Relation.LEAD_UNIT,), (Step.SUPERVISE,), Result,
        guards=(plan_is_approved, milestones_are_met, replies_in_words, shows_evidence, physical_works_show_a_photo,
                direct_reply_is_told),
        does=submit_result, tells=(PROPOSER, LEADER, INSPECTORS), signers=with_head, asks_of=(HEAD,),
        stops=(Clock.OVERALL,), starts=(Clock.REVIEW,),
    ),
)  # fmt: skip
