"""The list of livelihood projects 为民办实事项目清单 and its ledger: struck off by an act on record, open again by another (docs/rules.md §2, §8)."""

from __future__ import annotations

from datetime import date
from typing import Any, NamedTuple

from sqlalchemy import Connection, RowMapping, bindparam, delete, func, insert, select, update

from liuti.flow import sight
from liuti.flow.kernel import Actor, Refused
from liuti.flow.words import Kind, Role
from liuti.store import read
from liuti.store.audit import By, note
from liuti.store.bulk import insert_many
from liuti.store.ids import uuid7
from liuti.store.people import actor_of, unit_of
from liuti.store.read import Found
from liuti.store.tables import people, units
from liuti.store.tables_registries import project_issues, project_strikes, projects

MOST = 100
STRIKE_OFF, REOPEN = "strike_off", "reopen"


class Entry(NamedTuple):
    """A project with the name of its unit, its leader's post, how many issues belong to it, and its ledger."""

    row: RowMapping
    strikes: list[RowMapping]
    issues: int


_SHOWN = (
    select(projects, units.c.name.label("unit_name"), people.c.post.label("leader_post"))
    .join(units, units.c.id == projects.c.lead_unit)
    .join(people, people.c.id == projects.c.leader)
)
_HELD = select(projects).where(projects.c.id == bindparam("id")).with_for_update()
_IDS: Any = bindparam("ids", expanding=True)
_STRIKES = (
    select(project_strikes)
    .where(project_strikes.c.project_id.in_(_IDS))
    .order_by(project_strikes.c.project_id, project_strikes.c.version)
)
_BELONGING = (
    select(project_issues.c.project_id, func.count().label("n"))
    .where(project_issues.c.project_id.in_(_IDS))
    .group_by(project_issues.c.project_id)
)
_ISSUES = select(project_issues.c.issue_id).where(project_issues.c.project_id == bindparam("id"))


def add(conn: Connection, name: str, goal: str, lead_unit: str, leader: str, planned: date, by: By) -> str:
    """A new project; its id. Refused 422 where there is no such unit, or the person leads nothing."""
    if unit_of(conn, lead_unit) is None:
        raise Refused("no_such_unit", 422, "没有这个单位。", "There is no such unit.", "lead_unit")
    person = actor_of(conn, leader)
    if person is None or person.roles.isdisjoint({Role.LEADER, Role.PRINCIPAL}):
        raise Refused("no_such_leader", 422, "没有这位领导。", "There is no such leader.", "leader")
    made = uuid7(by.at)
    row = {
        "id": made, "name": name, "goal": goal, "lead_unit": lead_unit, "leader": leader,
        "planned": planned.isoformat(),
    }  # fmt: skip
    conn.execute(insert(projects), [row | {"struck_off_at": None, "by": by.who, "at": by.at}])
    note(conn, by, "add_project", made, None, row)
    return made


def place(conn: Connection, project: str, actor: Actor, issue_ids: list[str], belongs: bool, by: By) -> None:
    """Its issues, put in or taken out. Refused 404 for what is not there or not theirs to see, 422 for a tip-off."""
    _held(conn, project)
    found = read.several(conn, issue_ids)
    for one in issue_ids:
        if sight.admit(actor, found[one].issue if one in found else None).kind is Kind.TIP_OFF:
            zh, en = "举报不列入项目。", "A tip-off belongs to no project."
            raise Refused("not_a_tip_off", 422, zh, en, "issues")
    chosen = project_issues.c.issue_id.in_(issue_ids)
    conn.execute(delete(project_issues).where(project_issues.c.project_id == project, chosen))
    if belongs:
        row = {"project_id": project, "by": by.who, "at": by.at}
        insert_many(conn, project_issues, [row | {"issue_id": one} for one in issue_ids])
    note(conn, by, "place_in_project", project, None, {"issues": issue_ids, "belongs": belongs})


# -- the ledger ----------------------------------------------------------------------------------------------------


def strike_off(conn: Connection, project: str, actor: Actor, evidence: str, by: By) -> None:
    """Done, and seen by somebody from outside. Refused 404, 403 for whoever is of the unit or leads it, 409 if done."""
    row = _held(conn, project)
    if row["lead_unit"] in {actor.unit, *actor.former_units}:
        zh, en = (
            "牵头单位的项目,须由单位以外(含原任职单位以外)的督查员销号。",
            "Nobody strikes off a project of their own or former unit.",
        )
        raise Refused("outside_lead_unit", 403, zh, en)
    if row["leader"] == actor.id:
        raise Refused("not_its_leader", 403, "责任领导不得销自己的号。", "Its leader does not strike it off.")
    if row["struck_off_at"] is not None:
        raise Refused("struck_off", 409, "此项目已经销号。", "This project is struck off already.")
    _write(conn, project, STRIKE_OFF, actor, evidence, by)


def reopen(conn: Connection, project: str, actor: Actor, reason: str, by: By) -> None:
    """On the list again; what was struck off stays on record. Refused 404, 409 where it is not struck off."""
    if _held(conn, project)["struck_off_at"] is None:
        raise Refused("not_struck_off", 409, "此项目尚未销号。", "This project is not struck off.")
    _write(conn, project, REOPEN, actor, reason, by)


def _write(conn: Connection, project: str, act: str, actor: Actor, text: str, by: By) -> None:
    last = select(func.coalesce(func.max(project_strikes.c.version), 0)).where(project_strikes.c.project_id == project)
    row = {
        "project_id": project, "version": conn.execute(last).scalar_one() + 1, "act": act, "by": by.who,
        "unit": actor.unit, "at": by.at, "text": text,
    }  # fmt: skip
    conn.execute(insert(project_strikes), [row])
    struck = by.at if act == STRIKE_OFF else None
    conn.execute(update(projects).where(projects.c.id == project).values(struck_off_at=struck))
    note(conn, by, f"{act}_project", project, None, {"version": row["version"], "unit": actor.unit})


def _held(conn: Connection, project: str) -> RowMapping:
    row = conn.execute(_HELD, {"id": project}).mappings().first()
    if row is None:
        raise no_such_project()
    return row


def no_such_project() -> Refused:
    return Refused("no_such_project", 404, "没有这个项目。", "There is no such project.")


# -- readings ------------------------------------------------------------------------------------------------------


def listed(conn: Connection, state: str = "", unit: str = "", before: str = "", limit: int = 50) -> list[Entry]:
    """The latest first, in three statements; `state` is open or struck_off."""
    found = _SHOWN.order_by(projects.c.id.desc()).limit(max(1, min(limit, MOST)))
    found = found.where(projects.c.id < before) if before else found
    found = found.where(projects.c.lead_unit == unit) if unit else found
    if state:
        struck = projects.c.struck_off_at
        found = found.where(struck.is_(None) if state == "open" else struck.is_not(None))
    return _entries(conn, conn.execute(found).mappings().all())


def one(conn: Connection, project: str) -> tuple[Entry, list[Found]]:
    """Refused 404."""
    rows = conn.execute(_SHOWN.where(projects.c.id == project)).mappings().all()
    if not rows:
        raise no_such_project()
    ids = conn.execute(_ISSUES.order_by(project_issues.c.issue_id).limit(MOST), {"id": project}).scalars().all()
    return _entries(conn, rows)[0], list(read.several(conn, ids).values())


def _entries(conn: Connection, rows: Any) -> list[Entry]:
    ids = {"ids": [row["id"] for row in rows]}
    if not rows:
        return []
    strikes: dict[str, list[RowMapping]] = {row["id"]: [] for row in rows}
    for strike in conn.execute(_STRIKES, ids).mappings():
        strikes[strike["project_id"]].append(strike)
    belonging = {row.project_id: row.n for row in conn.execute(_BELONGING, ids)}
    return [Entry(row, strikes[row["id"]], belonging.get(row["id"], 0)) for row in rows]
