"""When something was due, as known at a past moment, and when the result came (docs/rules.md §5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta

from liuti.figures.cases import Handling
from liuti.figures.past import Deed, Past
from liuti.flow.calendar import Calendar, Span, Unit
from liuti.flow.clocks import World
from liuti.flow.issue import Timer
from liuti.flow.words import HASTE, Clock, Kind, Lane, Step, Urgency

NOT_OWED = frozenset({Step.MERGED, Step.WITHDRAWN, Step.REJECTED})
HELD = frozenset({Step.SUPPLEMENT, Step.SUSPENDED})
WITHOUT_RESULT = ("explain", "terminate")


def handling_of(then: Past, world: World) -> Handling | None:
    timer = then.latest(Clock.SOLVE) or then.latest(Clock.OVERALL)
    if timer is None or then.deeds[-1].to in NOT_OWED:
        return None
    due, first = due_then(then, timer, world), due_then(then, timer, world, extended=False)
    overall = then.latest(Clock.OVERALL)
    if overall is not None and timer is not overall and then.lane is Lane.TOPIC:
        due = min(due, due_then(then, overall, world))
        first = min(first, due_then(then, overall, world, extended=False))
    done, since = _result(then.deeds), _held_since(then)
    hours = _hours(then, done, world.calendar) if done is not None else 0.0
    return Handling(due, first, done, hours, done is None and since is not None and since < due)


def _result(deeds: Sequence[Deed]) -> datetime | None:
    """When the result came that no check sent back; redoing it later does not move it."""
    done: datetime | None = None
    for deed in deeds:
        if deed.name in ("redo", "escalate") or (deed.name == "reopen" and done is not None):
            break
        if deed.name == "fail_check":
            done = None
        elif (deed.came_from, deed.to) == (Step.SOLVE, Step.SUPERVISE) or deed.name in WITHOUT_RESULT:
            done = deed.at
    return done


def _held_since(then: Past) -> datetime | None:
    if then.deeds[-1].to not in HELD:
        return None
    return next((d.at for d in reversed(then.deeds) if d.came_from != d.to and d.to in HELD), None)


def _hours(then: Past, done: datetime, calendar: Calendar) -> float:
    """Working hours from the first day to the result, less what the overall clock was paused."""
    spent = calendar.office_seconds(then.entries[0].at, done)
    overall = then.latest(Clock.OVERALL)
    for since, until in overall.pauses if overall is not None else ():
        if since < done:
            spent -= calendar.office_seconds(since, min(until, done))
    return spent / 3600


def due_then(then: Past, timer: Timer, world: World, *, extended: bool = True) -> datetime:
    """When the clock was due, as known at that moment: counted from its start, pause by pause, moved by what had been
    granted or corrected. For OVERALL in the direct lane ask SOLVE, which it follows."""
    calendar, length = world.calendar, _first_length(then, timer, world)
    due = _first_due(then, timer, length, world)
    changes: list[tuple[datetime, datetime, Deed | None]] = [
        (until, since, None) for since, until in timer.pauses if until <= then.at and until != timer.stopped
    ]
    changes += [(deed.at, deed.at, deed) for deed in then.deeds if deed.name in MOVING]
    for at, since, deed in sorted(changes, key=lambda change: change[0]):
        if deed is None:
            due = calendar.resume(at, calendar.rest(since, due, _unit(length))).at
        elif deed.name == "reclassify":
            due, length = _hastened(then, timer, (due, length), deed, world)
        elif _ran(timer, at) and (extended or deed.name == "recompute"):
            due = _moved(then, timer, due, deed, world)
    return due


MOVING = ("extend", "reserve", "recompute", "reclassify")
HASTENED = (Clock.SOLVE, Clock.SIGN, Clock.CONTACT)


def _first_length(then: Past, timer: Timer, world: World) -> str:
    """A correction that made the issue more urgent may have put a shorter length in the place of the first."""
    corrected = (d.facts["was"] for d in then.deeds if d.name == "reclassify" and d.at > timer.started)
    was: Mapping[str, str] = next(corrected, then.was)
    if not was or timer.clock not in HASTENED or timer.length == "until":
        return timer.length
    if timer.clock is Clock.SOLVE and was["kind"] == Kind.CONSULT and was["urgency"] != Urgency.URGENT:
        return "same_day"
    return world.policy.span(timer.clock, Urgency(was["urgency"])).text


def _first_due(then: Past, timer: Timer, length: str, world: World) -> datetime:
    calendar, rule = world.calendar, world.policy.same_day
    if length == "same_day":
        return calendar.same_day(then.issue.submitted or timer.started, rule.cutoff, rule.next_by).at
    if length != "until":
        return calendar.due(timer.started, Span.parse(length)).at
    planned = [d.form["due"] for d in then.deeds if d.name == "approve_plan" and d.at == timer.started]
    return calendar.closing(date.fromisoformat(planned[0])) if planned else timer.due


def _hastened(then: Past, timer: Timer, before: tuple[datetime, str], deed: Deed, world: World) -> tuple[datetime, str]:
    """More urgent shortens what runs, less urgent lengthens nothing (docs/rules.md §4 row 47)."""
    told = deed.form.get("urgency")
    over = timer.stopped is not None and timer.stopped <= deed.at
    if not told or timer.clock not in HASTENED or before[1] == "until" or over or deed.at <= timer.started:
        return before
    if HASTE[Urgency(told)] >= HASTE[Urgency(deed.facts["was"]["urgency"])]:
        return before
    span = world.policy.span(timer.clock, Urgency(told))
    due = world.calendar.due(timer.started, span).at
    for since, until in timer.pauses:
        if until <= deed.at:
            due = world.calendar.resume(until, world.calendar.rest(since, due, span.unit)).at
    return (due, span.text) if due < before[0] else before


def _ran(timer: Timer, at: datetime) -> bool:
    """Whether it had started and not stopped: what is granted during a redo leaves the first clocks alone."""
    stopped = timer.stopped is not None and timer.stopped < at
    return timer.started <= at and not stopped and not any(since < at < until for since, until in timer.pauses)


def _moved(then: Past, timer: Timer, due: datetime, deed: Deed, world: World) -> datetime:
    if deed.name == "recompute":
        told = deed.facts.get("due", {}).get(timer.clock.value)
        return datetime.fromisoformat(told) if told else due
    change = deed.facts.get("extended")
    if change and change["clock"] == timer.clock.value:
        return datetime.fromisoformat(change["to"])
    if timer.clock is Clock.OVERALL and then.lane is Lane.TOPIC:
        return due + _overall_more(then, timer, deed, world)
    return due


def _overall_more(then: Past, timer: Timer, deed: Deed, world: World) -> timedelta:
    """So many days for each reserve or extension, up to the most there may be from the start (docs/rules.md §5)."""
    terms, calendar = world.policy.clocks, world.calendar
    most = calendar.due(timer.started, Span(terms.overall_most, "d")).at
    left = most - calendar.due(timer.started, Span.parse(timer.length)).at
    more = timedelta(days=terms.overall_more)
    before = (d for d in then.deeds if d.name in ("extend", "reserve") and d.at < deed.at)
    left -= more * sum(_ran(timer, d.at) for d in before)
    return max(timedelta(), min(more, left))


def _unit(length: str) -> Unit:
    if length in ("until", "same_day"):
        return "d" if length == "until" else "oh"
    return Span.parse(length).unit
