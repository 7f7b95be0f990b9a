"""Reply templates: short texts a district writes for its officers, in a file of their own, with blanks to be filled in."""

from __future__ import annotations

import string
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationError

from liuti.policy_types import Section, Word, broken

KNOWN = frozenset({"what", "where", "sent", "unit", "today"})
BLANK = "____"
"""What the officer fills in."""


class RepliesUnfit(ValueError):  # noqa: N818 - an answer to the operator, not a fault of the program
    """The file of reply templates cannot be used; it says which template and why, in both languages."""


def _names_what_is_known(text: str) -> str:
    try:
        named = {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}
    except ValueError:
        raise broken("花括号须成对", "braces come in pairs") from None
    if strange := sorted(named - KNOWN):
        names = ", ".join("{" + one + "}" for one in strange)
        raise broken(f"不认识的占位符 {names}", f"unknown placeholder {names}")
    return text


Text = Annotated[Word, Field(max_length=2000), AfterValidator(_names_what_is_known)]


class Reply(Section):
    """One template. `word` is the outcome it goes with, empty for any."""

    word: Literal["", "solved", "partly", "explained"]
    zh: Word
    en: Word
    text_zh: Text
    text_en: Text

    def filled(self, *, english: bool, words: Mapping[str, str]) -> str:
        """The text with what is known of the issue; a name nothing is known for stays a blank."""
        text = self.text_en if english else self.text_zh
        return text.format_map({name: words.get(name) or BLANK for name in KNOWN})


class _Sheet(Section):
    reply: tuple[Reply, ...] = Field(max_length=100)


def load(text: str) -> tuple[Reply, ...]:
    """The templates of a file, in its order; RepliesUnfit with every fault."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as fault:
        raise RepliesUnfit(f"答复模板不是合法的 TOML 文件 / the reply templates are not valid TOML: {fault}") from None
    listed = table.get("reply", [])
    try:
        return _Sheet.model_validate(table | {"reply": tuple(listed) if isinstance(listed, list) else listed}).reply
    except ValidationError as error:
        raise RepliesUnfit("\n".join(_said(fault) for fault in error.errors(include_url=False))) from None


def _said(fault: Mapping[str, object]) -> str:
    place = fault["loc"]
    number = place[1] + 1 if isinstance(place, tuple) and len(place) > 1 and isinstance(place[1], int) else 0
    key = place[-1] if isinstance(place, tuple) and place else ""
    words = fault.get("ctx")
    zh = words.get("zh", fault["msg"]) if isinstance(words, Mapping) else fault["msg"]
    en = words.get("en", fault["msg"]) if isinstance(words, Mapping) else fault["msg"]
    return f"答复模板第 {number} 条 {key}:{zh} / reply {number}, {key}: {en}"


@cache
def default() -> tuple[Reply, ...]:
    """The templates shipped with the package."""
    return load(files("liuti").joinpath("replies.toml").read_text("utf-8"))
