"""A caller who hangs up in the middle of sending: nothing is written, nothing is logged as a fault, the next is served."""

from __future__ import annotations

from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.doors.conftest import town
from tests.doors.town import Town

__all__ = ["town"]

KINDS = {"json": b"application/json", "multipart": b"multipart/form-data; boundary=b"}


@pytest.mark.parametrize("kind", KINDS)
async def test_who_hangs_up_while_sending_leaves_no_trace(town: Town, kind: str) -> None:
    issue = await town.direct()
    before = (await town.state(issue)).version
    heard: list[dict[str, Any]] = []
    sent = [{"type": "http.request", "body": b"--b\r\n", "more_body": True}, {"type": "http.disconnect"}]

    async def receive() -> Any:
        return sent.pop(0)

    async def send(message: dict[str, Any]) -> None:
        heard.append(message)

    secret = town.secrets["officer_roads"].encode()
    path = f"/api/v1/issues/{issue}/progress"
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "path": path,
        "raw_path": path.encode(), "query_string": b"", "root_path": "", "scheme": "http", "server": ("town.test", 80),
        "client": ("127.0.0.1", 1),
        "headers": [(b"authorization", b"Bearer " + secret), (b"content-type", KINDS[kind]), (b"content-length", b"9999")],
    }  # fmt: skip
    transport = town.client._transport
    with capture_logs() as lines:
        await transport.app(scope, receive, send)  # type: ignore[attr-defined]
    assert not lines
    assert [message["status"] for message in heard if message["type"] == "http.response.start"] == [400]
    assert (await town.state(issue)).version == before
    await town.does("officer_roads", "sign", {}, issue)
