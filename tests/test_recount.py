"""Due times counted through a year without a notice: marked, reported, and counted again when the notice is there."""

from __future__ import annotations

from structlog.testing import capture_logs

from liuti.flow.words import Clock
from liuti.store.world import import_notice
from liuti.store.worlds import Worlds
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
