"""A request is whoever its pass says, for as long as the pass holds; a guesser learns nothing and is slowed down."""

from __future__ import annotations

import asyncio
import unicodedata
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from pwdlib import PasswordHash
from sqlalchemy import Connection, event, insert, select, update
from sqlalchemy.engine import Engine as CoreEngine

from liuti.flow.kernel import Actor, Refused
from liuti.flow.words import Role
from liuti.store import passes, people
from liuti.store.audit import By
from liuti.store.engine import Engine
from liuti.store.tables import issues, voices
from liuti.store.tables import passes as passes_table
from liuti.store.tables import people as people_table

NOW = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
BY = By("sys", NOW)
MINUTE = timedelta(minutes=1)
KEPT = PasswordHash.recommended().hash("unlocked-by-rain")


@pytest.fixture
async def office(engine: Engine) -> Engine:
    """One intake officer who can log in, and one person who has no password."""

    def settle(conn: Connection) -> None:
        people.add_person(conn, "he", "he.jia", "何佳", roles={Role.INTAKE}, tip_offs=True, password_hash=KEPT)
        people.add_person(conn, "mute", "mute", "无言")

    await engine.write(settle)
    return engine


async def let_in(office: Engine, login: str, *, ok: bool, now: datetime = NOW) -> str | None:
    return await office.write(partial(passes.login, login=login, ok=ok, now=now))


async def who(office: Engine, secret: str, now: datetime = NOW) -> str | None:
    actor = await office.read(partial(passes.bearer, secret=secret, now=now))
    return None if actor is None else actor.id


async def session(office: Engine, now: datetime = NOW) -> str:
    return await office.write(partial(passes.open_session, person_id="he", now=now))


async def token(office: Engine, days: int | None = 30) -> str:
    return await office.write(partial(passes.make_token, person_id="he", name="热线系统", now=NOW, days=days))


# --- passwords -------------------------------------------------------------------------------------------------------


def test_a_password_opens_its_own_hash_and_no_other() -> None:
    kept = passes.password_hash("落霞与孤鹜齐飞一色")
    assert kept.startswith("$argon2id$")
    assert passes.check_password(kept, "落霞与孤鹜齐飞一色")
    assert not passes.check_password(kept, "落霞与孤鹜齊飞一色")


def test_a_password_is_the_same_from_every_keyboard() -> None:
    assert passes.check_password(passes.password_hash("café-ｃａｆé-1"), unicodedata.normalize("NFD", "café-café-1"))


@pytest.mark.parametrize("text", ["", "seven77", "x" * 129])
def test_a_password_too_short_or_endless_is_refused(text: str) -> None:
    with pytest.raises(Refused) as fault:
        passes.password_hash(text)
    assert (fault.value.code, fault.value.status) == ("weak_password", 422)
    assert not passes.check_password(KEPT, text)


def test_a_login_nobody_has_costs_a_guesser_the_same_work() -> None:
    assert not passes.check_password("", "unlocked-by-rain")
    assert not passes.check_password("", "")
    assert passes._NOBODY.split("$")[:4] == KEPT.split("$")[:4]


async def test_the_hash_to_compare_is_empty_for_whoever_may_not_log_in(office: Engine) -> None:
    for name in (" HE.Jia", "he.jia"):
        assert await office.read(partial(passes.stored_password, login=name)) == KEPT
    for name in ("mute", "nobody"):
        assert await office.read(partial(passes.stored_password, login=name)) == ""
    await office.write(partial(passes.set_active, person_id="he", by=BY, active=False))
    assert await office.read(partial(passes.stored_password, login="he.jia")) == ""
    assert await let_in(office, "he.jia", ok=True) is None


# --- logging in ------------------------------------------------------------------------------------------------------


async def test_ten_wrong_tries_lock_the_account_for_fifteen_minutes(office: Engine) -> None:
    for _ in range(9):
        assert await let_in(office, "he.jia", ok=False) is None
    assert await let_in(office, "he.jia", ok=True) == "he"
    for _ in range(10):
        assert await let_in(office, "he.jia", ok=False) is None
    assert await let_in(office, "he.jia", ok=True, now=NOW + 15 * MINUTE - timedelta(seconds=1)) is None
    assert await let_in(office, "he.jia", ok=True, now=NOW + 15 * MINUTE) == "he"


async def test_tries_during_the_rest_do_not_prolong_it(office: Engine) -> None:
    for _ in range(30):
        await let_in(office, "he.jia", ok=False)
    assert await let_in(office, "he.jia", ok=True, now=NOW + 15 * MINUTE) == "he"


async def test_after_the_rest_ten_more_tries_are_free(office: Engine) -> None:
    for _ in range(10):
        await let_in(office, "he.jia", ok=False)
    later = NOW + 16 * MINUTE
    for _ in range(9):
        await let_in(office, "he.jia", ok=False, now=later)
    assert await let_in(office, "he.jia", ok=True, now=later) == "he"


async def test_guesses_made_at_once_are_all_counted(office: Engine) -> None:
    assert await asyncio.gather(*(let_in(office, "he.jia", ok=False) for _ in range(10))) == [None] * 10
    assert await let_in(office, "he.jia", ok=True) is None


async def test_a_stranger_is_answered_like_somebody_who_mistyped(office: Engine) -> None:
    for _ in range(12):
        assert await let_in(office, "nobody", ok=False) is None
    assert await let_in(office, "nobody", ok=True) is None


async def test_a_new_password_wakes_the_account_and_ends_its_sessions(office: Engine) -> None:
    old, program = await session(office), await token(office)
    for _ in range(10):
        await let_in(office, "he.jia", ok=False)
    await office.write(partial(passes.set_password, person_id="he", kept=KEPT, by=BY))
    assert await let_in(office, "he.jia", ok=True) == "he"
    assert (await who(office, old), await who(office, program)) == (None, "he")


async def test_a_stranger_has_no_password_to_set_and_no_token_to_make(office: Engine) -> None:
    for work in (
        partial(passes.set_password, person_id="nobody", kept=KEPT, by=BY),
        partial(passes.set_active, person_id="nobody", by=BY, active=True),
        partial(passes.make_token, person_id="nobody", name="x", now=NOW, days=1),
    ):
        with pytest.raises(Refused) as fault:
            await office.write(work)
        assert fault.value.status == 404


# --- passes ----------------------------------------------------------------------------------------------------------


async def test_a_pass_stands_for_its_person_with_the_roles_of_the_moment(office: Engine) -> None:
    secret = await session(office)
    shown = Actor("he", frozenset({Role.INTAKE}), name="何佳", tip_offs=True)
    assert await office.read(partial(passes.bearer, secret=secret, now=NOW)) == shown
    assert await office.read(partial(people.actor_of, person_id="he")) == shown
    await office.write(
        lambda conn: people.set_roles(conn, Actor("sec", frozenset({Role.SECADMIN})), "he", {Role.CALLER}, NOW)
    )
    actor = await office.read(partial(passes.bearer, secret=secret, now=NOW))
    assert actor is not None and actor.roles == {Role.CALLER}


async def test_a_session_ends_after_its_hours_and_a_token_after_its_days(office: Engine) -> None:
    desk, program, forever = await session(office), await token(office), await token(office, None)
    for secret, length in ((desk, timedelta(hours=12)), (program, timedelta(days=30))):
        assert await who(office, secret, NOW + length - MINUTE) == "he"
        assert await who(office, secret, NOW + length) is None
    assert await who(office, forever, NOW + timedelta(days=3650)) == "he"


async def test_a_revoked_pass_is_dead_and_the_others_live(office: Engine) -> None:
    desk, program = await session(office), await token(office)
    assert await office.write(partial(passes.revoke, secret_or_digest=desk, by=BY))
    assert not await office.write(partial(passes.revoke, secret_or_digest=desk, by=BY))
    assert (await who(office, desk), await who(office, program)) == (None, "he")
    (left,) = await office.read(partial(passes.passes_of, person_id="he", now=NOW))
    assert (left.kind, left.name, left.made_at) == ("token", "热线系统", NOW)
    assert await office.write(partial(passes.revoke, secret_or_digest=left.digest, by=BY))
    assert await who(office, program) is None


async def test_whoever_is_kept_out_does_not_come_back_by_an_old_pass(office: Engine) -> None:
    secrets = [await session(office), await token(office)]
    await office.write(lambda conn: conn.execute(update(people_table).values(active=False)))
    assert [await who(office, secret) for secret in secrets] == [None, None]
    await office.write(lambda conn: conn.execute(update(people_table).values(active=True)))
    assert [await who(office, secret) for secret in secrets] == ["he", "he"]
    for active in (False, True):
        await office.write(partial(passes.set_active, person_id="he", by=BY, active=active))
    assert [await who(office, secret) for secret in secrets] == [None, None]


@pytest.mark.parametrize("secret", ["", "la1.", "la1.guess", "he", "lv1." + "x" * 44, "la1.\x00", "la1.\ud800"])
async def test_a_guess_is_nobody(office: Engine, secret: str) -> None:
    await session(office)
    assert await who(office, secret) is None


async def test_the_database_holds_no_secret(office: Engine) -> None:
    secret = await session(office)
    rows = await office.read(lambda conn: conn.execute(select(passes_table)).all())
    assert secret not in str(rows) and secret.removeprefix(passes.PREFIX) not in str(rows)


async def test_old_sessions_are_swept_and_tokens_stay(office: Engine) -> None:
    await session(office, NOW - timedelta(days=40))
    desk, _ = await session(office), await token(office)
    assert await office.write(partial(passes.sweep_passes, before=NOW - timedelta(days=30))) == 1
    assert await who(office, desk) == "he"
    assert len(await office.read(partial(passes.passes_of, person_id="he", now=NOW))) == 2


# --- voices ----------------------------------------------------------------------------------------------------------


def voice(**values: Any) -> dict[str, Any]:
    row = {
        "act": "submit",
        "household": "h",
        "channel": "web",
        "verified": False,
        "staff": False,
        "words": "",
        "at": NOW,
    }
    return row | {"issue_id": "i1", "origin_id": "i1"} | values


@pytest.fixture
async def spoken(office: Engine) -> Engine:
    def speak(conn: Connection) -> None:
        filled: dict[str, Any] = {
            column.name: {str: "x", int: 1, bool: False}.get(getattr(column.type, "python_type", str), NOW)
            for column in issues.columns
            if not column.nullable
        }
        at = dict.fromkeys(("submitted_at", "deadline"), NOW)
        conn.execute(insert(issues), [filled | at | {"id": name, "query_code": name} for name in ("i1", "i2")])
        conn.execute(insert(voices), [voice(id="v1"), voice(id="v2", issue_id="i2")])
        conn.execute(insert(voices), [voice(id="v3", left_at=NOW)])

    await office.write(speak)
    return office


async def test_a_voice_speaks_on_its_issue_and_as_a_citizen_only(spoken: Engine) -> None:
    found = await spoken.read(partial(passes.voice_actor, voice_id="v1"))
    assert found == Actor("v1", frozenset({Role.CITIZEN}), voice="v1", issue="i1", origin="i1")


async def test_a_voice_that_was_moved_speaks_where_it_stands_and_knows_where_it_came_from(spoken: Engine) -> None:
    found = await spoken.read(partial(passes.voice_actor, voice_id="v2"))
    assert found is not None and (found.issue, found.origin) == ("i2", "i1")


async def test_a_voice_that_left_is_silent(spoken: Engine) -> None:
    assert await spoken.read(partial(passes.voice_actor, voice_id="v3")) is None
    assert await spoken.read(partial(passes.voice_actor, voice_id="nobody")) is None


async def test_a_request_is_known_by_one_statement(spoken: Engine) -> None:
    secret = await session(spoken)
    said: list[str] = []

    def note(_conn: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        said.append(statement)

    event.listen(CoreEngine, "before_cursor_execute", note)
    try:
        await who(spoken, secret)
        await spoken.read(partial(passes.voice_actor, voice_id="v1"))
        await who(spoken, "no secret of ours")
    finally:
        event.remove(CoreEngine, "before_cursor_execute", note)
    assert len(said) == 2
