"""Claims and links by leader over HTTP: who has none is told to those who inspect, and a link is no claim (docs/rules.md §2, §7)."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection, select

from liuti import importer, legacy
from liuti.flow.words import Role
from liuti.legacy import Outcome
from liuti.policy import default
from liuti.sheets import SheetUnfit
from liuti.store import claims, links, passes, people
from liuti.store.audit import By
from liuti.store.engine import Blocking
from liuti.store.tables_registries import legacy_claims
from tests.doors import conftest
from tests.doors.beside import booked, post, refusal
from tests.doors.town import SHANGHAI, Body, Town, at

__all__ = ["town"]

town = conftest.town
HEADING = "编号,领导,层级,题目,目标,日期,状态\n"
TWO = HEADING + "1,leader1,区,路灯改造,加装路灯,2024-05-06,办结\n2,leader2,区,河道清淤,年内完成,2025-03-01,在办\n"


async def bring_in(town: Town, path: Path, words: str, source: str = "legacy") -> Outcome:
    """As the command does it: a process of its own, beside the running server."""
    by, now = By("shell:office", datetime(2026, 3, 2, 3, tzinfo=UTC)), town.clock.now

    def run() -> Outcome:
        path.write_text(words, "utf-8")
        with Blocking(town.office.settings.database_url) as engine:
            return legacy.import_file(
                path,
                lambda rows: engine.write(partial(claims.bring_in, source=source, rows=rows, by=by)),
                columns=importer.guess(legacy_names(words), legacy.FIELDS), zone=SHANGHAI, now=now, bad_path=path.with_suffix(".bad.csv"),
            )  # fmt: skip

    return await asyncio.to_thread(run)


def legacy_names(words: str) -> list[str]:
    return words.splitlines()[0].split(",")


async def board(town: Town, who: str = "inspector", query: str = "") -> Body:
    return await town.get(f"/boards/leaders{query}", who)


async def person(town: Town, name: str, role: Role, level: str = "", shown: str = "") -> None:
    def add(conn: Connection) -> str:
        unit = "office" if role is Role.LEADER else ""
        people.add_person(conn, name, name, shown or name, roles={role}, unit=unit, level=level)
        return passes.make_token(conn, name, "test", town.clock.now, None)

    town.secrets[name] = await town.office.engine.write(add)


async def test_19_leaders_without_claims_are_listed_to_inspectors_not_to_the_public(town: Town) -> None:
    await person(town, "auditadmin", Role.AUDITADMIN)
    await town.claimed("leader1")
    for who in ("inspector", "team", "principal", "auditadmin"):
        found = await board(town, who, "?without=claim")
        assert [row["leader"] for row in found["rows"]] == ["leader2"], who
        assert (found["total"]["without_claim"], found["total"]["claimed"]["text"]) == (1, "1/2"), who
    assert await refusal(town, "", "/boards/leaders", method="GET") == (401, "sign_in")
    assert await refusal(town, "nobody's secret", "/boards/leaders", method="GET") == (401, "sign_in")
    voice = await town.submit()
    for who in (
        voice,
        "leader1",
        "leader2",
        "officer_roads",
        "head_roads",
        "intake1",
        "panel1",
        "caller",
        "grid",
        "sysadmin",
    ):
        status, _ = await refusal(town, who, "/boards/leaders", method="GET")
        assert status == 403, who


async def test_claims_are_counted_open_and_closed_and_those_of_the_direct_lane_are_none(town: Town) -> None:
    issue = await town.claimed("leader1")
    await town.direct("water")
    [first, second] = (await board(town))["rows"]
    assert (first["leader"], first["claims"]) == ("leader1", {"open": 1, "closed": 0})
    assert (second["leader"], second["claims"], second["without_claim"]) == ("leader2", {"open": 0, "closed": 0}, True)
    await town.does(issue, "withdraw", {}, issue)
    assert (await board(town))["rows"][0]["claims"] == {"open": 0, "closed": 1}
    assert not (await board(town))["rows"][0]["without_claim"]


async def test_a_link_is_no_claim_and_both_are_reported_by_leader_and_level(town: Town) -> None:
    await person(town, "mayor", Role.LEADER, "town")
    await town.office.engine.write(lambda conn: links.add_link(conn, "project-01", "project", "示范项目", "roads"))
    lamps = {"name": "加装路灯", "goal": "120盏", "lead_unit": "roads", "leader": "leader1", "planned": "2026-11-30"}
    project = (await post(town, "inspector", "/projects", lamps))["id"]
    made = await post(town, "mayor", "/links", {"kind": "industry", "target": "project-01"})
    assert (made["leader"], made["by"]) == ("mayor", "mayor")
    await post(town, "inspector", "/links", {"kind": "livelihood", "target": project, "leader": "leader2"})
    rows = {row["leader"]: row for row in (await board(town))["rows"]}
    assert rows["mayor"]["links"] == {"industry": 1, "livelihood": 0}
    assert rows["leader2"]["links"] == {"industry": 0, "livelihood": 1}
    assert all(row["without_claim"] for row in rows.values()), "a link is no claim"
    levels = {one["level"]: (one["leaders"], one["without_link"]) for one in (await board(town))["levels"]}
    assert levels == {"district": (2, 1), "town": (1, 0)}
    assert [row["leader"] for row in (await board(town, query="?without=link"))["rows"]] == ["leader1"]
    assert [row["leader"] for row in (await board(town, query="?level=town"))["rows"]] == ["mayor"]
    assert await refusal(town, "mayor", "/links", {"kind": "industry", "target": "project-01"}) == (409, "linked")
    await post(town, "mayor", f"/links/{made['id']}/end")
    assert {row["leader"]: row["links"]["industry"] for row in (await board(town))["rows"]}["mayor"] == 0
    assert await refusal(town, "mayor", f"/links/{made['id']}/end") == (409, "link_ended")
    await post(town, "mayor", "/links", {"kind": "industry", "target": "project-01"})
    assert await booked(town, made["id"]) == [("mayor", "add_link"), ("mayor", "end_link")]


async def test_a_leader_sets_links_only_for_themselves_and_reads_only_their_own(town: Town) -> None:
    await town.office.engine.write(lambda conn: links.add_link(conn, "project-01", "project", "示范项目", "roads"))
    form = {"kind": "industry", "target": "project-01"}
    mine = (await post(town, "leader1", "/links", form))["id"]
    assert await refusal(town, "leader2", "/links", form | {"leader": "leader1"}) == (403, "own_links_only")
    assert await refusal(town, "leader2", f"/links/{mine}/end") == (403, "own_links_only")
    assert (await town.get("/links?leader=leader1", "leader2"))["links"] == []
    assert [one["id"] for one in (await town.get("/links", "leader1"))["links"]] == [mine]
    assert [one["id"] for one in (await town.get("/links?leader=leader1", "team"))["links"]] == [mine]
    for who in ("principal", "team", "officer_roads", "intake1", "sysadmin"):
        assert (await refusal(town, who, "/links", form))[0] == 403, who
    assert (await refusal(town, "", "/links", form))[0] == 401
    assert (await refusal(town, "", "/links", method="GET"))[0] == 401
    assert await refusal(town, "leader2", "/links", {"kind": "industry", "target": "moon"}) == (422, "no_such_project")
    wrong = form | {"leader": "officer_roads"}
    assert await refusal(town, "inspector", "/links", wrong) == (422, "no_such_leader")
    assert await refusal(town, "inspector", "/links/nobody/end") == (404, "no_such_link")


# -- legacy claims -------------------------------------------------------------------------------------------------


async def test_legacy_claims_come_in_once_and_a_leader_with_one_has_a_claim(town: Town, tmp_path: Path) -> None:
    file = tmp_path / "领题.csv"
    assert await bring_in(town, file, TWO) == Outcome(2, 0, 0, 0)
    assert await bring_in(town, file, TWO) == Outcome(0, 2, 0, 0), "the second time, none"
    assert await bring_in(town, file, TWO.replace("在办", "已办结")) == Outcome(0, 1, 1, 0)
    assert await bring_in(town, file, TWO) == Outcome(0, 2, 0, 0), "what is closed stays closed"
    assert await bring_in(town, file, TWO, "another list") == Outcome(2, 0, 0, 0)
    found = await board(town)
    assert [(row["leader"], row["legacy"], row["without_claim"]) for row in found["rows"]] == [
        ("leader1", {"open": 0, "closed": 2}, False), ("leader2", {"open": 1, "closed": 1}, False),
    ]  # fmt: skip
    total = found["total"]
    assert (total["claimed"]["text"], total["claimed_here"]["text"]) == ("2/2", "0/2"), "both are shown"
    assert await booked(town, "legacy/2") == [("shell:office", "import_claim"), ("shell:office", "close_claim")]


async def test_legacy_claims_stand_outside_the_cap(town: Town, tmp_path: Path) -> None:
    cap = default().limits.claims
    rows = "".join(f"{n},leader1,区,旧题{n},目标,2025-01-01,在办\n" for n in range(1, cap + 2))
    assert (await bring_in(town, tmp_path / "many.csv", HEADING + rows)).new == cap + 1
    issue = await town.claimed("leader1")
    assert (await town.see(issue))["step"] == "solve"


async def test_bad_rows_go_to_a_file_with_the_reason_and_the_rest_goes_on(town: Town, tmp_path: Path) -> None:
    await person(town, "twin1", Role.LEADER, "town", "双名")
    await person(town, "twin2", Role.LEADER, "department", "双名")
    await person(town, "clerk", Role.INTAKE, "", "独名")
    await person(town, "chief", Role.LEADER, "town", "独名")
    words = HEADING + (
        "1,无此人,区,题,目标,2024-05-06,在办\n"
        "2,双名,,题,目标,2024-05-06,在办\n"
        "3,双名,镇,题,目标,2024-05-06,在办\n"
        "4,独名,,题,目标,2024/5/6,\n"
        "5,leader1,区,,目标,2024-05-06,在办\n"
        "6,leader1,区,题,目标,去年,在办\n"
        "7,leader1,省,题,目标,2024-05-06,在办\n"
        "8,leader1,区,题,目标,2024-05-06,也许\n"
        "3,双名,镇,另一题,目标,2024-05-06,在办\n"
        ",leader1,区,没有编号,目标,2024-05-06,在办\n"
    )
    file = tmp_path / "bad.csv"
    assert await bring_in(town, file, words) == Outcome(3, 0, 0, 7)
    bad = file.with_suffix(".bad.csv").read_text("utf-8-sig").splitlines()
    assert [line.split(",")[:2] for line in bad[1:]] == [
        ["2", "no_such_leader"], ["3", "leader_not_unique"], ["6", "missing"], ["7", "bad_time"], ["8", "no_such_level"],
        ["9", "no_such_state"], ["10", "number_taken"],
    ]  # fmt: skip
    kept = await town.office.engine.read(
        lambda conn: {row.number: (row.leader, row.claimed) for row in conn.execute(select(legacy_claims))}
    )
    assert (kept["3"], kept["4"]) == (("twin1", "2024-05-06"), ("chief", "2024-05-06"))
    assert await bring_in(town, file, words) == Outcome(0, 3, 0, 7), "the row without a number is known again"


@pytest.mark.parametrize("words", ["领导,题目\nleader1,题\n", "甲,乙\n1,2\n"])
async def test_a_list_without_the_needed_columns_is_refused_before_anything_is_written(
    town: Town, tmp_path: Path, words: str
) -> None:
    with pytest.raises(SheetUnfit):
        await bring_in(town, tmp_path / "short.csv", words)


async def test_the_rate_of_a_period_counts_legacy_claims_known_by_then_and_shows_it_without_them_too(
    town: Town, tmp_path: Path
) -> None:
    await town.claimed("leader1")
    before = await town.get("/figures?period=2026-03&by=leader", "inspector")
    await bring_in(town, tmp_path / "two.csv", HEADING + "1,leader2,区,河道清淤,年内完成,2025-03-01,办结\n")

    async def rates(period: str) -> tuple[str, str]:
        found = (await town.get(f"/figures?period={period}&by=leader", "inspector"))["total"]["rates"]
        return found["claimed"]["raw"]["text"], found["claimed_here"]["raw"]["text"]

    assert before["total"]["rates"]["claimed"]["raw"]["text"] == "1/2"
    await town.later(hours=2)
    assert await rates("2026-03") == ("2/2", "1/2")
    assert await rates("2026-02") == ("0/2", "0/2"), "the list came in later: what was told of February stays"
    told = {one["key"] for one in before["definitions"]}
    assert {"claimed", "claimed_here"} <= told
    assert town.clock.now < at("2026-04-01 00:00")
