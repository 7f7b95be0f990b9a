"""What several steps share: who is told, common forms, and sending an issue to a unit."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from msgspec.structs import replace
from pydantic import StringConstraints

from liuti.flow import clocks
from liuti.flow.issue import Ask, Assignment, Verdict
from liuti.flow.kernel import Case, Fault, Form, Signer, duty, rule
from liuti.flow.words import Clock, Kind, Lane, Role

if TYPE_CHECKING:
    from liuti.policy_sections import Draw

Text = Annotated[str, StringConstraints(min_length=1, max_length=8000)]
Id = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9._:-]+$")]


# -- who is told ---------------------------------------------------------------------------------------------------


def VOICES(_case: Case) -> Iterable[str]:
    return ("voices",)


def PROPOSER(case: Case) -> Iterable[str]:
    return ("voice:" + case.issue.proposer,)


def LEADER(case: Case) -> Iterable[str]:
    return ("person:" + case.issue.leader,)


def LEAD_UNIT(case: Case) -> Iterable[str]:
    return ("unit:" + case.issue.lead_unit,)


def UNITS(case: Case) -> Iterable[str]:
    return ["unit:" + a.unit for a in case.issue.assignments if a.active]


def DISPATCHED(case: Case) -> Iterable[str]:
    return ["unit:" + unit for unit in case.dispatched]


def INTAKE(_case: Case) -> Iterable[str]:
    return ("role:intake",)


def PANEL(_case: Case) -> Iterable[str]:
    return ("role:panel",)


def LEADERS(_case: Case) -> Iterable[str]:
    return ("role:leader",)


def PRINCIPAL(_case: Case) -> Iterable[str]:
    return ("role:principal",)


def INSPECTORS(_case: Case) -> Iterable[str]:
    return ("role:inspector",)


def CALLERS(_case: Case) -> Iterable[str]:
    return ("role:caller",)


# -- forms ---------------------------------------------------------------------------------------------------------


class Reason(Form):
    """A move that has to say why."""

    words: ClassVar[tuple[str, ...]] = ("reason",)
    example: ClassVar[dict[str, Any]] = {"reason": "经会议研究,情况有变,需重新安排。"}
    reason: Text


@rule
def category_is_known(case: Case) -> bool | Fault:
    """没有这个类别:{category}。
    There is no such category: {category}."""
    category = case.form.category
    return not category or category in case.world.policy.categories or Fault(category=category, field="category")


# -- units ---------------------------------------------------------------------------------------------------------


@rule
def units_exist(case: Case) -> bool | Fault:
    """没有这个单位:{unit}。
    There is no such unit: {unit}."""
    for name in case.form.units:
        value = getattr(case.form, name)
        for unit in (value,) if isinstance(value, str) else value or ():
            if unit and unit not in case.facts.units:
                return Fault(unit=unit, field=name)
    return True


@rule
def not_the_accused(case: Case) -> bool | Fault:
    """举报不得交被举报单位办理。
    A tip-off never goes to the unit it is about."""
    unit = getattr(case.form, "unit", "")
    return not case.issue.against or unit != case.issue.against or Fault(field="unit")


@duty
def outside_handling_units(case: Case) -> bool:
    """本单位承办的题,须由单位以外的人核查、裁定或剔除。
    Nobody verifies, rules on or excludes a case of their own unit."""
    unit = case.actor.unit
    return not unit or (case.issue.assignment(unit) is None and unit != case.issue.lead_unit)


@duty
def not_its_leader(case: Case) -> bool:
    """领题领导不得核查自己领的题。
    A leader does not verify what they claimed."""
    return not case.issue.leader or case.actor.id != case.issue.leader


@duty
def took_no_part(case: Case) -> bool:
    """办理过此题的人员应当回避。
    Who took part in the case stays out of this decision."""
    return case.actor.id not in case.issue.took_part


@duty
def not_former_unit(case: Case) -> bool:
    """督导组成员不得督导本人原任职单位。
    A member of an inspection team does not judge their former unit."""
    return case.actor.former_units.isdisjoint(a.unit for a in case.issue.assignments)


def dispatch(case: Case, unit: str, *, lead: bool, ruled: bool = False) -> None:
    """Send the issue to a unit: a fresh assignment, and SIGN and CONTACT are due from now."""
    issue = case.issue
    for clock in (Clock.SIGN, Clock.CONTACT):
        clocks.stop(case, clock, unit)
    others = (a for a in issue.assignments if a.unit != unit or not a.active)
    issue.assignments = (*others, Assignment(unit, lead, case.now, ruled=ruled))
    if lead:
        issue.lead_unit = unit
    case.dispatched.append(unit)


def reassign(case: Case, old: str, new: str, *, ruled: bool) -> None:
    """By a ruling the old unit is out and the new one takes its place; a direct issue gets the new one's leader."""
    issue = case.issue
    own = issue.assignment(old)
    lead = own.lead if own is not None else old == issue.lead_unit
    issue.assignments = tuple(replace(a, sent_back=case.now) if a is own else a for a in issue.assignments)
    for clock in (Clock.SIGN, Clock.CONTACT):
        clocks.stop(case, clock, old)
    if lead and issue.lane is Lane.DIRECT:
        issue.leader, issue.leader_post = case.facts.units[new].supervisor, case.facts.units[new].supervisor_post
    if lead or issue.assignment(new) is None:  # what a unit at work on it already adds to is its own part
        dispatch(case, new, lead=lead, ruled=ruled)
    case.noted["ruling"] = {"from": old, "to": new, "designated": ruled}


@rule
def ruled_unit_can_take_it(case: Case) -> bool | Fault:
    """裁定的承办单位须存在、不是退单单位,也不是被举报单位。
    The unit a ruling names exists, is not the one it leaves, nor the one a tip-off is about."""
    if case.answer is None or case.answer.unit is None:
        return True
    unit = case.answer.unit
    return (unit in case.facts.units and unit not in {case.actor.unit, case.issue.against}) or Fault(field="unit")


def own_request(case: Case, ask: Ask) -> bool:
    """Each unit, and the proposer, may have a request of its own open."""
    return ask.unit == case.actor.unit


def direct(case: Case, unit: str) -> None:
    """Into the direct lane: the unit answers for it, and its supervising leader stands in for the leader."""
    issue = case.issue
    known = case.facts.units[unit]
    issue.leader, issue.leader_post = known.supervisor, known.supervisor_post
    dispatch(case, unit, lead=True)


def invite(case: Case) -> None:
    """Open a round of ratings: every voice there is now is invited once."""
    issue = case.issue
    issue.verdict = Verdict(round=issue.verdict.round + 1, invited=issue.voices)
    case.tell("invite", "voices")


def closing_of(case: Case, day: date) -> datetime:
    return case.world.calendar.closing(day)


def propose_interview(case: Case) -> None:
    """约谈: an inspector is to propose one, the leader to hold it; a record beside the issue (docs/rules.md §5.4, L3)."""
    case.issue.interviews += 1
    case.noted["interview"] = "proposed"
    case.tell("interview", "role:inspector", "role:principal")


# -- leaders and second members --------------------------------------------------------------------------------------


@rule
def below_cap(case: Case) -> bool | Fault:
    """一位领导同时在办的领题最多 {cap} 项。
    A leader carries at most {cap} open claims."""
    cap = case.world.policy.limits.claims
    return case.facts.claims < cap or Fault(cap=cap)


@rule
def designee_is_a_leader(case: Case) -> bool | Fault:
    """指定的人须是领题领导。
    The person designated is a leader."""
    person = case.facts.people.get(case.form.leader)
    return (person is not None and not person.roles.isdisjoint({Role.LEADER, Role.PRINCIPAL})) or Fault(field="leader")


@rule
def designee_has_no_conflict(case: Case) -> bool | Fault:
    """该领导已对此题申报回避。
    That leader has declared a conflict on this issue."""
    return case.form.leader not in case.issue.conflicts or Fault(field="leader")


SECOND_MEMBER = Signer("panel", (Role.PANEL,))


def second_member(_case: Case) -> tuple[Signer, ...]:
    return (SECOND_MEMBER,)


# -- what the clock may pass by itself --------------------------------------------------------------------------------


def passes_by_clock(case: Case) -> bool:
    """Row 38: consultations, and direct issues of a category the policy calls low risk; never after a failed check."""
    issue = case.issue
    category = case.world.policy.categories.get(issue.category)
    low = issue.lane is Lane.DIRECT and category is not None and category.low_risk and not issue.danger
    return (
        (issue.kind is Kind.CONSULT or low)
        and not issue.check_fails
        and not issue.redos
        and issue.kind is not Kind.TIP_OFF
    )


def by_lot(seed: str, subject: str, share: float) -> bool:
    """The same for everyone who recomputes it: a share of all subjects, by a seed on record."""
    return int.from_bytes(sha256(f"{seed}:{subject}".encode()).digest()[:8]) < share * 2**64


def drawn(case: Case) -> bool:
    """Whether an inspector looks at what the clock would pass: by the issue's id and the policy's seed."""
    draw = case.world.policy.draw
    return by_lot(draw.seed, case.issue.id, draw.share)


def drawn_again(draw: Draw, seal: str) -> bool:
    """Whether a team looks at what an inspector passed: by the seal of that entry, so that the inspector could not know."""
    return by_lot(f"{draw.seed}:second", seal, draw.second)
