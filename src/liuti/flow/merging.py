"""并单: one matter at one place is one issue; its people move along and may be moved back (docs/rules.md §4 rows 9, 10)."""

from __future__ import annotations

from copy import copy
from datetime import timedelta
from typing import Any, ClassVar

from liuti.flow.issue import Issue
from liuti.flow.kernel import Case, Decision, Fault, Form, Letter, Move, Need, Row, rule
from liuti.flow.parts import VOICES, Id, Reason
from liuti.flow.words import Kind, Lane, Role, Step, Urgency

BEFORE_SUPERVISE = frozenset({Step.PROPOSE, Step.SUPPLEMENT, Step.SELECT, Step.CLAIM, Step.SOLVE, Step.SUSPENDED})


class Merge(Form):
    """The issue that leads from now on."""

    words: ClassVar[tuple[str, ...]] = ("reason",)
    example: ClassVar[dict[str, Any]] = {"lead": "01999999-0000-7000-8000-000000000000", "reason": "同一路段同一问题。"}
    lead: Id
    reason: str = ""


@rule
def lead_is_another_open_issue(case: Case) -> bool | Fault:
    """主题须是另一件尚未进入核查的在办题。
    The lead is another open issue that has not reached verification."""
    lead = case.facts.lead
    fit = lead is not None and lead.id != case.issue.id and lead.version > 0 and lead.step in BEFORE_SUPERVISE
    return fit or Fault(field="lead")


@rule
def same_kind(case: Case) -> bool | Fault:
    """类型相同才能并单。
    Only issues of the same kind are merged."""
    lead = case.facts.lead
    return (lead is not None and lead.kind is case.issue.kind) or Fault(field="lead")


@rule
def danger_only_into_direct(case: Case) -> bool | Fault:
    """涉及危险的只能并入直办题。
    A matter of danger is merged only into a direct issue."""
    lead = case.facts.lead
    danger = case.issue.danger or case.issue.urgency is Urgency.URGENT
    return not danger or (lead is not None and lead.lane is Lane.DIRECT) or Fault(field="lead")


@rule
def no_tip_off(case: Case) -> bool:
    """举报不并单。
    A tip-off is never merged."""
    lead = case.facts.lead
    return case.issue.kind is not Kind.TIP_OFF and (lead is None or lead.kind is not Kind.TIP_OFF)


def merge(case: Case) -> None:
    """Its people, and what was merged into it, move to the lead; both sides get an entry."""
    issue, lead = case.issue, case.facts.lead
    assert lead is not None
    issue.lead, issue.merged_at = lead.id, case.now
    after = copy(lead)
    after.voices += issue.voices
    after.took_in = (*lead.took_in, issue.id, *issue.took_in)
    case.rows.append(Row("move_voices", {"from": issue.id, "to": lead.id}))
    case.other = _other(case, lead, after, {"took_in": issue.id})


def unmerge(case: Case) -> None:
    """Back to the step it left, with the people it came with but those who have left since; whoever stood first among
    them there or here is followed by the next."""
    issue, lead, returning = case.issue, case.facts.lead, case.facts.returning
    assert lead is not None
    case.to = issue.ended_from
    mine = {issue.id, *issue.took_in}
    after = copy(lead)
    after.voices -= len(returning)
    if after.proposer in returning:
        after.proposer = case.facts.staying
    issue.voices = len(returning)
    if issue.proposer not in returning:
        issue.proposer = returning[0]
    after.took_in = tuple(i for i in lead.took_in if i not in mine)
    issue.lead, issue.merged_at = "", None
    case.rows.append(Row("return_voices", {"from": lead.id, "to": issue.id, "origins": sorted(mine)}))
    case.other = _other(case, lead, after, {"gave_back": issue.id})


def _other(case: Case, before: Issue, after: Issue, noted: dict[str, Any]) -> Decision:
    after.version = before.version + 1
    letters = [Letter(case.move.name, "unit:" + before.lead_unit)] if before.lead_unit else []
    return Decision(
        after, before.step, case.move.name, case.actor, case.role, case.now, case.form, noted, letters, [], []
    )


@rule
def soon_enough_to_undo(case: Case) -> bool | Fault:
    """并单后 {days} 天内可以撤并。
    A merge can be undone within {days} days."""
    days, merged = case.world.policy.limits.unmerge_days, case.issue.merged_at
    return (merged is not None and case.now <= merged + timedelta(days=days)) or Fault(days=days)


@rule
def lead_stands_by_itself(case: Case) -> bool:
    """主题自己已并入另一题的,先撤并主题。
    While the lead is merged into another issue itself, that merge is undone first."""
    lead = case.facts.lead
    return lead is not None and lead.id == case.issue.lead and lead.step is not Step.MERGED


@rule
def both_keep_somebody(case: Case) -> bool:
    """撤并后两题都须有人:其中一题的当事人已全部撤回。
    After it somebody has to be behind each of the two: all of one side have withdrawn."""
    return bool(case.facts.returning and case.facts.staying)


MOVES = (
    Move(
        9, "merge", "并单", "merge", (Step.PROPOSE, Step.SELECT), (Role.INTAKE, Role.PANEL), (Step.MERGED,), Merge,
        guards=(no_tip_off, lead_is_another_open_issue, same_kind, danger_only_into_direct), needs=(Need.LEAD,),
        does=merge, tells=(VOICES,),
    ),
    Move(
        10, "unmerge", "撤并", "undo the merge", (Step.MERGED,), (Role.INTAKE, Role.PANEL), (Step.PROPOSE, Step.SELECT), Reason,
        guards=(soon_enough_to_undo, lead_stands_by_itself, both_keep_somebody), needs=(Need.LEAD,), does=unmerge, tells=(VOICES,),
    ),
)  # fmt: skip
