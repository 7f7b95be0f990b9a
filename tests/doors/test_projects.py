"""Livelihood projects over HTTP: a list for everybody, and a ledger that only an outsider writes (docs/rules.md §2, §8)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Connection

from liuti.flow.words import Role
from liuti.store import passes, people
from tests.doors import conftest
from tests.doors.beside import booked, post, refusal
from tests.doors.town import Body, Town, at

__all__ = ["town"]

town = conftest.town
LAMPS = {
    "name": "老旧小区加装路灯", "goal": "加装路灯120盏。", "lead_unit": "roads", "leader": "leader1", "planned": "2026-03-10",
}  # fmt: skip
EVIDENCE = {"evidence": "现场核查120盏均亮。"}


@pytest.fixture
async def lamps(town: Town) -> str:
    return str((await post(town, "inspector", "/projects", LAMPS))["id"])


async def seen(town: Town, who: str = "") -> Body:
    [row] = (await town.get("/projects", who))["projects"]
    found: Body = row
    return found


async def person(town: Town, name: str, unit: str, *former: str, leads: bool = False) -> str:
    def add(conn: Connection) -> str:
        roles = {Role.INSPECTOR} | ({Role.LEADER} if leads else set())
        level = "department" if leads else ""
        people.add_person(conn, name, name, name, roles=roles, unit=unit, level=level, former_units=former)
        return passes.make_token(conn, name, "test", town.clock.now, None)

    town.secrets[name] = await town.office.engine.write(add)
    return name


async def test_a_project_is_struck_off_by_an_inspector_outside_the_lead_unit_and_the_public_reads_when(
    town: Town, lamps: str
) -> None:
    await town.later(days=10)
    assert ((await seen(town))["state"], (await seen(town))["late"]) == ("open", True)
    done = await post(town, "inspector", f"/projects/{lamps}/strike_off", EVIDENCE)
    assert (done["state"], done["ledger"][0]["text"], done["ledger"][0]["by"]) == (
        "struck_off", EVIDENCE["evidence"], "inspector",
    )  # fmt: skip
    public = await seen(town)
    assert (public["state"], public["late"], public["unit_name"], public["leader"]) == (
        "struck_off", False, "roads", "副主任一",
    )  # fmt: skip
    assert public["struck_off_at"] == done["struck_off_at"]
    assert [set(act) for act in public["ledger"]] == [{"act", "at"}], "no hand and no words for the public"
    assert not {"by", "leader_id"} & set(public)
    assert (await town.get("/projects?state=open", ""))["projects"] == []
    assert [p["id"] for p in (await town.get("/projects?state=struck_off", ""))["projects"]] == [lamps]


async def test_nobody_strikes_off_a_project_of_their_own_or_former_unit_nor_one_they_lead(town: Town) -> None:
    lamps = str((await post(town, "principal", "/projects", LAMPS))["id"])
    path = f"/projects/{lamps}/strike_off"
    assert await refusal(town, "inspector_roads", path, EVIDENCE) == (403, "outside_lead_unit")
    former = await person(town, "once_of_roads", "inspection", "roads")
    assert await refusal(town, former, path, EVIDENCE) == (403, "outside_lead_unit")
    leads = await person(town, "leads_too", "inspection", leads=True)
    led = str((await post(town, "principal", "/projects", LAMPS | {"leader": leads}))["id"])
    assert await refusal(town, leads, f"/projects/{led}/strike_off", EVIDENCE) == (403, "not_its_leader")
    for who in ("principal", "team", "leader1", "head_roads", "officer_water", "sysadmin"):
        assert (await refusal(town, who, path, EVIDENCE))[0] == 403, who
    assert (await refusal(town, "", path, EVIDENCE))[0] == 401
    await post(town, "inspector", path, EVIDENCE)


async def test_it_is_struck_off_once_and_open_again_only_by_a_new_row(town: Town, lamps: str) -> None:
    path = f"/projects/{lamps}"
    assert await refusal(town, "principal", path + "/reopen", {"reason": "无"}) == (409, "not_struck_off")
    await post(town, "inspector", path + "/strike_off", EVIDENCE)
    assert await refusal(town, "inspector", path + "/strike_off", EVIDENCE) == (409, "struck_off")
    assert (await refusal(town, "head_roads", path + "/reopen", {"reason": "无"}))[0] == 403
    assert (await refusal(town, "principal", path + "/reopen"))[1] == "bad_form", "a reason is owed"
    await post(town, "principal", path + "/reopen", {"reason": "复查发现30盏不亮。"})
    again = await post(town, "inspector", path + "/strike_off", EVIDENCE)
    assert [act["act"] for act in again["ledger"]] == ["strike_off", "reopen", "strike_off"]
    assert (again["reopened"], again["state"]) == (1, "struck_off")
    assert await booked(town, lamps) == [
        ("inspector", "add_project"), ("inspector", "strike_off_project"), ("principal", "reopen_project"),
        ("inspector", "strike_off_project"),
    ]  # fmt: skip


async def test_the_public_sees_of_its_issues_only_the_published_and_never_a_tip_off(town: Town, lamps: str) -> None:
    published, direct = await town.claimed(), await town.direct()
    form = {"issues": [published, direct]}
    await post(town, "inspector", f"/projects/{lamps}/issues", form)
    shown = await town.get(f"/projects/{lamps}", "")
    assert ([one["id"] for one in shown["seen"]], shown["issues"]) == ([published], 2)
    assert "due_at" in shown["seen"][0]
    assert len((await town.get(f"/projects/{lamps}", "intake1"))["seen"]) == 2
    assert (await town.get(f"/projects/{lamps}", "sysadmin"))["seen"] == []
    tip = await town.submit("intake1", kind="tip_off", text="水务单位有人收了红包。", against="water")
    hidden = await refusal(town, "inspector", f"/projects/{lamps}/issues", {"issues": [tip]})
    assert hidden == (404, "no_such_issue")
    await post(town, "principal", f"/projects/{lamps}/issues", {"issues": [direct], "belongs": False})
    assert (await town.get(f"/projects/{lamps}", "intake1"))["issues"] == 1


async def test_only_an_inspector_or_the_principal_puts_a_project_on_the_list(town: Town) -> None:
    for who in ("leader1", "head_roads", "team", "intake1", "sysadmin"):
        assert (await refusal(town, who, "/projects", LAMPS))[0] == 403, who
    assert (await refusal(town, "", "/projects", LAMPS))[0] == 401
    assert await refusal(town, "principal", "/projects", LAMPS | {"lead_unit": "moon"}) == (422, "no_such_unit")
    assert await refusal(town, "principal", "/projects", LAMPS | {"leader": "officer_roads"}) == (422, "no_such_leader")
    assert await refusal(town, "principal", "/projects/nobody/reopen", {"reason": "x"}) == (404, "no_such_project")
    assert await refusal(town, "", "/projects/nobody", method="GET") == (404, "no_such_project")


async def test_the_list_reads_on_where_it_left_off(town: Town) -> None:
    made = []
    for number in range(3):
        town.clock.now = at("2026-03-02 10:00") + timedelta(minutes=number)
        made.append((await post(town, "inspector", "/projects", LAMPS | {"name": f"项目{number}"}))["id"])
    first = (await town.get("/projects?limit=2", ""))["projects"]
    rest = (await town.get(f"/projects?limit=2&before={first[-1]['id']}", ""))["projects"]
    assert [one["id"] for one in first + rest] == made[::-1]
