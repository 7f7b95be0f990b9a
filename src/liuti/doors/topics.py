"""选题: what else says the same, for the citizen before sending, for intake, and for the data team (docs/rules.md §6)."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Annotated, Any, ClassVar

from fastapi import APIRouter, Query, Request, Response
from msgspec import to_builtins
from pydantic import Field

from liuti.doors import moves
from liuti.doors.api import answer, found_by
from liuti.doors.deps import Malformed, admit, body_of, form_of, office, who
from liuti.flow import sight
from liuti.flow.kernel import Actor, Form, Refused, parse
from liuti.flow.parts import Id
from liuti.flow.words import Role, Step
from liuti.rank.categories import Suggestion
from liuti.store import audit, read, topics
from liuti.store.audit import By
from liuti.store.read import STATE, Found
from liuti.store.topics import Member

SORTERS = (Role.INTAKE, Role.ANALYST, Role.PANEL)
MERGERS = (Role.INTAKE, Role.PANEL)
READERS = (*sight.WEIGHERS, Role.INTAKE)
MERGED_AT_ONCE = 100
ALIKE = 0.25
"""Less than this share of what makes messages one topic is not worth showing side by side."""
Text = Annotated[str, Query(max_length=2000)]


class Placement(Form):
    """The topic an issue belongs to, by a person's word; none: it is a matter of its own."""

    example: ClassVar[dict[str, Any]] = {"topic": None}
    topic: Id | None = None


class Union(Form):
    """Merge what waits in a topic into one issue of it, the earliest unless another is named."""

    example: ClassVar[dict[str, Any]] = {"lead": None}
    lead: Id | None = None
    reason: str = Field("", max_length=500)


def router() -> APIRouter:
    routes = APIRouter(prefix="/api/v1", tags=["select"])
    add, problems = routes.add_api_route, moves.problems
    add(
        "/similar",
        similar,
        methods=["GET"],
        summary="相似的题 issues that say nearly the same",
        responses=problems(401, 422),
    )
    add(
        "/topics",
        largest,
        methods=["GET"],
        summary="议题 topics by what waits in them",
        responses=problems(401, 403, 422),
    )
    add("/topics/{topic}", one, methods=["GET"], responses=problems(401, 403, 404, 422),
        summary="一个议题 a topic and its messages")  # fmt: skip
    add("/topics/{topic}/merge", merge, methods=["POST"], responses=problems(401, 403, 404, 413, 422),
        summary="合并议题 merge what waits in a topic",
        openapi_extra=moves.body(Union) | {"x-roles": [Role.INTAKE.value, Role.PANEL.value]})  # fmt: skip
    add("/issues/{issue}/topic", place, methods=["PUT"], responses=problems(401, 403, 404, 413, 422),
        summary="归入议题 put an issue into another topic",
        openapi_extra=moves.body(Placement) | {"x-roles": [role.value for role in SORTERS]})  # fmt: skip
    add("/issues/{issue}/suggestions", suggestions, methods=["GET"], responses=problems(401, 403, 404),
        summary="受理建议 topic, likely duplicates and category, with why")  # fmt: skip
    return routes


async def similar(
    request: Request, text: Text, title: Annotated[str, Query(max_length=200)] = "",
    place: Annotated[str, Query(max_length=200)] = "", n: Annotated[int, Query(ge=1, le=20)] = 5,
) -> Response:  # fmt: skip
    """The nearest first, as far as you may see them; who recognises their own matter co-signs it instead of sending anew."""
    return answer({"similar": await near(request, await who(request), topics.head(place, title), text, n)})


async def near(request: Request, actor: Actor, title: str, text: str, n: int, but: str = "") -> list[dict[str, Any]]:
    """Open issues that say nearly the same, as far as this reader may see them, with how alike they are (0 to 1)."""
    here = office(request)
    likeness = await nearest(request, title, text, n, but)
    found = await here.engine.read(partial(read.several, ids=list(likeness)))
    now = here.now()
    return [
        {"issue": sight.listed(actor, one.issue, one.row, now), "similarity": round(likeness[issue], 3)}
        for issue in likeness
        if (one := found.get(issue)) is not None and sight.may_see(actor, one.issue) and one.issue.is_open
    ][:n]


async def nearest(request: Request, title: str, text: str, n: int, but: str = "") -> dict[str, float]:
    """Likeness by issue, the nearest first: more than `n`, since not all of them may be seen."""
    here = office(request)
    found = await here.matters.similar(here.engine, title, text, 4 * n)
    return {issue: likeness for issue, likeness in found if likeness >= ALIKE and issue != but}


async def largest(
    request: Request, skip: Annotated[int, Query(ge=0, le=10_000)] = 0, limit: Annotated[int, Query(ge=1, le=100)] = 50
) -> Response:
    """Topics with messages at `propose` or `select`, the largest first."""
    admit(await who(request), *READERS)
    rows = await office(request).engine.read(partial(topics.largest, most=limit, skip=skip))
    return answer({"topics": [dict(row._mapping) for row in rows]})


async def one(request: Request, topic: str, after: Annotated[str, Query(max_length=64)] = "") -> Response:
    """Its messages as you may see them, 100 at a time, and where they come from."""
    here, actor = office(request), await who(request)
    admit(actor, *READERS)
    row, rows, spread = await here.engine.read(
        lambda conn: (topics.find(conn, topic), topics.members(conn, topic, after), topics.spread(conn, topic))
    )
    now = here.now()
    found = [(Found(STATE.decode(r["state"]), r), r) for r in rows]
    messages = [
        {"issue": sight.listed(actor, one.issue, r, now), "similarity": r["similarity"], "source": r["source"]}
        for one, r in found
        if sight.may_see(actor, one.issue)
    ]
    more = rows[-1]["id"] if len(rows) == 100 else None
    return answer({"id": row.id, "title": row.title, "messages": messages, "spread": spread, "after": more})


async def merge(request: Request, topic: str) -> Response:
    """Each merge is a move of its own, with its own entry and letters; asked again, it goes on where it was."""
    actor = await who(request)
    form = parse(Union, _given(await body_of(request)))
    lead, done, refused = await merges(request, actor, topic, form)
    faults = [{"issue": issue, "code": one.code, "zh": one.zh, "en": one.en} for issue, one in refused]
    return answer({"lead": lead or None, "merged": done, "refused": faults})


async def merges(
    request: Request, actor: Actor, topic: str, form: Union
) -> tuple[str, list[str], list[tuple[str, Refused]]]:
    """The lead, what was merged into it, and what was refused; Refused 401, 403, 404 for who may not, or no topic."""
    here = office(request)
    admit(actor, *MERGERS)
    rows = await here.engine.read(lambda conn: topics.find(conn, topic) and topics.members(conn, topic, most=10_000))
    waiting = [
        issue for issue in (STATE.decode(row["state"]) for row in rows) if issue.step in (Step.PROPOSE, Step.SELECT)
    ]
    lead = form.lead or next((issue.id for issue in waiting), "")
    done, refused = [], []
    for issue in [one for one in waiting if one.id != lead][:MERGED_AT_ONCE]:
        try:
            await here.desk.act(actor, "merge", {"lead": lead, "reason": form.reason}, issue.id)
            done.append(issue.id)
        except Refused as refusal:
            refused.append((issue.id, refusal))
    return lead, done, refused


def _given(body: bytes) -> Any:
    raw = form_of(body)
    return raw if not isinstance(raw, Malformed) else "not a JSON object"


async def place(request: Request, issue: str) -> Response:
    """A person's word: the nightly batch leaves it alone. Noted in the book of administrative changes."""
    actor = await who(request)
    admit(actor, *SORTERS)
    await found_by(request, issue, actor)
    topic = parse(Placement, _given(await body_of(request))).topic or issue
    await places(request, actor, [issue], topic)
    return answer({"issue": issue, "topic": topic})


async def places(request: Request, actor: Actor, ids: list[str], topic: str) -> int:
    """Put issues into the topic, as far as this person sees them: all of them or, where there is no such topic, none.
    The topic of its own of the first one is always there. Refused 401, 403, 404."""
    here = office(request)
    admit(actor, *SORTERS)
    found = await here.engine.read(partial(read.several, ids=ids))
    seen = [found[issue] for issue in ids if issue in found and sight.may_see(actor, found[issue].issue)]
    by = By(actor.id, here.now())

    def put(conn: Any) -> None:
        for one in seen:
            _put(conn, one.issue.id, one.row["title"], topic, by)

    await here.engine.write(put)
    return len(seen)


def _put(conn: Any, issue: str, title: str, topic: str, by: By) -> None:
    before = topics.topic_of(conn, issue)
    if topic != issue:
        title = topics.find(conn, topic).title
    member = Member(issue, topic, title, 1.0)
    topics.place(conn, [member], "person", by.at)
    topics.move(conn, [member], "person", by.at)
    audit.note(conn, by, "place", issue, {"topic": before}, {"topic": topic})


async def suggestions(request: Request, issue: str) -> Response:
    """For intake: likely duplicates, the topic, and the category with its confidence and the words that spoke for it.
    Without a trained model no category is guessed."""
    here, actor = office(request), await who(request)
    found = await found_by(request, issue, actor)
    admit(actor, *READERS)
    title, body = found.row["title"], found.row["body"]
    alike = await near(request, actor, topics.head(found.row["place"], title), body, 5, but=issue)
    topic = await here.engine.read(partial(topics.topic_of, issue=issue))
    return answer({"topic": topic, "similar": alike, "categories": to_builtins(await guessed(request, title, body))})


async def guessed(request: Request, title: str, body: str) -> list[Suggestion]:
    """The likeliest categories by the trained model; none where there is no model."""
    model = office(request).categories
    return await asyncio.to_thread(model.suggest, title, body) if model is not None else []
