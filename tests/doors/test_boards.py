"""The boards of whoever watches over the work, over HTTP: who reads what, page by page, in few statements."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest
from fastapi import FastAPI
from msgspec import json
from sqlalchemy import Connection, select

from liuti.doors import boards
from liuti.flow.words import Role
from liuti.store import passes, people
from liuti.store.tables import ratings
from tests.doors import conftest
from tests.doors.test_scenarios import statements
from tests.doors.test_scenarios_2 import picture
from tests.doors.town import NOTICE, Body, Town, at

__all__ = ["town"]

town = conftest.town
BACK = {"basis": "市政设施管理条例第5条", "reason": "该处由园林养护。", "unit": "parks"}
WHY = "会议逐件核对后一致认为此题应当调整位次,理由已当面说明并记入会议纪要。"
NAMES = ("overdue", "requests", "verification", "callbacks", "outliers", "orders", "strike_offs", "rechecks", "alerts")


@pytest.fixture
async def watched(town: Town) -> Town:
    """The town with its boards, an audit admin, and a second team member who once led the roads."""
    hang(town)

    def settle(conn: Connection) -> dict[str, str]:
        people.add_person(conn, "auditadmin", "auditadmin", "auditadmin", roles={Role.AUDITADMIN})
        people.add_person(
            conn, "team2", "team2", "team2", roles={Role.TEAM}, unit="team", post="督导员", former_units=("roads",)
        )
        people.add_person(conn, "inspector2", "inspector2", "inspector2", roles={Role.INSPECTOR}, unit="inspection")
        some = ("auditadmin", "team2", "inspector2")
        return {one: passes.make_token(conn, one, "test", town.clock.now, None) for one in some}

    town.secrets |= await town.office.engine.write(settle)
    return town


def hang(town: Town) -> None:
    """Hang the boards up where the app has not done so itself."""
    app: FastAPI = town.client._transport.app  # type: ignore[attr-defined]
    if not any(str(getattr(route, "path", "")).startswith("/api/v1/boards") for route in app.routes):
        app.include_router(boards.router())


async def rows(town: Town, board: str, who: str) -> list[Body]:
    """A whole board, page after page."""
    found: list[Body] = []
    cursor: str | None = ""
    while cursor is not None:
        page = await town.get(f"/boards/{board}{'&' if '?' in board else '?'}cursor={cursor}", who)
        found += page["rows"]
        cursor = page["cursor"]
    return found


async def ids(town: Town, board: str, who: str) -> list[str]:
    return [row["issue"]["id"] for row in await rows(town, board, who)]


def b64(key: list[Any]) -> str:
    return urlsafe_b64encode(json.encode(key)).decode()


async def direct(town: Town, unit: str = "roads", category: str = "roads", **form: Any) -> str:
    """As `town.direct`, entered at the desk: no person's daily limit."""
    issue = await town.submit("intake1", **form)
    await town.does("intake1", "accept_direct", {"unit": unit, "category": category, "urgency": "general"}, issue)
    return issue


async def channels(town: Town, issue: str) -> list[str]:
    """By which channel each rating came."""
    found = select(ratings.c.channel).where(ratings.c.issue_id == issue)
    return await town.office.engine.read(lambda conn: list(conn.execute(found).scalars()))


# -- who reads -----------------------------------------------------------------------------------------------------

READERS = {
    "overdue": {"inspector", "team", "principal", "auditadmin", "leader1", "officer_roads", "head_roads"},
    "orders": {"inspector", "team", "principal", "auditadmin", "leader1", "officer_roads", "head_roads"},
    "strike_offs": {"inspector", "team", "principal", "auditadmin", "leader1", "officer_roads", "head_roads"},
    "rechecks": {"inspector", "team", "principal", "auditadmin"},
    "alerts": {"inspector", "team", "principal", "auditadmin"},
    "verification": {"inspector", "team"},
    "callbacks": {"caller"},
    "outliers": {"team", "auditadmin"},
    "requests": {
        "inspector", "team", "principal", "auditadmin", "leader1", "officer_roads", "head_roads", "caller", "intake1", "panel1",
        "grid",
    },
}  # fmt: skip
ALL = ("inspector", "team", "principal", "auditadmin", "leader1", "officer_roads", "head_roads", "caller", "intake1",
       "panel1", "grid", "sysadmin")  # fmt: skip


@pytest.mark.parametrize("board", READERS)
async def test_a_board_is_read_by_those_it_is_for_and_by_nobody_else(watched: Town, board: str) -> None:
    for who in ALL:
        answer = await watched.client.get(f"/api/v1/boards/{board}", headers=watched.headers(who))
        assert answer.status_code == (200 if who in READERS[board] else 403), who


@pytest.mark.parametrize("board", NAMES)
async def test_a_passer_by_and_a_citizen_read_no_board(watched: Town, board: str) -> None:
    issue = await watched.submit()
    assert (await watched.client.get(f"/api/v1/boards/{board}")).status_code == 401
    answer = await watched.client.get(f"/api/v1/boards/{board}", headers=watched.headers(issue))
    assert answer.status_code in (401, 403)


MADE_UP = (
    "abc", "é", b64([1, "a"]), b64(["2026-03-02T10:00:00", "a", 1]), b64(["0001-01-01T00:00:00Z", "a", 1]),
    b64(["2026-03-02T10:00:00Z", "a\x00", 1]), b64(["2026-03-02T10:00:00Z", "a", 2**40]), b64(["9999-12-31T23:59:00-10:00", "a", 1]),
)  # fmt: skip


@pytest.mark.parametrize("board", ["overdue", "requests", "verification", "orders", "strike_offs", "rechecks"])
async def test_a_cursor_of_somebody_elses_is_refused(watched: Town, board: str) -> None:
    for cursor in MADE_UP:
        given = {"cursor": cursor}
        answer = await watched.client.get(f"/api/v1/boards/{board}", params=given, headers=watched.headers("inspector"))
        assert (answer.status_code, answer.json()["code"]) == (422, "bad_cursor"), cursor


# -- late ----------------------------------------------------------------------------------------------------------


async def test_a_clock_is_on_the_board_from_three_quarters_of_its_time_and_red_when_it_is_over(watched: Town) -> None:
    issue = await watched.submit()
    begun = watched.clock.now
    await watched.until(begun + timedelta(hours=18) - timedelta(minutes=1))
    assert await rows(watched, "overdue", "inspector") == []
    await watched.until(begun + timedelta(hours=18))
    [row] = await rows(watched, "overdue", "inspector")
    assert (row["issue"]["id"], row["colour"], row["rung"]) == (issue, "yellow", 0)
    [clock] = row["clocks"]
    assert (clock["clock"], clock["elapsed_seconds"], clock["late"]) == ("intake", 18 * 3600, ["role:intake"])
    await watched.until(begun + timedelta(hours=24))
    [row] = await rows(watched, "overdue?colour=red", "inspector")
    assert (row["colour"], row["clocks"][0]["was_overdue"]) == ("red", True)
    assert await rows(watched, "overdue?colour=yellow", "inspector") == []


async def test_what_is_late_is_red_even_where_no_worker_swept(watched: Town) -> None:
    issue = await watched.submit()
    watched.clock.now += timedelta(hours=25)
    [row] = await rows(watched, "overdue", "inspector")
    assert (row["issue"]["id"], row["colour"], row["clocks"][0]["colour"]) == (issue, "red", "red")


async def test_a_rating_period_that_ends_is_nobodys_lateness(watched: Town) -> None:
    issue = await watched.direct_checked()
    await watched.does("caller", "rate", {"voice": watched.voices[issue], "outcome": "declined"}, issue)
    await watched.until((await watched.timer(issue, "evaluate"))["due_at"] - timedelta(hours=1))
    assert (await watched.timer(issue, "evaluate"))["colour"] == "yellow"
    assert await rows(watched, "overdue", "inspector") == []


async def test_leaders_and_units_read_of_their_own_lateness_and_of_no_tip_off_against_them(watched: Town) -> None:
    roads, water = (
        await watched.direct(),
        await watched.direct(unit="water", category="noise", text="水管半夜响个不停。"),
    )
    tip = await watched.submit(kind="tip_off", text="水务单位有人收了红包。", against="water")
    await watched.later(days=12)
    assert set(await ids(watched, "overdue", "inspector")) == {roads, water}
    assert await ids(watched, "overdue", "officer_roads") == [roads]
    assert await ids(watched, "overdue", "leader2") == [water]
    assert await ids(watched, "overdue", "head_parks") == []
    assert tip not in await ids(watched, "overdue", "officer_water")


async def test_the_board_is_cut_by_step_unit_leader_grid_and_rung(watched: Town) -> None:
    waiting, roads = await watched.submit(), await watched.direct()
    await watched.does("intake1", "reclassify", {"grid": "g-07", "reason": "地点核实在七网格。"}, roads)
    await watched.later(days=12)
    for cut in ("step=solve", "unit=roads", "leader=leader1", "grid=g-07"):
        assert await ids(watched, f"overdue?{cut}", "team") == [roads], cut
    assert await ids(watched, "overdue?step=propose", "team") == [waiting]
    climbed = {row["issue"]["id"]: row["rung"] for row in await rows(watched, "overdue", "team")}
    for rung in range(6):
        expected = sorted(one for one, reached in climbed.items() if reached == rung)
        assert sorted(await ids(watched, f"overdue?rung={rung}", "team")) == expected
    assert max(climbed.values()) == 3
    red = (await watched.get("/boards/overdue?counts=true", "team"))["red"]
    assert red["step"] == {"propose": 1, "solve": 1}
    assert red["lead_unit"] == {"": 1, "roads": 1}
    assert red["grid"] == {"": 1, "g-07": 1}


async def test_a_page_of_the_overdue_board_takes_five_statements_at_most_and_every_row_comes_once(
    watched: Town,
) -> None:
    made = [await direct(watched) for _ in range(7)]
    await watched.later(days=12)
    with statements() as sent:
        page = await watched.get("/boards/overdue?counts=true", "inspector")
    assert len(page["rows"]) == 7
    assert 0 < len(sent) <= 5, sent
    one_by_one = await ids(watched, "overdue?limit=2", "inspector")
    assert sorted(one_by_one) == sorted(made)
    assert one_by_one == [row["issue"]["id"] for row in page["rows"]]


async def test_a_clocks_history_says_who_paused_and_extended_it_and_why_and_its_time_adds_up(watched: Town) -> None:
    issue = await watched.claimed()
    await watched.does("leader1", "approve_plan", watched.plan(), issue)
    begun = watched.clock.now
    await watched.later(hours=3)
    await watched.does(
        "leader1", "suspend", {"cause": "season", "review": "2026-03-20", "evidence": "雨季不宜施工。"}, issue
    )
    await watched.does("inspector", "grant", {}, issue)
    paused = watched.clock.now
    await watched.later(days=2)
    await watched.does("inspector", "resume", {"reason": "天已放晴。"}, issue)
    resumed = watched.clock.now
    longer = (await watched.timer(issue, "solve"))["due_at"].astimezone(at("2026-03-02 10:00").tzinfo) + timedelta(
        days=9
    )
    await watched.does("officer_roads", "extend", {"until": longer.date().isoformat(), "reason": "材料推迟。"}, issue)
    await watched.does("head_roads", "grant", {}, issue)
    await watched.does("inspector", "grant", {}, issue)
    await watched.until((await watched.timer(issue, "solve"))["due_at"] + timedelta(minutes=5))
    row = next(r for r in await rows(watched, "overdue", "inspector") if r["issue"]["id"] == issue)
    clock = next(c for c in row["clocks"] if c["clock"] == "solve")
    told = {event["what"]: event for event in clock["history"]}
    assert [event["what"] for event in clock["history"]] == [
        "started", "paused", "resumed", "extended", "warned", "struck",
    ]  # fmt: skip
    assert (told["started"]["move"], told["started"]["by"]) == ("approve_plan", "leader1")
    assert (told["paused"]["move"], told["paused"]["by"], told["paused"]["asked_by"]) == (
        "suspend",
        "inspector",
        "leader1",
    )
    assert told["paused"]["why"] == "雨季不宜施工。"
    moments = [datetime.fromisoformat(told[what]["at"]) for what in ("started", "paused", "resumed")]
    assert moments == [begun, paused, resumed]
    assert (told["resumed"]["move"], told["resumed"]["by"]) == ("resume", "inspector")
    assert (told["extended"]["why"], told["extended"]["asked_by"]) == ("材料推迟。", "officer_roads")
    assert told["extended"]["to"] == clock["due_at"]
    assert told["struck"]["role"] == "clock"
    wall = watched.clock.now - begun
    assert clock["elapsed_seconds"] == int((wall - (resumed - paused)).total_seconds())


async def test_who_is_behind_a_hidden_case_is_not_told_by_its_clocks(watched: Town) -> None:
    issue = await watched.direct(anonymous=True)
    await watched.later(days=12)
    for who, told in (("officer_roads", None), ("inspector", None)):
        row = next(r for r in await rows(watched, "overdue", who) if r["issue"]["id"] == issue)
        overall = next(c for c in row["clocks"] if c["clock"] == "overall")
        assert (overall["history"][0]["move"], overall["history"][0]["by"]) == ("submit", told)


# -- asked for -----------------------------------------------------------------------------------------------------


async def test_a_request_waits_for_whoever_may_answer_it_and_for_nobody_else(watched: Town) -> None:
    issue = await watched.direct()
    await watched.does("officer_roads", "send_back", BACK, issue)
    [row] = await rows(watched, "requests", "head_roads")
    assert (row["move"], row["awaits"], row["yours"], row["by"]) == ("send_back", "unit_head", True, "officer_roads")
    for who in ("officer_roads", "head_parks", "inspector", "intake1"):
        assert await rows(watched, "requests", who) == [], who
    await watched.does("head_roads", "grant", {}, issue)
    await watched.later(hours=1)
    assert await rows(watched, "requests", "head_roads") == []
    assert await rows(watched, "requests", "inspector_roads") == [], "none of their own unit's"
    for who in ("inspector", "intake1"):
        [row] = await rows(watched, "requests", who)
        assert (row["awaits"], sorted(row["waits_for"]), row["waited_seconds"]) == (
            "ruling",
            ["inspector", "intake"],
            3600,
        )
        assert [clock["clock"] for clock in row["clocks"]] == ["ruling"]
    [row] = await rows(watched, "requests?role=inspector", "inspector_roads")
    assert row["yours"] is False
    await watched.does("inspector", "deny", {"reason": "属于你局职责。"}, issue)
    assert await rows(watched, "requests?role=inspector", "intake1") == []


async def test_requests_of_every_kind_are_on_the_board_with_their_clocks(watched: Town) -> None:
    issue = await watched.claimed()
    await watched.does("leader1", "approve_plan", watched.plan(), issue)
    day = watched.day(33)
    await watched.does("head_roads", "extend", {"until": day, "reason": "材料推迟。"}, issue)
    await watched.does(
        "leader1", "suspend", {"cause": "season", "review": watched.day(20), "evidence": "雨季。"}, issue
    )
    ended = {"ground": "inadmissible", "reason": "不属受理范围。", "answer": "本件终止办理。"}
    await watched.does("head_roads", "terminate", ended, issue)
    await watched.does("leader1", "handover", {"leader": "leader2", "reason": "分工调整。"}, issue)
    found = {row["move"]: row for row in await rows(watched, "requests?role=inspector", "team")}
    assert set(found) == {"extend", "suspend"}
    assert found["suspend"]["review"] == watched.day(20)
    assert [clock["clock"] for clock in found["extend"]["clocks"]] == ["solve"]
    assert [row["move"] for row in await rows(watched, "requests?role=intake", "intake1")] == ["terminate"]
    assert [row["move"] for row in await rows(watched, "requests", "principal")] == ["handover"]
    assert [row["move"] for row in await rows(watched, "requests?role=inspector&move=extend", "team")] == ["extend"]
    assert len(await rows(watched, "requests?role=inspector&limit=1", "team")) == 2


async def test_an_appeal_waits_for_a_team_that_took_no_part(watched: Town) -> None:
    issue = await watched.direct()
    ended = {"ground": "inadmissible", "reason": "不属受理范围。", "answer": "本件终止办理。"}
    await watched.does("head_roads", "terminate", ended, issue)
    await watched.does("intake1", "grant", {}, issue)
    await watched.does(issue, "appeal", {"reason": "坑还在,请复核。"}, issue)
    [row] = await rows(watched, "requests", "team")
    assert (row["move"], row["awaits"], row["took_part"]) == ("appeal", "team", False)
    assert [clock["clock"] for clock in row["clocks"]] == ["appeal"]
    assert await rows(watched, "requests", "team2") == [], "formerly of the roads"
    [seen] = await rows(watched, "requests?role=team", "team2")
    assert seen["yours"] is False


async def test_a_role_nobody_knows_is_refused(watched: Town) -> None:
    answer = await watched.client.get("/api/v1/boards/requests?role=king", headers=watched.headers("team"))
    assert answer.status_code == 422


# -- to be verified ------------------------------------------------------------------------------------------------


async def test_results_are_verified_from_outside_the_unit_with_the_defects_of_earlier_checks(watched: Town) -> None:
    issue = await watched.direct(category="noise", text="楼下歌厅半夜太吵,请管一管。")
    await watched.result(issue)
    await watched.does("inspector", "fail_check", {"defects": ["夜里仍然很吵"], "method": "on_site"}, issue)
    assert await rows(watched, "verification", "inspector") == []
    await watched.later(hours=2)
    await watched.result(issue)
    [row] = await rows(watched, "verification", "inspector")
    assert (row["issue"]["id"], row["own_word"], row["check_fails"]) == (issue, "solved", 1)
    assert [(d["defects"], d["method"], d["by"]) for d in row["defects"]] == [
        (["夜里仍然很吵"], "on_site", "inspector")
    ]
    assert row["clock"]["clock"] == "review"
    assert await rows(watched, "verification", "inspector_roads") == []
    assert await ids(watched, "verification", "team") == [issue]
    await watched.does("inspector", "declare_conflict", {"reason": "住在楼上。"}, issue)
    assert await rows(watched, "verification", "inspector") == []
    assert await ids(watched, "verification", "inspector2") == [issue]


async def test_the_drawn_sample_is_marked_and_can_be_drawn_again_from_the_seed(watched: Town) -> None:
    made = []
    for _ in range(40):
        issue = await direct(watched, category="other", kind="consult", text="请问办证需要什么材料?")
        await watched.result(issue)
        made.append(issue)
    page = await watched.get("/boards/verification?limit=100", "inspector")
    seed, share = page["draw"]["seed"], page["draw"]["share"]
    again = {
        one for one in made
        if int.from_bytes(sha256(f"{seed}:{one}".encode()).digest()[:8]) < share * 2**64
    }  # fmt: skip
    shown = {row["issue"]["id"]: row for row in page["rows"]}
    assert set(shown) == again
    assert all(row["sample"] and row["drawn"] for row in shown.values())


async def test_physical_works_say_that_they_are_looked_at_on_site(watched: Town) -> None:
    issue = await watched.direct()
    await watched.photo("officer_roads", issue, picture())
    await watched.result(issue)
    [row] = await rows(watched, "verification", "inspector")
    assert (row["on_site"], row["photos"], row["site_photos"]) == (True, 1, 0)


# -- to be phoned --------------------------------------------------------------------------------------------------


async def test_who_phoned_is_called_first_and_the_number_is_not_on_the_board(watched: Town) -> None:
    issue = await watched.direct(category="noise", text="楼下歌厅半夜太吵,请管一管。")
    caller = {"contact": {"phone": "13800000009"}, "source": "12345", "external_id": "T-9", "on_behalf": True}
    phoned = await watched.submit("intake1", text="歌厅吵得睡不着。", consent=True, **caller)
    await watched.does("intake1", "merge", {"lead": issue, "reason": "同一歌厅。"}, phoned)
    await watched.checked(issue)
    answer = await watched.client.get("/api/v1/boards/callbacks", headers=watched.headers("caller"))
    [row] = answer.json()["rows"]
    assert row["issue"]["id"] == issue
    assert [person["voice"] for person in row["people"]] == [watched.voices[phoned], watched.voices[issue]]
    assert [(p["phoned"], p["channel"], p["has_number"], p["proposer"]) for p in row["people"]] == [
        (True, "12345", True, False), (False, "web", True, True),
    ]  # fmt: skip
    assert "1380000000" not in answer.text
    assert row["contact"] == f"/api/v1/issues/{issue}/people"
    assert (row["clock"]["clock"], row["tries"], row["tries_most"]) == ("callback", 0, 3)


async def test_tries_are_counted_until_the_call_back_is_done(watched: Town) -> None:
    issue = await watched.direct_checked()
    call = {"voice": watched.voices[issue], "outcome": "no_answer", "number": "13800000001"}
    await watched.does("caller", "rate", call, issue)
    await watched.later(hours=2)
    [row] = await rows(watched, "callbacks", "caller")
    assert (row["tries"], [(c["outcome"], c["by"]) for c in row["calls"]]) == (1, [("no_answer", "caller")])
    assert row["people"][0]["tries"] == 1
    assert "number" not in row["calls"][0]
    await watched.does("caller", "rate", call, issue)
    await watched.does("caller", "rate", call, issue)
    assert await rows(watched, "callbacks", "caller") == []


async def test_who_has_rated_is_not_phoned_until_the_next_round(watched: Town) -> None:
    issue = await watched.direct(category="noise", text="楼下歌厅半夜太吵,请管一管。")
    await watched.does("", "cosign", {"contact": {"phone": "13800000009"}, "notice_version": NOTICE}, issue)
    await watched.checked(issue)
    [row] = await rows(watched, "callbacks", "caller")
    assert (row["round"], len(row["people"])) == (1, 2)
    bad = {"level": 1, "contacted": True, "solved": "no", "reason": "还是吵。"}
    await watched.does(watched.rating(issue), "rate", bad, issue)
    assert await rows(watched, "callbacks", "caller") == [], "row 39: a rating stops the clock"
    await watched.checked(issue)
    [row] = await rows(watched, "callbacks", "caller")
    assert (row["round"], len(row["people"])) == (2, 2)


# -- ordered -------------------------------------------------------------------------------------------------------


async def test_an_order_is_found_by_its_state_from_draft_to_strike_off(watched: Town) -> None:
    issue = await watched.direct()
    await watched.later(days=13)
    drafts = await rows(watched, "orders?state=drafted", "inspector")
    assert {(row["issue"]["id"], row["to"], row["yours"]) for row in drafts} == {(issue, "unit:roads", True)}
    number = drafts[0]["order"]
    await watched.does("inspector", "order", {"draft": number, "text": "请于两个工作日内说明。"}, issue)
    [signed] = await rows(watched, "orders?state=signed", "officer_roads")
    assert (signed["order"], signed["yours"], signed["clock"]["clock"]) == (number, True, "order")
    assert number not in [row["order"] for row in await rows(watched, "orders?state=drafted", "inspector")]
    await watched.does("officer_roads", "respond", {"reply": "明日完成。", "order": number}, issue)
    [answered] = await rows(watched, "orders?state=answered", "inspector")
    assert (answered["reply"], answered["yours"]) == ("明日完成。", True)
    await watched.does("inspector", "settle", {"order": number, "note": "情况属实。"}, issue)
    assert [row["order"] for row in await rows(watched, "orders?state=settled", "team")] == [number]
    everything = await rows(watched, "orders?limit=1", "team")
    assert len({row["order"] for row in everything}) == len(everything) == len(drafts)
    assert await rows(watched, "orders", "officer_parks") == []


async def test_an_order_drafted_after_an_untrue_answer_waits_for_its_signature(watched: Town) -> None:
    issue = await direct(watched)
    await watched.does("inspector", "order", {"to": "unit:roads", "text": "请书面说明。"}, issue)
    await watched.does("officer_roads", "respond", {"reply": "已经修好。"}, issue)
    await watched.later(minutes=5)
    await watched.does("inspector", "settle", {"order": 1, "note": "现场未修。", "untrue": True}, issue)
    [draft] = await rows(watched, "orders?state=drafted", "inspector")
    assert (draft["order"], draft["to"], draft["yours"]) == (2, "unit:roads", True)
    await watched.does("inspector", "order", {"draft": 2, "text": "请如实说明。"}, issue)
    assert [row["order"] for row in await rows(watched, "orders", "inspector")] == [2, 1], "each order once"


# -- standing out --------------------------------------------------------------------------------------------------


async def test_refusals_merges_closings_and_send_backs_are_counted_by_officer_and_unit(watched: Town) -> None:
    for _ in range(2):
        refused = await watched.submit()
        route = {"route": "outside", "reason": "不属于本区。"}
        await watched.does("intake2", "reject", route, refused)
    sent = await watched.direct()
    await watched.does("officer_roads", "send_back", BACK, sent)
    await watched.does("head_roads", "grant", {}, sent)
    await watched.does("inspector", "grant", {}, sent)
    ended = await watched.direct(unit="water", category="noise", text="水管半夜响个不停。")
    form = {"ground": "inadmissible", "reason": "不属受理范围。", "answer": "本件终止办理。"}
    await watched.does("head_water", "terminate", form, ended)
    await watched.does("intake1", "deny", {"reason": "理由不足。"}, ended)
    board = await watched.get("/boards/outliers", "auditadmin")
    by_officer = {(row["who"], row["move"]): row for row in board["by_officer"]}
    assert by_officer["intake2", "reject"] | {"share": 0, "times": 0} == {
        "who": "intake2", "move": "reject", "made": 2, "asked": 0, "denied": 0, "of": 2, "share": 0, "times": 0,
    }  # fmt: skip
    assert by_officer["intake2", "reject"]["share"] == 1.0
    assert by_officer["intake2", "reject"]["times"] == 2.0, "the district: 2 of 4"
    made = {who: row["made"] for (who, move), row in by_officer.items() if move == "send_back"}
    assert made == {"officer_roads": 1}, "neither the head who passed it on nor the inspector who upheld it"
    by_unit = {(row["who"], row["move"]): row for row in board["by_unit"]}
    assert (by_unit["roads", "send_back"]["made"], by_unit["roads", "send_back"]["asked"]) == (1, 1)
    assert by_unit["water", "terminate"]["denied"] == 1
    assert ("desk", "send_back") not in by_unit, "it counts for who asked, not for who granted"
    assert board["whole"]


async def test_a_request_granted_in_the_period_counts_though_it_was_asked_before(watched: Town) -> None:
    issue = await watched.direct()
    asked = await watched.does("head_roads", "send_back", BACK, issue)
    assert asked["status"] == 202
    await watched.until(at("2026-03-03 09:00"))
    await watched.does("intake1", "grant", {}, issue)
    board = await watched.get("/boards/outliers?since=2026-03-03&until=2026-03-03", "team")
    [row] = board["by_unit"]
    assert (row["who"], row["move"], row["made"], row["asked"]) == ("roads", "send_back", 1, 0)
    before = await watched.get("/boards/outliers?since=2026-03-02&until=2026-03-02", "team")
    assert [(row["made"], row["asked"]) for row in before["by_unit"]] == [(0, 1)]


@pytest.mark.parametrize(
    "period",
    [
        "since=2026-03-02&until=2026-03-01", "since=2024-01-01&until=2026-03-01", "until=0001-01-02", "until=9999-12-31",
        "since=9999-12-31&until=9999-12-31",
    ],
)  # fmt: skip
async def test_a_period_runs_forward_and_a_year_at_most(watched: Town, period: str) -> None:
    answer = await watched.client.get(f"/api/v1/boards/outliers?{period}", headers=watched.headers("team"))
    assert (answer.status_code, answer.json()["code"]) == (422, "bad_period")
