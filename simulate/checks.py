"""The year counted again by brute force: every entry, clock, letter, delivery and rate, and whatever does not hold by name."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

from msgspec import json
from sqlalchemy import Connection, Table, select

from liuti.flow.clocks import World, elapsed
from liuti.flow.issue import Issue, Timer
from liuti.flow.words import Clock as Name
from liuti.store import ledger
from liuti.store.act import STATE
from liuti.store.tables import entries, issues, letters, people, ratings, units, voices
from simulate.clockwork import Clock, Wrong, copies
from simulate.hands import Killed
from simulate.owed import Behind, Letter, Telling
from simulate.receiver import Delivery
from simulate.replay import Replay
from simulate.working_time import local, utc

PAGE = 500
SHOWN = 10
"""Faults of one kind that are told in full."""


@dataclass(slots=True)
class Found:
    """What held, in numbers, and what did not."""

    counts: Counter[str] = field(default_factory=Counter)
    faults: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def fault(self, check: str, words: str) -> None:
        self.faults[check].append(words)

    @property
    def holds(self) -> bool:
        return not any(self.faults.values())


@dataclass(slots=True)
class Story:
    """One issue as the database has it, and as its entries tell it."""

    issue: Issue
    rows: list[dict[str, Any]]
    ratings: list[dict[str, Any]] = field(default_factory=list)
    voices: list[dict[str, Any]] = field(default_factory=list)
    states: list[Any] = field(default_factory=list)
    """After each entry, as far as the rates ask."""
    owed: Counter[Letter] = field(default_factory=Counter)


def stories(conn: Connection) -> Iterator[Story]:
    after = ""
    page = select(issues.c.id, issues.c.state).order_by(issues.c.id).limit(PAGE)
    while found := conn.execute(page.where(issues.c.id > after)).all():
        after, ids = found[-1].id, [row.id for row in found]
        beside = {table: _beside(conn, table, ids) for table in (entries, ratings, voices)}
        for row in found:
            rows = sorted(beside[entries][row.id], key=lambda one: one["version"])
            yield Story(STATE.decode(row.state), rows, beside[ratings][row.id], beside[voices][row.id])


def _beside(conn: Connection, table: Table, ids: list[str]) -> defaultdict[str, list[dict[str, Any]]]:
    found: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in conn.execute(select(table).where(table.c.issue_id.in_(ids))).mappings():
        found[row["issue_id"]].append(dict(row))
    return found


# -- clocks and strikes --------------------------------------------------------------------------------------------


def clocks(
    conn: Connection, told: Sequence[Story], *, world: World, tick: timedelta, last: datetime, found: Found
) -> None:
    """Checks 1 to 3, and what letters each entry owed."""
    every = [row for story in told for row in story.rows]
    said = [dict(row) for row in conn.execute(select(voices)).mappings()]
    behind = Behind(said, every)
    supervisor = {row.id: row.supervisor or "" for row in conn.execute(select(units.c.id, units.c.supervisor))}
    roles = {row.id: row.roles for row in conn.execute(select(people.c.id, people.c.roles))}
    policy = world.policy
    for story in told:
        replay = Replay(tick, lambda text, category, danger: policy.urgency_of(text, category, danger).value, roles)
        telling = Telling(story.issue.id, behind, supervisor)
        place = ""
        try:
            for row in story.rows:
                place = f"{story.issue.id} #{row['version']} {row['move']}"
                telling.feed(row, replay.clocks)
                replay.feed(row, telling.late)
                story.states.append(_state(replay, telling, row, story.states))
        except (Wrong, KeyError, IndexError) as fault:
            found.fault("clocks", f"{place}: {type(fault).__name__} {fault}")
            continue
        replay.rests(last)
        story.owed = telling.letters
        for words in replay.faults:
            found.fault({"strike": "strikes", "ladder": "ladder"}[words.partition(":")[0]], f"{story.issue.id} {words}")
        _same(story.issue, replay.clocks, last, found)
        _ladder(story, replay.clocks, found)


def _state(replay: Replay, telling: Telling, row: Any, before: list[Any]) -> Any:
    """What the rates ask of an issue, as of this entry."""
    facts = json.decode(row["facts"])
    last = before[-1] if before else None
    excluded = last.excluded if last else ""
    refusal = last.refusal if last else ""
    if row["move"] == "grant" and facts["of"] in ("exclude", "reject") and not row["awaits"]:
        asked = telling.asks[facts["request"]]["facts"]
        excluded = asked["code"] if facts["of"] == "exclude" else excluded
        refusal = asked["route"] if facts["of"] == "reject" else refusal
    elif row["move"] == "reject" and not row["awaits"]:
        refusal = facts["route"]
    timers = [
        SimpleNamespace(
            clock=Name(c.clock), unit=c.unit, started=utc(c.started), due=utc(c.due), length=c.length,
            pauses=[(utc(since), utc(until)) for since, until in c.pauses], paused=c.paused and utc(c.paused),
            stopped=c.stopped and utc(c.stopped),
        )
        for c in copies(replay.clocks)
    ]  # fmt: skip
    return SimpleNamespace(
        excluded=excluded, refusal=refusal, lead_unit=telling.lead_unit, lane=replay.lane, timers=timers,
        extensions=replay.extensions, wants_contact=replay.wants_contact,
        orders=[SimpleNamespace(id=number, to=to) for number, to in telling.orders.items()],
    )  # fmt: skip


def _same(issue: Issue, told: Sequence[Clock], last: datetime, found: Found) -> None:
    """Clock by clock: what the database keeps is what the entries tell."""
    kept = sorted(issue.timers, key=lambda t: (t.clock.value, t.unit, t.started, t.due))
    again = sorted(told, key=lambda t: (t.clock, t.unit, t.started, t.due))
    if len(kept) != len(again):
        found.fault("clocks", f"{issue.id} has {len(kept)} clocks, its entries tell of {len(again)}")
        return
    over = [
        t.due
        for t in told
        if t.clock == "evaluate" and t.stopped is not None and issue.ended and t.stopped == local(issue.ended)
    ]
    for ours, theirs in zip(kept, again, strict=True):
        wrong = [name for name, (a, b) in _pairs(ours, theirs, last).items() if a != b]
        if wrong:
            what = ", ".join(f"{name} {_pairs(ours, theirs, last)[name]}" for name in wrong)
            found.fault("clocks", f"{issue.id} {theirs.clock} {theirs.unit} of {theirs.started}: {what}")
        found.counts["clocks"] += not wrong
        found.counts["paused clocks"] += bool(theirs.pauses)
        late = _was_late(theirs, over[0] if over else None)
        found.counts["overdue"] += theirs.struck is not None
        if late and theirs.struck is None:
            found.fault("strikes", f"{issue.id} {theirs.clock} was overdue at {theirs.due} and never struck")


def _pairs(ours: Timer, theirs: Clock, last: datetime) -> dict[str, tuple[Any, Any]]:
    def at(moment: datetime | None) -> datetime | None:
        return None if moment is None else local(moment)

    end = theirs.stopped or theirs.paused or local(last)
    spent = end - theirs.started - sum((b - a for a, b in theirs.pauses), timedelta())
    near = at(ours.next)
    if near is not None and theirs.next is not None and abs(near - theirs.next) <= timedelta(milliseconds=1):
        near = theirs.next  # a share of a time is rounded
    return {
        "clock": (ours.clock.value, theirs.clock), "unit": (ours.unit, theirs.unit), "started": (at(ours.started), theirs.started),
        "due": (at(ours.due), theirs.due), "paused": (at(ours.paused), theirs.paused), "stopped": (at(ours.stopped), theirs.stopped),
        "pauses": ([(at(a), at(b)) for a, b in ours.pauses], theirs.pauses), "struck": (at(ours.struck), theirs.struck),
        "extended": (ours.extended, theirs.extended), "rung": (ours.rung, theirs.rung), "next": (near, theirs.next),
        "red": (ours.red, theirs.red), "elapsed": (elapsed(ours, last), spent),
    }  # fmt: skip


def _was_late(clock: Clock, ended: datetime | None) -> bool:
    """Whether it ran past its last due time: three clocks do something else then, and are never called overdue. `ended`:
    when the rating time was over; a tick may be later, and what is due in between is not late any more."""
    end = clock.stopped or clock.paused
    if end is None or end <= clock.due or clock.clock in ("supplement", "evaluate", "hold"):
        return False
    before = clock.pauses and clock.pauses[-1][1] == end and clock.pauses[-1][0] <= clock.due
    return not before and not (ended is not None and ended < clock.due)


def _ladder(story: Story, told: Sequence[Clock], found: Found) -> None:
    for clock in told:
        for kind, _ in clock.strikes:
            found.counts[kind] += 1
        days = [at.date() for kind, at in clock.strikes if kind == "urge"]
        if not clock.in_hours and len(set(days)) != len(days):
            found.fault("ladder", f"{story.issue.id} {clock.clock}: urged twice on one day {days}")


# -- letters -------------------------------------------------------------------------------------------------------


def posted(
    conn: Connection, told: Sequence[Story], *, killed: Sequence[Killed], came: Sequence[Delivery], found: Found
) -> None:
    """Check 4: what was owed was written, what was written arrived, and came twice only where somebody was killed."""
    owed = {letter for story in told for letter in story.owed}
    kept: dict[Letter, Any] = {}
    for row in conn.execute(select(letters)).mappings():
        kept[row["issue_id"], row["version"], row["event"], row["recipient"]] = row
    for letter in sorted(owed - kept.keys()):
        found.fault("letters", f"owed and never written: {letter}")
    for letter in sorted(kept.keys() - owed):
        found.fault("letters", f"written and not owed: {letter}")
    for letter, row in kept.items():
        if row["dead_at"] is not None or row["sent_at"] is None:
            found.fault("letters", f"not sent, tried {row['tries']} times, {row['fault']}: {letter}")
    arrived = Counter[Letter]((one.issue, one.entry, one.event, one.recipient) for one in came if one.status == 200)
    for letter in sorted(kept.keys() - arrived.keys()):
        found.fault("letters", f"lost: {letter}")
    for letter in sorted(arrived.keys() - kept.keys()):
        found.fault("letters", f"came from nowhere: {letter}")
    excused = {letter for one in killed for letter in one.in_hand}
    for letter, times in arrived.items():
        if times > 1 and letter not in excused:
            found.fault("repeats", f"came {times} times, and nobody was killed with it in hand: {letter}")
    found.counts.update({
        "letters": len(kept), "deliveries": sum(arrived.values()), "repeats": sum(n - 1 for n in arrived.values()),
        "turned away": sum(one.status == 503 for one in came), "in hand of the killed": len(excused),
        "events once": len({(i, v, to) for i, v, _, to in arrived}),
    })  # fmt: skip
    if forged := sum(one.status == 401 for one in came):
        found.fault("letters", f"{forged} came with a signature that does not hold")


def chains(conn: Connection, *, found: Found) -> None:
    for place in ledger.verify(conn):
        if isinstance(place, int):
            found.counts["chains"] += place
        else:
            found.fault("chains", f"{place.issue} #{place.version}: {place.en}")
