"""Interviews and bulletins over HTTP: drafted by an inspector, in force only by the act of whoever answers for them (docs/rules.md §5)."""

from __future__ import annotations

import httpx
import pytest
from fastapi import FastAPI

from liuti.doors import measures
from tests.doors import conftest
from tests.doors.town import Body, Town

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
