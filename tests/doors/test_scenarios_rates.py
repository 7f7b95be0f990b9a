"""What a hotline manager tries first of the figures, over HTTP and in the report of the month (docs/rules.md §10, §7)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from liuti import monthly
from liuti.alarms import Watching
from liuti.figures import few
from liuti.letters import written
from liuti.senders import Letter
from liuti.store import outbox, people
from tests.doors import test_boards
from tests.doors.test_boards import rows, town
from tests.doors.town import NOTICE, Body, Town, at

__all__ = ["town", "watched"]

watched = test_boards.watched
UNTOLD = few.UNTOLD.text
NOISE = "楼下歌厅半夜太吵,请管一管。"


async def figures(town: Town, who: str = "inspector", by: str = "unit", period: str = "2026-03") -> Body:
    return await town.get(f"/figures?period={period}&by={by}", who)


def group(body: Body, key: str) -> Body:
    return next(one for one in body["groups"] if one["key"] == key) if key else body["total"]


def text(body: Body, rate: str, key: str = "", kind: str = "raw") -> str:
    said: str = group(body, key)["rates"][rate][kind]["text"]
    return said


async def entered(town: Town, unit: str = "roads", **form: Any) -> str:
    """A direct issue of noise, entered at the desk: no person's daily limit."""
    issue = await town.submit("intake1", text=NOISE, **{name: form.pop(name) for name in ("grid",) if name in form})
    given = {"unit": unit, "category": "noise", "urgency": "general"} | form
    await town.does("intake1", "accept_direct", given, issue)
    return issue


async def rated(town: Town, level: int = 5, unit: str = "roads", solved: str = "yes", **form: Any) -> str:
    """Such an issue worked on, verified and rated by its proposer."""
    issue = await entered(town, unit, **form)
    await town.result(issue, unit)
    await town.does("inspector", "pass_check", {"method": "phone"}, issue)
    await town.does(town.rating(issue), "rate", {"level": level, "contacted": True, "solved": solved}, issue)
    return issue


async def report(town: Town, path: Path, period: str = "2026-03") -> monthly.Report:
    return await monthly.make(town.office.settings.database_url, period, path, town.clock.now)


async def sent(town: Town) -> list[Letter]:
    """The letters that wait to leave, as they would be written."""
    office, world = town.office, town.office.desk.world()
    taken = await office.engine.write(lambda conn: outbox.take(conn, "test", town.clock.now))
    return [written(row, office.ring, "http://town.test", world.calendar.zone, world.policy) for row in taken]


async def test_29_an_extension_granted_tells_the_proposer_why_and_until_when_and_both_on_time_lines_are_computed(
    watched: Town, tmp_path: Path
) -> None:
    issue = await entered(watched)
    asked = {"until": "2026-03-13", "reason": "备件未到。"}
    await watched.does("officer_roads", "extend", asked, issue)
    await watched.does("head_roads", "grant", {}, issue)
    await watched.does("inspector", "grant", {}, issue)
    [told] = [one for one in await sent(watched) if (one.event, one.recipient[:5]) == ("extend", "voice")]
    assert told.recipient == f"voice:{watched.voices[issue]}"
    assert (told.words["reason"], told.words["until"]) == ("备件未到。", "2026-03-13T17:30+08:00")
    assert (await watched.timer(issue, "solve"))["due_at"] == at("2026-03-13T17:30+08:00")
    await watched.until(at("2026-03-11 10:00"))
    await watched.result(issue)
    await watched.until(at("2026-04-01 00:00"))
    body = await figures(watched)
    assert (text(body, "on_time", "roads"), text(body, "on_time_unextended", "roads")) == ("1/1", "0/1")
    made = await report(watched, tmp_path / "m.csv")
    assert made.tables["unit"].total.rates["on_time_unextended"].raw.text == "0/1"
    lines = (tmp_path / "m.csv").read_text("utf-8-sig")
    assert "按期办结率(不计延期)" in lines


async def test_31_who_asked_not_to_be_contacted_lowers_no_response_rate(watched: Town) -> None:
    public = await watched.direct(category="noise", text=NOISE)
    private = await watched.submit(text=NOISE, wants_contact=False, contact={"phone": "13800000002"})
    given = {"unit": "roads", "category": "noise", "urgency": "general"}
    await watched.does("intake1", "accept_direct", given, private)
    assert "contact" not in {clock["clock"] for clock in (await watched.see(private))["clocks"]}
    await watched.does("officer_roads", "contact", {"method": "phone", "result": "已联系。"}, public)
    for issue in (public, private):
        await watched.checked(issue)
        await watched.does(watched.rating(issue), "rate", {"level": 5, "contacted": False, "solved": "yes"}, issue)
    body = await figures(watched)
    assert text(body, "response") == "0/1", "the rater of the other one says nobody called: that one alone is in it"
    assert text(body, "solved") == "2/2"
    assert text(body, "contacted", "roads") == "1/1"


async def test_41_nine_of_ten_are_told_with_their_interval_and_without_a_rank(watched: Town, tmp_path: Path) -> None:
    for number in range(10):
        await rated(watched, 5 if number else 2, solved="yes" if number else "no")
    await watched.until(at("2026-04-01 00:00"))
    body = await figures(watched)
    roads = group(body, "roads")["rates"]["satisfied"]
    assert roads["raw"]["text"] == "9/10 (59.6-98.2 %), 不参与排名"
    assert roads["rank"] is None
    await report(watched, tmp_path / "m.csv")
    assert "9/10 (59.6-98.2 %), 不参与排名" in (tmp_path / "m.csv").read_text("utf-8-sig")


async def test_42_six_in_a_hundred_excluded_shows_raw_and_adjusted_and_alerts_the_team(
    watched: Town, tmp_path: Path
) -> None:
    bad = [await rated(watched, 1, solved="no") for _ in range(2)]
    for _ in range(31):
        await rated(watched, 5)
    watching = Watching(watched.office.engine, watched.office.desk.world)
    await watched.does("officer_roads", "exclude", {"code": "no_duty", "reason": "不属职责。"}, bad[0])
    await watched.does("inspector", "grant", {}, bad[0])
    assert await watching.look(watched.clock.now) == 0, "1 of 33 is within the limit"
    await watched.does("officer_roads", "exclude", {"code": "repeat", "reason": "重复。"}, bad[1])
    await watched.does("inspector", "grant", {}, bad[1])
    body = await figures(watched)
    roads = group(body, "roads")
    assert (roads["excluded"], roads["cases"], roads["excluded_alert"]) == (2, 33, True), "6 %, the limit is 5 %"
    assert (text(body, "satisfied", "roads"), text(body, "satisfied", "roads", "adjusted")) == (
        "31/33 (80.4-98.3 %)", "31/31 (89.0-100.0 %)",
    )  # fmt: skip
    assert await alerts(watched) == []
    watched.clock.now = at("2026-03-04 03:00")
    await watching.at_night(watched.clock.now)
    told = {(row["kind"], row["about"], row["hits"], row["n"], row["period"]) for row in await alerts(watched)}
    assert told == {("excluded", "unit:roads", 2, 33, "2026-03"), ("excluded", "district", 2, 33, "2026-03")}
    letters = [to for issue in bad for to in await watched.letters(issue, "alert.excluded")]
    assert letters == ["role:team"], "on the latest of the two"
    assert await watching.look(watched.clock.now) == 0, "once a period"
    await watched.until(at("2026-04-01 00:00"))
    await report(watched, tmp_path / "m.html")
    page = (tmp_path / "m.html").read_text("utf-8")
    assert "roads 剔除 2/33,高于 5%,请督导组核查" in page
    assert "原始 raw 31/33 (80.4-98.3 %)" in page, "beside the adjusted one, in the unit's row"


async def alerts(town: Town) -> list[Body]:
    found: list[Body] = (await town.get("/boards/alerts", "team"))["rows"]
    return found


async def test_units_that_suspend_and_extend_too_much_are_alerted_on(watched: Town) -> None:
    issues = [await entered(watched) for _ in range(10)]
    for issue in issues[:2]:
        await watched.does("officer_roads", "extend", {"until": "2026-03-12", "reason": "备件未到。"}, issue)
        await watched.does("head_roads", "grant", {}, issue)
        await watched.does("inspector", "grant", {}, issue)
    asked = {"cause": "season", "review": "2026-04-20", "evidence": "冬季停工通知"}
    await watched.does("leader1", "suspend", asked, issues[2])
    await watched.does("inspector", "grant", {}, issues[2])
    for _ in range(3):
        await entered(watched, "water")
    await watched.until(at("2026-03-20 10:00"))
    await Watching(watched.office.engine, watched.office.desk.world).look(watched.clock.now)
    told = {(row["kind"], row["about"]): (row["hits"], row["n"]) for row in await alerts(watched)}
    assert told == {
        ("suspended", "unit:roads"): (1, 10), ("suspended", "district"): (1, 13),
        ("extended", "district"): (2, 12),
    }, "of roads only 9 results were due: counts, no rate"  # fmt: skip


async def test_50_last_years_monthly_report_is_made_again_to_the_byte_whatever_happened_since(
    watched: Town, tmp_path: Path
) -> None:
    first = await rated(watched, 5)
    await rated(watched, 2, "water", solved="partly")
    late = await entered(watched, "parks")
    await watched.until(at("2026-04-01 00:00"))
    kinds = ("json", "csv", "html")
    for kind in kinds:
        await report(watched, tmp_path / f"then.{kind}")
    await watched.does("inspector", "reopen", {"ground": "new_fact", "reason": "又响了。"}, first)
    await watched.result(late, "parks")
    await watched.until(at("2027-04-01 09:00"))
    for kind in kinds:
        await report(watched, tmp_path / f"later.{kind}")
        assert (tmp_path / f"then.{kind}").read_bytes() == (tmp_path / f"later.{kind}").read_bytes(), kind
    assert (await report(watched, tmp_path / "next.json", "2026-04")).tables["unit"].total.cases


# -- channels and places -------------------------------------------------------------------------------------------


async def test_what_was_said_on_the_phone_is_counted_with_the_rest_and_shown_apart(watched: Town) -> None:
    await rated(watched, 5)
    caller = {"contact": {"phone": "13800000070"}, "source": "12345", "external_id": "T-70", "on_behalf": True}
    issue = await watched.submit("intake1", text=NOISE, consent=True, **caller)
    form = {"unit": "roads", "category": "noise", "urgency": "general"}
    await watched.does("intake1", "accept_direct", form, issue)
    await watched.checked(issue)
    [row] = await rows(watched, "callbacks", "caller")
    said = {"voice": row["people"][0]["voice"], "level": 2, "contacted": True, "solved": "no", "number": "13800000070",
            "called_at": watched.clock.now.isoformat()}  # fmt: skip
    await watched.does("caller", "rate", said, issue)
    await watched.until(at("2026-04-01 00:00"))
    total = (await figures(watched))["total"]
    apart = {way: rates["satisfied"]["raw"]["text"] for way, rates in total["channels"].items()}
    assert (total["rates"]["satisfied"]["raw"]["text"], apart) == ("1/2", {"callback": "0/1", "token": "1/1"})


async def test_the_row_of_a_district_holds_the_cases_of_its_communities(watched: Town) -> None:
    def tree(conn: Any) -> None:
        people.add_grid(conn, "d", "某区", "district")
        people.add_grid(conn, "t", "某镇", "town", "d")
        people.add_grid(conn, "c1", "第一社区", "community", "t")
        people.add_grid(conn, "c2", "第二社区", "community", "t")

    await watched.office.engine.write(tree)
    for grid, level in (("c1", 5), ("c1", 1), ("c2", 4), ("t", 3)):
        await rated(watched, level, solved="yes", grid=grid)
    body = await figures(watched, by="grid")
    counted = {
        one["key"]: (one["tier"], one["cases"], one["rates"]["satisfied"]["raw"]["text"]) for one in body["groups"]
    }
    assert counted == {
        "d": ("district", 4, "3/4"), "t": ("town", 4, "3/4"), "c1": ("community", 2, "1/2"), "c2": ("community", 1, "1/1"),
    }  # fmt: skip
    assert body["total"]["cases"] == 4, "each case once"


# -- to a unit, ratings are anonymous --------------------------------------------------------------------------------


async def test_no_reader_of_the_handling_unit_can_tie_a_rating_to_a_person(watched: Town) -> None:
    issue = await watched.direct(category="noise", text=NOISE)
    more = {"text": "我家也是", "contact": {"phone": "13900000009"}, "notice_version": NOTICE}
    other = await watched.does("", "cosign", more, issue)
    await watched.checked(issue)
    said = {"level": 4, "contacted": True, "solved": "partly", "text": "基本可以,谢谢来我家的李师傅。"}
    await watched.does(watched.rating(issue), "rate", said, issue)
    seen = await watched.see(issue, "officer_roads")
    assert seen["ratings"] == {"round": 1, "invited": 2, "rated": 1}, "how many, and nothing else"
    for who in ("officer_roads", "head_roads", "inspector_roads"):
        everything = [
            await watched.see(issue, who), await watched.get(f"/issues/{issue}/timeline", who),
            *[await rows(watched, board, who) for board in ("overdue", "orders", "requests")],
        ]  # fmt: skip
        lines = await watched.get(f"/issues/{issue}/timeline", who)
        assert "rate" not in {line["move"] for line in lines["entries"]}, who
        assert "李师傅" not in str(everything) and "'level'" not in str(everything), who
        people_ = await watched.client.post(
            f"/api/v1/issues/{issue}/people", json={"purpose": "联系群众"}, headers=watched.headers(who)
        )
        assert "rated" not in people_.text and "level" not in people_.text, who
    lines = await watched.get(f"/issues/{issue}/timeline", "inspector")
    assert [line["by"] for line in lines["entries"] if line["move"] == "rate"] == [watched.voices[issue]]
    assert other


async def test_what_fewer_than_five_said_is_in_no_figure_that_a_unit_reads(watched: Town) -> None:
    for _ in range(6):
        await rated(watched, 5)
    for _ in range(7):
        await rated(watched, 4, "parks")
    lonely = await rated(watched, 1, "water", solved="no")
    body = await figures(watched, "officer_water")
    assert text(body, "satisfied", "water") == UNTOLD
    assert text(body, "satisfied", "roads") == UNTOLD, "or the whole less the others would tell it"
    assert text(body, "satisfied", "parks") == "7/7"
    assert text(body, "satisfied").startswith("13/14")
    assert body["total"]["channels"] == {}
    assert text(body, "on_time", "water") == "1/1", "what the unit did itself is told"
    assert text(await figures(watched), "satisfied", "water") == "0/1", "whoever watches reads it"
    assert lonely


async def test_the_page_everybody_may_read_does_not_tell_it_either(watched: Town) -> None:
    for _ in range(6):
        await rated(watched, 5)
    await rated(watched, 1, "water", solved="no")
    page = (await watched.client.get("/statistics")).text
    assert "0/1" not in page and "6/6" not in page, "the whole is 6 of 7: either row would give the other away"
    assert "6/7" in page


async def test_an_exclusion_does_not_tell_the_unit_what_was_said(watched: Town) -> None:
    issue = await rated(watched, 1, solved="no")
    for _ in range(7):
        await rated(watched, 5)
    await watched.does("head_roads", "exclude", {"code": "no_duty", "reason": "不属职责。"}, issue)
    await watched.does("inspector", "grant", {}, issue)
    body = await figures(watched, "head_roads")
    satisfied = group(body, "roads")["rates"]["satisfied"]
    assert (satisfied["raw"]["text"], satisfied["adjusted"]["text"]) == ("7/8", UNTOLD)
    assert text(await figures(watched), "satisfied", "roads", "adjusted") == "7/7"
