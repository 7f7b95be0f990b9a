"""The readings as routes: one issue, worklists, lists, the timeline, files; and health."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Annotated, Any, ClassVar

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import FileResponse
from msgspec import json
from pydantic import Field

from liuti.doors import moves
from liuti.doors.deps import body_of, form_of, office, who
from liuti.doors.uploads import path_of
from liuti.flow import picture, sight
from liuti.flow.issue import Issue
from liuti.flow.kernel import ANYONE, NO_FACTS, Actor, Facts, Form, Refused, parse
from liuti.flow.table import FLOW
from liuti.flow.words import Kind, Lane, Role, Step
from liuti.store import looks, migrate, read, rounds
from liuti.store.read import Found, Wish
from liuti.store.vault import check_query_code, mask_name, mask_phone

Text = Annotated[str, Query(max_length=100)]
REFUSALS = moves.problems(401, 403, 404, 422)

ATTACH = FLOW.moves["attach"]
KEPT: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "the file as it is kept",
        "content": {
            media_type: {"schema": {"type": "string", "format": "binary"}}
            for media_type in ("image/jpeg", "image/png", "application/pdf")
        },
    }
}


class Purpose(Form):
    """What the contact is opened for; without it everything comes masked."""

    example: ClassVar[dict[str, Any]] = {"purpose": "回访核实"}
    purpose: str | None = Field(None, max_length=500)


class Said(Response):
    """An answer as JSON that still knows what it says: a page shows the very same."""

    said: Any


def answer(body: Any, status: int = 200, etag: int | None = None) -> Said:
    headers = {"Cache-Control": "no-store"} | ({"ETag": f'"{etag}"'} if etag is not None else {})
    response = Said(json.encode(body), status, headers, "application/json")
    response.said = body
    return response


async def found_by(request: Request, issue: str, actor: Actor) -> Found:
    found = await office(request).engine.read(lambda conn: read.find(conn, issue))
    sight.admit(actor, found.issue if found else None)
    assert found is not None
    return found


def router() -> APIRouter:
    routes = APIRouter(prefix="/api/v1", responses=REFUSALS)
    routes.add_api_route(
        "/issues", list_issues, methods=["GET"], tags=["reading"], summary="题目列表 issues, newest first"
    )
    routes.add_api_route(
        "/steps/{step}/issues",
        worklist,
        methods=["GET"],
        tags=["reading"],
        summary="工作清单 the worklist of a step, by due time",
    )
    routes.add_api_route(
        "/issues/{issue}",
        one,
        methods=["GET"],
        tags=["reading"],
        summary="一件题 one issue, with the moves open to you",
    )
    routes.add_api_route(
        "/issues/{issue}/timeline", timeline, methods=["GET"], tags=["reading"], summary="时间线 what happened"
    )
    routes.add_api_route(
        "/issues/{issue}/files", files, methods=["GET"], tags=["reading"], summary="附件清单 its files"
    )
    routes.add_api_route(
        "/issues/{issue}/files", add_files, methods=["POST"], tags=["anywhere"], summary="上传附件 attach files",
        openapi_extra=moves.spoken(ATTACH), responses=moves.responses(ATTACH, 200), operation_id="add_files",
    )  # fmt: skip
    routes.add_api_route(
        "/issues/{issue}/files/{file}", file, methods=["GET"], tags=["reading"], summary="取附件 one file",
        response_class=FileResponse, responses=KEPT,
    )  # fmt: skip
    routes.add_api_route(
        "/issues/{issue}/people", people, methods=["POST"], tags=["reading"], openapi_extra=moves.body(Purpose),
        responses=moves.problems(413), summary="查看联系方式 who is behind it, and their contact for a purpose",
    )  # fmt: skip
    routes.add_api_route(
        "/progress/{code}", progress, methods=["GET"], tags=["reading"], summary="凭查询码看进度 progress by query code"
    )
    routes.add_api_route("/flow", flow, methods=["GET"], tags=["reading"], summary="流程表 the flow, as a table")
    return routes


async def list_issues(
    request: Request, step: Step | None = None, lane: Lane | None = None, unit: Text = "", leader: Text = "", grid: Text = "",
    category: Text = "", kind: Kind | None = None, overdue: bool | None = None, mine: bool = False, q: Text = "",
    cursor: Annotated[str, Query(max_length=200)] = "", limit: Annotated[int, Query(ge=1, le=read.MOST)] = 50,
) -> Response:  # fmt: skip
    """What you may see, newest first. `q` finds Chinese words; give `cursor` back to read on."""
    wish = Wish(step, lane or "", unit, leader, grid, category, kind or "", overdue, mine, q, cursor, limit)
    return await _page(request, wish)


async def worklist(
    request: Request, step: Step, lane: Lane | None = None, unit: Text = "", mine: bool = False, overdue: bool | None = None,
    cursor: Annotated[str, Query(max_length=200)] = "", limit: Annotated[int, Query(ge=1, le=read.MOST)] = 50,
) -> Response:  # fmt: skip
    """What waits at a step, the most pressing first."""
    wish = Wish(step, lane or "", unit, mine=mine, overdue=overdue, cursor=cursor, limit=limit, by_deadline=True)
    return await _page(request, wish)


async def _page(request: Request, wish: Wish) -> Response:
    here, actor = office(request), await who(request)
    found = await here.engine.read(partial(read.page, actor=actor, wish=wish))
    now = here.now()
    return answer({"issues": [sight.listed(actor, f.issue, f.row, now) for f in found.found], "cursor": found.cursor})


async def one(request: Request, issue: str) -> Response:
    """The issue as you may see it; ETag is the version to send as If-Match."""
    here, actor = office(request), await who(request)
    found = await found_by(request, issue, actor)
    now = here.now()
    body = sight.seen_by(actor, found.issue, found.row, now)
    if found.issue.settled_by:
        earlier = await here.engine.read(lambda conn: read.find(conn, found.issue.settled_by))
        body["settled_by"] = sight.settled_by(actor, found.issue, earlier.issue, earlier.row) if earlier else None
    facts = await facts_for(request, found.issue, actor)
    body["moves"] = FLOW.open_to(found.issue, actor, here.desk.world(), now, facts)
    return answer(body, etag=found.issue.version)


async def facts_for(request: Request, issue: Issue, actor: Actor) -> Facts:
    """Who ran its score may not vote, and is not offered to."""
    if issue.step is not Step.SELECT or Role.PANEL not in actor.roles:
        return NO_FACTS
    return Facts(standing=await office(request).engine.read(lambda conn: rounds.standing(conn, issue.id)))


async def timeline(request: Request, issue: str, after: Annotated[int, Query(ge=0, le=10**6)] = 0) -> Response:
    actor = await who(request)
    found = await found_by(request, issue, actor)
    lines = await office(request).engine.read(lambda conn: read.timeline(conn, actor, found.issue, after))
    return answer({"issue": issue, "entries": lines})


async def files(request: Request, issue: str) -> Response:
    actor = await who(request)
    found = await found_by(request, issue, actor)
    if not sight.may_see_files(actor, found.issue):
        raise Refused(
            "not_yours", 403, "附件只对本人和经办人员开放。", "Files are for the person and the officials at work."
        )
    rows = await office(request).engine.read(lambda conn: read.files_of(conn, found.issue))
    hidden = sight.hides_identity(actor, found.issue)
    return answer({"files": [{k: v for k, v in row.items() if k != "by" or not hidden} for row in rows]})


async def add_files(request: Request, issue: str) -> Response:
    """The same as the move `attach`, as multipart/form-data."""
    return await moves.act(request, "attach", issue)


async def file(request: Request, issue: str, file: str) -> Response:
    return await file_for(request, await who(request), issue, file)


async def file_for(request: Request, actor: Actor, issue: str, file: str) -> Response:
    """The file as it is kept, for whoever may see the files of the issue; Refused 404 for anyone else."""
    found = await found_by(request, issue, actor)
    row = await office(request).engine.read(lambda conn: read.file(conn, issue, file))
    path = path_of(office(request).settings.files_dir, row["sha256"]) if row is not None else None
    if (
        row is None
        or path is None
        or not sight.may_see_files(actor, found.issue)
        or not await asyncio.to_thread(path.exists)
    ):
        raise Refused("no_such_file", 404, "没有这个附件。", "There is no such file.")
    inline = "inline" if row["media_type"].startswith("image/") else "attachment"
    headers = {
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "private, max-age=3600",
        "Content-Security-Policy": "sandbox",
    }
    return FileResponse(
        path, media_type=row["media_type"], filename=row["name"], content_disposition_type=inline, headers=headers
    )


async def people(request: Request, issue: str) -> Response:
    """Masked without a purpose; in full with one, and the look is on record (docs/rules.md §8)."""
    actor = await who(request)
    found = await found_by(request, issue, actor)
    _opens(actor, found)
    purpose = parse(Purpose, form_of(await body_of(request))).purpose
    return answer({"people": await people_behind(request, actor, found, purpose)})


async def people_behind(request: Request, actor: Actor, found: Found, purpose: str | None) -> list[dict[str, Any]]:
    """Whoever is behind an issue, the proposer marked; Refused 403, or 422 for a purpose too short to be one."""
    here = office(request)
    _opens(actor, found)
    if purpose is not None and len(purpose) < 4:
        raise Refused(
            "purpose_required",
            422,
            "请写明查看用途(至少四个字)。",
            "Say what for, in four characters or more.",
            "purpose",
        )
    issue = found.issue
    if purpose is not None:
        await here.engine.write(partial(looks.look, person=actor.id, issue=issue.id, purpose=purpose, now=here.now()))
    rows = await here.engine.read(lambda conn: read.voices_of(conn, issue))
    return [person_shown(here.ring, row, issue.proposer, opened=purpose is not None) for row in rows]


def _opens(actor: Actor, found: Found) -> None:
    if actor.voice or not sight.may_open_contact(actor, found.issue):
        raise Refused("not_yours", 403, "您无权查看联系方式。", "The contact is not yours to see.")


def person_shown(ring: Any, row: Any, proposer: str, *, opened: bool) -> dict[str, Any]:
    """One voice as whoever may open it sees it: in full when opened, else masked, without address and mail."""
    known = json.decode(ring.decrypt(row["sealed"], row["id"])) if row["sealed"] else {}
    shown = {part: known.get(part, "") for part in ("name", "phone", "address", "email")}
    if not opened:
        name, phone = mask_name(shown["name"]), mask_phone(shown["phone"])
        shown = {"name": name, "phone": phone, "address": "", "email": ""}
    return {
        "voice": row["id"],
        "proposer": row["id"] == proposer,
        "verified": row["verified"],
        "channel": row["channel"],
        **shown,
    }


async def progress(request: Request, code: str) -> Response:
    """What anybody holding the query code may know: where it stands and until when, no words and no names."""
    return answer(await by_query_code(request, code))


async def by_query_code(request: Request, code: str) -> dict[str, Any]:
    """The same as a dictionary; Refused 404 for a code nobody was given."""
    plain = check_query_code(code)
    here = office(request)
    found = await here.engine.read(lambda conn: read.by_code(conn, plain)) if plain else None
    if found is None:
        raise Refused("no_such_code", 404, "没有这个查询码,请核对。", "There is no such query code: please check it.")
    lines = await here.engine.read(lambda conn: read.timeline(conn, ANYONE, found.issue))
    seen = sight.seen_by(ANYONE, found.issue, found.row, here.now())
    bare = {
        name: seen[name]
        for name in ("id", "step", "state", "submitted_at", "due_at", "overdue", "lead_unit", "closing", "ended_at")
    }
    return bare | {"entries": [{k: line[k] for k in ("move", "at", "to", "unit")} for line in lines]}


async def flow() -> Response:
    """States and moves, as programs read them."""
    return answer(picture.table(FLOW))


def health() -> APIRouter:
    routes = APIRouter(tags=["health"])

    @routes.get("/healthz", summary="活着 alive")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @routes.get(
        "/readyz",
        responses=moves.problems(503),
        summary="就绪 ready: the database answers and its tables are of this version",
    )
    async def readyz(request: Request) -> dict[str, str]:
        if await office(request).engine.read(migrate.is_behind):
            raise Refused(
                "not_ready", 503, "数据库结构需要升级:liuti migrate。", "The database is behind: run `liuti migrate`."
            )
        return {"status": "ready"}

    return routes
