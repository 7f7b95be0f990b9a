"""What a hotline manager tries first of the selection, over HTTP: scores, rounds, and what the panel decides (docs/rules.md §10, §6)."""

from __future__ import annotations

import asyncio
import math
from datetime import timedelta
from functools import partial
from typing import Any

import httpx
import pytest
from msgspec import json
from sqlalchemy import Connection, select

from liuti.flow.words import Role
from liuti.policy import default_words
from liuti.store import passes, people, rounds
from liuti.store.tables_rank import places
from liuti.store.world import register_policy
from liuti.store.worlds import Worlds
from tests.doors.town import NOTICE, Body, Town

MATTERS = (
    ("roads", "学院路路口有一个两米宽的大坑,每天晚上行人经过很不方便,希望尽快修补路面。"),
    ("lighting", "滨河路整条街的路灯坏了3个月,每天晚上行人看不清路,希望尽快维修。"),
    ("parking", "文昌小区门口乱停车20辆,每天早上居民出不去,希望安排停车管理。"),
    ("greening", "人民公园的树木长得太密,挡住步道3处,每天早上居民绕着走,希望修剪。"),
    ("sanitation", "建设路的垃圾桶满了5天没人清运,附近居民闻到臭味,希望尽快清理。"),
    ("transport", "开发区公交车站每天早上要等1小时,上班族挤不上车,希望增加公交班次。"),
    ("noise", "东门小区的广场舞喇叭每天晚上超过70分贝,居民无法休息,希望尽快制止。"),
    ("traffic", "学府路路口的红绿灯坏了2周,每天早上行人过街要等很久,希望尽快修理。"),
    ("property", "锦绣小区3栋的楼道杂物堆了半年,业主进出不便,希望督促物业公司清理。"),
)
QUIET = "幸福村有2位残疾人坐轮椅出行,村口的台阶每天都过不去,希望尽快修一处坡道。"
WHY = "会议逐件核对后一致认为此题应当调整位次,理由已当面说明并记入会议纪要。"


async def waits(town: Town, text: str, category: str = "roads", **more: Any) -> str:
    """A matter in the pool, entered by the intake desk."""
    issue = await town.submit("intake1", text=text, **more)
    await town.does("intake1", "accept_topic", {"category": category, "urgency": "general", "grid": "g-01"}, issue)
    return issue


async def pool(town: Town, number: int = 9) -> list[str]:
    return [await waits(town, text, category) for category, text in MATTERS[:number]]


async def tries(town: Town, who: str = "analyst", **form: Any) -> httpx.Response:
    return await town.client.post("/api/v1/rounds", json=form, headers=town.headers(who))


async def opens(town: Town, slots: int = 5, who: str = "analyst") -> Body:
    answer = await tries(town, who, slots=slots)
    assert answer.status_code == 201, answer.text
    opened: Body = answer.json()
    return opened


async def closes(town: Town, number: int, who: str = "analyst") -> httpx.Response:
    return await town.client.post(f"/api/v1/rounds/{number}/close", headers=town.headers(who))


async def next_round(town: Town, slots: int = 5) -> Body:
    """The one that runs is closed, and a day later another one opened."""
    latest = (await town.get("/rounds"))["rounds"][0]["number"]
    assert (await closes(town, latest)).status_code == 200
    town.clock.now += timedelta(days=1)
    return await opens(town, slots)


async def lines(town: Town, number: int, who: str = "panel1") -> dict[str, Body]:
    """The lines of a round by their issue, in the order of the list."""
    return {line["issue"]["id"]: line for line in (await town.get(f"/rounds/{number}", who))["lines"]}


async def score(town: Town, issue: str, who: str = "panel1") -> Body:
    return await town.get(f"/issues/{issue}/score", who)


def factor(line: Body, name: str) -> Body:
    return next(one for one in line["score"]["factors"] if one["name"] == name)


async def replays(town: Town, number: int) -> dict[str, float]:
    """Totals computed again from the snapshots; each must be what was shown."""
    found = await town.office.engine.read(lambda c: list(rounds.replayed(c, rounds.find(c, str(number)).id)))
    assert all(shown == again for _, shown, again in found)
    return {issue: again for issue, _, again in found}


async def cosigns(town: Town, issue: str, number: int, text: str = "", address: str = "") -> None:
    contact = {"phone": f"139{number:08d}", "address": address}
    await town.does("", "cosign", {"text": text, "contact": contact, "notice_version": NOTICE}, issue)


async def test_08_ten_accounts_of_one_household_count_one(town: Town) -> None:
    home = "东门社区3栋2单元501"
    text = MATTERS[0][1]
    issue = await town.submit(text=text, contact={"phone": "13800000001", "address": home})
    for number in range(9):
        await cosigns(town, issue, number, address=home)
    await town.does("intake1", "accept_topic", {"category": "roads", "urgency": "general", "grid": "g-01"}, issue)
    await opens(town)
    one = factor(await score(town, issue), "households")
    assert (one["raw"]["unverified"], one["raw"]["verified"]) == (1, 0)
    assert (one["raw"]["accounts"], one["raw"]["voices"], one["raw"]["staff"]) == (10, 10, 0)
    assert one["value"] == round(math.log(1 + 0.3) / math.log(51), 4)
    assert (await town.see(issue))["voices"] == 10
    await cosigns(town, issue, 77, address="东门社区3栋2单元502")
    await next_round(town)
    assert factor(await score(town, issue), "households")["raw"]["unverified"] == 2


async def test_09_a_text_pasted_by_fifty_new_accounts_is_flagged_and_nothing_is_lost(town: Town) -> None:
    lead = await town.submit(text=MATTERS[0][1], contact={"phone": "13700000001"})
    await cosigns(town, lead, 1, "我家也一样,车都不敢走。")
    town.clock.now += timedelta(days=2)
    pasted = "学院路大坑无人管,全体住户强烈要求马上修好,转发给所有人。"
    for number in range(50):
        town.clock.now += timedelta(minutes=1)
        copy = await town.submit(text=pasted, contact={"phone": f"136{number:08d}"})
        await town.does("intake1", "merge", {"lead": lead}, copy)
    await town.does("intake1", "accept_topic", {"category": "roads", "urgency": "general", "grid": "g-01"}, lead)
    await opens(town)
    flagged = await score(town, lead)
    raw, grown = factor(flagged, "households")["raw"], factor(flagged, "growth")
    assert (raw["voices"], raw["accounts"], raw["households"], raw["unverified"]) == (52, 52, 52, 3)
    assert len(raw["same_text"]) == 1 and "同文" in factor(flagged, "households")["zh"]
    assert (grown["value"], grown["raw"]["frozen"], grown["raw"]["recent"]) == (0, True, 2)
    assert grown["raw"]["held_back"] == 50 and "待复核" in grown["zh"]
    assert (await town.see(lead))["voices"] == 52, "nothing is deleted"
    assert len(set(await town.letters(lead, "accept_topic"))) == 52, "all voices are told"

    assert (await town.refused("intake1", "unflag", {"what": "burst", "reason": "x"}, lead))["status"] == 403
    nameless = {"what": "same_text", "reason": "已抽查。"}
    assert (await town.refused("analyst", "unflag", nameless, lead))["code"] == "names_the_text"
    await town.does("panel1", "unflag", nameless | {"text": raw["same_text"][0]}, lead)
    await next_round(town)
    half = await score(town, lead)
    assert factor(half, "households")["raw"]["unverified"] == 52
    assert factor(half, "growth")["raw"]["frozen"], "they still came all at once"
    await town.does("analyst", "unflag", {"what": "burst", "reason": "已电话抽查10户,均为本人反映。"}, lead)
    await next_round(town)
    cleared = await score(town, lead)
    grown = factor(cleared, "growth")
    assert (grown["value"], grown["raw"]["frozen"], grown["raw"]["recent"]) == (1, False, 52)
    assert factor(cleared, "households")["raw"]["same_text"] == []
    assert factor((await lines(town, 1))[lead], "growth")["value"] == 0, "the first round stays as it was"


async def test_10_a_factor_nobody_knows_is_half_and_to_be_verified_and_replays(town: Town) -> None:
    clear, vague = await waits(town, MATTERS[0][1]), await waits(town, "帮帮忙吧", "other", place="unknown")
    await opens(town)
    found = await lines(town, 1)
    days = factor(found[clear], "days")
    assert (days["value"], days["origin"], days["points"], days["weight"]) == (0.5, "unknown", 2.5, 5)
    assert days["zh"].endswith("(待核)")
    assert "days" not in {reason["factor"] for reason in found[clear]["score"]["strongest"]}
    for line in found.values():
        parts = line["score"]["factors"]
        assert len(parts) == 16
        assert all(part["points"] == round(part["value"] * part["weight"], 4) for part in parts)
        assert line["score"]["total"] == pytest.approx(sum(part["points"] for part in parts), abs=0.03)
        assert line["score"]["total"] == pytest.approx(sum(line["score"]["subs"].values()), abs=1e-9)
        unknown = sum(part["weight"] for part in parts if part["origin"] == "unknown")
        assert line["score"]["unknown_weight"] == unknown
    assert await replays(town, 1) == {issue: line["score"]["total"] for issue, line in found.items()}
    assert found[clear]["rank"] == 1
    assert found[vague]["score"]["unknown_weight"] > 30
    assert (found[vague]["rank"], found[vague]["why"]) == (None, "unknown")


async def test_11_last_month_s_round_keeps_the_weights_it_had_also_after_a_year(town: Town) -> None:
    await pool(town, 3)
    await opens(town, 2)
    before = await lines(town, 1)
    assert (await closes(town, 1)).status_code == 200
    town.clock.now += timedelta(days=31)
    await weights_change(town)
    await opens(town, 2)
    for more in (timedelta(), timedelta(days=365)):
        town.clock.now += more
        old, new = await lines(town, 1), await lines(town, 2)
        for part in ("score", "rank", "final_rank", "by_total", "why", "snapshot"):
            assert {i: line[part] for i, line in old.items()} == {i: line[part] for i, line in before.items()}
        assert await replays(town, 1) == {issue: line["score"]["total"] for issue, line in before.items()}
        await replays(town, 2)
        for issue, line in new.items():
            assert (factor(line, "concrete")["weight"], factor(line, "money")["weight"]) == (1, 14)
            assert (factor(old[issue], "concrete")["weight"], factor(old[issue], "money")["weight"]) == (8, 7)
    listed = (await town.get("/rounds"))["rounds"]
    assert [(one["number"], one["policy"], one["formula"]) for one in listed] == [(2, 2, 1), (1, 1, 1)]


async def weights_change(town: Town) -> None:
    """Another version of the policy is registered, and the server reads it as its watch would."""
    words = default_words().replace("version = 1\n", "version = 2\n", 1)
    words = words.replace("\nconcrete = 8\n", "\nconcrete = 1\n").replace("\nmoney = 7\n", "\nmoney = 14\n")
    await town.office.engine.write(partial(register_policy, words=words, now=town.clock.now))
    worlds = town.office.desk.world
    assert isinstance(worlds, Worlds)
    await worlds.refresh(town.office.engine)


async def test_12_the_panel_drops_rank_2_and_pins_rank_9_and_both_ranks_are_public(town: Town) -> None:
    await pool(town)
    await opens(town, 9)
    ids = list(await lines(town, 1))
    assert [line["rank"] for line in (await lines(town, 1)).values()] == list(range(1, 10))
    second, ninth = ids[1], ids[8]
    pin = {"what": "pin", "code": "season", "reason": WHY, "from_rank": 9, "to_rank": 2}
    drop = {"what": "drop", "code": "already_planned", "reason": WHY, "from_rank": 2}
    assert (await town.refused("panel1", "adjust", drop | {"reason": ""}, second))["status"] == 422
    for form in (pin | {"code": "whim"}, pin | {"reason": "理" * 19}):
        problem = await town.refused("panel1", "adjust", form, ninth)
        assert (problem["status"], problem["code"]) == (422, "coded_reason")
    assert (await town.refused("analyst", "adjust", pin, ninth))["status"] == 403
    for form, issue in ((drop, second), (pin, ninth)):
        before = await finals(town)
        asked = await town.does("panel1", "adjust", form, issue)
        assert (asked["status"], asked["awaits"]) == (202, "panel")
        assert (await town.refused("panel1", "grant", {}, issue))["code"] == "same_person"
        assert await finals(town) == before, "not yet"
        await town.does("panel2", "grant", {}, issue)
    found = await lines(town, 1)
    assert (found[second]["rank"], found[second]["final_rank"]) == (2, None)
    assert (found[ninth]["rank"], found[ninth]["final_rank"]) == (9, 2)
    assert [found[issue]["final_rank"] for issue in (ids[0], *ids[2:8])] == [1, 3, 4, 5, 6, 7, 8]
    changes = (await town.get("/rounds/1", "panel3"))["changes"]
    assert {(one["issue_id"], one["what"], one["code"], one["reason"]) for one in changes} == {
        (second, "drop", "already_planned", WHY),
        (ninth, "pin", "season", WHY),
    }
    told = (await town.get(f"/issues/{ninth}/timeline"))["entries"][-2:]
    assert [(entry["move"], entry["by"]) for entry in told] == [("adjust", "panel1"), ("grant", "panel2")]

    assert await lines(town, 1, "") == {}, "nothing is public before it is published"
    for issue in (ids[0], ninth):
        await town.vote(issue)
        await town.does("panel1", "publish", {"snapshot": found[issue]["snapshot"]}, issue)
    public = await lines(town, 1, "")
    assert {issue: (line["rank"], line["final_rank"]) for issue, line in public.items()} == {
        ids[0]: (1, 1),
        ninth: (9, 2),
    }


async def finals(town: Town) -> list[int | None]:
    return [line["final_rank"] for line in (await lines(town, 1)).values()]


async def test_13_who_ran_the_score_does_not_vote_and_is_not_offered_to(town: Town) -> None:
    town.secrets |= await town.office.engine.write(partial(analysts_on_the_panel, town=town))
    issue = await waits(town, MATTERS[0][1])
    await opens(town, who="ran-it")
    problem = await town.refused("ran-it", "vote", {"yes": True}, issue)
    assert (problem["status"], problem["code"]) == (403, "did_not_run_the_score")
    assert (await town.refused("analyst", "vote", {"yes": True}, issue))["status"] == 403
    offered = {who: (await town.see(issue, who))["moves"] for who in ("ran-it", "looked-on", "panel1", "analyst")}
    assert {who for who, moves in offered.items() if "vote" in moves} == {"looked-on", "panel1"}
    assert "adjust" in offered["ran-it"]
    await town.does("looked-on", "vote", {"yes": True}, issue)
    assert (await town.refused("looked-on", "vote", {"yes": True}, issue))["code"] == "voted_this_round"


def analysts_on_the_panel(conn: Connection, town: Town) -> dict[str, str]:
    """Two who may both run a score and vote; their passes."""
    for name in ("ran-it", "looked-on"):
        people.add_person(conn, name, name, name, roles={Role.ANALYST, Role.PANEL}, unit="topics")
    return {name: passes.make_token(conn, name, "test", town.clock.now, None) for name in ("ran-it", "looked-on")}


async def test_a_value_put_right_counts_in_the_next_round_and_its_evidence_is_shown(town: Town) -> None:
    issue = await waits(town, MATTERS[0][1])
    await opens(town)
    form = {"factor": "money", "value": 0.95, "evidence": "区级专项资金已列支,见第3号预算批复。"}
    for wrong in (form | {"factor": "charm"}, form | {"value": 1.01}, form | {"evidence": ""}, {"factor": "money"}):
        assert (await town.refused("analyst", "assess", wrong, issue))["status"] == 422
    assert (await town.refused("intake1", "assess", form, issue))["status"] == 403
    await town.does("analyst", "assess", form, issue)
    before = await score(town, issue)
    assert (factor(before, "money")["value"], factor(before, "money")["origin"]) == (0.4, "presumed"), "frozen"
    await next_round(town)
    after = await score(town, issue)
    money = factor(after, "money")
    assert (money["value"], money["origin"], money["raw"]["first"]) == (0.95, "evidence", 0.4)
    assert money["raw"]["by"] == "analyst"
    assert form["evidence"] not in money["zh"], "words stay in the ledger, where the law may erase them"
    assert [(e["factor"], e["words"]) for e in after["evidence"]] == [("money", form["evidence"])]
    assert await replays(town, 2) == {issue: after["score"]["total"]}
    await town.vote(issue)
    await town.does("panel1", "publish", {}, issue)
    assert (await score(town, issue, ""))["evidence"][0]["words"] == form["evidence"], (
        "everybody reads on what evidence"
    )
    assert b'"analyst"' not in json.encode(await score(town, issue, "")), "and nobody outside who"


async def test_a_value_taken_back_is_presumed_again(town: Town) -> None:
    issue = await waits(town, MATTERS[0][1])
    form = {"factor": "days", "value": 0.9, "evidence": "同类工程一般20天完工。"}
    await town.does("analyst", "assess", form, issue)
    await town.does("analyst", "assess", {"factor": "units", "value": 1, "evidence": "只需养护所一家。"}, issue)
    await town.does("panel1", "assess", form | {"value": None, "evidence": "工期说明已作废。"}, issue)
    await opens(town)
    found = await score(town, issue)
    assert factor(found, "days")["origin"] == "unknown"
    assert (factor(found, "units")["value"], factor(found, "units")["origin"]) == (1, "evidence")


async def test_what_was_not_recommended_is_published_with_a_reason_only(town: Town) -> None:
    await pool(town, 3)
    await opens(town, 1)
    below = next(issue for issue, line in (await lines(town, 1)).items() if line["rank"] is None)
    await town.vote(below)
    for form in ({}, {"recommended": True}, {"reason": " "}):
        problem = await town.refused("panel1", "publish", form, below)
        assert (problem["status"], problem["code"]) == (422, "reason_if_not_recommended")
    await town.does("panel1", "publish", {"reason": "群众反映集中,条件成熟。"}, below)
    top = next(iter(await lines(town, 1)))
    await town.vote(top)
    await town.does("panel1", "publish", {}, top)


async def test_a_decision_on_an_older_round_s_snapshot_is_refused(town: Town) -> None:
    issue = await waits(town, MATTERS[0][1])
    await opens(town)
    old = (await score(town, issue))["snapshot"]
    await next_round(town)
    new = (await score(town, issue))["snapshot"]
    await town.vote(issue)
    for snapshot in (old, new | {"digest": old["digest"]}, old | {"digest": new["digest"]}, {"round": new["round"]}):
        problem = await town.refused("panel1", "publish", {"snapshot": snapshot}, issue)
        assert (problem["status"], problem["code"]) == (422, "snapshot_is_the_latest")
    await town.does("panel1", "publish", {"snapshot": new}, issue)
    noted = (await town.get(f"/issues/{issue}/timeline"))["entries"][-1]["facts"]["score"]
    assert (noted["round"], noted["digest"], noted["rank"]) == (new["round"], new["digest"], 1)


async def test_two_rounds_are_never_open_at_once_also_when_asked_for_at_the_same_moment(town: Town) -> None:
    await pool(town, 3)
    answers = await asyncio.gather(*(tries(town, slots=2) for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [201, *[409] * 5]
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"round_is_open"}
    assert [one["number"] for one in (await town.get("/rounds"))["rounds"]] == [1]
    assert (await tries(town, slots=2)).status_code == 409
    assert (await closes(town, 1, "panel1")).status_code == 200
    again = await closes(town, 1)
    assert (again.status_code, again.json()["code"]) == (409, "round_is_closed")
    assert (await opens(town))["number"] == 2


async def test_who_may_open_close_and_what_an_opening_must_say(town: Town) -> None:
    await pool(town, 1)
    answers = {who: (await tries(town, who, slots=1)).status_code for who in ("", "panel1", "intake1", "sysadmin")}
    assert answers == {"": 401, "panel1": 403, "intake1": 403, "sysadmin": 403}
    moments = (
        "2026-03-01T10:00:00",
        "2026-03-03T10:00:00Z",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59-10:00",
        "soon",
    )
    wrong: list[Body] = [{}, {"slots": 0}, {"slots": 201}, {"slots": "many"}, {"slots": 1, "more": 1}]
    for form in (*wrong, *({"slots": 1, "as_of": moment} for moment in moments)):
        answer = await tries(town, "analyst", **form)
        assert answer.status_code == 422 and answer.json()["code"] in {"bad_form", "nothing_to_choose"}, form
    opened = await opens(town)
    for who, status in (("", 401), ("intake1", 403), ("gate1", 403)):
        assert (await closes(town, 1, who)).status_code == status
    for name in ("2", "no-such-round", "9" * 20):
        answer = await town.client.get(f"/api/v1/rounds/{name}", headers=town.headers("panel1"))
        assert (answer.status_code, answer.json()["code"]) == (404, "no_such_round")
    assert (await town.get(f"/rounds/{opened['id']}", "panel1"))["number"] == 1


async def test_the_public_reads_what_is_published_and_no_raw_inputs(town: Town) -> None:
    ids = await pool(town, 4)
    mine = await town.submit(text=QUIET, contact={"phone": "13800000009"})
    await town.does("intake1", "accept_topic", {"category": "roads", "urgency": "general", "grid": "g-01"}, mine)
    await opens(town)
    await town.vote(ids[0])
    await town.does("panel1", "publish", {"reason": "条件成熟。"}, ids[0])
    assert set(await lines(town, 1, "")) == {ids[0]}
    assert set(await lines(town, 1, mine)) == {ids[0], mine}, "and everybody their own"
    for who in ("", mine, "officer_roads"):
        body = await town.get("/rounds/1", who)
        assert "changes" not in body
        assert not [f for line in body["lines"] for f in line["score"]["factors"] if "raw" in f]
    line = (await lines(town, 1, ""))[ids[0]]
    assert set(line["score"]["subs"]) == {"narrow_scope", "impact", "feasible", "broad_benefit"}
    assert [len(line["score"][side]) for side in ("strongest", "weakest")] == [3, 3]
    assert {"rank", "final_rank", "why"} <= set(line)
    hidden = await town.client.get(f"/api/v1/issues/{ids[1]}/score", headers=town.headers(mine))
    assert hidden.status_code == 404
    assert (await town.client.get(f"/api/v1/issues/{ids[1]}/score")).status_code == 401
    assert "raw" not in factor(await score(town, ids[0], ""), "money")
    assert "raw" in factor(await score(town, ids[0]), "money")
    for path in ("/rounds/1", f"/issues/{ids[0]}/score"):
        answer = await town.client.get("/api/v1" + path, headers=town.headers("sysadmin"))
        assert answer.status_code == 403, "an admin reads no case"
    assert (await town.client.get(f"/api/v1/issues/{await town.topic()}/score", headers=town.headers("panel1"))).json()[
        "code"
    ] == "not_scored"


async def test_a_slot_is_kept_for_the_grave_that_few_raise(town: Town) -> None:
    await pool(town, 5)
    quiet = await waits(town, QUIET, "property")
    town.clock.now += timedelta(days=1)
    await opens(town, 2)
    found = await lines(town, 1)
    assert found[quiet]["by_total"] > 2
    assert (found[quiet]["rank"], found[quiet]["why"]) == (2, "set_aside")
    assert [line["why"] for line in found.values()].count("total") == 1
    assert [line["rank"] for line in found.values()] == [1, 2, None, None, None, None]


async def test_of_equal_totals_the_earlier_proposal_stands_first(town: Town) -> None:
    """All three were brought to another office long ago, and come in today the other way round."""
    ids = []
    for street, days in (("中山", 65), ("解放", 80), ("和平", 100)):
        told = (town.clock.now - timedelta(days=days)).isoformat()
        text = MATTERS[0][1].replace("学院", street)
        ids.append(await waits(town, text, place=f"{street}路路口", reported_at=told, source="letter"))
    await opens(town, 2)
    found = await lines(town, 1)
    assert len({line["score"]["total"] for line in found.values()}) == 1
    assert list(found) == ids[::-1]


async def test_the_whole_way_from_eight_matters_to_what_became_of_each(town: Town) -> None:
    ids = await pool(town, 7)
    ids.append(await town.topic(livelihood=True))
    assert {one["id"] for one in (await town.get("/steps/select/issues"))["issues"]} == set(ids)
    opened = await opens(town, 3)
    assert (opened["number"], opened["scored"], opened["recommended"]) == (1, 8, 3)
    found = await lines(town, 1)
    project = ids[7]
    first, second = [issue for issue in found if issue != project][:2]
    kept, told, sent, twin, left = [issue for issue in found if issue not in (project, first, second)]

    for issue in (project, first, second):
        assert (await town.refused("panel1", "publish", {}, issue))["code"] == "majority_of_votes"
        await town.vote(issue)
    form = {"snapshot": found[project]["snapshot"], "reason": "为民办实事项目,会议一致同意。"}
    assert (await town.refused("panel1", "publish", form, project))["code"] == "gates_signed"
    for gate in ("gate1", "gate2", "gate3"):
        await town.does(gate, "sign_gate", {"agree": True}, project)
    for issue in (project, first, second):
        await town.does("panel1", "publish", form | {"snapshot": found[issue]["snapshot"]}, issue)
    await town.does("panel2", "reserve", {"reason": "资金待落实。", "next_round": town.day(20)}, kept)
    await town.does("panel2", "explain", {"reason": "无法定依据。", "answer": "现行规定不支持,特此说明。"}, told)
    await town.does("inspector", "grant", {}, told)
    await town.does("analyst", "divert", {"unit": "parks", "reason": "单一部门即可解决。"}, sent)
    await town.does("panel3", "merge", {"lead": first, "reason": "同一路段同一问题。"}, twin)
    await town.does("leader1", "claim", town.card(), first)
    assert (await closes(town, 1, "panel1")).status_code == 200

    ends = {issue: (await town.see(issue))["step"] for issue in ids}
    assert ends[project] == ends[second] == "claim"
    assert (ends[first], ends[sent], ends[twin], ends[told]) == ("solve", "solve", "merged", "closed")
    assert (ends[kept], ends[left]) == ("select", "select")
    assert (await town.see(sent))["lane"] == "direct" and (await town.see(told))["closing"] == "explained"
    assert (await town.see(first))["leader"] == "副主任一"
    assert set(await lines(town, 1, "")) == {project, first, second}
    assert list(await lines(town, 1)) == list(found), "the list stays as it was frozen"
    assert await replays(town, 1) == {issue: line["score"]["total"] for issue, line in found.items()}
    town.clock.now += timedelta(days=20)
    assert (await opens(town))["scored"] == 2, "what was kept and what still waits come again"
    assert set(await lines(town, 2)) == {kept, left}


async def test_a_new_round_asks_for_new_votes_and_the_old_ones_publish_nothing(town: Town) -> None:
    issue = await waits(town, MATTERS[0][1])
    await opens(town)
    await town.vote(issue)
    assert (await town.refused("panel1", "vote", {"yes": False}, issue))["code"] == "voted_this_round"
    await next_round(town)
    assert (await town.refused("panel1", "publish", {}, issue))["code"] == "majority_of_votes"
    await town.vote(issue)
    await town.does("panel1", "publish", {}, issue)


async def test_a_vote_cast_before_running_the_score_does_not_count(town: Town) -> None:
    issue = await waits(town, MATTERS[0][1])
    town.secrets |= await town.office.engine.write(lambda conn: analysts_on_the_panel(conn, town))
    await town.does("ran-it", "vote", {"yes": True}, issue)
    await opens(town, who="ran-it")
    assert (await town.refused("ran-it", "vote", {"yes": True}, issue))["code"] == "did_not_run_the_score"
    for member in ("panel1", "panel2"):
        await town.does(member, "vote", {"yes": True}, issue)
    refused = await town.refused("panel1", "publish", {}, issue)
    assert (refused["code"], refused["cast"]) == ("majority_of_votes", 2)


async def test_a_change_names_a_place_there_is_and_comes_while_the_round_is_open(town: Town) -> None:
    ids = await pool(town, 3)
    await opens(town, 2)
    form = {"code": "season", "reason": WHY}
    for wrong in (
        {"what": "swap"},
        {"what": "swap", "other": "nobody"},
        {"what": "swap", "other": ids[0]},
        {"what": "pin", "to_rank": 3},
    ):
        assert (await town.refused("panel1", "adjust", form | wrong, ids[0]))["code"] == "change_has_its_place", wrong
    await town.does("panel1", "adjust", form | {"what": "drop"}, ids[0])
    await closes(town, 1)
    assert (await town.refused("panel2", "grant", {}, ids[0]))["code"] == "round_takes_changes"
    await town.later(minutes=1)
    await opens(town, 2)
    assert (await town.refused("panel2", "grant", {}, ids[0]))["code"] == "round_takes_changes"


async def test_what_the_panel_dropped_is_published_only_with_a_reason(town: Town) -> None:
    await pool(town, 3)
    await opens(town, 3)
    first = next(iter(await lines(town, 1)))
    await town.does("panel1", "adjust", {"code": "season", "reason": WHY, "what": "drop"}, first)
    await town.does("panel2", "grant", {}, first)
    await town.vote(first)
    assert (await town.refused("panel1", "publish", {}, first))["code"] == "reason_if_not_recommended"
    await town.does("panel1", "publish", {"reason": "汛期将至,仍须先办。"}, first)


async def test_what_came_after_the_round_was_opened_is_published_only_with_a_reason(town: Town) -> None:
    await pool(town, 3)
    await opens(town, 3)
    late = await waits(town, MATTERS[5][1])
    await town.vote(late)
    assert (await town.refused("panel1", "publish", {}, late))["code"] == "reason_if_not_recommended"


async def test_gates_sign_anew_after_a_reserve(town: Town) -> None:
    issue = await town.topic(livelihood=True)
    await town.does("gate1", "sign_gate", {"agree": True}, issue)
    await town.does("panel1", "reserve", {"reason": "资金下季度落实。", "next_round": town.day(20)}, issue)
    assert (await town.state(issue)).signatures == ()


async def test_nothing_people_wrote_is_frozen_with_a_round(town: Town) -> None:
    issue = await waits(town, MATTERS[0][1])
    await town.does("analyst", "assess", {"factor": "money", "value": 0.9, "evidence": "预算批复第七号"}, issue)
    await opens(town)
    title = (await town.see(issue))["title"]
    kept = await town.office.engine.read(lambda conn: [str(row) for row in conn.execute(select(places))])
    assert len(kept) == 1
    assert title not in kept[0] and "预算批复第七号" not in kept[0]
