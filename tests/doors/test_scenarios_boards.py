"""What a hotline manager tries first of the supervision, over HTTP and read from the boards (docs/rules.md §10, §5)."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

from tests.doors import test_boards
from tests.doors.test_boards import rows, town
from tests.doors.test_scenarios_2 import picture
from tests.doors.town import SHANGHAI, Body, Town, at

__all__ = ["town", "watched"]

watched = test_boards.watched


async def on_board(town: Town, issue: str, clock: str, unit: str = "", who: str = "inspector") -> Body:
    """That clock of that issue, as the overdue board shows it."""
    row = next(r for r in await rows(town, "overdue", who) if r["issue"]["id"] == issue)
    found: Body = next(c for c in row["clocks"] if c["clock"] == clock and unit in ("", c["unit"]))
    return found


async def test_27_one_of_two_assisting_units_is_late_the_lead_stays_accountable_and_the_late_one_is_urged(
    watched: Town,
) -> None:
    issue = await watched.claimed()
    await watched.does("leader1", "approve_plan", watched.plan(), issue)
    for unit in ("water", "parks"):
        await watched.does("head_roads", "add_unit", {"unit": unit}, issue)
    for unit in ("roads", "water"):
        await watched.does(f"officer_{unit}", "sign", {}, issue)
    await watched.later(days=1, hours=2)
    late = await on_board(watched, issue, "sign", "parks")
    assert (late["colour"], late["late"]) == ("red", ["unit:parks"])
    [row] = [r for r in await rows(watched, "overdue", "officer_parks") if r["issue"]["id"] == issue]
    assert row["issue"]["lead_unit"] == "roads", "主办负责"
    assert {c["unit"] for c in row["clocks"] if c["clock"] == "sign"} == {"parks"}
    told = await watched.letters(issue, "warn") + await watched.letters(issue, "overdue")
    assert {to for to in told if to.startswith("unit:")} == {"unit:parks"}
    assert "unit:parks" in await watched.letters(issue, "urge")
    overall = next(c for c in (await watched.see(issue))["clocks"] if c["clock"] == "solve")
    assert overall["colour"] == "green", "the lead's own clock runs on as before"


async def test_34_overdue_by_a_minute_is_red_and_the_ladder_climbs_from_one_urge_a_day_to_an_interview(
    watched: Town,
) -> None:
    issue = await watched.claimed()
    due = (await watched.timer(issue, "plan"))["due_at"]
    assert due == at("2026-03-05 17:30")
    await watched.until(due - timedelta(minutes=1))
    assert (await on_board(watched, issue, "plan"))["colour"] == "yellow"
    await watched.until(due + timedelta(minutes=1))
    late = await on_board(watched, issue, "plan")
    assert (late["colour"], late["rung"], late["late"]) == ("red", 0, ["person:leader1"])
    await watched.until(at("2026-03-06 09:00"))
    assert (await on_board(watched, issue, "plan"))["rung"] == 1, "urged the next day"
    assert await rows(watched, "orders", "inspector") == []
    await watched.until(at("2026-03-10 17:29"))
    assert (await on_board(watched, issue, "plan"))["rung"] == 1
    await watched.until(at("2026-03-10 17:31"))
    assert (await on_board(watched, issue, "plan"))["rung"] == 2
    [draft] = await rows(watched, "orders?state=drafted", "inspector")
    assert (draft["issue"]["id"], draft["to"], draft["about"]) == (issue, "person:leader1", "plan")
    assert datetime.fromisoformat(draft["drafted_at"]) == at("2026-03-10 17:30")
    await watched.until(at("2026-03-17 17:31"))
    row = next(r for r in await rows(watched, "overdue?rung=3", "team") if r["issue"]["id"] == issue)
    assert row["interviews_proposed"] == 1
    plan = next(c for c in row["clocks"] if c["clock"] == "plan")
    assert [(e["what"], e.get("rung")) for e in plan["history"] if e["what"] == "urged"] == [
        ("urged", 1), ("urged", 2), ("urged", 3),
    ]  # fmt: skip
    days = Counter(
        datetime.fromisoformat(e["at"]).astimezone(SHANGHAI).date() for e in plan["history"] if e["what"] == "urged"
    )
    assert set(days.values()) == {1}, "never two a day"


async def test_40_a_rating_called_malicious_still_counts_until_a_team_that_took_no_part_decides(watched: Town) -> None:
    issue = await watched.direct_checked()
    rating = {"level": 1, "contacted": True, "solved": "no", "text": "不行。"}
    await watched.does(watched.rating(issue), "rate", rating, issue)
    called = {"code": "malicious", "reason": "同一人借他人名义恶意差评。"}
    asked = await watched.does("head_roads", "exclude", called, issue)
    assert (asked["status"], asked["awaits"]) == (202, "exclusion_team")
    [marked] = await rows(watched, "requests", "team")
    assert (marked["move"], marked["form"]["code"], marked["yours"]) == ("exclude", "malicious", True)
    seen = await watched.see(issue, "team")
    assert (seen["excluded"], seen["ratings"]["rated"]) == (None, 1), "counted as before"
    assert await rows(watched, "requests", "inspector") == []
    assert await rows(watched, "requests", "team2") == [], "formerly of the unit"
    [waiting] = await rows(watched, "requests?role=team", "team2")
    assert waiting["yours"] is False
    assert (await watched.refused("team2", "grant", {}, issue))["code"] == "not_former_unit"
    await watched.does("team", "grant", {}, issue)
    seen = await watched.see(issue, "team")
    assert (seen["excluded"], seen["ratings"]["rated"]) == ("malicious", 1), "the row itself is never altered"
    assert await rows(watched, "requests?role=team", "team2") == []
    board = await watched.get("/boards/outliers", "team")
    assert [(r["who"], r["made"]) for r in board["by_unit"] if r["move"] == "exclude"] == [("roads", 1)]


async def test_40_who_took_part_in_the_case_does_not_decide_on_its_malicious_rating(watched: Town) -> None:
    issue = await watched.direct(category="noise", text="楼下歌厅半夜太吵,请管一管。")
    await watched.photo("team", issue, picture())
    await watched.checked(issue)
    await watched.does(watched.rating(issue), "rate", {"level": 1, "contacted": True, "solved": "no"}, issue)
    await watched.does("head_roads", "exclude", {"code": "malicious", "reason": "恶意差评。"}, issue)
    assert await rows(watched, "requests", "team") == []
    [seen] = await rows(watched, "requests?role=team", "team")
    assert (seen["took_part"], seen["yours"]) == (True, False)
    assert (await watched.refused("team", "grant", {}, issue))["code"] == "took_no_part"


async def test_48_a_seventy_year_old_who_phoned_is_called_back_and_the_rating_counts_with_its_channel(
    watched: Town,
) -> None:
    caller = {"contact": {"phone": "13800000070"}, "source": "12345", "external_id": "T-70", "on_behalf": True}
    issue = await watched.submit("intake1", text="楼下歌厅半夜太吵,睡不着。", consent=True, **caller)
    form = {"unit": "roads", "category": "noise", "urgency": "general"}
    await watched.does("intake1", "accept_direct", form, issue)
    await watched.checked(issue)
    [row] = await rows(watched, "callbacks", "caller")
    [person] = row["people"]
    assert (person["phoned"], person["channel"], person["has_number"]) == (True, "12345", True)
    opened = await watched.client.post(row["contact"], json={"purpose": "回访核实"}, headers=watched.headers("caller"))
    assert opened.json()["people"][0]["phone"] == "13800000070"
    said = {"voice": person["voice"], "level": 5, "contacted": True, "solved": "yes", "number": "13800000070",
            "called_at": watched.clock.now.isoformat()}  # fmt: skip
    await watched.does("caller", "rate", said, issue)
    seen = await watched.see(issue)
    assert (seen["step"], seen["ratings"]["rated"]) == ("closed", 1)
    assert await test_boards.channels(watched, issue) == ["callback"], "shown apart from the tokens'"
    assert await rows(watched, "callbacks", "caller") == []
