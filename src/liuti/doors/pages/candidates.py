"""What an issue may be merged into: each with why it is thought of, its words beside those at hand, and whether the flow would agree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fastapi import Request

from liuti.doors.deps import office
from liuti.doors.pages.maps import split
from liuti.flow import sight
from liuti.flow.issue import Issue
from liuti.flow.kernel import Actor, Case, Facts, Refused, hold
from liuti.flow.merging import Merge
from liuti.flow.table import FLOW
from liuti.rank.shared import marked, shared
from liuti.store import read
from liuti.store.read import Found
from liuti.store.vault import check_query_code

Marked = list[tuple[str, bool]]


@dataclass(frozen=True, slots=True)
class Candidate:
    found: Found
    seen: dict[str, Any]
    place: str
    likeness: float | None
    """0 to 1, where 1 is as like as messages of one topic are; None where it is here for another reason."""
    same_person: bool
    asked_for: bool
    words: tuple[str, ...]
    """What stands in both texts."""
    mine: Marked
    theirs: Marked
    refused: Refused | None
    """Why it cannot lead; None: it can."""


def named(conn: Any, text: str) -> list[str]:
    """The issue a person names by its query code or its id; none for what is neither."""
    code = check_query_code(text)
    if code is None:
        return [text.strip()] if text.strip() else []
    found = read.by_code(conn, code)
    return [found.issue.id] if found is not None else []


def of(
    request: Request, actor: Actor, chosen: Found, several: dict[str, Found], alike: dict[str, float], linked: list[str],
    asked_for: list[Found],
) -> list[Candidate]:  # fmt: skip
    """Whichever was asked for first, then open ones: those that may lead before those that may not, the likest first."""
    first = [one.issue.id for one in asked_for]
    order = list(dict.fromkeys([*first, *alike, *linked]))
    found = [
        _candidate(request, actor, chosen, several[one], alike.get(one), same_person=one in linked, asked_for=one in first)
        for one in order
        if one != chosen.issue.id and one in several and sight.may_see(actor, several[one].issue)
        and (one in first or several[one].issue.is_open)
    ]  # fmt: skip
    return sorted(found, key=lambda one: (not one.asked_for, one.refused is not None, -(one.likeness or 0)))


def _candidate(
    request: Request, actor: Actor, chosen: Found, other: Found, likeness: float | None, *, same_person: bool,
    asked_for: bool,
) -> Candidate:  # fmt: skip
    mine, theirs = _text(chosen), _text(other)
    words = shared(mine, theirs)
    return Candidate(
        other, sight.listed(actor, other.issue, other.row, office(request).now()),
        split(other.row["place"] or "")[0], likeness, same_person, asked_for, words,
        marked(mine, words), marked(theirs, words), why_not(request, actor, chosen.issue, other.issue),
    )  # fmt: skip


def _text(found: Found) -> str:
    return str(found.row["body"] or found.row["title"])


def why_not(request: Request, actor: Actor, issue: Issue, lead: Issue) -> Refused | None:
    """The rule that keeps the one from being merged into the other, by the flow's own guards; None when none does."""
    here, move = office(request), FLOW.moves["merge"]
    now = here.now()
    facts = Facts(lead=lead)
    case = Case(issue, actor, move, Merge(lead=lead.id), now, here.desk.world(), facts, now)
    try:
        hold(move.guards, case)
    except Refused as refused:
        return refused
    return None
