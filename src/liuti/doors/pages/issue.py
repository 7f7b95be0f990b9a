"""One issue's page: where it stands, what happened, until when, and what its reader can do."""

from __future__ import annotations

from typing import Any, Protocol

from fastapi import APIRouter, Request, Response

from liuti.doors.api import facts_for, file_for, found_by, people_behind, person_shown
from liuti.doors.deps import office
from liuti.doors.pages import assignment, moving
from liuti.doors.pages.frame import PageRoute, go, inside, page, reader_of
from liuti.doors.pages.keys import keep, visitor
from liuti.doors.pages.maps import allow_tiles, map_of, split
from liuti.doors.pages.moving import Tried
from liuti.doors.pages.sent import raw_of, sent
from liuti.flow import sight
from liuti.flow.issue import Issue
from liuti.flow.kernel import ANYONE, Actor, Answer, Refused
from liuti.flow.table import FLOW
from liuti.store import read, rounds
from liuti.store.vault import KeyRing

People = list[dict[str, Any]]
"""Voices as `doors.api.people_behind` tells them."""


NOT_SHOWN: dict[str, Any] = {"body": None, "reply": None, "place": None, "missing": (), "refusal": None}
"""What stands there for a reader who is not shown it."""


def router() -> APIRouter:
    routes = APIRouter(include_in_schema=False, route_class=PageRoute)
    routes.add_api_route("/issues/{issue}", one, methods=["GET", "HEAD"])
    routes.add_api_route("/desk/issues/{issue}/people", open_contact, methods=["POST"])
    routes.add_api_route("/issues/{issue}/files/{file}", file, methods=["GET"])
    routes.add_api_route("/issues/{issue}/{move}", back, methods=["GET"])
    routes.add_api_route("/issues/{issue}/{move}", make, methods=["POST"])
    return routes


async def one(request: Request, issue: str) -> Response:
    return await shown(request, issue, await visitor(request, issue))


async def file(request: Request, issue: str, file: str) -> Response:
    """A photo on the page: for officials, and for the person whose receipt is on this phone."""
    return await file_for(request, await visitor(request, issue), issue, file)


async def shown(
    request: Request, issue: str, actor: Actor, tried: Tried | None = None, opened: People | None = None
) -> Response:
    """The issue as `actor` may see it; after a refusal with its status, and the form that was refused unfolded.
    `opened`: whoever is behind it in full, once a purpose was given."""
    here = office(request)
    reader = await reader_of(request, actor)
    found = await here.engine.read(lambda conn: read.find(conn, issue))
    held = sight.admit(actor, found.issue if found else None)
    assert found is not None
    facts = await facts_for(request, held, actor)
    words = await _read(request, held, actor, opened)
    offers = await moving.offers(request, held, actor, facts, tried)
    words |= {
        "issue": held, "seen": NOT_SHOWN | sight.seen_by(actor, held, found.row, here.now()), "tried": tried, "offers": offers,
        "staff": sight.is_staff(actor, held), "own": held.id in (actor.issue, actor.origin), "moves": FLOW.moves,
        "unplaced": tried is not None and tried.move != "people" and not any(offer.open for offer in offers),
        "people_at": f"/desk/issues/{issue}/people", "map": map_of(here.settings),
        "place": split(found.row["place"] or ""),
    }  # fmt: skip
    name = "issue.html"
    if assignment.is_at_work(actor, held):
        name, words = "unit/assignment.html", words | await assignment.words(request, reader, found, offers)
    response = await page(request, name, tried.status if tried is not None else 200, **words)
    allow_tiles(response, words["map"])
    return response


async def _read(request: Request, issue: Issue, actor: Actor, opened: People | None) -> dict[str, Any]:
    """The timeline, why it was selected, and, for whom they are, the files and the people: one transaction."""
    ring = office(request).ring

    def all_of_it(conn: Any) -> dict[str, Any]:
        files = read.files_of(conn, issue) if sight.may_see_files(actor, issue) else []
        line = rounds.line_of(conn, issue.id) if issue.published is not None or sight.is_staff(actor, issue) else None
        found = {"entries": read.timeline(conn, actor, issue), "files": files, "opened": opened is not None}
        return found | {"people": opened or masked(conn, ring, issue, actor), "scored": line}

    return await office(request).engine.read(all_of_it)


def masked(conn: Any, ring: KeyRing, issue: Issue, actor: Actor) -> People:
    """Who is behind it as whoever may ask for their contact sees them before giving a purpose; nobody for others."""
    if actor.voice or not sight.may_open_contact(actor, issue):
        return []
    return [person_shown(ring, row, issue.proposer, opened=False) for row in read.voices_of(conn, issue)]


async def open_contact(request: Request, issue: str) -> Response:
    """The same page with the contact in full: the purpose is asked for, and the look is on record."""
    return await contact_opened(request, issue, shown)


class Shows(Protocol):
    """A page of one issue that can show what was refused there, or a contact that was opened there."""

    async def __call__(
        self, request: Request, issue: str, actor: Actor, tried: Tried | None = None, opened: People | None = None
    ) -> Response: ...


async def contact_opened(request: Request, issue: str, again: Shows) -> Response:
    actor = await visitor(request, issue)
    await reader_of(request, actor)
    found = await found_by(request, issue, actor)
    purpose = (await sent(request)).one("purpose").strip()
    try:
        people = await people_behind(request, actor, found, purpose)
    except Refused as refused:
        if refused.status != 422:
            raise
        return await again(request, issue, actor, Tried("people", {"purpose": purpose}, refused))
    return await again(request, issue, actor, None, people)


# -- the one place moves are sent to -------------------------------------------------------------------------------


async def back(issue: str) -> Response:
    """Whoever reloads or comes back to the address of a move that was refused finds the issue."""
    return go(f"/issues/{issue}")


async def make(request: Request, issue: str, move: str) -> Response:
    """Make the move and go on; refused, the page comes again with what was typed and what is wrong with it."""
    return await attempt(request, issue, move, shown)


async def attempt(request: Request, issue: str, move: str, again: Shows) -> Response:
    """The same from any page of one issue: `again` shows what was refused where it was typed."""
    actor = await visitor(request, issue)
    await reader_of(request, actor)
    given = await sent(request)
    name = given.one("answer") if move == "answer" else move
    if name not in FLOW.moves and name not in ("grant", "deny"):
        raise Refused("no_such_move", 404, "没有这个动作。", "There is no such move.")
    if actor == ANYONE and name != "cosign":
        raise Refused("sign_in", 401, "请登录,或从回执链接打开。", "Sign in, or open it by the link of your receipt.")
    form = FLOW.moves[name].form if name in FLOW.moves else Answer
    raw = raw_of(request, form, given)
    try:
        if (unfit := assignment.blanks_left(name, raw)) is not None:
            raise unfit
        receipt = await moving.made(request, actor, name, raw, issue, given)
    except Refused as refused:
        if refused.status in (401, 404):
            raise
        following = inside(given.one("next"), "")
        return await again(request, issue, actor, Tried(move, raw | {"answer": name}, refused, given.files, following))
    done = "asked" if receipt.awaits else f"did_{name}"
    # Whoever has withdrawn is behind it no longer, and would be asked to sign in where it is not public.
    home = "/progress" if name == "withdraw" and actor.voice else f"/issues/{issue}"
    response = go(inside(given.one("next"), home), done)
    if name == "cosign" and actor == ANYONE:
        keep(response, request, issue, office(request).ring.voice_secret(receipt.voice))
    return response
