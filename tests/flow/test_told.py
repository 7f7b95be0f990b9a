"""Who hears of a request that was granted: whoever asked, and everybody whose work or clock it changes (docs/rules.md §4)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from liuti.flow.words import Lane, Step
from tests.flow.cast import ASSIST, LEAD, Story, at

UNITS = {f"unit:{LEAD}", f"unit:{ASSIST}"}


def extended() -> Story:
    story = at(Step.SOLVE, Lane.DIRECT)
    story.act("head_lead", "extend")
    story.answer("inspector_2")
    return story


def suspended() -> Story:
    return at(Step.SUSPENDED)


def reopened() -> Story:
    story = at(Step.EVALUATE).wait(days=16)
    story.act("inspector_2", "reopen")
    return story


@pytest.mark.parametrize(
    ("story", "event", "who"),
    [
        (extended, "extend", UNITS | {"voice", "person:its_leader"}),
        (suspended, "suspend", UNITS | {"voices", "person:its_leader"}),
        (reopened, "reopen", UNITS | {"voices", "role:intake", "person:its_leader"}),
    ],
)
def test_whoever_it_changes_anything_for_hears_of_it(story: Callable[[], Story], event: str, who: set[str]) -> None:
    told = {letter.to for letter in story().trail[-1].letters if letter.event == event}
    told = {to.partition(":")[0] if to.startswith("voice:") else to for to in told}
    assert told >= who, told
