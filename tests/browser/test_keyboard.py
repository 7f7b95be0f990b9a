"""Everything goes by keys alone at 200 % zoom, with the focus in sight; nothing scrolls sideways at 320 px."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from liuti.doors.pages.frame import typeset
from liuti.flow.words import Step
from tests.browser.conftest import Arrive
from tests.browser.house import House
from tests.browser.tour import Stop, rating_link
from tests.browser.visitor import Visitor, asked_whether_it_is_known

ZOOMED: dict[str, Any] = {"size": (640, 450), "device_scale_factor": 2}
"""A window of 1280 by 900 at 200 %."""
FOCUS = """() => { const one = document.activeElement, box = one.getBoundingClientRect(), look = getComputedStyle(one);
  const label = one.labels && one.labels[0] ? one.labels[0].innerText : (one.getAttribute('aria-label') || one.innerText || one.value || '');
  const group = one.type === 'radio' ? one.closest('fieldset').querySelector('legend').innerText + '/' : '';
  return {name: (group + label).trim().replace(/\\s*\\*$/, ''), body: one === document.body,
    seen: look.outlineStyle !== 'none' && parseFloat(look.outlineWidth) >= 2 || one.id === 'main',
    inside: box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth}; }"""
MOST_TABS = 80
WATCH = """() => { window.visited = new Set(); window.lost = [];
  for (const one of document.querySelectorAll('details')) one.open = true;
  document.addEventListener('focusin', (event) => { const one = event.target, box = one.getBoundingClientRect(), look = getComputedStyle(one);
    window.visited.add(one);
    const shows = look.outlineStyle !== 'none' && parseFloat(look.outlineWidth) >= 2 || one.id === 'main';
    const inside = box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth;
    if (!shows || !inside) window.lost.push((shows ? 'out of sight: ' : 'does not show: ') + one.outerHTML.slice(0, 120)); }); }"""
LEFT = """() => { const can = 'a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex="0"]';
  const group = (one) => one.type === 'radio' ? [...document.getElementsByName(one.name)].filter((other) => other.form === one.form) : [one];
  const left = [...document.querySelectorAll(can)].filter((one) => one.checkVisibility() && !one.disabled && one.tabIndex >= 0
    && !group(one).some((other) => window.visited.has(other)));
  return left.map((one) => 'no Tab leads to ' + one.outerHTML.slice(0, 120)).concat(window.lost); }"""
TABS = "() => document.querySelectorAll('a[href], button, input, select, textarea, summary, [tabindex]').length"


def tab_to(page: Page, name: str) -> None:
    """Tab on until the focus is there; on the way it is always in sight."""
    for _ in range(MOST_TABS):
        page.keyboard.press("Tab")
        at = page.evaluate(FOCUS)
        if not at["body"]:
            assert at["seen"], f"the focus does not show on {at['name']!r} at {page.url}"
            assert at["inside"], f"the focus is out of sight on {at['name']!r} at {page.url}"
        if at["name"] in (name, typeset(name)):
            return
    raise AssertionError(f"no Tab leads to {name!r} at {page.url}")


def press(page: Page, name: str, key: str = "Enter") -> None:
    tab_to(page, name)
    page.keyboard.press(key)


def type_into(page: Page, name: str, words: str) -> None:
    tab_to(page, name)
    page.keyboard.type(words)


@pytest.mark.parametrize("script", [True, False], ids=["with-scripts", "without-scripts"])
def test_a_citizen_proposes_follows_urges_and_withdraws_by_keys(arrive: Arrive, house: House, script: bool) -> None:
    page = arrive(script=script, **ZOOMED).page
    page.goto("/")
    press(page, "跳到正文")
    press(page, "我要出题")
    page.wait_for_url("**/propose")
    said = "西门公交站的雨棚漏水,下雨天没法等车" + ("甲" if script else "乙")
    type_into(page, "什么事?", said)
    type_into(page, "在哪里?", "西门公交站")
    press(page, "有危险,可能伤人或造成重大损失", "Space")
    page.keyboard.press("Space")
    type_into(page, "手机号", "13800000055")
    press(page, "提交")
    if asked_whether_it_is_known(page):
        press(page, "都不是,提交我的题")
    expect(page.get_by_role("heading", level=1)).to_have_text("请记下查询码")
    code = page.locator("#query-code").inner_text()
    press(page, "打开我的题")
    page.wait_for_url("**/issues/*")
    press(page, "催一催")
    press(page, "催一催")
    expect(page.locator("main .note.fine")).to_be_visible()
    press(page, "查进度")
    page.wait_for_url("**/progress")
    type_into(page, "查询码", code)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=2).first).to_contain_text("待受理")
    press(page, said)
    page.wait_for_url("**/issues/*")
    press(page, "撤回这件题")
    press(page, "撤回这件题")
    expect(page.locator("main .note.fine")).to_contain_text("撤回")
    type_into(page, "查询码", code)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=2).first).to_contain_text("已撤回")


def test_a_citizen_rates_by_keys(arrive: Arrive, house: House) -> None:
    page = arrive(**ZOOMED).page
    page.goto(rating_link(house, house.an_issue(Step.EVALUATE)))
    tab_to(page, "满意吗?/非常满意")
    page.keyboard.press("ArrowDown")
    tab_to(page, "解决了吗?/解决了")
    page.keyboard.press("Space")
    type_into(page, "想说的话", "办得不错。")
    press(page, "提交评价")
    expect(page.get_by_role("heading", level=1)).to_have_text(typeset("谢谢,评价已收到"))


def test_a_citizen_joins_by_keys(arrive: Arrive, house: House) -> None:
    page = arrive(**ZOOMED).page
    page.goto(f"/issues/{house.an_issue(Step.CLAIM).id}")
    press(page, "附议", "Space")
    type_into(page, "手机号", "13800000056")
    press(page, "附议")
    expect(page.locator("main .note.fine")).to_be_visible()


def test_tab_leads_to_everything_on_every_page_and_the_focus_stays_in_sight(arrive: Arrive, tour: list[Stop]) -> None:
    visitor, missed = arrive(**ZOOMED), list[str]()
    for stop in tour:
        visitor.keep(stop.cookies(visitor.house))
        visitor.page.goto(stop.path)
        visitor.page.evaluate(WATCH)
        # Chromium stops at what scrolls as well.
        for _ in range(visitor.page.evaluate(TABS) * 5 // 4 + 8):
            visitor.page.keyboard.press("Tab")
        missed += [f"{stop.name} {stop.login}: {one}" for one in visitor.page.evaluate(LEFT)[:5]]
    assert not missed, "\n".join(missed)


@pytest.mark.parametrize("lang", ["zh-CN", "en"])
def test_no_page_scrolls_sideways_at_320_pixels(arrive: Arrive, tour: list[Stop], lang: str) -> None:
    visitor = arrive(size=(320, 640), lang=lang)
    wide = [f"{stop.name}: {over}" for stop in tour if (over := overflow(visitor, stop))]
    assert not wide, "\n".join(wide)


def overflow(visitor: Visitor, stop: Stop) -> str:
    """What sticks out to the right of the page, the folded parts unfolded; empty when nothing does."""
    visitor.keep(stop.cookies(visitor.house))
    visitor.page.goto(stop.path)
    found: str = visitor.page.evaluate(
        """() => { for (const one of document.querySelectorAll('details')) one.open = true;
        const root = document.documentElement;
        if (root.scrollWidth <= root.clientWidth) return '';
        const out = [...document.querySelectorAll('main *, header *, footer *')].filter((one) =>
          one.getBoundingClientRect().right > root.clientWidth + 1 && !one.closest('.scroll, .visually-hidden, svg, pre'));
        return root.scrollWidth + ' px: ' + out.slice(-3).map((one) => one.outerHTML.slice(0, 100)).join(' | '); }"""
    )
    return found
