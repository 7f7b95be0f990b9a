"""The command screen, the public rates and the map show what the API says, and no more than they may."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection

from liuti.store import people
from tests.doors.test_pages import browser
from tests.doors.town import Town


async def test_the_screen_counts_what_is_there_and_what_is_late(town: Town) -> None:
    issue = await town.submit()
    await town.submit()
    screen = await browser(town, "inspector").get("/command")
    assert screen.status_code == 200
    assert '<td class="n big">2</td>' in screen.text and '<span class="big">' in screen.text
    await town.later(days=3)
    assert (await town.state(issue)).overdue
    await town.later(minutes=2)
    part = await browser(town, "inspector").get("/command/now")
    assert "</svg> 2</span>" in part.text and "<html" not in part.text


@pytest.mark.parametrize("path", ["/command", "/command/now", "/reports", "/reports/2026-03.html"])
async def test_the_inside_is_for_officials(town: Town, path: str) -> None:
    assert (await browser(town).get(path)).status_code == 303
    assert (await browser(town, "sysadmin").get(path)).status_code == 403


async def test_a_report_on_leaders_is_for_who_inspects(town: Town) -> None:
    assert (await browser(town, "head_roads").get("/reports/2026-03.html")).status_code == 403
    made = await browser(town, "inspector").get("/reports/2026-03.html")
    assert made.status_code == 200 and "督评报告" in made.text
    assert (await browser(town, "inspector").get("/reports/2026-03.json")).json()["unit"]["period"] == "2026-03"
    assert (await browser(town, "inspector").get("/reports/1999-13.html")).status_code == 422


async def test_rates_stand_with_their_number_and_never_bare(town: Town) -> None:
    issue = await town.direct_checked()
    await town.does(town.rating(issue), "rate", {"level": 5, "solved": "yes"}, issue)
    page = await browser(town).get("/statistics")
    assert page.status_code == 200 and "1/1" in page.text and "100.0 %" not in page.text


async def test_a_place_with_few_people_shows_no_number(town: Town) -> None:
    def settle(conn: Connection) -> None:
        for place, level, parent in (("d", "district", ""), ("t", "town", "d"), ("c-1", "community", "t")):
            people.add_grid(conn, place, place, level, parent)

    await town.office.engine.write(settle)
    for n in range(5):
        page = (await browser(town).get("/map")).text
        assert 'class="l4"' not in page, n
        await town.submit(grid="c-1", contact={"phone": f"1380000000{n}"})
        await town.later(minutes=2)
    page = (await browser(town).get("/map")).text
    assert page.count('class="l4"') == 1
