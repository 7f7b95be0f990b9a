"""The pages people use: server-rendered, in Chinese and English, each working without JavaScript."""

from __future__ import annotations

from fastapi import FastAPI

from liuti.doors.pages import admin, command, frame, front, issue, lists, progress, propose, sign_in, watching


def install(app: FastAPI) -> None:
    """Hang every page, and have refusals that a browser reads answered as pages."""
    for room in (front, propose, progress, lists, command, watching, admin, sign_in, issue):
        app.include_router(room.router())
    app.state.is_page, app.state.refusal = frame.is_page, frame.refusal
