"""Campaigns over HTTP: what belongs to one, by criteria and by hand, and what its report counts (docs/rules.md §2)."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection

from liuti.flow.words import Role
from liuti.store import passes, people
from tests.doors import conftest
from tests.doors.beside import booked, post, refusal
from tests.doors.town import Body, Town, at

__all__ = ["town"]

town = conftest.town
NOISE = {
    "name": "夜间噪声专项行动", "goal": "夜间噪声三日内处置。", "starts": "2026-03-01", "ends": "2026-03-31", "categories": ["noise"],
}  # fmt: skip


async def noise(town: Town, unit: str = "roads") -> str:
    return await town.direct(unit, category="noise", text="楼下歌厅半夜太吵,请管一管。")


async def issues_of(town: Town, campaign: str, who: str = "intake1") -> list[str]:
    return [issue["id"] for issue in (await town.get(f"/campaigns/{campaign}/issues", who))["issues"]]


async def report_of(town: Town, campaign: str) -> Body:
    return await town.get(f"/campaigns/{campaign}/report", "officer_parks")


async def test_what_fits_kind_category_place_and_period_belongs_and_nothing_else(town: Town) -> None:
    def tree(conn: Connection) -> None:
        for grid, level, parent in (
            ("d", "district", ""),
            ("t1", "town", "d"),
            ("t10", "town", "d"),
            ("g-01", "grid", "t1"),
        ):
            people.add_grid(conn, grid, grid, level, parent)

    await town.office.engine.write(tree)
    loud, road = await noise(town), await town.direct()
    here = await town.topic()
    campaign = (await post(town, "inspector", "/campaigns", NOISE))["id"]
    assert await issues_of(town, campaign) == [loud]
    near = (await post(town, "principal", "/campaigns", NOISE | {"categories": [], "grids": ["t1"]}))["id"]
    assert await issues_of(town, near) == [here], "t10 begins like t1 and is another town"
    roads_near = NOISE | {"categories": ["noise"], "grids": ["t1"]}
    assert await issues_of(town, (await post(town, "inspector", "/campaigns", roads_near))["id"]) == []
    asked = (await post(town, "inspector", "/campaigns", NOISE | {"kinds": ["consult"]}))["id"]
    assert await issues_of(town, asked) == []
    earlier = (await post(town, "inspector", "/campaigns", NOISE | {"ends": "2026-03-01"}))["id"]
    assert await issues_of(town, earlier) == []
    bare = (await post(town, "inspector", "/campaigns", NOISE | {"categories": []}))["id"]
    assert await issues_of(town, bare) == [], "without a criterion nothing belongs by itself"
    await town.until(at("2026-03-31 23:59"))
    last = await noise(town)
    await town.until(at("2026-04-01 00:00"))
    await noise(town)
    assert await issues_of(town, campaign) == [last, loud]
    assert road not in await issues_of(town, campaign)


async def test_a_hands_word_goes_before_the_criteria_until_it_is_taken_back(town: Town) -> None:
    loud, road = await noise(town), await town.direct()
    campaign = (await post(town, "inspector", "/campaigns", NOISE))["id"]
    path = f"/campaigns/{campaign}/place"
    await post(town, "inspector", path, {"issues": [road], "belongs": True})
    await post(town, "inspector", path, {"issues": [loud], "belongs": False})
    assert await issues_of(town, campaign) == [road]
    await post(town, "inspector", path, {"issues": [road, loud, loud], "belongs": None})
    assert await issues_of(town, campaign) == [loud]
    assert await booked(town, campaign) == [
        ("inspector", "add_campaign"), *[("inspector", "place_in_campaign")] * 3,
    ]  # fmt: skip


async def test_a_tip_off_belongs_to_no_campaign(town: Town) -> None:
    def named(conn: Connection) -> dict[str, str]:
        roles = {Role.INSPECTOR}
        people.add_person(conn, "named", "named", "named", roles=roles, unit="inspection", tip_offs=True)
        return {"named": passes.make_token(conn, "named", "test", town.clock.now, None)}

    town.secrets |= await town.office.engine.write(named)
    tip = await town.submit("intake1", kind="tip_off", text="楼下歌厅半夜太吵,有人收了红包。", against="water")
    campaign = (await post(town, "inspector", "/campaigns", NOISE | {"categories": [], "kinds": ["tip_off"]}))["id"]
    assert await issues_of(town, campaign, "named") == []
    one = {"issues": [tip]}
    assert await refusal(town, "named", f"/campaigns/{campaign}/place", one) == (422, "not_a_tip_off")
    assert await refusal(town, "inspector", f"/campaigns/{campaign}/place", one) == (404, "no_such_issue")


async def test_the_report_counts_by_state_and_gives_every_rate_its_n_and_its_interval(town: Town) -> None:
    rated = []
    for _ in range(11):
        issue = await town.submit("intake1", text="楼下歌厅半夜太吵,请管一管。")
        await town.does("intake1", "accept_direct", {"unit": "roads", "category": "noise", "urgency": "general"}, issue)
        rated.append(issue)
    for place, issue in enumerate(rated[:10]):
        await town.checked(issue)
        level = {"level": 2 if place == 9 else 5, "contacted": True, "solved": "yes"}
        await town.does(town.rating(issue), "rate", level, issue)
    await town.direct()
    campaign = (await post(town, "inspector", "/campaigns", NOISE))["id"]
    await town.later(days=20)
    told = await report_of(town, campaign)
    assert (told["issues"], told["by_step"]["closed"]) == (11, 10)
    assert told["overdue"] == 1
    on_time, satisfied = told["total"]["rates"]["on_time"]["raw"], told["total"]["rates"]["satisfied"]["raw"]
    assert (on_time["hits"], on_time["n"]) == (10, 11)
    assert 0 < on_time["low"] < on_time["value"] < on_time["high"] < 1
    assert (satisfied["hits"], satisfied["n"], satisfied["text"]) == (9, 10, "9/10 (59.6-98.2 %), 不参与排名")
    assert "claimed" not in told["total"]["rates"]
    assert [group["key"] for group in told["groups"]] == ["roads"]


async def test_only_an_inspector_or_the_principal_begins_one_and_only_officials_read_it(town: Town) -> None:
    campaign = (await post(town, "principal", "/campaigns", NOISE))["id"]
    for who in ("team", "leader1", "officer_roads", "intake1", "sysadmin"):
        assert (await refusal(town, who, "/campaigns", NOISE))[0] == 403, who
        assert (await refusal(town, who, f"/campaigns/{campaign}/place", {"issues": ["x"]}))[0] == 403, who
    for path in ("/campaigns", *(f"/campaigns/{campaign}{more}" for more in ("", "/issues", "/report"))):
        assert await refusal(town, "", path, method="GET") == (401, "sign_in"), path
        assert (await refusal(town, "sysadmin", path, method="GET"))[0] == 403, path
        await town.get(path, "officer_roads")
    assert await refusal(town, "inspector", "/campaigns/nobody/report", method="GET") == (404, "no_such_campaign")
    assert (await refusal(town, "", "/campaigns", NOISE))[0] == 401
    listed = (await town.get("/campaigns", "team"))["campaigns"]
    assert [(row["id"], row["name"]) for row in listed] == [(campaign, NOISE["name"])]


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"ends": "2026-02-01"}, "bad_period"), ({"grids": ["nowhere"]}, "no_such_grid"),
        ({"categories": ["dragons"]}, "category_is_known"), ({"kinds": ["rumour"]}, "bad_form"), ({"name": " "}, "bad_form"),
        ({"starts": "0001-01-01"}, "bad_form"),
    ],
)  # fmt: skip
async def test_a_campaign_that_cannot_be_is_refused_in_words(town: Town, wrong: Body, code: str) -> None:
    await post(town, "inspector", "/campaigns", NOISE)
    assert await refusal(town, "inspector", "/campaigns", NOISE | wrong) == (422, code)
