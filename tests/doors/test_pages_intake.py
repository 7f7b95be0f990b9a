"""Intake's pages: one issue after another, side by side with what is like it, and what is entered for somebody."""

from __future__ import annotations

import re
from typing import Any

import pytest
from sqlalchemy import select

from liuti.store.tables import looks
from tests.doors.test_pages import browser, hidden
from tests.doors.test_scenarios import statements
from tests.doors.town import NOTICE, Town

HOLE = "学院路口有一个大坑,车都绕着走,晚上很危险。"
DIRECT = {"category": "roads", "urgency": "general", "unit": "roads"}


async def arrived(town: Town) -> None:
    await town.office.matters.arrive(town.office.engine, town.clock.now)


def shown(page: str) -> str:
    """The title of the issue that is to be decided."""
    found = re.search(r'<h2 id="it" class="it">(.*?)</h2>', page)
    assert found is not None
    return found[1]


def decision(page: str, move: str) -> dict[str, str]:
    form = page[page.index(f'action="{re.search(rf"/desk/intake/[^/]+/{move}", page)[0]}"') :]  # type: ignore[index]
    return {name: hidden(form, name) for name in ("key", "version", "next")}


# -- one after another -------------------------------------------------------------------------------------------------


async def test_the_most_pressing_is_shown_first_and_after_a_decision_comes_the_next(town: Town) -> None:
    await town.submit(title="第一件", text="这里的路灯不亮已经一周了。")
    await town.later(minutes=5)
    second = await town.submit(title="第二件", text="公园的长椅坏了没人修。")
    await town.submit(title="停水的", text="我们楼停水了,一点水也没有。")  # a basic need: two hours, not twenty-four
    officer = browser(town, "intake1")
    page = (await officer.get("/desk/intake")).text
    assert shown(page) == "停水的"
    page = (await officer.get("/desk/intake", params={"at": second})).text
    assert shown(page) == "第二件"
    issue = re.findall(r'/desk/intake\?at=([^"]+)"', page)
    given = decision(page, "accept_direct") | DIRECT
    answer = await officer.post(f"/desk/intake/{second}/accept_direct", data=given)
    assert answer.status_code == 303, answer.text
    assert answer.headers["location"].startswith("/desk/intake?at=") and second not in answer.headers["location"]
    assert (await town.state(second)).step == "solve"
    assert shown((await officer.get(answer.headers["location"])).text) in ("停水的", "第一件")
    assert len(set(issue)) == 3


async def test_whoever_chooses_a_category_is_not_asked_how_sure_a_machine_was(town: Town) -> None:
    issue = await town.submit()
    officer = browser(town, "intake1")
    page = (await officer.get("/desk/intake")).text
    assert 'name="category"' in page and "confidence" not in page
    given = decision(page, "accept_topic") | {"category": "roads", "urgency": "general", "grid": "g-01"}
    answer = await officer.post(f"/desk/intake/{issue}/accept_topic", data=given)
    assert answer.status_code == 303, answer.text
    assert (await town.state(issue)).category_confidence is None


async def test_what_was_refused_comes_again_on_the_same_screen_with_what_was_typed(town: Town) -> None:
    issue = await town.submit(title="要退的")
    officer = browser(town, "intake1")
    given = decision((await officer.get("/desk/intake")).text, "reject")
    answer = await officer.post(f"/desk/intake/{issue}/reject", data=given | {"reason": "已经说明过去处"})
    assert answer.status_code == 422
    assert (
        shown(answer.text) == "要退的"
        and "已经说明过去处" in answer.text
        and 'id="move-reject-" data-key="5" open' in answer.text
    )
    assert (await town.state(issue)).step == "propose"


async def test_what_a_colleague_decided_meanwhile_does_not_fall_upon_the_next_one(town: Town) -> None:
    mine = await town.submit(title="同事先办了")
    await town.submit(title="下一件")
    officer = browser(town, "intake1")
    page = (await officer.get("/desk/intake", params={"at": mine})).text
    given = decision(page, "accept_direct") | DIRECT
    await town.does("intake2", "accept_direct", DIRECT, mine)
    answer = await officer.post(f"/desk/intake/{mine}/accept_direct", data=given)
    assert answer.status_code == 409 and shown(answer.text) == "下一件"
    assert "同事先办了" in answer.text and "details class" in answer.text and " open>" not in answer.text


async def test_a_refusal_that_needs_a_second_officer_is_answered_on_the_same_screen(town: Town) -> None:
    issue = await town.submit()
    await town.does("intake1", "reject", {"route": "secret", "reason": "涉及他人隐私"}, issue)
    assert "answer" not in re.findall(
        rf"/desk/intake/{issue}/([a-z_]+)", (await browser(town, "intake1").get("/desk/intake")).text
    )
    second = browser(town, "intake2")
    page = (await second.get("/desk/intake")).text
    assert "涉及他人隐私" in page
    given = decision(page, "answer") | {"answer": "grant", "request": "1"}
    answer = await second.post(f"/desk/intake/{issue}/answer", data=given)
    assert answer.status_code == 303, answer.text
    assert (await town.state(issue)).step == "rejected"
    assert "队列空了" in (await second.get("/desk/intake")).text


# -- what helps to decide ----------------------------------------------------------------------------------------------


async def test_what_is_alike_stands_side_by_side_with_what_both_say_marked_and_is_merged_by_one_button(
    town: Town,
) -> None:
    lead = await town.submit(title="路口大坑", text=HOLE, place="学院路与东街路口", kind="help")
    other = await town.submit(title="学院路口大坑", text=HOLE + "请尽快修。", place="学院路与东街路口", kind="help")
    await arrived(town)
    officer = browser(town, "intake1")
    page = (await officer.get("/desk/intake", params={"at": other})).text
    assert f'name="lead" value="{lead}"' in page and "<mark>学院路口有一个大坑" in page
    given = decision(page, "merge") | {"lead": lead, "reason": "同一地点同一问题。"}
    assert (await officer.post(f"/desk/intake/{other}/merge", data=given)).status_code == 303
    assert (await town.state(other)).lead == lead


async def test_what_the_flow_would_not_merge_has_no_button_and_says_why(town: Town) -> None:
    lead = await town.submit(text=HOLE, kind="complaint")
    other = await town.submit(text=HOLE, kind="help")
    await arrived(town)
    officer = browser(town, "intake1")
    page = (await officer.get("/desk/intake", params={"at": other})).text
    assert f'name="lead" value="{lead}"' not in page and "类型相同才能并单" in page
    beside = (await officer.get("/desk/intake", params={"at": other, "beside": lead})).text
    assert f'name="lead" value="{lead}"' not in beside and "不能并入" in beside and "<mark>" in beside


async def test_an_issue_named_by_its_query_code_is_compared(town: Town) -> None:
    other = await town.submit(title="别处的事", text="公园的长椅坏了没人修,老人没处坐。", kind="help")
    issue = await town.submit(title="这里的事", kind="help")
    code = (await town.see(other))["query_code"]
    officer = browser(town, "intake1")
    page = (await officer.get("/desk/intake", params={"at": issue, "beside": code})).text
    assert f'name="lead" value="{other}"' in page
    assert "没有这个编号" in (await officer.get("/desk/intake", params={"at": issue, "beside": "000"})).text


async def test_earlier_issues_of_the_same_phone_are_shown_and_of_the_same_network_are_not(town: Town) -> None:
    first = await town.submit(title="先前的一件", contact={"phone": "13800000077"})
    await town.does("intake1", "accept_direct", DIRECT, first)
    await town.submit(title="没留电话的一件")
    again = await town.submit(title="又一件", contact={"phone": "138 0000 0077"})
    nameless = await town.submit(title="也没留电话")
    officer = browser(town, "intake1")
    page = (await officer.get("/desk/intake", params={"at": again})).text
    assert f'<a href="/issues/{first}">先前的一件</a>' in page
    page = (await officer.get("/desk/intake", params={"at": nameless})).text
    assert '">没留电话的一件</a> <span class="tag step">' not in page and "没有先前的题" in page


async def test_a_contact_is_masked_until_a_purpose_is_given_and_the_look_is_kept(town: Town) -> None:
    issue = await town.submit(title="有电话的", contact={"name": "王小明", "phone": "13812345678"})
    officer = browser(town, "intake1")
    page = (await officer.get("/desk/intake")).text
    assert "138****5678" in page and "13812345678" not in page and "王小明" not in page
    short = await officer.post(f"/desk/intake/{issue}/people", data={"purpose": "看"})
    assert short.status_code == 422 and "13812345678" not in short.text
    kept = select(looks.c.purpose, looks.c.person_id)
    assert await town.office.engine.read(lambda conn: list(conn.execute(kept))) == []
    opened = await officer.post(f"/desk/intake/{issue}/people", data={"purpose": "核实具体地点"})
    assert opened.status_code == 200 and "13812345678" in opened.text and "王小明" in opened.text
    assert opened.headers["cache-control"] == "no-store" and shown(opened.text) == "有电话的"
    rows: list[Any] = await town.office.engine.read(lambda conn: list(conn.execute(kept)))
    assert [tuple(row) for row in rows] == [("核实具体地点", "intake1")]


@pytest.mark.parametrize("path", ["/desk/intake", "/desk/enter"])
async def test_only_who_takes_issues_in_reads_these_pages(town: Town, path: str) -> None:
    issue = await town.submit(title="不给别人看的")
    assert (await browser(town, "intake1").get(path)).status_code == 200
    assert (await browser(town).get(path)).headers["location"].startswith("/sign-in?next=")
    for who in ("officer_roads", "inspector", "sysadmin", "leader1"):
        answer = await browser(town, who).get(path)
        assert answer.status_code == 403 and "不给别人看的" not in answer.text, who
    assert (
        await browser(town, "officer_roads").post(f"/desk/intake/{issue}/people", data={"purpose": "随便看看"})
    ).status_code in (403, 404)


# -- entering for somebody ---------------------------------------------------------------------------------------------


def call(page: str, **more: str) -> dict[str, str]:
    given = {
        "text": "三号楼的电梯停了两天,老人下不了楼。", "place": "东门社区3号楼", "contact.phone": "13800000088",
        "source": "12345", "on_behalf": "true", "consent": "true", "danger": "", "kind": "help",
        "key": hidden(page, "key"), "notice_version": NOTICE, "do": "send",
    }  # fmt: skip
    return given | more


async def test_a_call_is_entered_and_its_query_code_stands_to_be_read_out(town: Town) -> None:
    officer = browser(town, "intake1")
    page = (await officer.get("/desk/enter")).text
    assert '<option value="12345" selected>' in page and re.search(r'name="on_behalf" value="true" checked', page)
    answer = await officer.post("/desk/enter", data=call(page))
    assert answer.status_code == 201, answer.text
    code = "".join(re.findall(r"<span>([0-9A-Z]{4})</span>", answer.text))
    assert len(code) == 12
    assert (await town.get(f"/progress/{code}"))["step"] == "propose"
    issue = re.search(r"/desk/intake\?at=([^\"]+)", answer.text)
    assert issue is not None
    state = await town.state(issue[1])
    assert state.source == "12345"
    assert "liuti_keys" not in answer.headers.get("set-cookie", ""), "the caller's receipt is not the officer's"


async def test_without_consent_nothing_is_entered_and_nothing_is_lost(town: Town) -> None:
    officer = browser(town, "intake1")
    page = (await officer.get("/desk/enter")).text
    answer = await officer.post("/desk/enter", data=call(page, consent=""))
    assert answer.status_code == 422 and "三号楼的电梯停了两天" in answer.text and 'value="13800000088"' in answer.text
    assert (await officer.post("/desk/enter", data=call(page))).status_code == 201


async def test_while_it_is_typed_what_is_alike_and_what_this_phone_brought_before_are_shown(town: Town) -> None:
    before = await town.submit(title="此人先前的", text="小区门口的路灯坏了。", contact={"phone": "13800000088"})
    like = await town.submit(
        title="电梯停了",
        text="三号楼的电梯停了两天,老人下不了楼。",
        place="东门社区3号楼",
        contact={"phone": "13800000099"},
    )
    await arrived(town)
    officer = browser(town, "intake1")
    page = (await officer.get("/desk/enter")).text
    for path, do in (("/desk/enter/alike", ""), ("/desk/enter", "look")):
        found = await officer.post(path, data=call(page, do=do))
        assert found.status_code == 200
        assert f"/issues/{before}" in found.text and f"/issues/{like}" in found.text
    grid = await browser(town, "grid").post("/desk/enter/alike", data=call(page))
    assert f"/issues/{like}" in grid.text and f"/issues/{before}" not in grid.text, "who is who is intake's to know"
    assert (await browser(town, "officer_roads").post("/desk/enter/alike", data=call(page))).status_code == 403


async def test_in_english_the_entry_shows_no_chinese_of_ours(town: Town) -> None:
    answer = await browser(town, "intake1").get("/desk/enter", headers={"Accept-Language": "en"})
    words = re.sub(r"<(script|style|select|symbol)\b.*?</\1>|<[^>]+>", "", answer.text, flags=re.S)
    assert "Enter for somebody" in words
    assert not re.findall(r"[一-鿿]+", re.sub("中文|受理员", "", words))


async def test_the_screen_offers_what_the_flow_accepts_and_names_the_way_to_the_rest(town: Town) -> None:
    issue, tip = await town.submit(), await town.submit(kind="tip_off")
    for one, who in ((issue, "intake1"), (issue, "intake2")):
        page = (await browser(town, who).get("/desk/intake", params={"at": one})).text
        named = set((await town.see(one, who))["moves"])
        offered = set(re.findall(rf'action="/desk/intake/{one}/([a-z_]+)"', page)) - {"people"}
        assert offered == named & {"accept_topic", "accept_direct", "ask_supplement", "reject"}, who
        assert "#merging" in page and f'href="/issues/{one}#todo"' in page
    assert (await browser(town, "intake1").get("/desk/intake", params={"at": tip})).status_code == 404


async def test_the_screen_takes_few_statements_however_long_the_queue(town: Town) -> None:
    for _ in range(4):
        await town.submit(text=HOLE, contact={"phone": "13800000077"})
    await arrived(town)
    officer = browser(town, "intake1")
    await officer.get("/desk/intake")
    with statements() as sent:
        assert (await officer.get("/desk/intake")).status_code == 200
    assert len(sent) <= 8, sent
