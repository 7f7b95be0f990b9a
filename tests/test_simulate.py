"""A small simulated year holds, and each of its checks can fail: a fault of its kind is put in, and it is named."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from msgspec import json
from rich.console import Console
from sqlalchemy import Connection, Row, text

from liuti.monthly import Report
from liuti.store.engine import Engine, open_engine
from simulate import checks, main, rates, receiver, verdict
from simulate.checks import Found, Story
from simulate.record import Played, Wanted
from simulate.replay import Replay
from simulate.verdict import Told

SHANGHAI = timezone(timedelta(hours=8))
SMALL = Wanted(issues=30, seed=3, workers=2, kills=3, tick=timedelta(hours=6), fails=100)


@dataclass(frozen=True, slots=True)
class Lived:
    """The year that was played, its database, and what the checks said of it."""

    run: Callable[..., object]
    engine: Engine
    played: Played
    told: Told
    folder: Path


@pytest.fixture(scope="module")
def lived(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lived]:
    folder = tmp_path_factory.mktemp("simulated")
    with asyncio.Runner() as runner:
        room = main.database(postgres_server)
        engine, url = runner.run(room.__aenter__())
        try:
            played = runner.run(main.play(SMALL, engine, url, folder, Console(quiet=True)))
            own = open_engine(url, pool=1)
            told = runner.run(verdict.examine(own, main.the_world(), played, folder))
            yield Lived(runner.run, own, played, told, folder)
            runner.run(own.close())
        finally:
            runner.run(room.__aexit__(None, None, None))


class Undone(Exception):
    """Nothing of this is kept."""


def with_fault(lived: Lived, *statements: str, came: list[receiver.Delivery] | None = None) -> Found:
    """What the checks say when the database has that fault; it is taken back."""
    found = Found()

    def work(conn: Connection) -> None:
        # What keeps the ledger from being altered stands in triggers: whoever owns the server can do without.
        conn.execute(text("SET LOCAL session_replication_role = replica"))
        for statement in statements:
            assert conn.execute(text(statement)).rowcount, statement
        told = list(checks.stories(conn))
        tick, last = SMALL.tick, lived.played.ticks[-1]
        checks.clocks(conn, told, world=main.the_world(), tick=tick, last=last, found=found)
        all_came = receiver.deliveries(lived.folder / receiver.FILE) if came is None else came
        checks.posted(conn, told, killed=lived.played.killed, came=all_came, found=found)
        checks.chains(conn, found=found)
        raise Undone

    with pytest.raises(Undone):
        lived.run(lived.engine.write(work))
    return found


def one(table: str, where: str, columns: str = "issue_id, version") -> str:
    return f"({columns}) = (SELECT {columns} FROM {table} WHERE {where} ORDER BY {columns} LIMIT 1)"


def test_a_small_year_holds(lived: Lived) -> None:
    assert verdict.faults(lived.told.found) == []
    counts = lived.told.found.counts
    assert counts["chains"] == SMALL.issues
    assert min(counts[name] for name in ("clocks", "overdue", "warn", "urge", "letters", "rates", "turned away")) > 5
    assert len(lived.played.killed) > 0, "and workers were killed in it"
    line = verdict.last_line(lived.played, lived.told.found)
    assert line.startswith("held: 30 issues")
    assert f"{counts['clocks']:,} clocks" in line


def test_the_year_is_written_down_as_pages(lived: Lived, tmp_path: Path) -> None:
    verdict.write(lived.played, lived.told, tmp_path)
    written = {path.name for path in tmp_path.iterdir()}
    assert written == {"index.html", "report-2026.html"} | {f"report-2026-{month:02}.html" for month in range(1, 13)}
    page = (tmp_path / "index.html").read_text("utf-8")
    assert "held: 30 issues" in page
    assert 'href="report-2026-06.html"' in page


@pytest.mark.parametrize(
    ("check", "statement"),
    [
        ("letters", "DELETE FROM letters WHERE id = (SELECT min(id) FROM letters)"),
        ("letters", "UPDATE letters SET recipient = 'role:nobody' WHERE id = (SELECT max(id) FROM letters)"),
        ("letters", "UPDATE letters SET sent_at = NULL WHERE id = (SELECT min(id) FROM letters)"),
        ("strikes", "DELETE FROM entries WHERE " + one("entries", "move = 'overdue'")),
        ("ladder", "UPDATE entries SET at = at + interval '1 day' WHERE " + one("entries", "move = 'urge' AND role = 'clock'")),
        ("ladder", "DELETE FROM entries WHERE " + one("entries", "move = 'warn'")),
        ("chains", "UPDATE entries SET facts = replace(facts, '}', ' }') WHERE " + one("entries", "move = 'warn'")),
        ("clocks", r"""UPDATE issues SET state = regexp_replace(state, '"due"\:"20..', '"due"\:"2031') WHERE """ + one("issues", "true", "id")),
    ],
)  # fmt: skip
def test_a_fault_in_the_database_is_found(lived: Lived, check: str, statement: str) -> None:
    assert with_fault(lived, statement).faults[check], "named"


def test_a_strike_made_twice_is_found(lived: Lived) -> None:
    first = text("SELECT issue_id, version FROM entries WHERE move = 'overdue' ORDER BY issue_id, version LIMIT 1")
    row = lived.run(lived.engine.read(lambda conn: conn.execute(first).one()))
    assert isinstance(row, Row)
    issue, version = row
    where = f"WHERE issue_id = '{issue}' AND version"
    names = "move, actor, role, unit, from_step, to_step, at, facts, words, salt, words_digest, algorithm, previous, seal, awaits"
    found = with_fault(
        lived,
        f"UPDATE entries SET version = -version - 1 {where} > {version}",
        f"UPDATE entries SET version = -version {where} < 0",
        f"INSERT INTO entries (issue_id, version, {names}) SELECT issue_id, version + 1, {names} FROM entries {where} = {version}",
    )
    assert found.faults["strikes"]


def test_a_letter_that_never_came_and_one_that_came_again_are_found(lived: Lived) -> None:
    came = receiver.deliveries(lived.folder / receiver.FILE)
    arrived = [place for place, one in enumerate(came) if one.status == 200]
    lost = with_fault(lived, came=came[: arrived[0]] + came[arrived[0] + 1 :])
    assert lost.faults["letters"]
    assert with_fault(lived, came=[*came, came[arrived[0]]]).faults["repeats"]


def test_a_rate_that_is_told_otherwise_is_found(lived: Lived) -> None:
    made: list[Report] = lived.told.reports

    def told(conn: Connection) -> list[Story]:
        found = list(checks.stories(conn))
        checks.clocks(conn, found, world=main.the_world(), tick=SMALL.tick, last=lived.played.ticks[-1], found=Found())
        return found

    stories = lived.run(lived.engine.read(told))
    assert isinstance(stories, list)
    right, wrong = Found(), Found()
    rates.compare(rates.lives(stories), made, right)
    assert right.holds
    next(story for story in stories if story.ratings).ratings[0]["level"] = 1
    rates.compare(rates.lives(stories), made, wrong)
    assert wrong.faults["rates"]


def test_who_asks_gets_the_year_they_asked_for() -> None:
    wanted, folder = main.arguments(["--issues", "400", "--seed", "7", "--tick", "60", "--out", "there"])
    assert (wanted.issues, wanted.seed, wanted.tick, folder) == (400, 7, timedelta(hours=1), Path("there"))
    assert main.arguments([])[0] == Wanted()


@pytest.mark.parametrize(("hour", "faults"), [(14, 0), (15, 2)])
def test_what_passed_while_a_clock_rested_is_owed_from_when_it_runs_on(hour: int, faults: int) -> None:
    """Overdue in the evening; a result lay with the inspector when the urge was due at nine, and was sent back at 13:21."""
    replay, numbers = Replay(timedelta(hours=1), lambda _text, _category, _danger: "general"), itertools.count(1)

    def feed(at: datetime, move: str, step: str, by: str = "somebody", of: str = "", **facts: object) -> None:
        replay.feed({
            "version": next(numbers), "at": at.replace(tzinfo=SHANGHAI), "move": move, "unit": of, "role": by,
            "actor": by, "to_step": step, "facts": json.encode(facts).decode(), "words": None, "awaits": "",
        })  # fmt: skip

    monday = datetime(2026, 1, 26, 11)  # noqa: DTZ001 - plain wall time, as the year's checks reckon
    feed(monday, "submit", "propose")
    feed(monday, "accept_direct", "solve", unit="u-16", urgency="general")
    for move in ("sign", "contact"):
        feed(monday, move, "solve", of="u-16")
    while not (solve := replay.find("solve")) or not solve.red:
        due = min((one for one in replay.clocks if one.next), key=lambda one: one.next or monday)
        assert due.next is not None
        feed(due.next, "overdue" if due.warned else "warn", "solve", "clock", clock=due.clock)
    feed(solve.due + timedelta(hours=1), "submit_result", "supervise")
    morning = solve.due.replace(hour=0, minute=0) + timedelta(days=1)
    feed(morning + timedelta(hours=13, minutes=21), "fail_check", "solve")
    feed(morning + timedelta(hours=hour), "urge", "solve", "clock", clock="solve", rung=1)
    assert len(replay.faults) == faults, replay.faults
