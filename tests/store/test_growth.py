"""The two ways a list is read, for little and for much, hold the same."""

from __future__ import annotations

from typing import Any

import pytest

from liuti.flow.kernel import Actor
from liuti.flow.words import Role
from liuti.store import read, search
from liuti.store.read import Wish
from tests.doors.test_scenarios import statements
from tests.doors.town import Town
from tests.working import town

__all__ = ["town"]

INTAKE = Actor("intake1", frozenset({Role.INTAKE}))


async def ids(town: Town, wish: Wish) -> set[str]:
    page: Any = await town.office.engine.read(lambda conn: read.page(conn, INTAKE, wish))
    return {one.issue.id for one in page.found}


async def test_a_units_list_is_the_same_whether_it_has_little_or_much(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read, "REMEMBERED", -1.0)
    led, _other = await town.direct(), await town.direct(unit="water")
    claimed = await town.claimed()
    assert await ids(town, Wish(unit="roads")) == {claimed, led}, "led without being sent yet, and sent"
    monkeypatch.setattr(read, "LITTLE", 0)
    assert await ids(town, Wish(unit="roads")) == {claimed, led}


async def test_whether_a_unit_has_little_is_asked_once_in_a_while(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    led = await town.direct()
    counted = []
    for _ in range(2):
        with statements() as heard:
            assert await ids(town, Wish(unit="roads")) == {led}
        counted.append(len(heard))
    assert counted == [2, 1]
    monkeypatch.setattr(read, "MOST_KNOWN", 1)
    assert await ids(town, Wish(unit="no-such-unit")) == set()
    with statements() as heard:
        assert await ids(town, Wish(unit="roads")) == {led}
    assert len(heard) == 2, "forgotten, when too many units were asked for"


async def test_words_are_found_whether_rare_or_common(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = await town.submit(text="路灯不亮。"), await town.submit(text="路灯又坏了。")
    assert await ids(town, Wish(q="路灯")) == {second, first}
    assert await ids(town, Wish(q="不亮")) == {first}
    monkeypatch.setattr(search, "RARE", 0)
    assert await ids(town, Wish(q="路灯")) == {second, first}
    assert await ids(town, Wish(q="不亮")) == {first}
