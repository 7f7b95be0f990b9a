"""评题: those it concerned say how it went; bad words bring it back; then it ends (docs/rules.md §4 rows 39-44, 49)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, ClassVar, Literal

from msgspec.structs import replace
from pydantic import Field

from liuti.flow import clocks
from liuti.flow.issue import Order
from liuti.flow.kernel import Case, Fault, Form, Move, Need, Next, Row, Signer, again, duty, rule
from liuti.flow.parts import (
    INSPECTORS,
    INTAKE,
    LEAD_UNIT,
    LEADER,
    PROPOSER,
    UNITS,
    VOICES,
    Text,
    not_former_unit,
    outside_handling_units,
    own_request,
    propose_interview,
    reassign,
    ruled_unit_can_take_it,
    took_no_part,
)  # fmt: skip
from liuti.flow.words import Clock, Closing, Relation, Role, Step

BAD = 2
ENDED = (Step.CLOSED, Step.REJECTED)


class Rating(Form):
    """Five levels from 1 非常不满意 to 5 非常满意. A caller names the voice, and logs tries that reached nobody."""

    words: ClassVar[tuple[str, ...]] = ("text", "reason", "number")
    example: ClassVar[dict[str, Any]] = {"level": 5, "contacted": True, "solved": "yes"}
    level: int | None = Field(None, ge=1, le=5)
    contacted: bool | None = None
    solved: Literal["yes", "partly", "no"] | None = None
    text: str = Field("", max_length=4000)
    reason: str = Field("", max_length=1000)
    voice: str = Field("", max_length=64)
    outcome: Literal["rated", "no_answer", "declined"] = "rated"
    number: str = Field("", max_length=32)
    called_at: datetime | None = None


@duty
def caller_is_outside(case: Case) -> bool:
    """回访员不得属于承办单位。
    A caller is never of the handling unit."""
    return case.role != Role.CALLER or case.issue.assignment(case.actor.unit) is None


@again
def not_rated_yet(case: Case) -> bool:
    """本轮已经评价过。
    This voice has rated in this round."""
    return not case.facts.rated


@again
def still_to_be_rated(case: Case) -> bool:
    """此题评价期已结束。
    The time to rate this issue is over: it closed with a result."""
    return case.issue.step is not Step.CLOSED or case.issue.ended_from is not Step.EVALUATE


@rule
def gives_a_level(case: Case) -> bool | Fault:
    """请选择1到5的评价等级。
    Please choose a level from 1 to 5."""
    return case.form.level is not None or case.form.outcome != "rated" or Fault(field="level")


@rule
def outcome_is_the_callers(case: Case) -> bool | Fault:
    """通话结果、号码和时间由回访员填写,回访须写明被访人。
    Outcome, number and time are a caller's to state, with the voice that was called."""
    form = case.form
    if case.role == Role.CALLER:
        return bool(form.voice) or Fault(field="voice")
    return form.outcome == "rated" or Fault(field="outcome")


@rule
def was_invited(case: Case) -> bool:
    """此次评价邀请不属于本题或已失效。
    This invitation is not for this issue, or no longer valid."""
    token = case.actor.rating
    return bool(case.facts.rater) and (not token or token == case.issue.verdict.round)


@rule
def in_the_rating_time(case: Case) -> bool | Fault:
    """办结后 {days} 天内可以评价;已核查办结的题评价期已过。
    An answer without a result is rated within {days} days of closing."""
    issue, days = case.issue, case.world.policy.limits.explained_rate_days
    if issue.step is Step.EVALUATE:
        return True
    fit = issue.ended is not None and case.now <= issue.ended + timedelta(days=days)
    return fit or Fault(days=days)


def rate(case: Case) -> None:
    """A row that only grows; the round's sum decides at once whether it goes back, up, or ends."""
    issue, form = case.issue, case.form
    if form.outcome != "rated":
        _log_try(case)
        return
    level = form.level
    mine = case.facts.rater == issue.proposer
    issue.verdict = replace(
        issue.verdict,
        rated=issue.verdict.rated + 1,
        bad=issue.verdict.bad + (level <= BAD),
        **(
            {"proposer_level": level, "proposer_solved": form.solved or "", "proposer_reason": bool(form.reason)}
            if mine
            else {}
        ),
    )
    case.rows.append(Row("ratings", _rating_row(case)))
    if issue.step is Step.EVALUATE:
        follow(case)


def _rating_row(case: Case) -> dict[str, Any]:
    form, issue = case.form, case.issue
    return {
        "issue_id": issue.id, "voice_id": case.facts.rater, "round": issue.verdict.round, "level": form.level,
        "contacted": form.contacted, "solved": form.solved, "text": form.text or form.reason, "at": case.now,
        "channel": "callback" if case.role == Role.CALLER else "token", "by": case.actor.id,
    }  # fmt: skip


def _log_try(case: Case) -> None:
    tries = case.issue.verdict.tries + 1
    case.issue.verdict = replace(case.issue.verdict, tries=tries)
    if case.form.outcome == "no_answer" and tries < case.world.policy.limits.call_tries:
        case.keeps.add(Clock.CALLBACK)


def unsatisfied(case: Case) -> bool:
    """The proposer says 1-2 with a reason, or 30 % of five or more say 1-2 (row 40)."""
    verdict, limits = case.issue.verdict, case.world.policy.limits
    own = 1 <= verdict.proposer_level <= BAD and verdict.proposer_reason
    return own or (verdict.rated >= limits.redo_from and verdict.bad >= limits.redo_share * verdict.rated)


def follow(case: Case) -> None:
    issue = case.issue
    if unsatisfied(case) and issue.redos < case.world.policy.limits.redos:
        case.then.append(Next("redo"))
    elif unsatisfied(case) and not issue.last_round:
        case.then.append(Next("escalate"))
    elif issue.verdict.rated >= issue.verdict.invited:
        case.then.append(Next("close"))


@rule
def people_are_unsatisfied(case: Case) -> bool:
    """出题人不满意并说明理由,或不满意达到比例,才重办。
    It is done again when the proposer says why not, or enough ratings are bad."""
    return unsatisfied(case)


@rule
def redos_left(case: Case) -> bool:
    """重办最多两次。
    It is done again at most twice."""
    return case.issue.redos < case.world.policy.limits.redos


@rule
def only_after_the_redos(case: Case) -> bool:
    """重办次数用尽后提级一次。
    It goes up once, after the redos are used up."""
    return case.issue.redos >= case.world.policy.limits.redos and not case.issue.last_round


def redo(case: Case) -> None:
    """With the last one there is, an interview is proposed (docs/rules.md §5.4, L3)."""
    case.issue.redos += 1
    if not case.issue.wants_contact:
        case.keeps.add(Clock.BAD_REVIEW)
    if case.issue.redos == case.world.policy.limits.redos:
        propose_interview(case)


def escalate(case: Case) -> None:
    """An order to the unit, a meeting of leader and proposer, and one last round."""
    issue = case.issue
    issue.last_round, issue.interviews = True, issue.interviews + 1
    number = len(issue.orders) + 1
    text = "群众两次重办后仍不满意,请领题领导与出题人面谈并限期解决。"
    issue.orders = (
        *issue.orders,
        Order(number, "unit:" + issue.lead_unit, text, case.now, signed=case.now, signed_by="clock"),
    )
    case.keeps.add(Clock.ORDER)
    clocks.begin(case, Clock.ORDER, str(number))
    case.tell("meeting", "person:" + issue.leader, "voice:" + issue.proposer)


@rule
def rating_time_is_over(case: Case) -> bool:
    """评价期满或全部评完后办结。
    It closes when the time is over or all have rated."""
    timer, verdict = case.issue.timer(Clock.EVALUATE), case.issue.verdict
    return verdict.rated >= verdict.invited or timer is None or case.now >= timer.due


def close(case: Case) -> None:
    """The unit's word stands, but `solved` becomes `partly` against the proposer's word or a bad last round."""
    issue = case.issue
    contradicted = issue.verdict.proposer_solved in ("no", "partly") or (issue.last_round and unsatisfied(case))
    word = issue.own_word or Closing.SOLVED
    issue.closing = Closing.PARTLY if word is Closing.SOLVED and contradicted else word
    case.noted["closing"] = issue.closing
    case.noted["rated"] = issue.verdict.rated


class Appeal(Form):
    words: ClassVar[tuple[str, ...]] = ("reason",)
    example: ClassVar[dict[str, Any]] = {"reason": "答复与现场情况不符,请求复核。"}
    reason: Text


@rule
def appealed_once(case: Case) -> bool:
    """申诉只能提出一次。
    An appeal is made once by each who may appeal: a unit's does not use up the proposer's."""
    mine = (a for a in case.issue.asks if a.move == "appeal" and own_request(case, a))
    return not any(case.ask is None or a.id != case.ask.id for a in mine)


@rule
def appeal_in_time(case: Case) -> bool | Fault:
    """申诉须在 {days} 天内提出。
    An appeal is made within {days} days."""
    days = case.world.policy.limits.appeal_days
    since = _last_ruling_at(case) if case.actor.unit else case.issue.ended
    return since is None or case.asked <= since + timedelta(days=days) or Fault(days=days)


def _last_ruling_at(case: Case) -> datetime | None:
    return max((a.ended for a in case.issue.asks if a.move == "send_back" and a.ended), default=None)


@rule
def against_a_ruling(case: Case) -> bool:
    """办理中只能对退单裁定申诉。
    While solving, a unit appeals only against a ruling."""
    return not case.actor.unit or case.issue.rulings > 0


@rule
def ruling_names_a_unit(case: Case) -> bool | Fault:
    """单位申诉成立的,须写明由哪个单位承办。
    Upholding a unit's appeal names the unit that acts from now on."""
    wanted = case.answer is not None and bool(case.actor.unit) and case.issue.step is Step.SOLVE
    return not wanted or bool(case.answer and case.answer.unit) or Fault(field="unit")


@duty
def unit_or_proposer_in_place(case: Case) -> bool:
    """办结或不予受理后由出题人申诉,办理中由单位对裁定申诉。
    After the end the proposer appeals; while solving, a unit does."""
    citizen = bool(case.actor.voice)
    return citizen != (case.issue.step is Step.SOLVE)


TEAM = Signer("team", (Role.TEAM,), (outside_handling_units, not_former_unit, took_no_part), starts=Clock.APPEAL)


def to_the_team(_case: Case) -> tuple[Signer, ...]:
    return (TEAM,)


def uphold(case: Case) -> None:
    """A person's: the end is undone at once (row 44). A unit's: another unit is ruled to act, while there is work."""
    issue, ask = case.issue, case.ask
    assert ask is not None
    if ask.unit:
        if issue.step is Step.SOLVE and case.answer is not None and case.answer.unit is not None:
            issue.rulings += 1
            reassign(case, ask.unit, case.answer.unit, ruled=True)
    elif issue.step in ENDED:
        issue.appeal_upheld = True
        case.then.append(Next("reopen", {"reason": "申诉成立", "ground": "appeal"}, case.actor))


class Reopening(Form):
    words: ClassVar[tuple[str, ...]] = ("reason",)
    example: ClassVar[dict[str, Any]] = {"ground": "new_fact", "reason": "路灯再次熄灭。"}
    ground: Literal["new_fact", "appeal", "same_matter"]
    reason: Text
    issue: str = Field("", max_length=64)


@duty
def reopens_from_outside(case: Case) -> bool:
    """承办单位的人员不得重开本单位的题。
    Nobody reopens a case of their own unit."""
    unit = case.actor.unit
    return not unit or case.role == Role.INTAKE or case.issue.assignment(unit) is None


@rule
def reopened_in_time(case: Case) -> bool | Fault:
    """重开须在办结后 {days} 天内。
    Reopening is possible within {days} days of the end."""
    days, ended = case.world.policy.limits.reopen_days, case.issue.ended
    # An appeal made in time is carried out even when the team was late to answer it.
    upheld = case.form.ground == "appeal" and case.issue.appeal_upheld
    return upheld or ended is None or case.now <= ended + timedelta(days=days) or Fault(days=days)


@rule
def ground_holds(case: Case) -> bool | Fault:
    """重开须有新事实或申诉成立;受理员须写明同一事项的新题编号。
    Reopening needs a new fact or an appeal upheld; intake names the new issue of the same matter."""
    form = case.form
    if case.role == Role.INTAKE:
        return (form.ground == "same_matter" and bool(form.issue)) or Fault(field="issue")
    return form.ground == "new_fact" or (form.ground == "appeal" and case.issue.appeal_upheld) or Fault(field="ground")


def reopen(case: Case) -> None:
    """To where the work was: refused to intake, explained to the panel, all else to the unit."""
    issue = case.issue
    case.to, clock = {
        (True, False): (Step.PROPOSE, Clock.INTAKE), (False, True): (Step.SELECT, Clock.SELECT),
        (False, False): (Step.SOLVE, Clock.REDO),
    }[issue.step is Step.REJECTED, issue.ended_from is Step.SELECT]  # fmt: skip
    case.noted["undid"] = {"closing": issue.closing, "refusal": issue.refusal}
    case.keeps |= {Clock.REDO, Clock.SELECT, Clock.INTAKE} - {clock}
    if issue.own_word is None:
        clocks.revive(case, Clock.OVERALL)
    issue.closing, issue.refusal, issue.appeal_upheld = None, "", False
    if case.to is Step.SELECT:
        issue.round += 1


class Exclusion(Form):
    words: ClassVar[tuple[str, ...]] = ("reason",)
    example: ClassVar[dict[str, Any]] = {"code": "no_duty", "reason": "该事项不属于本单位职责。"}
    code: str
    reason: Text


@rule
def exclusion_is_coded(case: Case) -> bool | Fault:
    """剔除原因须为:{codes}。
    The reason for an exclusion is one of: {codes}."""
    codes = case.world.policy.exclude_causes
    return case.form.code in codes or Fault(codes=", ".join(codes), field="code")


@again
def not_excluded_yet(case: Case) -> bool:
    """此题已经剔除。
    This issue is excluded already."""
    return not case.issue.excluded


INSPECTOR = Signer("inspector", (Role.INSPECTOR,), (outside_handling_units,))
UNINVOLVED_TEAM = Signer("exclusion_team", (Role.TEAM,), (outside_handling_units, not_former_unit, took_no_part))


def inspector_or_team(case: Case) -> tuple[Signer, ...]:
    return (UNINVOLVED_TEAM if case.form.code == "malicious" else INSPECTOR,)


def exclude(case: Case) -> None:
    case.issue.excluded = case.form.code


MOVES = (
    Move(
        39, "rate", "评题", "rate", (Step.EVALUATE, Step.CLOSED), (Relation.VOICE, Role.CALLER), (), Rating,
        duties=(caller_is_outside,), agains=(still_to_be_rated, not_rated_yet),
        guards=(outcome_is_the_callers, gives_a_level, was_invited, in_the_rating_time), needs=(Need.RATED,), does=rate,
        stops=(Clock.CALLBACK,),
    ),
    Move(
        40, "redo", "不满意重办", "do it again", (Step.EVALUATE,), (Role.CLOCK,), (Step.SOLVE,),
        guards=(people_are_unsatisfied, redos_left), does=redo, tells=(LEAD_UNIT, LEADER, INSPECTORS, VOICES),
        starts=(Clock.REDO, Clock.BAD_REVIEW),
    ),
    Move(
        41, "escalate", "提级", "escalate", (Step.EVALUATE,), (Role.CLOCK,), (Step.SOLVE,),
        guards=(people_are_unsatisfied, only_after_the_redos), does=escalate, tells=(LEAD_UNIT, LEADER, INSPECTORS, VOICES),
        starts=(Clock.REDO, Clock.ORDER),
    ),
    Move(
        42, "close", "办结", "close", (Step.EVALUATE,), (Role.CLOCK,), (Step.CLOSED,),
        guards=(rating_time_is_over,), does=close, tells=(VOICES, LEAD_UNIT, LEADER),
    ),
    Move(
        43, "appeal", "申诉", "appeal", (*ENDED, Step.SOLVE), (Relation.PROPOSER, Relation.OWN_UNIT), (), Appeal,
        duties=(unit_or_proposer_in_place,), guards=(appealed_once, appeal_in_time, against_a_ruling, ruling_names_a_unit, ruled_unit_can_take_it), needs=(Need.UNITS,),
        does=uphold, tells=(PROPOSER, INSPECTORS), signers=to_the_team, asks_of=(TEAM,), stays=True, same=own_request,
        starts=(Clock.SIGN, Clock.CONTACT),
    ),
    Move(
        44, "reopen", "重开", "reopen", ENDED, (Role.INSPECTOR, Role.TEAM, Role.INTAKE), (Step.SOLVE, Step.SELECT, Step.PROPOSE),
        Reopening, duties=(reopens_from_outside,), guards=(reopened_in_time, ground_holds), does=reopen,
        tells=(VOICES, INTAKE, LEADER, UNITS), starts=(Clock.REDO, Clock.SELECT, Clock.INTAKE),
    ),
    Move(
        49, "exclude", "剔除", "exclude from the rates", (Step.EVALUATE, Step.CLOSED), (Relation.OWN_UNIT,), (), Exclusion,
        agains=(not_excluded_yet,), guards=(exclusion_is_coded,), does=exclude, tells=(LEAD_UNIT,),
        signers=inspector_or_team, asks_of=(INSPECTOR, UNINVOLVED_TEAM),
    ),
)  # fmt: skip
