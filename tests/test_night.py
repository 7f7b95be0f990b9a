"""The worker and the night: a letter held costs no try, one refused for good lies with the dead at once."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError
from sqlalchemy import Connection, func, select
from structlog.testing import capture_logs

from liuti.senders import Letter, NotSent, NotYet
from liuti.settings import Settings, new_key, new_webhook_secret, settings_in_words
from liuti.store import outbox, passes
from liuti.store.tables import letters
from liuti.store.tables import passes as passes_table
from liuti.worker import run_worker
from tests.doors.town import Town
from tests.patience import PATIENCE, until
from tests.smtp_server import SmtpServer, serving
from tests.test_post import leaves
from tests.working import town, worker_of

__all__ = ["town"]


async def rows(town: Town) -> list[dict[str, Any]]:
    def read(conn: Connection) -> list[dict[str, Any]]:
        return [dict(row) for row in conn.execute(select(letters).order_by(letters.c.id)).mappings()]

    return await town.office.engine.read(read)


class Sleeper:
    """Disturbs nobody before `until`."""

    def __init__(self, town: Town, hours: int) -> None:
        self.town, self.until, self.delivered = town, town.clock.now + timedelta(hours=hours), list[Letter]()

    async def send(self, letter: Letter) -> None:
        if self.town.clock.now < self.until:
            raise NotYet(self.until)
        self.delivered.append(letter)


async def test_a_letter_held_over_night_waits_untried_and_leaves_in_the_morning(town: Town) -> None:
    await town.submit()
    sleeper = Sleeper(town, 11)
    worker = worker_of(town, sleeper)
    with capture_logs() as lines:
        assert await worker.post_once(town.clock.now) == 2
        held = await rows(town)
        assert all(row["next_at"] == sleeper.until and row["tries"] == 0 and row["lease"] is None for row in held)
        assert all(row["fault"] is row["dead_at"] is None for row in held)
        assert await worker.post_once(sleeper.until - timedelta(seconds=1)) == 0
        town.clock.now = sleeper.until
        assert await worker.post_once(town.clock.now) == 2
    assert len(sleeper.delivered) == 2 and all(row["sent_at"] == sleeper.until for row in await rows(town))
    assert lines == [], "that is no failure"


async def test_a_letter_refused_for_good_is_dead_at_once_and_may_be_revived(town: Town) -> None:
    await town.submit()

    class Refusing:
        async def send(self, letter: Letter) -> None:
            raise NotSent("mail: recipient refused 550", 550, final=letter.recipient.startswith("voice:"))

    with capture_logs() as lines:
        assert await worker_of(town, Refusing()).post_once(town.clock.now) == 2
    (dead,) = await town.office.engine.read(outbox.dead)
    assert dead["recipient"].startswith("voice:") and dead["fault"] == "mail: recipient refused 550"
    assert [line["event"] for line in lines if line.get("alert")] == ["letter_dead"]
    assert await town.office.engine.write(lambda conn: outbox.revive(conn, dead["id"], town.clock.now))
    assert [row["next_at"] for row in await rows(town)] == [
        town.clock.now,
        town.clock.now + timedelta(seconds=30),
    ]


async def test_a_refusal_is_told_with_its_reason_and_its_route(town: Town) -> None:
    issue = await town.submit(contact={"phone": "13800000001"})
    await town.does("intake1", "reject", {"route": "judicial", "reason": "法院已受理,电话13912345678。"}, issue)
    taken: list[Letter] = []

    class Keeping:
        async def send(self, letter: Letter) -> None:
            taken.append(letter)

    await worker_of(town, Keeping()).post_once(town.clock.now)
    words = next(letter.words for letter in taken if letter.event == "reject")
    assert words["reason"] == "法院已受理,电话139****5678。"
    assert "诉讼" in words["route_zh"] and "court" in words["route_en"]


async def test_a_worker_by_its_settings_sends_mail_by_the_relay_they_name(
    town: Town, database_url: str, tmp_path: Path
) -> None:
    issue = await town.submit()
    await leaves(town.office.engine, town.office.ring, town.voices[issue], email="wang@post.example")
    async with serving(SmtpServer()) as server:
        settings = Settings(
            database_url=database_url, keys=town.office.settings.keys, files_dir=tmp_path, quiet_hours="00:00-00:00",
            smtp_url=SecretStr(f"smtp://127.0.0.1:{server.port}?tls=no"), mail_from="六题 <no-reply@liuti.example>",
        )  # fmt: skip
        stop = asyncio.Event()
        working = asyncio.create_task(run_worker(settings, stop, town.clock))
        await until(lambda: server.taken)
        stop.set()
        async with asyncio.timeout(PATIENCE):
            await working
    assert server.taken[0].to == ["wang@post.example"]


async def test_a_worker_drops_sessions_that_ended_longer_ago_than_the_log_is_kept(
    town: Town, database_url: str, tmp_path: Path
) -> None:
    engine, kept = town.office.engine, timedelta(days=town.office.desk.world().policy.retention.access_log)
    for ago in (kept + timedelta(hours=13), kept):
        await engine.write(partial(passes.open_session, person_id="intake1", now=town.clock.now - ago))
    settings = Settings(database_url=database_url, keys=town.office.settings.keys, files_dir=tmp_path)

    async def sessions() -> int:
        found = select(func.count()).where(passes_table.c.kind == "session")
        return await engine.read(lambda conn: conn.execute(found).scalar_one())

    assert await sessions() == 2
    stop = asyncio.Event()
    working = asyncio.create_task(run_worker(settings, stop, town.clock))
    async with asyncio.timeout(PATIENCE):
        while await sessions() == 2:  # noqa: ASYNC110 - the database tells nobody when it has changed
            await asyncio.sleep(0.05)
        stop.set()
        await working
    assert await sessions() == 1, "that one ended within the time"


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"smtp_url": "http://liuti:geheim@x", "mail_from": "a@b.example"}, "LIUTI_SMTP_URL"),
        ({"smtp_url": "smtp://liuti:geheim@x?tls=no", "mail_from": "a@b.example"}, "LIUTI_SMTP_URL"),
        ({"smtp_url": "smtp://liuti:geheim@x"}, "LIUTI_MAIL_FROM"), ({"mail_from": "nobody"}, "LIUTI_MAIL_FROM"),
        ({"sms_url": "http://x"}, "LIUTI_SMS_SECRET"), ({"sms_url": "x", "sms_secret": new_webhook_secret()}, "LIUTI_SMS_URL"),
        ({"sms_secret": "geheim"}, "LIUTI_SMS_SECRET"), ({"quiet_hours": "9pm"}, "LIUTI_QUIET_HOURS"),
    ],
)  # fmt: skip
def test_settings_of_the_post_that_do_not_fit_are_named_without_their_secret(given: dict[str, str], name: str) -> None:
    Settings.model_validate({"keys": new_key()})
    with pytest.raises(ValidationError) as refused:
        Settings.model_validate({"keys": new_key()} | given)
    said = settings_in_words(refused.value)
    assert name in said.en and name in said.zh and "geheim" not in f"{said.en}{said.zh}{refused.value}"
