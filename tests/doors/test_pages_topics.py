"""Topics on pages: read by whoever sorts, moved by hand, merged, and their flags cleared."""

from __future__ import annotations

import re
from datetime import timedelta

from tests.doors.test_pages import browser
from tests.doors.test_scenarios import statements
from tests.doors.test_scenarios_select import MATTERS, cosigns, waits
from tests.doors.test_topics import AGAIN, ELSEWHERE, LAMP, a_few, arrive, told, topic_of
from tests.doors.town import Town


async def test_whoever_sorts_reads_the_topics_and_nobody_else(town: Town) -> None:
    first, again, other = await a_few(town)
    await arrive(town)
    for who, status in (
        ("analyst", 200),
        ("panel1", 200),
        ("intake1", 200),
        ("leader1", 403),
        ("sysadmin", 403),
        ("", 303),
    ):
        for path in ("/topics", f"/topics/{first}", f"/topics/{first}/messages"):
            assert (await browser(town, who).get(path)).status_code == status, (who, path)
    page = (await browser(town, "analyst").get("/topics")).text
    assert page.index(f'href="/topics/{first}"') < page.index(f'href="/topics/{other}"'), "the largest first"
    assert 'class="chart-columns"' in page
    opened = (await browser(town, "analyst").get(f"/topics/{first}/messages")).text
    assert f"/issues/{again}" in opened and f"/issues/{other}" not in opened and "<html" not in opened
    assert (await browser(town, "analyst").get("/topics/none-of-ours")).status_code == 404


async def test_a_message_is_moved_to_another_topic_split_off_and_put_back(town: Town) -> None:
    first, again, other = await a_few(town)
    await arrive(town)
    desk = browser(town, "analyst")
    page = (await desk.get(f"/topics/{first}")).text
    assert f'name="issue" value="{again}"' in page and f'name="to" value="{other}"' in page
    moved = await desk.post(
        "/topics/move", data={"from": first, "issue": again, "to": other, "next": f"/topics/{first}"}
    )
    assert (moved.status_code, moved.headers["location"]) == (303, f"/topics/{first}")
    assert await topic_of(town, again) == other
    assert "人工归入" in (await desk.get(f"/topics/{other}")).text
    await desk.post("/topics/move", data={"from": other, "issue": again, "to": ""})
    assert await topic_of(town, again) == again
    await desk.post("/topics/move", data={"from": again, "whole": "1", "to": first})
    assert await topic_of(town, again) == first
    refused = await desk.post("/topics/move", data={"from": first, "issue": first, "to": ""})
    assert refused.status_code == 422 and "以这条诉求命名" in refused.text
    both = await desk.post("/topics/move", data={"from": first, "issue": [first, again], "to": ""})
    assert both.status_code == 303
    assert (await topic_of(town, first), await topic_of(town, again)) == (again, again), "split off together"


async def test_nothing_ticked_no_such_topic_and_whoever_may_not_move_nothing(town: Town) -> None:
    first, again, other = await a_few(town)
    await arrive(town)
    given = {"from": first, "issue": again, "to": other}
    for who, form, status in (
        ("analyst", {"from": first, "to": other}, 422), ("analyst", given | {"to": "none-of-ours"}, 404),
        ("leader1", given, 403), ("sysadmin", given, 403), ("", given, 401), ("leader1", given | {"whole": "1"}, 403),
    ):  # fmt: skip
        assert (await browser(town, who).post("/topics/move", data=form)).status_code == status, (who, form)
    away = await browser(town, "analyst").post("/topics/move", data=given, headers={"Origin": "https://evil.example"})
    assert away.status_code == 403
    assert await topic_of(town, again) == first


async def test_what_waits_in_a_topic_is_merged_on_its_page(town: Town) -> None:
    first, again, _ = await a_few(town)
    await arrive(town)
    analyst = (await browser(town, "analyst").get(f"/topics/{first}")).text
    assert f'action="/topics/{first}/merge"' not in analyst, "an analyst does not merge"
    assert (await browser(town, "analyst").post(f"/topics/{first}/merge")).status_code == 403
    desk = browser(town, "intake1")
    assert f'action="/topics/{first}/merge"' in (await desk.get(f"/topics/{first}")).text
    done = await desk.post(f"/topics/{first}/merge", data={"lead": again, "reason": "同一盏路灯。"})
    assert done.status_code == 200 and "已合并 1 件" in done.text
    assert ((await town.state(first)).step, (await town.state(first)).lead) == ("merged", again)


async def test_copies_of_one_text_are_marked_and_the_flag_is_cleared_on_the_page(town: Town) -> None:
    lead = await waits(town, MATTERS[0][1])
    await told(town, AGAIN)
    assert await arrive(town) == 2
    town.clock.now += timedelta(days=2)
    for number in range(6):
        await cosigns(town, lead, number, "学院路大坑无人管,全体住户强烈要求马上修好。")
    desk, path = browser(town, "analyst"), f"/topics/{lead}"
    page = (await desk.get(path)).text
    assert "同文批量" in page and f'action="/issues/{lead}/unflag"' in page
    assert f'action="/issues/{lead}/unflag"' not in (await browser(town, "intake1").get(path)).text
    mark = re.search(r'name="text" value="([0-9a-f]{32})"', page)
    assert mark is not None
    given = {"what": "same_text", "text": mark[1], "reason": "已电话抽查,均为本人反映。", "next": path}
    done = await desk.post(f"/issues/{lead}/unflag", data=given)
    assert (done.status_code, done.headers["location"]) == (303, path)
    assert "同文批量" not in (await desk.get(path)).text


async def test_a_page_of_topics_and_a_topic_keep_to_their_few_statements(town: Town) -> None:
    first, *_ = await a_few(town)
    await told(town, LAMP.replace("两个星期", "三个星期"))
    await told(town, ELSEWHERE.replace("一倍", "两倍"))
    await arrive(town)
    desk = browser(town, "analyst")
    await desk.get("/topics")
    for path, most in (("/topics", 4), (f"/topics/{first}", 8), (f"/topics/{first}/messages", 4)):
        with statements() as sent:
            assert (await desk.get(path)).status_code == 200
        assert len(sent) <= most, (path, sent)
