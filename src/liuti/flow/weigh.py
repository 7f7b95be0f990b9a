"""佐证: what people put right in a score before the panel decides, with their evidence (docs/rules.md §6; rows 53, 54)."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from liuti.flow.issue import Evidence
from liuti.flow.kernel import Case, Fault, Form, Move, rule
from liuti.flow.parts import Text
from liuti.flow.words import Role, Step

WEIGHERS = (Role.ANALYST, Role.PANEL)


class Assessment(Form):
    """A person's value of one factor in place of the presumed one; without a value the presumed one counts again."""

    words: ClassVar[tuple[str, ...]] = ("evidence",)
    example: ClassVar[dict[str, Any]] = {
        "factor": "money",
        "value": 0.9,
        "evidence": "区级专项资金已列支,见2026年第3号预算批复。",
    }
    factor: str = Field(max_length=32)
    value: float | None = Field(None, ge=0, le=1, allow_inf_nan=False)
    evidence: Text


@rule
def factor_is_known(case: Case) -> bool | Fault:
    """没有这个评分因素:{factor}。
    There is no such factor: {factor}."""
    factor = case.form.factor
    return factor in case.world.policy.score.factors or Fault(factor=factor, field="factor")


def assess(case: Case) -> None:
    """The words of the evidence stand in the entry this makes; the issue keeps the number and where they are."""
    issue, form = case.issue, case.form
    kept = tuple(e for e in issue.evidence if e.factor != form.factor)
    if form.value is not None:
        kept = (*kept, Evidence(form.factor, form.value, case.actor.id, case.now, issue.version + 1))
    issue.evidence = kept


class Clearing(Form):
    """A flag against gaming, looked at by a person: the copies of one text, or a burst of voices."""

    words: ClassVar[tuple[str, ...]] = ("reason",)
    example: ClassVar[dict[str, Any]] = {"what": "burst", "reason": "已电话抽查10户,均为本小区居民各自反映。"}
    what: Literal["same_text", "burst"]
    text: str = Field("", max_length=64)
    reason: Text


@rule
def names_the_text(case: Case) -> bool | Fault:
    """解除雷同标记,须写明是哪一份文本。
    Clearing copies names the text."""
    return case.form.what == "burst" or bool(case.form.text) or Fault(field="text")


def unflag(case: Case) -> None:
    issue, form = case.issue, case.form
    if form.what == "burst":
        issue.burst_reviewed = case.now
    elif form.text not in issue.cleared:
        issue.cleared = (*issue.cleared, form.text)


MOVES = (
    Move(
        53, "assess", "佐证", "put a factor right", (Step.SELECT,), WEIGHERS, (), Assessment,
        guards=(factor_is_known,), does=assess,
    ),
    Move(
        54, "unflag", "解除标记", "clear a flag", (Step.SELECT,), WEIGHERS, (), Clearing,
        guards=(names_the_text,), does=unflag,
    ),
)  # fmt: skip
