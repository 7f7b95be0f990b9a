"""The outbox: one letter for each event and person, one worker at a time for each letter."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import Connection, select

from liuti import policy
from liuti.calendars import notices
from liuti.flow.calendar import Calendar
from liuti.flow.clocks import World
from liuti.flow.kernel import ANYONE, Actor
from liuti.flow.table import FLOW
from liuti.flow.words import Role
from liuti.settings import Settings, new_key
from liuti.store import outbox
from liuti.store.act import Desk
from liuti.store.engine import Engine
from liuti.store.tables import letters

NOW = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
LATER = NOW + timedelta(minutes=1)
WORLD = World(policy.default(), Calendar(notices()))
FORM = {"text": "学院路口有一个大坑。", "place": "学院路", "notice_version": WORLD.policy.notice.version}


@pytest.fixture
async def desk(engine: Engine) -> Desk:
    ring = Settings(keys=SecretStr(new_key())).ring()
    return Desk(engine, FLOW, lambda: WORLD, ring, lambda: NOW)


async def all_of(desk: Desk) -> list[Any]:
    return await desk.engine.read(lambda conn: list(conn.execute(select(letters).order_by(letters.c.id)).mappings()))


async def taken(desk: Desk, by: str, now: datetime = NOW, most: int = 100) -> list[int]:
    found = await desk.engine.write(lambda conn: outbox.take(conn, by, now, most))
    return [row["id"] for row in found]


async def test_a_move_of_many_voices_is_told_to_each_of_them_once(desk: Desk) -> None:
    issue = (await desk.act(ANYONE, "submit", FORM)).issue
    for n in range(3):
        form = {"text": "我也遇到", "notice_version": WORLD.policy.notice.version}
        await desk.act(ANYONE, "cosign", form | {"contact": {"phone": f"1380000000{n}"}}, issue)
    intake = Actor("intake", frozenset({Role.INTAKE}), unit="hall")
    form = {"category": "roads", "urgency": "general", "grid": "g-01"}
    await desk.act(intake, "accept_topic", form, issue)
    told = [row["recipient"] for row in await all_of(desk) if row["event"] == "accept_topic"]
    assert len(told) == len(set(told)) == 4
    assert all(to.startswith("voice:") for to in told)


async def test_a_merge_and_its_undoing_are_told_to_every_voice_of_what_was_merged(desk: Desk) -> None:
    lead, issue = [(await desk.act(ANYONE, "submit", FORM)).issue for _ in range(2)]
    form = {"text": "我也遇到", "notice_version": WORLD.policy.notice.version}
    await desk.act(ANYONE, "cosign", form | {"contact": {"phone": "13800000001"}}, issue)
    intake = Actor("intake", frozenset({Role.INTAKE}), unit="hall")
    await desk.act(intake, "merge", {"lead": lead, "reason": "同一个坑。"}, issue)
    await desk.act(intake, "unmerge", {"reason": "是两个坑。"}, issue)
    for event in ("merge", "unmerge"):
        told = [(row["issue_id"], row["recipient"]) for row in await all_of(desk) if row["event"] == event]
        assert len(told) == len(set(told)) == 2, event
        assert {one for one, _ in told} == {issue}


async def test_a_letter_leased_by_one_is_nobody_elses_until_the_lease_is_over(desk: Desk) -> None:
    await desk.act(ANYONE, "submit", FORM)
    both = await taken(desk, "a")
    assert len(both) == len(await all_of(desk)) > 0
    assert await taken(desk, "b") == []
    assert await taken(desk, "b", NOW + outbox.LEASE - timedelta(seconds=1)) == []
    assert await taken(desk, "b", NOW + outbox.LEASE) == both
    assert {(row["lease"], row["tries"]) for row in await all_of(desk)} == {("b", 2)}


async def test_whoever_lost_the_lease_can_mark_nothing(desk: Desk) -> None:
    await desk.act(ANYONE, "submit", FORM)
    letter = (await taken(desk, "a"))[0]
    await taken(desk, "b", NOW + outbox.LEASE)
    write = desk.engine.write
    assert not await write(lambda conn: outbox.sent(conn, letter, "a", LATER))
    assert not await write(lambda conn: outbox.failed(conn, letter, "a", outbox.TRIES, "late", LATER))
    await write(lambda conn: outbox.give_back(conn, [letter], "a", LATER))
    row = (await all_of(desk))[0]
    assert (row["lease"], row["sent_at"], row["dead_at"], row["fault"]) == ("b", None, None, None)
    assert await write(lambda conn: outbox.sent(conn, letter, "b", LATER))
    assert not await write(lambda conn: outbox.sent(conn, letter, "b", LATER)), "once"


async def test_a_letter_given_back_has_lost_no_try_and_is_due_at_once(desk: Desk) -> None:
    await desk.act(ANYONE, "submit", FORM)
    mine = await taken(desk, "a")
    await desk.engine.write(lambda conn: outbox.give_back(conn, mine, "a", NOW))
    assert {row["tries"] for row in await all_of(desk)} == {0}
    assert await taken(desk, "b") == mine


async def test_the_oldest_letters_go_first_and_what_waits_is_counted_up_to_a_bound(desk: Desk) -> None:
    for _ in range(3):
        await desk.act(ANYONE, "submit", FORM)
    everything = [row["id"] for row in await all_of(desk)]
    assert await taken(desk, "a", most=2) == everything[:2]
    assert await taken(desk, "b", most=2) == everything[2:4]
    read = desk.engine.read
    assert await read(outbox.waiting) == len(everything)
    assert await read(lambda conn: outbox.waiting(conn, 2)) == 2

    def all_sent(conn: Connection) -> None:
        for letter in everything[:2]:
            outbox.sent(conn, letter, "a", NOW)

    await desk.engine.write(all_sent)
    assert await read(outbox.waiting) == len(everything) - 2


@pytest.mark.parametrize(("tries", "seconds"), [(1, 30), (2, 60), (11, 30720), (12, 61440), (13, 86400), (30, 86400)])
def test_the_wait_doubles_up_to_a_day(tries: int, seconds: int) -> None:
    assert outbox.wait_after(tries) == timedelta(seconds=seconds)
