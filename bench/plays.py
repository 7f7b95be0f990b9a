"""Issues played through the desk and left at every stage of the way: what the copies are made of."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, select

from bench.story import HEAD, INSPECTOR, INTAKE, LEADER, OFFICER, PANEL, PROGRESS, UNIT, desk_on, staff
from liuti.flow.clocks import struck
from liuti.flow.kernel import ANYONE, Actor
from liuti.flow.words import Role
from liuti.store.act import STATE
from liuti.store.engine import Engine
from liuti.store.tables import issues

START = datetime(2026, 3, 2, 2, tzinfo=UTC)
"""A Monday, ten in the morning in Shanghai."""
WORDS = {"text": "小区东门到公交站的路灯坏了一周，晚上很黑。", "place": "第四社区东门", "grid": "c04-1"}
_STATE = select(issues.c.state).where(issues.c.id == bindparam("id"))
RESULT = {"word": "solved", "reply": "已全部修复", "evidence": "验收单", "told": True}


class Plays:
    """One stage on one database, its clock set by hand: twenty seconds a move."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.desk, self.at = engine, desk_on(engine), START
        self.desk.now = lambda: self.at
        self.notice = self.desk.world().policy.notice.version
        self._voices: dict[str, str] = {}

    async def open(self) -> None:
        await self.engine.write(staff)

    async def warned(self, issue: str) -> datetime:
        """Every warning that comes before the first clock runs out, each in its minute; when that is."""
        while True:
            state = await self.engine.read(lambda conn: conn.execute(_STATE, {"id": issue}).scalar_one())
            at = STATE.decode(state).due_at
            assert at is not None
            name, _ = struck(STATE.decode(state), at) or ("", None)
            if name != "warn":
                return at
            await self.engine.write(lambda conn, at=at: self.desk.strike(conn, [issue], at))  # type: ignore[misc]

    async def does(self, actor: Actor, move: str, form: Mapping[str, Any], issue: str) -> str:
        self.at += timedelta(seconds=20)
        return (await self.desk.act(actor, move, form, issue)).issue

    async def submitted(self) -> str:
        self.at += timedelta(seconds=20)
        n = len(self._voices)
        words = WORDS | {"notice_version": self.notice, "contact": {"phone": f"1380000{n:04}"}}
        receipt = await self.desk.act(ANYONE, "submit", words, place=f"from-{n}")
        self._voices[receipt.issue] = receipt.voice
        return receipt.issue

    async def published(self) -> str:
        issue = await self.chosen()
        for voter in PANEL:
            await self.does(voter, "vote", {"yes": True}, issue)
        return await self.does(PANEL[0], "publish", {"snapshot": {}, "reason": "群众反映集中"}, issue)

    async def chosen(self) -> str:
        form = {"category": "lighting", "urgency": "general", "grid": "c04-1"}
        return await self.does(INTAKE, "accept_topic", form, await self.submitted())

    async def claimed(self) -> str:
        card = {"goal": "两周内修好", "date": self._day(20), "lead_unit": UNIT}
        return await self.does(LEADER, "claim", card, await self.published())

    async def dispatched(self) -> str:
        """In the direct lane, and not signed for."""
        form = {"unit": UNIT, "category": "noise", "urgency": "general"}
        return await self.does(INTAKE, "accept_direct", form, await self.submitted())

    async def in_hand(self) -> str:
        issue = await self.does(OFFICER, "sign", {}, await self.dispatched())
        return await self.does(OFFICER, "contact", {"method": "phone", "result": "已电话联系"}, issue)

    async def asking(self) -> str:
        """Worked on, with a request to extend that waits for its answer."""
        issue = await self.does(OFFICER, "progress", PROGRESS, await self.in_hand())
        return await self.does(OFFICER, "extend", {"until": self._day(9), "reason": "灯具到货推迟。"}, issue)

    async def reported(self) -> str:
        return await self.does(HEAD, "submit_result", RESULT, await self.in_hand())

    async def checked(self) -> str:
        check = {"method": "on_site", "note": "夜间查看，全亮"}
        return await self.does(INSPECTOR, "pass_check", check, await self.reported())

    async def closed(self) -> str:
        issue = await self.checked()
        voice = self._voices[issue]
        proposer = Actor(voice, frozenset({Role.CITIZEN}), voice=voice, issue=issue, origin=issue)
        return await self.does(proposer, "rate", {"level": 5, "contacted": True, "solved": "yes"}, issue)

    async def late(self) -> str:
        """In hand, and struck when its time was over."""
        issue = await self.in_hand()
        due = await self.warned(issue)
        await self.engine.write(lambda conn: self.desk.strike(conn, [issue], due))
        return issue

    async def ordered(self) -> str:
        """In hand, with a written order to its unit."""
        form = {"to": f"unit:{UNIT}", "text": "请于两个工作日内书面说明情况。"}
        return await self.does(INSPECTOR, "order", form, await self.in_hand())

    def _day(self, ahead: int) -> str:
        return (self.at + timedelta(days=ahead)).date().isoformat()
