"""The rules of the clocks (docs/rules.md §5) one by one: pauses, extensions, what is given back, and the ladder."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from liuti.flow import clocks
from liuti.flow.clocks import World
from liuti.flow.issue import Timer
from liuti.flow.kernel import Refused
from liuti.flow.words import Clock, Lane, Step
from tests.flow.cast import (
    CALENDAR,
    GUESSING,
    LEAD,
    POLICY,
    RIGHT,
    START,
    WORLD,
    Story,
    accepted,
    at,
    dispatched,
    explained,
    good,
    merged,
    passed,
    rated_badly,
    redone_twice,
    rejected,
    submitted,
    suspended,
    tampered,
    terminated,
    to_solve,
    worked_out,
)

DAY = timedelta(days=1)


def shanghai(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}+08:00").astimezone(UTC)


def last(story: Story, clock: Clock) -> Timer:
    found = story.issue.latest(clock)
    assert found is not None
    return found


def starting(moment: str, world: World = WORLD, **changes: object) -> Story:
    """An issue submitted then, in that world."""
    story = Story(now=shanghai(moment), world=world)
    story.act("stranger", "submit", good(story, "submit") | changes)
    return story


# -- terms ---------------------------------------------------------------------------------------------------------

TERMS = (
    ("2026-09-30 10:00", "general", Clock.SOLVE, "2026-10-13 17:30"),
    ("2026-11-02 10:00", "urgent", Clock.SOLVE, "2026-11-02 12:00"),
    ("2026-11-02 10:00", "basic", Clock.SOLVE, "2026-11-03 10:00"),
    ("2026-11-02 10:00", "complex", Clock.SOLVE, "2026-11-23 17:30"),
    ("2026-11-02 10:00", "urgent", Clock.SIGN, "2026-11-02 10:30"),
    ("2026-11-02 17:00", "general", Clock.SIGN, "2026-11-03 09:30"),
    ("2026-11-02 10:00", "urgent", Clock.CONTACT, "2026-11-02 11:00"),
    ("2026-02-13 10:00", "general", Clock.CONTACT, "2026-02-14 17:30"),
    ("2026-09-18 10:00", "general", Clock.CONTACT, "2026-09-20 17:30"),
)


@pytest.mark.parametrize(("start", "urgency", "clock", "due"), TERMS)
def test_a_direct_issue_is_due_by_its_urgency(start: str, urgency: str, clock: Clock, due: str) -> None:
    story = dispatched(starting(start), urgency=urgency)
    assert story.timer(clock).due == shanghai(due)


@pytest.mark.parametrize(
    ("arrived", "due"),
    [
        ("2026-11-02 10:00", "2026-11-02 17:30"), ("2026-11-02 15:00", "2026-11-02 17:30"),
        ("2026-11-02 15:01", "2026-11-03 12:00"), ("2026-11-07 10:00", "2026-11-09 17:30"),
    ],
)  # fmt: skip
def test_a_consultation_is_answered_the_day_it_arrived(arrived: str, due: str) -> None:
    story = dispatched(starting(arrived, kind="consult"))
    assert story.timer(Clock.SOLVE).due == shanghai(due)


def test_an_urgent_consultation_does_not_wait_for_the_evening() -> None:
    story = dispatched(starting("2026-11-02 10:00", kind="consult"), urgency="urgent")
    assert story.timer(Clock.SOLVE).due == shanghai("2026-11-02 12:00")


def test_a_topic_is_due_on_the_date_of_its_plan() -> None:
    story = at(Step.SOLVE)
    assert story.timer(Clock.SOLVE).due == CALENDAR.closing((START + 40 * DAY).date())


def test_the_clocks_of_each_step_stop_when_it_is_left() -> None:
    story = submitted()
    seen = [story.running()]
    accepted(story)
    seen.append(story.running())
    for n in (1, 2, 3):
        story.act(f"panel_{n}", "vote")
    story.act("panel", "publish")
    seen.append(story.running())
    story.act("its_leader", "claim")
    seen.append(story.running())
    story.act("its_leader", "approve_plan")
    seen.append(story.running())
    worked_out(story)
    seen.append(story.running())
    story.act("inspector", "pass_check")
    seen.append(story.running())
    assert seen == [
        {Clock.INTAKE, Clock.OVERALL}, {Clock.SELECT, Clock.OVERALL}, {Clock.CLAIM, Clock.OVERALL},
        {Clock.PLAN, Clock.OVERALL}, {Clock.SOLVE, Clock.SIGN, Clock.CONTACT, Clock.OVERALL}, {Clock.REVIEW},
        {Clock.EVALUATE, Clock.CALLBACK},
    ]  # fmt: skip


def test_an_unclaimed_topic_starts_the_clock_of_designation() -> None:
    story = at(Step.CLAIM)
    story.until(story.timer(Clock.CLAIM).due)
    assert story.timer(Clock.DESIGNATE).started == story.timer(Clock.CLAIM).due
    story.wait(minutes=1)
    story.act("principal", "designate")
    assert not story.running() & {Clock.CLAIM, Clock.DESIGNATE}
    assert story.issue.designated and Clock.PLAN in story.running()


# -- pauses --------------------------------------------------------------------------------------------------------


def test_waiting_for_the_person_stops_no_clock_for_good_the_rest_runs_on() -> None:
    """24 hours to accept; 2 were used, 3 days were waited, 22 are left."""
    story = submitted()
    story.wait(hours=2).act("intake", "ask_supplement")
    assert story.running() == {Clock.SUPPLEMENT}
    story.wait(days=3).act("proposer", "supply")
    intake = story.timer(Clock.INTAKE)
    assert intake.due - story.now == timedelta(hours=22)
    assert intake.pauses == ((START + timedelta(hours=2), story.now),)
    story.wait(hours=1)
    assert clocks.elapsed(intake, story.now) == timedelta(hours=3)
    assert last(story, Clock.SUPPLEMENT).stopped is not None


def test_time_under_a_pause_warns_nobody() -> None:
    story = submitted()
    story.act("intake", "ask_supplement")
    story.wait(days=2)
    assert "warn" not in {d.move for d in story.trail if d.noted} and not story.issue.timers[0].warned


def test_a_suspension_gives_back_the_days_it_took_and_goes_on_by_itself() -> None:
    story = at(Step.SOLVE)
    story.wait(days=5)
    due = story.timer(Clock.SOLVE).due
    suspended(story)
    assert story.running() == {Clock.HOLD}
    hold = story.timer(Clock.HOLD)
    assert hold.due == CALENDAR.closing((story.now + 60 * DAY).date())
    story.until(hold.due)
    assert story.issue.step is Step.SOLVE and story.trail[-1].move == "resume"
    assert story.timer(Clock.SOLVE).due == due + 60 * DAY
    assert story.issue.suspended_days == 60


def test_a_renewed_suspension_has_one_clock_with_the_new_date() -> None:
    story = suspended(at(Step.SOLVE))
    story.wait(days=30)
    suspended(story)
    assert [t.stopped is None for t in story.issue.timers if t.clock is Clock.HOLD] == [False, True]
    assert story.timer(Clock.HOLD).due == CALENDAR.closing((story.now + 60 * DAY).date())
    assert len(story.timer(Clock.SOLVE).pauses) == 0, "still one pause, from the first day"


@pytest.mark.parametrize("days", [2, 3, 4, 5, 9])
def test_a_direct_issue_is_due_on_one_date_after_a_pause_too(days: int) -> None:
    story = suspended(at(Step.SOLVE, Lane.DIRECT))
    story.wait(days=days)
    story.act("officer_lead", "resume")
    assert story.timer(Clock.OVERALL).due == story.timer(Clock.SOLVE).due


def test_an_order_runs_on_while_the_issue_is_suspended() -> None:
    story = at(Step.SOLVE)
    story.act("inspector", "order")
    suspended(story)
    assert story.running() == {Clock.HOLD, Clock.ORDER}


def test_a_merge_holds_the_clocks_and_its_undoing_lets_the_rest_run() -> None:
    story = accepted(submitted())
    story.wait(days=1)
    merged(story)
    assert story.running() == set()
    story.wait(days=3)
    story.act("intake", "unmerge")
    assert story.issue.step is Step.SELECT
    assert story.running() == {Clock.SELECT, Clock.OVERALL}
    assert story.timer(Clock.OVERALL).due == CALENDAR.due(START, POLICY.clocks.overall_topic).at + 3 * DAY


def test_a_suspension_makes_an_open_ruling_lapse_and_stops_its_clock() -> None:
    story = at(Step.SOLVE)
    story.act("head_lead", "send_back")
    assert Clock.RULING in story.running()
    suspended(story)
    story.act("officer_lead", "resume")
    assert Clock.RULING not in story.running()


# -- given back ----------------------------------------------------------------------------------------------------


def test_a_send_back_upheld_gives_back_the_time_since_the_ask_and_no_new_term() -> None:
    story = at(Step.SOLVE, Lane.DIRECT)
    story.wait(hours=3)
    before = {clock: story.timer(clock) for clock in (Clock.SOLVE, Clock.OVERALL)}
    story.act("officer_lead", "send_back")
    asked = story.now
    story.wait(hours=5).act("head_lead", "grant", {})
    story.wait(hours=16).act("inspector", "grant", {})
    for clock, old in before.items():
        new = story.timer(clock)
        assert new.started == old.started, "neither is set anew"
        assert new.pauses == ((asked, story.now),)
        assert new.due == old.due + DAY, "a working day passed since the ask"
    assert story.timer(Clock.SIGN, RIGHT).started == story.timer(Clock.CONTACT, RIGHT).started == story.now
    assert story.issue.timer(Clock.SIGN, LEAD) is None and Clock.RULING not in story.running()


def test_a_send_back_not_upheld_gives_nothing_back() -> None:
    story = at(Step.SOLVE, Lane.DIRECT)
    before = story.timer(Clock.SOLVE)
    story.act("head_lead", "send_back")
    story.wait(hours=20).act("intake", "deny", {"reason": "属本单位职责"})
    assert (story.timer(Clock.SOLVE).due, story.timer(Clock.SOLVE).pauses) == (before.due, ())


def test_a_ruling_has_one_working_day_from_when_the_ruler_has_it() -> None:
    story = at(Step.SOLVE)
    story.act("officer_lead", "send_back")
    assert Clock.RULING not in story.running()
    story.wait(hours=4).act("head_lead", "grant", {})
    assert story.timer(Clock.RULING).started == story.now
    assert story.timer(Clock.RULING).due == shanghai("2026-11-03 17:30")


def test_a_failed_review_gives_its_time_back_and_the_clocks_run_on() -> None:
    story = at(Step.SOLVE)
    story.wait(days=10)
    due = story.timer(Clock.SOLVE).due
    overall = story.timer(Clock.OVERALL)
    worked_out(story)
    handed_in = story.now
    story.wait(days=2).act("inspector", "fail_check")
    solve = story.timer(Clock.SOLVE)
    assert solve.due == due + 2 * DAY
    assert solve.pauses == ((handed_in, story.now),)
    assert story.timer(Clock.OVERALL).due == overall.due + 2 * DAY
    assert story.timer(Clock.REDO).due == CALENDAR.due(story.now, POLICY.clocks.redo).at
    assert solve.next is not None and story.now < solve.next < solve.due, "there is still a warning to come"


def test_a_review_failed_after_a_redo_wakes_no_clock_that_had_stopped_with_the_first_result() -> None:
    story = at(Step.EVALUATE)
    rated_badly(story.wait(days=1))
    worked_out(story.wait(days=1))
    story.wait(days=1).act("inspector", "fail_check")
    assert Clock.REDO in story.running()
    assert not story.running() & {Clock.SOLVE, Clock.OVERALL}


def test_an_end_undone_gives_back_the_time_it_lasted() -> None:
    story = rejected(submitted().wait(hours=1))
    overall = last(story, Clock.OVERALL)
    story.wait(days=20).act("inspector", "reopen")
    assert story.timer(Clock.OVERALL).due == overall.due + 20 * DAY
    assert story.timer(Clock.INTAKE).started == story.now
    assert clocks.elapsed(story.timer(Clock.OVERALL), story.now) == timedelta(hours=1)


def test_a_refusal_for_want_of_facts_undone_gives_back_the_waiting_before_it_too() -> None:
    story = submitted(voices=1)
    story.act("intake", "ask_supplement")
    story.until(story.timer(Clock.SUPPLEMENT).due)
    assert story.issue.step is Step.REJECTED
    story.wait(days=10).act("inspector", "reopen")
    overall = story.timer(Clock.OVERALL)
    assert overall.pauses == ((START, story.now),)
    assert overall.due.date() == (CALENDAR.due(START, POLICY.clocks.overall_topic).at + (story.now - START)).date()


def test_a_case_ended_without_a_result_lets_overall_run_on_when_reopened_one_with_a_result_does_not() -> None:
    without_result = terminated(at(Step.SOLVE))
    without_result.act("inspector", "reopen")
    assert without_result.running() == {Clock.REDO, Clock.OVERALL}
    with_result = at(Step.EVALUATE)
    with_result.until(with_result.timer(Clock.EVALUATE).due).act("inspector", "reopen")
    assert with_result.running() == {Clock.REDO}


@pytest.mark.parametrize("lane", list(Lane))
def test_overall_begins_once_whatever_happens(lane: Lane) -> None:
    story = rejected(submitted())
    story.act("inspector", "reopen")
    suspended(to_solve(lane, story)).act("officer_lead", "resume")
    worked_out(story).act("inspector", "fail_check")
    redone_twice(passed(story))
    rated_badly(story)
    worked_out(story)
    overall = [t for t in story.issue.timers if t.clock is Clock.OVERALL]
    assert [t.started for t in overall] == [START]


# -- extensions ----------------------------------------------------------------------------------------------------


def test_an_extension_moves_solve_and_gives_a_topic_thirty_days_more() -> None:
    story = at(Step.SOLVE)
    overall = story.timer(Clock.OVERALL).due
    until = story.timer(Clock.SOLVE).due + 10 * DAY
    story.act("head_lead", "extend", {"until": until.date().isoformat(), "reason": "设备到货推迟"})
    assert story.timer(Clock.SOLVE).due == until - 10 * DAY, "an undecided request stops nothing"
    story.answer("inspector")
    assert story.timer(Clock.SOLVE).due == until
    assert story.timer(Clock.OVERALL).due == overall + 30 * DAY


def test_a_direct_extension_moves_overall_along() -> None:
    story = at(Step.SOLVE, Lane.DIRECT)
    story.act("head_lead", "extend")
    story.answer("inspector")
    assert story.timer(Clock.SOLVE).due == story.timer(Clock.OVERALL).due == shanghai("2026-11-11 17:30")


def test_two_extensions_of_a_topic_the_second_granted_by_its_leader_none_a_third_time() -> None:
    story = at(Step.SOLVE)
    story.act("head_lead", "extend")
    story.answer("inspector")
    story.act("head_lead", "extend")
    with pytest.raises(Refused, match="not_yours"):
        story.answer("inspector")
    story.answer("its_leader")
    assert story.refuses("head_lead", "extend").code == "extensions_left"
    assert story.timer(Clock.OVERALL).due == CALENDAR.due(START, POLICY.clocks.overall_topic).at + 60 * DAY


def test_extensions_add_up_to_thirty_days_over_solve_and_redo_together() -> None:
    story = at(Step.SOLVE)
    until = (story.timer(Clock.SOLVE).due + 28 * DAY).date().isoformat()
    story.act("head_lead", "extend", {"until": until, "reason": "设备到货推迟"})
    story.answer("inspector")
    rated_badly(passed(story))
    redo = story.timer(Clock.REDO).due.date()
    assert (
        story.refuses("head_lead", "extend", {"until": str(redo + 3 * DAY), "reason": "延"}).code
        == "no_longer_than_the_original"
    )
    story.copy().act("head_lead", "extend", {"until": str(redo + 2 * DAY), "reason": "延"})


def test_overall_is_never_extended_beyond_180_days_of_its_own_time() -> None:
    """Four times thirty days are granted; a pause of sixty days uses up none of what may be granted."""
    story = submitted()
    accepted(story)
    first = CALENDAR.due(START, POLICY.clocks.overall_topic).at
    for _ in range(2):
        story.act("panel", "reserve")
    assert story.timer(Clock.OVERALL).due == first + 60 * DAY
    to_claim = story
    for n in (1, 2, 3):
        to_claim.act(f"panel_{n}", "vote")
    story.act("panel", "publish")
    story.act("its_leader", "claim")
    story.act("its_leader", "approve_plan")
    story.act("head_lead", "extend")
    story.answer("inspector")
    assert story.timer(Clock.OVERALL).due == first + 60 * DAY
    paused = at(Step.SOLVE)
    suspended(paused)
    paused.until(paused.timer(Clock.HOLD).due)
    shifted = paused.timer(Clock.OVERALL).due
    paused.act("head_lead", "extend")
    paused.answer("inspector")
    assert paused.timer(Clock.OVERALL).due == shifted + 30 * DAY


def test_asked_a_minute_before_and_undecided_it_is_overdue_all_the_same_and_stays_marked() -> None:
    story = at(Step.SOLVE)
    due = story.timer(Clock.SOLVE).due
    story.until(due - timedelta(minutes=1))
    story.act("head_lead", "extend")
    story.until(due)
    assert story.timer(Clock.SOLVE).red
    story.wait(hours=1)
    story.answer("inspector")
    solve = story.timer(Clock.SOLVE)
    assert not solve.red and solve.struck == due and solve.due > story.now
    assert solve.next is not None and solve.next > story.now


# -- corrections ---------------------------------------------------------------------------------------------------


def test_more_urgent_brings_the_due_time_nearer_and_less_urgent_changes_nothing() -> None:
    story = at(Step.SOLVE, Lane.DIRECT)
    before = {t.clock: t.due for t in story.issue.timers if t.running}
    story.act("intake", "reclassify", {"urgency": "complex", "reason": "情况复杂"})
    assert {t.clock: t.due for t in story.issue.timers if t.running} == before
    story.act("intake", "reclassify", {"urgency": "urgent", "reason": "有危险"})
    assert story.timer(Clock.SOLVE).due == story.timer(Clock.OVERALL).due == START + timedelta(hours=2)
    assert story.timer(Clock.CONTACT).due == START + timedelta(hours=1)
    assert story.timer(Clock.SIGN).due == START + timedelta(minutes=30)


def test_a_correction_counts_no_minute_the_clock_was_paused() -> None:
    """Ten minutes of an hour were used, then three days were waited for facts."""
    story = submitted()
    story.wait(minutes=10).act("intake", "ask_supplement")
    story.wait(days=3).act("proposer", "supply")
    story.act("intake", "reclassify", {"urgency": "urgent", "reason": "有危险"})
    assert story.timer(Clock.INTAKE).due == story.now + timedelta(minutes=50)


def test_a_correction_of_what_is_late_already_climbs_no_rung() -> None:
    story = submitted()
    story.until(story.timer(Clock.INTAKE).due)
    assert story.timer(Clock.INTAKE).red
    rung, moment = story.timer(Clock.INTAKE).rung, story.timer(Clock.INTAKE).next
    story.act("intake", "reclassify", {"urgency": "basic", "reason": "停水"})
    assert (story.timer(Clock.INTAKE).rung, story.timer(Clock.INTAKE).next) == (rung, moment)


def test_what_becomes_urgent_in_selection_goes_direct_at_once() -> None:
    story = at(Step.SELECT)
    story.act("intake", "reclassify", {"urgency": "urgent", "unit": LEAD, "reason": "有危险"})
    assert story.issue.step is Step.SOLVE and story.issue.lane is Lane.DIRECT
    assert story.timer(Clock.SOLVE).due == story.now + timedelta(hours=2)


# -- warning, overdue, the ladder ----------------------------------------------------------------------------------


def test_a_warning_comes_at_three_quarters_of_the_working_time_used() -> None:
    story = dispatched(starting("2026-11-02 09:00"))
    solve = story.timer(Clock.SOLVE)
    assert solve.next == shanghai("2026-11-06 13:15"), "6 working days of 8.5 hours: 38.25 hours are three quarters"
    story.until(solve.next)
    assert story.timer(Clock.SOLVE).warned and not story.timer(Clock.SOLVE).red


def rungs(story: Story, clock: Clock, until: datetime) -> list[tuple[str, datetime]]:
    """What time did about that clock, and when."""
    only = tuple(t for t in story.issue.timers if t.clock is clock)
    tampered(story, timers=only)
    begin = len(story.trail)
    story.until(until)
    return [(d.move, d.at) for d in story.trail[begin:]]


def test_the_ladder_of_a_clock_in_working_days() -> None:
    story = dispatched(starting("2026-11-02 09:00"))
    made = rungs(story, Clock.SOLVE, shanghai("2026-12-20 10:00"))
    assert made == [
        ("warn", shanghai("2026-11-06 13:15")), ("overdue", shanghai("2026-11-09 17:30")), ("urge", shanghai("2026-11-10 09:00")),
        ("urge", shanghai("2026-11-12 17:30")), ("urge", shanghai("2026-11-19 17:30")),
    ]  # fmt: skip
    assert [d.noted["rung"] for d in story.trail if d.move == "urge"] == [1, 2, 3]
    assert [(o.to, o.signed) for o in story.issue.orders] == [(f"unit:{LEAD}", None)]
    assert story.issue.interviews == 1


def test_the_ladder_of_a_clock_in_hours_climbs_by_its_own_length() -> None:
    story = dispatched(starting("2026-11-02 10:00"), urgency="basic")
    made = rungs(story, Clock.SOLVE, shanghai("2026-11-30 10:00"))
    assert made == [
        ("warn", shanghai("2026-11-03 04:00")), ("overdue", shanghai("2026-11-03 10:00")), ("urge", shanghai("2026-11-03 10:00")),
        ("urge", shanghai("2026-11-04 10:00")), ("urge", shanghai("2026-11-05 10:00")),
    ]  # fmt: skip
    told = [{letter.to for letter in d.letters if letter.event == "urge"} for d in story.trail if d.move == "urge"]
    assert [("role:intake" in to) for to in told] == [True, False, False], "intake on duty hears of the first at once"


def test_an_order_drafted_by_the_ladder_runs_only_once_an_inspector_signed_it() -> None:
    story = dispatched(starting("2026-11-02 09:00"))
    rungs(story, Clock.SOLVE, shanghai("2026-11-13 10:00"))
    assert Clock.ORDER not in story.running()
    story.act("inspector", "order", {"draft": 1, "text": "请书面说明。"})
    assert [o.id for o in story.issue.orders] == [1]
    assert story.timer(Clock.ORDER, "1").due == CALENDAR.due(story.now, POLICY.clocks.order).at
    story.act("officer_lead", "respond")
    assert Clock.ORDER not in story.running()


def test_what_is_late_at_the_moment_the_rating_time_ends_is_marked_before_it_closes() -> None:
    story = at(Step.EVALUATE)
    end = story.timer(Clock.EVALUATE).due
    story.until(end - 4 * DAY - timedelta(hours=3))
    story.act("inspector", "order", {"to": f"unit:{LEAD}", "text": "请书面说明。"})
    assert story.timer(Clock.ORDER).due == end, "both at the same closing time"
    story.until(end)
    assert story.issue.step is Step.CLOSED
    order = story.issue.latest(Clock.ORDER)
    assert order is not None and order.struck == end


def test_each_answer_stops_the_clock_of_its_own_order() -> None:
    story = at(Step.SOLVE)
    story.act("inspector", "order")
    story.act("inspector", "order", {"to": "person:its_leader", "text": "请说明。"})
    story.act("its_leader", "respond")
    assert [t.unit for t in story.issue.timers if t.clock is Clock.ORDER and t.running] == ["1"]


def test_each_unit_signs_for_itself_alone() -> None:
    story = at(Step.SOLVE)
    story.act("officer_assist", "sign")
    assert [t.unit for t in story.issue.timers if t.clock is Clock.SIGN and t.running] == [LEAD]


def test_a_try_that_reached_nobody_stops_no_clock() -> None:
    story = at(Step.SOLVE, Lane.DIRECT)
    story.act("officer_lead", "contact", {"method": "phone", "result": "无人接听", "reached": False})
    assert Clock.CONTACT in story.running() and story.issue.tries == 1
    story.act("officer_lead", "contact")
    assert Clock.CONTACT not in story.running()


def test_nobody_is_late_with_a_contact_the_person_did_not_want() -> None:
    story = to_solve(Lane.DIRECT, submitted(wants_contact=False))
    assert Clock.CONTACT not in story.running()
    rated_badly(passed(story))
    assert story.running() == {Clock.REDO}


def test_a_bad_rating_is_answered_within_a_day_and_done_again_within_three() -> None:
    story = rated_badly(at(Step.EVALUATE))
    assert story.running() == {Clock.REDO, Clock.BAD_REVIEW}
    story.act("officer_lead", "contact")
    assert story.running() == {Clock.REDO}


def test_the_last_round_begins_with_an_order_and_ends_at_best_with_partly() -> None:
    story = rated_badly(redone_twice(at(Step.EVALUATE)))
    assert story.trail[-1].move == "escalate" and story.running() == {Clock.REDO, Clock.ORDER}
    rated_badly(passed(story))
    assert story.issue.step is Step.EVALUATE
    story.act("voice", "rate")
    assert (story.issue.step, story.issue.closing) == (Step.CLOSED, "partly")


def test_a_rating_stops_the_callback_and_so_does_the_third_try() -> None:
    story = at(Step.EVALUATE)
    story.copy().act("proposer", "rate")
    call = {"voice": story.issue.proposer, "outcome": "no_answer", "number": "1", "called_at": "2026-11-03T02:00:00Z"}
    for number in (1, 2, 3):
        story.act("caller", "rate", call)
        assert (Clock.CALLBACK in story.running()) == (number < 3)


def test_an_appeal_runs_on_over_every_end_and_stops_with_the_answer() -> None:
    story = rejected(submitted())
    story.act("proposer", "appeal")
    assert story.running() == {Clock.APPEAL}
    due = story.timer(Clock.APPEAL).due
    story.until(due)
    assert story.timer(Clock.APPEAL).struck == due and story.issue.due_at is None
    story.answer("team")
    assert Clock.APPEAL not in story.running() and story.issue.step is Step.PROPOSE


def test_an_appeal_made_in_time_is_carried_out_however_late_the_team_answers() -> None:
    story = rejected(submitted())
    story.wait(days=29).act("proposer", "appeal")
    story.wait(days=80)
    story.answer("team")
    assert story.issue.step is Step.PROPOSE


def test_an_explanation_is_rated_within_fifteen_days_and_a_rated_end_never_again() -> None:
    story = explained(accepted(submitted()))
    story.wait(days=14).act("proposer", "rate")
    closed = at(Step.SOLVE)
    story = worked_out(closed)
    story.act("inspector", "pass_check")
    tampered(story, own_word="explained")
    story.until(story.timer(Clock.EVALUATE).due)
    assert story.issue.step is Step.CLOSED
    assert story.refuses("proposer", "rate").status == 409


# -- years without a notice ----------------------------------------------------------------------------------------


def test_a_due_time_of_a_year_without_notice_is_marked_and_counted_again() -> None:
    story = dispatched(starting("2026-09-30 10:00", GUESSING))
    solve = story.timer(Clock.SOLVE)
    assert solve.provisional and solve.due == shanghai("2026-10-07 17:30")
    story.world = WORLD
    story.act("clock", "recompute")
    assert not story.timer(Clock.SOLVE).provisional
    assert story.timer(Clock.SOLVE).due == story.timer(Clock.OVERALL).due == shanghai("2026-10-13 17:30")


def test_what_turns_out_not_to_be_late_is_red_no_more_but_stays_on_record() -> None:
    story = dispatched(starting("2026-09-30 10:00", GUESSING))
    story.until(shanghai("2026-10-08 09:30"))
    guessed = story.timer(Clock.SOLVE)
    assert guessed.red
    story.world = WORLD
    story.act("clock", "recompute")
    solve = story.timer(Clock.SOLVE)
    assert not solve.red and solve.struck == guessed.struck and solve.due == shanghai("2026-10-13 17:30")


def test_a_date_somebody_set_is_no_guess_and_is_not_counted_again() -> None:
    story = submitted()
    story.world = GUESSING
    accepted(story)
    assert story.timer(Clock.SELECT).provisional
    story.act("panel", "reserve")
    due = story.timer(Clock.SELECT).due
    assert not story.timer(Clock.SELECT).provisional
    story.world = WORLD
    assert story.refuses("clock", "recompute").code == "something_is_provisional"
    assert story.timer(Clock.SELECT).due == due == CALENDAR.closing((story.now + 20 * DAY).date())


# -- units twice on one issue --------------------------------------------------------------------------------------


def test_a_unit_added_before_the_plan_is_not_dispatched_twice_by_it() -> None:
    story = at(Step.CLAIM)
    story.act("its_leader", "claim")
    story.act("its_leader", "add_unit", {"unit": "u-assist"})
    story.act("officer_assist", "sign")
    story.act("its_leader", "approve_plan")
    assert [a.unit for a in story.issue.assignments] == ["u-assist", LEAD]
    assert [t.unit for t in story.issue.timers if t.clock is Clock.SIGN and t.running] == [LEAD]


def test_a_ruling_for_the_lead_unit_leaves_it_the_lead() -> None:
    """The assisting unit says it is the lead's own matter, and is right."""
    story = at(Step.SOLVE)
    story.act("head_assist", "send_back", good(story, "send_back") | {"unit": LEAD})
    story.answer("inspector")
    issue = story.issue
    own = issue.assignment(LEAD)
    assert issue.lead_unit == LEAD and own is not None and own.lead
    assert issue.assignment("u-assist") is None
