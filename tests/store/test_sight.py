"""Lists and single readings agree on who may see what, for everybody in a whole district."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from liuti import demo, policy
from liuti.calendars import notices
from liuti.flow import sight
from liuti.flow.calendar import Calendar
from liuti.flow.clocks import World
from liuti.flow.issue import Issue
from liuti.flow.kernel import ANYONE, Actor, Refused
from liuti.flow.words import Kind, Role
from liuti.settings import new_key
from liuti.store import people, read
from liuti.store.engine import Engine
from liuti.store.read import Wish
from liuti.store.tables import issues
from liuti.store.vault import KeyRing

NOW = datetime(2026, 6, 10, 3, 0, tzinfo=UTC)


@pytest.fixture
async def district(engine: Engine, tmp_path: Path) -> Engine:
    world = World(policy.default(), Calendar(notices()))
    await demo.make_district(engine, KeyRing.parse(new_key()), world, tmp_path / "files", NOW)
    return engine


async def everyone(engine: Engine) -> list[Actor]:
    """One person of each role and unit kind, a proposer, and a passer-by."""
    found: dict[str, Actor] = {}

    def some(conn: object) -> None:
        for role in Role:
            for actor in people.people_by_role(conn, role)[:12]:  # type: ignore[arg-type]
                found[actor.id] = actor

    await engine.read(some)
    return [*found.values(), ANYONE]


async def test_a_list_holds_exactly_what_may_be_seen_one_by_one(district: Engine) -> None:
    states = await district.read(lambda conn: list(conn.execute(select(issues.c.state)).scalars()))
    every = [read.STATE.decode(state) for state in states]
    assert len(every) >= 200
    looked = 0
    for actor in await everyone(district):
        if not actor.roles.isdisjoint(sight.BLIND):
            with pytest.raises(Refused) as refused:
                await district.read(lambda conn, actor=actor: read.page(conn, actor, Wish()))  # type: ignore[misc]
            assert refused.value.status == 403
            continue
        assert await listed(district, actor) == {issue.id for issue in every if sight.may_see(actor, issue)}, actor
        looked += 1
    assert looked > 30


async def listed(engine: Engine, actor: Actor) -> set[str]:
    """Every page, by the cursor."""
    ids: set[str] = set()
    cursor = ""
    while True:
        wish = Wish(cursor=cursor, limit=37)
        page = await engine.read(lambda conn, wish=wish: read.page(conn, actor, wish))  # type: ignore[misc]
        seen = {found.issue.id for found in page.found}
        assert not seen & ids, "a page repeats what another had"
        ids |= seen
        if page.cursor is None:
            return ids
        cursor = page.cursor


def test_a_tip_off_is_never_shown_to_the_unit_it_is_about() -> None:
    about = Issue("x", kind=Kind.TIP_OFF, against="u-01", lead_unit="u-02")
    officer = Actor("p", frozenset({Role.OFFICER}), unit="u-01")
    inspector = Actor("q", frozenset({Role.INSPECTOR}), unit="u-01", tip_offs=True)
    named = Actor("r", frozenset({Role.INTAKE}), unit="u-03", tip_offs=True)
    assert sight.may_see(named, about)
    assert not sight.may_see(officer, about)
    assert not sight.may_see(inspector, about)


def test_a_unit_at_work_on_a_tip_off_never_learns_who_it_came_from() -> None:
    about = Issue("x", kind=Kind.TIP_OFF, lead_unit="u-02", anonymous=True)
    officer = Actor("p", frozenset({Role.OFFICER}), unit="u-02")
    assert sight.may_see(officer, about)
    assert sight.hides_identity(officer, about)
    assert not sight.may_open_contact(officer, about)
