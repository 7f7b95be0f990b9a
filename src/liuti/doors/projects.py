"""Livelihood projects 为民办实事项目清单 as routes: the list is everybody's, striking off is an outside inspector's (docs/rules.md §2, §8)."""

from __future__ import annotations

from datetime import date
from functools import partial
from typing import Any, ClassVar, Literal
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request, Response
from pydantic import Field

from liuti.doors import given, moves
from liuti.doors.api import Text as Said
from liuti.doors.api import answer
from liuti.doors.deps import Office, admit, office, who
from liuti.flow import sight
from liuti.flow.kernel import Actor, Form
from liuti.flow.parts import Id, Text
from liuti.flow.words import OFFICIALS, Role
from liuti.store import projects
from liuti.store.audit import By
from liuti.store.projects import STRIKE_OFF, Entry

MAKES = (Role.INSPECTOR, Role.PRINCIPAL)


class NewProject(Form):
    """A livelihood project: what comes of it, who leads it, and by which day."""

    example: ClassVar[dict[str, Any]] = {
        "name": "老旧小区加装路灯", "goal": "年内加装路灯120盏。", "lead_unit": "roads", "leader": "leader1",
        "planned": "2026-11-30",
    }  # fmt: skip
    name: given.Name
    goal: Text
    lead_unit: Id
    leader: Id
    planned: given.Day


class Belonging(Form):
    """Issues that belong to a project, or no longer do."""

    example: ClassVar[dict[str, Any]] = {"issues": ["01999999-0000-7000-8000-000000000000"], "belongs": True}
    issues: tuple[Id, ...] = Field(min_length=1, max_length=100)
    belongs: bool = True


class StrikeOff(Form):
    """What shows that it is done."""

    example: ClassVar[dict[str, Any]] = {"evidence": "现场核查120盏均亮,验收单编号2026-11。"}
    evidence: Text


class PutBack(Form):
    """Why it stands on the list again."""

    example: ClassVar[dict[str, Any]] = {"reason": "复查发现30盏不亮。"}
    reason: Text


FORMS = (NewProject, Belonging, StrikeOff, PutBack)


def router() -> APIRouter:
    routes = APIRouter(prefix="/api/v1/projects", tags=["supervise"])
    add, problems = routes.add_api_route, moves.problems
    refusals = problems(401, 403, 404, 409, 413, 422)
    makes = {"x-roles": [role.value for role in MAKES]}
    add("", listed, methods=["GET"], summary="为民办实事项目清单 the public list of livelihood projects",
        responses=problems(401, 422))  # fmt: skip
    add("/{project}", one, methods=["GET"], summary="一个项目 one project, its ledger and its issues",
        responses=problems(401, 404, 422))  # fmt: skip
    add("", make, methods=["POST"], status_code=201, summary="列入清单 put a project on the list",
        openapi_extra=moves.body(NewProject) | makes, responses=problems(401, 403, 413, 422))  # fmt: skip
    add("/{project}/issues", place, methods=["POST"], summary="项目的题 which issues belong to a project",
        openapi_extra=moves.body(Belonging) | makes, responses=problems(401, 403, 404, 413, 422))  # fmt: skip
    add("/{project}/strike_off", strike_off, methods=["POST"], summary="项目销号 strike a project off",
        openapi_extra=moves.body(StrikeOff) | {"x-roles": ["inspector"]}, responses=refusals)  # fmt: skip
    add("/{project}/reopen", reopen, methods=["POST"], summary="撤销销号 put it on the list again",
        openapi_extra=moves.body(PutBack) | makes, responses=refusals)  # fmt: skip
    return routes


async def listed(
    request: Request, state: Literal["", "open", "struck_off"] = "", unit: Said = "", before: given.Before = "",
    limit: given.Page = 50,
) -> Response:  # fmt: skip
    """For everybody, the latest first; give the last id back as `before`. `late`: open past its planned day."""
    here, actor = office(request), await who(request)
    found = await here.engine.read(partial(projects.listed, state=state, unit=unit, before=before, limit=limit))
    return answer({"projects": [_shown(actor, entry, _today(here)) for entry in found]})


def _today(here: Office) -> date:
    return here.now().astimezone(ZoneInfo(here.desk.world().policy.hours.zone)).date()


def _shown(actor: Actor, entry: Entry, today: date) -> dict[str, Any]:
    """To everybody its unit, its leader's post and its days; to officials also who acted, on what evidence."""
    row, official = entry.row, not actor.roles.isdisjoint(OFFICIALS | {Role.AUDITADMIN})
    is_open = row["struck_off_at"] is None
    acts = [{"act": one["act"], "at": one["at"]} for one in entry.strikes]
    shown = {
        "id": row["id"], "name": row["name"], "goal": row["goal"], "lead_unit": row["lead_unit"],
        "unit_name": row["unit_name"], "leader": row["leader_post"], "planned": row["planned"],
        "state": "open" if is_open else "struck_off", "struck_off_at": row["struck_off_at"], "listed_at": row["at"],
        "late": is_open and date.fromisoformat(row["planned"]) < today,
        "reopened": sum(one["act"] != STRIKE_OFF for one in entry.strikes), "ledger": acts, "issues": entry.issues,
    }  # fmt: skip
    if official:
        for act, kept in zip(acts, entry.strikes, strict=True):
            act |= {name: kept[name] for name in ("by", "unit", "text")}
        shown |= {"leader_id": row["leader"], "by": row["by"]}
    return shown


async def one(request: Request, project: str) -> Response:
    """Its issues as far as the reader sees them: the public those that are published."""
    here, actor = office(request), await who(request)
    entry, found = await here.engine.read(partial(projects.one, project=project))
    reads_cases, now = actor.roles.isdisjoint(sight.BLIND), here.now()
    seen = [one for one in found if reads_cases and sight.may_see(actor, one.issue)]
    body = _shown(actor, entry, _today(here))
    return answer(body | {"seen": [sight.listed(actor, one.issue, one.row, now) for one in seen]})


async def make(request: Request) -> Response:
    """By an inspector or the principal."""
    here, actor = office(request), await who(request)
    admit(actor, *MAKES)
    form, by = await given.form(request, NewProject), By(actor.id, here.now())
    made = await here.engine.write(partial(projects.add, **dict(form), by=by))
    entry, _ = await here.engine.read(partial(projects.one, project=made))
    return answer(_shown(actor, entry, _today(here)), 201)


async def place(request: Request, project: str) -> Response:
    """By an inspector or the principal, of issues they see; never a tip-off."""
    here, actor = office(request), await who(request)
    admit(actor, *MAKES)
    form, by = await given.form(request, Belonging), By(actor.id, here.now())
    chosen = sorted(set(form.issues))
    put = partial(projects.place, project=project, actor=actor, issue_ids=chosen, belongs=form.belongs, by=by)
    await here.engine.write(put)
    return answer({"project": project, "issues": chosen, "belongs": form.belongs})


async def strike_off(request: Request, project: str) -> Response:
    """By an inspector who is not, and never was, of the lead unit, and does not lead it; the evidence stays on record."""
    here, actor = office(request), await who(request)
    admit(actor, Role.INSPECTOR)
    form, by = await given.form(request, StrikeOff), By(actor.id, here.now())
    await here.engine.write(partial(projects.strike_off, project=project, actor=actor, evidence=form.evidence, by=by))
    return await one(request, project)


async def reopen(request: Request, project: str) -> Response:
    """By an inspector or the principal, with a reason; a new row, the old one stays."""
    here, actor = office(request), await who(request)
    admit(actor, *MAKES)
    form, by = await given.form(request, PutBack), By(actor.id, here.now())
    await here.engine.write(partial(projects.reopen, project=project, actor=actor, reason=form.reason, by=by))
    return await one(request, project)
