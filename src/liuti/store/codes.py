"""Codes that show whose a phone is: six digits by SMS, kept only as keyed hashes, few a day and few tries each."""

from __future__ import annotations

import hmac
from datetime import datetime, timedelta
from hashlib import sha256

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    String,
    Table,
    bindparam,
    delete,
    func,
    insert,
    select,
    text,
    update,
)

from liuti.flow.kernel import Refused
from liuti.policy_sections import PhoneCodes
from liuti.store.tables import META, Moment, voices
from liuti.store.vault import KeyRing

DIGITS = 6
DAY = timedelta(days=1)
KEPT = timedelta(days=2)
"""How long a row is of use: the limits look back one day."""

phone_codes = Table(
    "phone_codes",
    META,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("voice_id", String(64), nullable=False),
    Column("phone_hash", String(64), nullable=False),
    Column("place", String(64), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("at", Moment, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("used_at", Moment),
)
Index("ix_phone_codes_voice", phone_codes.c.voice_id, phone_codes.c.id)
Index("ix_phone_codes_phone", phone_codes.c.phone_hash, phone_codes.c.at)
Index("ix_phone_codes_place", phone_codes.c.place, phone_codes.c.at)
Index("ix_phone_codes_at", phone_codes.c.at)


LIMITS = PhoneCodes()

_SINCE = bindparam("since", type_=Moment)
_OF_PHONE = select(func.count(), func.max(phone_codes.c.at)).where(
    phone_codes.c.phone_hash == bindparam("phone"), phone_codes.c.at > _SINCE
)
_OF_PLACE = select(func.count()).where(phone_codes.c.place == bindparam("place"), phone_codes.c.at > _SINCE)
_KEEP = insert(phone_codes)
_TURN = text("SELECT pg_advisory_xact_lock(:turn)")
_LATEST = select(func.max(phone_codes.c.id)).where(phone_codes.c.voice_id == bindparam("voice")).scalar_subquery()
_TRY = (
    update(phone_codes)
    .where(
        phone_codes.c.id == _LATEST,
        phone_codes.c.used_at.is_(None),
        phone_codes.c.at > _SINCE,
        phone_codes.c.tries < bindparam("most", type_=Integer),
    )
    .values(tries=phone_codes.c.tries + 1)
    .returning(phone_codes.c.id, phone_codes.c.digest, phone_codes.c.tries, phone_codes.c.phone_hash)
)
_USE = update(phone_codes).where(phone_codes.c.id == bindparam("code"))
_VERIFIED = update(voices).where(voices.c.id == bindparam("voice")).values(verified=True)
_IS_VERIFIED = select(voices.c.verified).where(voices.c.id == bindparam("voice"))
_FORGET = delete(phone_codes).where(phone_codes.c.at < bindparam("before", type_=Moment))


def code_of(entropy: bytes) -> str:
    """Six digits from 8 random bytes or more, each as likely as the next to within one in a billion."""
    if len(entropy) < 8:
        raise ValueError("a code wants 8 random bytes")
    return f"{int.from_bytes(entropy) % 10**DIGITS:0{DIGITS}d}"


def keep(
    conn: Connection, ring: KeyRing, voice_id: str, phone: str, place: str, code: str, now: datetime,
    limits: PhoneCodes = LIMITS,
) -> None:  # fmt: skip
    """Book one sending of `code` to `phone`; the voice's earlier codes are of no use from now on.

    Refused 429 `too_soon` within so many seconds of the last one to this phone (`retry_after`, seconds), `too_many_codes` beyond
    the day's limit for this phone or for `place`, the keyed hash of a network address. Whatever is booked counts,
    also when the gateway then fails: otherwise a failing gateway would have no limit.
    """
    known_as = ring.phone_hash(phone)
    _in_turn(conn, known_as, place)
    since, again = now - DAY, timedelta(seconds=limits.again_seconds)
    many, last = conn.execute(_OF_PHONE, {"phone": known_as, "since": since}).one()
    if last is not None and now < last + again:
        wait = -(-(last + again - now) // timedelta(seconds=1))
        zh, en = f"验证码已发送,请 {wait} 秒后再试。", f"A code was sent: try again in {wait} s."
        raise Refused("too_soon", 429, zh, en, retry_after=wait)
    if (
        many >= limits.per_phone
        or conn.execute(_OF_PLACE, {"place": place, "since": since}).scalar_one() >= limits.per_place
    ):
        zh, en = "今天的验证码已发完,请明天再试。", "No more codes today: please try again tomorrow."
        raise Refused("too_many_codes", 429, zh, en)
    row = {"voice_id": voice_id, "phone_hash": known_as, "place": place, "at": now, "tries": 0, "used_at": None}
    conn.execute(_KEEP, row | {"digest": _digest(ring, voice_id, known_as, code)})


def prove(
    conn: Connection, ring: KeyRing, voice_id: str, phone: str, code: str, now: datetime, limits: PhoneCodes = LIMITS
) -> int | None:  # fmt: skip
    """One try: None when `code` is the voice's latest and proves `phone`, whose voice is verified from now on.

    Otherwise how many tries are left: 0 also when no code runs (none sent, its minutes over, used, another phone since).
    The try is booked before the digits are compared, so that many at once are not more than there are.
    """
    row = conn.execute(
        _TRY, {"voice": voice_id, "since": now - timedelta(minutes=limits.valid_minutes), "most": limits.tries}
    ).first()
    if row is None:
        return 0
    given = _digest(ring, voice_id, ring.phone_hash(phone), code)
    if not hmac.compare_digest(given, row.digest):
        return limits.tries - int(row.tries)
    conn.execute(_USE.values(used_at=now), {"code": row.id})
    conn.execute(_VERIFIED, {"voice": voice_id})
    return None


def is_verified(conn: Connection, voice_id: str) -> bool:
    """Whether the voice's phone was proved, or somebody met the person (docs/rules.md §1)."""
    return bool(conn.execute(_IS_VERIFIED, {"voice": voice_id}).scalar())


def forget(conn: Connection, now: datetime) -> int:
    """Drop what no limit looks back to any more; how many rows."""
    return conn.execute(_FORGET, {"before": now - KEPT}).rowcount


def _in_turn(conn: Connection, *names: str) -> None:
    """Two at once must not both be the last of the day; on SQLite there is one writer anyway."""
    if conn.dialect.name != "postgresql":
        return
    for turn in sorted(
        int.from_bytes(sha256(f"phone_codes:{name}".encode()).digest()[:8], signed=True) for name in names
    ):
        conn.execute(_TURN, {"turn": turn})


def _digest(ring: KeyRing, voice_id: str, phone_hash: str, code: str) -> str:
    """Keyed, because a million codes are soon tried; bound to voice and phone, so that it proves nothing else."""
    return ring.code_hash(voice_id, phone_hash, code)
