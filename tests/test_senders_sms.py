"""A short text goes to the district's gateway signed and once understood; no line that is kept shows whom it is for."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from standardwebhooks import Webhook

from liuti.senders import NotSent
from liuti.sms import ConsoleSms, Short, SmsGateway, mobile
from tests.patience import PATIENCE
from tests.test_senders import SECRET, Listener, listening

AT = datetime(2026, 11, 23, 1, 2, 3, tzinfo=UTC)
TEXT = Short("letter_1", "13812341234", "invite", "zh", "请您评价", {"query_code": "7K3M9QX2W4HA"})


async def texted(listener: Listener, *texts: Short, **given: Any) -> list[tuple[str, dict[str, str], bytes]]:
    async with listening(listener):
        url = f"http://127.0.0.1:{listener.port}/sms"
        more = {"allow_private": True, "seconds": PATIENCE} | given
        gateway = SmsGateway(url, SECRET, "https://liuti.example", lambda: datetime.now(UTC), **more)
        try:
            for text in texts:
                await gateway.send(text)
        finally:
            await gateway.aclose()
    return listener.heard


async def test_a_text_arrives_signed_with_all_that_a_gateway_with_templates_of_its_own_needs() -> None:
    ((first, headers, body),) = await texted(Listener(), TEXT)
    assert first == "POST /sms HTTP/1.1" and headers["webhook-id"] == "letter_1"
    event = Webhook(SECRET).verify(body, headers)
    assert (event["type"], event["id"]) == ("liuti.sms", "letter_1")
    assert event["data"] == {
        "phone": "13812341234", "template": "invite", "language": "zh", "text": "请您评价",
        "fields": {"query_code": "7K3M9QX2W4HA"},
    }  # fmt: skip


async def test_a_text_sent_twice_has_one_id_by_which_the_gateway_drops_the_second() -> None:
    first, second = await texted(Listener(), TEXT, TEXT)
    assert first[1]["webhook-id"] == second[1]["webhook-id"]
    assert json.loads(first[2])["data"] == json.loads(second[2])["data"]


@pytest.mark.parametrize(("status", "final"), [(422, True), (400, False), (401, False), (429, False), (503, False)])
async def test_only_a_number_that_cannot_be_reached_is_refused_for_good(status: int, final: bool) -> None:
    assert len(await texted(Listener(), TEXT)) == 1
    answer = f"HTTP/1.1 {status} No\r\ncontent-length: 0\r\n\r\n".encode()
    with pytest.raises(NotSent) as refused:
        await texted(Listener(answer), TEXT)
    fault = refused.value
    assert (fault.status, fault.final, fault.why) == (status, final, f"sms: answered {status}")


async def test_a_gateway_inside_the_house_is_called_only_when_that_is_allowed() -> None:
    assert len(await texted(Listener(), TEXT)) == 1
    listener = Listener()
    with pytest.raises(NotSent, match="not a public one"):
        await texted(listener, TEXT, allow_private=False)
    assert listener.heard == []


async def test_the_terminal_shows_the_text_and_no_phone() -> None:
    lines: list[str] = []
    await ConsoleSms(lines.append).send(Short("x", "13812341234", "code", "zh", "验证码048213，勿回13912345678"))
    assert lines == ["☎ code → 138****1234 验证码048213，勿回139****5678"]
    assert "138" not in repr(TEXT) and "请您评价" not in repr(TEXT)


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("138 1234 1234", "13812341234"), ("+86-13812341234", "13812341234"), ("１３８１２３４１２３４", "13812341234"),
        ("0564-1234567", ""), ("", ""), ("12345", ""), ("138123412345", ""), ("12812341234", ""),
    ],
)  # fmt: skip
def test_a_text_goes_only_to_a_mobile(written: str, number: str) -> None:
    assert mobile(written) == number
