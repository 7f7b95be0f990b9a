"""A rush at the door: a few passwords are looked at at a time, a few wait, the rest come back later; nothing else waits."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path

import pytest
from pydantic import SecretStr

from liuti.doors import hashing as room
from liuti.doors.app import make_app
from liuti.doors.hashing import Hashing
from liuti.flow.kernel import Refused
from liuti.settings import Settings, new_key
from liuti.store import passes
from liuti.store.engine import DatabaseFault
from tests.doors.conftest import town
from tests.doors.town import Town
from tests.patience import PATIENCE, until

__all__ = ["town"]


class Rush:
    """Stands for argon2: counts how many work at once, until it is let go."""

    def __init__(self) -> None:
        self.go, self.lock, self.now, self.most = threading.Event(), threading.Lock(), 0, 0

    def __call__(self, *_given: str) -> bool:
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        self.go.wait(PATIENCE)
        with self.lock:
            self.now -= 1
        return False


async def test_forty_logins_at_once_hash_two_at_a_time_and_the_last_are_asked_to_come_back(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    rush = Rush()
    monkeypatch.setattr(passes, "check_password", rush)
    body = {"login": "intake1", "password": "wrong-password"}
    sent = [asyncio.create_task(town.client.post("/api/v1/session", json=body)) for _ in range(40)]
    most = room.AT_ONCE + room.WAITING
    await until(lambda: sum(task.done() for task in sent) == 40 - most and rush.now == room.AT_ONCE)
    assert (await town.client.get("/healthz")).status_code == 200, "the loop is free meanwhile"
    rush.go.set()
    answers = await asyncio.gather(*sent)
    full = [answer for answer in answers if answer.status_code == 503]
    assert len(full) == 40 - most and rush.most == room.AT_ONCE
    assert {answer.status_code for answer in answers} == {401, 503}
    for answer in full:
        assert answer.headers["content-type"] == "application/problem+json"
        assert (answer.json()["code"], answer.headers["retry-after"]) == ("door_is_full", str(room.COME_BACK))
    assert (await town.client.post("/api/v1/session", json=body)).status_code == 401, "all seats are free again"


async def test_who_stops_waiting_frees_a_seat_only_when_the_work_has_ended() -> None:
    rush, hashing = Rush(), Hashing(at_once=1, waiting=1)
    working = asyncio.create_task(hashing.do(rush))
    waiting = asyncio.create_task(hashing.do(rush))
    await until(lambda: rush.now == 1)
    with pytest.raises(Refused):
        await hashing.do(rush)
    waiting.cancel()
    working.cancel()
    await asyncio.gather(working, waiting, return_exceptions=True)
    third = asyncio.create_task(hashing.do(rush))
    await asyncio.sleep(0.02)
    assert rush.now == 1, "the thread that was left alone still counts"
    with pytest.raises(Refused):
        await hashing.do(rush)
    rush.go.set()
    assert await third is False
    await hashing.close()


async def test_closing_waits_for_what_is_computed_and_leaves_no_thread() -> None:
    hashing = Hashing(at_once=1, waiting=1)
    working = asyncio.create_task(hashing.do(time.sleep, 0.05))
    await asyncio.sleep(0.01)
    await hashing.close()
    await working
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("liuti-hash")]


async def test_a_server_that_cannot_begin_leaves_no_thread_behind(tmp_path: Path) -> None:
    (tmp_path / "liuti.db").touch()
    settings = Settings(
        database_url=f"sqlite:///{tmp_path / 'liuti.db'}", keys=SecretStr(new_key()), files_dir=tmp_path
    )
    app = make_app(settings)
    before = set(threading.enumerate())
    with pytest.raises(DatabaseFault):
        async with app.router.lifespan_context(app):
            pass
    assert not [thread for thread in set(threading.enumerate()) - before if thread.name.startswith("liuti")]
