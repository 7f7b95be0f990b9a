"""The second look: a team at what an inspector passed, and what comes of disagreeing (docs/rules.md §4 row 55)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from liuti.flow.parts import by_lot, drawn_again
from liuti.flow.words import Step
from tests.flow.cast import POLICY, Story, at

DISAGREES = {"agrees": False, "method": "on_site", "note": "现场仍在施工。"}


def closed() -> Story:
    """Passed by an inspector, never rated, closed when the time was over."""
    story = at(Step.EVALUATE).wait(days=16)
    assert story.issue.step is Step.CLOSED
    return story


def test_a_team_that_agrees_leaves_everything_as_it_is() -> None:
    for story in (at(Step.EVALUATE), closed()):
        before = story.issue
        decision = story.act("team", "recheck")
        assert (story.issue.step, story.issue.timers) == (before.step, before.timers)
        assert {letter.to for letter in decision.letters} == {"role:inspector"}
        assert decision.noted["drawn"] is drawn_again(POLICY.draw, "5" * 64)


def test_a_team_that_disagrees_reopens_what_was_closed() -> None:
    story = closed()
    story.act("team", "recheck", DISAGREES)
    assert story.issue.step is Step.SOLVE
    assert [d.move for d in story.trail[-2:]] == ["recheck", "reopen"]
    assert "redo" in story.running()


def test_a_team_that_disagrees_too_late_to_reopen_is_on_record_all_the_same() -> None:
    story = closed()
    story.now += timedelta(days=POLICY.limits.reopen_days)
    story.act("team", "recheck", DISAGREES)
    assert (story.issue.step, story.trail[-1].move) == (Step.CLOSED, "recheck")


def test_what_is_being_rated_goes_on_and_the_inspectors_hear_of_it() -> None:
    story = at(Step.EVALUATE)
    decision = story.act("team", "recheck", DISAGREES)
    assert story.issue.step is Step.EVALUATE
    told = {(letter.event, letter.to) for letter in decision.letters}
    assert {("recheck.disagreed", "role:inspector"), ("recheck.disagreed", "person:its_leader")} <= told


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 1.0])
def test_the_lot_falls_to_about_the_share_and_to_the_same_whenever_it_is_drawn(share: float) -> None:
    subjects = [f"s-{n}" for n in range(4000)]
    chosen = [s for s in subjects if by_lot("seed", s, share)]
    assert abs(len(chosen) / len(subjects) - share) < 0.02
    assert chosen == [s for s in subjects if by_lot("seed", s, share)]
    assert share in (0.0, 1.0) or chosen != [s for s in subjects if by_lot("another", s, share)]
