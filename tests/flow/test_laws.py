"""Anyone tries anything, in any order, at any time: what holds of an issue whatever happens to it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import json
from msgspec.structs import replace as altered

from liuti.flow import clocks
from liuti.flow.issue import Issue, Timer
from liuti.flow.kernel import Actor, Decision, Refused
from liuti.flow.table import FLOW
from liuti.flow.words import CLOCK_STEP, ENDS, OPEN, Clock, Kind, Lane, Role, Step, Urgency
from tests.flow.cast import (
    ASSIST,
    GUESSING,
    LEAD,
    OTHER,
    PEOPLE,
    RIGHT,
    WORLD,
    Doc,
    Story,
    accepted,
    at,
    dispatched,
    explained,
    good,
    redone_twice,
    submitted,
    to_solve,
    under_appeal,
)

calm = settings(
    max_examples=150, deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)
ACTORS = ("stranger", "proposer", "voice", "clock", *PEOPLE)
MOVES = (*FLOW.moves, "grant", "deny")
WAITS = (
    *[timedelta()] * 4, *[timedelta(minutes=7)] * 4, timedelta(hours=1), timedelta(hours=3), timedelta(days=1, hours=5),
    timedelta(days=6), timedelta(days=33),
)  # fmt: skip
ADDRESS = re.compile(r"voices|(voice|person|unit|role):[A-Za-z0-9._-]+")

# Which clock an issue is waited for by: nothing stands still unwatched.
WATCH = {
    Step.PROPOSE: {Clock.INTAKE}, Step.SUPPLEMENT: {Clock.SUPPLEMENT}, Step.SELECT: {Clock.SELECT},
    Step.CLAIM: {Clock.CLAIM}, Step.SOLVE: {Clock.PLAN, Clock.SOLVE, Clock.REDO}, Step.SUSPENDED: {Clock.HOLD},
    Step.SUPERVISE: {Clock.REVIEW}, Step.EVALUATE: {Clock.EVALUATE},
}  # fmt: skip
DECODE = json.Decoder(Issue)


# -- where they begin, and what they try ---------------------------------------------------------------------------


@cache
def beginnings() -> tuple[Story, ...]:
    """Every state in both lanes, and some that are reached only by a longer way."""
    stories = [at(step, lane) for step in Step for lane in Lane]
    stories += [under_appeal(step) for step in (Step.SELECT, Step.SOLVE, Step.CLOSED, Step.REJECTED, Step.MERGED)]
    stories += [redone_twice(at(Step.EVALUATE)), explained(accepted(submitted()))]
    stories += [dispatched(submitted(kind="consult")), dispatched(submitted(danger=True), urgency="urgent")]
    tip_off = submitted(voices=1, kind="tip_off", against=OTHER)
    stories += [tip_off, dispatched(tip_off.copy())]
    stories += [to_solve(Lane.DIRECT, submitted(wants_contact=False)), submitted(voices=6)]
    stories.append(_guessed())
    for story in stories:
        if story.lead is None:
            story.lead = altered(at(Step.SELECT).issue, id="i-2")
    return tuple(stories)


def _guessed() -> Story:
    story = submitted()
    story.world = GUESSING
    dispatched(story)
    story.world = WORLD
    return story


def more_forms(story: Story, move: str) -> list[Doc]:
    """Other ways to fill in the form, some of them wrong."""
    reason = {"reason": "经会议研究,情况有变,需要重新安排办理。"}
    clocks_named: list[Doc] = [{"clock": clock.value} for clock in story.running()]
    forms: dict[str, list[Doc]] = {
        "submit": [{"danger": True}, {"kind": "consult"}, {"text": ""}],
        "reject": [{"route": "settled", "earlier": "i-0"}, {"route": "nowhere"}],
        "accept_topic": [{"urgency": "urgent"}, {"category": "lighting", "livelihood": True}],
        "accept_direct": [{"urgency": "urgent"}, {"urgency": "basic", "unit": RIGHT}, {"unit": OTHER}, {"unit": "u-none"}],
        "divert": [{"unit": RIGHT}, {"unit": "u-none"}],
        "reclassify": [
            {"urgency": "urgent", "unit": LEAD}, {"urgency": "basic"}, {"urgency": "complex"}, {"kind": "tip_off", "unit": RIGHT},
            {"kind": "consult"}, {"livelihood": True}, {"category": "lighting"},
        ],
        "reserve": [{"next_round": story.day(3)}, {"next_round": story.day(31)}],
        "sign_gate": [{"agree": False, "comment": "再议"}],
        "vote": [{"yes": False}],
        "publish": [{"recommended": False}],
        "claim": [{"lead_unit": RIGHT}, {"date": story.day(-1)}],
        "handover": [{"leader": "leader_right"}],
        "approve_plan": [{"lead_unit": ASSIST, "assisting": [LEAD, RIGHT]}, {"due": story.day(60)}],
        "contact": [{"reached": False}, {"at": (story.now - timedelta(hours=1)).isoformat()}],
        "add_unit": [{"unit": ASSIST}, {"unit": OTHER}],
        "milestone": [{"waive": True, "reason": "不再需要"}, {"number": 2}],
        "send_back": [{"unit": ASSIST}, {"unit": LEAD}, {"unit": OTHER}],
        "extend": [{"until": story.day(1)}, {"until": story.day(25)}],
        "suspend": [{"review": story.day(90)}, {"review": story.day(7), "cause": "litigation"}],
        "terminate": [{"ground": "uncooperative"}],
        "submit_result": [{"word": "partly"}, {"word": "explained"}, {"evidence": ""}],
        "pass_check": [{"method": "documents"}, {"method": "rule"}],
        "rate": [
            {"level": 1, "reason": "没修", "solved": "no"}, {"level": 2}, {"level": 3, "solved": "partly"},
            {"voice": story.issue.proposer}, {"voice": story.issue.proposer, "outcome": "no_answer", "level": None},
        ],
        "reopen": [{"ground": "same_matter", "issue": "i-9"}, {"ground": "appeal"}],
        "exclude": [{"code": "malicious"}],
        "order": [{"to": "role:panel"}, {"to": "role:intake"}, {"to": "person:its_leader"}, {"to": "", "draft": 1}],
        "settle": [{"order": 2}, {"order": 3}],
        "urge": clocks_named, "warn": clocks_named, "overdue": clocks_named,
    }  # fmt: skip
    plain = good(story, move)
    if move in ("grant", "deny"):
        asked: list[Doc] = [{"request": ask.id} for ask in story.issue.asks[-3:]]
        return [*asked, *({**one, "unit": unit} | reason for one in asked for unit in (RIGHT, LEAD, "u-none")), {}]
    return [plain, *(plain | changes for changes in forms.get(move, []))]


Attempt = tuple[int, int, int, int, bool]
attempts = st.lists(
    st.tuples(
        st.integers(0, len(ACTORS) - 1), st.integers(0, 10**6), st.integers(0, 30), st.integers(0, len(WAITS) - 1), st.booleans()
    ),
    min_size=15,
    max_size=45,
)  # fmt: skip


# What is always open to somebody; taken seldom, or the days would go by with nothing else.
RARE = frozenset({"cosign", "attach", "urge", "order", "declare_conflict", "reclassify", "progress", "withdraw"})


def choose(story: Story, who: int, number: int) -> tuple[str, str]:
    """Who tries what: mostly a move that is open to one of a few people picked at random, now and then anything."""
    if number % 6 == 0:
        return ACTORS[who], MOVES[number // 6 % len(MOVES)]
    few = [ACTORS[(who + 7 * n) % len(ACTORS)] for n in range(9)]
    offered = [(one, move) for one in few for move in FLOW.open_to(story.issue, story.who(one), story.world, story.now)]
    likely = [pair for pair in offered if pair[1] not in RARE]
    chosen = likely if likely and number % 8 else offered
    return chosen[number // 24 % len(chosen)] if chosen else (few[0], MOVES[number % len(MOVES)])


class Watched(Story):
    """A story that holds every decision against the laws, and keeps time on every clock by itself."""

    ran: tuple[timedelta, ...] = ()

    @classmethod
    def of(cls, story: Story) -> Watched:
        watched = cls(**{name: getattr(story.copy(), name) for name in story.__dataclass_fields__})
        watched.ran = tuple(clocks.elapsed(t, watched.now) for t in watched.issue.timers)
        return watched

    def until(self, at: datetime, *, strike: bool = True) -> Story:
        self._pass_time(at)
        if strike:
            self.strike()
        return self

    def _pass_time(self, at: datetime) -> None:
        gone = at - self.now
        self.ran = tuple(ran + gone if t.running else ran for ran, t in zip(self.ran, self.issue.timers, strict=True))
        self.now = at

    def _decide(self, issue: Issue, actor: Actor, move: str, form: object) -> Decision:
        before, lead = json.encode(issue), json.encode(self.lead)
        offered = FLOW.open_to(issue, actor, self.world, self.now)
        try:
            decision = super()._decide(issue, actor, move, form)  # type: ignore[arg-type]
        finally:
            assert json.encode(issue) == before, "decide changed what it was given"
            assert json.encode(self.lead) == lead, "decide changed the lead it was given"
        assert move in offered, f"{move} was accepted though it was not offered"
        assert decision.issue.version == issue.version + 1
        assert decision.at == self.now
        self._keep_time(issue, decision.issue)
        lawful(decision.issue, self.now)
        only_grows(issue, decision.issue)
        for letter in decision.letters:
            assert ADDRESS.fullmatch(letter.to), letter
        if decision.other is not None and self.lead is not None:
            assert decision.other.issue.version == self.lead.version + 1
        return decision

    def _keep_time(self, before: Issue, after: Issue) -> None:
        """A clock that ran and was given a pause got back exactly that; one that begins has run for no time."""
        ran = list(self.ran)
        for n, (old, new) in enumerate(zip(before.timers, after.timers, strict=False)):
            assert (old.clock, old.unit, old.started) == (new.clock, new.unit, new.started)
            if old.running and new.running and new.pauses != old.pauses:
                ((since, until),) = new.pauses[len(old.pauses) :]
                assert until == self.now
                ran[n] -= until - since
        ran += [timedelta()] * (len(after.timers) - len(ran))
        for timer, own in zip(after.timers, ran, strict=True):
            assert clocks.elapsed(timer, self.now) == own >= timedelta(), (timer, own)
        self.ran = tuple(ran)


# -- the laws ------------------------------------------------------------------------------------------------------


def lawful(issue: Issue, now: datetime) -> None:
    """What holds of every issue at every version."""
    assert DECODE.decode(json.encode(issue)) == issue
    step = issue.step
    assert (issue.ended is not None) == (step in ENDS)
    assert issue.is_open == (step in OPEN)
    assert (issue.closing is not None) == (step is Step.CLOSED)
    assert bool(issue.refusal) == (step is Step.REJECTED)
    assert bool(issue.lead) == (step is Step.MERGED) == (issue.merged_at is not None)
    assert (issue.suspended_from is not None) == (step is Step.SUSPENDED)
    _lanes_are_kept(issue)
    _units_are_clear(issue)
    _requests_are_clear(issue)
    _clocks_are_clear(issue, now)
    verdict = issue.verdict
    assert 0 <= verdict.bad <= verdict.rated <= verdict.invited
    assert issue.redos <= 2 and issue.reserves <= 2 and issue.extensions <= 2
    assert len({(v.person, v.round) for v in issue.votes}) == len(issue.votes)
    assert [s.gate for s in issue.signatures] == list(range(1, len(issue.signatures) + 1))
    assert len({s.person for s in issue.signatures}) == len(issue.signatures)


def _lanes_are_kept(issue: Issue) -> None:
    step = issue.step
    if step in (Step.PROPOSE, Step.SUPPLEMENT, Step.SELECT, Step.CLAIM):
        assert not issue.leader and not issue.assignments
    if step in (Step.PROPOSE, Step.SUPPLEMENT, Step.REJECTED):
        assert issue.lane is None
    if step in (Step.SELECT, Step.CLAIM):
        assert issue.lane is Lane.TOPIC
    if step in (Step.SOLVE, Step.SUSPENDED, Step.SUPERVISE, Step.EVALUATE):
        assert issue.lane is not None and issue.lead_unit
    if issue.lane is Lane.DIRECT:
        assert not issue.plan_by and not issue.milestones
    if issue.kind is Kind.TIP_OFF:
        assert issue.anonymous and issue.voices == 1


def _units_are_clear(issue: Issue) -> None:
    at_work = [a.unit for a in issue.assignments if a.active]
    assert len(set(at_work)) == len(at_work)
    leads = [a.unit for a in issue.assignments if a.active and a.lead]
    planned = issue.lane is Lane.DIRECT or bool(issue.plan_by)
    assert leads == ([issue.lead_unit] if planned and issue.lead_unit else [])
    assert not issue.against or issue.against not in at_work


def _requests_are_clear(issue: Issue) -> None:
    assert [ask.id for ask in issue.asks] == list(range(1, len(issue.asks) + 1))
    for ask in issue.asks:
        assert len(set(ask.signed_by)) == len(ask.signed_by) or ask.outcome == "lapsed"
        assert bool(ask.outcome) == (ask.ended is not None)
    for ask in issue.open_asks():
        move = FLOW.moves[ask.move]
        assert issue.step in move.at or move.stays


def _clocks_are_clear(issue: Issue, now: datetime) -> None:
    going = [(t.clock, t.unit) for t in issue.timers if t.stopped is None]
    assert len(set(going)) == len(going), going
    for timer in issue.timers:
        _one_clock_is_clear(timer, issue.step, now)
    running = {t.clock for t in issue.timers if t.running}
    if issue.step in WATCH:
        assert running & WATCH[issue.step], (issue.step, running)
    if issue.step in ENDS:
        assert running <= {Clock.APPEAL}
        assert issue.step is Step.MERGED or all(t.paused is None for t in issue.timers)
    assert [t.clock for t in issue.timers].count(Clock.OVERALL) == 1, "OVERALL begins once"
    assert issue.due_at == min((t.next for t in issue.timers if t.running and t.next is not None), default=None)
    assert _tags(issue, Clock.RULING) == {str(a.id) for a in issue.open_asks() if a.awaits[0] == "ruling"}
    assert _tags(issue, Clock.APPEAL) == {str(a.id) for a in issue.open_asks() if a.awaits[0] == "team"}
    if issue.is_open:
        waiting = {str(o.id) for o in issue.orders if o.signed is not None and o.responded is None}
        assert _tags(issue, Clock.ORDER) <= waiting
    overall, solve = issue.timer(Clock.OVERALL), issue.timer(Clock.SOLVE)
    if issue.lane is Lane.DIRECT and overall is not None and solve is not None:
        assert overall.due == solve.due


def _tags(issue: Issue, clock: Clock) -> set[str]:
    return {t.unit for t in issue.timers if t.clock is clock and t.stopped is None}


def _one_clock_is_clear(timer: Timer, step: Step, now: datetime) -> None:
    assert timer.paused is None or timer.stopped is None
    if timer.stopped is not None:
        assert timer.next is None
    moments = [timer.started, *(at for pause in timer.pauses for at in pause), timer.stopped or timer.paused or now]
    assert moments == sorted(moments), moments
    home = CLOCK_STEP.get(timer.clock)
    assert not timer.running or home is None or home is step, (timer.clock, step)
    assert not timer.red or timer.struck is not None
    if timer.running and step in OPEN and not timer.red:
        assert timer.next is not None and timer.next <= max(timer.due, now), timer


def only_grows(before: Issue, after: Issue) -> None:
    """What is on record stays there."""
    assert len(after.timers) >= len(before.timers)
    for old, new in zip(before.timers, after.timers, strict=False):
        assert old.struck is None or new.struck == old.struck, "was_overdue stays for good"
        assert new.extended >= old.extended
    assert len(after.asks) >= len(before.asks)
    for asked, ask in zip(before.asks, after.asks, strict=False):
        assert (asked.move, asked.form, asked.by, asked.at) == (ask.move, ask.form, ask.by, ask.at)
        assert not asked.outcome or ask == asked
    assert set(before.took_part) <= set(after.took_part)
    assert set(before.conflicts) <= set(after.conflicts)
    assert after.votes[: len(before.votes)] == before.votes
    assert len(after.orders) >= len(before.orders)
    assert after.danger >= before.danger
    assert (after.id, after.submitted, after.source) == (
        before.id,
        before.submitted,
        before.source,
    ) or not before.version


def walk(story: Watched, steps: list[Attempt]) -> Iterator[str]:
    for who, number, variant, wait, strike in steps:
        story.until(story.now + WAITS[wait], strike=strike)
        actor, move = choose(story, who, number)
        forms = more_forms(story, move)
        form = {"nonsense": 1} if variant == 30 else forms[0] if variant < 6 else forms[variant % len(forms)]
        yield _one(story, actor, move, form)


def _one(story: Watched, actor: str, move: str, form: Doc) -> str:
    """What came of it: the name of the move made, or the code of the refusal."""
    before = story.issue
    try:
        story.act(actor, move, form)
    except Refused as refusal:
        said = refusal
    else:
        grave = story.issue.kind is Kind.TIP_OFF or story.issue.urgency is Urgency.URGENT
        assert not grave or story.issue.step not in (Step.SELECT, Step.CLAIM), "danger and tip-offs never queue"
        return move
    assert story.issue is before
    assert said.status in (401, 403, 404, 409, 412, 422)
    assert said.zh and said.en
    return f"{said.status} {said.code}"


@calm
@given(st.integers(0, len(beginnings()) - 1), attempts)
def test_whatever_anyone_tries_at_any_time_the_issue_stays_lawful(place: int, steps: list[Attempt]) -> None:
    for _ in walk(Watched.of(beginnings()[place]), steps):
        pass


def test_every_beginning_is_lawful_itself() -> None:
    for story in beginnings():
        lawful(story.issue, story.now)


def test_what_is_due_strikes_and_then_the_clocks_stand_still_until_the_next_moment() -> None:
    """Time alone: no step is left waiting for ever, and every strike there is can be made."""
    for story in beginnings():
        alone = Watched.of(story)
        for _ in range(400):
            if alone.issue.due_at is None:
                break
            alone.until(max(alone.now, alone.issue.due_at))
        lawful(alone.issue, alone.now)
        assert alone.issue.due_at is None, alone.issue.step
        reds = {t.clock for t in alone.issue.timers if t.struck is not None}
        assert not reds & set(clocks.STRIKES), "these clocks act, they are never late"


def test_a_moment_in_another_zone_is_the_same_moment() -> None:
    story = submitted()
    assert story.issue.submitted is not None
    assert story.issue.submitted.tzinfo is UTC


def test_urgency_is_ordered_from_the_most_to_the_least_urgent() -> None:
    assert list(Urgency) == [Urgency.URGENT, Urgency.BASIC, Urgency.GENERAL, Urgency.COMPLEX]
    assert Role.CLOCK in Role
