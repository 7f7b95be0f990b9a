"""What people do when time has acted: designate, sign the order it drafted, answer it, plan the work anew."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from liuti.flow.words import Clock, Step
from liuti.store.act import Receipt
from simulate import numbers as n
from simulate.intake import to_triage
from simulate.judging import over
from simulate.town import Act, Life, Scene, Town, after, chance_of, wish


def struck(town: Town, life: Life, move: str, to: str, facts: Mapping[str, Any], at: datetime) -> None:
    """Time made that move on it at that tick."""
    before, life.step, life.last = life.step, Step(to), at
    if move == "overdue" and facts["clock"] == Clock.CLAIM:
        town.soon(life, at, "designate", n.DESIGNATE)
    elif move == "urge" and facts.get("rung") == 2 and chance_of(life, "order"):
        town.soon(life, at, "order", n.CHECK, draft=facts["order"])
    elif move == "lapse" and life.step is Step.PROPOSE:
        to_triage(town, life, at)
    elif move == "resume":
        life.turn += 1
        town.soon(life, at, "report", n.AGAIN, 2.0, turn=life.turn)
    if life.step != before and life.step in (Step.CLOSED, Step.REJECTED):
        over(town, life, at, unhappy=life.step is Step.REJECTED)


@wish
def order(scene: Scene) -> Act | None:
    """The inspector signs what the ladder drew up."""
    draft = next((o for o in scene.issue.orders if o.id == scene.given["draft"]), None)
    if draft is None or draft.signed is not None or not scene.issue.is_open:
        return None
    form = {"draft": draft.id, "text": "请于两个工作日内书面说明超期原因和完成时间。"}
    return Act(scene.town.inspector(scene.life), "order", form)


@after("order")
def _ordered(town: Town, life: Life, _act: Act, _receipt: Receipt, at: datetime) -> None:
    if chance_of(life, "respond"):
        town.soon(life, at, "respond", n.RESPOND, town.pace.get(life.unit, 1.0))


@wish
def respond(scene: Scene) -> Act | None:
    """Whoever the order is written to."""
    waits = next((o for o in scene.issue.orders if o.signed is not None and o.responded is None), None)
    if waits is None:
        return None
    kind, _, name = waits.to.partition(":")
    town = scene.town
    if kind == "unit":
        who = town.officer(scene.life, name)
    elif kind == "person":
        who = town.person(name)
    else:
        who = next(p.actor for p in town.district.people.values() if name in p.roles)
    return Act(who, "respond", {"order": waits.id, "reply": "因备件到货推迟,三日内完成。"})


@after("respond")
def _responded(town: Town, life: Life, act: Act, _receipt: Receipt, at: datetime) -> None:
    if chance_of(life, "settle"):
        town.soon(life, at, "settle", n.SETTLE, order=act.form["order"])


@wish
def settle(scene: Scene) -> Act | None:
    answered = [o.id for o in scene.issue.orders if o.responded is not None and o.settled is None]
    if scene.given["order"] not in answered:
        return None
    return Act(scene.town.inspector(scene.life), "settle", {"order": scene.given["order"], "note": "原因清楚。"})
