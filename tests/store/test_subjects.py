"""What a score is told of a matter: whose it is, where it comes from, what people know of it (docs/rules.md §6)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec import json
from sqlalchemy import Connection, insert, update

from liuti import policy
from liuti.flow.issue import Evidence, Issue
from liuti.flow.words import Closing, Kind, Lane, Step
from liuti.rank.factors import Origin, Subject
from liuti.rank.score import Score, score
from liuti.store import people, subjects
from liuti.store.engine import Engine
from liuti.store.rows import columns_of, first_columns_of
from liuti.store.tables import entries, issues, voices
from liuti.store.tables_rank import topic_members, topics

NOW = datetime(2026, 6, 10, 3, 0, tzinfo=UTC)
DAY = timedelta(days=1)
TEXT = "学院路路口有一个两米宽的大坑,每天晚上行人经过很不方便,希望尽快修补路面。"
POLICY = policy.default()
_numbers = itertools.count(1)


def add(conn: Connection, name: str, body: str = TEXT, title: str = "路面破损", **state: Any) -> str:
    """An issue that waits at `select` since ten days, unless `state` says otherwise, with nobody behind it."""
    given: dict[str, Any] = {"step": Step.SELECT, "version": 2, "lane": Lane.TOPIC, "category": "roads", "grid": "g-1"}
    issue = Issue(name, **(given | {"submitted": NOW - 10 * DAY} | state))
    row = {"id": name, "query_code": name[:16], "title": title, "body": body, "place": "", "head": ""}
    conn.execute(insert(issues), columns_of(issue) | first_columns_of(issue) | row)
    return name


def voice(conn: Connection, issue: str, household: str = "", **more: Any) -> None:
    number = next(_numbers)
    alone = f"alone:v-{number}"
    row = {
        "id": f"v-{number}", "issue_id": issue, "origin_id": issue, "act": "submit", "person": f"p-{number}",
        "household": household or alone, "channel": "web", "verified": False, "staff": False, "words": "",
        "at": NOW - 10 * DAY, "left_at": None,
    }  # fmt: skip
    conn.execute(insert(voices), row | more)


def topic(conn: Connection, name: str, members: Iterable[str]) -> None:
    conn.execute(insert(topics), {"id": name, "title": name, "at": NOW})
    for issue in members:
        row = {"issue_id": issue, "topic_id": name, "similarity": 0.9, "source": "batch", "at": NOW}
        conn.execute(insert(topic_members), row)


def closed(conn: Connection, number: int, ended: datetime, closing: Closing = Closing.SOLVED, **more: Any) -> str:
    begun = ended - 20 * DAY
    state: dict[str, Any] = {"step": Step.CLOSED, "submitted": begun, "ended": ended, "closing": closing}
    return add(conn, f"old-{number}", **(state | more))


def town(conn: Connection) -> None:
    """A district of one town with three communities, a grid in each; the people of g-1 are old and poor."""
    people.add_grid(conn, "d", "区", "district", population=30_000)
    people.add_grid(conn, "t", "镇", "town", "d")
    for number, tags in enumerate((("elderly", "poor"), (), ("children",)), 1):
        people.add_grid(conn, f"c-{number}", f"社区{number}", "community", "t", population=3_000)
        people.add_grid(conn, f"g-{number}", f"网格{number}", "grid", f"c-{number}", population=500, tags=tags)


def read(conn: Connection, as_of: datetime = NOW) -> dict[str, Subject]:
    return {one.id: one for one in subjects.subjects(conn, POLICY, as_of)}


def scored(subject: Subject) -> Score:
    return score(subject, POLICY.score.weights.model_dump(), POLICY.version)


def factor(subject: Subject, name: str) -> Any:
    return next(one for one in scored(subject).factors if one.name == name)


async def test_the_messages_of_a_topic_are_one_subject_with_the_households_of_all(engine: Engine) -> None:
    def settle(conn: Connection) -> None:
        town(conn)
        first = NOW - 40 * DAY
        add(conn, "later", submitted=NOW - 5 * DAY)
        add(conn, "first", submitted=NOW - DAY, reported=first, grid="g-2")
        add(conn, "new", step=Step.PROPOSE, version=1, lane=None, grid="g-3")
        add(conn, "chosen", step=Step.CLAIM)
        add(conn, "apart")
        for name in ("later", "first", "new", "chosen", "apart"):
            voice(conn, name, f"home-{name}")
        voice(conn, "later", "home-first")
        topic(conn, "road", ["later", "first", "new", "chosen"])

    await engine.write(settle)
    found = await engine.read(read)
    assert set(found) == {"first", "apart"}, "of a topic only the earliest that waits, by when it was first proposed"
    one = found["first"]
    assert one.first_proposed == NOW - 40 * DAY
    assert one.crowd.unverified == 3, "home-first is counted once; who stands behind what was chosen is not waiting"
    assert one.crowd.voices == 4
    assert (one.communities, one.communities_total) == (3, 3)
    assert found["apart"].crowd.unverified == 1


async def test_a_topic_has_the_category_and_the_history_of_most_of_its_messages(engine: Engine) -> None:
    def settle(conn: Connection) -> None:
        add(conn, "first", category="food", submitted=NOW - 40 * DAY)
        add(conn, "second", category="noise")
        add(conn, "third", category="noise", step=Step.PROPOSE, lane=None)
        add(conn, "chosen", category="roads", step=Step.CLAIM)
        add(conn, "gone", category="roads", step=Step.WITHDRAWN)
        add(conn, "tip", category="roads", step=Step.PROPOSE, kind=Kind.TIP_OFF)
        add(conn, "tomorrow", category="roads", submitted=NOW + DAY)
        topic(conn, "bar", ["first", "second", "third", "chosen", "gone", "tip", "tomorrow"])
        closed(conn, 1, NOW - 400 * DAY, category="food")
        closed(conn, 2, NOW - 30 * DAY, category="noise")
        closed(conn, 3, NOW - 30 * DAY, category="noise")

    await engine.write(settle)
    one = (await engine.read(read))["first"]
    assert one.category is not None
    assert (one.category.code, one.category.guessed) == ("noise", False)
    assert factor(one, "severity").value == POLICY.categories["noise"].severity
    assert one.history is not None
    assert one.history.closed == 2, "of the like of most of them, not of the first"


async def test_what_a_model_suggested_is_shown_as_suggested_until_somebody_gives_a_category(engine: Engine) -> None:
    def settle(conn: Connection) -> None:
        add(conn, "first", category="noise", category_confidence=0.9)
        add(conn, "second", category="noise", category_confidence=0.6)
        add(conn, "third", category="food", category_confidence=0.0)
        topic(conn, "bar", ["first", "second", "third"])
        add(conn, "apart", category="noise")

    await engine.write(settle)
    found = await engine.read(read)
    known = found["first"].category
    assert known is not None
    assert (known.code, known.guessed, known.confidence) == ("noise", True, 0.75)
    assert "推测的类别,把握 75%" in factor(found["first"], "severity").zh
    assert "suggested, 75% sure" in factor(found["first"], "severity").en
    assert factor(found["first"], "severity").origin is Origin.PRESUMED
    assert "推测" not in factor(found["apart"], "severity").zh

    def correct(conn: Connection) -> None:
        state: dict[str, Any] = {"step": Step.SELECT, "version": 3, "category": "fumes", "submitted": NOW - 10 * DAY}
        conn.execute(update(issues).where(issues.c.id == "third").values(columns_of(Issue("third", **state))))

    await engine.write(correct)
    known = (await engine.read(read))["first"].category
    assert known is not None
    assert (known.code, known.guessed) == ("fumes", False), "one word of a person outweighs what was suggested"


async def test_looked_at_as_of_an_earlier_day_what_came_later_adds_no_community(engine: Engine) -> None:
    def settle(conn: Connection) -> None:
        town(conn)
        add(conn, "hole", submitted=NOW - 40 * DAY)
        add(conn, "later", submitted=NOW - 5 * DAY, grid="g-2")
        topic(conn, "road", ["hole", "later"])

    await engine.write(settle)
    assert (await engine.read(read))["hole"].communities == 2
    assert (await engine.read(lambda conn: read(conn, NOW - 30 * DAY)))["hole"].communities == 1


async def test_a_merged_message_counts_with_its_lead_and_only_once(engine: Engine) -> None:
    def settle(conn: Connection) -> None:
        add(conn, "lead")
        add(conn, "taken", step=Step.MERGED, lead="lead")
        voice(conn, "lead", "home-1")
        voice(conn, "lead", "home-2", origin_id="taken")
        topic(conn, "road", ["lead", "taken"])

    await engine.write(settle)
    crowd = (await engine.read(read))["lead"].crowd
    assert (crowd.voices, crowd.unverified) == (2, 2)


async def test_what_turned_out_to_be_a_tip_off_adds_nothing_to_the_topic_it_was_put_in(engine: Engine) -> None:
    def settle(conn: Connection) -> None:
        town(conn)
        add(conn, "hole")
        add(conn, "secret", step=Step.PROPOSE, kind=Kind.TIP_OFF, grid="g-2")
        voice(conn, "hole", "home-1")
        voice(conn, "secret", "home-2")
        topic(conn, "road", ["hole", "secret"])

    await engine.write(settle)
    one = (await engine.read(read))["hole"]
    assert (one.crowd.voices, one.communities) == (1, 1)


async def test_staff_voices_weigh_nothing_and_who_left_is_gone(engine: Engine) -> None:
    def settle(conn: Connection) -> None:
        add(conn, "hole")
        voice(conn, "hole", "home-1", verified=True)
        voice(conn, "hole", "home-2", staff=True, verified=True)
        voice(conn, "hole", "home-3", staff=True)
        voice(conn, "hole", "home-4", left_at=NOW - DAY)

    await engine.write(settle)
    one = (await engine.read(read))["hole"]
    assert (one.crowd.verified, one.crowd.unverified, one.crowd.staff) == (1, 0, 2)
    assert factor(one, "households").value == round(math.log(2) / math.log(51), 4)


async def test_one_text_is_the_same_in_any_width_case_and_with_any_signs() -> None:
    same = subjects.same_text("Ab12路,有坑!")
    assert same == subjects.same_text("ＡＢ１２ 路 有坑。。")
    assert same != subjects.same_text("Ab13路,有坑!")


async def test_a_text_of_five_accounts_counts_as_one_household_whatever_its_signs(engine: Engine) -> None:
    def settle(conn: Connection) -> None:
        add(conn, "hole")
        for minute in range(5):
            words = "我家也一样" + "!" * minute
            moment = NOW - DAY + minute * timedelta(minutes=1)
            voice(conn, "hole", f"home-{minute}", act="cosign", words=words, at=moment)

    await engine.write(settle)
    crowd = (await engine.read(read))["hole"].crowd
    assert (crowd.unverified, crowd.households, crowd.accounts) == (1, 5, 5)
    (text,) = crowd.same_text

    def clear(conn: Connection) -> None:
        state: dict[str, Any] = {"step": Step.SELECT, "version": 3, "category": "roads", "submitted": NOW - 10 * DAY}
        conn.execute(update(issues).values(columns_of(Issue("hole", cleared=(text,), **state))))

    await engine.write(clear)
    crowd = (await engine.read(read))["hole"].crowd
    assert (crowd.unverified, crowd.same_text) == (5, ())


async def test_copies_that_nobody_merged_count_as_one_household_in_their_topic(engine: Engine) -> None:
    def settle(conn: Connection) -> None:
        copies = [add(conn, f"copy-{number}", body=TEXT + "。" * number, title="大坑") for number in range(6)]
        for copy in copies:
            voice(conn, copy, f"home-{copy}")
        own = add(conn, "own", body="我家门口的路也坏了,请一起修。", submitted=NOW - 9 * DAY)
        voice(conn, own, "home-own", verified=True)
        topic(conn, "road", [*copies, own])

    await engine.write(settle)
    ((name, one),) = (await engine.read(read)).items()
    assert name == "copy-0"
    assert (one.crowd.verified, one.crowd.unverified, one.crowd.households) == (1, 1, 7)
    assert one.crowd.frozen


async def test_who_spoke_elsewhere_long_ago_is_counted_from_then_on(engine: Engine) -> None:
    def settle(conn: Connection) -> None:
        add(conn, "hole", submitted=NOW - DAY, reported=NOW - 60 * DAY)
        voice(conn, "hole", "home-1", at=NOW - DAY)
        voice(conn, "hole", "home-2", act="cosign", at=NOW - DAY)

    await engine.write(settle)
    one = (await engine.read(read))["hole"]
    assert (one.crowd.recent, one.crowd.before) == (1, 1), "the one reported it, the other signed yesterday"
    assert factor(one, "waiting").value == 1


async def test_people_without_a_household_stand_each_alone_and_unverified(engine: Engine) -> None:
    def settle(conn: Connection) -> None:
        add(conn, "hole")
        voice(conn, "hole", person="net:one", verified=True)
        voice(conn, "hole", person="net:one")
        voice(conn, "hole", person="net:two")

    await engine.write(settle)
    crowd = (await engine.read(read))["hole"].crowd
    assert (crowd.verified, crowd.unverified) == (0, 2), "one place on the net is one account, and nobody's household"


async def test_evidence_is_shown_and_once_its_words_are_erased_the_value_stays(engine: Engine) -> None:
    evidence = (Evidence("money", 0.9, "analyst", NOW - DAY, 3), Evidence("days", 0.2, "analyst", NOW - DAY, 4))

    def settle(conn: Connection) -> None:
        add(conn, "hole", evidence=evidence, version=4)
        for version, words in ((3, '{"evidence":"预算已批复。"}'), (4, None)):
            row = {
                "issue_id": "hole", "version": version, "move": "assess", "actor": "analyst", "role": "analyst",
                "unit": "", "from_step": "select", "to_step": "select", "at": NOW - DAY, "facts": "{}", "words": words,
                "salt": None, "words_digest": "x", "algorithm": "sha256", "previous": "", "seal": "", "awaits": "",
            }  # fmt: skip
            conn.execute(insert(entries), row)

    await engine.write(settle)
    one = (await engine.read(read))["hole"]
    money, days = factor(one, "money"), factor(one, "days")
    assert (money.value, money.origin, "预算已批复" in money.zh) == (0.9, Origin.EVIDENCE, True)
    assert (days.value, days.origin, "已依法删除" in days.zh) == (0.2, Origin.EVIDENCE, True)


async def test_the_whole_district_is_all_its_communities(engine: Engine) -> None:
    def settle(conn: Connection) -> None:
        town(conn)
        add(conn, "everywhere", whole_district=True, grid="")
        add(conn, "nowhere", grid="")
        add(conn, "town-wide", grid="t")
        add(conn, "here", grid="g-2")

    await engine.write(settle)
    found = await engine.read(read)
    told = {name: (one.communities, one.communities_total) for name, one in found.items()}
    assert told == {"everywhere": (3, 3), "nowhere": (None, 3), "town-wide": (None, 3), "here": (1, 3)}
    assert factor(found["everywhere"], "spread").value == 1


async def test_the_tags_and_people_of_the_grid_are_told(engine: Engine) -> None:
    def settle(conn: Connection) -> None:
        town(conn)
        add(conn, "tagged", grid="g-1")
        add(conn, "plain", grid="g-2")
        add(conn, "unknown", grid="no-such-grid")

    await engine.write(settle)
    found = await engine.read(read)
    assert {name: (one.tags, one.population) for name, one in found.items()} == {
        "tagged": (("elderly", "poor"), 500),
        "plain": (None, 500),
        "unknown": (None, None),
    }
    assert factor(found["tagged"], "vulnerable").value == 1.0
    assert factor(found["plain"], "vulnerable").origin is Origin.UNKNOWN


@pytest.mark.parametrize(("oldest", "known"), [(364, False), (365, True)])
async def test_history_counts_only_once_there_is_a_year_of_it(engine: Engine, oldest: int, known: bool) -> None:
    def settle(conn: Connection) -> None:
        add(conn, "hole")
        closed(conn, 1, NOW - oldest * DAY)
        closed(conn, 2, NOW - 30 * DAY)
        closed(conn, 3, NOW - 20 * DAY, Closing.PARTLY)
        closed(conn, 4, NOW - 9 * DAY, category="noise")
        closed(conn, 5, NOW - 8 * DAY, lane=Lane.DIRECT)
        closed(conn, 6, NOW + DAY)
        topic(conn, "road", ["hole", "old-1", "old-2", "old-3", "old-6"])

    await engine.write(settle)
    one = (await engine.read(read))["hole"]
    if not known:
        assert (one.history, one.returned) == (None, None)
        return
    assert one.history is not None
    assert (one.history.closed, one.history.solved, one.history.median_days) == (3, 2, 20)
    assert one.returned == 3
    past = factor(one, "past_success")
    assert past.value == round((2 + 2) / (3 + 4), 4)
    assert factor(one, "recurrence").value == 1


async def test_what_ended_more_than_a_year_ago_did_not_come_back_within_one(engine: Engine) -> None:
    def settle(conn: Connection) -> None:
        add(conn, "hole")
        closed(conn, 1, NOW - 366 * DAY)
        closed(conn, 2, NOW - 364 * DAY)
        topic(conn, "road", ["hole", "old-1", "old-2"])

    await engine.write(settle)
    assert (await engine.read(read))["hole"].returned == 1


async def test_looked_at_as_of_an_earlier_day_nothing_later_is_seen(engine: Engine) -> None:
    def settle(conn: Connection) -> None:
        add(conn, "hole", submitted=NOW - 40 * DAY)
        add(conn, "later", submitted=NOW - 5 * DAY)
        voice(conn, "hole", "home-1", at=NOW - 40 * DAY)
        voice(conn, "hole", "home-2", at=NOW - 5 * DAY)

    await engine.write(settle)
    found = await engine.read(lambda conn: read(conn, NOW - 30 * DAY))
    assert set(found) == {"hole"}, "what nobody had proposed then is not scored"
    assert found["hole"].crowd.unverified == 1
    assert factor(found["hole"], "waiting").raw["days"] == 10


async def test_more_matters_than_a_batch_come_each_once(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subjects, "BATCH", 3)
    monkeypatch.setattr(subjects, "_MATTERS", subjects._MATTERS.limit(3))

    def settle(conn: Connection) -> None:
        for number in range(10):
            add(conn, f"hole-{number}")
            voice(conn, f"hole-{number}", f"home-{number}")

    await engine.write(settle)
    seen = await engine.read(lambda conn: list(subjects.subjects(conn, POLICY, NOW)))
    assert sorted(one.id for one in seen) == [f"hole-{number}" for number in range(10)]
    assert {one.crowd.unverified for one in seen} == {1}


async def test_a_subject_tells_the_title_and_nothing_else_that_people_wrote(engine: Engine) -> None:
    def settle(conn: Connection) -> None:
        add(conn, "hole", body=TEXT + "我是张三丰,住在紫竹苑。")
        voice(conn, "hole", "home-1", person="hash-of-phone")

    await engine.write(settle)
    text = json.encode((await engine.read(read))["hole"]).decode()
    assert "路面破损" in text
    assert not [word for word in ("张三丰", "紫竹苑", "两米宽", "home-1", "hash-of-phone") if word in text]
