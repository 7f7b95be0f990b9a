"""Showing that a phone is one's own: a code by SMS to the phone of the receipt, and the six digits back."""

from __future__ import annotations

import os
from functools import partial
from typing import Any, ClassVar

from fastapi import APIRouter, Request, Response
from pydantic import Field

from liuti.doors.api import answer
from liuti.doors.deps import body_of, form_of, office, place_of, who
from liuti.doors.moves import PROBLEM, body, problems
from liuti.flow.kernel import Form, Nothing, Refused, parse
from liuti.letter_words import speak
from liuti.senders import NotSent
from liuti.sms import Short, Sms, mobile
from liuti.store import codes
from liuti.store.ids import uuid7
from liuti.store.reach import reach_of

TOO_MANY: dict[int | str, dict[str, Any]] = {429: {"description": "too soon, or too many today", **PROBLEM}}


class Digits(Form):
    """The code as it stood in the SMS."""

    example: ClassVar[dict[str, Any]] = {"code": "048213"}
    code: str = Field(pattern=r"^[0-9]{6}$")


def router() -> APIRouter:
    routes = APIRouter(prefix="/api/v1/phone", tags=["propose"])
    routes.add_api_route(
        "/code", send_code, methods=["POST"], status_code=202, openapi_extra=body(Nothing),
        summary="发送短信验证码 send a code to the phone of the receipt",
        responses=problems(401, 403, 413, 422, 503) | TOO_MANY,
    )  # fmt: skip
    routes.add_api_route(
        "/proof", prove, methods=["POST"], openapi_extra=body(Digits), summary="核验短信验证码 prove the phone by the code",
        responses=problems(401, 403, 413, 422),
    )  # fmt: skip
    return routes


async def send_code(request: Request) -> Response:
    """With the secret of the receipt: the code goes to the phone left with it, to no other, and is valid ten minutes [P].

    202 with the seconds until another may be asked for. The phone is never in the request, so nobody's phone can be
    made to ring from here but one's own.
    """
    here, voice = office(request), await _voice(request)
    number, language = await _phone(request, voice)
    code, now, limits = codes.code_of(os.urandom(8)), here.now(), here.desk.world().policy.phone_codes
    book = partial(
        codes.keep,
        ring=here.ring,
        voice_id=voice,
        phone=number,
        place=place_of(request),
        code=code,
        now=now,
        limits=limits,
    )
    await here.engine.write(book)
    said = speak("code", "en" if language == "en" else "zh", {"code": code})
    sms: Sms = request.app.state.sms
    try:
        await sms.send(Short("code_" + uuid7(now), number, "code", said.language, said.sms, {"code": code}))
    except NotSent:
        zh, en = "短信暂时发不出去,请稍后再试。", "The SMS could not be sent: please try again later."
        raise Refused("sms_not_sent", 503, zh, en, retry_after=limits.again_seconds) from None
    return answer({"sent": True, "again_in": limits.again_seconds, "valid_for": 60 * limits.valid_minutes}, 202)


async def prove(request: Request) -> Response:
    """Five tries a code [P]. From then on the voice counts as verified (docs/rules.md §1)."""
    here, voice = office(request), await _voice(request)
    given = form_of(await body_of(request, 10_000))
    form = parse(Digits, given if isinstance(given, dict) else "not a JSON object")
    number, _ = await _phone(request, voice)
    trying = partial(
        codes.prove, ring=here.ring, voice_id=voice, phone=number, code=form.code, now=here.now(),
        limits=here.desk.world().policy.phone_codes,
    )  # fmt: skip
    left = await here.engine.write(trying)
    if left is None:
        return answer({"verified": True})
    if left:
        zh, en = f"验证码不对,还可以试 {left} 次。", f"Not the code: {left} tries are left."
        raise Refused("wrong_code", 422, zh, en, "code", left=left)
    raise Refused(
        "no_code", 422, "验证码已失效,请重新获取。", "No code is valid (any more): ask for a new one.", "code"
    )


async def _voice(request: Request) -> str:
    """The voice whose receipt this is; a rating token is for rating alone."""
    actor = await who(request)
    if not actor.id:
        raise Refused("sign_in", 401, "请使用回执密钥办理。", "Use the secret of your receipt.")
    if not actor.voice or actor.rating:
        raise Refused(
            "not_yours", 403, "只能用本人的回执密钥验证手机。", "Only the secret of one's own receipt proves a phone."
        )
    return actor.voice


async def _phone(request: Request, voice: str) -> tuple[str, str]:
    here = office(request)
    reach = await here.engine.ask(partial(reach_of, voice_id=voice, ring=here.ring))
    number = mobile(reach.phone)
    if not number:
        zh, en = "回执上没有留手机号码。", "No mobile phone was left with this receipt."
        raise Refused("no_mobile", 422, zh, en)
    return number, reach.language
