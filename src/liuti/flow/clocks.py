"""The clocks: starting, pausing, resuming, extending, striking and climbing the ladder (docs/rules.md §5)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from liuti.flow.calendar import Calendar, Due, Span, Unit
from liuti.flow.issue import Issue, Timer, Urged
from liuti.flow.words import CLOCK_STEP, ENDS, HASTE, PAUSING, Clock, Kind, Lane, Step, Urgency

if TYPE_CHECKING:
    from liuti.flow.kernel import Case
    from liuti.policy import Policy


class World(Struct, frozen=True):
    """What the rules are judged by today: the policy in force and the working calendar."""

    policy: Policy
    calendar: Calendar


# Most clocks are struck by `overdue`; these three do one thing at their time and nothing else.
STRIKES = {Clock.SUPPLEMENT: "lapse", Clock.EVALUATE: "close", Clock.HOLD: "resume"}
# One timer for each unit dispatched.
_PER_UNIT = frozenset({Clock.SIGN, Clock.CONTACT})
# Their end may be a date somebody chose.
_DATED = frozenset({Clock.HOLD, Clock.SELECT, Clock.SOLVE})


def begin(case: Case, clock: Clock, unit: str = "") -> None:
    """Start the clock now; SIGN and CONTACT once for each unit just dispatched."""
    if clock in _PER_UNIT and not unit:
        for dispatched in case.dispatched:
            if clock is Clock.SIGN or (dispatched == case.issue.lead_unit and case.issue.wants_contact):
                _start(case, clock, dispatched)
    else:
        _start(case, clock, unit)


def _start(case: Case, clock: Clock, unit: str) -> None:
    issue, policy = case.issue, case.world.policy
    # One timer a clock and unit, or a strike could not say which of two it means (a unit may be dispatched again).
    for timer in issue.timers:
        if timer.clock is clock and timer.unit == unit and timer.stopped is None:
            swap(case, timer, _stopped(timer, case.now))
    due, length = _first_due(case, clock)
    warn = _warning(case.world, case.now, due.at, length)
    # By place: nearly every move starts a clock, and keywords cost half as much again.
    timer = Timer(clock, case.now, due.at, warn, length, unit, policy.version, due.provisional)
    issue.timers = (*issue.timers, timer)
    if clock is Clock.SOLVE and issue.lane is Lane.DIRECT:
        set_due(case, Clock.OVERALL, due.at)


def _first_due(case: Case, clock: Clock) -> tuple[Due, str]:
    policy, calendar, issue = case.world.policy, case.world.calendar, case.issue
    if case.until is not None and clock in _DATED:
        return Due(case.until, provisional=False), "until"
    consults = issue.kind is Kind.CONSULT and issue.urgency is not Urgency.URGENT
    if clock is Clock.SOLVE and consults and issue.lane is Lane.DIRECT:
        return _same_day(issue, case.now, case.world), "same_day"
    span = policy.span(clock, issue.urgency)
    return calendar.due(case.now, span), span.text


def _same_day(issue: Issue, started: datetime, world: World) -> Due:
    rule = world.policy.same_day
    return world.calendar.same_day(issue.submitted or started, rule.cutoff, rule.next_by)


def _warning(world: World, start: datetime, due: datetime, length: str) -> datetime:
    """When 75 % of the time is used; never after the due time."""
    unit: Unit = "wd" if length.endswith(("wd", "oh")) else "h"
    return world.calendar.fraction(start, due, world.policy.ladder.warn_at, unit)


def _change(issue: Issue, touch: Callable[[Timer], Timer]) -> None:
    issue.timers = tuple([touch(timer) for timer in issue.timers])


def stop(case: Case, clock: Clock, unit: str = "") -> None:
    """Stop the clock (of one unit, if named) if it runs or is paused."""
    for timer in case.issue.timers:
        if timer.clock is clock and timer.stopped is None and (not unit or timer.unit == unit):
            swap(case, timer, _stopped(timer, case.now))


def _stopped(timer: Timer, now: datetime) -> Timer:
    if timer.stopped is not None:
        return timer
    pauses = timer.pauses if timer.paused is None else (*timer.pauses, (timer.paused, now))
    return replace(timer, stopped=now, paused=None, pauses=pauses, next=None)


def leave(case: Case, came_from: Step, to: Step) -> None:
    """Keep the clocks' rules at a change of step: stop, pause or resume (docs/rules.md §4, clocks)."""
    now, world = case.now, case.world
    if to in PAUSING:
        keeps = Clock.ORDER if to is not Step.MERGED else None
        _change(case.issue, lambda t: t if t.clock in (Clock.APPEAL, keeps) else _paused(t, now))
    elif to in ENDS:
        _change(case.issue, lambda t: t if t.clock is Clock.APPEAL else _stopped(t, now))
    elif came_from in PAUSING:
        _change(
            case.issue, lambda t: _stopped(t, now) if CLOCK_STEP.get(t.clock) is came_from else _resumed(t, now, world)
        )
        _together(case)
    else:
        for timer in case.issue.timers:
            if timer.stopped is None and CLOCK_STEP.get(timer.clock) is came_from:
                swap(case, timer, _stopped(timer, now))
    if to in ENDS:
        _change(case.issue, lambda t: replace(t, next=None) if t.red and t.running else t)
    elif came_from in ENDS:
        late = (t for t in case.issue.timers if t.red and t.running and t.next is None)
        for timer in late:
            swap(case, timer, replace(timer, next=_next_moment(case, timer, now)))


def _paused(timer: Timer, now: datetime) -> Timer:
    return replace(timer, paused=now) if timer.running else timer


def _resumed(timer: Timer, now: datetime, world: World) -> Timer:
    if timer.paused is None or timer.stopped is not None:
        return timer
    return _shifted(timer, timer.paused, now, world)


def _shifted(timer: Timer, since: datetime, now: datetime, world: World) -> Timer:
    """Record [since, now] as a pause and give back the rest, measured in the clock's own unit."""
    calendar = world.calendar
    pauses = (*timer.pauses, (since, now))
    due = calendar.resume(now, calendar.rest(since, timer.due, _unit(timer)))
    moment, at = timer.next, due.at
    if timer.red or moment is None:
        shifted = None if moment is None else moment + (now - since)
    elif timer.warned or since >= timer.due:
        shifted = at
    else:
        left = (moment - since) / (timer.due - since)
        shifted = now + (at - now) * max(left, 0.0)
    provisional = timer.provisional or due.provisional
    return replace(timer, paused=None, stopped=None, pauses=pauses, due=at, next=shifted, provisional=provisional)


def _unit(timer: Timer) -> Unit:
    """The unit the rest is counted in; times fixed by a date count in calendar days."""
    if timer.length == "until":
        return "d"
    if timer.length == "same_day":
        return "oh"
    return Span.parse(timer.length).unit


def revive(case: Case, clock: Clock) -> None:
    """Let a stopped clock run on: the time since it stopped is a pause (a review that failed, an end undone)."""
    last = case.issue.latest(clock)
    if last is None or last.stopped is None:
        return
    since, rested = last.stopped, last
    if last.pauses and last.pauses[-1][1] == last.stopped:  # it was paused when it stopped: one pause, from there
        since, rested = last.pauses[-1][0], replace(last, pauses=last.pauses[:-1])
    again = _shifted(rested, since, case.now, case.world)
    if again.next is None and not (again.red or again.warned):
        paused = sum((until - since for since, until in again.pauses), timedelta())
        warn = _warning(case.world, again.started + paused, again.due, again.length)
        again = replace(again, next=max(case.now, warn))
    elif again.next is None:
        again = replace(again, next=_next_moment(case, again, case.now))
    _change(case.issue, lambda t: again if t is last else t)
    _together(case)


def credit(case: Case, clock: Clock, since: datetime) -> None:
    """Give back the time since `since` on a running clock (a send-back that was upheld)."""
    timer = case.issue.timer(clock)
    if timer is not None:
        since = max(since, timer.started)
        _change(case.issue, lambda t: _shifted(t, since, case.now, case.world) if t is timer else t)
        _together(case)


def _together(case: Case) -> None:
    """A direct issue is due on one date: OVERALL follows SOLVE though its own rest is counted in calendar days."""
    solve, overall = case.issue.timer(Clock.SOLVE), case.issue.timer(Clock.OVERALL)
    if case.issue.lane is Lane.DIRECT and solve is not None and overall is not None:
        swap(case, overall, moved(case, overall, solve.due))


def set_due(case: Case, clock: Clock, due: datetime, days: int = 0) -> None:
    """Move the due time to a date somebody granted (no guess any more); what was overdue stays marked for good."""
    now, world = case.now, case.world

    def touch(t: Timer) -> Timer:
        if t.clock is not clock or t.stopped is not None:
            return t
        warn = _warning(world, t.started, due, t.length)
        warned = warn <= now
        return replace(
            t, due=due, red=False, warned=warned, next=due if warned else warn, extended=t.extended + days,
            provisional=False,
        )  # fmt: skip

    _change(case.issue, touch)


def extend_overall(case: Case) -> None:
    """Topic lane: 30 days more for each reserve or extension granted, never beyond 180 from the start."""
    timer, spans = case.issue.timer(Clock.OVERALL), case.world.policy.clocks
    if timer is not None:
        first = case.world.calendar.due(timer.started, spans.overall_topic).at
        most = case.world.calendar.due(timer.started, Span(spans.overall_most, "d")).at
        # By what was granted, not by the date: a pause that moved the due time uses up none of it.
        days = min(spans.overall_more, (most - first).days - timer.extended)
        if days > 0:
            set_due(case, Clock.OVERALL, timer.due + timedelta(days=days), days)


def hasten(case: Case) -> None:
    """After a correction: more urgent shortens what runs, less urgent never lengthens it (docs/rules.md §4 row 47)."""
    for timer in case.issue.timers:
        if timer.stopped is None and timer.clock in (Clock.INTAKE, Clock.SIGN, Clock.CONTACT, Clock.SOLVE):
            due = _due_from_start(case, timer)
            if due < timer.due:
                _hasten_one(case, timer, due)
    solve = case.issue.timer(Clock.SOLVE)
    if solve is not None and case.issue.lane is Lane.DIRECT:
        set_due(case, Clock.OVERALL, solve.due)


def _due_from_start(case: Case, timer: Timer) -> datetime:
    if timer.clock is Clock.SOLVE and case.issue.lane is not Lane.DIRECT:
        return timer.due
    span = case.world.policy.span(timer.clock, case.issue.urgency)
    return _after_pauses(timer, case.world.calendar.due(timer.started, span), span.unit, case.world).at


def _hasten_one(case: Case, timer: Timer, due: datetime) -> None:
    length = case.world.policy.span(timer.clock, case.issue.urgency).text
    warn = _warning(case.world, timer.started, due, length)
    if timer.red:
        nearer = replace(timer, due=due, length=length)
    else:
        nearer = replace(timer, due=due, length=length, warned=warn <= case.now, next=due if warn <= case.now else warn)
    _change(case.issue, lambda t: nearer if t is timer else t)


def more_urgent(case: Case, before: str) -> bool:
    return HASTE[case.issue.urgency] < HASTE[before]  # type: ignore[index]


# -- time acts -----------------------------------------------------------------------------------------------------


def struck(issue: Issue, now: datetime) -> tuple[str, Timer] | None:
    """The clock move that is due first, with its timer; None when nothing is due (re-checked under the lock)."""
    due = [t for t in issue.timers if t.running and t.next is not None and t.next <= now]
    if not due:
        return None
    # Of clocks that are due at the same moment, one that ends a step comes last: it would stop the others unmarked.
    timer = min(due, key=lambda t: (t.next or now, t.clock in STRIKES))
    return strike_of(timer, now), timer


def strike_of(timer: Timer, now: datetime) -> str:
    if timer.red:
        return "urge"
    if not timer.warned and now < timer.due:
        return "warn"
    return STRIKES.get(timer.clock, "overdue")


def mark_warned(case: Case, timer: Timer) -> None:
    swap(case, timer, replace(timer, warned=True, next=timer.due))


def mark_struck(case: Case, timer: Timer) -> Timer:
    """Red from now on; the first time it struck stays on record for good."""
    red = replace(timer, warned=True, red=True, struck=timer.struck or case.now, rung=0, urged=None)
    # At an end an appeal may be late, but there is nobody left to urge: row 45 is for open issues.
    red = replace(red, next=None if case.issue.step in ENDS else _next_moment(case, red, case.now))
    swap(case, timer, red)
    return red


def climb(case: Case, timer: Timer, late: Iterable[str]) -> int:
    """One rung up the ladder: 1 the urge to whoever is late, 2 the order drafted, 3 the interview proposed."""
    up = replace(timer, rung=timer.rung + 1, urged=None if timer.rung else Urged(case.now, tuple(late)))
    up = replace(up, next=_next_moment(case, up, case.now))
    swap(case, timer, up)
    return up.rung


def answer(case: Case, speaks_for: Callable[[str], bool]) -> None:
    """Whoever was urged and now acts on the issue has answered; `speaks_for` says whether that is this actor."""
    for timer in case.issue.timers:
        if timer.urged is not None and any(map(speaks_for, timer.urged.to)):
            swap(case, timer, replace(timer, urged=None))


def press(case: Case) -> None:
    """A second urge: where the first has stayed unanswered longer than an answer may take, the next rung is due now."""
    calendar, reply = case.world.calendar, case.world.policy.ladder.urge_reply
    for timer in case.issue.timers:
        # Red still: who was urged and then given more time is not late.
        if timer.running and timer.red and timer.urged and calendar.due(timer.urged.at, reply).at <= case.now:
            swap(case, timer, replace(timer, next=case.now))


def swap(case: Case, old: Timer, new: Timer) -> None:
    case.issue.timers = tuple([new if t is old else t for t in case.issue.timers])


def _next_moment(case: Case, timer: Timer, since: datetime) -> datetime | None:
    """When the next rung is due: in working days, or in hours by the same length again (docs/rules.md §5, ladder).

    Counted from `since`, when the last rung was climbed: after an outage everybody still has the time to answer, and
    nobody is urged twice a day.
    """
    if not timer.red:
        return timer.due
    if timer.rung >= 3 or _one_with_solve(case.issue, timer):
        return None
    ladder, calendar = case.world.policy.ladder, case.world.calendar
    if timer.length.endswith("h"):
        return calendar.due(since, Span.parse(timer.length)).at if timer.rung else timer.due
    if timer.rung == 0:
        return calendar.next_working_day_start(timer.due)
    return calendar.due(since, ladder.order_after if timer.rung == 1 else ladder.interview_after).at


def _one_with_solve(issue: Issue, timer: Timer) -> bool:
    """A direct issue is due on one date: SOLVE climbs for both, or the unit were urged and ordered twice a day."""
    return timer.clock is Clock.OVERALL and issue.lane is Lane.DIRECT and issue.timer(Clock.SOLVE) is not None


def is_provisional(issue: Issue) -> bool:
    """Whether some clock that has not stopped was counted through a year without a notice."""
    return any(t.provisional and t.stopped is None for t in issue.timers)


def settled(issue: Issue, world: World) -> bool:
    """Whether today's calendar can say more than the one some provisional due time was counted by."""
    return any(_better(t, counted(issue, t, world)) for t in issue.timers if t.provisional and t.stopped is None)


def _better(timer: Timer, due: Due) -> bool:
    # What is still a guess is counted again only where counting is exact: an extension was granted to a date.
    return not due.provisional or (not timer.extended and due.at != timer.due)


def recompute(case: Case) -> None:
    """After a year's notice came in: every provisional due time again from its start."""
    issue = case.issue
    for timer in issue.timers:
        if timer.provisional and timer.stopped is None:
            due = counted(issue, timer, case.world)
            at = due.at + timedelta(days=timer.extended)
            swap(case, timer, moved(case, timer, at, due.provisional))
            overall = issue.timer(Clock.OVERALL)
            if timer.clock is Clock.SOLVE and issue.lane is Lane.DIRECT and overall is not None:
                swap(case, overall, moved(case, overall, at))


def counted(issue: Issue, timer: Timer, world: World) -> Due:
    """The due time counted again from the start, pause by pause."""
    if timer.length == "until":
        return Due(timer.due, provisional=False)
    if timer.length == "same_day":
        due = _same_day(issue, timer.started, world)
    else:
        due = world.calendar.due(timer.started, Span.parse(timer.length))
    return _after_pauses(timer, due, _unit(timer), world)


def _after_pauses(timer: Timer, due: Due, unit: Unit, world: World) -> Due:
    calendar, guessed = world.calendar, due.provisional
    for since, until in timer.pauses:
        due = calendar.resume(until, calendar.rest(since, due.at, unit))
        guessed = guessed or due.provisional
    return Due(due.at, guessed)


def moved(case: Case, timer: Timer, at: datetime, provisional: bool = False) -> Timer:
    """The timer with that due time; what turns out not to be late yet is red no more, though it stays on record."""
    if at == timer.due or (timer.red and at <= case.now):
        return replace(timer, due=at, provisional=provisional)
    warn = _warning(case.world, timer.started, at, timer.length)
    warned = timer.warned or warn <= case.now
    return replace(timer, due=at, red=False, warned=warned, next=at if warned else warn, provisional=provisional)


def elapsed(timer: Timer, now: datetime) -> timedelta:
    """Wall time on the clock: until it stopped, paused or now, less every recorded pause."""
    end = timer.stopped or timer.paused or now
    return end - timer.started - sum((min(b, end) - a for a, b in timer.pauses if a < end), timedelta())


def inspect(moves: Mapping[str, frozenset[Step]]) -> None:
    """Refuse a flow in which some clock could run at a step where nothing strikes it."""
    for clock in Clock:
        strike = STRIKES.get(clock, "overdue")
        steps = {CLOCK_STEP[clock]} if clock in CLOCK_STEP else {Step.SOLVE, Step.SUPERVISE}
        if not steps <= moves.get(strike, frozenset()):
            raise TypeError(f"clock {clock} has no strike: {strike} is not open at {sorted(steps)}")
