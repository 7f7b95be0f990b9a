"""Inspection teams over HTTP: never over their own former unit, samples that replay, findings with a deadline (docs/rules.md §2, §8)."""

from __future__ import annotations

from datetime import datetime

import pytest
from sqlalchemy import Connection, update

from liuti.flow.draws import digest_of, drawn
from liuti.flow.words import Role
from liuti.store import passes, people, tables
from tests.doors import conftest
from tests.doors.beside import booked, post, refusal
from tests.doors.town import Body, Town, at

__all__ = ["town"]

town = conftest.town
OVER = {
    "name": "第一督导组", "over_units": ["roads"], "starts": "2026-03-01", "ends": "2026-03-31", "members": [{"person": "team"}],
}  # fmt: skip
FOUND = {"unit": "roads", "text": "三件题的现场照片与核查记录不符。"}


@pytest.fixture
async def first(town: Town) -> str:
    return str((await post(town, "inspector", "/teams", OVER))["id"])


async def join(
    town: Town, name: str, unit: str, *former: str, roles: tuple[Role, ...] = (Role.TEAM,), tip_offs: bool = False
) -> None:
    def add(conn: Connection) -> str:
        people.add_person(conn, name, name, name, roles=roles, unit=unit, former_units=former, tip_offs=tip_offs)
        return passes.make_token(conn, name, "test", town.clock.now, None)

    town.secrets[name] = await town.office.engine.write(add)


async def work(town: Town, unit: str = "roads", grid: str = "", **more: str) -> str:
    issue = await town.submit("intake1", **more)
    form = {"unit": unit, "category": "noise", "urgency": "general"} | ({"grid": grid} if grid else {})
    await town.does("intake1", "accept_direct", form, issue)
    return issue


async def places(town: Town) -> None:
    def tree(conn: Connection) -> None:
        people.add_grid(conn, "d", "d", "district")
        people.add_grid(conn, "t1", "t1", "town", "d")
        people.add_grid(conn, "g-01", "g-01", "grid", "t1")

    await town.office.engine.write(tree)


async def board(town: Town, who: str, query: str = "") -> list[Body]:
    rows: list[Body] = (await town.get(f"/boards/findings{query}", who))["rows"]
    return rows


# -- who is over what ----------------------------------------------------------------------------------------------


async def test_a_team_is_never_put_over_a_unit_a_member_belongs_to_or_came_from(town: Town) -> None:
    await join(town, "of_roads", "roads")
    await join(town, "once_of_roads", "team", "roads")
    for person in ("of_roads", "once_of_roads"):
        members = [{"person": "team"}, {"person": person}]
        assert await refusal(town, "inspector", "/teams", OVER | {"members": members}) == (422, "not_former_unit")
    told = [{"person": "team", "former_units": ["roads"]}]
    assert await refusal(town, "inspector", "/teams", OVER | {"members": told}) == (422, "not_former_unit")
    made = await post(town, "principal", "/teams", OVER | {"members": told, "over_units": ["water"]})
    assert made["members"] == [{"person": "team", "kept_off": ["roads", "team"]}]


async def test_by_place_too_no_work_of_a_members_former_unit_is_drawn_or_found_fault_with(town: Town) -> None:
    await places(town)
    theirs, former = await work(town, "water", "g-01"), await work(town, "roads", "g-01")
    helped = await work(town, "parks", "g-01")
    await town.does("head_parks", "add_unit", {"unit": "roads"}, helped)
    elsewhere = await work(town, "water", "g-02")
    over = {"over_units": [], "over_grids": ["t1"], "members": [{"person": "team", "former_units": ["roads"]}]}
    path = f"/teams/{(await post(town, 'inspector', '/teams', OVER | over))['id']}"
    sample = await post(town, "team", path + "/samples", {"share": 1})
    assert sample["population"] == [theirs]
    assert await refusal(town, "team", path + "/findings", FOUND | {"issue": former}) == (422, "not_former_unit")
    about = {"unit": "parks", "issue": helped}
    assert await refusal(town, "team", path + "/findings", FOUND | about) == (422, "not_former_unit")
    about = {"unit": "water", "issue": elsewhere}
    assert await refusal(town, "team", path + "/findings", FOUND | about) == (422, "outside_jurisdiction")
    made = await post(town, "team", path + "/findings", FOUND | {"unit": "water", "issue": theirs})
    assert (made["issue"]["id"], made["unit"]) == (theirs, "water")


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"ends": "2026-02-01"}, "bad_period"), ({"over_units": []}, "no_jurisdiction"), ({"over_units": ["moon"]}, "no_such_unit"),
        ({"over_grids": ["moon"]}, "no_such_grid"), ({"members": [{"person": "inspector"}]}, "no_team_role"),
        ({"members": [{"person": "nobody"}]}, "no_team_role"), ({"members": []}, "bad_form"),
    ],
)  # fmt: skip
async def test_a_team_that_cannot_be_is_refused_in_words(town: Town, wrong: Body, code: str) -> None:
    await post(town, "inspector", "/teams", OVER)
    assert await refusal(town, "inspector", "/teams", OVER | wrong) == (422, code)


async def test_only_an_inspector_or_the_principal_makes_a_team_and_only_its_members_work_as_it(
    town: Town, first: str
) -> None:
    await join(town, "stranger", "team")
    path = f"/teams/{first}"
    for who in ("team", "leader1", "head_roads", "intake1", "sysadmin"):
        assert (await refusal(town, who, "/teams", OVER))[0] == 403, who
    for act, form in (("samples", {"share": 0.5}), ("findings", FOUND)):
        assert await refusal(town, "stranger", f"{path}/{act}", form) == (403, "not_of_this_team")
        for who in ("inspector", "principal", "head_roads", "sysadmin"):
            assert (await refusal(town, who, f"{path}/{act}", form))[0] == 403, who
        assert (await refusal(town, "", f"{path}/{act}", form))[0] == 401
    for read in ("/teams", path, path + "/samples"):
        for who in ("inspector", "team", "stranger", "principal"):
            await town.get(read, who)
        for who in ("leader1", "head_roads", "intake1", "sysadmin"):
            assert (await refusal(town, who, read, method="GET"))[0] == 403, who
        assert (await refusal(town, "", read, method="GET"))[0] == 401
    assert await refusal(town, "team", "/teams/nobody/samples", {"share": 1}) == (404, "no_such_team")


# -- samples -------------------------------------------------------------------------------------------------------


async def test_the_same_seed_draws_the_same_sample_and_anybody_can_draw_it_again(town: Town, first: str) -> None:
    mine = sorted([await work(town) for _ in range(7)])
    await work(town, "water")
    path = f"/teams/{first}/samples"
    one = await post(town, "team", path, {"share": 0.4, "seed": "2026-03"})
    assert (one["population"], len(one["drawn"]), one["replays"]) == (mine, 3, True)
    assert one["drawn"] == drawn("2026-03", mine, 0.4)
    assert one["digest"] == digest_of(mine)
    assert [issue["id"] for issue in one["issues"]] == one["drawn"]
    await town.later(minutes=1)
    again = await post(town, "team", path, {"share": 0.4, "seed": "2026-03"})
    assert (again["drawn"], again["digest"]) == (one["drawn"], one["digest"])
    await town.later(minutes=1)
    fresh = await post(town, "team", path, {"share": 0.4})
    assert fresh["seed"] not in ("", "2026-03")
    assert fresh["drawn"] == drawn(fresh["seed"], mine, 0.4)
    kept = (await town.get(path, "inspector"))["samples"]
    assert [sample["id"] for sample in kept] == [fresh["id"], again["id"], one["id"]]
    assert all(sample["replays"] for sample in kept)
    assert await refusal(town, "team", path, {"share": 1, "steps": ["closed"]}) == (422, "nothing_to_draw")
    assert (await booked(town, first))[1:] == [("team", "draw_sample")] * 3


async def test_a_tip_off_is_never_drawn_nor_found_fault_with_even_by_somebody_named_for_them(town: Town) -> None:
    await join(town, "named", "team", roles=(Role.TEAM, Role.INTAKE), tip_offs=True)
    plain = await work(town)
    tip = await town.submit("named", kind="tip_off", text="水务单位有人收了红包。", against="water")
    await town.does("named", "accept_direct", {"unit": "roads", "category": "noise", "urgency": "general"}, tip)
    members = {"members": [{"person": "named"}]}
    path = f"/teams/{(await post(town, 'inspector', '/teams', OVER | members))['id']}"
    assert (await post(town, "named", path + "/samples", {"share": 1}))["population"] == [plain]
    assert (await town.see(tip, "named"))["lead_unit"] == "roads"
    assert await refusal(town, "named", path + "/findings", FOUND | {"issue": tip}) == (422, "not_a_tip_off")


# -- findings ------------------------------------------------------------------------------------------------------


async def test_a_finding_is_due_in_working_days_turns_yellow_then_red_and_is_answered_and_closed(
    town: Town, first: str
) -> None:
    made = await post(town, "team", f"/teams/{first}/findings", FOUND | {"within": "4wd"})
    assert datetime.fromisoformat(made["due_at"]) == at("2026-03-06 17:30")
    path = f"/findings/{made['id']}"
    assert [row["colour"] for row in await board(town, "officer_roads")] == [None]
    await town.later(days=3, hours=6)
    assert [row["colour"] for row in await board(town, "inspector")] == ["yellow"]
    await town.until(at("2026-03-06 17:31"))
    [late] = await board(town, "team", "?colour=red")
    assert (late["id"], late["colour"], await board(town, "team", "?colour=yellow")) == (made["id"], "red", [])
    assert await refusal(town, "team", path + "/close", {"text": "好。"}) == (409, "wrong_state")
    answered = await post(town, "head_roads", path + "/answer", {"text": "已更正。"})
    assert (answered["state"], answered["colour"], answered["answered_late"]) == ("answered", None, True)
    back = await post(town, "team", path + "/return", {"text": "仍缺两处照片。"})
    assert (back["state"], datetime.fromisoformat(back["due_at"])) == ("raised", at("2026-03-10 17:30"))
    await post(town, "officer_roads", path + "/answer", {"text": "已补拍。"})
    done = await post(town, "team", path + "/close", {"text": "现场复核属实。"})
    assert [act["act"] for act in done["acts"]] == ["raise", "answer", "return", "answer", "close"]
    assert [act["text"] for act in done["acts"]][:2] == [FOUND["text"], "已更正。"], "nothing is written over"
    assert await board(town, "team") == []
    assert [row["id"] for row in await board(town, "team", "?state=closed")] == [made["id"]]
    assert await booked(town, made["id"]) == [
        ("team", "raise_finding"), ("head_roads", "answer_finding"), ("team", "return_finding"),
        ("officer_roads", "answer_finding"), ("team", "close_finding"),
    ]  # fmt: skip


async def test_a_finding_stays_within_period_and_jurisdiction_and_is_about_what_the_unit_works_on(
    town: Town, first: str
) -> None:
    issue, other = await work(town), await work(town, "water")
    path = f"/teams/{first}/findings"
    assert await refusal(town, "team", path, FOUND | {"unit": "water"}) == (422, "outside_jurisdiction")
    assert await refusal(town, "team", path, FOUND | {"unit": "moon"}) == (422, "no_such_unit")
    assert await refusal(town, "team", path, FOUND | {"issue": other}) == (422, "outside_jurisdiction")
    assert await refusal(town, "team", path, FOUND | {"issue": "nobody"}) == (404, "no_such_issue")
    assert await refusal(town, "team", path, FOUND | {"within": "3d"}) == (422, "bad_form")
    made = await post(town, "team", path, FOUND | {"issue": issue})
    assert (made["issue"]["id"], datetime.fromisoformat(made["due_at"])) == (issue, at("2026-03-04 17:30"))
    await town.until(at("2026-04-01 09:00"))
    assert await refusal(town, "team", path, FOUND) == (422, "outside_period")
    assert await refusal(town, "team", f"/teams/{first}/samples", {"share": 1}) == (422, "outside_period")
    await post(town, "head_roads", f"/findings/{made['id']}/answer", {"text": "已更正。"})
    await post(town, "team", f"/findings/{made['id']}/close", {"text": "属实。"})


async def test_a_member_who_has_since_come_from_the_unit_bars_the_team_from_it(town: Town, first: str) -> None:
    path = f"/teams/{first}/findings"
    await post(town, "team", path, FOUND)

    def moved(conn: Connection) -> None:
        conn.execute(update(tables.people).where(tables.people.c.id == "team").values(former_units="roads"))

    await town.office.engine.write(moved)
    assert await refusal(town, "team", path, FOUND) == (422, "not_former_unit")


async def test_a_unit_answers_and_reads_only_its_own_findings(town: Town) -> None:
    both = OVER | {"over_units": ["roads", "water"]}
    path = f"/teams/{(await post(town, 'inspector', '/teams', both))['id']}/findings"
    roads = (await post(town, "team", path, FOUND))["id"]
    water = (await post(town, "team", path, FOUND | {"unit": "water", "within": "10wd"}))["id"]
    for who, own in (
        ("head_roads", [roads]), ("officer_water", [water]), ("head_parks", []), ("inspector", [roads, water]),
        ("principal", [roads, water]),
    ):  # fmt: skip
        assert [row["id"] for row in await board(town, who)] == own, who
    assert [row["id"] for row in await board(town, "team", "?unit=water")] == [water]
    words = {"text": "已更正。"}
    assert await refusal(town, "head_water", f"/findings/{roads}/answer", words) == (403, "not_your_finding")
    for who in ("team", "inspector", "leader1", "sysadmin"):
        assert (await refusal(town, who, f"/findings/{roads}/answer", words))[0] == 403, who
    await join(town, "stranger", "team")
    await post(town, "head_roads", f"/findings/{roads}/answer", words)
    for act in ("close", "return"):
        assert await refusal(town, "stranger", f"/findings/{roads}/{act}", words) == (403, "not_of_this_team")
        assert (await refusal(town, "head_roads", f"/findings/{roads}/{act}", words))[0] == 403
        assert await refusal(town, "team", f"/findings/nobody/{act}", words) == (404, "no_such_finding")
    for who in ("leader1", "intake1", "sysadmin"):
        assert (await refusal(town, who, "/boards/findings", method="GET"))[0] == 403, who
    assert (await refusal(town, "", "/boards/findings", method="GET"))[0] == 401
    page = await town.get("/boards/findings?limit=1", "team")
    rest = await town.get(f"/boards/findings?limit=1&cursor={page['cursor']}", "team")
    assert ([page["rows"][0]["id"], rest["rows"][0]["id"]], rest["cursor"]) == ([roads, water], None)
    assert await refusal(town, "team", "/boards/findings?cursor=x", method="GET") == (422, "bad_cursor")
