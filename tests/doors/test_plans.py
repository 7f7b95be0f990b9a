"""The board of milestones over HTTP: planned against actual, the furthest slipped first (docs/rules.md §2)."""

from __future__ import annotations

from tests.doors import conftest
from tests.doors.beside import refusal
from tests.doors.town import Body, Town, at

__all__ = ["town"]

town = conftest.town


async def planned(town: Town, leader: str, *days: int, unit: str = "roads") -> str:
    """A topic with a milestone due so many days from today each."""
    issue = await town.claimed(leader)
    steps = [{"title": f"第{n}步", "due": town.day(day)} for n, day in enumerate(days, start=1)]
    await town.does(leader, "approve_plan", town.plan(lead_unit=unit, milestones=steps), issue)
    return issue


async def board(town: Town, who: str = "inspector", query: str = "") -> list[Body]:
    rows: list[Body] = (await town.get(f"/boards/milestones{query}", who))["rows"]
    return rows


def told(rows: list[Body]) -> list[tuple[str, int, str, bool, int]]:
    return [(r["issue"]["id"], r["milestone"], r["state"], r["slipped"], r["slip_days"]) for r in rows]


async def test_late_open_and_late_done_are_slipped_and_come_first_by_days(town: Town) -> None:
    first = await planned(town, "leader1", 3, 6, 20)
    second = await planned(town, "leader2", 4, 5, unit="water")
    await town.until(at("2026-03-05 17:00"))
    await town.does("officer_roads", "milestone", {"number": 1, "evidence": "验收单"}, first)
    assert told(await board(town, query="?state=slipped")) == []
    await town.until(at("2026-03-08 09:00"))
    await town.does("officer_water", "milestone", {"number": 1, "evidence": "验收单"}, second)
    await town.until(at("2026-03-08 17:31"))
    rows = await board(town)
    assert told(rows) == [
        (second, 1, "done", True, 2), (second, 2, "open", True, 1), (first, 2, "open", True, 0),
        (first, 1, "done", False, 0), (first, 3, "open", False, 0),
    ]  # fmt: skip
    assert (rows[0]["unit"], rows[0]["evidence"], rows[1]["evidence"]) == ("water", 1, 0)
    assert rows[0]["planned"] < rows[0]["actual"]
    assert told(await board(town, query="?state=slipped")) == told(rows)[:3]
    await town.until(at("2026-03-12 10:00"))
    assert told(await board(town))[0] == (second, 2, "open", True, 5), "what is open slips on, what is done does not"
    assert (second, 1, "done", True, 2) in told(await board(town))


async def test_a_waived_milestone_is_not_slipped(town: Town) -> None:
    issue = await planned(town, "leader1", 3, 20)
    await town.does("officer_roads", "milestone", {"number": 1, "waive": True, "reason": "并入下一步。"}, issue)
    await town.does("leader1", "grant", {}, issue)
    await town.until(at("2026-03-20 10:00"))
    assert told(await board(town)) == [(issue, 1, "waived", False, 0), (issue, 2, "open", False, 0)]


async def test_leaders_and_units_read_of_their_own_and_nobody_else_reads_it(town: Town) -> None:
    mine = await planned(town, "leader1", 3)
    theirs = await planned(town, "leader2", 3, unit="water")
    await town.direct()
    for who, own in (("leader1", [mine]), ("leader2", [theirs]), ("head_water", [theirs]), ("officer_parks", [])):
        assert [row["issue"]["id"] for row in await board(town, who)] == own, who
    for who in ("inspector", "team", "principal"):
        assert {row["issue"]["id"] for row in await board(town, who)} == {mine, theirs}, who
    assert [row["issue"]["id"] for row in await board(town, "team", "?unit=water")] == [theirs]
    assert [row["issue"]["id"] for row in await board(town, "team", "?leader=leader1")] == [mine]
    for who in ("intake1", "panel1", "caller", "sysadmin"):
        assert (await refusal(town, who, "/boards/milestones", method="GET"))[0] == 403, who
    assert (await refusal(town, "", "/boards/milestones", method="GET"))[0] == 401


async def test_the_board_reads_on_where_it_left_off(town: Town) -> None:
    await planned(town, "leader1", 3, 4, 5)
    first = await town.get("/boards/milestones?limit=2", "team")
    rest = await town.get(f"/boards/milestones?limit=2&after={first['after']}", "team")
    assert [row["milestone"] for row in first["rows"] + rest["rows"]] == [1, 2, 3]
    assert (rest["after"], rest["counts"]["open"], rest["more_plans"]) == (None, 3, False)
