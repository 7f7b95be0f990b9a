"""选题 on pages: rounds, the list with its reasons, one matter before the panel, weights tried out, gates signed."""

from __future__ import annotations

import asyncio
import math
import secrets
from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any, NamedTuple

from fastapi import APIRouter, Query, Request, Response

from liuti.doors import rounds as door
from liuti.doors.deps import admit, office, who
from liuti.doors.pages import moving
from liuti.doors.pages.drawn import stacked
from liuti.doors.pages.fields import Around
from liuti.doors.pages.frame import PageRoute, directory, go, page, reader_of
from liuti.doors.pages.moving import Offer, Tried
from liuti.doors.pages.sent import raw_of, sent
from liuti.doors.rounds import Opening
from liuti.flow import sight
from liuti.flow.issue import Issue
from liuti.flow.kernel import Actor, Facts, Refused, Standing
from liuti.flow.select import did_not_run_the_score, voted_this_round
from liuti.flow.table import FLOW
from liuti.flow.words import Role, Step
from liuti.policy_sections import Score as ScoreRule
from liuti.rank.factors import CRITERIA, FACTORS, ORIGIN_ZH
from liuti.rank.panel import WORDS as WHY
from liuti.rank.panel import recommend
from liuti.rank.score import reweighed, weights_of
from liuti.rank.words import CRITERION_NAMES, FACTOR_EN, FACTOR_ZH
from liuti.store import boards, panel, read, rounds
from liuti.store.subjects import evidence_of

SHOWN = 20
ACTS = ("publish", "sign_gate", "reserve", "divert", "explain", "merge", "adjust", "assess", "unflag")
"""In the order a panel comes to them."""
BESIDE = 15
"""Lines shown below the slots when weights are tried out."""
HEAVIEST = 100.0
WORDS: dict[str, Any] = {
    "criteria": CRITERIA, "criterion_names": CRITERION_NAMES, "factor_zh": FACTOR_ZH, "factor_en": FACTOR_EN,
    "origin_zh": ORIGIN_ZH, "why": {one.value: words for one, words in WHY.items()},
}  # fmt: skip


def router() -> APIRouter:
    routes = APIRouter(include_in_schema=False, route_class=PageRoute)
    routes.add_api_route("/rounds", listed, methods=["GET", "HEAD"])
    routes.add_api_route("/rounds", opening, methods=["POST"])
    routes.add_api_route("/gates", gates, methods=["GET"])
    routes.add_api_route("/rounds/{name}", one, methods=["GET", "HEAD"])
    routes.add_api_route("/rounds/{name}/close", closing, methods=["POST"])
    routes.add_api_route("/rounds/{name}/weights", weights, methods=["GET"])
    routes.add_api_route("/rounds/{name}/{issue}", matter, methods=["GET"])
    return routes


# -- all rounds ----------------------------------------------------------------------------------------------------


async def listed(request: Request, before: Annotated[int | None, Query(ge=1, le=10**8)] = None) -> Response:
    return await _listed(request, before)


async def _listed(request: Request, before: int | None = None, tried: Tried | None = None) -> Response:
    """Every round there was, for everybody; the analyst finds the way to open one."""
    here, actor = office(request), (await reader_of(request)).actor
    found = await here.engine.read(partial(rounds.listed, before=before, most=SHOWN))
    shown = [door.header(row) for row in found]
    opener, running = Role.ANALYST in actor.roles, bool(shown) and shown[0]["closed_at"] is None and before is None
    words: dict[str, Any] = {
        "rounds": shown, "more": shown[-1]["number"] if len(shown) == SHOWN else None, "opener": opener,
        "offer": await _opening(request, tried) if opener and not running else None,
        "closer": not actor.roles.isdisjoint(door.CLOSERS), "gate": Role.GATE in actor.roles,
    }  # fmt: skip
    return await page(request, "rounds/all.html", tried.status if tried else 200, **words)


async def _opening(request: Request, tried: Tried | None) -> Offer:
    here, reader = office(request), await reader_of(request)
    around = Around(None, await directory(here), here.desk.world().policy, reader.t)
    offer = moving.offer_of(request, "open", "开一轮选题", "Open a round", Opening, around, tried)
    offer.action, offer.open = "/rounds", True
    return offer


async def opening(request: Request) -> Response:
    actor = await who(request)
    await reader_of(request, actor)
    raw = raw_of(request, Opening, await sent(request))
    try:
        opened = await door.opens(request, actor, raw)
    except Refused as refused:
        if refused.status in (401, 403):
            raise
        return await _listed(request, None, Tried("open", raw, refused))
    return go(f"/rounds/{opened.number}", "opened_round")


async def closing(request: Request, name: str) -> Response:
    actor = await who(request)
    await reader_of(request, actor)
    await sent(request)
    return go(f"/rounds/{await door.closes(request, actor, name)}", "closed_round")


# -- one round -----------------------------------------------------------------------------------------------------


async def one(request: Request, name: str, after: Annotated[int, Query(ge=0, le=10**6)] = 0) -> Response:
    """The list in its original order, each line with its final rank; the public sees what is published of it."""
    here, actor = office(request), (await reader_of(request)).actor
    whole, now = sight.may_weigh(actor), here.now()
    # What is published of a list is a few lines of it: the public need not turn pages to find them.
    most = SHOWN if whole else rounds.MOST_LINES
    sheet = await here.engine.read(partial(panel.sheet, name=name, after=after, most=most))
    standing = {line.issue.id: _standing(sheet.round, line) for line in sheet.lines}
    lines: list[dict[str, Any]] = [
        shown | {"votes": _votes(line.issue, standing[line.issue.id]) if whole else None,
                 "moves": _moves(request, line.issue, actor, standing[line.issue.id]),
                 "no_vote": _no_vote(request, line.issue, actor, standing[line.issue.id]),
                 "adjusted": [row for row in sheet.changes if whole and row.issue_id == line.issue.id],
                 "key": secrets.token_urlsafe(12), "bar": stacked(shown["score"]["subs"])}
        for line in sheet.lines if sight.may_see(actor, line.issue)
        for shown in [door.line_of(actor, line, whole, now)]
    ]  # fmt: skip
    words: dict[str, Any] = WORDS | {
        "round": door.header(sheet.round), "lines": lines, "after": sheet.after, "changes": sheet.changes if whole else [],
        "whole": whole, "closer": not actor.roles.isdisjoint(door.CLOSERS) and sheet.round.closed_at is None,
        "ran_it": whole and actor.id == sheet.round.by, "panel": Role.PANEL in actor.roles, "full": _full(lines),
        "at": f"/rounds/{sheet.round.number}" + (f"?after={after}" if after else ""),
        "titles": {shown["issue"]["id"]: shown["issue"]["title"] for shown in lines},
    }  # fmt: skip
    return await page(request, "rounds/round.html", **words)


def _full(lines: list[dict[str, Any]]) -> dict[str, float]:
    """The most each criterion can give, by the weights of this round."""
    weight = {one["name"]: one["weight"] for one in lines[0]["score"]["factors"]} if lines else {}
    return {name: sum(weight.get(one, 0.0) for one in of) for name, of in CRITERIA.items()}


def _standing(found: Any, line: rounds.Line) -> Standing:
    place = line.place
    return Standing(
        found.id, found.by, place.digest, place.total, place.rank, line.final_rank, found.slots, found.at,
        found.closed_at is not None,
    )  # fmt: skip


def _votes(issue: Issue, standing: Standing) -> dict[str, int]:
    """Cast in this round and on this score."""
    now = [one.yes for one in issue.votes if (one.round, one.scored) == (issue.round, standing.round)]
    return {"cast": len(now), "yes": sum(now)}


def _moves(request: Request, issue: Issue, actor: Actor, standing: Standing) -> list[str]:
    here = office(request)
    return FLOW.open_to(issue, actor, here.desk.world(), here.now(), Facts(standing=standing))


def _no_vote(request: Request, issue: Issue, actor: Actor, standing: Standing) -> tuple[str, str] | None:
    """Why a member of the panel finds no vote here, in the words of the rule."""
    if Role.PANEL not in actor.roles or issue.step is not Step.SELECT:
        return None
    if actor.id == standing.by:
        return did_not_run_the_score.zh, did_not_run_the_score.en
    mine = (actor.id, issue.round, standing.round)
    voted = any((one.person, one.round, one.scored) == mine for one in issue.votes)
    return (voted_this_round.zh, voted_this_round.en) if voted else None


# -- one matter of a round -----------------------------------------------------------------------------------------


async def matter(
    request: Request, name: str, issue: str, factor: Annotated[str, Query(max_length=32)] = "",
    do: Annotated[str, Query(max_length=32)] = "",
) -> Response:  # fmt: skip
    """Why it stands where it stands, factor by factor; for the panel, what can be done about it."""
    here, actor = office(request), (await reader_of(request)).actor

    def look(conn: Any) -> Any:
        found, line, made = panel.line_in(conn, name, issue)
        if line is None:
            return found, None, made, None, [], []
        latest = rounds.last_of(conn, issue)
        standing = _standing(found, line) if latest == found.id else rounds.standing(conn, issue)
        beside = rounds.lines(conn, found.id, 0, found.slots + BESIDE, made)[0] if Role.PANEL in actor.roles else []
        return found, line, made, standing, evidence_of(conn, issue, line.issue.evidence), beside

    found, line, made, standing, evidence, beside = await here.engine.read(look)
    sight.admit(actor, line.issue if line is not None else None)
    whole, now = sight.may_weigh(actor), here.now()
    shown = door.line_of(actor, line, whole, now)
    offers = await moving.offers(request, line.issue, actor, Facts(standing=standing))
    others = [
        (one.issue.id, f"{one.place.rank or one.place.by_total or '–'} {one.row['title'][:40]}")
        for one in beside if one.issue.id != issue and sight.may_see(actor, one.issue)
    ]  # fmt: skip
    for offer in offers:
        _filled(offer, shown, factor, others)
        offer.open = offer.open or offer.name == do
    offers.sort(key=lambda one: ACTS.index(one.name) if one.name in ACTS else len(ACTS))
    words: dict[str, Any] = WORDS | {
        "round": door.header(found), "line": shown, "seen": sight.seen_by(actor, line.issue, line.row, now),
        "offers": [one for one in offers if one.name != "vote"], "assess": any(one.name == "assess" for one in offers),
        "may_vote": any(one.name == "vote" for one in offers), "key": secrets.token_urlsafe(12), "whole": whole, "evidence": evidence, "bar": stacked(shown["score"]["subs"]),
        "full": _full([shown]), "votes": _votes(line.issue, standing) if whole else None,
        "no_vote": _no_vote(request, line.issue, actor, standing), "panel": Role.PANEL in actor.roles,
        "changed": [row for row in made if row.issue_id == issue] if whole else [],
        "latest": standing.round == found.id, "signed": line.issue.signatures if whole else (),
    }  # fmt: skip
    return await page(request, "rounds/matter.html", **words)


def _filled(offer: Offer, line: Mapping[str, Any], factor: str, others: list[tuple[str, str]]) -> None:
    """What the page knows already stands in the fields; another matter is chosen from the list, not typed."""
    given: dict[str, Any] = {"from_rank": line["final_rank"]} if offer.name == "adjust" else {}
    if offer.name == "assess" and factor in FACTORS:
        value = next(one["value"] for one in line["score"]["factors"] if one["name"] == factor)
        given, offer.open = {"factor": factor, "value": value}, True
    for one in offer.fields:
        if one.name in given and given[one.name] is not None:
            one.value = given[one.name]
        if (offer.name, one.name) in (("adjust", "other"), ("merge", "lead")):
            one.kind, one.options = "choice", others


# -- weights tried out ---------------------------------------------------------------------------------------------


class Trial(NamedTuple):
    """One line under other weights: its rank before and after, and both totals."""

    issue: str
    before: int | None
    after: int | None
    total: float
    was: float
    subs: dict[str, float]


async def weights(request: Request, name: str) -> Response:
    """The round's frozen snapshots weighed anew, for the eye alone: nothing is written, and no rank changes."""
    here, actor = office(request), (await reader_of(request)).actor
    admit(actor, *sight.WEIGHERS)
    found, frozen = await here.engine.read(lambda conn: _frozen(conn, name))
    policy = here.desk.world().policy
    own = weights_of(frozen[0].snapshot.encode())
    given, fault = _given(request.query_params, own)
    trials = await asyncio.to_thread(_tried, frozen, given, found.slots, policy.score)
    shown = [one for one in trials if one.after is not None or one.before is not None]
    shown += [one for one in trials if one.after is None and one.before is None][:BESIDE]
    known = await here.engine.read(partial(read.several, ids=[one.issue for one in shown]))
    titles = {
        issue: sight.listed(actor, one.issue, one.row, here.now()) for issue, one in known.items() if sight.may_see(actor, one.issue)
    }  # fmt: skip
    seen = [one for one in shown if one.issue in titles]
    words: dict[str, Any] = WORDS | {
        "round": door.header(found), "weights": given, "own": own, "fault": fault, "titles": titles, "trials": seen,
        "bars": {one.issue: stacked(one.subs) for one in seen},
        "changed": sum(1 for one in seen if (one.before is None) != (one.after is None)),
        "asked": bool(request.query_params),
    }  # fmt: skip
    return await page(request, "rounds/weights.html", 422 if fault else 200, **words)


def _frozen(conn: Any, name: str) -> tuple[Any, list[Any]]:
    found = rounds.find(conn, name)
    return found, panel.snapshots(conn, found.id)


def _given(asked: Mapping[str, str], own: dict[str, float]) -> tuple[dict[str, float], tuple[str, str] | None]:
    """Sixteen weights that add up to 100: what was typed, scaled; the round's own where nothing usable was."""
    typed = {factor: asked.get(f"w.{factor}", "") for factor in FACTORS}
    try:
        numbers = {factor: float(text) if text.strip() else own[factor] for factor, text in typed.items()}
    except ValueError:
        return own, ("权重须是数字。", "Weights are numbers.")
    if not all(math.isfinite(one) and 0 <= one <= HEAVIEST for one in numbers.values()) or not any(numbers.values()):
        return own, ("权重在 0 与 100 之间,不能全为 0。", "Weights lie between 0 and 100, and not all of them are 0.")
    whole = math.fsum(numbers.values())
    return {factor: 100 * one / whole for factor, one in numbers.items()}, None


def _tried(frozen: list[Any], given: Mapping[str, float], slots: int, rule: ScoreRule) -> list[Trial]:
    """The list under these weights, in its new order."""
    scores = [reweighed(row.snapshot.encode(), given) for row in frozen]
    rows, by = {row.issue_id: row for row in frozen}, {one.id: one for one in scores}
    return [
        Trial(place.id, rows[place.id].rank, place.rank, place.total, rows[place.id].total, by[place.id].subs)
        for place in recommend(scores, slots, rule.set_aside_every, rule.few_households)
    ]


# -- gates ---------------------------------------------------------------------------------------------------------

SEES_GATES = (Role.GATE, Role.PANEL, Role.ANALYST, Role.PRINCIPAL, Role.TEAM)


async def gates(request: Request, cursor: Annotated[str, Query(max_length=200)] = "") -> Response:
    """Livelihood matters before the three gates: who has signed, whose turn it is, and the form of whoever's turn it is."""
    here, actor = office(request), (await reader_of(request)).actor
    admit(actor, *SEES_GATES)
    found = await here.engine.read(
        partial(boards.at_step, actor=actor, step=Step.SELECT, fits=lambda issue: issue.livelihood, cursor=cursor, limit=SHOWN)
    )  # fmt: skip
    posts, now = here.desk.world().policy.gates, here.now()
    mine = posts.index(actor.post) + 1 if actor.post in posts and Role.GATE in actor.roles else 0
    rows = []
    for one in found.rows:
        offers = await moving.offers(request, one.issue, actor, Facts())
        turn = len(one.issue.signatures) + 1
        rows.append({
            "seen": sight.listed(actor, one.issue, one.row, now), "signed": {s.gate: s for s in one.issue.signatures},
            "turn": turn, "offer": next((o for o in offers if o.name == "sign_gate" and turn == mine), None),
            "version": one.issue.version,
        })  # fmt: skip
    rows.sort(key=lambda row: row["offer"] is None)
    return await page(request, "rounds/gates.html", rows=rows, cursor=found.cursor, posts=posts, mine=mine)
