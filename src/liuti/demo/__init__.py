"""A district to try things in: fictional, of the usual size, with 200 issues that were played and not inserted."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path

from pydantic import SecretStr
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from liuti.demo import accounts as doors
from liuti.demo import rounds as held
from liuti.demo.accounts import Account
from liuti.demo.district import draw, settle
from liuti.demo.play import Stage, draw_pictures
from liuti.demo.registries import settle_registries
from liuti.demo.spread import scenes
from liuti.flow.clocks import World
from liuti.flow.kernel import Refused
from liuti.flow.table import FLOW
from liuti.flow.words import STATE_NAMES, Step
from liuti.matters import Matters
from liuti.settings import Settings, new_key
from liuti.store import migrate, passes, read
from liuti.store.act import Desk
from liuti.store.engine import Engine, open_engine
from liuti.store.vault import KeyRing
from liuti.store.world import load_world

__all__ = ["Account", "Made", "Prepared", "accounts_table", "make_district", "prepare", "states_line"]
KEYS, DATABASE, MAKING, FILES = "keys.env", "liuti.db", "making.db", "files"


@dataclass(frozen=True, slots=True)
class Made:
    """What the play came to."""

    accounts: list[Account]
    counts: dict[str, int]
    moves: int
    strikes: int


@dataclass(frozen=True, slots=True)
class Prepared:
    """A demo ready to be served: `settings` for server and worker, `counts` of issues by state."""

    settings: Settings
    folder: Path
    accounts: list[Account]
    fresh: bool
    """False when it was there already."""
    counts: dict[str, int] = field(default_factory=dict)


async def make_district(
    engine: Engine,
    ring: KeyRing,
    world: World,
    files_dir: Path,
    now: datetime,
    shown: Callable[[int, int], object] | None = None,
) -> Made:
    """Settle the district into a migrated, empty database and play its last months up to `now` (aware).

    The same tables of words and chances tell the same stories; ids and secrets are new each time.
    `shown` is told how many turns have been played, and of how many.
    """
    hashed = await asyncio.to_thread(passes.password_hash, doors.PASSWORD)
    district = draw(world.policy.gates)
    await engine.write(lambda conn: settle(conn, district, hashed))
    desk = Desk(engine, FLOW, lambda: world, ring, lambda: now)
    stage = Stage(desk, district, await asyncio.to_thread(draw_pictures, files_dir))
    played = scenes(district, world.calendar, world.policy.notice.version, now)
    matters, done = Matters(), 0

    def count(more: int) -> None:
        nonlocal done
        done += more
        if shown is not None:
            shown(done, len(played))

    for at in held.opened_at(played, world.calendar, now):
        earlier = [scene for scene in played[done:] if scene.at < at]
        await stage.play(earlier, at, count)
        await held.open_next(engine, world, matters, at)
    await stage.play(played[done:], now, count)
    await matters.arrive(engine, now)
    found = await engine.write(lambda conn: doors.open_accounts(conn, district, now))
    return Made(found, await engine.read(read.counts), stage.moves, stage.strikes)


async def prepare(folder: Path, now: datetime, port: int = 8000, console: Console | None = None) -> Prepared:
    """The demo in `folder`: made if it is not there, else as it was left, with accounts and tokens still good.

    Refused 409 `not_a_demo` when the folder holds a database that no demo made.
    """
    base = f"http://127.0.0.1:{port}"
    given, folder = folder, await asyncio.to_thread(folder.resolve)
    chosen = await asyncio.to_thread(_settings, folder, base)
    if await asyncio.to_thread(_is_complete, folder):
        known, notice = await asyncio.to_thread(doors.kept, folder)
        await asyncio.to_thread(migrate.upgrade, chosen.database_url)
        await asyncio.to_thread(doors.write, folder, known, base, notice)
        return Prepared(chosen, given, known, fresh=False, counts=await _counts(chosen))
    made = await _make(folder, chosen, now, base, console or Console(stderr=True))
    return Prepared(chosen, given, made.accounts, fresh=True, counts=made.counts)


def _is_complete(folder: Path) -> bool:
    """The accounts are written last but one, the database moves to its place last."""
    return (folder / doors.JSON).exists() and (folder / DATABASE).exists()


def _settings(folder: Path, base: str) -> Settings:
    """With a key of its own, kept beside the database: without it nobody could read the contacts again."""
    if (folder / DATABASE).exists() and not (_is_complete(folder) and (folder / KEYS).exists()):
        zh, en = (
            f"{folder} 里已有数据库,但不是演示所建;请换一个目录。",
            f"{folder} holds a database that no demo made: take another folder.",
        )
        raise Refused("not_a_demo", 409, zh, en)
    folder.mkdir(parents=True, exist_ok=True)
    path, url = folder / KEYS, f"sqlite:///{folder / DATABASE}"
    if not path.exists():
        lines = (f"LIUTI_KEYS={new_key()}", f"LIUTI_DATABASE_URL={url}", f"LIUTI_FILES_DIR={folder / FILES}")
        doors.keep_private(path, "".join(f"export {line}\n" for line in lines))
    found = re.search(r"^export LIUTI_KEYS=(.*)$", path.read_text("utf-8"), re.MULTILINE)
    keys = SecretStr(found[1]) if found else SecretStr("")
    return Settings(keys=keys, database_url=url, files_dir=folder / FILES, base_url=base, policy_file=None)


async def _make(folder: Path, chosen: Settings, now: datetime, base: str, console: Console) -> Made:
    """Beside its final place, so that one broken off half way is begun anew and never served."""
    draft = folder / MAKING
    await asyncio.to_thread(_clear, draft)
    url = f"sqlite:///{draft}"
    await asyncio.to_thread(migrate.upgrade, url)
    engine = open_engine(url)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    try:
        world = await engine.read(load_world)
        with Progress(*columns, console=console) as bar:
            task = bar.add_task("演示区 playing the last months", total=None)

            def shown(done: int, total: int) -> None:
                bar.update(task, completed=done, total=total)

            made = await make_district(engine, chosen.ring(), world, chosen.files_dir, now, shown)
        await engine.write(partial(settle_registries, world=world, now=now))
    finally:
        await engine.close()
    await asyncio.to_thread(doors.write, folder, made.accounts, base, world.policy.notice.version)
    await asyncio.to_thread(_move_in, draft, folder / DATABASE)
    return made


def _move_in(draft: Path, place: Path) -> None:
    """The database last: what may still lie in the log beside it must be there before."""
    for suffix in ("-shm", "-wal", ""):
        part = draft.with_name(draft.name + suffix)
        if part.exists():
            part.replace(place.with_name(place.name + suffix))


def _clear(draft: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        draft.with_name(draft.name + suffix).unlink(missing_ok=True)


async def _counts(chosen: Settings) -> dict[str, int]:
    engine = open_engine(chosen.database_url)
    try:
        return await engine.read(read.counts)
    finally:
        await engine.close()


def accounts_table(prepared: Prepared) -> Table:
    """The accounts for the terminal."""
    return doors.table(prepared.accounts, prepared.folder)


def states_line(counts: dict[str, int]) -> str:
    """How many issues stand where, in one line."""
    return " · ".join(f"{STATE_NAMES[step][0]} {counts.get(step, 0)}" for step in Step)
