"""A resident proves their phone with the receipt and six digits; nobody can make another's phone ring."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx
import pytest
from msgspec import json
from structlog.testing import capture_logs

from liuti.doors import codes as door
from liuti.flow.clocks import World
from liuti.senders import NotSent
from liuti.sms import Short
from tests.doors.conftest import town
from tests.doors.town import Town

__all__ = ["town"]


@dataclass
class Phone:
    refuse: bool = False
    taken: list[Short] = field(default_factory=list)

    async def send(self, text: Short) -> None:
        if self.refuse:
            raise NotSent("sms: answered 503", 503)
        self.taken.append(text)

    async def aclose(self) -> None: ...

    @property
    def code(self) -> str:
        return str(self.taken[-1].fields["code"])


@pytest.fixture
def phone(town: Town) -> Phone:
    """The gateway of the town's server; the door is hung where it is not yet."""
    transport = town.client._transport
    assert isinstance(transport, httpx.ASGITransport)
    app: Any = transport.app
    app.state.sms = found = Phone()
    if "/api/v1/phone/code" not in app.openapi()["paths"]:
        app.include_router(door.router())
    return found


async def post(town: Town, path: str, who: str = "", body: Any = None) -> tuple[int, dict[str, Any]]:
    content = body if isinstance(body, bytes) else json.encode(body if body is not None else {})
    answer = await town.client.post(f"/api/v1/phone/{path}", content=content, headers=town.headers(who))
    return answer.status_code, answer.json()


async def is_verified(town: Town, issue: str) -> bool:
    answer = await town.client.post(f"/api/v1/issues/{issue}/people", headers=town.headers("intake1"))
    return bool(answer.json()["people"][0]["verified"])


async def test_the_code_from_the_sms_verifies_whoever_brought_the_issue_in(town: Town, phone: Phone) -> None:
    issue = await town.submit(contact={"phone": "138 1234 1234"})
    assert await post(town, "code", issue) == (202, {"sent": True, "again_in": 60, "valid_for": 600})
    (text,) = phone.taken
    assert text.phone == "13812341234" and f"验证码{phone.code}" in text.text and text.template == "code"
    assert not await is_verified(town, issue)
    assert await post(town, "proof", issue, {"code": phone.code}) == (200, {"verified": True})
    assert await is_verified(town, issue)
    assert (await post(town, "proof", issue, {"code": phone.code}))[1]["code"] == "no_code"


async def test_wrong_digits_are_counted_down_and_after_the_fifth_the_right_ones_are_too_late(
    town: Town, phone: Phone
) -> None:
    issue = await town.submit(contact={"phone": "13812341234"})
    await post(town, "code", issue)
    wrong = "000000" if phone.code != "000000" else "000001"
    answers = [await post(town, "proof", issue, {"code": wrong}) for _ in range(5)]
    assert [(status, body["code"], body.get("left")) for status, body in answers] == [
        (422, "wrong_code", 4), (422, "wrong_code", 3), (422, "wrong_code", 2), (422, "wrong_code", 1), (422, "no_code", None),
    ]  # fmt: skip
    assert (await post(town, "proof", issue, {"code": phone.code}))[1]["code"] == "no_code"
    assert not await is_verified(town, issue)


async def test_a_second_code_waits_a_minute(town: Town, phone: Phone) -> None:
    issue = await town.submit(contact={"phone": "13812341234"})
    assert (await post(town, "code", issue))[0] == 202
    status, body = await post(town, "code", issue)
    assert (status, body["code"], body["retry_after"]) == (429, "too_soon", 60)
    town.clock.now += timedelta(seconds=60)
    assert (await post(town, "code", issue))[0] == 202 and len(phone.taken) == 2


@pytest.mark.parametrize("path", ["code", "proof"])
async def test_only_the_secret_of_a_receipt_opens_this_door(town: Town, phone: Phone, path: str) -> None:
    issue = await town.submit(contact={"phone": "13812341234"})
    body = {"code": "123456"} if path == "proof" else {}
    assert (await post(town, path, issue, body))[0] in {202, 422}
    assert (await post(town, path, "", body))[0] == 401
    assert (await post(town, path, "lv1.nonsense", body))[0] == 401
    assert (await post(town, path, "intake1", body))[0] == 403
    assert (await post(town, path, town.rating(issue), body))[0] == 403


async def test_without_a_mobile_on_the_receipt_there_is_nothing_to_prove(town: Town, phone: Phone) -> None:
    assert (await post(town, "code", await town.submit(contact={"phone": "13812341234"})))[0] == 202
    for contact in ({}, {"phone": "0564-1234567"}):
        status, body = await post(town, "code", await town.submit(contact=contact))
        assert (status, body["code"]) == (422, "no_mobile")
    assert len(phone.taken) == 1


@pytest.mark.parametrize(
    "body", [{}, {"code": "12345"}, {"code": "1234567"}, {"code": "１２３４５６"}, {"code": 123456}, b"[", []]
)
async def test_what_is_no_code_costs_no_try(town: Town, phone: Phone, body: Any) -> None:
    issue = await town.submit(contact={"phone": "13812341234"})
    await post(town, "code", issue)
    for _ in range(6):
        assert (await post(town, "proof", issue, body))[0] == 422
    assert (await post(town, "proof", issue, {"code": phone.code}))[0] == 200


async def test_a_gateway_that_fails_is_said_and_the_minute_counts_all_the_same(town: Town, phone: Phone) -> None:
    issue = await town.submit(contact={"phone": "13812341234"})
    phone.refuse = True
    with capture_logs() as lines:
        status, body = await post(town, "code", issue)
    assert (status, body["code"]) == (503, "sms_not_sent") and "13812341234" not in str(lines)
    phone.refuse = False
    assert (await post(town, "code", issue))[0] == 429
    town.clock.now += timedelta(seconds=60)
    assert (await post(town, "code", issue))[0] == 202


async def test_how_many_codes_go_out_and_how_long_one_is_good_is_the_policys_to_say(town: Town, phone: Phone) -> None:
    world = town.office.desk.world()
    rule = world.policy.phone_codes.model_copy(
        update={"per_phone": 2, "again_seconds": 5, "valid_minutes": 1, "tries": 2}
    )
    changed = World(world.policy.model_copy(update={"phone_codes": rule}), world.calendar)
    town.office.desk.world = lambda: changed
    issue = await town.submit(contact={"phone": "13812341234"})
    assert (await post(town, "code", issue))[1] == {"sent": True, "again_in": 5, "valid_for": 60}
    town.clock.now += timedelta(seconds=5)
    await post(town, "code", issue)
    wrong = "000000" if phone.code != "000000" else "000001"
    assert [(await post(town, "proof", issue, {"code": wrong}))[1]["code"] for _ in range(2)] == [
        "wrong_code",
        "no_code",
    ]
    town.clock.now += timedelta(seconds=5)
    assert (await post(town, "code", issue))[1]["code"] == "too_many_codes"
    town.clock.now += timedelta(days=1)
    await post(town, "code", issue)
    town.clock.now += timedelta(seconds=61)
    assert (await post(town, "proof", issue, {"code": phone.code}))[1]["code"] == "no_code"
