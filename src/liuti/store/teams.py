"""Inspection teams 督导组: who, over which units and places and until when, never over their own former unit; and their samples (docs/rules.md §2, §8)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from msgspec import Struct, json
from sqlalchemy import ColumnElement, Connection, bindparam, insert, or_, select

from liuti.flow.draws import digest_of, drawn
from liuti.flow.kernel import Actor, Refused
from liuti.flow.words import Kind, Role, Step
from liuti.store.audit import By, note
from liuti.store.bulk import insert_many
from liuti.store.ids import uuid7
from liuti.store.people import PERSON, as_actor, grids_under
from liuti.store.tables import assignments, grids, issues, people, units
from liuti.store.tables_registries import team_members, team_samples, teams

MOST = 100
MOST_POPULATION = 10_000
"""Ids kept with a sample, so that anybody can draw it again."""
FORMER = (
    "督导组不得督导成员本人现任职或原任职的单位:{person}、{unit}。",
    "A team is never over a unit a member belongs to or came from: {person}, {unit}.",
)


class Team(Struct, frozen=True):
    """`kept_off`: by person, the units they belong to or came from, as people or the team's making say."""

    id: str
    name: str
    units: tuple[str, ...]
    grids: tuple[str, ...]
    starts: date
    ends: date
    members: tuple[str, ...]
    kept_off: Mapping[str, frozenset[str]]

    @property
    def barred(self) -> frozenset[str]:
        """Units that none of its work may be about."""
        return frozenset().union(*self.kept_off.values())


def barred_by(kept_off: Mapping[str, frozenset[str]], about: Sequence[str]) -> Refused | None:
    """The rule in words, where one of these units is a member's own or former one."""
    for person, kept in sorted(kept_off.items()):
        for unit in about:
            if unit in kept:
                zh, en = (words.format(person=person, unit=unit) for words in FORMER)
                return Refused("not_former_unit", 422, zh, en, "members", person=person, unit=unit)
    return None


def add(
    conn: Connection, name: str, over: Sequence[str], places: Sequence[str], starts: date, ends: date,
    members: Mapping[str, Sequence[str]], by: By,
) -> str:  # fmt: skip
    """A new team; its id. `members` by person, with former units people's own record does not name. Refused 422 for a
    period that ends before it begins, whom or what is not there, no jurisdiction, and a member's own or former unit."""
    if ends < starts:
        raise Refused("bad_period", 422, "期间须从早到晚。", "A period runs from early to late.", "ends")
    if not (over or places):
        zh, en = "须划定单位或网格。", "A team needs units or grids to be over."
        raise Refused("no_jurisdiction", 422, zh, en, "over_units")
    _there(conn, units, over, "over_units", "单位", "unit")
    _there(conn, grids, places, "over_grids", "网格", "grid")
    found = _people(conn, list(members))
    for person in members:
        if person not in found or Role.TEAM not in found[person].roles:
            zh, en = f"{person} 不是督导组人员。", f"{person} does not hold the role of an inspection team."
            raise Refused("no_team_role", 422, zh, en, "members")
    kept_off = {one: _kept_off(found[one], former) for one, former in members.items()}
    if (refused := barred_by(kept_off, over)) is not None:
        raise refused
    made = uuid7(by.at)
    row = {
        "id": made, "name": name, "units": json.encode(over).decode(), "grids": json.encode(places).decode(),
        "starts": starts.isoformat(), "ends": ends.isoformat(),
    }  # fmt: skip
    conn.execute(insert(teams), [row | {"by": by.who, "at": by.at}])
    joined = [{"team_id": made, "person_id": one, "former_units": ",".join(former)} for one, former in members.items()]
    insert_many(conn, team_members, joined)
    note(conn, by, "add_team", made, None, row | {"members": {one: list(former) for one, former in members.items()}})
    return made


def _there(conn: Connection, table: Any, ids: Sequence[str], field: str, zh: str, en: str) -> None:
    known = set(conn.execute(select(table.c.id).where(table.c.id.in_(ids))).scalars())
    if missing := [one for one in ids if one not in known]:
        raise Refused(f"no_such_{en}", 422, f"没有{zh} {missing[0]}。", f"There is no {en} {missing[0]}.", field)


def _people(conn: Connection, ids: Sequence[str]) -> dict[str, Actor]:
    found = select(*PERSON).where(people.c.active, people.c.id.in_(ids))
    return {actor.id: actor for actor in map(as_actor, conn.execute(found))}


def _kept_off(person: Actor, former: Sequence[str]) -> frozenset[str]:
    return (person.former_units | {person.unit, *former}) - {""}


# -- readings ------------------------------------------------------------------------------------------------------

_MEMBERS = (
    select(team_members.c.team_id, team_members.c.former_units.label("then"), *PERSON)
    .join(people, people.c.id == team_members.c.person_id)
    .where(team_members.c.team_id.in_(bindparam("ids", expanding=True)))
    .order_by(team_members.c.team_id, team_members.c.person_id)
)


def find(conn: Connection, team: str) -> Team:
    """With what its members are kept off as of now. Refused 404."""
    rows = conn.execute(select(teams).where(teams.c.id == team)).mappings().all()
    if not rows:
        raise Refused("no_such_team", 404, "没有这个督导组。", "There is no such team.")
    return _teams(conn, rows)[0]


def listed(conn: Connection, before: str = "", limit: int = 50) -> list[Team]:
    """The latest first."""
    found = select(teams).order_by(teams.c.id.desc()).limit(max(1, min(limit, MOST)))
    found = found.where(teams.c.id < before) if before else found
    return _teams(conn, conn.execute(found).mappings().all())


def _teams(conn: Connection, rows: Sequence[Any]) -> list[Team]:
    kept_off: dict[str, dict[str, frozenset[str]]] = {row["id"]: {} for row in rows}
    for team, then, *person in conn.execute(_MEMBERS, {"ids": list(kept_off)}) if rows else ():
        member = as_actor(person)
        kept_off[team][member.id] = _kept_off(member, then.split(","))
    return [
        Team(
            row["id"], row["name"], json.decode(row["units"], type=tuple[str, ...]),
            json.decode(row["grids"], type=tuple[str, ...]), date.fromisoformat(row["starts"]),
            date.fromisoformat(row["ends"]), tuple(kept_off[row["id"]]), kept_off[row["id"]],
        ) for row in rows
    ]  # fmt: skip


def admit(team: Team, actor: Actor) -> None:
    """Refused 403 for whoever is not of this team."""
    if actor.id not in team.members:
        raise Refused("not_of_this_team", 403, "您不是该督导组成员。", "You are not a member of this team.")


def running(team: Team, today: date) -> None:
    """Refused 422 outside its period."""
    if not team.starts <= today <= team.ends:
        zh, en = f"督导期间为{team.starts}至{team.ends}。", f"This team's period is {team.starts} to {team.ends}."
        raise Refused("outside_period", 422, zh, en)


# -- samples -------------------------------------------------------------------------------------------------------


def draw(
    conn: Connection, team: Team, steps: Sequence[Step], share: float, seed: str, by: By
) -> dict[str, Any]:  # fmt: skip
    """A share of the issues it is over that stand at these steps, drawn by the seed (a fresh one if none is named) and
    kept with the population. A tip-off, and what a member's own or former unit works on, is never among them."""
    made = uuid7(by.at)
    seed = seed or made
    found = select(issues.c.id).where(_over(conn, team), issues.c.step.in_([step.value for step in steps]))
    ids = list(conn.execute(found.order_by(issues.c.id).limit(MOST_POPULATION + 1)).scalars())
    if not ids:
        raise Refused("nothing_to_draw", 422, "范围内没有可抽的题。", "There is nothing to draw from.")
    if len(ids) > MOST_POPULATION:
        zh, en = f"范围超过 {MOST_POPULATION} 件,请缩小。", f"More than {MOST_POPULATION} issues: narrow it."
        raise Refused("too_many", 422, zh, en, "steps")
    chosen = drawn(seed, ids, share)
    row = {
        "id": made, "team_id": team.id, "seed": seed, "share": share, "population": json.encode(ids).decode(),
        "digest": digest_of(ids), "drawn": json.encode(chosen).decode(), "by": by.who, "at": by.at,
    }  # fmt: skip
    conn.execute(insert(team_samples), [row])
    told = {"seed": seed, "share": share, "digest": row["digest"], "population": len(ids), "drawn": chosen}
    note(conn, by, "draw_sample", team.id, None, told | {"sample": made})
    return _sample(row)


def _over(conn: Connection, team: Team) -> ColumnElement[bool]:
    inside: list[ColumnElement[bool]] = [_of_units(team.units)] if team.units else []
    if places := sorted({one for grid in team.grids for one in grids_under(conn, grid)}):
        inside.append(issues.c.grid.in_(places))
    barred = sorted(team.barred)
    return (issues.c.kind != Kind.TIP_OFF.value) & or_(*inside) & ~_of_units(barred)


def _of_units(ids: Sequence[str]) -> ColumnElement[bool]:
    sent = select(assignments.c.issue_id).where(assignments.c.unit_id.in_(ids))
    # Where nobody leads it yet, NOT of an unknown would leave it out.
    return or_(issues.c.lead_unit.is_not(None) & issues.c.lead_unit.in_(ids), issues.c.id.in_(sent))


def _sample(row: Mapping[str, Any]) -> dict[str, Any]:
    """With whether seed and population, as they are kept, give the same digest and the same draw again."""
    ids, chosen = json.decode(row["population"], type=list[str]), json.decode(row["drawn"], type=list[str])
    again = digest_of(ids) == row["digest"] and drawn(row["seed"], ids, row["share"]) == chosen
    return dict(row) | {"population": ids, "drawn": chosen, "replays": again}


def samples(conn: Connection, team: str) -> list[dict[str, Any]]:
    """The latest first, 100 at most."""
    found = select(team_samples).where(team_samples.c.team_id == team).order_by(team_samples.c.id.desc()).limit(MOST)
    return [_sample(dict(row)) for row in conn.execute(found).mappings()]


def within(conn: Connection, team: Team, grid: str) -> bool:
    """Whether the place lies within one of the team's."""
    return any(grid in grids_under(conn, one) for one in team.grids)
