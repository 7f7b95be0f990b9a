"""The file of one issue, handed over 移送: its state, its whole ledger with the seals, its files, what was done beside it (docs/rules.md §5)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec import json
from sqlalchemy import Connection, bindparam, select

from liuti.flow import sight
from liuti.flow.kernel import Actor
from liuti.store import ledger, looks, measures, read
from liuti.store.read import Found
from liuti.store.tables import entries
from liuti.store.tables_boards import measures as kept

_ENTRIES = select(entries).where(entries.c.issue_id == bindparam("issue")).order_by(entries.c.version)
_BESIDE = select(kept).where(kept.c.issue_id == bindparam("issue")).order_by(kept.c.id)
CHAIN = ("previous", "seal", "algorithm", "words_digest")


def transfer(conn: Connection, actor: Actor, found: Found, to: str, purpose: str, now: datetime) -> dict[str, Any]:
    """The file as this reader may see it, whole in one piece; that it was handed over, to whom and what for is on record.

    Nobody's contact is in it: that is opened for a purpose of its own. `seals` stands beside each line of the ledger, so
    that whoever gets the file can check the chain without this database.
    """
    issue = found.issue
    looks.look(conn, actor.id, issue.id, f"{to}: {purpose}", now, "transfer")
    row = measures.record(conn, "transfer", f"issue:{issue.id}", issue.id, f"{to}: {purpose}", actor.id, now)
    broken = ledger.verify_one(conn, issue.id)
    lines, seals = [], []
    for entry in conn.execute(_ENTRIES, {"issue": issue.id}).mappings():
        plain = {"words": json.decode(entry["words"] or "null"), "facts": json.decode(entry["facts"])}
        line = sight.entry_seen(actor, issue, dict(entry) | plain, {})
        lines += [line] if line is not None else []
        seals.append({"version": entry["version"]} | {name: entry[name] for name in CHAIN})
    hidden = sight.hides_identity(actor, issue)
    files = [{k: v for k, v in one.items() if k != "by" or not hidden} for one in read.files_of(conn, issue)]
    beside = [dict(one) for one in conn.execute(_BESIDE, {"issue": issue.id}).mappings()]
    return {
        "transfer": {"id": row["id"], "at": now, "by": actor.id, "to": to, "purpose": purpose},
        "issue": sight.seen_by(actor, issue, found.row, now), "ledger": lines, "seals": seals,
        "chain": {"whole": broken is None, "broken_at": broken.version if broken is not None else None},
        "files": files, "measures": beside,
    }  # fmt: skip
