"""What the machine itself can do: pgbench, one SQLite thread, a plain table; measured beside ours, never quoted."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from msgspec.structs import asdict

from bench.story import MANY, Tried
from tests.postgres import pgbench_path

STATE = 2_000
"""Letters in the state of an issue, as in ours at work."""
ENTRY = 600
CLIENTS = 8

TABLES = f"""
DROP TABLE IF EXISTS b_issues, b_entries, b_letters;
CREATE TABLE b_issues (id integer PRIMARY KEY, version integer NOT NULL, due timestamptz, state text NOT NULL);
CREATE TABLE b_entries (issue integer, version integer, at timestamptz, facts text, seal text, PRIMARY KEY (issue, version));
CREATE TABLE b_letters (id bigserial PRIMARY KEY, issue integer, event text, recipient text, next_at timestamptz);
CREATE INDEX b_letters_next ON b_letters (next_at, id);
INSERT INTO b_issues SELECT n, 1, now(), repeat('x', {STATE}) FROM generate_series(1, {MANY}) n;
"""
_R3W = f"""\\set id random(1, {MANY})
BEGIN;
SELECT version, state FROM b_issues WHERE id = :id FOR UPDATE \\gset
UPDATE b_issues SET version = version + 1, due = now(), state = :words WHERE id = :id AND version = :version;
INSERT INTO b_entries VALUES (:id, :version, now(), :entry, :digest);
INSERT INTO b_letters (issue, event, recipient, next_at) VALUES (:id, 'progress', 'voice:1', now());
COMMIT;
"""


class Pgbench:
    """What `TABLES` made is worked on: row lock, update, entry, letter, commit: 8 clients of PostgreSQL's own measuring program, nothing of ours."""

    def __init__(self, address: str, folder: Path, seconds: int) -> None:
        program = pgbench_path()
        if program is None:
            raise RuntimeError("this PostgreSQL has no pgbench: apt-get install postgresql-contrib")
        self._program, self._address, self._seconds = program, address, seconds
        self._script = folder / "r3w.sql"
        self._script.write_text(_R3W)

    def rate(self) -> float:
        """Transactions a second."""
        words = {"words": "y" * STATE, "entry": "z" * ENTRY, "digest": "0" * 64}
        given = [part for name, value in words.items() for part in ("-D", f"{name}={value}")]
        options = ["--no-vacuum", "-M", "prepared", "-c", str(CLIENTS), "-j", "2", "-T", str(self._seconds), *given]
        ran = subprocess.run(
            [str(self._program), *options, "-f", str(self._script), self._address],
            capture_output=True, text=True, check=False, timeout=self._seconds + 30, env={"PATH": os.defpath},
        )  # fmt: skip
        found = re.search(r"tps = ([\d.]+)", ran.stdout)
        if ran.returncode or found is None:
            raise RuntimeError(f"pgbench failed: {ran.stderr.strip()[-500:]}")
        return float(found[1])


def sqlite_thread(path: Path, seconds: float) -> float:
    """Moves a second of one thread of the standard library: a read, three writes and a commit with fsync each."""
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        for statement in (
            "PRAGMA journal_mode=WAL",
            "PRAGMA synchronous=FULL",
            "CREATE TABLE IF NOT EXISTS b_issues (id INTEGER PRIMARY KEY, version INTEGER, due TEXT, state TEXT)",
            "CREATE TABLE IF NOT EXISTS b_entries (issue INTEGER, version INTEGER, at TEXT, facts TEXT, seal TEXT, PRIMARY KEY (issue, version))",
            "CREATE TABLE IF NOT EXISTS b_letters (id INTEGER PRIMARY KEY, issue INTEGER, event TEXT, recipient TEXT, next_at TEXT)",
            "CREATE INDEX IF NOT EXISTS b_letters_next ON b_letters (next_at, id)",
        ):
            conn.execute(statement)
        conn.execute("BEGIN")
        many = ((n, 1, "", "x" * STATE) for n in range(MANY))
        conn.executemany("INSERT OR IGNORE INTO b_issues VALUES (?, ?, ?, ?)", many)
        conn.execute("COMMIT")
        return _moves(conn, seconds)


def _moves(conn: sqlite3.Connection, seconds: float) -> float:
    state, facts, digest, at = "y" * STATE, "z" * ENTRY, "0" * 64, "2026-01-01T00:00:00.000000Z"
    made, begun = 0, time.perf_counter()
    while (passed := time.perf_counter() - begun) < seconds:
        issue = made * 7919 % MANY
        conn.execute("BEGIN IMMEDIATE")
        version, _ = conn.execute("SELECT version, state FROM b_issues WHERE id = ?", (issue,)).fetchone()
        conn.execute(
            "UPDATE b_issues SET version = ?, due = ?, state = ? WHERE id = ?", (version + 1, at, state, issue)
        )
        conn.execute("INSERT INTO b_entries VALUES (?, ?, ?, ?, ?)", (issue, version + 1, at, facts, digest))
        conn.execute(
            "INSERT INTO b_letters (issue, event, recipient, next_at) VALUES (?, 'progress', 'voice:1', ?)", (issue, at)
        )
        conn.execute("COMMIT")
        made += 1
    return made / passed


Plain = Callable[[Mapping[str, Any], str, frozenset[str]], dict[str, Any]]


def plain_table(tried: list[Tried]) -> tuple[Plain, list[tuple[Mapping[str, Any], str, frozenset[str]]]]:
    """The same moves as a dictionary by step and name, with one guard (the role), and what to ask it."""
    table: dict[tuple[str, str], tuple[str, Callable[[frozenset[str]], bool]]] = {}
    asked: list[tuple[Mapping[str, Any], str, frozenset[str]]] = []
    for one, after in zip(tried, [*tried[1:], tried[-1]], strict=True):
        step, then = (one.issue.step.value if one.issue.version else ""), after.issue.step.value
        held = frozenset(role.value for role in one.actor.roles)
        table[step, one.move] = (then, _guard(held))
        # The same issue, every field of it: like ours, a plain table must leave the one it was given as it was.
        asked.append((asdict(one.issue) | {"step": step}, one.move, held))

    def decide(issue: Mapping[str, Any], name: str, roles: frozenset[str]) -> dict[str, Any]:
        row = table.get((issue["step"], name))
        if row is None:
            raise LookupError(name)
        to, guard = row
        if not guard(roles):
            raise PermissionError(name)
        return {**issue, "step": to, "version": issue["version"] + 1}

    return decide, asked


def _guard(wanted: frozenset[str]) -> Callable[[frozenset[str]], bool]:
    return lambda roles: not wanted.isdisjoint(roles)
