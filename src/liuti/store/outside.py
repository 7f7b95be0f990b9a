"""What other systems send: known by its number there, entered row by row without harm to its neighbours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

from sqlalchemy import Connection, bindparam, select
from sqlalchemy.exc import IntegrityError

from liuti.store.tables import issues

T = TypeVar("T")

_KNOWN = select(issues.c.external_id, issues.c.title, issues.c.body).where(
    issues.c.source == bindparam("source"), issues.c.external_id.in_(bindparam("numbers", expanding=True))
)


class Words(NamedTuple):
    """What an issue says, as it was brought in; the text may have grown since by a supplement."""

    title: str
    text: str


def known(conn: Connection, source: str, numbers: Sequence[str]) -> dict[str, Words]:
    """The issues that this source has sent before, by its own numbers; one statement."""
    found = conn.execute(_KNOWN, {"source": source, "numbers": list(numbers)})
    return {number: Words(title, body) for number, title, body in found}


def apart(conn: Connection, work: Callable[[], T]) -> T:
    """Do the work in a savepoint: whatever it raises undoes its own writes and none of its neighbours'.

    Where another writer was first with the same number it is done once more, and finds what is there.
    """
    try:
        with conn.begin_nested():
            return work()
    except IntegrityError:
        with conn.begin_nested():
            return work()
