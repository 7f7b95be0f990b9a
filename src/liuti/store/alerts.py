"""Alerts of rates, kept once a period, and the letter that tells the inspection teams (docs/rules.md §7)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select

from liuti.figures.alerts import Alarm
from liuti.store.ids import uuid7
from liuti.store.tables import issues, letters
from liuti.store.tables_boards import alerts

MOST = 100
TEAM = "role:team"
_KNOWN = select(alerts.c.kind, alerts.c.about).where(alerts.c.period == bindparam("name"))
_VERSIONS = select(issues.c.id, issues.c.version).where(issues.c.id.in_(bindparam("ids", expanding=True)))


def keep(conn: Connection, period: str, found: Sequence[Alarm], now: datetime) -> int:
    """Write down what is not yet written of this period, and tell the teams; how many. The letter hangs on the latest
    case concerned: where they begin to look."""
    known = {(row.kind, row.about) for row in conn.execute(_KNOWN, {"name": period})}
    new = [one for one in found if (one.kind, about(one)) not in known]
    if not new:
        return 0
    versions = {row.id: row.version for row in conn.execute(_VERSIONS, {"ids": sorted({one.case for one in new})})}
    told: dict[tuple[str, str], dict[str, Any]] = {}
    for one in new:
        row = {
            "id": uuid7(now), "period": period, "kind": one.kind, "about": about(one), "hits": one.hits, "n": one.n,
            "most": one.most, "issue_id": one.case, "at": now,
        }  # fmt: skip
        conn.execute(insert(alerts), [row])
        event = f"alert.{one.kind}"
        told[one.case, event] = {
            "issue_id": one.case, "version": versions[one.case], "event": event, "recipient": TEAM, "at": now, "next_at": now,
        }  # fmt: skip
    for (case, event), letter in told.items():
        sent = select(letters.c.id).where(
            letters.c.issue_id == case, letters.c.version == versions[case], letters.c.event == event, letters.c.recipient == TEAM
        )  # fmt: skip
        if conn.execute(sent).first() is None:
            conn.execute(insert(letters), [letter])
    return len(new)


def about(one: Alarm) -> str:
    return f"unit:{one.unit}" if one.unit else "district"


def listed(conn: Connection, before: str = "", limit: int = 50) -> list[dict[str, Any]]:
    """The latest first."""
    found = select(alerts).order_by(alerts.c.id.desc()).limit(limit)
    found = found.where(alerts.c.id < before) if before else found
    return [dict(row) for row in conn.execute(found).mappings()]
