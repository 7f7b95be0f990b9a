"""Rounds of the selection: opened once, frozen for good, read by everyone with the ranks the panel gave (docs/rules.md §6)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from msgspec import Struct, json
from msgspec.structs import replace
from sqlalchemy import Connection, Row, bindparam, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from liuti.flow.issue import Issue
from liuti.flow.kernel import Refused, Standing
from liuti.policy import Policy
from liuti.rank import panel
from liuti.rank.factors import Subject
from liuti.rank.panel import Change
from liuti.rank.score import FORMULA, Score, freeze, replay, score
from liuti.store.bulk import insert_many
from liuti.store.ids import uuid7
from liuti.store.subjects import subjects
from liuti.store.tables import issues
from liuti.store.tables_rank import adjustments, places, rounds

MOST_LINES = 200
"""Lines of a round read at once."""
SHOWN = 1_000
"""The longest list a round keeps beyond its slots: what stands below that has no reader."""
STATE, SCORE = json.Decoder(Issue), json.Decoder(Score)
_LINES = select(places, issues.c.state, issues.c.title, issues.c.body, issues.c.place, issues.c.query_code).where(
    places.c.issue_id == issues.c.id
)
_BEFORE = select(
    func.coalesce(func.max(rounds.c.number), 0), func.max(rounds.c.number).filter(rounds.c.closed_at.is_(None))
)
_ROUND = select(rounds).where(rounds.c.id == bindparam("id"))
_NUMBERED = select(rounds).where(rounds.c.number == bindparam("number"))
_CLOSE = update(rounds).where(rounds.c.id == bindparam("b_id"), rounds.c.closed_at.is_(None))
_STANDING = (
    select(
        places.c.round_id,
        rounds.c.by,
        places.c.digest,
        places.c.total,
        places.c.rank,
        rounds.c.slots,
        rounds.c.at,
        rounds.c.closed_at,
    )
    .select_from(places.join(rounds, rounds.c.id == places.c.round_id))
    .where(places.c.issue_id == bindparam("issue"))
    .order_by(rounds.c.number.desc())
    .limit(1)
)
_RUNNING = select(rounds.c.id).where(rounds.c.closed_at.is_(None)).limit(1)
_HAS_PLACE = select(places.c.line).where(
    places.c.round_id == bindparam("round"), places.c.issue_id == bindparam("issue")
)
_RANKED = (
    select(places.c.issue_id)
    .where(places.c.round_id == bindparam("round"), places.c.rank.is_not(None))
    .order_by(places.c.rank)
)
_CHANGES = (
    select(adjustments)
    .where(adjustments.c.round_id == bindparam("round"))
    .order_by(adjustments.c.at, adjustments.c.issue_id)
)


class Opened(Struct):
    """What opening a round came to: of so many matters scored, so many may be recommended, so many are."""

    id: str
    number: int
    scored: int
    recommendable: int
    recommended: int


def scores(subjects_: Iterable[Subject], policy: Policy) -> list[tuple[Score, bytes]]:
    """Every subject's score under the policy's weights, and the snapshot it replays from."""
    rule = policy.score
    weights = rule.weights.model_dump()
    return [
        (
            score(one, weights, policy.version, rule.unknown_most),
            freeze(one, weights, policy.version, rule.unknown_most),
        )
        for one in subjects_
    ]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A round as it will be frozen: computed from what was read, written later."""

    as_of: datetime
    slots: int
    policy: int
    scored: dict[str, tuple[Score, bytes]]
    lines: list[panel.Place]
    firmness: list[panel.Firmness]


def prepare(subjects_: Iterable[Subject], policy: Policy, slots: int, as_of: datetime) -> Prepared:
    """Scores and recommends; reads and writes nothing. Refused when nothing waits."""
    scored = {one.id: (one, frozen) for one, frozen in scores(map(_without_words, subjects_), policy)}
    if not scored:
        raise Refused("nothing_to_choose", 422, "选题库中没有待选的题。", "Nothing waits to be selected.")
    aside, found = (policy.score.set_aside_every, policy.score.few_households), [one for one, _ in scored.values()]
    lines = panel.recommend(found, slots, *aside)
    return Prepared(as_of, slots, policy.version, scored, lines, panel.sensitivity(found, slots, *aside))


def _without_words(subject: Subject) -> Subject:
    """What people wrote stays where it can be erased by law: no title and no words of evidence are frozen."""
    pointed = (replace(o, evidence=f"台账 {o.at:%Y-%m-%d %H:%M} 的佐证 in the ledger") for o in subject.overrides)
    return replace(subject, title="", overrides=tuple(pointed))


def open_round(
    conn: Connection, policy: Policy, by: str, slots: int, now: datetime, as_of: datetime | None = None
) -> Opened:
    """Score what waits at `select`, freeze it, recommend, in one transaction; Refused as `keep`."""
    refuse_if_open(conn)
    moment = as_of or now
    return keep(conn, prepare(subjects(conn, policy, moment), policy, slots, moment), by, now)


def refuse_if_open(conn: Connection) -> int:
    """The number of the last round; Refused 409 while one is open."""
    last, running = conn.execute(_BEFORE).one()
    if running is not None:
        raise _is_open(running)
    return int(last)


def keep(conn: Connection, prepared: Prepared, by: str, now: datetime) -> Opened:
    """Write the round. Refused 409 while another is open: whoever comes second finds the number taken."""
    lines = prepared.lines
    may, chosen = sum(1 for one in lines if one.by_total), sum(1 for one in lines if one.rank)
    made = Opened(uuid7(now), refuse_if_open(conn) + 1, len(lines), may, chosen)
    row = {
        "id": made.id, "number": made.number, "by": by, "at": now, "as_of": prepared.as_of, "slots": prepared.slots,
        "policy": prepared.policy, "formula": FORMULA, "firmness": json.encode(prepared.firmness[:MOST_LINES]).decode(),
        "closed_at": None, "closed_by": None,
    }  # fmt: skip
    try:
        conn.execute(insert(rounds), row)
    except IntegrityError:
        raise _is_open(made.number) from None
    kept = enumerate(lines[: prepared.slots + SHOWN], 1)
    insert_many(conn, places, [_line(made.id, n, one, *prepared.scored[one.id]) for n, one in kept])
    return made


def _is_open(number: int) -> Refused:
    zh, en = f"第 {number} 轮尚未结束,请先结束。", f"Round {number} is still open: close it first."
    return Refused("round_is_open", 409, zh, en, round=number)


def _line(round_id: str, number: int, place: panel.Place, scored: Score, frozen: bytes) -> dict[str, Any]:
    return {
        "round_id": round_id, "line": number, "issue_id": place.id, "topic_id": None, "rank": place.rank,
        "by_total": place.by_total, "why": place.why.value, "total": place.total, "snapshot": frozen.decode(),
        "digest": sha256(frozen).hexdigest(), "score": json.encode(scored).decode(),
    }  # fmt: skip


def close_round(conn: Connection, round_id: str, by: str, now: datetime) -> None:
    if conn.execute(_CLOSE, {"b_id": round_id, "closed_at": now, "closed_by": by}).rowcount != 1:
        find(conn, round_id)
        raise Refused("round_is_closed", 409, "这一轮已经结束。", "This round is closed.")


def find(conn: Connection, name: str) -> Row[Any]:
    """A round by its id or its number; Refused 404."""
    row = conn.execute(_NUMBERED, {"number": int(name)}).first() if name.isdecimal() and len(name) < 9 else None
    row = row or conn.execute(_ROUND, {"id": name}).first()
    if row is None:
        raise Refused("no_such_round", 404, "没有这一轮。", "There is no such round.")
    return row


def listed(conn: Connection, before: int | None = None, most: int = 50) -> list[Row[Any]]:
    """The latest first."""
    stmt = select(rounds).order_by(rounds.c.number.desc()).limit(most)
    return list(conn.execute(stmt.where(rounds.c.number < before) if before is not None else stmt))


def standing(conn: Connection, issue: str) -> Standing | None:
    """Where the latest round put the issue, and the panel after it."""
    row = conn.execute(_STANDING, {"issue": issue}).first()
    if row is None:
        return None
    final = final_ranks(conn, row.round_id).get(issue)
    closed = row.closed_at is not None
    return Standing(row.round_id, row.by, row.digest, row.total, row.rank, final, row.slots, row.at, closed)


def last_of(conn: Connection, issue: str) -> str:
    """The id of the latest round that had the issue, empty when none had."""
    return conn.execute(select(func.max(places.c.round_id)).where(places.c.issue_id == issue)).scalar() or ""


def running(conn: Connection) -> str:
    """The id of the open round, empty when none is."""
    return conn.execute(_RUNNING).scalar() or ""


def has_place(conn: Connection, round_id: str, issue: str) -> bool:
    return conn.execute(_HAS_PLACE, {"round": round_id, "issue": issue}).first() is not None


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a round's list: the issue as it is now, what was frozen of it, and the rank the panel left it with."""

    issue: Issue
    row: Mapping[str, Any]
    place: Row[Any]
    score: Score
    final_rank: int | None


def lines(
    conn: Connection, round_id: str, after: int = 0, most: int = 50, made: Sequence[Row[Any]] | None = None
) -> tuple[list[Line], int | None]:
    """The list by its original order; the second is what to read on after, None at the end. Two statements, one with
    the changes `made` at hand; one more where the page ends among the recommended or begins below the first."""
    stmt = _LINES.where(places.c.round_id == round_id, places.c.line > after).order_by(places.c.line)
    rows = conn.execute(stmt.limit(most + 1)).all()
    # The recommended stand first: where the page reaches beyond them, they are all on it.
    whole = after == 0 and (len(rows) <= most or rows[-1].rank is None)
    ranked = [row.issue_id for row in rows if row.rank is not None] if whole else None
    final = final_ranks(conn, round_id, made, ranked)
    page = rows[:most]
    return [_seen(row, final.get(row.issue_id)) for row in page], page[-1].line if len(rows) > most else None


def line_of(conn: Connection, issue: str) -> Line | None:
    """The issue's line in the latest round that had it."""
    row = conn.execute(_LINES.where(places.c.issue_id == issue).order_by(places.c.round_id.desc()).limit(1)).first()
    return None if row is None else _seen(row, final_ranks(conn, row.round_id).get(issue))


def line_in(conn: Connection, round_id: str, issue: str, made: Sequence[Row[Any]] | None = None) -> Line | None:
    """The issue's line in this very round."""
    row = conn.execute(_LINES.where(places.c.round_id == round_id, places.c.issue_id == issue)).first()
    return None if row is None else _seen(row, final_ranks(conn, round_id, made).get(issue))


def _seen(row: Row[Any], final: int | None) -> Line:
    texts = {"title": row.title, "body": row.body, "place": row.place, "query_code": row.query_code}
    return Line(STATE.decode(row.state), texts, row, SCORE.decode(row.score), final)


def final_ranks(
    conn: Connection, round_id: str, made: Sequence[Row[Any]] | None = None, ranked: Sequence[str] | None = None
) -> Mapping[str, int]:
    """The recommended ones in the order the panel left them in; what is not given, the changes `made` and the issues
    `ranked` before them, is read."""
    if ranked is None:
        ranked = list(conn.execute(_RANKED, {"round": round_id}).scalars())
    made = changes(conn, round_id) if made is None else made
    changed = [Change(r.issue_id, r.what, r.to_rank, r.other) for r in made]
    return panel.final(ranked, changed)


def changes(conn: Connection, round_id: str) -> list[Row[Any]]:
    return list(conn.execute(_CHANGES, {"round": round_id}))


def replayed(conn: Connection, round_id: str) -> Iterable[tuple[str, float, float]]:
    """Issue, total as it was shown, and total computed again from the snapshot, for every line."""
    stmt = select(places.c.issue_id, places.c.total, places.c.snapshot).where(places.c.round_id == round_id)
    for row in conn.execute(stmt.order_by(places.c.line)):
        yield row.issue_id, row.total, replay(row.snapshot.encode()).total
