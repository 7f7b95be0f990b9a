"""What the analyst's commands do in the database: rank what waits there, and keep the rounds of the panel."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from liuti import backlog
from liuti.backlog import Accepted, Rule
from liuti.flow.issue import Issue
from liuti.flow.kernel import Actor, Refused, not_yours
from liuti.flow.table import FLOW
from liuti.flow.words import Role
from liuti.policy import Policy
from liuti.rank import panel
from liuti.rank.categories import Model
from liuti.rank.factors import Subject
from liuti.rank.score import FORMULA, Score, score
from liuti.report import Behind, Matter, Message, Report
from liuti.selection_files import Labelled, Progress
from liuti.settings import Settings
from liuti.store import people, read, rounds, topics
from liuti.store.act import Desk
from liuti.store.audit import By, note
from liuti.store.engine import Blocking, open_engine
from liuti.store.subjects import COUNTS, Waiting, gather, seen
from liuti.store.world import load_world
from liuti.store.worlds import Worlds

if TYPE_CHECKING:
    from sqlalchemy import Connection

WAITING = {step.value for step in COUNTS}
MOST_SLOTS = 200
LEARNED_FROM = 30_000
"""So many of the newest sorted issues: beyond that learning takes more memory than it gains."""
LARGEST = 6
"""Topics beyond the list that are shown because most people raised them."""


@dataclass(frozen=True, slots=True)
class Asked:
    """How many slots to recommend for, how many lines to show, and whether with the messages behind them."""

    slots: int
    top: int
    texts: bool


def listed(
    scores: Iterable[Score], sizes: Mapping[str, int], policy: Policy, asked: Asked,
    told: Callable[[Sequence[str]], Mapping[str, Behind]],
) -> dict[str, Any]:  # fmt: skip
    """The top of the ranking and what it was chosen from; `told` is asked once for what stands behind the ids shown."""
    by_id = {one.id: one for one in scores}
    every, aside = list(by_id.values()), (policy.score.set_aside_every, policy.score.few_households)
    places = panel.recommend(every, asked.slots, *aside)
    firm = {one.id: one.share for one in panel.sensitivity(every, asked.slots, *aside)}
    shown, others = places[: asked.top], [one for one in places[asked.top :] if sizes[one.id] > 1]
    largest = sorted(others, key=lambda one: -sizes[one.id])[:LARGEST]
    behind = told([place.id for place in (*shown, *largest)])

    def matter(place: panel.Place) -> Matter:
        share = firm.get(place.id, 0.0) if place.rank is not None else None
        return Matter(place, by_id[place.id], behind[place.id], share)

    return {
        "matters": [matter(one) for one in shown], "largest": [matter(one) for one in largest],
        "topics": len(every), "recommendable": sum(one.recommendable for one in every), "policy": policy.version,
        "formula": FORMULA, "slots": asked.slots, "zone": policy.hours.zone,
    }  # fmt: skip


# --- the database ----------------------------------------------------------------------------------------------------


def rank(settings: Settings, asked: Asked, now: datetime, as_of: datetime | None = None) -> Report:
    """The score of every matter that waits at `select`, as of a moment; nothing is written."""
    moment = as_of or now
    with Blocking(settings.database_url) as engine:
        waiting, policy = engine.read(partial(_waiting, words=settings.policy_words(), as_of=moment))
        # Scoring thousands of matters takes seconds: no transaction stays open for so long.
        weights, rule = policy.score.weights.model_dump(), policy.score
        of = {one.id: one for one in seen(waiting)}
        found = [score(one, weights, policy.version, rule.unknown_most) for one in of.values()]
        heard = {one.id: int(next(f for f in one.factors if f.name == "households").raw["voices"]) for one in found}

        def told(ids: Sequence[str]) -> Mapping[str, Behind]:
            counted = {one: (heard[one], _named(of[one])) for one in ids}
            return engine.read(partial(_told, counted=counted, texts=asked.texts))

        return Report(
            source="数据库 database", as_of=moment, voices=sum(heard.values()), by_area=("按网格", "by grid"),
            **listed(found, heard, policy, asked, told),
        )  # fmt: skip


def _waiting(conn: Connection, words: str | None, as_of: datetime) -> tuple[Waiting, Policy]:
    policy = load_world(conn, words).policy
    return gather(conn, policy, as_of), policy


def _named(subject: Subject) -> str:
    return subject.category.zh if subject.category is not None else ""


def _told(conn: Connection, counted: Mapping[str, tuple[int, str]], *, texts: bool) -> Mapping[str, Behind]:
    return {issue: _behind(conn, issue, *told, texts=texts) for issue, told in counted.items()}


def _behind(conn: Connection, issue: str, heard: int, category: str, *, texts: bool) -> Behind:
    """The issues of its topic that still wait, and where the topic was raised."""
    found = read.find(conn, issue)
    assert found is not None, "no issue is ever deleted"
    if not texts:
        return Behind(heard, category)
    messages = [_message(found.issue, found.row["title"], found.row["body"])]
    areas: Mapping[str, int] = {}
    if (topic := topics.topic_of(conn, issue)) is not None:
        members = [one for one in _members(conn, topic) if one[0].step.value in WAITING]
        messages = [_message(one, row["title"], row["body"], row["similarity"]) for one, row in members]
        areas = topics.spread(conn, topic)
    return Behind(heard, category, tuple(areas.items()), tuple(messages))


def _members(conn: Connection, topic: str) -> Iterable[tuple[Issue, Mapping[str, Any]]]:
    after = ""
    while page := topics.members(conn, topic, after):
        yield from ((read.STATE.decode(row["state"]), row) for row in page)
        after = page[-1]["id"]


def _message(issue: Issue, title: str, body: str, near: float | None = None) -> Message:
    return Message(issue.id, title, body, issue.reported or issue.submitted, near)


# --- intake ----------------------------------------------------------------------------------------------------------


def labelled(settings: Settings) -> Labelled:
    """What people sorted by hand so far, the newest first; messages of one topic are near-copies of each other."""
    with Blocking(settings.database_url) as engine:
        rows = engine.read(partial(topics.sorted_by_people, most=LEARNED_FROM))
    numbers: dict[str, int] = {}
    groups = [numbers.setdefault(row.topic, len(numbers)) for row in rows]
    return Labelled(
        [r.title for r in rows], [r.body for r in rows], [r.category for r in rows], groups, [True] * len(rows)
    )


def accept(
    settings: Settings, login: str, rule: Rule, model: Model | None, now: datetime, progress: Progress
) -> Accepted:
    """As `backlog.accept`, in the name of an intake officer. Refused when the login is not one, or the category unknown."""

    async def work() -> Accepted:
        engine, worlds = open_engine(settings.database_url, pool=2), Worlds(settings.policy_words())
        try:
            await worlds.refresh(engine)
            actor = await engine.read(partial(_officer, login=login))
            known = worlds().policy.categories
            if unknown := next((one for one in (rule.otherwise, *rule.names.values()) if one not in known), None):
                raise Refused("category_is_known", 422, f"没有类别 {unknown}。", f"There is no category {unknown}.")
            desk = Desk(engine, FLOW, worlds, settings.ring(), lambda: now, settings.seal)
            done = 0

            def some(n: int) -> None:
                nonlocal done
                done += n
                progress("受理 accepting", done, None)

            return await backlog.accept(desk, actor, rule, model, now, some)
        finally:
            await engine.close()

    return asyncio.run(work())


def _officer(conn: Connection, login: str) -> Actor:
    actor = people.actor_of(conn, _person(conn, login, Role.INTAKE))
    assert actor is not None
    return actor


# --- rounds ----------------------------------------------------------------------------------------------------------


def list_rounds(settings: Settings) -> list[Any]:
    """The latest first."""
    with Blocking(settings.database_url) as engine:
        return engine.read(rounds.listed)


def open_round(settings: Settings, login: str, slots: int, hand: By, as_of: datetime | None = None) -> rounds.Opened:
    """In the name of an analyst, who then has no vote in it; the audit keeps whose hand it was. `as_of` scores as at an
    earlier moment, for a look back. Refused as rounds.open_round, and a moment that lies ahead."""
    if not 1 <= slots <= MOST_SLOTS:
        raise Refused("bad_form", 422, f"名额须为 1 至 {MOST_SLOTS}。", f"Slots are 1 to {MOST_SLOTS}.", "slots")
    moment = as_of or hand.at
    if moment > hand.at:
        raise Refused("bad_form", 422, "时刻不得晚于现在。", "The moment is not after now.", "as_of")

    def waiting(conn: Connection) -> tuple[str, Waiting, Policy]:
        rounds.refuse_if_open(conn)
        return _person(conn, login, Role.ANALYST), *_waiting(conn, settings.policy_words(), moment)

    def keep(conn: Connection, by: str, prepared: rounds.Prepared) -> rounds.Opened:
        opened = rounds.keep(conn, prepared, by, hand.at)
        note(conn, hand, "open_round", opened.id, None, {"number": opened.number, "slots": slots, "for": by})
        return opened

    with Blocking(settings.database_url) as engine:
        by, found, policy = engine.read(waiting)
        prepared = rounds.prepare(seen(found), policy, slots, moment)
        return engine.write(partial(keep, by=by, prepared=prepared))


def close_round(settings: Settings, name: str, login: str, hand: By) -> int:
    """In the name of an analyst or a member of the panel; its number."""

    def work(conn: Connection) -> int:
        by = _person(conn, login, Role.ANALYST, Role.PANEL)
        found = rounds.find(conn, name)
        rounds.close_round(conn, found.id, by, hand.at)
        note(conn, hand, "close_round", found.id, None, {"number": found.number, "for": by})
        return int(found.number)

    with Blocking(settings.database_url) as engine:
        return engine.write(work)


def _person(conn: Connection, login: str, *roles: Role) -> str:
    person = people.id_of(conn, login)
    actor = people.actor_of(conn, person) if person is not None else None
    if actor is None:
        raise people.no_such_person()
    if actor.roles.isdisjoint(roles):
        raise not_yours(roles)
    return actor.id


def show_round(settings: Settings, name: str, most: int) -> tuple[Any, list[rounds.Line]]:
    """The round and its first lines, in the original order with the final ranks."""

    def work(conn: Connection) -> tuple[Any, list[rounds.Line]]:
        found = rounds.find(conn, name)
        lines, more = rounds.lines(conn, found.id, most=min(most, rounds.MOST_LINES))
        while more is not None and len(lines) < most:
            page, more = rounds.lines(conn, found.id, more, min(most - len(lines), rounds.MOST_LINES))
            lines += page
        return found, lines

    with Blocking(settings.database_url) as engine:
        return engine.read(work)


def replay_round(settings: Settings, name: str) -> tuple[int, list[tuple[str, float, float]]]:
    """How many lines come to the same total from their snapshots, and issue, shown and found total of those that do not."""

    def work(conn: Connection) -> tuple[int, list[tuple[str, float, float]]]:
        lines = list(rounds.replayed(conn, rounds.find(conn, name).id))
        differ = [line for line in lines if line[1] != line[2]]
        return len(lines) - len(differ), differ

    with Blocking(settings.database_url) as engine:
        return engine.read(work)
