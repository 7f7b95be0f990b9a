"""A department's pages: all that waits for it with what to do next, and an issue as whoever works on it sees it."""

from __future__ import annotations

import re

import pytest

from liuti import replies
from tests.doors.test_pages import browser, hidden
from tests.doors.test_scenarios import statements
from tests.doors.test_scenarios_2 import picture
from tests.doors.town import Town


def queue_of(page: str, issue: str) -> str:
    """In which queue the issue stands; it stands in one only."""
    parts = re.split(r'<section aria-labelledby="(\w+)">', page)
    found = [name for name, text in zip(parts[1::2], parts[2::2], strict=True) if f"/issues/{issue}" in text]
    assert len(found) <= 1, found
    return found[0] if found else ""


def row_of(page: str, issue: str) -> str:
    return next(row for row in re.split(r"<li>", page) if f'class="name" href="/issues/{issue}"' in row)


async def desk(town: Town, who: str) -> str:
    answer = await browser(town, who).get("/desk/unit")
    assert answer.status_code == 200, answer.text
    return answer.text


# -- the queues --------------------------------------------------------------------------------------------------------


async def test_a_matter_moves_from_queue_to_queue_as_its_unit_works(town: Town) -> None:
    issue = await town.direct()
    page = await desk(town, "officer_roads")
    assert queue_of(page, issue) == "sign" and f'action="/issues/{issue}/sign"' in page
    assert "联系本人" in row_of(page, issue), "what comes after it is named as well"
    given = {"version": "2", "next": "/desk/unit"}
    signed = await browser(town, "officer_roads").post(f"/issues/{issue}/sign", data=given)
    assert signed.status_code == 303 and signed.headers["location"] == "/desk/unit"
    assert queue_of(await desk(town, "officer_roads"), issue) == "contact"
    await town.does("officer_roads", "contact", {"method": "phone", "result": "已联系"}, issue)
    assert queue_of(await desk(town, "officer_roads"), issue) == "rest"
    await town.later(days=4)
    await town.later(days=3)
    assert queue_of(await desk(town, "officer_roads"), issue) == "today", "the day it is due, and from then on"
    await town.photo("officer_roads", issue, picture())
    form = {"word": "solved", "reply": "坑已补好。", "evidence": "照片", "told": True}
    await town.does("officer_roads", "submit_result", form, issue)
    assert queue_of(await desk(town, "officer_roads"), issue) == "waits"
    head = await desk(town, "head_roads")
    assert "坑已补好" in head and 'value="grant"' in head
    assert queue_of(head, issue) == "requests", "who answers it does not read that it waits as well"
    assert queue_of(await desk(town, "head_water"), issue) == ""


async def test_a_head_grants_from_the_list_and_what_fails_the_check_is_to_be_done_again(town: Town) -> None:
    issue = await town.direct(category="noise")
    await town.does("officer_roads", "sign", {}, issue)
    await town.does("officer_roads", "contact", {"method": "phone", "result": "已联系"}, issue)
    form = {"word": "solved", "reply": "已经处理。", "evidence": "记录", "told": True}
    await town.does("officer_roads", "submit_result", form, issue)
    page = await desk(town, "head_roads")
    version = re.search(rf'/issues/{issue}/answer".*?name="version" value="(\d+)"', page)
    assert version is not None
    sent = {"request": "1", "version": version[1], "next": "/desk/unit", "answer": "grant"}
    granted = await browser(town, "head_roads").post(f"/issues/{issue}/answer", data=sent)
    assert granted.status_code == 303, granted.text
    assert (await town.state(issue)).step == "supervise"
    assert queue_of(await desk(town, "officer_roads"), issue) == ""
    await town.does("inspector", "fail_check", {"defects": ["夜里还是吵"]}, issue)
    page = await desk(town, "officer_roads")
    assert queue_of(page, issue) == "redo" and "重办" in row_of(page, issue)


async def test_what_is_late_comes_first_and_says_so_in_words(town: Town) -> None:
    late = await town.direct(title="早该签收的")
    await town.later(days=1)
    fresh = await town.direct(title="刚派来的")
    await town.does("officer_roads", "sign", {}, fresh)
    page = await desk(town, "officer_roads")
    assert page.index(f"/issues/{late}") < page.index(f"/issues/{fresh}")
    assert "超期" in row_of(page, late) and "还剩" in row_of(page, fresh)


async def test_an_order_to_the_unit_and_a_milestone_that_is_near_have_their_queues(town: Town) -> None:
    issue = await town.claimed()
    await town.does("leader1", "approve_plan", town.plan(milestones=[{"title": "进场", "due": town.day(5)}]), issue)
    await town.does("officer_roads", "sign", {}, issue)
    await town.does("officer_roads", "contact", {"method": "phone", "result": "已联系"}, issue)
    page = await desk(town, "officer_roads")
    assert queue_of(page, issue) == "milestone" and "进场" in row_of(page, issue)
    await town.does("inspector", "order", {"to": "unit:roads", "text": "请说明进度"}, issue)
    assert queue_of(await desk(town, "officer_roads"), issue) == "order"


async def test_an_empty_desk_says_so_and_only_units_have_one(town: Town) -> None:
    await town.direct()
    assert "没有等本单位办的事" in await desk(town, "officer_parks")
    assert (await browser(town).get("/desk/unit")).headers["location"] == "/sign-in?next=/desk/unit"
    for who in ("intake1", "inspector", "leader1", "sysadmin"):
        assert (await browser(town, who).get("/desk/unit")).status_code == 403, who


async def test_the_desk_takes_four_statements_however_much_waits(town: Town) -> None:
    for _ in range(3):
        await town.direct()
    await desk(town, "head_roads")
    with statements() as sent:
        await desk(town, "head_roads")
    assert len(sent) <= 4, sent


# -- the assignment ----------------------------------------------------------------------------------------------------


async def test_the_page_of_a_unit_says_what_is_next_what_is_lacking_and_what_each_request_means(town: Town) -> None:
    issue = await town.direct()
    page = (await browser(town, "officer_roads").get(f"/issues/{issue}")).text
    assert 'class="first"><a href="#move-sign-">签收</a>' in page
    assert "须附完工照片" in page, "physical works: said before anybody writes a result"
    assert "最多 1 次\uff08已用 0 次\uff09" in page and "退单截止" in page and "现 0 次" in page
    assert "挂账\uff1a由副主任一提出" in page
    other = (await browser(town, "inspector").get(f"/issues/{issue}")).text
    assert "退单截止" not in other


async def test_a_template_begins_the_reply_and_its_blanks_are_never_sent(town: Town) -> None:
    issue = await town.direct(title="路口大坑", category="noise")
    officer = browser(town, "officer_roads")
    page = (await officer.get(f"/issues/{issue}")).text
    form = page[page.index(f'action="/issues/{issue}/submit_result"') :]
    given = {name: hidden(form, name) for name in ("key", "version")} | {"evidence": "现场记录", "told": "true"}
    begun = await officer.post(f"/desk/unit/{issue}/reply", data=given | {"template": "0", "word": "", "reply": ""})
    assert begun.status_code == 200 and 'id="move-submit_result-" open' in begun.text
    area = re.search(r'<textarea id="submit_result-reply"[^>]*>(.*?)</textarea>', begun.text, re.DOTALL)
    assert area is not None and "路口大坑" in area[1] and replies.BLANK in area[1]
    assert '<option value="solved" selected>' in begun.text and "现场记录" in begun.text
    sent = given | {"word": "solved", "reply": area[1]}
    refused = await officer.post(f"/issues/{issue}/submit_result", data=sent)
    assert refused.status_code == 422 and "没有填" in refused.text and not list((await town.state(issue)).open_asks())
    asked = await officer.post(
        f"/issues/{issue}/submit_result", data=sent | {"reply": area[1].replace(replies.BLANK, "坑已补平")}
    )
    assert asked.status_code == 303, asked.text
    assert [ask.move for ask in (await town.state(issue)).open_asks()] == ["submit_result"]
    nothing = await officer.post(f"/desk/unit/{issue}/reply", data=given | {"template": "99", "reply": "我写的"})
    assert nothing.status_code == 422


async def test_a_unit_opens_the_contact_on_its_page_and_never_that_of_a_hidden_person(town: Town) -> None:
    issue = await town.direct()
    officer = browser(town, "officer_roads")
    assert "138****0001" in (await officer.get(f"/issues/{issue}")).text
    opened = await officer.post(f"/desk/issues/{issue}/people", data={"purpose": "先行联系本人"})
    assert opened.status_code == 200 and "13800000001" in opened.text
    hides = await town.direct(anonymous=True)
    assert "138****" not in (await officer.get(f"/issues/{hides}")).text
    assert (await officer.post(f"/desk/issues/{hides}/people", data={"purpose": "先行联系本人"})).status_code == 403
    other = await browser(town, "officer_water").post(f"/desk/issues/{issue}/people", data={"purpose": "先行联系本人"})
    assert other.status_code == 404 and "13800000001" not in other.text


async def test_a_milestone_is_reported_where_it_stands(town: Town) -> None:
    issue = await town.claimed()
    await town.does("leader1", "approve_plan", town.plan(), issue)
    officer = browser(town, "officer_roads")
    page = (await officer.get(f"/issues/{issue}")).text
    form = page[page.index('<ol class="plan">') :]
    given = {name: hidden(form, name) for name in ("key", "version", "number")} | {"evidence": "验收单"}
    assert (await officer.post(f"/issues/{issue}/milestone", data=given)).status_code == 303
    assert (await town.state(issue)).milestones[0].done is not None


# -- the templates -----------------------------------------------------------------------------------------------------


def test_the_shipped_templates_load_and_a_name_nothing_is_known_for_stays_blank() -> None:
    first = replies.default()[0]
    text = first.filled(english=False, words={"what": "路灯"})
    assert "路灯" in text and "{" not in text and replies.BLANK in text


@pytest.mark.parametrize(
    "text",
    [
        '[[reply]]\nword = "solved"\nzh = "甲"\nen = "a"\ntext_zh = "{phone}"\ntext_en = "b"',
        '[[reply]]\nword = "done"\nzh = "甲"\nen = "a"\ntext_zh = "乙"\ntext_en = "b"',
        '[[reply]]\nword = ""\nzh = "甲"\nen = "a"\ntext_zh = "乙{"\ntext_en = "b"',
        "[[reply",
        "reply = 3",
    ],
)
def test_a_file_of_templates_with_a_fault_says_what_it_is_in_both_languages(text: str) -> None:
    with pytest.raises(replies.RepliesUnfit) as unfit:
        replies.load(text)
    assert "答复模板" in str(unfit.value) and "repl" in str(unfit.value)


def test_a_districts_own_templates_come_in_the_order_of_its_file() -> None:
    one = '[[reply]]\nword = ""\nzh = "{name}"\nen = "{name}"\ntext_zh = "{what}"\ntext_en = "{what}"\n'
    found = replies.load(one.replace("{name}", "甲") + one.replace("{name}", "乙"))
    assert [reply.zh for reply in found] == ["甲", "乙"]
