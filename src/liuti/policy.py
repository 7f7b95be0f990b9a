"""The policy: every deadline, limit, weight, reason and word that a district may choose, as one validated file."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from functools import cache, cached_property
from importlib.resources import files
from typing import Annotated, Any, NamedTuple, cast

from pydantic import AfterValidator, PlainSerializer, ValidationError, ValidationInfo, field_validator
from pydantic_core import ErrorDetails

from liuti import toml_lines
from liuti.flow.calendar import Span
from liuti.flow.words import Urgency
from liuti.policy_sections import (
    Category,
    Clocks,
    Danger,
    Draw,
    Files,
    Hours,
    Ladder,
    Limits,
    Named,
    PhoneCodes,
    PrivacyNotice,
    Rates,
    Retention,
    Route,
    SameDay,
    Sample,
    Score,
    UrgentOrNot,
)
from liuti.policy_types import Code, Count, Section, Word, Words, broken, holding, three_posts

ROUTES = ("judicial", "discipline", "petition", "secret", "outside", "settled")
EXCLUDES = ("no_duty", "unlawful", "malicious", "repeat", "force_majeure")
GROUNDS = ("inadmissible", "uncooperative")
ALIASES = {"solve": "solve_direct", "overall": "overall_topic"}

AsTable = PlainSerializer(dict)


class Fault(NamedTuple):
    """One thing wrong with a policy file: its line (from 1), the key, and the rule in both languages."""

    line: int
    path: str
    zh: str
    en: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.path or 'policy'}: {self.en} / {self.zh}"


class PolicyError(ValueError):
    """A policy file breaks its rules; ``faults`` has all of them, by line."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(sorted(faults))
        super().__init__("\n".join(map(str, self.faults)))


class Policy(Section):
    """One version of the policy; nothing in it changes. An issue keeps the version it started a clock with."""

    version: Count
    name: Word
    gates: Annotated[tuple[Word, ...], AfterValidator(three_posts)]
    basic_words: Words
    hours: Hours
    clocks: Clocks
    same_day: SameDay
    limits: Limits
    phone_codes: PhoneCodes = PhoneCodes()
    files: Files
    draw: Draw
    sample: Sample = Sample()
    ladder: Ladder
    danger: Danger
    score: Score
    retention: Retention
    notice: PrivacyNotice
    rates: Rates
    routes: Annotated[Mapping[Code, Route], holding(*ROUTES), AsTable]
    suspend_causes: Annotated[Mapping[Code, Named], holding(), AsTable]
    exclude_causes: Annotated[Mapping[Code, Named], holding(*EXCLUDES), AsTable]
    adjust_codes: Annotated[Mapping[Code, Named], holding(), AsTable]
    terminate_grounds: Annotated[Mapping[Code, Named], holding(*GROUNDS), AsTable]
    categories: Annotated[Mapping[Code, Category], holding("other"), AsTable]

    @field_validator("same_day")
    @classmethod
    def _within_hours(cls, given: SameDay, info: ValidationInfo) -> SameDay:
        hours = info.data.get("hours")
        if isinstance(hours, Hours) and not (
            hours.opens < given.cutoff < hours.closes and hours.opens < given.next_by <= hours.closes
        ):
            raise broken("当日答复的两个时刻须在上班时间内", "both moments of the same-day answer lie in office hours")
        return given

    @cached_property
    def digest(self) -> str:
        """SHA-256 in hex of what the policy says; comments, order and spelling of the file do not count, nor does a key
        that came later and says what held before: a version that was kept without it is the same policy."""
        chosen = self.model_dump(mode="json", exclude_defaults=True)
        said = json.dumps(chosen, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(said.encode()).hexdigest()

    @cached_property
    def spans(self) -> Mapping[tuple[str, str], Span]:
        found: dict[tuple[str, str], Span] = {}
        for name in Clocks.model_fields:
            length = getattr(self.clocks, name)
            for urgency in Urgency:
                one = length
                if isinstance(length, UrgentOrNot):
                    one = length.urgent if urgency is Urgency.URGENT else length.others
                elif isinstance(length, Section):
                    one = getattr(length, urgency)
                if isinstance(one, Span):
                    found[name, urgency.value] = one
        found |= {(clock, u.value): found[name, u.value] for clock, name in ALIASES.items() for u in Urgency}
        return found

    def span(self, clock: str, urgency: str = Urgency.GENERAL) -> Span:
        """How long that clock runs (``solve``: in the direct lane, ``overall``: in the topic lane). KeyError for a
        clock whose end is a date of its own, as ``hold``."""
        return self.spans[clock, urgency]

    @cached_property
    def alarms(self) -> tuple[tuple[str, re.Pattern[str]], ...]:
        """What to look for, each with the number to show; the words that have none come last, with ``""``."""
        numbers = [(one.number, pattern(one.words)) for one in self.danger.numbers]
        return (*numbers, ("", pattern(self.danger.words)))

    @cached_property
    def any_alarm(self) -> re.Pattern[str]:
        return re.compile("|".join(words.pattern for _, words in self.alarms))

    @cached_property
    def basics(self) -> re.Pattern[str]:
        return pattern(self.basic_words)

    @cached_property
    def harmless(self) -> re.Pattern[str]:
        return pattern(self.danger.harmless)

    def emergency_number(self, text: str) -> str | None:
        """The number to show before sending (docs/rules.md §1): of the first list in the file with a word in it."""
        said = self.harmless.sub("。", plain(text))
        for number, words in self.alarms:
            if number and words.search(said):
                return number
        return None

    def urgency_of(self, text: str, category: str, danger: bool) -> Urgency:
        """The provisional urgency (docs/rules.md §1): ticked danger, a word of danger or an urgent category is urgent,
        a word of the basic needs is basic, and else the category says so; an unknown one counts as ``other``."""
        said = plain(text)
        usual = self.categories.get(category) or self.categories["other"]
        if danger or usual.urgency is Urgency.URGENT:
            return Urgency.URGENT
        if self.any_alarm.search(self.harmless.sub("。", said)):
            return Urgency.URGENT
        return Urgency.BASIC if self.basics.search(said) else usual.urgency


def plain(text: str) -> str:
    """The text as the word lists are matched against it: small letters, no blanks."""
    return "".join(text.lower().split())


def pattern(words: Iterable[str]) -> re.Pattern[str]:
    """Finds any of the words; ``…`` in one stands for up to 8 characters of the same sentence."""
    gap = "[^。!?!?;;]{0,8}?"
    found = [gap.join(re.escape(part) for part in plain(word).split("…")) for word in words]
    return re.compile("|".join(found) or r"(?!)")


@cache
def default() -> Policy:
    """The policy shipped with the package."""
    return load(default_words())


def default_words() -> str:
    """The file of that policy, as a district would copy it."""
    return files("liuti").joinpath("policy.toml").read_text("utf-8")


def load(text: str) -> Policy:
    """The policy in a TOML file; PolicyError with every fault and its line if there is one."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as fault:
        raise PolicyError([_syntax(fault, text)]) from None
    try:
        return Policy.model_validate(_frozen(table))
    except ValidationError as fault:
        where = toml_lines.lines(text)
        raise PolicyError(_fault(error, where) for error in fault.errors(include_url=False)) from None


def _frozen(given: object) -> object:
    if isinstance(given, dict):
        return {key: _frozen(value) for key, value in given.items()}
    return tuple(map(_frozen, given)) if isinstance(given, list) else given


def _syntax(fault: tomllib.TOMLDecodeError, text: str) -> Fault:
    found = re.search(r"\(at line (\d+), column \d+\)", str(fault))
    line = int(found[1]) if found else text.count("\n") + 1
    return Fault(line, "", "不是合法的 TOML 文件", f"not valid TOML: {fault}")


def _fault(error: ErrorDetails, where: Mapping[toml_lines.Path, int]) -> Fault:
    # A bad key of a table is reported below itself, as in routes.Bad.[key].
    loc = tuple(part for part in error["loc"] if part != "[key]") + tuple(error.get("ctx", {}).get("places", ()))
    line = next(where[loc[:n]] for n in range(len(loc), -1, -1) if loc[:n] in where)
    zh, en = _words(error)
    return Fault(line, "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in loc).lstrip("."), zh, en)


def _words(error: ErrorDetails) -> tuple[str, str]:
    context: dict[str, Any] = {**error.get("ctx", {}), "given": repr(error.get("input"))[:60]}
    context |= {name: f"{value:g}" for name, value in context.items() if isinstance(value, float)}
    if error["type"] == "rule":
        return cast(str, context["zh"]), cast(str, context["en"])
    zh, en = WORDS.get(error["type"], ("不合规则:" + error["msg"], error["msg"]))
    return zh.format(**context), en.format(**context)


WORDS = {
    "missing": ("缺少这一项", "this key is missing"),
    "extra_forbidden": ("没有这一项,请检查拼写", "there is no such key, look at its spelling"),
    "int_type": ("须为整数,不是 {given}", "must be a whole number, not {given}"),
    "float_type": ("须为数字,不是 {given}", "must be a number, not {given}"),
    "bool_type": ("须为 true 或 false,不是 {given}", "must be true or false, not {given}"),
    "string_type": ("须为文字,不是 {given}", "must be text, not {given}"),
    "time_type": ("须为时刻,如 09:00:00,不是 {given}", "must be a time of day as 09:00:00, not {given}"),
    "tuple_type": ("须为列表", "must be a list"),
    "model_type": ("须为一节", "must be a table"),
    "mapping_type": ("须为一节", "must be a table"),
    "enum": ("须为 {expected} 之一,不是 {given}", "must be one of {expected}, not {given}"),
    "finite_number": ("须为有限的数", "must be a finite number"),
    "greater_than": ("须大于 {gt},不是 {given}", "must be above {gt}, not {given}"),
    "greater_than_equal": ("不得小于 {ge},不是 {given}", "must be {ge} or more, not {given}"),
    "less_than": ("须小于 {lt},不是 {given}", "must be below {lt}, not {given}"),
    "less_than_equal": ("不得大于 {le},不是 {given}", "must be {le} or less, not {given}"),
    "string_too_short": ("不得为空", "must not be empty"),
    "too_short": ("至少要有 {min_length} 项", "must have {min_length} or more"),
    "string_pattern_mismatch": ("{given} 不合写法 {pattern}", "{given} is not written as {pattern}"),
}
