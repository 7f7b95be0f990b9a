"""How a request shows whose it is: passwords, sessions, bearer tokens, and the secret of a citizen's voice."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from pwdlib import PasswordHash
from sqlalchemy import Connection, bindparam, case, delete, insert, or_, select, update

from liuti.flow.kernel import Actor, Refused
from liuti.flow.words import Role
from liuti.store.audit import SET_UP, By, changed, note
from liuti.store.people import PERSON, as_actor, no_such_person, plain_login
from liuti.store.tables import Moment, passes, people, voices
from liuti.store.vault import api_token, digest_token

WRONG_TRIES = 10
"""Wrong passwords in a row after which an account rests, and answers a right one like a wrong one."""
REST = timedelta(minutes=15)
SHORTEST, LONGEST = 8, 128
"""Characters of a password; the upper end keeps a request from buying minutes of hashing."""
PREFIX = "la1."
"""How every secret that `vault.api_token` makes begins: nothing else is worth a look into the database."""

_CITIZEN = frozenset({Role.CITIZEN})
_HASHING = PasswordHash.recommended()
_NOBODY = "$argon2id$v=19$m=65536,t=3,p=4$DJxsVvxzij+4+pqs/f2LBg$5DQ/ZI6d8Rau8HPZrRPoyUHsuUBuwlVTOhylYDSOuSw"
"""The hash of a password nobody has: a login that does not exist takes as long to refuse as one that does."""


# --- passwords: pure, and slow on purpose ----------------------------------------------------------------------------


def password_hash(text: str) -> str:
    """The argon2id hash to keep. About 0.1 s and 64 MiB: call it off the event loop and outside a transaction.

    Refused 422 `weak_password` below 8 or above 128 characters.
    """
    plain = unicodedata.normalize("NFKC", text)
    if not SHORTEST <= len(plain) <= LONGEST:
        zh, en = f"密码须有 {SHORTEST} 至 {LONGEST} 个字符。", f"A password has {SHORTEST} to {LONGEST} characters."
        raise Refused("weak_password", 422, zh, en, "password")
    return _HASHING.hash(plain)


def check_password(kept: str, text: str) -> bool:
    """Whether `text` is the password of the hash `stored_password` answered; "" is refused as slowly as any other.

    As costly as `password_hash`: call it off the event loop and outside a transaction.
    """
    plain = unicodedata.normalize("NFKC", text)
    return _HASHING.verify(plain if len(plain) <= LONGEST else "", kept or _NOBODY) and bool(kept)


# --- logging in ------------------------------------------------------------------------------------------------------

_STORED = select(people.c.password).where(people.c.login == bindparam("login"), people.c.active)
_AT_THE_DOOR = update(people).where(
    people.c.login == bindparam("known_as"),
    people.c.active,
    or_(people.c.locked_until.is_(None), people.c.locked_until <= bindparam("now", type_=Moment)),
)
_RIGHT = _AT_THE_DOOR.values(tries=0, locked_until=None).returning(people.c.id)
_LAST_TRY = people.c.tries >= WRONG_TRIES - 1
_WRONG = _AT_THE_DOOR.values(
    tries=case((_LAST_TRY, 0), else_=people.c.tries + 1),
    locked_until=case((_LAST_TRY, bindparam("until", type_=Moment)), else_=None),
)


def stored_password(conn: Connection, login: str) -> str:
    """What to give to `check_password`; "" for a login that is unknown, inactive or has no password."""
    return conn.execute(_STORED, {"login": plain_login(login)}).scalar() or ""


def login(conn: Connection, login: str, ok: bool, now: datetime) -> str | None:
    """Book one try whose password was right or wrong (`ok`); the person's id when they may come in, else None.

    Ten wrong tries in a row and the account rests for 15 minutes, also for the right password. Unknown, resting and
    wrong are one answer and one statement, so nobody learns here which logins exist.
    """
    given = {"known_as": plain_login(login), "now": now}
    if ok:
        return conn.execute(_RIGHT, given).scalar()
    conn.execute(_WRONG, {**given, "until": now + REST})
    return None


def set_password(conn: Connection, person_id: str, kept: str, by: By) -> None:
    """A new password hash: the account wakes, and whoever came in by the old password is out."""
    values: dict[str, Any] = {"password": kept, "tries": 0, "locked_until": None}
    if not conn.execute(update(people).where(people.c.id == person_id).values(values)).rowcount:
        raise no_such_person()
    ended = conn.execute(_REVOKE.where(passes.c.person_id == person_id, passes.c.kind == "session"), {"now": by.at})
    note(conn, by, "set_password", person_id, None, {"sessions_ended": ended.rowcount})


def set_active(conn: Connection, person_id: str, by: By, *, active: bool) -> None:
    """Let a person in or keep them out; whoever is kept out loses every session and token for good."""
    found = conn.execute(select(people.c.active).where(people.c.id == person_id).with_for_update()).first()
    if found is None:
        raise no_such_person()
    conn.execute(update(people).where(people.c.id == person_id).values(active=active))
    after: dict[str, Any] = {"active": active}
    if not active:
        after["passes_ended"] = conn.execute(_REVOKE.where(passes.c.person_id == person_id), {"now": by.at}).rowcount
    changed(conn, by, "set_active", person_id, {"active": found.active}, after)


# --- sessions and tokens ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Pass:
    """A session or token as its holder may see it in a list; its secret was shown once and is kept nowhere."""

    digest: str
    kind: Literal["session", "token"]
    name: str
    made_at: datetime
    ends_at: datetime | None


_KEEP = insert(passes)
_REVOKE = update(passes).where(passes.c.revoked_at.is_(None)).values(revoked_at=bindparam("now", type_=Moment))
_REVOKE_ONE = _REVOKE.where(passes.c.digest == bindparam("pass")).returning(
    passes.c.person_id, passes.c.kind, passes.c.name
)
_VALID = (
    passes.c.revoked_at.is_(None),
    or_(passes.c.ends_at.is_(None), passes.c.ends_at > bindparam("now", type_=Moment)),
)
_BEARER = (
    select(*PERSON)
    .select_from(passes.join(people, people.c.id == passes.c.person_id))
    .where(passes.c.digest == bindparam("pass"), people.c.active, *_VALID)
)
_PASSES = (
    select(passes.c.digest, passes.c.kind, passes.c.name, passes.c.made_at, passes.c.ends_at)
    .where(passes.c.person_id == bindparam("person"), *_VALID)
    .order_by(passes.c.made_at, passes.c.digest)
)
_SPEAKS = select(voices.c.issue_id, voices.c.origin_id).where(
    voices.c.id == bindparam("voice"), voices.c.left_at.is_(None)
)


def open_session(conn: Connection, person_id: str, now: datetime, hours: int = 12) -> str:
    """The secret for the cookie of somebody `login` let in; it ends after `hours`, or when revoked."""
    return _keep(conn, person_id, "session", "", now, now + timedelta(hours=hours))


def make_token(conn: Connection, person_id: str, name: str, now: datetime, days: int | None, by: str = SET_UP) -> str:
    """The secret for a program that acts as this person, shown this once; without `days` it lasts until revoked."""
    if conn.execute(select(people.c.id).where(people.c.id == person_id, people.c.active)).first() is None:
        raise no_such_person()
    ends = None if days is None else now + timedelta(days=days)
    secret = _keep(conn, person_id, "token", name, now, ends)
    made = {"pass": _short(digest_token(secret)), "kind": "token", "name": name, "ends_at": ends}
    note(conn, By(by, now), "make_token", person_id, None, made)
    return secret


def _keep(conn: Connection, person_id: str, kind: str, name: str, now: datetime, ends: datetime | None) -> str:
    secret, digest = api_token()
    row = {"digest": digest, "person_id": person_id, "kind": kind, "name": name, "made_at": now, "ends_at": ends}
    conn.execute(_KEEP, [{**row, "revoked_at": None}])
    return secret


def revoke(conn: Connection, secret_or_digest: str, by: By) -> bool:
    """End a pass at once, by its secret (its holder logs out) or its digest (out of `passes_of`); False: none ran."""
    digest = digest_token(secret_or_digest) if secret_or_digest.startswith(PREFIX) else secret_or_digest
    ended = conn.execute(_REVOKE_ONE, {"pass": digest, "now": by.at}).first()
    if ended is None:
        return False
    gone = {"pass": _short(digest), "kind": ended.kind, "name": ended.name}
    note(conn, by, "revoke", ended.person_id, gone, None)
    return True


def end_session(conn: Connection, secret: str, by: By) -> None:
    """Its holder signs out; what is no session stays as it is."""
    kind = conn.execute(select(passes.c.kind).where(passes.c.digest == digest_token(secret))).scalar()
    if kind == "session":
        revoke(conn, secret, by)


def _short(digest: str) -> str:
    """Enough to tell one pass from another in a list."""
    return digest[:12]


def passes_of(conn: Connection, person_id: str, now: datetime) -> list[Pass]:
    """The person's valid sessions and tokens, oldest first."""
    return [Pass(*row) for row in conn.execute(_PASSES, {"person": person_id, "now": now})]


def sweep_passes(conn: Connection, before: datetime) -> int:
    """Drop the sessions that ended before `before`; how many. Tokens stay, as a trace of who could come in."""
    gone = passes.c.kind == "session", passes.c.ends_at < before
    return conn.execute(delete(passes).where(*gone)).rowcount


# --- on every request ------------------------------------------------------------------------------------------------


def bearer(conn: Connection, secret: str, now: datetime) -> Actor | None:
    """Whoever the secret of a session or token stands for, with the roles of this moment. One statement.

    None when it was never given, is revoked or has ended, or its person is no longer active.
    """
    if not secret.startswith(PREFIX):
        return None
    row = conn.execute(_BEARER, {"pass": digest_token(secret), "now": now}).first()
    return None if row is None else as_actor(row)


def voice_actor(conn: Connection, voice_id: str) -> Actor | None:
    """The citizen who speaks as this voice, on the issue it stands at now; None when unknown or left. One statement.

    The caller has opened the secret (`KeyRing.open_secret`), which proves the voice and nothing about its issue.
    """
    row = conn.execute(_SPEAKS, {"voice": voice_id}).first()
    if row is None:
        return None
    return Actor(voice_id, _CITIZEN, voice=voice_id, issue=row.issue_id, origin=row.origin_id)
