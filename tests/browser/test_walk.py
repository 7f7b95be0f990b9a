"""One matter through all six steps: seven people, each doing only what a person can do with a page, with and without scripts."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any, cast

import pytest
from PIL import Image
from playwright.sync_api import FilePayload, Locator, Page, expect

from liuti.doors.pages.frame import typeset
from tests.browser.conftest import Arrive
from tests.browser.house import House
from tests.browser.visitor import PHONE, asked_whether_it_is_known
from tests.doors.town import SHANGHAI

SAID = "幼儿园后门到河边步道这一段,十来盏路灯都不亮,接孩子只能打手电。"
PLACE = "第四社区幼儿园后门"


@pytest.mark.parametrize("script", [True, False], ids=["with-scripts", "without-scripts"])
def test_a_matter_goes_through_all_six_steps_by_the_hands_of_seven_people(
    arrive: Arrive, own_house: House, script: bool
) -> None:
    def somebody(login: str, work: Callable[[Page], None]) -> None:
        """They sign in, look for the matter as one would, do their part, and leave."""
        person = arrive(login, script=script)
        find(person.page)
        work(person.page)
        person.close()

    # 1 老百姓出题
    phone = arrive(size=PHONE, script=script)
    propose(phone.page)
    issue = phone.page.url.rsplit("/", 1)[1]
    expect(phone.page.get_by_text("待受理").first).to_be_visible()

    # 2 大数据选题
    somebody("intake1", accept)
    own_house.later(days=1)
    for member in ("panel1", "panel2", "panel3"):
        somebody(member, lambda page: make(page, "表决", ("是否同意选定", "是")))
    for gate in ("gate1", "gate2", "gate3"):
        somebody(gate, lambda page: make(page, "把关", ("是否通过", "是")))
    somebody("panel1", lambda page: make(page, "选定发布", ("理由", "群众反映集中,条件成熟。")))

    # 3 委领导领题
    own_house.later(days=1)
    card = (
        ("要达到的目标", "两周内修好这一段全部路灯"),
        ("承诺完成日期", day(own_house, 20)),
        ("主办单位", "示范区城市管理局"),
    )
    somebody("leader6", lambda page: make(page, "领题", *card))

    # 4 一条龙解题
    plan = (
        ("要达到的目标", "修复十二盏路灯,夜间照度达标"), ("主办单位", "示范区城市管理局"), ("完成日期", day(own_house, 14)),
        ("做什么", "检修线路"), ("何时完成", day(own_house, 7)),
    )  # fmt: skip
    somebody("leader6", lambda page: make(page, "定方案", *plan))
    somebody("officer01a", begin)
    own_house.later(days=5)
    somebody("officer01a", hand_in)
    somebody("head01", lambda page: make(page, "答复申请:反馈结果", button="同意"))

    # 5 督查办督题
    somebody("inspector1", lambda page: make(page, "核查通过", ("方式", "现场"), ("备注", "夜间到场,十二盏全亮。")))

    # 6 老百姓评题, by the link of the letter, on another phone
    link = own_house.letter("invite", issue).words["rate"]
    other = arrive(size=PHONE, script=script)
    other.page.goto(link)
    rate(other.page)
    phone.page.reload()
    expect(phone.page.get_by_text("已办结").first).to_be_visible()
    expect(phone.page.locator(".line")).to_contain_text("办结")


# -- what people do ------------------------------------------------------------------------------------------------


def propose(page: Page) -> None:
    page.goto("/")
    page.get_by_role("main").get_by_role("link", name="我要出题").click()
    page.get_by_label(typeset("什么事?")).fill(SAID)
    page.get_by_label("照片或文件").set_input_files(picture("路灯.jpg"))
    page.get_by_label(typeset("社区(村)")).select_option("\u3000第四社区")
    page.get_by_label(typeset("在哪里?")).fill(PLACE)
    page.get_by_label("手机号").fill("13800000077")
    page.get_by_role("button", name="提交").click()
    if asked_whether_it_is_known(page):
        page.get_by_role("button", name=typeset("都不是,提交我的题")).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("请记下查询码")
    page.get_by_role("link", name="打开我的题").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(SAID)


def find(page: Page) -> None:
    page.get_by_role("link", name="全部题目").first.click()
    page.get_by_label("找什么").fill("幼儿园后门")
    page.get_by_role("button", name="查看").click()
    page.locator(".list").get_by_role("link", name=re.compile("幼儿园后门")).first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text(SAID)


def accept(page: Page) -> None:
    make(
        page,
        "受理入库",
        ("类别", "路灯照明"),
        ("紧急程度", "一般"),
        ("社区(村)", "\u3000第四社区"),
        ("列为民生实事(须三道把关)", "是"),
    )


def begin(page: Page) -> None:
    make(page, "签收")
    make(page, "先行联系", ("方式", "电话"), ("结果", "已电话联系,约好晚上一起看现场。"))
    make(page, "进展", ("做了什么", "线路已排查,今晚换灯。"))


def hand_in(page: Page) -> None:
    make(page, "里程碑", ("哪个里程碑", "1 检修线路"), ("证据", "检修记录"))
    make(page, "附件", ("照片或文件", picture("完工.jpg")), ("在现场拍的", True))
    done = (
        ("办理结果", "已解决"),
        ("给出题人的答复", "十二盏路灯已全部修复。"),
        ("证据", "验收单"),
        ("已当面或电话答复本人", True),
    )
    make(page, "反馈结果", *done)


def rate(page: Page) -> None:
    expect(page.get_by_text("十二盏路灯已全部修复。")).to_be_visible()
    page.get_by_label("非常满意", exact=True).check()
    page.get_by_label("解决了", exact=True).check()
    page.get_by_role("button", name="提交评价").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(typeset("谢谢,评价已收到"))


def make(page: Page, name: str, *answers: tuple[str, Any], button: str = "") -> None:
    """Unfold the move, answer what it asks by the labels, press its button; the page says that it is done."""
    part = page.locator("details.move").filter(has=page.locator("summary", has_text=re.compile(f"^{typeset(name)}$")))
    if part.get_attribute("open") is None:  # what a unit does first stands open
        part.locator("summary").first.click()
    times: dict[str, int] = {}
    for label, value in answers:
        answer(part, typeset(label), value, times.setdefault(label, 0))
        times[label] += 1
    part.get_by_role("button", name=typeset(button or name), exact=True).click()
    expect(page.locator("main .note.fine")).to_be_visible()


def answer(part: Locator, label: str, value: Any, nth: int) -> None:
    group = part.get_by_role("group", name=label)
    if group.count():
        group.get_by_label(typeset(value), exact=True).check()
        return
    field = part.get_by_label(re.compile(rf"^\s*{re.escape(label)}( \*)?\s*$")).nth(nth)
    if value is True:
        field.check()
    elif isinstance(value, dict):
        field.set_input_files(cast(FilePayload, value))
    elif field.evaluate("one => one.tagName") == "SELECT":
        field.select_option(value)
    else:
        field.fill(value)


def day(house: House, ahead: int) -> str:
    return (house.clock.now.astimezone(SHANGHAI) + timedelta(days=ahead)).date().isoformat()


def picture(name: str) -> FilePayload:
    out = io.BytesIO()
    Image.new("RGB", (1200, 900), (40, 60, 90)).save(out, "JPEG")
    return {"name": name, "mimeType": "image/jpeg", "buffer": out.getvalue()}
