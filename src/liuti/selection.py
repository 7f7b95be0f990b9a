"""What the data team's commands do: rank what waits, in the database or in a file, and keep the rounds of the panel."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from liuti.flow.issue import Issue
from liuti.flow.kernel import Refused, not_yours
from liuti.flow.words import Role
from liuti.policy import Policy
from liuti.rank import panel, words
from liuti.rank.categories import Model
from liuti.rank.factors import Category, Subject
from liuti.rank.score import FORMULA, Score, Voice, Watch, households, score
from liuti.report import Behind, Matter, Message, Report
from liuti.selection_files import Found, Progress, Row, Source, find
from liuti.settings import Settings
from liuti.store import people, read, rounds, topics
from liuti.store.audit import By, note
from liuti.store.engine import Blocking
from liuti.store.subjects import COUNTS, subjects
from liuti.store.world import load_world

if TYPE_CHECKING:
    from sqlalchemy import Connection

SURE = 0.5
"""A suggested category counts from this confidence on."""
WAITING = {step.value for step in COUNTS}
MOST_SLOTS = 200
LARGEST = 6
"""Topics beyond the list that are shown because most was written about them."""


@dataclass(frozen=True, slots=True)
class Asked:
    """How many slots to recommend for, how many lines to show, and whether with the messages behind them."""

    slots: int
    top: int
    texts: bool


def _listed(
    scores: Iterable[Score], sizes: Mapping[str, int], policy: Policy, asked: Asked,
    told: Callable[[Sequence[str]], Mapping[str, Behind]],
) -> dict[str, Any]:  # fmt: skip
    """The top of the ranking and what it was chosen from; `told` is asked once for what stands behind the ids shown."""
    by_id = {one.id: one for one in scores}
    every, aside = list(by_id.values()), policy.score.set_aside_every
    places = panel.recommend(every, asked.slots, aside)
    firm = {one.id: one.share for one in panel.sensitivity(every, asked.slots, aside)}
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
    ranking = partial(_rank, words_=settings.policy_words(), asked=asked, as_of=as_of or now)
    with Blocking(settings.database_url) as engine:
        return engine.read(ranking)


def _rank(conn: Connection, words_: str | None, asked: Asked, as_of: datetime) -> Report:
    policy = load_world(conn, words_).policy
    weights, rule = policy.score.weights.model_dump(), policy.score
    found = [score(one, weights, policy.version, rule.unknown_most) for one in subjects(conn, policy, as_of)]
    heard = {one.id: int(next(f for f in one.factors if f.name == "households").raw["voices"]) for one in found}

    def told(ids: Sequence[str]) -> Mapping[str, Behind]:
        return {one: _behind(conn, policy, one, heard[one], texts=asked.texts) for one in ids}

    return Report(
        source="数据库 database", as_of=as_of, messages=sum(heard.values()), by_area=("按网格", "by grid"),
        **_listed(found, heard, policy, asked, told),
    )  # fmt: skip


def _behind(conn: Connection, policy: Policy, issue: str, heard: int, *, texts: bool) -> Behind:
    """The issues of its topic that still wait, and the place each is at."""
    found = read.find(conn, issue)
    assert found is not None, "it was scored in this same reading"
    row = policy.categories.get(found.issue.category)
    category = row.zh if row is not None else found.issue.category
    if not texts:
        return Behind(heard, category)
    messages = [_message(found.issue, found.row["title"], found.row["body"])]
    places = Counter([found.issue.grid] if found.issue.grid else [])
    if (topic := topics.topic_of(conn, issue)) is not None:
        members = [one for one in _members(conn, topic) if one[0].step.value in WAITING]
        messages = [_message(one, row["title"], row["body"], row["similarity"]) for one, row in members]
        names = topics.spread(conn, topic)
        places = Counter(names) if names else Counter(one.grid for one, _ in members if one.grid)
    return Behind(heard, category, tuple(places.most_common()), tuple(messages))


def _members(conn: Connection, topic: str) -> Iterable[tuple[Issue, Mapping[str, Any]]]:
    after = ""
    while page := topics.members(conn, topic, after):
        yield from ((read.STATE.decode(row["state"]), row) for row in page)
        after = page[-1]["id"]


def _message(issue: Issue, title: str, body: str, near: float | None = None) -> Message:
    return Message(issue.id, title, body, issue.reported or issue.submitted, near)


# --- a file ----------------------------------------------------------------------------------------------------------


def rank_file(
    given: Source,
    policy: Policy,
    asked: Asked,
    progress: Progress,
    model: Model | None = None,
    *,
    verified: bool = False,
) -> Report:
    """One subject a topic of the file, by its earliest message; each user is a household, known if `verified`.

    As of `given.until`; without it as of the latest message, and without any times as of now. The file is read once for
    the topics, once for the words of the earliest, and once more for what is shown.
    """
    found = find(given, progress, whole=True)
    as_of = given.until or max((at for at in found.moments if at is not None), default=given.now)
    together: dict[int, list[int]] = defaultdict(list)
    for n, topic in enumerate(found.topic):
        together[topic].append(n)
    matters = {min(of, key=lambda n: (found.moments[n] or as_of, n)): of for of in together.values()}
    scores, labels = [], dict[str, str]()
    weights, rule = policy.score.weights.model_dump(), policy.score
    for n, row in enumerate(given.rows(progress, "评分 scoring")):
        if (of := matters.get(n)) is not None:
            category = _category(policy, row, model)
            labels[str(n)] = category.zh or category.code if category is not None else ""
            subject = _subject(given, policy, found, as_of, (n, row, of), category, verified=verified)
            scores.append(score(subject, weights, policy.version, rule.unknown_most))

    def told(ids: Sequence[str]) -> Mapping[str, Behind]:
        return _told(given, found, {one: matters[int(one)] for one in ids}, labels, progress, texts=asked.texts)

    sizes = {str(n): len(of) for n, of in matters.items()}
    return Report(
        source=given.path.name, as_of=as_of, messages=len(found.ids), by_area=_by_area(given), notes=_notes(given, found),
        **_listed(scores, sizes, policy, asked, told),
    )  # fmt: skip


def _subject(
    given: Source, policy: Policy, found: Found, as_of: datetime, lead: tuple[int, Row, Sequence[int]],
    category: Category | None, *, verified: bool,
) -> Subject:  # fmt: skip
    n, row, of = lead
    counted = "community" in given.places
    rule = policy.score
    watch = Watch(same_text_accounts=rule.same_text_accounts, same_text_hours=rule.same_text_hours)
    voices = [
        Voice(
            account=found.users[one] or f"row {one}", at=found.moments[one] or as_of, household=found.users[one],
            verified=verified, text_digest=found.digests[one],
        )
        for one in of
    ]  # fmt: skip
    return Subject(
        id=str(n), title=row.title or row.text[:60], said=words.read(row.title, row.text),
        first_proposed=row.at or as_of, as_of=as_of, crowd=households(voices, as_of, watch=watch), category=category,
        communities=len({found.areas[one] for one in of} - {""}) or None if counted else None,
        communities_total=len(set(found.areas) - {""}) or None if counted else None,
    )  # fmt: skip


def _category(policy: Policy, row: Row, model: Model | None) -> Category | None:
    """What the file says, else what the model is sure of; a label the policy's table lacks is a name without values."""
    label, guessed = row.category, False
    if not label and model is not None and (best := model.suggest(row.title, row.text, 1)):
        label, guessed = (best[0].category, True) if best[0].confidence >= SURE else ("", False)
    if not label:
        return None
    for code, kept in policy.categories.items():
        if label.lower() in (code, kept.zh, kept.en.lower()):
            return Category(
                code=code, zh=kept.zh, en=kept.en, severity=kept.severity, units=kept.units, remit=kept.remit,
                money=kept.money, non_exclusive=kept.non_exclusive, guessed=guessed,
            )  # fmt: skip
    return Category(code=label, guessed=guessed)


def _told(
    given: Source, found: Found, shown: Mapping[str, Sequence[int]], labels: Mapping[str, str], progress: Progress,
    *, texts: bool,
) -> Mapping[str, Behind]:  # fmt: skip
    whose = {n: name for name, of in shown.items() for n in of} if texts else {}
    said: dict[str, list[Message]] = defaultdict(list)
    for n, row in enumerate(given.rows(progress, "取原文 fetching") if whose else ()):
        if n in whose:
            said[whose[n]].append(Message(str(row.id), row.title, row.text, row.at, found.near[n]))
    areas = {name: Counter(found.areas[n] for n in of if found.areas[n]).most_common() for name, of in shown.items()}
    return {name: Behind(len(of), labels[name], areas[name], said[name]) for name, of in shown.items()}


def _by_area(given: Source) -> tuple[str, str]:
    if "community" in given.places:
        return "按文件中的社区列", "by the file's column of communities"
    return "文件没有社区列,按标题提到的区县", "the file has no communities: by the district a title names"


def _notes(given: Source, found: Found) -> list[tuple[str, str]]:
    told = []
    if "user" not in given.places:
        told.append(("文件没有用户列,每条留言各算一户。", "No column of users: each message counts as a household."))
    if found.late:
        told.append((f"{found.late} 条留言的时间无法采信。", f"{found.late} messages have a time that is none."))
    return told


# --- rounds ----------------------------------------------------------------------------------------------------------


def list_rounds(settings: Settings) -> list[Any]:
    """The latest first."""
    with Blocking(settings.database_url) as engine:
        return engine.read(rounds.listed)


def open_round(settings: Settings, login: str, slots: int, hand: By) -> rounds.Opened:
    """In the name of an analyst, who then has no vote in it; the audit keeps whose hand it was. Refused as rounds.open_round."""
    if not 1 <= slots <= MOST_SLOTS:
        raise Refused("bad_form", 422, f"名额须为 1 至 {MOST_SLOTS}。", f"Slots are 1 to {MOST_SLOTS}.", "slots")

    def work(conn: Connection) -> rounds.Opened:
        by = _person(conn, login, Role.ANALYST)
        policy = load_world(conn, settings.policy_words()).policy
        opened = rounds.open_round(conn, policy, by, slots, hand.at)
        note(conn, hand, "open_round", opened.id, None, {"number": opened.number, "slots": slots, "for": by})
        return opened

    with Blocking(settings.database_url) as engine:
        return engine.write(work)


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
