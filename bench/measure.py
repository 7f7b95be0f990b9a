"""The run itself: each of ours between two takings of its limit, one table, one file of numbers."""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import asyncpg
from httpx import ASGITransport, AsyncClient
from msgspec import json
from pydantic import SecretStr

from bench import limits, processes, strikes
from bench.callers import Errand, act, counting
from bench.client import Visit
from bench.growth import grown
from bench.limits import Pgbench
from bench.story import KEYS, MANY, PROGRESS, Stock, run, stocked, whole_walk
from liuti.doors.app import make_app
from liuti.flow.table import FLOW
from liuti.serving import settle
from liuti.settings import Settings
from liuti.store import migrate
from liuti.store.engine import open_engine
from tests.postgres import postgres

PROCESSES = 2
CALLERS = 16
AT_MOST = 1_800
"""Seconds after which the run breaks itself off."""
GROWTH_TIMES = 20
SEARCHED = 50.0
"""Milliseconds, p95, that a search over a million issues may take."""
LISTED = "/api/v1/issues?limit=50"


@dataclass(slots=True)
class Line:
    """One measurement; `floor` is what `ratio` should reach, or what a count of statements should not pass.

    Of topics the value is the F1, the floor is the F1's, the limit is the seconds of sketching alone, and the ratio says
    how many times that all of it took.
    """

    name: str
    value: float
    unit: str
    limit: float
    ratio: float
    floor: float
    cpu_us: float | None = None
    statements: float | None = None
    ms: float | None = None
    megabytes: float | None = None


@dataclass(frozen=True, slots=True)
class Pace:
    """How long each thing is measured, in seconds."""

    limit: int
    ours: float
    repeats: int
    fired: int


FULL, QUICK = Pace(6, 12.0, 200, 30_000), Pace(2, 3.0, 30, 5_000)


def mean(*taken: float) -> float:
    return sum(taken) / len(taken)


# -- one function each ---------------------------------------------------------------------------------------------


def decide(folder: Path, pace: Pace) -> Line:
    """All decisions of a walk, again and again, in turns with a plain dictionary of the same moves."""
    url = f"sqlite:///{folder / 'walk.db'}"
    migrate.upgrade(url)
    tried = run(open_engine(url), whole_walk)
    plain, asked = limits.plain_table(tried)

    def ours() -> None:
        for one in tried:
            FLOW.decide(one.issue, one.actor, one.move, one.form, one.now, one.world, one.facts)

    def theirs() -> None:
        for question in asked:
            plain(*question)

    mine, other = [], []
    for _ in range(10):
        other.append(_cpu_of(theirs, pace.repeats * 20))
        mine.append(_cpu_of(ours, pace.repeats))
    each, limit = (statistics.median(took) / len(tried) for took in (mine, other))
    return Line("decide", 1 / each, "1/s of CPU", 1 / limit, limit / each, 0.19, each * 1e6, 0)


def _cpu_of(work: Any, times: int) -> float:
    """Seconds of processor time of one call."""
    work()
    began = time.process_time()
    for _ in range(times):
        work()
    return (time.process_time() - began) / times


def desk_act_sqlite(folder: Path, pace: Pace) -> Line:
    url = f"sqlite:///{folder / 'ours.db'}"
    migrate.upgrade(url)
    stock: Stock = run(open_engine(url), stocked)
    before = limits.sqlite_thread(folder / "plain.db", pace.limit / 2)
    errand = Errand(url, stock.ids, 2 * CALLERS, pace.ours)

    async def calling(engine: Any) -> Any:
        await act(engine, errand, 0.5)
        return await act(engine, errand, errand.seconds)

    done = run(open_engine(url), calling)
    limit = mean(before, limits.sqlite_thread(folder / "plain.db", pace.limit / 2))
    rate = done.moves / done.seconds
    return Line("desk_act_sqlite", rate, "1/s", limit, rate / limit, 0.25, done.cpu / done.moves * 1e6, done.statements)


def desk_act_pg(url: str, stock: Stock, pgbench: Pgbench, before: float, pace: Pace) -> tuple[Line, float]:
    """One process a core; the second figure is the limit taken afterwards."""
    errands = [Errand(url, stock.ids[n::PROCESSES], CALLERS, pace.ours) for n in range(PROCESSES)]
    done = processes.together("bench.callers", errands)
    after = pgbench.rate()
    rate, moves = sum(d.moves / d.seconds for d in done), sum(d.moves for d in done)
    limit, cpu = mean(before, after), sum(d.cpu for d in done) / moves * 1e6
    return Line("desk_act_pg", rate, "1/s", limit, rate / limit, 0.25, cpu, done[0].statements), after


def http_move_pg(
    url: str, stock: Stock, pgbench: Pgbench, before: float, pace: Pace, folder: Path, statements: int
) -> Line:
    """A bearer's move over HTTP: who it is, whether they may, the guards, the key, the entry, the letters."""
    with processes.server(url, KEYS, folder, PROCESSES) as serving:
        visit = Visit(serving.base, stock.secret, stock.ids, 2 * CALLERS, pace.ours)
        used = serving.cpu()
        (done,) = processes.together("bench.client", [visit])
        used = serving.cpu() - used
    limit = mean(before, pgbench.rate())
    rate = done.moves / done.seconds
    # The client warms the server up for a second before it counts; the server's time holds both.
    cpu = used / (done.moves * (1 + 1 / done.seconds)) * 1e6
    return Line("http_move_pg", rate, "1/s", limit, rate / limit, 0.12, cpu, statements)


async def _within(url: str, stock: Stock, folder: Path, pace: Pace) -> tuple[int, int, float, float]:
    """Statements of one move and of one list over HTTP, and a list's milliseconds and CPU, without a network."""
    settings = Settings(database_url=url, keys=SecretStr(KEYS), files_dir=folder / "files")
    app = make_app(settings)
    bearer = {"Authorization": f"Bearer {stock.secret}"}
    async with (
        app.router.lifespan_context(app),
        AsyncClient(transport=ASGITransport(app), base_url="http://127.0.0.1", headers=bearer) as client,
    ):
        path = f"/api/v1/issues/{stock.ids[0]}/progress"
        with counting() as moved:
            answer = await client.post(path, json=PROGRESS, headers={"Idempotency-Key": f"counted-{time.time_ns()}"})
        answer.raise_for_status()
        with counting() as listed:
            answer = await client.get(LISTED)
        if len(answer.json()["issues"]) != 50:
            raise RuntimeError("the list is short")
        took, used = [], time.process_time()
        for _ in range(pace.repeats):
            began = time.perf_counter()
            await client.get(LISTED)
            took.append(time.perf_counter() - began)
        used = (time.process_time() - used) / pace.repeats
    return len(moved), len(listed), statistics.median(took) * 1e3, used * 1e6


# -- topics ---------------------------------------------------------------------------------------------------------

FLOORS = {"topics_real": 0.90, "topics_real_one_by_one": 0.88, "topics_100k": 0.90, "topic_incremental": 0.90}


def topics() -> list[Line]:
    """Each in a process of its own, whose memory is then its own too. The real messages are read from LIUTI_DATA."""
    asked = [["100000"], ["incremental"]]
    if folder := os.environ.get("LIUTI_DATA"):
        asked.insert(0, [folder])
    else:
        print("LIUTI_DATA is not set: topics_real was not measured", file=sys.stderr)
    lines = []
    for one in asked:
        ran = subprocess.run(
            [sys.executable, "-m", "bench.topics", *one], capture_output=True, text=True, check=True, timeout=AT_MOST
        )
        lines += [_of_topics(json.decode(said)) for said in ran.stdout.splitlines()]
    return lines


def _of_topics(found: dict[str, Any]) -> Line:
    name = found["name"]
    ratio = found["seconds"] / found["sketching"]
    each = found["seconds"] / found["messages"] * 1e6
    ms = found["p99_ms"] or None
    return Line(name, found["f1"], "F1", found["sketching"], ratio, FLOORS[name], each, None, ms, found["megabytes"])


# -- growth ---------------------------------------------------------------------------------------------------------


def growth(kind: str, folder: Path, size: int, times: int, address: str = "") -> list[Line]:
    """The sweep and the search at `size`, and of all lists, boards, pages and moves the one that grew most."""
    found = grown(kind, folder, size, times, address)
    worst = max(found.asked, key=lambda one: one.ratio)
    print(f"{kind}: grew most: {worst.name}", file=sys.stderr)
    p95 = found.search()[1]
    return [
        Line(f"sweep_idle_{kind}", found.sweep.large, "ms", found.sweep.small, found.sweep.ratio, 1.3),
        Line("search" if kind == "postgresql" else f"search_{kind}", p95, "ms", SEARCHED, p95 / SEARCHED, 1),
        Line(f"growth_{kind}", worst.large, "ms", worst.small, worst.ratio, 1.3),
    ]


def fire_overdue(address: str, folder: Path, many: int) -> Line:
    """Strikes a second, entry and letters written, in a database of its own; beside the same writes set by set."""
    url = address.rpartition("/")[0] + "/liuti_fire"
    migrate.upgrade(url)
    fired = strikes.fire_overdue(url, folder, many)
    return Line("fire_overdue", fired.strikes, "1/s", fired.limit, fired.strikes / fired.limit, 0.3, fired.cpu * 1e6, fired.statements)  # fmt: skip


# -- all of it -----------------------------------------------------------------------------------------------------


async def _prepare(address: str) -> str:
    """A database for ours, and the limit's tables in the server's own; analysed both as a server would in time."""
    conn = await asyncpg.connect(address)
    try:
        await conn.execute("CREATE DATABASE liuti_bench")
        await conn.execute("CREATE DATABASE liuti_fire")
        await conn.execute(limits.TABLES)
        await conn.execute("ANALYZE")
        shown: str = await conn.fetchval("SHOW server_version")
    finally:
        await conn.close()
    return shown


async def _analyze(url: str) -> None:
    conn = await asyncpg.connect(url)
    try:
        await conn.execute("ANALYZE")
    finally:
        await conn.close()


def measure(folder: Path, pace: Pace, size: int) -> tuple[list[Line], str]:
    settle()  # as every server and worker does
    lines = [decide(folder, pace), desk_act_sqlite(folder, pace)]
    with postgres(durable=True) as address:
        server_version = asyncio.run(_prepare(address))
        url = address.rpartition("/")[0] + "/liuti_bench"
        migrate.upgrade(url)
        stock: Stock = run(open_engine(url), stocked)
        asyncio.run(_analyze(url))
        pgbench = Pgbench(address, folder, pace.limit)
        moved, listed, ms, cpu = asyncio.run(_within(url, stock, folder, pace))
        desk, before = desk_act_pg(url, stock, pgbench, pgbench.rate(), pace)
        lines += [desk, http_move_pg(url, stock, pgbench, before, pace, folder, moved)]
        lines.append(Line("list_50", listed, "statements", 4, listed / 4, 4, cpu, listed, ms))
        lines.append(fire_overdue(address, folder, pace.fired))
        if pace is FULL:
            lines += growth("postgresql", folder, size, GROWTH_TIMES, address)
    if pace is FULL:
        lines += growth("sqlite", folder, size, GROWTH_TIMES)
    return lines + (topics() if pace is FULL else []), server_version


def table(lines: list[Line]) -> str:
    words: list[tuple[str, ...]] = [("", "ours", "", "limit", "ratio", "floor", "CPU µs", "SQL", "ms", "MB")]
    for one in lines:
        floor = f"≤ {one.floor:g}" if one.unit in ("statements", "ms") else f"{one.floor:g}"
        more = ["" if part is None else f"{part:,.1f}" for part in (one.cpu_us, one.statements, one.ms, one.megabytes)]
        value = (
            f"{one.value:.3f}" if one.unit == "F1" else f"{one.value:,.2f}" if one.unit == "ms" else f"{one.value:,.0f}"
        )
        words.append((one.name, value, one.unit, f"{one.limit:,.0f}", f"{one.ratio:.3f}", floor, *more))
    wide = [max(len(row[n]) for row in words) for n in range(len(words[0]))]
    return "\n".join(
        "  ".join(
            part.ljust(w) if n in (0, 2) else part.rjust(w) for n, (part, w) in enumerate(zip(row, wide, strict=True))
        )
        for row in words
    )


def machine(server_version: str, load: tuple[float, float, float]) -> dict[str, Any]:
    packages = ("liuti", "sqlalchemy", "asyncpg", "fastapi", "pydantic", "msgspec", "uvicorn")
    versions = {name: version(name) for name in packages}
    versions |= {"python": platform.python_version(), "postgresql": server_version, "system": platform.platform()}
    return {"versions": versions, "load": list(load), "load_after": list(os.getloadavg()), "cores": os.cpu_count(), "at": datetime.now(UTC).isoformat(timespec="seconds"), "issues": MANY}  # fmt: skip


@contextmanager
def _bounded(seconds: int) -> Iterator[None]:
    def enough(_signal: int, _frame: object) -> None:
        raise SystemExit(f"broken off after {seconds} seconds")

    signal.signal(signal.SIGALRM, enough)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--out", type=Path, help="write the numbers here as JSON")
    parser.add_argument("--quick", action="store_true", help="a short run; its ratios swing more")
    parser.add_argument("--size", type=int, default=100_000, help="issues in the larger database of the growth part")
    given = parser.parse_args()
    load = os.getloadavg()
    print(
        f"measuring, {'under one minute' if given.quick else 'about ten minutes'}; load before {load[0]:.2f}",
        file=sys.stderr,
    )
    with _bounded(AT_MOST), tempfile.TemporaryDirectory(prefix="liuti-bench-") as folder:
        lines, server_version = measure(Path(folder), QUICK if given.quick else FULL, given.size)
    print(table(lines))
    about = machine(server_version, load)
    print(
        f"\nload {load[0]:.2f} before, {about['load_after'][0]:.2f} after, {about['cores']} cores; PostgreSQL {server_version}"
    )
    if given.out is not None:
        rows = [{name: part for name, part in asdict(one).items() if part is not None} for one in lines]
        given.out.write_bytes(json.format(json.encode([*rows, about]), indent=1) + b"\n")


if __name__ == "__main__":
    main()
