"""What tests of the worker share: a worker in the town, and what can be seen of its work."""

from __future__ import annotations

from collections import Counter
from typing import Any

from sqlalchemy import select

from liuti.flow.kernel import ANYONE
from liuti.senders import ConsoleSender, Sender
from liuti.store import ledger
from liuti.store.tables import entries
from liuti.worker import Worker
from tests.doors.conftest import town
from tests.doors.town import NOTICE, Town

__all__ = ["town"]


def worker_of(town: Town, sender: Sender | None = None, **more: Any) -> Worker:
    return Worker(town.office.desk, sender or ConsoleSender(lambda _line: None), town.clock, **more)


async def swept(worker: Worker, town: Town) -> int:
    """Everything that is due now, batch after batch."""
    made = 0
    while done := await worker.sweep_once(town.clock.now):
        made += done
    return made


async def submitted(town: Town, many: int) -> list[str]:
    form = {"text": "学院路口有一个大坑。", "place": "学院路", "notice_version": NOTICE}
    desk = town.office.desk
    return [(await desk.act(ANYONE, "submit", form, place=f"p{n}")).issue for n in range(many)]


async def acts_of_time(town: Town) -> Counter[tuple[str, str]]:
    """How often time made which move on which issue."""
    found = select(entries.c.issue_id, entries.c.move).where(entries.c.role == "clock")
    return Counter((row[0], row[1]) for row in await town.office.engine.read(lambda conn: conn.execute(found).all()))


async def whole(town: Town) -> bool:
    """Every chain verifies."""
    return all(isinstance(n, int) for n in await town.office.engine.read(lambda conn: list(ledger.verify(conn))))
