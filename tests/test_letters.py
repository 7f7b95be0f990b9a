"""Letters leave: at least once and always under the same id, alone in their failures, with no secret kept and no phone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, select
from structlog.testing import capture_logs

from liuti.senders import Letter, NotSent
from liuti.store import outbox
from liuti.store.tables import letters
from tests.doors.town import Town, at
from tests.patience import PATIENCE
from tests.working import submitted, swept, town, worker_of

__all__ = ["town"]


class Killed(BaseException):
    """The machine lost its power: nobody catches that."""


class Postman:
    """Keeps every letter; `mishap` may throw what it likes before the letter is gone, or after."""

    def __init__(self, before: Callable[[Letter], None] | None = None) -> None:
        self.delivered: list[Letter] = []
        self.before = before

    async def send(self, letter: Letter) -> None:
        if self.before is not None:
            self.before(letter)
        self.delivered.append(letter)


async def rows(town: Town) -> list[dict[str, Any]]:
    def read(conn: Connection) -> list[dict[str, Any]]:
        return [dict(row) for row in conn.execute(select(letters).order_by(letters.c.id)).mappings()]

    return await town.office.engine.read(read)


async def posted(worker: Any, town: Town) -> int:
    done = 0
    while taken := await worker.post_once(town.clock.now):
        done += taken
    return done


# -- leaving -------------------------------------------------------------------------------------------------------


async def test_every_letter_leaves_once_though_four_workers_share_them(town: Town) -> None:
    await submitted(town, 40)
    town.clock.now += timedelta(hours=25)
    postman = Postman()
    workers = [worker_of(town, postman) for _ in range(4)]
    await swept(workers[0], town)
    written = await rows(town)
    assert len(written) == 160
    assert sum(await asyncio.gather(*(posted(worker, town) for worker in workers))) == len(written)
    assert len({letter.id for letter in postman.delivered}) == len(postman.delivered) == len(written)
    assert all(row["sent_at"] == town.clock.now and row["lease"] is row["next_at"] is None for row in await rows(town))


async def test_a_worker_killed_between_sending_and_marking_sends_again_under_the_same_id_and_loses_nothing(
    town: Town,
) -> None:
    await submitted(town, 3)
    gone: list[Letter] = []

    def die_at_the_second(letter: Letter) -> None:
        gone.append(letter)
        if len(gone) == 2:
            raise Killed

    with pytest.raises(Killed):
        await worker_of(town, Postman(die_at_the_second)).post_once(town.clock.now)
    second = Postman()
    heir = worker_of(town, second)
    async with asyncio.timeout(PATIENCE):
        # What else was in its hands ends as it will; the letter it died with stays as it is.
        while len(unmarked := [r for r in await rows(town) if r["sent_at"] is None]) > 1:  # noqa: ASYNC110  # noqa: ASYNC110 - what is waited for is in the database
            await asyncio.sleep(0.02)
    assert unmarked
    assert await posted(heir, town) == 0, "the lease still runs"
    town.clock.now += outbox.LEASE
    assert await posted(heir, town) == len(unmarked)
    assert all(row["sent_at"] is not None for row in await rows(town))
    again = {letter.id for letter in second.delivered}
    assert gone[1].id in again
    assert len(again | {letter.id for letter in gone}) == len(await rows(town))


# -- failing -------------------------------------------------------------------------------------------------------


async def test_a_letter_backs_off_alone_twice_as_long_each_time_until_it_is_dead_and_may_be_revived(town: Town) -> None:
    await submitted(town, 2)
    unlucky = (await rows(town))[0]["issue_id"]

    def refuse(letter: Letter) -> None:
        if letter.issue == unlucky:
            raise NotSent("answered 503", 503)

    postman = Postman(refuse)
    worker = worker_of(town, postman)
    mine = sum(1 for row in await rows(town) if row["issue_id"] == unlucky)
    waits = []
    with capture_logs() as lines:
        for tries in range(1, outbox.TRIES + 1):
            assert await posted(worker, town) == (mine if tries > 1 else len(await rows(town)))
            row = next(row for row in await rows(town) if row["issue_id"] == unlucky)
            assert row["tries"] == tries and row["lease"] is None and row["fault"] == "answered 503"
            if row["next_at"] is not None:
                waits.append(row["next_at"] - town.clock.now)
                town.clock.now = row["next_at"] - timedelta(seconds=1)
                assert await posted(worker, town) == 0
                town.clock.now += timedelta(seconds=1)
    assert waits == [timedelta(seconds=30 * 2**n) for n in range(outbox.TRIES - 1)]
    assert len(postman.delivered) == len(await rows(town)) - mine, "the others left at once"
    assert len([line for line in lines if line["event"] == "letter_dead" and line["alert"]]) == mine
    engine = town.office.engine
    dead = await engine.read(outbox.dead)
    assert len(dead) == mine and dead[0]["dead_at"] == town.clock.now
    town.clock.now += timedelta(days=9)
    assert await posted(worker, town) == 0
    postman.before = None
    assert await engine.write(lambda conn: outbox.revive(conn, dead[0]["id"], town.clock.now))
    assert not await engine.write(lambda conn: outbox.revive(conn, dead[0]["id"], town.clock.now))
    assert await posted(worker, town) == 1
    assert len(await engine.read(outbox.dead)) == mine - 1


async def test_a_fault_of_the_program_puts_off_one_letter_and_says_nothing_of_its_words(town: Town) -> None:
    await submitted(town, 3)

    def stumble(letter: Letter) -> None:
        if letter.recipient == "role:intake":
            raise KeyError("13800138000")

    with capture_logs() as lines:
        await posted(worker_of(town, Postman(stumble)), town)
    assert {row["fault"] for row in await rows(town) if row["recipient"] == "role:intake"} == {"KeyError"}
    assert all(row["sent_at"] is not None for row in await rows(town) if row["recipient"] != "role:intake")
    assert "13800138000" not in str(lines)


async def test_told_to_stop_the_worker_finishes_what_it_is_sending_and_gives_the_rest_back(town: Town) -> None:
    await submitted(town, 30)
    stop, goes_on, delivered = asyncio.Event(), asyncio.Event(), []

    class Slow:
        async def send(self, letter: Letter) -> None:
            stop.set()
            await goes_on.wait()
            delivered.append(letter)

    worker = worker_of(town, Slow())
    running = asyncio.create_task(worker.run(stop))
    async with asyncio.timeout(PATIENCE):
        await stop.wait()
        await asyncio.sleep(0.1)
        assert not running.done(), "letters are in its hands"
        goes_on.set()
        await running
    found = await rows(town)
    assert sum(row["sent_at"] is not None for row in found) == len(delivered) == 10
    rest = [row for row in found if row["sent_at"] is None]
    assert rest and all(row["tries"] == 0 and row["lease"] is None and row["next_at"] is not None for row in rest)
    postman = Postman()
    assert await posted(worker_of(town, postman), town) == len(rest), "another takes them at once"


# -- what they say -------------------------------------------------------------------------------------------------


async def test_an_invitation_carries_a_token_that_rates_once_and_the_outbox_keeps_no_secret(town: Town) -> None:
    issue = await town.direct_checked()
    postman = Postman()
    worker = worker_of(town, postman, base_url="https://liuti.example")
    await posted(worker, town)
    invitation = next(letter for letter in postman.delivered if letter.event == "invite")
    assert invitation.recipient == "voice:" + town.voices[issue]
    words = invitation.words
    assert words["rate"] == f"https://liuti.example/r/{words['token']}"
    assert "lr1." not in str(await rows(town))
    assert (await town.act(words["token"], "rate", {"level": 5, "solved": "yes"}, issue)).status_code == 200
    assert (await town.act(words["token"], "rate", {"level": 1}, issue)).status_code == 409


async def test_a_letter_names_the_step_and_the_due_time_and_neither_title_nor_phone(town: Town) -> None:
    issue = await town.direct(category="noise", text="楼下歌厅半夜太吵,请打13800138000。", title="深夜噪声")
    await town.does(
        "head_roads", "submit_result",
        {"word": "solved", "reply": "已责令整改,详询13912345678。", "evidence": "记录", "told": True}, issue,
    )  # fmt: skip
    await town.does("inspector", "pass_check", {"method": "on_site"}, issue)
    await town.does(town.rating(issue), "rate", {"level": 5, "solved": "yes"}, issue)
    postman = Postman()
    await posted(worker_of(town, postman), town)
    said = str([(letter.words, letter.event, letter.recipient) for letter in postman.delivered])
    for secret in ("13800138000", "13800000001", "13912345678", "歌厅", "深夜噪声", "东街"):
        assert secret not in said
    by_event = {letter.event: letter for letter in postman.delivered if letter.recipient.startswith("voice:")}
    accepted, result, closed = (by_event[event].words for event in ("accept_direct", "submit_result", "close"))
    assert (accepted["step_zh"], accepted["step_en"]) == ("解题中", "being solved")
    assert len(accepted["query_code"]) == 12 and "reply" not in accepted
    assert result["reply"] == closed["reply"] == "已责令整改,详询139****5678。"
    assert closed["step_en"] == "closed" and "due" not in closed
    unit = next(x for x in postman.delivered if x.recipient == "unit:roads" and x.event == "close")
    assert "reply" not in unit.words, "the answer is the people's letter"


async def test_what_is_due_is_said_in_the_towns_own_time(town: Town) -> None:
    await town.direct()
    postman = Postman()
    await posted(worker_of(town, postman), town)
    due = {x.recipient.partition(":")[0]: x.words["due"] for x in postman.delivered if x.event == "accept_direct"}
    assert due == {"voice": "2026-03-09T17:30+08:00", "unit": "2026-03-02T11:00+08:00"}
    assert at("2026-03-02 11:00").isoformat(timespec="minutes") == due["unit"]
