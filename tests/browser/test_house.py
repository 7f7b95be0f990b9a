"""The district stands behind a real server, and a real browser shows it."""

from __future__ import annotations

from tests.browser.conftest import Arrive
from tests.browser.visitor import PHONE


def test_the_front_page_opens_on_a_phone_and_links_to_the_public_issues(arrive: Arrive) -> None:
    visitor = arrive(size=PHONE)
    visitor.page.goto("/")
    visitor.page.get_by_role("link", name="公开题目", exact=True).click()
    assert visitor.page.get_by_role("heading", level=1).inner_text() == "公开题目"
    assert visitor.page.locator(".list > li").count() == 20


def test_an_officer_signs_in_and_sees_a_desk(arrive: Arrive) -> None:
    visitor = arrive("intake1")
    assert visitor.page.get_by_role("heading", level=1).inner_text() == "我的工作台"
