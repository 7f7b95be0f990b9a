"""How a clock is kept, written a second time from docs/rules.md §5: started, paused, moved, hastened, and when it acts next."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, time, timedelta
from functools import cache
from importlib.resources import files
from typing import Any

from simulate import working_time as wt
from simulate.working_time import local

NEVER = datetime(1970, 1, 1)  # noqa: DTZ001 - plain wall time, as everything here
ENDS = {"closed", "rejected", "merged", "withdrawn"}
SIDE = {"supplement", "suspended", "merged"}
STEP_OF = {
    "intake": "propose", "supplement": "supplement", "select": "select", "claim": "claim", "designate": "claim",
    "plan": "solve", "sign": "solve", "contact": "solve", "solve": "solve", "ruling": "solve", "redo": "solve",
    "bad_review": "solve", "review": "supervise", "evaluate": "evaluate", "callback": "evaluate", "hold": "suspended",
}  # fmt: skip


@cache
def policy() -> dict[str, Any]:
    return tomllib.loads(files("liuti").joinpath("policy.toml").read_text("utf-8"))


@dataclass(slots=True, eq=False)
class Clock:
    """One clock as told so far; times are plain wall times of the district."""

    clock: str
    unit: str
    started: datetime
    due: datetime
    length: str
    next: datetime | None = None
    owed: tuple[datetime | None, datetime] = (None, NEVER)
    """`next` as last set, and from when on it could be kept: a clock may begin when its time is over."""
    warned: bool = False
    red: bool = False
    struck: datetime | None = None
    paused: datetime | None = None
    pauses: list[tuple[datetime, datetime]] = field(default_factory=list)
    stopped: datetime | None = None
    rung: int = 0
    urged: tuple[datetime, tuple[str, ...]] | None = None
    """When it urged whom, until one of them acts on the issue."""
    extended: int = 0
    strikes: list[tuple[str, datetime]] = field(default_factory=list)

    @property
    def running(self) -> bool:
        return self.stopped is None and self.paused is None

    @property
    def counts(self) -> str:
        """The unit its rest is counted in."""
        return {"until": "d", "same_day": "oh"}.get(self.length) or wt.length(self.length).unit

    @property
    def in_hours(self) -> bool:
        return self.length.endswith("h") and self.length not in ("until", "same_day")


class Wrong(Exception):  # noqa: N818 - what the ledger says cannot be
    """The story does not add up here."""


class Clockwork:
    """The clocks of one issue; whoever derives from it says what happens. `tick`: how late time may act at most."""

    def __init__(self, tick: timedelta) -> None:
        self.tick = tick
        self.clocks: list[Clock] = []
        self.faults: list[str] = []
        """`strike` or `ladder`, and what did not come at its time."""
        self.step = self.kind = self.lane = ""
        self.urgency = "general"
        self.arrived = self.now = NEVER

    def find(self, clock: str, unit: str = "") -> Clock | None:
        return next(
            (t for t in reversed(self.clocks) if t.clock == clock and t.stopped is None and unit in ("", t.unit)), None
        )

    def latest(self, clock: str) -> Clock | None:
        return next((t for t in reversed(self.clocks) if t.clock == clock), None)

    def start(self, clock: str, *, unit: str = "", length: str = "", until: datetime | None = None) -> None:
        for timer in self.clocks:
            if timer.clock == clock and timer.unit == unit and timer.stopped is None:
                self._end(timer)
        text = "until" if until is not None else length or self._length(clock)
        if until is not None:
            due = until
        elif text == "same_day":
            due = self._same_day()
        else:
            due = wt.due(self.now, wt.length(text))
        timer = Clock(clock, unit, self.now, due, text)
        timer.next = self._warning(self.now, due, text)
        self.clocks.append(timer)
        if clock == "solve" and self.lane == "direct":
            self.set_due("overall", due)

    def stop(self, clock: str, unit: str = "") -> None:
        for timer in self.clocks:
            if timer.clock == clock and timer.stopped is None and unit in ("", timer.unit):
                self._end(timer)

    def _end(self, timer: Clock) -> None:
        if timer.stopped is None:
            if timer.paused is not None:
                timer.pauses.append((timer.paused, self.now))
            timer.stopped, timer.paused, timer.next = self.now, None, None

    def _length(self, clock: str) -> str:
        given = policy()["clocks"][clock]
        if isinstance(given, str):
            return given
        return str(given.get(self.urgency) or given["others"])

    def solve_length(self) -> str:
        if self.kind == "consult" and self.urgency != "urgent":
            return "same_day"
        return str(policy()["clocks"]["solve_direct"][self.urgency])

    def _same_day(self) -> datetime:
        rule: dict[str, time] = policy()["same_day"]
        return wt.same_day(self.arrived, rule["cutoff"], rule["next_by"])

    def _warning(self, start: datetime, due: datetime, length: str) -> datetime:
        return wt.used(start, due, policy()["ladder"]["warn_at"], of_office=length.endswith(("wd", "oh")))

    def next_rung(self, timer: Clock, since: datetime) -> datetime | None:
        # What a direct issue is late by, SOLVE climbs for: both are due as one.
        if timer.rung >= 3 or (timer.clock == "overall" and self.lane == "direct" and self.find("solve")):
            return None
        if timer.in_hours:
            return wt.due(since, wt.length(timer.length)) if timer.rung else timer.due
        if timer.rung == 0:
            return wt.next_morning(timer.due)
        return wt.due(since, wt.length(policy()["ladder"]["order_after" if timer.rung == 1 else "interview_after"]))

    def nothing_missed(self, where: str) -> None:
        """By now time has acted on all that was due a tick ago."""
        for timer in self.clocks:
            if timer.running and timer.next is not None and timer.owed[1] + self.tick <= self.now:
                what = "strike" if not timer.red and timer.due <= self.now else "ladder"
                self.faults.append(f"{what}: {where} nothing came of {timer.clock}, due at {timer.next}")
                timer.next = None

    def rests(self, at: datetime) -> None:
        """Nothing was due any more when the last tick had been seen to."""
        self.now = local(at)
        self.nothing_missed("at the end")

    def leave(self, came_from: str, to: str) -> None:
        """A step is left for another: its clocks stop, all pause, or the paused ones run on."""
        for timer in self.clocks:
            if to in SIDE:
                if timer.running and timer.clock != "appeal" and (timer.clock != "order" or to == "merged"):
                    timer.paused = self.now
            elif (to in ENDS and timer.clock != "appeal") or (to not in ENDS and STEP_OF.get(timer.clock) == came_from):
                self._end(timer)
            elif came_from in SIDE and timer.paused is not None:
                self.shift(timer, timer.paused)
        if came_from in SIDE and to not in ENDS | SIDE:
            self.together()
        for timer in self.clocks:
            if timer.red and timer.running and to in ENDS:
                timer.next = None
            elif timer.red and timer.running and came_from in ENDS and timer.next is None:
                timer.next = self.next_rung(timer, self.now)
        self.step = to

    def shift(self, timer: Clock, since: datetime) -> None:
        """The time since then was a pause."""
        before, moment = timer.due, timer.next
        timer.pauses.append((since, self.now))
        timer.due = wt.resumed(since, before, self.now, timer.counts)
        timer.paused = timer.stopped = None
        if timer.red or moment is None:
            timer.next = None if moment is None else moment + (self.now - since)
        elif timer.warned or since >= before:
            timer.next = timer.due
        else:
            timer.next = self.now + (timer.due - self.now) * max((moment - since) / (before - since), 0.0)

    def revive(self, timer: Clock) -> None:
        """It had stopped, and runs on: the time since is a pause."""
        assert timer.stopped is not None
        since = timer.stopped
        if timer.pauses and timer.pauses[-1][1] == since:
            since = timer.pauses.pop()[0]
        self.shift(timer, since)
        if timer.next is None and not (timer.red or timer.warned):
            paused = sum((b - a for a, b in timer.pauses), timedelta())
            timer.next = max(self.now, self._warning(timer.started + paused, timer.due, timer.length))
        elif timer.next is None:
            timer.next = self.next_rung(timer, self.now) if timer.red else timer.due
        self.together()

    def together(self) -> None:
        solve, overall = self.find("solve"), self.find("overall")
        if self.lane != "direct" or solve is None or overall is None:
            return
        if solve.due == overall.due or (overall.red and solve.due <= self.now):
            overall.due = solve.due
            return
        overall.due, overall.red = solve.due, False
        warn = self._warning(overall.started, overall.due, overall.length)
        overall.warned = overall.warned or warn <= self.now
        overall.next = overall.due if overall.warned else warn

    def set_due(self, clock: str, due: datetime, days: int = 0) -> None:
        for timer in self.clocks:
            if timer.clock == clock and timer.stopped is None:
                warn = self._warning(timer.started, due, timer.length)
                timer.due, timer.red, timer.warned = due, False, warn <= self.now
                timer.next, timer.extended = due if timer.warned else warn, timer.extended + days

    def more_overall(self) -> None:
        timer, spans = self.find("overall"), policy()["clocks"]
        if timer is not None:
            most, first = spans["overall_most"], int(wt.length(spans["overall_topic"]).n)
            days = min(spans["overall_more"], most - first - timer.extended)
            if days > 0:
                self.set_due("overall", timer.due + timedelta(days=days), days)

    def hasten(self, timer: Clock) -> None:
        if timer.clock == "solve":
            if self.lane != "direct":
                return
            text = str(policy()["clocks"]["solve_direct"][self.urgency])
        else:
            text = self._length(timer.clock)
        due = wt.due(timer.started, wt.length(text))
        for since, until in timer.pauses:
            due = wt.resumed(since, due, until, wt.length(text).unit)
        if due >= timer.due:
            return
        timer.due, timer.length = due, text
        if not timer.red:
            warn = self._warning(timer.started, due, text)
            timer.warned = warn <= self.now
            timer.next = due if timer.warned else warn


def copies(clocks: Iterable[Clock]) -> list[Clock]:
    return [replace(one, pauses=list(one.pauses), strikes=list(one.strikes)) for one in clocks]
