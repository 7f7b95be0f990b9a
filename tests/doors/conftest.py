"""A server of the test's own, its small town settled, on both databases."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from liuti.doors.app import make_app
from liuti.settings import Settings, new_key
from tests.doors.town import Clockwork, Town, at


@pytest.fixture
async def town(database_url: str, tmp_path: Path) -> AsyncIterator[Town]:
    """It is Monday, 2 March 2026, ten in the morning: a week without a holiday."""
    settings = Settings(database_url=database_url, keys=SecretStr(new_key()), files_dir=tmp_path / "files", pool=5)
    clock = Clockwork(at("2026-03-02 10:00"))
    app = make_app(settings, clock)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://town.test") as client:
            place = Town(client, app.state.office, clock)
            await place.settle()
            yield place
