"""The indicators over HTTP: what a period says is the same a year later, and who may read it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from liuti import monthly
from liuti.doors import figures as door
from liuti.doors.app import make_app
from liuti.figures.periods import period_of
from liuti.flow.kernel import Actor
from liuti.flow.words import Role
from liuti.settings import Settings, new_key
from liuti.sheets import SheetUnfit
from liuti.store import people
from liuti.store.audit import By
from liuti.store.passes import set_active
from tests.doors.town import SHANGHAI, Body, Clockwork, Town, at
from tests.figures.recount import from_database, recount


@pytest.fixture
async def town(database_url: str, tmp_path: Path) -> AsyncIterator[Town]:
    """Monday, 2 March 2026, ten in the morning."""
    settings = Settings(database_url=database_url, keys=SecretStr(new_key()), files_dir=tmp_path / "files", pool=5)
    clock = Clockwork(at("2026-03-02 10:00"))
    app = make_app(settings, clock)
    if not any(getattr(route, "path", "") == "/api/v1/figures" for route in app.routes):
        app.include_router(door.router())
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://town.test") as client:
            place = Town(client, app.state.office, clock)
            await place.settle()
            yield place


async def asked(town: Town, period: str = "2026-03", by: str = "unit", who: str = "inspector") -> httpx.Response:
    return await town.client.get(f"/api/v1/figures?period={period}&by={by}", headers=town.headers(who))


async def figures_of(town: Town, period: str = "2026-03", by: str = "unit") -> Body:
    answer = await asked(town, period, by)
    assert answer.status_code == 200, answer.text
    body: Body = answer.json()
    return body


def shown(body: Body, rate: str, key: str = "", kind: str = "raw") -> str:
    group = next(g for g in body["groups"] if g["key"] == key) if key else body["total"]
    text: str = group["rates"][rate][kind]["text"]
    return text


async def rate(town: Town, issue: str, level: int = 5, **more: Any) -> None:
    round_ = (await town.state(issue)).verdict.round
    await town.does(town.rating(issue, round_), "rate", {"level": level, "solved": "yes"} | more, issue)


async def month(town: Town) -> list[str]:
    """March: solved in time and rated 5; solved in time, never contacted; late and open; extended; rated 1 and redone."""
    good = await town.direct(category="noise")
    await town.does("officer_roads", "sign", {}, good)
    await town.does("officer_roads", "contact", {"method": "phone", "result": "已联系。"}, good)
    await town.checked(good)
    await rate(town, good)
    private = await town.direct(category="noise", wants_contact=False)
    await town.checked(private)
    await rate(town, private, 4)
    late = await town.direct(unit="water", category="noise")
    longer = await town.direct(unit="parks", category="noise")
    await town.does("officer_parks", "extend", {"until": "2026-03-12", "reason": "备件未到。"}, longer)
    await town.does("head_parks", "grant", {}, longer)
    await town.does("inspector", "grant", {}, longer)
    await town.until(at("2026-03-10 10:00"))
    await town.result(longer, "parks")
    await town.does("inspector", "pass_check", {"method": "on_site"}, longer)
    bad = await town.direct(category="noise")
    await town.checked(bad)
    await rate(town, bad, 1, reason="没修", solved="no")
    await town.checked(bad)
    await rate(town, bad, 3, solved="partly")
    await town.until(at("2026-04-01 00:00"))
    return [good, private, late, longer, bad]


async def test_what_was_done_and_closed_early_counts_in_the_month_it_was_due(town: Town) -> None:
    town.clock.now = at("2026-03-30 10:00")
    early = await town.direct(category="noise")
    await town.does("officer_roads", "sign", {}, early)
    await town.checked(early)
    await rate(town, early)
    assert (await town.state(early)).step == "closed"
    town.clock.now = at("2026-05-20 10:00")
    told = {month: await figures_of(town, month) for month in ("2026-03", "2026-04", "2026-05")}
    assert [shown(body, "on_time") for body in told.values()] == ["0/0", "1/1", "0/0"]
    assert [shown(body, "solved") for body in told.values()] == ["1/1", "0/0", "0/0"]


async def test_a_month_over_http_counted_by_hand(town: Town) -> None:
    await month(town)
    body = await figures_of(town)
    assert body["final"]
    assert shown(body, "response") == "1/2", "31: none is owed to the private one; the redone one was never contacted"
    assert shown(body, "solved") == "2/3"
    assert shown(body, "solved_wide") == "2.5/3"
    assert shown(body, "satisfied") == "3/3", "39: the extended one was never rated"
    assert shown(body, "satisfied_strict") == "2/3"
    assert shown(body, "participation") == "3/4"
    assert shown(body, "remedied") == "1/1"
    assert shown(body, "on_time") == "4/5", "the late one of water is counted, open as it is"
    assert shown(body, "on_time_unextended") == "3/5"
    assert shown(body, "on_time", "parks") == "1/1"
    assert shown(body, "on_time_unextended", "parks") == "0/1"
    assert shown(body, "extended") == "1/5"
    assert shown(body, "redone") == "1/4"
    assert shown(body, "first_time") == "3/4"
    assert shown(body, "signed", "water") == "0/1"
    assert body["total"]["overdue_open"] == 1
    assert body["total"]["hours"]["n"] == 4
    assert {group["key"] for group in body["groups"]} == {"roads", "water", "parks"}
    assert {group["name"] for group in body["groups"]} == {"roads", "water", "parks"}


async def test_what_the_api_tells_equals_a_count_by_brute_force_of_what_the_database_holds(town: Town) -> None:
    await month(town)
    body = await figures_of(town, "2026")
    told = await town.office.engine.read(from_database)
    year = period_of("2026", town.clock.now, SHANGHAI)
    by_hand = recount(told, year.start, year.end)
    for group in [body["total"], *body["groups"]]:
        for key, rate in group["rates"].items():
            ours = [rate[kind][what] for kind in ("raw", "adjusted") for what in ("hits", "n")]
            assert key.startswith("claimed") or ours == by_hand.get((group["key"] or "*", key), [0, 0, 0, 0]), (
                group["key"],
                key,
            )


async def test_50_a_month_regenerates_to_the_byte_a_year_later(town: Town) -> None:
    good, _, late, longer, bad = await month(town)
    before = {by: (await asked(town, by=by)).content for by in ("unit", "category", "grid", "leader", "level")}
    await town.does("inspector", "reopen", {"ground": "new_fact", "reason": "又响了。"}, good)
    await town.checked(good)
    await rate(town, good, 1, reason="没修", solved="no")
    await town.does("intake1", "reclassify", {"category": "fumes", "urgency": "basic", "reason": "更正。"}, late)
    await town.result(late, "water")
    await town.does("officer_parks", "exclude", {"code": "no_duty", "reason": "不属职责。"}, longer)
    await town.does("inspector", "grant", {}, longer)
    await town.does("inspector", "reopen", {"ground": "new_fact", "reason": "又坏了。"}, bad)
    await town.does("officer_roads", "sign", {}, bad)
    await town.office.engine.write(lambda conn: staff_changes(conn, town))
    await town.until(at("2027-04-01 09:00"))
    after = {by: (await asked(town, by=by)).content for by in before}
    assert after == before
    assert (await asked(town, "2026-04")).content != (await asked(town, "2026-03")).content


def staff_changes(conn: Any, town: Town) -> None:
    by = By("sec", town.clock.now)
    people.add_person(conn, "new", "new", "new", roles=(Role.LEADER,), unit="office", level="town", by=by)
    people.set_roles(conn, Actor("sec", frozenset({Role.SECADMIN})), "leader2", (Role.INTAKE,), town.clock.now)
    set_active(conn, "leader1", active=False, by=by)


async def test_the_report_of_a_month_is_made_from_the_database_alone(town: Town, tmp_path: Path) -> None:
    await month(town)
    heard: list[int] = []
    url, now = town.office.settings.database_url, town.clock.now
    made = await monthly.make(url, "2026-03", tmp_path / "m.json", now, tell=heard.append)
    await monthly.make(url, "2026-03", tmp_path / "later.json", at("2027-08-01 09:00"))
    assert (tmp_path / "m.json").read_bytes() == (tmp_path / "later.json").read_bytes()
    assert sum(heard) == 5
    assert made.tables["unit"].total.rates["on_time"].raw.text == "4/5"
    for name, file in (("2027-01", "m.json"), ("2026-03", "m.doc")):
        with pytest.raises((ValueError, SheetUnfit)):
            await monthly.make(url, name, tmp_path / file, now)


async def test_42_an_exclusion_granted_shows_raw_and_adjusted_side_by_side(town: Town) -> None:
    issue = await town.direct_checked()
    await rate(town, issue, 2)
    await town.does("officer_roads", "exclude", {"code": "no_duty", "reason": "不属职责。"}, issue)
    body = await figures_of(town)
    await town.later(days=20)
    assert (shown(await figures_of(town), "satisfied"), body["total"]["excluded"]) == ("0/1", 0), "asked, not granted"
    await town.does("inspector", "grant", {}, issue)
    body = await figures_of(town)
    assert (shown(body, "satisfied"), shown(body, "satisfied", kind="adjusted")) == ("0/1", "0/0")
    assert body["total"]["excluded"] == 1
    assert body["total"]["excluded_alert"]
    assert not body["final"]


async def test_40_a_rating_called_malicious_counts_until_the_team_decides(town: Town) -> None:
    issue = await town.direct_checked()
    await rate(town, issue, 1, solved="no")
    await town.does("officer_roads", "exclude", {"code": "malicious", "reason": "多次恶意差评。"}, issue)
    both = ("raw", "adjusted")
    assert [shown(await figures_of(town), "satisfied", kind=kind) for kind in both] == ["0/1", "0/1"]
    assert (await town.act("inspector", "grant", {}, issue)).status_code == 403
    await town.does("team", "grant", {}, issue)
    assert [shown(await figures_of(town), "satisfied", kind=kind) for kind in both] == ["0/1", "0/0"]


async def test_19_leaders_without_claims_are_for_inspectors_and_not_for_units_or_the_public(town: Town) -> None:
    await town.claimed("leader1")
    body = await figures_of(town, by="leader")
    assert [g["key"] for g in body["groups"] if g["rates"]["claimed"]["raw"]["text"] == "0/1"] == ["leader2"]
    assert shown(body, "claimed") == "1/2"
    assert shown(await figures_of(town, by="level"), "claimed", "district") == "1/2"
    for by in ("leader", "level"):
        assert (await asked(town, by=by, who="head_roads")).status_code == 403
        assert (await asked(town, by=by, who="")).status_code == 401
    assert (await asked(town, who="head_roads")).status_code == 200


async def test_a_claim_that_had_ended_before_the_period_is_not_held_in_it_though_it_is_reopened_later(
    town: Town,
) -> None:
    issue = await town.claimed("leader1")
    await town.does("leader1", "approve_plan", town.plan(), issue)
    await town.does(
        "head_roads", "terminate", {"ground": "inadmissible", "reason": "依法不应受理。", "answer": "终止。"}, issue
    )
    await town.does("intake1", "grant", {}, issue)
    await town.until(at("2026-05-01 09:00"))
    before = (await asked(town, "2026-04", "leader")).content
    assert shown(await figures_of(town, "2026-04", "leader"), "claimed") == "0/2"
    await town.does("inspector", "reopen", {"ground": "new_fact", "reason": "有新情况。"}, issue)
    assert (await asked(town, "2026-04", "leader")).content == before
    assert shown(await figures_of(town, "2026-05", "leader"), "claimed") == "1/2"


async def test_refusals_of_the_door(town: Town) -> None:
    issue = await town.submit()
    assert (await asked(town, who="")).status_code == 401
    assert (await asked(town, who=issue)).status_code == 403
    blind = await asked(town, who="sysadmin")
    assert (blind.status_code, blind.json()["code"]) == (403, "reads_no_case")
    for period in ("2026-13", "2026-04", "x" * 9):
        answer = await asked(town, period)
        assert (answer.status_code, answer.json()["field"]) == (422, "period")
    assert (await asked(town, by="age")).json()["field"] == "by"


async def test_tip_offs_are_in_no_figure(town: Town) -> None:
    await town.submit(kind="tip_off", against="roads")
    assert shown(await figures_of(town), "repeated") == "0/0"
    await town.submit()
    assert shown(await figures_of(town), "repeated") == "0/1"
