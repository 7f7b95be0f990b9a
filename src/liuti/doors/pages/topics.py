"""议题 on pages: topics as cards that open into messages, moved by hand or by key, and the flags against gaming."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from liuti.doors import topics as door
from liuti.doors.deps import admit, office, who
from liuti.doors.pages import moving
from liuti.doors.pages.drawn import AREAS, areas, columns
from liuti.doors.pages.fields import Around
from liuti.doors.pages.frame import PageRoute, directory, go, inside, page, reader_of
from liuti.doors.pages.moving import Offer, Tried
from liuti.doors.pages.sent import raw_of, sent
from liuti.doors.topics import MERGERS, SORTERS, Union
from liuti.flow import sight
from liuti.flow.kernel import Actor, Refused, parse
from liuti.flow.table import FLOW
from liuti.flow.weigh import Clearing
from liuti.flow.words import Step
from liuti.store import panel, topics
from liuti.store.directory import Place
from liuti.store.panel import Behind, Picture
from liuti.store.read import STATE, Found

SHOWN = 24
WEEKS = 12
TARGETS = 12
"""Other topics offered to move a message to, the largest."""
TOGETHER = 500
"""Messages of a topic moved at once when all of it goes into another."""


def router() -> APIRouter:
    routes = APIRouter(include_in_schema=False, route_class=PageRoute)
    routes.add_api_route("/topics", every, methods=["GET"])
    routes.add_api_route("/topics/move", move, methods=["POST"])
    routes.add_api_route("/topics/{topic}", one, methods=["GET"])
    routes.add_api_route("/topics/{topic}/messages", messages, methods=["GET"])
    routes.add_api_route("/topics/{topic}/merge", merge, methods=["POST"])
    return routes


def _marks(now: datetime) -> list[datetime]:
    """The ends of the last twelve weeks, this one included."""
    return [now - timedelta(weeks=n) for n in range(WEEKS, 0, -1)] + [now + timedelta(seconds=1)]


async def _drawn(request: Request, picture: Picture) -> dict[str, Any]:
    reader, places = await reader_of(request), (await directory(office(request))).places
    found = Counter[str]()
    for grid, n in picture.spread:
        found[_community(places, grid)] += n
    rest = len(found) - AREAS
    return {
        "growth": columns(picture.growth), "recent": sum(picture.growth[-4:]), "spread": areas(found.most_common(), reader.t(f"其余 {rest} 处", f"{rest} more")),
        "places": len(found),
    }  # fmt: skip


def _community(places: Mapping[str, Place], grid: str) -> str:
    """The name of the community a grid lies in; of the place itself where it lies in none."""
    place = places.get(grid)
    above = (places[part] for part in (place.path.split("/") if place is not None else ()) if part in places)
    return next((one.name for one in above if one.level == "community"), place.name if place is not None else grid)


# -- all topics ----------------------------------------------------------------------------------------------------


async def every(request: Request, skip: Annotated[int, Query(ge=0, le=10_000)] = 0) -> Response:
    """The topics most messages wait in, each with its growth and its spread: three statements."""
    here, actor = office(request), (await reader_of(request)).actor
    admit(actor, *door.READERS)
    marks = _marks(here.now())

    def look(conn: Any) -> tuple[list[Any], dict[str, Picture]]:
        rows = topics.largest(conn, SHOWN + 1, skip)
        return rows, panel.pictures(conn, [row.topic_id for row in rows[:SHOWN]], marks)

    rows, pictures = await here.engine.read(look)
    cards = [dict(row._mapping) | await _drawn(request, pictures[row.topic_id]) for row in rows[:SHOWN]]
    words: dict[str, Any] = {
        "cards": cards, "skip": skip, "more": skip + SHOWN if len(rows) > SHOWN else None, "weeks": WEEKS,
        "sorts": not actor.roles.isdisjoint(SORTERS),
    }  # fmt: skip
    return await page(request, "topics/all.html", **words)


async def messages(request: Request, topic: str) -> Response:
    """Only a topic's messages, for a card that opens where it stands."""
    here, actor = office(request), (await reader_of(request)).actor
    admit(actor, *door.READERS)
    rows = await here.engine.read(lambda conn: topics.find(conn, topic) and topics.members(conn, topic))
    words: dict[str, Any] = {
        "messages": _shown(actor, rows, here.now(), {}), "topic": topic, "after": rows[-1]["id"] if len(rows) == 100 else None,
    }  # fmt: skip
    return await page(request, "topics/messages.html", **words)


def _shown(actor: Actor, rows: list[Any], now: datetime, copies: dict[str, str]) -> list[dict[str, Any]]:
    found = [(Found(STATE.decode(row["state"]), row), row) for row in rows]
    return [
        {"issue": sight.listed(actor, one.issue, row, now), "body": sight.seen_by(actor, one.issue, row, now).get("body", ""),
         "place": row["place"], "similarity": row["similarity"], "by_person": row["source"] == "person",
         "copied": one.issue.id in copies, "waits": one.issue.step in (Step.PROPOSE, Step.SELECT)}
        for one, row in found if sight.may_see(actor, one.issue)
    ]  # fmt: skip


# -- one topic -----------------------------------------------------------------------------------------------------


async def one(request: Request, topic: str, after: Annotated[str, Query(max_length=64)] = "") -> Response:
    return await _one(request, (await reader_of(request)).actor, topic, after)


async def _one(
    request: Request, actor: Actor, topic: str, after: str = "", tried: Tried | None = None, outcome: Any = None
) -> Response:
    """Its messages and where they come from, what was flagged, and the topics they may be moved to."""
    here = office(request)
    admit(actor, *door.READERS)
    policy, now = here.desk.world().policy, here.now()

    def look(conn: Any) -> tuple[Any, list[Any], dict[str, Picture], Behind, list[Any]]:
        return (
            topics.find(conn, topic), topics.members(conn, topic, after), panel.pictures(conn, [topic], _marks(now)),
            panel.behind(conn, policy, topic, now), topics.largest(conn, TARGETS + 1),
        )  # fmt: skip

    row, rows, pictures, behind, largest = await here.engine.read(look)
    shown = _shown(actor, rows, now, behind.copies)
    words: dict[str, Any] = await _drawn(request, pictures[topic]) | {
        "topic": row, "messages": shown, "after": rows[-1]["id"] if len(rows) == 100 else None, "weeks": WEEKS,
        "others": [one for one in largest if one.topic_id != topic][:TARGETS], "behind": behind, "outcome": outcome,
        "sorts": not actor.roles.isdisjoint(SORTERS), "flags": await _flags(request, actor, behind),
        "merges": await _merging(request, actor, shown, topic, tried),
    }  # fmt: skip
    return await page(request, "topics/one.html", tried.status if tried else 200, **words)


async def _flags(request: Request, actor: Actor, behind: Behind) -> list[dict[str, Any]]:
    """What waits for a person to look at it, each with the form that clears it for whoever may."""
    here, reader = office(request), await reader_of(request)
    world, lead = here.desk.world(), behind.lead
    may = lead is not None and "unflag" in FLOW.open_to(lead, actor, world, here.now())
    around = Around(lead, await directory(here), world.policy, reader.t)
    found = []
    for what, text in [("same_text", mark) for mark in behind.crowd.same_text] + [("burst", "")] * behind.crowd.burst:
        offer = None
        if may and lead is not None:
            move = FLOW.moves["unflag"]
            offer = moving.offer_of(request, "unflag", move.zh, move.en, Clearing, around, None, ("what", "text"))
            offer.action = f"/issues/{lead.id}/unflag"
            offer.hidden |= {"what": what, "text": text}
        found.append({
            "what": what, "text": text, "offer": offer,
            "copies": sum(1 for mark in behind.copies.values() if mark == text) if text else 0,
        })  # fmt: skip
    return found


async def _merging(
    request: Request, actor: Actor, shown: list[dict[str, Any]], topic: str, tried: Tried | None
) -> Offer | None:
    """The form that merges what waits in the topic into one issue, where there is more than one."""
    waiting = [one["issue"] for one in shown if one["waits"]]
    if actor.roles.isdisjoint(MERGERS) or len(waiting) < 2:
        return None
    here, reader = office(request), await reader_of(request)
    around = Around(None, await directory(here), here.desk.world().policy, reader.t)
    offer = moving.offer_of(request, "union", "合并成一件题", "merge into one issue", Union, around, tried)
    offer.action = f"/topics/{topic}/merge"
    for one in offer.fields:
        if one.name == "lead":
            one.kind, one.required = "choice", False
            one.options = [(seen["id"], (seen["title"] or seen["id"])[:40]) for seen in waiting]
    return offer


# -- moving and merging --------------------------------------------------------------------------------------------


async def move(request: Request) -> Response:
    """Messages into another topic: those ticked, or with `whole` all of the topic `from`; to none: a topic of their own."""
    here, actor = office(request), await who(request)
    await reader_of(request, actor)
    given = await sent(request)
    source, to, ids = given.one("from")[:64], given.one("to")[:64], given.fields.get("issue", [])[:TOGETHER]
    if given.one("whole"):
        admit(actor, *door.READERS)
        rows = await here.engine.read(partial(topics.members, topic=source, most=TOGETHER))
        ids = [row["id"] for row in rows]
    if not ids:
        raise Refused("nothing_chosen", 422, "请先勾选要移动的诉求。", "Tick the messages to be moved first.", "issue")
    if not to:
        to = _apart(ids, source)
        # The one the new topic is named by goes first: the others find it there.
        ids = [to, *(one for one in ids if one != to)]
    await door.places(request, actor, ids, to)
    return go(inside(given.one("next"), f"/topics/{to}"), "placed")


def _apart(ids: list[str], source: str) -> str:
    """What a topic split off is named by; Refused where only the message the old one is named by was ticked."""
    found = next((one for one in ids if one != source), None)
    if found is None:
        zh = "议题以这条诉求命名,不能只移出它;请移出其他诉求。"
        en = "The topic is named by this message: move the others out instead."
        raise Refused("names_its_topic", 422, zh, en, "issue")
    return found


async def merge(request: Request, topic: str) -> Response:
    actor = await who(request)
    await reader_of(request, actor)
    raw = raw_of(request, Union, await sent(request))
    try:
        outcome = await door.merges(request, actor, topic, parse(Union, raw))
    except Refused as refused:
        if refused.status != 422:
            raise
        return await _one(request, actor, topic, tried=Tried("union", raw, refused))
    return await _one(request, actor, topic, outcome=outcome)
