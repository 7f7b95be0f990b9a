"""Which matter each issue belongs to, as rows: read in batches, written where something changed (docs/rules.md §6)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, bindparam, func, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite

from liuti.flow.kernel import Refused
from liuti.flow.propose import DISTRICT, UNKNOWN
from liuti.flow.words import Kind, Step
from liuti.store.tables import Moment, grids, issues
from liuti.store.tables_rank import topic_members, topics

BATCH = 2_000
UNSORTED = (Step.PROPOSE.value, Step.SUPPLEMENT.value, Step.REJECTED.value)
WAITING = (Step.PROPOSE.value, Step.SELECT.value)
# A tip-off is nobody's neighbour: it is compared with nothing and shown beside nothing.
_COMPARED = and_(issues.c.kind != Kind.TIP_OFF.value, issues.c.step != Step.WITHDRAWN.value)
_WITH = issues.outerjoin(topic_members, topic_members.c.issue_id == issues.c.id)
_UNPLACED = (
    select(issues.c.id, issues.c.title, issues.c.body, issues.c.place)
    .select_from(_WITH)
    .where(topic_members.c.issue_id.is_(None), _COMPARED, issues.c.id > bindparam("after"))
    .order_by(issues.c.id)
    .limit(BATCH)
)
_PLACED = (
    select(issues.c.id, issues.c.title, issues.c.body, issues.c.place, topic_members.c.topic_id, topic_members.c.at)
    .select_from(issues.join(topic_members, topic_members.c.issue_id == issues.c.id))
    .where(tuple_(topic_members.c.at, issues.c.id) > tuple_(bindparam("since", type_=Moment), bindparam("after")))
    .order_by(topic_members.c.at, issues.c.id)
    .limit(BATCH)
)
_LARGEST = (
    select(
        topic_members.c.topic_id, topics.c.title, func.count().label("messages"),
        func.min(issues.c.submitted_at).label("first"), func.max(issues.c.submitted_at).label("last"),
    )
    .select_from(topic_members.join(issues, issues.c.id == topic_members.c.issue_id).join(topics, topics.c.id == topic_members.c.topic_id))
    .where(issues.c.step.in_(WAITING))
    .group_by(topic_members.c.topic_id, topics.c.title)
    .order_by(func.count().desc(), topic_members.c.topic_id)
    .limit(bindparam("most"))
    .offset(bindparam("skip"))
)  # fmt: skip
_MEMBERS = (
    select(
        issues.c.id, issues.c.state, issues.c.title, issues.c.body, issues.c.place, issues.c.query_code,
        topic_members.c.similarity, topic_members.c.source,
    )
    .select_from(topic_members.join(issues, issues.c.id == topic_members.c.issue_id))
    .where(topic_members.c.topic_id == bindparam("topic"), issues.c.id > bindparam("after"))
    .order_by(issues.c.id)
    .limit(bindparam("most"))
)  # fmt: skip
_SPREAD = (
    select(grids.c.name, func.count().label("n"))
    .select_from(
        topic_members.join(issues, issues.c.id == topic_members.c.issue_id).join(grids, grids.c.id == issues.c.grid)
    )
    .where(topic_members.c.topic_id == bindparam("topic"))
    .group_by(grids.c.name)
    .order_by(func.count().desc(), grids.c.name)
    .limit(100)
)
_TOPIC = select(topics).where(topics.c.id == bindparam("topic"))
_OF = select(topic_members.c.topic_id).where(topic_members.c.issue_id == bindparam("issue"))
_MOVE = update(topic_members).where(topic_members.c.issue_id == bindparam("b_issue"))


class Member(NamedTuple):
    """An issue in a topic, which is named by the first message it was made for."""

    issue: str
    topic: str
    title: str
    """Of the topic, where it is new."""
    similarity: float


class Told(NamedTuple):
    """What an issue says, for the comparison, and the topic it is in: an empty one when it has none yet."""

    id: str
    title: str
    head: str
    """The title with the place in front: what is the same elsewhere is another matter."""
    body: str
    topic: str = ""
    at: datetime | None = None
    """When it was placed."""


def unplaced(conn: Connection, after: str = "") -> list[Told]:
    return [Told(r.id, r.title, head(r.place, r.title), r.body) for r in conn.execute(_UNPLACED, {"after": after})]


def placed(conn: Connection, since: datetime, after: str) -> list[Told]:
    """In the order they were placed, from one moment and id on."""
    rows = conn.execute(_PLACED, {"since": since, "after": after})
    return [Told(r.id, r.title, head(r.place, r.title), r.body, r.topic_id, r.at) for r in rows]


def head(place: str, title: str) -> str:
    return title if place in ("", UNKNOWN, DISTRICT) else f"{place} {title}"


def place(conn: Connection, members: Sequence[Member], source: str, now: datetime) -> int:
    """Put issues into topics that have none yet; who came first stays. Topics that are new are written with them."""
    if not members:
        return 0
    found = {m.topic: {"id": m.topic, "title": m.title[:400], "at": now} for m in members}
    _insert(conn, topics, list(found.values()))
    rows = [
        {"issue_id": m.issue, "topic_id": m.topic, "similarity": m.similarity, "source": source, "at": now}
        for m in members
    ]
    _insert(conn, topic_members, rows)
    return len(rows)


def move(conn: Connection, members: Iterable[Member], source: str, now: datetime) -> int:
    """Put issues into other topics; one a person placed stays there unless a person moves it."""
    moved = 0
    for m in members:
        _insert(conn, topics, [{"id": m.topic, "title": m.title[:400], "at": now}])
        stmt = _MOVE if source == "person" else _MOVE.where(topic_members.c.source != "person")
        given = {"b_issue": m.issue, "topic_id": m.topic, "similarity": m.similarity, "source": source, "at": now}
        moved += conn.execute(stmt, given).rowcount
    return moved


def _insert(conn: Connection, table: Any, rows: list[dict[str, Any]]) -> None:
    """Two workers may come to the same issue: the first one's word stands, the nightly batch looks again."""
    make = postgresql.insert if conn.dialect.name == "postgresql" else sqlite.insert
    conn.execute(make(table).on_conflict_do_nothing(), rows)


def largest(conn: Connection, most: int = 50, skip: int = 0) -> list[Any]:
    """The topics most messages wait in; no more is read than what waits."""
    return list(conn.execute(_LARGEST, {"most": most, "skip": skip}))


def members(conn: Connection, topic: str, after: str = "", most: int = 100) -> list[Any]:
    return list(conn.execute(_MEMBERS, {"topic": topic, "after": after, "most": most}).mappings())


def spread(conn: Connection, topic: str) -> dict[str, int]:
    return {row.name: row.n for row in conn.execute(_SPREAD, {"topic": topic})}


def find(conn: Connection, topic: str) -> Any:
    row = conn.execute(_TOPIC, {"topic": topic}).first()
    if row is None:
        raise Refused("no_such_topic", 404, "没有这个议题。", "There is no such topic.")
    return row


# A model that learned from its own suggestions would grow sure of its errors.
_CHOSEN = issues.c.state.not_like('%"category_confidence":%')
_SORTED = (
    select(issues.c.title, issues.c.body, issues.c.category, func.coalesce(topic_members.c.topic_id, issues.c.id).label("topic"))
    .select_from(_WITH)
    .where(_COMPARED, issues.c.step.not_in(UNSORTED), issues.c.category.not_in(("", "other")), _CHOSEN)
    .order_by(issues.c.id.desc())
    .limit(bindparam("most"))
)  # fmt: skip


def sorted_by_people(conn: Connection, most: int) -> list[Any]:
    """The newest issues somebody has given a category, with the topic each belongs to; what was suggested is left out."""
    return list(conn.execute(_SORTED, {"most": most}))


def topic_of(conn: Connection, issue: str) -> str | None:
    return conn.execute(_OF, {"issue": issue}).scalar()


_AROUND = (
    select(topics.c.id, topics.c.title, func.count().label("messages"))
    .select_from(topics.join(topic_members, topic_members.c.topic_id == topics.c.id))
    .where(topics.c.id == _OF.scalar_subquery())
    .group_by(topics.c.id, topics.c.title)
)


def around(conn: Connection, issue: str) -> Any:
    """The topic an issue is in, its title and how many messages it holds; None for one that has not arrived yet."""
    return conn.execute(_AROUND, {"issue": issue}).first()
