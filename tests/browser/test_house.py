"""The district stands behind a real server, and a real browser shows it."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.conftest import Arrive
from tests.browser.visitor import PHONE


def test_the_front_page_opens_on_a_phone_and_links_to_the_public_issues(arrive: Arrive) -> None:
    visitor = arrive(size=PHONE)
    visitor.page.goto("/")
    visitor.page.get_by_role("link", name="公开题目", exact=True).click()
    expect(visitor.page.get_by_role("heading", level=1)).to_have_text("公开题目")
    expect(visitor.page.locator(".list > li")).to_have_count(20)


def test_an_officer_signs_in_and_sees_a_desk(arrive: Arrive) -> None:
    visitor = arrive("intake1")
    expect(visitor.page.get_by_role("heading", level=1)).to_have_text("我的工作台")
