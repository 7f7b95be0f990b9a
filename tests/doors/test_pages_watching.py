"""The boards on pages are read by exactly those who read them at the API, show the same rows, and take decisions."""

from __future__ import annotations

import pytest

from tests.doors.test_pages import browser, hidden
from tests.doors.test_real_messages import a_photo
from tests.doors.town import PEOPLE, Town

BOARDS = ("overdue", "orders", "requests", "verification", "rechecks", "strike-offs", "callbacks", "outliers", "alerts")


@pytest.mark.parametrize("board", BOARDS)
async def test_a_board_opens_for_exactly_those_who_read_it_at_the_api(town: Town, board: str) -> None:
    for person in (one[0] for one in PEOPLE):
        api = await town.client.get(f"/api/v1/boards/{board.replace('-', '_')}", headers=town.headers(person))
        page = await browser(town, person).get(f"/boards/{board}")
        assert page.status_code == api.status_code, person
    assert (await browser(town).get(f"/boards/{board}")).status_code == 303


async def test_what_is_late_stands_on_the_wall_with_its_story(town: Town) -> None:
    issue = await town.submit()
    await town.later(days=4)
    wall = (await browser(town, "inspector").get("/boards/overdue")).text
    assert f"/issues/{issue}" in wall and "开始计时" in wall and "超期" in wall
    assert f"/issues/{issue}" not in (await browser(town, "inspector").get("/boards/overdue?step=solve")).text


async def test_a_result_is_verified_on_the_board_and_comes_back_to_it(town: Town) -> None:
    issue = await town.direct()
    await town.photo("officer_roads", issue, a_photo())
    await town.result(issue)
    inspector = browser(town, "inspector")
    board = (await inspector.get("/boards/verification")).text
    assert f'action="/issues/{issue}/pass_check"' in board and f'action="/issues/{issue}/fail_check"' in board
    sent = {
        "defects": "井盖没有盖\n路面不平",
        "method": "on_site",
        "version": hidden(board, "version"),
        "next": "/boards/verification",
    }
    done = await inspector.post(f"/issues/{issue}/fail_check", data=sent)
    assert (done.status_code, done.headers["location"]) == (303, "/boards/verification")
    assert (await town.state(issue)).step == "solve"


async def test_a_call_is_kept_on_the_board(town: Town) -> None:
    issue = await town.direct_checked()
    caller = browser(town, "caller")
    board = (await caller.get("/boards/callbacks")).text
    assert f'action="/issues/{issue}/rate"' in board
    sent = {
        "voice": hidden(board, "voice"), "outcome": "no_answer", "number": "13800000001", "version": hidden(board, "version"),
        "next": "/boards/callbacks",
    }  # fmt: skip
    done = await caller.post(f"/issues/{issue}/rate", data=sent)
    assert done.status_code == 303, done.text
    assert (await town.state(issue)).verdict.tries == 1


async def test_a_suspended_issue_waits_for_its_review(town: Town) -> None:
    issue = await town.direct()
    form = {"cause": "season", "review": town.day(60), "evidence": "冬季不具备施工条件。"}
    await town.does("leader1", "suspend", form, issue)
    asked = (await browser(town, "inspector").get("/boards/requests")).text
    assert f"/issues/{issue}#move-answer1-" in asked
    await town.does("inspector", "grant", {}, issue)
    assert f"/issues/{issue}" in (await browser(town, "inspector").get("/boards/suspended")).text
