"""One issue through all six steps over HTTP, told as it happens: who does what, where it stands, what is due next."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from io import BytesIO
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
from PIL import Image
from rich.console import Console
from rich.rule import Rule
from rich.table import Table

from liuti.flow.table import FLOW
from liuti.flow.words import CLOCK_NAMES, ROLE_NAMES, STATE_NAMES
from liuti.walk_script import RESIDENT, Act, chapters

ZONE = ZoneInfo("Asia/Shanghai")
WATCHER = "inspector1"
"""Sees every clock of the issue; the walk asks with this account what is due."""


class Stopped(Exception):  # noqa: N818 - an answer that ends the walk, told in words
    """The server said no, or nothing."""

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(en)
        self.zh, self.en = zh, en


@dataclass(slots=True)
class Walker:
    """Holds the one issue of this walk: its id, and the secret that speaks for the resident."""

    client: httpx.AsyncClient
    people: dict[str, dict[str, Any]]
    console: Console
    issue: str = ""
    secret: str = ""
    receipt: dict[str, Any] = field(default_factory=dict)

    def headers(self, who: str) -> dict[str, str]:
        token = self.secret if who == RESIDENT else self.people[who]["token"]
        return {"Authorization": f"Bearer {token}"} if token else {}

    async def act(self, act: Act) -> None:
        path = f"/api/v1/issues/{self.issue}/{act.move}" if self.issue else "/api/v1/issues"
        if act.photo:
            parts = {"files": (act.photo, _photo(), "image/png")}
            response = await self.client.post(path, data=act.form, files=parts, headers=self.headers(act.who))
        else:
            response = await self.client.post(path, json=act.form, headers=self.headers(act.who))
        self.receipt = _read(response)
        if not self.issue:
            self.issue, self.secret = self.receipt["id"], self.receipt["secret"]
        await self._tell(act)

    async def seen(self, who: str, below: str = "") -> dict[str, Any]:
        return _read(await self.client.get(f"/api/v1/issues/{self.issue}{below}", headers=self.headers(who)))

    async def _tell(self, act: Act) -> None:
        state_zh, state_en = STATE_NAMES[self.receipt["step"]]
        self.console.print(f"  [bold]{self._name(act.who)}[/bold] {act.zh}", highlight=False)
        self.console.print(f"  [dim]{self._role(act.who)} {act.en}[/dim]", highlight=False)
        waits = self.receipt.get("awaits")
        if waits:
            zh, en = ROLE_NAMES.get(waits, (waits, waits))
            state_zh, state_en = f"{state_zh},等{zh}答复", f"{state_en}, {en} has to grant it"
        self.console.print(f"    → {state_zh} {state_en}{await self._next()}", style="cyan", highlight=False)

    def _name(self, who: str) -> str:
        if who == RESIDENT:
            return "居民"
        person = self.people[who]
        return f"{person['name']}({person['unit_name'] + ' ' if person['unit_name'] else ''}{person['post']})"

    def _role(self, who: str) -> str:
        return "A resident" if who == RESIDENT else f"The {ROLE_NAMES[self.people[who]['role']][1]}"

    async def _next(self) -> str:
        """The step's next deadline; the overall one only when nothing else runs."""
        clocks = (await self.seen(WATCHER))["clocks"]
        running = [one for one in clocks if one["colour"] not in ("stopped", "paused")]
        own = [one for one in running if one["clock"] != "overall"] or running
        if not own:
            return ""
        first = min(own, key=lambda one: str(one["due_at"]))
        zh, en = CLOCK_NAMES[first["clock"]]
        return f"   ⏱ {zh} {en}: {_local(first['due_at'])}"


async def walk(
    base: str,
    accounts: Path,
    console: Console | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> bool:
    """True when the issue ended closed as solved. Needs a server at `base` and the demo's accounts file, no more."""
    shown = console or Console()
    known = json.loads(await asyncio.to_thread(accounts.read_text, "utf-8"))
    people = {one["login"]: one for one in known["accounts"]}
    async with httpx.AsyncClient(base_url=base, timeout=30, transport=transport, trust_env=False) as client:
        walker = Walker(client, people, shown)
        try:
            await _chapters(walker, known, now().astimezone(ZONE).date())
            return await _end(walker)
        except Stopped as stopped:
            shown.print(f"[red]{stopped.zh}[/red]\n{stopped.en}", highlight=False)
        except httpx.TransportError as error:
            shown.print(
                f"[red]连不上 {base}:请先运行 liuti demo。[/red]\nNo server at {base}: run `liuti demo` first. {error}"
            )
        return False


async def _chapters(walker: Walker, known: dict[str, Any], today: date) -> None:
    for number, chapter in enumerate(chapters(known, today, _phone()), start=1):
        walker.console.print(Rule(f"{number} {chapter.zh} {chapter.en}", align="left"))
        for act in chapter.acts:
            await walker.act(act)
        if number == 1:
            code = walker.receipt.get("query_code") or (await walker.seen(RESIDENT))["query_code"]
            walker.console.print(f"    查询码 query code: [bold]{code}[/bold]", highlight=False)


async def _end(walker: Walker) -> bool:
    """The timeline as the resident may read it, and how it ended."""
    issue, told = await walker.seen(RESIDENT), await walker.seen(RESIDENT, "/timeline")
    shown = Table(title="时间线 timeline (出题人所见 as the proposer sees it)", title_justify="left")
    for head in ("#", "时间 time", "动作 move", "经办 by", "到 to"):
        shown.add_column(head, no_wrap=True)
    for line in told["entries"]:
        role = ROLE_NAMES.get(line["role"], (line["role"], ""))[0]
        state = STATE_NAMES[line["to"]][0] if line["to"] != line["from"] else ""
        shown.add_row(str(line["version"]), _local(line["at"]), _move(line["move"]), line["unit"] or role, state)
    walker.console.print(shown)
    solved = bool(issue["step"] == "closed" and issue["closing"] == "solved")
    zh, en = STATE_NAMES[issue["step"]]
    walker.console.print(
        f"[bold {'green' if solved else 'red'}]{zh} {en} ({issue['closing']})[/]   {walker.issue}", highlight=False
    )
    return solved


def _read(response: httpx.Response) -> dict[str, Any]:
    try:
        body: dict[str, Any] = response.json()
    except ValueError:
        body = {}
    if response.is_success:
        return body
    where = f"{response.request.method} {response.request.url.path} {response.status_code}"
    raise Stopped(f"{where} {body.get('zh', '')}", f"{body.get('code', '')} {body.get('en', response.text[:200])}")


def _move(name: str) -> str:
    move = FLOW.moves.get(name)
    return f"{move.zh} {move.name}" if move is not None else name


def _local(at: str) -> str:
    return f"{datetime.fromisoformat(at).astimezone(ZONE):%m-%d %H:%M}"


def _phone() -> str:
    """A new number each time: nobody may bring up more than a few matters a day."""
    return f"1380001{secrets.randbelow(10_000):04}"


def _photo() -> bytes:
    body = BytesIO()
    Image.new("RGB", (64, 48), "#ffe9a8").save(body, "PNG")
    return body.getvalue()
