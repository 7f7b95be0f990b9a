"""The pages people use: server-rendered, in Chinese and English, each working without JavaScript."""

from __future__ import annotations

from functools import cache

from fastapi import APIRouter, FastAPI

from liuti.doors.pages import (
    admin,
    command,
    enter,
    frame,
    front,
    intake,
    issue,
    leader,
    lists,
    neighbour,
    progress,
    propose,
    rounds,
    sign_in,
    ties,
    topics,
    unit,
    watching,
)

ROOMS = (
    admin, command, enter, front, intake, leader, lists, neighbour, progress, propose, rounds, sign_in, ties, topics, unit, watching, issue,
)  # fmt: skip
"""The issue's page comes last: its address takes any word for a move."""


@cache
def _routers() -> tuple[APIRouter, ...]:
    return tuple(room.router() for room in ROOMS)


def install(app: FastAPI) -> None:
    """Hang every page, and have refusals that a browser reads answered as pages."""
    for router in _routers():
        app.include_router(router)
    app.state.is_page, app.state.refusal, app.state.reader_of = frame.is_page, frame.refusal, frame.reader_of
