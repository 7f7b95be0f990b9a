"""The boards hold exactly what the states say, for everybody in a whole district, however a page is cut."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Select, select

from liuti import demo, policy
from liuti.calendars import notices
from liuti.flow import sight
from liuti.flow.calendar import Calendar
from liuti.flow.clocks import World
from liuti.flow.issue import Issue, Order, Timer
from liuti.flow.kernel import Actor
from liuti.flow.words import OPEN, UNIT_ROLES, Clock, Role, Step
from liuti.settings import new_key
from liuti.store import boards, people, read
from liuti.store.boards import Board, Late, asking, lateness, ordering, outlying
from liuti.store.engine import Engine
from liuti.store.tables import entries, issues
from liuti.store.vault import KeyRing

NOW = datetime(2026, 6, 10, 3, 0, tzinfo=UTC)
# Not swept since the demo ended: much is late that nobody has struck.
LATER = NOW + timedelta(days=3)
UNTIL = LATER + timedelta(days=46)
WATCHERS = frozenset({Role.INSPECTOR, Role.TEAM, Role.PRINCIPAL, Role.AUDITADMIN})


@pytest.fixture
async def district(engine: Engine, tmp_path: Path) -> Engine:
    world = World(policy.default(), Calendar(notices()))
    await demo.make_district(engine, KeyRing.parse(new_key()), world, tmp_path / "files", NOW)
    return engine


async def states(engine: Engine) -> list[Issue]:
    found = await engine.read(lambda conn: list(conn.execute(select(issues.c.state)).scalars()))
    return [read.STATE.decode(state) for state in found]


async def officials(engine: Engine) -> list[Actor]:
    """Some of every role that reads the board, and some that read only their own."""

    def some(conn: Connection) -> dict[str, Actor]:
        roles = (*sorted(WATCHERS), Role.LEADER, Role.UNIT_HEAD, Role.OFFICER)
        return {actor.id: actor for role in roles for actor in people.people_by_role(conn, role)[:4]}

    return list((await engine.read(some)).values())


async def whole(engine: Engine, actor: Actor, limit: int, **wish: Any) -> list[str]:
    """Every page of the overdue board."""
    ids: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        wanted = Late(**wish, cursor=cursor, limit=limit)
        page: Board = await engine.read(lambda conn, wanted=wanted: boards.late(conn, actor, wanted, LATER, UNTIL))  # type: ignore[misc]
        assert len(page.rows) <= limit
        ids += [found.issue.id for found in page.rows]
        cursor = page.cursor
    assert len(ids) == len(set(ids)), "a page repeats what another had"
    return ids


def own(actor: Actor, issue: Issue) -> bool:
    if actor.roles & WATCHERS:
        return True
    leads = Role.LEADER in actor.roles and issue.leader == actor.id
    works = bool(actor.roles & UNIT_ROLES) and actor.unit in {issue.lead_unit, *(a.unit for a in issue.assignments)}
    return leads or works


async def test_the_overdue_board_holds_what_is_late_and_seen_by_whoever_asks(district: Engine) -> None:
    every = await states(district)
    late = {issue.id: issue for issue in every if boards.alarms(issue, LATER)}
    assert len(late) > 40 and len(late) < len(every)
    sizes = set()
    for actor in await officials(district):
        expected = {one for one, issue in late.items() if sight.may_see(actor, issue) and own(actor, issue)}
        found = await whole(district, actor, 7)
        assert set(found) == expected, actor
        sizes.add(len(expected))
    assert len(sizes) > 3, "not everybody sees the same"


async def test_the_board_runs_by_due_time_and_says_the_same_however_it_is_cut(district: Engine) -> None:
    every = {issue.id: issue for issue in await states(district)}
    inspector = next(a for a in await officials(district) if Role.INSPECTOR in a.roles)
    found = await whole(district, inspector, 100)
    dues = [every[one].deadline for one in found]
    assert all(a is not None and b is not None and a <= b for a, b in itertools.pairwise(dues))
    assert await whole(district, inspector, 1) == found
    by_step = [await whole(district, inspector, 9, step=step) for step in Step]
    assert sorted(itertools.chain(*by_step)) == sorted(found)
    by_colour = [await whole(district, inspector, 9, colour=colour) for colour in ("red", "yellow")]
    assert sorted(itertools.chain(*by_colour)) == sorted(found), "a row has one colour"
    assert all(by_colour)
    by_rung = [await whole(district, inspector, 9, rung=rung) for rung in range(4)]
    assert sorted(itertools.chain(*by_rung)) == sorted(found)
    assert all(by_rung), "the demo has climbed the whole ladder"


async def test_the_counts_are_those_of_the_rows(district: Engine) -> None:
    inspector = next(a for a in await officials(district) if Role.INSPECTOR in a.roles)
    red = await whole(district, inspector, 100, colour="red")
    counts = await district.read(lambda conn: boards.late_counts(conn, inspector, Late(), LATER))
    # What the clock closes or resumes has a due time too, and is nobody's lateness.
    every = {issue.id: issue for issue in await states(district)}
    passed = [
        i for i in every.values() if i.deadline is not None and i.deadline <= LATER and sight.may_see(inspector, i)
    ]
    assert sum(counts["step"].values()) == len(passed) >= len(red)
    for step in OPEN:
        assert counts["step"].get(step.value, 0) == sum(1 for issue in passed if issue.step is step)


def timer(clock: Clock = Clock.SIGN, **more: Any) -> Timer:
    given = {"started": NOW, "due": NOW + timedelta(hours=4), "next": NOW + timedelta(hours=3)}
    return Timer(clock, **(given | more))


@pytest.mark.parametrize(
    ("one", "after", "colour"),
    [
        (timer(), timedelta(hours=3, seconds=-1), ""),
        (timer(), timedelta(hours=3), "yellow"),
        (timer(), timedelta(hours=4), "red"),
        (timer(warned=True, next=NOW + timedelta(hours=4)), timedelta(hours=1), "yellow"),
        (timer(red=True, next=None), timedelta(hours=5), "red"),
        (timer(paused=NOW), timedelta(hours=9), ""),
        (timer(stopped=NOW), timedelta(hours=9), ""),
        (timer(Clock.HOLD), timedelta(hours=9), ""),
        (timer(Clock.EVALUATE), timedelta(hours=9), ""),
        (timer(Clock.SUPPLEMENT), timedelta(hours=9), ""),
    ],
)
def test_a_clock_alarms_from_its_warning_on_while_it_runs(one: Timer, after: timedelta, colour: str) -> None:
    assert boards.alarm(one, NOW + after) == colour


@pytest.mark.parametrize(
    ("more", "state"),
    [
        ({}, "drafted"),
        ({"signed": NOW}, "signed"),
        ({"signed": NOW, "responded": NOW}, "answered"),
        ({"signed": NOW, "responded": NOW, "settled": NOW}, "settled"),
    ],
)
def test_an_order_is_drafted_signed_answered_or_settled(more: dict[str, Any], state: str) -> None:
    assert boards.state_of(Order(1, "unit:u", "", NOW, **more)) == state


async def test_the_request_and_order_boards_hold_every_open_one_of_the_district_once(district: Engine) -> None:
    every = await states(district)
    inspector = next(a for a in await officials(district) if Role.TEAM in a.roles)
    open_asks = {(i.id, ask.id) for i in every for ask in i.open_asks() if sight.may_see(inspector, i)}
    written = {(i.id, order.id) for i in every for order in i.orders if sight.may_see(inspector, i)}
    asked: list[tuple[str, int]] = []
    cursor: str | None = ""
    while cursor is not None:
        page = await district.read(
            lambda conn, at=cursor: boards.requests(conn, inspector, lambda _i, _a: True, cursor=at, limit=2)  # type: ignore[misc]
        )
        asked += [(one.found.issue.id, one.ask.id) for one in page.rows]
        cursor = page.cursor
    assert sorted(asked) == sorted(open_asks)
    ordered: list[tuple[str, int]] = []
    cursor = ""
    while cursor is not None:
        page = await district.read(lambda conn, at=cursor: boards.orders(conn, inspector, cursor=at, limit=2))  # type: ignore[misc]
        ordered += [(one.found.issue.id, one.order.id) for one in page.rows]
        cursor = page.cursor
    assert sorted(ordered) == sorted(written)
    assert len(asked) >= 3 and len(ordered) >= 3


async def test_the_outlier_board_adds_up_to_what_the_states_say(district: Engine) -> None:
    every = await states(district)
    found = await district.read(lambda conn: boards.outliers(conn, NOW - timedelta(days=3650), NOW + timedelta(days=1)))
    made = dict.fromkeys(boards.OUTLYING, 0)
    for (_, move), tally in found.by_officer.items():
        made[move] += tally.made
    granted = [ask for issue in every for ask in issue.asks if ask.outcome == "granted"]

    def done(conn: Connection) -> list[str]:
        plain = select(entries.c.move).where(entries.c.awaits == "", entries.c.move.in_(boards.OUTLYING))
        return list(conn.execute(plain).scalars())

    directly = await district.read(done)
    for move in boards.OUTLYING:
        assert made[move] == directly.count(move) + sum(1 for ask in granted if ask.move == move), move
    assert sum(made.values()) > 10
    denied = sum(tally.denied for tally in found.by_officer.values())
    assert denied == sum(1 for i in every for a in i.asks if a.outcome == "denied" and a.move in boards.OUTLYING)


class Planned(Exception):
    """Carries a plan out of a transaction that is then undone."""


@pytest.mark.parametrize(
    ("stmt", "index"),
    [
        (select(lateness.earliest(None, [issues.c.deadline <= NOW], 150)), "ix_issues_step_deadline"),
        (asking._ASKED.limit(150), "ix_entries_awaits"),
        (ordering._ORDERS.limit(150), "ix_entries_orders"),
        (outlying._ACTS, "ix_entries_acts"),
        (outlying._MEASURES, "ix_entries_acts"),
    ],
)
async def test_a_board_reads_along_its_index(engine: Engine, stmt: Select[Any], index: str) -> None:
    """The index written for it can serve it: asked with nothing else to read along, since on an empty table all cost alike."""

    def plan(conn: Connection) -> str:
        if conn.dialect.name == "postgresql":
            conn.exec_driver_sql("SET LOCAL enable_seqscan = off")
            conn.exec_driver_sql("DROP INDEX ix_entries_at")
        given = stmt.params(since=NOW, until=LATER)
        written = str(given.compile(dialect=conn.dialect, compile_kwargs={"literal_binds": True}))
        how = "EXPLAIN QUERY PLAN " if conn.dialect.name == "sqlite" else "EXPLAIN "
        raise Planned(conn.exec_driver_sql(how + written).all())

    with pytest.raises(Planned, match=index):
        await engine.write(plan)
