"""A real walk through all six steps, and ten thousand issues at work, for the measurements to repeat."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, insert, select

from liuti import policy
from liuti.calendars import notices
from liuti.flow.calendar import Calendar
from liuti.flow.clocks import World
from liuti.flow.issue import Issue
from liuti.flow.kernel import ANYONE, NO_FACTS, Actor, Decision, Facts
from liuti.flow.machine import Flow
from liuti.flow.table import FLOW
from liuti.flow.words import Role
from liuti.store import passes, people
from liuti.store.act import Desk, Receipt
from liuti.store.engine import Engine
from liuti.store.ids import uuid7
from liuti.store.tables import issues
from liuti.store.vault import KeyRing, query_code

KEYS = "1:" + base64.b64encode(b"measured" * 4).decode()
UNIT = "u-01"
MANY = 10_000
PROGRESS = {"text": "线路已排查，今晚换灯。", "public": True}
BATCH = 1_000
MINUTE = timedelta(minutes=1)


def person(name: str, *roles: Role, unit: str = "", post: str = "") -> Actor:
    return Actor(name, frozenset(roles), unit=unit, post=post)


INTAKE = person("p-intake", Role.INTAKE)
PANEL = [person(f"p-panel-{n}", Role.PANEL) for n in range(3)]
LEADER = person("p-leader", Role.LEADER, post="副主任")
OFFICER = person("p-officer", Role.OFFICER, unit=UNIT)
HEAD = person("p-head", Role.UNIT_HEAD, unit=UNIT)
INSPECTOR = person("p-inspector", Role.INSPECTOR)


@dataclass(frozen=True, slots=True)
class Tried:
    """One decision as the desk asked for it."""

    issue: Issue
    actor: Actor
    move: str
    form: Any
    now: datetime
    world: World
    facts: Facts


class Remembering(Flow):
    """The flow, keeping what it was asked, so that it can be asked the same again."""

    def __init__(self) -> None:
        super().__init__(FLOW.moves.values())
        self.tried: list[Tried] = []

    def decide(
        self, issue: Issue, actor: Actor, name: str, raw: Any, now: datetime, world: World,
        facts: Facts = NO_FACTS, version: int | None = None,
    ) -> Decision:  # fmt: skip
        self.tried.append(Tried(issue, actor, name, raw, now, world, facts))
        return super().decide(issue, actor, name, raw, now, world, facts, version)


def todays_world() -> World:
    return World(policy.default(), Calendar(notices()))


def desk_on(engine: Engine, flow: Flow = FLOW) -> Desk:
    world = todays_world()
    return Desk(engine, flow, lambda: world, KeyRing.parse(KEYS), lambda: datetime.now(UTC))


class Walk:
    """One issue's way, three minutes a move, ending about now."""

    def __init__(self, engine: Engine, flow: Flow = FLOW) -> None:
        self.engine = engine
        self.desk = desk_on(engine, flow)
        self.at = datetime.now(UTC) - 90 * MINUTE
        self.desk.now = lambda: self.at
        self.issue = ""

    async def to_solve(self) -> Receipt:
        """Submitted, selected, claimed, planned, signed, contacted: from here a unit notes its progress."""
        await self.engine.write(staff)
        notice = self.desk.world().policy.notice.version
        words = {"text": "小区东门到公交站的路灯坏了一周，晚上很黑。", "place": "第四社区东门", "grid": "c04-1"}
        first = await self._go(
            ANYONE, "submit", words | {"notice_version": notice, "contact": {"phone": "13800000000"}}
        )
        self.issue = first.issue
        await self._go(INTAKE, "accept_topic", {"category": "lighting", "urgency": "general", "grid": "c04-1"})
        for voter in PANEL:
            await self._go(voter, "vote", {"yes": True})
        await self._go(PANEL[0], "publish", {"snapshot": {}, "reason": "群众反映集中"})
        await self._go(LEADER, "claim", {"goal": "两周内修好", "date": self._day(20), "lead_unit": UNIT})
        plan = {"goal": "修复12盏", "lead_unit": UNIT, "due": self._day(14)}
        await self._go(LEADER, "approve_plan", plan | {"milestones": [{"title": "检修", "due": self._day(7)}]})
        await self._go(OFFICER, "sign", {})
        await self._go(OFFICER, "contact", {"method": "phone", "result": "已电话联系"})
        return first

    async def to_the_end(self, voice: str) -> Receipt:
        """Worked on, reported, checked on site and rated."""
        photo = {"id": "f-1", "name": "完工.jpg", "media_type": "image/jpeg", "size": 10, "sha256": "0" * 64}
        await self._go(OFFICER, "progress", PROGRESS)
        await self._go(OFFICER, "milestone", {"number": 1, "evidence": "检修记录"})
        await self._go(OFFICER, "attach", {"files": [photo]})
        await self._go(OFFICER, "submit_result", {"word": "solved", "reply": "已全部修复", "evidence": "验收单"})
        await self._go(HEAD, "grant", {"reason": "情况属实"})
        await self._go(INSPECTOR, "pass_check", {"method": "on_site", "note": "夜间查看，全亮"})
        proposer = Actor(voice, frozenset({Role.CITIZEN}), voice=voice, issue=self.issue, origin=self.issue)
        return await self._go(proposer, "rate", {"level": 5, "contacted": True, "solved": "yes"})

    async def _go(self, actor: Actor, move: str, raw: Mapping[str, Any]) -> Receipt:
        self.at += 3 * MINUTE
        return await self.desk.act(actor, move, raw, self.issue)

    def _day(self, ahead: int) -> str:
        return (self.at + timedelta(days=ahead)).date().isoformat()


def staff(conn: Connection) -> None:
    people.add_unit(conn, UNIT, "城市管理局", "department")
    people.add_person(conn, LEADER.id, LEADER.id, "甲", roles=LEADER.roles, post=LEADER.post, level="district")
    people.add_person(conn, OFFICER.id, OFFICER.id, "乙", roles=OFFICER.roles, unit=UNIT)


def multiply(conn: Connection, issue: str, many: int = MANY) -> list[str]:
    """The issue's row `many` times under new ids; the entries before it are left out, no move looks at them."""
    row = dict(conn.execute(select(issues).where(issues.c.id == issue)).mappings().one())
    begun = datetime.now(UTC)
    ids = [uuid7(begun) for _ in range(many)]
    for start in range(0, many, BATCH):
        numbered = enumerate(ids[start : start + BATCH], start)
        rows = [
            row
            | {
                "id": one,
                "query_code": query_code(n.to_bytes(4, "big") + bytes(4)),
                "state": row["state"].replace(issue, one),
            }
            for n, one in numbered
        ]
        conn.execute(insert(issues), rows)
    return ids


@dataclass(frozen=True, slots=True)
class Stock:
    """A database with many issues in `solve`, and a pass for the officer at work on them."""

    ids: list[str]
    secret: str


async def stocked(engine: Engine, many: int = MANY) -> Stock:
    walk = Walk(engine)
    await walk.to_solve()
    ids = await engine.write(lambda conn: multiply(conn, walk.issue, many))
    now = datetime.now(UTC)
    secret = await engine.write(lambda conn: passes.make_token(conn, OFFICER.id, "bench", now, 1))
    return Stock(ids, secret)


async def whole_walk(engine: Engine) -> list[Tried]:
    """Every decision of a walk from the first word to the rating, as the desk asked for them."""
    flow = Remembering()
    walk = Walk(engine, flow)
    first = await walk.to_solve()
    last = await walk.to_the_end(first.voice)
    if last.step.value != "closed":
        raise RuntimeError(f"the walk ended in {last.step.value}")
    return flow.tried


def run(engine: Engine, what: Any) -> Any:
    """Run the coroutine `what(engine)` in a loop of its own, and close the engine."""

    async def inside() -> Any:
        try:
            return await what(engine)
        finally:
            await engine.close()

    return asyncio.run(inside())
