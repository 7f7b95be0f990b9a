"""Contacts at rest: sealed by the ring, each bound to its voice; turned over to a new key a batch at a time."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, select, update

from liuti.store.tables import contacts
from liuti.store.vault import KeyRing

BATCH = 500
_NEXT = (
    select(contacts.c.voice_id, contacts.c.sealed)
    .where(contacts.c.voice_id > bindparam("after"), contacts.c.sealed.is_not(None))
    .order_by(contacts.c.voice_id)
    .limit(BATCH)
)
_TURN = update(contacts).where(contacts.c.voice_id == bindparam("voice"), contacts.c.sealed == bindparam("old"))


def rotate_some(conn: Connection, ring: KeyRing, after: str) -> tuple[str, int] | None:
    """Seal one batch with the newest key; the last voice looked at and how many were turned, None at the end.

    A contact erased meanwhile stays erased: only the very seal that was read is replaced.
    """
    rows = conn.execute(_NEXT, {"after": after}).all()
    if not rows:
        return None
    turned = 0
    for voice, sealed in rows:
        if not ring.is_current(sealed):
            fresh = ring.encrypt(ring.decrypt(sealed, voice), voice)
            turned += conn.execute(_TURN.values(sealed=fresh), {"voice": voice, "old": sealed}).rowcount
    return rows[-1].voice_id, turned
