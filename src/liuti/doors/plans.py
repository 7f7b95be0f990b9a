"""进度表: the board of milestones, planned and actual, with how far each has slipped (docs/rules.md §2)."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response

from liuti.doors import given, moves
from liuti.doors.api import Text, answer
from liuti.doors.boards.frame import WATCHED
from liuti.doors.deps import admit, office, who
from liuti.flow import sight
from liuti.flow.kernel import Actor
from liuti.store import plans
from liuti.store.plans import Planned
from liuti.store.read import Wish


def router() -> APIRouter:
    routes = APIRouter(prefix="/api/v1/boards", tags=["supervise"])
    routes.add_api_route(
        "/milestones", milestones, methods=["GET"], responses=moves.problems(401, 403, 422),
        summary="进度表 milestones planned and actual, the furthest slipped first",
        openapi_extra={"x-roles": [role.value for role in WATCHED]},
    )  # fmt: skip
    return routes


async def milestones(
    request: Request, leader: Text = "", unit: Text = "", grid: Text = "",
    state: Literal["", "open", "done", "waived", "slipped"] = "", after: Annotated[int, Query(ge=0, le=10**6)] = 0,
    limit: given.Page = 50,
) -> Response:  # fmt: skip
    """Of plans not yet closed; leaders and units read of their own. `slipped`: late done or late open, `slip_days` in
    local days. Give `after` back to read on until it is null; `more_plans`: narrow it, not all plans were read."""
    here, actor = office(request), await who(request)
    admit(actor, *WATCHED)
    world, now = here.desk.world(), here.now()
    wish = Wish(leader=leader, unit=unit, grid=grid)
    look = partial(plans.milestones, actor=actor, wish=wish, now=now, zone=world.calendar.zone)
    found, more = await here.engine.read(look)
    counts = {name: sum(_is(one, name) for one in found) for name in ("open", "done", "waived", "slipped")}
    chosen = [one for one in found if not state or _is(one, state)]
    shown = chosen[after : after + limit]
    return answer({
        "rows": [_shown(actor, one, now) for one in shown], "counts": counts, "more_plans": more,
        "after": after + limit if len(chosen) > after + limit else None,
    })  # fmt: skip


def _is(one: Planned, state: str) -> bool:
    return one.slip.late if state == "slipped" else one.slip.state == state


def _shown(actor: Actor, one: Planned, now: datetime) -> dict[str, Any]:
    issue, milestone, slip = one.found.issue, one.milestone, one.slip
    return {
        "issue": sight.listed(actor, issue, one.found.row, now), "milestone": one.number, "title": milestone.title,
        "unit": milestone.unit or issue.lead_unit, "leader": issue.leader_post or None, "planned": milestone.due,
        "actual": milestone.done, "state": slip.state, "slipped": slip.late, "slip_days": slip.days,
        "evidence": int(bool(milestone.evidence)), "photos": issue.photos,
    }  # fmt: skip
