"""No page has a fault axe-core finds: in both languages, both themes, on phone and desktop."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import Arrive
from tests.browser.house import House
from tests.browser.tour import Stop, routes_of
from tests.browser.visitor import DESKTOP, PHONE, Visitor

BUILD = Path(__file__).parents[2] / "build"
AXE = BUILD / "axe.js"
RUN = "async (only) => { const found = await axe.run(document, only ? {runOnly: only} : {}); return {violations: found.violations, incomplete: found.incomplete}; }"
UNFOLD = """() => new Promise((done) => {
  for (const one of document.querySelectorAll('details')) one.open = true;
  setTimeout(() => requestAnimationFrame(() => requestAnimationFrame(done)));  // until what opens has asked for its part
})"""
ALL_THERE = """() => !document.querySelector('.htmx-request')
  && [...document.images].every((one) => one.complete || one.loading === 'lazy')"""
DARK = "() => { const root = document.documentElement; root.dataset.theme = 'dark'; root.dataset.bsTheme = 'dark'; }"
LOOKED_AT = {
    "color-contrast": "text in a box that scrolls, half of it out of sight: the same tokens as everywhere, at 4.5:1 or more",
    "th-has-data-cells": "the table of factors, which is laid out as cards on a phone and says its roles itself",
}
"""What axe could not decide by itself, by rule, and what a person found who looked."""

NO_PAGE_OF_ITS_OWN = {
    "/prefer": "sets a cookie and leads back", "/static/{name:path}": "files", "/issues/{issue}/files/{file}": "photos",
    "/command/now": "a part of the command screen, asked for again and again",
    "/topics/{topic}/messages": "a part of a topic's card", "/issues/{issue}/{move}": "leads back to the issue", "/receipts/{secret}": "keeps the receipt and leads to the issue",
    "/s/{token}": "asked of residents drawn by lot, where a district turns that on: the same parts as the rating page",
}  # fmt: skip


def test_the_tour_comes_by_every_page_there_is(house: House, tour: list[Stop]) -> None:
    seen = [stop.path.split("?")[0] for stop in tour]
    routes = [
        one for one in routes_of(house.app) if "GET" in (one.methods or ()) and one.path not in NO_PAGE_OF_ITS_OWN
    ]
    missed = [one.path for one in routes if not any(one.path_regex.match(path) for path in seen)]
    assert missed == [], "no link of any reader leads there: a page nobody finds, or one for NO_PAGE_OF_ITS_OWN"


@pytest.mark.skipif(
    not AXE.exists(), reason="build/axe.js is missing (make setup fetches it with npm): axe was not run"
)
@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
@pytest.mark.parametrize("lang", ["zh-CN", "en"])
def test_axe_finds_nothing_on_any_page(arrive: Arrive, tour: list[Stop], lang: str, size: tuple[int, int]) -> None:
    source = AXE.read_text("utf-8")
    faults, undecided = list[str](), dict[str, list[str]]()
    visitor = arrive(size=size, lang=lang)
    for stop in tour:
        for theme, found in looked_at(visitor, stop, source).items():
            faults += [told(stop, theme, one) for one in found["violations"]]
            for one in found["incomplete"]:
                undecided.setdefault(one["id"], []).append(told(stop, theme, one))
    written = BUILD / f"axe-incomplete-{lang}-{size[0]}.json"
    written.write_text(json.dumps(undecided, ensure_ascii=False, indent=1), "utf-8")
    assert not faults, "\n".join(faults)
    assert {rule: undecided[rule][:5] for rule in undecided if rule not in LOOKED_AT} == {}


def looked_at(visitor: Visitor, stop: Stop, source: str) -> dict[str, Any]:
    """Everything in light colours, then what depends on colours in dark ones."""
    visitor.keep(stop.cookies(visitor.house))
    answer = visitor.page.goto(stop.path)
    assert answer is not None and answer.status == 200, (stop, answer and answer.status)
    visitor.page.evaluate(UNFOLD)
    visitor.page.wait_for_function(ALL_THERE)
    visitor.page.evaluate(source)
    light = visitor.page.evaluate(RUN, None)
    visitor.page.evaluate(DARK)
    return {"light": light, "dark": visitor.page.evaluate(RUN, ["color-contrast", "link-in-text-block"])}


def told(stop: Stop, theme: str, one: Any) -> str:
    where = "; ".join(
        f"{node['html'][:160]} ({(node['any'] or node['all'] or node['none'] or [{}])[0].get('message', '')})"
        for node in one["nodes"][:3]
    )
    return f"{stop.name} {stop.login} {theme} {one['id']}: {where}"
