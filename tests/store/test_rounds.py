"""A round is opened once, keeps what it froze for good, and shows both ranks (docs/rules.md §6)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, aclosing
from datetime import datetime, timedelta
from functools import partial
from hashlib import sha256
from typing import Any

import pytest
from msgspec import json
from sqlalchemy import Connection, func, insert, select, text
from sqlalchemy.exc import DBAPIError

from liuti import policy
from liuti.flow.issue import Evidence
from liuti.flow.kernel import Refused
from liuti.flow.words import Step
from liuti.policy import Policy
from liuti.rank.score import replay
from liuti.store import rounds
from liuti.store.engine import Engine, open_engine
from liuti.store.rounds import Opened
from liuti.store.subjects import subjects
from liuti.store.tables_rank import adjustments
from liuti.store.tables_rank import rounds as rounds_table
from tests.store.test_subjects import DAY, NOW, POLICY, TEXT, add, voice

OTHER_WEIGHTS = (
    policy.default_words()
    .replace("version = 1\n", "version = 2\n", 1)
    .replace("\nconcrete = 8\n", "\nconcrete = 1\n")
    .replace("\nhouseholds = 8\n", "\nhouseholds = 15\n")
)


def opened(conn: Connection, slots: int = 3, now: datetime = NOW, rules: Policy = POLICY, **more: Any) -> Opened:
    return rounds.open_round(conn, rules, "analyst", slots, now, **more)


def holes(conn: Connection, number: int) -> None:
    """Alike but for the people behind them: hole-0 has the most."""
    for one in range(number):
        add(conn, f"hole-{one}")
        for home in range(number - one):
            voice(conn, f"hole-{one}", f"home-{home}", act="cosign", verified=True)


@pytest.fixture
async def street(engine: Engine) -> Engine:
    """Nine matters, the first with the most households."""
    await engine.write(partial(holes, number=9))
    return engine


async def lines(engine: Engine, round_id: str, **page: Any) -> list[rounds.Line]:
    return (await engine.read(partial(rounds.lines, round_id=round_id, **page)))[0]


async def ranks(engine: Engine, round_id: str) -> dict[str, tuple[int | None, int | None]]:
    return {line.issue.id: (line.place.rank, line.final_rank) for line in await lines(engine, round_id)}


async def test_a_round_recommends_so_many_and_keeps_what_it_looked_at(street: Engine) -> None:
    made = await street.write(opened)
    assert (made.number, made.scored, made.recommended) == (1, 9, 3)
    found = await lines(street, made.id)
    assert [line.issue.id for line in found] == [f"hole-{one}" for one in range(9)]
    assert [line.place.rank for line in found] == [1, 2, 3, *[None] * 6]
    assert [line.place.by_total for line in found] == list(range(1, 10))
    assert {line.place.digest for line in found} == {
        sha256(line.place.snapshot.encode()).hexdigest() for line in found
    }, "the digest is the snapshot's"
    assert [line.score.total for line in found] == [line.place.total for line in found]
    standing = await street.read(partial(rounds.standing, issue="hole-1"))
    assert standing is not None
    assert (standing.round, standing.by, standing.rank) == (made.id, "analyst", 2)
    assert (standing.digest, standing.total) == (found[1].place.digest, found[1].place.total)


async def test_nothing_that_waits_is_no_round(engine: Engine) -> None:
    with pytest.raises(Refused) as refused:
        await engine.write(opened)
    assert (refused.value.status, refused.value.code) == (422, "nothing_to_choose")


async def test_a_second_round_waits_until_the_first_is_closed(street: Engine) -> None:
    first = await street.write(opened)
    with pytest.raises(Refused) as refused:
        await street.write(opened)
    assert (refused.value.status, refused.value.code) == (409, "round_is_open")
    close = partial(rounds.close_round, round_id=first.id, by="panel1", now=NOW)
    await street.write(close)
    with pytest.raises(Refused) as refused:
        await street.write(close)
    assert (refused.value.status, refused.value.code) == (409, "round_is_closed")
    second = await street.write(partial(opened, now=NOW + DAY))
    assert second.number == 2
    standing = await street.read(partial(rounds.standing, issue="hole-8"))
    assert standing is not None and standing.round == second.id


async def test_of_many_at_the_same_moment_exactly_one_opens(database_url: str) -> None:
    async with AsyncExitStack() as stack:
        engines = [await stack.enter_async_context(aclosing(Closing(database_url))) for _ in range(3)]
        await engines[0].engine.write(partial(holes, number=9))
        tries = [one.engine.write(opened) for one in engines for _ in range(3)]
        answers = await asyncio.gather(*tries, return_exceptions=True)
        assert sorted(map(_said, answers)) == [*["Opened"] * 1, *["round_is_open"] * 8]
        assert await engines[0].engine.read(lambda conn: conn.execute(_ROUNDS).scalar()) == 1


async def test_who_scores_for_long_finds_that_another_opened_one_meanwhile(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The slow one looked before the quick one had committed, and comes to write long after."""

    def slow(conn: Connection, rules: Policy, as_of: datetime) -> Iterator[Any]:
        if conn.dialect.name == "postgresql" and as_of == NOW - DAY:
            conn.execute(text("SELECT pg_sleep(0.5)"))
        return subjects(conn, rules, as_of)

    monkeypatch.setattr(rounds, "subjects", slow)
    async with AsyncExitStack() as stack:
        one, two = [await stack.enter_async_context(aclosing(Closing(database_url))) for _ in range(2)]
        await one.engine.write(partial(holes, number=3))
        late = asyncio.create_task(one.engine.write(partial(opened, as_of=NOW - DAY)))
        await asyncio.sleep(0.1)
        quick = two.engine.write(opened)
        answers = await asyncio.gather(late, quick, return_exceptions=True)
        assert sorted(map(_said, answers)) == ["Opened", "round_is_open"]
        assert await one.engine.read(lambda conn: conn.execute(_ROUNDS).scalar()) == 1


_ROUNDS = select(func.count()).select_from(rounds_table)


class Closing:
    def __init__(self, address: str) -> None:
        self.engine = open_engine(address)

    async def aclose(self) -> None:
        await self.engine.close()


def _said(answer: Any) -> str:
    return answer.code if isinstance(answer, Refused) else type(answer).__name__


async def test_a_round_replays_to_the_same_numbers_under_other_weights_and_after_a_year(street: Engine) -> None:
    first = await street.write(opened)
    shown = [(line.issue.id, line.place.total) for line in await lines(street, first.id)]
    await street.write(partial(rounds.close_round, round_id=first.id, by="analyst", now=NOW))
    heavier = policy.load(OTHER_WEIGHTS)
    second = await street.write(partial(opened, now=NOW + 365 * DAY, rules=heavier))
    again = await street.read(lambda conn: list(rounds.replayed(conn, first.id)))
    assert [(name, was) for name, was, _ in again] == shown
    assert all(was == now for _, was, now in again)
    assert [(line.issue.id, line.place.total) for line in await lines(street, first.id)] == shown
    fresh = await lines(street, second.id)
    assert [(line.issue.id, line.place.total) for line in fresh] != shown
    weights = {f.name: f.weight for f in fresh[0].score.factors}
    assert (weights["concrete"], weights["households"], fresh[0].score.version) == (1, 15, 2)
    both = await street.read(lambda conn: list(rounds.replayed(conn, second.id)))
    assert all(was == now for _, was, now in both) and len(both) == 9


async def test_the_whole_score_comes_out_of_the_snapshot_again(street: Engine) -> None:
    made = await street.write(opened)
    for line in await lines(street, made.id):
        assert json.encode(replay(line.place.snapshot.encode())) == json.encode(line.score)


ATTACKS = {
    "changed": "UPDATE places SET total = 100",
    "changed one": "UPDATE places SET rank = 1 WHERE line = 9",
    "deleted": "DELETE FROM places",
    "upserted": "INSERT INTO places SELECT * FROM places WHERE line = 9 ON CONFLICT (round_id, line) DO UPDATE SET total = 100",
    "altered in its own way": "",
}
OWN_WAY = {
    "sqlite": "INSERT OR REPLACE INTO places SELECT * FROM places WHERE line = 9",
    "postgresql": "TRUNCATE places",
}


@pytest.mark.parametrize("attack", ATTACKS)
async def test_what_a_round_froze_cannot_be_altered(street: Engine, attack: str) -> None:
    made = await street.write(opened)
    statement = text(ATTACKS[attack] or OWN_WAY[street.dialect])
    before = [line.place for line in await lines(street, made.id)]
    with pytest.raises(DBAPIError, match="append-only"):
        await street.write(lambda conn: conn.execute(statement))
    assert [line.place for line in await lines(street, made.id)] == before


@pytest.mark.parametrize("statement", ["UPDATE adjustments SET what = 'pin'", "DELETE FROM adjustments"])
async def test_what_the_panel_changed_cannot_be_altered_either(street: Engine, statement: str) -> None:
    made = await street.write(opened)
    await street.write(change(made, "hole-1", "drop"))
    with pytest.raises(DBAPIError, match="append-only"):
        await street.write(lambda conn: conn.execute(text(statement)))


def change(made: Opened, issue: str, what: str, minute: int = 0, **more: Any) -> Callable[[Connection], Any]:
    row = {
        "issue_id": issue, "version": 10 + minute, "round_id": made.id, "what": what, "code": "safety", "reason": "会议一致认为。",
        "to_rank": None, "other": "", "at": NOW + timedelta(minutes=minute),
    }  # fmt: skip
    return lambda conn: conn.execute(insert(adjustments), row | more)


async def test_both_ranks_stay_in_the_list_after_the_panel_changed_it(street: Engine) -> None:
    made = await street.write(opened)
    await street.write(change(made, "hole-1", "drop"))
    await street.write(change(made, "hole-8", "pin", 1, to_rank=1))
    await street.write(change(made, "hole-2", "swap", 2, other="hole-5"))
    found = await ranks(street, made.id)
    assert found["hole-8"] == (None, 1)
    assert found["hole-0"] == (1, 2)
    assert found["hole-1"] == (2, None)
    assert found["hole-2"] == (3, None)
    assert found["hole-5"] == (None, 3)
    line = await street.read(partial(rounds.line_of, issue="hole-8"))
    assert line is not None and (line.place.rank, line.final_rank) == (None, 1)


async def test_a_change_of_one_round_changes_no_other(street: Engine) -> None:
    first = await street.write(opened)
    await street.write(partial(rounds.close_round, round_id=first.id, by="analyst", now=NOW))
    second = await street.write(partial(opened, now=NOW + DAY))
    await street.write(change(second, "hole-0", "drop"))
    assert (await ranks(street, first.id))["hole-0"] == (1, 1)
    assert (await ranks(street, second.id))["hole-0"] == (1, None)


async def test_of_equal_totals_the_earlier_first_proposal_stands_before(engine: Engine) -> None:
    def settle(conn: Connection) -> None:
        add(conn, "a-later", submitted=NOW - 70 * DAY)
        add(conn, "b-first", submitted=NOW - 61 * DAY, reported=NOW - 90 * DAY)
        add(conn, "c-between", submitted=NOW - 80 * DAY)

    await engine.write(settle)
    found = await lines(engine, (await engine.write(opened)).id)
    assert len({line.place.total for line in found}) == 1, "whoever waits for 60 days waits no more for longer"
    assert [line.issue.id for line in found] == ["b-first", "c-between", "a-later"]


async def test_one_slot_in_five_is_kept_for_the_grave_that_few_raise(engine: Engine) -> None:
    def settle(conn: Connection) -> None:
        holes(conn, 9)
        few = "楼道口的扶手断了,2位残疾人坐轮椅的老人每天上下楼很不方便,请求尽快维修。"
        add(conn, "few", body=few, title="扶手", category="property", submitted=NOW - DAY)
        voice(conn, "few", "home-few")

    await engine.write(settle)
    found = {line.issue.id: line.place for line in await lines(engine, (await engine.write(opened)).id)}
    assert found["few"].by_total > 3, "by its total it is not among them"
    assert (found["few"].rank, found["few"].why) == (3, "set_aside")
    assert (found["hole-2"].rank, found["hole-2"].why, found["hole-2"].by_total) == (None, "below", 3)
    assert [found[name].rank for name in ("hole-0", "hole-1")] == [1, 2]


async def test_what_too_little_is_known_of_is_not_recommended_however_many_slots(engine: Engine) -> None:
    def settle(conn: Connection) -> None:
        add(conn, "hole")
        add(conn, "vague", body="帮帮忙", title="事情", category="other", grid="")

    await engine.write(settle)
    made = await engine.write(partial(opened, slots=5))
    assert (made.scored, made.recommended) == (2, 1)
    vague = (await lines(engine, made.id))[-1]
    assert (vague.issue.id, vague.place.rank, vague.place.by_total, vague.place.why) == ("vague", None, None, "unknown")
    assert vague.score.unknown_weight > 30 and not vague.score.recommendable
    assert vague.score.value("money") == 0.5


async def test_a_person_s_value_counts_from_the_next_round_on(street: Engine) -> None:
    first = await street.write(opened)
    before = (await lines(street, first.id))[8]
    await street.write(partial(rounds.close_round, round_id=first.id, by="analyst", now=NOW))
    evidence = (Evidence("money", 1.0, "analyst", NOW, 3),)

    def assessed(conn: Connection) -> None:
        add(conn, "known", evidence=evidence, version=3)

    await street.write(assessed)
    second = await street.write(partial(opened, now=NOW + DAY))
    found = {line.issue.id: line for line in await lines(street, second.id)}
    assert found["known"].score.value("money") == 1.0
    assert before.score.value("money") == found["hole-8"].score.value("money") == 0.4


async def test_a_list_is_read_page_by_page_without_a_gap(street: Engine) -> None:
    made = await street.write(opened)
    seen: list[str] = []
    after: int | None = 0
    while after is not None:
        page, after = await street.read(partial(rounds.lines, round_id=made.id, after=after, most=4))
        seen += [line.issue.id for line in page]
    assert seen == [f"hole-{one}" for one in range(9)]


async def test_a_long_list_is_cut_below_its_slots(street: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "SHOWN", 2)
    made = await street.write(opened)
    assert [line.issue.id for line in await lines(street, made.id)] == [f"hole-{one}" for one in range(5)]
    assert await street.read(partial(rounds.standing, issue="hole-7")) is None


async def test_a_round_is_found_by_number_and_by_id_and_else_is_not_there(street: Engine) -> None:
    made = await street.write(opened)
    for name in (made.id, "1"):
        assert (await street.read(partial(rounds.find, name=name))).id == made.id
    for name in ("2", "0", "no-such-round", "99999999", "9" * 30, "-1", ""):
        with pytest.raises(Refused) as refused:
            await street.read(partial(rounds.find, name=name))
        assert (refused.value.status, refused.value.code) == (404, "no_such_round"), name


async def test_rounds_are_listed_latest_first(street: Engine) -> None:
    for day in range(3):
        made = await street.write(partial(opened, now=NOW + day * DAY))
        await street.write(partial(rounds.close_round, round_id=made.id, by="analyst", now=NOW + day * DAY))
    assert [row.number for row in await street.read(rounds.listed)] == [3, 2, 1]
    assert [row.number for row in await street.read(partial(rounds.listed, before=3, most=1))] == [2]


async def test_only_what_waits_to_be_selected_is_scored(engine: Engine) -> None:
    def settle(conn: Connection) -> None:
        for step in Step:
            add(conn, f"at-{step.value}", body=TEXT, step=step)

    await engine.write(settle)
    found = await lines(engine, (await engine.write(opened)).id)
    assert [line.issue.id for line in found] == ["at-select"]
