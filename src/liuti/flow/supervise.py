"""督题: somebody outside the handling unit looks before anybody calls it solved (docs/rules.md §4 rows 37, 38)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar, Literal

from pydantic import Field

from liuti.flow import clocks
from liuti.flow.kernel import Case, Fault, Form, Move, Need, Next, again, duty, rule
from liuti.flow.parts import (
    CALLERS,
    INSPECTORS,
    LEAD_UNIT,
    LEADER,
    VOICES,
    Text,
    drawn_again,
    invite,
    not_former_unit,
    not_its_leader,
    outside_handling_units,
    passes_by_clock,
    propose_interview,
)  # fmt: skip
from liuti.flow.words import Clock, Role, Step


@duty
def did_not_approve_the_plan(case: Case) -> bool:
    """审定方案的人不得核查。
    Who approved the plan is not the verifier."""
    return not case.issue.plan_by or case.actor.id != case.issue.plan_by


class Defects(Form):
    words: ClassVar[tuple[str, ...]] = ("defects",)
    example: ClassVar[dict[str, Any]] = {"defects": ["3号灯仍不亮"], "method": "on_site"}
    defects: tuple[Text, ...] = Field((), max_length=30)
    method: Literal["on_site", "documents", "phone"] = "on_site"


@rule
def lists_defects(case: Case) -> bool | Fault:
    """核查退回须列明问题清单。
    A failed check lists the defects."""
    return bool(case.form.defects) or Fault(field="defects")


def fail_check(case: Case) -> None:
    """Back to the unit; the time under review was not the unit's; three failures propose an interview."""
    issue = case.issue
    issue.check_fails += 1
    review = issue.timer(Clock.REVIEW)
    for clock in (Clock.SOLVE, Clock.OVERALL):
        last = issue.latest(clock)
        # After a redo they had stopped with the first result: this review did not hold them up.
        if review is not None and last is not None and last.stopped == review.started:
            clocks.revive(case, clock)
    if issue.check_fails == case.world.policy.limits.fails_to_interview:
        propose_interview(case)


class Check(Form):
    """How it was verified."""

    words: ClassVar[tuple[str, ...]] = ("note",)
    example: ClassVar[dict[str, Any]] = {"method": "on_site", "note": "现场查看,12盏路灯均亮。"}
    method: Literal["on_site", "documents", "phone", "rule"]
    note: str = ""


@rule
def works_are_seen_on_site(case: Case) -> bool | Fault:
    """涉及工程的,须现场核查或有网格员现场照片。
    Physical works are checked on site or by a grid worker's photo."""
    category = case.world.policy.categories.get(case.issue.category)
    physical = category is not None and category.physical and case.role != Role.CLOCK
    return not physical or case.form.method == "on_site" or case.issue.site_photos > 0 or Fault(field="method")


@rule
def clock_passes_only_low_risk(case: Case) -> bool:
    """时钟只能通过咨询和低风险直办题,抽中的仍由督查员核查。
    The clock passes only consultations and low-risk direct issues that were not drawn."""
    by_rule = case.form.method == "rule"
    return by_rule == (case.role == Role.CLOCK) and (
        not by_rule or (passes_by_clock(case) and not case.issue.to_inspect)
    )


def pass_check(case: Case) -> None:
    case.noted["strike_off"] = True
    invite(case)


# -- the second look -----------------------------------------------------------------------------------------------


class Second(Form):
    """复核: what a team found where an inspector had passed it."""

    words: ClassVar[tuple[str, ...]] = ("note",)
    example: ClassVar[dict[str, Any]] = {"agrees": True, "method": "on_site", "note": "复核现场,路灯均亮。"}
    agrees: bool
    method: Literal["on_site", "documents", "phone"]
    note: Text


@duty
def did_not_pass_it(case: Case) -> bool:
    """核查通过的人不得复核自己的核查。
    Who passed the check does not double-check it."""
    return case.facts.passed is None or case.facts.passed.by != case.actor.id


@again
def not_rechecked_yet(case: Case) -> bool:
    """此次核查已经复核过。
    This check was double-checked already."""
    return case.facts.passed is None or not case.facts.passed.rechecked


@rule
def an_inspector_passed_it(case: Case) -> bool:
    """只复核督查员核查通过的题。
    Only what an inspector passed is double-checked."""
    return case.facts.passed is not None and case.facts.passed.role == Role.INSPECTOR


def recheck(case: Case) -> None:
    """On record either way. Where the team disagrees, what was closed is reopened while it may be (row 44); what is
    still being rated goes on, and the inspectors hear of it."""
    issue, form, passed = case.issue, case.form, case.facts.passed
    assert passed is not None
    case.noted |= {"passed": passed.version, "drawn": drawn_again(case.world.policy.draw, passed.seal)}
    if form.agrees:
        return
    case.tell("recheck.disagreed", "role:inspector", "person:" + issue.leader)
    days = timedelta(days=case.world.policy.limits.reopen_days)
    if issue.step is Step.CLOSED and issue.ended is not None and case.now <= issue.ended + days:
        case.then.append(Next("reopen", {"ground": "new_fact", "reason": form.note}, case.actor))


MOVES = (
    Move(
        37, "fail_check", "核查退回", "fail the check", (Step.SUPERVISE,), (Role.INSPECTOR,), (Step.SOLVE,), Defects,
        duties=(outside_handling_units, not_its_leader, did_not_approve_the_plan), guards=(lists_defects,), does=fail_check,
        tells=(LEAD_UNIT, LEADER, VOICES), starts=(Clock.REDO,),
    ),
    Move(
        38, "pass_check", "核查通过", "pass the check", (Step.SUPERVISE,), (Role.INSPECTOR, Role.CLOCK), (Step.EVALUATE,), Check,
        duties=(outside_handling_units, not_its_leader, did_not_approve_the_plan),
        guards=(clock_passes_only_low_risk, works_are_seen_on_site), does=pass_check, tells=(LEAD_UNIT, LEADER, CALLERS),
        starts=(Clock.EVALUATE, Clock.CALLBACK),
    ),
    Move(
        55, "recheck", "复核", "double-check", (Step.EVALUATE, Step.CLOSED), (Role.TEAM,), (), Second,
        duties=(outside_handling_units, not_former_unit, not_its_leader, did_not_approve_the_plan, did_not_pass_it),
        agains=(not_rechecked_yet,), guards=(an_inspector_passed_it,), needs=(Need.PASSED,), does=recheck,
        tells=(INSPECTORS,),
    ),
)  # fmt: skip
