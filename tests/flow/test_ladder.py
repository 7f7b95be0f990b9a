"""What makes the ladder climb besides the hours: answers that prove untrue, and orders left unanswered (docs/rules.md §5.4)."""

from __future__ import annotations

import msgspec
import pytest

from liuti.flow.kernel import CLOCK
from liuti.flow.words import Clock, Step
from tests.flow.cast import LEAD, Story, at, dispatched, passed, rated_badly, submitted, worked_out
from tests.flow.test_clock_rules import shanghai


def ordered(times: int) -> Story:
    """So many signed orders to the lead unit, one after another."""
    story = at(Step.SOLVE)
    for _ in range(times):
        story.act("inspector_2", "order")
    return story


def strike(story: Story, number: int) -> None:
    """The time to answer that order is over."""
    timer = story.timer(Clock.ORDER, str(number))
    story.until(timer.due, strike=False)
    story.act(CLOCK, "overdue", {"clock": "order", "unit": str(number)})


def test_two_orders_left_unanswered_propose_an_interview_once() -> None:
    story = ordered(3)
    before = story.issue.interviews
    strike(story, 1)
    assert story.issue.interviews == before
    strike(story, 2)
    assert story.issue.interviews == before + 1
    told = {(letter.event, letter.to) for letter in story.trail[-1].letters}
    assert {("interview", "role:inspector"), ("interview", "role:principal")} <= told
    strike(story, 3)
    assert story.issue.interviews == before + 1


def test_an_order_that_was_answered_does_not_count() -> None:
    story = ordered(2)
    story.act("officer_lead", "respond", {"order": 1, "reply": "明日完成。"})
    before = story.issue.interviews
    strike(story, 2)
    assert story.issue.interviews == before


def test_orders_to_different_people_do_not_add_up() -> None:
    story = ordered(1)
    story.act("inspector_2", "order", {"to": "person:its_leader", "text": "请说明。"})
    before = story.issue.interviews
    strike(story, 1)
    strike(story, 2)
    assert story.issue.interviews == before


def test_an_answer_that_proves_untrue_drafts_another_order() -> None:
    story = ordered(1)
    story.act("officer_lead", "respond", {"order": 1, "reply": "已完成。"})
    decision = story.act("inspector_2", "settle", {"order": 1, "note": "现场未完成。", "untrue": True})
    assert [(o.id, o.to, o.signed) for o in story.issue.orders if o.id == 2] == [(2, f"unit:{LEAD}", None)]
    assert ("order.drafted", "role:inspector") in {(letter.event, letter.to) for letter in decision.letters}
    story.act("inspector_2", "order", {"draft": 2, "text": "请如实说明。"})
    assert story.timer(Clock.ORDER, "2").running


def test_the_second_redo_proposes_an_interview() -> None:
    story = at(Step.EVALUATE)
    rated_badly(story)
    assert (story.issue.redos, story.issue.interviews) == (1, 0)
    rated_badly(passed(story))
    assert (story.issue.redos, story.issue.interviews) == (2, 1)
    assert story.trail[-1].noted["interview"] == "proposed"
    told = {(letter.event, letter.to) for letter in story.trail[-1].letters}
    assert {("interview", "role:inspector"), ("interview", "role:principal")} <= told


def urged_by_the_clock() -> Story:
    """Overdue since 17:30 of Monday the 9th, urged on Tuesday at nine: an answer may take until 17:30 of Wednesday."""
    story = at_work()
    story.until(shanghai("2026-11-10 09:00"))
    assert story.trail[-1].move == "urge" and story.timer(Clock.SOLVE).rung == 1
    return story


def at_work() -> Story:
    """Both units have signed, and the lead unit has contacted the person: only SOLVE and OVERALL run, due as one."""
    story = dispatched(submitted())
    for officer, move in (("officer_lead", "sign"), ("officer_assist", "sign"), ("officer_lead", "contact")):
        story.act(officer, move)
    return story


def drafts(story: Story) -> list[str]:
    return [order.to for order in story.issue.orders if order.signed is None]


@pytest.mark.parametrize("who", ["proposer", "inspector_2"])
def test_a_second_urge_while_the_first_stays_unanswered_drafts_an_order_at_once(who: str) -> None:
    story = urged_by_the_clock()
    early = story.copy().until(shanghai("2026-11-11 17:29"))
    early.act(who, "urge")
    assert early.strike() == [] and drafts(early) == []
    story.until(shanghai("2026-11-11 17:30")).act(who, "urge")
    assert story.strike() == ["urge"]
    assert drafts(story) == [f"unit:{LEAD}"]
    last = story.trail[-1]
    assert (last.move, last.role, last.noted["rung"]) == ("urge", "clock", 2), "where the board of orders looks for it"
    assert story.timer(Clock.SOLVE).next == shanghai("2026-11-18 17:30"), (
        "an interview 5 working days on, no order twice"
    )
    story.act("inspector_2", "urge")
    assert story.strike() == [] and len(drafts(story)) == 1


def test_a_unit_that_acted_since_it_was_urged_has_answered() -> None:
    story = urged_by_the_clock()
    story.act("officer_assist", "progress")
    by_another = story.copy().until(shanghai("2026-11-11 18:00"))
    by_another.act("inspector_2", "urge")
    by_another.strike()
    assert drafts(by_another) == [f"unit:{LEAD}"], "an assisting unit does not answer for the one that is late"
    story.act("officer_lead", "progress")
    story.until(shanghai("2026-11-11 18:00")).act("inspector_2", "urge")
    assert story.strike() == [] and drafts(story) == []
    story.until(shanghai("2026-11-12 17:30"))
    assert drafts(story) == [f"unit:{LEAD}"], "words alone do not stop the ladder"


def test_urges_before_anything_is_late_order_nothing() -> None:
    story = at_work()
    for day in ("2026-11-03", "2026-11-05"):
        story.until(shanghai(f"{day} 10:00"), strike=False).act("inspector_2", "urge")
    assert "urge" not in story.strike() and drafts(story) == []


def test_a_direct_issue_climbs_one_ladder_though_two_clocks_are_late() -> None:
    """SOLVE and OVERALL are due as one: one urge a day, one order, one interview for the unit that is late."""
    story = at_work()
    story.until(shanghai("2026-11-30 10:00"))
    assert {d.form.model_dump()["clock"] for d in story.trail if d.move == "overdue"} == {Clock.SOLVE, Clock.OVERALL}, (
        "both are marked"
    )
    days = [d.at.date() for d in story.trail if d.move == "urge"]
    assert len(days) == 3 == len(set(days))
    assert (drafts(story), story.issue.interviews) == ([f"unit:{LEAD}"], 1)


def test_a_check_that_fails_does_not_begin_a_second_ladder() -> None:
    story = at_work()
    worked_out(story.until(shanghai("2026-11-10 10:00"))).act("inspector_2", "fail_check")
    assert story.timer(Clock.SOLVE).next is not None and story.timer(Clock.OVERALL).next is None


def test_who_was_urged_and_then_given_more_time_is_not_pressed() -> None:
    story = urged_by_the_clock()
    late = story.timer(Clock.SOLVE)
    case_due = shanghai("2026-11-20 17:30")
    story.issue.timers = tuple(
        msgspec.structs.replace(t, due=case_due, red=False, next=case_due) if t is late else t
        for t in story.issue.timers
    )
    story.until(shanghai("2026-11-12 10:00"), strike=False).act("inspector_2", "urge")
    assert story.timer(Clock.SOLVE).next == case_due, "not late before its new time"
