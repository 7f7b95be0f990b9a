"""领题: a leader puts a name, a goal and a date to it; the first one wins (docs/rules.md §4 rows 20-22)."""

from __future__ import annotations

from datetime import date
from typing import Any, ClassVar

from pydantic import Field

from liuti.flow.kernel import Case, Fault, Form, Move, Need, again, rule
from liuti.flow.parts import (
    INSPECTORS,
    LEADER,
    PANEL,
    SECOND_MEMBER,
    VOICES,
    Id,
    Reason,
    below_cap,
    closing_of,
    designee_has_no_conflict,
    designee_is_a_leader,
    second_member,
    units_exist,
)  # fmt: skip
from liuti.flow.words import Clock, Lane, Role, Step


class ClaimCard(Form):
    """承诺: what will be reached, by when, and which unit leads."""

    words: ClassVar[tuple[str, ...]] = ("goal",)
    units: ClassVar[tuple[str, ...]] = ("lead_unit",)
    example: ClassVar[dict[str, Any]] = {
        "goal": "年底前修复东门社区12盏路灯",
        "date": "2026-12-20",
        "lead_unit": "u-01",
    }
    goal: str = Field("", max_length=500)
    date: date
    lead_unit: Id


class Designation(ClaimCard):
    people: ClassVar[tuple[str, ...]] = ("leader", "prepared_by")
    example: ClassVar[dict[str, Any]] = ClaimCard.example | {"leader": "p-01", "prepared_by": "p-02"}
    leader: Id
    prepared_by: Id


@rule
def promises_a_goal(case: Case) -> bool | Fault:
    """领题须写明要达到的目标。
    A claim says what goal it will reach."""
    return bool(case.form.goal) or Fault(field="goal")


@rule
def promises_a_coming_date(case: Case) -> bool | Fault:
    """承诺日期须在今天以后。
    The promised date lies ahead."""
    return closing_of(case, case.form.date) > case.asked or Fault(field="date")


@rule
def prepared_by_inspector(case: Case) -> bool | Fault:
    """指定领题须由督查员拟办。
    A designation is prepared by an inspector."""
    person = case.facts.people.get(case.form.prepared_by)
    return (person is not None and Role.INSPECTOR in person.roles) or Fault(field="prepared_by")


@rule
def claim_is_overdue(case: Case) -> bool:
    """领题期限届满无人认领后,才能指定。
    Designation is open once the time to claim has passed."""
    timer = case.issue.latest(Clock.CLAIM)
    return timer is not None and case.asked > timer.due


@again
def not_claimed_yet(case: Case) -> bool:
    """此题已有领导认领。
    Another leader has claimed it."""
    return not case.issue.leader


def take(case: Case, leader: str, post: str) -> None:
    """The leader answers for it from now on; the lead unit comes to work when the plan is approved."""
    issue = case.issue
    issue.leader, issue.leader_post, issue.claimed = leader, post, case.now
    issue.lane, issue.lead_unit = Lane.TOPIC, case.form.lead_unit
    case.noted["leader"], case.noted["leader_post"] = leader, post


def claim(case: Case) -> None:
    take(case, case.actor.id, case.actor.post or case.actor.name)


def designate(case: Case) -> None:
    person = case.facts.people[case.form.leader]
    take(case, person.id, person.post or person.name)
    case.issue.designated = True


def recall(case: Case) -> None:
    """Back to the panel, for a new round of votes."""
    issue = case.issue
    issue.round, issue.signatures, issue.published = issue.round + 1, (), None


MOVES = (
    Move(
        20, "recall", "收回", "recall", (Step.CLAIM,), (Role.PANEL,), (Step.SELECT,), Reason,
        does=recall, tells=(VOICES, PANEL), signers=second_member, asks_of=(SECOND_MEMBER,), starts=(Clock.SELECT,),
    ),
    Move(
        21, "claim", "领题", "claim", (Step.CLAIM,), (Role.LEADER,), (Step.SOLVE,), ClaimCard,
        agains=(not_claimed_yet,), guards=(promises_a_goal, promises_a_coming_date, units_exist, below_cap),
        needs=(Need.CLAIMS, Need.UNITS), does=claim, tells=(VOICES, INSPECTORS), starts=(Clock.PLAN,),
    ),
    Move(
        22, "designate", "指定领题", "designate a leader", (Step.CLAIM,), (Role.PRINCIPAL,), (Step.SOLVE,), Designation,
        guards=(claim_is_overdue, promises_a_goal, promises_a_coming_date, units_exist, designee_is_a_leader,
                designee_has_no_conflict, prepared_by_inspector),
        needs=(Need.UNITS, Need.PEOPLE), does=designate, tells=(VOICES, LEADER, INSPECTORS), starts=(Clock.PLAN,),
    ),
)  # fmt: skip
