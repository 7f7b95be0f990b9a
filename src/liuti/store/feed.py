"""What was just written into the ledger, read onwards by time: once each, also what was committed later than it is dated."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import NamedTuple

from msgspec import DecodeError, Struct, json
from sqlalchemy import Connection, Integer, String, bindparam, case, select, tuple_

from liuti.flow.issue import Issue
from liuti.store import read
from liuti.store.tables import Moment, entries

OVERLAP = timedelta(minutes=2)
"""How long after its `at` an entry may be committed and is not missed: waiting for a connection (30 s), a lock (5 s) and
the statements, and servers whose clocks differ, stay below it together."""
AGAIN = 4000
"""Where more than these were written within the overlap, it reaches back over so many only: a reading stays bounded."""
PAGE, PAGES = 5000, 4
"""Entries a statement, and statements a reading, at most. A quiet district's reading is one statement."""
TOLD = 1000
"""News that are told one by one: beyond so many, whoever shows a list had better read it again."""


class Line(NamedTuple):
    """An entry without its words. `facts` is there where they say what of it is told: of a grant what was granted, of progress
    whether it is public."""

    issue: str
    version: int
    at: datetime
    move: str
    role: str
    from_step: str | None
    to_step: str
    awaits: str
    facts: str | None


class Mark(Struct, frozen=True, array_like=True):
    """How far somebody has read: up to the entry `issue`, `version` of `at` in the order of the feed, and of what stands
    before it, from `since` on, `seen` entries whose weights sum to `weight`. With that, another process, or this one
    after a restart, can tell whether something was committed in between that the reader has not seen."""

    since: datetime
    at: datetime
    issue: str = ""
    version: int = 0
    seen: int = 0
    weight: int = 0


MARK = json.Decoder(Mark)
_ORDER = (entries.c.at, entries.c.issue_id, entries.c.version)
_AFTER = (
    select(
        entries.c.issue_id, entries.c.version, entries.c.at, entries.c.move, entries.c.role, entries.c.from_step,
        entries.c.to_step, entries.c.awaits, case((entries.c.move.in_(("grant", "progress")), entries.c.facts)),
    )
    .where(
        tuple_(*_ORDER)
        > tuple_(bindparam("at", type_=Moment), bindparam("issue", type_=String), bindparam("version", type_=Integer))
    )
    .order_by(*_ORDER)
    .limit(bindparam("most", type_=Integer))
)  # fmt: skip


def since(conn: Connection, at: datetime, most: int = PAGE * PAGES) -> list[Line]:
    """The entries dated `at` or later in the order of the feed (time, then issue and version), `most` of them."""
    found: list[Line] = []
    last = (at, "", 0)
    while len(found) < most:
        page = min(PAGE, most - len(found))
        given = {"at": last[0], "issue": last[1], "version": last[2], "most": page}
        rows = [Line(*row) for row in conn.execute(_AFTER, given)]
        found += rows
        if len(rows) < page:
            break
        last = (rows[-1].at, rows[-1].issue, rows[-1].version)
    return found


class News(NamedTuple):
    """What a reading found, and the issues the entries not known before are of, as they were at that moment."""

    rows: list[Line]
    issues: dict[str, Issue]
    """Empty where more than `TOLD` entries are new."""


def news(conn: Connection, at: datetime, known: Collection[tuple[str, int]], most: int = PAGE * PAGES) -> News:
    """One statement while nothing is new, else two. Reads `known`, changes nothing: it may be run again."""
    rows = since(conn, at, most)
    new = [row.issue for row in rows if (row.issue, row.version) not in known]
    found = read.several(conn, sorted(set(new))) if len(new) <= TOLD else {}
    return News(rows, {name: one.issue for name, one in found.items()})


def gap(conn: Connection, mark: Mark) -> News | None:
    """What somebody with that mark has missed and the issues it is of; None when it is too much, or cannot be told."""
    rows = since(conn, mark.since, AGAIN + TOLD)
    left = missed(rows, mark) if len(rows) < AGAIN + TOLD else None
    if left is None or len(left) > TOLD:
        return None
    found = read.several(conn, sorted({row.issue for row in left}))
    return News(left, {name: one.issue for name, one in found.items()})


def weigh(issue: str, version: int) -> int:
    return int.from_bytes(blake2b(f"{issue}/{version}".encode(), digest_size=6).digest(), "big")


def read_mark(text: str) -> Mark | None:
    """The mark `json.encode` wrote; None for anything else."""
    try:
        return MARK.decode(text)
    except DecodeError:
        return None


@dataclass(slots=True)
class Tail:
    """The end of the ledger as one reader has it. Give `take` what `since(conn, tail.begin(now))` found, again and again:
    it names each entry once, in the order they became known.

    What is dated before `begin` is not news: an import of old matters is silent.
    """

    floor: datetime
    last: tuple[datetime, str, int] | None = None
    """The furthest entry known, in the order of the feed."""
    known: dict[tuple[str, int], datetime] = field(default_factory=dict)
    weight: int = 0

    @classmethod
    def starting(cls, now: datetime) -> Tail:
        return cls(now - OVERLAP)

    def begin(self, now: datetime) -> datetime:
        """From when to read again. It never goes back: what was forgotten would be news a second time."""
        newest = min(self.last[0], now) if self.last is not None else now
        self._forget(max(self.floor, newest - OVERLAP))
        return self.floor

    def take(self, rows: Sequence[Line]) -> list[tuple[Line, Mark]]:
        """The entries not known yet, each with the mark of whoever has read up to it."""
        place = self._place(rows)
        fresh = []
        for number, row in enumerate(rows):
            key = (row.issue, row.version)
            if key in self.known:
                continue
            self.known[key] = row.at
            self.weight += weigh(*key)
            if number > place:
                self.last = (row.at, row.issue, row.version)
            fresh.append((row, self.mark()))
        return fresh

    def mark(self) -> Mark:
        at, issue, version = self.last or (self.floor, "", 0)
        return Mark(self.floor, at, issue, version, len(self.known), self.weight)

    def has_passed(self, row: Line) -> bool:
        """Whether it will not be news to this reader any more."""
        return (row.issue, row.version) in self.known or row.at < self.floor

    def _place(self, rows: Sequence[Line]) -> int:
        """Where among the rows the furthest entry known stands; -1 when all of them lie beyond it. The database's order
        decides between those of one moment: it need not be Python's."""
        if self.last is None:
            return -1
        return position(rows, self.last[1], self.last[2])

    def _forget(self, floor: datetime) -> None:
        if len(self.known) > AGAIN:
            floor = max(floor, sorted(self.known.values())[-AGAIN])
        self.floor = floor
        for key in [key for key, at in self.known.items() if at < floor]:
            del self.known[key]
            self.weight -= weigh(*key)


def marks(rows: Sequence[Line], mark: Mark) -> list[Mark]:
    """Of the entries that follow a mark, the mark of whoever has read up to each."""
    made = []
    seen, weight = mark.seen, mark.weight
    for row in rows:
        seen, weight = seen + 1, weight + weigh(row.issue, row.version)
        made.append(Mark(mark.since, row.at, row.issue, row.version, seen, weight))
    return made


def position(rows: Sequence[Line], issue: str, version: int) -> int:
    """The number of that entry's row; -1 when it is not among them."""
    return next((n for n, row in enumerate(rows) if row.version == version and row.issue == issue), -1)


def missed(rows: Sequence[Line], mark: Mark) -> list[Line] | None:
    """Of what `since(conn, mark.since)` found, what a reader with that mark has not had.

    None when it cannot be told: something was committed behind the reader's back that is dated before what it has read,
    or the ledger is another one.
    """
    place = position(rows, mark.issue, mark.version)
    before = rows[: place + 1]
    if len(before) != mark.seen or sum(weigh(row.issue, row.version) for row in before) != mark.weight:
        return None
    return list(rows[place + 1 :])
