"""The moves as routes: one typed POST for each row of the flow, hung from the flow itself."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from msgspec import json, to_builtins

from liuti.doors.deps import Malformed, body_of, form_of, key_of, office, place_of, seen_version, who
from liuti.doors.uploads import form_with_files, is_multipart
from liuti.flow import sight
from liuti.flow.kernel import ANYONE, Actor, Answer, Form, Move, Refused
from liuti.flow.table import FLOW
from liuti.flow.words import ROLE_NAMES, Relation, Role, Step
from liuti.store import read
from liuti.store.act import Receipt

TAGS = ("propose", "select", "claim", "solve", "supervise", "evaluate")
STATUS = {
    401: "sign in first",
    403: "not yours",
    404: "not there",
    409: "not now",
    412: "stale If-Match",
    413: "too large",
    422: "a rule",
    503: "not ready, or busy: send it again",
}
PROBLEM = {"content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The refusals a route may answer with, for the documents."""
    return {status: {"description": STATUS[status], **PROBLEM} for status in statuses}


def routed(move: Move) -> bool:
    """Clock moves have no route: a missed deadline is a move made by time."""
    return any(who is not Role.CLOCK for who in move.by)


def tag_of(move: Move) -> str:
    """The step a move belongs to in the documents: where it can be made first, or `anywhere`."""
    if len(move.at) > 2:
        return "anywhere"
    step = move.at[0] if move.at else Step.PROPOSE
    return _SIDE.get(step, step.value)


_SIDE = {
    Step.SUPPLEMENT: "propose", Step.MERGED: "propose", Step.REJECTED: "evaluate", Step.CLOSED: "evaluate",
    Step.SUSPENDED: "solve",
}  # fmt: skip


def router() -> APIRouter:
    routes = APIRouter(prefix="/api/v1/issues")
    submit = FLOW.moves["submit"]
    routes.add_api_route(
        "", _submit, methods=["POST"], status_code=201, tags=[tag_of(submit)], summary=f"{submit.zh} {submit.en}",
        operation_id="submit", responses=responses(submit, 201), openapi_extra=spoken(submit),
    )  # fmt: skip
    for move in FLOW.moves.values():
        if not routed(move):
            continue
        if move.at:
            _hang(routes, move)
    answering = Move(0, "grant", "同意", "grant", tuple(Step), (Relation.OFFICIAL,), (), Answer)
    _hang(routes, answering)
    _hang(routes, Move(0, "deny", "不同意", "deny", tuple(Step), (Relation.OFFICIAL,), (), Answer))
    return routes


def _hang(routes: APIRouter, move: Move) -> None:
    async def endpoint(issue: str, request: Request) -> Response:
        return await act(request, move.name, issue)

    endpoint.__name__ = f"make_{move.name}"
    endpoint.__doc__ = _told(move)
    routes.add_api_route(
        f"/{{issue}}/{move.name}", endpoint, methods=["POST"], tags=[tag_of(move)], operation_id=move.name,
        summary=f"{move.zh} {move.en}", responses=responses(move, 200), openapi_extra=spoken(move),
    )  # fmt: skip


async def _submit(request: Request) -> Response:
    """A new issue. The secret in the receipt is a bearer token for this one issue: keep it, it is shown once."""
    return await act(request, "submit", "")


async def act(request: Request, name: str, issue: str) -> Response:
    """Unwrap, let the desk act, wrap the receipt."""
    here, actor = office(request), await who(request)
    if actor == ANYONE and name != "submit" and Role.CITIZEN not in getattr(FLOW.moves.get(name), "by", ()):
        raise Refused("sign_in", 401, "请登录,或使用回执密钥办理。", "Sign in, or use the secret of your receipt.")
    raw = await _form(request, name, issue, actor)
    place = place_of(request) if actor == ANYONE else ""
    key = await _key(request, name, issue, actor)
    return _receipt(request, await here.desk.act(actor, name, raw, issue, seen_version(request), key, place))


async def _key(request: Request, name: str, issue: str, actor: Actor) -> str | None:
    """A key at fault is refused only to somebody who may make the move: anyone else gets the refusal that goes before."""
    try:
        return key_of(request)
    except Refused:
        if await _admitted(request, name, issue, actor):
            raise
    return None


async def _form(request: Request, name: str, issue: str, actor: Actor) -> Any:
    form = FLOW.moves[name].form if name in FLOW.moves else Answer
    takes_files = "files" in form.model_fields
    if is_multipart(request) and takes_files:
        # Look at uploads only for somebody who may make the move: anyone else gets the refusal they would get anyway.
        raw = await form_with_files(request) if await _admitted(request, name, issue, actor) else {}
    else:
        raw = form_of(await body_of(request))
        if isinstance(raw, dict) and takes_files and raw.get("files"):
            raw |= {"files": "send files as multipart/form-data"}
    # As a plain text: the desk has to note, and to compare, what came with an Idempotency-Key.
    return raw if not isinstance(raw, Malformed) else "not a JSON object"


async def _admitted(request: Request, name: str, issue: str, actor: Actor) -> bool:
    if name == "submit":
        return not actor.roles.isdisjoint(FLOW.moves[name].by)
    here = office(request)
    found = await here.engine.read(lambda conn: read.find(conn, issue))
    held = sight.admit(actor, found.issue if found else None, name)
    return name in FLOW.open_to(held, actor, here.desk.world(), here.now())


def _receipt(request: Request, receipt: Receipt) -> Response:
    ring = office(request).ring
    known, replayed = receipt.voice and receipt.query_code, receipt.replayed
    body: dict[str, Any] = to_builtins(receipt, builtin_types=())
    body.pop("replayed", None)
    body.setdefault("awaits", None)
    body |= body.pop("noted", {})
    status = 202 if receipt.awaits else 200
    headers = {"ETag": f'"{receipt.version}"', "Cache-Control": "no-store"}
    if receipt.voice:
        body["secret"] = ring.voice_secret(receipt.voice)
    if known:
        body["id"] = receipt.issue
        status = 200 if replayed and "key" not in receipt.noted and not request.headers.get("idempotency-key") else 201
        headers["Location"] = f"/api/v1/issues/{receipt.issue}"
    return Response(json.encode(body), status, headers, "application/json")


# -- what the documents say ----------------------------------------------------------------------------------------


def _told(move: Move) -> str:
    names = ", ".join(f"{ROLE_NAMES[who.value][0]} ({ROLE_NAMES[who.value][1]})" for who in move.by)
    rules = "\n".join(f"- `{g.code}` {g.zh} {g.en}" for g in (*move.duties, *move.agains, *move.guards))
    second = " Another person grants it: " + ", ".join(s.name for s in move.asks_of) + "." if move.asks_of else ""
    return f"By {names}. docs/rules.md §4 row {move.row}.{second}\n\n{rules}"


def body(form: type[Form]) -> dict[str, Any]:
    """The form as the JSON body of a route, for the documents."""
    schema = {"$ref": f"#/components/schemas/{form.__name__}"}
    return {"requestBody": {"content": {"application/json": {"schema": schema, "example": form.example}}}}


def spoken(move: Move) -> dict[str, Any]:
    form = move.form
    content: dict[str, Any] = body(form)["requestBody"]["content"]
    if "files" in form.model_fields:
        content["multipart/form-data"] = {"schema": _multipart(form)}
    headers = [
        {"name": "Idempotency-Key", "in": "header", "schema": {"type": "string", "minLength": 1, "maxLength": 100}},
        {"name": "If-Match", "in": "header", "schema": {"type": "string"}},
    ]
    return {
        "x-roles": [who.value for who in move.by], "x-row": move.row, "x-states": [s.value for s in move.at],
        "x-leads-to": [s.value for s in move.to], "x-granted-by": [s.name for s in move.asks_of],
        "requestBody": {"content": content, "required": False}, "parameters": headers,
        "security": [{"bearer": []}, {"session": []}] if Role.CITIZEN not in move.by else [{}, {"bearer": []}, {"session": []}],
    }  # fmt: skip


def _multipart(form: type[Form]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {
            "form": {"type": "string", "description": f"the fields of {form.__name__} as JSON, or each as a part"},
            "files": {"type": "array", "items": {"type": "string", "format": "binary"}},
        },
    }


def responses(move: Move, done: int) -> dict[int | str, dict[str, Any]]:
    receipt = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Receipt"}}}}
    found: dict[int | str, dict[str, Any]] = {done: {"description": "done: the receipt", **receipt}}
    if done == 201:
        found[200] = {"description": "known already: the first receipt", **receipt}
    if move.asks_of:
        found[202] = {"description": "asked: another person has to grant it", **receipt}
    return found | problems(401, 403, 404, 409, 412, 422, 413)
