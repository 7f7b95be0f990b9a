"""A resident drawn by lot says how a matter in the neighbourhood went: by a token of its own, once (docs/rules.md §7)."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar, Literal

from fastapi import APIRouter, Request, Response
from pydantic import Field

from liuti.doors.api import answer
from liuti.doors.deps import Office, body_of, form_of, not_ours, office
from liuti.doors.moves import body, problems
from liuti.flow import sight
from liuti.flow.kernel import ANYONE, Form, parse
from liuti.store import residents
from liuti.store.residents import Said
from liuti.store.vault import RatingClaim


class ResidentsWord(Form):
    """Five levels from 1 非常不满意 to 5 非常满意, and whether it is solved as far as one sees."""

    example: ClassVar[dict[str, Any]] = {"level": 4, "solved": "yes"}
    level: int = Field(ge=1, le=5)
    solved: Literal["yes", "partly", "no", "unknown"] = "unknown"
    text: str = Field("", max_length=1000)


def router() -> APIRouter:
    routes = APIRouter(prefix="/api/v1/sample", tags=["evaluate"])
    routes.add_api_route("", asked, methods=["GET"], summary="抽样评价 what a resident was asked about",
                         responses=problems(401, 404, 409, 422))  # fmt: skip
    routes.add_api_route("", say, methods=["POST"], status_code=201, openapi_extra=body(ResidentsWord),
                         summary="抽样评价 say how it went", responses=problems(401, 404, 409, 413, 422))  # fmt: skip
    return routes


def _claim(request: Request) -> RatingClaim:
    kind, _, secret = request.headers.get("authorization", "").partition(" ")
    return claimed(office(request), secret.strip() if kind.lower() == "bearer" else "")


def claimed(here: Office, secret: str) -> RatingClaim:
    """Whom and what the token of the letter is for; Refused 401 for one that is none of ours."""
    claim = here.ring.open_resident(secret)
    if claim is None:
        raise not_ours()
    return claim


async def asked(request: Request) -> Response:
    """With the token of the letter: what is public of the matter."""
    return answer(await matter(office(request), _claim(request)))


async def matter(here: Office, claim: RatingClaim) -> dict[str, Any]:
    """What is public of the matter a resident is asked about; Refused 404, 409 when nothing is asked any more."""
    now, days = here.now(), here.desk.world().policy.sample.days
    found = await here.engine.read(partial(residents.matter, claim=claim, now=now, days=days))
    seen = sight.seen_by(ANYONE, found.issue, found.row, now)
    return {name: seen[name] for name in ("title", "body", "reply", "goal", "lead_unit", "closing") if name in seen}


async def say(request: Request) -> Response:
    """Once; counted apart from the ratings of those who brought the matter, and in none of their rates."""
    claim, given = _claim(request), form_of(await body_of(request, 10_000))
    await keep(office(request), claim, given if isinstance(given, dict) else "not a JSON object")
    return answer({"answered": True}, 201)


async def keep(here: Office, claim: RatingClaim, given: Any) -> None:
    """The resident's word, once; Refused 409 for a second one, 422 for what is no answer."""
    form = parse(ResidentsWord, given)
    said = Said(form.level, form.solved, form.text)
    days = here.desk.world().policy.sample.days
    await here.engine.write(partial(residents.answer, claim=claim, said=said, now=here.now(), days=days))
