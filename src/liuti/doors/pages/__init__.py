"""The pages people use: server-rendered, in Chinese and English, each working without JavaScript."""

from __future__ import annotations

from fastapi import FastAPI

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


def install(app: FastAPI) -> None:
    """Hang every page, and have refusals that a browser reads answered as pages."""
    for room in ROOMS:
        app.include_router(room.router())
    app.state.is_page, app.state.refusal, app.state.reader_of = frame.is_page, frame.refusal, frame.reader_of
