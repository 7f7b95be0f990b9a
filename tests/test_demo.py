"""The demo is a district that could be: of the right size, in every state, some of it late, and every entry sealed."""

from __future__ import annotations

import asyncio
import io
import json
import stat
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TypeVar
from zoneinfo import ZoneInfo

import httpx
import pytest
import uvicorn
from rich.console import Console
from sqlalchemy import Connection, func, select

from liuti import demo
from liuti.demo import Prepared, accounts, district, script, spread
from liuti.doors.app import make_app
from liuti.flow.kernel import Refused
from liuti.flow.words import Kind, Lane, Role, Step
from liuti.policy import default
from liuti.store import campaigns, claims, findings, ledger, panel, passes, people, projects, rounds, teams
from liuti.store.engine import Blocking
from liuti.store.links import links_of
from liuti.store.people import actor_of
from liuti.store.tables import entries, grids, issues, letters, units
from liuti.walk import walk

T = TypeVar("T")
NOW = datetime(2026, 11, 23, 2, 30, tzinfo=UTC)
QUIET = Console(file=io.StringIO(), width=160)
SPREAD = {
    "propose": 14, "select": 22, "claim": 12, "solve": 50, "supervise": 14, "evaluate": 18, "supplement": 8, "suspended": 4,
    "closed": 34, "rejected": 9, "merged": 9, "withdrawn": 6,
}  # fmt: skip


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return asyncio.run(demo.prepare(tmp_path_factory.mktemp("town") / "demo", NOW, 8000, QUIET))


def looked_up(prepared: Prepared, fn: Callable[[Connection], T]) -> T:
    with Blocking(prepared.settings.database_url) as engine:
        return engine.read(fn)


def test_there_are_200_issues_in_all_twelve_states(prepared: Prepared) -> None:
    assert prepared.counts == SPREAD
    assert sum(prepared.counts.values()) == 200


def test_some_are_late_and_their_clocks_struck_when_they_were_due(prepared: Prepared) -> None:
    def read(conn: Connection) -> tuple[int, list[datetime]]:
        late = conn.execute(select(func.count()).where(issues.c.overdue)).scalar_one()
        return late, list(conn.execute(select(entries.c.at).where(entries.c.move == "overdue")).scalars())

    late, struck = looked_up(prepared, read)
    assert 15 <= late <= 60
    assert len(struck) >= 30
    assert all(at <= NOW for at in struck)
    assert min(struck) < NOW - timedelta(days=20)


def test_both_lanes_and_every_kind_are_there(prepared: Prepared) -> None:
    lanes = looked_up(prepared, lambda conn: set(conn.execute(select(issues.c.lane).distinct()).scalars()))
    kinds = looked_up(prepared, lambda conn: set(conn.execute(select(issues.c.kind).distinct()).scalars()))
    assert lanes == {None, *(lane.value for lane in Lane)}
    assert kinds == {kind.value for kind in Kind}


def test_every_chain_verifies_and_nothing_happened_after_now(prepared: Prepared) -> None:
    found = looked_up(prepared, lambda conn: list(ledger.verify(conn)))
    assert found == [200]
    assert looked_up(prepared, lambda conn: conn.execute(select(func.max(entries.c.at))).scalar_one()) <= NOW


def test_letters_of_the_past_do_not_wait_for_the_worker(prepared: Prepared) -> None:
    waiting = select(func.count()).where(letters.c.next_at.is_not(None))
    assert looked_up(prepared, lambda conn: conn.execute(waiting).scalar_one()) == 0
    assert looked_up(prepared, lambda conn: conn.execute(select(func.count()).select_from(letters)).scalar_one()) > 1000


def test_every_claim_on_the_board_was_scored_and_the_open_round_is_being_voted_on(prepared: Prepared) -> None:
    def read(conn: Connection) -> None:
        *closed, last = sorted(rounds.listed(conn), key=lambda one: one.number)
        assert len(closed) >= 3 and all(one.closed_at is not None for one in closed)
        assert last.closed_at is None
        for one in (*closed, last):
            assert all(shown == found for _, shown, found in rounds.replayed(conn, one.id))
        board = list(conn.execute(select(issues.c.id).where(issues.c.step == Step.CLAIM.value)).scalars())
        scored = panel.scores_of(conn, board)
        assert set(scored) == set(board)
        ranked = [line for line in rounds.lines(conn, last.id)[0] if line.place.rank is not None]
        assert sum(one.issue.step is Step.CLAIM for one in ranked) >= 3
        assert any(
            vote.scored == last.id for one in ranked for vote in one.issue.votes if one.issue.step is Step.SELECT
        )

    looked_up(prepared, read)


def test_the_district_has_the_size_of_the_mission(prepared: Prepared) -> None:
    def read(conn: Connection) -> tuple[dict[str, int], dict[str, int], dict[str, int]]:
        ties = {kind: len(links_of(conn, kind)) for kind in ("pair", "firm", "project")}
        kinds = {row[0]: row[1] for row in conn.execute(select(units.c.kind, func.count()).group_by(units.c.kind))}
        levels = {row[0]: row[1] for row in conn.execute(select(grids.c.level, func.count()).group_by(grids.c.level))}
        return ties, kinds, levels

    ties, kinds, levels = looked_up(prepared, read)
    assert ties == {"pair": 26, "firm": 57, "project": 39}
    assert (kinds["department"], kinds["team"]) == (30, 5)
    assert levels == {"district": 1, "town": 4, "community": 50, "grid": 150}


def test_a_campaign_projects_links_legacy_claims_and_a_team_stand_beside_the_issues(prepared: Prepared) -> None:
    def read(conn: Connection) -> None:
        [campaign] = campaigns.listed(conn)
        zone = ZoneInfo("Asia/Shanghai")
        assert sum(campaigns.counts(conn, campaign, zone).values()) > 5
        listed = projects.listed(conn)
        assert [one.row["struck_off_at"] is not None for one in listed] == [False, False, True]
        held = claims.by_leader(conn)
        assert sum(one.legacy.total() for one in held) == 2
        assert sum(one.links.total() for one in held) == 5
        assert 0 < sum(not one.claimed for one in held) < len(held), "some leaders have no claim"
        [team] = teams.listed(conn)
        [sample] = teams.samples(conn, team.id)
        assert sample["replays"]
        assert 0 < len(sample["drawn"]) < len(sample["population"])
        auditor = actor_of(conn, "auditadmin")
        assert auditor is not None
        rows, _ = findings.board(conn, auditor, findings.Wanted(), NOW)
        assert [(one.row["state"], findings.colour_of(one.row, NOW)) for one in rows] == [
            ("raised", "red"), ("answered", ""),
        ]  # fmt: skip

    looked_up(prepared, read)


def test_every_department_has_a_head_officers_and_a_supervising_leader(prepared: Prepared) -> None:
    def read(conn: Connection) -> None:
        for unit in district.UNIT.values():
            roles = [role for *_, where, held in people.everybody(conn) if where == unit for role in held.split(",")]
            assert roles.count(Role.UNIT_HEAD) == 1
            assert roles.count(Role.OFFICER) == 2
            known = people.unit_of(conn, unit)
            assert known is not None
            assert known.supervisor_post
        held = {person.level for person in people.people_by_role(conn, Role.LEADER)}
        assert held == {"district", "town", "department"}
        gates = [person.post for person in people.people_by_role(conn, Role.GATE)]
        assert gates == list(default().gates)
        named = [person.id for person in people.people_by_role(conn, Role.INTAKE) if person.tip_offs]
        assert named == ["intake4"]

    looked_up(prepared, read)


def test_the_accounts_are_private_and_their_tokens_come_in(prepared: Prepared) -> None:
    for name in (accounts.JSON, accounts.ENV, demo.KEYS):
        assert stat.S_IMODE((prepared.folder / name).stat().st_mode) == 0o600
    told = json.loads((prepared.folder / accounts.JSON).read_text("utf-8"))
    lines = (prepared.folder / accounts.ENV).read_text("utf-8").splitlines()
    shell = dict(line.removeprefix("export ").split("=", 1) for line in lines)
    assert shell["BASE"] == "http://127.0.0.1:8000"
    by_login = {one["login"]: one for one in told["accounts"]}
    for variable, login in accounts.SHELL.items():
        assert shell[variable] == by_login[login]["token"]
        actor = looked_up(prepared, partial(passes.bearer, secret=shell[variable], now=NOW))
        assert actor is not None
        assert actor.id == login
    head = looked_up(prepared, lambda conn: passes.bearer(conn, shell["HEAD"], NOW))
    assert head is not None
    assert head.unit == shell["UNIT"]


def test_the_one_password_opens_every_account(prepared: Prepared) -> None:
    kept = looked_up(prepared, lambda conn: passes.stored_password(conn, "panel3"))
    assert passes.check_password(kept, accounts.PASSWORD)


async def test_a_second_run_serves_what_is_there_at_another_port(prepared: Prepared) -> None:
    again = await demo.prepare(prepared.folder, NOW + timedelta(days=1), 8123, QUIET)
    assert not again.fresh
    assert (again.accounts, again.counts) == (prepared.accounts, prepared.counts)
    assert again.settings.keys == prepared.settings.keys
    assert "export BASE=http://127.0.0.1:8123\n" in (prepared.folder / accounts.ENV).read_text("utf-8")


async def test_a_database_that_no_demo_made_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / demo.DATABASE).write_bytes(b"mine")
    with pytest.raises(Refused, match="not_a_demo"):
        await demo.prepare(tmp_path, NOW, 8000, QUIET)
    assert (tmp_path / demo.DATABASE).read_bytes() == b"mine"


async def test_a_demo_broken_off_half_way_is_begun_anew(tmp_path: Path) -> None:
    (tmp_path / demo.MAKING).write_bytes(b"half")
    made = await demo.prepare(tmp_path, NOW, 8000, QUIET)
    assert made.fresh
    assert sum(made.counts.values()) == 200
    assert not (tmp_path / demo.MAKING).exists()


@pytest.mark.parametrize(
    "now",
    [
        datetime(2026, 2, 20, 17, 33, tzinfo=UTC),  # in the night, amid the Spring Festival
        datetime(2026, 10, 4, 4, 0, tzinfo=UTC),  # amid the October holiday
        datetime(2029, 6, 10, 15, 0, tzinfo=UTC),  # a Sunday of a year without a notice
    ],
)
async def test_it_can_be_set_up_on_any_day(tmp_path: Path, now: datetime) -> None:
    made = await demo.prepare(tmp_path, now, 8000, QUIET)
    assert all(made.counts[step.value] for step in Step)
    assert sum(made.counts.values()) == 200


async def test_it_is_quick(tmp_path: Path) -> None:
    start = time.process_time()
    await demo.prepare(tmp_path, NOW, 8000, QUIET)
    # A newcomer waits for it: a few seconds of the processor here, and the rest is room for a slower one.
    assert time.process_time() - start < 15


def test_the_same_seed_tells_the_same_stories() -> None:
    from liuti.calendars import notices
    from liuti.flow.calendar import Calendar

    town, calendar = district.draw(default().gates), Calendar(notices())
    first = spread.scenes(town, calendar, "1", NOW)
    assert first == spread.scenes(town, calendar, "1", NOW)
    assert first != spread.scenes(town, calendar, "1", NOW, seed=7)
    assert sorted(first, key=lambda scene: scene.at) == first


def test_the_matters_are_many_and_only_the_urgent_ones_sound_dangerous() -> None:
    assert len(script.matters()) >= 60
    for matter in script.matters():
        urgency = default().urgency_of(f"{matter.title} {matter.text}", matter.category, danger=False)
        assert (urgency == "urgent") == (matter.lane == "urgent"), matter.title
        assert matter.goal if matter.lane == "topic" else matter.reply


def test_the_table_names_an_account_for_every_role(prepared: Prepared) -> None:
    out = io.StringIO()
    Console(file=out, width=200).print(demo.accounts_table(prepared))
    for role in (role for role in Role if role not in (Role.CITIZEN, Role.CLOCK)):
        assert f" {role.value} " in out.getvalue()
    assert accounts.PASSWORD in out.getvalue()
    assert prepared.accounts[0].token not in out.getvalue()


# -- the walk ----------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def serving(prepared: Prepared) -> AsyncIterator[str]:
    """A real server on a free port."""
    config = uvicorn.Config(make_app(prepared.settings), host="127.0.0.1", port=0, log_level="warning", ws="none")
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve())
    while not server.started:
        assert not running.done()
        await asyncio.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await running


async def test_the_walk_takes_one_issue_through_all_six_steps_and_tells_it(prepared: Prepared) -> None:
    out = io.StringIO()
    async with serving(prepared) as base:
        assert await walk(base, prepared.folder / accounts.JSON, Console(file=out, width=160))
        async with httpx.AsyncClient(base_url=base) as client:
            assert (await client.get("/healthz")).status_code == 200
    told = out.getvalue()
    places = [
        told.index(name)
        for name in ("老百姓出题", "大数据选题", "委领导领题", "一条龙解题", "督查办督题", "老百姓评题")
    ]
    assert places == sorted(places)
    assert "已办结 closed (solved)" in told
    assert "查询码 query code" in told
    found = await asyncio.to_thread(looked_up, prepared, lambda conn: list(ledger.verify(conn)))
    assert all(isinstance(one, int) for one in found)


async def test_the_walk_can_be_taken_many_times_a_day(prepared: Prepared) -> None:
    async with serving(prepared) as base:
        for _ in range(7):
            assert await walk(base, prepared.folder / accounts.JSON, QUIET)


async def test_the_walk_says_in_words_that_no_server_is_there(prepared: Prepared) -> None:
    out = io.StringIO()
    assert not await walk("http://127.0.0.1:9", prepared.folder / accounts.JSON, Console(file=out, width=160))
    assert "liuti demo" in out.getvalue()


async def test_the_walk_says_what_the_server_refused(prepared: Prepared, tmp_path: Path) -> None:
    told = json.loads((prepared.folder / accounts.JSON).read_text("utf-8"))
    told["shell"]["INTAKE"] = "caller1"
    (tmp_path / "accounts.json").write_text(json.dumps(told), "utf-8")
    out = io.StringIO()
    async with serving(prepared) as base:
        assert not await walk(base, tmp_path / "accounts.json", Console(file=out, width=160))
    assert "not_yours" in out.getvalue()
