"""Separation of duties (docs/rules.md §8): each rule refuses, and its test dies when the rule is taken out of its row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from liuti.flow import evaluate, parts, select, sight, supervise
from liuti.flow.kernel import Actor, Facts, Guard, Passed, Refused, Standing
from liuti.flow.table import FLOW
from liuti.flow.words import ADMINS, Kind, Lane, Role, Step
from tests.flow.cast import (
    LEAD,
    OTHER,
    PEOPLE,
    POLICY,
    RIGHT,
    Doc,
    Story,
    at,
    dispatched,
    good,
    rejected,
    staff,
    submitted,
    tampered,
    terminated,
    under_appeal,
    without,
)


@dataclass(frozen=True)
class Duty:
    """Who may not do what on which issue, by which guard of which row, and somebody who may."""

    number: int
    guard: Guard
    row: str
    """The row that holds the guard; for answers the row that was asked for."""
    story: Callable[[], Story]
    barred: str | Actor
    free: str | Actor
    move: str = ""
    """The move tried, when it is an answer."""
    form: Doc | None = None

    def attempt(self, story: Story, who: str | Actor) -> None:
        if self.move:
            story.answer(who, self.move, **(self.form or {}))
        else:
            story.act(who, self.row, good(story, self.row) | (self.form or {}))


def standing(step: Step, lane: Lane = Lane.TOPIC) -> Callable[[], Story]:
    return lambda: at(step, lane)


def asked(step: Step, who: str, move: str, form: Doc | None = None) -> Callable[[], Story]:
    def story() -> Story:
        made = at(step)
        made.act(who, move, good(made, move) | (form or {}))
        return made

    return story


def planned_by(person: str) -> Callable[[], Story]:
    """That person approved the plan and handed the issue over since."""
    return lambda: tampered(at(Step.SUPERVISE), plan_by=person)


def evaluated_of(planner: str) -> Callable[[], Story]:
    """That person approved the plan and handed the issue over since; it is being rated."""
    return lambda: tampered(at(Step.EVALUATE), plan_by=planner)


def passed_by(person: str) -> Callable[[], Story]:
    def story() -> Story:
        made = at(Step.EVALUATE)
        made.facts = {"passed": Passed(made.issue.version, person, Role.INSPECTOR, "5" * 64)}
        return made

    return story


def scored_by(person: str) -> Callable[[], Story]:
    def story() -> Story:
        made = at(Step.SELECT)
        made.facts = {"standing": Standing("r-1", person, "0" * 64, 61.5, 1, 1, 5, made.now)}
        return made

    return story


def first_gate_signed() -> Story:
    story = at(Step.SELECT)
    story.act("gate", "sign_gate")
    return story


def appealed_after_work() -> Story:
    """The team member "team" urged on it, then the proposer appealed against its end."""
    story = at(Step.SOLVE)
    story.act(staff("team", Role.TEAM, Role.INSPECTOR), "urge")
    story.act("head_lead", "terminate")
    story.answer("intake_2")
    story.act("proposer", "appeal")
    return story


def malicious_after_work() -> Story:
    story = at(Step.EVALUATE)
    story.act("team", "declare_conflict")
    story = tampered(story, conflicts=())  # what counts here is only that they acted on it
    story.act("officer_lead", "exclude", {"code": "malicious", "reason": "与事实不符"})
    return story


def _answered_order() -> Story:
    story = at(Step.SOLVE)
    story.act("inspector_2", "order")
    story.act("officer_lead", "respond")
    return story


ITS_LEADER_INSPECTS = staff("its_leader", Role.LEADER, Role.INSPECTOR)
SECOND_GATE_SAME_PERSON = staff("gate", Role.GATE, post=POLICY.gates[1])
CALLER_OF_LEAD = staff("caller_2", Role.CALLER, unit=LEAD)
INTAKE_OF_LEAD = staff("intake_3", Role.INTAKE, unit=LEAD)
TEAM_OF_LEAD = staff("team_3", Role.TEAM, unit=LEAD)
TEAM_ONCE_OF_LEAD = staff("team_4", Role.TEAM, former_units=frozenset({LEAD}))
OUTSIDE, NOT_ITS_LEADER = parts.outside_handling_units, parts.not_its_leader
PLANNER, NO_PART, FORMER = supervise.did_not_approve_the_plan, parts.took_no_part, parts.not_former_unit
MALICIOUS = {"code": "malicious", "reason": "与事实不符"}

DUTIES = (
    Duty(1, OUTSIDE, "pass_check", standing(Step.SUPERVISE), "inspector_same_unit", "inspector"),
    Duty(1, OUTSIDE, "pass_check", standing(Step.SUPERVISE, Lane.DIRECT), "inspector_same_unit", "inspector"),
    Duty(1, OUTSIDE, "fail_check", standing(Step.SUPERVISE), "inspector_same_unit", "inspector"),
    Duty(1, OUTSIDE, "send_back", asked(Step.SOLVE, "head_lead", "send_back"), "inspector_same_unit", "inspector", "grant"),
    Duty(1, OUTSIDE, "send_back", asked(Step.SOLVE, "head_lead", "send_back"), INTAKE_OF_LEAD, "intake", "grant"),
    Duty(1, OUTSIDE, "send_back", asked(Step.SOLVE, "head_assist", "send_back"), "inspector_same_unit", "inspector", "deny"),
    Duty(1, OUTSIDE, "extend", asked(Step.SOLVE, "head_lead", "extend"), "inspector_same_unit", "inspector", "grant"),
    Duty(1, OUTSIDE, "suspend", asked(Step.SOLVE, "its_leader", "suspend"), "inspector_same_unit", "inspector", "grant"),
    Duty(1, OUTSIDE, "terminate", asked(Step.SOLVE, "head_lead", "terminate"), INTAKE_OF_LEAD, "intake", "grant"),
    Duty(1, OUTSIDE, "exclude", asked(Step.EVALUATE, "officer_lead", "exclude"), "inspector_same_unit", "inspector", "grant"),
    Duty(1, OUTSIDE, "exclude", asked(Step.EVALUATE, "officer_lead", "exclude", MALICIOUS), TEAM_OF_LEAD, "team", "grant"),
    Duty(1, FORMER, "exclude", asked(Step.EVALUATE, "officer_lead", "exclude", MALICIOUS), TEAM_ONCE_OF_LEAD, "team", "grant"),
    Duty(1, NO_PART, "exclude", malicious_after_work, "team", "team_2", "grant"),
    Duty(1, OUTSIDE, "settle", _answered_order, "inspector_same_unit", "inspector"),
    Duty(1, evaluate.reopens_from_outside, "reopen", standing(Step.CLOSED), "inspector_same_unit", "inspector"),
    Duty(1, evaluate.caller_is_outside, "rate", standing(Step.EVALUATE), CALLER_OF_LEAD, "caller", form={"voice": "v-0"}),
    Duty(1, OUTSIDE, "appeal", lambda: under_appeal(Step.SOLVE), TEAM_OF_LEAD, "team", "grant"),
    Duty(1, FORMER, "appeal", asked(Step.CLOSED, "proposer", "appeal"), TEAM_ONCE_OF_LEAD, "team", "grant"),
    Duty(1, NO_PART, "appeal", appealed_after_work, "team", "team_2", "grant"),
    Duty(2, NOT_ITS_LEADER, "pass_check", planned_by("leader_2"), ITS_LEADER_INSPECTS, "inspector"),
    Duty(2, NOT_ITS_LEADER, "fail_check", planned_by("leader_2"), ITS_LEADER_INSPECTS, "inspector"),
    Duty(3, PLANNER, "pass_check", planned_by("inspector"), "inspector", "inspector_2"),
    Duty(3, PLANNER, "fail_check", planned_by("inspector"), "inspector", "inspector_2"),
    Duty(1, OUTSIDE, "recheck", standing(Step.EVALUATE), TEAM_OF_LEAD, "team"),
    Duty(1, FORMER, "recheck", standing(Step.EVALUATE), TEAM_ONCE_OF_LEAD, "team"),
    Duty(2, NOT_ITS_LEADER, "recheck", evaluated_of("leader_2"), staff("its_leader", Role.LEADER, Role.TEAM), "team"),
    Duty(3, PLANNER, "recheck", evaluated_of("team"), "team", "team_2"),
    Duty(3, supervise.did_not_pass_it, "recheck", passed_by("inspector_2"), staff("inspector_2", Role.INSPECTOR, Role.TEAM), "team"),
    Duty(4, select.did_not_run_the_score, "vote", scored_by("panel"), "panel", "panel_1"),
    Duty(5, select.distinct_gatekeepers, "sign_gate", first_gate_signed, SECOND_GATE_SAME_PERSON, "gate_2"),
    Duty(5, select.holds_a_gate, "sign_gate", standing(Step.SELECT), staff("gate_9", Role.GATE, post="司机"), "gate"),
)  # fmt: skip


def _id(duty: Duty) -> str:
    barred = duty.barred if isinstance(duty.barred, str) else duty.barred.id
    return f"duty_{duty.number}_{duty.row}_{duty.move}_{duty.guard.code}_{barred}"


@pytest.mark.parametrize("duty", DUTIES, ids=_id)
def test_somebody_else_may(duty: Duty) -> None:
    duty.attempt(duty.story(), duty.free)


@pytest.mark.parametrize("duty", DUTIES, ids=_id)
def test_the_one_the_duty_speaks_of_is_refused(duty: Duty) -> None:
    story = duty.story()
    with pytest.raises(Refused) as caught:
        duty.attempt(story, duty.barred)
    assert (caught.value.code, caught.value.status) == (duty.guard.code, 403)
    assert duty.row not in FLOW.open_to(
        story.issue, story.who(duty.barred), story.world, story.now, Facts(**story.facts)
    )


@pytest.mark.parametrize("duty", DUTIES, ids=_id)
def test_without_the_guard_nothing_would_stop_them(duty: Duty) -> None:
    """The tests above have teeth: with the guard taken out of its row, the barred one gets through, or is stopped only
    by another thing than a duty (a gate signed out of order)."""
    story = duty.story()
    story.flow = without(duty.guard, duty.row)
    try:
        duty.attempt(story, duty.barred)
    except Refused as refused:
        stopped_by = refused.status, refused.code
    else:
        return
    assert stopped_by == (422, "gates_in_order")


def test_no_duty_of_the_table_is_without_such_a_test() -> None:
    moves = FLOW.moves.values()
    held = {(m.name, d.code) for m in moves for d in m.duties} | {
        (m.name, d.code) for m in moves for s in m.asks_of for d in s.duties
    }
    not_of_separation = {("appeal", "unit_or_proposer_in_place")}
    assert held - not_of_separation == {(duty.row, duty.guard.code) for duty in DUTIES}


# -- duty 5: the administrators ------------------------------------------------------------------------------------


@pytest.mark.parametrize("admin", sorted(ADMINS))
@pytest.mark.parametrize("other", [Role.INTAKE, Role.INSPECTOR, Role.PANEL, Role.UNIT_HEAD, Role.TEAM])
def test_an_administrator_acts_on_no_case_whatever_else_they_hold(admin: Role, other: Role) -> None:
    both = staff("both", admin, other, unit=OTHER)
    alone = staff("alone", other, unit=OTHER)
    for step in Step:
        story = under_appeal(step)
        assert FLOW.open_to(story.issue, both, story.world, story.now) == []
    story = at(Step.PROPOSE)
    story.copy().act(alone, "declare_conflict")
    assert story.refuses(both, "declare_conflict").status == 403


@pytest.mark.parametrize("admin", sorted(ADMINS))
def test_an_administrator_answers_no_request(admin: Role) -> None:
    story = asked(Step.SELECT, "panel_1", "explain")()
    both = staff("both", admin, Role.INSPECTOR, unit=OTHER)
    with pytest.raises(Refused) as caught:
        story.answer(both)
    assert caught.value.status == 403
    story.answer(staff("both", Role.INSPECTOR, unit=OTHER))


@pytest.mark.parametrize("admin", [Role.SYSADMIN, Role.SECADMIN])
def test_the_system_and_security_administrators_read_no_case(admin: Role) -> None:
    story = at(Step.SOLVE)
    with pytest.raises(Refused) as caught:
        sight.admit(staff("admin", admin, Role.INTAKE), story.issue)
    assert (caught.value.code, caught.value.status) == ("reads_no_case", 403)


# -- duty 6: tip-offs ----------------------------------------------------------------------------------------------


def _tip_off() -> Story:
    story = submitted(voices=1, kind="tip_off", against=OTHER)
    assert story.issue.anonymous
    return story


def test_a_unit_does_not_see_a_tip_off_against_itself() -> None:
    story = dispatched(_tip_off())
    for name in ("officer_other", "head_other"):
        assert not sight.may_see(PEOPLE[name], story.issue)
    assert sight.may_see(PEOPLE["officer_lead"], story.issue)


@pytest.mark.parametrize("name", ["officer_lead", "head_lead", "officer_assist", "its_leader", "inspector", "intake"])
def test_nobody_not_named_for_tip_offs_learns_who_spoke(name: str) -> None:
    story = dispatched(_tip_off())
    assert sight.hides_identity(PEOPLE[name], story.issue)


@pytest.mark.parametrize("name", ["officer_lead", "head_lead", "officer_assist", "its_leader"])
def test_no_unit_learns_who_spoke_where_identity_is_hidden(name: str) -> None:
    story = dispatched(submitted(anonymous=True))
    assert sight.hides_identity(PEOPLE[name], story.issue)
    assert not sight.hides_identity(PEOPLE["intake"], story.issue)


def test_no_road_hands_a_tip_off_to_the_unit_it_is_about() -> None:
    story = _tip_off()
    assert story.refuses("intake", "accept_direct", {"unit": OTHER}).code == "not_the_accused"
    dispatched(story)
    assert story.refuses("head_lead", "add_unit", {"unit": OTHER}).code == "not_about_that_unit"
    suggests = {"basis": "条例", "reason": "不属本单位", "unit": OTHER}
    assert story.refuses("head_lead", "send_back", suggests).code == "suggests_another_unit"
    story.act("head_lead", "send_back")
    with pytest.raises(Refused) as caught:
        story.answer("inspector", unit=OTHER)
    assert caught.value.code == "ruled_unit_can_take_it"


def test_a_tip_off_stays_alone_and_direct() -> None:
    story = _tip_off()
    assert story.issue.kind is Kind.TIP_OFF
    assert story.refuses("intake", "accept_topic").code == "neither_urgent_nor_tip_off"
    assert story.refuses("stranger", "cosign").code == "tip_offs_take_no_cosigners"


# -- duty 7: a declared conflict -----------------------------------------------------------------------------------

CONFLICTED = (
    (Step.PROPOSE, "intake", "accept_direct"), (Step.SELECT, "panel", "vote"), (Step.SELECT, "gate", "sign_gate"),
    (Step.SELECT, "analyst", "divert"), (Step.CLAIM, "leader", "claim"), (Step.SOLVE, "its_leader", "suspend"),
    (Step.SOLVE, "officer_lead", "progress"), (Step.SOLVE, "head_assist", "finish"), (Step.SUPERVISE, "inspector", "fail_check"),
    (Step.CLOSED, "inspector", "reopen"), (Step.SUPPLEMENT, "grid_worker", "supply"),
)  # fmt: skip


@pytest.mark.parametrize(("step", "who", "move"), CONFLICTED)
def test_who_declared_a_conflict_does_nothing_more_on_that_issue(step: Step, who: str, move: str) -> None:
    story = at(step)
    story.copy().act(who, move)
    if step is Step.CLOSED:
        tampered(story, conflicts=(who,))
    else:
        story.act(who, "declare_conflict")
    refused = story.refuses(who, move)
    assert (refused.code, refused.status) == ("declared_conflict", 403)
    assert FLOW.open_to(story.issue, story.who(who), story.world, story.now) == []


def test_who_declared_a_conflict_answers_no_request_either() -> None:
    story = asked(Step.SELECT, "panel_1", "explain")()
    story.act("inspector", "declare_conflict")
    with pytest.raises(Refused) as caught:
        story.answer("inspector")
    assert (caught.value.code, caught.value.status) == ("declared_conflict", 403)
    story.answer("inspector_2")


def test_one_persons_conflict_binds_nobody_else() -> None:
    story = at(Step.SELECT)
    story.act("panel", "declare_conflict")
    story.act("panel_1", "vote")


# -- two people (docs/rules.md §4.2) -------------------------------------------------------------------------------

BOTH_ROLES = (
    (Step.SELECT, "explain", staff("both", Role.PANEL, Role.INSPECTOR)), (Step.SELECT, "adjust", staff("both", Role.PANEL)),
    (Step.CLAIM, "recall", staff("both", Role.PANEL)),
    (Step.SOLVE, "suspend", staff("its_leader", Role.LEADER, Role.INSPECTOR)),
    (Step.SOLVE, "handover", staff("its_leader", Role.LEADER, Role.PRINCIPAL)),
)  # fmt: skip


@pytest.mark.parametrize(("step", "move", "both"), BOTH_ROLES)
@pytest.mark.parametrize("answer", ["grant", "deny"])
def test_nobody_answers_their_own_request_even_with_both_roles(step: Step, move: str, both: Actor, answer: str) -> None:
    story = at(step)
    assert story.act(both, move).awaits
    with pytest.raises(Refused) as caught:
        story.answer(both, answer)
    assert (caught.value.code, caught.value.status) == ("same_person", 403)


def test_the_head_who_passed_it_on_does_not_decide_it_too() -> None:
    story = at(Step.SOLVE)
    story.act("officer_lead", "terminate")
    both = staff("head_lead", Role.UNIT_HEAD, Role.INTAKE, unit=LEAD)
    assert story.answer(both).awaits == "intake"
    with pytest.raises(Refused) as caught:
        story.answer(both)
    assert (caught.value.code, caught.value.status) == ("same_person", 403)


def test_only_the_askers_own_head_passes_it_on() -> None:
    story = at(Step.SOLVE)
    story.act("officer_assist", "send_back")
    for head in ("head_lead", "head_other"):
        with pytest.raises(Refused, match="not_yours"):
            story.answer(head)
    assert story.answer("head_assist").awaits == "ruling"


@pytest.mark.parametrize(
    ("step", "who", "move", "deny_by"),
    [
        (Step.SELECT, "panel", "explain", "inspector"), (Step.SELECT, "panel", "adjust", "panel_1"),
        (Step.CLAIM, "panel", "recall", "panel_1"), (Step.SOLVE, "its_leader", "suspend", "inspector"),
        (Step.SOLVE, "head_lead", "extend", "inspector"), (Step.SOLVE, "head_lead", "terminate", "intake"),
        (Step.SOLVE, "head_lead", "send_back", "intake"), (Step.SOLVE, "its_leader", "handover", "principal"),
        (Step.EVALUATE, "officer_lead", "exclude", "inspector"), (Step.SUSPENDED, "its_leader", "suspend", "inspector"),
    ],
)  # fmt: skip
def test_a_denial_moves_nothing_and_starts_no_clock(step: Step, who: str, move: str, deny_by: str) -> None:
    story = at(step)
    before = story.issue
    story.act(who, move)
    story.answer(deny_by, "deny")
    assert story.issue.step is step
    assert story.running() == {t.clock for t in before.timers if t.running}
    assert story.issue.asks[-1].outcome == "denied"


def test_a_denial_of_the_result_leaves_the_clocks_of_the_work_running() -> None:
    story = at(Step.SOLVE, Lane.DIRECT)
    running = story.running()
    story.act("officer_lead", "submit_result")
    story.answer("head_lead", "deny")
    assert story.issue.step is Step.SOLVE
    assert story.running() == running


def test_a_denial_says_why() -> None:
    story = asked(Step.SELECT, "panel_1", "explain")()
    assert story.refuses("inspector", "deny", {}).code == "reason_required"


def test_a_unit_that_waits_for_a_ruling_does_not_keep_the_other_from_asking() -> None:
    story = at(Step.SOLVE)
    story.act("head_lead", "send_back")
    assert story.refuses("officer_lead", "send_back").code == "open_request"
    story.act("head_assist", "send_back")
    assert len(list(story.issue.open_asks())) == 2


def test_a_units_appeal_does_not_use_up_the_proposers() -> None:
    story = at(Step.SOLVE)
    story.act("head_lead", "send_back")
    story.answer("intake", "deny")
    story.act("head_lead", "appeal")
    story.act("head_lead", "terminate")
    story.answer("intake")
    story.act("proposer", "appeal")
    assert [ask.unit for ask in story.issue.open_asks()] == [LEAD, ""]
    story.act("team", "grant", {"request": story.issue.asks[-1].id})
    assert story.issue.step is Step.SOLVE and story.trail[-1].move == "reopen"


def test_a_persons_appeal_upheld_late_rules_over_no_unit() -> None:
    """It was reopened meanwhile and is at work again: the team only puts on record that the appeal was right."""
    story = under_appeal(Step.SOLVE)
    units = story.issue.assignments
    story.answer("team", unit=RIGHT)
    assert story.issue.assignments == units and story.trail[-1].noted["of"] == "appeal"


def test_a_units_appeal_upheld_puts_another_unit_in_its_place() -> None:
    story = at(Step.SOLVE, Lane.DIRECT)
    story.act("head_lead", "send_back")
    story.answer("intake", "deny")
    story.act("head_lead", "appeal")
    story.answer("team", unit=RIGHT)
    issue = story.issue
    assert issue.lead_unit == RIGHT and issue.assignment(LEAD) is None and issue.leader == "leader_right"
    right = issue.assignment(RIGHT)
    assert right is not None and right.ruled and right.lead
    assert story.refuses("head_right", "send_back", good(story, "send_back") | {"unit": OTHER}).code == "not_ruled_yet"
    assert rejected(submitted()).issue.assignments == ()


def test_an_appeal_upheld_once_reopens_once() -> None:
    """Neither a unit's appeal, nor one that was carried out, is a ground to reopen what ends later."""
    of_a_unit = at(Step.SOLVE, Lane.DIRECT)
    of_a_unit.act("head_lead", "send_back")
    of_a_unit.answer("intake", "deny")
    of_a_unit.act("head_lead", "appeal")
    of_a_unit.answer("team", unit=RIGHT)
    of_a_unit.act("head_right", "terminate")
    of_a_unit.answer("intake")
    of_a_person = at(Step.CLOSED)
    of_a_person.act("proposer", "appeal")
    of_a_person.answer("team")
    assert of_a_person.issue.step is Step.SOLVE and of_a_person.trail[-1].move == "reopen"
    terminated(of_a_person)
    for story in (of_a_unit, of_a_person):
        assert story.issue.step is Step.CLOSED
        again = story.refuses("inspector_2", "reopen", {"ground": "appeal", "reason": "申诉成立。"})
        assert (again.code, again.field) == ("ground_holds", "ground")
