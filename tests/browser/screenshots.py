"""Every page as a picture, phone and desktop, light and dark, into screenshots/: `make screenshots`, then look at each."""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from playwright.sync_api import Browser, sync_playwright

from tests.browser.house import House, played
from tests.browser.tour import Stop, each_page, visits
from tests.browser.visitor import DESKTOP, MISSING, PHONE, Visitor, executable, launched

INTO = Path(__file__).parents[2] / "screenshots"
ALSO_ENGLISH = frozenset({"front", "propose", "issues", "statistics", "rate", "desk", "boards-overdue", "command"})
SIZES = {"phone": PHONE, "desktop": DESKTOP}
THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


def main(names: list[str]) -> int:
    """All pages, or those whose name holds one of `names`; how many pictures were written."""
    made = 0
    with TemporaryDirectory() as folder, sync_playwright() as playwright:
        path = executable(playwright)
        if path is None:
            sys.exit(MISSING)
        browser = launched(playwright, path)
        with House(played(Path(folder) / "demo"), Path(folder) / "house") as house:
            INTO.mkdir(exist_ok=True)
            for stop in each_page(visits(house)):
                if not names or any(name in stop.name for name in names):
                    made += pictures(browser, house, stop)
        browser.close()
    print(f"{made} pictures in {INTO}")  # noqa: T201 - what the command came to
    return made


def pictures(browser: Browser, house: House, stop: Stop) -> int:
    made = 0
    for size, at in SIZES.items():
        for theme in THEMES:
            for lang in ("zh-CN", "en") if stop.name in ALSO_ENGLISH and theme == "light" else ("zh-CN",):
                visitor = Visitor(browser, house, at, lang=lang, theme=theme)
                visitor.keep(stop.cookies(house))
                visitor.page.goto(stop.path)
                tail = "" if lang == "zh-CN" else "-en"
                visitor.page.screenshot(path=INTO / f"{stop.name}-{size}-{theme}{tail}.png", full_page=True)
                visitor.close()
                made += 1
    return made


if __name__ == "__main__":
    main(sys.argv[1:])
