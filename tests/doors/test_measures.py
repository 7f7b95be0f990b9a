"""Interviews and bulletins over HTTP: drafted by an inspector, in force only by the act of whoever answers for them (docs/rules.md §5)."""

from __future__ import annotations

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select

from liuti.doors import measures
from liuti.store.tables import looks
from tests.doors import conftest
from tests.doors.town import Body, Town, at

__all__ = ["town"]

town = conftest.town
BULLETIN = {"kind": "bulletin", "about": "unit:roads", "text": "关于路面修复逾期的通报。"}
INTERVIEW = {"kind": "interview", "about": "person:leader1", "text": "两份督办单未答复,建议约谈。"}


@pytest.fixture
async def desk(town: Town) -> Town:
    app: FastAPI = town.client._transport.app  # type: ignore[attr-defined]
    if not any(str(getattr(route, "path", "")).startswith("/api/v1/boards/measures") for route in app.routes):
        app.include_router(measures.router())
    return town


async def post(town: Town, who: str, path: str = "", form: Body | None = None) -> httpx.Response:
    return await town.client.post(f"/api/v1/boards/measures{path}", json=form or {}, headers=town.headers(who))


async def listed(town: Town, who: str) -> list[Body]:
    found: list[Body] = (await town.get("/boards/measures", who))["rows"]
    return found


async def test_35_a_bulletin_without_the_principals_recorded_approval_is_422(desk: Town) -> None:
    issue = await desk.direct()
    drafted = await post(desk, "inspector", form=BULLETIN | {"issue": issue})
    assert drafted.status_code == 201
    path = "/" + drafted.json()["id"]
    refused = await post(desk, "inspector", path + "/issue")
    assert (refused.status_code, refused.json()["code"]) == (422, "approval_required")
    assert await listed(desk, "officer_roads") == [], "a draft is nobody's to read"
    for who in ("inspector", "leader1", "head_roads"):
        assert (await post(desk, who, path + "/approve")).status_code == 403, who
    approved = (await post(desk, "principal", path + "/approve")).json()
    assert (approved["approved_by"], approved["text"]) == ("principal", BULLETIN["text"])
    assert (await post(desk, "principal", path + "/approve")).status_code == 409
    issued = (await post(desk, "inspector", path + "/issue")).json()
    assert (issued["done_by"], issued["approved_by"]) == ("inspector", "principal")
    assert (await post(desk, "inspector", path + "/issue")).status_code == 409
    assert [row["text"] for row in await listed(desk, "officer_roads")] == [BULLETIN["text"]]
    assert await listed(desk, "officer_parks") == []


async def test_an_interview_is_proposed_by_an_inspector_and_held_by_a_leader(desk: Town) -> None:
    path = "/" + (await post(desk, "inspector", form=INTERVIEW)).json()["id"]
    assert (await post(desk, "inspector", path + "/hold")).status_code == 403
    assert (await post(desk, "inspector", path + "/issue")).status_code == 404, "it is no bulletin"
    held = await post(desk, "principal", path + "/hold", {"note": "已面谈,承诺本周内完成。"})
    assert (held.json()["done_by"], held.json()["note"]) == ("principal", "已面谈,承诺本周内完成。")
    assert [row["kind"] for row in await listed(desk, "leader1")] == ["interview"]
    assert await listed(desk, "leader2") == []
    assert [row["kind"] for row in await listed(desk, "team")] == ["interview"]


async def test_only_an_inspector_drafts_and_only_on_what_they_see(desk: Town) -> None:
    assert (await post(desk, "", form=BULLETIN)).status_code == 401
    assert (await post(desk, "officer_roads", form=BULLETIN)).status_code == 403
    assert (await post(desk, "inspector", form=BULLETIN | {"issue": "nobody"})).status_code == 404
    assert (await post(desk, "inspector", form=BULLETIN | {"about": "everyone"})).status_code == 422
    tip = await desk.submit(kind="tip_off", text="水务单位有人收了红包。", against="water")
    assert (await post(desk, "inspector", form=BULLETIN | {"issue": tip})).status_code == 404


# -- L5: the file handed over ----------------------------------------------------------------------------------------

HANDOVER = {"to": "纪检监察机关", "purpose": "涉嫌失职失责,移送核查。"}


async def test_a_file_is_handed_over_whole_with_its_seals_for_a_purpose_on_record(desk: Town) -> None:
    issue = await desk.direct()
    await desk.does("officer_roads", "sign", {}, issue)
    bulletin = (await post(desk, "inspector", form=BULLETIN | {"issue": issue})).json()
    answer = await post(desk, "inspector", "/transfer", HANDOVER | {"issue": issue})
    assert (answer.status_code, answer.headers["content-disposition"]) == (
        201, f'attachment; filename="issue-{issue}.json"',
    )  # fmt: skip
    given = answer.json()
    assert given["issue"]["id"] == issue and given["chain"] == {"whole": True, "broken_at": None}
    assert [line["move"] for line in given["ledger"]] == ["submit", "accept_direct", "sign"]
    assert [one["previous"] for one in given["seals"][1:]] == [one["seal"] for one in given["seals"][:-1]]
    assert bulletin["id"] in {one["id"] for one in given["measures"]}
    assert "13800000001" not in answer.text, "nobody's phone"
    [row] = [one for one in await listed(desk, "team") if one["kind"] == "transfer"]
    assert (row["done_by"], row["text"]) == ("inspector", "纪检监察机关: 涉嫌失职失责,移送核查。")
    seen = await desk.office.engine.read(lambda conn: conn.execute(select(looks.c.act, looks.c.purpose)).all())
    assert [tuple(one) for one in seen] == [("transfer", "纪检监察机关: 涉嫌失职失责,移送核查。")]
    for who in ("officer_roads", "head_roads", "leader1"):
        assert not [one for one in await listed(desk, who) if one["kind"] == "transfer"], (
            "not for those it may be about"
        )


async def test_a_file_is_handed_over_by_an_inspector_from_outside_and_for_a_reason(desk: Town) -> None:
    issue = await desk.direct()
    form = HANDOVER | {"issue": issue}
    for who in ("team", "officer_roads", "principal"):
        assert (await post(desk, who, "/transfer", form)).status_code == 403, who
    own = await post(desk, "inspector_roads", "/transfer", form)
    assert (own.status_code, own.json()["code"]) == (403, "outside_handling_units")
    assert (await post(desk, "inspector", "/transfer", form | {"purpose": "看"})).status_code == 422
    tip = await desk.submit(kind="tip_off", text="水务单位有人收了红包。", against="water")
    assert (await post(desk, "inspector", "/transfer", form | {"issue": tip})).status_code == 404


async def test_the_level_of_the_ladder_tells_what_was_held_issued_and_handed_over(desk: Town) -> None:
    issue = await desk.direct()
    await desk.until(at("2026-03-04 12:00"))

    async def level(who: str) -> Body:
        [row] = (await desk.get("/boards/overdue", who))["rows"]
        return {"level": row["level"], "kinds": sorted(one["kind"] for one in row["measures"])}

    assert (await level("inspector"))["kinds"] == []
    drafted = "/" + (await post(desk, "inspector", form=BULLETIN | {"issue": issue})).json()["id"]
    assert (await level("inspector"))["kinds"] == [], "a draft is no measure"
    await post(desk, "principal", drafted + "/approve")
    await post(desk, "inspector", drafted + "/issue")
    assert await level("officer_roads") == {"level": 4, "kinds": ["bulletin"]}
    await post(desk, "inspector", "/transfer", HANDOVER | {"issue": issue})
    assert await level("team") == {"level": 5, "kinds": ["bulletin", "transfer"]}
    assert await level("officer_roads") == {"level": 4, "kinds": ["bulletin"]}
    found = {who: len((await desk.get("/boards/overdue?rung=5", who))["rows"]) for who in ("team", "officer_roads")}
    assert found == {"team": 1, "officer_roads": 0}
    assert len((await desk.get("/boards/overdue?rung=4", "officer_roads"))["rows"]) == 1
