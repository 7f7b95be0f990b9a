"""Who somebody is to one issue: its proposer, its leader, a unit at work on it (docs/rules.md §4)."""

from __future__ import annotations

from collections.abc import Callable

from liuti.flow.issue import Issue
from liuti.flow.kernel import Actor, Who
from liuti.flow.words import OFFICIALS, Relation, Role

CASE_HANDLERS = frozenset({Role.INTAKE, Role.GRID_WORKER, Role.INSPECTOR, Role.TEAM})


RELATIONS: dict[Relation, Callable[[Actor, Issue], bool]] = {
    Relation.PROPOSER: lambda a, i: bool(a.voice) and a.voice == i.proposer and not a.rating,
    Relation.VOICE: lambda a, i: bool(a.voice) and a.issue == i.id,
    Relation.ITS_LEADER: lambda a, i: bool(i.leader) and a.id == i.leader,
    Relation.LEAD_UNIT: lambda a, i: _in_unit(a) and a.unit == i.lead_unit,
    Relation.LEAD_HEAD: lambda a, i: Role.UNIT_HEAD in a.roles and bool(a.unit) and a.unit == i.lead_unit,
    Relation.ASSISTING_UNIT: lambda a, i: _in_unit(a) and a.unit != i.lead_unit and i.assignment(a.unit) is not None,
    Relation.OWN_UNIT: lambda a, i: _in_unit(a) and i.assignment(a.unit) is not None,
    Relation.OFFICIAL: lambda a, _: not a.roles.isdisjoint(OFFICIALS),
    Relation.HANDLER: lambda a, i: (
        not a.roles.isdisjoint(CASE_HANDLERS)
        or (_in_unit(a) and i.assignment(a.unit) is not None)
        or bool(i.leader and a.id == i.leader)
    ),
    Relation.ADDRESSEE: lambda a, i: any(
        o.responded is None and o.signed is not None and addressed(o.to, a, i) for o in i.orders
    ),
}


def _in_unit(actor: Actor) -> bool:
    return bool(actor.unit) and (Role.OFFICER in actor.roles or Role.UNIT_HEAD in actor.roles)


def addressed(to: str, actor: Actor, issue: Issue) -> bool:
    """Whether a letter or order written to `to` (unit:ID, person:ID, role:NAME) is for this actor."""
    kind, _, name = to.partition(":")
    if kind == "unit":
        return _in_unit(actor) and actor.unit == name
    return actor.id == name if kind == "person" else name in actor.roles


def stands(who: Who, actor: Actor, issue: Issue) -> bool:
    """Whether the actor is that to the issue; a rating token is nothing but a token to rate."""
    if type(who) is Role:
        return who in actor.roles
    return RELATIONS[who](actor, issue)  # type: ignore[index]
