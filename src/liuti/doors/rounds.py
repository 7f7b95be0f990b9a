"""选题: rounds for the analyst, the panel and everyone who wants to know why (docs/rules.md §6)."""

from __future__ import annotations

import asyncio
from datetime import datetime
from functools import partial
from typing import Annotated, Any, ClassVar

from fastapi import APIRouter, Query, Request, Response
from msgspec import to_builtins
from pydantic import Field

from liuti.doors import moves
from liuti.doors.api import answer
from liuti.doors.deps import Malformed, admit, body_of, form_of, office, who
from liuti.flow import sight
from liuti.flow.kernel import Actor, Form, Refused, parse
from liuti.flow.words import Role
from liuti.rank.score import Score
from liuti.store import panel, read, rounds
from liuti.store.rounds import Line, Opened
from liuti.store.subjects import evidence_of, gather, seen

MOST = 100
CLOSERS = (Role.ANALYST, Role.PANEL)


class Opening(Form):
    """A round: so many slots; `as_of` scores as at an earlier moment, for a look back."""

    example: ClassVar[dict[str, Any]] = {"slots": 5}
    slots: int = Field(ge=1, le=200)
    as_of: datetime | None = None


def router() -> APIRouter:
    routes = APIRouter(prefix="/api/v1", tags=["select"])
    add = routes.add_api_route
    problems = moves.problems
    add("/rounds", open_round, methods=["POST"], status_code=201, summary="开一轮选题 open a round: score, freeze, recommend",
        openapi_extra=moves.body(Opening) | {"x-roles": ["analyst"]}, responses=problems(401, 403, 409, 413, 422))  # fmt: skip
    add("/rounds", listed, methods=["GET"], summary="历轮选题 rounds, the latest first", responses=problems(401, 422))
    add("/rounds/{round}", one, methods=["GET"], responses=problems(401, 403, 404, 422),
        summary="一轮选题 one round: scores, reasons, original and final rank")  # fmt: skip
    add("/rounds/{round}/close", close_round, methods=["POST"], summary="结束一轮 close a round",
        openapi_extra={"x-roles": ["analyst", "panel"]}, responses=problems(401, 403, 404, 409))  # fmt: skip
    add("/issues/{issue}/score", score, methods=["GET"], responses=problems(401, 403, 404),
        summary="得分与理由 an issue's score in the latest round, with its reasons")  # fmt: skip
    return routes


async def open_round(request: Request) -> Response:
    """Scores every matter that waits at `select`, freezes the snapshot and recommends; who does this does not vote."""
    actor = await who(request)
    admit(actor, Role.ANALYST)
    given = form_of(await body_of(request))
    opened = await opens(request, actor, given if not isinstance(given, Malformed) else "not a JSON object")
    return answer(to_builtins(opened), 201)


async def opens(request: Request, actor: Actor, raw: Any) -> Opened:
    """Open a round as an analyst, by what a form says; Refused 401, 403, 409, 422."""
    here = office(request)
    admit(actor, Role.ANALYST)
    form = parse(Opening, raw)
    if form.as_of is not None and (form.as_of.tzinfo is None or form.as_of > here.now()):
        raise Refused("bad_form", 422, "时刻须带时区且不晚于现在。", "A moment with a zone, not after now.", "as_of")
    policy, moment = here.desk.world().policy, form.as_of or here.now()
    await here.engine.read(rounds.refuse_if_open)
    waiting = await here.engine.read(partial(gather, policy=policy, as_of=moment))
    # Scoring thousands of matters takes seconds: not where everybody else waits for an answer.
    prepared = await asyncio.to_thread(lambda: rounds.prepare(seen(waiting), policy, form.slots, moment))
    return await here.engine.write(partial(rounds.keep, prepared=prepared, by=actor.id, now=here.now()))


async def close_round(request: Request, round: str) -> Response:  # noqa: A002 - the word of the trade
    """After it another round may be opened. What it froze stays."""
    return answer({"number": await closes(request, await who(request), round), "closed": True})


async def closes(request: Request, actor: Actor, name: str) -> int:
    """Close the round as an analyst or a member of the panel; its number."""
    here = office(request)
    admit(actor, *CLOSERS)
    return await here.engine.write(partial(_close, name=name, by=actor.id, now=here.now()))


def _close(conn: Any, name: str, by: str, now: datetime) -> int:
    found = rounds.find(conn, name)
    rounds.close_round(conn, found.id, by, now)
    return int(found.number)


async def listed(request: Request, before: Annotated[int | None, Query(ge=1, le=10**8)] = None) -> Response:
    await who(request)
    found = await office(request).engine.read(partial(rounds.listed, before=before))
    return answer({"rounds": [header(row) for row in found]})


async def one(
    request: Request, round: str, after: Annotated[int, Query(ge=0, le=10**6)] = 0,  # noqa: A002
    limit: Annotated[int, Query(ge=1, le=MOST)] = 50,
) -> Response:  # fmt: skip
    """The list in its original order; the public reads what is published of it. Give `after` back to read on."""
    here, actor = office(request), await who(request)
    sheet = await here.engine.read(partial(panel.sheet, name=round, after=after, most=limit))
    whole = sight.may_weigh(actor)
    body = header(sheet.round) | {"lines": shown(actor, sheet.lines, here.now()), "after": sheet.after}
    if whole:
        body["changes"] = [dict(row._mapping) for row in sheet.changes]
    return answer(body)


def shown(actor: Actor, lines: list[Line], now: datetime) -> list[dict[str, Any]]:
    """The lines as this reader may see them: the public reads what is published, and no raw inputs."""
    whole = sight.may_weigh(actor)
    return [line_of(actor, line, whole, now) for line in lines if sight.may_see(actor, line.issue)]


async def score(request: Request, issue: str) -> Response:
    """Why it stands where it stands: the four sub-scores, the strongest and weakest reasons, and all sixteen factors."""
    here, actor = office(request), await who(request)
    found, line, evidence = await here.engine.read(
        lambda conn: (read.find(conn, issue), rounds.line_of(conn, issue), evidence_of(conn, issue))
    )
    sight.admit(actor, found.issue if found else None)
    if line is None:
        raise Refused("not_scored", 404, "此题尚未评分。", "This issue has not been scored.")
    return answer(line_of(actor, line, sight.may_weigh(actor), here.now()) | {"evidence": evidence})


def header(row: Any) -> dict[str, Any]:
    return {
        "id": row.id, "number": row.number, "at": row.at, "as_of": row.as_of, "slots": row.slots, "policy": row.policy,
        "formula": row.formula, "closed_at": row.closed_at,
    }  # fmt: skip


def line_of(actor: Actor, line: Line, whole: bool, now: datetime) -> dict[str, Any]:
    place = line.place
    return {
        "issue": sight.listed(actor, line.issue, line.row, now), "rank": place.rank, "final_rank": line.final_rank,
        "by_total": place.by_total, "why": place.why, "snapshot": {"round": place.round_id, "digest": place.digest},
        "score": scored(line.score, whole),
    }  # fmt: skip


def scored(score: Score, whole: bool) -> dict[str, Any]:
    """What is shown of a score: to the public no raw inputs, which may name officials."""
    factors = [
        {
            "name": f.name,
            "value": f.value,
            "weight": f.weight,
            "points": f.points,
            "origin": f.origin,
            "zh": f.zh,
            "en": f.en,
        }
        | ({"raw": f.raw} if whole else {})
        for f in score.factors
    ]
    return {
        "total": score.total, "subs": score.subs, "unknown_weight": score.unknown_weight,
        "recommendable": score.recommendable, "strongest": to_builtins(score.strongest),
        "weakest": to_builtins(score.weakest), "factors": factors, "formula": score.formula, "policy": score.version,
    }  # fmt: skip
