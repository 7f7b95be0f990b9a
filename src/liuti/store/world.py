"""What the rules are judged by today, as it is kept: the policy in force and every year's notice of working days."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, insert, select

from liuti import policy as policies_
from liuti.calendars import notices as packaged
from liuti.flow.calendar import Calendar, Notice
from liuti.flow.clocks import World
from liuti.flow.kernel import Refused
from liuti.store.tables import notices, policies


def load_world(conn: Connection, policy_words: str | None = None) -> World:
    """The given policy, else the default, or a registered one that is newer; notices kept here win over packaged."""
    policy = policies_.load(policy_words) if policy_words else policies_.default()
    newer = select(policies.c.words).where(policies.c.version > policy.version).order_by(policies.c.version.desc())
    if not policy_words and (words := conn.execute(newer.limit(1)).scalar()):
        policy = policies_.load(words)
    known = {notice.year: notice for notice in packaged()}
    known |= {n.year: n for n in map(Notice.parse, conn.execute(select(notices.c.words)).scalars())}
    hours = policy.hours
    return World(policy, Calendar(known.values(), hours.zone, hours.opens, hours.closes))


def register_policy(conn: Connection, words: str, now: datetime) -> int:
    """Keep this version of the policy for good. Refused 422 when the version is known with other contents."""
    policy = policies_.load(words)
    kept = conn.execute(select(policies.c.digest).where(policies.c.version == policy.version)).scalar()
    if kept is not None and kept != policy.digest:
        zh, en = "这个版本号已有不同内容,请升版本号。", "This version is known with other contents: raise the number."
        raise Refused("policy_version_taken", 422, zh, en, "version", version=policy.version)
    if kept is None:
        row = {"version": policy.version, "words": words, "digest": policy.digest, "at": now}
        conn.execute(insert(policies), [row])
    return policy.version


def import_notice(conn: Connection, words: str, now: datetime) -> int:
    """Keep the notice of a year; a later one of the same year replaces it. ValueError when it is not understood."""
    notice = Notice.parse(words)
    conn.execute(notices.delete().where(notices.c.year == notice.year))
    conn.execute(insert(notices), [{"year": notice.year, "words": words, "at": now}])
    return notice.year
