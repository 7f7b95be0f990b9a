"""What a score looks at, read from the tables: one subject a matter, its topic's voices behind it (docs/rules.md §6)."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from typing import Any

from msgspec import Struct, json
from sqlalchemy import Connection, bindparam, select

from liuti.flow.issue import Evidence
from liuti.flow.words import Closing, Kind, Lane, Step
from liuti.policy import Policy
from liuti.rank import words
from liuti.rank.agreed import Given, agreed
from liuti.rank.factors import Category, History, Override, Subject
from liuti.rank.score import Voice, Watch, households
from liuti.store.tables import entries, grids, issues, voices
from liuti.store.tables_rank import topic_members

BATCH = 500
ENDED_AT_MOST = 20_000
"""So many of the latest closed matters tell how the like of them went."""
YEAR = timedelta(days=365)
COUNTS = (Step.PROPOSE, Step.SELECT, Step.SUPPLEMENT, Step.MERGED)
"""Where a message of the same topic stands when its people still wait for the matter to be chosen."""


class _Said(Struct):
    """What of an issue's state the score looks at."""

    whole_district: bool = False
    category_confidence: float | None = None
    evidence: tuple[Evidence, ...] = ()
    cleared: tuple[str, ...] = ()
    burst_reviewed: datetime | None = None


class _Ended(Struct):
    ended: datetime | None = None


_STATE, _END = json.Decoder(_Said), json.Decoder(_Ended)
_COLUMNS = (
    issues.c.id, issues.c.state, issues.c.title, issues.c.body, issues.c.category, issues.c.grid,
    issues.c.submitted_at, issues.c.reported_at, topic_members.c.topic_id,
)  # fmt: skip
_MATTERS = (
    select(*_COLUMNS)
    .select_from(issues.outerjoin(topic_members, topic_members.c.issue_id == issues.c.id))
    .where(issues.c.step == Step.SELECT.value, issues.c.id > bindparam("after"))
    .order_by(issues.c.id)
    .limit(BATCH)
)
# What was found to be a tip-off stays in the topic it had, and tells nobody anything.
_LIKE = select(
    topic_members.c.topic_id, issues.c.id, issues.c.step, issues.c.closing, issues.c.category, issues.c.grid,
    issues.c.submitted_at, issues.c.reported_at, issues.c.state,
).where(
    topic_members.c.topic_id.in_(bindparam("topics", expanding=True)), topic_members.c.issue_id == issues.c.id,
    issues.c.kind != Kind.TIP_OFF.value,
)  # fmt: skip
_VOICES = (
    select(
        voices.c.issue_id, voices.c.id, voices.c.act, voices.c.person, voices.c.household, voices.c.verified,
        voices.c.staff, voices.c.words, voices.c.at, issues.c.title, issues.c.body, issues.c.reported_at,
    )
    .select_from(voices.join(issues, issues.c.id == voices.c.origin_id))
    .where(voices.c.issue_id.in_(bindparam("ids", expanding=True)), voices.c.left_at.is_(None))
)  # fmt: skip
_CLOSED = (
    select(issues.c.category, issues.c.closing, issues.c.submitted_at, issues.c.state)
    .where(issues.c.step == Step.CLOSED.value, issues.c.lane == Lane.TOPIC.value)
    .order_by(issues.c.id.desc())
    .limit(ENDED_AT_MOST)
)
_WORDS = select(entries.c.issue_id, entries.c.version, entries.c.words).where(
    entries.c.issue_id.in_(bindparam("ids", expanding=True)), entries.c.move == "assess"
)
_GRIDS = select(grids.c.id, grids.c.level, grids.c.path, grids.c.population, grids.c.tags)


@dataclass(slots=True)
class _Ground:
    """What is the same for all of them: the grids, and how matters of each category went."""

    policy: Policy
    as_of: datetime
    grids: dict[str, Any]
    communities: int
    history: dict[str, History]
    since_a_year: bool


@dataclass(slots=True)
class Waiting:
    """All that was read about the matters that wait: from here on nothing but arithmetic."""

    ground: _Ground
    leads: list[Any]
    alike: dict[str, list[Any]]
    said: dict[str, list[Voice]]
    evidence: dict[tuple[str, int], str]


def subjects(conn: Connection, policy: Policy, as_of: datetime) -> Iterator[Subject]:
    """One for each matter that waits at `select`: of a topic only its earliest issue there, with the households of all."""
    return seen(gather(conn, policy, as_of))


def gather(conn: Connection, policy: Policy, as_of: datetime) -> Waiting:
    rows = [row for row in _matters(conn) if since(row) <= as_of]
    first: dict[str, Any] = {}
    for row in sorted(rows, key=lambda r: (since(r), r.id)):
        first.setdefault(row.topic_id or row.id, row)
    waiting = Waiting(_ground(conn, policy, as_of), list(first.values()), {}, {}, {})
    for start in range(0, len(waiting.leads), BATCH):
        _gather_some(conn, waiting, waiting.leads[start : start + BATCH])
    return waiting


def _gather_some(conn: Connection, waiting: Waiting, leads: list[Any]) -> None:
    topics = sorted({row.topic_id for row in leads if row.topic_id})
    if topics:
        for row in conn.execute(_LIKE, {"topics": topics}):
            waiting.alike.setdefault(row.topic_id, []).append(row)
    counted = {issue for lead in leads for issue in _counted(lead, waiting.alike.get(lead.topic_id, []))}
    waiting.said |= voices_behind(conn, counted)
    waiting.evidence |= _evidence(conn, [lead.id for lead in leads if '"evidence"' in lead.state])


def seen(waiting: Waiting) -> Iterator[Subject]:
    """The subjects of what was gathered; reads nothing, and may take a thread of its own."""
    for lead in waiting.leads:
        like = waiting.alike.get(lead.topic_id, [])
        heard = [voice for issue in _counted(lead, like) for voice in waiting.said.get(issue, ())]
        yield _subject(waiting.ground, lead, like, heard, waiting.evidence)


def _matters(conn: Connection) -> Iterator[Any]:
    after = ""
    while batch := conn.execute(_MATTERS, {"after": after}).all():
        yield from batch
        after = batch[-1].id


def since(row: Any) -> datetime:
    """When the matter was first proposed, here or where it came from."""
    moments: list[datetime] = [at for at in (row.submitted_at, row.reported_at) if at is not None]
    return min(moments)


def _ground(conn: Connection, policy: Policy, as_of: datetime) -> _Ground:
    found = {row.id: row for row in conn.execute(_GRIDS)}
    ended: dict[str, list[tuple[bool, float]]] = defaultdict(list)
    oldest = as_of
    for row in conn.execute(_CLOSED):
        at = _END.decode(row.state).ended
        if at is not None and row.submitted_at is not None and at <= as_of:
            days = (at - row.submitted_at) / timedelta(days=1)
            ended[row.category].append((row.closing == Closing.SOLVED.value, days))
            oldest = min(oldest, at)
    history = {
        category: History(
            closed=len(ends), solved=sum(solved for solved, _ in ends),
            median_days=statistics.median(days for _, days in ends),
        )
        for category, ends in ended.items()
    }  # fmt: skip
    communities = sum(1 for grid in found.values() if grid.level == "community")
    return _Ground(policy, as_of, found, communities, history, as_of - oldest >= YEAR)


def _counted(lead: Any, like: Iterable[Any]) -> set[str]:
    return {lead.id} | {row.id for row in like if row.step in COUNTS}


def voices_behind(conn: Connection, ids: set[str]) -> dict[str, list[Voice]]:
    """The people of each of these issues, without those who left."""
    found: dict[str, list[Voice]] = defaultdict(list)
    asked = sorted(ids)
    for start in range(0, len(asked), BATCH):
        for row in conn.execute(_VOICES, {"ids": asked[start : start + BATCH]}):
            found[row.issue_id].append(_voice(row))
    return found


def _voice(row: Any) -> Voice:
    text = f"{row.title} {row.body}" if row.act == "submit" else row.words
    alone = row.household.startswith("alone:")
    return Voice(
        account=row.person or row.id, at=row.reported_at if row.act == "submit" and row.reported_at else row.at,
        household="" if alone else row.household, verified=row.verified, staff=row.staff,
        text_digest=same_text(text) if text.strip() else "",
    )  # fmt: skip


@lru_cache(maxsize=4096)
def same_text(text: str) -> str:
    """Equal for texts that differ in width, case, blanks and signs only."""
    plain = "".join(char for char in words.plain(text) if char.isalnum())
    return sha256(plain.encode()).hexdigest()[:32]


def evidence_of(conn: Connection, issue: str, known: Sequence[Evidence] | None = None) -> list[dict[str, Any]]:
    """What people put right about its score, with their words as far as they are still kept; `known` from its state,
    where that is at hand: then one statement, none where nothing was put right."""
    if known is None:
        state = conn.execute(select(issues.c.state).where(issues.c.id == issue)).scalar()
        known = _STATE.decode(state).evidence if state is not None else ()
    said = _evidence(conn, [issue] if known else [])
    return [{"factor": e.factor, "value": e.value, "at": e.at, "words": said.get((issue, e.version))} for e in known]


def _evidence(conn: Connection, ids: list[str]) -> dict[tuple[str, int], str]:
    """The words of each assessment, by issue and version; erased ones are missing."""
    if not ids:
        return {}
    found = conn.execute(_WORDS, {"ids": ids})
    return {(r.issue_id, r.version): json.decode(r.words).get("evidence", "") for r in found if r.words}


def _subject(
    ground: _Ground, lead: Any, like: list[Any], heard: list[Voice], evidence: dict[tuple[str, int], str]
) -> Subject:
    state, policy, as_of = _STATE.decode(lead.state), ground.policy, ground.as_of
    rule = policy.score
    watch = Watch(same_text_accounts=rule.same_text_accounts, same_text_hours=rule.same_text_hours)
    grid = ground.grids.get(lead.grid)
    together = _together(ground, lead, like)
    category = _category(policy, together)
    return Subject(
        id=lead.id,
        title=lead.title,
        said=words.read(lead.title, lead.body),
        first_proposed=since(lead),
        as_of=as_of,
        crowd=households(heard, as_of, state.cleared, state.burst_reviewed, watch),
        category=category,
        returned=_returned(ground, like) if ground.since_a_year else None,
        history=ground.history.get(category.code) if ground.since_a_year and category is not None else None,
        population=grid.population if grid is not None else None,
        communities=_communities(ground, state, together),
        communities_total=ground.communities or None,
        tags=tuple(tag for tag in grid.tags.split(",") if tag) or None if grid is not None else None,
        overrides=tuple(
            Override(
                factor=e.factor, value=e.value, by=e.by, at=e.at,
                evidence=evidence.get((lead.id, e.version)) or "(依据文字已依法删除 the words were erased by law)",
            )
            for e in state.evidence
        ),
    )  # fmt: skip


def _together(ground: _Ground, lead: Any, like: Iterable[Any]) -> list[Any]:
    """The lead and what of its topic waits with it at that moment, the earliest first."""
    others = (row for row in like if row.id != lead.id and row.step in COUNTS and since(row) <= ground.as_of)
    return sorted([lead, *others], key=lambda row: (since(row), row.id))


def _category(policy: Policy, together: Iterable[Any]) -> Category | None:
    """What they agree in."""
    found = agreed(Given(row.category, _STATE.decode(row.state).category_confidence) for row in together)
    row = policy.categories.get(found.category) if found is not None else None
    if found is None or row is None:
        return None
    return Category(
        code=found.category, zh=row.zh, en=row.en, severity=row.severity, units=row.units, remit=row.remit,
        money=row.money, non_exclusive=row.non_exclusive, guessed=found.confidence is not None,
        confidence=found.confidence,
    )  # fmt: skip


def _returned(ground: _Ground, like: Iterable[Any]) -> int:
    """Matters of the same topic that ended with an answer within the year before."""
    ends = (_END.decode(row.state).ended for row in like if row.step == Step.CLOSED.value)
    return sum(1 for at in ends if at is not None and ground.as_of - YEAR <= at <= ground.as_of)


def _communities(ground: _Ground, state: _Said, together: Iterable[Any]) -> int | None:
    """How many communities the topic's messages come from; all of them when the whole district is meant."""
    if state.whole_district:
        return ground.communities or None
    found = {_community(ground, row.grid) for row in together} - {""}
    return len(found) or None


def _community(ground: _Ground, code: str) -> str:
    grid = ground.grids.get(code)
    above = grid.path.split("/") if grid is not None else ()
    return next((one for one in above if one in ground.grids and ground.grids[one].level == "community"), "")
