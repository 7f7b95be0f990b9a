"""Moves made from a page: the buttons the flow would accept, each with its form."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fastapi import Request

from liuti.doors.deps import office, place_of
from liuti.doors.pages.fields import Around, Field, fields_of
from liuti.doors.pages.frame import directory, reader_of
from liuti.doors.pages.menu import DONE
from liuti.doors.pages.sent import Sent, faults_of, held
from liuti.flow.issue import Ask, Issue
from liuti.flow.kernel import ANYONE, Actor, Answer, Facts, Form, Refused, Standing
from liuti.flow.table import FLOW

ASIDE = frozenset({
    "withdraw", "attach", "declare_conflict", "urge", "order", "reclassify", "appeal", "exclude", "unflag", "assess", "cosign",
    "handover", "suspend", "terminate", "send_back", "add_unit", "extend",
})  # fmt: skip
"""What is done now and then: shown below what the step is waiting for."""

TO_CITIZENS = {
    "attach": ("补充照片或文件", "add photos or files"), "urge": ("催一催", "ask how it is going"), "withdraw": ("撤回这件题", "withdraw it"),
}  # fmt: skip
"""What people at home call these; at work each goes by the name the flow gives it."""

DONE |= {f"did_{name}": (f"已办理:{move.zh}。", f"Done: {move.en}.") for name, move in FLOW.moves.items()}
DONE |= {"did_grant": ("已同意。", "Granted."), "did_deny": ("已退回申请。", "Denied.")}


@dataclass(slots=True)
class Offer:
    """One move a reader may make now, ready to be drawn: where to send it and what it asks."""

    name: str
    zh: str
    en: str
    action: str
    fields: list[Field]
    aside: bool = False
    multipart: bool = False
    open: bool = False
    """Shown unfolded: it was just refused."""
    fault: tuple[str, str] | None = None
    """What is wrong with it as a whole."""
    held: list[tuple[str, str]] = field(default_factory=list)
    hidden: dict[str, str] = field(default_factory=dict)
    key: str = field(default_factory=lambda: secrets.token_urlsafe(12))


@dataclass(frozen=True, slots=True)
class Tried:
    """A move with all that was typed: refused, or (without a refusal) still being written."""

    move: str
    raw: Mapping[str, Any]
    refused: Refused | None
    files: list[dict[str, Any]] = field(default_factory=list)
    following: str = ""
    """Where the page it was made on wanted to go on to."""

    @property
    def status(self) -> int:
        return self.refused.status if self.refused is not None else 200


async def offers(request: Request, issue: Issue, actor: Actor, facts: Facts, tried: Tried | None = None) -> list[Offer]:
    """The moves open to this actor, in the order of the table; exactly those of `Flow.open_to` (a test compares them)."""
    here, reader = office(request), await reader_of(request)
    world, now = here.desk.world(), here.now()
    around = Around(issue, await directory(here), world.policy, reader.t)
    made = []
    for name in FLOW.open_to(issue, actor, world, now, facts):
        if name == "grant":
            made += _answers(request, issue, actor, around, tried)
        elif name != "deny":
            made.append(_offer(request, issue, name, around, tried, inside=reader.official))
            # Nobody is led to answer or settle an order there is none of.
            made[-1].aside |= name in ("respond", "settle") and not issue.orders
            if facts.standing is not None and name == "publish":
                _on(made[-1], facts.standing)
    return made


def _on(offer: Offer, standing: Standing) -> None:
    """A decision names the score it is taken on; whether that recommends it is then no question to a person."""
    offer.hidden |= {"snapshot.round": standing.round, "snapshot.digest": standing.digest}
    offer.fields = [one for one in offer.fields if one.name != "recommended"]


async def answers(request: Request, issue: Issue, actor: Actor) -> list[Offer]:
    """Only the requests on this issue that wait for this very person."""
    here, reader = office(request), await reader_of(request)
    around = Around(issue, await directory(here), here.desk.world().policy, reader.t)
    return _answers(request, issue, actor, around, None)


def _offer(request: Request, issue: Issue, name: str, around: Around, tried: Tried | None, *, inside: bool) -> Offer:
    move = FLOW.moves[name]
    leave = ("notice_version",) if inside else ("notice_version", "on_behalf", "consent")
    zh, en = (move.zh, move.en) if inside else TO_CITIZENS.get(name, (move.zh, move.en))
    offer = offer_of(request, name, zh, en, move.form, around, tried, leave)
    if "notice_version" in move.form.model_fields:
        offer.hidden["notice_version"] = around.policy.notice.version
    offer.action = f"/issues/{issue.id}/{name}"
    return offer


def offer_of(
    request: Request, name: str, zh: str, en: str, form: type[Form], around: Around, tried: Tried | None = None,
    leave_out: tuple[str, ...] = (),
) -> Offer:  # fmt: skip
    """A form to be drawn; with what was typed and what was wrong where it has just been refused."""
    again = tried if tried is not None and tried.move == name else None
    refused = again.refused if again is not None else None
    faults = faults_of(refused) if refused is not None else {}
    said = {key: around.t(*words) for key, words in faults.items()}
    offer = Offer(
        name, zh, en, "", fields_of(form, around, again.raw if again else None, said, leave_out), name in ASIDE,
        "files" in form.model_fields,
    )  # fmt: skip
    if again is not None:
        known = {one.name for one in offer.fields} | {
            part.name for one in offer.fields for row in one.parts for part in row
        }
        offer.open, offer.held = True, held(office(request), again.files)
        if again.following:
            offer.hidden["next"] = again.following
        if refused is not None and not known & set(faults):
            offer.fault = refused.zh, refused.en
    return offer


def _answers(request: Request, issue: Issue, actor: Actor, around: Around, tried: Tried | None) -> list[Offer]:
    """For each request that waits for this very person: what was asked, and yes or no."""
    here = office(request)
    made = []
    for ask in FLOW.answerable(issue, actor, here.desk.world(), here.now()):
        move = FLOW.moves[ask.move]
        leave = ("request",) if ask.move == "send_back" else ("request", "unit")
        offer = offer_of(
            request, "answer", f"答复申请:{move.zh}", f"answer the request: {move.en}", Answer, around,
            _tried_answer(tried, ask), leave,
        )  # fmt: skip
        offer.action = f"/issues/{issue.id}/answer"
        offer.hidden["request"] = str(ask.id)
        made.append(offer)
    return made


def _tried_answer(tried: Tried | None, ask: Ask) -> Tried | None:
    same = tried is not None and tried.move == "answer" and str(tried.raw.get("request")) == str(ask.id)
    return tried if same else None


async def made(request: Request, actor: Actor, name: str, raw: Mapping[str, Any], issue: str, given: Sent) -> Any:
    """`Desk.act` with what every page sends along: the version it was made from and a key of its own."""
    if given.fault is not None:
        raise given.fault
    place = place_of(request) if actor == ANYONE else ""
    return await office(request).desk.act(actor, name, raw, issue, given.version, given.key, place)
