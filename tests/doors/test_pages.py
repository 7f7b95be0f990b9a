"""The plain pages answer in both languages, whatever routes there are."""

from __future__ import annotations

import pytest

from tests.doors.town import Town


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_the_reference_shows_every_operation(town: Town, language: str) -> None:
    answer = await town.client.get("/docs", headers={"Accept-Language": language})
    assert answer.status_code == 200
    document = (await town.client.get("/openapi.json")).json()
    paths = [path for path, methods in document["paths"].items() if methods]
    assert len(paths) > 70
    assert [path for path in paths if path not in answer.text] == []


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_the_front_page_counts_the_steps(town: Town, language: str) -> None:
    await town.submit()
    answer = await town.client.get("/", headers={"Accept-Language": language})
    assert answer.status_code == 200
    assert "/docs" in answer.text
