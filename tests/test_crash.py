"""A server that is killed in the middle of its work: what it answered is a fact, once, and no chain is torn."""

from __future__ import annotations

import asyncio
import base64
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select

from liuti.demo import district
from liuti.flow.words import Role
from liuti.policy import default
from liuti.store import ledger, passes
from liuti.store.engine import Engine
from liuti.store.tables import entries, issues
from tests.patience import PATIENCE, own_port, until

DISTRICT = district.draw(default().gates)
CLIENTS, ENOUGH = 8, 24
"""How many write at once, and the answers they have had, at least, when the server is killed in the middle of the next."""
SERVE = "from liuti.cli import app; app()"


@dataclass(slots=True)
class Sent:
    """One request with its key, and its answer if there was one."""

    person: str
    key: str
    path: str
    form: dict[str, Any]
    receipt: dict[str, Any] | None = None


@dataclass(slots=True)
class Load:
    """Everything that was sent, by all clients."""

    base: str
    tokens: dict[str, str]
    sent: list[Sent] = field(default_factory=list)

    @property
    def acknowledged(self) -> list[Sent]:
        return [sent for sent in self.sent if sent.receipt is not None]

    async def post(self, client: httpx.AsyncClient, sent: Sent) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.tokens[sent.person]}", "Idempotency-Key": sent.key}
        answer = await client.post(self.base + sent.path, json=sent.form, headers=headers)
        assert answer.status_code in (200, 201), answer.text
        receipt: dict[str, Any] = answer.json()
        sent.receipt = receipt
        return receipt

    async def write_until_it_dies(self, number: int) -> None:
        """Submit, accept and vote, over and over, until nobody answers any more."""
        async with httpx.AsyncClient(timeout=PATIENCE) as client:
            try:
                for turn in range(10_000):
                    await self._one_issue(client, f"{len(self.sent)}-{number}-{turn}")
            except httpx.TransportError:
                return

    async def _one_issue(self, client: httpx.AsyncClient, name: str) -> None:
        proposal = {"text": f"东门的路灯坏了一周,晚上很黑 {name}", "place": "东门"}
        first = await self._next(client, "intake1", f"submit {name}", "/api/v1/issues", proposal)
        here = f"/api/v1/issues/{first['issue']}"
        topic = {"category": "lighting", "urgency": "general", "grid": "c01-1"}
        await self._next(client, "intake1", f"accept {name}", f"{here}/accept_topic", topic)
        for member in ("panel1", "panel2", "panel3"):
            await self._next(client, member, f"vote {name}", f"{here}/vote", {"yes": True})

    async def _next(
        self, client: httpx.AsyncClient, person: str, key: str, path: str, form: dict[str, Any]
    ) -> dict[str, Any]:
        sent = Sent(person, key, path, form)
        self.sent.append(sent)
        return await self.post(client, sent)


@asynccontextmanager
async def served(database_url: str, folder: Path, port: int) -> AsyncIterator[asyncio.subprocess.Process]:
    """A real `liuti serve`, killed without a word when the block ends."""
    keys = "1:" + base64.b64encode(b"k" * 32).decode()
    here = os.environ | {
        "LIUTI_DATABASE_URL": database_url,
        "LIUTI_KEYS": keys,
        "LIUTI_FILES_DIR": str(folder / "files"),
    }
    with (folder / "server.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", SERVE, "serve", "--port", str(port), env=here, stdout=log, stderr=log
        )
    try:
        await ready(process, port, folder)
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)
        await process.wait()


async def ready(process: asyncio.subprocess.Process, port: int, folder: Path) -> None:
    async with asyncio.timeout(PATIENCE), httpx.AsyncClient() as client:
        while True:
            assert process.returncode is None, (folder / "server.log").read_text()
            try:
                if (await client.get(f"http://127.0.0.1:{port}/readyz")).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.05)


@pytest.fixture
async def tokens(engine: Engine) -> dict[str, str]:
    """A pass for everybody who writes here."""
    await engine.write(lambda conn: district.settle(conn, DISTRICT, ""))
    people = [person.id for role in (Role.INTAKE, Role.PANEL) for person in DISTRICT.of(role)]
    now = datetime.now(UTC)
    return await engine.write(lambda conn: {one: passes.make_token(conn, one, "test", now, 1) for one in people})


async def test_every_acknowledged_move_survives_kill_9_once_and_every_chain_holds(
    engine: Engine, database_url: str, tmp_path: Path, tokens: dict[str, str]
) -> None:
    with own_port() as port:
        await killed_and_asked_again(engine, database_url, tmp_path, Load(f"http://127.0.0.1:{port}", tokens), port)


async def killed_and_asked_again(engine: Engine, database_url: str, tmp_path: Path, load: Load, port: int) -> None:
    for kill in (1, 2):
        async with served(database_url, tmp_path, port) as process:
            writing = [asyncio.create_task(load.write_until_it_dies(number)) for number in range(CLIENTS)]
            await until(lambda: len(load.acknowledged) >= kill * ENOUGH or any(task.done() for task in writing))  # noqa: B023
            assert not any(task.done() for task in writing)
            process.send_signal(signal.SIGKILL)
            await asyncio.gather(*writing)
    acknowledged = load.acknowledged
    in_doubt = [sent for sent in load.sent if sent.receipt is None]
    assert 1 <= len(in_doubt) <= 2 * CLIENTS

    await each_is_there_once(engine, acknowledged)

    # Nobody knows of the others whether they were kept: sent again with the same key, each is there once too.
    async with served(database_url, tmp_path, port), httpx.AsyncClient(timeout=PATIENCE) as client:
        for sent in (*in_doubt, *acknowledged[-CLIENTS:]):
            before = sent.receipt
            again = await load.post(client, sent)
            assert before in (None, again)
    await each_is_there_once(engine, load.sent)
    submitted = {sent.receipt["issue"] for sent in load.sent if sent.receipt is not None}
    assert await engine.read(lambda conn: conn.execute(select(func.count()).select_from(issues)).scalar_one()) == len(
        submitted
    )


async def each_is_there_once(engine: Engine, sent: list[Sent]) -> None:
    columns = entries.c.key, entries.c.issue_id, entries.c.version, entries.c.move
    rows = await engine.read(lambda conn: conn.execute(select(*columns)).all())
    kept: dict[str, list[tuple[Any, ...]]] = {}
    for key, *entry in rows:
        kept.setdefault(key, []).append(tuple(entry))
    for one in sent:
        assert one.receipt is not None
        said = one.receipt["issue"], one.receipt["version"], one.receipt["move"]
        assert kept.get(f"{one.person}|{one.key}") == [said]
    found = await engine.read(lambda conn: list(ledger.verify(conn)))
    assert [place for place in found if not isinstance(place, int)] == []
