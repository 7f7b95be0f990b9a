"""督题: the boards of whoever watches over the work: late, asked for, to be verified or phoned, ordered, standing out (docs/rules.md §5, §8)."""

from __future__ import annotations

from fastapi import APIRouter

from liuti.doors.boards import asking, lateness, ordering, outlying, passing, phoning, verifying
from liuti.doors.boards.frame import WATCHED
from liuti.doors.moves import problems
from liuti.flow.words import Role


def router() -> APIRouter:
    routes = APIRouter(prefix="/api/v1/boards", tags=["supervise"], responses=problems(401, 403, 422))
    for reading, roles, summary in (
        (lateness.overdue, WATCHED, "超期台账 what is late or about to be, with the story of its clocks"),
        (asking.requests, asking.ASKED, "待批申请 requests that wait for you, or for a role"),
        (verifying.verification, verifying.VERIFIES, "核查清单 results to be verified, the drawn sample marked"),
        (passing.strike_offs, WATCHED, "销号台账 the strike-off ledger: who passed what, when, how, on what evidence"),
        (passing.rechecks, passing.RECHECKS, "复核清单 what inspectors passed and a team looks at again, drawn by lot"),
        (phoning.callbacks, (Role.CALLER,), "回访清单 who is to be phoned, and the tries so far"),
        (outlying.outliers, outlying.LOOKS_ON, "异常分布 refusals, merges, overrides, closings without result, by officer and unit"),
        (outlying.alerts, outlying.ALARMED, "预警清单 rates that passed a limit of the policy"),
        (ordering.orders, WATCHED, "督办单 orders drafted, signed, answered, settled"),
    ):  # fmt: skip
        more = {"x-roles": [role.value for role in roles]}
        routes.add_api_route(f"/{reading.__name__}", reading, methods=["GET"], summary=summary, openapi_extra=more)
    return routes
