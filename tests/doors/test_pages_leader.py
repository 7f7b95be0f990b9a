"""Leaders on pages: what waits to be claimed and why, claims in time, requests, and designation once it is late."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from liuti.doors.pages.drawn import gantt
from liuti.flow.issue import Issue, Milestone
from liuti.store.links import add_link
from tests.doors.test_pages import browser, hidden
from tests.doors.test_scenarios import statements
from tests.doors.test_scenarios_select import MATTERS, opens, waits
from tests.doors.town import SHANGHAI, Town, at


async def test_leaders_and_the_principal_read_the_claim_board_and_nobody_else(town: Town) -> None:
    for who, status in (
        ("leader1", 200),
        ("principal", 200),
        ("panel1", 403),
        ("officer_roads", 403),
        ("sysadmin", 403),
        ("", 303),
    ):
        assert (await browser(town, who).get("/leader")).status_code == status, who


async def test_a_leader_finds_the_reasons_and_claims_with_one_form(town: Town) -> None:
    issue = await waits(town, MATTERS[0][1])
    await opens(town)
    await town.vote(issue)
    await town.does("panel1", "publish", {}, issue)
    desk = browser(town, "leader1")
    page = (await desk.get("/leader")).text
    assert f'href="/leader/{issue}/claim"' in page and "最强的理由" in page and "户反映" in page
    card = (await desk.get(f"/leader/{issue}/claim")).text
    given = {"version": hidden(card, "version"), "key": hidden(card, "key"), "next": "/leader"}
    late = await desk.post(f"/issues/{issue}/claim", data=given | town.card(-1))
    assert late.status_code == 422 and "修好路口" in late.text, "what was typed stands there again"
    done = await desk.post(f"/issues/{issue}/claim", data=given | town.card())
    assert (done.status_code, done.headers["location"]) == (303, "/leader"), done.text
    assert f'aria-labelledby="c-{issue}"' in (await desk.get("/leader")).text
    again = await browser(town, "leader2").get(f"/leader/{issue}/claim")
    assert again.status_code == 409


async def test_the_principal_designates_once_the_time_to_claim_has_passed(town: Town) -> None:
    issue = await town.published()
    chief = browser(town, "principal")
    assert f"/leader/{issue}/designate" not in (await chief.get("/leader")).text
    assert (await chief.get(f"/leader/{issue}/designate")).status_code == 409
    due = (await town.state(issue)).timers[-1].due
    await town.until(due + timedelta(minutes=5))
    assert f"/leader/{issue}/designate" in (await chief.get("/leader")).text
    assert f"/leader/{issue}/designate" not in (await browser(town, "leader1").get("/leader")).text
    card = (await chief.get(f"/leader/{issue}/designate")).text
    given = {"leader": "leader2", "prepared_by": "inspector", "version": hidden(card, "version"), "next": "/leader"}
    done = await chief.post(f"/issues/{issue}/designate", data=given | town.card())
    assert done.status_code == 303, done.text
    assert (await town.state(issue)).leader == "leader2"


async def test_a_leader_answers_a_request_where_it_is_listed_and_sees_only_their_own(town: Town) -> None:
    issue = await town.claimed()
    await town.does("leader1", "approve_plan", town.plan(), issue)
    desk = browser(town, "leader1")
    page = (await desk.get("/leader")).text
    assert "铣刨重铺" in page and 'class="chart-gantt"' in page and f'action="/issues/{issue}/answer"' not in page
    waive: dict[str, Any] = {"number": 1, "waive": True, "reason": "改为整段翻修,此项不再单做。"}
    await town.does("officer_roads", "milestone", waive, issue)
    page = (await desk.get("/leader")).text
    assert f'action="/issues/{issue}/answer"' in page and "改为整段翻修,此项不再单做。" in page
    assert f'action="/issues/{issue}/answer"' not in (await browser(town, "leader2").get("/leader")).text
    given = {"request": hidden(page, "request"), "answer": "grant", "next": "/leader#asked", "reason": ""}
    done = await desk.post(f"/issues/{issue}/answer", data=given)
    assert done.status_code == 303, re.sub("<[^>]+>", "", done.text)
    assert done.headers["location"] == "/leader#asked"
    page = (await desk.get("/leader")).text
    assert "不做" in page and f'action="/issues/{issue}/answer"' not in page


async def test_who_holds_as_many_as_one_may_is_offered_no_more(town: Town) -> None:
    for _ in range(town.office.desk.world().policy.limits.claims):
        await town.claimed()
    await town.published()
    page = (await browser(town, "leader1").get("/leader")).text
    assert "/claim" not in re.sub(r"step=claim", "", page) and "已到上限" in page
    assert "/claim" in (await browser(town, "leader2").get("/leader")).text


async def test_direct_matters_of_a_supervised_unit_are_no_claims_and_take_no_place(town: Town) -> None:
    direct = [await town.direct() for _ in range(town.office.desk.world().policy.limits.claims)]
    leader = (await town.state(direct[0])).leader
    assert leader
    issue = await town.published()
    page = (await browser(town, leader).get("/leader")).text
    assert f'href="/leader/{issue}/claim"' in page and "已到上限" not in page
    assert all(f'href="/issues/{one}"' in page and f'id="c-{one}"' not in page for one in direct)


async def test_the_board_takes_four_statements_however_much_is_on_it(town: Town) -> None:
    for _ in range(2):
        await town.claimed()
        await town.published()
    desk = browser(town, "leader1")
    await desk.get("/leader")
    with statements() as sent:
        assert (await desk.get("/leader")).status_code == 200
    assert len(sent) <= 4, sent


def test_a_milestone_is_planned_done_or_slipped() -> None:
    now = at("2026-03-31 10:00")
    issue = Issue(
        "i", claimed=at("2026-03-01 10:00"),
        milestones=(
            Milestone("in time", at("2026-03-11 10:00"), "u", done=at("2026-03-09 10:00")),
            Milestone("done late", at("2026-03-16 10:00"), "u", done=at("2026-03-21 10:00")),
            Milestone("late", at("2026-03-26 10:00"), "u"),
            Milestone("waived", at("2026-03-27 10:00"), "u", waived=True),
            Milestone("ahead", at("2026-04-10 10:00"), "u"),
        ),
    )  # fmt: skip
    drawn = gantt(issue, at("2026-04-10 10:00"), now, SHANGHAI)
    assert [row.state for row in drawn.rows] == ["done", "slipped", "late", "waived", "planned"]
    assert (drawn.since, drawn.until, drawn.today) == (at("2026-03-01 10:00"), at("2026-04-10 10:00"), 75.0)
    assert [(row.plan.x, row.plan.width) for row in drawn.rows[:2]] == [(0.0, 25.0), (25.0, 12.5)]
    assert [row.slip and (row.slip.x, row.slip.width) for row in drawn.rows] == [
        None,
        (37.5, 12.5),
        (62.5, 12.5),
        None,
        None,
    ]
    assert [row.mark for row in drawn.rows] == [20.0, 50.0, None, None, None]
    assert len(drawn.months) == 1 and 76 < drawn.months[0] < 77


async def test_a_leader_links_a_project_and_ends_the_link_and_sees_only_their_own(town: Town) -> None:
    await town.office.engine.write(lambda conn: add_link(conn, "project-01", "project", "光电产业园二期"))
    desk, other = browser(town, "leader1"), browser(town, "leader2")
    page = (await desk.get("/leader/links")).text
    assert 'action="/leader/links"' in page and "光电产业园二期" in page and 'name="leader"' not in page
    given = {"kind": "industry", "target": "project-01"}
    assert (await desk.post("/leader/links", data=given)).status_code == 303
    again = await desk.post("/leader/links", data=given)
    assert again.status_code == 409 and "已与此项目挂钩" in again.text
    standing = re.search(r'action="(/leader/links/[^"]+/end)"', again.text)
    assert standing is not None
    assert "/end" not in (await other.get("/leader/links")).text
    assert (await other.post(standing[1])).status_code == 403
    assert (await other.post("/leader/links", data=given | {"leader": "leader1"})).status_code == 403
    inspector = browser(town, "inspector")
    assert 'name="leader"' in (await inspector.get("/leader/links")).text
    assert (await inspector.post("/leader/links", data=given | {"leader": "leader2"})).status_code == 303
    assert (await desk.post(standing[1])).status_code == 303
    assert "已解除" in (await desk.get("/leader/links")).text
    for who, status in (
        ("principal", 200),
        ("team", 200),
        ("panel1", 403),
        ("officer_roads", 403),
        ("sysadmin", 403),
        ("", 303),
    ):
        assert (await browser(town, who).get("/leader/links")).status_code == status, who
    for who, status in (("principal", 403), ("panel1", 403), ("", 401)):
        assert (await browser(town, who).post("/leader/links", data=given)).status_code == status, who


async def test_who_has_no_claim_is_read_by_those_who_inspect_alone(town: Town) -> None:
    await town.claimed()
    for who, status in (
        ("inspector", 200),
        ("principal", 200),
        ("leader1", 403),
        ("panel1", 403),
        ("sysadmin", 403),
        ("", 303),
    ):
        assert (await browser(town, who).get("/boards/leaders")).status_code == status, who
    without = (await browser(town, "inspector").get("/boards/leaders?without=claim")).text
    assert "副主任二" in without and "副主任一" not in without
