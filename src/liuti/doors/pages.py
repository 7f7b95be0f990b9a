"""Two plain pages: what this is and how it stands, and the reference of every route, readable offline."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from liuti.doors.deps import office
from liuti.doors.problems import speaks_english
from liuti.flow.words import SIX, STATE_NAMES, STEP_NAMES, Step
from liuti.store import read

HERE = Path(__file__).parent


@cache
def _templates() -> Environment:
    return Environment(loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined)


def router() -> APIRouter:
    routes = APIRouter(include_in_schema=False)
    routes.add_api_route("/", front, methods=["GET", "HEAD"])
    routes.add_api_route("/docs", reference, methods=["GET"])
    routes.add_api_route("/static/plain.css", style, methods=["GET"])
    return routes


def page(request: Request, name: str, **words: Any) -> HTMLResponse:
    english = speaks_english(request) if "lang" not in request.query_params else request.query_params["lang"] == "en"
    text = _templates().get_template(name).render(en=english, **words)
    return HTMLResponse(text, headers={"Content-Language": "en" if english else "zh-CN", "Vary": "Accept-Language"})


async def front(request: Request) -> HTMLResponse:
    """What this is, the six steps with counts, where the accounts are, the walk."""
    counts = await office(request).engine.read(read.counts)

    def shown(step: Step) -> str:
        n = counts.get(step.value, 0)
        return f"{read.COUNTED}+" if n >= read.COUNTED else str(n)

    steps = [(*STEP_NAMES[step.value], *STATE_NAMES[step.value], shown(step)) for step in SIX]
    others = [(*STATE_NAMES[step.value], shown(step)) for step in Step if step not in SIX]
    return page(request, "front.html", steps=steps, others=others)


async def reference(request: Request) -> HTMLResponse:
    """Every route, from the same document as /openapi.json; no script, nothing fetched from elsewhere."""
    document = request.app.openapi()
    groups: dict[str, list[Any]] = {tag["name"]: [] for tag in document["tags"]}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            groups.setdefault(operation.get("tags", ["reading"])[0], []).append((method.upper(), path, operation))
    return page(request, "docs.html", document=document, groups=groups)


async def style() -> FileResponse:
    return FileResponse(HERE / "static" / "plain.css", media_type="text/css", headers={"Cache-Control": "max-age=3600"})
