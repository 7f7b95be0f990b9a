"""What each role may see of an issue: the only way out for a reader; what is not granted here stays hidden."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from liuti.flow import clocks
from liuti.flow.issue import Issue, Timer
from liuti.flow.kernel import Actor, Refused
from liuti.flow.words import CLOCK_NAMES, STATE_NAMES, UNIT_ROLES, Clock, Kind, Lane, Role

READERS = frozenset({
    Role.GRID_WORKER, Role.INTAKE, Role.ANALYST, Role.PANEL, Role.GATE, Role.LEADER, Role.PRINCIPAL, Role.INSPECTOR,
    Role.TEAM, Role.CALLER, Role.AUDITADMIN,
})  # fmt: skip
WEIGHERS = (Role.ANALYST, Role.PANEL, Role.GATE, Role.PRINCIPAL, Role.TEAM, Role.AUDITADMIN)
BLIND = frozenset({Role.SYSADMIN, Role.SECADMIN})
# What happened inside the house (votes, requests, reminders between officials) is not on the public timeline.
PUBLIC_MOVES = frozenset({
    "submit", "ask_supplement", "supply", "lapse", "reject", "accept_topic", "accept_direct", "divert", "reserve", "explain",
    "publish", "recall", "claim", "designate", "handover", "approve_plan", "sign", "contact", "milestone", "progress",
    "resume", "submit_result", "fail_check", "pass_check", "redo", "escalate", "close", "reopen", "merge", "unmerge",
    "withdraw", "cosign",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Scope:
    """Which rows a list may draw from; the store turns it into a condition, `may_see` says the same of one issue."""

    everything: bool = False
    tip_offs: bool = False
    unit: str = ""
    leader: str = ""
    voice_issues: tuple[str, ...] = ()


def scope(actor: Actor) -> Scope:
    """The rows this actor may list. Raises Refused 403 for an admin who may read no case."""
    if not actor.roles.isdisjoint(BLIND):
        raise blind()
    everything = not actor.roles.isdisjoint(READERS)
    unit = actor.unit if everything or not actor.roles.isdisjoint(UNIT_ROLES) else ""
    own = tuple({i for i in (actor.issue, actor.origin) if i})
    return Scope(everything, actor.tip_offs, unit, actor.id if everything else "", own)


def is_public(issue: Issue) -> bool:
    """Published topics are everybody's to follow; a tip-off never is."""
    return issue.published is not None and issue.lane is not Lane.DIRECT and issue.kind is not Kind.TIP_OFF


def may_see(actor: Actor, issue: Issue) -> bool:
    """Whether the actor may know of this issue at all. Raises Refused 403 for an admin who may read no case."""
    if Role.CLOCK in actor.roles:
        return True
    allowed = scope(actor)
    if issue.id in allowed.voice_issues:
        return True
    if issue.against and issue.against == actor.unit:
        return False
    at_work = bool(allowed.unit) and (
        issue.lead_unit == allowed.unit or any(a.unit == allowed.unit for a in issue.assignments)
    )
    answers = bool(allowed.leader) and issue.leader == allowed.leader
    if issue.kind is Kind.TIP_OFF:
        return actor.tip_offs or at_work or answers
    return allowed.everything or at_work or is_public(issue)


def admit(actor: Actor, issue: Issue | None, move: str = "") -> Issue:
    """The issue, or Refused: 403 for an admin without sight, 404 for all that is not there or not to be seen."""
    if not actor.roles.isdisjoint(BLIND):
        raise blind()
    if issue is not None and (may_see(actor, issue) or (move == "cosign" and issue.kind is not Kind.TIP_OFF)):
        return issue
    if issue is not None and not actor.id and move != "cosign":
        raise Refused("sign_in", 401, "请登录,或使用回执密钥查询。", "Sign in, or use the secret of your receipt.")
    raise Refused(
        "no_such_issue", 404, "没有这件题,或您无权查看。", "There is no such issue, or it is not yours to see."
    )


def blind() -> Refused:
    return Refused("reads_no_case", 403, "系统和安全管理员不得查看个案。", "System and security admins read no case.")


def is_staff(actor: Actor, issue: Issue) -> bool:
    return not actor.roles.isdisjoint(READERS | UNIT_ROLES) and not actor.voice


def handles(actor: Actor, issue: Issue) -> bool:
    """Whether the actor is of a unit that works or worked on it: to such a unit ratings are anonymous, also where the
    actor sees the issue by another role. They read the round's sum, never who said what, when, or in which words."""
    units = {issue.lead_unit, *(a.unit for a in issue.assignments)} - {""}
    return bool(actor.unit) and actor.unit in units


def hides_identity(actor: Actor, issue: Issue) -> bool:
    """Units never learn who is behind a tip-off or a hidden-identity case, nor does anyone not named for tip-offs."""
    if issue.kind is Kind.TIP_OFF:
        return not actor.tip_offs
    return issue.anonymous and actor.roles.isdisjoint({Role.INTAKE, Role.CALLER})


def may_open_contact(actor: Actor, issue: Issue) -> bool:
    """Who may ask, with a purpose, for the contact of the people behind an issue."""
    if hides_identity(actor, issue) or not may_see(actor, issue):
        return False
    at_work = issue.assignment(actor.unit) is not None and not actor.roles.isdisjoint(UNIT_ROLES)
    return at_work or not actor.roles.isdisjoint({Role.INTAKE, Role.CALLER, Role.GRID_WORKER, Role.INSPECTOR})


def may_link(actor: Actor, issue: Issue) -> bool:
    """Whether the actor may know that the person behind it brought up other matters too: intake, where it may know who
    that is."""
    return Role.INTAKE in actor.roles and may_see(actor, issue) and not hides_identity(actor, issue)


def seen_by(actor: Actor, issue: Issue, row: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """The issue as this actor may see it, ready for JSON. `row` gives title, body, place and query_code."""
    zh, en = STATE_NAMES[issue.step]
    staff = is_staff(actor, issue)
    own = issue.id in (actor.issue, actor.origin)
    seen: dict[str, Any] = {
        "id": issue.id, "version": issue.version, "step": issue.step, "state": {"zh": zh, "en": en},
        "kind": issue.kind, "lane": issue.lane, "category": issue.category or None, "grid": issue.grid or None,
        "urgency": issue.urgency, "submitted_at": issue.submitted, "voices": issue.voices,
        "title": row["title"], "overdue": issue.overdue, "due_at": _people_due(issue), "public": is_public(issue),
        "lead_unit": issue.lead_unit or None, "leader": issue.leader_post or None, "designated": issue.designated,
        "goal": issue.plan_goal or None, "milestones": [_milestone(m) for m in issue.milestones],
        "closing": issue.closing, "ended_at": issue.ended, "merged_into": issue.lead or None,
        "ratings": _ratings(issue),
    }  # fmt: skip
    if staff or own or is_public(issue):
        seen |= {"body": row["body"], "reply": issue.reply or None}
    if staff or own:
        seen |= {
            "place": row["place"], "query_code": row["query_code"], "missing": issue.missing, "refusal": issue.refusal or None,
            "wants_contact": issue.wants_contact,
        }  # fmt: skip
    if staff:
        seen |= _inside(actor, issue, now)
    return seen


def may_weigh(actor: Actor) -> bool:
    """Who reads a round's whole list, with the raw inputs of every score; everyone else reads what is public of it."""
    return not actor.roles.isdisjoint(WEIGHERS)


def settled_by(actor: Actor, issue: Issue, earlier: Issue, row: Mapping[str, Any]) -> dict[str, Any] | None:
    """What whoever is refused as `settled` is shown of the issue that settled it: its public result, or nothing.

    None for readers who are not told the refusal, and where they may not see the earlier issue: a citizen sees what is
    public. `row` gives the earlier issue's title.
    """
    concerned = is_staff(actor, issue) or issue.id in (actor.issue, actor.origin)
    if not concerned or not may_see(actor, earlier):
        return None
    zh, en = STATE_NAMES[earlier.step]
    return {
        "id": earlier.id, "href": f"/api/v1/issues/{earlier.id}", "title": row["title"], "step": earlier.step,
        "state": {"zh": zh, "en": en}, "lead_unit": earlier.lead_unit or None, "closing": earlier.closing,
        "ended_at": earlier.ended, "reply": earlier.reply or None,
    }  # fmt: skip


LISTED = (
    "id", "version", "step", "state", "kind", "lane", "category", "grid", "urgency", "submitted_at", "voices", "title", "overdue",
    "due_at", "lead_unit", "leader", "closing", "public",
)  # fmt: skip


def listed(actor: Actor, issue: Issue, row: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """One line of a list. Officials see the deadline that runs next, everybody else the overall one."""
    seen = seen_by(actor, issue, row, now)
    line = {name: seen[name] for name in LISTED}
    return line | {"due_at": issue.deadline} if is_staff(actor, issue) else line


def may_see_files(actor: Actor, issue: Issue) -> bool:
    """Photos may show faces and doors: for the people of the issue and the officials who see it, never for the public."""
    return may_see(actor, issue) and (is_staff(actor, issue) or issue.id in (actor.issue, actor.origin))


def _inside(actor: Actor, issue: Issue, now: datetime) -> dict[str, Any]:
    """What officials work with: clocks, units, requests, votes, orders. Names of raters are nobody's."""
    return {
        "due_at": issue.due_at,
        "source": issue.source, "livelihood": issue.livelihood, "danger": issue.danger, "anonymous": issue.anonymous,
        "reported_at": issue.reported, "round": issue.round, "reserves": issue.reserves,
        "against": issue.against if actor.tip_offs else None,
        "clocks": [clock_view(t, now) for t in issue.timers],
        "units": [
            {"unit": a.unit, "lead": a.lead, "status": status_of(a), "dispatched_at": a.dispatched, "signed_at": a.signed}
            for a in issue.assignments
        ],
        "requests": [
            {"id": a.id, "move": a.move, "by": a.by, "unit": a.unit, "at": a.at, "awaits": a.awaits[0] if a.open else None,
             "outcome": a.outcome or None, "form": a.form} for a in issue.asks
        ],
        "votes": _votes(issue),
        "gates_signed": len(issue.signatures),
        "orders": [
            {"id": o.id, "to": o.to, "text": o.text, "signed_at": o.signed, "responded_at": o.responded, "reply": o.reply,
             "settled_at": o.settled} for o in issue.orders
        ],
        "own_word": issue.own_word, "redos": issue.redos, "last_round": issue.last_round, "check_fails": issue.check_fails,
        "photos": issue.photos, "site_photos": issue.site_photos, "to_inspect": issue.to_inspect,
        "excluded": issue.excluded or None, "conflicts": list(issue.conflicts),
    }  # fmt: skip


def status_of(assignment: Any) -> str:
    if assignment.sent_back is not None:
        return "sent_back"
    return "done" if assignment.done else "signed" if assignment.signed else "dispatched"


def _votes(issue: Issue) -> dict[str, int]:
    """Those of this round, on the score the last of them was cast on."""
    last = issue.votes[-1].scored if issue.votes else ""
    now = [v.yes for v in issue.votes if (v.round, v.scored) == (issue.round, last)]
    return {"cast": len(now), "yes": sum(now)}


def clock_view(timer: Timer, now: datetime) -> dict[str, Any]:
    """One clock for a reader: its colour in words too, and elapsed seconds recomputed from its pauses."""
    colour = (
        "stopped"
        if timer.stopped
        else "paused"
        if timer.paused
        else "red"
        if timer.red
        else "yellow"
        if timer.warned
        else "green"
    )
    zh, en = CLOCK_NAMES[timer.clock]
    return {
        "clock": timer.clock, "name": {"zh": zh, "en": en}, "unit": timer.unit or None, "length": timer.length,
        "started_at": timer.started, "due_at": timer.due, "stopped_at": timer.stopped, "paused_at": timer.paused,
        "pauses": timer.pauses, "colour": colour, "was_overdue": timer.struck is not None,
        "provisional": timer.provisional, "elapsed_seconds": int(clocks.elapsed(timer, now).total_seconds()),
        "policy": timer.policy,
    }  # fmt: skip


def _people_due(issue: Issue) -> datetime | None:
    overall = issue.timer(Clock.OVERALL)
    return overall.due if overall is not None else None


def _milestone(one: Any) -> dict[str, Any]:
    return {"title": one.title, "due_at": one.due, "unit": one.unit, "done_at": one.done, "waived": one.waived}


def _ratings(issue: Issue) -> dict[str, int] | None:
    verdict = issue.verdict
    return {"round": verdict.round, "invited": verdict.invited, "rated": verdict.rated} if verdict.round else None


def entry_seen(actor: Actor, issue: Issue, entry: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any] | None:
    """One line of the timeline, or None when it is not this reader's; people see posts and units, never persons."""
    staff = is_staff(actor, issue)
    # To the public a granted request is the move itself; asking for it was a matter inside the house.
    move = entry["facts"].get("of", entry["move"]) if entry["move"] == "grant" else entry["move"]
    if not staff and (move not in PUBLIC_MOVES or entry["awaits"] or entry["facts"].get("public") is False):
        return None
    if move == "rate" and handles(actor, issue):
        return None
    line: dict[str, Any] = {
        "version": entry["version"], "move": entry["move"] if staff else move, "at": entry["at"], "role": entry["role"],
        "unit": names.get(entry["unit"], entry["unit"]) or None, "from": entry["from_step"], "to": entry["to_step"],
        "awaits": entry["awaits"] or None,
    }  # fmt: skip
    of_people = entry["role"] in ("citizen", "proposer", "voice")
    if not of_people or not hides_identity(actor, issue):
        mine = bool(actor.voice) and entry["actor"] == actor.voice
        line["words"] = entry["words"] if staff or mine or not _private(entry) else None
    if staff:
        line |= {"by": None if of_people and hides_identity(actor, issue) else entry["actor"], "facts": entry["facts"]}
        line |= {"seal": entry["seal"]}
    return line


def _private(entry: Mapping[str, Any]) -> bool:
    """Words between an official and a person are not for the public page: what a contact came to, who co-signed."""
    return entry["move"] in ("contact", "cosign", "submit", "supply")
