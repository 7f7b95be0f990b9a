"""What needs two people is never done by one, and what is done once is not done again."""

from __future__ import annotations

from liuti.flow.words import Step
from tests.flow.cast import Story, at, good


def asked(story: Story, who: str, move: str) -> Story:
    story.act(who, move)
    assert story.issue.asks[-1].open
    return story


def test_who_asked_may_not_grant_even_with_the_role_that_grants() -> None:
    story = asked(at(Step.SELECT).copy(), "panel_1", "adjust")
    assert story.refuses("panel_1", "grant", {}).code == "same_person"
    story.copy().act("panel_2", "grant", {})


def test_a_second_officer_is_another_person_of_the_same_role() -> None:
    story = at(Step.PROPOSE).copy()
    story.act("intake", "reject", {"route": "discipline", "reason": "属纪检监察事项。"})
    assert story.refuses("intake", "grant", {}).code == "same_person"
    story.act("intake_2", "grant", {})
    assert story.issue.step is Step.REJECTED


def test_a_head_acting_alone_is_both_halves_but_an_officer_is_one() -> None:
    story = at(Step.SOLVE).copy()
    story.act("head_lead", "milestone", {"number": 1, "evidence": "纪要"})
    by_officer, by_head = story.copy(), story.copy()
    by_officer.act("officer_lead", "submit_result")
    by_head.act("head_lead", "submit_result")
    assert (by_officer.issue.step, by_head.issue.step) == (Step.SOLVE, Step.SUPERVISE)


def test_the_same_request_is_not_made_twice_while_it_is_open() -> None:
    story = asked(at(Step.SELECT).copy(), "panel_1", "adjust")
    assert story.refuses("panel_2", "adjust").code == "open_request"


def test_nobody_votes_twice_in_a_round() -> None:
    story = at(Step.SELECT).copy()
    story.act("panel_4", "vote", good(story, "vote"))
    refused = story.refuses("panel_4", "vote")
    assert (refused.status, refused.code) == (409, "voted_this_round")


def test_a_request_lapses_when_the_issue_leaves_its_step() -> None:
    story = asked(at(Step.SELECT).copy(), "panel_1", "adjust")
    story.act("intake", "divert", {"unit": "u-lead", "reason": "单一部门即可解决。"})
    assert story.issue.asks[-1].outcome == "lapsed"
