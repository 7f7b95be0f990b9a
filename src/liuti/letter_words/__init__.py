"""The words of the letters to citizens, one file a language: a subject, a text for mail, a shorter one for SMS."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any, Literal

Language = Literal["zh", "en"]
LANGUAGES: tuple[Language, ...] = ("zh", "en")
ANY = "any"
"""The words for an event that has none of its own."""
SHORT = 100
"""Characters of what officials wrote that fit into an SMS; the whole of it stands in the mail."""
_FIELD = re.compile(r"\{([a-z_]+)(\??)\}")
_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
_WRITTEN = ("reason", "reply", "missing")
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Spoken:
    """A letter in one language; `event` is whose words these are, `subject` one line."""

    event: str
    language: Language
    subject: str
    text: str
    sms: str


def events(language: Language = "zh") -> tuple[str, ...]:
    """Every event that has words of its own."""
    return tuple(name for name in _words(language) if name not in ("frame", ANY))


def speak(event: str, language: Language, words: Mapping[str, Any]) -> Spoken:
    """The letter about `event`; a line that names a field which `words` does not have is left out.

    Fields ending in `_zh` or `_en` are read in the letter's language, times (ISO 8601) as people say them. What the
    fields hold is never read as a template, and brings no control characters into a letter.
    """
    book = _words(language)
    own, frame = book.get(event, book[ANY]), book["frame"]
    given = {name: _clean(value) for name, value in words.items() if value not in (None, "")}
    given |= {name[:-3]: value for name, value in given.items() if name.endswith("_" + language)}
    for name in ("due", "until"):
        if name in given:
            given[name] = _moment(given[name], language)
    brief = given | {name: _cut(given[name]) for name in _WRITTEN if name in given}
    text = "\n\n".join(_filled(part, given) for part in (frame["opening"], own["text"], frame["closing"]))
    sms = _filled(own.get("sms", own["text"]), brief, frame["joint"])
    subject = " ".join(_filled(own["subject"], given, " ").split())
    return Spoken(event if event in book else ANY, language, subject, text + "\n", " ".join(sms.split()))


@cache
def _words(language: Language) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = tomllib.loads((files(__package__) / f"{language}.toml").read_text("utf-8"))
    return found


def _filled(template: str, given: Mapping[str, str], joint: str = "\n") -> str:
    """`{name}` is the field, `{name?}` says only that the line needs it."""
    lines = [line for line in template.strip().splitlines() if all(n in given for n, _ in _FIELD.findall(line))]
    return joint.join(_FIELD.sub(lambda found: "" if found[2] else given[found[1]], line) for line in lines)


def _clean(value: Any) -> str:
    return _UNSEEN.sub(" ", str(value).replace("\r\n", "\n")).strip()


def _cut(words: str) -> str:
    words = " ".join(words.split()).rstrip("。.；;")  # the template sets its own stop
    return words if len(words) <= SHORT else words[: SHORT - 1] + "…"


def _moment(text: str, language: Language) -> str:
    at = datetime.fromisoformat(text)
    if language == "zh":
        return f"{at.year}年{at.month}月{at.day}日 {at:%H:%M}"
    return f"{at.day} {_MONTHS[at.month - 1]} {at.year}, {at:%H:%M}"
