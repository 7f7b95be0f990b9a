"""From a decided issue to its columns, and the rows that stand beside it: voices, ratings, files, assignments."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from msgspec import json
from sqlalchemy import Connection, bindparam, delete, insert, update

from liuti.flow import sight
from liuti.flow.issue import Issue
from liuti.flow.kernel import Decision
from liuti.store import search
from liuti.store.facts import person_of
from liuti.store.tables import assignments, contacts, files, issues, ratings, voices
from liuti.store.tables_rank import adjustments
from liuti.store.vault import KeyRing

NEVER = datetime(9999, 1, 1, tzinfo=UTC)
"""The deadline of an issue without a running clock: it sorts last."""


def first_columns_of(issue: Issue) -> dict[str, Any]:
    """What it was handed in with, and keeps for good."""
    return {
        "source": issue.source.value,
        "external_id": issue.external_id or None,
        "submitted_at": issue.submitted,
        "reported_at": issue.reported,
    }


def columns_of(issue: Issue) -> dict[str, Any]:
    """The state as JSON, and beside it the columns that lists and sweeps are found by: always written together."""
    return {
        "version": issue.version,
        "step": issue.step.value,
        "lane": issue.lane.value if issue.lane else None,
        "kind": issue.kind.value,
        "urgency": issue.urgency.value,
        "category": issue.category,
        "grid": issue.grid,
        "lead_unit": issue.lead_unit or None,
        "leader": issue.leader or None,
        "lead_issue": issue.lead or None,
        "against": issue.against or None,
        "public": sight.is_public(issue),
        "overdue": issue.overdue,
        "provisional": any(t.provisional and t.stopped is None for t in issue.timers),
        "due_at": issue.due_at,
        "deadline": issue.deadline or NEVER,
        "closing": issue.closing.value if issue.closing else None,
        "state": json.encode(issue).decode(),
    }


def words_of(decision: Decision) -> dict[str, str]:
    """Title, body and place as the person gave them; without a title the first words of the text serve."""
    form: Any = decision.form
    title = form.title or form.text.strip().split("\n")[0][:40] or "(照片)"
    return {"title": title, "body": form.text, "place": form.place}


_VOICE, _CONTACT, _RATING, _FILE = insert(voices), insert(contacts), insert(ratings), insert(files)
_ADJUSTMENT = insert(adjustments)
_MOVE = update(voices).where(voices.c.issue_id == bindparam("from"))
_MOVE_ISSUES = update(issues).where(issues.c.lead_issue == bindparam("from"))
_ISSUE = update(issues).where(issues.c.id == bindparam("issue"))
_LEAVE = update(voices).where(voices.c.id == bindparam("voice"))


def write_beside(conn: Connection, ring: KeyRing, made: list[Decision], before: Issue, place: str) -> None:
    for decision in made:
        for row in decision.rows:
            _WRITE[row.table](conn, ring, decision, row.values, place)
        if decision.came_from is None:
            form: Any = decision.form
            search.index(conn, decision.issue.id, f"{form.title} {form.text} {form.place}")
        elif decision.move == "supply":
            _add_words(conn, decision)
    after = made[-1].issue
    if after.assignments is not before.assignments:
        _put_assignments(conn, after)


def _add_words(conn: Connection, decision: Decision) -> None:
    """A supplement adds to the text and names the place."""
    form: Any = decision.form
    more: dict[str, Any] = {"body": issues.c.body + ("\n【补充】" + form.text)} if form.text else {}
    more |= {"place": form.place} if form.place else {}
    if more:
        conn.execute(_ISSUE.values(more), {"issue": decision.issue.id})


def _put_assignments(conn: Connection, issue: Issue) -> None:
    conn.execute(delete(assignments).where(assignments.c.issue_id == issue.id))
    latest = {a.unit: a for a in issue.assignments}
    rows = [
        {"issue_id": issue.id, "unit_id": a.unit, "lead": a.lead, "status": sight.status_of(a)} for a in latest.values()
    ]
    if rows:
        conn.execute(insert(assignments), rows)


def _voice(conn: Connection, ring: KeyRing, decision: Decision, values: dict[str, Any], place: str) -> None:
    """The contact goes sealed into its own table; the voice keeps only keyed hashes."""
    contact, voice, at = values["contact"], values["id"], values["at"]
    known = contact.name or contact.phone or contact.address or contact.email
    has_phone = any(char.isdigit() for char in contact.phone)
    household = ring.household_hash(contact.address or None, contact.phone if has_phone else None) or f"alone:{voice}"
    if known:
        sealed = ring.encrypt(json.encode(contact.model_dump()).decode(), voice)
        phone = ring.phone_hash(contact.phone) if has_phone else None
        conn.execute(
            _CONTACT, {"voice_id": voice, "sealed": sealed, "phone_hash": phone, "household": household, "at": at}
        )
    form: Any = decision.form
    row = {
        "id": voice, "issue_id": values["issue_id"], "origin_id": values["issue_id"], "act": decision.move,
        "person": person_of(ring, form, place) or None, "household": household, "channel": values["channel"],
        "verified": values["verified"], "staff": values["staff"], "words": form.text if decision.move == "cosign" else "",
        "at": at, "left_at": None,
    }  # fmt: skip
    conn.execute(_VOICE, row)


def _rating(conn: Connection, _ring: KeyRing, _decision: Decision, values: dict[str, Any], _place: str) -> None:
    conn.execute(_RATING, values)


def _file(conn: Connection, _ring: KeyRing, _decision: Decision, values: dict[str, Any], _place: str) -> None:
    conn.execute(_FILE, values)


def _move_voices(conn: Connection, _ring: KeyRing, _decision: Decision, values: dict[str, Any], _place: str) -> None:
    """The people move along, and so does what was merged into the issue that is merged now."""
    given = {"from": values["from"]}
    conn.execute(_MOVE.values(issue_id=values["to"]), given)
    conn.execute(_MOVE_ISSUES.values(lead_issue=values["to"]), given)


def _return_voices(conn: Connection, _ring: KeyRing, _decision: Decision, values: dict[str, Any], _place: str) -> None:
    mine = values["origins"]
    came = update(voices).where(voices.c.issue_id == values["from"], voices.c.origin_id.in_(mine))
    conn.execute(came.values(issue_id=values["to"]))
    taken = update(issues).where(
        issues.c.lead_issue == values["from"], issues.c.id.in_(mine), issues.c.id != values["to"]
    )
    conn.execute(taken.values(lead_issue=values["to"]))


def _leave_voice(conn: Connection, _ring: KeyRing, _decision: Decision, values: dict[str, Any], _place: str) -> None:
    conn.execute(_LEAVE.values(left_at=values["at"]), {"voice": values["id"]})


def _adjustment(conn: Connection, _ring: KeyRing, decision: Decision, values: dict[str, Any], _place: str) -> None:
    conn.execute(_ADJUSTMENT, values | {"version": decision.issue.version})


_WRITE = {
    "voices": _voice, "ratings": _rating, "files": _file, "move_voices": _move_voices, "return_voices": _return_voices,
    "leave_voice": _leave_voice, "adjustments": _adjustment,
}  # fmt: skip
