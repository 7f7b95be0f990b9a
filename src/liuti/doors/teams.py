"""督导组 as routes: teams with their jurisdiction, samples that anybody can draw again, findings with a deadline (docs/rules.md §2, §8)."""

from __future__ import annotations

from datetime import date, datetime
from functools import partial
from typing import Annotated, Any, ClassVar, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from liuti.doors import given, moves
from liuti.doors.api import Text as Said
from liuti.doors.api import answer
from liuti.doors.boards.frame import WATCHED
from liuti.doors.deps import Office, admit, office, who
from liuti.flow import sight
from liuti.flow.calendar import Span
from liuti.flow.kernel import Actor, Form
from liuti.flow.parts import Id, Text
from liuti.flow.words import UNIT_ROLES, Role, Step
from liuti.store import findings, read, teams
from liuti.store.audit import By
from liuti.store.findings import Line, Term, Wanted
from liuti.store.teams import Team

MAKES = (Role.INSPECTOR, Role.PRINCIPAL)
READS = (Role.INSPECTOR, Role.TEAM, Role.PRINCIPAL, Role.AUDITADMIN)
BOARD = tuple(role for role in WATCHED if role is not Role.LEADER)
Within = Annotated[str, Field(pattern=r"^([1-9]|[1-5][0-9]|60)wd$")]


class Member(BaseModel):
    """A person of the team, with former units that the record of people does not name."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)
    person: Id
    former_units: tuple[Id, ...] = Field((), max_length=30)


class NewTeam(Form):
    """Who, over which units or places (with all within them), from day to day."""

    example: ClassVar[dict[str, Any]] = {
        "name": "第一督导组", "over_units": ["roads"], "starts": "2026-03-01", "ends": "2026-04-30", "members": [{"person": "team"}],
    }  # fmt: skip
    name: given.Name
    over_units: tuple[Id, ...] = Field((), max_length=100)
    over_grids: tuple[Id, ...] = Field((), max_length=100)
    starts: given.Day
    ends: given.Day
    members: tuple[Member, ...] = Field(min_length=1, max_length=50)


class Drawing(Form):
    """How large a share, of the issues that stand where, by which seed; without one a fresh seed is taken and kept."""

    example: ClassVar[dict[str, Any]] = {"share": 0.1, "seed": "2026-03"}
    share: float = Field(gt=0, le=1)
    steps: tuple[Step, ...] = Field(
        (Step.SOLVE, Step.SUPERVISE, Step.EVALUATE, Step.CLOSED), min_length=1, max_length=12
    )
    seed: str = Field("", max_length=100, pattern=r"^[^\x00-\x1f]*$")


class NewFinding(Form):
    """What was found about whom; the answer is due within so many working days, the policy's for an order if none is said."""

    example: ClassVar[dict[str, Any]] = {"unit": "roads", "text": "三件题的现场照片与核查记录不符。", "within": "5wd"}
    unit: Id
    text: Text
    issue: Id | None = None
    within: Within | None = None


class Words(Form):
    """What is answered, or why it is closed."""

    example: ClassVar[dict[str, Any]] = {"text": "已补拍并更正记录。"}
    text: Text


class Return(Form):
    """Why the answer does not do, and by when another is due."""

    example: ClassVar[dict[str, Any]] = {"text": "仍缺两处照片。", "within": "2wd"}
    text: Text
    within: Within | None = None


FORMS = (NewTeam, Drawing, NewFinding, Words, Return)


def router() -> APIRouter:
    routes = APIRouter(prefix="/api/v1", tags=["supervise"])
    add, problems = routes.add_api_route, moves.problems
    makes, team, unit = (
        {"x-roles": [role.value for role in roles]} for roles in (MAKES, (Role.TEAM,), sorted(UNIT_ROLES))
    )
    refusals, acts = problems(401, 403, 404, 422), problems(401, 403, 404, 409, 413, 422)
    add("/teams", make, methods=["POST"], status_code=201, summary="组建督导组 make an inspection team",
        openapi_extra=moves.body(NewTeam) | makes, responses=problems(401, 403, 413, 422))  # fmt: skip
    add("/teams", listed, methods=["GET"], summary="督导组 inspection teams, the latest first",
        responses=problems(401, 403, 422))  # fmt: skip
    add("/teams/{team}", one, methods=["GET"], summary="一个督导组 one team", responses=refusals)
    add("/teams/{team}/samples", draw, methods=["POST"], status_code=201, summary="抽样 draw a sample by a seed",
        openapi_extra=moves.body(Drawing) | team, responses=refusals | problems(413))  # fmt: skip
    add("/teams/{team}/samples", samples, methods=["GET"], responses=refusals,
        summary="抽样记录 samples with seed, population and whether they replay")  # fmt: skip
    add("/teams/{team}/findings", raise_, methods=["POST"], status_code=201, summary="提出问题 raise a finding",
        openapi_extra=moves.body(NewFinding) | team, responses=refusals | problems(413))  # fmt: skip
    add("/findings/{finding}/answer", reply, methods=["POST"], summary="答复问题 answer a finding",
        openapi_extra=moves.body(Words) | unit, responses=acts)  # fmt: skip
    add("/findings/{finding}/return", send_back, methods=["POST"], summary="退回答复 return an answer",
        openapi_extra=moves.body(Return) | team, responses=acts)  # fmt: skip
    add("/findings/{finding}/close", close, methods=["POST"], summary="问题销号 close a finding",
        openapi_extra=moves.body(Words) | team, responses=acts)  # fmt: skip
    add("/boards/findings", board, methods=["GET"], summary="督导问题台账 findings, the earliest due first, late ones red",
        openapi_extra={"x-roles": [role.value for role in BOARD]}, responses=problems(401, 403, 422))  # fmt: skip
    return routes


# -- teams ---------------------------------------------------------------------------------------------------------


async def make(request: Request) -> Response:
    """By an inspector or the principal. No member may be put over a unit they belong to or came from."""
    here, actor = office(request), await who(request)
    admit(actor, *MAKES)
    form = await given.form(request, NewTeam)
    members = {one.person: one.former_units for one in form.members}
    add = partial(
        teams.add, name=form.name, over=form.over_units, places=form.over_grids, starts=form.starts, ends=form.ends,
        members=members, by=By(actor.id, here.now()),
    )  # fmt: skip
    made = await here.engine.write(add)
    return answer(_team(await here.engine.read(partial(teams.find, team=made))), 201)


def _team(team: Team) -> dict[str, Any]:
    return {
        "id": team.id, "name": team.name, "over_units": team.units, "over_grids": team.grids, "starts": team.starts,
        "ends": team.ends, "members": [{"person": one, "kept_off": sorted(team.kept_off[one])} for one in team.members],
    }  # fmt: skip


async def listed(request: Request, before: given.Before = "", limit: given.Page = 50) -> Response:
    """Give the last id back as `before` to read on."""
    here, actor = office(request), await who(request)
    admit(actor, *READS)
    found = await here.engine.read(partial(teams.listed, before=before, limit=limit))
    return answer({"teams": [_team(one) for one in found]})


async def one(request: Request, team: str) -> Response:
    here, actor = office(request), await who(request)
    admit(actor, *READS)
    return answer(_team(await here.engine.read(partial(teams.find, team=team))))


# -- samples -------------------------------------------------------------------------------------------------------


async def draw(request: Request, team: str) -> Response:
    """By a member, within the team's period. Seed, population and its digest are kept: the same seed over the same
    population draws the same issues. A tip-off, and a member's own or former unit's work, is never among them."""
    here, actor = office(request), await who(request)
    admit(actor, Role.TEAM)
    form, by = await given.form(request, Drawing), By(actor.id, here.now())

    def write(conn: Any) -> dict[str, Any]:
        held = teams.find(conn, team)
        teams.admit(held, actor)
        teams.running(held, _today(here))
        return teams.draw(conn, held, form.steps, form.share, form.seed, by)

    made = await here.engine.write(write)
    return answer(await _sample(here, actor, made), 201)


async def samples(request: Request, team: str) -> Response:
    """The latest first, each with the ids it was drawn from and whether it replays; its issues as far as you see them."""
    here, actor = office(request), await who(request)
    admit(actor, *READS)

    def look(conn: Any) -> list[dict[str, Any]]:
        return teams.samples(conn, teams.find(conn, team).id)

    found = await here.engine.read(look)
    return answer({"samples": [await _sample(here, actor, row) for row in found]})


async def _sample(here: Office, actor: Actor, row: dict[str, Any]) -> dict[str, Any]:
    found = await here.engine.read(partial(read.several, ids=row["drawn"][: read.MOST]))
    seen, now = [one for one in found.values() if sight.may_see(actor, one.issue)], here.now()
    shown = [sight.listed(actor, one.issue, one.row, now) for one in sorted(seen, key=lambda one: one.issue.id)]
    return {
        "id": row["id"], "team": row["team_id"], "seed": row["seed"], "share": row["share"], "by": row["by"],
        "at": row["at"], "digest": row["digest"], "population": row["population"], "drawn": row["drawn"],
        "replays": row["replays"], "issues": shown,
    }  # fmt: skip


# -- findings ------------------------------------------------------------------------------------------------------


def _today(here: Office) -> date:
    return here.now().astimezone(here.desk.world().calendar.zone).date()


def _term(here: Office, within: str | None, now: datetime) -> Term:
    world = here.desk.world()
    due = world.calendar.due(now, Span.parse(within) if within else world.policy.clocks.order).at
    return Term(due, world.calendar.fraction(now, due, world.policy.ladder.warn_at, "wd"))


async def raise_(request: Request, team: str) -> Response:
    """By a member, within period and jurisdiction; never about a member's own or former unit, nor a tip-off."""
    here, actor = office(request), await who(request)
    admit(actor, Role.TEAM)
    form, by = await given.form(request, NewFinding), By(actor.id, here.now())
    term = _term(here, form.within, by.at)

    def write(conn: Any) -> str:
        held = teams.find(conn, team)
        teams.admit(held, actor)
        return findings.raise_(conn, held, actor, form.unit, form.issue or "", form.text, term, _today(here), by)

    return await _told(request, actor, await here.engine.write(write), 201)


async def _told(request: Request, actor: Actor, finding: str, status: int = 200) -> Response:
    here = office(request)
    line = await here.engine.read(partial(findings.one, finding=finding))
    return answer(_line(actor, line, here.now()), status)


async def reply(request: Request, finding: str) -> Response:
    """By an officer or the head of the unit it is about."""
    here, actor = office(request), await who(request)
    admit(actor, *UNIT_ROLES)
    form, by = await given.form(request, Words), By(actor.id, here.now())
    await here.engine.write(partial(findings.answer, finding=finding, actor=actor, text=form.text, by=by))
    return await _told(request, actor, finding)


async def send_back(request: Request, finding: str) -> Response:
    """By a member of its team: the answer does not do, and another is due."""
    here, actor = office(request), await who(request)
    admit(actor, Role.TEAM)
    form, by = await given.form(request, Return), By(actor.id, here.now())
    term = _term(here, form.within, by.at)
    write = partial(findings.send_back, finding=finding, actor=actor, text=form.text, term=term, by=by)
    await here.engine.write(write)
    return await _told(request, actor, finding)


async def close(request: Request, finding: str) -> Response:
    """By a member of its team, after an answer."""
    here, actor = office(request), await who(request)
    admit(actor, Role.TEAM)
    form, by = await given.form(request, Words), By(actor.id, here.now())
    await here.engine.write(partial(findings.close, finding=finding, actor=actor, text=form.text, by=by))
    return await _told(request, actor, finding)


async def board(
    request: Request, team: Said = "", unit: Said = "", state: Literal["", "raised", "answered", "closed"] = "",
    colour: Literal["", "yellow", "red"] = "", cursor: Annotated[str, Query(max_length=200)] = "", limit: given.Page = 50,
) -> Response:  # fmt: skip
    """Those not closed unless asked for; units read of their own. Yellow from 75 % of the time on, red when overdue.
    Give `cursor` back to read on until it is null."""
    here, actor = office(request), await who(request)
    admit(actor, *BOARD)
    wanted, now = Wanted(team, unit, state, colour, cursor, limit), here.now()
    found, more = await here.engine.read(partial(findings.board, actor=actor, wanted=wanted, now=now))
    return answer({"rows": [_line(actor, line, now) for line in found], "cursor": more})


def _line(actor: Actor, line: Line, now: datetime) -> dict[str, Any]:
    row, found = line.row, line.found
    seen = found is not None and sight.may_see(actor, found.issue)
    late = any(act["act"] == "answer" and act["at"] > act["due_at"] for act in line.acts)
    return {
        "id": row["id"], "team": row["team_id"], "unit": row["unit_id"], "state": row["state"],
        "colour": findings.colour_of(row, now) or None, "due_at": row["due_at"], "raised_at": row["at"],
        "answered_late": late,
        "issue": sight.listed(actor, found.issue, found.row, now) if seen and found is not None else None,
        "acts": [{name: act[name] for name in ("act", "by", "at", "due_at", "text")} for act in line.acts],
    }  # fmt: skip
