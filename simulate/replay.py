"""Every clock of an issue told again from its ledger entries alone: the table of docs/rules.md §4, written a second time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date, timedelta
from typing import Any

from msgspec import json

from simulate import working_time as wt
from simulate.clockwork import ENDS, NEVER, Clock, Clockwork, Wrong, policy
from simulate.working_time import local

DO_ELSE = {"supplement": "lapse", "evaluate": "close", "hold": "resume"}
NOBODY: Mapping[str, str] = {}
HASTE = ("urgent", "basic", "general", "complex")
# What a move starts and stops, besides the clocks of the step it leaves.
STARTS = {
    "ask_supplement": ("supplement",), "accept_topic": ("select",), "publish": ("claim",), "recall": ("select",),
    "claim": ("plan",), "designate": ("plan",), "fail_check": ("redo",), "pass_check": ("evaluate", "callback"),
    "submit_result": ("review",), "redo": ("redo", "bad_review"), "escalate": ("redo",),
}  # fmt: skip


class Replay(Clockwork):
    """Feed it the entries of one issue, in order; `urgency_of` tells what words make urgent (that is no clock's matter)."""

    def __init__(
        self, tick: timedelta, urgency_of: Callable[[str, str, bool], str], people: Mapping[str, str] = NOBODY
    ) -> None:
        self.urgency_of, self.people = urgency_of, people
        super().__init__(tick)
        self.lead_unit, self.wants_contact, self.has_result = "", True, False
        self.units: dict[str, bool] = {}
        """Units at work: whether they lead."""
        self.asks: dict[int, dict[str, Any]] = {}
        self.orders = self.tries = self.extensions = 0
        self._ends_calling = True
        self._dispatched: list[str] = []
        self._after: list[Callable[[], None]] = []
        self.late: tuple[str, ...] = ()

    def feed(self, row: Any, late: Iterable[str] = ()) -> None:
        """The next entry; `late`: whom it says to be late, where time urges."""
        self.late = tuple(late)
        self._feed(row)
        self._answers(row)
        for timer in self.clocks:
            # A clock that rested and runs on owes its moment anew: what passed meanwhile could not be kept before now.
            if timer.owed[0] != timer.next:
                timer.owed = timer.next, max(timer.next or NEVER, self.now)

    def _feed(self, row: Any) -> None:
        self.now, facts = local(row["at"]), json.decode(row["facts"])
        words = json.decode(row["words"]) if row["words"] else {}
        self.nothing_missed(f"#{row['version']}")
        move = row["move"]
        if move in ("grant", "deny"):
            ask = self.asks[facts["request"]]
            if move == "deny" or not row["awaits"]:
                ask["open"] = False
            if row["awaits"]:
                self._request(facts["request"], row["awaits"])
                return
            if move == "grant":
                self._done(facts["of"], ask["facts"], facts, row, words, ask)
            if facts["of"] in ("send_back", "appeal"):
                self.stop("ruling" if facts["of"] == "send_back" else "appeal", str(facts["request"]))
            return
        if row["awaits"]:
            self.asks[facts["request"]] = {"move": move, "facts": facts, "at": self.now, "open": True}
            self._request(facts["request"], row["awaits"])
            return
        self._done(move, facts, facts, row, words, None)

    def _request(self, number: int, awaits: str) -> None:
        if awaits == "ruling":
            self.start("ruling", unit=str(number))
        elif awaits == "team":
            self.start("appeal", unit=str(number))

    def _answers(self, row: Any) -> None:
        """An official who acts has answered what they were urged for."""
        roles = self.people.get(row["actor"])
        if roles is None:
            return
        held = set(roles.split(","))
        names = {f"person:{row['actor']}", *(f"role:{role}" for role in held)}
        if held & {"officer", "unit_head"}:
            names.add(f"unit:{row['unit']}")
        for timer in self.clocks:
            if timer.urged is not None and names & set(timer.urged[1]):
                timer.urged = None

    def _press(self) -> None:
        """Urged once more by somebody: whoever has not answered the first in time climbs at once."""
        for timer in self.clocks:
            if timer.running and timer.red and timer.urged is not None:
                until = wt.due(timer.urged[0], wt.length(policy()["ladder"]["urge_reply"]))
                if until <= self.now:
                    timer.next = self.now

    # -- moves -----------------------------------------------------------------------------------------------------

    def _done(self, move: str, form: Any, facts: Any, row: Any, words: Any, ask: Any) -> None:
        if effect := getattr(self, "_" + move, None):
            effect(form=form, facts=facts, row=row, words=words, ask=ask)
        if row["to_step"] != self.step:
            self.leave(self.step, row["to_step"])
            self._lapse_asks()
        dispatched = self._dispatched
        if move in ("rate", "milestone") and not self._ends_calling:
            self._ends_calling = True
        elif move == "rate":
            self.stop("callback")
        for clock in STARTS.get(move, ()):
            if clock != "bad_review" or self.wants_contact:
                self.start(clock)
        for effect in self._after:
            effect()
        for unit in dispatched:
            self.start("sign", unit=unit)
            if unit == self.lead_unit and self.wants_contact and move != "add_unit":
                self.start("contact", unit=unit)
        if move in ("accept_direct", "divert"):
            self.start("solve", length=self.solve_length())
        self._dispatched, self._after = [], []

    def _lapse_asks(self) -> None:
        for number, ask in self.asks.items():
            if ask["open"] and ask["move"] != "appeal":
                ask["open"] = False
                self.stop("ruling", str(number))

    def _submit(self, *, facts: Any, words: Any, **_: Any) -> None:
        self.kind = facts.get("kind", "help")
        text = f"{words.get('title', '')} {words.get('text', '')}"
        self.urgency = self.urgency_of(text, facts.get("category", ""), facts.get("danger", False))
        self.wants_contact = facts.get("wants_contact", True)
        self.arrived, self.step = self.now, "propose"
        self.start("intake")
        self.start("overall", length=policy()["clocks"]["overall_topic"])

    def _accept_topic(self, *, facts: Any, **_: Any) -> None:
        self.lane, self.urgency = "topic", facts["urgency"]

    def _accept_direct(self, *, facts: Any, **_: Any) -> None:
        self.urgency = facts.get("urgency") or self.urgency
        self._divert(form=facts)

    def _divert(self, *, form: Any, **_: Any) -> None:
        self.lane = "direct"
        self._dispatch(form["unit"], lead=True)

    def _reserve(self, *, form: Any, **_: Any) -> None:
        self.set_due("select", wt.closing(date.fromisoformat(form["next_round"])))
        self.more_overall()

    def _claim(self, *, form: Any, **_: Any) -> None:
        self.lane, self.lead_unit = "topic", form["lead_unit"]

    _designate = _claim

    def _approve_plan(self, *, form: Any, **_: Any) -> None:
        self.stop("plan")
        until = wt.closing(date.fromisoformat(form["due"]))
        self._after.append(lambda: self.start("solve", until=until))
        self._dispatch(form["lead_unit"], lead=True)
        for unit in form.get("assisting", ()):
            if unit not in self.units:
                self._dispatch(unit, lead=False)

    def _sign(self, *, row: Any, **_: Any) -> None:
        self.stop("sign", row["unit"])

    def _contact(self, *, form: Any, row: Any, **_: Any) -> None:
        if form.get("reached", True):
            self.stop("contact", row["unit"])
            self.stop("bad_review")

    def _add_unit(self, *, form: Any, **_: Any) -> None:
        self._dispatch(form["unit"], lead=False)

    def _send_back(self, *, facts: Any, ask: Any, **_: Any) -> None:
        """Upheld: the time since the ask is given back, and another unit takes its place."""
        for clock in ("solve", "overall"):
            if timer := self.find(clock):
                self.shift(timer, max(ask["at"], timer.started))
                self.together()
        old, new = facts["ruling"]["from"], facts["ruling"]["to"]
        lead = self.units.pop(old, old == self.lead_unit)
        for clock in ("sign", "contact"):
            self.stop(clock, old)
        if lead or new not in self.units:
            self._dispatch(new, lead=lead)

    def _dispatch(self, unit: str, *, lead: bool) -> None:
        for clock in ("sign", "contact"):
            self.stop(clock, unit)
        self.units[unit] = lead
        if lead:
            self.lead_unit = unit
        self._dispatched.append(unit)

    def _extend(self, *, form: Any, **_: Any) -> None:
        timer = self.find("redo") or self.find("solve")
        if timer is None:
            raise Wrong("extended without a clock")
        until = wt.closing(date.fromisoformat(form["until"]))
        self.extensions += 1
        self.set_due(timer.clock, until, -(-(until - timer.due) // wt.DAY))
        if self.lane == "topic":
            self.more_overall()
        elif timer.clock == "solve":
            self.set_due("overall", until)

    def _suspend(self, *, form: Any, **_: Any) -> None:
        until = wt.closing(date.fromisoformat(form["review"]))
        if self.step == "suspended":
            self.stop("hold")
        self._after.append(lambda: self.start("hold", until=until))

    def _submit_result(self, **_: Any) -> None:
        self.has_result = True
        self.stop("overall")

    def _fail_check(self, **_: Any) -> None:
        review = self.find("review")
        for clock in ("solve", "overall"):
            last = self.latest(clock)
            if review is not None and last is not None and last.stopped == review.started:
                self.revive(last)

    def _pass_check(self, **_: Any) -> None:
        self.tries = 0

    def _rate(self, *, form: Any, **_: Any) -> None:
        if form.get("outcome", "rated") != "rated":
            self.tries += 1
            self._ends_calling = form["outcome"] != "no_answer" or self.tries >= policy()["limits"]["call_tries"]

    def _escalate(self, **_: Any) -> None:
        self.orders += 1
        number = str(self.orders)
        self.start("order", unit=number)

    def _reopen(self, *, row: Any, **_: Any) -> None:
        if not self.has_result and (last := self.latest("overall")):
            self.revive(last)
        clock = {"propose": "intake", "select": "select", "solve": "redo"}[row["to_step"]]
        self._after.append(lambda: self.start(clock))

    def _order(self, *, facts: Any, **_: Any) -> None:
        self.orders = max(self.orders, facts["order"])
        self.start("order", unit=str(facts["order"]))

    def _respond(self, *, facts: Any, **_: Any) -> None:
        self.stop("order", str(facts["order"]))

    def _reclassify(self, *, form: Any, facts: Any, **_: Any) -> None:
        before, self.urgency = facts["was"]["urgency"], form.get("urgency") or self.urgency
        self.kind = form.get("kind") or self.kind
        if HASTE.index(self.urgency) >= HASTE.index(before):
            return
        for timer in list(self.clocks):
            if timer.stopped is None and timer.clock in ("intake", "sign", "contact", "solve"):
                self.hasten(timer)
        if self.lane == "direct" and (solve := self.find("solve")):
            self.set_due("overall", solve.due)

    # -- time's own moves ------------------------------------------------------------------------------------------

    def _struck(self, row: Any, facts: Any, kind: str) -> Clock:
        timer = self.find(facts["clock"], facts.get("unit", ""))
        if timer is None:
            raise Wrong(f"{kind} of {facts['clock']}, which does not run")
        due = timer.owed[1] if timer.next is not None else None
        if due is None or not timedelta() <= self.now - due < self.tick or not timer.running:
            self.faults.append(f"ladder: #{row['version']} {kind} of {timer.clock} at {self.now}, its time was {due}")
        timer.strikes.append((kind, self.now))
        return timer

    def _warn(self, *, facts: Any, row: Any, **_: Any) -> None:
        timer = self._struck(row, facts, "warn")
        if timer.warned or timer.red or self.now >= timer.due:
            self.faults.append(
                f"ladder: #{row['version']} warned of {timer.clock} once more, or when it was late already"
            )
        timer.warned, timer.next = True, timer.due

    def _overdue(self, *, facts: Any, row: Any, **_: Any) -> None:
        timer = self._struck(row, facts, "overdue")
        if timer.red or self.now < timer.due or timer.clock in DO_ELSE:
            self.faults.append(f"strike: #{row['version']} {timer.clock} is struck twice, or was not overdue")
        timer.warned, timer.red, timer.rung, timer.struck = True, True, 0, timer.struck or self.now
        timer.urged = None
        timer.next = None if self.step in ENDS else self.next_rung(timer, self.now)
        if timer.clock == "claim":
            self.start("designate")

    def _urge(self, *, facts: Any, row: Any, **_: Any) -> None:
        if row["role"] != "clock":
            self._press()
            return
        timer = self._struck(row, facts, "urge")
        if not timer.red or facts["rung"] != timer.rung + 1:
            self.faults.append(
                f"ladder: #{row['version']} rung {facts['rung']} of {timer.clock} after rung {timer.rung}"
            )
        timer.urged = None if timer.rung else (self.now, self.late)
        timer.rung += 1
        self.orders += timer.rung == 2
        timer.next = self.next_rung(timer, self.now)

    def _lapse(self, *, row: Any, **_: Any) -> None:
        self._own(row, "supplement", "lapse")

    def _close(self, *, row: Any, **_: Any) -> None:
        timer = self.find("evaluate")
        if timer is not None and timer.due <= self.now:
            self._own(row, "evaluate", "close")

    def _resume(self, *, row: Any, **_: Any) -> None:
        if row["role"] == "clock":
            self._own(row, "hold", "resume")

    def _own(self, row: Any, clock: str, kind: str) -> None:
        timer = self._struck(row, {"clock": clock}, kind)
        if self.now < timer.due:
            self.faults.append(f"strike: #{row['version']} {kind} before its time")
