"""Which category speaks for a topic: what most of its messages were given, people's word first."""

from __future__ import annotations

import pytest

from liuti.rank.agreed import Given, agreed


def people(*categories: str) -> list[Given]:
    return [Given(one) for one in categories]


@pytest.mark.parametrize(
    ("given", "category"),
    [
        (people("noise"), "noise"),
        (people("noise", "fumes", "fumes"), "fumes"),
        (people("noise", "fumes"), "noise"),
        (people("food", "fumes", "noise", "noise", "fumes"), "fumes"),
        (people("", "", "", "fumes"), "fumes"),
        ([Given("noise", 0.9), Given("noise", 0.9), Given("fumes")], "fumes"),
        ([Given("other", 0.0), Given("other", 0.0), Given("fumes", 0.6)], "fumes"),
        ([Given("other", 0.0), Given("food", 0.0), Given("other", 0.0)], "other"),
    ],
)
def test_most_messages_decide_and_what_people_gave_goes_first(given: list[Given], category: str) -> None:
    found = agreed(given)
    assert found is not None
    assert found.category == category


def test_a_suggestion_is_as_sure_as_the_messages_that_agree_in_it() -> None:
    assert agreed([Given("noise", 0.9), Given("fumes", 1.0), Given("noise", 0.6)]) == Given("noise", 0.75)
    assert agreed([Given("noise", 0.9), Given("noise")]) == Given("noise", None)
    assert agreed([Given("other", 0.0)]) == Given("other", 0.0)


def test_where_no_message_has_a_category_there_is_none() -> None:
    assert agreed([]) is None
    assert agreed(people("", "")) is None
