"""What a policy file holds: its sections, each key's type and bounds, and the sums that must come out."""

from __future__ import annotations

from datetime import time
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from liuti.policy_types import (
    AnyUrgency,
    Count,
    Length,
    Section,
    Share,
    Weight,
    Word,
    Words,
    broken,
    known_zone,
    odd,
)


class Hours(Section):
    opens: time
    closes: time
    zone: Annotated[str, AfterValidator(known_zone)]

    @model_validator(mode="after")
    def _in_order(self) -> Hours:
        if self.opens >= self.closes:
            raise broken("上班时间须早于下班时间", "the office opens before it closes", "closes")
        return self


class ByUrgency(Section):
    urgent: Length
    basic: Length
    general: Length
    complex: Length


class UrgentOrNot(Section):
    urgent: Length
    others: Length


class Clocks(Section):
    """docs/rules.md §5; counts without a unit are calendar days."""

    intake: ByUrgency
    overall_topic: Length
    overall_more: Count
    overall_most: Count
    supplement: Length
    select: Length
    claim: Length
    designate: Length
    plan: Length
    sign: UrgentOrNot
    contact: UrgentOrNot
    solve_direct: ByUrgency
    solve_topic_most: Count
    solve_topic_most_extended: Count
    ruling: Length
    review: Length
    redo: Length
    order: Length
    bad_review: Length
    callback: Length
    evaluate: Length
    appeal: Length

    @model_validator(mode="after")
    def _most_is_most(self) -> Clocks:
        if self.solve_topic_most_extended < self.solve_topic_most:
            raise broken(
                "延期后的解题上限不得短于原上限",
                "the most with extensions is no less than without",
                "solve_topic_most_extended",
            )
        if self.overall_topic.unit == "d" and self.overall_most < self.overall_topic.n:
            raise broken(
                "总时限上限不得短于总时限", "the most overall is no less than the overall time", "overall_most"
            )
        return self


class SameDay(Section):
    """A16: a consultation is answered by closing time, or, arrived past the cutoff, next working day by then."""

    cutoff: time
    next_by: time


class Extensions(Section):
    direct: Annotated[int, Field(ge=0)]
    topic: Annotated[int, Field(ge=0)]


class Limits(Section):
    min_visible: Count
    claims: Count
    unmerge_days: Count
    reserve_days: Count
    reserves: Annotated[int, Field(ge=0)]
    panel: Annotated[int, AfterValidator(odd)]
    override_chars: Count
    redos: Annotated[int, Field(ge=0)]
    redo_share: Share
    redo_from: Count
    fails_to_interview: Count
    urge_days: Count
    appeal_days: Count
    reopen_days: Count
    send_back: Length
    extend_total_days: Count
    extensions: Extensions
    suspend_days: Count
    suspend_total_days: Count
    explained_rate_days: Count
    call_tries: Count
    terminate_tries: Count
    proposals_per_day: Count
    cosigns_per_day: Count
    proposals_per_address: Count
    excluded_share: Share

    @model_validator(mode="after")
    def _total_is_more(self) -> Limits:
        if self.suspend_total_days < self.suspend_days:
            raise broken(
                "挂账累计上限不得短于单次上限",
                "the total of suspensions is no less than one of them",
                "suspend_total_days",
            )
        return self


class PhoneCodes(Section):
    """Codes by SMS that prove a phone: how many in 24 hours to one phone, and at the wish of one network address; the
    seconds between two, the minutes one is valid, and how many tries it takes."""

    per_phone: Count = 10
    per_place: Count = 30
    again_seconds: Count = 60
    valid_minutes: Count = 10
    tries: Count = 5


class Files(Section):
    max_bytes: Count
    max_per_issue: Count
    max_pixels: Count
    types: Annotated[Words, Field(min_length=1)]


class Draw(Section):
    """How many of the results that pass by themselves are drawn for an inspector, and of what inspectors pass for a team."""

    share: Share
    seed: Word
    second: Share = 0.1


class Sample(Section):
    """Residents of the same places asked about a published topic that was passed: how many, none unless the district
    says so, how long an invitation is good, and the seed they are drawn by."""

    residents: Annotated[int, Field(ge=0)] = 0
    days: Count = 15
    seed: Word = "liuti-sample-1"


class Ladder(Section):
    warn_at: Annotated[float, Field(gt=0, lt=1)]
    urge_after: Length
    urge_reply: Length
    order_after: Length
    interview_after: Length


class Named(Section):
    zh: Word
    en: Word


class Route(Named):
    """A reason to refuse and where else to go; ``second``: another officer must agree."""

    second: bool


class Category(Named):
    """What a kind of matter usually is: first values for the score (docs/rules.md §6), and how it is handled."""

    severity: Share
    units: Count
    remit: Share
    money: Share
    non_exclusive: Share
    urgency: AnyUrgency
    physical: bool
    low_risk: bool


class Emergency(Section):
    number: Annotated[str, StringConstraints(pattern=r"^(110|119|120|122)$")]
    words: Annotated[Words, Field(min_length=1)]


class Danger(Section):
    words: Words
    numbers: tuple[Emergency, ...]
    harmless: Words


class Weights(Section):
    """The sixteen factors of the selection score, four criteria in their order (docs/rules.md §6)."""

    concrete: Weight
    units: Weight
    days: Weight
    severity: Weight
    households: Weight
    growth: Weight
    recurrence: Weight
    waiting: Weight
    remit: Weight
    money: Weight
    past_success: Weight
    dependency: Weight
    beneficiaries: Weight
    spread: Weight
    vulnerable: Weight
    non_exclusive: Weight

    @model_validator(mode="after")
    def _hundred(self) -> Weights:
        total = sum(self.model_dump().values())
        if abs(total - 100) > 1e-9:
            raise broken(f"权重合计须为 100,现为 {total:g}", f"the weights add up to 100, not {total:g}")
        return self


class Score(Section):
    unknown_most: Weight
    set_aside_every: Count
    few_households: Count = 6  # a policy kept from before this key says nothing of it
    same_text_accounts: Count
    same_text_hours: Count
    weights: Weights

    @property
    def factors(self) -> frozenset[str]:
        return frozenset(Weights.model_fields)


class Retention(Section):
    """How many days each thing is kept after the end of its issue; access_log: after it was written."""

    contacts: Count
    texts: Count
    files: Count
    letters: Count
    access_log: Annotated[int, Field(ge=183)]


class PrivacyNotice(Section):
    version: Word


class Composite(Section):
    contacted: Share
    solved: Share
    satisfied: Share

    @model_validator(mode="after")
    def _whole(self) -> Composite:
        total = self.contacted + self.solved + self.satisfied
        if abs(total - 1) > 1e-9:
            raise broken(f"三率权重合计须为 1,现为 {total:g}", f"the three rates' weights add up to 1, not {total:g}")
        return self


class Rates(Section):
    composite: Composite
    counts_below: Count
    ranked_from: Count
    extended_alert: Share
    suspended_alert: Share
