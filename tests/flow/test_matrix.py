"""matrix.txt, written by hand from the rules, held against the flow: every persona, state and move."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from liuti.flow.kernel import CLOCK, Refused
from liuti.flow.table import FLOW
from liuti.flow.words import ENDS, OPEN, Clock, Lane, Role, Step
from tests.flow.cast import (
    ASSIST,
    GUESSING,
    LEAD,
    Doc,
    Story,
    accepted,
    at,
    explained,
    good,
    is_end,
    merged,
    rated_badly,
    redone_twice,
    submitted,
    to_solve,
    under_appeal,
    voted,
)

NEW = "new"
PERSONAS = (
    "stranger", "proposer", "voice", "grid_worker", "intake", "analyst", "panel", "gate", "leader", "its_leader",
    "principal", "officer_lead", "head_lead", "officer_assist", "head_assist", "officer_other", "head_other",
    "inspector", "inspector_same_unit", "team", "caller", "clock", "sysadmin", "secadmin", "auditadmin",
)  # fmt: skip
STATES = (NEW, *Step)
# Not refused for who one is or where the issue stands: these two codes of 409 are about the state, the others about
# doing the same thing again.
WRONG_PLACE = frozenset({"wrong_step", "no_open_request"})


@dataclass
class Cell:
    """What matrix.txt says of one move at one state."""

    personas: set[str] = field(default_factory=set)
    lines: list[tuple[int, set[str], set[str]]] = field(default_factory=list)
    """Number, personas and steps led to, for each line that speaks of it."""


def read_matrix() -> dict[tuple[str, str], Cell]:
    groups = {"any": [*OPEN, *ENDS], "open": list(OPEN)}
    cells: dict[tuple[str, str], Cell] = defaultdict(Cell)
    text = Path(__file__).with_name("matrix.txt").read_text("utf-8")
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        move, states, who, to, _row = (part.strip() for part in line.split("|"))
        personas, steps = _names(who), _names(to)
        assert personas <= set(PERSONAS), (number, personas)
        assert steps <= {"same", *Step}, (number, steps)
        for state in (one for name in _names(states) for one in groups.get(name, [name])):
            assert state in STATES, (number, state)
            cell = cells[move, str(state)]
            cell.personas |= personas
            cell.lines.append((number, personas, steps))
    return dict(cells)


def _names(text: str) -> set[str]:
    return {name.strip() for name in text.split(",") if name.strip()}


MATRIX = read_matrix()
MOVES = (*FLOW.moves, "grant", "deny")


# -- what each move is tried on ------------------------------------------------------------------------------------


@dataclass
class Try:
    """A story that stands at the state, the form to try, and the version of the persona who is ready for it."""

    story: Story
    form: Doc | None = None
    follow: bool = False


def tries(move: str, state: str) -> Iterator[Try]:
    """One plain attempt in each lane, and those in which everything else is as the move needs it."""
    if state == NEW:
        yield Try(Story())
        return
    step = Step(state)
    for lane in Lane:
        yield Try(at(step, lane))
    if (move, state) in MATRIX:
        yield from READY.get(move, _nothing_more)(step)


def _nothing_more(_step: Step) -> Iterator[Try]:
    return iter(())


def _form(story: Story, move: str, **changes: object) -> Try:
    return Try(story, good(story, move) | changes)


def _withdraw(step: Step) -> Iterator[Try]:
    if step is Step.PROPOSE:
        yield Try(submitted(voices=1))
    elif step is Step.SUPPLEMENT:
        alone = submitted(voices=1)
        alone.act("intake_2", "ask_supplement")
        yield Try(alone)
    else:
        alone = accepted(submitted(voices=1))
        if step is not Step.SELECT:
            voted(alone).act("panel_1", "publish")
        if step is Step.SOLVE:
            alone.act("its_leader", "claim")
        yield Try(alone)


def _lapse(_step: Step) -> Iterator[Try]:
    for voices in (1, 2):
        story = submitted(voices)
        story.act("intake_2", "ask_supplement")
        yield Try(story.until(story.timer(Clock.SUPPLEMENT).due, strike=False))


def _reject(step: Step) -> Iterator[Try]:
    yield _form(at(step), "reject", route="settled", earlier="i-0")


def _merge(step: Step) -> Iterator[Try]:
    story = at(step)
    story.lead = merged(submitted()).lead
    yield Try(story)


def _unmerge(_step: Step) -> Iterator[Try]:
    yield Try(merged(submitted()))
    yield Try(merged(accepted(submitted())))


def _publish(_step: Step) -> Iterator[Try]:
    yield Try(voted(at(Step.SELECT)))


def _designate(_step: Step) -> Iterator[Try]:
    story = at(Step.CLAIM)
    yield Try(story.until(story.timer(Clock.CLAIM).due).wait(minutes=1))


def _handover(_step: Step) -> Iterator[Try]:
    story = at(Step.SOLVE)
    story.act("its_leader", "declare_conflict")
    yield Try(story)


def _approve_plan(_step: Step) -> Iterator[Try]:
    story = at(Step.CLAIM)
    story.act("its_leader", "claim")
    yield Try(story)


def _submit_result(_step: Step) -> Iterator[Try]:
    yield Try(at(Step.SOLVE, Lane.DIRECT))


def _resume(step: Step) -> Iterator[Try]:
    yield Try(at(step).until(at(step).timer(Clock.HOLD).due, strike=False))


def _pass_check(_step: Step) -> Iterator[Try]:
    story = to_solve(Lane.DIRECT, submitted(kind="consult"))
    story.act("head_lead", "submit_result", follow=False)
    yield Try(story, {"method": "rule"})


def _rate(step: Step) -> Iterator[Try]:
    story = at(step)
    for voice in story.voices:
        yield _form(story, "rate", voice=voice)


def _redo(_step: Step) -> Iterator[Try]:
    yield Try(rated_badly(at(Step.EVALUATE), follow=False))


def _escalate(_step: Step) -> Iterator[Try]:
    yield Try(rated_badly(redone_twice(at(Step.EVALUATE)), follow=False))


def _close(_step: Step) -> Iterator[Try]:
    story = at(Step.EVALUATE)
    yield Try(story.until(story.timer(Clock.EVALUATE).due, strike=False))


def _appeal(step: Step) -> Iterator[Try]:
    if step is not Step.SOLVE:
        return
    for unit, heads in ((LEAD, "head_lead"), (ASSIST, "head_assist")):
        story = at(Step.SOLVE)
        story.act(heads, "send_back")
        story.answer("inspector_2", "deny")
        assert story.issue.assignment(unit) is not None
        yield Try(story)


def _reopen(step: Step) -> Iterator[Try]:
    stories = [at(step)]
    if step is Step.CLOSED:
        stories.append(explained(accepted(submitted())))
    for story in stories:
        yield Try(story)
        yield _form(story, "reopen", ground="same_matter", issue="i-9")


def _recheck(step: Step) -> Iterator[Try]:
    story = at(Step.EVALUATE)
    yield Try(story.wait(days=16) if step is Step.CLOSED else story)


def _urge(step: Step) -> Iterator[Try]:
    story = _ordered(step)
    story.until(story.timer(Clock.ORDER).due, strike=False)
    story.act(CLOCK, "overdue", {"clock": "order"})
    rung = story.timer(Clock.ORDER).next
    assert rung is not None
    yield Try(story.until(rung, strike=False), {"clock": "order"})


def _ordered(step: Step) -> Story:
    """With a clock that runs at every open step: somebody has to answer an order."""
    story = at(step)
    story.act("inspector_2", "order", {"to": "role:intake", "text": "请书面说明。"})
    return story


def _respond(step: Step) -> Iterator[Try]:
    late = ["role:intake", "role:panel"]
    if step in (Step.SOLVE, Step.SUSPENDED, Step.SUPERVISE, Step.EVALUATE):
        late += [f"unit:{LEAD}", f"unit:{ASSIST}", "person:its_leader"]
    for lane in Lane:
        story = at(step, lane)
        for to in late:
            story.act("inspector_2", "order", {"to": to, "text": "请书面说明。"})
        yield Try(story)


def _settle(step: Step) -> Iterator[Try]:
    story = _ordered(step)
    story.act("intake_2", "respond")
    yield Try(story)


def _reclassify(step: Step) -> Iterator[Try]:
    story = at(step)
    yield Try(story, {"urgency": "urgent", "reason": "有人受伤。", "unit": LEAD}, follow=True)


def _timed(step: Step) -> tuple[Story, Clock]:
    return (under_appeal(step), Clock.APPEAL) if is_end(step) else (_ordered(step), Clock.ORDER)


def _warn(step: Step) -> Iterator[Try]:
    story, clock = _timed(step)
    moment = story.timer(clock).next
    assert moment is not None
    yield Try(story.until(moment, strike=False), {"clock": clock})


def _overdue(step: Step) -> Iterator[Try]:
    story, clock = _timed(step)
    yield Try(story.until(story.timer(clock).due, strike=False), {"clock": clock})


def _recompute(step: Step) -> Iterator[Try]:
    yield Try(under_appeal(step, world=GUESSING))


def _grant(step: Step) -> Iterator[Try]:
    yield Try(under_appeal(step), follow=True)
    for ask in ASKED.get(step, ()):
        story = ask()
        assert story.issue.step is step
        yield Try(story, {"request": story.issue.asks[-1].id, "reason": "情况属实。"}, follow=True)


def _asked(step: Step, who: str, move: str, *, lane: Lane = Lane.TOPIC, **changes: object) -> Callable[[], Story]:
    def story() -> Story:
        made = at(step, lane)
        made.act(who, move, good(made, move) | changes)
        return made

    return story


def _result_asked() -> Story:
    story = at(Step.SOLVE, Lane.DIRECT)
    story.act("officer_lead", "submit_result")
    return story


def _second_extension_asked() -> Story:
    story = at(Step.SOLVE)
    story.act("head_lead", "extend")
    story.answer("inspector_2")
    story.act("head_lead", "extend")
    return story


def _unit_appeals(on: Callable[[Story], Story]) -> Callable[[], Story]:
    """A unit appealed against a ruling; meanwhile the issue went on."""

    def story() -> Story:
        made = at(Step.SOLVE, Lane.DIRECT)
        made.act("head_assist", "send_back")
        made.answer("intake_2", "deny")
        made.act("head_assist", "appeal")
        return on(made)

    return story


def _explained_under_appeal() -> Story:
    story = explained(accepted(submitted()))
    story.act("proposer", "appeal")
    return story


def _terminated_under_appeal() -> Story:
    story = at(Step.CLOSED)
    story.act("proposer", "appeal")
    return story


ASKED: dict[Step, tuple[Callable[[], Story], ...]] = {
    Step.PROPOSE: (_asked(Step.PROPOSE, "intake_2", "reject", route="settled", earlier="i-0"),),
    Step.SELECT: (_asked(Step.SELECT, "panel_1", "explain"), _asked(Step.SELECT, "panel_1", "adjust")),
    Step.CLAIM: (_asked(Step.CLAIM, "panel_1", "recall"),),
    Step.SOLVE: (
        *(
            _asked(Step.SOLVE, who, move, lane=lane)
            for lane in Lane
            for who, move in (
                ("officer_lead", "send_back"), ("officer_assist", "send_back"), ("head_lead", "send_back"),
                ("head_assist", "send_back"), ("officer_lead", "extend"), ("head_lead", "extend"),
                ("officer_lead", "terminate"), ("head_lead", "terminate"), ("its_leader", "suspend"),
                ("its_leader", "handover"),
            )
        ),
        _asked(Step.SOLVE, "officer_lead", "milestone", waive=True, reason="不再需要。"),
        _result_asked, _second_extension_asked, _unit_appeals(lambda story: story),
    ),
    Step.SUSPENDED: (_asked(Step.SUSPENDED, "its_leader", "suspend"),),
    Step.EVALUATE: (
        _asked(Step.EVALUATE, "officer_lead", "exclude"),
        _asked(Step.EVALUATE, "officer_assist", "exclude", code="malicious"),
    ),
    Step.CLOSED: (
        _asked(Step.CLOSED, "officer_lead", "exclude"), _asked(Step.CLOSED, "officer_lead", "exclude", code="malicious"),
        _explained_under_appeal, _terminated_under_appeal,
    ),
}  # fmt: skip

READY: dict[str, Callable[[Step], Iterator[Try]]] = {
    "withdraw": _withdraw, "lapse": _lapse, "reject": _reject, "merge": _merge, "unmerge": _unmerge, "publish": _publish,
    "designate": _designate, "handover": _handover, "approve_plan": _approve_plan, "submit_result": _submit_result,
    "resume": _resume, "pass_check": _pass_check, "rate": _rate, "redo": _redo, "escalate": _escalate, "close": _close,
    "appeal": _appeal, "reopen": _reopen, "recheck": _recheck, "urge": _urge, "respond": _respond, "settle": _settle,
    "reclassify": _reclassify, "warn": _warn, "overdue": _overdue, "grant": _grant, "recompute": _recompute, "deny": _grant,
}  # fmt: skip


# -- the comparison ------------------------------------------------------------------------------------------------


@dataclass
class Answer:
    """What the flow says to one persona: whether it is let in, and where the issue stood after each act accepted."""

    admitted: bool = False
    led_to: set[str] = field(default_factory=set)
    refusals: set[str] = field(default_factory=set)


def ask_the_flow(move: str, state: str) -> dict[str, Answer]:
    attempts = list(tries(move, state))
    return {persona: _try_all(attempts, persona, move) for persona in PERSONAS if not _nobody_there(persona, state)}


def _nobody_there(persona: str, state: str) -> bool:
    return state == NEW and persona in ("proposer", "voice")


def _try_all(attempts: list[Try], persona: str, move: str) -> Answer:
    answer = Answer()
    for attempt in attempts:
        story = attempt.story.copy()
        if persona == "inspector_same_unit" and not story.issue.lead_unit and story.issue.closing is not None:
            continue  # closed (explained) never had a unit, so nobody is of it (matrix.txt, c)
        before = story.issue.step
        form = attempt.form
        if move == "rate" and form is not None and persona != "caller":
            form = {key: value for key, value in form.items() if key != "voice"}
        try:
            story.act(persona, move, form, follow=attempt.follow)
        except Refused as refused:
            answer.refusals.add(f"{refused.status} {refused.code}")
            answer.admitted |= refused.status not in (401, 403) and refused.code not in WRONG_PLACE
        else:
            answer.admitted = True
            answer.led_to.add("same" if story.issue.step is before and story.issue.version > 1 else story.issue.step)
    return answer


@pytest.mark.parametrize("state", STATES)
def test_the_flow_admits_whom_the_matrix_admits_and_nobody_else(state: str) -> None:
    wrong = []
    for move in MOVES:
        allowed = MATRIX.get((move, state), Cell()).personas
        for persona, answer in ask_the_flow(move, state).items():
            if answer.admitted != (persona in allowed):
                wrong.append(f"{move} at {state} by {persona}: flow {answer}, matrix {persona in allowed}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("state", STATES)
def test_each_act_leads_where_the_matrix_says_and_each_way_it_names_is_gone(state: str) -> None:
    wrong = []
    for move, at_state in MATRIX:
        if at_state != state:
            continue
        answers, cell = ask_the_flow(move, state), MATRIX[move, state]
        for persona, answer in answers.items():
            may = {to for _, personas, steps in cell.lines if persona in personas for to in steps}
            if not answer.led_to <= may:
                wrong.append(f"{move} at {state} by {persona} led to {answer.led_to}, matrix {may}")
        for number, personas, steps in cell.lines:
            gone = {to for p in personas for to in answers[p].led_to if p in answers}
            if not _needed(move, state, steps) <= gone:
                wrong.append(f"line {number}: {move} at {state} led to {gone} only")
    assert not wrong, "\n".join(wrong)


def _needed(move: str, state: str, steps: set[str]) -> set[str]:
    """An appeal upheld may carry row 44 out or leave it to a reopening: the matrix accepts either."""
    if move == "grant" and state in ENDED_TO_REOPEN:
        return steps - {"same"}
    return steps


ENDED_TO_REOPEN = frozenset({Step.CLOSED, Step.REJECTED})


def test_every_persona_state_and_move_is_spoken_of() -> None:
    assert {move for move, _ in MATRIX} == set(MOVES)
    assert {state for _, state in MATRIX} == set(STATES)
    assert {persona for cell in MATRIX.values() for persona in cell.personas} == set(PERSONAS) - {
        "sysadmin", "secadmin", "auditadmin",
    }  # fmt: skip


def test_the_numbers_of_the_rows_are_those_of_the_flow() -> None:
    text = Path(__file__).with_name("matrix.txt").read_text("utf-8")
    rows = {
        line.split("|")[0].strip(): line.split("|")[4].strip()
        for line in text.splitlines()
        if line.count("|") == 4 and line[0] != "#"
    }
    assert rows == {name: str(move.row) for name, move in FLOW.moves.items()} | {"grant": "two", "deny": "two"}


def test_the_acts_of_time_have_the_clock_for_their_only_actor() -> None:
    of_time = {name for name, move in FLOW.moves.items() if move.by == (Role.CLOCK,)}
    assert of_time == {"lapse", "redo", "escalate", "close", "warn", "overdue", "recompute"}
