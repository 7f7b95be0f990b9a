"""A code proves one phone for one voice: for ten minutes, five tries, a few a day; and nobody reads it in the database."""

from __future__ import annotations

import asyncio
import os
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection, insert, select

from liuti.flow.kernel import Refused
from liuti.settings import new_key
from liuti.store import codes
from liuti.store.codes import LIMITS, phone_codes
from liuti.store.engine import Engine, open_engine
from liuti.store.tables import issues, voices
from liuti.store.vault import KeyRing

NOON = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
RING = KeyRing.parse(new_key())
VOICE, OTHER = "019aa000-0000-7000-8000-000000000001", "019aa000-0000-7000-8000-000000000002"
PHONE, HERE = "13812341234", "net:here"


def _settle(conn: Connection) -> None:
    issue = {
        "id": "i", "query_code": "q", "version": 1, "step": "propose", "kind": "help", "urgency": "general",
        "category": "", "grid": "", "source": "web", "public": False, "overdue": False, "provisional": False,
        "deadline": NOON, "title": "", "body": "", "place": "", "state": "", "head": "",
    }  # fmt: skip
    conn.execute(insert(issues), [issue | {"submitted_at": NOON}])
    plain = {
        "issue_id": "i", "origin_id": "i", "act": "submit", "household": "h", "channel": "web", "verified": False,
        "staff": False, "words": "", "at": NOON,
    }  # fmt: skip
    conn.execute(insert(voices), [plain | {"id": VOICE}, plain | {"id": OTHER}])


@pytest.fixture
async def settled(engine: Engine) -> Engine:
    await engine.write(_settle)
    return engine


async def kept(
    engine: Engine, code: str = "048213", at: datetime = NOON, voice: str = VOICE, phone: str = PHONE, place: str = HERE
) -> None:
    await engine.write(lambda conn: codes.keep(conn, RING, voice, phone, place, code, at))


async def tried(
    engine: Engine, code: str = "048213", at: datetime = NOON, voice: str = VOICE, phone: str = PHONE
) -> int | None:
    return await engine.write(lambda conn: codes.prove(conn, RING, voice, phone, code, at))


async def verified(engine: Engine, voice: str = VOICE) -> bool:
    return await engine.read(lambda conn: codes.is_verified(conn, voice))


async def refusal(engine: Engine, **given: object) -> Refused:
    with pytest.raises(Refused) as refused:
        await kept(engine, **given)  # type: ignore[arg-type]
    return refused.value


async def test_the_right_code_verifies_the_voice_once(settled: Engine) -> None:
    await kept(settled)
    assert not await verified(settled)
    assert await tried(settled) is None
    assert await verified(settled) and not await verified(settled, OTHER)
    assert await tried(settled) == 0, "it is used"


async def test_neither_code_nor_phone_stands_in_the_database(settled: Engine) -> None:
    await kept(settled)
    (row,) = await settled.read(lambda conn: conn.execute(select(phone_codes)).mappings().all())
    assert "048213" not in str(dict(row)) and PHONE not in str(dict(row))
    assert row["digest"] not in {RING.name_hash("048213"), RING.phone_hash("048213")}


async def test_a_code_proves_nothing_else(settled: Engine) -> None:
    await kept(settled)
    assert await tried(settled, voice=OTHER) == 0
    assert await tried(settled, phone="13812341235") == 4
    assert await tried(settled, "048214") == 3
    assert not await verified(settled) and not await verified(settled, OTHER)
    assert await tried(settled) is None


async def test_the_fifth_wrong_try_is_the_last(settled: Engine) -> None:
    await kept(settled)
    assert [await tried(settled, "999999") for _ in range(6)] == [4, 3, 2, 1, 0, 0]
    assert await tried(settled) == 0 and not await verified(settled)
    await kept(settled, "111111", NOON + timedelta(seconds=60))
    assert await tried(settled, "111111", NOON + timedelta(seconds=60)) is None


async def test_many_tries_at_once_are_five(database_url: str) -> None:
    engine = open_engine(database_url, pool=8)
    try:
        await engine.write(_settle)
        await kept(engine)
        left = await asyncio.gather(*(tried(engine, "999999") for _ in range(20)))
    finally:
        await engine.close()
    assert sorted(n for n in left if n) == [1, 2, 3, 4] and left.count(0) == 16


async def test_a_code_is_valid_for_ten_minutes(settled: Engine) -> None:
    await kept(settled)
    assert await tried(settled, at=NOON + timedelta(minutes=10)) == 0
    assert await tried(settled, at=NOON + timedelta(minutes=10, microseconds=-1)) is None


async def test_a_new_code_ends_the_one_before(settled: Engine) -> None:
    later = NOON + timedelta(seconds=60)
    await kept(settled, "111111")
    await kept(settled, "222222", later)
    assert await tried(settled, "111111", later) == 4
    assert await tried(settled, "222222", later) is None


async def test_the_next_code_to_a_phone_waits_a_minute_whoever_asks(settled: Engine) -> None:
    await kept(settled)
    fault = await refusal(settled, at=NOON + timedelta(seconds=59, microseconds=1), voice=OTHER, place="net:there")
    assert (fault.status, fault.code, fault.extra) == (429, "too_soon", {"retry_after": 1})
    await kept(settled, phone="13812341235", at=NOON)
    await kept(settled, at=NOON + timedelta(seconds=60))


async def test_a_phone_gets_so_many_codes_a_day(settled: Engine) -> None:
    for n in range(LIMITS.per_phone):
        await kept(settled, at=NOON + timedelta(minutes=n), place=f"net:{n}")
    last = NOON + timedelta(minutes=LIMITS.per_phone)
    fault = await refusal(settled, at=last, voice=OTHER, place="net:another")
    assert (fault.status, fault.code) == (429, "too_many_codes")
    await kept(settled, at=last, phone="13812341235")
    await kept(settled, at=NOON + timedelta(days=1))


async def test_an_address_asks_for_so_many_codes_a_day(settled: Engine) -> None:
    for n in range(LIMITS.per_place):
        await kept(settled, phone=f"138000000{n:02}")
    assert (await refusal(settled, phone="13900000000")).code == "too_many_codes"
    await kept(settled, phone="13900000000", place="net:there")
    await kept(settled, phone="13900000001", at=NOON + timedelta(days=1))


async def test_many_at_once_are_one_code(database_url: str) -> None:
    engine = open_engine(database_url, pool=8)
    try:
        await engine.write(_settle)
        await asyncio.gather(*(engine.read(lambda conn: codes.is_verified(conn, VOICE)) for _ in range(8)))
        done = await asyncio.gather(
            *(kept(engine, voice=(VOICE, OTHER)[n % 2], place=f"net:{n % 3}") for n in range(12)),
            return_exceptions=True,
        )
        rows = await engine.read(lambda conn: conn.execute(select(phone_codes)).all())
    finally:
        await engine.close()
    assert done.count(None) == len(rows) == 1
    assert all(isinstance(one, Refused) and one.code == "too_soon" for one in done if one is not None)


async def test_old_codes_are_forgotten_when_no_limit_looks_back_to_them(settled: Engine) -> None:
    await kept(settled)
    assert await settled.write(lambda conn: codes.forget(conn, NOON + codes.KEPT)) == 0
    assert await settled.write(lambda conn: codes.forget(conn, NOON + codes.KEPT + timedelta(seconds=1))) == 1
    assert codes.KEPT > codes.DAY


def test_a_code_has_six_digits_also_when_it_begins_with_noughts() -> None:
    assert codes.code_of(bytes(8)) == "000000" and codes.code_of((1_000_042).to_bytes(8)) == "000042"
    assert all(len(made) == 6 and made.isdecimal() for made in (codes.code_of(os.urandom(8)) for _ in range(100)))
    with pytest.raises(ValueError, match="8 random bytes"):
        codes.code_of(b"1234567")
