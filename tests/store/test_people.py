"""Units, grids and people: found as they were put in, and no person with two keys to the same door."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection, select, update

from liuti.flow.kernel import Actor, Refused, Unit
from liuti.flow.words import ADMINS, Role
from liuti.store import people
from liuti.store.engine import Engine
from liuti.store.tables import grids
from liuti.store.tables import people as people_table
from liuti.store.tables import units as units_table

NOW = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
SECADMIN = Actor("sec", frozenset({Role.SECADMIN}))


def refused(code: str, status: int) -> Any:
    return pytest.RaisesExc(Refused, check=lambda fault: (fault.code, fault.status) == (code, status))


@pytest.fixture
async def town(engine: Engine) -> Engine:
    """A water company led by Li Gang, with an officer of its own; a grid worker; and a secadmin."""

    def settle(conn: Connection) -> None:
        people.add_unit(conn, "water", "供水公司", "department", "li")
        add = partial(people.add_person, conn)
        add("li", "li.gang", "李刚", roles={Role.LEADER}, level="district", post="副区长")
        add("zhou", "zhou", "周敏", roles={Role.OFFICER, Role.UNIT_HEAD}, unit="water", former_units=("gas", "heat"))
        add("wu", "wu", "吴迪", roles={Role.GRID_WORKER}, grid="g1", tip_offs=True)
        add("sec", "sec", "安全员", roles={Role.SECADMIN})
        add("new", "new", "新人", unit="water", level="town")

    await engine.write(settle)
    return engine


def roles_after(person: str, roles: set[Role], by: Actor = SECADMIN) -> Callable[[Connection], frozenset[Role]]:
    def work(conn: Connection) -> frozenset[Role]:
        people.set_roles(conn, by, person, roles, NOW)
        actor = people.actor_of(conn, person)
        assert actor is not None
        return actor.roles

    return work


async def test_a_person_is_known_to_the_flow_as_they_were_entered(town: Engine) -> None:
    officer = Actor(
        "zhou",
        frozenset({Role.OFFICER, Role.UNIT_HEAD}),
        unit="water",
        name="周敏",
        former_units=frozenset({"gas", "heat"}),
    )
    assert await town.read(partial(people.actor_of, person_id="zhou")) == officer
    leader = Actor("li", frozenset({Role.LEADER}), level="district", post="副区长", name="李刚")
    assert await town.read(partial(people.actor_of, person_id="li")) == leader


async def test_a_unit_comes_with_the_leader_above_it(town: Engine) -> None:
    assert await town.read(partial(people.unit_of, unit_id="water")) == Unit("water", "供水公司", "li", "副区长")
    await town.write(partial(people.supervise, unit_id="water", person_id="wu"))
    assert await town.read(partial(people.unit_of, unit_id="water")) == Unit("water", "供水公司", "wu", "吴迪")
    await town.write(partial(people.supervise, unit_id="water", person_id=""))
    assert await town.read(partial(people.unit_of, unit_id="water")) == Unit("water", "供水公司")


async def test_whoever_has_left_is_nobody_any_more(town: Engine) -> None:
    await town.write(lambda conn: conn.execute(update(people_table).values(active=False)))
    await town.write(lambda conn: conn.execute(update(units_table).values(active=False)))
    assert await town.read(partial(people.actor_of, person_id="zhou")) is None
    assert await town.read(partial(people.people_by_role, role=Role.OFFICER)) == []
    assert await town.read(partial(people.unit_of, unit_id="water")) is None


async def test_strangers_are_none(town: Engine) -> None:
    assert await town.read(partial(people.actor_of, person_id="nobody")) is None
    assert await town.read(partial(people.unit_of, unit_id="nowhere")) is None
    assert await town.read(partial(people.id_of, login="nobody")) is None


async def test_people_are_found_by_a_whole_role(town: Engine) -> None:
    found = {role: [actor.id for actor in await town.read(partial(people.people_by_role, role=role))] for role in Role}
    held = {Role.LEADER: ["li"], Role.OFFICER: ["zhou"], Role.UNIT_HEAD: ["zhou"], Role.GRID_WORKER: ["wu"]}
    assert found == {role: [] for role in Role} | held | {Role.SECADMIN: ["sec"]}


async def test_an_underscore_in_a_role_matches_only_itself(town: Engine) -> None:
    odd = update(people_table).where(people_table.c.id == "wu").values(roles="gridXworker")
    await town.write(lambda conn: conn.execute(odd))
    assert await town.read(partial(people.people_by_role, role=Role.GRID_WORKER)) == []


async def test_a_login_has_one_spelling_and_one_owner(town: Engine) -> None:
    assert await town.read(partial(people.id_of, login=" LI.Gang ")) == "li"
    with refused("login_taken", 409):
        await town.write(partial(people.add_person, person_id="x", login="Li.Gang", name="别人"))


async def test_the_list_of_everybody_shows_no_password(town: Engine) -> None:
    listed = await town.read(people.everybody)
    assert ("li.gang", "李刚", "副区长", "", "leader") in listed
    assert [row[0] for row in listed] == ["li.gang", "new", "sec", "wu", "zhou"]


# --- handing out roles -----------------------------------------------------------------------------------------------


async def test_a_secadmin_hands_out_roles_and_takes_them_back(town: Engine) -> None:
    both = {Role.OFFICER, Role.LEADER}
    assert await town.write(roles_after("new", both)) == both
    assert await town.write(roles_after("new", set())) == set()


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.SECADMIN])
async def test_nobody_but_a_secadmin_hands_out_roles(town: Engine, role: Role) -> None:
    with refused("not_yours", 403):
        await town.write(roles_after("new", {Role.OFFICER}, Actor("boss", frozenset({role}))))
    assert await town.write(roles_after("new", {Role.OFFICER})) == {Role.OFFICER}


async def test_a_secadmin_hands_out_no_role_to_themselves(town: Engine) -> None:
    with refused("own_roles", 403):
        await town.write(roles_after("sec", {Role.OFFICER}))
    other = Actor("sec2", frozenset({Role.SECADMIN}))
    assert await town.write(roles_after("sec", {Role.CALLER}, other)) == {Role.CALLER}


@pytest.mark.parametrize("admin", sorted(ADMINS))
async def test_an_administrator_holds_no_second_role(town: Engine, admin: Role) -> None:
    assert await town.write(roles_after("new", {admin})) == {admin}
    for other in set(Role) - {admin, Role.CITIZEN, Role.CLOCK}:
        with refused("roles_apart", 422):
            await town.write(roles_after("new", {admin, other}))
        with refused("roles_apart", 422):
            await town.write(partial(people.add_person, person_id="x", login="x", name="x", roles={admin, other}))


@pytest.mark.parametrize("role", [Role.CITIZEN, Role.CLOCK])
async def test_some_roles_are_nobodys_to_give(town: Engine, role: Role) -> None:
    with refused("no_such_role", 422):
        await town.write(roles_after("new", {role}))


async def test_a_role_in_a_unit_asks_for_a_unit_and_a_leader_for_a_level(town: Engine) -> None:
    for role in (Role.OFFICER, Role.UNIT_HEAD):
        with refused("unit_required", 422):
            await town.write(roles_after("wu", {role}))
    with refused("level_required", 422):
        await town.write(roles_after("wu", {Role.LEADER}))
    with refused("level_required", 422):
        await town.write(partial(people.add_person, person_id="x", login="x", name="x", level="province"))


async def test_roles_are_not_given_to_a_stranger(town: Engine) -> None:
    with refused("no_such_person", 404):
        await town.write(roles_after("nobody", {Role.CALLER}))


# --- the tree of places ----------------------------------------------------------------------------------------------


async def test_a_place_is_found_with_all_that_lies_within(engine: Engine) -> None:
    def plant(conn: Connection) -> list[str]:
        return [
            people.add_grid(conn, "d_1", "示范区", "district"),
            people.add_grid(conn, "t1", "城关镇", "town", "d_1", 30_000, ("老城", "沿河")),
            people.add_grid(conn, "c1", "河西社区", "community", "t1"),
            people.add_grid(conn, "g1", "河西一格", "grid", "c1"),
            people.add_grid(conn, "t11", "河东镇", "town", "d_1"),
            people.add_grid(conn, "dX1", "邻区", "district"),
            people.add_grid(conn, "t2", "邻镇", "town", "dX1"),
        ]

    paths = await engine.write(plant)
    assert paths[3] == "/d_1/t1/c1/g1"
    assert await engine.read(partial(people.grids_under, grid_id="t1")) == ["t1", "c1", "g1"]
    assert set(await engine.read(partial(people.grids_under, grid_id="d_1"))) == {"d_1", "t1", "c1", "g1", "t11"}
    assert await engine.read(partial(people.grids_under, grid_id="nowhere")) == []
    tags = await engine.read(lambda conn: conn.execute(select(grids.c.tags).where(grids.c.id == "t1")).scalar())
    assert tags == "老城,沿河"


@pytest.mark.parametrize(
    ("grid", "level", "parent"),
    [
        ("t", "town", ""), ("t", "town", "nowhere"), ("d", "district", "d0"), ("t", "street", "d0"),
        ("a/b", "town", "d0"), ("c", "town", "t0"), ("d", "grid", "g0"),
    ],
)  # fmt: skip
async def test_a_place_out_of_order_is_refused(engine: Engine, grid: str, level: str, parent: str) -> None:
    def plant(conn: Connection) -> str:
        people.add_grid(conn, "d0", "区", "district")
        people.add_grid(conn, "t0", "镇", "town", "d0")
        people.add_grid(conn, "g0", "格", "grid", "t0")
        return people.add_grid(conn, grid, "新", level, parent)

    with refused("bad_grid", 422):
        await engine.write(plant)
