"""The ladder's upper rungs as routes: interviews proposed and held, bulletins drafted, approved and issued (docs/rules.md §5)."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any, ClassVar, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from liuti.doors import moves
from liuti.doors.api import Text, answer
from liuti.doors.boards.frame import WATCHED
from liuti.doors.deps import Malformed, admit, body_of, form_of, office, who
from liuti.flow import parts, sight
from liuti.flow.kernel import Form, Refused, parse
from liuti.flow.words import Role
from liuti.store import dossier, measures, read


class Draft(Form):
    """About whom (unit:ID or person:ID), on which issue if on one, and what it says."""

    example: ClassVar[dict[str, Any]] = {"kind": "bulletin", "about": "unit:u-01", "text": "关于路面修复逾期的通报。"}
    kind: Literal["interview", "bulletin"]
    about: str = Field(pattern=r"^(unit|person):[A-Za-z0-9._-]{1,64}$")
    text: parts.Text
    issue: str = Field("", max_length=64, pattern=r"^[A-Za-z0-9._:-]*$")


class Transfer(Form):
    """To whom the file goes, and what for."""

    example: ClassVar[dict[str, Any]] = {"issue": "019ca", "to": "纪检监察机关", "purpose": "涉嫌失职失责,移送核查。"}
    issue: str = Field(max_length=64)
    to: parts.Text = Field(max_length=200)
    purpose: str = Field(min_length=4, max_length=500)


class Note(Form):
    """What came of it."""

    example: ClassVar[dict[str, Any]] = {"note": "已面谈,承诺本周内完成。"}
    note: str = Field("", max_length=4000)


def router() -> APIRouter:
    routes = APIRouter(prefix="/api/v1/boards/measures", tags=["supervise"])
    refusals = moves.problems(401, 403, 404, 409, 413, 422)
    add = routes.add_api_route
    add(
        "",
        listed,
        methods=["GET"],
        summary="约谈与通报 interviews and bulletins",
        responses=moves.problems(401, 403, 422),
    )
    add("", draft, methods=["POST"], status_code=201, summary="拟约谈或通报 draft an interview or a bulletin",
        openapi_extra=moves.body(Draft) | {"x-roles": ["inspector"]}, responses=refusals)  # fmt: skip
    add("/{measure}/approve", approve, methods=["POST"], summary="批准通报 approve a bulletin",
        openapi_extra={"x-roles": ["principal"]}, responses=refusals)  # fmt: skip
    add("/{measure}/issue", issue, methods=["POST"], summary="印发通报 issue a bulletin that was approved",
        openapi_extra=moves.body(Note) | {"x-roles": ["inspector"]}, responses=refusals)  # fmt: skip
    add("/{measure}/hold", hold, methods=["POST"], summary="约谈 hold an interview",
        openapi_extra=moves.body(Note) | {"x-roles": ["leader", "principal"]}, responses=refusals)  # fmt: skip
    add("/transfer", transfer, methods=["POST"], status_code=201, summary="移送 hand over the file of an issue",
        openapi_extra=moves.body(Transfer) | {"x-roles": ["inspector"]}, responses=refusals)  # fmt: skip
    return routes


async def listed(
    request: Request, kind: Literal["", "interview", "bulletin", "transfer"] = "", before: Text = "",
    limit: Annotated[int, Query(ge=1, le=measures.MOST)] = 50,
) -> Response:  # fmt: skip
    """The latest first; give the last id back as `before` to read on. Units and leaders read what was done about them."""
    here, actor = office(request), await who(request)
    admit(actor, *WATCHED)
    found = partial(measures.listed, actor=actor, kind=kind, before=before, limit=limit)
    return answer({"rows": await here.engine.read(found)})


async def _form(request: Request, form: type[Form]) -> Any:
    given = form_of(await body_of(request))
    return parse(form, given if not isinstance(given, Malformed) else "not a JSON object")


async def draft(request: Request) -> Response:
    here, actor = office(request), await who(request)
    admit(actor, Role.INSPECTOR)
    form = await _form(request, Draft)
    if form.issue:
        found = await here.engine.read(lambda conn: read.find(conn, form.issue))
        sight.admit(actor, found.issue if found else None)
    make = partial(
        measures.draft, kind=form.kind, about=form.about, issue=form.issue, text=form.text, by=actor.id, now=here.now()
    )
    return answer(await here.engine.write(make), 201)


async def approve(request: Request, measure: str) -> Response:
    """The principal's approval, on record with its time; what was approved cannot be changed any more."""
    here, actor = office(request), await who(request)
    admit(actor, Role.PRINCIPAL)
    return answer(await here.engine.write(partial(measures.approve, measure=measure, by=actor.id, now=here.now())))


async def issue(request: Request, measure: str) -> Response:
    return await _carry_out(request, measure, "bulletin", Role.INSPECTOR)


async def hold(request: Request, measure: str) -> Response:
    return await _carry_out(request, measure, "interview", Role.LEADER, Role.PRINCIPAL)


async def _carry_out(request: Request, measure: str, kind: str, *roles: Role) -> Response:
    here, actor = office(request), await who(request)
    admit(actor, *roles)
    note = (await _form(request, Note)).note
    do = partial(measures.carry_out, measure=measure, kind=kind, note=note, by=actor.id, now=here.now())
    return answer(await here.engine.write(do))


async def transfer(request: Request) -> Response:
    """The file of an issue as one JSON: its state, its whole ledger with seals, the list of its files, what was done
    beside it. To whom and what for is on record; nobody of the handling unit hands over a case of their own."""
    here, actor = office(request), await who(request)
    admit(actor, Role.INSPECTOR)
    form = await _form(request, Transfer)
    found = await here.engine.read(lambda conn: read.find(conn, form.issue))
    sight.admit(actor, found.issue if found else None)
    assert found is not None
    if sight.handles(actor, found.issue):
        zh, en = "本单位承办的题,由单位以外的督查员移送。", "Nobody hands over a case of their own unit."
        raise Refused("outside_handling_units", 403, zh, en)
    make = partial(dossier.transfer, actor=actor, found=found, to=form.to, purpose=form.purpose, now=here.now())
    done = answer(await here.engine.write(make), 201)
    done.headers["Content-Disposition"] = f'attachment; filename="issue-{found.issue.id}.json"'
    return done
