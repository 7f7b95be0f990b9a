"""What makes the ladder climb besides the hours: answers that prove untrue, and orders left unanswered (docs/rules.md §5.4)."""

from __future__ import annotations

from liuti.flow.kernel import CLOCK
from liuti.flow.words import Clock, Step
from tests.flow.cast import LEAD, Story, at, passed, rated_badly


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
