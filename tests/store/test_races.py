"""Many hands on the same issue at the same moment, each over a connection of its own: one wins, nothing forks."""

from __future__ import annotations

import asyncio
import base64
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace
from sqlalchemy import Connection, func, select

from liuti import policy
from liuti.calendars import notices
from liuti.demo import district
from liuti.flow.calendar import Calendar
from liuti.flow.clocks import World
from liuti.flow.kernel import ANYONE, Actor, Refused
from liuti.flow.table import FLOW
from liuti.flow.words import Role
from liuti.store import ledger
from liuti.store.act import Desk, Receipt
from liuti.store.engine import Engine, open_engine
from liuti.store.tables import entries, issues, voices
from liuti.store.vault import KeyRing
from tests.patience import PATIENCE

NOW = datetime(2026, 11, 2, 2, 0, tzinfo=UTC)
POLICY = policy.default()
WORLD = World(POLICY, Calendar(notices()))
DISTRICT = district.draw(POLICY.gates)
LEADERS = [person.actor for person in DISTRICT.of(Role.LEADER)]
INTAKE, *_ = [person.actor for person in DISTRICT.of(Role.INTAKE)]
INSPECTOR, *_ = [person.actor for person in DISTRICT.of(Role.INSPECTOR)]
PANEL = [person.actor for person in DISTRICT.of(Role.PANEL)]
PROMISE = {"goal": "年底前修好", "date": "2026-12-20", "lead_unit": "u-01"}
PROPOSAL = {
    "text": "小区东门的路灯坏了一周,晚上很黑", "place": "东门社区3栋", "notice_version": POLICY.notice.version,
    "contact": {"phone": "13800000000"},
}  # fmt: skip
ENGINES, CONNECTIONS = 4, 4
CLAIMERS, TOPICS = 16, 50


def desk_on(engine: Engine) -> Desk:
    ring = KeyRing.parse("1:" + base64.b64encode(b"k" * 32).decode())
    return Desk(engine, FLOW, lambda: WORLD, ring, lambda: NOW)


@pytest.fixture
async def desks(database_url: str) -> AsyncIterator[list[Desk]]:
    """Several servers over one database, each with connections of its own."""
    # Whoever stands in line may stand there long on a busy machine.
    engines = [open_engine(database_url, pool=CONNECTIONS, lock_timeout_ms=30_000) for _ in range(ENGINES)]
    await engines[0].write(lambda conn: district.settle(conn, DISTRICT, ""))
    yield [desk_on(engine) for engine in engines]
    for engine in engines:
        await engine.close()


def accepted(conn: Connection, desk: Desk) -> str:
    proposal = {**PROPOSAL, "notice_version": "", "contact": {}, "on_behalf": False}
    issue = desk.act_now(conn, INTAKE, "submit", proposal).issue
    acceptance = {"category": "lighting", "urgency": "general", "grid": "c01-1"}
    desk.act_now(conn, INTAKE, "accept_topic", acceptance, issue)
    return issue


def published(conn: Connection, desk: Desk) -> str:
    issue = accepted(conn, desk)
    for member in PANEL[:3]:
        desk.act_now(conn, member, "vote", {"yes": True}, issue)
    desk.act_now(conn, PANEL[0], "publish", {"snapshot": {}, "reason": "群众反映集中"}, issue)
    return issue


async def many(desk: Desk, make: Callable[[Connection, Desk], str], count: int) -> list[str]:
    return await desk.engine.write(lambda conn: [make(conn, desk) for _ in range(count)])


async def outcome(acting: Awaitable[Receipt]) -> str:
    """`won`, or the code of the refusal; anything else is a fault and ends the test."""
    try:
        await acting
    except Refused as refused:
        return refused.code
    return "won"


async def unbroken(desk: Desk) -> int:
    """The number of chains, all of which hold."""
    found = await desk.engine.read(lambda conn: list(ledger.verify(conn)))
    assert [place for place in found if not isinstance(place, int)] == []
    return sum(place for place in found if isinstance(place, int))


async def test_fifty_issues_and_sixteen_claimers_give_fifty_claims_and_no_fork(desks: list[Desk]) -> None:
    topics = await many(desks[0], published, TOPICS)

    async def claimer(number: int, leader: Actor) -> Counter[str]:
        desk = desks[number % ENGINES]
        return Counter([await outcome(desk.act(leader, "claim", PROMISE, topic)) for topic in topics])

    results = await asyncio.gather(*(claimer(number, one) for number, one in enumerate(LEADERS[:CLAIMERS])))

    total = sum(results, Counter[str]())
    assert total["won"] == TOPICS
    assert total.total() == TOPICS * CLAIMERS
    assert set(total) <= {"won", "wrong_step", "below_cap"}
    assert await unbroken(desks[1]) == TOPICS
    claims = select(func.count(), func.count(entries.c.issue_id.distinct())).where(entries.c.move == "claim")
    assert tuple(await desks[1].engine.read(lambda conn: conn.execute(claims).one())) == (TOPICS, TOPICS)
    answering = select(issues.c.leader, func.count()).group_by(issues.c.leader)
    held = {row[0]: row[1] for row in await desks[1].engine.read(lambda conn: conn.execute(answering).all())}
    assert held == {one.id: result["won"] for one, result in zip(LEADERS, results, strict=False) if result["won"]}


async def test_a_key_used_sixteen_times_at_once_submits_one_issue_and_gives_sixteen_equal_receipts(
    desks: list[Desk],
) -> None:
    acting = (desks[n % ENGINES].act(ANYONE, "submit", PROPOSAL, key="once", place="net:1") for n in range(16))

    receipts = await asyncio.gather(*acting)

    assert Counter(receipt.replayed for receipt in receipts) == {False: 1, True: 15}
    assert all(replace(receipt, replayed=False) == replace(receipts[0], replayed=False) for receipt in receipts)
    assert await desks[0].engine.read(lambda conn: conn.execute(select(issues.c.id)).scalars().all()) == [
        receipts[0].issue
    ]
    assert await unbroken(desks[0]) == 1


@pytest.mark.parametrize("move", ["claim", "order"])
async def test_a_key_used_sixteen_times_at_once_makes_one_move_and_gives_sixteen_equal_receipts(
    desks: list[Desk], move: str
) -> None:
    (topic,) = await many(desks[0], published, 1)
    # A claim made twice would be refused; an order made twice would be two orders.
    actor, form = (LEADERS[0], PROMISE) if move == "claim" else (INSPECTOR, {"to": "unit:u-01", "text": "请书面说明。"})

    receipts = await asyncio.gather(*(desks[n % ENGINES].act(actor, move, form, topic, key="once") for n in range(16)))

    assert Counter(receipt.replayed for receipt in receipts) == {False: 1, True: 15}
    assert all(replace(receipt, replayed=False) == replace(receipts[0], replayed=False) for receipt in receipts)
    count = select(func.count()).where(entries.c.move == move)
    assert await desks[0].engine.read(lambda conn: conn.execute(count).scalar_one()) == 1
    assert await unbroken(desks[0]) == 1


async def test_the_cap_holds_when_one_leader_claims_eight_issues_at_once(desks: list[Desk]) -> None:
    topics = await many(desks[0], published, 8)
    acting = (desks[n % ENGINES].act(LEADERS[0], "claim", PROMISE, topic) for n, topic in enumerate(topics))

    results = Counter(await asyncio.gather(*map(outcome, acting)))

    most = POLICY.limits.claims
    assert results == {"won": most, "below_cap": 8 - most}
    held = select(func.count()).where(issues.c.leader == LEADERS[0].id)
    assert await desks[0].engine.read(lambda conn: conn.execute(held).scalar_one()) == most
    assert await unbroken(desks[0]) == 8


async def test_merging_a_into_b_and_b_into_a_at_once_loses_nothing_and_waits_for_nobody(desks: list[Desk]) -> None:
    found = await many(desks[0], accepted, 24)
    pairs = list(zip(found[::2], found[1::2], strict=True))
    both = [(one, other) for pair in pairs for one, other in (pair, pair[::-1])]
    acting = [
        outcome(desks[n % ENGINES].act(PANEL[n % len(PANEL)], "merge", {"lead": lead}, issue))
        for n, (issue, lead) in enumerate(both)
    ]

    async with asyncio.timeout(PATIENCE):
        results = await asyncio.gather(*acting)

    for (one, other), mine, theirs in zip(pairs, results[::2], results[1::2], strict=True):
        assert sorted((mine, theirs), key="won".__eq__)[1] == "won", (mine, theirs)
        assert {mine, theirs} <= {"won", "lead_is_another_open_issue", "wrong_step"}
        merged, lead = (one, other) if mine == "won" else (other, one)
        await one_stands_for_both(desks[0], merged, lead)
    assert await unbroken(desks[0]) == len(found)


async def one_stands_for_both(desk: Desk, merged: str, lead: str) -> None:
    steps = select(issues.c.id, issues.c.step, issues.c.lead_issue).where(issues.c.id.in_((merged, lead)))
    rows = await desk.engine.read(lambda conn: conn.execute(steps).all())
    assert {tuple(row) for row in rows} == {(merged, "merged", lead), (lead, "select", None)}
    spoken = select(voices.c.origin_id).where(voices.c.issue_id == lead)
    origins = await desk.engine.read(lambda conn: conn.execute(spoken).scalars().all())
    assert sorted(origins) == sorted((merged, lead))


async def test_merging_round_in_a_ring_ends_and_keeps_every_voice(desks: list[Desk]) -> None:
    rings = [await many(desks[0], accepted, 3) for _ in range(4)]
    acting = [
        outcome(desks[n % ENGINES].act(INTAKE, "merge", {"lead": ring[(n + 1) % 3]}, ring[n]))
        for ring in rings
        for n in range(3)
    ]

    async with asyncio.timeout(PATIENCE):
        results = await asyncio.gather(*acting)

    assert set(results) <= {"won", "lead_is_another_open_issue", "wrong_step"}
    open_ones = select(issues.c.id).where(issues.c.step != "merged")
    standing = set(await desks[0].engine.read(lambda conn: conn.execute(open_ones).scalars().all()))
    assert all(standing & set(ring) for ring in rings)
    assert len(standing) == 12 - results.count("won")
    homes = await desks[0].engine.read(lambda conn: conn.execute(select(voices.c.issue_id)).scalars().all())
    assert len(homes) == 12
    assert set(homes) == standing
    assert await unbroken(desks[0]) == 12
