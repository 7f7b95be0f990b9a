"""Programs beside this one: started, told when to go, listened to, and never left behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, build_opener

from msgspec import json

from bench.callers import Done

ROOT = Path(__file__).resolve().parent.parent
PATIENCE = 40.0
TICK = os.sysconf("SC_CLK_TCK")


@contextmanager
def _program(command: list[str], env: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """A child in a group of its own; whatever happens, the whole group ends with the block."""
    child = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env, start_new_session=True
    )
    try:
        yield child
    finally:
        for how in (signal.SIGTERM, signal.SIGKILL):
            if child.poll() is None:
                os.killpg(child.pid, how)
                try:
                    child.wait(10)
                except subprocess.TimeoutExpired:
                    continue
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                pipe.close()


def _env(**more: str) -> dict[str, str]:
    bare = {name: value for name, value in os.environ.items() if not name.startswith("LIUTI_")}
    return bare | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'src'}"} | more


def together(module: str, errands: list[Any]) -> list[Done]:
    """One process an errand, all warmed up before the first may go."""
    with ExitStack() as stack:
        children = [stack.enter_context(_program([sys.executable, "-m", module], _env())) for _ in errands]
        for child, errand in zip(children, errands, strict=True):
            _say(child, json.encode(errand).decode())
        for child in children:
            _hear(child)
        for child in children:
            _say(child, "go")
        return [json.decode(_hear(child), type=Done) for child in children]


def _say(child: subprocess.Popen[str], line: str) -> None:
    assert child.stdin is not None
    child.stdin.write(line + "\n")
    child.stdin.flush()


def _hear(child: subprocess.Popen[str]) -> str:
    assert child.stdout is not None
    line = child.stdout.readline()
    if not line:
        raise RuntimeError(f"a child ended with {child.wait(10)} before it answered")
    return line


class Server:
    """`liuti serve` with worker processes, on loopback."""

    def __init__(self, pid: int, base: str) -> None:
        self.pid, self.base = pid, base

    def cpu(self) -> float:
        """Seconds of processor time of all its processes so far."""
        return sum(_cpu(pid) for pid in _family(self.pid))


@contextmanager
def server(url: str, keys: str, folder: Path, workers: int) -> Iterator[Server]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    env = _env(
        LIUTI_DATABASE_URL=url,
        LIUTI_KEYS=keys,
        LIUTI_FILES_DIR=str(folder / "files"),
        LIUTI_POOL="8",
        LIUTI_LOG_LEVEL="error",
    )
    program = str(Path(sys.executable).with_name("liuti"))
    command = [program, "serve", "--host", "127.0.0.1", "--port", port, "--workers", str(workers)]
    with _program(command, env) as child:
        base = f"http://127.0.0.1:{port}"
        _wait_for(f"{base}/readyz", child)
        yield Server(child.pid, base)


def _wait_for(url: str, child: subprocess.Popen[str]) -> None:
    asking, deadline = build_opener(ProxyHandler({})), time.monotonic() + PATIENCE
    while time.monotonic() < deadline and child.poll() is None:
        try:
            with asking.open(url, timeout=2):
                return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("the server did not start")


def _family(pid: int) -> list[int]:
    found, parents = [pid], {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK
