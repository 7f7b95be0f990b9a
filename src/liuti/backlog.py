"""A backlog that came in at once, accepted by intake in one go: each issue by its own move, with its own entry."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from liuti.flow.kernel import Actor, Refused
from liuti.flow.words import Step
from liuti.rank.categories import Model
from liuti.store import outside, read
from liuti.store.act import Desk
from liuti.store.read import Found, Wish

if TYPE_CHECKING:
    from sqlalchemy import Connection

BATCH = 100


@dataclass(frozen=True, slots=True)
class Rule:
    """How intake wants the backlog taken: where issues without a grid belong, and how sure a suggestion must be.

    A label that is neither named nor a category of the policy counts as no suggestion: `otherwise` says less wrong of
    the matter than the row of an unlike category would.
    """

    grid: str
    least: float = 0.5
    otherwise: str = "other"
    """The category of what nothing is suggested for surely enough."""
    names: Mapping[str, str] = field(default_factory=dict)
    """The policy's category for a label of the model, where they are named differently."""


@dataclass(slots=True)
class Accepted:
    accepted: int = 0
    left: Counter[str] = field(default_factory=Counter)
    """By the code of the refusal: urgent ones, tip-offs."""
    categories: Counter[str] = field(default_factory=Counter)


async def accept(
    desk: Desk,
    actor: Actor,
    rule: Rule,
    model: Model | None,
    now: datetime,
    progress: Callable[[int], None] | None = None,
) -> Accepted:
    """Everything at `propose` into the pool of topics; what the rules refuse is left where it is and counted."""
    made, cursor = Accepted(), ""
    while True:
        wish = Wish(step=Step.PROPOSE, cursor=cursor, limit=BATCH)
        page = await desk.engine.read(partial(read.page, actor=actor, wish=wish))
        known = desk.world().policy.categories
        forms = [_form(one, rule, model, known) for one in page.found]
        codes = await desk.engine.write(
            partial(_accept, desk=desk, actor=actor, found=page.found, forms=forms, now=now)
        )
        made.accepted += codes.count("")
        made.left.update(code for code in codes if code)
        made.categories.update(form["category"] for form, code in zip(forms, codes, strict=True) if not code)
        if progress is not None:
            progress(len(page.found))
        if page.cursor is None:
            return made
        cursor = page.cursor


def _form(found: Found, rule: Rule, model: Model | None, known: Container[str]) -> dict[str, Any]:
    """What a person gave stays theirs; whatever is filled in here is marked as nobody's choice."""
    issue = found.issue
    form = {"category": issue.category, "urgency": issue.urgency.value, "grid": issue.grid or rule.grid}
    if issue.category:
        return form
    for one in model.suggest(found.row["title"], found.row["body"], 1) if model is not None else ():
        category = rule.names.get(one.category, one.category)
        if one.confidence >= rule.least and category in known:
            return form | {"category": category, "confidence": round(one.confidence, 4)}
    return form | {"category": rule.otherwise, "confidence": 0.0}


def _accept(
    conn: Connection, desk: Desk, actor: Actor, found: Sequence[Found], forms: Sequence[dict[str, Any]], now: datetime
) -> list[str]:
    """For each the code it was refused with, or nothing."""
    codes = []
    for one, form in zip(found, forms, strict=True):
        try:
            outside.apart(conn, partial(desk.act_now, conn, actor, "accept_topic", form, one.issue.id, now))
            codes.append("")
        except Refused as refused:
            codes.append(refused.code)
    return codes
