"""A random sample of residents asked about a matter that is not theirs alone: drawn from a seed, kept apart from ratings (docs/rules.md §7)."""

from __future__ import annotations

from datetime import datetime, timedelta
from hashlib import sha256
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, exists, func, insert, select

from liuti.figures.tables import Residents
from liuti.flow.issue import Issue
from liuti.flow.kernel import Refused
from liuti.flow.words import Kind, Lane, Step
from liuti.policy_sections import Sample
from liuti.store import read
from liuti.store.people import grids_under
from liuti.store.tables import Moment, contacts, issues, letters, voices
from liuti.store.tables_boards import resident_answers, residents
from liuti.store.vault import RatingClaim

KNOWN = 5000
"""Residents of a place drawn from, at most: those whose voice is latest."""
MOST = 200
_HAS_PHONE = exists().where(contacts.c.voice_id == voices.c.id, contacts.c.phone_hash.is_not(None))
_OF_PLACE = (
    select(voices.c.person, func.max(voices.c.id).label("voice"))
    .join(issues, issues.c.id == voices.c.issue_id)
    .where(
        issues.c.grid.in_(bindparam("grids", expanding=True)), issues.c.kind != Kind.TIP_OFF.value, voices.c.verified,
        ~voices.c.staff, voices.c.left_at.is_(None), voices.c.person.is_not(None), _HAS_PHONE,
    )
    .group_by(voices.c.person)
    .order_by(func.max(voices.c.id).desc())
    .limit(KNOWN)
)  # fmt: skip
_BEHIND = select(voices.c.person).where(voices.c.issue_id == bindparam("issue"), voices.c.person.is_not(None))
_RATED_NOW = (
    select(*read.SHOWN)
    .where(
        issues.c.step == Step.EVALUATE.value, issues.c.lane == Lane.TOPIC.value, issues.c.public,
        issues.c.id > bindparam("after"),
    )
    .order_by(issues.c.id)
    .limit(MOST)
)  # fmt: skip
_DRAWN = select(residents.c.issue_id, residents.c.round).where(
    residents.c.issue_id.in_(bindparam("ids", expanding=True))
)


def draw_all(conn: Connection, rule: Sample, now: datetime, after: str = "") -> tuple[int, str]:
    """For each published topic that is being rated and has no sample of its round: draw one. How many people were
    invited, and the issue to go on after; "" at the end."""
    page = [read.found_in(row).issue for row in conn.execute(_RATED_NOW, {"after": after}).mappings()]
    done = {(row.issue_id, row.round) for row in conn.execute(_DRAWN, {"ids": [issue.id for issue in page]})}
    wanted = (issue for issue in page if issue.grid and (issue.id, issue.verdict.round) not in done)
    invited = sum(draw(conn, issue, rule, now) for issue in wanted)
    return invited, page[-1].id if len(page) == MOST else ""


def draw(conn: Connection, issue: Issue, rule: Sample, now: datetime) -> int:
    """Invite so many of the verified residents of its places who are not behind it: those whose hash with the seed, the
    issue and the round is lowest, so that anybody who may see the residents can draw them again."""
    places = sorted({issue.grid, *grids_under(conn, issue.grid)})
    behind = set(conn.execute(_BEHIND, {"issue": issue.id}).scalars())
    known = [row for row in conn.execute(_OF_PLACE, {"grids": places}) if row.person not in behind]
    round_ = issue.verdict.round
    known.sort(key=lambda row: sha256(f"{rule.seed}:{issue.id}:{round_}:{row.person}".encode()).digest())
    chosen = known[: rule.residents]
    rows = [
        {"issue_id": issue.id, "round": round_, "voice_id": row.voice, "person": row.person, "seed": rule.seed, "at": now}
        for row in chosen
    ]  # fmt: skip
    told = [
        {"issue_id": issue.id, "version": issue.version, "event": "sample", "recipient": f"voice:{row.voice}", "at": now,
         "next_at": now} for row in chosen
    ]  # fmt: skip
    if rows:
        conn.execute(insert(residents), rows)
        conn.execute(insert(letters), told)
    return len(rows)


# -- their answers -------------------------------------------------------------------------------------------------

_INVITED = select(residents.c.at).where(
    residents.c.issue_id == bindparam("issue"), residents.c.round == bindparam("round"), residents.c.voice_id == bindparam("voice")
)  # fmt: skip
_ANSWERED = select(resident_answers.c.at).where(
    resident_answers.c.issue_id == bindparam("issue"), resident_answers.c.round == bindparam("round"),
    resident_answers.c.voice_id == bindparam("voice"),
)  # fmt: skip


def matter(conn: Connection, claim: RatingClaim, now: datetime, days: int) -> read.Found:
    """What the invitation is about. Refused 404 when nobody was invited so, 409 answered already, 422 too late."""
    given = {"issue": claim.issue_id, "round": claim.round, "voice": claim.voice_id}
    invited, found = conn.execute(_INVITED, given).scalar(), read.find(conn, claim.issue_id)
    if invited is None or found is None:
        raise Refused("no_such_invitation", 404, "没有这份邀请。", "There is no such invitation.")
    if conn.execute(_ANSWERED, given).first() is not None:
        raise Refused("not_rated_yet", 409, "您已经答过。", "You have answered already.")
    if now > invited + timedelta(days=days):
        raise Refused("in_the_rating_time", 422, f"邀请已过期({days}天)。", f"The invitation was good for {days} days.")
    return found


class Said(NamedTuple):
    level: int
    solved: str
    text: str = ""


def answer(conn: Connection, claim: RatingClaim, said: Said, now: datetime, days: int) -> None:
    """Once, and for good: no rating, no round and no rate of the voices is touched by it."""
    matter(conn, claim, now, days)
    row = {"issue_id": claim.issue_id, "round": claim.round, "voice_id": claim.voice_id, "at": now} | said._asdict()
    conn.execute(insert(resident_answers), [row])


_BEGAN, _AS_OF = bindparam("began", type_=Moment), bindparam("as_of", type_=Moment)
_LEVELS = select(resident_answers.c.level, resident_answers.c.solved, func.count().label("n")).where(
    resident_answers.c.at >= _BEGAN, resident_answers.c.at <= _AS_OF
).group_by(resident_answers.c.level, resident_answers.c.solved)  # fmt: skip
_INVITATIONS = select(func.count()).select_from(residents).where(residents.c.at >= _BEGAN, residents.c.at <= _AS_OF)


def summed(conn: Connection, began: datetime, as_of: datetime) -> Residents:
    """Invited and answered in a period; nothing later changes it."""
    given = {"began": began, "as_of": as_of}
    rows = conn.execute(_LEVELS, given).all()
    return Residents(
        conn.execute(_INVITATIONS, given).scalar_one(), sum(row.n for row in rows),
        sum(row.n for row in rows if row.level >= 3), sum(row.n for row in rows if row.solved == "yes"),
    )  # fmt: skip
