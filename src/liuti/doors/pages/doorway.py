"""Who may enter a page that belongs to certain roles."""

from __future__ import annotations

from fastapi import Request

from liuti.doors.deps import admit
from liuti.doors.pages.frame import reader_of
from liuti.flow.kernel import Actor
from liuti.flow.words import Role


async def holding(request: Request, *roles: Role) -> Actor:
    """Whoever is signed in and holds one of the roles; Refused 401 for nobody in particular, 403 for anybody else."""
    actor = (await reader_of(request)).actor
    admit(actor, *roles)
    return actor
