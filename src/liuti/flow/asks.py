"""What a unit or leader may only ask for while solving: send back, extend, suspend, terminate (rows 31-33, 35)."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, ClassVar

from msgspec.structs import replace
from pydantic import Field

from liuti.flow import clocks
from liuti.flow.kernel import Case, Fault, Form, Move, Need, Signer, rule
from liuti.flow.parts import (
    DISPATCHED,
    LEADER,
    PROPOSER,
    UNITS,
    VOICES,
    Id,
    Text,
    closing_of,
    invite,
    outside_handling_units,
    own_request,
    reassign,
    ruled_unit_can_take_it,
    units_exist,
)  # fmt: skip
from liuti.flow.words import Clock, Closing, Lane, Relation, Role, Step

HEAD = Signer("unit_head", (Role.UNIT_HEAD,))

# -- send back -----------------------------------------------------------------------------------------------------


class SendBack(Form):
    """退单: not ours, by which rule, and whose it is."""

    words: ClassVar[tuple[str, ...]] = ("basis", "reason")
    units: ClassVar[tuple[str, ...]] = ("unit",)
    example: ClassVar[dict[str, Any]] = {
        "basis": "市政设施管理条例第5条",
        "reason": "该路段由市政科管养。",
        "unit": "u-02",
    }
    basis: str = Field("", max_length=1000)
    reason: str = Field("", max_length=4000)
    unit: str = Field("", max_length=64)


@rule
def legal_basis_given(case: Case) -> bool | Fault:
    """退单须写明依据和建议承办单位。
    Sending back names the legal basis and the unit suggested."""
    if not case.form.basis:
        return Fault(field="basis")
    return bool(case.form.unit) or Fault(field="unit")


@rule
def suggests_another_unit(case: Case) -> bool | Fault:
    """建议的承办单位须是其他单位,且不是被举报单位。
    The unit suggested is another one, and not the one a tip-off is about."""
    return case.form.unit not in {case.actor.unit, case.issue.against} or Fault(field="unit")


@rule
def not_ruled_yet(case: Case) -> bool | Fault:
    """此题已有裁定,由本单位先行办理:{ruling}。
    A ruling has been given, this unit acts first: {ruling}."""
    own = case.issue.assignment(case.actor.unit)
    return own is None or not own.ruled or Fault(ruling=_last_ruling(case))


@rule
def sent_back_once(case: Case) -> bool | Fault:
    """一个单位对一题只能退单一次,裁定结果:{ruling}。
    A unit sends an issue back once; the ruling was: {ruling}."""
    own = case.ask.id if case.ask else 0
    again = any(
        a.move == "send_back" and a.unit == case.actor.unit and a.id != own and a.outcome in ("granted", "denied")
        for a in case.issue.asks
    )
    return not again or Fault(ruling=_last_ruling(case))


def _last_ruling(case: Case) -> str:
    ruled = [a for a in case.issue.asks if a.move == "send_back" and a.outcome in ("granted", "denied")]
    return f"{ruled[-1].outcome} #{ruled[-1].id}" if ruled else "designated"


@rule
def within_a_day_of_dispatch(case: Case) -> bool | Fault:
    """退单须在派单后 {within} 内提出。
    Sending back is asked for within {within} of the dispatch."""
    within = case.world.policy.limits.send_back
    own = case.issue.assignment(case.actor.unit)
    fit = own is not None and case.asked <= case.world.calendar.due(own.dispatched, within).at
    return fit or Fault(within=str(within))


RULER = Signer("ruling", (Role.INTAKE, Role.INSPECTOR), (outside_handling_units,), starts=Clock.RULING)


def head_then_ruler(_case: Case) -> tuple[Signer, ...]:
    return (HEAD, RULER)


def uphold(case: Case) -> None:
    """A new unit takes over; the time since the ask is given back; a second dispute is settled by designation."""
    issue, ask = case.issue, case.ask
    assert ask is not None
    unit = (case.answer.unit if case.answer is not None else None) or case.form.unit
    for clock in (Clock.SOLVE, Clock.OVERALL):
        clocks.credit(case, clock, ask.at)
    disputed_again = issue.rulings > 0
    issue.rulings += 1
    reassign(case, ask.unit, unit, ruled=disputed_again)


def stand(case: Case) -> None:
    """Not upheld: the unit acts on it, and may not send it back again."""
    issue, ask = case.issue, case.ask
    assert ask is not None
    if ask.awaits[0] == RULER.name:
        issue.rulings += 1
        issue.assignments = tuple(
            replace(a, ruled=True) if a.unit == ask.unit and a.active else a for a in issue.assignments
        )
        case.noted["ruling"] = {"stays": ask.unit}


# -- extend --------------------------------------------------------------------------------------------------------


class Extension(Form):
    words: ClassVar[tuple[str, ...]] = ("reason",)
    example: ClassVar[dict[str, Any]] = {"until": "2026-12-25", "reason": "灯具到货推迟。"}
    until: date
    reason: Text


def _extended(case: Case) -> Any:
    return case.issue.timer(Clock.REDO) or case.issue.timer(Clock.SOLVE)


@rule
def asked_before_due(case: Case) -> bool:
    """延期须在到期前提出。
    An extension is asked for before the due time."""
    timer = _extended(case)
    return timer is not None and case.asked < timer.due


@rule
def extensions_left(case: Case) -> bool | Fault:
    """此题最多延期 {most} 次。
    This issue may be extended at most {most} times."""
    kinds = case.world.policy.limits.extensions
    most = kinds.direct if case.issue.lane is Lane.DIRECT else kinds.topic
    return case.issue.extensions < most or Fault(most=most)


@rule
def no_longer_than_the_original(case: Case) -> bool | Fault:
    """每次延期不超过原时限,累计不超过 {total} 天。
    Each extension is at most the original time, all together at most {total} days."""
    timer, total = _extended(case), case.world.policy.limits.extend_total_days
    if timer is None:
        return False
    due = closing_of(case, case.form.until)
    first = timer.due - timedelta(days=timer.extended)
    more = due - timer.due
    so_far = sum(t.extended for t in case.issue.timers if t.clock in (Clock.SOLVE, Clock.REDO))
    fit = timedelta() < more <= max(first - timer.started, timedelta(days=1)) and so_far + _days(more) <= total
    return fit or Fault(total=total, field="until")


def _days(more: timedelta) -> int:
    return -(-more // timedelta(days=1))


INSPECTOR = Signer("inspector", (Role.INSPECTOR,), (outside_handling_units,))
ITS_LEADER = Signer("its_leader", (Relation.ITS_LEADER,))


def head_then_inspector_or_leader(case: Case) -> tuple[Signer, ...]:
    return (HEAD, INSPECTOR if case.issue.extensions == 0 else ITS_LEADER)


def extend(case: Case) -> None:
    timer = _extended(case)
    due = closing_of(case, case.form.until)
    case.issue.extensions += 1
    clocks.set_due(case, timer.clock, due, _days(due - timer.due))
    if case.issue.lane is Lane.TOPIC:
        clocks.extend_overall(case)
    elif case.issue.timer(Clock.OVERALL) is not None and timer.clock is Clock.SOLVE:
        clocks.set_due(case, Clock.OVERALL, due)
    case.noted["extended"] = {"clock": timer.clock, "from": timer.due, "to": due}


# -- suspend and terminate -----------------------------------------------------------------------------------------


class Suspension(Form):
    words: ClassVar[tuple[str, ...]] = ("evidence",)
    example: ClassVar[dict[str, Any]] = {
        "cause": "season",
        "review": "2027-02-01",
        "evidence": "冬季不具备施工条件的说明。",
    }
    cause: Id
    review: date
    evidence: Text


@rule
def cause_is_listed(case: Case) -> bool | Fault:
    """挂账原因须为:{causes}。
    The cause of a suspension is one of: {causes}."""
    causes = case.world.policy.suspend_causes
    return case.form.cause in causes or Fault(causes=", ".join(causes), field="cause")


@rule
def review_is_near(case: Case) -> bool | Fault:
    """复核日须在今后 {days} 天内,累计挂账不超过 {total} 天。
    The review lies within {days} days, all suspensions together within {total}."""
    limits, issue = case.world.policy.limits, case.issue
    due = closing_of(case, case.form.review)
    ahead = due - case.asked
    spent = issue.suspended_days + ((case.asked - issue.suspended_from).days if issue.suspended_from else 0)
    fit = timedelta() < ahead <= timedelta(days=limits.suspend_days + 1)
    total = limits.suspend_total_days
    return (fit and spent + ahead.days <= total) or Fault(days=limits.suspend_days, total=total, field="review")


def with_inspector(_case: Case) -> tuple[Signer, ...]:
    return (INSPECTOR,)


def suspend(case: Case) -> None:
    """A renewal stays suspended and gets a new review date."""
    issue = case.issue
    issue.suspended_from = issue.suspended_from or case.now
    case.until = closing_of(case, case.form.review)
    if issue.step is Step.SUSPENDED:
        clocks.stop(case, Clock.HOLD)


class Termination(Form):
    words: ClassVar[tuple[str, ...]] = ("reason", "answer")
    example: ClassVar[dict[str, Any]] = {
        "ground": "uncooperative",
        "reason": "三次联系均未配合。",
        "answer": "因无法核实,本件终止办理。",
    }
    ground: Id
    reason: Text
    answer: Text


@rule
def ground_is_listed(case: Case) -> bool | Fault:
    """终止办理的情形须为:{grounds}。
    A termination is on one of these grounds: {grounds}."""
    grounds = case.world.policy.terminate_grounds
    return case.form.ground in grounds or Fault(grounds=", ".join(grounds), field="ground")


@rule
def three_tries_were_logged(case: Case) -> bool | Fault:
    """以当事人不配合为由的,须先记录 {least} 次联系(现 {tries} 次)。
    For lack of cooperation, {least} tries to reach the person are logged first (now {tries})."""
    least, tries = case.world.policy.limits.terminate_tries, case.issue.tries
    return case.form.ground != "uncooperative" or tries >= least or Fault(least=least, tries=tries)


GRANTED_BY_INTAKE = Signer("intake", (Role.INTAKE,), (outside_handling_units,))


def head_then_intake(_case: Case) -> tuple[Signer, ...]:
    return (HEAD, GRANTED_BY_INTAKE)


def terminate(case: Case) -> None:
    case.issue.closing, case.issue.reply = Closing.TERMINATED, case.form.answer
    invite(case)


SOLVE = (Step.SOLVE,)
MOVES = (
    Move(
        31, "send_back", "退单", "send back", SOLVE, (Relation.OWN_UNIT,), (), SendBack,
        guards=(not_ruled_yet, sent_back_once, legal_basis_given, suggests_another_unit, units_exist, within_a_day_of_dispatch,
                ruled_unit_can_take_it),
        needs=(Need.UNITS,), does=uphold, denied=stand, tells=(DISPATCHED, LEADER),
        signers=head_then_ruler, asks_of=(HEAD, RULER), same=own_request, starts=(Clock.SIGN, Clock.CONTACT),
    ),
    Move(
        32, "extend", "延期", "extend", SOLVE, (Relation.LEAD_UNIT,), (), Extension,
        guards=(asked_before_due, extensions_left, no_longer_than_the_original), does=extend, tells=(PROPOSER, LEADER, UNITS),
        signers=head_then_inspector_or_leader, asks_of=(HEAD, INSPECTOR, ITS_LEADER),
    ),
    Move(
        33, "suspend", "挂账", "suspend", (Step.SOLVE, Step.SUSPENDED), (Relation.ITS_LEADER,), (Step.SUSPENDED,), Suspension,
        guards=(cause_is_listed, review_is_near), does=suspend, tells=(VOICES, LEADER, UNITS),
        signers=with_inspector, asks_of=(INSPECTOR,), starts=(Clock.HOLD,),
    ),
    Move(
        35, "terminate", "终止", "terminate", SOLVE, (Relation.LEAD_UNIT,), (Step.CLOSED,), Termination,
        guards=(ground_is_listed, three_tries_were_logged), does=terminate, tells=(VOICES, LEADER),
        signers=head_then_intake, asks_of=(HEAD, GRANTED_BY_INTAKE),
    ),
)  # fmt: skip
