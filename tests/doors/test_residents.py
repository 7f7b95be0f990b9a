"""A random sample of residents, over HTTP: drawn by a seed, asked by a token of their own, counted apart (docs/rules.md §7)."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import httpx
from sqlalchemy import select

from liuti.alarms import Watching
from liuti.flow.clocks import World
from liuti.letters import written
from liuti.sampling import Sampling
from liuti.senders import Letter
from liuti.store import outbox, people
from liuti.store.tables import issues, ratings, voices
from liuti.store.tables_boards import residents
from tests.doors import conftest
from tests.doors.test_pages import browser
from tests.doors.test_scenarios_rates import figures, report
from tests.doors.town import NOTICE, Town

__all__ = ["town"]

town = conftest.town


def ask(town: Town, number: int) -> Sampling:
    """The policy wants so many residents asked."""
    world = town.office.desk.world()
    rule = world.policy.sample.model_copy(update={"residents": number})
    changed = World(world.policy.model_copy(update={"sample": rule}), world.calendar)
    town.office.desk.world = lambda: changed
    return Sampling(town.office.engine, lambda: changed)


async def neighbours(town: Town, number: int, grid: str, *, first: int = 0, source: str = "12345") -> None:
    """So many people known by the hotline's caller number, each with a matter of their own in that place; by `web`
    nobody knows whose phone it is."""
    for one in range(first, first + number):
        form: dict[str, Any] = {
            "text": f"第{one}户门前路灯不亮。",
            "grid": grid,
            "contact": {"phone": f"139000000{one:02}"},
        }
        if source == "12345":
            known = {"source": source, "external_id": f"T-{one}", "on_behalf": True, "consent": True}
            await town.submit("intake1", **form, **known)
        else:
            await town.submit(**form)


async def evaluated(town: Town, grid: str = "c1") -> str:
    """A published topic of that place, passed, being rated."""
    issue = await town.published(category="noise", grid=grid)
    await town.does("leader1", "claim", town.card(), issue)
    await town.does("leader1", "approve_plan", town.plan(), issue)
    await town.does("officer_roads", "milestone", {"number": 1, "evidence": "纪要"}, issue)
    await town.checked(issue)
    return issue


async def places(town: Town) -> None:
    def tree(conn: Any) -> None:
        people.add_grid(conn, "d", "某区", "district")
        people.add_grid(conn, "t", "某镇", "town", "d")
        people.add_grid(conn, "c1", "第一社区", "community", "t")
        people.add_grid(conn, "c2", "第二社区", "community", "t")

    await town.office.engine.write(tree)


async def drawn(town: Town, issue: str) -> list[Any]:
    found = select(residents).where(residents.c.issue_id == issue)
    return await town.office.engine.read(lambda conn: list(conn.execute(found).mappings()))


async def invitations(town: Town) -> list[Letter]:
    office, world = town.office, town.office.desk.world()
    taken = await office.engine.write(lambda conn: outbox.take(conn, "test", town.clock.now, 500))
    found = [written(row, office.ring, "http://town.test", world.calendar.zone, world.policy) for row in taken]
    return [letter for letter in found if letter.event == "sample"]


async def say(town: Town, token: str, **form: Any) -> httpx.Response:
    given = {"level": 4, "solved": "yes"} | form
    return await town.client.post("/api/v1/sample", json=given, headers=town.headers(token))


async def test_residents_of_the_place_are_drawn_by_a_seed_and_anybody_may_draw_them_again(town: Town) -> None:
    await places(town)
    await neighbours(town, 8, "c1")
    await neighbours(town, 3, "c2", first=20)
    issue = await evaluated(town)
    assert await ask(town, 0).at_night(town.clock.now) == 0
    assert await drawn(town, issue) == [], "nobody is asked unless the policy says so"
    assert await ask(town, 3).draw(town.clock.now) == 3
    rows = await drawn(town, issue)
    known = select(voices.c.person, voices.c.channel).where(voices.c.channel == "12345")
    everybody = await town.office.engine.read(lambda conn: conn.execute(known).all())
    seed = rows[0]["seed"]
    at_home = {p.person for p in everybody} - await persons_of(town, "c2")
    order = sorted(at_home, key=lambda p: sha256(f"{seed}:{issue}:1:{p}".encode()).digest())
    assert {row["person"] for row in rows} == set(order[:3])
    assert await ask(town, 3).draw(town.clock.now) == 0, "once a round"


async def persons_of(town: Town, grid: str) -> set[str]:
    found = select(voices.c.person).join(issues, issues.c.id == voices.c.issue_id).where(issues.c.grid == grid)
    return await town.office.engine.read(lambda conn: set(conn.execute(found).scalars()))


async def test_nobody_behind_the_matter_and_nobody_unverified_is_drawn(town: Town) -> None:
    await places(town)
    await neighbours(town, 2, "c1", source="web")
    await neighbours(town, 1, "c1", first=10)
    issue = await evaluated(town)
    assert await ask(town, 9).draw(town.clock.now) == 1
    await town.does("grid", "cosign", {"contact": {"phone": "13900000010"}, "on_behalf": True, "consent": True,
                                       "notice_version": NOTICE}, issue)  # fmt: skip
    again = await evaluated(town)
    await town.does("grid", "cosign", {"contact": {"phone": "13900000010"}, "on_behalf": True, "consent": True,
                                       "notice_version": NOTICE}, again)  # fmt: skip
    assert await ask(town, 9).draw(town.clock.now) == 0, "who is behind it rates as a voice"


async def test_an_answer_is_given_once_by_the_letters_token_and_touches_no_rate(town: Town) -> None:
    await places(town)
    await neighbours(town, 4, "c1")
    issue = await evaluated(town)
    await ask(town, 2).draw(town.clock.now)
    first, second = await invitations(town)
    assert set(first.words) == {"title", "token", "rate"}, "not the code that opens the matter"
    token = first.words["token"]
    shown = await town.client.get("/api/v1/sample", headers=town.headers(token))
    assert (shown.status_code, shown.json()["reply"]) == (200, "已经处理完毕。")
    assert "query_code" not in shown.text and "place" not in shown.json()
    assert (await say(town, token, level=9)).status_code == 422
    assert (await say(town, token)).status_code == 201
    assert (await say(town, token, level=1)).status_code == 409
    assert (await say(town, second.words["token"], level=2, solved="no")).status_code == 201
    for nobody in ("", "ls1.made-up", town.rating(issue), issue):
        assert (await say(town, nobody)).status_code == 401, nobody
    assert (await town.act(token, "rate", {"level": 1, "solved": "no"}, issue)).status_code == 401, "it rates nothing"
    kept = await town.office.engine.read(lambda conn: conn.execute(select(ratings.c.level)).all())
    assert kept == [] and (await town.see(issue))["ratings"]["rated"] == 0
    body = await figures(town)
    said = {name: one["text"] for name, one in body["residents"].items()}
    assert said == {"answered": "2/2", "satisfied": "1/2", "solved": "1/2"}
    assert body["total"]["rates"]["satisfied"]["raw"]["text"] == "0/0"


async def test_the_report_shows_them_apart_with_an_interval_and_an_invitation_runs_out(
    town: Town, tmp_path: Any
) -> None:
    await places(town)
    await neighbours(town, 13, "c1")
    await evaluated(town)
    await ask(town, 12).draw(town.clock.now)
    letters = await invitations(town)
    for number, letter in enumerate(letters[:10]):
        assert (await say(town, letter.words["token"], level=5 if number else 2)).status_code == 201
    await town.later(days=16)
    late = await say(town, letters[10].words["token"])
    assert (late.status_code, late.json()["code"]) == (422, "in_the_rating_time")
    await report(town, tmp_path / "m.html")
    assert "满意 9/10 (59.6-98.2 %), 不参与排名" in (tmp_path / "m.html").read_text("utf-8")
    await report(town, tmp_path / "m.json")
    assert '"residents"' in (tmp_path / "m.json").read_text("utf-8")
    assert await Watching(town.office.engine, town.office.desk.world).look(town.clock.now) == 0


async def test_a_resident_answers_on_the_page_of_the_letter(town: Town) -> None:
    await places(town)
    await neighbours(town, 4, "c1")
    await evaluated(town)
    await ask(town, 1).draw(town.clock.now)
    (letter,) = await invitations(town)
    phone, address = browser(town), letter.words["rate"].split("/", 3)[3]
    shown = await phone.get(f"/{address}")
    assert shown.status_code == 200 and "已经处理完毕。" in shown.text
    wrong = await phone.post(f"/{address}", data={"solved": "no", "text": "没看到有人来。"})
    assert wrong.status_code == 422 and "没看到有人来。" in wrong.text
    assert (await phone.post(f"/{address}", data={"level": "2", "solved": "no"})).status_code == 200
    assert (await phone.post(f"/{address}", data={"level": "5"})).status_code == 409
    assert (await phone.get("/s/ls1.made-up")).status_code == 404
