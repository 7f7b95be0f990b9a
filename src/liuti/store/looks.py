"""Who looked at what they may see only for a purpose: written before anything is shown, kept for the auditor."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, insert

from liuti.store.tables import looks

_KEEP = insert(looks)


def look(conn: Connection, person: str, issue: str, purpose: str, now: datetime, act: str = "contact") -> None:
    row = {"at": now, "person_id": person, "issue_id": issue, "voice_id": None, "purpose": purpose, "act": act}
    conn.execute(_KEEP, row)
