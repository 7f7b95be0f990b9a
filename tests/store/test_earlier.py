"""What else a person brought up is found by their phone, never by where they wrote from."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, insert

from liuti.flow.issue import Issue
from liuti.store import earlier
from liuti.store.engine import Engine
from liuti.store.rows import columns_of, first_columns_of
from liuti.store.tables import issues, voices

NOW = datetime(2026, 3, 2, 2, tzinfo=UTC)
PHONE, PLACE = "a" * 64, "net:" + "b" * 32


def put(conn: Connection, number: int, person: str | None, left: bool = False, joined: int | None = None) -> None:
    """Issue `number`, raised by `person`; `joined`: its voice has moved along into that one."""
    words = {"title": "t", "body": "b", "place": "p", "query_code": f"code{number}", "head": ""}
    made = Issue(f"i{number}", submitted=NOW, proposer=f"v{number}", voices=1)
    row = columns_of(made) | first_columns_of(made) | words | {"id": f"i{number}"}
    conn.execute(insert(issues), row)
    voice: dict[str, Any] = {
        "id": f"v{number}", "issue_id": f"i{joined or number}", "origin_id": f"i{number}", "act": "submit", "person": person,
        "household": "h", "channel": "web", "verified": False, "staff": False, "words": "",
        "at": NOW + timedelta(minutes=number), "left_at": NOW if left else None,
    }  # fmt: skip
    conn.execute(insert(voices), voice)


async def test_the_latest_first_without_the_one_at_hand_and_what_was_withdrawn(engine: Engine) -> None:
    def written(conn: Connection) -> list[str]:
        for number in (1, 2, 3):
            put(conn, number, PHONE)
        put(conn, 4, PHONE, left=True)
        put(conn, 5, "c" * 64)
        put(conn, 6, PHONE, joined=5)
        return earlier.of_voice(conn, "v2", "i2")

    assert await engine.write(written) == ["i6", "i3", "i1"]
    assert await engine.read(lambda conn: earlier.of_phone(conn, PHONE)) == ["i6", "i3", "i2", "i1"]


async def test_one_network_is_not_one_person(engine: Engine) -> None:
    def written(conn: Connection) -> list[str]:
        put(conn, 1, PLACE)
        put(conn, 2, PLACE)
        put(conn, 3, None)
        put(conn, 4, None)
        return earlier.of_voice(conn, "v2", "i2") + earlier.of_voice(conn, "v4", "i4")

    assert await engine.write(written) == []


async def test_no_more_than_ten_are_named(engine: Engine) -> None:
    def written(conn: Connection) -> list[str]:
        for number in range(1, 14):
            put(conn, number, PHONE)
        return earlier.of_phone(conn, PHONE)

    assert await engine.write(written) == [f"i{number}" for number in range(13, 3, -1)]
