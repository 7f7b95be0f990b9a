"""Letters: written with the move, taken with a lease, marked sent after sending; at least once, never lost."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Integer, String, and_, bindparam, cast, func, insert, literal, select, update

from liuti.flow.kernel import Decision
from liuti.store.bulk import insert_many
from liuti.store.tables import Moment, entries, issues, letters, voices

LEASE = timedelta(minutes=2)
"""How long a letter is one worker's to send: longer than a batch of them may take."""
TRIES = 12
_TO_VOICES = insert(letters).from_select(
    ["issue_id", "version", "event", "recipient", "at", "next_at", "tries"],
    select(
        bindparam("issue", type_=String), bindparam("version", type_=Integer), bindparam("event", type_=String),
        literal("voice:") + voices.c.id, bindparam("at", type_=Moment), bindparam("due", type_=Moment), cast(literal(0), Integer),
    ).where(voices.c.issue_id == bindparam("issue", type_=String), voices.c.left_at.is_(None)),
)  # fmt: skip


def post(conn: Connection, made: list[Decision]) -> None:
    """Everything these decisions tell anybody."""
    if rows := rows_of(made):
        insert_many(conn, letters, rows)
    to_crowds(conn, made)


def rows_of(made: list[Decision]) -> list[dict[str, Any]]:
    """One row for each event and person; where many voices are told, `to_crowds` copies them from the voices."""
    rows: dict[tuple[str, int, str, str], dict[str, Any]] = {}
    for decision in made:
        issue, at, crowd = decision.issue, decision.at, _crowd(decision)
        for letter in decision.letters:
            to = letter.to if letter.to != "voices" else "voice:" + issue.proposer
            if letter.event in crowd and to.startswith("voice:"):
                continue
            rows[issue.id, issue.version, letter.event, to] = {
                "issue_id": issue.id, "version": issue.version, "event": letter.event, "recipient": to, "at": at, "next_at": at,
            }  # fmt: skip
    return list(rows.values())


def to_crowds(conn: Connection, made: list[Decision]) -> None:
    """One statement for each event that all voices are told, when there is more than one voice."""
    for decision in made:
        issue, at = decision.issue, decision.at
        for event in sorted(_crowd(decision)):
            given = {"issue": issue.id, "version": issue.version, "event": event, "at": at, "due": at}
            conn.execute(_TO_VOICES, given)


def _crowd(decision: Decision) -> set[str]:
    if decision.issue.voices <= 1:
        return set()
    return {letter.event for letter in decision.letters if letter.to == "voices"}


_DUE = (
    select(letters.c.id)
    .where(letters.c.next_at <= bindparam("now", type_=Moment))
    .order_by(letters.c.next_at, letters.c.id)
    .limit(bindparam("most", type_=Integer))
    .with_for_update(skip_locked=True)
)
_THESE = letters.c.id.in_(bindparam("ids", expanding=True))
_TAKE = (
    update(letters)
    .where(_THESE)
    .values(lease=bindparam("by"), next_at=bindparam("until", type_=Moment), tries=letters.c.tries + 1)
)
_TAKEN = (
    select(
        letters.c.id, letters.c.issue_id, letters.c.version, letters.c.event, letters.c.recipient, letters.c.at,
        letters.c.tries, issues.c.query_code, issues.c.title, issues.c.state, entries.c.to_step, entries.c.words,
    )
    .join(issues, issues.c.id == letters.c.issue_id)
    .join(entries, and_(entries.c.issue_id == letters.c.issue_id, entries.c.version == letters.c.version))
    .where(_THESE)
    .order_by(letters.c.id)
)  # fmt: skip
# Whoever lost the lease has nothing to say about the letter any more.
_MINE = update(letters).where(letters.c.id == bindparam("letter"), letters.c.lease == bindparam("by"))
_SENT = _MINE.values(sent_at=bindparam("now", type_=Moment), next_at=None, lease=None, fault=None)
_AGAIN = _MINE.values(next_at=bindparam("next", type_=Moment), lease=None, fault=bindparam("why"))
_DEAD = _MINE.values(dead_at=bindparam("now", type_=Moment), next_at=None, lease=None, fault=bindparam("why"))
_HOLD = _MINE.values(next_at=bindparam("until", type_=Moment), lease=None, tries=letters.c.tries - 1)
_BACK = (
    update(letters)
    .where(_THESE, letters.c.lease == bindparam("by"))
    .values(lease=None, next_at=bindparam("now", type_=Moment), tries=letters.c.tries - 1)
)


def take(conn: Connection, by: str, now: datetime, most: int = 100) -> list[Any]:
    """Lease the letters that are due; whoever dies with them loses the lease, and another takes them later.

    Each with what is said in it: the issue's query code and state as they are now, the step its entry led to, and the
    entry's words where they are not erased.
    """
    ids = conn.execute(_DUE, {"now": now, "most": most}).scalars().all()
    if not ids:
        return []
    conn.execute(_TAKE, {"ids": ids, "by": by, "until": now + LEASE})
    return list(conn.execute(_TAKEN, {"ids": ids}).mappings())


def give_back(conn: Connection, ids: Sequence[int], by: str, now: datetime) -> None:
    """Letters that were leased and not tried: due again at once, for anybody."""
    if ids:
        conn.execute(_BACK, {"ids": ids, "by": by, "now": now})


def hold(conn: Connection, letter: int, by: str, until: datetime) -> None:
    """Not now, and not tried: due again at `until`, with all the tries it had."""
    conn.execute(_HOLD, {"letter": letter, "by": by, "until": until})


def sent(conn: Connection, letter: int, by: str, now: datetime) -> bool:
    """It arrived. False when the lease had run out meanwhile: another may send it again, with the same id."""
    return conn.execute(_SENT, {"letter": letter, "by": by, "now": now}).rowcount == 1


def failed(conn: Connection, letter: int, by: str, tries: int, fault: str, now: datetime) -> bool:
    """Back off; after the last try it lies with the dead letters for a person to see. True when it does."""
    given = {"letter": letter, "by": by, "why": fault[:500]}
    if tries < TRIES:
        conn.execute(_AGAIN, given | {"next": now + wait_after(tries)})
        return False
    return conn.execute(_DEAD, given | {"now": now}).rowcount == 1


def wait_after(tries: int) -> timedelta:
    """Half a minute after the first try, twice as long after each more, a day at most: 12 tries are 17 hours."""
    return min(timedelta(seconds=15 * 2**tries), timedelta(days=1))


def dead(conn: Connection, most: int = 100) -> list[Any]:
    """The letters given up, the latest first."""
    stmt = select(letters).where(letters.c.dead_at.is_not(None)).order_by(letters.c.dead_at.desc(), letters.c.id)
    return list(conn.execute(stmt.limit(most)).mappings())


def revive(conn: Connection, letter: int, now: datetime) -> bool:
    """Give a dead letter another life, with all its tries. False when it is not dead."""
    again = update(letters).where(letters.c.id == letter, letters.c.dead_at.is_not(None))
    return conn.execute(again.values(dead_at=None, next_at=now, tries=0)).rowcount == 1


def waiting(conn: Connection, most: int = 1000) -> int:
    """How many letters have not left yet; not counted beyond `most`."""
    some = select(letters.c.id).where(letters.c.next_at.is_not(None)).limit(most).subquery()
    return conn.execute(select(func.count()).select_from(some)).scalar_one()
