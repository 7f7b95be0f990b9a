"""/metrics: whoever may ask reads a well-formed page whose numbers are those of the database and of this process."""

from __future__ import annotations

import asyncio
import re
import shutil
import threading
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy import Connection, event, select, text, update
from sqlalchemy import Engine as CoreEngine

from liuti.doors import app as front
from liuti.doors import metrics
from liuti.doors.metrics import BUCKETS, Times
from liuti.flow.words import Step
from liuti.settings import Settings, new_key
from liuti.store import gauges
from liuti.store.pool import Pool
from liuti.store.tables import issues, letters
from tests.doors.town import Clockwork, Town, at
from tests.patience import until

TOKEN = "a-token-long-enough"


def with_metrics(app: FastAPI, **settings: Any) -> FastAPI:
    """The app with its metrics, also while `make_app` does not give them by itself."""
    if not hasattr(front, "metrics"):
        times = Times()
        app.add_middleware(metrics.Timed, times=times)
        token = settings.get("metrics_token")
        networks = settings.get("metrics_networks", metrics.LOOPBACK)
        app.include_router(metrics.router(times, SecretStr(token) if token else None, networks))
    return app


def made(url: str, folder: Path, clock: Clockwork, **settings: Any) -> FastAPI:
    given: dict[str, Any] = {"database_url": url, "keys": new_key(), "files_dir": folder / "files", "pool": 5}
    return with_metrics(front.make_app(Settings.model_validate(given | settings), clock), **settings)


@pytest.fixture
async def town(database_url: str, tmp_path: Path) -> AsyncIterator[Town]:
    clock = Clockwork(at("2026-03-02 10:00"))
    app = made(database_url, tmp_path, clock)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://town.test") as client:
            place = Town(client, app.state.office, clock)
            await place.settle()
            yield place


# -- a parser that forgives nothing ------------------------------------------------------------------------------------

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\\\|\\"|\\n)*)"'
SAMPLE = re.compile(rf"({NAME})(?:\{{({LABEL}(?:,{LABEL})*)\}})? (\S+)")
SUFFIXES = {"histogram": ("_bucket", "_sum", "_count"), "gauge": ("",), "counter": ("",)}


class Family(NamedTuple):
    kind: str
    words: str
    samples: dict[tuple[str, frozenset[tuple[str, str]]], float]


def parse(page: str) -> dict[str, Family]:
    """The families of a page in the text format 0.0.4; AssertionError for what the format does not allow."""
    assert page.endswith("\n") and "\r" not in page
    found: dict[str, Family] = {}
    name = ""
    lines = iter(page.split("\n")[:-1])
    for line in lines:
        if help_ := re.fullmatch(rf"# HELP ({NAME}) (\S.*)", line):
            name = help_[1]
            assert name not in found, f"{name} comes twice"
            kind = re.fullmatch(rf"# TYPE {name} (gauge|counter|histogram)", next(lines))
            assert kind, f"{name} has no type"
            assert (kind[1] == "counter") == name.endswith("_total"), name
            found[name] = Family(kind[1], help_[2], {})
            continue
        sample = SAMPLE.fullmatch(line)
        assert sample, line
        suffix = sample[1].removeprefix(name)
        assert sample[1].startswith(name) and suffix in SUFFIXES[found[name].kind], line
        pairs = re.findall(LABEL, sample[2] or "")
        assert len({label for label, _ in pairs}) == len(pairs), line
        key = (suffix, frozenset(pairs))
        assert key not in found[name].samples, line
        found[name].samples[key] = float(sample[7])
    for name, family in found.items():
        if family.kind == "histogram":
            _sound(name, family)
    return found


def _sound(name: str, family: Family) -> None:
    """Buckets grow, end with +Inf, and that is the count."""
    groups: dict[frozenset[tuple[str, str]], dict[float, float]] = {}
    for (suffix, labels), value in family.samples.items():
        if suffix == "_bucket":
            edge = next(float(text) for label, text in labels if label == "le")
            rest = frozenset(pair for pair in labels if pair[0] != "le")
            groups.setdefault(rest, {})[edge] = value
    for labels, buckets in groups.items():
        assert list(buckets) == sorted(buckets) == [*BUCKETS, float("inf")], name
        assert list(buckets.values()) == sorted(buckets.values()), name
        assert buckets[float("inf")] == family.samples["_count", labels], name
        assert family.samples["_sum", labels] >= 0
    assert len(groups) * 3 == sum(1 for suffix, _ in family.samples if suffix != "_bucket") * 1.5


async def page(town: Town) -> dict[str, Family]:
    answer = await town.client.get("/metrics")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return parse(answer.text)


def by(family: Family, label: str, suffix: str = "") -> dict[str, float]:
    """The values by that label, whatever the others say."""
    found: Counter[str] = Counter()
    for (at_, labels), value in family.samples.items():
        if at_ == suffix:
            found[dict(labels)[label]] += value  # type: ignore[assignment]
    return dict(found)


def value(family: Family) -> float:
    (one,) = family.samples.values()
    return one


# -- the numbers -------------------------------------------------------------------------------------------------------


async def test_the_numbers_are_those_of_the_database(town: Town) -> None:
    for _ in range(3):
        await town.submit()
    late = [await town.direct(), await town.direct()]
    await town.published()
    await town.later(days=2)
    await town.does("officer_roads", "sign", {}, late[0])
    dead = update(letters).where(letters.c.id.in_(select(letters.c.id).order_by(letters.c.id).limit(2)))
    await town.office.engine.write(lambda conn: conn.execute(dead.values(dead_at=town.clock.now, next_at=None)))

    found = await page(town)
    states = await town.office.engine.read(lambda conn: conn.execute(select(issues.c.id, issues.c.step)).all())
    assert by(found["liuti_issues"], "step") == {step.value: 0 for step in Step} | Counter(r.step for r in states)
    whole = [await town.state(row.id) for row in states]
    overdue = [one for one in whole if one.overdue]
    assert value(found["liuti_issues_late"]) == len(overdue) >= 2
    several = [{t.rung for t in one.timers if t.red and t.running} for one in overdue]
    assert any(len(found_) > 1 for found_ in several), "of one issue the highest counts"
    rungs = Counter(str(max(t.rung for t in one.timers if t.red and t.running)) for one in overdue)
    assert by(found["liuti_issues_late_by_rung"], "rung") == {str(n): 0 for n in range(4)} | rungs
    assert len(rungs) >= 2, "the town should have issues on several rungs"
    left = select(letters.c.id)
    waiting, given_up = await town.office.engine.read(
        lambda conn: (
            len(conn.execute(left.where(letters.c.next_at.is_not(None))).all()),
            len(conn.execute(left.where(letters.c.dead_at.is_not(None))).all()),
        )
    )
    assert value(found["liuti_letters_waiting"]) == waiting > 0
    assert value(found["liuti_letters_dead"]) == given_up == 2
    # Nobody has sent a letter here, and the first of those left was written two days ago.
    assert value(found["liuti_letters_lag_seconds"]) == 2 * 86400


async def test_the_sweep_lags_behind_by_what_is_due_and_not_struck(town: Town) -> None:
    issue = await town.direct()
    assert value((await page(town))["liuti_sweep_lag_seconds"]) == 0
    due = (await town.state(issue)).due_at
    assert due is not None
    town.clock.now = due
    assert value((await page(town))["liuti_sweep_lag_seconds"]) == 0
    town.clock.now = due.replace(microsecond=0) + (at("2026-03-02 10:01:30") - at("2026-03-02 10:00"))
    assert value((await page(town))["liuti_sweep_lag_seconds"]) == 90
    await town.until(town.clock.now)
    assert value((await page(town))["liuti_sweep_lag_seconds"]) == 0


async def test_an_empty_house_is_a_well_formed_page_too(town: Town) -> None:
    found = await page(town)
    assert value(found["liuti_issues_late"]) == value(found["liuti_sweep_lag_seconds"]) == 0
    assert set(by(found["liuti_issues"], "step").values()) == {0}


async def test_nothing_is_counted_beyond_the_bound(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):
        await town.submit()
    assert by((await page(town))["liuti_issues"], "step")["propose"] == 3
    monkeypatch.setattr(gauges, "COUNTED", 2)
    assert by((await page(town))["liuti_issues"], "step")["propose"] == 2


async def test_a_scrape_is_three_statements_that_walk_indexes(town: Town) -> None:
    spoken: list[tuple[str, Any]] = []

    def hear(_conn: Any, _cursor: Any, statement: str, parameters: Any, *_more: Any) -> None:
        spoken.append((statement, parameters))

    await page(town)
    event.listen(CoreEngine, "before_cursor_execute", hear)
    try:
        await page(town)
    finally:
        event.remove(CoreEngine, "before_cursor_execute", hear)
    assert len(spoken) == 3, spoken

    def explain(conn: Connection) -> str:
        sqlite = conn.dialect.name == "sqlite"
        if not sqlite:
            for way in ("seqscan", "bitmapscan"):  # so few rows it would rather read all of
                conn.execute(text(f"SET LOCAL enable_{way} = off"))
        word = "EXPLAIN QUERY PLAN" if sqlite else "EXPLAIN"
        plans = [conn.exec_driver_sql(f"{word} {statement}", parameters) for statement, parameters in spoken]
        return "\n".join(str(tuple(row)) for plan in plans for row in plan)

    plan = await town.office.engine.write(explain)
    for index in (
        "ix_issues_step",  # or the one of the deadlines, which begins alike
        "ix_issues_overdue",
        "ix_issues_due",
        "ix_letters_next",
        "ix_letters_dead",
    ):
        assert index in plan, plan
    assert not re.search(r"Seq Scan|Sort|TEMP B-TREE|autoindex_issues_1|pk_issues", plan), plan


# -- request times -----------------------------------------------------------------------------------------------------


async def test_requests_are_counted_by_template_and_class_of_answer_only(town: Town) -> None:
    issue = await town.direct()
    await town.see(issue)
    await town.see(issue)
    await town.does("officer_roads", "sign", {}, issue)
    await town.refused("officer_water", "sign", {}, issue)
    await town.client.get("/no/such/place/13800000001")
    await town.client.request("BREW", "/healthz")
    family = (await page(town))["liuti_request_seconds"]
    assert family.kind == "histogram"
    counts = {
        (found["method"], found["route"], found["status"]): n
        for (suffix, labels), n in family.samples.items()
        if suffix == "_count" and (found := dict(labels))
    }
    sign = "/api/v1/issues/{issue}/sign"
    assert counts["GET", "/api/v1/issues/{issue}", "2xx"] == 2
    assert counts["POST", "/api/v1/issues", "2xx"] == 1
    assert counts["POST", sign, "2xx"] == counts["POST", sign, "4xx"] == 1
    assert counts["GET", "none", "4xx"] == 1
    assert counts["OTHER", "/healthz", "4xx"] == 1
    assert not any(issue in key[1] or "1380" in key[1] for key in counts)


async def test_what_nobody_caught_counts_as_a_fault(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_given: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(gauges, "standing", broken)
    assert (await town.client.get("/metrics")).status_code == 500
    monkeypatch.undo()
    family = (await page(town))["liuti_request_seconds"]
    assert by(family, "status", "_count")["5xx"] == 1


async def test_a_request_falls_into_the_bucket_of_its_time() -> None:
    times = Times()
    for seconds in (0.001, 0.0025, 0.0026, 3.0, 11.0):
        times.add("GET", 'a"b\\c\nd', 200, seconds)
    said = "".join(metrics.process(times, Pool(1, 0, 0), 0))
    family = parse(said)["liuti_request_seconds"]
    assert {dict(labels)["route"] for _, labels in family.samples} == {'a\\"b\\\\c\\nd'}
    assert _buckets(family) == {"0.0025": 2, "0.005": 3, "2.5": 3, "10.0": 4, "+Inf": 5} | {
        repr(edge): 3 for edge in BUCKETS if 0.005 <= edge <= 2.5
    }


def _buckets(family: Family) -> Mapping[str, float]:
    return {dict(labels)["le"]: n for (suffix, labels), n in family.samples.items() if suffix == "_bucket"}


async def test_the_process_tells_its_connections_processor_and_memory(town: Town) -> None:
    found = await page(town)
    assert value(found["liuti_database_connections"]) in (4, 5)  # SQLite reads with four at most
    assert value(found["liuti_database_connections_in_use"]) == 0
    assert value(found["liuti_database_work_waiting"]) == 0
    assert value(found["process_cpu_seconds_total"]) > 0.1
    assert 20e6 < value(found["process_resident_memory_bytes"]) < 4e9
    assert len(by(found["process_cpu_seconds_total"], "process")) == 1


async def test_connections_in_use_and_work_that_waits_are_told_apart(town: Town) -> None:
    engine = town.office.engine
    most, goes_on = engine.pool().most, threading.Event()

    def slow(conn: Connection) -> None:
        while not goes_on.is_set():
            conn.execute(text("SELECT pg_sleep(0.01)" if engine.dialect == "postgresql" else "SELECT 1"))

    busy = [asyncio.create_task(engine.read(slow)) for _ in range(most + 2)]
    waiting = 2 if engine.dialect == "postgresql" else 0
    try:
        await until(lambda: engine.pool() == (most, most, waiting))
    finally:
        goes_on.set()
        await asyncio.gather(*busy)
    assert engine.pool() == (most, 0, 0)


# -- who may ask -------------------------------------------------------------------------------------------------------


async def scrape(app: FastAPI, client: str = "127.0.0.1", **headers: str) -> int:
    transport = httpx.ASGITransport(app, client=(client, 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://town.test") as caller:
        given = {name.replace("_", "-"): text for name, text in headers.items()}
        return (await caller.get("/metrics", headers=given)).status_code


@pytest.fixture
def file(sqlite_template: Path, tmp_path: Path) -> str:
    """A database of the test's own: whoever copies the template must find it as the migrations left it."""
    return f"sqlite:///{shutil.copyfile(sqlite_template, tmp_path / 'liuti.db')}"


@pytest.fixture
def clock() -> Clockwork:
    return Clockwork(at("2026-03-02 10:00"))


async def test_without_a_token_only_this_machine_may_ask(file: str, tmp_path: Path, clock: Clockwork) -> None:
    app = made(file, tmp_path, clock)
    async with app.router.lifespan_context(app):
        for client in ("127.0.0.1", "127.3.2.1", "::1", "::ffff:127.0.0.1"):
            assert await scrape(app, client) == 200, client
        for client in ("10.0.0.8", "203.0.113.5", "::ffff:10.0.0.8", "2001:db8::1", "unix"):
            assert await scrape(app, client) == 403, client
        # Whoever comes through a proxy on this machine comes from anywhere.
        assert await scrape(app, "127.0.0.1", X_Forwarded_For="203.0.113.5") == 403
        assert await scrape(app, "127.0.0.1", Forwarded="for=127.0.0.1") == 403
        assert await scrape(app, "10.0.0.8", X_Forwarded_For="127.0.0.1") == 403


async def test_networks_may_be_named(file: str, tmp_path: Path, clock: Clockwork) -> None:
    app = made(file, tmp_path, clock, metrics_networks="10.0.0.0/8, 2001:db8::/32")
    async with app.router.lifespan_context(app):
        assert [await scrape(app, client) for client in ("10.2.3.4", "2001:db8::1", "127.0.0.1")] == [200, 200, 403]


async def test_with_a_token_only_its_bearer_may_ask(file: str, tmp_path: Path, clock: Clockwork) -> None:
    app = made(file, tmp_path, clock, metrics_token=TOKEN)
    async with app.router.lifespan_context(app):
        assert await scrape(app, "203.0.113.5", Authorization=f"Bearer {TOKEN}") == 200
        assert await scrape(app, "203.0.113.5", Authorization=f"bearer {TOKEN}", X_Forwarded_For="1.2.3.4") == 200
        for given in (
            {},
            {"Authorization": f"Bearer {TOKEN}x"},
            {"Authorization": f"Basic {TOKEN}"},
            {"Authorization": "Bearer"},
        ):
            assert await scrape(app, "127.0.0.1", **given) == 401, given
