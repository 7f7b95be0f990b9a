"""The one way in: lock, decide, write, seal, tell, in one transaction, committed before anybody is answered."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, time
from functools import partial
from hashlib import sha256
from typing import Any

from msgspec import Struct, json
from sqlalchemy import Connection, bindparam, insert, select
from sqlalchemy.exc import IntegrityError

from liuti.flow import sight
from liuti.flow.clocks import STRIKES, World, is_provisional, settled, struck
from liuti.flow.issue import Issue
from liuti.flow.kernel import CLOCK, NO_FACTS, Actor, Decision, Facts, Form, Need, Next, Refused, parse
from liuti.flow.machine import Flow, pick_ask
from liuti.flow.words import Role, Step
from liuti.store import ledger, outbox, rows
from liuti.store.bulk import change_with, insert_many, update_many
from liuti.store.engine import Engine
from liuti.store.facts import Wanted, gather
from liuti.store.ids import uuid7
from liuti.store.tables import entries, issues, letters
from liuti.store.vault import KeyRing, SealName, query_code

STATE = json.Decoder(Issue)
_LOCK = (
    select(issues.c.state, issues.c.head, issues.c.query_code).where(issues.c.id == bindparam("id")).with_for_update()
)
_LOCK_PAIR = (
    select(issues.c.id, issues.c.state, issues.c.head, issues.c.query_code)
    .where(issues.c.id.in_(bindparam("ids", expanding=True)))
    .order_by(issues.c.id)
    .with_for_update()
)
_LEAD_OF = select(issues.c.lead_issue).where(issues.c.id == bindparam("id"))
_BY_KEY = select(entries.c.issue_id, entries.c.key_digest, entries.c.receipt).where(entries.c.key == bindparam("key"))
_BY_EXTERNAL = select(issues.c.id, issues.c.state, issues.c.query_code).where(
    issues.c.source == bindparam("source"), issues.c.external_id == bindparam("external_id")
)


class Receipt(Struct, omit_defaults=True):
    """What the caller is told once it is a fact. `awaits` names who still has to grant."""

    issue: str
    version: int
    step: Step
    move: str
    at: datetime
    awaits: str = ""
    due_at: datetime | None = None
    noted: dict[str, Any] = {}
    query_code: str = ""
    voice: str = ""
    replayed: bool = False


RECEIPT = json.Decoder(Receipt)


def _joined(made: Decision) -> str:
    """The voice of a citizen who has just joined: whoever speaks for somebody else is not handed their key."""
    if made.role != Role.CITIZEN:
        return ""
    return next((row.values["id"] for row in made.rows if row.table == "voices"), "")


@dataclass(slots=True)
class _Attempt:
    """One request as it came in."""

    actor: Actor
    move: str
    raw: Any
    issue: str
    version: int | None
    key: str | None
    digest: str
    place: str
    now: datetime


@dataclass(slots=True)
class _Held:
    """An issue under lock, with the head of its chain."""

    issue: Issue
    head: str
    query_code: str


class Desk:
    """Where decisions become facts. `world` says what the rules are today; `now` what time it is."""

    def __init__(
        self, engine: Engine, flow: Flow, world: Callable[[], World], ring: KeyRing, now: Callable[[], datetime],
        seal: SealName = "sha256",
    ) -> None:  # fmt: skip
        self.engine, self.flow, self.world, self.ring, self.now, self.seal = engine, flow, world, ring, now, seal

    async def act(
        self,
        actor: Actor,
        move: str,
        raw: Mapping[str, Any] | Form,
        issue: str = "",
        version: int | None = None,
        key: str | None = None,
        place: str = "",
    ) -> Receipt:
        """Make the move, or raise Refused. Returns after the commit; a known key answers with its first receipt."""
        attempt = self._attempt(actor, move, raw, issue, version, key, place)
        for last in (False, True):
            try:
                return await self.engine.write(partial(self._act, attempt=attempt))
            except IntegrityError:
                if found := await self._replay(attempt):
                    return found
                if last:
                    raise
            except Refused as refused:
                if refused.status not in (401, 404) and (found := await self._replay(attempt)):
                    return found
                raise
        raise AssertionError("unreachable")

    def act_now(
        self, conn: Connection, actor: Actor, move: str, raw: Any, issue: str = "", now: datetime | None = None
    ) -> Receipt:
        """The same inside a transaction the caller already holds (the worker's batch, an import's, the demo's)."""
        attempt = self._attempt(actor, move, raw, issue, None, None, "")
        attempt.now = now or attempt.now
        return self._act(conn, attempt)

    def strike(self, conn: Connection, ids: Iterable[str], now: datetime) -> int:
        """Time acts on the issues named: every moment that is due by now. Returns the number of entries written."""
        return self.strike_held(conn, conn.execute(_LOCK_PAIR, {"ids": sorted(set(ids))}).all(), now)

    def strike_held(self, conn: Connection, found: Iterable[Any], now: datetime) -> int:
        """The same on rows just locked (id, state, head, query_code): each decided alone, the writes go out together.

        Nothing is written before all are decided; whatever one of them raises leaves the transaction to be undone.
        """
        held = [_Held(STATE.decode(row.state), row.head, row.query_code) for row in found]
        work = [(made, one) for one in held if (made := self._strike_one(conn, one, now))]
        self._write_struck(conn, work)
        return sum(len(made) for made, _ in work)

    def recount_held(self, conn: Connection, found: Iterable[Any], now: datetime) -> tuple[int, int]:
        """Row 52 on rows just locked, where the calendar now knows more; entries written, and issues still provisional."""
        held = [_Held(STATE.decode(row.state), row.head, row.query_code) for row in found]
        world = self.world()
        again = [one for one in held if settled(one.issue, world)]
        work = [([self._decide(conn, _by_clock("recompute", {}, one.issue, now), one)], one) for one in again]
        self._write_struck(conn, work)
        counted = [made[-1].issue for made, _ in work]
        return len(work), len(held) - sum(1 for issue in counted if not is_provisional(issue))

    def _strike_one(self, conn: Connection, held: _Held, now: datetime) -> list[Decision]:
        made: list[Decision] = []
        issue = held.issue
        # Bounded, so that one issue never holds up a batch; what is left is due in the next one.
        while len(made) < 12 and (due := struck(issue, now)) is not None:
            name, timer = due
            raw = {} if name in STRIKES.values() else {"clock": timer.clock, "unit": timer.unit}
            attempt = _by_clock(name, raw, issue, now)
            made.append(self._decide(conn, attempt, _Held(issue, "", "")))
            while waiting := made[-1].then[:1]:
                made.append(self._follow(conn, waiting[0], made[-1], attempt))
            issue = made[-1].issue
        return made

    def _write_struck(self, conn: Connection, work: list[tuple[list[Decision], _Held]]) -> None:
        """What `_write` does, for many issues in a few statements. No stale check: the locks are this transaction's."""
        changed: list[dict[str, Any]] = []
        sealed: list[dict[str, Any]] = []
        for made, held in work:
            entries_ = ledger.chained(made, held.head, self.seal)
            sealed += entries_
            last = made[-1].issue
            changed.append(rows.columns_of(last) | {"head": entries_[-1]["seal"], "id": last.id})
        if work:
            update_many(conn, issues, ("id",), changed)
            insert_many(conn, entries, sealed)
            for made, held in work:
                rows.write_beside(conn, self.ring, made, held.issue, "")
            outbox.post(conn, [decision for made, _ in work for decision in made])

    def _attempt(
        self, actor: Actor, move: str, raw: Any, issue: str, version: int | None, key: str | None, place: str
    ) -> _Attempt:
        digest = ""
        if key is not None:
            plain = raw.model_dump(mode="json") if isinstance(raw, Form) else raw
            digest = sha256(json.encode([issue, move, plain], order="deterministic")).hexdigest()
            key = f"{actor.id or 'anyone'}|{key}"[:200]
        return _Attempt(actor, move, raw, issue, version, key, digest, place, self.now())

    async def _replay(self, attempt: _Attempt) -> Receipt | None:
        if attempt.key is None and attempt.move != "submit":
            return None
        return await self.engine.read(partial(self._known, attempt=attempt))

    def _known(self, conn: Connection, attempt: _Attempt) -> Receipt | None:
        """The first receipt of a known key, or of a known outside number; Refused when the key was for another form."""
        found = conn.execute(_BY_KEY, {"key": attempt.key}).first() if attempt.key else None
        if found is not None:
            if found.key_digest != attempt.digest:
                zh, en = (
                    "此幂等键已用于另一份内容,请换一个。",
                    "This Idempotency-Key was used for something else: take a new one.",
                )
                raise Refused("key_reused", 422, zh, en, "Idempotency-Key")
            receipt = RECEIPT.decode(found.receipt)
            receipt.replayed = True
            return receipt
        return self._known_outside(conn, attempt) if attempt.move == "submit" else None

    def _known_outside(self, conn: Connection, attempt: _Attempt) -> Receipt | None:
        get = attempt.raw.get if isinstance(attempt.raw, Mapping) else partial(getattr, attempt.raw)
        source, number = get("source", None), get("external_id", None)
        if not (source and number) or attempt.actor.roles.isdisjoint(("intake", "grid_worker")):
            return None
        found = conn.execute(_BY_EXTERNAL, {"source": str(source), "external_id": number}).first()
        if found is None:
            return None
        issue = STATE.decode(found.state)
        at = issue.submitted or attempt.now
        return Receipt(
            issue.id, 1, Step.PROPOSE, "submit", at, query_code=found.query_code, voice=issue.proposer, replayed=True
        )

    # -- inside the transaction ------------------------------------------------------------------------------------

    def _act(self, conn: Connection, attempt: _Attempt) -> Receipt:
        move, now = attempt.move, attempt.now
        if move == "submit":
            if known := self._known_outside(conn, attempt):
                return known
            return self._carry_out(conn, attempt, _Held(Issue(uuid7(now)), ledger.START, query_code(os.urandom(8))))
        return self._carry_out(conn, attempt, self._hold(conn, attempt.issue, attempt))

    def _hold(self, conn: Connection, issue_id: str, attempt: _Attempt | None = None) -> _Held:
        """The issue under lock. A move that touches two issues locks both at once, in one order."""
        pair = self._pair(conn, issue_id, attempt) if attempt is not None else None
        if pair is not None:
            conn.execute(_LOCK_PAIR, {"ids": sorted({issue_id, pair})}).all()
        row = conn.execute(_LOCK, {"id": issue_id}).first()
        issue = STATE.decode(row.state) if row is not None else None
        if attempt is not None:
            sight.admit(attempt.actor, issue, attempt.move)
        if row is None or issue is None:
            raise Refused("no_such_issue", 404, "没有这件题。", "There is no such issue.")
        return _Held(issue, row.head, row.query_code)

    def _pair(self, conn: Connection, issue_id: str, attempt: _Attempt) -> str | None:
        move = self.flow.moves.get(attempt.move)
        if move is None or Need.LEAD not in move.needs:
            return None
        named = attempt.raw.get("lead") if isinstance(attempt.raw, Mapping) else getattr(attempt.raw, "lead", None)
        return named if isinstance(named, str) else conn.execute(_LEAD_OF, {"id": issue_id}).scalar()

    def _carry_out(self, conn: Connection, attempt: _Attempt, held: _Held) -> Receipt:
        """Decide the move and what follows from it at once; then write all of it."""
        made = [self._decide(conn, attempt, held)]
        while waiting := made[-1].then[:1]:
            made.append(self._follow(conn, waiting[0], made[-1], attempt))
        receipt = self._receipt(made, held)
        self._write(conn, made, held, attempt, receipt)
        for decision in made:
            if decision.other is not None:
                other = self._hold(conn, decision.other.issue.id)
                self._write(conn, [decision.other], other, None, None)
        return receipt

    def _decide(self, conn: Connection, attempt: _Attempt, held: _Held) -> Decision:
        world = self.world()
        move, form = self._form(attempt, held.issue)
        needs = move.needs if move is not None else ()
        fresh = uuid7(attempt.now) if attempt.move in ("submit", "cosign") else ""
        facts = self._facts(conn, attempt, held, form, needs, fresh) if needs or fresh else NO_FACTS
        return self.flow.decide(
            held.issue, attempt.actor, attempt.move, attempt.raw if form is None or attempt.move in ("grant", "deny") else form,
            attempt.now, world, facts, attempt.version,
        )  # fmt: skip

    def _facts(
        self, conn: Connection, attempt: _Attempt, held: _Held, form: Form | None, needs: tuple[Need, ...], fresh: str
    ) -> Facts:
        """What the guards of this move look at beyond the issue."""
        wanted = Wanted(
            conn, self.ring, held.issue, attempt.actor, form, attempt.move, attempt.place,
            _day_begins(self.world(), attempt.now), lambda lead: self._lead(conn, lead),
        )  # fmt: skip
        facts = gather(wanted, needs, fresh)
        if (
            attempt.move in ("grant", "deny")
            and Need.UNITS in needs
            and isinstance(unit := _get(attempt.raw, "unit"), str)
        ):
            wanted.form = parse_quietly(self.flow.moves["divert"].form, {"unit": unit})
            more = gather(wanted, (Need.UNITS,), fresh)
            facts.units = {**facts.units, **more.units}
        return facts

    def _form(self, attempt: _Attempt, issue: Issue) -> tuple[Any, Form | None]:
        """The move and its form where it can be read: a form at fault is refused later, in its place in the order."""
        if attempt.move in ("grant", "deny"):
            ask = pick_ask(issue, attempt.raw)
            move = self.flow.moves[ask.move] if ask is not None else None
            return move, parse_quietly(move.form, ask.form) if move is not None and ask is not None else None
        move = self.flow.find(attempt.move)
        return move, attempt.raw if isinstance(attempt.raw, Form) else parse_quietly(move.form, attempt.raw)

    def _lead(self, conn: Connection, lead: str) -> Issue | None:
        row = conn.execute(_LOCK, {"id": lead}).first()
        return STATE.decode(row.state) if row is not None else None

    def _follow(self, conn: Connection, follow: Next, before: Decision, attempt: _Attempt) -> Decision:
        actor = follow.actor or CLOCK
        step = _Attempt(actor, follow.move, follow.form, before.issue.id, None, None, "", "", attempt.now)
        return self._decide(conn, step, _Held(before.issue, "", ""))

    def _receipt(self, made: list[Decision], held: _Held) -> Receipt:
        first, last = made[0], made[-1]
        new = first.came_from is None
        return Receipt(
            last.issue.id, last.issue.version, last.issue.step, first.move, first.at, first.awaits, last.issue.deadline,
            first.noted, held.query_code if new else "", last.issue.proposer if new else _joined(first),
        )  # fmt: skip

    def _write(
        self, conn: Connection, made: list[Decision], held: _Held, attempt: _Attempt | None, receipt: Receipt | None
    ) -> None:
        """Issue, entries, letters and what stands beside them: all or nothing."""
        sealed = ledger.chained(made, held.head, self.seal)
        if attempt is not None and attempt.key is not None and receipt is not None:
            sealed[0] |= {"key": attempt.key, "key_digest": attempt.digest, "receipt": json.encode(receipt).decode()}
        first, issue = made[0], made[-1].issue
        columns = rows.columns_of(issue) | {"head": sealed[-1]["seal"]}
        beside = ((entries, sealed), (letters, outbox.rows_of(made)))
        if first.came_from is None:
            columns |= {"id": issue.id, "query_code": held.query_code}
            columns |= rows.first_columns_of(issue) | rows.words_of(first)
            conn.execute(insert(issues), columns)
            for table, given in beside:
                if given:
                    insert_many(conn, table, given)
        elif not change_with(conn, issues, columns, {"id": issue.id, "version": issue.version - len(made)}, beside):
            raise Refused("stale", 412, "此题已被他人更新,请刷新后再办。", "The issue has changed: read it again.")
        # Whom a merge takes along is told while they still stand here; whom its undoing brings back, once they are here.
        leaving = any(row.table == "move_voices" for decision in made for row in decision.rows)
        if leaving:
            outbox.to_crowds(conn, made)
        rows.write_beside(conn, self.ring, made, held.issue, attempt.place if attempt is not None else "")
        if not leaving:
            outbox.to_crowds(conn, made)


def _by_clock(move: str, raw: Mapping[str, Any], issue: Issue, now: datetime) -> _Attempt:
    return _Attempt(CLOCK, move, raw, issue.id, None, None, "", "", now)


def _get(raw: Any, name: str) -> Any:
    return raw.get(name) if isinstance(raw, Mapping) else getattr(raw, name, None)


def parse_quietly(form: type[Form], raw: Any) -> Form | None:
    try:
        return parse(form, raw)
    except Refused:
        return None


def _day_begins(world: World, now: datetime) -> datetime:
    return world.calendar.moment(now.astimezone(world.calendar.zone).date(), time())
