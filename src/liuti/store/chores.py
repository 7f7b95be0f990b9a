"""Work that is done once in a while: whichever worker comes first takes it, the others find it taken."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, bindparam, update
from sqlalchemy.dialects import postgresql, sqlite

from liuti.store.tables import Moment
from liuti.store.tables_rank import chores

_TAKE = update(chores).where(chores.c.name == bindparam("b_name"), chores.c.at < bindparam("due", type_=Moment))


def take(conn: Connection, name: str, due: datetime, now: datetime) -> bool:
    """Whether this is the one to do what was due then; at most one caller hears yes, until it is due again.

    A worker that dies over it leaves it undone until the next time: for what is made anew anyway.
    """
    make = postgresql.insert if conn.dialect.name == "postgresql" else sqlite.insert
    first = make(chores).on_conflict_do_nothing()
    if conn.execute(first, {"name": name, "at": now}).rowcount == 1:
        return True
    return conn.execute(_TAKE, {"b_name": name, "due": due, "at": now}).rowcount == 1
