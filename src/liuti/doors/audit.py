"""The audit admin's reading: what administrators changed (docs/rules.md §8)."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from liuti.doors.api import answer
from liuti.doors.deps import admit, office, who
from liuti.doors.moves import problems
from liuti.flow.words import Role
from liuti.store import audit


def router() -> APIRouter:
    routes = APIRouter(prefix="/api/v1", tags=["reading"])
    routes.add_api_route(
        "/audit",
        changes,
        methods=["GET"],
        summary="审计记录 what administrators changed",
        responses=problems(401, 403, 422),
    )
    return routes


async def changes(
    request: Request, subject: Annotated[str, Query(max_length=80)] = "",
    cursor: Annotated[str, Query(max_length=20)] = "", limit: Annotated[int, Query(ge=1, le=audit.MOST)] = 50,
) -> Response:  # fmt: skip
    """Who changed what, from what, to what and when; the latest first. `subject` is the id of a person or unit; give
    `cursor` back to read on."""
    actor = await who(request)
    admit(actor, Role.AUDITADMIN)
    found = await office(request).engine.read(partial(audit.page, subject=subject, cursor=cursor, limit=limit))
    return answer({"changes": found.rows, "cursor": found.cursor})
