"""What else the same person brought up: found by the keyed hash of their phone, never by who wrote from where."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, func, select

from liuti.store.tables import voices

MOST = 10
# Where somebody writes from is shared by a household, an office, a whole hotspot: it tells no person.
_BY_PLACE = "net:%"
_MINE = select(voices.c.person).where(voices.c.id == bindparam("voice"), voices.c.person.not_like(_BY_PLACE))
_FOUND = (
    select(voices.c.origin_id)
    .where(voices.c.origin_id != bindparam("but"), voices.c.left_at.is_(None))
    .group_by(voices.c.origin_id)
    .order_by(func.max(voices.c.at).desc(), voices.c.origin_id.desc())
    .limit(MOST)
)
_OF_VOICE = _FOUND.where(voices.c.person == _MINE.scalar_subquery())
_OF_PERSON = _FOUND.where(voices.c.person == bindparam("person"))


def of_voice(conn: Connection, voice: str, but: str) -> list[str]:
    """Issues, other than `but`, that whoever this voice is raised or co-signed: the latest ten, as they wrote them.

    Empty for a voice nobody can be told by. Who may know of them is for `sight.may_link` to say.
    """
    return list(conn.execute(_OF_VOICE, {"voice": voice, "but": but}).scalars())


def of_phone(conn: Connection, phone_hash: str) -> list[str]:
    """The same for a phone, by the hash `KeyRing.phone_hash` makes of it."""
    return list(conn.execute(_OF_PERSON, {"person": phone_hash, "but": ""}).scalars())
