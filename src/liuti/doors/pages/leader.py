"""领题 on pages: what waits to be claimed and why, my claims in time, requests that wait for my answer."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request, Response

from liuti.doors.boards.asking import may_answer
from liuti.doors.deps import admit, office
from liuti.doors.pages import moving
from liuti.doors.pages.drawn import gantt, stacked
from liuti.doors.pages.frame import PageRoute, page, reader_of
from liuti.doors.pages.labels import label
from liuti.flow import sight
from liuti.flow.issue import Ask, Issue
from liuti.flow.kernel import NO_FACTS, Actor, Refused
from liuti.flow.table import FLOW
from liuti.flow.words import Clock, Lane, Role, Step
from liuti.rank.score import Score
from liuti.rank.words import CRITERION_NAMES
from liuti.store import boards, panel, read
from liuti.store.read import Found

LEADS = (Role.LEADER, Role.PRINCIPAL)
WAITING, MINE, ASKED = 20, 50, 20
HELD = (Step.SOLVE, Step.SUPERVISE, Step.EVALUATE, Step.SUSPENDED)
"""Where a claim counts against the cap, as the rule of the flow counts it."""


def router() -> APIRouter:
    routes = APIRouter(include_in_schema=False, route_class=PageRoute)
    routes.add_api_route("/leader", leader, methods=["GET"])
    routes.add_api_route("/leader/{issue}/{move}", card, methods=["GET"])
    return routes


async def leader(request: Request) -> Response:
    """The claim board, my claims, requests: three statements."""
    here, actor = office(request), (await reader_of(request)).actor
    admit(actor, *LEADS)
    world, now = here.desk.world(), here.now()

    def fits(issue: Issue, ask: Ask) -> bool:
        return may_answer(issue, ask, actor, world, now)

    def look(conn: Any) -> Any:
        found = panel.claims(conn, actor, WAITING, MINE)
        scores = panel.scores_of(conn, [one.issue.id for one in found.waiting])
        return found, scores, boards.requests(conn, actor, fits, limit=ASKED)

    found, scores, asked = await here.engine.read(look)
    zone = ZoneInfo(world.policy.hours.zone)
    t = (await reader_of(request)).t

    def named(field: str) -> str:
        said = label("", field)
        return t(said.zh, said.en)

    # Who supervises a unit answers for its direct matters: they are no claims, and no rule counts them as such.
    claims = [one for one in found.mine if one.issue.lane is not Lane.DIRECT]
    charge = [sight.listed(actor, one.issue, one.row, now) for one in found.mine if one.issue.lane is Lane.DIRECT]
    words: dict[str, Any] = {
        "waiting": [_line(request, actor, one, scores.get(one.issue.id), now) for one in found.waiting],
        "more": found.more, "criterion_names": CRITERION_NAMES,
        "claims": [_claim(actor, one, now, zone) for one in claims], "charge": charge,
        "cap": world.policy.limits.claims, "asked": [await _asked(request, actor, one, now) for one in asked.rows],
        "full": sum(1 for one in claims if one.issue.step in HELD) >= world.policy.limits.claims, "field_name": named,
        "leads": Role.LEADER in actor.roles, "principal": Role.PRINCIPAL in actor.roles,
    }  # fmt: skip
    return await page(request, "leader/all.html", **words)


def _line(
    request: Request, actor: Actor, one: Found, scored: tuple[str, Score] | None, now: datetime
) -> dict[str, Any]:
    """What waits, with its reasons; how many households, in the words of the score. Only what the flow would accept is offered."""
    score = scored[1] if scored is not None else None
    homes = next((f for f in score.factors if f.name == "households"), None) if score is not None else None
    return {
        "seen": sight.listed(actor, one.issue, one.row, now), "score": score, "homes": homes,
        "bar": stacked(score.subs) if score is not None else [], "timer": one.issue.timer(Clock.CLAIM) or one.issue.latest(Clock.CLAIM),
        "moves": _open(request, one.issue, actor, now), "designate_by": one.issue.timer(Clock.DESIGNATE),
    }  # fmt: skip


def _open(request: Request, issue: Issue, actor: Actor, now: datetime) -> list[str]:
    """Claiming as the flow says; designating once the time to claim has passed, as its rule wants it."""
    timer = issue.latest(Clock.CLAIM)
    late = timer is not None and now > timer.due
    found = FLOW.open_to(issue, actor, office(request).desk.world(), now)
    return [name for name in found if name == "claim" or (name == "designate" and late)]


def _claim(actor: Actor, one: Found, now: datetime, zone: ZoneInfo) -> dict[str, Any]:
    """One of my claims, its milestones and its promise in time."""
    issue = one.issue
    solve = issue.latest(Clock.SOLVE) or issue.timer(Clock.OVERALL)
    drawn = gantt(issue, solve.due if solve is not None else None, now, zone) if issue.milestones else None
    return {
        "seen": sight.listed(actor, issue, one.row, now), "goal": issue.plan_goal, "gantt": drawn,
        "plan_by": issue.timer(Clock.PLAN), "promised": solve.due if solve is not None else None, "designated": issue.designated,
    }  # fmt: skip


async def _asked(request: Request, actor: Actor, one: boards.Asked, now: datetime) -> dict[str, Any]:
    offers = await moving.answers(request, one.found.issue, actor)
    return {
        "seen": sight.listed(actor, one.found.issue, one.found.row, now), "ask": one.ask, "version": one.found.issue.version,
        "offer": next((o for o in offers if o.hidden.get("request") == str(one.ask.id)), None),
    }  # fmt: skip


async def card(request: Request, issue: str, move: str) -> Response:
    """The claim card, or a designation, with what speaks for the matter beside it."""
    here, actor = office(request), (await reader_of(request)).actor
    admit(actor, *LEADS)
    now = here.now()

    def look(conn: Any) -> tuple[Found | None, dict[str, tuple[str, Score]]]:
        return read.find(conn, issue), panel.scores_of(conn, [issue])

    found, scores = await here.engine.read(look)
    held = sight.admit(actor, found.issue if found is not None else None)
    assert found is not None
    if move not in _open(request, held, actor, now):
        zh, en = "此题现在不能由您领题或指定。", "This issue is not yours to claim or designate now."
        raise Refused("wrong_state", 409, zh, en)
    offers = await moving.offers(request, held, actor, NO_FACTS)
    line = _line(request, actor, found, scores.get(issue), now)
    words: dict[str, Any] = {
        "line": line, "seen": sight.seen_by(actor, held, found.row, now), "criterion_names": CRITERION_NAMES,
        "offer": next(one for one in offers if one.name == move),
    }  # fmt: skip
    return await page(request, "leader/card.html", **words)
