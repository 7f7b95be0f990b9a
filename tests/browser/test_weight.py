"""What a page costs: kilobytes over the line for citizens, statements to the database for everybody. Needs no browser."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import pytest

from liuti.flow.words import Step
from tests.browser.house import House
from tests.browser.tour import Stop, rating_link
from tests.doors.forms import forms
from tests.doors.test_scenarios import statements
from tests.patience import PATIENCE

MOST_KB, MOST_KB_WITH_MAP = 120, 250
"""A page with a map: test_map.py has one."""
MOST_STATEMENTS, MOST_ON_AN_ISSUE = 4, 8
PACKED = {"Accept": "text/html", "Accept-Encoding": "gzip"}
LOADED = re.compile(r'(?:<link [^>]*?href|<script [^>]*?src|<img [^>]*?src)="([^"]+)"')
HEADERS = 400
"""About what the headers of one answer take."""


@pytest.fixture(scope="module")
def phone(house: House) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=house.base, headers=PACKED, timeout=PATIENCE) as client:
        yield client


def weight(client: httpx.Client, page: httpx.Response, sent: int) -> int:
    """Bytes of a page and all it loads, photos apart; each file once."""
    files = {link for link in LOADED.findall(page.text) if "/files/" not in link}
    return sent + HEADERS + sum(fetched(client, link)[1] + HEADERS for link in files)


def fetched(client: httpx.Client, path: str) -> tuple[httpx.Response, int]:
    """The answer, and how many bytes its body took on the line."""
    with client.stream("GET", path) as answer:
        answer.read()
        return answer, answer.num_bytes_downloaded


def test_a_citizens_pages_weigh_little(house: House, phone: httpx.Client) -> None:
    public, rated = house.an_issue(Step.CLAIM), house.an_issue(Step.EVALUATE)
    heavy = {}
    for path in (
        "/",
        "/propose",
        "/progress",
        "/issues",
        f"/issues/{public.id}",
        rating_link(house, rated),
        "/statistics",
    ):
        page, sent = fetched(phone, path)
        assert page.status_code == 200, path
        if (kb := weight(phone, page, sent) / 1000) > MOST_KB:
            heavy[path] = kb
    assert heavy == {}


def test_the_receipt_weighs_little(phone: httpx.Client) -> None:
    form = next(one for one in forms(phone.get("/propose").text) if one.action == "/propose")
    given = form.sent | {"text": "北门信号灯一直黄闪,早高峰没人敢先走。", "place": "北门路口", "looked": "1"}
    receipt = phone.post("/propose", data=given)
    assert receipt.status_code == 201
    assert weight(phone, receipt, receipt.num_bytes_downloaded) / 1000 <= MOST_KB


def test_no_page_asks_the_database_more_than_a_few_times(house: House, toured: list[Stop]) -> None:
    many = {}
    for stop in toured:
        with httpx.Client(base_url=house.base, headers=PACKED, cookies=stop.cookies(house), timeout=PATIENCE) as reader:
            reader.get(stop.path)
            with statements() as heard:
                assert reader.get(stop.path).status_code == 200, stop
        most = MOST_ON_AN_ISSUE if about_one(stop) else MOST_STATEMENTS
        if len(heard) > most:
            many[stop.name, stop.login] = f"{stop.name} {stop.login}: {len(heard)}\n" + "\n".join(
                " ".join(one.split())[:110] for one in heard
            )
    assert not many, "\n".join(many.values())


def about_one(stop: Stop) -> bool:
    """Whether the page is about one thing, with all that belongs to it: at the intake desk the issue to be decided."""
    one = re.search(r"/(issues|rounds|topics|reports)/[^/]+|/leader/[^/]+/", stop.path)
    return one is not None or stop.name in ("progress-found", "desk-intake")
