"""The report of a ranking: one page that works offline, with the score, the reasons and the messages of each matter."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

from jinja2 import Environment

from liuti.rank.factors import CRITERIA, ORIGIN_ZH
from liuti.rank.panel import Place
from liuti.rank.score import Score
from liuti.rank.words import CRITERION_NAMES, FACTOR_ZH
from liuti.store.household import hide_phones
from liuti.templating import templates

PIECES = Path(__file__).parent / "report_pieces"
MONTHS = 24
"""Months of growth that are drawn, up to the moment of the score; what came before is told as a number."""
AREAS = 6
"""Communities with a bar of their own; the others share one."""
FEW = 3
"""Messages before one of them can be the most typical."""
MESSAGES = 60
"""Messages of a matter that are printed: the earliest and the latest, half and half, when there are more."""
LETTERS = 1_200
"""Characters of a message that are printed."""


@dataclass(frozen=True, slots=True)
class Message:
    """What one person wrote. `at`: when, if known; `near`: how like its topic's centre it is, 0 to 1."""

    id: str
    title: str
    text: str
    at: datetime | None = None
    near: float | None = None


@dataclass(frozen=True, slots=True)
class Behind:
    """Who and what stands behind a matter: how many voices, messages by area, and the messages themselves if wanted."""

    size: int
    category: str = ""
    areas: Sequence[tuple[str, int]] = ()
    messages: Sequence[Message] = ()


@dataclass(frozen=True, slots=True)
class Matter:
    """One line of the list. `firm`: the share of small changes of the weights under which it keeps its slot, None
    without one."""

    place: Place
    score: Score
    behind: Behind
    firm: float | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """The top of a ranking and what it was chosen from. `largest`: what is not in it, though many raised it;
    `by_area`: in Chinese and English, what an area is here."""

    source: str
    as_of: datetime
    zone: str
    policy: int
    formula: int
    slots: int
    voices: int
    topics: int
    recommendable: int
    matters: Sequence[Matter]
    largest: Sequence[Matter] = ()
    by_area: tuple[str, str] = ("按社区", "by community")
    notes: Sequence[tuple[str, str]] = ()


class Bar(NamedTuple):
    """A bar of a chart: what it stands for, how many, and its length from 0 to 100."""

    name: str
    n: int
    length: float


class Growth(NamedTuple):
    bars: tuple[Bar, ...]
    before: int
    peak: Bar


class Card(NamedTuple):
    """A matter on the page: where it stands in it, what is written on its badge, and its charts."""

    anchor: str
    badge: str
    matter: Matter
    growth: Growth
    areas: tuple[Bar, ...]
    printed: Printed
    typical: str


class Printed(NamedTuple):
    messages: tuple[Message, ...]
    left_out: int


def html(report: Report) -> str:
    """The whole page. No word of a message can be more than text in it, and it asks for nothing from outside."""
    script = (PIECES / "unfold.js").read_text("utf-8")
    zone = ZoneInfo(report.zone)
    months = _months(report, zone)

    def most(of: Sequence[Matter]) -> int:
        return max((n for one in of for n in _counted(one, zone, months).values()), default=0)

    def card(at: int, one: Matter, badge: str, most: int) -> Card:
        behind, grown = one.behind, _growth(one, zone, months, most)
        return Card(f"m{at}", badge, one, grown, _areas(behind.areas), _printed(behind.messages), _typical(one))

    tops = most(report.matters), most(report.largest)
    listed = [card(at, one, str(at), tops[0]) for at, one in enumerate(report.matters, 1)]
    largest = [
        card(at, one, str(one.place.by_total or "–"), tops[1]) for at, one in enumerate(report.largest, len(listed) + 1)
    ]
    return _pieces().get_template("page.html").render(
        report=report, listed=listed, largest=largest, drawn=list(zip((_several(listed), _several(largest)), tops, strict=True)),
        local=lambda at: at.astimezone(zone), months=months, names=CRITERION_NAMES, criteria=CRITERIA,
        factor_zh=FACTOR_ZH, origin_zh=ORIGIN_ZH, full=_full(report.matters),
        style=(PIECES / "report.css").read_text("utf-8"), script=script,
        script_digest=base64.b64encode(sha256(script.encode()).digest()).decode(),
    )  # fmt: skip


def _several(cards: Sequence[Card]) -> list[Card]:
    return [one for one in cards if len(one.matter.behind.messages) > 1]


def write(report: Report, path: Path) -> None:
    """The page as a file only its owner can read: it holds what people wrote. All of it or, if broken off, none."""
    rough = path.with_name(path.name + ".part")
    rough.unlink(missing_ok=True)
    rough.touch(mode=0o600)
    rough.write_text(html(report), "utf-8")
    rough.replace(path)


@cache
def _pieces() -> Environment:
    made = templates(PIECES)
    made.filters |= {"short": _short, "plain": _plain, "figure": _figure}
    return made


def _plain(text: str) -> str:
    """Phone numbers masked, blank lines and the signs that turn a line around left out."""
    calm = re.sub(r"[\u202a-\u202e\u2066-\u2069\x00-\x08\x0b-\x1f]", "", hide_phones(text))
    return re.sub(r"\s*\n\s*", "\n", calm).strip()


def _short(text: str) -> str:
    return text if len(text) <= LETTERS else text[:LETTERS].rstrip() + "…"


def _figure(value: float) -> str:
    return f"{value:.1f}"


def _full(matters: Sequence[Matter]) -> Mapping[str, float]:
    """The most each criterion can give, by the weights the scores were made with."""
    if not matters:
        return dict.fromkeys(CRITERIA, 0.0)
    weight = {one.name: one.weight for one in matters[0].score.factors}
    return {name: sum(weight[one] for one in of) for name, of in CRITERIA.items()}


# --- growth ----------------------------------------------------------------------------------------------------------


def _month(at: datetime, zone: ZoneInfo) -> str:
    return f"{at.astimezone(zone):%Y-%m}"


def _months(report: Report, zone: ZoneInfo) -> tuple[str, ...]:
    """The months all charts share: to the moment of the score, from the first message or MONTHS ago."""
    moments = [
        message.at
        for one in (*report.matters, *report.largest)
        for message in one.behind.messages
        if message.at is not None
    ]
    if not moments:
        return ()
    first, last = _month(min(moments), zone), _month(report.as_of, zone)
    run, at = [last], report.as_of.astimezone(zone).replace(day=1)
    while len(run) < MONTHS and run[-1] > first:
        at = (at - timedelta(days=1)).replace(day=1)
        run.append(f"{at:%Y-%m}")
    return tuple(reversed(run))


def _counted(matter: Matter, zone: ZoneInfo, months: Sequence[str]) -> dict[str, int]:
    counts = dict.fromkeys(months, 0)
    for message in matter.behind.messages:
        if message.at is not None and (month := _month(message.at, zone)) in counts:
            counts[month] += 1
    return counts


def _growth(matter: Matter, zone: ZoneInfo, months: Sequence[str], most: int) -> Growth:
    counts = _counted(matter, zone, months)
    bars = tuple(Bar(month, n, 100 * n / max(most, 1)) for month, n in counts.items())
    first = months[0] if months else ""
    before = sum(1 for one in matter.behind.messages if one.at is not None and _month(one.at, zone) < first)
    return Growth(bars, before, max(bars, key=lambda bar: bar.n, default=Bar("", 0, 0.0)))


# --- areas and messages ----------------------------------------------------------------------------------------------


def _areas(found: Iterable[tuple[str, int]]) -> tuple[Bar, ...]:
    order = sorted(found, key=lambda one: (-one[1], one[0]))
    shown, others = order[:AREAS], order[AREAS:]
    if len(others) == 1:
        shown, others = order, []
    if others:
        shown = [*shown, (f"其余 {len(others)} 处 others", sum(n for _, n in others))]
    most = max((n for _, n in shown), default=1)
    return tuple(Bar(name, n, 100 * n / most) for name, n in shown)


def _typical(matter: Matter) -> str:
    """The title of the message most like all of them, where it is not the matter's: the earliest may be a side issue."""
    known = [(one.near, one.title) for one in matter.behind.messages if one.near is not None and one.title]
    title = max(known, key=lambda one: one[0])[1] if len(known) >= FEW else ""
    return title if title != matter.score.title else ""


def _printed(messages: Sequence[Message]) -> Printed:
    """By time; of many the two ends, so that the first word and the latest news are both there."""
    order = sorted(messages, key=lambda one: (one.at is None, one.at.timestamp() if one.at else 0.0, one.id))
    if len(order) <= MESSAGES:
        return Printed(tuple(order), 0)
    half = MESSAGES // 2
    return Printed((*order[:half], *order[-half:]), len(order) - MESSAGES)
