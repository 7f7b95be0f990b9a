"""The processes: a server with everything in it, several that share the port, or a worker alone."""

from __future__ import annotations

import asyncio
import gc
import logging
import os

import structlog
import uvicorn
from fastapi import FastAPI

from liuti.doors.app import make_app
from liuti.settings import Settings
from liuti.worker import run_worker, stop_on_signals

GRACE = 8
"""Seconds a server told to stop waits for whoever is still sending: less than most supervisors wait before they kill."""


def several(settings: Settings, host: str, port: int, workers: int) -> None:
    """Processes of their own, which read the settings from the environment again; returns when they have stopped."""
    os.environ["LIUTI_DATABASE_URL"] = settings.database_url
    uvicorn.run(
        "liuti.serving:app_from_environment", factory=True, host=host, port=port, workers=workers, access_log=False,
        timeout_graceful_shutdown=GRACE,
    )  # fmt: skip


def app_from_environment() -> FastAPI:
    """For `uvicorn --factory`: an app from the environment alone."""
    settings = Settings()
    speak_up(settings)
    app = make_app(settings)
    settle()
    return app


def here(settings: Settings, host: str, port: int, with_worker: bool) -> None:
    """In this process, with the worker beside it if wished; returns when both have stopped."""
    speak_up(settings)
    config = uvicorn.Config(
        make_app(settings), host=host, port=port, access_log=False, log_level="warning", timeout_graceful_shutdown=GRACE
    )
    settle()
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(_together(uvicorn.Server(config), settings, with_worker))


def alone(settings: Settings) -> None:
    """A worker without a server; returns when it was told to stop and has finished what was in hand."""
    speak_up(settings)
    settle()

    async def run() -> None:
        stop = asyncio.Event()
        stop_on_signals(stop)
        await run_worker(settings, stop)

    with asyncio.Runner(loop_factory=uvicorn.Config("").get_loop_factory()) as runner:
        runner.run(run())


async def _together(server: uvicorn.Server, settings: Settings, with_worker: bool) -> None:
    stop = asyncio.Event()
    working = asyncio.create_task(run_worker(settings, stop)) if with_worker else None
    try:
        await server.serve()
    finally:
        stop.set()
        if working is not None:
            await working


def speak_up(settings: Settings) -> None:
    """What is logged: one line an event, from the level the settings name; never the variables of a function, which hold
    people's words and passes."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, settings.log_level.upper())),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
    )


def settle() -> None:
    """What is loaded by now stays for good: the collector need not walk it again and again, which takes a tenth of a
    request and a quarter of a strike."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
