"""What the command screen shows beside the counts: topics that rise, and where open issues come from; both bounded."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, bindparam, func, select

from liuti.flow.words import OPEN, Kind
from liuti.store.tables import Moment, grids, issues, voices
from liuti.store.tables_rank import topic_members, topics

LATEST = 20_000
"""Issues looked at, the newest: a screen must not grow with the table."""
RECENT, BEFORE = timedelta(days=30), timedelta(days=120)
FROM = 5
"""Messages in 30 days below which nothing is said to rise, and people below which a place shows no number."""


class Rising(NamedTuple):
    id: str
    title: str
    recent: int
    """Messages of the last 30 days."""
    monthly: float
    """Mean of the three months before."""

    @property
    def growth(self) -> float:
        """r of docs/rules.md §6: the last 30 days over the monthly mean of the 90 before, at least 1."""
        return self.recent / max(1.0, self.monthly)


class Spot(NamedTuple):
    """One community: how many issues are open there, and the people behind them."""

    id: str
    name: str
    town: str
    issues: int
    people: int


_NEWEST = (
    select(issues.c.id, issues.c.submitted_at)
    .where(issues.c.kind != Kind.TIP_OFF.value, issues.c.submitted_at > bindparam("since", type_=Moment))
    .order_by(issues.c.id.desc())
    .limit(LATEST)
    .subquery()
)
_IS_RECENT = _NEWEST.c.submitted_at > bindparam("recent", type_=Moment)
_RISING = (
    select(
        topics.c.id, topics.c.title, func.count().filter(_IS_RECENT).label("recent"),
        func.count().filter(~_IS_RECENT).label("before"),
    )
    .select_from(_NEWEST.join(topic_members, topic_members.c.issue_id == _NEWEST.c.id).join(topics, topics.c.id == topic_members.c.topic_id))
    .group_by(topics.c.id, topics.c.title)
    .having(func.count().filter(_IS_RECENT) >= FROM)
)  # fmt: skip


def rising(conn: Connection, now: datetime, most: int = 8) -> list[Rising]:
    """The topics that grew most, of those with five messages or more in 30 days; tip-offs are in none."""
    rows = conn.execute(_RISING, {"since": now - BEFORE, "recent": now - RECENT})
    found = [Rising(row.id, row.title, row.recent, row.before / 3) for row in rows]
    return sorted(found, key=lambda one: (-one.growth, -one.recent, one.id))[:most]


_OPEN = (
    select(issues.c.id, issues.c.grid)
    .where(issues.c.step.in_([step.value for step in OPEN]), issues.c.kind != Kind.TIP_OFF.value)
    .order_by(issues.c.id.desc())
    .limit(LATEST)
    .subquery()
)
_PER_GRID = (
    select(_OPEN.c.grid, func.count(_OPEN.c.id.distinct()).label("issues"), func.count(voices.c.id).label("people"))
    .select_from(_OPEN.outerjoin(voices, and_(voices.c.issue_id == _OPEN.c.id, voices.c.left_at.is_(None))))
    .group_by(_OPEN.c.grid)
)
_TREE = select(grids.c.id, grids.c.name, grids.c.level, grids.c.path).where(grids.c.level.in_(("town", "community")))
_PATHS = select(grids.c.id, grids.c.path)


def spots(conn: Connection) -> list[Spot]:
    """Open issues by community, in the order of the tree; what lies in a grid counts for its community."""
    named = {row.id: row for row in conn.execute(_TREE)}
    paths = {row.id: row.path.split("/") for row in conn.execute(_PATHS.limit(LATEST))}
    sums: dict[str, list[int]] = {}
    for row in conn.execute(_PER_GRID):
        within = [part for part in paths.get(row.grid, []) if part in named and named[part].level == "community"]
        if within:
            kept = sums.setdefault(within[-1], [0, 0])
            kept[0] += row.issues
            kept[1] += row.people
    communities = sorted((row for row in named.values() if row.level == "community"), key=lambda row: row.path)
    return [Spot(row.id, row.name, _town(named, row.path), *sums.get(row.id, (0, 0))) for row in communities]


def _town(named: dict[str, Any], path: str) -> str:
    above = [named[part].name for part in path.split("/") if part in named and named[part].level == "town"]
    return above[-1] if above else ""
