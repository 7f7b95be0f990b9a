"""What the README promises a newcomer: its curl block runs as printed, and both languages print the same one."""

from __future__ import annotations

import asyncio
import re
import subprocess
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import uvicorn

from liuti import demo
from liuti.doors.app import make_app
from tests.patience import PATIENCE, own_port

ROOT = Path(__file__).parent.parent


def blocks(name: str) -> list[str]:
    return re.findall(r"```sh\n(.*?)```", (ROOT / name).read_text("utf-8"), re.DOTALL)


def the_walk(name: str) -> str:
    return next(block for block in blocks(name) if "accounts.env" in block)


def test_the_walk_is_at_most_thirty_lines_and_the_same_in_both_languages() -> None:
    walk = the_walk("README.md")
    assert len(walk.strip().splitlines()) <= 30
    assert walk == the_walk("README.zh-CN.md")


def test_the_walk_runs_as_printed(tmp_path: Path) -> None:
    with own_port() as port:
        told = walked(tmp_path, port)
    assert told.returncode == 0, told.stderr
    assert "/problems/" not in told.stdout, told.stdout
    assert '"step":"closed"' in told.stdout
    assert '"move": "close"' in told.stdout


def walked(tmp_path: Path, port: int) -> subprocess.CompletedProcess[str]:
    prepared = asyncio.run(demo.prepare(tmp_path / "demo", datetime.now(UTC), port))
    server = uvicorn.Server(uvicorn.Config(make_app(prepared.settings), port=port, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        time.sleep(0.05)
    try:
        return subprocess.run(
            ["bash", "-euc", the_walk("README.md")],
            cwd=tmp_path, capture_output=True, text=True, timeout=5 * PATIENCE, check=False,
        )  # fmt: skip
    finally:
        server.should_exit = True
        thread.join()
