"""The one mechanism all six steps share: who may, where, once; then what changes, and who waits for whom."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import copy
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from liuti.flow import clocks
from liuti.flow.clocks import World
from liuti.flow.issue import Ask, Issue
from liuti.flow.kernel import (
    NO_FACTS,
    Actor,
    Answer,
    Case,
    Decision,
    Facts,
    Move,
    Refused,
    Signer,
    Who,
    hold,
    not_yours,
    parse,
    stale,
)
from liuti.flow.standing import addressed, stands
from liuti.flow.words import ADMINS, ENDS, OFFICIALS, STATE_NAMES, Relation, Role, Step


class Flow:
    """All moves in one table; looked at once, at start, and refused when a road ends nowhere."""

    def __init__(self, moves: Iterable[Move]) -> None:
        self.moves: dict[str, Move] = {}
        for move in moves:
            if move.name in self.moves:
                raise TypeError(f"two moves are named {move.name}")
            self.moves[move.name] = move
        self.at: dict[Step, tuple[Move, ...]] = {s: tuple(m for m in self.moves.values() if s in m.at) for s in Step}
        self.new = tuple(m for m in self.moves.values() if not m.at)
        _inspect(self)

    def find(self, name: str) -> Move:
        move = self.moves.get(name)
        if move is None:
            raise Refused("no_such_move", 404, "没有这个动作。", "There is no such move.", move=name)
        return move

    def open_to(self, issue: Issue, actor: Actor, world: World, now: datetime, facts: Facts = NO_FACTS) -> list[str]:
        """The moves this actor may try now: right person, right step, no duty against it, not done already.

        The one duty that looks beyond the issue is who ran its score: `facts.standing`, where the caller knows it.
        """
        found = []
        for move in self.at[issue.step] if issue.version else self.new:
            case = Case(issue, actor, move, None, now, world, facts, now)
            try:
                self._admit(case)
            except Refused:
                continue
            found.append(move.name)
        if self.answerable(issue, actor, world, now):
            found += ["grant", "deny"]
        return found

    def answerable(self, issue: Issue, actor: Actor, world: World, now: datetime) -> list[Ask]:
        """The open requests that wait for an answer this actor may give."""
        return [ask for ask in issue.open_asks() if self._may_answer(issue, ask, actor, world, now)]

    def _may_answer(self, issue: Issue, ask: Ask, actor: Actor, world: World, now: datetime) -> bool:
        case = Case(issue, actor, self.moves[ask.move], None, now, world, NO_FACTS, ask.at, ask)
        try:
            self._admit_signer(case, ask)
        except Refused:
            return False
        return True

    def decide(
        self,
        issue: Issue,
        actor: Actor,
        name: str,
        raw: Any,
        now: datetime,
        world: World,
        facts: Facts = NO_FACTS,
        version: int | None = None,
    ) -> Decision:
        """Who, where, once, seen version, form, conditions: in that order; then what changes. Raises Refused."""
        if name in ("grant", "deny"):
            return self._answer(issue, actor, name, raw, now, world, facts, version)
        move = self.find(name)
        case = Case(issue, actor, move, None, now, world, facts, now)
        self._admit(case)
        if version is not None and version != issue.version:
            raise stale(issue)
        case.form = parse(move.form, raw)
        hold(move.guards, case)
        case.issue = copy(issue)
        awaited = tuple([s for s in move.signers(case) if not _is_both(s, case)]) if move.asks_of else ()
        if awaited:
            self._ask(case, awaited)
        else:
            self._apply(case)
        return self._done(case, issue, awaits=awaited[0].name if awaited else "")

    # -- who and where ---------------------------------------------------------------------------------------------

    def _admit(self, case: Case) -> None:
        move, issue, actor = case.move, case.issue, case.actor
        _no_admin(actor, move.by)
        for who in move.by:
            if stands(who, actor, issue):
                case.role = who.value
                break
        else:
            raise not_yours(move.by)
        if actor.rating and move.name != "rate":
            raise not_yours(move.by)
        if actor.id in issue.conflicts and move.name != "declare_conflict":
            raise Refused(
                "declared_conflict", 403, "您已申报回避,不能再办理此题。", "You declared a conflict on this issue."
            )
        hold(move.duties, case)
        if issue.step not in move.at if issue.version else move.at:
            raise self.wrong_step(case)
        hold(move.agains, case)
        if move.asks_of and any(ask.move == move.name and move.same(case, ask) for ask in issue.open_asks()):
            raise Refused(
                "open_request", 409, "同样的申请正在等待答复。", "The same request is already waiting for an answer."
            )

    def wrong_step(self, case: Case) -> Refused:
        issue = case.issue
        zh, en = STATE_NAMES[issue.step]
        extra: dict[str, Any] = {
            "step": issue.step.value,
            "open": self.open_to(issue, case.actor, case.world, case.now),
        }
        if issue.leader_post and case.move.name == "claim":
            extra["leader"] = issue.leader_post
            zh, en = f"{zh}(已由{issue.leader_post}领题)", f"{en} (claimed by {issue.leader_post})"
        return Refused(
            "wrong_step", 409, f"此题现在{zh},不能{case.move.zh}。", f"The issue is {en}: no {case.move.en}.", **extra
        )

    # -- two people ------------------------------------------------------------------------------------------------

    def _ask(self, case: Case, awaited: tuple[Signer, ...]) -> None:
        issue, actor = case.issue, case.actor
        ask = Ask(
            id=len(issue.asks) + 1,
            move=case.move.name,
            form=case.form.model_dump(mode="json"),
            by=actor.id,
            role=case.role,
            unit=actor.unit,
            at=case.now,
            awaits=tuple(s.name for s in awaited),
            signed_by=(actor.id,),
        )
        issue.asks = (*issue.asks, ask)
        case.noted["request"] = ask.id
        case.noted["awaits"] = awaited[0].name
        self._pass_on(case, ask, awaited[0])

    def _pass_on(self, case: Case, ask: Ask, signer: Signer) -> None:
        if signer.starts is not None:
            clocks.begin(case, signer.starts, str(ask.id))
        for who in signer.who:
            case.tell(case.move.name + ".asked", *_desk_of(who, case))

    def _admit_signer(self, case: Case, ask: Ask) -> Signer:
        move, actor = case.move, case.actor
        signer = next(s for s in move.asks_of if s.name == ask.awaits[0])
        _no_admin(actor, signer.who)
        who = next((w for w in signer.who if stands(w, actor, case.issue) and _same_house(w, actor, ask)), None)
        if who is None:
            raise not_yours(signer.who)
        if actor.id in ask.signed_by:
            raise Refused(
                "same_person",
                403,
                "申请人不能自己批准,须由另一人办理。",
                "The one who asked may not answer: another person must.",
            )
        if actor.id in case.issue.conflicts:
            raise Refused(
                "declared_conflict", 403, "您已申报回避,不能再办理此题。", "You declared a conflict on this issue."
            )
        hold(signer.duties, case)
        case.role = who.value
        return signer

    def _answer(
        self,
        issue: Issue,
        actor: Actor,
        name: str,
        raw: Any,
        now: datetime,
        world: World,
        facts: Facts,
        version: int | None,
    ) -> Decision:
        ask = pick_ask(issue, raw)
        if actor.roles.isdisjoint(OFFICIALS):
            raise not_yours((Relation.OFFICIAL,))
        if ask is None or not ask.open:
            code, zh, en = "no_open_request", "没有等待答复的申请。", "No such request waits for an answer."
            raise Refused(code, 409, zh, en, open=self.open_to(issue, actor, world, now))
        move = self.moves[ask.move]
        case = Case(issue, actor, move, None, now, world, facts, ask.at, ask)
        signer = self._admit_signer(case, ask)
        if version is not None and version != issue.version:
            raise stale(issue)
        answer = case.answer = parse(Answer, raw)
        if name == "deny" and not answer.reason:
            raise Refused("reason_required", 422, "不同意的,须写明理由。", "A denial says why.", "reason")
        case.form = move.form.model_validate(ask.form)
        case.issue = copy(issue)
        case.noted |= {"request": ask.id, "of": ask.move}
        if name == "deny":
            self._close_ask(case, ask, "denied")
            if move.denied is not None:
                move.denied(case)
            case.tell(ask.move + ".denied", *_asker(case, ask))
        else:
            signer_role, case.role, case.actor = case.role, ask.role, _asked_by(ask)
            hold(move.guards, case)
            case.actor, case.role = actor, signer_role
            if len(ask.awaits) > 1:
                self._hand_over(case, ask)
            else:
                self._close_ask(case, ask, "granted")
                case.tell(ask.move + ".granted", *_asker(case, ask))
                self._apply(case)
        if signer.starts is not None:
            clocks.stop(case, signer.starts, str(ask.id))
        decision = self._done(case, issue, awaits=case.noted.get("awaits", ""))
        decision.move, decision.form = name, answer
        return decision

    def _hand_over(self, case: Case, ask: Ask) -> None:
        awaits = ask.awaits[1:]
        signed = replace(ask, awaits=awaits, signed_by=(*ask.signed_by, case.actor.id))
        case.issue.asks = tuple(signed if a.id == ask.id else a for a in case.issue.asks)
        case.noted["awaits"] = awaits[0]
        self._pass_on(case, ask, next(s for s in case.move.asks_of if s.name == awaits[0]))

    def _close_ask(self, case: Case, ask: Ask, outcome: str) -> None:
        ended = replace(ask, outcome=outcome, ended=case.now, signed_by=(*ask.signed_by, case.actor.id))
        case.issue.asks = tuple(ended if a.id == ask.id else a for a in case.issue.asks)

    # -- what changes ----------------------------------------------------------------------------------------------

    def _apply(self, case: Case) -> None:
        move = case.move
        if len(move.to) == 1:
            case.to = move.to[0]
        if move.does is not None:
            move.does(case)
        self._move_on(case)
        for audience in move.tells:
            case.tell(move.name, *audience(case))

    def _move_on(self, case: Case) -> None:
        """Change the step if there is one to go to, let open requests lapse, and keep the clocks' rules."""
        issue, to = case.issue, case.to
        came_from = issue.step
        if to is not None and to != came_from:
            clocks.leave(case, came_from, to)
            issue.step = to
            self._lapse_asks(case)
            if to in ENDS:
                issue.ended, issue.ended_from = case.now, came_from
            elif came_from in ENDS:
                issue.ended = None
        for clock in case.move.stops:
            if clock not in case.keeps:
                clocks.stop(case, clock)
        for clock in case.move.starts:
            if clock not in case.keeps:
                clocks.begin(case, clock)

    def _lapse_asks(self, case: Case) -> None:
        for ask in case.issue.open_asks():
            if self.moves[ask.move].stays or (case.ask is not None and ask.id == case.ask.id):
                continue
            self._close_ask(case, ask, "lapsed")
            for signer in self.moves[ask.move].asks_of:
                if signer.starts is not None:
                    clocks.stop(case, signer.starts, str(ask.id))
            case.tell(ask.move + ".lapsed", *_asker(case, ask))

    def _done(self, case: Case, before: Issue, awaits: str) -> Decision:
        issue = case.issue
        issue.version = before.version + 1
        actor = case.actor
        if actor.roles and not actor.roles.isdisjoint(OFFICIALS):
            clocks.answer(case, lambda to: addressed(to, actor, issue))
            if actor.id not in issue.took_part:
                issue.took_part = (*issue.took_part, actor.id)
        return Decision(
            issue, before.step if before.version else None, case.move.name, actor, case.role, case.now, case.form,
            case.noted, case.letters, case.then, case.rows, awaits, case.other,
        )  # fmt: skip


def pick_ask(issue: Issue, raw: Any) -> Ask | None:
    """The request an answer is about: the one it names, else the oldest open one."""
    number = raw.get("request") if isinstance(raw, Mapping) else getattr(raw, "request", None)
    if number is None:
        return next(issue.open_asks(), None)
    return next((ask for ask in issue.asks if ask.id == number), None)


def _no_admin(actor: Actor, who: Iterable[Who]) -> None:
    """An administrator acts on no case, whatever else they hold (docs/rules.md §8 duty 5)."""
    if not actor.roles.isdisjoint(ADMINS):
        raise not_yours(who)


def _is_both(signer: Signer, case: Case) -> bool:
    """A head acting alone is both halves of "unit with head"."""
    return signer.name == "unit_head" and Role.UNIT_HEAD in case.actor.roles


def _same_house(who: Who, actor: Actor, ask: Ask) -> bool:
    return who is not Role.UNIT_HEAD or actor.unit == ask.unit


def _asked_by(ask: Ask) -> Actor:
    """The asker as the conditions saw them: the id and unit the request was made with."""
    return Actor(ask.by, frozenset(Role(ask.role) for _ in (0,) if ask.role in _ROLE_VALUES), unit=ask.unit)


_ROLE_VALUES = frozenset(role.value for role in Role)


def _asker(case: Case, ask: Ask) -> tuple[str, ...]:
    return ("voice:" + case.issue.proposer,) if ask.role == Relation.PROPOSER else ("person:" + ask.by,)


def _desk_of(who: Who, case: Case) -> tuple[str, ...]:
    issue = case.issue
    if who is Relation.ITS_LEADER:
        return ("person:" + issue.leader,)
    if who in (Role.UNIT_HEAD, Relation.LEAD_HEAD):
        return ("unit:" + (case.ask.unit if case.ask else case.actor.unit),)
    return ("role:" + who.value,)


def _inspect(flow: Flow) -> None:
    """Refuse to start with an unreachable step, a trap, or a clock that strikes nothing (docs/rules.md §3)."""
    reached, frontier = set[Step](), {s for m in flow.moves.values() if not m.at for s in m.to}
    while frontier:
        step = frontier.pop()
        reached.add(step)
        frontier |= {s for m in flow.at[step] for s in m.to} - reached
    if missing := set(Step) - reached:
        raise TypeError(f"no move leads to {sorted(missing)}")
    leads_out = set(ENDS)
    while grown := {s for s in Step if s not in leads_out and any(not leads_out.isdisjoint(m.to) for m in flow.at[s])}:
        leads_out |= grown
    if traps := set(Step) - leads_out:
        raise TypeError(f"no way on from {sorted(traps)}")
    clocks.inspect({name: frozenset(m.at) for name, m in flow.moves.items()})
