"""Every page there is, each with somebody who reads it: found by following links, so that a new page is seen at once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html import unescape
from typing import Any

import httpx

from liuti.demo.accounts import Account
from liuti.doors.deps import COOKIE
from liuti.doors.pages.frame import PageRoute
from liuti.doors.pages.keys import KEPT
from liuti.flow.issue import Issue
from liuti.flow.words import Step
from tests.browser.house import House
from tests.patience import PATIENCE

READERS = (
    "", "intake1", "analyst1", "panel1", "gate1", "leader6", "principal", "officer01a", "head01", "inspector1", "team1", "caller1",
    "grid1", "sysadmin", "secadmin", "auditadmin",
)  # fmt: skip
"""One of each role; "" is anyone."""
ISSUE, AT_AN_ISSUE = "/issues/{issue}", ("", "intake1", "panel1", "leader6", "officer01a", "inspector1")
NOT_READ = ("/prefer", "/static", "/issues/{issue}/files")
MOST_OF_A_ROUTE = 3
"""Addresses asked for behind one route by one reader before its pages are known well enough."""


@dataclass(frozen=True, slots=True)
class Stop:
    """A page, and whose it is: `login`, or with `keeps` the citizen whose receipt it is."""

    name: str
    path: str
    login: str = ""
    keeps: str = ""

    def cookies(self, house: House) -> dict[str, str]:
        if self.keeps:
            return {KEPT: self.keeps}
        return {COOKIE: house.accounts[self.login].token} if self.login else {}


def routes_of(app: Any) -> Iterator[PageRoute]:
    """All that people read, wherever it hangs."""
    for one in getattr(app, "routes", ()):
        if isinstance(one, PageRoute):
            yield one
        else:
            yield from routes_of(getattr(one, "original_router", None))


def each_page(visits: Iterable[Stop]) -> list[Stop]:
    """Every page once: what several read alike as the first of them, an issue as each of those who work on it."""
    found = dict[str, Stop]()
    for stop in visits:
        found.setdefault(stop.name, stop)
    return list(found.values())


def visits(house: House) -> list[Stop]:
    """For each route one page of every reader who finds it, the citizen's own among them."""
    found = dict[tuple[str, str], Stop]()
    patterns = [one for one in routes_of(house.app) if "GET" in (one.methods or ())]
    for login in READERS:
        for route, path in _found_by(house, login, patterns):
            if route != ISSUE or login in AT_AN_ISSUE:
                found.setdefault((route, login), Stop(_name(route, login), path, login))
    return [*found.values(), *_of_citizens(house)]


def _name(route: str, login: str) -> str:
    plain = re.sub(r"[{}]|:path", "", route.strip("/")).replace("/", "-") or "front"
    return f"{plain}-{login or 'anyone'}" if route == ISSUE else plain


def _found_by(house: House, login: str, patterns: list[PageRoute]) -> Iterator[tuple[str, str]]:
    """(route, address) of each page that can be reached from the front page and the desk by links alone."""
    account: Account | None = house.accounts.get(login)
    cookies = {COOKIE: account.token} if account is not None else {}
    with httpx.Client(
        base_url=house.base, headers={"Accept": "text/html"}, cookies=cookies, timeout=PATIENCE
    ) as client:
        waiting, seen, asked = ["/", "/desk"] if login else ["/"], set[str](), dict[str, int]()
        while waiting:
            path = waiting.pop(0)
            route = next((one.path for one in patterns if one.path_regex.match(path.split("?")[0])), "")
            if path in seen or not route or asked.get(route, 0) == MOST_OF_A_ROUTE or route.startswith(NOT_READ):
                continue
            seen.add(path)
            asked[route] = asked.get(route, 0) + 1
            answer = client.get(path)
            if answer.is_redirect:
                waiting.append(answer.headers["location"])
            if answer.status_code != 200 or "text/html" not in answer.headers["content-type"]:
                assert answer.status_code < 500, (login, path)
                continue
            yield route, path
            links = (unescape(link) for link in re.findall(r'<a [^>]*?href="(/[^"#]*)', answer.text))
            waiting += [link for link in links if link not in seen]


def _of_citizens(house: House) -> Iterator[Stop]:
    """What no link leads to: an issue by its receipt in the states a citizen has something to do in, and the letter's link."""
    ring = house.office.ring
    for step in (Step.PROPOSE, Step.SUPPLEMENT, Step.SOLVE, Step.EVALUATE, Step.CLOSED, Step.REJECTED):
        issue = house.an_issue(step)
        keeps = f"{issue.id}~{ring.voice_secret(issue.proposer)}"
        yield Stop(f"issue-own-{step.value}", f"/issues/{issue.id}", keeps=keeps)
        if step is Step.EVALUATE:
            yield Stop("rate", rating_link(house, issue))
        if step is Step.SOLVE:
            yield Stop("progress-found", f"/progress?code={house.query_code(issue)}", keeps=keeps)


def rating_link(house: House, issue: Issue) -> str:
    return f"/r/{house.office.ring.rating_token(issue.proposer, issue.id, issue.verdict.round)}"
