"""Where people arrive: what this is, the two things they come for, how it stands; and the reference of every route."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from liuti.doors.deps import office
from liuti.doors.pages.assets import serve
from liuti.doors.pages.frame import PageRoute, page, prefer
from liuti.flow import sight
from liuti.flow.kernel import ANYONE
from liuti.flow.words import SIX, Step
from liuti.store import read
from liuti.store.read import Wish

LATEST = 4


def router() -> APIRouter:
    routes = APIRouter(include_in_schema=False, route_class=PageRoute)
    routes.add_api_route("/", front, methods=["GET", "HEAD"])
    routes.add_api_route("/docs", reference, methods=["GET"])
    routes.add_api_route("/privacy", privacy, methods=["GET"])
    routes.add_api_route("/prefer", prefer, methods=["GET"])
    routes.add_api_route("/static/{name:path}", serve, methods=["GET", "HEAD"])
    return routes


async def front(request: Request) -> Response:
    """Two statements, however many issues there are."""
    here = office(request)
    wish = Wish(step=Step.SOLVE, lane="topic", limit=LATEST)
    counts, latest = await here.engine.read(lambda conn: (read.counts(conn), read.page(conn, ANYONE, wish)))
    now = here.now()

    def shown(step: Step) -> str:
        n = counts.get(step.value, 0)
        return f"{read.COUNTED}+" if n >= read.COUNTED else str(n)

    words: dict[str, Any] = {
        "steps": [(step.value, shown(step)) for step in SIX],
        "latest": [sight.seen_by(ANYONE, one.issue, one.row, now) for one in latest.found],
    }
    return await page(request, "front.html", **words)


async def privacy(request: Request) -> Response:
    return await page(request, "privacy.html")


async def reference(request: Request) -> Response:
    """Every route, from the same document as /openapi.json; no script, nothing fetched from elsewhere."""
    document = request.app.openapi()
    groups: dict[str, list[Any]] = {tag["name"]: [] for tag in document["tags"]}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            groups.setdefault(operation.get("tags", ["reading"])[0], []).append((method.upper(), path, operation))
    return await page(request, "docs.html", document=document, groups=groups)
