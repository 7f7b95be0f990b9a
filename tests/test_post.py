"""Who gets what by which way: people by the way they left, never at night, officials by the house; nothing to logs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec import json
from sqlalchemy import Connection, insert, select, update
from structlog.testing import capture_logs

from liuti.letters import written
from liuti.mail import SmtpMailer
from liuti.post import Post
from liuti.senders import ConsoleSender, Letter, NotSent, NotYet
from liuti.sms import Short
from liuti.store import outbox
from liuti.store.engine import Engine
from liuti.store.tables import contacts, voices
from liuti.store.vault import KeyRing
from liuti.ways import NIGHT, Quiet, Relay
from tests.doors.town import SHANGHAI, Town, at
from tests.smtp_server import SmtpServer, serving
from tests.working import town, worker_of

__all__ = ["town"]

VOICE = "019aa000-0000-7000-8000-000000000001"
DAY, NIGHTLY = at("2026-03-02 10:00"), at("2026-03-02 23:30")
LETTER = Letter(
    "letter_1", "extend", "019aa000-0000-7000-8000-0000000000aa", 7, "voice:" + VOICE,
    {"query_code": "7K3M9QX2W4HA", "step_zh": "解题中", "step_en": "being solved", "until": "2026-12-25T17:30+08:00",
     "reason": "灯具到货推迟。"}, DAY,
)  # fmt: skip


@dataclass
class Phone:
    """A gateway that keeps what it was given, and refuses what it is told to."""

    refuse: NotSent | None = None
    taken: list[Short] = field(default_factory=list)

    async def send(self, text: Short) -> None:
        if self.refuse is not None:
            raise self.refuse
        self.taken.append(text)

    async def aclose(self) -> None: ...


@dataclass
class House:
    taken: list[Letter] = field(default_factory=list)

    async def send(self, letter: Letter) -> None:
        self.taken.append(letter)


async def leaves(engine: Engine, ring: KeyRing, voice: str = VOICE, **contact: str) -> None:
    """What the voice left to be reached by."""

    def write(conn: Connection) -> None:
        sealed = ring.encrypt(json.encode(contact).decode(), voice)
        if not conn.execute(update(contacts).where(contacts.c.voice_id == voice).values(sealed=sealed)).rowcount:
            conn.execute(insert(contacts), [{"voice_id": voice, "sealed": sealed, "at": DAY}])

    await engine.write(write)


@pytest.fixture
async def mail_server() -> AsyncIterator[SmtpServer]:
    async with serving(SmtpServer()) as server:
        yield server


@dataclass
class Room:
    """A post with a real mail server, a gateway, a house, and a clock."""

    engine: Engine
    ring: KeyRing
    server: SmtpServer
    phone: Phone = field(default_factory=Phone)
    house: House = field(default_factory=House)
    now: datetime = DAY

    def post(self, **given: Any) -> Post:
        relay = Relay("127.0.0.1", self.server.port, "no")
        more: dict[str, Any] = {
            "mailer": SmtpMailer(relay, "六题办理 <no-reply@liuti.example>"), "sms": self.phone,
            "quiet": lambda: Quiet.parse(NIGHT, SHANGHAI),
        }  # fmt: skip
        return Post(self.house, self.engine, self.ring, lambda: self.now, **(more | given))

    async def sent(self, letter: Letter = LETTER, **given: Any) -> tuple[int, int, int]:
        """How many mails, texts and letters of the house there are after it."""
        post = self.post(**given)
        try:
            await post.send(letter)
        finally:
            await post.aclose()
        return len(self.server.taken), len(self.phone.taken), len(self.house.taken)


@pytest.fixture
def room(town: Town, mail_server: SmtpServer) -> Room:
    return Room(town.office.engine, town.office.ring, mail_server)


# -- which way -----------------------------------------------------------------------------------------------------


async def test_who_left_a_mail_address_gets_a_mail_that_says_the_reason_and_the_new_date(room: Room) -> None:
    await leaves(room.engine, room.ring, email="wang@post.example", phone="13812341234")
    assert await room.sent() == (1, 0, 0)
    (taken,) = room.server.taken
    assert taken.to == ["wang@post.example"] and taken.message["Subject"] == "办理时限延长（查询码 7K3M9QX2W4HA）"
    assert "灯具到货推迟。" in taken.text and "2026年12月25日 17:30" in taken.text
    assert taken.message["Message-ID"] == "<letter_1@liuti.example>"


async def test_who_left_only_a_mobile_gets_a_text_and_in_the_language_they_chose(room: Room) -> None:
    await leaves(room.engine, room.ring, phone="138 1234 1234", language="en")
    assert await room.sent() == (0, 1, 0)
    (text,) = room.phone.taken
    assert (text.id, text.phone, text.template, text.language) == ("letter_1", "13812341234", "extend", "en")
    assert "25 December 2026, 17:30" in text.text and "灯具到货推迟" in text.text


@pytest.mark.parametrize("contact", [{}, {"phone": "0564-1234567"}, {"email": "no address", "name": "王某"}])
async def test_who_left_nothing_that_reaches_them_is_the_houses(room: Room, contact: dict[str, str]) -> None:
    await leaves(room.engine, room.ring, **contact)
    assert await room.sent() == (0, 0, 1)
    assert room.house.taken == [LETTER], "without a contact in it"


@pytest.mark.parametrize("recipient", ["unit:roads", "person:leader1", "role:inspector"])
async def test_officials_are_told_by_the_house_at_any_hour(room: Room, recipient: str) -> None:
    room.now = NIGHTLY
    assert await room.sent(replace(LETTER, recipient=recipient)) == (0, 0, 1)


async def test_a_house_without_mail_and_sms_gets_every_letter_as_before(room: Room) -> None:
    await leaves(room.engine, room.ring, email="wang@post.example", phone="13812341234")
    room.now = NIGHTLY
    assert await room.sent(mailer=None, sms=None) == (0, 0, 1)


async def test_an_erased_contact_is_not_written_to(room: Room) -> None:
    await leaves(room.engine, room.ring, email="wang@post.example")
    assert await room.sent() == (1, 0, 0)
    await room.engine.write(lambda conn: conn.execute(update(contacts).values(sealed=None)))
    assert await room.sent() == (1, 0, 1)


async def test_a_contact_whose_key_is_gone_is_a_fault_that_somebody_sees_and_not_a_letter_gone_astray(
    room: Room,
) -> None:
    await leaves(room.engine, KeyRing.parse("1:" + "B" * 43 + "="), email="wang@post.example")
    with pytest.raises(NotSent, match="does not open") as refused:
        await room.sent()
    assert not refused.value.final and room.house.taken == []


# -- refused -------------------------------------------------------------------------------------------------------


async def test_a_mailbox_that_is_not_there_makes_room_for_the_text(room: Room) -> None:
    await leaves(room.engine, room.ring, email="wang@post.example", phone="13812341234")
    room.server.answers["rcpt"] = ["550 5.1.1 no such user"]
    assert await room.sent() == (0, 1, 0)


async def test_a_mailbox_that_is_busy_does_not_for_it_is_tried_again(room: Room) -> None:
    await leaves(room.engine, room.ring, email="wang@post.example", phone="13812341234")
    room.server.answers["rcpt"] = ["450 4.2.0 later"]
    with pytest.raises(NotSent) as refused:
        await room.sent()
    assert not refused.value.final and room.phone.taken == []
    assert await room.sent() == (1, 0, 0)


async def test_when_every_way_is_refused_for_good_the_last_refusal_is_final(room: Room) -> None:
    await leaves(room.engine, room.ring, email="wang@post.example", phone="13812341234")
    room.server.answers["rcpt"] = ["550 no such user"]
    room.phone.refuse = NotSent("sms: answered 422", 422, final=True)
    with pytest.raises(NotSent, match="sms: answered 422") as refused:
        await room.sent()
    assert refused.value.final and room.house.taken == []


# -- at night ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "until"),
    [
        ("2026-03-02 20:59", None), ("2026-03-02 21:00", "2026-03-03 08:00"), ("2026-03-02 23:59", "2026-03-03 08:00"),
        ("2026-03-03 00:00", "2026-03-03 08:00"), ("2026-03-03 07:59", "2026-03-03 08:00"), ("2026-03-03 08:00", None),
        ("2026-12-31 22:00", "2027-01-01 08:00"),
    ],
)  # fmt: skip
def test_the_night_is_from_nine_to_eight_in_the_towns_own_time(now: str, until: str | None) -> None:
    night = Quiet.parse(NIGHT, SHANGHAI)
    assert night is not None
    assert night.until(at(now).astimezone(UTC)) == (at(until) if until else None)


def test_quiet_hours_may_lie_within_a_day_or_not_at_all() -> None:
    noon = Quiet.parse("12:00-14:00", SHANGHAI)
    assert noon is not None
    assert noon.until(at("2026-03-02 13:00")) == at("2026-03-02 14:00") and noon.until(at("2026-03-02 11:59")) is None
    assert Quiet.parse("", SHANGHAI) is None and Quiet.parse("08:00-08:00", SHANGHAI) is None
    for wrong in ("21-8", "21:00", "24:00-08:00", "21:00-08:60"):
        with pytest.raises(ValueError, match="21:00-08:00"):
            Quiet.parse(wrong, SHANGHAI)


@pytest.mark.parametrize("contact", [{"email": "wang@post.example"}, {"phone": "13812341234"}])
async def test_nobody_is_disturbed_at_night_and_the_letter_says_when_it_is_due_again(
    room: Room, contact: dict[str, str]
) -> None:
    await leaves(room.engine, room.ring, **contact)
    room.now = NIGHTLY
    with pytest.raises(NotYet) as held:
        await room.sent()
    assert held.value.until == at("2026-03-03 08:00")
    assert room.server.conversations == 0 and room.phone.taken == []
    room.now = held.value.until
    assert sum(await room.sent()) == 1


async def test_an_urgent_matter_does_not_wait_for_the_morning(room: Room) -> None:
    await leaves(room.engine, room.ring, phone="13812341234")
    room.now = NIGHTLY
    with pytest.raises(NotYet):
        await room.sent()
    assert await room.sent(replace(LETTER, urgent=True)) == (0, 1, 0)


async def test_a_matter_of_danger_makes_its_letters_urgent(town: Town) -> None:
    calm, danger = await town.submit(), await town.submit(text="煤气漏气了快来人,东街三号。")
    taken = await town.office.engine.write(lambda conn: outbox.take(conn, "me", town.clock.now))
    made = {row["issue_id"]: written(row, town.office.ring, "", SHANGHAI).urgent for row in taken}
    assert made == {calm: False, danger: True}


# -- with the worker -----------------------------------------------------------------------------------------------


async def posted(town: Town, post: Post) -> None:
    worker = worker_of(town, post, base_url="https://liuti.example")
    while await worker.post_once(town.clock.now):
        pass


async def test_an_invitation_by_mail_carries_a_link_that_rates_once(town: Town, room: Room) -> None:
    issue = await town.direct_checked()
    await leaves(room.engine, room.ring, town.voices[issue], email="wang@post.example")
    await posted(town, room.post())
    invitation = next(one for one in room.server.taken if "请您评价" in one.message["Subject"])
    token = invitation.text.partition("https://liuti.example/r/")[2].split()[0]
    assert (await town.act(token, "rate", {"level": 5, "solved": "yes"}, issue)).status_code == 200
    assert (await town.act(token, "rate", {"level": 1}, issue)).status_code == 409


async def test_a_line_lost_after_the_last_byte_loses_no_letter_and_repeats_it_under_one_id(
    town: Town, room: Room
) -> None:
    issue = await town.submit()
    await leaves(room.engine, room.ring, town.voices[issue], email="wang@post.example")
    room.server.answers["dot"] = [""]
    post = room.post()
    with capture_logs() as lines:
        await posted(town, post)
        assert await room.engine.read(outbox.waiting) == 1
        town.clock.now += timedelta(seconds=30)
        await posted(town, post)
    assert await room.engine.read(outbox.waiting) == 0
    assert len(room.server.taken) == 2 and len({one.message["Message-ID"] for one in room.server.taken}) == 1
    assert lines and "wang" not in str(lines) and "学院路" not in str(lines)


async def test_a_grey_listed_mail_goes_at_the_next_try_and_its_fault_names_nobody(town: Town, room: Room) -> None:
    issue = await town.submit()
    await leaves(room.engine, room.ring, town.voices[issue], email="wang@post.example")
    room.server.answers["rcpt"] = ["450 4.2.0 wang@post.example later"]
    post = room.post()
    with capture_logs() as lines:
        await posted(town, post)
        town.clock.now += timedelta(seconds=30)
        await posted(town, post)
    assert len(room.server.taken) == 1
    (failed,) = [line for line in lines if line["event"] == "letter_failed"]
    assert failed["why"] == "mail: recipient refused 450 4.2.0" and "wang" not in str(lines)


async def test_each_of_many_voices_gets_the_news_by_their_own_way(town: Town, room: Room) -> None:
    issue = await town.submit(contact={"phone": "13800000001"})
    form = {"text": "我也遇到", "contact": {"phone": "13800000002"}, "notice_version": "2026-01"}
    await town.does("", "cosign", form, issue)
    of_cosigner = select(voices.c.id).where(voices.c.act == "cosign")
    other = await room.engine.read(lambda conn: conn.execute(of_cosigner).scalar_one())
    await leaves(room.engine, room.ring, other, email="li@post.example")
    await town.does("intake1", "accept_direct", {"unit": "roads", "category": "roads", "urgency": "general"}, issue)
    await posted(town, room.post())
    assert [text.phone for text in room.phone.taken if text.template == "accept_direct"] == ["13800000001"]
    assert [one.to for one in room.server.taken if "交承办单位" in one.message["Subject"]] == [["li@post.example"]]
    assert {letter.recipient for letter in room.house.taken} == {"role:intake", "unit:roads"}


async def test_the_terminal_serves_as_a_house(town: Town, room: Room) -> None:
    lines: list[str] = []
    await town.submit()
    await posted(town, Post(ConsoleSender(lines.append), room.engine, room.ring, lambda: DAY))
    assert len(lines) == 2 and all("submit" in line for line in lines)
