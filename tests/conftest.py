"""What every test may ask for: a database of its own, on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import itertools
import os
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import asyncpg
import pytest
from hypothesis import HealthCheck, settings

from liuti.store.engine import Engine, open_engine
from liuti.store.worlds import Worlds
from tests.postgres import postgres

T = TypeVar("T")
# How long a case took, or took to be drawn, says how busy the machine was, not whether it holds; and a change is judged
# by the same cases twice. To go looking for others: `make test ARGS="--hypothesis-profile=search"`.
BUSY = [HealthCheck.too_slow]
settings.register_profile("same", deadline=None, derandomize=True, database=None, suppress_health_check=BUSY)
settings.register_profile("search", deadline=None, suppress_health_check=BUSY)
settings.load_profile("same")

_numbers = itertools.count(1)


@pytest.fixture(scope="session", autouse=True)
def rules_at_rest() -> Iterator[None]:
    """A server looks twice a minute whether its rules have changed, in the middle of whatever test: here, once a day.

    Otherwise its statements are now and then counted as those of a page.
    """
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Worlds.watch, "__defaults__", (86_400.0,))
        yield


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The address of a PostgreSQL for this worker alone: it is up in half a second, so none is shared."""
    with postgres() as address:
        yield address


@pytest.fixture(scope="session")
def postgres_template(postgres_server: str) -> Iterator[str]:
    """The name of a database made by the real migrations, to be cloned."""
    name = _new_name("template")
    _sql(postgres_server, f'CREATE DATABASE "{name}"')
    _upgrade(_address(postgres_server, name))
    yield name
    _sql(postgres_server, f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file made by the real migrations, to be copied."""
    path = tmp_path_factory.mktemp("template") / "liuti.db"
    _upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a migrated, empty database that is this test's alone; the test runs once on each kind."""
    if request.param == "sqlite":
        path = tmp_path / "liuti.db"
        shutil.copyfile(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite:///{path}"
    else:
        server = request.getfixturevalue("postgres_server")
        yield from _cloned(server, request.getfixturevalue("postgres_template"))


@pytest.fixture(params=["sqlite", "postgresql"])
def bare_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Like `database_url`, without any table of ours."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'bare.db'}"
    else:
        yield from _cloned(request.getfixturevalue("postgres_server"), "template0")


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[Engine]:
    """An engine on the test's own database."""
    opened = open_engine(database_url)
    yield opened
    await opened.close()


def _cloned(server: str, template: str) -> Iterator[str]:
    name = _new_name("test")
    _sql(server, f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY FILE_COPY')
    yield _address(server, name)
    _sql(server, f'DROP DATABASE "{name}" WITH (FORCE)')


def _new_name(purpose: str) -> str:
    return f"liuti_{purpose}_{os.getpid()}_{next(_numbers)}"


def _address(server: str, name: str) -> str:
    beginning, _, options = server.partition("?")
    return f"{beginning.rpartition('/')[0]}/{name}{'?' if options else ''}{options}"


def _upgrade(address: str) -> None:
    if importlib.util.find_spec("liuti.store.migrate") is None:
        pytest.skip("there are no migrations yet")
    _apart(lambda: importlib.import_module("liuti.store.migrate").upgrade(address))


def _sql(address: str, statement: str) -> None:
    async def run() -> None:
        connection = await asyncpg.connect(address)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    _apart(lambda: asyncio.run(run()))


def _apart(work: Callable[[], T]) -> T:
    """Run it in a thread of its own: a fixture may be called while the test's event loop belongs to this one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(work).result()
