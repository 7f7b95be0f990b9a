"""The board of written orders: drafted, signed, answered, settled (docs/rules.md §5)."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any, Literal

from fastapi import Request

from liuti.doors.api import Said, answer
from liuti.doors.boards.frame import WATCHED, Cursor, Limit, clock_of
from liuti.doors.deps import admit, office, who
from liuti.flow import sight
from liuti.flow.kernel import Actor
from liuti.flow.standing import addressed
from liuti.flow.words import Clock, Role
from liuti.store import boards
from liuti.store.boards import Ordered


async def orders(
    request: Request, state: Literal["", "drafted", "signed", "answered", "settled"] = "", cursor: Cursor = "",
    limit: Limit = 50,
) -> Said:  # fmt: skip
    """The latest first. `yours`: to be signed or settled by you as an inspector, or addressed to you."""
    here, actor = office(request), await who(request)
    admit(actor, *WATCHED)
    now = here.now()
    found = await here.engine.read(partial(boards.orders, actor=actor, state=state, cursor=cursor, limit=limit))
    return answer({"rows": [_ordered(actor, one, now) for one in found.rows], "cursor": found.cursor})


def _ordered(actor: Actor, one: Ordered, now: datetime) -> dict[str, Any]:
    issue, order = one.found.issue, one.order
    timer = next((t for t in reversed(issue.timers) if t.clock is Clock.ORDER and t.unit == str(order.id)), None)
    inspects = Role.INSPECTOR in actor.roles and one.state in ("drafted", "answered")
    return {
        "issue": sight.listed(actor, issue, one.found.row, now), "order": order.id, "state": one.state, "to": order.to,
        "text": order.text or None, "about": order.clock or None, "drafted_at": order.drafted, "signed_at": order.signed,
        "signed_by": order.signed_by or None, "responded_at": order.responded, "reply": order.reply or None,
        "settled_at": order.settled,
        "yours": inspects or (one.state == "signed" and addressed(order.to, actor, issue)),
        "clock": clock_of(timer, now) if timer is not None else None,
    }  # fmt: skip
