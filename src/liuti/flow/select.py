"""选题: a panel votes, gates sign, and a topic is published, kept in reserve, or handled otherwise (rows 13-19)."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, ClassVar, Literal

from msgspec.structs import asdict
from pydantic import Field

from liuti.flow import clocks
from liuti.flow.issue import Signature, Vote
from liuti.flow.kernel import Case, Fault, Form, Move, Need, Row, Signer, again, duty, rule
from liuti.flow.parts import (
    DISPATCHED,
    INTAKE,
    LEADERS,
    PANEL,
    SECOND_MEMBER,
    VOICES,
    Id,
    Text,
    closing_of,
    direct,
    invite,
    not_the_accused,
    second_member,
    units_exist,
)  # fmt: skip
from liuti.flow.words import Clock, Closing, Lane, Role, Step


class Ballot(Form):
    words: ClassVar[tuple[str, ...]] = ("reason",)
    example: ClassVar[dict[str, Any]] = {"yes": True}
    yes: bool
    reason: str = ""


@duty
def did_not_run_the_score(case: Case) -> bool:
    """计算得分的人不参加表决。
    Who ran the score does not vote."""
    return case.facts.standing is None or case.actor.id != case.facts.standing.by


@again
def voted_this_round(case: Case) -> bool:
    """本轮您已表决。
    You have voted in this round."""
    return not any(v.person == case.actor.id for v in _votes(case))


def _votes(case: Case) -> list[Vote]:
    """Cast in this round, on this score."""
    return [v for v in case.issue.votes if (v.round, v.scored) == (case.issue.round, _scored(case))]


def _scored(case: Case) -> str:
    return case.facts.standing.round if case.facts.standing is not None else ""


def vote(case: Case) -> None:
    case.issue.votes = (*case.issue.votes, Vote(case.actor.id, case.issue.round, case.form.yes, _scored(case)))


class GateSignature(Form):
    words: ClassVar[tuple[str, ...]] = ("comment",)
    example: ClassVar[dict[str, Any]] = {"agree": True}
    agree: bool
    comment: str = ""


def _gate(case: Case) -> int:
    gates = case.world.policy.gates
    return gates.index(case.actor.post) + 1 if case.actor.post in gates else 0


@duty
def holds_a_gate(case: Case) -> bool:
    """您的岗位不在把关名单内。
    Your post is not one of the gates."""
    return _gate(case) > 0


@duty
def distinct_gatekeepers(case: Case) -> bool:
    """三道把关须由三个不同的人签署。
    The three gates are signed by three distinct people."""
    return not any(s.person == case.actor.id and s.gate != _gate(case) for s in case.issue.signatures)


@again
def gate_not_signed_yet(case: Case) -> bool:
    """这一道已经签署。
    This gate has been signed."""
    return not any(s.gate == _gate(case) for s in case.issue.signatures)


@rule
def gates_in_order(case: Case) -> bool | Fault:
    """把关按顺序进行:现在轮到第 {turn} 道。
    Gates sign in order: it is the turn of gate {turn}."""
    turn = len(case.issue.signatures) + 1
    return _gate(case) == turn or Fault(turn=turn)


@rule
def refusal_says_why(case: Case) -> bool | Fault:
    """不同意的,须写明意见。
    A refusal says why."""
    return case.form.agree or bool(case.form.comment) or Fault(field="comment")


def sign_gate(case: Case) -> None:
    """A refusal sends the three back to the first gate; what was signed stays in the ledger."""
    issue = case.issue
    issue.signatures = (*issue.signatures, Signature(_gate(case), case.actor.id, case.now)) if case.form.agree else ()
    case.noted["gate"] = _gate(case)


class Adjustment(Form):
    """Pin, drop or swap against the computed rank; both ranks stay public."""

    words: ClassVar[tuple[str, ...]] = ("reason",)
    example: ClassVar[dict[str, Any]] = {
        "what": "pin", "code": "safety", "reason": "涉及学校门口的交通安全,开学在即,会议一致认为应当提前安排。",
        "from_rank": 9, "to_rank": 1,
    }  # fmt: skip
    what: Literal["pin", "drop", "swap"]
    code: Id
    reason: Text
    from_rank: int | None = Field(None, ge=1)
    to_rank: int | None = Field(None, ge=1)
    other: str = Field("", max_length=64)


@rule
def coded_reason(case: Case) -> bool | Fault:
    """调整理由须选代码({codes})并写满 {least} 字。
    An adjustment has a coded reason ({codes}) of at least {least} characters."""
    codes, least = case.world.policy.adjust_codes, case.world.policy.limits.override_chars
    if case.form.code in codes and len(case.form.reason) >= least:
        return True
    field = "reason" if case.form.code in codes else "code"
    return Fault(codes=", ".join(codes), least=least, field=field)


@rule
def round_takes_changes(case: Case) -> bool:
    """这一轮已经结束,或申请之后又开了新的一轮,不能再调整。
    The round is closed, or a new one was opened since this was asked: its ranks stay."""
    standing = case.facts.standing
    return standing is None or (not standing.closed and standing.at <= case.asked)


@rule
def change_has_its_place(case: Case) -> bool | Fault:
    """置顶须在 1 至 {slots} 名之内,互换须写明同一轮中的另一题。
    A pin goes to a rank from 1 to {slots}; a swap names another issue of the same round."""
    form, standing = case.form, case.facts.standing
    if standing is None:
        return True
    if form.what == "pin":
        return (form.to_rank or 1) <= standing.slots or Fault(slots=standing.slots, field="to_rank")
    fit = form.what != "swap" or (case.facts.in_round and form.other != case.issue.id)
    return fit or Fault(slots=standing.slots, field="other")


def adjust(case: Case) -> None:
    case.issue.adjustments += 1
    if case.facts.standing is not None:
        form = case.form
        values = {
            "issue_id": case.issue.id,
            "round_id": case.facts.standing.round,
            "what": form.what,
            "code": form.code,
        }
        values |= {"reason": form.reason, "to_rank": form.to_rank, "other": form.other, "at": case.now}
        case.rows.append(Row("adjustments", values))
        case.noted["round"] = case.facts.standing.round
    case.noted["adjusted"] = case.form.model_dump(
        mode="json", include={"what", "code", "from_rank", "to_rank", "other"}
    )


class Reservation(Form):
    words: ClassVar[tuple[str, ...]] = ("reason",)
    example: ClassVar[dict[str, Any]] = {"reason": "资金须待下季度落实。", "next_round": "2026-12-15"}
    reason: Text
    next_round: date


@rule
def reserved_at_most_twice(case: Case) -> bool | Fault:
    """入储备最多 {most} 次;此题只能发布、转直办或解释办结。
    Reserved at most {most} times: now publish it, divert it, or explain it in writing."""
    most = case.world.policy.limits.reserves
    return case.issue.reserves < most or Fault(most=most)


@rule
def next_round_is_near(case: Case) -> bool | Fault:
    """下一轮须在今后 {days} 天内。
    The next round is within {days} days from now."""
    days = case.world.policy.limits.reserve_days
    due = closing_of(case, case.form.next_round)
    return case.asked < due <= case.asked + timedelta(days=days + 1) or Fault(days=days, field="next_round")


def reserve(case: Case) -> None:
    issue = case.issue
    issue.reserves, issue.round, issue.signatures = issue.reserves + 1, issue.round + 1, ()
    clocks.set_due(case, Clock.SELECT, closing_of(case, case.form.next_round))
    clocks.extend_overall(case)


class Explanation(Form):
    words: ClassVar[tuple[str, ...]] = ("reason", "answer")
    example: ClassVar[dict[str, Any]] = {"reason": "现行法规不支持。", "answer": "经核,现行规定对此没有补贴,特此说明。"}
    reason: Text
    answer: Text


INSPECTOR = Signer("inspector", (Role.INSPECTOR,))


def with_inspector(_case: Case) -> tuple[Signer, ...]:
    return (INSPECTOR,)


def explain(case: Case) -> None:
    """Counts as not solved; its people are told the answer and invited to rate it."""
    case.issue.closing, case.issue.reply = Closing.EXPLAINED, case.form.answer
    invite(case)


class Diversion(Form):
    words: ClassVar[tuple[str, ...]] = ("reason",)
    units: ClassVar[tuple[str, ...]] = ("unit",)
    example: ClassVar[dict[str, Any]] = {"unit": "u-01", "reason": "单一部门即可解决。"}
    unit: Id
    reason: str = ""


def divert(case: Case) -> None:
    case.issue.lane = Lane.DIRECT
    direct(case, case.form.unit)


class Publication(Form):
    """The decision of the round. Once it is scored, `snapshot` names the round and digest it was taken on; left empty,
    the latest is noted."""

    words: ClassVar[tuple[str, ...]] = ("reason",)
    example: ClassVar[dict[str, Any]] = {"snapshot": {}, "reason": "群众反映集中,条件成熟。"}
    snapshot: dict[str, Any] = Field(default_factory=dict)
    recommended: bool = True
    reason: str = ""


@rule
def majority_of_votes(case: Case) -> bool | Fault:
    """发布须有至少 {least} 人表决且过半数同意(现 {yes}/{cast})。
    Publishing needs at least {least} votes and a majority in favour (now {yes} of {cast})."""
    cast = [v.yes for v in _votes(case)]
    least, yes = case.world.policy.limits.panel, sum(cast)
    return (len(cast) >= least and yes * 2 > len(cast)) or Fault(least=least, yes=yes, cast=len(cast))


@rule
def gates_signed(case: Case) -> bool | Fault:
    """为民办实事须三道把关签署齐全(现 {signed}/{needed})。
    A livelihood issue needs all gates signed (now {signed} of {needed})."""
    signed, needed = len(case.issue.signatures), len(case.world.policy.gates)
    return not case.issue.livelihood or signed >= needed or Fault(signed=signed, needed=needed)


@rule
def reason_if_not_recommended(case: Case) -> bool | Fault:
    """发布未获推荐的题,须写明理由。
    Publishing what was not recommended needs a reason."""
    standing = case.facts.standing
    if case.facts.round or standing is not None:
        current = standing is not None and case.facts.round in ("", standing.round)
        recommended = current and standing is not None and standing.final is not None
    else:
        recommended = case.form.recommended
    return recommended or bool(case.form.reason) or Fault(field="reason")


@rule
def snapshot_is_the_latest(case: Case) -> bool | Fault:
    """表决所依据的评分快照不是最近一轮的,请重新查看。
    The snapshot is not the one of the latest round: look at it again."""
    given, standing = case.form.snapshot, case.facts.standing
    if standing is None or not given:
        return True
    return (given.get("round"), given.get("digest")) == (standing.round, standing.digest) or Fault(field="snapshot")


def publish(case: Case) -> None:
    case.issue.published = case.now
    if case.facts.standing is not None:
        case.noted["score"] = asdict(case.facts.standing)


MOVES = (
    Move(
        13, "divert", "转直办", "divert to the direct lane", (Step.SELECT, Step.CLAIM), (Role.INTAKE, Role.ANALYST, Role.PANEL),
        (Step.SOLVE,), Diversion, guards=(units_exist, not_the_accused), needs=(Need.UNITS,), does=divert,
        tells=(VOICES, DISPATCHED), starts=(Clock.SIGN, Clock.CONTACT, Clock.SOLVE),
    ),
    Move(
        14, "reserve", "入储备", "keep in reserve", (Step.SELECT,), (Role.PANEL,), (), Reservation,
        guards=(reserved_at_most_twice, next_round_is_near), does=reserve, tells=(VOICES,),
    ),
    Move(
        15, "explain", "解释办结", "close with an explanation", (Step.SELECT,), (Role.PANEL,), (Step.CLOSED,), Explanation,
        does=explain, tells=(VOICES,), signers=with_inspector, asks_of=(INSPECTOR,),
    ),
    Move(
        16, "vote", "表决", "vote", (Step.SELECT,), (Role.PANEL,), (), Ballot,
        duties=(did_not_run_the_score,), agains=(voted_this_round,), needs=(Need.STANDING,), does=vote,
    ),
    Move(
        17, "sign_gate", "把关", "sign a gate", (Step.SELECT,), (Role.GATE,), (), GateSignature,
        duties=(holds_a_gate, distinct_gatekeepers), agains=(gate_not_signed_yet,), guards=(gates_in_order, refusal_says_why),
        does=sign_gate, tells=(PANEL,),
    ),
    Move(
        18, "adjust", "人工调整", "adjust the rank", (Step.SELECT,), (Role.PANEL,), (), Adjustment,
        guards=(coded_reason, round_takes_changes, change_has_its_place), needs=(Need.STANDING,), does=adjust, tells=(INTAKE,), signers=second_member, asks_of=(SECOND_MEMBER,),
    ),
    Move(
        19, "publish", "选定发布", "publish", (Step.SELECT,), (Role.PANEL,), (Step.CLAIM,), Publication,
        guards=(majority_of_votes, gates_signed, snapshot_is_the_latest, reason_if_not_recommended),
        needs=(Need.STANDING,), does=publish, tells=(VOICES, LEADERS, INTAKE),
        starts=(Clock.CLAIM,),
    ),
)  # fmt: skip
