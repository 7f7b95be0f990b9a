"""What a unit has to do next on an issue, and until when: read off its clocks, assignments and milestones."""

from __future__ import annotations

from datetime import date, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from liuti.flow.issue import Issue, Timer
from liuti.flow.words import Clock, Step

Pair = tuple[str, str]


class Duty(NamedTuple):
    """One thing to do. `queue` is where a list shows it, `move` what is made to do it."""

    queue: str
    move: str
    zh: str
    en: str
    due: datetime | None
    number: str = ""
    """Of the milestone or order it is about."""


def of(issue: Issue, unit: str, today: date, zone: ZoneInfo) -> list[Duty]:
    """What the unit has to do on it now, the earliest due first; nothing once it has been sent back or is done."""
    own = issue.assignment(unit)
    found = [
        Duty(
            "order", "respond", "回复督办单", "answer the order", _due(issue, Clock.ORDER, str(order.id)), str(order.id)
        )
        for order in issue.orders
        if order.signed is not None and order.responded is None and order.to == "unit:" + unit
    ]
    if issue.step is Step.SUSPENDED and own is not None:
        found.append(
            Duty(
                "hold",
                "resume",
                "挂账:原因消除即恢复",
                "suspended: resume when its cause is gone",
                _due(issue, Clock.HOLD),
            )
        )
    if issue.step is Step.SOLVE and own is not None and own.done is None:
        found += _working(issue, unit, signed=own.signed is not None, lead=own.lead, today=today, zone=zone)
    return sorted(found, key=lambda duty: (duty.due is None, duty.due))


def _working(issue: Issue, unit: str, *, signed: bool, lead: bool, today: date, zone: ZoneInfo) -> list[Duty]:
    found = []
    if not signed:
        found.append(Duty("sign", "sign", "签收", "sign for it", _due(issue, Clock.SIGN, unit)))
    found += [
        Duty("contact", "contact", zh, en, timer.due)
        for clock, zh, en in (
            (Clock.BAD_REVIEW, "就差评联系本人", "call the person about the bad rating"),
            (Clock.CONTACT, "联系本人", "contact the person"),
        )
        if (timer := _running(issue, clock, unit if clock is Clock.CONTACT else "")) is not None
        and lead and issue.wants_contact
    ]  # fmt: skip
    found += [
        Duty("milestone", "milestone", f"里程碑:{one.title}", f"milestone: {one.title}", one.due, str(number))
        for number, one in enumerate(issue.milestones, 1)
        if one.done is None and not one.waived and one.unit == unit
    ]
    return [*found, *_ending(issue, lead=lead, today=today, zone=zone)]


def _ending(issue: Issue, *, lead: bool, today: date, zone: ZoneInfo) -> list[Duty]:
    """The result itself: asked for already, done again, or due."""
    redo = _running(issue, Clock.REDO)
    timer = redo or _running(issue, Clock.SOLVE)
    if any(ask.move == "submit_result" for ask in issue.open_asks()):
        return [Duty("waits", "", "结果等负责人同意", "the result waits for the head", timer.due if timer else None)]
    if timer is None:
        return [Duty("rest", "", "等领导定方案", "the leader's plan is awaited", _due(issue, Clock.PLAN))]
    move, zh, en = (
        ("submit_result", "反馈结果", "report the result") if lead else ("finish", "完成协办", "finish your part")
    )
    if redo is not None:
        return [Duty("redo", move, f"重办后{zh}", f"do it again, then {en}", timer.due)]
    due_today = timer.due.astimezone(zone).date() <= today
    return [Duty("today" if due_today else "rest", move, zh, en, timer.due)]


def _running(issue: Issue, clock: Clock, unit: str = "") -> Timer | None:
    timer = issue.timer(clock, unit)
    return timer if timer is not None and timer.running else None


def _due(issue: Issue, clock: Clock, unit: str = "") -> datetime | None:
    timer = issue.timer(clock, unit)
    return timer.due if timer is not None else None
