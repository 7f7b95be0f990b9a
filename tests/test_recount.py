"""Due times counted through a year without a notice: marked, reported, and counted again when the notice is there."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from liuti.calendars import words_of
from liuti.flow.amended import Amended
from liuti.flow.issue import Issue
from liuti.flow.words import Clock
from liuti.store.tables import amended
from liuti.store.world import import_notice
from liuti.store.worlds import Worlds
from liuti.worker import ALL_HAVE_HEARD, Worker
from tests.doors.town import SHANGHAI, Town, at
from tests.working import swept, town, whole, worker_of

__all__ = ["town"]

NOTICE_2027 = """
year = 2027
source = "as a test has it"
[[holiday]]
name = "元旦"
first = 2027-01-01
last = 2027-01-05
worked = [2027-01-09]
"""


async def test_23_a_guessed_due_time_is_counted_again_when_the_notice_of_its_year_is_imported(town: Town) -> None:
    worlds = town.office.desk.world
    assert isinstance(worlds, Worlds)
    town.clock.now = at("2026-12-28 10:00")
    issue = await town.submit()
    sure = await town.submit()
    form = {"unit": "roads", "category": "roads", "urgency": "complex"}
    await town.does("intake1", "accept_direct", form, issue)
    guessed = await town.timer(issue, "solve")
    assert guessed["due_at"].astimezone(SHANGHAI) == at("2027-01-18 17:30"), "Monday to Friday, every one of them"
    worker = worker_of(town, worlds=worlds)
    with capture_logs() as lines:
        assert await worker.recompute_once(town.clock.now) == 0
    assert [line["issues"] for line in lines if line["event"] == "due_times_provisional" and line["alert"]] == [1]

    await town.office.engine.write(lambda conn: import_notice(conn, NOTICE_2027, town.clock.now))
    with capture_logs() as lines:
        assert await worker.recompute_once(town.clock.now) == 1
    assert not [line for line in lines if line.get("alert")]
    # 1, 4 and 5 January are off now, and the Saturday 9 January is worked.
    for clock in ("solve", "overall"):
        assert (await town.timer(issue, clock))["due_at"].astimezone(SHANGHAI) == at("2027-01-20 17:30")
    assert not any(timer.provisional for timer in (await town.state(issue)).timers)
    assert (await town.moves(issue)).count("recompute") == 1
    assert await town.letters(issue, "recompute") == ["unit:roads"]
    assert await worker.recompute_once(town.clock.now) == 0
    assert "recompute" not in await town.moves(sure)
    assert await whole(town)


async def test_what_was_red_by_a_guess_and_turns_out_not_to_be_late_is_red_no_more(town: Town) -> None:
    worlds = town.office.desk.world
    assert isinstance(worlds, Worlds)
    town.clock.now = at("2026-12-28 10:00")
    issue = await town.direct()
    town.clock.now = at("2027-01-05 09:00")
    worker = worker_of(town, worlds=worlds)
    await swept(worker, town)
    solve = (await town.state(issue)).timer(Clock.SOLVE)
    assert solve is not None and solve.red, "due on Monday the 4th, by the guess"
    await town.office.engine.write(lambda conn: import_notice(conn, NOTICE_2027, town.clock.now))
    await worker.recompute_once(town.clock.now)
    solve = (await town.state(issue)).timer(Clock.SOLVE)
    assert solve is not None and not solve.red and solve.struck is not None
    assert solve.due.astimezone(SHANGHAI) == at("2027-01-07 17:30")
    assert await swept(worker, town) == 0
    town.clock.now = at("2027-01-07 17:30")
    await swept(worker, town)
    solve = (await town.state(issue)).timer(Clock.SOLVE)
    assert solve is not None and solve.red


# -- a notice that is amended ------------------------------------------------------------------------------------------

AMENDED_2026 = (
    words_of(2026)
    + """
[[holiday]]
name = "as a test has it"
first = 2026-03-05
last = 2026-03-06
worked = [2026-03-08]
"""
)


async def amend(town: Town, words: str = AMENDED_2026) -> Worker:
    await town.office.engine.write(lambda conn: import_notice(conn, words, town.clock.now))
    worlds = town.office.desk.world
    assert isinstance(worlds, Worlds)
    return worker_of(town, worlds=worlds)


async def due(town: Town, issue: str, clock: str) -> Any:
    return (await town.timer(issue, clock))["due_at"].astimezone(SHANGHAI)


async def pending(town: Town) -> int:
    return len(await town.office.engine.read(lambda conn: conn.execute(select(amended)).all()))


async def test_an_amended_notice_moves_the_due_times_that_were_counted_through_it(town: Town) -> None:
    direct = await town.direct()  # Monday, 2 March, ten in the morning: five working days
    hours = await town.submit()
    later = town.clock.now
    assert await due(town, direct, "solve") == at("2026-03-09 17:30")
    worker = await amend(town)
    await worker._tend(later)
    # Thursday and Friday are off, and Sunday is worked: Tuesday, Wednesday, Sunday, Monday, Tuesday.
    for clock in ("solve", "overall"):
        assert await due(town, direct, clock) == at("2026-03-10 17:30")
    assert (await town.moves(direct)).count("recompute") == 1
    assert await town.letters(direct, "recompute") == ["unit:roads"]
    assert "recompute" not in await town.moves(hours), "what runs round the clock knows no holidays"
    assert await worker.recount_amended(later) == 0, "counted once"
    assert await whole(town)


async def test_what_was_granted_to_a_date_stays_and_what_was_extended_by_days_moves_with_its_start(town: Town) -> None:
    suspended, extended = await town.direct(), await town.direct()
    await town.does("leader1", "suspend", {"cause": "season", "review": town.day(20), "evidence": "通知"}, suspended)
    await town.does("inspector", "grant", {}, suspended)
    await town.does("head_roads", "extend", {"until": town.day(9), "reason": "灯具到货推迟。"}, extended)
    await town.does("inspector", "grant", {}, extended)
    hold, solve = await due(town, suspended, "hold"), await due(town, extended, "solve")
    worker = await amend(town)
    await worker._tend(town.clock.now)
    assert await due(town, suspended, "hold") == hold
    assert await due(town, extended, "solve") == solve + timedelta(days=1)


async def test_a_clock_that_is_paused_goes_on_by_the_new_notice(town: Town) -> None:
    issue = await town.direct()
    await town.does("leader1", "suspend", {"cause": "season", "review": town.day(9), "evidence": "通知"}, issue)
    await town.does("inspector", "grant", {}, issue)
    await (await amend(town))._tend(town.clock.now)
    assert await due(town, issue, "solve") == at("2026-03-10 17:30")


async def test_what_was_red_by_the_old_notice_and_is_not_late_by_the_new_is_red_no_more(town: Town) -> None:
    issue = await town.direct()
    town.clock.now = at("2026-03-09 18:00")
    worker = worker_of(town)
    await swept(worker, town)
    solve = (await town.state(issue)).timer(Clock.SOLVE)
    assert solve is not None and solve.red
    await (await amend(town))._tend(town.clock.now)
    solve = (await town.state(issue)).timer(Clock.SOLVE)
    assert solve is not None and not solve.red and solve.struck is not None
    assert await due(town, issue, "solve") == at("2026-03-10 17:30")


async def test_two_amendments_in_a_row_move_what_either_of_them_found(town: Town) -> None:
    first = await town.direct()
    await amend(town)
    assert isinstance(town.office.desk.world, Worlds)
    await town.office.desk.world.refresh(town.office.engine)
    second = await town.direct()
    assert await due(town, second, "solve") == at("2026-03-10 17:30")
    worker = await amend(town, AMENDED_2026.replace("[2026-03-08]", "[]"))
    await worker._tend(town.clock.now)
    for issue in (first, second):
        assert await due(town, issue, "solve") == at("2026-03-11 17:30")


async def test_the_old_notice_is_kept_until_every_server_has_heard_of_the_new_one(town: Town) -> None:
    worker = await amend(town)
    await worker._tend(town.clock.now)
    assert await pending(town) == 1
    # A server that had not read the new notice yet starts a clock by the old one, after the first pass.
    worlds = Worlds(None)
    town.office.desk.world, known = worlds, town.office.desk.world
    await town.office.engine.write(lambda conn: conn.execute(amended.delete()))
    await import_again(town, words_of(2026))
    await worlds.refresh(town.office.engine)
    late = await town.direct()
    town.office.desk.world = known
    await import_again(town, AMENDED_2026)
    assert await due(town, late, "solve") == at("2026-03-09 17:30")
    town.clock.now += ALL_HAVE_HEARD
    await worker._tend(town.clock.now)
    assert await due(town, late, "solve") == at("2026-03-10 17:30")
    assert await pending(town) == 0
    await worker._tend(town.clock.now)
    assert not isinstance(town.office.desk.world(), Amended)


async def import_again(town: Town, words: str) -> None:
    await town.office.engine.write(lambda conn: import_notice(conn, words, town.clock.now))


async def test_one_issue_that_fails_is_named_and_the_old_notice_waits_for_it(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    sick, well = await town.direct(), await town.direct()
    worker = await amend(town)
    desk = town.office.desk
    decide = desk.flow.decide

    def fails(issue: Issue, *given: Any, **more: Any) -> Any:
        if issue.id == sick:
            raise ZeroDivisionError("张三 13800138000")
        return decide(issue, *given, **more)

    town.clock.now += ALL_HAVE_HEARD
    with monkeypatch.context() as patched, capture_logs() as lines:
        patched.setattr(desk.flow, "decide", fails)
        await worker._tend(town.clock.now)
    assert [line["issue"] for line in lines if line.get("alert")] == [sick]
    assert "13800138000" not in str(lines)
    assert await due(town, well, "solve") == at("2026-03-10 17:30")
    assert await pending(town) == 1
    await worker._tend(town.clock.now)
    assert await due(town, sick, "solve") == at("2026-03-10 17:30")
    assert await pending(town) == 0


async def test_the_same_notice_again_moves_nothing(town: Town) -> None:
    issue = await town.direct()
    worker = await amend(town, words_of(2026))
    assert await pending(town) == 0
    await worker._tend(town.clock.now)
    assert "recompute" not in await town.moves(issue)
