"""What the rules are judged by today, as it is kept: the policy in force and every year's notice of working days."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, insert, select

from liuti import policy as policies_
from liuti.calendars import notices as packaged
from liuti.calendars import words_of as packaged_words
from liuti.flow.amended import Amended
from liuti.flow.calendar import Calendar, Notice
from liuti.flow.clocks import World
from liuti.flow.kernel import Refused
from liuti.store.audit import SET_UP, By, note
from liuti.store.tables import amended, notices, policies


def load_world(conn: Connection, policy_words: str | None = None) -> World:
    """The given policy, else the default, or a registered one that is newer; notices kept here win over packaged."""
    policy = policies_.load(policy_words) if policy_words else policies_.default()
    newer = select(policies.c.words).where(policies.c.version > policy.version).order_by(policies.c.version.desc())
    if not policy_words and (words := conn.execute(newer.limit(1)).scalar()):
        policy = policies_.load(words)
    known = {notice.year: notice for notice in packaged()}
    known |= {n.year: n for n in map(Notice.parse, conn.execute(select(notices.c.words)).scalars())}
    hours = policy.hours

    def calendar() -> Calendar:
        return Calendar(list(known.values()), hours.zone, hours.opens, hours.closes)

    today, before = calendar(), []
    for row in conn.execute(_AMENDED):
        # From the latest amendment back: each is the calendar as it was before that one.
        known.pop(row.year, None)
        known |= {row.year: Notice.parse(row.words)} if row.words else {}
        before.append(calendar())
    return Amended(policy, today, tuple(before)) if before else World(policy, today)


_AMENDED = select(amended.c.year, amended.c.words).order_by(amended.c.id.desc())


def register_policy(conn: Connection, words: str, now: datetime, by: str = SET_UP) -> int:
    """Keep this version of the policy for good. Refused 422 when the version is known with other contents."""
    policy = policies_.load(words)
    kept = conn.execute(select(policies.c.words).where(policies.c.version == policy.version)).scalar()
    # Read anew: a section that came later has its default in both, while the digest kept was made without it.
    if kept is not None and policies_.load(kept).digest != policy.digest:
        zh, en = "这个版本号已有不同内容,请升版本号。", "This version is known with other contents: raise the number."
        raise Refused("policy_version_taken", 422, zh, en, "version", version=policy.version)
    if kept is None:
        row = {"version": policy.version, "words": words, "digest": policy.digest, "at": now}
        conn.execute(insert(policies), [row])
        note(conn, By(by, now), "register_policy", str(policy.version), None, {"digest": policy.digest})
    return policy.version


def import_notice(conn: Connection, words: str, now: datetime, by: str = SET_UP) -> int:
    """Keep the notice of a year; a later one of the same year replaces it. ValueError when it is not understood.

    What it said before is kept until the worker has counted every running clock by the new one (docs/rules.md §5).
    """
    notice = Notice.parse(words)
    before = conn.execute(select(notices.c.words).where(notices.c.year == notice.year).with_for_update()).scalar()
    before = before or packaged_words(notice.year)
    conn.execute(notices.delete().where(notices.c.year == notice.year))
    conn.execute(insert(notices), [{"year": notice.year, "words": words, "at": now}])
    # Also when the year had none: a notice may move work ahead into the December before, which was counted without it.
    if not before or Notice.parse(before) != notice:
        conn.execute(insert(amended), [{"year": notice.year, "words": before, "at": now}])
    old = {"words": before} if before else None
    note(conn, By(by, now), "import_notice", str(notice.year), old, {"words": words})
    return notice.year


def forget_amended(conn: Connection, until: datetime) -> int:
    """Every clock has been counted by the notices that came in by then: drop what they said before; how many."""
    return conn.execute(amended.delete().where(amended.c.at <= until)).rowcount
