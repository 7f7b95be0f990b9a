"""The OpenAPI document: the same for every installation, made from the flow, compared in CI."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from liuti import __version__
from liuti.doors import campaigns, leaders, measures, projects, teams
from liuti.doors.account import Login
from liuti.doors.api import Purpose
from liuti.doors.codes import Digits
from liuti.doors.moves import TAGS
from liuti.doors.residents import ResidentsWord
from liuti.doors.rounds import Opening
from liuti.doors.topics import Placement, Union
from liuti.flow.kernel import Answer, Form, Nothing
from liuti.flow.table import FLOW
from liuti.flow.words import STEP_NAMES

DESCRIPTION = """The engine of 六题办理. Every change of an issue is a move: `POST /api/v1/issues/{id}/{move}` with the move's form.

Officials sign in at `/api/v1/session` or carry an API token; a citizen's receipt holds a secret. All of them go into
`Authorization: Bearer …`. Answers: 200 done, 202 another person has to grant it, problem+json with a stable `code` otherwise,
looked at in the order 401, 404, replay of a known key, 403, 409, 412, 422."""
RECEIPT = {
    "type": "object", "required": ["issue", "version", "step", "move", "at"],
    "properties": {
        "issue": {"type": "string"}, "version": {"type": "integer"}, "step": {"type": "string"}, "move": {"type": "string"},
        "at": {"type": "string", "format": "date-time"}, "awaits": {"type": ["string", "null"]},
        "due_at": {"type": ["string", "null"], "format": "date-time"},
        "id": {"type": "string"}, "query_code": {"type": "string"}, "secret": {"type": "string"}, "emergency": {"type": "string"},
    },
}  # fmt: skip
PROBLEM = {
    "type": "object", "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": {"type": "string"}, "title": {"type": "string"}, "status": {"type": "integer"}, "code": {"type": "string"},
        "detail": {"type": "string"}, "zh": {"type": "string"}, "en": {"type": "string"}, "field": {"type": "string"},
        "open": {"type": "array", "items": {"type": "string"}},
    },
}  # fmt: skip


def document(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        made = get_openapi(
            title="liuti 六题", version=__version__, description=DESCRIPTION, routes=app.routes, tags=_tags()
        )
        components = made.setdefault("components", {})
        components["schemas"] = dict(sorted((components.get("schemas", {}) | _schemas()).items()))
        components["securitySchemes"] = {
            "bearer": {"type": "http", "scheme": "bearer"},
            "session": {"type": "apiKey", "in": "cookie", "name": "liuti_session"},
        }
        _ask_for_passes(made)
        app.openapi_schema = made
    return app.openapi_schema


def _ask_for_passes(made: dict[str, Any]) -> None:
    """Whatever may answer 401 takes a pass, and may be tried without one."""
    for operation in (one for methods in made["paths"].values() for one in methods.values()):
        if "401" in operation["responses"]:
            operation.setdefault("security", [{}, {"bearer": []}, {"session": []}])


def _tags() -> list[dict[str, str]]:
    steps = [{"name": name, "description": f"{STEP_NAMES[name][0]} {STEP_NAMES[name][1]}"} for name in TAGS]
    more = {"anywhere": "open at many steps", "reading": "reading", "account": "signing in", "health": "health"}
    return steps + [{"name": name, "description": words} for name, words in more.items()]


def _schemas() -> dict[str, Any]:
    found: dict[str, Any] = {"Receipt": RECEIPT, "Problem": PROBLEM}
    forms: set[type[Form]] = {move.form for move in FLOW.moves.values()} | {
        Answer,
        Digits,
        Login,
        Nothing,
        Opening,
        Placement,
        Purpose,
        Union,
        measures.Draft,
        measures.Note,
        measures.Transfer,
        ResidentsWord,
        *campaigns.FORMS,
        *projects.FORMS,
        *leaders.FORMS,
        *teams.FORMS,
    }
    names = [form.__name__ for form in forms]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise TypeError(f"two forms of one name, of which the document would show one: {twice}")
    for form in forms:
        schema = form.model_json_schema(ref_template="#/components/schemas/{model}")
        beside = schema.pop("$defs", {})
        schema.get("properties", {}).pop("files", None)
        for name, one in (beside | {form.__name__: schema}).items():
            if found.setdefault(name, one) != one:
                raise ValueError(f"two forms are called {name}: the document would hold now the one, now the other")
    found.pop("FileRef", None)
    return found
