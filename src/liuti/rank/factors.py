"""The sixteen factors of the selection score: what each looks at, its value, where that comes from, and its sentence."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

from liuti.rank.words import FACTOR_ZH, GROUP_ZH, MARK_ZH, OUTSIDER_ZH, PERSONS, SCOPE_WORDS, SEVERITIES, Said

DIGITS = 4  # a value is rounded to so many, so that no last bit of a logarithm moves a replay
CATCH_ALL = "other"  # the category of what fits none: its row of the table is no knowledge
NOMINAL_POPULATION = 10_000  # where the grid's population is not known: about a large community
NOMINAL_COMMUNITIES = 10
MEDIAN_FROM = 3  # cases before their median days are an estimate
READ_FROM = 30  # visible characters before what a text does not mention tells something
FEWEST_TO_GROW = 5
MANY = 51  # one more than the households from which their factor is 1
OPEN_FROM = 0.8  # from here on the table's non_exclusive means everybody's
BEHIND = ("按计入的反映户数估计", "by the households that count")
DAY = 86_400.0


class Origin(StrEnum):
    """推定 filled in by rule, 有据 put right by a person with evidence, 待核 nothing can tell."""

    PRESUMED = "presumed"
    EVIDENCE = "evidence"
    UNKNOWN = "unknown"


ORIGIN_ZH = {Origin.PRESUMED: "推定", Origin.EVIDENCE: "有据", Origin.UNKNOWN: "待核"}


class Category(msgspec.Struct, frozen=True, kw_only=True):
    """The row of the policy's table; ``guessed``: it was suggested, nobody has set it, and ``confidence`` is how sure
    the suggestion was, None where that was not kept. A value None: the table is silent."""

    code: str
    zh: str = ""
    en: str = ""
    severity: float | None = None
    units: int | None = None
    remit: float | None = None
    money: float | None = None
    non_exclusive: float | None = None
    guessed: bool = False
    confidence: float | None = None


class Crowd(msgspec.Struct, frozen=True, kw_only=True):
    """Who stands behind a matter: households that count, the raw counts beside them, and what was flagged."""

    verified: int = 0
    unverified: int = 0
    recent: int = 0
    before: int = 0
    voices: int = 0
    accounts: int = 0
    staff: int = 0
    households: int = 0
    held_back: int = 0
    same_text: tuple[str, ...] = ()
    burst: bool = False

    @property
    def frozen(self) -> bool:
        return self.burst or bool(self.same_text)


class History(msgspec.Struct, frozen=True, kw_only=True):
    """Matters of the like that ended: how many, how many of them solved, their median days."""

    closed: int = 0
    solved: int = 0
    median_days: float | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.solved <= self.closed:
            raise ValueError(f"solved {self.solved} of {self.closed} closed")
        if self.median_days is not None and not 0 <= self.median_days < math.inf:
            raise ValueError(f"median days are 0 or more, not {self.median_days}")


class Override(msgspec.Struct, frozen=True, kw_only=True):
    """A person's value in place of the presumed one. The evidence is shown to everyone, ``by`` to nobody outside."""

    factor: str
    value: float
    evidence: str
    by: str
    at: datetime

    def __post_init__(self) -> None:
        if self.factor not in FACTORS:
            raise ValueError(f"no factor is called {self.factor!r}")
        if not 0 <= self.value <= 1:
            raise ValueError(f"{self.factor}: a value lies within 0 and 1, not {self.value}")
        if not self.evidence.strip() or not self.by:
            raise ValueError(f"{self.factor}: a replacement names its evidence and its author")
        _aware(self.at)


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """All a score looks at, frozen with the round. None: not known. ``returned``: matters like it that ended within
    the year before. ``tags``: vulnerable groups known of the grid. ``people``: counted by someone, not by the text.
    A field may be added, with a default that says not known; none is taken away while a snapshot holds it."""

    id: str
    title: str
    said: Said
    first_proposed: datetime
    as_of: datetime
    crowd: Crowd = Crowd()
    category: Category | None = None
    units_named: tuple[str, ...] = ()
    returned: int | None = None
    history: History | None = None
    population: int | None = None
    people: int | None = None
    communities: int | None = None
    communities_total: int | None = None
    tags: tuple[str, ...] | None = None
    overrides: tuple[Override, ...] = ()

    def __post_init__(self) -> None:
        _aware(self.first_proposed)
        _aware(self.as_of)
        counts = (self.returned, self.population, self.people, self.communities, self.communities_total)
        if any(count is not None and count < 0 for count in counts):
            raise ValueError(f"{self.id}: counts are 0 or more")


class Factor(msgspec.Struct, frozen=True, kw_only=True):
    """One factor: its value 0 to 1, the inputs it was taken from, and, once weighed, weight and points."""

    name: str
    value: float
    origin: Origin
    raw: dict[str, Any]
    zh: str
    en: str
    weight: float = 0.0
    points: float = 0.0


def _aware(moment: datetime) -> None:
    if moment.tzinfo is None:
        raise ValueError("a moment has a time zone")


def _presumed(name: str, value: float, raw: dict[str, Any], zh: str, en: str) -> Factor:
    held = round(min(1.0, max(0.0, value)), DIGITS)
    return Factor(name=name, value=held, origin=Origin.PRESUMED, raw=raw, zh=zh, en=en)


def _unknown(name: str, raw: dict[str, Any], zh: str, en: str) -> Factor:
    return Factor(name=name, value=0.5, origin=Origin.UNKNOWN, raw=raw, zh=f"{zh}(待核)", en=f"{en} (to be verified)")


def _table(subject: Subject) -> Category | None:
    known = subject.category
    return None if known is None or known.code == CATCH_ALL else known


def _of(row: Category) -> tuple[str, str]:
    zh, en = row.zh or row.code, row.en or row.code
    if not row.guessed:
        return f"「{zh}」", en
    if row.confidence is None:
        return f"「{zh}」(推测的类别)", f"{en} (suggested)"
    return f"「{zh}」(推测的类别,把握 {row.confidence:.0%})", f"{en} (suggested, {row.confidence:.0%} sure)"


def _from_table(subject: Subject, name: str, zh: str, en: str) -> Factor | None:
    row = _table(subject)
    value: float | None = getattr(row, name, None)
    if row is None or value is None:
        return None
    label_zh, label_en = _of(row)
    raw: dict[str, Any] = {"category": row.code, "guessed": row.guessed}
    if row.confidence is not None:
        raw["confidence"] = row.confidence
    return _presumed(
        name, value, raw, f"{zh} {value:g},按{label_zh}一类的惯例", f"{en} {value:g}, as usual for {label_en}"
    )


def concrete(subject: Subject) -> Factor:
    """One fifth for each kind of mark in the text: place, amount, time, thing, request. No text at all: unknown."""
    said = subject.said
    raw = {"marks": said.marks, "length": said.length}
    if not said.length:
        return _unknown("concrete", raw, "没有文字说明", "No words to go by")
    if not said.marks:
        return _presumed(
            "concrete", 0, raw, "诉求没有写明可核对的内容", "The message states nothing that can be checked"
        )
    zh, en = "、".join(MARK_ZH[one] for one in said.marks), ", ".join(said.marks)
    return _presumed("concrete", len(said.marks) / 5, raw, f"诉求写明{zh}", f"The message states {en}")


def _many(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def units(subject: Subject) -> Factor:
    """1→1, 2→.7, 3→.4, more→.1: units named by a person, else the table's usual number, else those in the text."""
    row, told = _table(subject), subject.said.departments
    usual = row.units if row else None
    number = len(set(subject.units_named)) or usual or len(told)
    raw = {"named": subject.units_named, "usual": usual, "in_text": told}
    if not number:
        return _unknown("units", raw, "需要几个单位尚不清楚", "How many units it takes is not known")
    value = {1: 1.0, 2: 0.7, 3: 0.4}.get(number, 0.1)
    return _presumed("units", value, raw, f"一般需 {number} 个单位办理", f"It usually takes {_many(number, 'unit')}")


def days(subject: Subject) -> Factor:
    """≤30→1, ≤90→.7, ≤180→.4, else .1, of the median days of 3 or more matters of the like."""
    past = subject.history
    raw = {"median_days": past and past.median_days, "closed": past.closed if past else None}
    if past is None or past.median_days is None or past.closed < MEDIAN_FROM:
        return _unknown("days", raw, "同类题办过的太少,用时尚难估计", "Too few of the like to estimate the days")
    value = next((v for most, v in ((30, 1.0), (90, 0.7), (180, 0.4)) if past.median_days <= most), 0.1)
    shown = f"{past.median_days:g}"
    return _presumed("days", value, raw, f"同类题办理用时中位 {shown} 天", f"The like took {shown} days (median)")


def severity(subject: Subject) -> Factor:
    """The table's; where it is silent the gravest word: life .9, livelihood .7, nuisance .4, a mere question .2."""
    given = _from_table(subject, "severity", "严重程度", "Severity")
    harm = subject.said.harm
    if given or not harm:
        return given or _unknown("severity", {}, "严重程度不清楚", "How severe it is is not known")
    raw = {"harm": harm, "words": subject.said.found.get("harm", ())}
    value, zh, en = SEVERITIES[harm]
    return _presumed("severity", value, raw, f"诉求涉及{zh}", f"The message is about {en}")


def effective(verified: int, unverified: int) -> float:
    """h of docs/rules.md §6: all verified households, and of the unverified as many as the verified bear out."""
    return verified + min(0.3 * unverified, max(3.0, 0.25 * verified))


def households(subject: Subject) -> Factor:
    """min(1, ln(1+h) ÷ ln 51)."""
    crowd = subject.crowd
    h = effective(crowd.verified, crowd.unverified)
    raw = {"verified": crowd.verified, "unverified": crowd.unverified, "h": round(h, DIGITS), "voices": crowd.voices,
           "accounts": crowd.accounts, "staff": crowd.staff, "households": crowd.households,
           "same_text": crowd.same_text}  # fmt: skip
    number = crowd.verified + crowd.unverified
    zh = f"{number} 户反映,其中 {crowd.verified} 户已核实"
    en = f"Raised by {_many(number, 'household')}, {crowd.verified} verified"
    if crowd.same_text:
        zh, en = f"{zh},同文批量诉求暂按一户计", f"{en}; copies of one text count as one until cleared"
    return _presumed("households", math.log(1 + h) / math.log(MANY), raw, zh, en)


def growth(subject: Subject) -> Factor:
    """(r−1) ÷ 2 held in 0..1, r = last 30 days ÷ max(1, monthly mean of the 90 before); 0 below 5 in the last 30.
    While a burst or copies await review it stays what it is without them."""
    crowd = subject.crowd
    ratio = crowd.recent / max(1.0, crowd.before / 3)
    value = (ratio - 1) / 2 if crowd.recent >= FEWEST_TO_GROW else 0.0
    raw = {"recent": crowd.recent, "before": crowd.before, "r": round(ratio, DIGITS), "frozen": crowd.frozen,
           "held_back": crowd.held_back}  # fmt: skip
    zh = f"近 30 天新增 {crowd.recent} 户,此前 90 天 {crowd.before} 户"
    en = f"{crowd.recent} households in the last 30 days, {crowd.before} in the 90 before"
    if crowd.frozen:
        zh, en = (
            f"{zh};另有 {crowd.held_back} 户短时集中出现,待复核",
            f"{en}; {crowd.held_back} more at once await review",
        )
    return _presumed("growth", value, raw, zh, en)


def recurrence(subject: Subject) -> Factor:
    """How often it came back after an end within a year: 0→0, 1→.5, 2→.75, more→1. Where nobody has counted, a
    text that says so counts as once (再次) or twice (多次反映, 年年)."""
    told = subject.said.returned
    raw = {"returned": subject.returned, "in_text": told}
    steps = (0.0, 0.5, 0.75, 1.0)
    if subject.returned is not None:
        zh, en = f"一年内同类办结后又出现 {subject.returned} 次", f"Came back {subject.returned} times within a year"
        return _presumed("recurrence", steps[min(3, max(0, subject.returned))], raw, zh, en)
    if told:
        return _presumed("recurrence", steps[told], raw, "诉求称反复出现、多次反映", "Said to have come back before")
    return _unknown("recurrence", raw, "是否反复出现尚无记录", "Whether it has come back is not recorded")


def waiting(subject: Subject) -> Factor:
    """min(1, days ÷ 60) since the first proposal."""
    waited = max(0.0, (subject.as_of - subject.first_proposed).total_seconds() / DAY)
    raw = {"days": round(waited, DIGITS)}
    return _presumed("waiting", waited / 60, raw, f"已等待 {int(waited)} 天", f"Waiting for {int(waited)} days")


def remit(subject: Subject) -> Factor:
    """The table's; else .3 for words of private disputes, .7 for a named department or words of public duty."""
    said = subject.said
    given = _from_table(subject, "remit", "职责清晰程度", "Clearness of the remit")
    if given or not (said.office or said.departments):
        return given or _unknown("remit", {}, "归谁办理尚不清楚", "Whose remit it is is not known")
    raw = {"office": said.office, "departments": said.departments, "words": said.found.get("office", ())}
    if said.office == "private":
        return _presumed("remit", 0.3, raw, "像是民事纠纷,政府职责不明", "Looks like a private dispute")
    return _presumed("remit", 0.7, raw, "诉求指向政府部门的职责", "Points to the duty of a department")


def money(subject: Subject) -> Factor:
    """The table's; else .3 for words of works to be built or paid for, .8 for words of upkeep and enforcement."""
    given, cost = _from_table(subject, "money", "资金可行程度", "Affordability"), subject.said.cost
    if given or not cost:
        return given or _unknown("money", {}, "所需资金不清楚", "What it costs is not known")
    raw = {"cost": cost, "words": subject.said.found.get("cost", ())}
    if cost == "works":
        return _presumed("money", 0.3, raw, "涉及建设或补偿,花费较大", "Needs building or compensation")
    return _presumed("money", 0.8, raw, "靠管理、维修即可,花费不大", "Needs upkeep or enforcement only")


def past_success(subject: Subject) -> Factor:
    """(s+2) ÷ (n+4): s solved of n closed matters of the like; with none of them .5 is no knowledge."""
    past = subject.history
    if past is None or not past.closed:
        return _unknown(
            "past_success", {"closed": 0 if past else None}, "没有同类题的办理记录", "None of the like has ended yet"
        )
    value = (past.solved + 2) / (past.closed + 4)
    raw = {"closed": past.closed, "solved": past.solved}
    zh, en = (
        f"同类题办结 {past.closed} 件,解决 {past.solved} 件",
        f"{past.solved} of {past.closed} of the like were solved",
    )
    return _presumed("past_success", value, raw, zh, en)


def dependency(subject: Subject) -> Factor:
    """1 would be depending on nobody outside. Kinds of outsiders in the text: none .8, 1 .5, 2 .3, more .1; a text
    too short to mention them tells nothing."""
    outside = subject.said.outsiders
    raw = {"outsiders": outside, "words": subject.said.found.get("outsiders", ())}
    if not outside and subject.said.length < READ_FROM:
        return _unknown("dependency", raw, "是否依赖外部单位尚不清楚", "Whether it depends on others is not known")
    value = (0.8, 0.5, 0.3, 0.1)[min(3, len(outside))]
    zh = f"依赖外部:{'、'.join(OUTSIDER_ZH[one] for one in outside)}" if outside else "文中未见依赖外部单位"
    en = f"Depends on outsiders: {', '.join(outside)}" if outside else "No dependence on outsiders is mentioned"
    return _presumed("dependency", value, raw, zh, en)


def beneficiaries(subject: Subject) -> Factor:
    """min(1, ln(1+b) ÷ ln(1+population)), b the people counted, else those the text speaks of, and never fewer than
    3 for each of the h households that weigh (`effective`): what nobody has verified claims no crowd. Where only households tell and say less than .5, the others stay unknown, as where
    the text tells one home's story of what the table calls open to all."""
    said, crowd = subject.said, subject.crowd
    behind = round(PERSONS * effective(crowd.verified, crowd.unverified))
    row = _table(subject)
    own = said.scope == "home" and row is not None and (row.non_exclusive or 0) >= OPEN_FROM
    scope = "" if own else said.scope
    told = subject.people if subject.people is not None else said.people if scope else 0
    people, size = max(told, behind), subject.population or NOMINAL_POPULATION
    value = math.log(1 + people) / math.log(1 + size)
    raw = {"people": subject.people, "scope": said.scope, "in_text": said.people, "behind": behind,
           "population": subject.population, "measured_against": size, "words": said.found.get("scope", ())}  # fmt: skip
    if subject.people is None and not scope and value < 0.5:
        return _unknown("beneficiaries", raw, "受益人数尚不清楚", "How many people gain is not known")
    zh, en = ("经统计", "as counted") if subject.people is not None else SCOPE_WORDS.get(scope, BEHIND)
    zh, en = BEHIND if behind > told else (zh, en)
    return _presumed("beneficiaries", value, raw, f"约 {people} 人受益({zh})", f"About {people} people gain ({en})")


def spread(subject: Subject) -> Factor:
    """min(1, ln(1+c) ÷ ln(1+C)), c of C communities it comes from. Not counted: a text that speaks of the whole town
    .8, one that names a place is of one community."""
    told, among = subject.communities, subject.communities_total or NOMINAL_COMMUNITIES
    raw = {
        "communities": told,
        "total": subject.communities_total,
        "measured_against": among,
        "wide": subject.said.wide,
    }
    if not told and subject.said.wide:
        return _presumed("spread", 0.8, raw, "诉求称多处普遍存在", "Said to be found in many places")
    if not told and "place" not in subject.said.marks:
        return _unknown("spread", raw, "涉及哪些社区尚不清楚", "Which communities it touches is not known")
    value = math.log(1 + (told or 1)) / math.log(1 + among)
    if not told:
        return _presumed("spread", value, raw, "诉求只说到一处地点", "The message speaks of one place")
    return _presumed("spread", value, raw, f"来自 {told} 个社区", f"Comes from {told} of the communities")


def vulnerable(subject: Subject) -> Factor:
    """.6 for a group in the text or among the grid's tags, .8 when it is disabled, ill or poor people; .2 more for
    each further group. 0 where the grid's tags are known and neither speaks; without tags silence tells nothing."""
    groups = tuple(sorted({*subject.said.groups, *(subject.tags or ())}))
    raw = {"in_text": subject.said.groups, "tags": subject.tags, "words": subject.said.found.get("groups", ())}
    if not groups and subject.tags is None:
        return _unknown(
            "vulnerable", raw, "是否涉及困难群体尚不清楚", "Whether vulnerable people are touched is not known"
        )
    if not groups:
        return _presumed("vulnerable", 0.0, raw, "未见涉及困难群体", "No vulnerable group is touched")
    value = (0.8 if {"disabled", "ill", "poor"} & set(groups) else 0.6) + 0.2 * (len(groups) - 1)
    zh = "、".join(GROUP_ZH.get(one, one) for one in groups)
    return _presumed("vulnerable", value, raw, f"涉及{zh}", f"Touches: {', '.join(groups)}")


def non_exclusive(subject: Subject) -> Factor:
    """The table's; else by whom the text speaks of: .3 for one home, .8 for many."""
    given, scope = _from_table(subject, "non_exclusive", "公共程度", "Openness to all"), subject.said.scope
    if given or not scope:
        return given or _unknown("non_exclusive", {}, "是否人人可用尚不清楚", "Whether all may use it is not known")
    raw = {"scope": scope, "words": subject.said.found.get("scope", ())}
    if scope == "home":
        return _presumed("non_exclusive", 0.3, raw, "主要关系一户一家", "Mostly about one home")
    return _presumed("non_exclusive", 0.8, raw, "多数人共同受益", "Shared by many")


FACTORS: dict[str, Callable[[Subject], Factor]] = {
    rule.__name__: rule
    for rule in (
        concrete, units, days,
        severity, households, growth, recurrence, waiting,
        remit, money, past_success, dependency,
        beneficiaries, spread, vulnerable, non_exclusive,
    )
}  # fmt: skip
CRITERIA: dict[str, tuple[str, ...]] = {
    "narrow_scope": ("concrete", "units", "days"),
    "impact": ("severity", "households", "growth", "recurrence", "waiting"),
    "feasible": ("remit", "money", "past_success", "dependency"),
    "broad_benefit": ("beneficiaries", "spread", "vulnerable", "non_exclusive"),
}


def judged(subject: Subject) -> tuple[Factor, ...]:
    """All sixteen in their order, each by its rule or, where a person replaced it, by the latest replacement."""
    latest = {one.factor: one for one in sorted(subject.overrides, key=lambda o: (o.at, o.value))}
    return tuple(_replaced(rule(subject), latest.get(name)) for name, rule in FACTORS.items())


def _replaced(first: Factor, by: Override | None) -> Factor:
    if by is None:
        return first
    raw = {**first.raw, "first": first.value, "first_origin": first.origin.value, "evidence": by.evidence, "by": by.by,
           "at": by.at.isoformat()}  # fmt: skip
    value = round(by.value, DIGITS)
    zh = f"{FACTOR_ZH[first.name]}经核定为 {value:g}:{by.evidence}"
    en = f"{first.name.replace('_', ' ').capitalize()} set to {value:g} on evidence: {by.evidence}"
    return Factor(name=first.name, value=value, origin=Origin.EVIDENCE, raw=raw, zh=zh, en=en)
