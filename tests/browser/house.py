"""A demo district behind a real server on a port of its own, in this very process, with a clock that tests set."""

from __future__ import annotations

import asyncio
import io
import shutil
import socket
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import uvicorn
from rich.console import Console
from sqlalchemy import select

from liuti import demo
from liuti.demo.accounts import Account
from liuti.doors.app import make_app
from liuti.doors.deps import Office
from liuti.flow.issue import Issue
from liuti.flow.words import Kind, Step
from liuti.senders import Letter
from liuti.settings import Settings
from liuti.store import read, sweep
from liuti.store.tables import issues
from liuti.worker import Worker
from tests.doors.town import Clockwork, first_due
from tests.patience import PATIENCE

T = TypeVar("T")
NOW = datetime(2026, 11, 23, 2, 30, tzinfo=UTC)
"""A Monday, half past ten in the morning there."""
QUIET = Console(file=io.StringIO(), width=160)


def played(folder: Path) -> demo.Prepared:
    """The demo district as it stands at NOW. In a thread of its own: a browser keeps the loop of this one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(lambda: asyncio.run(demo.prepare(folder, NOW, console=QUIET))).result()


class House:
    """Server, clock and letter box. Not for two tests that write at once: each takes a copy of its own."""

    def __init__(self, prepared: demo.Prepared, folder: Path, **settings: Any) -> None:
        self.clock = Clockwork(NOW)
        self.accounts: dict[str, Account] = {one.login: one for one in prepared.accounts}
        self.letters: list[Letter] = []
        """What has left the house, oldest first."""
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.base = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._settings = _moved(prepared.settings, folder, settings | {"base_url": self.base})
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)

    def __enter__(self) -> House:
        self._thread.start()
        assert self._ready.wait(PATIENCE), "the server did not start"
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive(), "the server did not stop"

    async def _serve(self) -> None:
        app = make_app(self._settings, self.clock)
        self.app = app
        self._loop = asyncio.get_running_loop()
        self._server = _Server(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=2), self._ready)
        await self._server.serve(sockets=[self._socket])

    @property
    def office(self) -> Office:
        found: Office = self._server.config.app.state.office  # type: ignore[union-attr]
        return found

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do it in the server's own loop, and wait."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE)

    # -- what there is ---------------------------------------------------------------------------------------------

    def an_issue(self, step: Step) -> Issue:
        """The first that stands there, a public one if there is any, and one that is no tip-off."""
        wanted = (issues.c.step == step.value) & (issues.c.kind != Kind.TIP_OFF.value)
        one = select(issues.c.state).where(wanted).order_by(issues.c.public.desc(), issues.c.id).limit(1)
        return read.STATE.decode(self.run(self.office.engine.read(lambda conn: conn.execute(one).scalar_one())))

    def query_code(self, issue: Issue) -> str:
        code = select(issues.c.query_code).where(issues.c.id == issue.id)
        return self.run(self.office.engine.read(lambda conn: str(conn.execute(code).scalar_one())))

    # -- time, as a worker that is never late would make it pass ---------------------------------------------------

    def later(self, **span: float) -> None:
        """Let that much time pass: every clock strikes at its minute, and letters leave."""
        moment = self.clock.now + timedelta(**span)
        engine, desk = self.office.engine, self.office.desk
        while (due := self.run(engine.read(first_due))) is not None and due <= moment:
            now = self.clock.now = max(due, self.clock.now)
            self.run(engine.write(lambda conn: sweep.strike_due(conn, desk, now)))  # noqa: B023
        self.clock.now = moment
        self.post()

    def post(self) -> None:
        """All letters that wait go into the letter box."""
        worker = Worker(self.office.desk, _Box(self.letters.append), self.clock, base_url=self.base)
        while self.run(worker.post_once(self.clock.now)):
            pass

    def letter(self, event: str, issue: str) -> Letter:
        """The last one about this issue."""
        self.post()
        return next(one for one in reversed(self.letters) if (one.event, one.issue) == (event, issue))


class _Server(uvicorn.Server):
    """Says when it answers."""

    def __init__(self, config: uvicorn.Config, ready: threading.Event) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready.set()


class _Box:
    def __init__(self, keep: Callable[[Letter], None]) -> None:
        self._keep = keep

    async def send(self, letter: Letter) -> None:
        self._keep(letter)


def _moved(settings: Settings, folder: Path, more: dict[str, Any]) -> Settings:
    """The same district in another folder."""
    source = Path(settings.database_url.removeprefix("sqlite:///"))
    folder.mkdir(parents=True, exist_ok=True)
    for part in source.parent.glob(source.name + "*"):
        shutil.copyfile(part, folder / part.name)
    files = folder / "files"
    shutil.copytree(settings.files_dir, files, dirs_exist_ok=True)
    return settings.model_copy(update={"database_url": f"sqlite:///{folder / source.name}", "files_dir": files} | more)
