"""The worker and the clocks: each strikes once whoever comes first, one that fails holds up nobody, and it stops politely."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, insert, select
from structlog.testing import capture_logs

from liuti.flow.issue import Issue
from liuti.flow.table import FLOW
from liuti.flow.words import Clock, Step
from liuti.senders import ConsoleSender
from liuti.store import sweep
from liuti.store.act import Desk
from liuti.store.engine import open_engine
from liuti.store.tables import entries, issues, letters
from liuti.worker import Worker, stop_on_signals
from tests.doors.town import Town, at
from tests.patience import PATIENCE, until
from tests.working import acts_of_time, submitted, swept, town, whole, worker_of

__all__ = ["town"]

LONG_RED = timedelta(days=30)


# -- clocks strike -------------------------------------------------------------------------------------------------


async def test_each_clock_strikes_once_though_four_workers_race_for_it(town: Town, database_url: str) -> None:
    ids = await submitted(town, 60)
    town.clock.now += timedelta(hours=25)
    engines = [open_engine(database_url, pool=2) for _ in range(4)]
    office = town.office
    desks = [Desk(engine, FLOW, office.desk.world, office.ring, town.clock) for engine in engines]
    racers = [Worker(desk, ConsoleSender(lambda _line: None), town.clock, batch=7) for desk in desks]
    with capture_logs() as lines:
        made = await asyncio.gather(*(swept(racer, town) for racer in racers))
    assert not lines, "no batch met another's: what one holds the others pass by"
    for engine in engines:
        await engine.close()
    assert sum(made) == 120
    assert await acts_of_time(town) == Counter({(i, move): 1 for i in ids for move in ("overdue", "urge")})
    told = select(letters.c.issue_id, letters.c.event).where(letters.c.event.in_(["overdue", "urge"]))
    rows = await office.engine.read(lambda conn: conn.execute(told).all())
    assert Counter((r[0], r[1]) for r in rows) == Counter({(i, e): 1 for i in ids for e in ("overdue", "urge")})
    assert await whole(town)


async def test_nothing_strikes_before_its_time(town: Town) -> None:
    await submitted(town, 1)
    worker = worker_of(town)
    assert await swept(worker, town) == 0
    town.clock.now += timedelta(hours=18)
    assert await swept(worker, town) == 1, "the warning, at three quarters of a day"
    assert await swept(worker, town) == 0


async def test_after_a_month_without_a_worker_nobody_is_warned_and_the_ladder_is_climbed_in_order(town: Town) -> None:
    issue = await town.direct()
    for move, form in (("sign", {}), ("contact", {"method": "phone", "result": "已联系。"})):
        await town.does("officer_roads", move, form, issue)
    worker = worker_of(town)
    town.clock.now += LONG_RED  # Wednesday, 1 April, ten in the morning
    await swept(worker, town)
    assert (await acts_of_time(town)) == {(issue, "overdue"): 2, (issue, "urge"): 1}, "SOLVE and OVERALL, one ladder"

    async def rungs() -> list[int]:
        state = await town.state(issue)
        return [timer.rung for clock in (Clock.SOLVE, Clock.OVERALL) if (timer := state.timer(clock)) is not None]

    assert await rungs() == [1, 0]
    town.clock.now = at("2026-04-03 17:00")
    assert await swept(worker, town) == 0, "two working days to answer, counted from the urge and not from the due time"
    town.clock.now = at("2026-04-03 17:30")
    assert await swept(worker, town) == 1
    assert await rungs() == [2, 0]
    assert [o.signed for o in (await town.state(issue)).orders] == [None], "drafted, for an inspector to sign"
    town.clock.now += LONG_RED
    assert await swept(worker, town) == 1
    assert await rungs() == [3, 0]
    town.clock.now += 10 * LONG_RED
    assert await swept(worker, town) == 0, "above the third rung stand people"


async def test_a_supplement_lapses_a_suspension_ends_and_the_rating_time_closes(town: Town) -> None:
    worker = worker_of(town)
    unanswered = await town.submit()
    await town.does("intake1", "ask_supplement", {"missing": ["地点"]}, unanswered)
    rated_by_nobody = await town.direct_checked()
    waiting = await town.direct()
    await town.does("leader1", "suspend", {"cause": "season", "review": town.day(20), "evidence": "通知"}, waiting)
    await town.does("inspector", "grant", {}, waiting)
    town.clock.now = at("2026-03-09 17:30")
    await swept(worker, town)
    assert (await town.state(unanswered)).refusal == "no_supplement"
    town.clock.now = at("2026-03-17 17:29")
    await swept(worker, town)
    assert (await town.state(rated_by_nobody)).step is Step.EVALUATE
    town.clock.now += timedelta(minutes=1)
    await swept(worker, town)
    closed = await town.state(rated_by_nobody)
    assert closed.step is Step.CLOSED and closed.verdict.rated == 0
    assert (await town.state(waiting)).step is Step.SUSPENDED
    town.clock.now = at("2026-03-22 17:30")
    await swept(worker, town)
    assert (await town.state(waiting)).step is Step.SOLVE
    assert await swept(worker, town) == 0
    assert await whole(town)


async def test_an_appeal_that_is_late_at_an_end_is_marked_and_then_left_to_people(town: Town) -> None:
    issue = await town.submit()
    await town.does("intake1", "reject", {"route": "judicial", "reason": "已由法院受理。"}, issue)
    await town.does(issue, "appeal", {"reason": "与现场不符。"}, issue)
    town.clock.now += LONG_RED
    worker = worker_of(town)
    assert await swept(worker, town) == 1
    appeal = (await town.state(issue)).timer(Clock.APPEAL)
    assert appeal is not None and appeal.red and appeal.next is None
    town.clock.now += LONG_RED
    assert await swept(worker, town) == 0, "row 45: nobody urges where nothing is open"


async def test_a_batch_writes_what_one_by_one_would_write(town: Town) -> None:
    ids = await submitted(town, 24)
    town.clock.now += timedelta(hours=25)
    engine, desk, now = town.office.engine, town.office.desk, town.clock.now
    for issue in ids[:4]:
        assert await engine.write(lambda conn: sweep.strike_one(conn, desk, issue, now)) == 2  # noqa: B023
    assert await swept(worker_of(town), town) == 40

    def rows(conn: Connection, issue: str) -> list[dict[str, Any]]:
        own = {"id", "issue_id", "query_code", "state", "head", "seal", "previous"}
        later = select(entries).where(entries.c.issue_id == issue, entries.c.version > 1).order_by(entries.c.version)
        told = select(letters).where(letters.c.issue_id == issue, letters.c.version > 1).order_by(letters.c.id)
        found = [
            row
            for stmt in (select(issues).where(issues.c.id == issue), later, told)
            for row in conn.execute(stmt).mappings()
        ]
        assert len(found) == 5
        return [{name: value for name, value in row.items() if name not in own} for row in found]

    alone = await engine.read(lambda conn: rows(conn, ids[0]))
    for issue in ids[1:]:
        assert await engine.read(lambda conn: rows(conn, issue)) == alone  # noqa: B023
    assert await whole(town)


# -- one that fails ------------------------------------------------------------------------------------------------


async def test_one_issue_that_fails_is_put_off_and_the_rest_of_the_batch_goes_on(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = await submitted(town, 5)
    sick, desk, worker = ids[2], town.office.desk, worker_of(town)
    decide = desk.flow.decide

    def fails(issue: Issue, *given: Any, **more: Any) -> Any:
        if issue.id == sick:
            raise ZeroDivisionError("张三 13800138000")
        return decide(issue, *given, **more)

    town.clock.now += timedelta(hours=25)
    with monkeypatch.context() as patched, capture_logs() as lines:
        patched.setattr(desk.flow, "decide", fails)
        assert await swept(worker, town) == 8
        assert await swept(worker, town) == 0
        town.clock.now += timedelta(seconds=31)
        await swept(worker, town)
    alerts = [line for line in lines if line.get("alert")]
    assert [(a["issue"], a["times"], a["fault"]) for a in alerts] == [(sick, n, "ZeroDivisionError") for n in (1, 2)]
    assert "13800138000" not in str(lines), "what an error says may be a person's"
    town.clock.now += timedelta(seconds=31)
    assert await swept(worker, town) == 0, "the second wait is twice as long"
    town.clock.now += timedelta(seconds=31)
    assert await swept(worker, town) == 2, "well again, it strikes at last"
    assert await acts_of_time(town) == Counter({(i, move): 1 for i in ids for move in ("overdue", "urge")})


async def test_what_the_database_refuses_undoes_one_issue_only(town: Town) -> None:
    ids = await submitted(town, 5)
    forked = ids[0]

    def fork(conn: Connection) -> None:
        row = dict(conn.execute(select(entries).where(entries.c.issue_id == forked)).mappings().one())
        conn.execute(insert(entries), row | {"version": 2})

    await town.office.engine.write(fork)
    town.clock.now += timedelta(hours=25)
    assert await swept(worker_of(town), town) == 8
    assert {issue for issue, _ in await acts_of_time(town)} == set(ids[1:])


@pytest.mark.parametrize("reads_left", [0, 1])
async def test_when_the_database_is_away_or_goes_no_issue_is_blamed(
    town: Town, monkeypatch: pytest.MonkeyPatch, reads_left: int
) -> None:
    await submitted(town, 3)
    town.clock.now += timedelta(hours=25)
    worker = worker_of(town)

    read, left = town.office.engine.read, [1] * reads_left

    async def away(_fn: Callable[[Connection], Any]) -> Any:
        raise ConnectionRefusedError

    async def almost_away(fn: Callable[[Connection], Any]) -> Any:
        return await read(fn) if left and left.pop() else await away(fn)

    with monkeypatch.context() as patched, capture_logs() as lines:
        patched.setattr(town.office.engine, "write", away)
        patched.setattr(town.office.engine, "read", almost_away)
        with pytest.raises(ConnectionRefusedError):
            await worker.sweep_once(town.clock.now)
    assert not any(line.get("alert") for line in lines)
    assert await swept(worker, town) == 6


# -- running and stopping ------------------------------------------------------------------------------------------


async def struck(town: Town, issue: str) -> None:
    while (await town.state(issue)).version < 3:  # noqa: ASYNC110 - the worker tells nobody
        await asyncio.sleep(0.02)


async def test_a_running_worker_strikes_when_it_looks_again(town: Town) -> None:
    issue = (await submitted(town, 1))[0]
    worker, stop = worker_of(town, pause=0.2), asyncio.Event()
    running = asyncio.create_task(worker.run(stop))
    await asyncio.sleep(0.3)
    town.clock.now += timedelta(hours=25)
    async with asyncio.timeout(PATIENCE):
        await struck(town, issue)
        stop.set()
        await running
    assert await swept(worker, town) == 0


async def test_a_worker_at_rest_ends_soon_after_it_is_told_to(town: Town) -> None:
    worker, stop = worker_of(town, pause=60.0), asyncio.Event()
    running = asyncio.create_task(worker.run(stop))
    await asyncio.sleep(0.3)
    stop.set()
    async with asyncio.timeout(PATIENCE / 2):  # it would wake by itself after 45 seconds at the earliest
        await running


async def test_a_worker_that_stumbles_gets_up_again(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    issue = (await submitted(town, 1))[0]
    town.clock.now += timedelta(hours=25)
    worker, stop, engine = worker_of(town, pause=0.01), asyncio.Event(), town.office.engine

    async def away(_fn: Callable[[Connection], Any]) -> Any:
        raise ConnectionRefusedError

    with capture_logs() as lines:
        with monkeypatch.context() as patched:
            for name in ("read", "write"):
                patched.setattr(engine, name, away)
            running = asyncio.create_task(worker.run(stop))
            await until(lambda: [line for line in lines if line["event"] == "worker_stumbled"])
        async with asyncio.timeout(PATIENCE):
            await struck(town, issue)
            stop.set()
            await running


@pytest.mark.parametrize("heard", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_asks_the_worker_to_stop(heard: signal.Signals) -> None:
    stop = asyncio.Event()
    stop_on_signals(stop)
    os.kill(os.getpid(), heard)
    async with asyncio.timeout(PATIENCE):
        await stop.wait()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL, "a second one ends it at once"
