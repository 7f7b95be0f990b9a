"""受理: the queue with its clocks, one issue at a time with all that helps to decide it, then the next one."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from liuti.doors.deps import office
from liuti.doors.pages import candidates, moving
from liuti.doors.pages.doorway import holding
from liuti.doors.pages.frame import PageRoute, directory, page
from liuti.doors.pages.issue import People, attempt, contact_opened, masked
from liuti.doors.pages.labels import CHOICES
from liuti.doors.pages.maps import split
from liuti.doors.pages.moving import Offer, Tried
from liuti.doors.pages.spans import said
from liuti.doors.topics import guessed, nearest
from liuti.flow import sight
from liuti.flow.issue import Issue
from liuti.flow.kernel import NO_FACTS, Actor
from liuti.flow.propose import DISTRICT
from liuti.flow.words import Kind, Role, Step
from liuti.rank.categories import Suggestion
from liuti.store import earlier, read, topics
from liuti.store.read import Found, Wish

QUEUED = 20
ALIKE = 4
DECISIONS = ("accept_topic", "accept_direct", "ask_supplement", "merge", "reject")
"""What an issue is decided by, in the order of their digits."""
LIKE = 0.8
"""From so much likeness on the unit at work on the one is worth naming for the other."""
SURE = 0.5
"""A guess of the category is filled in from here on; below it only stands beside the field."""
Word = Annotated[str, Query(max_length=100)]
Cursor = Annotated[str, Query(max_length=200)]


def router() -> APIRouter:
    routes = APIRouter(include_in_schema=False, route_class=PageRoute)
    routes.add_api_route("/desk/intake", desk, methods=["GET"])
    routes.add_api_route("/desk/intake/{issue}/people", open_contact, methods=["POST"])
    routes.add_api_route("/desk/intake/{issue}/{move}", decide, methods=["POST"])
    return routes


async def desk(request: Request, at: Word = "", beside: Word = "", cursor: Cursor = "") -> Response:
    """The issue `at`, else the most pressing one; `beside` names one to be compared with it, by id or query code."""
    return await _triage(request, at, None, None, beside, cursor)


async def decide(request: Request, issue: str, move: str) -> Response:
    return await attempt(request, issue, move, _again)


async def open_contact(request: Request, issue: str) -> Response:
    return await contact_opened(request, issue, _again)


async def _again(
    request: Request, issue: str, actor: Actor, tried: Tried | None = None, opened: People | None = None
) -> Response:
    return await _triage(request, issue, tried, opened)


# -- the page ------------------------------------------------------------------------------------------------------


async def _triage(
    request: Request, at: str, tried: Tried | None, opened: People | None, beside: str = "", cursor: str = ""
) -> Response:
    here, actor = office(request), await holding(request, Role.INTAKE)
    wish = Wish(Step.PROPOSE, limit=QUEUED, by_deadline=True, cursor=cursor)
    queue = await here.engine.read(partial(read.page, actor=actor, wish=wish))
    chosen, gone = await _chosen(request, actor, queue.found, at)
    now = here.now()
    place = next((n for n, one in enumerate(queue.found) if chosen is not None and one.issue.id == chosen.issue.id), -1)
    others = [one.issue.id for one in queue.found if chosen is None or one.issue.id != chosen.issue.id]
    words: dict[str, Any] = {
        "queue": [_row(actor, one, now) for one in queue.found], "cursor": queue.cursor, "chosen": chosen, "gone": gone,
        "before": queue.found[place - 1].issue.id if place > 0 else None,
        "after": others[place] if 0 <= place < len(others) else others[0] if others else None,
    }  # fmt: skip
    status = tried.status if tried is not None else 200
    if gone is not None:  # what was refused was about an issue that is no longer here to be decided
        tried = opened = None
    if chosen is not None:
        words |= await _desk_of(request, actor, chosen, tried, opened, beside)
    return await page(request, "intake/triage.html", status, **words)


async def _chosen(request: Request, actor: Actor, queue: list[Found], at: str) -> tuple[Found | None, Found | None]:
    """The one to decide; and the one asked for, where somebody has decided it meanwhile."""
    found = next((one for one in queue if one.issue.id == at), None)
    if found is not None or not at:
        return found or next(iter(queue), None), None
    found = await office(request).engine.read(lambda conn: read.find(conn, at))
    sight.admit(actor, found.issue if found else None)
    if found is not None and found.issue.step is Step.PROPOSE:
        return found, None
    return next(iter(queue), None), found


def _row(actor: Actor, one: Found, now: Any) -> dict[str, Any]:
    issue = one.issue
    waits = next((ask for ask in issue.open_asks()), None)
    asked = None if waits is None else "yours" if actor.id not in waits.signed_by else "theirs"
    return sight.listed(actor, issue, one.row, now) | {"source": issue.source, "asked": asked, "danger": issue.danger}


async def _desk_of(
    request: Request, actor: Actor, chosen: Found, tried: Tried | None, opened: People | None, beside: str
) -> dict[str, Any]:
    """All that one screen shows of the chosen issue."""
    here, issue = office(request), chosen.issue
    compared = issue.kind is not Kind.TIP_OFF
    title, body, at = chosen.row["title"], chosen.row["body"], chosen.row["place"]
    alike = await nearest(request, topics.head(at, title), body, ALIKE, but=issue.id) if compared else {}
    guesses = await guessed(request, title, body)

    def look(conn: Any) -> dict[str, Any]:
        linked = earlier.of_voice(conn, issue.proposer, issue.id) if sight.may_link(actor, issue) else []
        named = candidates.named(conn, beside)
        return {
            "linked": linked, "named": named, "several": read.several(conn, sorted({*linked, *alike, *named})),
            "topic": topics.around(conn, issue.id), "files": read.files_of(conn, issue),
            "people": opened or masked(conn, here.ring, issue, actor),
        }  # fmt: skip

    found = await here.engine.read(look)
    several: dict[str, Found] = found.pop("several")
    mine = [several[one] for one in found.pop("linked") if one in several and sight.may_link(actor, several[one].issue)]
    asked_for = [
        several[one] for one in found.pop("named") if one in several and sight.may_see(actor, several[one].issue)
    ]
    now = here.now()
    beside_it = candidates.of(request, actor, chosen, several, alike, [one.issue.id for one in mine], asked_for)
    offers = await moving.offers(request, issue, actor, NO_FACTS, tried)
    by_name = {offer.name: offer for offer in offers}
    for offer in offers:
        offer.action = offer.action.replace("/issues/", "/desk/intake/", 1)
    _fill(by_name, issue, guesses, (await directory(here)).place_name(issue.grid))
    return found | {
        "issue": issue, "seen": sight.seen_by(actor, issue, chosen.row, now), "tried": tried, "opened": opened is not None,
        "guesses": guesses, "beside": beside, "missed": bool(beside) and not asked_for,
        "candidates": beside_it[:ALIKE], "earlier": [sight.listed(actor, one.issue, one.row, now) for one in mine],
        "offers": by_name, "answers": [offer for offer in offers if offer.name == "answer"],
        "decisions": [name for name in DECISIONS if name in by_name], "busy": _handling(beside_it),
        "people_at": f"/desk/intake/{issue.id}/people", "where": split(at or "")[0], "whole_district": issue.whole_district or chosen.row["place"] == DISTRICT,
        "supplied_in": said(here.desk.world().policy.clocks.supplement), "choices": CHOICES,
    }  # fmt: skip


def _handling(found: list[candidates.Candidate]) -> str:
    """The unit at work on what is most alike: who looks for a unit looks there first. Empty where nothing is alike enough."""
    near = (one.found.issue for one in found if (one.likeness or 0) >= LIKE)
    return next((issue.lead_unit for issue in near if issue.lead_unit and issue.is_open), "")


def _fill(offers: dict[str, Offer], issue: Issue, guesses: list[Suggestion], place: str) -> None:
    """What is known stands in the fields already; nothing that was typed is touched."""
    guess = guesses[0].category if guesses and guesses[0].confidence >= SURE else ""
    known = {"category": issue.category or guess, "urgency": issue.urgency.value, "grid": issue.grid}
    for name in ("accept_topic", "accept_direct"):
        if (offer := offers.get(name)) is not None and not offer.open:
            for field in offer.fields:
                field.value = field.value or known.get(field.name, "")
                if field.name == "grid" and issue.grid and issue.grid not in dict(field.options):
                    field.options.append((issue.grid, place))
