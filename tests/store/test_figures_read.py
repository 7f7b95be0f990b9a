"""What the indicators read from the database: pages, and the rules and leaders of a period's end."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine, event, select

from liuti.figures.cases import Leader
from liuti.figures.periods import Period, period_of
from liuti.flow.clocks import World
from liuti.policy import default, default_words, load
from liuti.store import figures
from liuti.store.tables import issues
from liuti.store.world import register_policy
from tests.doors.conftest import town
from tests.doors.town import SHANGHAI, Town, at
from tests.store.test_figures import staff_changes

__all__ = ["town"]


async def test_a_page_of_cases_is_four_statements(town: Town) -> None:
    for _ in range(3):
        await town.direct(category="noise")
    said: list[str] = []

    def heard(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        said.append(statement)

    period = period_of("2026-03", town.clock.now, SHANGHAI)
    event.listen(Engine, "before_cursor_execute", heard)
    try:
        await town.office.engine.read(lambda conn: figures.page(conn, period))
    finally:
        event.remove(Engine, "before_cursor_execute", heard)
    assert len([one for one in said if one.lstrip().upper().startswith("SELECT")]) == 4


async def test_a_period_is_judged_by_the_policy_in_force_at_its_end(town: Town) -> None:
    before = period_of("2026-03", at("2026-04-01 09:00"), SHANGHAI)
    words = default_words().replace("version = 1\n", "version = 2\n", 1).replace("ranked_from = 30", "ranked_from = 40")
    await town.office.engine.write(lambda conn: register_policy(conn, words, at("2026-04-02 09:00")))
    after = period_of("2026-04", at("2026-05-01 09:00"), SHANGHAI)

    async def limits(period: Period, world: World) -> tuple[int, int]:
        found = (await town.office.engine.read(lambda conn: figures.frame(conn, period, world))).limits
        return found.policy, found.ranked_from

    calendar = town.office.desk.world().calendar
    for policy in (default(), load(words)):
        world = World(policy, calendar)
        assert (await limits(before, world), await limits(after, world)) == ((1, 30), (2, 40))
    own = World(
        load(words.replace("ranked_from = 40", "ranked_from = 50").replace("version = 2", "version = 9", 1)), calendar
    )
    assert await limits(before, own) == (9, 50), "a file nobody registered has no history"


async def test_pages_leave_nothing_out_and_nothing_twice(town: Town) -> None:
    made = [await town.submit("intake1") for _ in range(5)]
    period = period_of("2026-03", town.clock.now, SHANGHAI)
    world = town.office.desk.world()
    found: list[str] = []
    after, pages = "", 0
    while True:
        one = await town.office.engine.read(lambda conn: figures.page(conn, period, after, most=2))  # noqa: B023
        found += [case.id for case in figures.cases_of(one, period, world)]
        pages += 1
        if not one.last:
            break
        after = one.last
    assert (found, pages) == (sorted(made), 3)
    kept = await town.office.engine.read(lambda conn: set(conn.execute(select(issues.c.id)).scalars()))
    assert set(found) == kept


async def test_who_led_at_the_end_of_a_period_is_told_from_the_book(town: Town) -> None:
    then = period_of("2026-03", town.clock.now, SHANGHAI)
    world = town.office.desk.world()
    town.clock.now = at("2026-03-03 10:00")
    await town.office.engine.write(lambda conn: staff_changes(conn, town))
    before = await town.office.engine.read(lambda conn: figures.frame(conn, then, world))
    assert before.leaders == [Leader("leader1", "district"), Leader("leader2", "district")]
    now = period_of("2026-03", town.clock.now, SHANGHAI)
    today = await town.office.engine.read(lambda conn: figures.frame(conn, now, world))
    assert today.leaders == [Leader("new", "town")]
