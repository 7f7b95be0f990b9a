"""What had become of one issue by a past moment, for the indicators (docs/rules.md §7)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from liuti.figures.cases import Case, Promise
from liuti.figures.dues import WITHOUT_RESULT, due_then, handling_of
from liuti.figures.past import Deed, Past
from liuti.flow.clocks import World
from liuti.flow.issue import Timer
from liuti.flow.words import Clock, Step


def case_of(then: Past, world: World) -> Case | None:
    """The case as the indicators see it; None before it was submitted."""
    if not then.entries:
        return None
    known = _names(then.deeds)
    evaluated = _evaluated(then, world)
    done = {name: sum(deed.name == name for deed in then.deeds) for name in _COUNTED}
    last = then.deeds[-1]
    return Case(
        then.issue.id,
        then.entries[0].at,
        unit=known["unit"],
        category=known["category"],
        grid=known["grid"],
        leader=known["leader"],
        step=last.to,
        wants_contact=then.issue.wants_contact,
        handling=handling_of(then, world),
        signs=tuple(_signs(then, world)),
        contact_owed=then.latest(Clock.CONTACT) is not None,
        contacts=tuple(_contacts(then, world)),
        orders=tuple(_orders(then, known["unit"], world)),
        dispatches=tuple(_dispatches(then)),
        extensions=done["extend"],
        rated_by=evaluated[0],
        without_result=evaluated[1],
        ratings=[rated.rating for rated in then.ratings],
        invited=_invited(then),
        redone=done["redo"] + done["escalate"],
        fails=done["fail_check"],
        reopened=done["reopen"],
        repeat=_repeats(then.deeds),
        excluded=next((str(d.form["code"]) for d in then.deeds if d.name == "exclude"), ""),
    )


_COUNTED = ("extend", "redo", "escalate", "fail_check", "reopen")


# -- who and where -------------------------------------------------------------------------------------------------


def _names(deeds: Sequence[Deed]) -> dict[str, str]:
    """Lead unit, category, grid, and the leader who claimed it; in the direct lane nobody claims."""
    names = {"unit": "", "category": "", "grid": "", "leader": ""}
    for deed in deeds:
        form, facts = deed.form, deed.facts
        if deed.name in _CLASSED:
            names["category"] = str(form.get("category") or names["category"])
            names["grid"] = str(form.get("grid") or names["grid"])
        if deed.name in ("accept_direct", "divert"):
            names |= {"unit": str(form["unit"]), "leader": ""}
        elif deed.name in ("claim", "designate", "approve_plan"):
            names["unit"] = str(form.get("lead_unit") or names["unit"])
        ruling = facts.get("ruling") or {}
        if ruling.get("to") and ruling["from"] == names["unit"]:
            names["unit"] = str(ruling["to"])
        if deed.name in ("claim", "designate", "handover"):
            names["leader"] = str(facts["leader"])
    return names


_CLASSED = ("submit", "supply", "accept_topic", "accept_direct", "reclassify")


def _repeats(deeds: Sequence[Deed]) -> bool:
    """Merged into another matter, or refused as settled, at the moment looked at."""
    last = deeds[-1].to
    refused = [deed.form.get("route") for deed in deeds if deed.name == "reject"]
    return last == Step.MERGED or (last == Step.REJECTED and refused[-1:] == ["settled"])


# -- what units owe ------------------------------------------------------------------------------------------------


def _dispatches(then: Past) -> Iterator[tuple[str, datetime, bool]]:
    """Every dispatch starts SIGN for its unit, and clocks are never dropped from an issue."""
    for timer in then.timers(Clock.SIGN):
        # Asked for counts, granted or not: a request stands in the ledger under the move's own name.
        asked = any(e.move == "send_back" and e.unit == timer.unit and e.at >= timer.started for e in then.entries)
        yield timer.unit, timer.started, asked


def _promise(then: Past, timer: Timer, world: World, unit: str, done: datetime | None) -> Promise | None:
    """None when it was no longer owed before it was late: the unit was relieved, or the issue left the step."""
    due = due_then(then, timer, world)
    over = timer.stopped is not None and timer.stopped <= then.at
    if done is None and over and timer.stopped is not None and timer.stopped <= due:
        return None
    return Promise(unit, timer.started, due, done)


def _signs(then: Past, world: World) -> Iterator[Promise]:
    for timer in then.timers(Clock.SIGN):
        signed = _first(d.at for d in then.deeds if d.name == "sign" and d.unit == timer.unit and _within(d, timer))
        if (promise := _promise(then, timer, world, timer.unit, signed)) is not None:
            yield promise


def _contacts(then: Past, world: World) -> Iterator[Promise]:
    for timer in then.timers(Clock.CONTACT):
        reached = _first(
            d.at
            for d in then.deeds
            if d.name == "contact" and d.unit == timer.unit and d.form.get("reached", True) and _within(d, timer)
        )
        if (promise := _promise(then, timer, world, timer.unit, reached)) is not None:
            yield promise


def _orders(then: Past, lead: str, world: World) -> Iterator[Promise]:
    to = {str(order.id): order.to for order in then.issue.orders}
    for timer in then.timers(Clock.ORDER):
        kind, _, name = to.get(timer.unit, "").partition(":")
        replied = _first(
            d.at
            for d in then.deeds
            if d.name == "respond" and str(d.facts.get("order")) == timer.unit and _within(d, timer)
        )
        if (promise := _promise(then, timer, world, name if kind == "unit" else lead, replied)) is not None:
            yield promise


def _within(deed: Deed, timer: Timer) -> bool:
    return deed.at >= timer.started and (timer.stopped is None or deed.at <= timer.stopped)


def _first(moments: Iterator[datetime]) -> datetime | None:
    return next(moments, None)


# -- ratings -------------------------------------------------------------------------------------------------------


def _evaluated(then: Past, world: World) -> tuple[datetime | None, bool]:
    """When the ratings were final, and whether it was closed without a result."""
    days = timedelta(days=world.policy.limits.explained_rate_days)
    for deed in reversed(then.deeds):
        if deed.name == "reopen":
            break
        if deed.name == "close":
            return deed.at, False
        if deed.name in WITHOUT_RESULT:
            return (deed.at + days if deed.at + days <= then.at else None), True
    return None, False


def _invited(then: Past) -> int:
    """How many voices stood behind it when the last round was opened."""
    rounds = [deed.at for deed in then.deeds if deed.name == "pass_check" or deed.name in WITHOUT_RESULT]
    if not rounds:
        return 0
    return sum(since <= rounds[-1] and (left is None or left > rounds[-1]) for since, left in then.voices)
