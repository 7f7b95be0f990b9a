"""Rounds on pages: what the panel, the gates and the public read, and what each may do there."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

import pytest
from sqlalchemy import select

from liuti.store.tables_rank import places
from tests.doors.test_pages import browser, hidden
from tests.doors.test_scenarios import statements
from tests.doors.test_scenarios_select import MATTERS, WHY, analysts_on_the_panel, lines, opens, pool, score, waits
from tests.doors.town import PEOPLE, Town

PLAIN = re.compile(r"<(script|style|pre|select|symbol|svg)\b.*?</\1>|<[^>]+>", re.S)


def words(page: str) -> str:
    return PLAIN.sub("", page)


async def published(town: Town, issue: str) -> None:
    await town.vote(issue)
    await town.does("panel1", "publish", {"reason": "条件成熟。"}, issue)


async def test_an_analyst_opens_a_round_on_a_page_and_closes_it(town: Town) -> None:
    desk = browser(town, "analyst")
    form = (await desk.get("/rounds")).text
    assert 'action="/rounds"' in form
    empty = await desk.post("/rounds", data={"slots": "5"})
    assert empty.status_code == 422 and 'value="5"' in empty.text, "nothing waits; what was typed stands there"
    await pool(town, 2)
    opened = await desk.post("/rounds", data={"slots": "2"})
    assert (opened.status_code, opened.headers["location"]) == (303, "/rounds/1")
    assert 'action="/rounds"' not in (await desk.get("/rounds")).text, "one at a time"
    assert (await desk.post("/rounds/1/close")).status_code == 303
    assert (await desk.post("/rounds/1/close")).status_code == 409


async def test_only_an_analyst_is_shown_how_to_open_a_round_and_nobody_else_can(town: Town) -> None:
    await pool(town, 1)
    for who, status in (("panel1", 403), ("leader1", 403), ("sysadmin", 403), ("", 401)):
        page = browser(town, who)
        assert 'action="/rounds"' not in (await page.get("/rounds")).text
        assert (await page.post("/rounds", data={"slots": "1"})).status_code == status
    for who, status in (("intake1", 403), ("", 401)):
        await opens(town) if who == "intake1" else None
        assert (await browser(town, who).post("/rounds/1/close")).status_code == status
    assert 'action="/rounds"' not in (await browser(town, "panel1").get("/rounds")).text


async def test_the_panel_reads_the_whole_list_with_both_ranks_and_votes_on_it(town: Town) -> None:
    ids = await pool(town, 3)
    await opens(town, 2)
    member = browser(town, "panel1")
    page = (await member.get("/rounds/1")).text
    assert all(f'/rounds/1/{issue}"' in page for issue in ids)
    first = next(iter(await lines(town, 1)))
    assert page.count(f'action="/issues/{first}/vote"') == 1
    given = {"yes": "true", "reason": "同意。", "version": str((await town.state(first)).version), "next": "/rounds/1"}
    voted = await member.post(f"/issues/{first}/vote", data=given)
    assert (voted.status_code, voted.headers["location"]) == (303, "/rounds/1")
    against = await browser(town, "panel2").post(f"/issues/{first}/vote", data={"yes": "false", "next": "/rounds/1"})
    assert against.status_code == 303
    assert [vote.yes for vote in (await town.state(first)).votes] == [True, False]
    page = (await member.get("/rounds/1")).text
    assert f'action="/issues/{first}/vote"' not in page and "本轮您已表决" in page and "1 同意 / 2 人" in page


async def test_who_ran_the_score_is_told_why_there_is_no_vote(town: Town) -> None:
    issue = await waits(town, MATTERS[0][1])
    town.secrets |= await town.office.engine.write(partial(analysts_on_the_panel, town=town))
    await opens(town, who="ran-it")
    for path in ("/rounds/1", f"/rounds/1/{issue}"):
        mine = (await browser(town, "ran-it").get(path)).text
        assert "/vote" not in mine and "计算得分的人不参加表决" in mine, path
        other = (await browser(town, "looked-on").get(path)).text
        assert f'action="/issues/{issue}/vote"' in other and "计算得分的人不参加表决" not in other, path


async def test_a_decision_on_the_page_names_the_score_it_was_taken_on(town: Town) -> None:
    issue = await waits(town, MATTERS[0][1])
    await opens(town)
    await town.vote(issue)
    member = browser(town, "panel1")
    page = (await member.get(f"/rounds/1/{issue}?do=publish")).text
    frozen = (await score(town, issue))["snapshot"]
    form = page[page.index(f'action="/issues/{issue}/publish"') :]
    assert hidden(form, "snapshot.round") == frozen["round"] and hidden(form, "snapshot.digest") == frozen["digest"]
    given = {
        "snapshot.round": frozen["round"],
        "snapshot.digest": "0" * 64,
        "next": "/rounds/1",
        "reason": "条件成熟。",
    }
    stale = await member.post(f"/issues/{issue}/publish", data=given)
    assert stale.status_code == 422 and "不是最近一轮的" in stale.text and ">条件成熟。</textarea>" in stale.text
    assert '<input type="hidden" name="next" value="/rounds/1">' in stale.text, "it still comes back to the list"
    done = await member.post(f"/issues/{issue}/publish", data=given | {"snapshot.digest": frozen["digest"]})
    assert (done.status_code, done.headers["location"]) == (303, "/rounds/1"), done.text
    noted = (await town.get(f"/issues/{issue}/timeline"))["entries"][-1]["facts"]["score"]
    assert (noted["round"], noted["digest"]) == (frozen["round"], frozen["digest"])


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_the_public_reads_what_is_published_with_reasons_and_both_ranks_and_nothing_more(
    town: Town, language: str
) -> None:
    ids = await pool(town, 4)
    await opens(town, 3)
    listed = list(await lines(town, 1))
    adjust = {"code": "season", "reason": WHY, "what": "pin", "to_rank": 1}
    await town.does("panel1", "adjust", adjust, listed[1])
    await town.does("panel2", "grant", {}, listed[1])
    await published(town, listed[1])
    anyone = browser(town)
    page = (await anyone.get("/rounds/1", headers={"Accept-Language": language})).text
    shown = (await lines(town, 1, ""))[listed[1]]
    assert [issue for issue in ids if f"/rounds/1/{issue}" in page] == [listed[1]]
    assert (shown["rank"], shown["final_rank"]) == (2, 1)
    assert re.findall(r"<dd>(\d+|–)</dd>", page) == ["2", "1"]
    assert all(reason[language] in words(page) or language == "zh" for reason in shown["score"]["strongest"])
    assert WHY not in page and "试调权重" not in page and "/vote" not in page
    matter = (await anyone.get(f"/rounds/1/{listed[1]}", headers={"Accept-Language": language})).text
    assert "输入" not in matter and "Inputs" not in matter, "raw inputs may name officials"
    assert (
        len(re.findall(r'<tr[^>]*><th scope="row"', matter)) >= 16 and "<aside" in matter and "/publish" not in matter
    )
    if language == "en":
        title = (await town.see(listed[1]))["title"]
        for text in (page, matter):
            left = words(text).replace("中文", "").replace(title, "")
            body = (await town.see(listed[1]))["body"]
            assert not re.findall(r"[\u4e00-\u9fff]+", left.replace(body, "").replace("g-01", "")), left
    for hidden_one in set(ids) - {listed[1]}:
        assert (await anyone.get(f"/rounds/1/{hidden_one}")).status_code in (303, 401, 404)
        assert (await browser(town, "officer_roads").get(f"/rounds/1/{hidden_one}")).status_code == 404


async def test_who_may_not_weigh_reads_no_trial_of_weights_and_no_list_of_gates(town: Town) -> None:
    await pool(town, 1)
    await opens(town)
    for who, status in (
        ("panel1", 200),
        ("gate1", 200),
        ("intake1", 403),
        ("leader1", 403),
        ("sysadmin", 403),
        ("", 303),
    ):
        assert (await browser(town, who).get("/rounds/1/weights")).status_code == status, who
    for who, status in (("gate1", 200), ("panel1", 200), ("intake1", 403), ("sysadmin", 403), ("", 303)):
        assert (await browser(town, who).get("/gates")).status_code == status, who
    assert (await browser(town, "panel1").get("/rounds/2")).status_code == 404


async def test_other_weights_are_computed_from_what_was_frozen_and_never_kept(town: Town) -> None:
    await pool(town, 4)
    await opens(town, 2)
    kept = await town.office.engine.read(lambda conn: [tuple(row) for row in conn.execute(select(places))])
    member = browser(town, "panel1")
    own = (await member.get("/rounds/1/weights")).text
    before = await lines(town, 1)
    assert [one[0] for one in re.findall(r"/rounds/1/([0-9a-f-]{36})(\")", own)] == list(before)
    factor = "severity"
    tried = (
        await member.get(
            "/rounds/1/weights", params={f"w.{name}": "0" for name in _factors(before)} | {f"w.{factor}": "7"}
        )
    ).text
    values = {
        issue: next(f["value"] for f in line["score"]["factors"] if f["name"] == factor) for issue, line in before.items()
    }  # fmt: skip
    totals = [float(one) for one in re.findall(r'<td class="n"[^>]*>(\d+\.\d)<br>', tried)]
    assert sorted(totals) == sorted(round(100 * value, 1) for value in values.values()), "one factor alone is the total"
    assert "从不保存" in tried and f'name="w.{factor}" value="100"' in tried, "scaled to a hundred"
    for wrong in (
        {"w.severity": "much"},
        {"w.severity": "-1"},
        {"w.severity": "nan"},
        {f"w.{n}": "0" for n in _factors(before)},
    ):
        assert (await member.get("/rounds/1/weights", params=wrong)).status_code == 422, wrong
    assert (await member.post("/rounds/1/weights")).status_code == 405
    assert await town.office.engine.read(lambda conn: [tuple(row) for row in conn.execute(select(places))]) == kept
    assert await lines(town, 1) == before


def _factors(before: dict[str, Any]) -> list[str]:
    line = next(iter(before.values()))
    return [one["name"] for one in line["score"]["factors"]]


async def test_a_factor_is_put_right_with_evidence_from_its_row(town: Town) -> None:
    issue = await waits(town, MATTERS[0][1])
    await opens(town)
    analyst = browser(town, "analyst")
    page = (await analyst.get(f"/rounds/1/{issue}?factor=money")).text
    assert '<option value="money" selected>' in page and "用证据更正" in page
    given = {"factor": "money", "value": "0.9", "evidence": "", "next": "/rounds/1"}
    assert (await analyst.post(f"/issues/{issue}/assess", data=given)).status_code == 422
    done = await analyst.post(f"/issues/{issue}/assess", data=given | {"evidence": "见第3号预算批复。"})
    assert done.status_code == 303, done.text
    assert "见第3号预算批复" in (await analyst.get(f"/rounds/1/{issue}")).text
    assert "用证据更正" not in (await browser(town, "gate1").get(f"/rounds/1/{issue}")).text


async def test_gates_sign_in_order_and_only_whose_turn_it_is_finds_the_form(town: Town) -> None:
    issue = await town.topic(livelihood=True)
    await town.topic()
    first, second = browser(town, "gate1"), browser(town, "gate2")
    form = f'action="/issues/{issue}/sign_gate"'
    assert form in (await first.get("/gates")).text and form not in (await second.get("/gates")).text
    assert (await first.get("/gates")).text.count("<section") == 1, "only livelihood matters"
    signed = await first.post(f"/issues/{issue}/sign_gate", data={"agree": "true", "next": "/gates"})
    assert (signed.status_code, signed.headers["location"]) == (303, "/gates")
    assert form not in (await first.get("/gates")).text and form in (await second.get("/gates")).text
    silent = await second.post(f"/issues/{issue}/sign_gate", data={"agree": "false", "next": "/gates"})
    assert silent.status_code == 422, "a refusal says why"
    await second.post(f"/issues/{issue}/sign_gate", data={"agree": "false", "comment": "资金未定。", "next": "/gates"})
    assert form in (await first.get("/gates")).text, "a refusal sends them back to the first gate"


async def test_final_ranks_are_the_same_however_the_list_is_cut(town: Town) -> None:
    await pool(town, 5)
    await opens(town, 3)
    listed = list(await lines(town, 1))
    await town.does("panel1", "adjust", {"code": "season", "reason": WHY, "what": "pin", "to_rank": 1}, listed[4])
    await town.does("panel2", "grant", {}, listed[4])
    whole = {issue: line["final_rank"] for issue, line in (await lines(town, 1)).items()}
    assert [whole[issue] for issue in listed] == [2, 3, 4, None, 1]
    for limit in (1, 2, 3, 4):
        found: dict[str, int | None] = {}
        after: int | None = 0
        while after is not None:
            body = await town.get(f"/rounds/1?limit={limit}&after={after}", "panel1")
            found |= {line["issue"]["id"]: line["final_rank"] for line in body["lines"]}
            after = body["after"]
        assert found == whole, limit


async def test_a_round_takes_four_statements_and_a_matter_of_it_eight_at_most(town: Town) -> None:
    ids = await pool(town, 5)
    await opens(town, 3)
    await town.does("analyst", "assess", {"factor": "money", "value": 0.9, "evidence": "预算批复。"}, ids[0])
    member = browser(town, "panel1")
    await member.get("/rounds")
    for path, most in (
        ("/rounds", 2),
        ("/rounds/1", 4),
        (f"/rounds/1/{ids[0]}", 8),
        ("/rounds/1/weights", 4),
        ("/gates", 2),
    ):
        with statements() as sent:
            assert (await member.get(path)).status_code == 200
        assert len(sent) <= most, (path, sent)


async def test_in_english_no_page_shows_chinese_but_what_people_wrote(town: Town) -> None:
    claimable = await town.published()
    issue = await waits(town, MATTERS[0][1])
    await opens(town)
    project = await town.topic(livelihood=True)
    data = {post for _, post, *_ in PEOPLE if post} | set(town.office.desk.world().policy.gates) | {"中文", "行人"}
    for one in (issue, project, claimable):
        seen = await town.see(one)
        data |= {seen["title"], seen["body"], seen["place"]}
    for who, path in (
        ("panel1", "/rounds"), ("panel1", "/rounds/1"), ("panel1", f"/rounds/1/{issue}"), ("panel1", "/rounds/1/weights"),
        ("gate1", "/gates"), ("analyst", "/rounds"), ("intake1", "/topics"), ("leader1", "/leader"), ("leader1", "/leader/links"),
        ("leader1", f"/leader/{claimable}/claim"), ("inspector", "/boards/leaders"), ("principal", "/leader"), ("", "/rounds"),
    ):  # fmt: skip
        page = await browser(town, who).get(path, headers={"Accept-Language": "en"})
        assert page.status_code == 200, (who, path)
        left = words(page.text)
        for one in sorted(data, key=len, reverse=True):
            left = left.replace(one, "")
        assert not re.findall(r"[\u4e00-\u9fff]+", left), (who, path, re.findall(r"[\u4e00-\u9fff]+", left))
