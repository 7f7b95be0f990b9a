"""The rates again by brute force, straight from ledger rows and the issue's state of that very moment.

Written to be read against docs/rules.md §7, and not to be fast: it shares no line with the definitions it checks.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec import json
from sqlalchemy import Connection, select

from liuti.flow.issue import Issue, Timer
from liuti.store.tables import entries, issues, ratings, voices
from simulate import working_time as wt
from simulate.working_time import local, utc
from tests.figures.lives import Row, Told

Counts = dict[tuple[str, str], list[float]]
"""By unit ("*": all together) and rate: hits, n, adjusted hits, adjusted n."""


def from_database(conn: Connection) -> list[Told]:
    """Every issue with its last state standing for all: right for a period that has seen everything there is."""
    found = []
    for issue, state in conn.execute(select(issues.c.id, issues.c.state).order_by(issues.c.id)).all():
        own = [
            [dict(row) for row in conn.execute(select(table).where(table.c.issue_id == issue)).mappings()]
            for table in (entries, ratings, voices)
        ]
        rows = sorted(own[0], key=lambda row: row["version"])
        behind = [(row["at"], row["left_at"]) for row in own[2]]
        found.append(Told(rows, [json.decode(state, type=Issue)] * len(rows), own[1], behind))
    return found


def recount(lives: Sequence[Told], start: datetime, end: datetime) -> Counts:
    counts: Counts = defaultdict(lambda: [0, 0, 0, 0])
    for life in lives:
        rows = [row | {"facts": json.decode(row["facts"])} for row in life.rows if row["at"] < end]
        if rows:
            _one(life, rows, life.states[len(rows) - 1], start, end, counts)
    return dict(counts)


def _one(life: Told, rows: list[Row], state: Issue, start: datetime, end: datetime, counts: Counts) -> None:
    excluded = state.excluded != ""
    lead = state.lead_unit

    def count(rate: str, hit: float, of: int = 1, unit: str = lead) -> None:
        for key in (("*", rate), (unit, rate)):
            counts[key][0] += hit
            counts[key][1] += of
            counts[key][2] += 0 if excluded else hit
            counts[key][3] += 0 if excluded else of

    asks = {row["facts"]["request"]: row for row in rows if row["awaits"] and row["move"] != "grant"}
    happened = []
    for row in rows:
        if row["awaits"] == "" and row["move"] != "deny":
            granted = row["move"] == "grant"
            name = row["facts"]["of"] if granted else row["move"]
            happened.append((name, row, asks[row["facts"]["request"]]["facts"] if granted else row["facts"]))
    names = [name for name, _, _ in happened]
    step = rows[-1]["to_step"]

    # 重复诉求率
    if start <= rows[0]["at"]:
        settled = step == "rejected" and state.refusal == "settled"
        count("repeated", step == "merged" or settled)

    # 挂账率
    if step == "solve":
        count("suspended", 0)
    if step == "suspended":
        count("suspended", 1)

    _results(rows, state, start, end, count)
    _units(rows, state, start, end, count)

    # Since the last reopening: how did it end?
    since = max((n for n, name in enumerate(names) if name == "reopen"), default=-1)
    tail = happened[since + 1 :]
    closes = [row["at"] for name, row, _ in tail if name == "close"]
    given_up = [row["at"] for name, row, _ in tail if name in ("explain", "terminate")]
    if closes:
        final, dead = closes[-1], False
    elif given_up:
        final, dead = given_up[-1] + timedelta(days=15), True
    else:
        return
    if not start <= final < end:
        return
    if not dead:
        count("redone", "redo" in names or "escalate" in names)
        count("first_time", not {"redo", "escalate", "reopen", "fail_check"} & set(names))
    _ratings(life, happened, rows, state, end, dead, count)


def _results(rows: list[Row], state: Issue, start: datetime, end: datetime, count: Any) -> None:
    if rows[-1]["to_step"] in ("merged", "withdrawn", "rejected"):
        return
    clocks: dict[str, Any] = {timer.clock.value: timer for timer in state.timers}
    own, overall = clocks.get("solve", clocks["overall"]), clocks["overall"]
    due = own.due if state.lane != "topic" else min(own.due, overall.due)
    first = _unextended(own, rows)
    if state.lane == "topic":
        first = min(first, _unextended(overall, rows))
    done = None
    for row in rows:
        move = row["facts"].get("of", row["move"]) if row["move"] == "grant" else row["move"]
        if row["awaits"] or row["move"] == "deny":
            continue
        if done and move == "reopen":
            break
        if move in ("redo", "escalate"):
            break
        if row["from_step"] == "solve" and row["to_step"] == "supervise":
            done = row["at"]
        if move in ("explain", "terminate"):
            done = row["at"]
        if row["from_step"] == "supervise" and row["to_step"] == "solve":
            done = None
    stands_still = done is None and own.paused is not None and rows[-1]["to_step"] in ("suspended", "supplement")
    if start <= due < end and not (stands_still and own.paused < due):
        count("on_time", done is not None and done <= due)
        count("on_time_unextended", done is not None and done <= first)
        count("extended", state.extensions > 0)


def _unextended(timer: Timer, rows: list[Row]) -> datetime:
    """When it had been due, had nobody granted anything: from where it stood at the first grant, pause by pause."""
    if timer.clock == "overall":
        due, since = wt.due(local(timer.started), wt.length(timer.length)), timer.started
    else:
        ran = (row for row in rows if timer.started <= row["at"] and not (timer.stopped and timer.stopped < row["at"]))
        grants = [row for row in ran if row["facts"].get("extended", {}).get("clock") == timer.clock]
        if not grants:
            return timer.due
        due, since = local(datetime.fromisoformat(grants[0]["facts"]["extended"]["from"])), grants[0]["at"]
    unit = {"until": "d", "same_day": "oh"}.get(timer.length) or wt.length(timer.length).unit
    for began, ended in timer.pauses:
        if ended > since and ended != timer.stopped:
            due = wt.resumed(local(began), due, local(ended), unit)
    # Made more urgent since, it is due by the shorter time, granted or not.
    return min(utc(due), timer.due)


def _units(rows: list[Row], state: Issue, start: datetime, end: datetime, count: Any) -> None:
    for timer in state.timers:
        if timer.clock in ("sign", "contact", "order"):
            acts = []
            for row in rows:
                inside = timer.started <= row["at"] and (timer.stopped is None or row["at"] <= timer.stopped)
                mine = row["unit"] == timer.unit
                if not inside:
                    continue
                if timer.clock == "sign" and row["move"] == "sign" and mine:
                    acts.append(row["at"])
                if (
                    timer.clock == "contact"
                    and row["move"] == "contact"
                    and mine
                    and row["facts"].get("reached") is not False
                ):
                    acts.append(row["at"])
                if timer.clock == "order" and row["move"] == "respond" and str(row["facts"]["order"]) == timer.unit:
                    acts.append(row["at"])
            relieved = not acts and timer.stopped is not None and timer.stopped <= timer.due
            unit = timer.unit
            if timer.clock == "order":
                to = next(order.to for order in state.orders if str(order.id) == timer.unit)
                unit = to.removeprefix("unit:") if to.startswith("unit:") else state.lead_unit
            if start <= timer.due < end and not relieved:
                name = {"sign": "signed", "contact": "contacted", "order": "ordered"}[timer.clock.value]
                count(name, bool(acts) and acts[0] <= timer.due, unit=unit)
        if timer.clock == "sign" and start <= timer.started < end:
            asked = [
                r for r in rows if r["move"] == "send_back" and r["unit"] == timer.unit and r["at"] >= timer.started
            ]
            count("sent_back", len(asked) > 0, unit=timer.unit)


def _ratings(
    life: Told, happened: Any, rows: list[Row], state: Issue, end: datetime, dead: bool, count: Any
) -> None:  # fmt: skip
    said: dict[str, Row] = {}
    unhappy = set()
    for row in sorted((r for r in life.ratings if r["at"] < end), key=lambda r: r["round"]):
        said[row["voice_id"]] = row
        if row["level"] in (1, 2):
            unhappy.add(row["voice_id"])
    opened = [row["at"] for name, row, _ in happened if name in ("pass_check", "explain", "terminate")][-1]
    invited = len([joined for joined, left in life.voices if joined <= opened and not (left and left <= opened)])
    count("participation", min(len(said), invited), invited)
    for voice in unhappy:
        count("remedied", said[voice]["level"] > 2)
    contacts = [t for t in state.timers if t.clock == "contact"]
    in_time, owed = True, 0
    for timer in contacts:
        reached = [
            r["at"] for r in rows
            if r["move"] == "contact" and r["unit"] == timer.unit and r["facts"].get("reached") is not False
            and timer.started <= r["at"] and (timer.stopped is None or r["at"] <= timer.stopped)
        ]  # fmt: skip
        if reached or not (timer.stopped is not None and timer.stopped <= timer.due):
            owed += 1
            in_time = in_time and bool(reached) and reached[0] <= timer.due
    lines: list[Row | None] = list(said.values())
    if dead and not lines:
        lines = [None]
    for row_or_none in lines:
        word = row_or_none or {"solved": "", "contacted": None, "level": 0}
        count("solved", word["solved"] == "yes" and not dead)
        count("solved_wide", 0 if dead else (word["solved"] == "yes") + (word["solved"] == "partly") / 2)
        if word["level"]:
            count("satisfied", word["level"] in (3, 4, 5))
            count("satisfied_strict", word["level"] in (4, 5))
        if contacts and state.wants_contact:
            count("response", owed > 0 and in_time and word["contacted"] is not False)
