"""What guards need to know beyond the issue, fetched under the same lock: one small query a fact."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BindParameter, Connection, bindparam, func, select

from liuti.flow.issue import Issue
from liuti.flow.kernel import Actor, Facts, Form, Need, Passed, Unit
from liuti.flow.words import Clock, Role
from liuti.store import rounds
from liuti.store.people import PERSON, as_actor
from liuti.store.tables import entries, issues, people, ratings, units, voices
from liuti.store.vault import KeyRing


@dataclass(slots=True)
class Wanted:
    """What the facts are about: the issue under lock, who acts, and the form as it came in."""

    conn: Connection
    ring: KeyRing
    issue: Issue
    actor: Actor
    form: Form | None
    move: str
    place: str
    """A keyed hash of where an anonymous person writes from."""
    day_begins: datetime
    lock: Callable[[str], Issue | None]


_UNITS = (
    select(units.c.id, units.c.name, units.c.supervisor, people.c.post, people.c.name.label("person"))
    .select_from(units.outerjoin(people, people.c.id == units.c.supervisor))
    .where(units.c.id.in_(bindparam("ids", expanding=True)), units.c.active)
)
_PEOPLE = select(*PERSON).where(people.c.id.in_(bindparam("ids", expanding=True)), people.c.active)
_LOCK_PERSON = select(people.c.id).where(people.c.id == bindparam("id")).with_for_update()
_CLAIMS = select(func.count()).where(
    issues.c.leader == bindparam("id"),
    issues.c.lane == "topic",
    issues.c.step.in_(["solve", "supervise", "evaluate", "suspended"]),
)
_NEXT_VOICE = (
    select(voices.c.id)
    .where(voices.c.issue_id == bindparam("issue"), voices.c.left_at.is_(None), voices.c.id != bindparam("proposer"))
    .order_by(voices.c.at, voices.c.id)
    .limit(1)
)
_BEHIND = (
    select(voices.c.id)
    .where(voices.c.issue_id == bindparam("issue"), voices.c.left_at.is_(None))
    .order_by(voices.c.at, voices.c.id)
)
_MINE: BindParameter[Any] = bindparam("mine", expanding=True)
_RETURNING = _BEHIND.where(voices.c.origin_id.in_(_MINE))
_STAYING = _BEHIND.where(voices.c.origin_id.not_in(_MINE)).limit(1)
_VOICED = (
    select(voices.c.id)
    .where(voices.c.issue_id == bindparam("issue"), voices.c.person == bindparam("person"), voices.c.left_at.is_(None))
    .limit(1)
)
_TODAY = select(func.count()).where(
    voices.c.person == bindparam("person"), voices.c.at >= bindparam("since"), voices.c.act == bindparam("act")
)
_VOICE = select(voices.c.issue_id, voices.c.at).where(voices.c.id == bindparam("voice"), voices.c.left_at.is_(None))
_RATED = select(ratings.c.level).where(
    ratings.c.issue_id == bindparam("issue"),
    ratings.c.voice_id == bindparam("voice"),
    ratings.c.round == bindparam("round"),
)


_CHECKED = (
    select(entries.c.version, entries.c.move, entries.c.actor, entries.c.role, entries.c.seal)
    .where(
        entries.c.issue_id == bindparam("issue"), entries.c.move.in_(("pass_check", "recheck", "explain", "terminate"))
    )
    .order_by(entries.c.version.desc())
    .limit(2)
)


def gather(wanted: Wanted, needs: Iterable[Need], fresh: str) -> Facts:
    facts = Facts(fresh=fresh)
    for need in needs:
        _FETCH[need](wanted, facts)
    return facts


def person_of(ring: KeyRing, form: Any, place: str) -> str:
    """Who a citizen is, as far as anybody can tell: the phone, else who they are at the source, else where they write
    from; keyed hashes all."""
    contact = getattr(form, "contact", None)
    if contact is not None and any(char.isdigit() for char in contact.phone):
        return ring.phone_hash(contact.phone)
    if reporter := getattr(form, "reporter", ""):
        return ring.name_hash(f"{form.source or ''}:{reporter}")
    return place


def _named(form: Form | None, fields: tuple[str, ...]) -> set[str]:
    found: set[str] = set()
    for name in fields:
        value = getattr(form, name, None)
        found |= {value} if isinstance(value, str) else set(value or ())
    return found - {""}


def _units(wanted: Wanted, facts: Facts) -> None:
    form = wanted.form
    ids = _named(form, form.units if form else ()) | _named(form, ("unit",))
    if ids:
        rows = wanted.conn.execute(_UNITS, {"ids": sorted(ids)})
        found = {r.id: Unit(r.id, r.name, r.supervisor or "", r.post or r.person or "") for r in rows}
        facts.units = {**facts.units, **found}


def _people(wanted: Wanted, facts: Facts) -> None:
    form = wanted.form
    ids = _named(form, form.people if form else ()) | ({wanted.issue.leader} - {""})
    if ids:
        facts.people = {row.id: as_actor(row) for row in wanted.conn.execute(_PEOPLE, {"ids": sorted(ids)})}


def _claims(wanted: Wanted, facts: Facts) -> None:
    """Counted under a lock on the leader: two claims in the same second cannot both be the fifth."""
    leader = getattr(wanted.form, "leader", "") or wanted.actor.id
    wanted.conn.execute(_LOCK_PERSON, {"id": leader})
    facts.claims = wanted.conn.execute(_CLAIMS, {"id": leader}).scalar_one()


def _next_voice(wanted: Wanted, facts: Facts) -> None:
    if wanted.issue.voices > 1:
        given = {"issue": wanted.issue.id, "proposer": wanted.issue.proposer}
        facts.next_voice = wanted.conn.execute(_NEXT_VOICE, given).scalar() or ""


def _lead(wanted: Wanted, facts: Facts) -> None:
    lead = getattr(wanted.form, "lead", "") or wanted.issue.lead
    if lead and lead != wanted.issue.id:
        facts.lead = wanted.lock(lead)
    if wanted.issue.lead:
        _apart(wanted, facts)


def _apart(wanted: Wanted, facts: Facts) -> None:
    """Who would go and who is left, were the merge undone."""
    given = {"issue": wanted.issue.lead, "mine": [wanted.issue.id, *wanted.issue.took_in]}
    facts.returning = tuple(wanted.conn.execute(_RETURNING, given).scalars())
    facts.staying = wanted.conn.execute(_STAYING, given).scalar() or ""


def _voiced(wanted: Wanted, facts: Facts) -> None:
    person = person_of(wanted.ring, wanted.form, "")
    if person:
        given = {"issue": wanted.issue.id, "person": person}
        facts.voiced = wanted.conn.execute(_VOICED, given).first() is not None


def _today(wanted: Wanted, facts: Facts) -> None:
    person = person_of(wanted.ring, wanted.form, wanted.place)
    if not person or Role.CITIZEN not in wanted.actor.roles:
        return
    given = {"person": person, "since": wanted.day_begins, "act": wanted.move}
    count = wanted.conn.execute(_TODAY, given).scalar_one()
    if person == wanted.place:
        facts.today_here = count
    else:
        facts.today = count


def _rated(wanted: Wanted, facts: Facts) -> None:
    """Whose rating this would be: a voice of this issue that was there when the round was opened."""
    voice = getattr(wanted.form, "voice", "") or wanted.actor.voice
    found = wanted.conn.execute(_VOICE, {"voice": voice}).first() if voice else None
    issue = wanted.issue
    if found is None or found.issue_id != issue.id:
        return
    timer = issue.latest(Clock.EVALUATE)
    invited = issue.ended if issue.ended is not None else timer.started if timer is not None else None
    if invited is not None and found.at <= invited:
        facts.rater = voice
    given = {"issue": issue.id, "voice": voice, "round": wanted.actor.rating or issue.verdict.round}
    facts.rated = wanted.conn.execute(_RATED, given).first() is not None


def _standing(wanted: Wanted, facts: Facts) -> None:
    facts.standing, facts.round = rounds.standing(wanted.conn, wanted.issue.id), rounds.running(wanted.conn)
    other = getattr(wanted.form, "other", "")
    if other and facts.standing is not None:
        facts.in_round = rounds.has_place(wanted.conn, facts.standing.round, other)


def _passed(wanted: Wanted, facts: Facts) -> None:
    """The latest check that was passed, and whether it was looked at again; nothing where it ended without a result."""
    rows = wanted.conn.execute(_CHECKED, {"issue": wanted.issue.id}).all()
    again = bool(rows) and rows[0].move == "recheck"
    if (row := next(iter(rows[again:]), None)) is not None and row.move == "pass_check":
        facts.passed = Passed(row.version, row.actor, row.role, row.seal, again)


_FETCH: dict[Need, Callable[[Wanted, Facts], None]] = {
    Need.CLAIMS: _claims,
    Need.NEXT_VOICE: _next_voice,
    Need.UNITS: _units,
    Need.PEOPLE: _people,
    Need.LEAD: _lead,
    Need.VOICED: _voiced,
    Need.TODAY: _today,
    Need.RATED: _rated,
    Need.STANDING: _standing,
    Need.PASSED: _passed,
}
