"""The last case inside a limit and the first one outside, for every figure of the rules (docs/rules.md §4)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from liuti.flow.words import Clock, Closing, Lane, Step, Urgency
from tests.flow.cast import (
    Doc,
    Story,
    accepted,
    at,
    dispatched,
    explained,
    good,
    merged,
    passed,
    rated_badly,
    rejected,
    submitted,
    suspended,
    tampered,
    to_solve,
    worked_out,
)


def edge(story: Story, who: str, move: str, inside: Doc, outside: Doc, code: str) -> None:
    """The form is accepted with what is inside, refused by that rule with what is just outside."""
    form = good(story, move)
    story.copy().act(who, move, form | inside)
    assert story.refuses(who, move, form | outside).code == code


def until_edge(story: Story, limit: timedelta, who: str, move: str, code: str) -> None:
    """Open until that much time has passed, and not a minute longer."""
    story.wait(strike=False, seconds=limit.total_seconds())
    story.copy().act(who, move)
    story.wait(strike=False, minutes=1)
    assert story.refuses(who, move).code == code


def facts_edge(story: Story, who: str, move: str, name: str, most: int, code: str) -> None:
    story.facts = {name: most - 1}
    story.copy().act(who, move)
    story.facts = {name: most}
    assert story.refuses(who, move).code == code


def test_four_visible_characters_are_enough_blanks_are_none() -> None:
    edge(Story(), "stranger", "submit", {"text": "路灯坏了"}, {"text": "路灯 坏\u3000\u200b"}, "says_what")


def test_danger_is_refused_for_no_length_place_or_limit() -> None:
    story = Story(facts={"today": 99, "today_here": 99})
    story.act("stranger", "submit", good(story, "submit") | {"text": "火", "place": "", "grid": "", "danger": True})
    assert story.issue.urgency is Urgency.URGENT and story.issue.danger


def test_a_photo_stands_for_words() -> None:
    story = Story()
    photo = good(story, "attach")["files"]
    story.act("stranger", "submit", good(story, "submit") | {"text": "", "files": photo})


def test_five_proposals_and_twenty_co_signatures_a_day() -> None:
    facts_edge(Story(), "stranger", "submit", "today", 5, "within_daily_limit")
    facts_edge(at(Step.PROPOSE), "stranger", "cosign", "today", 20, "within_daily_cosigns")


@pytest.mark.parametrize("who", ["intake", "grid_worker"])
def test_the_daily_limit_binds_citizens_only(who: str) -> None:
    Story(facts={"today": 99}).act(who, "submit")


def test_five_claims_in_hand_and_no_more() -> None:
    facts_edge(at(Step.CLAIM), "leader", "claim", "claims", 5, "below_cap")
    facts_edge(at(Step.SOLVE), "its_leader", "handover", "claims", 5, "below_cap")


def test_a_merge_is_undone_within_seven_days() -> None:
    until_edge(merged(submitted()), timedelta(days=7), "intake", "unmerge", "soon_enough_to_undo")


def test_an_appeal_is_made_within_thirty_days_and_a_reopening_within_ninety() -> None:
    until_edge(at(Step.REJECTED), timedelta(days=30), "proposer", "appeal", "appeal_in_time")
    until_edge(at(Step.CLOSED), timedelta(days=90), "inspector", "reopen", "reopened_in_time")


def test_an_answer_without_a_result_is_rated_for_fifteen_days() -> None:
    until_edge(explained(accepted(submitted())), timedelta(days=15), "proposer", "rate", "in_the_rating_time")


def test_people_urge_once_in_five_days_an_inspector_as_they_see_fit() -> None:
    story = at(Step.SOLVE)
    story.act("voice", "urge")
    story.act("inspector", "urge")
    story.act("inspector", "urge")
    story.wait(strike=False, days=5, minutes=-1)
    assert story.refuses("voice", "urge").code == "one_urge_in_a_while"
    story.wait(strike=False, minutes=1).act("voice", "urge")


def test_sending_back_is_open_until_the_next_working_day_closes() -> None:
    story = at(Step.SOLVE, Lane.DIRECT)
    until_edge(story, timedelta(days=1, hours=7, minutes=30), "officer_lead", "send_back", "within_a_day_of_dispatch")


def test_the_next_round_lies_within_thirty_days() -> None:
    story = at(Step.SELECT)
    edge(story, "panel", "reserve", {"next_round": story.day(30)}, {"next_round": story.day(31)}, "next_round_is_near")


def test_an_adjustment_has_twenty_characters_of_reason() -> None:
    edge(at(Step.SELECT), "panel", "adjust", {"reason": "理" * 20}, {"reason": "理" * 19}, "coded_reason")


def test_a_plan_ends_within_sixty_days_and_no_milestone_after_it() -> None:
    story = at(Step.CLAIM)
    story.act("its_leader", "claim")
    edge(story, "its_leader", "approve_plan", {"due": story.day(60)}, {"due": story.day(61)}, "plan_ends_in_time")
    late = {"milestones": [{"title": "收尾", "due": story.day(41)}]}
    on_time = {"milestones": [{"title": "收尾", "due": story.day(40)}]}
    edge(story, "its_leader", "approve_plan", on_time, late, "plan_ends_in_time")


def test_a_promise_lies_ahead() -> None:
    story = at(Step.CLAIM)
    edge(story, "leader", "claim", {"date": story.day(0)}, {"date": story.day(-1)}, "promises_a_coming_date")


def test_a_suspension_is_reviewed_within_ninety_days_and_all_together_last_a_year() -> None:
    story = at(Step.SOLVE)
    edge(story, "its_leader", "suspend", {"review": story.day(90)}, {"review": story.day(91)}, "review_is_near")
    edge(story, "its_leader", "suspend", {"review": story.day(1)}, {"review": story.day(-1)}, "review_is_near")
    tampered(story, suspended_days=365 - 60)
    edge(story, "its_leader", "suspend", {"review": story.day(60)}, {"review": story.day(61)}, "review_is_near")


def test_a_renewal_counts_the_days_already_suspended() -> None:
    story = tampered(suspended(at(Step.SOLVE)), suspended_days=265)
    story.wait(days=40)
    edge(story, "its_leader", "suspend", {"review": story.day(60)}, {"review": story.day(61)}, "review_is_near")


def test_an_extension_is_at_most_thirty_days_and_at_most_the_original() -> None:
    story = at(Step.SOLVE)
    due = story.timer(Clock.SOLVE).due.date()
    until = {n: {"until": str(due + timedelta(days=n))} for n in (0, 1, 5, 7, 8, 30, 31)}
    edge(story, "head_lead", "extend", until[30], until[31], "no_longer_than_the_original")
    edge(story, "head_lead", "extend", until[1], until[0], "no_longer_than_the_original")
    direct = at(Step.SOLVE, Lane.DIRECT)
    due = direct.timer(Clock.SOLVE).due.date()
    until = {n: {"until": str(due + timedelta(days=n))} for n in (7, 8)}
    edge(direct, "head_lead", "extend", until[7], until[8], "no_longer_than_the_original")


def test_three_tries_that_reached_nobody_are_logged_before_an_uncooperative_end() -> None:
    story = at(Step.SOLVE)
    form = good(story, "terminate") | {"ground": "uncooperative"}
    for _ in range(2):
        story.act("officer_lead", "contact", {"method": "phone", "result": "无人接听", "reached": False})
    assert story.refuses("officer_lead", "terminate", form).code == "three_tries_were_logged"
    story.act("officer_lead", "contact", {"method": "phone", "result": "无人接听", "reached": False})
    story.act("officer_lead", "terminate", form)


@pytest.mark.parametrize(
    ("yes", "no", "enough"), [(2, 0, False), (2, 1, True), (1, 2, False), (2, 2, False), (3, 2, True), (0, 0, False)]
)
def test_most_votes_of_at_least_three_are_in_favour(yes: int, no: int, enough: bool) -> None:
    story = at(Step.SELECT)
    panel = iter(["panel_1", "panel_2", "panel_3", "panel_4", "panel"])
    for vote in [True] * yes + [False] * no:
        story.act(next(panel), "vote", {"yes": vote})
    if enough:
        story.act("panel", "publish")
    else:
        assert story.refuses("panel", "publish").code == "majority_of_votes"


def test_votes_of_an_earlier_round_do_not_count() -> None:
    story = at(Step.SELECT)
    for n in (1, 2, 3):
        story.act(f"panel_{n}", "vote")
    story.act("panel", "reserve")
    assert story.refuses("panel", "publish").code == "majority_of_votes"
    story.act("panel_1", "vote")


def test_two_of_three_gates_are_not_enough_for_a_livelihood_issue() -> None:
    story = submitted()
    story.act("intake", "accept_topic", good(story, "accept_topic") | {"livelihood": True})
    for n in (1, 2, 3):
        story.act(f"panel_{n}", "vote")
    for gate in ("gate", "gate_2", "gate_3"):
        assert story.refuses("panel", "publish").code == "gates_signed"
        story.act(gate, "sign_gate")
    story.act("panel", "publish")


def test_a_gate_that_refuses_sends_the_three_back_to_the_first() -> None:
    story = at(Step.SELECT)
    story.act("gate", "sign_gate")
    story.act("gate_2", "sign_gate", {"agree": False, "comment": "资金未落实"})
    assert story.issue.signatures == ()
    story.act("gate", "sign_gate")


@pytest.mark.parametrize(
    ("bad", "fine", "again"), [(1, 4, False), (2, 3, True), (2, 2, False), (4, 0, False), (2, 5, False), (3, 7, True)]
)
def test_three_in_ten_bad_ratings_of_at_least_five_bring_it_back(bad: int, fine: int, again: bool) -> None:
    """None of them the proposer's, who has not rated yet."""
    story = passed(to_solve(Lane.DIRECT, submitted(voices=bad + fine + 2)))
    others = iter([voice for voice in story.voices if voice != story.issue.proposer])
    for level in [4] * fine + [2] * bad:
        story.act(story.voice(next(others)), "rate", {"level": level})
    assert (story.issue.step is Step.SOLVE) == again


@pytest.mark.parametrize(
    ("level", "reason", "again"), [(2, "没修好", True), (2, "", False), (3, "一般", False), (1, "没修", True)]
)
def test_the_proposer_alone_brings_it_back_with_a_reason(level: int, reason: str, again: bool) -> None:
    story = at(Step.EVALUATE)
    story.act("proposer", "rate", {"level": level, "reason": reason})
    assert (story.issue.step is Step.SOLVE) == again


@pytest.mark.parametrize(
    ("word", "solved", "closing"),
    [
        ("solved", "yes", Closing.SOLVED), ("solved", "no", Closing.PARTLY), ("partly", "no", Closing.PARTLY),
        ("explained", "no", Closing.EXPLAINED), ("solved", None, Closing.SOLVED),
    ],
)  # fmt: skip
def test_the_units_word_stands_but_not_solved_against_the_proposers(
    word: str, solved: str | None, closing: Closing
) -> None:
    story = to_solve(Lane.DIRECT)
    story.act("head_lead", "submit_result", good(story, "submit_result") | {"word": word})
    story.act("inspector", "pass_check")
    story.act("proposer", "rate", {"level": 3, "solved": solved})
    story.act("voice", "rate")
    assert (story.issue.step, story.issue.closing) == (Step.CLOSED, closing)


def test_no_rating_stays_no_rating() -> None:
    story = at(Step.EVALUATE)
    story.until(story.timer(Clock.EVALUATE).due)
    assert (story.issue.closing, story.issue.verdict.rated) == (Closing.SOLVED, 0)


def test_the_third_failed_check_proposes_an_interview() -> None:
    story = worked_out(at(Step.SOLVE))
    proposed = []
    for _ in range(3):
        proposed.append(story.act("inspector", "fail_check").noted.get("interview"))
        worked_out(story)
    assert proposed == [None, None, "proposed"]


WITHDRAWALS: tuple[tuple[Callable[[], Story], Step], ...] = (
    (lambda: submitted(voices=1), Step.WITHDRAWN), (lambda: submitted(voices=2), Step.PROPOSE),
    (lambda: submitted(voices=1, danger=True), Step.PROPOSE),
)  # fmt: skip


@pytest.mark.parametrize(("story", "to"), WITHDRAWALS)
def test_who_is_alone_and_in_no_danger_withdraws_the_issue_else_it_goes_on(
    story: Callable[[], Story], to: Step
) -> None:
    made = story()
    others = [voice for voice in made.voices if voice != made.issue.proposer]
    made.act("proposer", "withdraw", {})
    assert made.issue.step is to
    assert not others or made.issue.proposer == others[0]


@pytest.mark.parametrize("route", ["discipline", "secret", "settled"])
def test_three_reasons_to_refuse_need_a_second_officer(route: str) -> None:
    story = at(Step.PROPOSE)
    story.act("intake", "reject", {"route": route, "reason": "依法不予受理。", "earlier": "i-0"})
    assert story.issue.step is Step.PROPOSE
    story.answer("intake_2")
    assert (story.issue.step, story.issue.refusal) == (Step.REJECTED, route)


@pytest.mark.parametrize("route", ["judicial", "petition", "outside"])
def test_the_other_three_need_one(route: str) -> None:
    story = at(Step.PROPOSE)
    story.act("intake", "reject", {"route": route, "reason": "依法不予受理。"})
    assert (story.issue.step, story.issue.refusal) == (Step.REJECTED, route)


@pytest.mark.parametrize(
    ("changes", "passes"), [({"kind": "consult"}, True), ({"category": "consultation"}, True), ({}, False)]
)
def test_consultations_and_low_risk_direct_issues_pass_by_the_clock(changes: Doc, passes: bool) -> None:
    """Of a hundred, by their numbers, about ten are drawn for an inspector, and always the same ones."""
    drawn = 0
    for number in range(100):
        story = submitted(**changes)
        tampered(story, id=f"i-{number}")
        dispatched(story, category=changes.get("category", "noise"))
        story.act("head_lead", "submit_result")
        by_clock = story.issue.step is Step.EVALUATE
        assert by_clock != (story.issue.step is Step.SUPERVISE)
        drawn += not by_clock
    assert (2 <= drawn <= 20) if passes else drawn == 100


def test_what_failed_a_check_once_is_never_passed_by_the_clock_again() -> None:
    story = dispatched(submitted(kind="consult"))
    tampered(story, check_fails=1)
    story.act("head_lead", "submit_result")
    assert story.issue.step is Step.SUPERVISE


def test_merged_voices_are_all_invited_and_go_back_when_it_is_undone() -> None:
    def lead_of(story: Story) -> tuple[int, tuple[str, ...]]:
        assert story.lead is not None
        return story.lead.voices, story.lead.took_in

    story = merged(submitted(voices=3))
    assert lead_of(story) == (5, ("i-1",))
    story.act("intake", "unmerge")
    assert lead_of(story) == (2, ())


def test_a_site_photo_is_a_grid_workers_an_inspectors_own_or_a_units_is_none() -> None:
    story = at(Step.SUPERVISE)
    for who, site in (("officer_lead", 0), ("inspector_same_unit", 0), ("grid_worker", 1)):
        story.act(who, "attach")
        assert story.issue.site_photos == site
    tampered(story, category="roads")
    story.act("inspector", "pass_check", {"method": "documents", "note": "照片可见"})


def test_a_refused_reopening_names_the_rule_and_rejected_goes_back_to_intake() -> None:
    story = rejected(submitted())
    story.act("intake", "reopen", {"ground": "same_matter", "issue": "i-9", "reason": "又有人反映"})
    assert story.issue.step is Step.PROPOSE and story.issue.refusal == ""


def test_a_bad_word_of_one_of_two_does_not_close_before_all_have_rated() -> None:
    story = at(Step.EVALUATE)
    rated_badly(story, follow=False)
    assert story.issue.step is Step.EVALUATE
