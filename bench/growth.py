"""Whether lists, pages, moves, figures, the sweep and the search take as long at a million issues as at ten thousand.

`SIZE=1000000 python bench/growth.py postgresql sqlite` prints every path asked; `make bench` keeps the summary of a smaller run.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import asyncpg
import pyarrow.parquet as pq
from httpx import ASGITransport, AsyncClient
from pydantic import SecretStr
from sqlalchemy import Connection, text

from bench.copies import Original, Rows, kept, play, pour
from bench.made import make
from bench.plays import START, Plays
from bench.story import HEAD, INSPECTOR, INTAKE, KEYS, LEADER, OFFICER, PROGRESS, UNIT, desk_on, person, staff
from liuti.doors.app import make_app
from liuti.flow.words import Role
from liuti.settings import Settings
from liuti.store import migrate, passes, people, sweep
from liuti.store.engine import Blocking, Engine, open_engine
from tests.postgres import postgres

SMALL = 10_000
TEXTS = 200_000
"""Different texts; a larger database tells them again."""
MONTH = 500
"""Issues of the one month whose figures are asked for, however many there are before and after it."""
UNITS = 20
FEW = "u-99"
"""A unit with thirty issues, however large the rest."""
DAY = timedelta(days=1)
QUIET = START
"""Nothing open is due yet."""
NOW = START + 91 * DAY
TODAY = ("submitted",) * 6 + ("chosen",) * 2 + ("in_hand",) * 4 + (
    "published", "claimed", "dispatched", "asking", "reported", "checked", "late", "ordered",
)  # fmt: skip
CALLER, TEAM = person("p-caller", Role.CALLER), person("p-team", Role.TEAM)
OF_FEW = person("p-few", Role.OFFICER, unit=FEW)
PEOPLE = (INTAKE, HEAD, INSPECTOR, CALLER, TEAM, OF_FEW)
WHO = (*PEOPLE, LEADER, OFFICER)
COMMON = ("路灯", "小区", "物业", "噪音", "没人管", "停车", "积水", "希望")
RARE = ("烧烤店油烟", "电梯困人", "室温只有", "轿厢晃动", "公摊水电费")

LISTS: tuple[tuple[str, str], ...] = (
    ("", "issues"),
    *(("p-intake", f"issues{query}") for query in (
        "", "?step=solve", "?step=closed", "?lane=direct", f"?unit={UNIT}", f"?unit={FEW}", "?leader=p-leader",
        "?grid=c04-1", "?category=noise", "?category=lighting", "?kind=help", "?kind=praise", "?overdue=true",
        "?overdue=false", "?lane=topic&step=solve", f"?unit={FEW}&overdue=true", "?category=noise&step=supervise",
    )),
    ("p-officer", "issues"), ("p-officer", "issues?mine=true"), ("p-officer", "steps/solve/issues?mine=true"),
    ("p-officer", "steps/solve/issues"), ("p-few", "issues"), ("p-few", "issues?mine=true"),
    ("p-few", "steps/solve/issues"), ("p-few", "steps/solve/issues?mine=true"), ("p-leader", "issues?mine=true"),
    ("p-leader", "steps/claim/issues"), ("p-leader", "steps/solve/issues?mine=true"),
    *(("p-intake", f"steps/{step}/issues") for step in ("propose", "select", "claim", "solve", "supervise", "evaluate", "closed")),
    ("p-intake", "steps/solve/issues?overdue=true"), ("p-intake", f"steps/solve/issues?unit={FEW}"),
)  # fmt: skip
BOARDS: tuple[tuple[str, str], ...] = (
    *(("p-team", f"boards/overdue{query}") for query in (
        "", "?colour=red", "?colour=yellow", "?rung=0", "?rung=2", "?step=solve", f"?unit={UNIT}", f"?unit={FEW}", "?grid=c04-1",
        "?leader=p-leader", "?counts=true", f"?unit={FEW}&counts=true",
    )),
    ("p-officer", "boards/overdue"), ("p-few", "boards/overdue"), ("p-leader", "boards/overdue"),
    ("p-team", "boards/requests?role=unit_head"), ("p-head", "boards/requests"), ("p-inspector", "boards/requests"),
    ("p-inspector", "boards/verification"), ("p-team", "boards/verification"), ("p-caller", "boards/callbacks"),
    ("p-team", "boards/outliers?since=2026-03-01&until=2026-03-31"), ("p-team", "boards/orders"),
    ("p-team", "boards/orders?state=signed"), ("p-few", "boards/orders"), ("p-officer", "boards/orders"),
)  # fmt: skip
ONE = (("p-officer", "issues/ISSUE"), ("p-officer", "issues/ISSUE/timeline"), ("p-officer", "move"))
NOWHERE = "不存在的词语"
FIGURES = (("p-team", "figures?period=2026-03"),)


class Town(NamedTuple):
    """One database: where it is, how many issues, some of them in hand, and everybody's pass."""

    url: str
    many: int
    ids: list[str]
    secrets: dict[str, str]


# -- making it -----------------------------------------------------------------------------------------------------


async def _each_stage(engine: Engine) -> dict[str, Original]:
    plays = Plays(engine)
    await plays.open()
    ids = {}
    for stage in (*dict.fromkeys(TODAY), "closed"):
        plays.at = START
        ids[stage] = await getattr(plays, stage)()
    return dict(zip(ids, await kept(engine, ids.values()), strict=True))


def texts(many: int) -> tuple[list[str], list[str]]:
    """Real ones where LIUTI_DATA names them, else made ones."""
    if folder := os.environ.get("LIUTI_DATA"):
        found = pq.read_table(Path(folder) / "messages.parquet", columns=["title", "body"]).to_pydict()
        return [one or "" for one in found["title"]], [one or "" for one in found["body"]]
    made = make(min(many, TEXTS))
    return made.titles, made.bodies


def copies(stages: dict[str, Original], many: int) -> Iterator[Rows]:
    """A fifth closed before the month, the month itself, and all others open since May."""
    titles, bodies = texts(many)
    moved: dict[tuple[str, int], Original] = {}
    old, number = many // 5, 0
    for number in range(many):
        kind, days = TODAY[number % len(TODAY)], 61 + (number * 2_654_435_761 >> 16) % 30
        if number < old:
            kind, days = "closed", -60 - (number * 2_654_435_761 >> 16) % 300
        elif number < old + MONTH:
            kind, days = (*TODAY, "closed", "closed")[number % 22], 0
        original = moved.get((kind, days)) or moved.setdefault((kind, days), stages[kind].later(days * DAY))
        unit = (
            FEW
            if 0 <= number - old - MONTH < 30 * len(TODAY) and number % 20 == 9
            else f"u-{number // 20 % UNITS + 1:02}"
        )
        at = number % len(titles)
        yield original.again(number, titles[at], bodies[at], unit)


def town(url: str, stages: dict[str, Original], many: int) -> Town:
    migrate.upgrade(url)
    pour(url, copies(stages, many))
    with Blocking(url) as engine:
        secrets = engine.write(_people)
        in_hand = text(
            "SELECT id FROM issues WHERE step = 'solve' AND lead_unit = :unit AND lane = 'direct' ORDER BY id LIMIT 200"
        )
        ids = engine.read(lambda conn: list(conn.execute(in_hand, {"unit": UNIT}).scalars()))
    return Town(url, many, ids, secrets)


def _people(conn: Connection) -> dict[str, str]:
    staff(conn)
    people.add_unit(conn, FEW, "气象局", "department")
    for one in PEOPLE:
        people.add_person(conn, one.id, one.id, one.id, roles=one.roles, unit=one.unit)
    return {one.id: passes.make_token(conn, one.id, "bench", START, None) for one in WHO}


# -- measuring it --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Took:
    """Milliseconds at the small size and the large one."""

    name: str
    small: float
    large: float
    small_p99: float
    large_p99: float

    @property
    def ratio(self) -> float:
        return self.large / self.small

    def __str__(self) -> str:
        p99 = self.large_p99 / self.small_p99
        return f"{self.small:9.2f} {self.large:9.2f} {self.ratio:7.2f}   p99 {self.small_p99:8.2f} {self.large_p99:8.2f} {p99:6.2f}  {self.name}"


def took(name: str, small: list[float], large: list[float]) -> Took:
    return Took(name, statistics.median(small), statistics.median(large), _p(small, 99), _p(large, 99))


def _p(taken: list[float], part: int) -> float:
    return sorted(taken)[min(len(taken) * part // 100, len(taken) - 1)]


class Doors:
    """Two servers, small and large, asked in turns, without a network."""

    def __init__(self, clients: list[AsyncClient], towns: tuple[Town, Town]) -> None:
        self._clients, self._towns = clients, towns

    async def both(self, name: str, who: str, path: str, times: int) -> Took:
        taken: tuple[list[float], list[float]] = ([], [])
        for turn in range(times + 3):
            for place, (client, town) in enumerate(zip(self._clients, self._towns, strict=True)):
                each = await self._one(client, town, who, path, turn)
                if turn >= 3:
                    taken[place].append(each)
                if each > 2_000 and turn > 4:
                    times = turn
            if turn > times:
                break
        return took(name, *taken)

    async def _one(self, client: AsyncClient, town: Town, who: str, path: str, turn: int) -> float:
        bearer = {"Authorization": f"Bearer {town.secrets[who]}"} if who else {}
        issue = town.ids[turn % len(town.ids)]
        began = time.perf_counter()
        if path == "move":
            answer = await client.post(f"/api/v1/issues/{issue}/progress", json=PROGRESS, headers=bearer)
        else:
            answer = await client.get(f"/api/v1/{path.replace('ISSUE', issue)}", headers=bearer)
        each = (time.perf_counter() - began) * 1e3
        if not answer.is_success:
            raise RuntimeError(f"{who} {path}: {answer.status_code} {answer.text[:300]}")
        return each


async def _open(stack: AsyncExitStack, town: Town, folder: Path) -> AsyncClient:
    settings = Settings(database_url=town.url, keys=SecretStr(KEYS), files_dir=folder / "files")
    app = make_app(settings, lambda: NOW)
    await stack.enter_async_context(app.router.lifespan_context(app))
    return await stack.enter_async_context(AsyncClient(transport=ASGITransport(app), base_url="http://127.0.0.1"))


async def paths(towns: tuple[Town, Town], folder: Path, times: int) -> tuple[list[Took], list[Took]]:
    """Lists, boards, a page, a move and a month's figures; and the words looked for."""
    async with AsyncExitStack() as stack:
        doors = Doors([await _open(stack, town, folder) for town in towns], towns)
        asked = [*LISTS, *BOARDS, *ONE]
        found = [await doors.both(f"{path} ({who})", who, path, times) for who, path in asked]
        found += [await doors.both(path, who, path, 3) for who, path in FIGURES]
        looked = [
            await doors.both(f"q={word}{more} ({who})", who, f"issues?q={quote(word)}{more}", max(times // 3, 5))
            for word in (*COMMON, *RARE, NOWHERE)
            for who, more in (("p-intake", ""), ("", ""), ("p-few", ""), ("p-intake", "&step=solve"))
        ]
        return found, looked


async def sweeps(towns: tuple[Town, Town], times: int) -> Took:
    """The worker's question when nothing is due."""
    taken: tuple[list[float], list[float]] = ([], [])
    engines = [open_engine(town.url, pool=2) for town in towns]
    try:
        for turn in range(times * 3):
            for place, engine in enumerate(engines):
                began = time.perf_counter()
                due = await engine.write(partial(sweep.strike_due, desk=desk_on(engine), now=QUIET))
                if due:
                    raise RuntimeError("something is due")
                if turn >= times:
                    taken[place].append((time.perf_counter() - began) * 1e3)
    finally:
        for engine in engines:
            await engine.close()
    return took("sweep_idle", *taken)


class Grown(NamedTuple):
    """What one kind of database did: the sweep, everything asked over HTTP, and the words looked for."""

    sweep: Took
    asked: list[Took]
    looked: list[Took]

    def search(self) -> tuple[float, float]:
        """p95 over all words at the small size and at the large one, ms; each word counts by its own p95."""
        return _p([one.small_p99 for one in self.looked], 95), _p([one.large_p99 for one in self.looked], 95)


def grown(kind: str, folder: Path, size: int, times: int, address: str = "") -> Grown:
    """Two databases of `kind`, ten thousand issues and `size`, asked in turns; `address` is a PostgreSQL's."""
    stages = play(folder, _each_stage)
    urls = [f"sqlite:///{folder / f'{many}.db'}" for many in (SMALL, size)]
    if kind == "postgresql":
        urls = asyncio.run(_databases(address))
    towns = []
    for url, many in zip(urls, (SMALL, size), strict=True):
        began = time.perf_counter()
        towns.append(town(url, stages, many))
        print(f"{kind}: {many:,} issues made in {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
    both = (towns[0], towns[1])
    return Grown(asyncio.run(sweeps(both, 100)), *asyncio.run(paths(both, folder, times)))


def main() -> None:
    size, times = int(os.environ.get("SIZE", "100000")), int(os.environ.get("TIMES", "40"))
    for kind in sys.argv[1:] or ["postgresql", "sqlite"]:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="liuti-growth-")))
            address = stack.enter_context(postgres(durable=True)) if kind == "postgresql" else ""
            found = grown(kind, folder, size, times, address)
            print(f"{kind}: ms at {SMALL:,} and at {size:,}, ratio; load {os.getloadavg()[0]:.1f}")
            for one in (found.sweep, *found.asked, *found.looked):
                print(one)
            print(f"search: p95 {found.search()[1]:.1f} ms", flush=True)


async def _databases(address: str) -> list[str]:
    conn = await asyncpg.connect(address)
    try:
        for name in ("small", "large"):
            await conn.execute(f"CREATE DATABASE {name}")
    finally:
        await conn.close()
    return [f"{address.rpartition('/')[0]}/{name}" for name in ("small", "large")]


if __name__ == "__main__":
    main()
