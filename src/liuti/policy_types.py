"""The kinds of value a policy file is made of, and how a value that breaks a rule is said in both languages."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainSerializer, PlainValidator, StringConstraints
from pydantic_core import PydanticCustomError

from liuti.flow.calendar import Span
from liuti.flow.words import Urgency

T = TypeVar("T")


def broken(zh: str, en: str, *places: str | int) -> PydanticCustomError:
    """A broken rule in both languages; ``places``: where below the value it is broken."""
    return PydanticCustomError("rule", "{en}", {"zh": zh, "en": en, "places": places})


def _span(given: object) -> Span:
    if isinstance(given, Span):
        return given
    try:
        return Span.parse(given if isinstance(given, str) else repr(given))
    except ValueError as fault:
        zh = f"时长写作数字加单位,且大于零:wd 工作日、oh 工作小时、h 小时、d 自然日,如 5wd,不是 {given!r}"
        raise broken(zh, str(fault)) from None


def _once(given: tuple[T, ...]) -> tuple[T, ...]:
    for place, one in enumerate(given):
        if one in given[:place]:
            raise broken(f"{one!r} 重复", f"{one!r} stands here twice", place)
    return given


def odd(given: int) -> int:
    if given < 3 or given % 2 == 0:
        raise broken("选题会人数须为奇数且不少于三人", "a panel is odd and has at least 3 members")
    return given


def three_posts(given: tuple[str, ...]) -> tuple[str, ...]:
    if len(given) != 3 or len(set(given)) != 3:
        raise broken("三道把关须为三个不同的岗位", "the gates are three posts, each another")
    return given


def known_zone(given: str) -> str:
    try:
        return ZoneInfo(given).key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise broken(f"没有时区 {given}", f"there is no time zone {given}") from None


def holding(*codes: str) -> AfterValidator:
    def check(given: Mapping[str, T]) -> Mapping[str, T]:
        if lacking := [code for code in codes if code not in given]:
            names = ", ".join(lacking)
            raise broken(f"缺少规则所用的代码 {names}", f"lacks a code the rules speak of: {names}")
        return MappingProxyType(given)

    return AfterValidator(check)


Length = Annotated[Span, PlainValidator(_span), PlainSerializer(str)]
Word = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Words = Annotated[tuple[Word, ...], AfterValidator(_once)]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Weight = Annotated[float, Field(ge=0, le=100)]
AnyUrgency = Annotated[Urgency, Field(strict=False)]
Code = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
