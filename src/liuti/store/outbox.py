"""Letters: written with the move, taken with a lease, marked sent after sending; at least once, never lost."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Integer, String, bindparam, cast, insert, literal, or_, select, update

from liuti.flow.kernel import Decision
from liuti.store.tables import Moment, issues, letters, voices

LEASE = timedelta(minutes=2)
TRIES = 12
_INSERT = insert(letters)
_TO_VOICES = insert(letters).from_select(
    ["issue_id", "version", "event", "recipient", "at", "next_at", "tries"],
    select(
        bindparam("issue", type_=String), bindparam("version", type_=Integer), bindparam("event", type_=String),
        literal("voice:") + voices.c.id, bindparam("at", type_=Moment), bindparam("due", type_=Moment), cast(literal(0), Integer),
    ).where(voices.c.issue_id == bindparam("issue", type_=String), voices.c.left_at.is_(None)),
)  # fmt: skip


def post(conn: Connection, made: list[Decision]) -> None:
    """One row for each event and person; where many voices are told, one statement copies them from the voices."""
    rows: dict[tuple[int, str, str], dict[str, Any]] = {}
    for decision in made:
        issue, at = decision.issue, decision.at
        crowd = {letter.event for letter in decision.letters if letter.to == "voices"} if issue.voices > 1 else set()
        for letter in decision.letters:
            to = letter.to if letter.to != "voices" else "voice:" + issue.proposer
            if letter.event in crowd and to.startswith("voice:"):
                continue
            row = {
                "issue_id": issue.id,
                "version": issue.version,
                "event": letter.event,
                "recipient": to,
                "at": at,
                "next_at": at,
            }
            rows[issue.version, letter.event, to] = row
        for event in sorted(crowd):
            given = {"issue": issue.id, "version": issue.version, "event": event, "at": at, "due": at}
            conn.execute(_TO_VOICES, given)
    if rows:
        conn.execute(_INSERT, list(rows.values()))


_DUE = (
    select(letters.c.id)
    .where(letters.c.next_at <= bindparam("now", type_=Moment))
    .order_by(letters.c.next_at, letters.c.id)
    .limit(bindparam("most", type_=Integer))
    .with_for_update(skip_locked=True)
)
_TAKE = (
    update(letters)
    .where(letters.c.id.in_(bindparam("ids", expanding=True)))
    .values(lease=bindparam("by"), next_at=bindparam("until", type_=Moment), tries=letters.c.tries + 1)
)
_TAKEN = (
    select(letters, issues.c.title, issues.c.query_code, issues.c.state)
    .join(issues, issues.c.id == letters.c.issue_id)
    .where(letters.c.id.in_(bindparam("ids", expanding=True)))
    .order_by(letters.c.id)
)
_SENT = update(letters).where(letters.c.id == bindparam("letter"), letters.c.lease == bindparam("by"))


def take(conn: Connection, by: str, now: datetime, most: int = 100) -> list[Any]:
    """Lease the letters that are due; whoever dies with them loses the lease, and another takes them later."""
    ids = conn.execute(_DUE, {"now": now, "most": most}).scalars().all()
    if not ids:
        return []
    conn.execute(_TAKE, {"ids": ids, "by": by, "until": now + LEASE})
    return list(conn.execute(_TAKEN, {"ids": ids}).mappings())


def sent(conn: Connection, letter: int, by: str, now: datetime) -> None:
    conn.execute(_SENT.values(sent_at=now, next_at=None, lease=None, fault=None), {"letter": letter, "by": by})


def failed(conn: Connection, letter: int, by: str, tries: int, fault: str, now: datetime) -> None:
    """Back off by doubling, a day at most; after the last try it lies with the dead letters for a person to see."""
    if tries >= TRIES:
        conn.execute(
            _SENT.values(next_at=None, lease=None, dead_at=now, fault=fault[:500]), {"letter": letter, "by": by}
        )
        return
    wait = min(timedelta(seconds=15 * 2**tries), timedelta(days=1))
    conn.execute(_SENT.values(next_at=now + wait, lease=None, fault=fault[:500]), {"letter": letter, "by": by})


def dead(conn: Connection, most: int = 100) -> list[Any]:
    stmt = select(letters).where(letters.c.dead_at.is_not(None)).order_by(letters.c.dead_at.desc()).limit(most)
    return list(conn.execute(stmt).mappings())


def revive(conn: Connection, letter: int, now: datetime) -> bool:
    """Give a dead letter another life."""
    again = update(letters).where(letters.c.id == letter, letters.c.dead_at.is_not(None))
    return conn.execute(again.values(dead_at=None, next_at=now, tries=0)).rowcount == 1


def waiting(conn: Connection) -> int:
    """Whether letters wait: at most 1000 are counted."""
    some = select(letters.c.id).where(or_(letters.c.next_at.is_not(None))).limit(1000).subquery()
    return len(conn.execute(select(some.c.id)).all())
