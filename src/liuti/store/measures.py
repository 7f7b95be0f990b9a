"""Interviews 约谈 and bulletins 通报: drafted here, and in force by a recorded act of whoever answers for them (docs/rules.md §5)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, bindparam, insert, or_, select, update

from liuti.flow.kernel import Actor, Refused
from liuti.flow.words import UNIT_ROLES, Role
from liuti.store.ids import uuid7
from liuti.store.tables_boards import measures

MOST = 100
WATCHERS = frozenset({Role.INSPECTOR, Role.TEAM, Role.PRINCIPAL, Role.AUDITADMIN})
_HELD = select(measures).where(measures.c.id == bindparam("id")).with_for_update()


def draft(conn: Connection, kind: str, about: str, issue: str, text: str, by: str, now: datetime) -> dict[str, Any]:
    """A new one, in force for nobody yet."""
    row = {
        "id": uuid7(now), "kind": kind, "about": about, "issue_id": issue or None, "text": text, "drafted_by": by,
        "drafted_at": now, "approved_by": None, "approved_at": None, "done_by": None, "done_at": None, "note": "",
    }  # fmt: skip
    conn.execute(insert(measures), [row])
    return row


def record(
    conn: Connection, kind: str, about: str, issue: str, text: str, by: str, now: datetime
) -> dict[str, Any]:  # fmt: skip
    """What is done in the moment it is written: a file handed over."""
    row = draft(conn, kind, about, issue, text, by, now)
    return _write(conn, row, {"done_by": by, "done_at": now})


def approve(conn: Connection, measure: str, by: str, now: datetime) -> dict[str, Any]:
    """The principal's recorded approval of a bulletin as it was drafted; once. Refused 404, 409."""
    row = _held(conn, measure, "bulletin")
    if row["approved_at"] is not None:
        raise Refused("approved", 409, "此通报已经批准。", "This bulletin is approved already.")
    return _write(conn, row, {"approved_by": by, "approved_at": now})


def carry_out(conn: Connection, measure: str, kind: str, note: str, by: str, now: datetime) -> dict[str, Any]:
    """A bulletin issued, or an interview held. Refused 404, 409 when done already, 422 for a bulletin not approved."""
    row = _held(conn, measure, kind)
    if row["done_at"] is not None:
        raise Refused("done", 409, "已经办理。", "This was done already.")
    if kind == "bulletin" and row["approved_at"] is None:
        zh, en = "通报须经主要领导批准后印发。", "A bulletin is issued only with the principal's recorded approval."
        raise Refused("approval_required", 422, zh, en)
    return _write(conn, row, {"done_by": by, "done_at": now, "note": note})


def _held(conn: Connection, measure: str, kind: str) -> RowMapping:
    row = conn.execute(_HELD, {"id": measure}).mappings().first()
    if row is None or row["kind"] != kind:
        raise Refused("no_such_measure", 404, "没有这份约谈或通报。", "There is no such interview or bulletin.")
    return row


def _write(conn: Connection, row: RowMapping | dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    conn.execute(update(measures).where(measures.c.id == row["id"]).values(values))
    return dict(row) | values


def listed(conn: Connection, actor: Actor, kind: str, before: str, limit: int) -> list[dict[str, Any]]:
    """The latest first: all of them for those who watch, of others what was done and is about them or their unit."""
    found = select(measures).order_by(measures.c.id.desc()).limit(limit)
    found = found.where(measures.c.kind == kind) if kind else found
    found = found.where(measures.c.id < before) if before else found
    if actor.roles.isdisjoint(WATCHERS):
        unit = [measures.c.about == f"unit:{actor.unit}"] if not actor.roles.isdisjoint(UNIT_ROLES) else []
        found = found.where(measures.c.done_at.is_not(None), or_(measures.c.about == f"person:{actor.id}", *unit))
    return [dict(row) for row in conn.execute(found).mappings()]


RUNGS = {"interview": 3, "bulletin": 4, "transfer": 5}
"""The ladder's upper rungs, by what climbs them."""
