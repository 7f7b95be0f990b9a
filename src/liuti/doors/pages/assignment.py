"""承办: an issue as the unit at work on it sees it: what is next, what the result still lacks, replies to start from, and what each request means."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import Request

from liuti.doors.deps import office
from liuti.doors.pages import asked_rules, duties
from liuti.doors.pages.frame import Reader, directory
from liuti.doors.pages.maps import split
from liuti.doors.pages.moving import Offer
from liuti.flow.issue import Issue
from liuti.flow.kernel import NO_FACTS, Actor, Case, Refused
from liuti.flow.solve import milestones_are_met, physical_works_show_a_photo, plan_is_approved
from liuti.flow.table import FLOW
from liuti.flow.words import UNIT_ROLES, Lane, Step
from liuti.replies import BLANK
from liuti.store.read import Found

NOW = ("respond", "sign", "contact", "resume")
WORK = ("progress", "milestone", "attach", "add_unit", "finish")
ASKS = ("extend", "send_back", "suspend", "terminate")
"""In the order in which an officer needs them; what is not named stands at the end."""
NEEDED = (plan_is_approved, milestones_are_met, physical_works_show_a_photo)
"""What a result needs beyond its own form: shown before anybody writes one."""


def is_at_work(actor: Actor, issue: Issue) -> bool:
    """Whether this page is the reader's: of a unit at work on it, or its leader, while it is solved or suspended."""
    if issue.step not in (Step.SOLVE, Step.SUSPENDED) or actor.voice:
        return False
    own = not actor.roles.isdisjoint(UNIT_ROLES) and issue.assignment(actor.unit) is not None
    return own or bool(issue.leader and issue.leader == actor.id)


async def words(request: Request, reader: Reader, found: Found, offers: list[Offer]) -> dict[str, Any]:
    """What the page of a unit shows besides what every page of an issue shows."""
    here, actor, issue = office(request), reader.actor, found.issue
    world, now = here.desk.world(), here.now()
    zone = ZoneInfo(world.policy.hours.zone)
    moments: dict[str, datetime | None] = {}
    rules = asked_rules.rules(issue, actor.unit, world, moments)
    named = {offer.name for offer in offers}
    lead = issue.lead_unit == actor.unit and not actor.roles.isdisjoint(UNIT_ROLES)
    todo = duties.of(issue, actor.unit, now.astimezone(zone).date(), zone) if actor.unit else []
    for offer in offers:  # what is done first need not be looked for
        offer.open = offer.open or (offer.name in NOW and bool(todo) and offer.name == todo[0].move)
    return {
        "duties": todo,
        "rules": rules, "moments": moments, "groups": _grouped(offers),
        "lacking": _lacking(issue, actor, world, now) if lead and "submit_result" in named else [],
        "replies": _replies(here.replies, reader, await _filling(request, found, reader)),
        "suspends": issue.step is Step.SOLVE and lead and "suspend" not in named,
        "plan_awaited": issue.lane is Lane.TOPIC and not issue.plan_by,
    }  # fmt: skip


def _grouped(offers: list[Offer]) -> dict[str, list[Offer]]:
    """The same offers, every one of them once, in the order of the work."""
    by = {offer.name: offer for offer in offers if offer.name != "answer"}
    groups = {
        "answers": [offer for offer in offers if offer.name == "answer"],
        "now": [by.pop(name) for name in NOW if name in by],
        "work": [by.pop(name) for name in WORK if name in by],
        "result": [by.pop(name) for name in ("submit_result",) if name in by],
        "asks": [by.pop(name) for name in ASKS if name in by],
    }
    return groups | {"rest": list(by.values())}


def _lacking(issue: Issue, actor: Actor, world: Any, now: datetime) -> list[Refused]:
    """The rules a result would meet with now, by the flow's own guards."""
    case = Case(issue, actor, FLOW.moves["submit_result"], None, now, world, NO_FACTS, now)
    verdicts = [(guard, guard.check(case)) for guard in NEEDED]
    return [guard.refusal(verdict) for guard, verdict in verdicts if verdict is not True]


# -- replies -------------------------------------------------------------------------------------------------------


async def _filling(request: Request, found: Found, reader: Reader) -> dict[str, str]:
    """What is known of an issue, for the names a template may hold."""
    here, issue = office(request), found.issue
    zone = ZoneInfo(here.desk.world().policy.hours.zone)

    def day(moment: datetime | None) -> str:
        if moment is None:
            return ""
        there = moment.astimezone(zone)
        return f"{there.day} {there:%b %Y}" if reader.en else f"{there.month}月{there.day}日"

    unit = (await directory(here)).units.get(reader.actor.unit, "")
    return {
        "what": found.row["title"], "where": split(found.row["place"] or "")[0], "unit": unit, "sent": day(issue.submitted), "today": day(here.now()),
    }  # fmt: skip


def _replies(templates: Iterable[Any], reader: Reader, known: dict[str, str]) -> list[dict[str, str]]:
    return [
        {"word": one.word, "name": reader.t(one.zh, one.en), "text": one.filled(english=reader.en, words=known)}
        for one in templates
    ]


async def with_template(
    request: Request, reader: Reader, found: Found, raw: dict[str, Any], number: str
) -> dict[str, Any]:
    """What was typed with the template below it, and its outcome where none was chosen; Refused 422 for no template."""
    here = office(request)
    listed = _replies(here.replies, reader, await _filling(request, found, reader))
    if not number.isdecimal() or len(number) > 4 or int(number) >= len(listed):
        raise Refused("no_template", 422, "请先选一个模板。", "Choose a template first.", "reply")
    chosen = listed[int(number)]
    typed = raw.get("reply") or ""
    return raw | {
        "reply": f"{typed}\n{chosen['text']}" if typed else chosen["text"],
        "word": raw.get("word") or chosen["word"],
    }


def blanks_left(move: str, raw: dict[str, Any]) -> Refused | None:
    """A reply that still holds a template's blank is not for the person to read."""
    if move != "submit_result" or BLANK not in str(raw.get("reply") or ""):
        return None
    zh, en = f"答复里还有 {BLANK} 没有填。", f"The reply still has {BLANK} to be filled in."
    return Refused("blanks_left", 422, zh, en, "reply")
