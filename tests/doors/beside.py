"""Words for the tests of what stands beside the issues: asking, being refused, and what the book says of it."""

from __future__ import annotations

from typing import Any

from msgspec import json
from sqlalchemy import select

from liuti.store.tables import audit
from tests.doors.town import Body, Town


async def post(town: Town, who: str, path: str, form: Any = None) -> Body:
    """What is answered when it is done."""
    answer = await town.client.post(f"/api/v1{path}", json=form or {}, headers=town.headers(who))
    assert answer.is_success, f"{who} {path}: {answer.status_code} {answer.text}"
    body: Body = answer.json()
    return body


async def refusal(town: Town, who: str, path: str, form: Any = None, method: str = "POST") -> tuple[int, str]:
    """Status and code; a refusal speaks both languages."""
    content = json.encode(form or {}) if method == "POST" else None
    answer = await town.client.request(method, f"/api/v1{path}", content=content, headers=town.headers(who))
    assert answer.is_client_error, f"{who} {path}: {answer.status_code} {answer.text}"
    problem: Body = answer.json()
    assert problem["zh"], problem
    assert problem["en"], problem
    return answer.status_code, problem["code"]


async def booked(town: Town, subject: str) -> list[tuple[str, str]]:
    """Who did what to it, in order."""
    found = select(audit.c.by, audit.c.act).where(audit.c.subject == subject).order_by(audit.c.id)
    return await town.office.engine.read(lambda conn: [(row.by, row.act) for row in conn.execute(found)])
