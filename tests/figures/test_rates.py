"""Each definition on cases made by hand, with the numbers counted by hand."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from liuti.figures.cases import Case, Handling, Promise, Rating
from liuti.figures.periods import Period, period_of
from liuti.figures.rates import DEFINITIONS

SHANGHAI = ZoneInfo("Asia/Shanghai")


def day(number: int, hour: int = 12) -> datetime:
    """A day of October 2026; 0 and below are September, 32 and above November."""
    month, number = (9, number + 30) if number < 1 else (11, number - 31) if number > 31 else (10, number)
    return datetime(2026, month, number, hour, tzinfo=SHANGHAI)


OCTOBER = period_of("2026-10", day(40), SHANGHAI)


def case(**more: Any) -> Case:
    given: dict[str, Any] = {"id": "i", "submitted": day(2), "unit": "roads"} | more
    return Case(**given)


def rated(*levels: int, **more: Any) -> Case:
    """Closed in October, with a rating for each level, solved and contacted not said."""
    said = [Rating(f"v{n}", 1, level) for n, level in enumerate(levels)]
    return case(**({"rated_by": day(20), "ratings": said, "invited": 4} | more))


def word(
    level: int = 5, solved: str = "yes", *, contacted: bool | None = None, voice: str = "v", turn: int = 1
) -> Rating:
    return Rating(voice, turn, level, solved, contacted)


def count(key: str, *cases: Case, period: Period = OCTOBER) -> tuple[float, int]:
    definition = next(d for d in DEFINITIONS if d.key == key)
    lines = [line for one in cases for line in definition.lines(one, period)]
    return sum(line.hits for line in lines), sum(line.of for line in lines)


IN_TIME, LATE = Promise("roads", day(2), day(3), day(3)), Promise("roads", day(2), day(3), day(3, 13))
NEVER = Promise("roads", day(2), day(3))


def test_response_wants_contact_in_time_that_the_rater_does_not_deny() -> None:
    said: dict[str, Any] = {"ratings": [word()], "contact_owed": True}
    assert count("response", rated(contacts=[IN_TIME], **said)) == (1, 1)
    assert count("response", rated(contacts=[LATE], **said)) == (0, 1)
    assert count("response", rated(contacts=[IN_TIME, NEVER], **said)) == (0, 1)
    assert count("response", rated(contact_owed=True, contacts=[IN_TIME], ratings=[word(contacted=False)])) == (0, 1)
    assert count("response", rated(contact_owed=True, contacts=[IN_TIME], ratings=[word(contacted=True)])) == (1, 1)
    two = [word(voice="a"), word(voice="b", contacted=False)]
    assert count("response", rated(contact_owed=True, contacts=[IN_TIME], ratings=two)) == (1, 2)


def test_a_result_without_any_contact_is_no_response_but_where_no_unit_was_asked_none_is_owed() -> None:
    assert count("response", rated(contact_owed=True, ratings=[word()])) == (0, 1)
    assert count("response", rated(without_result=True)) == (0, 0)


def test_31_who_asked_not_to_be_contacted_lowers_no_response_rate() -> None:
    assert count("response", rated(contact_owed=True, contacts=[LATE], wants_contact=False, ratings=[word()])) == (0, 0)


def test_solved_is_what_the_rater_calls_solved_and_partly_is_half_in_the_wide_value() -> None:
    said = rated(
        ratings=[
            word(voice="a"),
            word(voice="b", solved="partly"),
            word(voice="c", solved="no"),
            word(voice="d", solved=""),
        ]
    )
    assert count("solved", said) == (1, 4)
    assert count("solved_wide", said) == (1.5, 4)


def test_closed_without_a_result_is_not_solved_rated_or_not() -> None:
    for key in ("solved", "solved_wide"):
        assert count(key, rated(without_result=True)) == (0, 1)
        assert count(key, rated(without_result=True, ratings=[word(5, "yes"), word(3, "partly", voice="b")])) == (0, 2)
        assert count(key, rated()) == (0, 0)


def test_satisfied_is_three_and_up_and_strictly_four_and_up() -> None:
    assert count("satisfied", rated(1, 2, 3, 4, 5)) == (3, 5)
    assert count("satisfied_strict", rated(1, 2, 3, 4, 5)) == (2, 5)


def test_39_who_did_not_rate_is_neither_satisfied_nor_dissatisfied() -> None:
    for key in ("satisfied", "satisfied_strict"):
        assert count(key, rated(), rated(without_result=True), rated(5)) == (1, 1)


def test_a_voice_counts_once_by_its_last_word_and_silence_takes_nothing_back() -> None:
    said = [word(5, voice="a", turn=2), word(1, "no", voice="a"), word(1, "no", voice="b")]
    assert count("satisfied", rated(ratings=said)) == (1, 2)
    assert count("solved", rated(ratings=said)) == (1, 2)


def test_ratings_count_in_the_period_in_which_they_became_final() -> None:
    for key in ("solved", "satisfied", "participation"):
        assert count(key, rated(5, rated_by=day(0)), rated(5, rated_by=day(32)), rated(5, rated_by=None))[1] == 0
        assert count(key, rated(5, rated_by=day(31)))[1] > 0


def handled(due: datetime, done: datetime | None = None, **more: Any) -> Case:
    return case(handling=Handling(due, **({"first_due": due, "done": done} | more)))


def test_on_time_counts_what_was_due_in_the_period_and_open_overdue_cases_are_late() -> None:
    assert count("on_time", handled(day(9), day(9))) == (1, 1)
    assert count("on_time", handled(day(9), day(9, 13))) == (0, 1)
    assert count("on_time", handled(day(9))) == (0, 1)
    assert count("on_time", handled(day(31), day(2))) == (1, 1)
    assert count("on_time", handled(day(0), day(2)), handled(day(32), day(2)), case()) == (0, 0)
    assert count("on_time", handled(day(9), held=True)) == (0, 0)


def test_while_the_period_runs_only_what_is_done_or_past_due_counts() -> None:
    tenth = period_of("2026-10", day(10), SHANGHAI)
    assert count("on_time", handled(day(20)), handled(day(9)), handled(day(20), day(8)), period=tenth) == (1, 2)
    signs = [Promise("roads", day(2), day(20)), Promise("roads", day(2), day(9))]
    assert count("signed", case(signs=signs), period=tenth) == (0, 1)


def test_29_both_lines_of_on_time_are_told_with_extensions_and_without() -> None:
    late = handled(day(12), day(11), first_due=day(10))
    assert count("on_time", late) == (1, 1)
    assert count("on_time_unextended", late) == (0, 1)
    assert count("on_time_unextended", handled(day(12), day(10), first_due=day(10))) == (1, 1)
    assert count("on_time_unextended", handled(day(12), held=True)) == (0, 0)


@pytest.mark.parametrize(("key", "field"), [("signed", "signs"), ("contacted", "contacts"), ("ordered", "orders")])
def test_what_units_owe_counts_each_for_itself_when_it_is_due(key: str, field: str) -> None:
    before, after = Promise("roads", day(0), day(0), day(0)), Promise("roads", day(30), day(33), day(31))
    given = {field: [IN_TIME, LATE, NEVER, before, after]}
    assert count(key, case(**given)) == (1, 3)
    others = {"signed", "contacted", "ordered"} - {key}
    assert all(count(other, case(**given)) == (0, 0) for other in others)


def test_done_again_and_right_the_first_time_are_of_cases_closed_after_evaluation() -> None:
    cases = [rated(5), rated(5, redone=1), rated(5, redone=2), rated(5, fails=1), rated(5, reopened=1)]
    assert count("redone", *cases) == (2, 5)
    assert count("first_time", *cases) == (1, 5)
    for key in ("redone", "first_time"):
        assert count(key, rated(5, without_result=True), rated(5, rated_by=None)) == (0, 0)


def test_sent_back_is_of_the_dispatches_of_the_period() -> None:
    sent = [("roads", day(2), True), ("water", day(3), False), ("parks", day(0), True), ("parks", day(32), True)]
    assert count("sent_back", case(dispatches=sent)) == (1, 2)


def test_extended_is_of_cases_due_in_the_period() -> None:
    def one(extensions: int, due: int = 9) -> Case:
        return case(handling=Handling(day(due), day(due)), extensions=extensions)

    assert count("extended", one(0), one(1), one(2), one(1, 33)) == (2, 3)


def test_suspended_is_of_what_is_at_work_at_the_end() -> None:
    steps = ("propose", "solve", "solve", "suspended", "evaluate", "closed")
    assert count("suspended", *(case(step=step) for step in steps)) == (1, 3)


def test_a_bad_rating_is_remedied_when_the_same_voice_ends_with_three_or_more() -> None:
    said = [
        word(2, voice="a"), word(3, voice="a", turn=2), word(1, voice="b"), word(2, voice="b", turn=2),
        word(1, voice="c"), word(5, voice="d"), word(3, voice="e"),
    ]  # fmt: skip
    assert count("remedied", rated(ratings=said)) == (1, 3)
    assert count("remedied", rated(ratings=said, rated_by=day(33))) == (0, 0)


def test_participation_is_of_those_invited() -> None:
    twice = [word(1, voice="a"), word(5, voice="a", turn=2)]
    assert count("participation", rated(4, 4), rated(ratings=twice), rated()) == (3, 12)
    assert count("participation", rated(5, invited=0)) == (0, 0)


def test_repeated_is_of_what_was_submitted_in_the_period() -> None:
    assert count("repeated", case(), case(repeat=True), case(repeat=True, submitted=day(0))) == (1, 2)


def test_every_definition_says_what_it_counts_in_both_languages_and_has_a_name_of_its_own() -> None:
    assert len({d.key for d in DEFINITIONS}) == len(DEFINITIONS)
    assert all(all((d.zh, d.en, *d.numerator, *d.denominator)) for d in DEFINITIONS)
