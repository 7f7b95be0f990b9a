"""What a hotline manager tries on the first day, over HTTP: from the first word to who claims it, and how the door answers (docs/rules.md §10, §4)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from io import BytesIO
from typing import Any

from PIL import Image
from sqlalchemy import Engine, event

from tests.doors.town import NOTICE, Town, at


async def test_01_a_resident_posts_and_gets_a_query_code(town: Town) -> None:
    form = {
        "text": "小区东门的路灯坏了一周。",
        "place": "东门",
        "contact": {"phone": "13800000001"},
        "notice_version": NOTICE,
    }
    receipt = await town.does("", "submit", form)
    assert receipt["status"] == 201
    assert receipt["step"] == "propose"
    progress = await town.get(f"/progress/{receipt['query_code']}", "")
    assert (progress["id"], progress["step"]) == (receipt["id"], "propose")
    intake = await town.timer(receipt["id"], "intake")
    assert intake["colour"] == "green"
    assert intake["due_at"] == town.clock.now + timedelta(hours=24)


async def test_02_while_a_supplement_is_awaited_intake_pauses_and_then_the_rest_runs_on(town: Town) -> None:
    issue = await town.submit(place="unknown", contact={"phone": "13800000001"})
    first = await town.timer(issue, "intake")
    await town.later(hours=2)
    await town.does("intake1", "ask_supplement", {"missing": ["具体地点"]}, issue)
    assert (await town.timer(issue, "intake"))["colour"] == "paused"
    await town.later(hours=30)
    await town.does(issue, "supply", {"place": "学院路6号门前"}, issue)
    again = await town.timer(issue, "intake")
    assert (await town.see(issue))["step"] == "propose"
    assert again["colour"] == "green"
    assert again["due_at"] == first["due_at"] + timedelta(hours=30)
    assert again["elapsed_seconds"] == 2 * 3600
    assert (await town.refused("intake1", "ask_supplement", {"missing": ["照片"]}, issue))["code"] == "asked_only_once"


async def test_03_a_supplement_not_given_in_five_working_days_ends_it_and_it_may_come_again(town: Town) -> None:
    issue = await town.submit(place="unknown", contact={"phone": "13800000001"})
    await town.does("intake1", "ask_supplement", {"missing": ["具体地点"]}, issue)
    assert (await town.timer(issue, "supplement"))["due_at"] == at("2026-03-09 17:30")
    await town.until(at("2026-03-09 17:29"))
    assert (await town.see(issue))["step"] == "supplement"
    await town.until(at("2026-03-09 17:30"))
    seen = await town.see(issue)
    assert (seen["step"], seen["refusal"]) == ("rejected", "no_supplement")
    assert await town.submit(contact={"phone": "13800000001"}) != issue


async def test_04_a_gas_leak_is_urgent_shows_the_number_and_never_enters_a_round(town: Town) -> None:
    receipt = await town.does("", "submit", {"text": "煤气漏气了快来人", "notice_version": NOTICE})
    issue = receipt["id"]
    assert receipt["emergency"] == "119"
    assert (await town.see(issue))["urgency"] == "urgent"
    form = {"category": "gas", "urgency": "general", "grid": "g-01"}
    assert (await town.refused("intake1", "accept_topic", form, issue))["code"] == "neither_urgent_nor_tip_off"
    await town.does("intake1", "accept_direct", {"unit": "roads", "category": "gas"}, issue)
    seen = await town.see(issue)
    assert (seen["step"], seen["lane"], seen["leader"]) == ("solve", "direct", "副主任一")
    assert (await town.timer(issue, "solve"))["due_at"] == town.clock.now + timedelta(hours=2)


async def test_05_a_refusal_without_reason_and_route_is_422(town: Town) -> None:
    issue = await town.submit()
    for form in ({}, {"reason": "不归我们管"}, {"route": "outside"}, {"route": "nowhere", "reason": "不归我们管"}):
        problem = await town.refused("intake1", "reject", form, issue)
        assert (problem["status"], problem["code"]) == (422, "says_why_and_where_to")
    await town.does("intake1", "reject", {"route": "outside", "reason": "属于邻区管辖。"}, issue)
    assert (await town.see(issue))["refusal"] == "outside"


async def test_14_three_gates_sign_in_order_and_all_of_them(town: Town) -> None:
    issue = await town.topic(livelihood=True)
    await town.vote(issue)
    assert (await town.refused("gate3", "sign_gate", {"agree": True}, issue))["code"] == "gates_in_order"
    await town.does("gate1", "sign_gate", {"agree": True}, issue)
    problem = await town.refused("gate3", "sign_gate", {"agree": True}, issue)
    assert (problem["status"], problem["code"], problem["turn"]) == (422, "gates_in_order", 2)
    await town.does("gate2", "sign_gate", {"agree": True}, issue)
    problem = await town.refused("panel1", "publish", {}, issue)
    assert (problem["status"], problem["code"], problem["signed"]) == (422, "gates_signed", 2)
    await town.does("gate3", "sign_gate", {"agree": True}, issue)
    await town.does("panel1", "publish", {}, issue)
    assert (await town.see(issue, ""))["step"] == "claim"


async def test_15_a_third_time_in_reserve_is_422_and_only_three_ways_stay_open(town: Town) -> None:
    issue = await town.topic()
    for _ in range(2):
        await town.does("panel1", "reserve", {"reason": "资金待落实。", "next_round": town.day(20)}, issue)
        await town.later(days=10)
    problem = await town.refused("panel1", "reserve", {"reason": "再等等。", "next_round": town.day(20)}, issue)
    assert (problem["status"], problem["code"]) == (422, "reserved_at_most_twice")
    assert {"publish", "divert", "explain"} <= set((await town.see(issue, "panel1"))["moves"])
    asked = await town.does("panel1", "explain", {"reason": "无法定依据。", "answer": "现行规定不支持。"}, issue)
    assert (asked["status"], asked["awaits"]) == (202, "inspector")
    await town.does("inspector", "grant", {}, issue)
    seen = await town.see(issue)
    assert (seen["step"], seen["closing"]) == ("closed", "explained")


async def test_16_of_two_leaders_in_the_same_second_one_wins_and_the_other_hears_who(town: Town) -> None:
    issue = await town.published()
    tries = await asyncio.gather(*(town.act(who, "claim", town.card(), issue) for who in ("leader1", "leader2")))
    assert sorted(answer.status_code for answer in tries) == [200, 409]
    lost = next(answer.json() for answer in tries if answer.status_code == 409)
    winner = (await town.see(issue))["leader"]
    assert winner in {"副主任一", "副主任二"}
    assert lost["leader"] == winner


async def test_17_a_sixth_claim_is_422_with_the_cap(town: Town) -> None:
    for _ in range(5):
        await town.claimed()
    sixth = await town.published()
    problem = await town.refused("leader1", "claim", town.card(), sixth)
    assert (problem["status"], problem["code"], problem["cap"]) == (422, "below_cap", 5)
    await town.does("leader2", "claim", town.card(), sixth)


async def test_18_unclaimed_for_three_working_days_the_principal_designates(town: Town) -> None:
    issue = await town.published()
    form = town.card() | {"leader": "leader2", "prepared_by": "inspector"}
    assert (await town.refused("principal", "designate", form, issue))["code"] == "claim_is_overdue"
    assert (await town.timer(issue, "claim"))["due_at"] == at("2026-03-05 17:30")
    await town.until(at("2026-03-05 17:31"))
    assert (await town.timer(issue, "claim"))["colour"] == "red"
    assert (await town.timer(issue, "designate"))["due_at"] == at("2026-03-09 17:30")
    assert await town.letters(issue, "overdue")
    await town.does("principal", "designate", form, issue)
    seen = await town.see(issue)
    assert (seen["step"], seen["designated"], seen["leader"]) == ("solve", True, "副主任二")


async def test_20_a_plan_without_milestone_or_lead_unit_is_422(town: Town) -> None:
    issue = await town.claimed()
    assert (await town.refused("leader1", "approve_plan", town.plan(milestones=[]), issue))["code"] == "has_a_milestone"
    assert (await town.refused("leader1", "approve_plan", town.plan(lead_unit=""), issue))["code"] == "lead_unit_is_set"
    assert (await town.refused("leader1", "approve_plan", town.plan(goal=""), issue))["status"] == 422
    await town.does("leader1", "approve_plan", town.plan(), issue)
    assert (await town.timer(issue, "solve"))["colour"] == "green"
    assert (await town.timer(issue, "plan"))["colour"] == "stopped"


async def test_21_five_working_days_over_the_national_holiday(town: Town) -> None:
    town.clock.now = at("2026-09-30 10:00")
    issue = await town.direct()
    assert (await town.timer(issue, "solve"))["due_at"] == at("2026-10-13 17:30")


async def test_22_one_working_day_before_spring_festival_ends_on_a_made_up_saturday(town: Town) -> None:
    town.clock.now = at("2026-02-13 10:00")
    issue = await town.direct()
    assert (await town.timer(issue, "contact"))["due_at"] == at("2026-02-14 17:30")


async def test_a_refusal_comes_in_the_agreed_order(town: Town) -> None:
    issue = await town.direct()
    await town.does("officer_roads", "sign", {}, issue, Idempotency_Key="first")
    nonsense, stale = b"not a form", {"If_Match": '"1"'}

    async def status(who: str, move: str, at_issue: str = issue) -> int:
        answer: int = (await town.refused(who, move, nonsense, at_issue, **stale))["status"]
        return answer

    assert await status("la1.nobody", "contact") == 401
    assert await status("", "contact") == 401
    assert await status("officer_roads", "contact", "no-such-issue") == 404
    assert await status("officer_water", "contact") == 404, "what is not yours to see is not there"
    assert await status("sysadmin", "contact") == 403, "an admin who reads no case is told so"
    again = await town.does("officer_roads", "sign", {}, issue, Idempotency_Key="first", **stale)
    assert again["version"] == 3, "a known key is answered before wrong state and stale version"
    assert await status("analyst", "contact") == 403
    assert await status("intake1", "accept_direct") == 409
    assert await status("officer_roads", "sign") == 409
    assert await status("officer_roads", "contact") == 412
    assert (await town.refused("officer_roads", "contact", nonsense, issue))["status"] == 422
    assert (await town.refused("intake1", "accept_direct", {}, issue))["open"] == (await town.see(issue))["moves"]


async def test_a_key_sent_again_gets_the_first_receipt_and_is_good_for_one_form_only(town: Town) -> None:
    form: dict[str, Any] = {"text": "学院路口有一个大坑。", "place": "学院路口", "notice_version": NOTICE}
    first = await town.does("", "submit", form, Idempotency_Key="k-1")
    again = await town.does("", "submit", form, Idempotency_Key="k-1")
    assert {k: again[k] for k in ("id", "query_code", "version")} == {
        k: first[k] for k in ("id", "query_code", "version")
    }
    assert len((await town.get("/issues"))["issues"]) == 1
    problem = await town.refused("", "submit", form | {"place": "别处"}, Idempotency_Key="k-1")
    assert (problem["status"], problem["code"]) == (422, "key_reused")
    await town.does("intake1", "ask_supplement", {"missing": ["照片"]}, first["id"], Idempotency_Key="k-1")
    for _ in range(2):
        once = await town.does("intake1", "ask_supplement", {"missing": ["照片"]}, first["id"], Idempotency_Key="k-1")
        assert once["version"] == 2
    assert (await town.see(first["id"]))["version"] == 2


async def test_who_saw_an_older_version_is_told_to_read_again(town: Town) -> None:
    issue = await town.direct()
    answer = await town.client.get(f"/api/v1/issues/{issue}", headers=town.headers("officer_roads"))
    seen = answer.headers["ETag"]
    await town.does("officer_roads", "sign", {}, issue, If_Match=seen)
    note = {"text": "已到现场查看。"}
    problem = await town.refused("officer_roads", "progress", note, issue, If_Match=seen)
    assert (problem["status"], problem["code"], problem["version"]) == (412, "stale", 3)
    assert (await town.refused("officer_roads", "progress", note, issue, If_Match="yesterday"))["status"] == 412
    for fresh in ('"3"', 'W/"4"', "*"):
        await town.does("officer_roads", "progress", note, issue, If_Match=fresh)


async def test_a_photo_sent_in_loses_what_the_camera_wrote_and_is_not_for_strangers(town: Town) -> None:
    notes = Image.Exif()
    notes[0x010F] = "SECRETPHONE"
    notes.get_ifd(0x8825).update({1: "N", 2: (31.0, 51.0, 7.5), 3: "E", 4: (115.0, 54.0, 30.0)})
    written = BytesIO()
    Image.new("RGB", (64, 32), (20, 120, 20)).save(written, "JPEG", exif=notes)
    issue = await town.submit()
    await town.photo(issue, issue, written.getvalue())
    (kept,) = (await town.get(f"/issues/{issue}/files", issue))["files"]
    path = f"/api/v1/issues/{issue}/files/{kept['id']}"
    answer = await town.client.get(path, headers=town.headers(issue))
    assert answer.status_code == 200
    assert b"SECRETPHONE" in written.getvalue()
    assert b"SECRETPHONE" not in answer.content
    picture = Image.open(BytesIO(answer.content))
    assert (picture.size, dict(picture.getexif())) == ((64, 32), {})
    assert (await town.client.get(path)).status_code == 401
    assert (await town.client.get(path, headers=town.headers("officer_water"))).status_code == 404


async def test_a_move_a_list_and_a_page_keep_to_their_few_statements(town: Town) -> None:
    for _ in range(50):
        await town.submit("intake1")
    issue = await town.direct()
    with statements() as sent:
        await town.does("officer_roads", "contact", {"method": "phone", "result": "已联系。"}, issue)
    assert 0 < len(sent) <= 8, sent
    with statements() as sent:
        assert len((await town.get("/issues?limit=50"))["issues"]) == 50
    assert 0 < len(sent) <= 4, sent
    with statements() as sent:
        await town.see(issue)
        await town.get(f"/issues/{issue}/timeline")
        await town.get(f"/issues/{issue}/files")
    assert 0 < len(sent) <= 8, sent


@contextmanager
def statements() -> Iterator[list[str]]:
    """Every statement any engine sends meanwhile, but for the frame of a transaction."""
    sent: list[str] = []

    def heard(_conn: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        if statement.split(None, 1)[0].upper() not in {"BEGIN", "COMMIT", "PRAGMA"}:
            sent.append(statement)

    event.listen(Engine, "before_cursor_execute", heard)
    try:
        yield sent
    finally:
        event.remove(Engine, "before_cursor_execute", heard)
