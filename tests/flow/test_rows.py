"""Every row 1 to 55: one act that is accepted, and for each of its conditions one that is refused for just that reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace as altered

from liuti.flow.kernel import Actor, Passed, Refused, Standing
from liuti.flow.table import FLOW
from liuti.flow.words import ENDS, Clock, Kind, Lane, Role, Step
from tests.flow.cast import (
    ASSIST,
    GUESSING,
    LEAD,
    OTHER,
    POLICY,
    RIGHT,
    WORLD,
    Doc,
    Story,
    accepted,
    at,
    explained,
    good,
    merged,
    rated_badly,
    redone_twice,
    rejected,
    staff,
    submitted,
    tampered,
    to_solve,
    voted,
)


def voted_on(standing: Standing) -> Story:
    """The panel voted on that score, which the analyst ran."""
    story = at(Step.SELECT)
    story.facts = {"standing": altered(standing, by="analyst")}
    return voted(story)


Setup = Callable[[], Story]
STANDING = Standing("r-1", "panel", "1" * 64, 61.5, 1, 1, 5, datetime(2026, 1, 1, tzinfo=UTC))
"""The latest round, which the panel member "panel" ran."""


@dataclass(frozen=True)
class Bad:
    """What is otherwise than in the accepted example, and the code it is refused with."""

    code: str
    form: Doc = field(default_factory=dict)
    who: str | Actor = ""
    ready: Callable[[Story], object] | None = None
    """Done to the same setup first."""
    story: Setup | None = None
    """Another setup, when another road leads there."""
    answer: Doc | None = None
    """Refused not at the ask but at the last grant, answered like this."""
    facts: Doc = field(default_factory=dict)


@dataclass(frozen=True)
class Row:
    name: str
    story: Setup
    who: str
    to: Step
    bad: tuple[Bad, ...]
    form: Doc = field(default_factory=dict)
    grants: tuple[str, ...] = ()
    """Who grants, in order."""
    answer: Doc = field(default_factory=dict)

    def try_it(self, story: Story, bad: Bad | None = None) -> None:
        """The act with all its grants; with one thing wrong, if so said."""
        wrong = bad if bad is not None else Bad("")
        story.facts = {**story.facts, **wrong.facts}
        story.act(wrong.who or self.who, self.name, good(story, self.name) | self.form | wrong.form)
        for number, granter in enumerate(self.grants, 1):
            last = number == len(self.grants)
            more = (self.answer | (wrong.answer or {})) if last else {}
            story.answer(granter, "grant", **more)


# -- setups --------------------------------------------------------------------------------------------------------


def here(step: Step, lane: Lane = Lane.TOPIC) -> Setup:
    return lambda: at(step, lane)


def alone() -> Story:
    return submitted(voices=1)


def supply_asked() -> Story:
    story = alone()
    story.act("intake", "ask_supplement")
    return story


def supply_due() -> Story:
    story = supply_asked()
    return story.until(story.timer(Clock.SUPPLEMENT).due, strike=False)


def supplied() -> Story:
    story = supply_asked()
    story.act("proposer", "supply")
    return story


def with_lead() -> Story:
    story = at(Step.PROPOSE)
    story.lead = altered(at(Step.SELECT).issue, id="i-2")
    return story


def tip_off() -> Story:
    return submitted(voices=1, kind="tip_off", against=OTHER)


def livelihood() -> Story:
    story = submitted()
    story.act("intake", "accept_topic", good(story, "accept_topic") | {"livelihood": True})
    return voted(story)


def claim_overdue() -> Story:
    story = at(Step.CLAIM)
    return story.until(story.timer(Clock.CLAIM).due).wait(minutes=1)


def claimed() -> Story:
    story = at(Step.CLAIM)
    story.act("its_leader", "claim")
    return story


def quiet() -> Story:
    """The person asked for no contact."""
    return to_solve(Lane.DIRECT, submitted(wants_contact=False))


def ready_to_submit() -> Story:
    story = at(Step.SOLVE)
    story.act("officer_lead", "milestone")
    return story


def ruled(unit_head: str = "head_lead") -> Callable[[], Story]:
    def story() -> Story:
        made = at(Step.SOLVE)
        made.act(unit_head, "send_back")
        made.answer("inspector_2", "deny")
        return made

    return story


def denied_at_home() -> Story:
    """The officer asked to send back, the own head said no."""
    story = at(Step.SOLVE)
    story.act("officer_lead", "send_back")
    story.answer("head_lead", "deny")
    return story


def extended_direct() -> Story:
    story = at(Step.SOLVE, Lane.DIRECT)
    story.act("head_lead", "extend")
    story.answer("inspector_2")
    return story


def badly_rated() -> Story:
    return rated_badly(at(Step.EVALUATE), follow=False)


def badly_rated_again() -> Story:
    return rated_badly(redone_twice(at(Step.EVALUATE)), follow=False)


def rating_over() -> Story:
    story = at(Step.EVALUATE)
    return story.until(story.timer(Clock.EVALUATE).due, strike=False)


def closed_with_a_result() -> Story:
    story = at(Step.EVALUATE)
    story.until(story.timer(Clock.EVALUATE).due)
    assert story.issue.step is Step.CLOSED
    return story


def closed_with_an_answer() -> Story:
    return explained(accepted(submitted()))


def appeal_denied() -> Story:
    story = rejected(submitted())
    story.act("proposer", "appeal")
    story.answer("team_2", "deny")
    return story


def ordered() -> Story:
    story = at(Step.SOLVE)
    story.act("inspector_2", "order")
    return story


def answered() -> Story:
    story = ordered()
    story.act("officer_lead", "respond")
    return story


def warning_due() -> Story:
    story = at(Step.SELECT)
    moment = story.timer(Clock.SELECT).next
    assert moment is not None
    return story.until(moment, strike=False)


def select_due() -> Story:
    story = at(Step.SELECT)
    return story.until(story.timer(Clock.SELECT).due, strike=False)


def guessed() -> Story:
    story = submitted()
    story.world = GUESSING
    accepted(story)
    story.world = WORLD
    return story


# -- what makes it wrong -------------------------------------------------------------------------------------------


def first(who: str, move: str, **form: Any) -> Callable[[Story], object]:
    """That person made that move before."""
    return lambda story: story.act(who, move, good(story, move) | form)


def having(**fields: Any) -> Callable[[Story], object]:
    return lambda story: tampered(story, **fields)


def waiting(**span: float) -> Callable[[Story], object]:
    return lambda story: story.wait(strike=False, **span)


def a_little_earlier(story: Story) -> None:
    story.now -= timedelta(minutes=1)


def lead_having(**fields: Any) -> Callable[[Story], object]:
    def change(story: Story) -> None:
        assert story.lead is not None
        story.lead = altered(story.lead, **fields)

    return change


def reserved_twice(story: Story) -> None:
    for _ in range(2):
        story.act("panel", "reserve")


def a_day_of(ahead: int) -> str:
    return Story().day(ahead)


INSPECTING_LEADER = staff("its_leader", Role.LEADER, Role.INSPECTOR)
HOLDER_OF_TWO = staff("gate", Role.GATE, post=POLICY.gates[1])
NOT_A_GATE = staff("gate_9", Role.GATE, post="司机")
CALLER_OF_THE_UNIT = staff("caller_9", Role.CALLER, unit=LEAD)
UNINVITED = Actor("v-9", frozenset({Role.CITIZEN}), voice="v-9", issue="i-1", origin="i-1")

VERIFYING = (
    Bad("outside_handling_units", who="inspector_same_unit"),
    Bad("not_its_leader", who=INSPECTING_LEADER),
    Bad("did_not_approve_the_plan", ready=having(plan_by="inspector")),
)
A_LEADER_CLAIMS = (Bad("promises_a_goal", {"goal": ""}), Bad("promises_a_coming_date", {"date": "2026-11-01"}))
NO_SUCH_UNIT = Bad("units_exist", {"unit": "u-none"})

ROWS = (
    Row("submit", Story, "stranger", Step.PROPOSE, (
        Bad("only_staff_name_a_source", {"source": "12345", "external_id": "T-1"}),
        Bad("consent_on_behalf", {"on_behalf": True}),
        Bad("notice_shown", {"notice_version": "2019"}),
        Bad("says_what", {"text": "吵"}),
        Bad("says_where", {"place": "", "grid": ""}),
        Bad("within_daily_limit", facts={"today": 5}),
        Bad("within_daily_limit", facts={"today_here": 30}),
        Bad("units_exist", {"kind": "tip_off", "against": "u-none"}),
    )),
    Row("withdraw", alone, "proposer", Step.WITHDRAWN, (
        Bad("not_yours", who="voice"), Bad("wrong_step", story=here(Step.SUPERVISE)), Bad("wrong_step", ready=rejected),
    )),
    Row("withdraw", here(Step.SELECT), "proposer", Step.SELECT, (Bad("not_yours", who="stranger"),)),
    Row("cosign", here(Step.PROPOSE), "stranger", Step.PROPOSE, (
        Bad("one_voice_a_person", facts={"voiced": True}), Bad("one_voice_a_person", who="proposer"),
        Bad("tip_offs_take_no_cosigners", story=tip_off), Bad("consent_on_behalf", {"on_behalf": True}),
        Bad("notice_shown", {"notice_version": ""}), Bad("within_daily_cosigns", facts={"today": 20}),
    )),
    Row("attach", here(Step.SOLVE), "officer_lead", Step.SOLVE, (
        Bad("brings_a_file", {"files": []}), Bad("not_yours", who="officer_other"),
    )),
    Row("ask_supplement", here(Step.PROPOSE), "intake", Step.SUPPLEMENT, (
        Bad("asked_only_once", story=supplied), Bad("lists_what_is_missing", {"missing": []}),
    )),
    Row("supply", here(Step.SUPPLEMENT), "proposer", Step.PROPOSE, (Bad("supplies_something", {"place": ""}),)),
    Row("lapse", supply_due, "clock", Step.REJECTED, (Bad("time_to_supply_is_over", ready=a_little_earlier),)),
    Row("reject", here(Step.PROPOSE), "intake", Step.REJECTED, (
        Bad("says_why_and_where_to", {"route": "elsewhere"}), Bad("says_why_and_where_to", {"reason": ""}),
        Bad("names_the_earlier_issue", {"route": "settled"}),
    )),
    Row("reject", here(Step.PROPOSE), "intake", Step.REJECTED, form={"route": "settled", "earlier": "i-0"}, grants=("intake_2",),
        bad=(Bad("open_request", ready=first("intake_2", "reject", route="settled", earlier="i-0")),)),
    Row("merge", with_lead, "intake", Step.MERGED, (
        Bad("no_tip_off", ready=having(kind=Kind.TIP_OFF)), Bad("no_tip_off", ready=lead_having(kind=Kind.TIP_OFF)),
        Bad("lead_is_another_open_issue", ready=lead_having(step=Step.SUPERVISE)),
        Bad("lead_is_another_open_issue", facts={"lead": None}),
        Bad("same_kind", ready=lead_having(kind=Kind.COMPLAINT)), Bad("danger_only_into_direct", ready=having(danger=True)),
    )),
    Row("unmerge", here(Step.MERGED), "panel", Step.PROPOSE, (
        Bad("soon_enough_to_undo", ready=waiting(days=7, minutes=1)),
        Bad("lead_stands_by_itself", ready=lead_having(step=Step.MERGED)),
        Bad("both_keep_somebody", facts={"staying": ""}), Bad("both_keep_somebody", facts={"returning": ()}),
    )),
    Row("unmerge", lambda: merged(at(Step.SELECT)), "intake", Step.SELECT, (Bad("not_yours", who="proposer"),)),
    Row("accept_topic", here(Step.PROPOSE), "intake", Step.SELECT, (
        Bad("category_is_known", {"category": "weather"}), Bad("neither_urgent_nor_tip_off", {"urgency": "urgent"}),
        Bad("neither_urgent_nor_tip_off", story=tip_off),
        Bad("grid_is_set", {"grid": ""}, story=lambda: submitted(grid="")),
    )),
    Row("accept_direct", here(Step.PROPOSE), "intake", Step.SOLVE, (
        Bad("category_is_known", {"category": "weather"}),
        Bad("names_a_unit", {"unit": ""}), NO_SUCH_UNIT, Bad("not_the_accused", {"unit": OTHER}, story=tip_off),
    )),
    Row("divert", here(Step.SELECT), "panel", Step.SOLVE, (NO_SUCH_UNIT, Bad("not_the_accused", ready=having(against=LEAD)))),
    Row("divert", here(Step.CLAIM), "analyst", Step.SOLVE, (Bad("not_yours", who="leader"),)),
    Row("reserve", here(Step.SELECT), "panel", Step.SELECT, (
        Bad("reserved_at_most_twice", ready=reserved_twice), Bad("next_round_is_near", {"next_round": a_day_of(31)}),
        Bad("next_round_is_near", {"next_round": a_day_of(-1)}),
    )),
    Row("explain", here(Step.SELECT), "panel", Step.CLOSED, grants=("inspector",), bad=(
        Bad("bad_form", {"answer": ""}), Bad("not_yours", who="inspector"),
        Bad("open_request", ready=first("panel_1", "explain")),
    )),
    Row("vote", here(Step.SELECT), "panel", Step.SELECT, (
        Bad("did_not_run_the_score", facts={"standing": STANDING}), Bad("voted_this_round", ready=first("panel", "vote")),
    )),
    Row("sign_gate", here(Step.SELECT), "gate", Step.SELECT, (
        Bad("holds_a_gate", who=NOT_A_GATE), Bad("distinct_gatekeepers", who=HOLDER_OF_TWO, ready=first("gate", "sign_gate")),
        Bad("gate_not_signed_yet", ready=first("gate", "sign_gate")), Bad("gates_in_order", who="gate_3"),
        Bad("refusal_says_why", {"agree": False}),
    )),
    Row("adjust", here(Step.SELECT), "panel", Step.SELECT, grants=("panel_1",), bad=(
        Bad("coded_reason", {"reason": "太短"}), Bad("coded_reason", {"code": "because"}),
        Bad("round_takes_changes", facts={"standing": altered(STANDING, closed=True)}),
        Bad("change_has_its_place", {"to_rank": 6}, facts={"standing": STANDING}),
        Bad("change_has_its_place", {"what": "swap", "other": "i-9"}, facts={"standing": STANDING}),
    )),
    Row("publish", lambda: voted(at(Step.SELECT)), "panel", Step.CLAIM, (
        Bad("majority_of_votes", story=here(Step.SELECT)), Bad("gates_signed", story=livelihood),
        Bad("reason_if_not_recommended", {"recommended": False, "reason": ""}),
        Bad("reason_if_not_recommended", {"reason": ""}, story=lambda: voted_on(altered(STANDING, rank=None, final=None))),
        Bad("reason_if_not_recommended", {"reason": ""}, story=lambda: voted_on(altered(STANDING, final=None))),
        Bad("reason_if_not_recommended", {"reason": ""}, facts={"round": "r-2"}),
        Bad("snapshot_is_the_latest", {"snapshot": {"round": "r-0", "digest": "0" * 64}}, story=lambda: voted_on(STANDING)),
        Bad("majority_of_votes", facts={"standing": STANDING}),
    )),
    Row("assess", here(Step.SELECT), "analyst", Step.SELECT, (
        Bad("factor_is_known", {"factor": "beauty"}), Bad("bad_form", {"value": 1.01}), Bad("bad_form", {"evidence": ""}),
        Bad("not_yours", who="intake"), Bad("wrong_step", story=here(Step.CLAIM)),
    )),
    Row("unflag", here(Step.SELECT), "panel", Step.SELECT, (
        Bad("names_the_text", {"what": "same_text"}), Bad("bad_form", {"reason": ""}), Bad("not_yours", who="intake"),
    )),
    Row("recall", here(Step.CLAIM), "panel", Step.SELECT, grants=("panel_1",), bad=(
        Bad("bad_form", {"reason": ""}), Bad("wrong_step", story=here(Step.SOLVE)),
    )),
    Row("claim", here(Step.CLAIM), "leader", Step.SOLVE, (
        *A_LEADER_CLAIMS, Bad("units_exist", {"lead_unit": "u-none"}), Bad("below_cap", facts={"claims": 5}),
        Bad("not_claimed_yet", ready=having(leader="leader_2")), Bad("wrong_step", ready=first("leader_2", "claim")),
        Bad("declared_conflict", ready=first("leader", "declare_conflict")),
    )),
    Row("designate", claim_overdue, "principal", Step.SOLVE, (
        *A_LEADER_CLAIMS, Bad("claim_is_overdue", story=here(Step.CLAIM)), Bad("units_exist", {"lead_unit": "u-none"}),
        Bad("designee_is_a_leader", {"leader": "panel"}), Bad("prepared_by_inspector", {"prepared_by": "intake"}),
        Bad("designee_has_no_conflict", ready=first("its_leader", "declare_conflict")),
    )),
    Row("handover", here(Step.SOLVE), "its_leader", Step.SOLVE, grants=("principal",), bad=(
        Bad("principal_alone_when_leader_cannot", who="principal"), Bad("designee_is_a_leader", {"leader": "intake"}),
        Bad("designee_has_no_conflict", ready=first("leader_2", "declare_conflict")), Bad("below_cap", facts={"claims": 5}),
    )),
    Row("approve_plan", claimed, "its_leader", Step.SOLVE, (
        Bad("only_topics_are_planned", story=here(Step.SOLVE, Lane.DIRECT)), Bad("planned_once", story=here(Step.SOLVE)),
        Bad("goal_is_set", {"goal": ""}), Bad("lead_unit_is_set", {"lead_unit": ""}),
        Bad("has_a_milestone", {"milestones": []}), Bad("units_exist", {"assisting": ["u-none"]}),
        Bad("plan_ends_in_time", {"due": a_day_of(61)}), Bad("plan_ends_in_time", {"due": a_day_of(19)}),
        Bad("not_yours", who="leader"),
    )),
    Row("sign", here(Step.SOLVE), "officer_lead", Step.SOLVE, (Bad("not_signed_yet", ready=first("head_lead", "sign")),)),
    Row("contact", here(Step.SOLVE), "officer_lead", Step.SOLVE, (
        Bad("person_wants_contact", story=quiet), Bad("contact_is_past", {"at": "2027-01-01T00:00:00Z"}),
    )),
    Row("add_unit", here(Step.SOLVE), "its_leader", Step.SOLVE, (
        NO_SUCH_UNIT, Bad("not_at_work_yet", {"unit": ASSIST}), Bad("not_about_that_unit", ready=having(against=RIGHT)),
    )),
    Row("finish", here(Step.SOLVE), "officer_assist", Step.SOLVE, (
        Bad("not_finished_yet", ready=first("head_assist", "finish")), Bad("not_yours", who="officer_lead"),
    )),
    Row("milestone", here(Step.SOLVE), "officer_lead", Step.SOLVE, (
        Bad("milestone_is_open", {"number": 2}), Bad("milestone_is_open", ready=first("head_lead", "milestone")),
        Bad("evidence_or_reason", {"evidence": ""}),
        Bad("no_waiver_waits", ready=first("officer_assist", "milestone", waive=True, reason="不再需要")),
    )),
    Row("milestone", here(Step.SOLVE), "officer_lead", Step.SOLVE, form={"waive": True, "reason": "不再需要"},
        grants=("its_leader",), bad=(Bad("evidence_or_reason", {"reason": ""}),)),
    Row("progress", here(Step.SOLVE), "officer_assist", Step.SOLVE, (
        Bad("bad_form", {"text": ""}), Bad("not_yours", who="officer_other"),
    )),
    Row("send_back", here(Step.SOLVE), "officer_lead", Step.SOLVE, grants=("head_lead", "inspector"), bad=(
        Bad("not_ruled_yet", story=ruled()), Bad("sent_back_once", story=denied_at_home), Bad("legal_basis_given", {"basis": ""}),
        Bad("legal_basis_given", {"unit": ""}), NO_SUCH_UNIT, Bad("suggests_another_unit", {"unit": LEAD}),
        Bad("suggests_another_unit", ready=having(against=RIGHT)),
        Bad("within_a_day_of_dispatch", ready=waiting(days=2)), Bad("ruled_unit_can_take_it", answer={"unit": "u-none"}),
        Bad("ruled_unit_can_take_it", answer={"unit": LEAD}),
    )),
    Row("extend", here(Step.SOLVE), "officer_lead", Step.SOLVE, grants=("head_lead", "inspector"), bad=(
        Bad("asked_before_due", ready=lambda s: s.until(s.timer(Clock.SOLVE).due, strike=False)),
        Bad("extensions_left", story=extended_direct), Bad("no_longer_than_the_original", {"until": a_day_of(71)}),
    )),
    Row("suspend", here(Step.SOLVE), "its_leader", Step.SUSPENDED, grants=("inspector",), bad=(
        Bad("cause_is_listed", {"cause": "mood"}), Bad("review_is_near", {"review": a_day_of(91)}),
    )),
    Row("suspend", here(Step.SUSPENDED), "its_leader", Step.SUSPENDED, grants=("inspector",), bad=(
        Bad("review_is_near", ready=having(suspended_days=330)), Bad("not_yours", who="officer_lead"),
    )),
    Row("resume", here(Step.SUSPENDED), "officer_lead", Step.SOLVE, (
        Bad("cause_is_gone", {"reason": ""}), Bad("review_date_has_come", who="clock"),
    )),
    Row("terminate", here(Step.SOLVE), "officer_lead", Step.CLOSED, grants=("head_lead", "intake"), bad=(
        Bad("ground_is_listed", {"ground": "tired"}), Bad("three_tries_were_logged", {"ground": "uncooperative"}),
    )),
    Row("submit_result", ready_to_submit, "officer_lead", Step.SUPERVISE, grants=("head_lead",), bad=(
        Bad("plan_is_approved", story=claimed), Bad("milestones_are_met", story=here(Step.SOLVE)),
        Bad("replies_in_words", {"reply": ""}), Bad("shows_evidence", {"evidence": ""}),
        Bad("physical_works_show_a_photo", ready=having(category="roads")),
        Bad("direct_reply_is_told", {"told": False}, story=here(Step.SOLVE, Lane.DIRECT)),
    )),
    Row("fail_check", here(Step.SUPERVISE), "inspector", Step.SOLVE, (*VERIFYING, Bad("lists_defects", {"defects": []}))),
    Row("pass_check", here(Step.SUPERVISE), "inspector", Step.EVALUATE, (
        *VERIFYING, Bad("clock_passes_only_low_risk", {"method": "rule"}),
        Bad("clock_passes_only_low_risk", {"method": "rule"}, who="clock"),
        Bad("works_are_seen_on_site", {"method": "documents"}, ready=having(category="roads")),
    )),
    Row("rate", here(Step.EVALUATE), "proposer", Step.EVALUATE, (
        Bad("caller_is_outside", {"voice": "v-1"}, who=CALLER_OF_THE_UNIT), Bad("not_rated_yet", ready=first("proposer", "rate")),
        Bad("still_to_be_rated", story=closed_with_a_result), Bad("outcome_is_the_callers", {"outcome": "no_answer"}),
        Bad("outcome_is_the_callers", who="caller"), Bad("gives_a_level", {"level": None}), Bad("was_invited", who=UNINVITED),
        Bad("in_the_rating_time", story=lambda: at(Step.CLOSED).wait(days=16)),
    )),
    Row("rate", here(Step.CLOSED), "voice", Step.CLOSED, (
        Bad("not_yours", who="stranger"), Bad("not_rated_yet", ready=first("voice", "rate")),
    )),
    Row("rate", closed_with_an_answer, "proposer", Step.CLOSED, (Bad("in_the_rating_time", ready=waiting(days=15, minutes=1)),)),
    Row("redo", badly_rated, "clock", Step.SOLVE, (
        Bad("people_are_unsatisfied", story=here(Step.EVALUATE)), Bad("redos_left", story=badly_rated_again),
    )),
    Row("escalate", badly_rated_again, "clock", Step.SOLVE, (
        Bad("people_are_unsatisfied", story=lambda: redone_twice(at(Step.EVALUATE))),
        Bad("only_after_the_redos", story=badly_rated), Bad("only_after_the_redos", ready=having(last_round=True)),
    )),
    Row("close", rating_over, "clock", Step.CLOSED, (Bad("rating_time_is_over", ready=a_little_earlier),)),
    Row("appeal", here(Step.REJECTED), "proposer", Step.PROPOSE, grants=("team",), bad=(
        Bad("unit_or_proposer_in_place", story=here(Step.CLOSED), who="officer_lead"),
        Bad("unit_or_proposer_in_place", story=here(Step.SOLVE)),
        Bad("appealed_once", story=appeal_denied), Bad("appeal_in_time", ready=waiting(days=30, minutes=1)),
    )),
    Row("appeal", ruled(), "officer_lead", Step.SOLVE, grants=("team",), answer={"unit": RIGHT}, bad=(
        Bad("against_a_ruling", story=here(Step.SOLVE)), Bad("appeal_in_time", ready=waiting(days=30, minutes=1)),
        Bad("ruling_names_a_unit", answer={"unit": None}), Bad("ruled_unit_can_take_it", answer={"unit": "u-none"}),
    )),
    Row("reopen", here(Step.CLOSED), "inspector", Step.SOLVE, (
        Bad("reopens_from_outside", who="inspector_same_unit"), Bad("reopened_in_time", ready=waiting(days=90, minutes=1)),
        Bad("ground_holds", {"ground": "appeal"}), Bad("ground_holds", {"ground": "same_matter", "issue": ""}, who="intake"),
    )),
    Row("reopen", here(Step.REJECTED), "team", Step.PROPOSE, (Bad("wrong_step", story=here(Step.WITHDRAWN)),)),
    Row("reopen", closed_with_an_answer, "intake", Step.SELECT, (Bad("ground_holds", {"issue": ""}),),
        form={"ground": "same_matter", "issue": "i-9"}),
    Row("urge", here(Step.SOLVE), "voice", Step.SOLVE, (
        Bad("one_urge_in_a_while", ready=first("voice", "urge")), Bad("urged_timer_is_red", {"clock": "solve"}, who="clock"),
    )),
    Row("order", here(Step.SOLVE), "inspector", Step.SOLVE, (
        Bad("order_names_its_addressee", {"to": ""}), Bad("order_names_its_addressee", {"draft": 1}),
    )),
    Row("respond", ordered, "officer_lead", Step.SOLVE, (Bad("answers_an_order", {"order": 7}), Bad("not_yours", who="officer_assist"))),
    Row("settle", answered, "inspector", Step.SOLVE, (
        Bad("outside_handling_units", who="inspector_same_unit"), Bad("order_was_answered", story=ordered),
    )),
    Row("reclassify", here(Step.SELECT), "intake", Step.SELECT, (
        Bad("names_the_unit_to_go_to", {"urgency": "urgent"}), Bad("units_exist", {"urgency": "urgent", "unit": "u-none"}),
        Bad("stays_a_single_matter", {"kind": "tip_off", "unit": LEAD}),
        Bad("category_is_known", {"category": "weather"}),
    )),
    Row("declare_conflict", here(Step.SOLVE), "inspector", Step.SOLVE, (
        Bad("not_declared_yet", ready=first("inspector", "declare_conflict")), Bad("not_yours", who="stranger"),
    )),
    Row("exclude", here(Step.EVALUATE), "officer_lead", Step.EVALUATE, grants=("inspector",), bad=(
        Bad("not_excluded_yet", ready=having(excluded="repeat")), Bad("exclusion_is_coded", {"code": "unkind"}),
    )),
    Row("recheck", here(Step.EVALUATE), "team", Step.EVALUATE, (
        Bad("an_inspector_passed_it", facts={"passed": None}),
        Bad("an_inspector_passed_it", facts={"passed": Passed(9, "clock", "clock", "5" * 64)}),
        Bad("outside_handling_units", who=staff("team_3", Role.TEAM, unit=LEAD)),
        Bad("not_former_unit", who=staff("team_4", Role.TEAM, former_units=frozenset({LEAD}))),
        Bad("not_its_leader", who=staff("its_leader", Role.LEADER, Role.TEAM), ready=having(plan_by="leader_2")),
        Bad("did_not_approve_the_plan", who="team", ready=having(plan_by="team")),
        Bad("did_not_pass_it", who=staff("inspector_2", Role.INSPECTOR, Role.TEAM)),
        Bad("not_rechecked_yet", ready=first("team_2", "recheck")), Bad("bad_form", {"note": ""}), Bad("not_yours", who="inspector"),
        Bad("wrong_step", story=here(Step.SUPERVISE)),
    )),
    Row("warn", warning_due, "clock", Step.SELECT, (Bad("warning_is_due", ready=a_little_earlier),), form={"clock": "select"}),
    Row("overdue", select_due, "clock", Step.SELECT, (
        Bad("time_has_passed", ready=a_little_earlier),
        Bad("time_has_passed", {"clock": "supplement"}, story=supply_due),
    ), form={"clock": "select"}),
    Row("recompute", guessed, "clock", Step.SELECT, (Bad("something_is_provisional", story=here(Step.SELECT)),)),
)  # fmt: skip


def _title(row: Row) -> str:
    return f"{FLOW.moves[row.name].row}_{row.name}_by_{row.who}_to_{row.to}"


@pytest.mark.parametrize("row", ROWS, ids=_title)
def test_the_row_is_walked_by_the_right_people(row: Row) -> None:
    story = row.story()
    before, version = story.issue.step, story.issue.version
    row.try_it(story)
    assert story.issue.step is row.to
    assert story.issue.version > version
    leads_to = FLOW.moves[row.name].to
    follows = story.trail[-1].move not in (row.name, "grant")
    assert row.to in leads_to or follows or (row.to is before and (not leads_to or row.name == "withdraw"))


@pytest.mark.parametrize(
    ("row", "bad"), [pytest.param(row, bad, id=f"{_title(row)}-{bad.code}") for row in ROWS for bad in row.bad]
)
def test_with_one_thing_wrong_it_is_refused_for_that_reason(row: Row, bad: Bad) -> None:
    row.try_it(row.story())
    story = (bad.story or row.story)()
    if bad.ready is not None:
        bad.ready(story)
    before = story.issue
    with pytest.raises(Refused) as caught:
        row.try_it(story, bad)
    assert caught.value.code == bad.code
    assert caught.value.status == STATUS.get(bad.code, 422)
    assert caught.value.zh and caught.value.en and "{" not in caught.value.zh + caught.value.en
    if bad.answer is None:
        assert story.issue is before


def _all_guards() -> dict[str, int]:
    moves = FLOW.moves.values()
    guards = [g for m in moves for g in (*m.duties, *m.agains, *m.guards, *(d for s in m.asks_of for d in s.duties))]
    return {guard.code: guard.status for guard in guards}


STATUS = _all_guards() | {
    "not_yours": 403, "declared_conflict": 403, "wrong_step": 409, "open_request": 409, "bad_form": 422,
}  # fmt: skip


def test_every_row_has_an_example_accepted_and_one_refused() -> None:
    assert {row.name for row in ROWS} == set(FLOW.moves)
    assert all(row.bad for row in ROWS)


def test_every_condition_of_every_row_has_an_example_refused_by_it() -> None:
    wanted = {(m.name, g.code) for m in FLOW.moves.values() for g in (*m.duties, *m.agains, *m.guards)}
    shown = {(row.name, bad.code) for row in ROWS for bad in row.bad}
    assert wanted <= shown, sorted(wanted - shown)


def test_every_state_is_stood_at_and_left_or_is_an_end() -> None:
    stood = {row.story().issue.step for row in ROWS if row.name != "submit"}
    reached = {row.to for row in ROWS}
    assert stood | reached == set(Step)
    assert stood >= set(Step) - set(ENDS)
