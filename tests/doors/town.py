"""A small town behind the real doors: a few units, one person of each role, and a clock the tests set."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
from msgspec import json
from sqlalchemy import Connection, select

from liuti.doors.deps import Office
from liuti.flow.issue import Issue
from liuti.flow.words import Role
from liuti.policy import default
from liuti.store import passes, people, sweep
from liuti.store.tables import issues, letters

SHANGHAI = ZoneInfo("Asia/Shanghai")
NOTICE = default().notice.version
Body = dict[str, Any]

# Id, post, roles, unit, level. The names of the units: roads, water, parks.
PEOPLE: tuple[tuple[str, str, tuple[Role, ...], str, str], ...] = (
    ("principal", "主任", (Role.PRINCIPAL,), "office", "district"),
    ("leader1", "副主任一", (Role.LEADER,), "office", "district"),
    ("leader2", "副主任二", (Role.LEADER,), "office", "district"),
    ("intake1", "受理员", (Role.INTAKE,), "desk", ""),
    ("intake2", "受理员", (Role.INTAKE,), "desk", ""),
    ("analyst", "选题员", (Role.ANALYST,), "topics", ""),
    ("panel1", "选题会成员", (Role.PANEL,), "topics", ""),
    ("panel2", "选题会成员", (Role.PANEL,), "topics", ""),
    ("panel3", "选题会成员", (Role.PANEL,), "topics", ""),
    *((f"gate{n}", post, (Role.GATE,), "office", "") for n, post in enumerate(default().gates, start=1)),
    *((f"head_{unit}", "局长", (Role.UNIT_HEAD,), unit, "") for unit in ("roads", "water", "parks")),
    *((f"officer_{unit}", "承办人", (Role.OFFICER,), unit, "") for unit in ("roads", "water", "parks")),
    ("inspector", "督查员", (Role.INSPECTOR,), "inspection", ""),
    ("inspector_roads", "督查员", (Role.INSPECTOR,), "roads", ""),
    ("team", "督导组长", (Role.TEAM,), "team", ""),
    ("caller", "回访员", (Role.CALLER,), "calls", ""),
    ("grid", "网格员", (Role.GRID_WORKER,), "", ""),
    ("sysadmin", "系统管理员", (Role.SYSADMIN,), "", ""),
)
SUPERVISED = {"roads": "leader1", "water": "leader2", "parks": "leader2"}
UNITS = (*SUPERVISED, "office", "desk", "topics", "inspection", "team", "calls")


def at(text: str) -> datetime:
    """A time in the town, as `2026-03-02 10:00`."""
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


class Town:
    """Who acts, how the clock is set, and what can be seen."""

    def __init__(self, client: httpx.AsyncClient, office: Office, clock: Clockwork) -> None:
        self.client, self.office, self.clock = client, office, clock
        self.secrets: dict[str, str] = {}
        self.voices: dict[str, str] = {}
        """The voice behind each issue's proposer, as the receipt named it."""

    async def settle(self) -> None:
        self.secrets |= await self.office.engine.write(self._settle)

    def _settle(self, conn: Connection) -> dict[str, str]:
        for unit in UNITS:
            people.add_unit(conn, unit, unit, "department")
        for person, post, roles, unit, level in PEOPLE:
            people.add_person(conn, person, person, person, roles=roles, unit=unit, post=post, level=level)
        for unit, leader in SUPERVISED.items():
            people.supervise(conn, unit, leader)
        return {person[0]: passes.make_token(conn, person[0], "test", self.clock.now, None) for person in PEOPLE}

    # -- acting --------------------------------------------------------------------------------------------------------

    def headers(self, who: str) -> dict[str, str]:
        """`who` is a person's id, the issue whose proposer speaks, a secret, or "" for a passer-by."""
        return {"Authorization": f"Bearer {self.secrets.get(who, who)}"} if who else {}

    async def act(self, who: str, move: str, form: Any = None, issue: str = "", **more: str) -> httpx.Response:
        """Try the move; `more` are headers, with underscores for dashes."""
        path = f"/api/v1/issues/{issue}/{move}" if move != "submit" else "/api/v1/issues"
        headers = self.headers(who) | {name.replace("_", "-"): value for name, value in more.items()}
        body = form if isinstance(form, bytes) else json.encode(form if form is not None else {})
        return await self.client.post(path, content=body, headers=headers)

    async def does(self, who: str, move: str, form: Any = None, issue: str = "", **more: str) -> Body:
        """Make the move; the receipt."""
        answer = await self.act(who, move, form, issue, **more)
        assert answer.is_success, f"{who} {move}: {answer.status_code} {answer.text}"
        receipt: Body = answer.json()
        return receipt | {"status": answer.status_code}

    async def refused(self, who: str, move: str, form: Any = None, issue: str = "", **more: str) -> Body:
        """What the refusal says; the move must not succeed."""
        answer = await self.act(who, move, form, issue, **more)
        assert answer.is_client_error, f"{who} {move}: {answer.status_code} {answer.text}"
        problem: Body = answer.json()
        assert problem["status"] == answer.status_code
        return problem

    async def submit(self, who: str = "", **form: Any) -> str:
        """A new issue about a hole in the road, unless `form` says otherwise; its id."""
        given = {"text": "学院路口有一个大坑,车都绕着走。", "place": "学院路与东街路口", "notice_version": NOTICE}
        receipt = await self.does(who, "submit", given | form)
        issue: str = receipt["id"]
        self.secrets[issue], self.voices[issue] = receipt["secret"], receipt["voice"]
        return issue

    # -- roads often taken ---------------------------------------------------------------------------------------------

    async def direct(self, unit: str = "roads", category: str = "roads", **form: Any) -> str:
        """An issue accepted directly, at `solve`."""
        issue = await self.submit(contact={"phone": "13800000001"}, **form)
        await self.does("intake1", "accept_direct", {"unit": unit, "category": category, "urgency": "general"}, issue)
        return issue

    async def topic(self, **more: Any) -> str:
        """An issue in the pool, at `select`."""
        issue = await self.submit("intake1")
        form = {"category": "roads", "urgency": "general", "grid": "g-01"} | more
        await self.does("intake1", "accept_topic", form, issue)
        return issue

    async def vote(self, issue: str) -> None:
        for member in ("panel1", "panel2", "panel3"):
            await self.does(member, "vote", {"yes": True}, issue)

    async def published(self, **more: Any) -> str:
        """An issue at `claim`."""
        issue = await self.topic(**more)
        await self.vote(issue)
        await self.does("panel1", "publish", {}, issue)
        return issue

    async def claimed(self, leader: str = "leader1") -> str:
        issue = await self.published()
        await self.does(leader, "claim", self.card(), issue)
        return issue

    def card(self, days: int = 30) -> Body:
        return {"goal": "修好路口", "date": self.day(days), "lead_unit": "roads"}

    def plan(self, **more: Any) -> Body:
        steps = [{"title": "铣刨重铺", "due": self.day(20)}]
        return {"goal": "路面平整", "lead_unit": "roads", "due": self.day(30), "milestones": steps} | more

    def day(self, days: int) -> str:
        """The date so many days from today."""
        return (self.clock.now.astimezone(SHANGHAI) + timedelta(days=days)).date().isoformat()

    async def photo(self, who: str, issue: str, picture: bytes, name: str = "现场.jpg") -> Body:
        files = {"files": (name, picture, "image/jpeg")}
        answer = await self.client.post(f"/api/v1/issues/{issue}/files", files=files, headers=self.headers(who))
        assert answer.status_code == 200, answer.text
        receipt: Body = answer.json()
        return receipt

    async def result(self, issue: str, unit: str = "roads", word: str = "solved") -> Body:
        form = {"word": word, "reply": "已经处理完毕。", "evidence": "验收单", "told": True}
        return await self.does(f"head_{unit}", "submit_result", form, issue)

    async def checked(self, issue: str) -> None:
        """From `solve` to `evaluate`."""
        await self.result(issue)
        await self.does("inspector", "pass_check", {"method": "on_site"}, issue)

    async def direct_checked(self) -> str:
        """A direct issue that needs no photo, at `evaluate`."""
        issue = await self.direct(category="noise", text="楼下歌厅半夜太吵,请管一管。")
        await self.checked(issue)
        return issue

    def rating(self, issue: str, round_: int = 1, voice: str = "") -> str:
        """The single-use token the invitation carries."""
        return self.office.ring.rating_token(voice or self.voices[issue], issue, round_)

    # -- time ----------------------------------------------------------------------------------------------------------

    async def until(self, moment: datetime) -> None:
        """Let time pass: every clock strikes at its minute, as with a worker that is never late."""
        while (due := await self.office.engine.read(first_due)) is not None and due <= moment:
            self.clock.now = max(due, self.clock.now)
            now = self.clock.now
            await self.office.engine.write(lambda conn: sweep.strike_due(conn, self.office.desk, now))  # noqa: B023
        self.clock.now = moment

    async def later(self, **span: float) -> None:
        await self.until(self.clock.now + timedelta(**span))

    # -- seeing --------------------------------------------------------------------------------------------------------

    async def get(self, path: str, who: str = "intake1") -> Body:
        answer = await self.client.get("/api/v1" + path, headers=self.headers(who))
        assert answer.status_code == 200, answer.text
        body: Body = answer.json()
        return body

    async def see(self, issue: str, who: str = "intake1") -> Body:
        return await self.get(f"/issues/{issue}", who)

    async def timer(self, issue: str, clock: str) -> Body:
        """The clock started last, as an official sees it; `due_at` in the town's own time."""
        found = [c for c in (await self.see(issue))["clocks"] if c["clock"] == clock]
        assert found, f"{clock} never ran"
        last: Body = found[-1]
        for name in ("due_at", "started_at", "stopped_at", "paused_at"):
            if last[name]:
                last[name] = datetime.fromisoformat(last[name])
        return last

    async def moves(self, issue: str) -> list[str]:
        return [entry["move"] for entry in (await self.get(f"/issues/{issue}/timeline"))["entries"]]

    async def letters(self, issue: str, event: str) -> list[str]:
        """Whom the outbox tells of that event, in the order they were written."""
        found = select(letters.c.recipient).where(letters.c.issue_id == issue, letters.c.event == event)
        return await self.office.engine.read(lambda conn: list(conn.execute(found.order_by(letters.c.id)).scalars()))

    async def state(self, issue: str) -> Issue:
        """The issue as it is kept, for what no reader is shown."""
        found = select(issues.c.state).where(issues.c.id == issue)
        text = await self.office.engine.read(lambda conn: conn.execute(found).scalar_one())
        return json.decode(text, type=Issue)


class Clockwork:
    """The only clock of the town."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


def first_due(conn: Connection) -> datetime | None:
    found = conn.execute(select(issues.c.due_at).where(issues.c.due_at.is_not(None)).order_by(issues.c.due_at).limit(1))
    return found.scalar()
