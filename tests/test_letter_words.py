"""Every letter to citizens has its words in both languages, and what they are filled with stays what it is."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from msgspec import json

from liuti.flow.parts import PROPOSER, VOICES
from liuti.flow.table import FLOW
from liuti.flow.words import Kind
from liuti.letter_words import ANY, LANGUAGES, SHORT, Language, events, speak
from liuti.letters import EXAMPLE, preview, written
from liuti.senders import Letter
from liuti.store import outbox
from liuti.store.act import STATE
from tests.doors.town import SHANGHAI, Town
from tests.working import town

__all__ = ["town"]

# What rules tell beside the rows' own column, read off docs/rules.md §4 and §5.
BESIDE = {"invite", "progress", "meeting", "warn", "overdue", "appeal.granted", "appeal.denied"}
CHINESE = re.compile(r"[一-鿿]")


async def letters_of(town: Town) -> list[Letter]:
    """Everything that waits, as it would leave now."""
    found: list[Letter] = []
    policy = town.office.desk.world().policy
    while taken := await town.office.engine.write(lambda conn: outbox.take(conn, "me", town.clock.now, 500)):
        found += [written(row, town.office.ring, "https://liuti.example", SHANGHAI, policy) for row in taken]
    return found


async def last_of(town: Town, event: str) -> Letter:
    return [one for one in await letters_of(town) if one.event == event and one.recipient.startswith("voice:")][-1]


# -- the book ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_whatever_citizens_are_told_has_words_of_its_own(language: Language) -> None:
    told = {move.name for move in FLOW.moves.values() if {VOICES, PROPOSER} & set(move.tells)} | BESIDE
    assert told <= set(events(language))
    assert set(events("zh")) == set(events("en"))


@pytest.mark.parametrize("event", [*events(), "something.new"])
def test_every_letter_can_be_looked_at_beforehand_whole_and_in_its_language(event: str) -> None:
    zh, en = preview(event, "zh"), preview(event, "en")
    for said in (zh, en):
        assert not re.search(r"[{}]", said.subject + said.text + said.sms), "every field of a line has its value"
        assert "\n" not in said.subject + said.sms and said.subject and len(said.sms) <= 500
        assert EXAMPLE["query_code"] in said.subject + said.text + said.sms or event == "code"
        assert "None" not in said.text
    written_by_people = (EXAMPLE["reason"], EXAMPLE["reply"], EXAMPLE["missing"], EXAMPLE["leader_post"])
    plain = en.subject + en.text + en.sms
    for words in written_by_people:
        plain = plain.replace(words, "").replace(words.rstrip("。"), "")
    assert CHINESE.search(zh.subject) and CHINESE.search(zh.text) and CHINESE.search(zh.sms)
    assert not CHINESE.search(plain)
    assert not re.search(r"[，：；（）]", plain) and not re.search(r"[,;()](?![^{]*})", zh.subject)


def test_an_event_without_words_says_where_the_issue_stands() -> None:
    assert speak("something.new", "zh", EXAMPLE).event == ANY
    assert "解题中" in speak("something.new", "zh", EXAMPLE).text


# -- filling -------------------------------------------------------------------------------------------------------


def test_a_line_about_what_is_not_known_is_left_out() -> None:
    whole = speak("extend", "zh", EXAMPLE)
    bare = speak("extend", "zh", {"query_code": "7K3M9QX2W4HA"})
    assert "理由" in whole.text and "新的期限" in whole.text
    assert "理由" not in bare.text and "新的期限" not in bare.text and "7K3M9QX2W4HA" in bare.text
    assert "{" not in bare.text + bare.sms


def test_what_a_field_holds_is_no_template() -> None:
    said = speak("extend", "zh", EXAMPLE | {"reason": "{rate} {query_code} {__class__} %s $x"})
    assert "理由：{rate} {query_code} {__class__} %s $x" in said.text


@pytest.mark.parametrize("mark", ["\0", "\x1b", "\x85", "\u2028", "\u202e", "\u200b", "\ufeff", "\x7f"])
def test_no_field_brings_a_mark_that_nobody_sees(mark: str) -> None:
    said = speak("extend", "zh", EXAMPLE | {"reason": f"甲{mark}乙", "query_code": f"7K{mark}3M"})
    assert mark not in said.text + said.sms + said.subject and "甲 乙" in said.text


def test_a_subject_is_one_line_whatever_fills_it() -> None:
    said = speak("extend", "en", EXAMPLE | {"query_code": "A\r\nBcc: evil@post.example\n\nB"})
    assert said.subject == "It takes longer (query code A Bcc: evil@post.example B)"


def test_an_sms_cuts_what_was_written_at_length_and_the_mail_does_not() -> None:
    long = "灯" * 300
    said = speak("extend", "zh", EXAMPLE | {"reason": long})
    assert long in said.text and long[:SHORT] not in said.sms and "灯" * (SHORT - 1) + "…" in said.sms


# -- what they say of an issue -------------------------------------------------------------------------------------


async def test_an_extension_tells_its_reason_and_the_new_date(town: Town) -> None:
    issue = await town.direct()
    form = {"until": town.day(10), "reason": "灯具到货推迟,详询13912345678。"}
    await town.does("head_roads", "extend", form, issue)
    await town.does("inspector", "grant", {}, issue)
    words = (await last_of(town, "extend")).words
    assert words["reason"] == "灯具到货推迟,详询139****5678。"
    assert words["until"] == f"{town.day(10)}T17:30+08:00"
    assert "灯具到货推迟" in speak("extend", "zh", words).text


async def test_asking_for_facts_says_which_and_by_when_and_reminds_in_time(town: Town) -> None:
    issue = await town.submit(contact={"phone": "13800000001"}, place="unknown")
    await town.does("intake1", "ask_supplement", {"missing": ["具体地点", "照片"]}, issue)
    words = (await last_of(town, "ask_supplement")).words
    assert words["missing"] == "- 具体地点\n- 照片" and words["until"] == "2026-03-09T17:30+08:00"
    await town.later(days=6)
    reminder = await last_of(town, "warn")
    assert reminder.words["until"] == "2026-03-09T17:30+08:00"
    assert "- 照片" in speak("warn", "zh", reminder.words).text
    await town.later(days=2)
    lapsed = speak("lapse", "zh", (await last_of(town, "lapse")).words)
    assert "重新提交" in lapsed.text and "仍会继续" not in lapsed.text


async def test_an_invitation_says_until_when_and_the_end_says_how(town: Town) -> None:
    issue = await town.direct_checked()
    words: Any = (await last_of(town, "invite")).words
    assert words["until"] == "2026-03-17T17:30+08:00" and words["rate"].startswith("https://liuti.example/r/lr1.")
    await town.does(words["token"], "rate", {"level": 5, "solved": "yes"}, issue)
    closed = (await last_of(town, "close")).words
    assert (closed["closing_zh"], closed["closing_en"]) == ("已解决", "solved") and closed["reply"] == "已经处理完毕。"


async def test_a_refusal_names_the_lawful_route(town: Town) -> None:
    issue = await town.submit(contact={"phone": "13800000001"})
    await town.does("intake1", "reject", {"route": "judicial", "reason": "已由法院受理。"}, issue)
    words = (await last_of(town, "reject")).words
    assert "诉讼" in words["route_zh"] and "court" in words["route_en"]


async def test_a_suspension_says_why_and_until_when(town: Town) -> None:
    issue = await town.claimed()
    await town.does("leader1", "approve_plan", town.plan(), issue)
    form = {"cause": "season", "review": town.day(60), "evidence": "冬季不能施工的说明,内部掌握。"}
    await town.does("leader1", "suspend", form, issue)
    await town.does("inspector", "grant", {}, issue)
    letter = await last_of(town, "suspend")
    said = speak("suspend", "zh", letter.words)
    assert "受季节或天气限制" in said.text and letter.words["until"].startswith(town.day(60))
    assert "内部掌握" not in str(letter.words), "the evidence is the inspector's"


async def test_a_letter_about_a_tip_off_repeats_no_word_of_anybody(town: Town) -> None:
    issue = await town.submit(contact={"phone": "13800000001"}, place="unknown")
    await town.does("intake1", "ask_supplement", {"missing": ["当事人的姓名"]}, issue)
    taken = await town.office.engine.write(lambda conn: outbox.take(conn, "me", town.clock.now))
    row = dict(next(row for row in taken if row["event"] == "ask_supplement"))
    state = STATE.decode(row["state"])
    for kind, repeated in ((Kind.COMPLAINT, True), (Kind.TIP_OFF, False)):
        state.kind = kind
        words = written(row | {"state": json.encode(state).decode()}, town.office.ring, "", SHANGHAI).words
        assert ("当事人的姓名" in str(words)) is repeated
        assert words["until"] == "2026-03-09T17:30+08:00"


async def test_officials_letters_carry_none_of_it(town: Town) -> None:
    issue = await town.direct()
    await town.does("head_roads", "extend", {"until": town.day(10), "reason": "灯具到货推迟。"}, issue)
    await town.does("inspector", "grant", {}, issue)
    town.clock.now += timedelta(minutes=1)
    others = [one for one in await letters_of(town) if not one.recipient.startswith("voice:")]
    assert others and all(set(one.words) <= {"query_code", "step_zh", "step_en", "due"} for one in others)
