"""Who and where there is, by name, for whoever has to choose: units, places and officials, read whole and kept a while."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from sqlalchemy import Connection, select

from liuti.flow.words import Role
from liuti.store.people import roles_of
from liuti.store.tables import grids, people, units

MOST = 20_000
"""Rows of each kind: a city's communities fit; more of them would be looked for by typing, not from a list."""


@dataclass(frozen=True, slots=True)
class Place:
    id: str
    name: str
    level: str
    path: str


@dataclass(frozen=True, slots=True)
class Official:
    id: str
    name: str
    post: str
    unit: str
    level: str
    roles: frozenset[Role]


@dataclass(frozen=True)
class Directory:
    units: dict[str, str]
    """Names by id, active ones only."""
    places: dict[str, Place]
    officials: dict[str, Official]

    def place_name(self, grid: str | None) -> str:
        """The place with what it lies in, from the town down; the id where nothing is known of it."""
        if not grid or grid not in self.places:
            return grid or ""
        above = [self.places[part] for part in self.places[grid].path.split("/") if part in self.places]
        named = [one.name for one in above if one.level != "district"]
        # A grid that is called after its community says where it is by itself.
        return " ".join(name for name, below in zip(named, [*named[1:], ""], strict=True) if not below.startswith(name))

    @cached_property
    def communities(self) -> list[Place]:
        """What a person picks the place from: towns with their communities below them, in the order of the tree."""
        kept = (one for one in self.places.values() if one.level in ("town", "community"))
        return sorted(kept, key=lambda one: one.path)

    def holding(self, *roles: Role) -> list[Official]:
        """Officials with one of these roles, by post and name."""
        found = (one for one in self.officials.values() if not one.roles.isdisjoint(roles))
        return sorted(found, key=lambda one: (one.post, one.name))


def read_directory(conn: Connection) -> Directory:
    """Three statements, bounded; nothing of a person but what their door plate says."""
    named = conn.execute(select(units.c.id, units.c.name).where(units.c.active).order_by(units.c.name).limit(MOST))
    tree = conn.execute(
        select(grids.c.id, grids.c.name, grids.c.level, grids.c.path).order_by(grids.c.path).limit(MOST)
    )
    staff = conn.execute(
        select(people.c.id, people.c.name, people.c.post, people.c.unit_id, people.c.level, people.c.roles)
        .where(people.c.active, people.c.roles != "")
        .limit(MOST)
    )
    return Directory(
        {row.id: row.name for row in named},
        {row.id: Place(*row) for row in tree},
        {row.id: Official(*row[:3], row.unit_id or "", row.level, roles_of(row.roles)) for row in staff},
    )
