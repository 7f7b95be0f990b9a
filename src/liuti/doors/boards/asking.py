"""The board of requests: what waits for your word, or for a role's (docs/rules.md §4)."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any

from fastapi import Request
from msgspec.structs import replace

from liuti.doors.api import Said, Text, answer
from liuti.doors.boards.frame import Cursor, Limit, clock_of
from liuti.doors.deps import admit, office, who
from liuti.flow import sight
from liuti.flow.clocks import World
from liuti.flow.issue import Ask, Issue
from liuti.flow.kernel import Actor, Refused
from liuti.flow.table import FLOW
from liuti.flow.words import OFFICIALS, Clock, Relation, Role
from liuti.store import boards
from liuti.store.boards import Asked

ASKED = (*sorted(OFFICIALS), Role.AUDITADMIN)


async def requests(request: Request, role: Text = "", move: Text = "", cursor: Cursor = "", limit: Limit = 50) -> Said:
    """Without `role`, those you may answer now: not your own, none of your own unit's, none you took part in where
    that keeps you out. With it, those that wait for that role, as far as you may see them."""
    here, actor = office(request), await who(request)
    admit(actor, *ASKED)
    _known_role(role)
    world, now = here.desk.world(), here.now()

    def fits(issue: Issue, ask: Ask) -> bool:
        return role in waits_for(ask) if role else may_answer(issue, ask, actor, world, now)

    found = await here.engine.read(
        partial(boards.requests, actor=actor, fits=fits, move=move, cursor=cursor, limit=limit)
    )
    return answer({"rows": [_asked(actor, one, world, now) for one in found.rows], "cursor": found.cursor})


def _known_role(role: str) -> None:
    if role and role not in {*Role, *Relation}:
        raise Refused("bad_form", 422, "没有这个角色。", "There is no such role.", "role")


def waits_for(ask: Ask) -> list[str]:
    """Roles or relations of whoever has the request now."""
    signer = next((s for s in FLOW.moves[ask.move].asks_of if s.name == ask.awaits[0]), None)
    return [one.value for one in signer.who] if signer is not None else []


def may_answer(issue: Issue, ask: Ask, actor: Actor, world: World, now: datetime) -> bool:
    """Judged by the flow itself, with this one request open."""
    return "grant" in FLOW.open_to(replace(issue, asks=(ask,)), actor, world, now)


def _asked(actor: Actor, one: Asked, world: World, now: datetime) -> dict[str, Any]:
    issue, ask = one.found.issue, one.ask
    move = FLOW.moves[ask.move]
    hidden = ask.role in (Relation.PROPOSER, Relation.VOICE) and sight.hides_identity(actor, issue)
    clocks = [t for t in issue.timers if t.clock in (Clock.RULING, Clock.APPEAL) and t.unit == str(ask.id)]
    held = (Clock.SOLVE, Clock.REDO, Clock.HOLD) if ask.move in ("extend", "suspend", "handover") else ()
    clocks += [t for t in issue.timers if t.clock in held and t.stopped is None]
    return {
        "issue": sight.listed(actor, issue, one.found.row, now), "request": ask.id, "move": ask.move,
        "name": {"zh": move.zh, "en": move.en}, "asked_at": ask.at, "by": None if hidden else ask.by, "role": ask.role,
        "unit": ask.unit or None, "form": ask.form, "review": ask.form.get("review"), "awaits": ask.awaits[0],
        "waits_for": waits_for(ask), "yours": may_answer(issue, ask, actor, world, now),
        "took_part": actor.id in issue.took_part, "waited_seconds": int((now - ask.at).total_seconds()),
        "clocks": [clock_of(t, now) for t in clocks],
    }  # fmt: skip
