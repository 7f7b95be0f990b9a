"""What an administrator does from the command line: people, units, tokens, notices. Each is one short transaction."""

from __future__ import annotations

import getpass
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from rich.console import Console

from liuti import importer, policy
from liuti.flow.kernel import Refused
from liuti.flow.table import FLOW
from liuti.flow.words import Channel, Role
from liuti.settings import Settings
from liuti.store import passes, people
from liuti.store.act import Desk
from liuti.store.audit import By, note
from liuti.store.contacts import rotate_some
from liuti.store.engine import Blocking, open_engine
from liuti.store.ids import uuid7
from liuti.store.world import import_notice, register_policy
from liuti.store.worlds import Worlds

NOT_THERE = Refused("no_such_person", 404, "没有这个账号。", "There is no such login.")


def hand() -> By:
    """Whoever runs the command, as the audit names them: by what the system calls them, since nobody logged in here."""
    try:
        login = getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container's number without a name
        login = "unnamed"
    return By(f"shell:{login}"[:80], datetime.now(UTC))


def add_user(
    settings: Settings, login: str, name: str, roles: str, unit: str, post: str, level: str, password: str
) -> None:
    """Raises ValueError for an unknown role or a short password, Refused where the rules forbid it."""
    chosen = frozenset(Role(word.strip()) for word in roles.split(",") if word.strip())
    digest = passes.password_hash(password)
    by = hand()
    add = partial(people.add_person, person_id=uuid7(by.at), login=login, name=name, roles=chosen, by=by)
    with Blocking(settings.database_url) as engine:
        engine.write(partial(add, unit=unit, post=post, level=level, password_hash=digest))


def list_users(settings: Settings) -> list[tuple[str, str, str, str, str]]:
    with Blocking(settings.database_url) as engine:
        return engine.read(people.everybody)


def add_unit(settings: Settings, unit: str, name: str, kind: str, supervisor: str) -> None:
    with Blocking(settings.database_url) as engine:
        add = partial(people.add_unit, unit_id=unit, name=name, kind=kind, supervisor=supervisor, by=hand())
        engine.write(add)


def make_token(settings: Settings, login: str, name: str, days: int) -> str:
    with Blocking(settings.database_url) as engine:
        person = engine.read(partial(people.id_of, login=login))
        if person is None:
            raise NOT_THERE
        who, now = hand()
        return engine.write(partial(passes.make_token, person_id=person, name=name, now=now, days=days, by=who))


def revoke(settings: Settings, secret: str) -> None:
    with Blocking(settings.database_url) as engine:
        engine.write(partial(passes.revoke, secret_or_digest=secret, by=hand()))


def add_notice(settings: Settings, words: str) -> None:
    who, now = hand()
    with Blocking(settings.database_url) as engine:
        engine.write(partial(import_notice, words=words, now=now, by=who))


async def import_rows(settings: Settings, path: Path, source: str, columns: str | None, bad_path: Path | None) -> None:
    """Enter a file's rows through the desk, with a bar; says first which column is taken for what.

    Raises SheetUnfit when the file or the map does not fit, ValueError for an unknown source.
    """
    channel = Channel(source)
    bad = bad_path or path.with_name(path.name + ".bad.csv")
    console = Console(stderr=True)
    there = importer.columns_of(path)
    chosen = importer.parse_map(columns) if columns else importer.guess(there)
    console.print(importer.columns_shown(chosen, there))
    if note_ := importer.unverified_shown(channel, chosen):
        console.print(note_, soft_wrap=True)
    engine, worlds = open_engine(settings.database_url, pool=2), Worlds(settings.policy_words())
    try:
        await worlds.refresh(engine)
        desk = Desk(engine, FLOW, worlds, settings.ring(), lambda: datetime.now(UTC), settings.seal)
        with importer.progress_bar(console) as progress:
            outcome = await importer.import_file(
                desk, path, source=channel, columns=chosen, bad_path=bad, progress=progress
            )
    finally:
        await engine.close()
    Console().print(importer.render(outcome, bad))


def keep_policy(settings: Settings) -> int:
    """Register the policy in force under its version, so that a clock's policy can be read years later."""
    words = settings.policy_words() or policy.default_words()
    who, now = hand()
    with Blocking(settings.database_url) as engine:
        return engine.write(partial(register_policy, words=words, now=now, by=who))


def rotate(settings: Settings, shown: Callable[[int], None]) -> int:
    """Seal every contact anew with the newest key, a batch at a time; how many. Safe to break off and run again."""
    ring, after, turned = settings.ring(), "", 0
    with Blocking(settings.database_url) as engine:
        while (step := engine.write(partial(rotate_some, ring=ring, after=after))) is not None:
            after, done = step
            turned += done
            shown(turned)
        engine.write(
            partial(note, by=hand(), act="rotate_keys", subject="contacts", before=None, after={"sealed": turned})
        )
    return turned
