"""What a hotline manager tries on the first day, over HTTP: units at work, verification, ratings, the books (docs/rules.md §10)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from io import BytesIO
from typing import Any

import pytest
from PIL import Image
from sqlalchemy import Connection, text, update
from sqlalchemy.exc import DBAPIError

from liuti.flow.calendar import Notice
from liuti.store import ledger, sweep
from liuti.store.tables import entries
from liuti.store.world import import_notice
from tests.doors.town import NOTICE, Town, at

BACK = {"basis": "市政设施管理条例第5条", "reason": "该处由园林养护。", "unit": "parks"}
BAD = {"level": 1, "contacted": True, "solved": "no", "reason": "没修"}


async def test_24_a_send_back_upheld_brings_a_new_unit_and_restarts_nothing(town: Town) -> None:
    issue = await town.direct()
    before = {name: await town.timer(issue, name) for name in ("solve", "overall")}
    await town.later(hours=1)
    asked = await town.does("head_roads", "send_back", BACK, issue)
    assert (asked["status"], asked["awaits"]) == (202, "ruling")
    assert (await town.timer(issue, "ruling"))["due_at"] == at("2026-03-03 17:30")
    await town.later(hours=2)
    await town.does("intake1", "grant", {}, issue)
    seen = await town.see(issue)
    assert (seen["lead_unit"], seen["leader"]) == ("parks", "副主任二")
    for name, old in before.items():
        new = await town.timer(issue, name)
        assert new["started_at"] == old["started_at"]
        assert len(new["pauses"]) == 1, "only the time since the ask is given back"
        assert old["due_at"] <= new["due_at"] <= old["due_at"] + timedelta(days=1)
    assert (await town.timer(issue, "sign"))["started_at"] == town.clock.now


async def test_25_a_unit_designated_by_a_ruling_sends_nothing_back(town: Town) -> None:
    issue = await town.direct()
    await town.does("head_roads", "send_back", BACK, issue)
    await town.does("intake1", "grant", {}, issue)
    await town.does("officer_parks", "send_back", BACK | {"unit": "water"}, issue)
    assert (await town.does("head_parks", "grant", {}, issue))["awaits"] == "ruling"
    await town.does("inspector", "grant", {}, issue)
    problem = await town.refused("head_water", "send_back", BACK, issue)
    assert (problem["status"], problem["code"]) == (422, "not_ruled_yet")


async def test_26_a_matter_already_ruled_is_not_asked_again(town: Town) -> None:
    issue = await town.direct()
    await town.does("head_roads", "send_back", BACK, issue)
    problem = await town.refused("inspector_roads", "deny", {"reason": "属于你局职责。"}, issue)
    assert (problem["status"], problem["code"]) == (403, "outside_handling_units")
    await town.does("inspector", "deny", {"reason": "属于你局职责。"}, issue)
    problem = await town.refused("head_roads", "send_back", BACK, issue)
    assert problem["status"] == 422
    assert problem["ruling"] == "denied #1"


async def test_28_an_extension_is_asked_for_before_due_and_stops_nothing_while_undecided(town: Town) -> None:
    issue = await town.direct()
    due = (await town.timer(issue, "solve"))["due_at"]
    form = {"until": "2026-03-11", "reason": "材料未到。"}
    await town.until(due - timedelta(minutes=1))
    assert (await town.does("head_roads", "extend", form, issue))["awaits"] == "inspector"
    await town.until(due + timedelta(minutes=1))
    late = await town.timer(issue, "solve")
    assert (late["colour"], late["due_at"]) == ("red", due)
    await town.does("inspector", "deny", {"reason": "理由不足。"}, issue)
    problem = await town.refused("head_roads", "extend", form, issue)
    assert (problem["status"], problem["code"]) == (422, "asked_before_due")


async def test_30_a_suspension_waits_for_the_inspector_and_ends_by_itself(town: Town) -> None:
    issue = await town.claimed()
    await town.does("leader1", "approve_plan", town.plan(), issue)
    form = {"cause": "season", "review": "2026-03-20", "evidence": "雨季不宜施工。"}
    assert (await town.does("leader1", "suspend", form, issue))["status"] == 202
    assert (await town.see(issue))["step"] == "solve"
    assert (await town.refused("leader1", "grant", {}, issue))["status"] == 403
    due = (await town.timer(issue, "solve"))["due_at"]
    await town.does("inspector", "grant", {}, issue)
    assert (await town.see(issue))["step"] == "suspended"
    assert (await town.timer(issue, "solve"))["colour"] == "paused"
    await town.until(at("2026-03-20 17:29"))
    assert (await town.see(issue))["step"] == "suspended"
    await town.until(at("2026-03-20 17:30"))
    assert (await town.see(issue))["step"] == "solve"
    assert (await town.timer(issue, "solve"))["due_at"] > due


async def test_32_a_road_repair_without_photo_is_422(town: Town) -> None:
    issue = await town.direct()
    form = {"word": "solved", "reply": "坑已填平。", "evidence": "验收单", "told": True}
    problem = await town.refused("head_roads", "submit_result", form, issue)
    assert (problem["status"], problem["code"]) == (422, "physical_works_show_a_photo")
    await town.photo("officer_roads", issue, picture())
    await town.does("head_roads", "submit_result", form, issue)
    assert (await town.see(issue))["step"] == "supervise"


async def test_33_an_inspector_of_the_same_unit_may_not_pass_it(town: Town) -> None:
    issue = await town.direct(category="noise")
    await town.result(issue)
    problem = await town.refused("inspector_roads", "pass_check", {"method": "on_site"}, issue)
    assert (problem["status"], problem["code"]) == (403, "outside_handling_units")
    await town.does("inspector", "pass_check", {"method": "on_site"}, issue)


async def test_36_each_voice_is_invited_once_and_rates_once(town: Town) -> None:
    issue = await town.direct(category="noise")
    await town.does("", "cosign", {"contact": {"phone": "13800000002"}, "notice_version": NOTICE}, issue)
    await town.checked(issue)
    invited = await town.letters(issue, "invite")
    assert len(invited) == len(set(invited)) == 2
    token = town.rating(issue)
    await town.does(token, "rate", {"level": 5, "contacted": True, "solved": "yes"}, issue)
    problem = await town.refused(token, "rate", {"level": 4}, issue)
    assert (problem["status"], problem["code"]) == (409, "not_rated_yet")
    assert (await town.see(issue))["ratings"] == {"round": 1, "invited": 2, "rated": 1}


async def test_37_a_bad_rating_with_a_reason_brings_it_back(town: Town) -> None:
    issue = await town.direct_checked()
    await town.does(town.rating(issue), "rate", BAD, issue)
    seen = await town.see(issue)
    assert (seen["step"], seen["redos"]) == ("solve", 1)
    assert (await town.timer(issue, "redo"))["due_at"] == at("2026-03-05 17:30")
    assert (await town.timer(issue, "bad_review"))["due_at"] == at("2026-03-03 17:30")
    await town.does("officer_roads", "contact", {"method": "phone", "result": "已致歉并约定上门。"}, issue)
    assert (await town.timer(issue, "bad_review"))["colour"] == "stopped"


async def test_38_after_a_third_bad_result_comes_a_last_round_and_never_the_word_solved(town: Town) -> None:
    issue = await town.direct_checked()
    for round_ in (1, 2):
        await town.does(town.rating(issue, round_), "rate", BAD, issue)
        await town.checked(issue)
    await town.does(town.rating(issue, 3), "rate", BAD, issue)
    seen = await town.see(issue)
    assert (seen["step"], seen["last_round"], seen["redos"]) == ("solve", True, 2)
    assert (await town.timer(issue, "order"))["colour"] == "green"
    await town.checked(issue)
    await town.does(town.rating(issue, 4), "rate", BAD, issue)
    seen = await town.see(issue)
    assert (seen["step"], seen["closing"]) == ("closed", "partly")


async def test_39_fifteen_days_without_a_rating_close_it_unrated(town: Town) -> None:
    issue = await town.direct_checked()
    assert (await town.timer(issue, "evaluate"))["due_at"] == at("2026-03-17 17:30")
    await town.until(at("2026-03-17 17:29"))
    assert (await town.see(issue))["step"] == "evaluate"
    await town.until(at("2026-03-17 17:30"))
    seen = await town.see(issue)
    assert (seen["step"], seen["closing"]) == ("closed", "solved")
    assert seen["ratings"] == {"round": 1, "invited": 1, "rated": 0}
    state = await town.state(issue)
    assert (state.verdict.bad, state.verdict.proposer_level) == (0, 0), "unrated is no rating, good or bad"


async def test_45_an_edited_ledger_row_is_named_by_the_check(town: Town) -> None:
    await town.submit()
    issue = await town.direct()
    edit = update(entries).where(entries.c.issue_id == issue, entries.c.version == 2).values(actor="nobody")
    with pytest.raises(DBAPIError, match="append-only"):
        await town.office.engine.write(lambda conn: conn.execute(edit))
    verify = town.office.engine.read
    assert await verify(lambda conn: [b for b in ledger.verify(conn) if isinstance(b, ledger.Broken)]) == []

    def tamper(conn: Connection) -> None:
        for line in _without_the_guard(conn):
            conn.execute(text(line))
        conn.execute(edit)

    await town.office.engine.write(tamper)
    broken = await verify(lambda conn: [b for b in ledger.verify(conn) if isinstance(b, ledger.Broken)])
    assert [(b.issue, b.version) for b in broken] == [(issue, 2)]


def _without_the_guard(conn: Connection) -> Iterator[str]:
    if conn.dialect.name == "sqlite":
        yield "DROP TRIGGER entries_update"
    else:
        yield "DROP TRIGGER entries_row ON entries"


async def test_47_the_same_hotline_ticket_twice_is_one_issue(town: Town) -> None:
    form = {"text": "学院路口有一个大坑。", "place": "学院路口", "source": "12345", "external_id": "T-2026-0007"}
    first = await town.does("intake1", "submit", form)
    second = await town.does("intake2", "submit", form | {"text": "学院路口有一个大坑,市民再次来电。"})
    assert (first["status"], second["status"]) == (201, 200)
    assert (second["id"], second["query_code"]) == (first["id"], first["query_code"])
    assert len((await town.get("/issues"))["issues"]) == 1


async def test_06_a_closed_matter_posted_again_is_settled_only_by_two_officers(town: Town) -> None:
    first = await town.direct_checked()
    await town.until(at("2026-03-20 10:00"))
    again = await town.submit(text="楼下歌厅半夜太吵。", contact={"phone": "13800000001"})
    form: dict[str, Any] = {"route": "settled", "reason": "已办结并答复,没有新情况。"}
    assert (await town.refused("intake1", "reject", form, again))["field"] == "earlier"
    asked = await town.does("intake1", "reject", form | {"earlier": first}, again)
    assert (asked["status"], asked["awaits"]) == (202, "intake")
    assert (await town.see(again))["step"] == "propose"
    assert (await town.refused("intake1", "grant", {}, again))["code"] == "same_person"
    await town.does("intake2", "grant", {}, again)
    mine = await town.see(again, again)
    assert (mine["step"], mine["refusal"]) == ("rejected", "settled")
    assert (await town.state(again)).settled_by == first
    assert await town.letters(again, "reject") == [f"voice:{town.voices[again]}"]


async def test_07_thirty_neighbours_become_one_issue_with_thirty_voices(town: Town) -> None:
    found = [
        await town.submit(text=f"第{n}位邻居:路被堵死了。", contact={"phone": f"138000001{n:02}"}) for n in range(30)
    ]
    lead = found[0]
    for issue in found[1:]:
        await town.does("intake1", "merge", {"lead": lead, "reason": "同一路段。"}, issue)
    seen = await town.see(lead)
    assert seen["voices"] == 30
    assert (await town.see(found[-1]))["merged_into"] == lead
    await town.does("intake1", "accept_direct", {"unit": "roads", "category": "noise"}, lead)
    assert len(set(await town.letters(lead, "accept_direct")) - {"unit:roads"}) == 30
    await town.checked(lead)
    invited = await town.letters(lead, "invite")
    assert sorted(invited) == sorted(f"voice:{town.voices[issue]}" for issue in found)
    for issue in found:
        await town.does(town.rating(lead, voice=town.voices[issue]), "rate", {"level": 5, "solved": "yes"}, lead)
    seen = await town.see(lead)
    assert seen["ratings"] == {"round": 1, "invited": 30, "rated": 30}
    assert (seen["step"], seen["closing"]) == ("closed", "solved")


NOTICE_2027 = """
year = 2027
source = "测试用通知"

[[holiday]]
name = "元旦"
first = 2027-01-01
last = 2027-01-03
worked = []
"""


async def test_23_without_the_notice_of_a_year_due_times_are_provisional_until_it_comes(town: Town) -> None:
    town.clock.now = at("2026-12-30 10:00")
    issue = await town.direct()
    guessed = await town.timer(issue, "solve")
    assert guessed["provisional"]
    Notice.parse(NOTICE_2027)
    office = town.office
    await office.engine.write(lambda conn: import_notice(conn, NOTICE_2027, town.clock.now))
    await office.desk.world.refresh(office.engine)  # type: ignore[attr-defined]
    page = await office.engine.write(lambda conn: sweep.recount(conn, office.desk, "", town.clock.now))
    assert page.made == 1
    known = await town.timer(issue, "solve")
    assert not known["provisional"]
    assert known["due_at"] == at("2027-01-07 17:30")
    assert (await town.timer(issue, "overall"))["due_at"] == known["due_at"]
    assert "recompute" in await town.moves(issue)


def picture() -> bytes:
    """A photo whose camera wrote down where it was taken."""
    notes = Image.Exif()
    notes[0x010F] = "SECRETPHONE"
    notes.get_ifd(0x8825).update({1: "N", 2: (31.0, 51.0, 7.5), 3: "E", 4: (115.0, 54.0, 30.0)})
    written = BytesIO()
    Image.new("RGB", (64, 32), (20, 120, 20)).save(written, "JPEG", exif=notes)
    return written.getvalue()
