"""Who changed what: every administrative change leaves a row, in the same transaction, without secrets."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import Connection, text

from liuti import office
from liuti.calendars import words_of
from liuti.flow.kernel import Actor, Refused
from liuti.flow.words import Role
from liuti.policy import default_words
from liuti.settings import Settings, new_key
from liuti.store import audit, passes, people
from liuti.store.audit import By
from liuti.store.engine import Engine
from liuti.store.world import import_notice, register_policy

NOW = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
BY = By("sys", NOW)
SECADMIN = Actor("sec", frozenset({Role.SECADMIN}))


async def rows(engine: Engine, **wish: Any) -> list[dict[str, Any]]:
    return (await engine.read(partial(audit.page, **wish))).rows


@pytest.fixture
async def zhou(engine: Engine) -> Engine:
    """An officer of the water company, who can log in; nothing of it is on record."""

    def settle(conn: Connection) -> None:
        people.add_unit(conn, "water", "供水公司", "department")
        people.add_person(conn, "zhou", "zhou", "周敏", roles={Role.OFFICER}, unit="water", password_hash="$old")

    await engine.write(settle)
    assert await rows(engine) == []
    return engine


Change = Callable[[Connection], Any]
CHANGES: dict[str, tuple[Change, str, Any, Any]] = {
    "set_roles": (
        lambda conn: people.set_roles(conn, SECADMIN, "zhou", {Role.UNIT_HEAD}, NOW), "zhou",
        {"roles": "officer"}, {"roles": "unit_head"},
    ),
    "add_unit": (
        lambda conn: people.add_unit(conn, "gas", "燃气公司", "department", by=BY), "gas",
        None, {"id": "gas", "name": "燃气公司", "kind": "department", "supervisor": None, "active": True},
    ),
    "supervise": (
        lambda conn: people.supervise(conn, "water", "zhou", by=BY), "water", {"supervisor": None}, {"supervisor": "zhou"},
    ),
    "add_person": (
        lambda conn: people.add_person(conn, "wu", "Wu.Di", "吴迪", unit="water", password_hash="$hash", by=BY), "wu", None,
        {"id": "wu", "login": "wu.di", "post": "", "unit_id": "water", "level": "", "grid": "", "roles": "",
         "tip_offs": False, "former_units": "", "active": True},
    ),
    "set_password": (lambda conn: passes.set_password(conn, "zhou", "$new", BY), "zhou", None, {"sessions_ended": 0}),
    "set_active": (
        lambda conn: passes.set_active(conn, "zhou", BY, active=False), "zhou",
        {"active": True, "passes_ended": None}, {"active": False, "passes_ended": 0},
    ),
}  # fmt: skip


@pytest.mark.parametrize("act", CHANGES)
async def test_a_change_says_who_made_it_from_what_to_what_and_when(zhou: Engine, act: str) -> None:
    change, subject, before, after = CHANGES[act]
    await zhou.write(change)
    who = "sec" if act == "set_roles" else "sys"
    expected = {"id": 1, "at": NOW, "by": who, "act": act, "subject": subject, "before": before, "after": after}
    assert await rows(zhou) == [expected]
    whole = str(await zhou.read(lambda conn: conn.execute(text("SELECT * FROM audit")).all()))
    assert not any(secret in whole for secret in ("$old", "$new", "$hash", "周敏", "吴迪"))


async def test_a_pass_is_on_record_when_it_is_made_and_when_it_is_ended_and_its_secret_is_not(zhou: Engine) -> None:
    later = By("zhou", NOW + timedelta(hours=1))
    secret = await zhou.write(partial(passes.make_token, person_id="zhou", name="热线", now=NOW, days=1, by="sys"))
    assert await zhou.write(partial(passes.revoke, secret_or_digest=secret, by=later))
    assert not await zhou.write(partial(passes.revoke, secret_or_digest=secret, by=later))
    ended, made = await rows(zhou)
    assert (made["act"], made["by"], made["subject"], made["before"]) == ("make_token", "sys", "zhou", None)
    assert (ended["act"], ended["by"], ended["at"], ended["after"]) == ("revoke", "zhou", later.at, None)
    assert ended["before"]["pass"] == made["after"]["pass"]
    assert secret not in str([made, ended])


async def test_a_new_password_and_a_person_kept_out_say_how_many_passes_they_ended(zhou: Engine) -> None:
    for _ in range(2):
        await zhou.write(partial(passes.open_session, person_id="zhou", now=NOW))
    await zhou.write(partial(passes.set_password, person_id="zhou", kept="$new", by=BY))
    await zhou.write(partial(passes.open_session, person_id="zhou", now=NOW))
    await zhou.write(partial(passes.set_active, person_id="zhou", by=BY, active=False))
    kept_out, password = await rows(zhou)
    assert (password["after"], kept_out["after"]["passes_ended"]) == ({"sessions_ended": 2}, 1)


async def test_the_rules_that_were_brought_in_are_on_record_with_what_they_replaced(engine: Engine) -> None:
    amended = words_of(2026).replace("2026-01-03", "2026-01-04").replace("worked = [2026-01-04]", "worked = []")
    await engine.write(partial(register_policy, words=default_words(), now=NOW, by="sys"))
    await engine.write(partial(register_policy, words=default_words(), now=NOW, by="sys"))
    await engine.write(partial(import_notice, words=amended, now=NOW, by="sys"))
    notice, policy = await rows(engine)
    assert (policy["act"], policy["before"]) == ("register_policy", None), "the second time nothing was changed"
    assert (notice["act"], notice["subject"]) == ("import_notice", "2026")
    assert (notice["before"], notice["after"]) == ({"words": words_of(2026)}, {"words": amended})


async def test_what_is_refused_leaves_no_row(zhou: Engine) -> None:
    for change in (
        lambda conn: people.set_roles(conn, SECADMIN, "zhou", {Role.SYSADMIN, Role.OFFICER}, NOW),
        lambda conn: people.set_roles(conn, SECADMIN, "nobody", {Role.OFFICER}, NOW),
        lambda conn: people.add_person(conn, "x", "zhou", "周敏", by=BY),
        lambda conn: passes.set_password(conn, "nobody", "$new", BY),
        lambda conn: passes.set_active(conn, "nobody", BY, active=True),
    ):
        with pytest.raises(Refused):
            await zhou.write(change)
    assert await rows(zhou) == []


async def test_the_book_is_read_from_its_end_page_by_page_and_by_its_subject(engine: Engine) -> None:
    def fill(conn: Connection) -> None:
        for n in range(7):
            audit.note(conn, By("sys", NOW), "act", f"s{n % 2}", None, {"n": n})

    await engine.write(fill)
    read, cursor = [], ""
    while True:
        page = await engine.read(partial(audit.page, cursor=cursor, limit=3))
        read.append([row["after"]["n"] for row in page.rows])
        if page.cursor is None:
            break
        cursor = page.cursor
    assert read == [[6, 5, 4], [3, 2, 1], [0]]
    assert [row["after"]["n"] for row in await rows(engine, subject="s1")] == [5, 3, 1]
    for bad in ("x", "-1", "٣", "9" * 19):
        with pytest.raises(Refused) as fault:
            await engine.read(partial(audit.page, cursor=bad))
        assert (fault.value.code, fault.value.status) == ("bad_cursor", 422)


async def test_what_is_done_from_the_command_line_names_who_ran_it(
    engine: Engine, database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LOGNAME", "root-of-town")
    settings = Settings(database_url=database_url, keys=SecretStr(new_key()), files_dir=tmp_path)

    def work() -> None:
        office.add_unit(settings, "water", "供水公司", "department", "")
        office.add_user(settings, "zhou", "周敏", "officer", "water", "", "", "rain-after-snow")
        office.revoke(settings, office.make_token(settings, "zhou", "热线", 1))
        office.keep_policy(settings)
        office.add_notice(settings, words_of(2026))
        office.rotate(settings, lambda _turned: None)

    import asyncio

    await asyncio.to_thread(work)
    found = await rows(engine)
    acts = ["rotate_keys", "import_notice", "register_policy", "revoke", "make_token", "add_person", "add_unit"]
    assert [row["act"] for row in found] == acts
    assert {row["by"] for row in found} == {"shell:root-of-town"}
    assert "rain-after-snow" not in str(found)
