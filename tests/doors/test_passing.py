"""What was passed at the gate, over HTTP: the strike-off ledger, and the second looks drawn for a team (docs/rules.md §4)."""

from __future__ import annotations

from hashlib import sha256

from liuti.flow.clocks import World
from tests.doors import test_boards
from tests.doors.test_boards import direct, rows, town
from tests.doors.test_scenarios_rates import rated
from tests.doors.town import Body, Town, at

__all__ = ["town", "watched"]

watched = test_boards.watched
AGREES = {"agrees": True, "method": "on_site", "note": "复核属实。"}
DISAGREES = {"agrees": False, "method": "on_site", "note": "现场仍然很吵。"}


def draw(town: Town, share: float) -> None:
    """From now on so many of what inspectors pass are looked at again."""
    world = town.office.desk.world()
    rule = world.policy.draw.model_copy(update={"second": share})
    changed = World(world.policy.model_copy(update={"draw": rule}), world.calendar)
    town.office.desk.world = lambda: changed


async def passed(town: Town, unit: str = "roads", method: str = "phone") -> str:
    issue = await direct(town, unit, "noise")
    await town.result(issue, unit)
    await town.does("inspector", "pass_check", {"method": method, "note": "已核实。"}, issue)
    return issue


async def entry(town: Town, issue: str, move: str) -> Body:
    lines = (await town.get(f"/issues/{issue}/timeline", "inspector"))["entries"]
    found: Body = next(line for line in lines if line["move"] == move)
    return found


# -- the strike-off ledger -----------------------------------------------------------------------------------------


async def test_the_strike_off_ledger_says_who_passed_what_when_how_and_on_what_evidence(watched: Town) -> None:
    first = await passed(watched)
    await watched.later(days=1)
    second = await passed(watched, "water", "documents")
    asked = await watched.submit("intake1", kind="consult", text="居住证在哪里办?")
    form = {"unit": "parks", "category": "noise", "urgency": "general"}
    await watched.does("intake1", "accept_direct", form, asked)
    await watched.result(asked, "parks")
    ledger = {row["issue"]["id"]: row for row in await rows(watched, "strike_offs", "inspector")}
    assert {first, second} <= set(ledger)
    row, said = ledger[first], await entry(watched, first, "pass_check")
    assert (row["by"], row["role"], row["method"], row["note"]) == ("inspector", "inspector", "phone", "已核实。")
    assert (row["at"], row["version"], row["evidence"]["seal"]) == (said["at"], said["version"], said["seal"])
    assert row["evidence"]["files"] == f"/api/v1/issues/{first}/files"
    assert row["undone"] is None
    by_clock = not (await watched.state(asked)).to_inspect
    assert (asked in ledger) is by_clock, "what the clock passed is in it as well"
    assert not by_clock or (ledger[asked]["by"], ledger[asked]["method"]) == ("clock", "rule")


async def test_it_is_cut_by_unit_and_by_days_and_units_read_of_their_own(watched: Town) -> None:
    first = await passed(watched)
    await watched.later(days=1)
    second = await passed(watched, "water")
    assert await test_boards.ids(watched, "strike_offs?unit=roads", "inspector") == [first]
    assert await test_boards.ids(watched, "strike_offs?since=2026-03-03&until=2026-03-03", "team") == [second]
    assert await test_boards.ids(watched, "strike_offs?since=2026-03-02&until=2026-03-02", "team") == [first]
    assert await test_boards.ids(watched, "strike_offs", "officer_water") == [second]
    assert await test_boards.ids(watched, "strike_offs", "leader1") == [first], "of the unit in their charge"
    assert await test_boards.ids(watched, "strike_offs?limit=1", "principal") == [second, first], "page by page"
    answer = await watched.client.get("/api/v1/boards/strike_offs", headers=watched.headers("caller"))
    assert answer.status_code == 403
    bad = await watched.client.get(
        "/api/v1/boards/strike_offs?since=2026-03-03&until=2026-03-01", headers=watched.headers("team")
    )
    assert (bad.status_code, bad.json()["code"]) == (422, "bad_period")


async def test_what_was_taken_back_stays_in_it_and_says_by_what(watched: Town) -> None:
    issue = await passed(watched)
    rating = {"level": 1, "contacted": True, "solved": "no", "reason": "没修"}
    await watched.does(watched.rating(issue), "rate", rating, issue)
    [row] = await rows(watched, "strike_offs", "inspector")
    assert row["undone"]["move"] == "redo"
    await watched.checked(issue)
    rest = await rows(watched, "strike_offs", "inspector")
    assert [line["undone"] and line["undone"]["move"] for line in rest] == [None, "redo"], (
        "a second line, not another first"
    )


# -- the second look -----------------------------------------------------------------------------------------------


async def test_a_team_looks_again_at_what_an_inspector_passed_and_its_finding_is_on_record(watched: Town) -> None:
    draw(watched, 1.0)
    issue = await passed(watched)
    [row] = await rows(watched, "rechecks", "team")
    assert (row["issue"]["id"], row["by"], row["yours"], row["finding"]) == (issue, "inspector", True, None)
    [seen] = await rows(watched, "rechecks", "team2")
    assert seen["yours"] is False, "formerly of the unit"
    assert (await watched.refused("team2", "recheck", AGREES, issue))["code"] == "not_former_unit"
    assert (await watched.refused("inspector2", "recheck", AGREES, issue))["code"] == "not_yours"
    await watched.does("team", "recheck", AGREES, issue)
    assert await rows(watched, "rechecks", "team") == []
    [row] = await rows(watched, "rechecks?state=agreed", "inspector")
    assert (row["finding"]["by"], row["finding"]["agrees"], row["finding"]["note"]) == ("team", True, "复核属实。")
    assert (await watched.see(issue))["step"] == "evaluate"
    assert (await watched.refused("team", "recheck", AGREES, issue))["code"] == "not_rechecked_yet"
    said = await entry(watched, issue, "recheck")
    assert (said["facts"]["drawn"], said["facts"]["passed"]) == (True, row["version"])


async def test_where_the_team_disagrees_a_closed_issue_is_reopened_and_its_next_check_has_a_lot_of_its_own(
    watched: Town,
) -> None:
    draw(watched, 1.0)
    issue = await rated(watched, 5)
    assert (await watched.see(issue))["step"] == "closed"
    await watched.does("team", "recheck", DISAGREES, issue)
    seen = await watched.see(issue)
    assert (seen["step"], await watched.letters(issue, "recheck.disagreed")) == (
        "solve",
        ["role:inspector", "person:leader1"],
    )
    assert [e["move"] for e in (await watched.get(f"/issues/{issue}/timeline"))["entries"]][-2:] == [
        "recheck",
        "reopen",
    ]
    [row] = await rows(watched, "rechecks?state=disagreed", "team")
    assert row["finding"]["note"] == "现场仍然很吵。"
    assert await rows(watched, "rechecks", "team") == []
    await watched.checked(issue)
    [row] = await rows(watched, "rechecks", "team")
    assert row["issue"]["id"] == issue
    [struck, undone] = await rows(watched, "strike_offs", "team")
    assert (struck["undone"], undone["undone"]["move"]) == (None, "reopen")


async def test_a_pass_that_was_taken_back_owes_no_second_look(watched: Town) -> None:
    draw(watched, 1.0)
    issue = await passed(watched)
    rating = {"level": 1, "contacted": True, "solved": "no", "reason": "没修"}
    await watched.does(watched.rating(issue), "rate", rating, issue)
    assert await rows(watched, "rechecks", "team") == []
    await watched.checked(issue)
    [row] = await rows(watched, "rechecks", "team")
    assert row["version"] == (await watched.see(issue))["version"], "the later of the two"


async def test_what_the_clock_passed_or_what_was_closed_without_a_result_is_not_looked_at_again(watched: Town) -> None:
    draw(watched, 1.0)
    issue = await direct(watched, category="noise")
    answer = {"ground": "inadmissible", "reason": "依法不应受理。", "answer": "终止。"}
    await watched.does("head_roads", "terminate", answer, issue)
    await watched.does("intake1", "grant", {}, issue)
    assert (await watched.refused("team", "recheck", AGREES, issue))["code"] == "an_inspector_passed_it"
    assert await rows(watched, "rechecks", "team") == []


async def test_anybody_can_draw_the_second_looks_again_from_the_seed_and_the_seals(watched: Town) -> None:
    draw(watched, 0.5)
    issues = [await passed(watched) for _ in range(12)]
    seed = (await watched.get("/boards/rechecks", "team"))["draw"]["seed"]
    chosen = set()
    for issue in issues:
        seal = (await entry(watched, issue, "pass_check"))["seal"]
        number = int.from_bytes(sha256(f"{seed}:second:{seal}".encode()).digest()[:8])
        if number < 0.5 * 2**64:
            chosen.add(issue)
    assert {row["issue"]["id"] for row in await rows(watched, "rechecks?limit=2", "team")} == chosen


async def test_after_the_time_to_reopen_nothing_is_owed_any_more(watched: Town) -> None:
    draw(watched, 1.0)
    await passed(watched)
    await watched.until(at("2026-06-15 10:00"))
    assert await rows(watched, "rechecks", "team") == []
