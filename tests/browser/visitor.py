"""Somebody at a real browser, watched: whatever the console complains about is a fault of the page."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Playwright, Request, expect

from liuti.demo.accounts import PASSWORD
from liuti.doors.pages.frame import typeset
from tests.browser.house import House
from tests.patience import PATIENCE

PHONE, DESKTOP = (390, 844), (1280, 900)
QUIET = (
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-default-apps",
    "--disable-domain-reliability", "--no-first-run", "--no-pings", "--disable-dev-shm-usage",
    "--font-render-hinting=none",
)  # fmt: skip
PLACES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
WANTED = "LIUTI_BROWSER"
"""`required`: a machine without a browser fails, instead of skipping."""
MISSING = (
    "no Chromium on this machine (Debian: apt-get install chromium fonts-noto-cjk): pages were not tried in a browser"
)


expect.set_options(timeout=1000 * PATIENCE)


def asked_whether_it_is_known(page: Page) -> bool:
    """Whether what is alike is shown first, after a proposal was sent: only the page that comes can tell."""
    alike = page.get_by_role("heading", name=typeset("是不是这件事?"))
    expect(alike.or_(page.get_by_role("heading", name="请记下查询码")).first).to_be_visible()
    return alike.count() > 0


def executable(playwright: Playwright) -> str | None:
    """The machine's own browser, else the one Playwright brought."""
    found = next((path for path in map(shutil.which, PLACES) if path), None)
    own = Path(playwright.chromium.executable_path)
    return found or (str(own) if own.exists() else None)


def launched(playwright: Playwright, path: str) -> Browser:
    # Chromium refuses its sandbox to root alone; nobody else goes without.
    root = ("--no-sandbox",) if hasattr(os, "geteuid") and os.geteuid() == 0 else ()
    return playwright.chromium.launch(executable_path=path, args=[*QUIET, *root])


class Visitor:
    """One person at one device; `faults` is what the pages did wrong meanwhile."""

    def __init__(
        self, browser: Browser, house: House, size: tuple[int, int] = DESKTOP, *, script: bool = True, lang: str = "zh-CN",
        theme: Literal["light", "dark"] = "light", beside: str = "", **more: Any,
    ) -> None:  # fmt: skip
        """`beside`: where else pages may load from."""
        self.house, self.faults, self.refused = house, list[str](), False
        self._known = (house.base, beside or house.base)
        self.context: BrowserContext = browser.new_context(
            base_url=house.base, viewport={"width": size[0], "height": size[1]}, java_script_enabled=script, locale=lang,
            color_scheme=theme, has_touch=size[0] < 500, is_mobile=size[0] < 500, **more,
        )  # fmt: skip
        self.context.set_default_timeout(1000 * PATIENCE)
        self.context.on("console", self._heard)
        self.context.on("weberror", lambda error: self.faults.append(f"script: {error.error}"))
        self.context.on("request", self._asked)
        self.page: Page = self.context.new_page()

    def _heard(self, message: ConsoleMessage) -> None:
        # A refusal is a page with a 4xx status, and the console names the status: said beforehand where it is meant.
        if message.type in ("error", "warning") and not (self.refused and "status of 4" in message.text):
            self.faults.append(f"{message.type} at {self.page.url}: {message.text}")

    def _asked(self, request: Request) -> None:
        if urlsplit(request.url).scheme in ("http", "https") and not request.url.startswith(self._known):
            self.faults.append(f"fetched from elsewhere: {request.url}")

    def sign_in(self, login: str) -> None:
        """By the form, as they would."""
        self.page.goto("/sign-in")
        self.page.locator("#login").fill(login)
        self.page.locator("#password").fill(PASSWORD)
        self.page.locator("main button").click()
        self.page.wait_for_url("**/desk*")

    def keep(self, cookies: dict[str, str]) -> None:
        """What an earlier visit would have left on this device, and nothing else."""
        self.context.clear_cookies()
        self.context.add_cookies(
            [{"name": name, "value": value, "url": self.house.base} for name, value in cookies.items()]
        )

    def close(self) -> None:
        self.context.close()
