"""Who works here: units, grids, and people with their roles (docs/rules.md §4.1, §8 rule 5)."""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, String, bindparam, insert, literal, or_, select, update

from liuti.flow.kernel import Actor, Refused, Unit, not_yours
from liuti.flow.words import ADMINS, ROLE_NAMES, UNIT_ROLES, Role
from liuti.store.audit import By, changed, note
from liuti.store.tables import grids, people, units

GRID_LEVELS = ("district", "town", "community", "grid")
LEADER_LEVELS = ("district", "town", "department")
_NOT_GIVEN = frozenset({Role.CITIZEN, Role.CLOCK})


# --- units and grids -------------------------------------------------------------------------------------------------


def add_unit(conn: Connection, unit_id: str, name: str, kind: str, supervisor: str = "", by: By | None = None) -> None:
    """A unit; `supervisor` is the person who leads it from above 分管领导, and may come later by `supervise`.

    Here and below `by` goes into the audit; None only where a whole district is made up, a demo's or a test's.
    """
    row = {"id": unit_id, "name": name, "kind": kind, "supervisor": supervisor or None, "active": True}
    conn.execute(insert(units), [row])
    if by is not None:
        note(conn, by, "add_unit", unit_id, None, row)


def supervise(conn: Connection, unit_id: str, person_id: str, by: By | None = None) -> None:
    """From now on this person leads the unit from above; "" for nobody."""
    unit = units.c.id == unit_id
    before = conn.execute(select(units.c.supervisor).where(unit).with_for_update()).scalar()
    done = conn.execute(update(units).where(unit).values(supervisor=person_id or None))
    if by is not None and done.rowcount:
        changed(conn, by, "supervise", unit_id, {"supervisor": before}, {"supervisor": person_id or None})


_UNIT = (
    select(units.c.id, units.c.name, units.c.supervisor, people.c.post, people.c.name.label("leader"))
    .select_from(units.outerjoin(people, people.c.id == units.c.supervisor))
    .where(units.c.id == bindparam("unit"), units.c.active)
)


def unit_of(conn: Connection, unit_id: str) -> Unit | None:
    """The unit as the flow knows it, with its supervising leader's post; None when there is no such active unit."""
    row = conn.execute(_UNIT, {"unit": unit_id}).first()
    return None if row is None else Unit(row.id, row.name, row.supervisor or "", row.post or row.leader or "")


def add_grid(
    conn: Connection,
    grid_id: str,
    name: str,
    level: str,
    parent: str = "",
    population: int | None = None,
    tags: Iterable[str] = (),
) -> str:
    """A place of the district > town > community > grid tree; its path of ids, which `grids_under` looks for.

    Refused 422 `bad_grid` when the id holds a slash, or the parent is missing or not of a level above.
    """
    above = conn.execute(select(grids.c.level, grids.c.path).where(grids.c.id == parent)).first()
    fits = level in GRID_LEVELS and "/" not in grid_id and bool(parent) == (level != GRID_LEVELS[0])
    if not fits or (parent and (above is None or GRID_LEVELS.index(above.level) >= GRID_LEVELS.index(level))):
        zh, en = f"网格 {grid_id} 的层级或上级不符。", f"Grid {grid_id}: its level and its parent do not fit."
        raise Refused("bad_grid", 422, zh, en, "parent")
    path = f"{above.path if above is not None else ''}/{grid_id}"
    row = {"id": grid_id, "name": name, "level": level, "parent": parent or None, "path": path}
    conn.execute(insert(grids), [{**row, "population": population, "tags": ",".join(tags)}])
    return path


def grids_under(conn: Connection, grid_id: str) -> list[str]:
    """The ids of this place and of every place within it, by path."""
    path = conn.execute(select(grids.c.path).where(grids.c.id == grid_id)).scalar()
    if path is None:
        return []
    within = or_(grids.c.path == path, grids.c.path.startswith(path + "/", autoescape=True))
    return list(conn.execute(select(grids.c.id).where(within).order_by(grids.c.path)).scalars())


# --- people and their roles ------------------------------------------------------------------------------------------


def add_person(
    conn: Connection,
    person_id: str,
    login: str,
    name: str,
    *,
    roles: Iterable[Role] = (),
    unit: str = "",
    post: str = "",
    level: str = "",
    grid: str = "",
    tip_offs: bool = False,
    former_units: Iterable[str] = (),
    password_hash: str = "",
    by: By | None = None,
) -> None:
    """A person who can log in once they have a password. `former_units` bar them from inspecting those units' work.

    For commands and set-up: at the doors a sysadmin adds people without roles, and a secadmin hands these out.
    Refused 409 `login_taken`, 422 as `set_roles`.
    """
    held = _checked(roles, unit, level)
    plain = plain_login(login)
    if conn.execute(select(people.c.id).where(people.c.login == plain)).first() is not None:
        raise Refused("login_taken", 409, "这个登录名已有人使用。", "This login name is taken.", "login")
    row = {
        "id": person_id, "login": plain, "name": name, "post": post, "unit_id": unit or None, "level": level,
        "grid": grid, "roles": held, "tip_offs": tip_offs, "former_units": ",".join(former_units),
        "password": password_hash or None, "active": True, "tries": 0, "locked_until": None,
    }  # fmt: skip
    conn.execute(insert(people), [row])
    if by is not None:
        unseen = ("name", "password", "tries", "locked_until")
        note(conn, by, "add_person", person_id, None, {k: v for k, v in row.items() if k not in unseen})


def set_roles(conn: Connection, by: Actor, person_id: str, roles: Iterable[Role], now: datetime) -> None:
    """The person holds exactly these roles from their next request on; the audit says which they held before.

    Refused 403 unless `by` is a secadmin and somebody else; 422 `roles_apart` when an administrator's role would not
    stand alone, `no_such_role` for citizen and clock, `unit_required`, `level_required`; 404 without such a person.
    Source: docs/rules.md §8 rule 5.
    """
    if Role.SECADMIN not in by.roles:
        raise not_yours((Role.SECADMIN,))
    if by.id == person_id:
        raise Refused("own_roles", 403, "不得为自己授权。", "Nobody hands out roles to themselves.")
    found = conn.execute(_LOCKED_PERSON, {"person": person_id}).first()
    if found is None:
        raise no_such_person()
    held = _checked(roles, found.unit_id or "", found.level)
    conn.execute(update(people).where(people.c.id == person_id).values(roles=held))
    changed(conn, By(by.id, now), "set_roles", person_id, {"roles": found.roles}, {"roles": held})


_LOCKED_PERSON = (
    select(people.c.unit_id, people.c.level, people.c.roles).where(people.c.id == bindparam("person")).with_for_update()
)


def _checked(roles: Iterable[Role], unit: str, level: str) -> str:
    held = {Role(role) for role in roles}
    if held & _NOT_GIVEN:
        raise Refused(
            "no_such_role", 422, "群众和时钟不是可授予的角色。", "Citizen and clock are not roles to give.", "roles"
        )
    if held & ADMINS and len(held) > 1:
        names = [ROLE_NAMES[role] for role in Role if role in held]
        zh = f"三员分设,管理员不得兼任其他角色:{'、'.join(name[0] for name in names)}。"
        en = f"An administrator holds that role and no other: {', '.join(name[1] for name in names)}."
        raise Refused("roles_apart", 422, zh, en, "roles")
    if held & UNIT_ROLES and not unit:
        zh, en = "承办人和单位负责人须有所属单位。", "An officer or head of a unit belongs to one."
        raise Refused("unit_required", 422, zh, en, "unit")
    if level not in ("", *LEADER_LEVELS) or (Role.LEADER in held and not level):
        zh, en = "领题领导须有层级(区、镇街、部门)。", "A leader has a level: district, town or department."
        raise Refused("level_required", 422, zh, en, "level")
    return ",".join(role for role in Role if role in held)


def plain_login(login: str) -> str:
    """One spelling of a login name: blanks around it, case and full width do not matter."""
    return unicodedata.normalize("NFKC", login).strip().casefold()


def no_such_person() -> Refused:
    return Refused("no_such_person", 404, "没有这个人。", "There is no such person.")


@functools.lru_cache(maxsize=1024)
def roles_of(text: str) -> frozenset[Role]:
    """The roles kept in `people.roles`. Each text is read once: people are many, their combinations few."""
    return frozenset(Role(name) for name in text.split(",") if name)


@functools.lru_cache(maxsize=1024)
def _ids_of(text: str) -> frozenset[str]:
    return frozenset(text.split(",")) - {""}


PERSON = (
    people.c.id, people.c.roles, people.c.unit_id, people.c.level, people.c.post, people.c.name, people.c.tip_offs,
    people.c.former_units,
)  # fmt: skip
"""The columns `as_actor` reads, in its order."""
_PERSON: Select[Any] = select(*PERSON).where(people.c.active)
_BY_ID = _PERSON.where(people.c.id == bindparam("person"))
_BY_ROLE = _PERSON.where(
    (literal(",", String) + people.c.roles + ",").like(bindparam("role", type_=String), escape="\\")
).order_by(people.c.id)


def as_actor(row: Sequence[Any]) -> Actor:
    """The person of a row of `PERSON`, as the flow knows them."""
    person, roles, unit, level, post, name, tip_offs, former = row
    return Actor(person, roles_of(roles), unit or "", level, post, name, tip_offs, _ids_of(former))


def actor_of(conn: Connection, person_id: str) -> Actor | None:
    """The person as the flow knows them; None when there is no such active person."""
    row = conn.execute(_BY_ID, {"person": person_id}).first()
    return None if row is None else as_actor(row)


def people_by_role(conn: Connection, role: Role) -> list[Actor]:
    """Every active person who holds the role, by id. Reads all people: for a letter's readers, not for every request."""
    pattern = f"%,{role.value},%".replace("_", "\\_")
    return [as_actor(row) for row in conn.execute(_BY_ROLE, {"role": pattern})]


def id_of(conn: Connection, login: str) -> str | None:
    """The id behind a login name, active or not."""
    return conn.execute(select(people.c.id).where(people.c.login == plain_login(login))).scalar()


def everybody(conn: Connection) -> list[tuple[str, str, str, str, str]]:
    """Login, name, post, unit and roles of each person, by login."""
    columns = people.c.login, people.c.name, people.c.post, people.c.unit_id, people.c.roles
    return [(a, b, c, d or "", e) for a, b, c, d, e in conn.execute(select(*columns).order_by(people.c.login))]


class Listed(NamedTuple):
    """A person as an administrator sees them: no case, no password."""

    id: str
    login: str
    name: str
    post: str
    unit: str
    level: str
    roles: frozenset[Role]
    active: bool


_LISTED = (
    select(
        people.c.id, people.c.login, people.c.name, people.c.post, people.c.unit_id, people.c.level, people.c.roles,
        people.c.active,
    )
    .where(people.c.login > bindparam("after"))
    .order_by(people.c.login)
    .limit(bindparam("most"))
)  # fmt: skip


def listed(conn: Connection, after: str = "", most: int = 50) -> list[Listed]:
    """People by login, from one login on."""
    rows = conn.execute(_LISTED, {"after": after, "most": most})
    return [Listed(*row[:4], row.unit_id or "", row.level, roles_of(row.roles), row.active) for row in rows]
