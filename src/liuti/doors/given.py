"""What a request gives beside the moves: a form out of its body, names, days, and where to read on."""

from __future__ import annotations

from datetime import date
from typing import Annotated, TypeVar

from fastapi import Query, Request
from pydantic import Field, StringConstraints

from liuti.doors.deps import Malformed, body_of, form_of
from liuti.flow.kernel import Form, parse

F = TypeVar("F", bound=Form)
Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"\S")]
Day = Annotated[date, Field(ge=date(2000, 1, 1), le=date(2999, 12, 31))]
"""A local day, of the years there is something to plan for."""
Page = Annotated[int, Query(ge=1, le=100)]
Before = Annotated[str, Query(max_length=64, pattern=r"^[A-Za-z0-9._:-]*$")]


async def form(request: Request, wanted: type[F]) -> F:
    """Raises Refused 422 `bad_form`, and 413 as soon as the body grows too large."""
    given = form_of(await body_of(request))
    return parse(wanted, given if not isinstance(given, Malformed) else "not a JSON object")
