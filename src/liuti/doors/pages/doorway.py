"""Who may enter a page that belongs to certain roles."""

from __future__ import annotations

from fastapi import Request

from liuti.doors.pages.frame import reader_of
from liuti.flow import sight
from liuti.flow.kernel import Actor, Refused, not_yours
from liuti.flow.words import Role


async def holding(request: Request, *roles: Role) -> Actor:
    """Whoever is signed in and holds one of the roles; Refused 401 for nobody in particular, 403 for anybody else."""
    actor = (await reader_of(request)).actor
    if not actor.id or actor.voice:
        raise Refused("sign_in", 401, "请先登录。", "Please sign in.")
    if not actor.roles.isdisjoint(sight.BLIND):
        raise sight.blind()
    if actor.roles.isdisjoint(roles):
        raise not_yours(roles)
    return actor
