"""`make simulate`: plays the year, checks everything again, prints what it came to, and writes the reports."""

from __future__ import annotations

import argparse
import asyncio
import secrets
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

import asyncpg
from msgspec import json
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from liuti import policy
from liuti.calendars import notices
from liuti.demo.district import draw, settle
from liuti.flow.calendar import Calendar
from liuti.flow.clocks import World
from liuti.flow.table import FLOW
from liuti.settings import new_key, new_webhook_secret
from liuti.store import migrate
from liuti.store.act import Desk
from liuti.store.engine import Engine, open_engine
from liuti.store.vault import KeyRing
from simulate import judging, ladder, receiver, topics, verdict, worker, working  # noqa: F401
from simulate.hands import Hands, receiving
from simulate.record import Played, Wanted
from simulate.town import Town
from simulate.year import AT, Year
from tests.postgres import postgres

YEAR, TAIL = 2026, timedelta(days=150)
"""Arrivals end with the year; what is still due then goes on at most so much longer."""
OUT = Path("var/simulated")
SMALL = 5_000
"""Up to so many issues the database may lie in memory."""


def the_world() -> World:
    return World(policy.default(), Calendar(notices()))


def _bar(console: Console) -> Progress:
    told = TextColumn("{task.fields[at]}  {task.fields[moves]:,} moves")
    return Progress(BarColumn(), told, TimeElapsedColumn(), console=console)


@asynccontextmanager
async def database(address: str) -> AsyncIterator[tuple[Engine, str]]:
    """A database of its own on that server, migrated and empty; it goes when the block ends."""
    name = f"liuti_simulated_{secrets.token_hex(4)}"
    url = f"{address.rpartition('/')[0]}/{name}"
    conn = await asyncpg.connect(address)
    try:
        await conn.execute(f'CREATE DATABASE "{name}"')
        await asyncio.to_thread(migrate.upgrade, url)
        engine = open_engine(url, pool=6)
        try:
            yield engine, url
        finally:
            await engine.close()
            await conn.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    finally:
        await conn.close()


async def play(wanted: Wanted, engine: Engine, url: str, folder: Path, console: Console) -> Played:
    """The whole year; afterwards the database holds it, and nothing runs any more."""
    world = the_world()
    district = draw(world.policy.gates)
    await engine.write(lambda conn: settle(conn, district, ""))
    zone = world.calendar.zone
    start, end = datetime(YEAR, 1, 1, tzinfo=zone), datetime(YEAR + 1, 1, 1, tzinfo=zone)
    town = Town(district, world, wanted.seed)
    town.born(wanted.issues, start, end)
    keys, secret = new_key(), new_webhook_secret()
    log, began = folder / "programs.log", time.monotonic()
    away = datetime(YEAR, 7, 14, 10, tzinfo=zone)
    outside = receiver.Orders(
        str(folder / receiver.FILE), secret, wanted.fails, (int(away.timestamp()), int(away.timestamp()) + 3 * 3600)
    )
    desk = Desk(engine, FLOW, lambda: world, KeyRing.parse(keys), AT.get)
    async with receiving(outside, log) as webhook:
        hands = Hands(engine, worker.Orders("", url, keys, webhook, secret), wanted.workers, log, wanted.seed)
        await hands.start()
        try:
            with _bar(console) as bar:
                days = (end - start).days
                task = bar.add_task("", total=days, moves=0, at="")

                def shown(at: datetime, moves: int) -> None:
                    local = at.astimezone(zone)
                    bar.update(task, completed=min((local - start).days, days), moves=moves, at=f"{local:%Y-%m-%d}")

                year = Year(desk, town, hands, tick=wanted.tick, issues=wanted.issues, kills=wanted.kills, shown=shown)
                await year.run(start, end + TAIL)
        finally:
            await hands.stop()
    played = Played(
        wanted, start, end, year.ticks, hands.killed, dict(year.moves.most_common()), dict(year.refused.most_common()),
        dict(year.not_offered.most_common()), year.due_first, time.monotonic() - began,
    )  # fmt: skip
    (folder / "played.json").write_bytes(json.encode(played))
    return played


def arguments(given: list[str] | None = None) -> tuple[Wanted, Path]:
    usual = Wanted()
    parser = argparse.ArgumentParser(prog="make simulate", description=__doc__)
    parser.add_argument("--issues", type=int, default=usual.issues)
    parser.add_argument("--seed", type=int, default=usual.seed, help="the same seed wishes the same")
    parser.add_argument("--workers", type=int, default=usual.workers)
    parser.add_argument("--kills", type=int, default=usual.kills, help="about so many workers are killed")
    parser.add_argument("--tick", type=int, default=15, help="minutes between two looks of the workers at the clock")
    parser.add_argument("--out", type=Path, default=OUT, help="a folder for the reports")
    read = parser.parse_args(given)
    return Wanted(read.issues, read.seed, read.workers, read.kills, timedelta(minutes=read.tick)), read.out


def _open_room(room: str) -> Path:
    """The server has a user of its own, who has to get in."""
    found = Path(room)
    found.chmod(0o755)
    return found


async def simulate(wanted: Wanted, folder: Path, console: Console) -> bool:
    """The year and its checks; what it came to is printed and written down. Whether all of it held."""
    with (
        tempfile.TemporaryDirectory(prefix="liuti-simulated-") as room,
        postgres(folder=_open_room(room) if wanted.issues > SMALL else None) as address,
    ):
        async with database(address) as (engine, url):
            played = await play(wanted, engine, url, folder, console)
            told = await verdict.examine(engine, the_world(), played, folder)
    verdict.write(played, told, folder)
    console.print(verdict.table(played, told))
    for line in verdict.faults(told.found):
        console.print(line, markup=False, highlight=False)
    console.print(f"{folder / 'index.html'}", highlight=False)
    console.print(verdict.last_line(played, told.found), highlight=False)
    return told.found.holds


def main() -> None:
    wanted, folder = arguments()
    folder.mkdir(parents=True, exist_ok=True)
    sys.exit(0 if asyncio.run(simulate(wanted, folder, Console())) else 1)


if __name__ == "__main__":
    main()
