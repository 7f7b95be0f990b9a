"""What a hotline manager tries on the first day, over HTTP: from the first word to who claims it (docs/rules.md §10)."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from tests.doors.town import NOTICE, Town, at


async def test_01_a_resident_posts_and_gets_a_query_code(town: Town) -> None:
    form = {"text": "小区东门的路灯坏了一周。", "place": "东门", "contact": {"phone": "13800000001"}, "notice_version": NOTICE}
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
