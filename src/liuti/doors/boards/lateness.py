"""The overdue board: everything late or about to be, each clock with its story (docs/rules.md §5)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import Query, Request

from liuti.doors.api import Said, Text, answer
from liuti.doors.boards.frame import WATCHED, Cursor, Limit, as_time, clock_of, seen
from liuti.doors.deps import admit, office, who
from liuti.flow import sight
from liuti.flow.anywhere import responsible
from liuti.flow.clocks import World
from liuti.flow.issue import Issue, Timer
from liuti.flow.kernel import Actor
from liuti.flow.table import FLOW
from liuti.flow.words import Clock, Step
from liuti.store import boards, measures
from liuti.store.boards import Late
from liuti.store.read import Found


async def overdue(
    request: Request, step: Step | None = None, unit: Text = "", leader: Text = "", grid: Text = "",
    rung: Annotated[int | None, Query(ge=0, le=5)] = None, colour: Literal["", "yellow", "red"] = "", counts: bool = False,
    cursor: Cursor = "", limit: Limit = 50,
) -> Said:  # fmt: skip
    """The earliest due first; leaders and units read of their own. `rung` is the level of the ladder reached, L0 to L5.
    A page may be short of `limit`; give `cursor` back until it is null. `counts` adds how many are red, and where."""
    here, actor = office(request), await who(request)
    admit(actor, *WATCHED)
    world, now = here.desk.world(), here.now()
    wish = Late(step, unit, leader, grid, rung, colour, cursor, limit)
    ladder, most = world.policy.ladder, world.policy.clocks.overall_most
    # A clock warned by now is due within what is left of the longest one there is.
    until = now + timedelta(days=most) * (1 - ladder.warn_at) + timedelta(days=1)

    def look(conn: Any) -> tuple[boards.Board, dict[str, boards.Story], dict[str, dict[str, int]] | None]:
        page = boards.late(conn, actor, wish, now, until)
        told = boards.stories(conn, [one.issue.id for one in page.rows])
        return page, told, boards.late_counts(conn, actor, wish, now) if counts else None

    page, told, numbers = await here.engine.read(look)
    watches = not actor.roles.isdisjoint(boards.WATCHERS)

    def shown(one: Found) -> dict[str, Any]:
        lines, done = told[one.issue.id]
        return _late_row(actor, one, lines, world, now) | _measured(one, done, watches, now)

    body: dict[str, Any] = {"rows": [shown(one) for one in page.rows], "cursor": page.cursor}
    return answer(body | ({"red": numbers} if numbers is not None else {}))


def _late_row(actor: Actor, found: Found, told: list[dict[str, Any]], world: World, now: datetime) -> dict[str, Any]:
    issue = found.issue
    late = boards.alarms(issue, now)
    story = seen(actor, issue, told)
    return {
        "issue": sight.listed(actor, issue, found.row, now),
        "colour": boards.worst(late),
        "rung": max(timer.rung for timer, _ in late),
        "interviews_proposed": issue.interviews,
        "clocks": [
            clock_of(timer, now)
            | {"rung": timer.rung, "late": who_is_late(issue, timer, world, now)}
            | {"history": history(timer, story)}
            for timer, colour in late
        ],
    }


def _measured(found: Found, done: list[dict[str, Any]], watches: bool, now: datetime) -> dict[str, Any]:
    """The level of the ladder reached: what time climbed, or what was held, issued or handed over since. That a file was
    handed over is for whoever watches alone."""
    shown = [one for one in done if watches or one["kind"] != "transfer"]
    climbed = max(timer.rung for timer, _ in boards.alarms(found.issue, now))
    level = max([climbed, *(measures.RUNGS[one["kind"]] for one in shown)])
    return {"level": level, "measures": shown}


def who_is_late(issue: Issue, timer: Timer, world: World, now: datetime) -> list[str]:
    """Whom the clock's urges go to: unit:ID, person:ID or role:NAME; of several units at work, the late one."""
    return list(responsible(as_time(issue, "warn", world, now), timer))


def history(timer: Timer, story: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What happened to one clock, in order: the times are the clock's own, by whom and why is what the ledger says.

    Where the ledger's line lies too far back to have been read, the time stands alone.
    """
    events = [_event("started", timer.started, _made_at(timer.started, story, timer.clock), story)]
    for since, until in timer.pauses:
        events.append(_event("paused", since, _made_at(since, story), story))
        events.append(_event("resumed", until, _made_at(until, story), story))
    if timer.paused is not None:
        events.append(_event("paused", timer.paused, _made_at(timer.paused, story), story))
    for line in story:
        if line["at"] >= timer.started and (what := _what_it_did(timer, line)):
            event = _event(what, line["at"], line, story)
            extended = line["facts"].get("extended", {}) if what == "extended" else {}
            events.append(event | {name: extended[name] for name in ("from", "to") if name in extended})
    return sorted(events, key=lambda event: event["at"])


def _what_it_did(timer: Timer, line: dict[str, Any]) -> str:
    facts = line["facts"]
    if line["move"] in _BY_TIME:
        mine = facts.get("clock") == timer.clock and facts.get("unit", "") == timer.unit
        return {"warn": "warned", "overdue": "struck", "urge": "urged"}[line["move"]] if mine else ""
    granted = "extended" in facts and timer.extended + (timer.clock is Clock.OVERALL) > 0
    return "extended" if granted and timer.clock in (facts["extended"]["clock"], Clock.OVERALL) else ""


# What time does by itself moves no clock but its own.
_BY_TIME = ("warn", "overdue", "urge")


def _made_at(moment: datetime, story: list[dict[str, Any]], clock: Clock | None = None) -> dict[str, Any] | None:
    """The entry that did it: of several at one moment the one whose row starts the clock, then one that changed the
    step, then rather a deed than a request."""
    there = [line for line in story if line["at"] == moment and line["move"] not in _BY_TIME]
    return min(
        there,
        key=lambda line: (bool(line["awaits"]), clock not in _starts(line), line["from"] == line["to"]),
        default=None,
    )


def _starts(line: dict[str, Any]) -> tuple[Clock, ...]:
    move = FLOW.moves.get(line["facts"].get("of", line["move"]))
    return move.starts if move is not None else ()


_WHY = ("reason", "evidence", "basis", "defects", "text", "note")


def _event(what: str, at: datetime, line: dict[str, Any] | None, story: list[dict[str, Any]]) -> dict[str, Any]:
    """By whom and why; a grant's reason is the one its request gave."""
    event: dict[str, Any] = {"what": what, "at": at}
    if line is None:
        return event
    number, of = line["facts"].get("request"), line["facts"].get("of", line["move"])
    asked = next((one for one in story if one["move"] == of and one["facts"].get("request") == number), None)
    said = ((asked if number is not None and asked is not None else line).get("words")) or {}
    event |= {"move": of, "by": line["by"], "role": line["role"], "unit": line["unit"]}
    event["why"] = next((said[name] for name in _WHY if said.get(name)), None)
    if asked is not None and asked is not line and number is not None:
        event["asked_by"] = asked["by"]
    return event | ({"rung": line["facts"]["rung"]} if "rung" in line["facts"] else {})
