"""Who should have been told what by each entry: the audiences of docs/rules.md §4 written a second time, from the ledger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from msgspec import json

from simulate.clockwork import Clock, policy

Letter = tuple[str, int, str, str]
"""Issue, entry, event, recipient."""
OF_ROLE = {
    "intake": "role:intake", "panel": "role:panel", "leaders": "role:leader", "inspectors": "role:inspector",
    "callers": "role:caller", "principal": "role:principal",
}  # fmt: skip
TOLD = {
    "submit": "proposer intake", "ask_supplement": "proposer", "supply": "intake", "lapse": "proposer", "reject": "voices",
    "accept_topic": "voices", "accept_direct": "voices dispatched", "divert": "voices dispatched", "reserve": "voices",
    "explain": "voices", "sign_gate": "panel", "adjust": "intake", "publish": "voices leaders intake", "recall": "voices panel",
    "claim": "voices inspectors", "designate": "voices leader inspectors", "handover": "voices leader units",
    "approve_plan": "voices dispatched", "add_unit": "dispatched lead_unit", "finish": "lead_unit", "milestone": "leader voices",
    "progress": "leader", "resume": "voices leader units", "submit_result": "proposer leader inspectors",
    "fail_check": "lead_unit leader voices", "pass_check": "lead_unit leader callers", "redo": "lead_unit leader inspectors voices",
    "escalate": "lead_unit leader inspectors voices", "close": "voices lead_unit leader", "appeal": "proposer inspectors",
    "reopen": "voices intake leader units", "exclude": "lead_unit", "extend": "proposer leader units", "suspend": "voices leader units",
    "terminate": "voices leader", "send_back": "dispatched leader", "merge": "voices", "unmerge": "voices",
    "withdraw": "lead_unit leader", "order": "leader", "respond": "inspectors", "settle": "units", "reclassify": "proposer units",
    "declare_conflict": "inspectors",
}  # fmt: skip
INVITES = ("pass_check", "explain", "terminate")
ASKED_OF = {
    "unit_head": "unit", "ruling": "role:intake role:inspector", "inspector": "role:inspector", "its_leader": "leader",
    "panel": "role:panel", "intake": "role:intake", "principal": "role:principal", "team": "role:team",
    "exclusion_team": "role:team",
}  # fmt: skip
LATE = {
    "intake": "role:intake", "select": "role:panel", "claim": "role:leader", "designate": "role:principal",
    "ruling": "role:inspector", "callback": "role:caller", "appeal": "role:team", "evaluate": "role:caller",
    "supplement": "proposer", "plan": "leader", "hold": "leader", "review": "role:inspector role:team",
}  # fmt: skip
COUNTED = {"fail_check": "fails_to_interview", "redo": "redos"}
"""So many of these propose an interview."""
UNANSWERED = 2
"""So many orders without an answer from one addressee propose an interview."""


class Telling:
    """Follows one issue's entries; `supervisor` names each unit's leader."""

    def __init__(self, issue: str, behind: Behind, supervisor: dict[str, str]) -> None:
        self.issue, self._behind, self._supervisor = issue, behind, supervisor
        self.leader = self.lead_unit = self.step = self.lane = ""
        self.proposer = behind.first(issue)
        self.units: dict[str, bool] = {}
        self.asks: dict[int, dict[str, Any]] = {}
        self.orders: dict[int, str] = {}
        self._times = Counter[str]()
        self.late: list[str] = []
        """Whom the last entry said to be late."""
        self.letters: Counter[Letter] = Counter()
        self._row: Any = None
        self._clocks: list[Clock] = []
        self._dispatched: list[str] = []

    def feed(self, row: Any, clocks: Sequence[Clock]) -> None:
        """The next entry; `clocks` as they stood before it."""
        self._clocks = [clock for clock in clocks if clock.stopped is None]
        self._row, self._dispatched, self.late = row, [], []
        if row["move"] == "withdraw" and row["to_step"] == row["from_step"]:
            self.proposer = self._behind.next(self.issue, self.proposer, row["at"])
        facts = json.decode(row["facts"])
        move, before = row["move"], self.step
        if move in ("grant", "deny"):
            self._answered(move, facts, row)
        elif row["awaits"]:
            self.asks[facts["request"]] = {
                "move": move,
                "unit": row["unit"],
                "by": row["actor"],
                "role": row["role"],
                "facts": facts,
                "open": True,
            }
            self._asked(move, row["awaits"], row["unit"])
        else:
            self._done(move, facts, facts)
        self.step = row["to_step"]
        if self.step != before and before:
            self._lapse(facts.get("request"))

    def _tell(self, event: str, *to: str) -> None:
        for one in to:
            if one and one[-1] != ":":
                self.letters[self.issue, self._row["version"], event, one] = 1

    def _who(self, audience: str) -> list[str]:
        if audience == "voices":
            return ["voice:" + voice for voice in self._behind(self.issue, self._row["at"])] or [
                "voice:" + self.proposer
            ]
        if audience == "units":
            return ["unit:" + unit for unit in self.units]
        if audience == "dispatched":
            return ["unit:" + unit for unit in self._dispatched]
        one = {
            "proposer": f"voice:{self.proposer}",
            "leader": f"person:{self.leader}",
            "lead_unit": f"unit:{self.lead_unit}",
        }
        return [one.get(audience) or OF_ROLE.get(audience) or audience]

    def _asked(self, move: str, awaits: str, unit: str) -> None:
        for whom in ASKED_OF[awaits].split():
            to = {"unit": f"unit:{unit}", "leader": f"person:{self.leader}"}.get(whom, whom)
            self._tell(move + ".asked", to)

    def _asker(self, ask: dict[str, Any]) -> str:
        return f"voice:{self.proposer}" if ask["role"] == "proposer" else f"person:{ask['by']}"

    def _answered(self, move: str, facts: dict[str, Any], row: Any) -> None:
        ask = self.asks[facts["request"]]
        if move == "deny":
            ask["open"] = False
            self._tell(facts["of"] + ".denied", self._asker(ask))
        elif row["awaits"]:
            self._asked(facts["of"], row["awaits"], ask["unit"])
        else:
            ask["open"] = False
            self._tell(facts["of"] + ".granted", self._asker(ask))
            self._done(facts["of"], ask["facts"], facts)

    def _lapse(self, answered: int | None) -> None:
        for number, ask in self.asks.items():
            if ask["open"] and ask["move"] != "appeal" and number != answered:
                ask["open"] = False
                self._tell(ask["move"] + ".lapsed", self._asker(ask))

    def _done(self, move: str, form: dict[str, Any], facts: dict[str, Any]) -> None:
        if "took_in" in facts or "gave_back" in facts:  # the other side of a merge
            self._tell(move, f"unit:{self.lead_unit}")
            return
        self._effects(move, form, facts)
        if move in ("warn", "overdue") or (move == "urge" and self._row["role"] == "clock"):
            self._late(move, facts)
            return
        if move == "urge":
            self._tell("urge", *self._who("units"), *self._who("leader"))
        if move == "progress" and form.get("public", True):
            self._tell("progress", *self._who("voices"))
        for audience in TOLD.get(move, "").split():
            self._tell(move, *self._who(audience))
        if move in INVITES:
            self._tell("invite", *self._who("voices"))

    def _effects(self, move: str, form: dict[str, Any], facts: dict[str, Any]) -> None:
        if move in ("accept_direct", "divert"):
            self.lane, self.leader = "direct", self._supervisor[form["unit"]]
            self._dispatch(form["unit"], lead=True)
        elif move in ("claim", "designate"):
            self.lane, self.leader, self.lead_unit = "topic", facts["leader"], form["lead_unit"]
        elif move == "handover":
            self.leader = form["leader"]
        elif move == "approve_plan":
            self._dispatch(form["lead_unit"], lead=True)
            for unit in form.get("assisting", ()):
                if unit not in self.units:
                    self._dispatch(unit, lead=False)
        elif move == "add_unit":
            self._dispatch(form["unit"], lead=False)
        elif move == "send_back":
            self._ruled(facts["ruling"])
        elif move == "escalate":
            self.orders[len(self.orders) + 1] = f"unit:{self.lead_unit}"
            self._tell("meeting", f"person:{self.leader}", f"voice:{self.proposer}")
        elif move in COUNTED:
            self._times[move] += 1
            if self._times[move] == policy()["limits"][COUNTED[move]]:
                self._tell("interview", "role:inspector", "role:principal")
        elif move == "order":
            number = facts["order"]
            self.orders[number] = form.get("to") or self.orders[number]
            self._tell("order", self.orders[number])

    def _ruled(self, ruling: dict[str, str]) -> None:
        lead = self.units.pop(ruling["from"], True)
        if lead and self.lane == "direct":  # whoever claimed a matter answers for it whatever unit works on it
            self.leader = self._supervisor[ruling["to"]]
        if lead or ruling["to"] not in self.units:
            self._dispatch(ruling["to"], lead=lead)

    def _dispatch(self, unit: str, *, lead: bool) -> None:
        self.units[unit] = lead
        self.lead_unit = unit if lead else self.lead_unit
        self._dispatched.append(unit)

    def _late(self, move: str, facts: dict[str, Any]) -> None:
        clock, unit = facts["clock"], facts.get("unit", "")
        self.late = late = self._responsible(clock, unit)
        rung = facts.get("rung")
        self._tell(move, *late)
        if move == "overdue" and clock == "claim":
            self._tell("designate.due", "role:principal", "role:inspector")
        if move == "overdue" and clock == "order" and self._unanswered(unit) == UNANSWERED:
            self._tell("interview", "role:inspector", "role:principal")
        if rung == 1 and any(c.in_hours for c in self._clocks if (c.clock, c.unit) == (clock, unit)):
            self._tell("urge", "role:intake")
        elif rung == 2:
            self.orders[facts["order"]] = next(iter(late), "role:inspector")
            self._tell("order.drafted", "role:inspector")
        elif rung == 3:
            self._tell("interview", "role:inspector", "role:principal")

    def _unanswered(self, number: str) -> int:
        """Orders to the same addressee whose time is over, the one of that number among them."""
        late = {clock.unit for clock in self._clocks if clock.clock == "order" and clock.red and clock.running} | {
            number
        }
        return sum(self.orders[int(one)] == self.orders[int(number)] for one in late)

    def _responsible(self, clock: str, unit: str) -> list[str]:
        if clock == "order":
            return [self.orders[int(unit)]]
        if clock in ("sign", "contact", "solve", "redo", "bad_review"):
            return [f"unit:{unit or self.lead_unit}"]
        if clock == "overall":
            return [f"unit:{self.lead_unit}" if self.lead_unit else "role:intake"]
        return [to for whom in LATE[clock].split() for to in self._who(whom)]


class Behind:
    """Who stood behind an issue when: by the voices' own times, and by the merges that moved them."""

    def __init__(self, voices: Sequence[Any], entries: Sequence[Any]) -> None:
        self._own: dict[str, list[Any]] = {}
        for row in sorted(voices, key=lambda row: (row["at"], row["id"])):
            self._own.setdefault(row["origin_id"], []).append(row)
        self._under: dict[str, list[list[Any]]] = {}
        merged: dict[str, list[Any]] = {}
        for row in entries:
            if row["move"] == "merge" and row["to_step"] == "merged":
                merged[row["issue_id"]] = [row["issue_id"], row["at"], None]
                self._under.setdefault(json.decode(row["facts"])["lead"], []).append(merged[row["issue_id"]])
            elif row["move"] == "unmerge" and row["from_step"] == "merged":
                merged.pop(row["issue_id"])[2] = row["at"]

    def first(self, issue: str) -> str:
        return str(next(row["id"] for row in self._own[issue] if row["act"] == "submit"))

    def next(self, issue: str, proposer: str, at: datetime) -> str:
        """Who speaks for it when the proposer has left: the earliest other one."""
        left = [row for row in self._rows(issue, at) if row["id"] != proposer]
        return str(min(left, key=lambda row: (row["at"], row["id"]))["id"]) if left else proposer

    def __call__(self, issue: str, at: datetime) -> list[str]:
        return [row["id"] for row in self._rows(issue, at)]

    def _rows(self, issue: str, at: datetime) -> list[Any]:
        found = [
            row
            for row in self._own.get(issue, ())
            if row["at"] <= at and (row["left_at"] is None or row["left_at"] > at)
        ]
        for child, since, until in self._under.get(issue, ()):
            if since <= at and (until is None or at < until):
                found += self._rows(child, at)
        return found
