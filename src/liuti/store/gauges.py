"""How the house stands, in a few bounded numbers, for whoever watches over the machine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from msgspec import Struct, json
from sqlalchemy import Connection, Integer, Select, bindparam, func, literal, select, text, union_all

from liuti.flow.issue import Timer
from liuti.flow.words import Step
from liuti.store.tables import issues, letters

COUNTED = 10_000
"""Nothing is counted beyond this: a scrape must not grow with the tables."""
LOOKED_AT = 2000
"""Late issues whose rung is looked up."""


class Standing(NamedTuple):
    """The numbers of one moment; counts stop at `COUNTED`."""

    steps: dict[str, int]
    late: int
    rungs: dict[int, int]
    """Of the first `LOOKED_AT` late issues: how many stand on each rung of the ladder (docs/rules.md §5): 0 overdue and
    not yet urged, 1 urged, 2 an order drafted, 3 an interview proposed. The highest of its clocks counts."""
    letters_waiting: int
    letters_dead: int
    oldest_due: datetime | None
    """The earliest moment at which time has to act on an issue."""
    oldest_letter: datetime | None
    """The earliest moment at which a letter has to leave."""


class _Clocks(Struct):
    """As much of an issue's state as its rung takes: the rest is not even decoded."""

    timers: tuple[Timer, ...] = ()


_CLOCKS = json.Decoder(_Clocks)
# Written bare, as in the partial index: `= 1` would not match it on SQLite.
_IS_LATE = text("issues.overdue")


def _bounded(name: str, rows: Select[Any]) -> Select[str, int]:
    some = rows.limit(bindparam("most", type_=Integer)).subquery()
    return select(literal(name).label("name"), func.count().label("n")).select_from(some)


_COUNTS = union_all(
    *(_bounded(step.value, select(issues.c.id).where(issues.c.step == step.value)) for step in Step),
    _bounded("late", select(issues.c.id).where(_IS_LATE)),
    _bounded("waiting", select(letters.c.id).where(letters.c.next_at.is_not(None))),
    _bounded("dead", select(letters.c.id).where(letters.c.dead_at.is_not(None))),
)
# In the order of the partial index: by the id alone SQLite would walk the whole table.
_LATE = (
    select(issues.c.state)
    .where(_IS_LATE)
    .order_by(issues.c.overdue, issues.c.id)
    .limit(bindparam("most", type_=Integer))
)
_OLDEST = select(
    select(issues.c.due_at).where(issues.c.due_at.is_not(None)).order_by(issues.c.due_at).limit(1).scalar_subquery(),
    select(letters.c.next_at).where(letters.c.next_at.is_not(None)).order_by(letters.c.next_at).limit(1).scalar_subquery(),
)  # fmt: skip


def standing(conn: Connection) -> Standing:
    """Three statements, whatever the size of the tables."""
    counts: Mapping[str, int] = {row.name: row.n for row in conn.execute(_COUNTS, {"most": COUNTED})}
    rungs = Counter(_rung(state) for state in conn.execute(_LATE, {"most": LOOKED_AT}).scalars())
    due, letter = conn.execute(_OLDEST).one()
    return Standing(
        {step.value: counts[step.value] for step in Step}, counts["late"], {n: rungs[n] for n in range(4)},
        counts["waiting"], counts["dead"], due, letter,
    )  # fmt: skip


def _rung(state: str) -> int:
    return max((t.rung for t in _CLOCKS.decode(state).timers if t.red and t.running), default=0)
