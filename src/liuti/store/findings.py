"""Findings of inspection teams: raised with a deadline, answered by the unit, returned or closed by the team; every act stays (docs/rules.md §2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    String,
    and_,
    bindparam,
    false,
    insert,
    select,
    tuple_,
    update,
)

from liuti.flow import sight
from liuti.flow.issue import Issue
from liuti.flow.kernel import Actor, Refused
from liuti.flow.words import UNIT_ROLES, Kind
from liuti.store import read, teams
from liuti.store.audit import By, note
from liuti.store.boards import pages
from liuti.store.ids import uuid7
from liuti.store.people import unit_of
from liuti.store.read import Found
from liuti.store.tables import Moment
from liuti.store.tables_registries import finding_acts, findings
from liuti.store.teams import Team

RAISED, ANSWERED, CLOSED = "raised", "answered", "closed"


class Term(NamedTuple):
    """When the answer is due, and when 75 % of that time will be used."""

    due: datetime
    warn: datetime


def raise_(
    conn: Connection, team: Team, actor: Actor, unit: str, issue: str, text: str, term: Term, today: date, by: By
) -> str:  # fmt: skip
    """A new finding about a unit the team is over, or about its work on an issue in a place the team is over; its id.

    Refused 404 for an issue that is not there or not theirs to see, 422 outside period and jurisdiction, for a tip-off,
    and where the unit, or one at work on the issue, is a member's own or former one.
    """
    teams.running(team, today)
    if unit_of(conn, unit) is None:
        raise Refused("no_such_unit", 422, "没有这个单位。", "There is no such unit.", "unit")
    about = [unit]
    inside = unit in team.units
    if issue:
        found = read.find(conn, issue)
        held = sight.admit(actor, found.issue if found else None)
        if held.kind is Kind.TIP_OFF:
            raise Refused("not_a_tip_off", 422, "举报不列入督导。", "A tip-off is not a team's.", "issue")
        at_work = _at_work(held)
        about += at_work
        inside = unit in at_work and (inside or teams.within(conn, team, held.grid))
    if not inside:
        zh, en = "不在该督导组的督导范围内。", "That is outside what this team is over."
        raise Refused("outside_jurisdiction", 422, zh, en, "unit")
    if (refused := teams.barred_by(team.kept_off, about)) is not None:
        raise refused
    made = uuid7(by.at)
    row = {
        "id": made, "team_id": team.id, "issue_id": issue or None, "unit_id": unit, "version": 0, "state": RAISED,
        "warn_at": term.warn, "due_at": term.due, "at": by.at,
    }  # fmt: skip
    conn.execute(insert(findings), [row])
    _write(conn, row, "raise", RAISED, text, by, term)
    return made


def _at_work(issue: Issue) -> list[str]:
    return list(dict.fromkeys([*([issue.lead_unit] if issue.lead_unit else []), *(a.unit for a in issue.assignments)]))


def answer(conn: Connection, finding: str, actor: Actor, text: str, by: By) -> None:
    """By the unit it is about. Refused 404, 403, 409 where no answer is awaited."""
    row = _held(conn, finding)
    if row["unit_id"] != actor.unit:
        raise Refused("not_your_finding", 403, "只有被督导单位可以答复。", "Only the unit it is about answers.")
    _expect(row, RAISED)
    _write(conn, row, "answer", ANSWERED, text, by)


def send_back(conn: Connection, finding: str, actor: Actor, text: str, term: Term, by: By) -> None:
    """The answer does not do: due anew. By a member of its team. Refused 404, 403, 409."""
    row = _held(conn, finding)
    teams.admit(teams.find(conn, row["team_id"]), actor)
    _expect(row, ANSWERED)
    _write(conn, row, "return", RAISED, text, by, term)


def close(conn: Connection, finding: str, actor: Actor, text: str, by: By) -> None:
    """Put right. By a member of its team, after the answer. Refused 404, 403, 409."""
    row = _held(conn, finding)
    teams.admit(teams.find(conn, row["team_id"]), actor)
    _expect(row, ANSWERED)
    _write(conn, row, "close", CLOSED, text, by)


def _expect(row: RowMapping, state: str) -> None:
    if row["state"] != state:
        zh, en = "此问题现在不能这样办理。", "This finding does not stand where that can be done."
        raise Refused("wrong_state", 409, zh, en, stands=row["state"])


_HELD = select(findings).where(findings.c.id == bindparam("id")).with_for_update()


def _held(conn: Connection, finding: str) -> RowMapping:
    row = conn.execute(_HELD, {"id": finding}).mappings().first()
    if row is None:
        raise Refused("no_such_finding", 404, "没有这个问题。", "There is no such finding.")
    return row


def _write(conn: Connection, row: Any, act: str, state: str, text: str, by: By, term: Term | None = None) -> None:
    due = term.due if term is not None else row["due_at"]
    version = row["version"] + 1
    kept = {"finding_id": row["id"], "version": version, "act": act, "by": by.who, "at": by.at, "due_at": due}
    conn.execute(insert(finding_acts), [kept | {"text": text}])
    values = {"version": version, "state": state} | ({"due_at": due, "warn_at": term.warn} if term else {})
    conn.execute(update(findings).where(findings.c.id == row["id"]).values(values))
    told = {"version": version, "unit": row["unit_id"], "issue": row["issue_id"], "due_at": due.isoformat()}
    note(conn, by, f"{act}_finding", row["id"], None, told)


# -- the board -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the board should hold; empty fields do not narrow it, but for closed ones, which are asked for."""

    team: str = ""
    unit: str = ""
    state: str = ""
    colour: str = ""
    cursor: str = ""
    limit: int = 50


class Line(NamedTuple):
    row: RowMapping
    acts: list[RowMapping]
    found: Found | None
    """Its issue, where it has one."""


_ACTS = (
    select(finding_acts)
    .where(finding_acts.c.finding_id.in_(bindparam("ids", expanding=True)))
    .order_by(finding_acts.c.finding_id, finding_acts.c.version)
)


def colour_of(row: RowMapping, now: datetime) -> str:
    """`red` once the answer is overdue, `yellow` from 75 % of its time on, else ""."""
    if row["state"] != RAISED:
        return ""
    return "red" if row["due_at"] <= now else "yellow" if row["warn_at"] <= now else ""


def board(conn: Connection, actor: Actor, wanted: Wanted, now: datetime) -> tuple[list[Line], str | None]:
    """The earliest due first, in three statements; units read of their own."""
    limit = max(1, min(wanted.limit, read.MOST))
    order = findings.c.due_at, findings.c.id
    found = select(findings).where(*_where(actor, wanted, now)).order_by(*order).limit(limit + 1)
    rows = conn.execute(found).mappings().all()
    more = pages.mark(rows[limit - 1]["due_at"], rows[limit - 1]["id"]) if len(rows) > limit else None
    return _lines(conn, rows[:limit]), more


def one(conn: Connection, finding: str) -> Line:
    """Refused 404."""
    rows = conn.execute(select(findings).where(findings.c.id == finding)).mappings().all()
    if not rows:
        raise Refused("no_such_finding", 404, "没有这个问题。", "There is no such finding.")
    return _lines(conn, rows)[0]


def _where(actor: Actor, wanted: Wanted, now: datetime) -> list[ColumnElement[bool]]:
    where: list[ColumnElement[bool]] = []
    if actor.roles.isdisjoint(pages.WATCHERS):
        where.append(findings.c.unit_id == actor.unit if not actor.roles.isdisjoint(UNIT_ROLES) else false())
    where += [findings.c.team_id == wanted.team] if wanted.team else []
    where += [findings.c.unit_id == wanted.unit] if wanted.unit else []
    where.append(findings.c.state == wanted.state if wanted.state else findings.c.state != CLOSED)
    red, warned = (
        and_(findings.c.state == RAISED, column <= bindparam(name, now, type_=Moment))
        for name, column in (("red_at", findings.c.due_at), ("warned_at", findings.c.warn_at))
    )
    where += {"red": [red], "yellow": [warned, ~red]}.get(wanted.colour, [])
    if wanted.cursor:
        due, last = pages.key(wanted.cursor, tuple[datetime, str])
        mark = tuple_(bindparam("mark_at", due, type_=Moment), bindparam("mark_id", last, type_=String))
        where.append(tuple_(findings.c.due_at, findings.c.id) > mark)
    return where


def _lines(conn: Connection, rows: Sequence[RowMapping]) -> list[Line]:
    if not rows:
        return []
    acts: dict[str, list[RowMapping]] = {row["id"]: [] for row in rows}
    for act in conn.execute(_ACTS, {"ids": list(acts)}).mappings():
        acts[act["finding_id"]].append(act)
    found = read.several(conn, sorted({row["issue_id"] for row in rows if row["issue_id"]}))
    return [Line(row, acts[row["id"]], found.get(row["issue_id"] or "")) for row in rows]
