"""Campaigns 专项行动 as routes: made by an inspector or the principal, read by officials with issues and report (docs/rules.md §2)."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any, ClassVar, Literal
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request, Response
from msgspec import to_builtins
from pydantic import Field

from liuti.doors import given, moves
from liuti.doors.api import answer
from liuti.doors.boards.asking import ASKED
from liuti.doors.deps import Office, admit, office, who
from liuti.figures.periods import Period
from liuti.figures.tables import CLAIMS, compute
from liuti.flow import sight
from liuti.flow.kernel import Form, Refused
from liuti.flow.parts import Id, Text
from liuti.flow.words import Kind, Role
from liuti.monthly import gather
from liuti.store import campaigns
from liuti.store.audit import By
from liuti.store.campaigns import Campaign, Criteria

MAKES = (Role.INSPECTOR, Role.PRINCIPAL)


class NewCampaign(Form):
    """A campaign; what is named of kinds, categories and grids must all fit, and without any nothing belongs by itself."""

    example: ClassVar[dict[str, Any]] = {
        "name": "冬季供暖专项行动", "goal": "供暖诉求三日内见面。", "starts": "2026-03-01", "ends": "2026-03-31", "categories": ["heating"],
    }  # fmt: skip
    name: given.Name
    goal: Text
    starts: given.Day
    ends: given.Day
    kinds: tuple[Kind, ...] = Field((), max_length=6)
    categories: tuple[Id, ...] = Field((), max_length=20)
    grids: tuple[Id, ...] = Field((), max_length=20)


class Placing(Form):
    """Issues put in or taken out by hand; null leaves them to the criteria again."""

    example: ClassVar[dict[str, Any]] = {"issues": ["01999999-0000-7000-8000-000000000000"], "belongs": True}
    issues: tuple[Id, ...] = Field(min_length=1, max_length=100)
    belongs: bool | None = True


FORMS = (NewCampaign, Placing)


def router() -> APIRouter:
    routes = APIRouter(prefix="/api/v1/campaigns", tags=["supervise"])
    add, problems = routes.add_api_route, moves.problems
    makes = {"x-roles": [role.value for role in MAKES]}
    add("", make, methods=["POST"], status_code=201, summary="发起专项行动 begin a campaign",
        openapi_extra=moves.body(NewCampaign) | makes, responses=problems(401, 403, 413, 422))  # fmt: skip
    add("", listed, methods=["GET"], summary="专项行动 campaigns, the latest first", responses=problems(401, 403, 422))
    add(
        "/{campaign}", one, methods=["GET"], summary="一个专项行动 one campaign", responses=problems(401, 403, 404, 422)
    )
    add("/{campaign}/place", place, methods=["POST"], summary="列入或移出 put issues in, or take them out, by hand",
        openapi_extra=moves.body(Placing) | makes, responses=problems(401, 403, 404, 413, 422))  # fmt: skip
    add("/{campaign}/issues", issues, methods=["GET"], summary="专项行动的题 its issues, as far as you see them",
        responses=problems(401, 403, 404, 422))  # fmt: skip
    add("/{campaign}/report", report, methods=["GET"], summary="专项行动报告 its counts by state and its rates with intervals",
        responses=problems(401, 403, 404, 422))  # fmt: skip
    return routes


async def make(request: Request) -> Response:
    """By an inspector or the principal."""
    here, actor = office(request), await who(request)
    admit(actor, *MAKES)
    form = await given.form(request, NewCampaign)
    if unknown := [one for one in form.categories if one not in here.desk.world().policy.categories]:
        zh, en = f"没有类别 {unknown[0]}。", f"There is no category {unknown[0]}."
        raise Refused("category_is_known", 422, zh, en, "categories")
    criteria = Criteria(tuple(kind.value for kind in form.kinds), form.categories, form.grids)
    add = partial(
        campaigns.add, name=form.name, goal=form.goal, starts=form.starts, ends=form.ends, criteria=criteria,
        by=By(actor.id, here.now()),
    )  # fmt: skip
    return answer(to_builtins(await here.engine.write(add), builtin_types=()), 201)


async def listed(request: Request, before: given.Before = "", limit: given.Page = 50) -> Response:
    """Give the last id back as `before` to read on."""
    here, actor = office(request), await who(request)
    admit(actor, *ASKED)
    found = await here.engine.read(partial(campaigns.listed, before=before, limit=limit))
    return answer({"campaigns": found})


async def one(request: Request, campaign: str) -> Response:
    here, actor = office(request), await who(request)
    admit(actor, *ASKED)
    return answer(await here.engine.read(partial(campaigns.find, campaign=campaign)))


async def place(request: Request, campaign: str) -> Response:
    """By an inspector or the principal, of issues they see; never a tip-off. A hand's word goes before the criteria."""
    here, actor = office(request), await who(request)
    admit(actor, *MAKES)
    form = await given.form(request, Placing)
    chosen = sorted(set(form.issues))
    put = partial(
        campaigns.place, campaign=campaign, actor=actor, issue_ids=chosen, belongs=form.belongs,
        by=By(actor.id, here.now()),
    )  # fmt: skip
    await here.engine.write(put)
    return answer({"campaign": campaign, "issues": chosen, "belongs": form.belongs})


async def issues(request: Request, campaign: str, before: given.Before = "", limit: given.Page = 50) -> Response:
    """The newest first; give `before` back until it is null."""
    here, actor = office(request), await who(request)
    admit(actor, *ASKED)
    found, more = await here.engine.read(
        partial(campaigns.page, actor=actor, campaign=campaign, zone=_zone(here), before=before, limit=limit)
    )
    now = here.now()
    return answer({"issues": [sight.listed(actor, one.issue, one.row, now) for one in found], "before": more})


def _zone(here: Office) -> ZoneInfo:
    return ZoneInfo(here.desk.world().policy.hours.zone)


async def report(
    request: Request, campaign: str, by: Literal["unit", "category", "grid"] = "unit"
) -> Response:  # fmt: skip
    """How its issues stand now, and their rates from its first day to now: n, value and 95 % interval with each."""
    here, actor = office(request), await who(request)
    admit(actor, *ASKED)
    world, now, zone = here.desk.world(), here.now(), _zone(here)

    def look(conn: Any) -> tuple[Campaign, dict[str, int]]:
        found = campaigns.find(conn, campaign)
        return found, campaigns.counts(conn, found, zone)

    found, standing = await here.engine.read(look)
    period = Period(found.id, found.span(zone)[0], now, now)
    gathered = await gather(here.engine, period, world, read=partial(campaigns.cases, campaign=found, zone=zone))
    frame = gathered.frame
    made = await asyncio.to_thread(
        partial(compute, gathered.cases, period, by, frame.limits, (), frame.tiers.get(by), frame.above)
    )
    shown: dict[str, Any] = to_builtins(made)
    late, of_leaders = standing.pop("overdue"), {said.key for said in CLAIMS}
    for group in (shown["total"], *shown["groups"]):
        # 领题率 is of leaders, not of a campaign's issues.
        for said in CLAIMS:
            group["rates"].pop(said.key, None)
        group["name"] = frame.names[by].get(group["key"])
    return answer({
        "campaign": found, "as_of": now, "issues": sum(standing.values()), "by_step": standing, "overdue": late,
        "definitions": [one for one in shown["definitions"] if one["key"] not in of_leaders], "total": shown["total"],
        "by": by, "groups": shown["groups"],
    })  # fmt: skip
