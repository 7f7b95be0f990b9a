"""The cast of every story told to the flow: the same people and units, issues it brought to each state, and time that moves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import pytest
from msgspec.structs import replace as altered

from liuti import policy
from liuti.calendars import notices
from liuti.flow.calendar import Calendar
from liuti.flow.clocks import World, struck
from liuti.flow.issue import Issue, Timer
from liuti.flow.kernel import ANYONE, CLOCK, Actor, Decision, Facts, Form, Guard, Passed, Refused, Unit
from liuti.flow.machine import Flow
from liuti.flow.table import FLOW
from liuti.flow.words import ENDS, Clock, Lane, Role, Step

Doc = dict[str, Any]

POLICY = policy.default()
CALENDAR = Calendar(notices())
WORLD = World(POLICY, CALENDAR)
GUESSING = World(POLICY, Calendar(notice for notice in notices() if notice.year < 2026))
"""Before the notice for 2026 was known."""
START = datetime(2026, 11, 2, 2, 0, tzinfo=UTC)
"""Monday 2 November 2026, 10:00 in Shanghai; no holiday before the end of the year."""


def staff(name: str, *roles: Role, unit: str = "", **more: Any) -> Actor:
    return Actor(name, frozenset(roles), unit=unit, name=name, **more)


# The units: one leads, one assists, one is the right one after all, one has nothing to do with it.
LEAD, ASSIST, RIGHT, OTHER, WATCH, HALL = "u-lead", "u-assist", "u-right", "u-other", "u-watch", "u-hall"
UNITS = {
    name: Unit(name, name, supervisor, supervisor)
    for name, supervisor in {
        LEAD: "its_leader", ASSIST: "leader_assist", RIGHT: "leader_right", OTHER: "leader", WATCH: "", HALL: "",
    }.items()
}  # fmt: skip

# Everybody on the staff by name; the personas of matrix.txt bear its names.
PEOPLE = {
    person.id: person
    for person in (
        staff("grid_worker", Role.GRID_WORKER, unit=HALL),
        staff("intake", Role.INTAKE, unit=HALL),
        staff("intake_2", Role.INTAKE, unit=HALL),
        staff("analyst", Role.ANALYST, unit=HALL),
        staff("panel", Role.PANEL, unit=HALL),
        *(staff(f"panel_{n}", Role.PANEL, unit=HALL) for n in (1, 2, 3, 4)),
        staff("gate", Role.GATE, unit=HALL, post=POLICY.gates[0]),
        staff("gate_2", Role.GATE, unit=HALL, post=POLICY.gates[1]),
        staff("gate_3", Role.GATE, unit=HALL, post=POLICY.gates[2]),
        staff("leader", Role.LEADER, post="管委会副主任"),
        staff("leader_2", Role.LEADER, post="镇长"),
        staff("leader_right", Role.LEADER, post="分管副主任"),
        staff("its_leader", Role.LEADER, post="常务副主任"),
        staff("principal", Role.PRINCIPAL, post="主任"),
        staff("principal_2", Role.PRINCIPAL, post="书记"),
        staff("officer_lead", Role.OFFICER, unit=LEAD),
        staff("head_lead", Role.UNIT_HEAD, unit=LEAD),
        staff("officer_assist", Role.OFFICER, unit=ASSIST),
        staff("head_assist", Role.UNIT_HEAD, unit=ASSIST),
        staff("officer_other", Role.OFFICER, unit=OTHER),
        staff("head_other", Role.UNIT_HEAD, unit=OTHER),
        staff("officer_right", Role.OFFICER, unit=RIGHT),
        staff("head_right", Role.UNIT_HEAD, unit=RIGHT),
        staff("inspector", Role.INSPECTOR, unit=WATCH),
        staff("inspector_2", Role.INSPECTOR, unit=WATCH),
        staff("inspector_same_unit", Role.INSPECTOR, unit=LEAD),
        staff("team", Role.TEAM, unit=WATCH),
        staff("team_2", Role.TEAM, unit=WATCH),
        staff("caller", Role.CALLER, unit=HALL),
        staff("sysadmin", Role.SYSADMIN, unit=HALL),
        staff("secadmin", Role.SECADMIN, unit=HALL),
        staff("auditadmin", Role.AUDITADMIN, unit=HALL),
    )
}
PHOTO = {"id": "f-1", "name": "a.jpg", "media_type": "image/jpeg", "size": 9, "sha256": "0"}


@dataclass
class Story:
    """One issue with everything around it that a store would know. Acts are carried out whole or not at all."""

    flow: Flow = FLOW
    world: World = WORLD
    now: datetime = START
    issue: Issue = field(default_factory=lambda: Issue("i-1"))
    lead: Issue | None = None
    """The other issue of a merge."""
    voices: tuple[str, ...] = ()
    invited: tuple[str, ...] = ()
    """Who was behind it when the round of ratings was opened."""
    rated: frozenset[tuple[str, int]] = frozenset()
    claims: int = 0
    facts: Mapping[str, Any] = field(default_factory=dict)
    """Facts that are otherwise than the story would have them."""
    trail: tuple[Decision, ...] = ()

    def act(
        self, who: Actor | str, move: str, form: Mapping[str, Any] | None = None, *, follow: bool = True
    ) -> Decision:
        """Make the move, with the form of the cast unless another is given, and what follows at once; or Refused."""
        actor = self.who(who)
        given = dict(form) if form is not None else good(self, move)
        made = [self._decide(self.issue, actor, move, given)]
        while follow and (waiting := made[-1].then[:1]):
            made.append(self._decide(made[-1].issue, waiting[0].actor or CLOCK, waiting[0].move, waiting[0].form))
        for decision in made:
            self._write(decision)
        return made[0]

    def answer(self, who: Actor | str, answer: str = "grant", **more: Any) -> Decision:
        """Answer the request made last."""
        reason = {} if answer == "grant" else {"reason": "理由不足。"}
        return self.act(who, answer, {"request": self.issue.asks[-1].id} | reason | more)

    def refuses(self, who: Actor | str, move: str, form: Mapping[str, Any] | None = None) -> Refused:
        """The refusal of that act; the story stays as it was."""
        with pytest.raises(Refused) as caught:
            self.copy().act(who, move, form)
        return caught.value

    def copy(self) -> Story:
        return replace(self, facts=dict(self.facts))

    def who(self, who: Actor | str) -> Actor:
        """The actor of that name; proposer and voice are people of this very issue."""
        if isinstance(who, Actor):
            return who
        if who in ("proposer", "voice"):
            proposer = self.issue.proposer
            others = [v for v in self.voices if v != proposer] or ["v-left"]
            return self.voice(proposer if who == "proposer" else others[0])
        return {"clock": CLOCK, "stranger": ANYONE}.get(who) or PEOPLE[who]

    def voice(self, voice: str, **more: Any) -> Actor:
        return Actor(voice, frozenset({Role.CITIZEN}), voice=voice, issue=self.issue.id, origin=self.issue.id, **more)

    def wait(self, *, strike: bool = True, **span: float) -> Story:
        """Let time pass; unless told otherwise, whatever falls due on the way strikes at its moment."""
        return self.until(self.now + timedelta(**span), strike=strike)

    def until(self, at: datetime, *, strike: bool = True) -> Story:
        while strike and (due := self.issue.due_at) is not None and due <= at:
            self.now = max(self.now, due)
            self.strike()
        self.now = at
        return self

    def strike(self) -> list[str]:
        """Time acts on whatever is due now; the names of the moves it made."""
        made: list[str] = []
        while (due := struck(self.issue, self.now)) is not None:
            assert len(made) < 50, made
            made.append(self.struck_by(*due).move)
        return made

    def struck_by(self, name: str, timer: Timer) -> Decision:
        named = {} if name in ("lapse", "close", "resume") else {"clock": timer.clock, "unit": timer.unit}
        return self.act(CLOCK, name, named)

    def timer(self, clock: Clock, unit: str = "") -> Timer:
        """The running or paused timer of that clock."""
        found = self.issue.timer(clock, unit)
        assert found is not None, f"{clock} does not run"
        return found

    def running(self) -> set[Clock]:
        return {t.clock for t in self.issue.timers if t.running}

    def day(self, ahead: int) -> str:
        """The local day so many days ahead, as forms write it."""
        return (self.now.astimezone(CALENDAR.zone).date() + timedelta(days=ahead)).isoformat()

    def _decide(self, issue: Issue, actor: Actor, move: str, form: Mapping[str, Any] | Form) -> Decision:
        return self.flow.decide(issue, actor, move, form, self.now, self.world, self._facts(issue, actor, form))

    def _facts(self, issue: Issue, actor: Actor, form: Mapping[str, Any] | Form) -> Facts:
        rater = (form.get("voice") if isinstance(form, Mapping) else None) or actor.voice
        others = [v for v in self.voices if v != issue.proposer]
        known = Doc(
            fresh=f"v-{len(self.trail)}",
            claims=self.claims,
            next_voice=others[0] if others else "",
            units=UNITS,
            people=PEOPLE,
            lead=self.lead,
            returning=self.voices,
            staying=self.lead.proposer if self.lead is not None else "",
            rater=rater if rater in self.invited else "",
            rated=(rater, issue.verdict.round) in self.rated,
            passed=self._passed(),
        )
        return Facts(**(known | dict(self.facts)))

    def _passed(self) -> Passed | None:
        """As the ledger would have it."""
        said = [d for d in self.trail if d.move in ("pass_check", "recheck") and not d.awaits]
        passes = [d for d in said if d.move == "pass_check"]
        if not passes:
            return None
        last = passes[-1]
        return Passed(last.issue.version, last.actor.id, last.role, "5" * 64, said[-1].move == "recheck")

    def _write(self, decision: Decision) -> None:
        if decision.issue.verdict.round != self.issue.verdict.round:
            self.invited = self.voices
        self.issue, self.trail = decision.issue, (*self.trail, decision)
        if decision.other is not None:
            self.lead = decision.other.issue
        for row in decision.rows:
            if row.table == "voices":
                self.voices = (*self.voices, row.values["id"])
            elif row.table == "ratings":
                self.rated |= {(row.values["voice_id"], row.values["round"])}
            elif row.table == "leave_voice" and row.values["id"] != self.issue.proposer:
                self.voices = tuple(v for v in self.voices if v != row.values["id"])


def good(story: Story, move: str) -> Doc:
    """A form that move accepts from the right person, when the story is ready for it."""
    day = story.day
    forms: dict[str, Callable[[], Doc]] = {
        "submit": lambda: {
            "kind": "help", "text": "小区东门夜里施工,吵得老人睡不着。", "place": "东门社区3栋", "grid": "g-01",
            "category": "noise", "notice_version": POLICY.notice.version,
        },
        "cosign": lambda: {"text": "我家也一样", "notice_version": POLICY.notice.version},
        "attach": lambda: {"files": [PHOTO]},
        "ask_supplement": lambda: {"missing": ["具体地点"]},
        "supply": lambda: {"place": "东门社区5栋"},
        "reject": lambda: {"route": "judicial", "reason": "已由法院受理。"},
        "merge": lambda: {"lead": "i-2", "reason": "同一处施工。"},
        "unmerge": lambda: {"reason": "不是同一处。"},
        "accept_topic": lambda: {"category": "noise", "urgency": "general", "grid": "g-01"},
        "accept_direct": lambda: {"unit": LEAD, "category": "noise", "urgency": "general"},
        "divert": lambda: {"unit": LEAD, "reason": "单一部门即可解决。"},
        "reserve": lambda: {"reason": "资金下季度落实。", "next_round": day(20)},
        "explain": lambda: {"reason": "没有依据。", "answer": "现行规定对此没有补贴。"},
        "vote": lambda: {"yes": True},
        "sign_gate": lambda: {"agree": True},
        "assess": lambda: {"factor": "money", "value": 0.9, "evidence": "2026年第3号预算批复"},
        "unflag": lambda: {"what": "burst", "reason": "已电话抽查10户,各自反映。"},
        "adjust": lambda: {"what": "pin", "code": "safety", "reason": "开学在即,学校门口的交通安全应当提前安排解决。"},
        "publish": lambda: {"snapshot": {}, "reason": "反映集中。"},
        "recall": lambda: {"reason": "情况有变。"},
        "claim": lambda: {"goal": "夜间不再施工", "date": day(30), "lead_unit": LEAD},
        "designate": lambda: {
            "goal": "夜间不再施工", "date": day(30), "lead_unit": LEAD, "leader": "its_leader", "prepared_by": "inspector_2",
        },
        "handover": lambda: {"leader": "leader_2", "reason": "分工调整。"},
        "approve_plan": lambda: {
            "goal": "夜间噪声达标", "lead_unit": LEAD, "assisting": [ASSIST], "due": day(40),
            "milestones": [{"title": "调整工期", "due": day(20)}],
        },
        "contact": lambda: {"method": "phone", "result": "约定周三上门。"},
        "add_unit": lambda: {"unit": RIGHT, "reason": "涉及占道。"},
        "finish": lambda: {"text": "本单位部分已完成。"},
        "milestone": lambda: {"number": 1, "evidence": "纪要"},
        "progress": lambda: {"text": "已约谈施工方。"},
        "send_back": lambda: {"basis": "条例第5条", "reason": "不属本单位。", "unit": RIGHT},
        "extend": lambda: {"until": _later(story), "reason": "设备到货推迟。"},
        "suspend": lambda: {"cause": "season", "review": day(60), "evidence": "冬季停工通知"},
        "resume": lambda: {"reason": "许可已批复。"},
        "terminate": lambda: {"ground": "inadmissible", "reason": "依法不应受理。", "answer": "本件终止办理。"},
        "submit_result": lambda: {"word": "solved", "reply": "夜间已停工。", "evidence": "检查记录", "told": True},
        "fail_check": lambda: {"defects": ["仍在施工"]},
        "pass_check": lambda: {"method": "on_site", "note": "现场安静。"},
        "recheck": lambda: {"agrees": True, "method": "on_site", "note": "复核属实。"},
        "rate": lambda: {"level": 5, "contacted": True, "solved": "yes"},
        "appeal": lambda: {"reason": "与现场不符。"},
        "reopen": lambda: {"ground": "new_fact", "reason": "又开始施工。"},
        "exclude": lambda: {"code": "no_duty", "reason": "不属政府职责。"},
        "urge": lambda: {"text": "请尽快。"},
        "order": lambda: {"to": f"unit:{LEAD}", "text": "请书面说明。"},
        "respond": lambda: {"reply": "明日完成。"},
        "settle": lambda: {"order": 1, "note": "属实。"},
        "reclassify": lambda: {"category": "noise", "reason": "更正类别。"},
        "declare_conflict": lambda: {"reason": "当事人是亲属。"},
        "warn": lambda: {"clock": "overall"},
        "overdue": lambda: {"clock": "overall"},
        "deny": lambda: {"reason": "理由不足。"},
    }  # fmt: skip
    return forms.get(move, Doc)()


def _later(story: Story) -> str:
    """Two days after the SOLVE (or REDO) that runs is due."""
    timer = story.issue.timer(Clock.REDO) or story.issue.timer(Clock.SOLVE)
    due = timer.due if timer is not None else story.now
    return (due.astimezone(CALENDAR.zone).date() + timedelta(days=2)).isoformat()


# -- the way to each state, one act after another ------------------------------------------------------------------


def submitted(voices: int = 2, **changes: Any) -> Story:
    """At propose, with so many voices behind it."""
    story = Story()
    story.act("stranger", "submit", good(story, "submit") | changes)
    for _ in range(voices - 1):
        story.act("stranger", "cosign")
    return story


def accepted(story: Story) -> Story:
    story.act("intake_2", "accept_topic")
    return story


def voted(story: Story) -> Story:
    for n in (1, 2, 3):
        story.act(f"panel_{n}", "vote")
    return story


def published(story: Story) -> Story:
    voted(story).act("panel_1", "publish")
    return story


def planned(story: Story) -> Story:
    story.act("its_leader", "claim")
    story.act("its_leader", "approve_plan")
    return story


def dispatched(story: Story, **changes: Any) -> Story:
    """Into the direct lane, with one assisting unit."""
    story.act("intake_2", "accept_direct", good(story, "accept_direct") | changes)
    story.act("head_lead", "add_unit", {"unit": ASSIST})
    return story


def worked_out(story: Story) -> Story:
    """From solve to supervise: whatever milestones there are reached, the result submitted by the head."""
    for number, one in enumerate(story.issue.milestones, 1):
        if one.done is None and not one.waived:
            story.act("officer_lead", "milestone", {"number": number, "evidence": "纪要"})
    story.act("head_lead", "submit_result")
    return story


def passed(story: Story) -> Story:
    worked_out(story).act("inspector_2", "pass_check")
    return story


def suspended(story: Story) -> Story:
    story.act("its_leader", "suspend")
    story.answer("inspector_2")
    return story


def terminated(story: Story) -> Story:
    story.act("head_lead", "terminate")
    story.answer("intake_2")
    return story


def explained(story: Story) -> Story:
    story.act("panel_1", "explain")
    story.answer("inspector_2")
    return story


def rejected(story: Story) -> Story:
    story.act("intake_2", "reject")
    return story


def merged(story: Story) -> Story:
    story.lead = altered(submitted().issue, id="i-2")
    story.act("intake_2", "merge")
    return story


def withdrawn(story: Story) -> Story:
    """Of an issue with one voice."""
    story.act("proposer", "withdraw", {})
    return story


def rated_badly(story: Story, *, follow: bool = True) -> Story:
    story.act("proposer", "rate", {"level": 1, "reason": "没修", "solved": "no"}, follow=follow)
    return story


def redone_twice(story: Story) -> Story:
    """At evaluate in the round after the second redo."""
    for _ in range(2):
        rated_badly(story)
        passed(story)
    return story


def to_solve(lane: Lane = Lane.TOPIC, start: Story | None = None) -> Story:
    """At solve, planned and with an assisting unit."""
    story = start if start is not None else submitted()
    return dispatched(story) if lane is Lane.DIRECT else planned(published(accepted(story)))


def onward(step: Step, lane: Lane = Lane.TOPIC, start: Story | None = None) -> Story:
    """Bring an issue that stands at propose to that step, by the flow's own decisions."""
    story = start if start is not None else submitted(voices=1 if step is Step.WITHDRAWN else 2)
    if step in (Step.PROPOSE,):
        return story
    if step is Step.SUPPLEMENT:
        story.act("intake_2", "ask_supplement")
        return story
    ends = {Step.REJECTED: rejected, Step.MERGED: merged, Step.WITHDRAWN: withdrawn}
    if step in ends:
        return ends[step](story)
    if step is Step.SELECT:
        return accepted(story)
    if step is Step.CLAIM:
        return published(accepted(story))
    story = to_solve(lane, story)
    after = {Step.SUSPENDED: suspended, Step.SUPERVISE: worked_out, Step.EVALUATE: passed, Step.CLOSED: terminated}
    return after[step](story) if step in after else story


@cache
def _at(step: Step, lane: Lane) -> Story:
    story = onward(step, lane)
    assert story.issue.step is step
    return story


def at(step: Step, lane: Lane = Lane.TOPIC) -> Story:
    """A fresh copy of an issue standing at that step; closed means closed (terminated)."""
    return _at(step, lane).copy()


def under_appeal(step: Step, lane: Lane = Lane.TOPIC, world: World = WORLD) -> Story:
    """An issue standing there while the proposer's appeal against an earlier refusal waits for the team; the appeal
    was made in that world."""
    story = rejected(submitted(voices=1 if step is Step.WITHDRAWN else 2))
    story.world = world
    story.act("proposer", "appeal")
    story.world = WORLD
    if step is not Step.REJECTED:
        story.act("inspector_2", "reopen")
        onward(step, lane, story)
    assert story.issue.step is step
    return story


# -- the flow with one guard taken out -----------------------------------------------------------------------------


def without(guard: Guard, move: str) -> Flow:
    """The same table, but in that row nobody asks for that guard: neither of who asks, nor of who grants."""
    row = FLOW.moves[move]

    def less(guards: tuple[Guard, ...]) -> tuple[Guard, ...]:
        return tuple(g for g in guards if g is not guard)

    signers = tuple(replace(s, duties=less(s.duties)) for s in row.asks_of)
    bare = replace(row, duties=less(row.duties), agains=less(row.agains), guards=less(row.guards), asks_of=signers)
    assert bare != row, f"{move} has no {guard.code}"
    return Flow([bare if m is row else m for m in FLOW.moves.values()])


def tampered(story: Story, **fields: Any) -> Story:
    """For what no road of the flow leads to: the same issue with some fields set by hand."""
    changed = copy(story.issue)
    for name, value in fields.items():
        assert hasattr(changed, name), name
        setattr(changed, name, value)
    story.issue = changed
    return story


def is_end(step: Step) -> bool:
    return step in ENDS
