"""When something was due, as known at a past moment, and when the result came (docs/rules.md §5)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

from liuti.figures.cases import Handling
from liuti.figures.past import Deed, Past
from liuti.flow.calendar import Calendar, Span, Unit
from liuti.flow.clocks import World
from liuti.flow.issue import Timer
from liuti.flow.words import HASTE, Clock, Lane, Step, Urgency

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
    return Handling(due, first, done, hours, since is not None and since < due)


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
    """When the clock was due, as known at that moment: counted from its start, pause by pause, and moved by what had
    been granted. For OVERALL in the direct lane ask SOLVE, which it follows."""
    calendar = world.calendar
    due = _first_due(then, timer, world)
    changes: list[tuple[datetime, datetime, Any]] = [
        (until, since, None) for since, until in timer.pauses if until <= then.at and until != timer.stopped
    ]
    if extended:
        changes += [(deed.at, deed.at, deed) for deed in then.deeds if deed.name in ("extend", "reserve", "recompute")]
    unit = _unit(timer)
    for at, since, deed in sorted(changes, key=lambda change: change[0]):
        if deed is None:
            due = calendar.resume(at, calendar.rest(since, due, unit)).at
        elif at >= timer.started:
            due = _moved(then, timer, due, deed, world)
    return due


def _moved(then: Past, timer: Timer, due: datetime, deed: Deed, world: World) -> datetime:
    if deed.name == "recompute":
        told = deed.facts.get("due", {}).get(timer.clock.value)
        return datetime.fromisoformat(told) if told else due
    change = deed.facts.get("extended")
    if change and change["clock"] == timer.clock.value:
        return datetime.fromisoformat(change["to"])
    if timer.clock is Clock.OVERALL and then.lane is Lane.TOPIC:
        terms, first = world.policy.clocks, world.calendar.due(timer.started, Span.parse(timer.length)).at
        most = world.calendar.due(timer.started, Span(terms.overall_most, "d")).at
        spent = timedelta(days=terms.overall_more) * sum(
            d.name in ("extend", "reserve") and timer.started <= d.at < deed.at for d in then.deeds
        )
        return due + max(timedelta(), min(timedelta(days=terms.overall_more), most - first - spent))
    return due


def _first_due(then: Past, timer: Timer, world: World) -> datetime:
    calendar, rule = world.calendar, world.policy.same_day
    if timer.length == "same_day":
        return calendar.same_day(then.issue.submitted or timer.started, rule.cutoff, rule.next_by).at
    if timer.length != "until":
        return calendar.due(timer.started, Span.parse(_length_then(then, timer, world))).at
    planned = [d.form["due"] for d in then.deeds if d.name == "approve_plan" and d.at == timer.started]
    return calendar.closing(date.fromisoformat(planned[0])) if planned else timer.due


def _length_then(then: Past, timer: Timer, world: World) -> str:
    """The clock's length before a later correction made the issue more urgent and the clock shorter."""
    if then.was and timer.clock in (Clock.SOLVE, Clock.SIGN, Clock.CONTACT):
        policy, now = world.policy, then.issue.urgency
        was = Urgency(then.was["urgency"])
        if HASTE[now] < HASTE[was] and timer.length == policy.span(timer.clock, now).text:
            return policy.span(timer.clock, was).text
    return timer.length


def _unit(timer: Timer) -> Unit:
    if timer.length in ("until", "same_day"):
        return "d" if timer.length == "until" else "oh"
    return Span.parse(timer.length).unit
