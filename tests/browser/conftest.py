"""A browser for the session, and a district for each file of tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest
from playwright.sync_api import Browser, sync_playwright

from liuti.demo import Prepared
from tests.browser.house import House, played
from tests.browser.tour import Stop, each_page, visits
from tests.browser.visitor import DESKTOP, MISSING, WANTED, Visitor, executable, launched


class Arrive(Protocol):
    def __call__(self, login: str = "", size: tuple[int, int] = DESKTOP, **more: Any) -> Visitor: ...


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return played(tmp_path_factory.mktemp("district") / "demo")


@pytest.fixture(scope="module")
def house(prepared: Prepared, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One for all tests of a file; they leave it as they found it or do not mind each other."""
    with House(prepared, tmp_path_factory.mktemp("house")) as opened:
        yield opened


@pytest.fixture(scope="session")
def toured(prepared: Prepared, tmp_path_factory: pytest.TempPathFactory) -> list[Stop]:
    """Every page and each of its readers, found once: the addresses and passes are the same in every copy."""
    with House(prepared, tmp_path_factory.mktemp("toured")) as opened:
        return visits(opened)


@pytest.fixture(scope="session")
def tour(toured: list[Stop]) -> list[Stop]:
    return each_page(toured)


@pytest.fixture
def own_house(prepared: Prepared, tmp_path: Path) -> Iterator[House]:
    """One for a test that moves time or counts what there is."""
    with House(prepared, tmp_path / "house") as opened:
        yield opened


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        path = executable(playwright)
        if path is None and os.environ.get(WANTED) == "required":
            pytest.fail(MISSING)
        if path is None:
            pytest.skip(MISSING)
        browser = launched(playwright, path)
        yield browser
        browser.close()


@pytest.fixture
def arrive(chromium: Browser, request: pytest.FixtureRequest) -> Iterator[Arrive]:
    """People with browsers: `arrive("intake1")` is signed in, `arrive()` is anyone. What their consoles said fails the test."""
    home: House = request.getfixturevalue("own_house" if "own_house" in request.fixturenames else "house")
    there: list[Visitor] = []

    def come(login: str = "", size: tuple[int, int] = DESKTOP, **more: Any) -> Visitor:
        visitor = Visitor(chromium, home, size, **more)
        there.append(visitor)
        if login:
            visitor.sign_in(login)
        return visitor

    yield come
    for one in there:
        one.close()
    assert [fault for one in there for fault in one.faults] == []
