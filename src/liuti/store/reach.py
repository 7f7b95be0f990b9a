"""How a voice can be reached: its sealed contact, read by its id and opened only where something is sent."""

from __future__ import annotations

from dataclasses import dataclass, field

from msgspec import json
from sqlalchemy import Connection, bindparam, select

from liuti.store.tables import contacts
from liuti.store.vault import KeyRing

_SEALED = select(contacts.c.sealed).where(contacts.c.voice_id == bindparam("voice"))


@dataclass(frozen=True, slots=True)
class Reach:
    """What a person left to be reached by; empty where they left nothing. Its repr shows neither."""

    phone: str = field(default="", repr=False)
    email: str = field(default="", repr=False)
    language: str = ""


def reach_of(conn: Connection, voice_id: str, ring: KeyRing) -> Reach:
    """One statement. Unreadable when the contact was sealed by a key that is gone, or altered."""
    sealed = conn.execute(_SEALED, {"voice": voice_id}).scalar()
    if sealed is None:
        return Reach()
    known = json.decode(ring.decrypt(sealed, voice_id))
    return Reach(*(str(known.get(name) or "") for name in ("phone", "email", "language")))
