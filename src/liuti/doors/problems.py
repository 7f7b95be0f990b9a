"""Refusals spoken once, at the door: problem+json (RFC 9457) in the reader's language, never a stack trace."""

from __future__ import annotations

from contextlib import suppress
from traceback import format_tb
from typing import Any

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from msgspec import json
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from liuti.flow.kernel import Refused
from liuti.store.engine import DatabaseFault
from liuti.store.sqlite import Closed

LOG = structlog.get_logger()
TITLES = {
    400: ("请求有误", "Bad request"), 401: ("请先登录", "Please sign in"), 403: ("无权办理", "Not yours to do"),
    404: ("没有找到", "Not found"), 405: ("方法不对", "Method not allowed"), 409: ("现在不能办理", "Not now"),
    412: ("内容已更新", "Changed meanwhile"), 413: ("内容太大", "Too large"), 415: ("格式不支持", "Unsupported format"),
    422: ("不符合规则", "Against a rule"), 429: ("请稍后再试", "Too many"), 503: ("暂时不可用", "Unavailable"),
    500: ("系统故障", "Internal fault"),
}  # fmt: skip

UNFIT_VALUE = "22"
"""SQLSTATEs that begin so say that what was sent cannot be kept (a NUL in a text): sending it again changes nothing."""


def speaks_english(request: Request) -> bool:
    """The reader's language: Chinese unless English is asked for first."""
    return request.headers.get("accept-language", "").strip().lower().startswith("en")


def body_of(refused: Refused, english: bool) -> dict[str, Any]:
    zh, en = TITLES.get(refused.status, TITLES[422])
    body: dict[str, Any] = {
        "type": f"/problems/{refused.code}", "title": en if english else zh, "status": refused.status,
        "code": refused.code, "detail": refused.en if english else refused.zh, "zh": refused.zh, "en": refused.en,
    }  # fmt: skip
    if refused.field:
        body["field"] = refused.field
    return body | {name: value for name, value in refused.extra.items() if name not in body}


def bad_query(error: RequestValidationError) -> Refused:
    """What stands in the address and cannot be read, named as a form's fields are; what was sent is not repeated."""
    faults = [
        {"field": str(fault["loc"][-1]), "rule": fault["type"], "message": fault["msg"]} for fault in error.errors()
    ]
    names = "、".join(fault["field"] for fault in faults[:4])
    zh, en = f"查询条件有误:{names}。", f"Please correct: {names}."
    return Refused("bad_query", 422, zh, en, faults[0]["field"], faults=faults)


def answer(request: Request, refused: Refused) -> Response:
    """As a page to whoever reads one, else as problem+json."""
    state = request.app.state
    if getattr(state, "refusal", None) is not None and state.is_page(request):
        page: Response = state.refusal(request, refused)
        return page
    english = speaks_english(request)
    headers = {"Content-Language": "en" if english else "zh-CN", "Cache-Control": "no-store"}
    if refused.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if refused.status == 503:
        headers["Retry-After"] = str(refused.extra.get("retry_after", 1))
    content = json.encode(body_of(refused, english))
    return Response(content, refused.status, headers, "application/problem+json")


def install(app: FastAPI) -> None:
    """One way to say no for everything that can go wrong behind a door."""

    @app.exception_handler(Refused)
    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, Refused)
        return answer(request, error)

    @app.exception_handler(HTTPException)
    async def plain(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        state = request.app.state
        if getattr(state, "refusal", None) is not None and state.is_page(request):
            with suppress(DatabaseFault):  # who is signed in stays so where no page is
                await state.reader_of(request)
        zh, en = TITLES.get(error.status_code, ("请求有误", "Bad request"))
        response = answer(request, Refused(_code(error.status_code), error.status_code, f"{zh}。", f"{en}."))
        response.headers.update(error.headers or {})
        return response

    @app.exception_handler(RequestValidationError)
    async def asked_wrongly(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return answer(request, bad_query(error))

    @app.exception_handler(ClientDisconnect)
    async def gone(_request: Request, _error: Exception) -> Response:
        """Whoever was sending hung up: nothing was decided, nobody hears the answer, and it is no fault to be logged."""
        return Response(status_code=400)

    @app.exception_handler(Closed)
    async def closing(request: Request, _error: Exception) -> Response:
        zh, en = "系统正在重启,请稍后用同一幂等键重试。", "Restarting: please repeat with the same Idempotency-Key."
        return answer(request, Refused("closing", 503, zh, en))

    @app.exception_handler(DatabaseFault)
    async def database(request: Request, error: Exception) -> Response:
        """Out of connections, locked too long, restarted: nothing was kept, the same request may be sent again."""
        if str(getattr(getattr(error, "orig", None), "sqlstate", "")).startswith(UNFIT_VALUE):
            zh, en = "内容含有无法保存的字符或数值。", "It holds a character or number that cannot be kept."
            return answer(request, Refused("bad_value", 422, zh, en))
        LOG.error("database", fault=type(error).__name__, path=request.url.path)
        zh, en = "系统繁忙,请稍后用同一幂等键重试。", "Busy: please repeat with the same Idempotency-Key."
        return answer(request, Refused("busy", 503, zh, en))

    @app.exception_handler(Exception)
    async def unforeseen(request: Request, error: Exception) -> Response:
        # Where it broke and not with what: the variables of a request hold passes, names and addresses.
        where = "".join(format_tb(error.__traceback__))
        LOG.error("unforeseen", path=request.url.path, fault=type(error).__name__, where=where)
        zh, en = "系统出现故障,已记录,请稍后重试。", "Something broke and was logged: please try again later."
        return answer(request, Refused("fault", 500, zh, en))


def _code(status: int) -> str:
    return {404: "not_found", 405: "method_not_allowed", 413: "too_large", 415: "unsupported"}.get(
        status, "bad_request"
    )
