"""Scenario 45: whoever reaches into the database is noticed, and what the law wants erased can be erased."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, delete, select, text, update
from sqlalchemy.exc import DBAPIError

from liuti import policy
from liuti.calendars import notices
from liuti.demo import district
from liuti.flow.calendar import Calendar
from liuti.flow.clocks import World
from liuti.flow.table import FLOW
from liuti.flow.words import Role
from liuti.store import ledger
from liuti.store.act import Desk
from liuti.store.engine import Engine
from liuti.store.ledger import Broken
from liuti.store.tables import entries, issues
from liuti.store.vault import KeyRing, SealName

NOW = datetime(2026, 11, 2, 2, 0, tzinfo=UTC)
POLICY = policy.default()
WORLD = World(POLICY, Calendar(notices()))
DISTRICT = district.draw(POLICY.gates)
INTAKE, *_ = [person.actor for person in DISTRICT.of(Role.INTAKE)]
PANEL = [person.actor for person in DISTRICT.of(Role.PANEL)]
ENTRIES = 6
FORGED: dict[str, Any] = {
    "move": "reject", "actor": "somebody", "role": "principal", "unit": "u-30", "from_step": "closed", "to_step": "closed",
    "at": NOW - timedelta(days=9), "facts": '{"yes":false}', "words": '{"text":"没有这回事"}', "salt": b"another salt",
    "words_digest": "0" * 64, "algorithm": "md5", "previous": "0" * 64, "seal": "0" * 64, "awaits": "inspector",
}  # fmt: skip
"""Every column that tells what happened, each with another value than the one that stands there."""


@pytest.fixture
async def chains(engine: Engine, request: pytest.FixtureRequest) -> list[str]:
    """Three issues of six entries each, in the order in which the check walks them; sealed by SM3 where a test asks."""
    algorithm: SealName = getattr(request, "param", "sha256")
    ring = KeyRing.parse("1:" + base64.b64encode(b"k" * 32).decode())
    desk = Desk(engine, FLOW, lambda: WORLD, ring, lambda: NOW, algorithm)

    def play(conn: Connection) -> list[str]:
        district.settle(conn, DISTRICT, "")
        return sorted(published(conn, desk) for _ in range(3))

    return await engine.write(play)


def published(conn: Connection, desk: Desk) -> str:
    issue = desk.act_now(conn, INTAKE, "submit", {"text": "东门的路灯坏了一周,晚上很黑", "place": "东门"}).issue
    desk.act_now(conn, INTAKE, "accept_topic", {"category": "lighting", "urgency": "general", "grid": "c01-1"}, issue)
    for member in PANEL[:3]:
        desk.act_now(conn, member, "vote", {"yes": True, "reason": f"赞成,{member.name}"}, issue)
    desk.act_now(conn, PANEL[0], "publish", {"snapshot": {}, "reason": "群众反映集中"}, issue)
    return issue


async def checked(engine: Engine) -> list[Broken]:
    found = await engine.read(lambda conn: list(ledger.verify(conn)))
    assert sum(part for part in found if isinstance(part, int)) == 3
    return [part for part in found if isinstance(part, Broken)]


async def tamper(engine: Engine, *statements: Any) -> None:
    """What the owner of the database can do who drops the guard first."""

    def run(conn: Connection) -> None:
        unguard(conn)
        for statement in statements:
            conn.execute(statement)

    await engine.write(run)


def unguard(conn: Connection) -> None:
    if conn.dialect.name == "sqlite":
        for what in ("insert", "update", "delete"):
            conn.execute(text(f"DROP TRIGGER entries_{what}"))
    else:
        conn.execute(text("ALTER TABLE entries DISABLE TRIGGER USER"))


async def put(engine: Engine, where: Any, values: dict[str, Any]) -> None:
    await engine.write(lambda conn: conn.execute(update(entries).where(where).values(values)))


def at(issue: str, version: int) -> Any:
    return (entries.c.issue_id == issue) & (entries.c.version == version)


async def test_untouched_chains_hold(engine: Engine, chains: list[str]) -> None:
    assert await checked(engine) == []


@pytest.mark.parametrize("chains", ["sha256", "sm3"], indirect=True)
async def test_an_entry_edited_in_the_database_is_named_by_issue_and_version(engine: Engine, chains: list[str]) -> None:
    await tamper(engine)
    true = dict((await engine.read(lambda conn: conn.execute(select(entries).where(at(chains[1], 3))).one()))._mapping)
    for column, forged in FORGED.items():
        assert true[column] != forged
        await put(engine, at(chains[1], 3), {column: forged})
        (place,) = await checked(engine)
        assert (place.issue, place.version) == (chains[1], 3), column
        assert place.zh
        assert place.en
        await put(engine, at(chains[1], 3), {column: true[column]})
        assert await checked(engine) == [], column


async def test_an_entry_that_says_it_is_another_one_is_named(engine: Engine, chains: list[str]) -> None:
    await tamper(engine, update(entries).where(at(chains[0], 4)).values(version=40))
    (place,) = await checked(engine)
    assert (place.issue, place.version) == (chains[0], 4)


@pytest.mark.parametrize("version", [1, 3, ENTRIES])
async def test_a_deleted_entry_is_named_and_the_last_one_too(engine: Engine, chains: list[str], version: int) -> None:
    await tamper(engine, delete(entries).where(at(chains[2], version)))
    (place,) = await checked(engine)
    assert (place.issue, place.version) == (chains[2], version)


async def test_deleting_the_last_entry_and_setting_back_the_version_is_still_noticed(
    engine: Engine, chains: list[str]
) -> None:
    await tamper(
        engine,
        delete(entries).where(at(chains[0], ENTRIES)),
        update(issues).where(issues.c.id == chains[0]).values(version=ENTRIES - 1),
    )
    (place,) = await checked(engine)
    assert (place.issue, place.version) == (chains[0], ENTRIES)


async def test_a_chain_that_is_gone_altogether_is_named(engine: Engine, chains: list[str]) -> None:
    await tamper(engine, delete(entries).where(entries.c.issue_id == chains[1]))
    (place,) = await checked(engine)
    assert (place.issue, place.version) == (chains[1], 1)


async def test_two_entries_swapped_are_named_at_the_first(engine: Engine, chains: list[str]) -> None:
    def renumber(was: int, becomes: int) -> Any:
        return update(entries).where(at(chains[1], was)).values(version=becomes)

    await tamper(engine, renumber(3, 99), renumber(4, 3), renumber(99, 4))
    (place,) = await checked(engine)
    assert (place.issue, place.version) == (chains[1], 3)


async def test_an_entry_moved_to_another_issue_breaks_that_one_too(engine: Engine, chains: list[str]) -> None:
    await tamper(engine, update(entries).where(at(chains[0], 6)).values(issue_id=chains[1], version=7))
    assert {(place.issue, place.version) for place in await checked(engine)} == {(chains[0], 6), (chains[1], 7)}


async def test_every_broken_chain_is_named_once_and_sound_ones_are_not(engine: Engine, chains: list[str]) -> None:
    edited = update(entries).where(entries.c.issue_id != chains[1], entries.c.version >= 2).values(actor="nobody")
    await tamper(engine, edited)
    assert [(place.issue, place.version) for place in await checked(engine)] == [(chains[0], 2), (chains[2], 2)]


async def test_erasing_words_and_salt_is_let_through_and_keeps_the_chain_whole(
    engine: Engine, chains: list[str]
) -> None:
    erase = update(entries).where(entries.c.issue_id == chains[1]).values(words=None, salt=None)
    await engine.write(lambda conn: conn.execute(erase))

    assert await checked(engine) == []
    left = select(entries.c.words, entries.c.salt).where(entries.c.issue_id == chains[1])
    assert set(await engine.read(lambda conn: [tuple(row) for row in conn.execute(left)])) == {(None, None)}
    digests = select(entries.c.words_digest).where(entries.c.issue_id == chains[1], entries.c.words_digest != "")
    assert len(await engine.read(lambda conn: conn.execute(digests).all())) >= 3


async def test_a_trigger_refuses_every_update(engine: Engine, chains: list[str]) -> None:
    others = {"version": 77, "issue_id": chains[1], "key": "anyone|k", "key_digest": "0" * 64, "receipt": "{}"}
    for column, value in (FORGED | others).items():
        with pytest.raises(DBAPIError, match="append-only"):
            await put(engine, at(chains[0], 6), {column: value})
    assert await checked(engine) == []


async def test_a_trigger_refuses_deleting(engine: Engine, chains: list[str]) -> None:
    with pytest.raises(DBAPIError, match="append-only"):
        await engine.write(lambda conn: conn.execute(delete(entries).where(at(chains[0], 6))))
    assert await checked(engine) == []


async def test_a_trigger_refuses_to_write_erased_words_anew(engine: Engine, chains: list[str]) -> None:
    await put(engine, at(chains[0], 6), {"words": None, "salt": None})
    with pytest.raises(DBAPIError, match="append-only"):
        await put(engine, at(chains[0], 6), {"words": '{"reason":"别的"}', "salt": b"s"})
