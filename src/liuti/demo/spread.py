"""How the 200 issues are spread over stories, matters, places and people, and when each turn is played."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from liuti.demo import direct_stories as direct
from liuti.demo import topic_stories as topic
from liuti.demo.district import UNIT, District
from liuti.demo.script import BASIC, Matter, Plot, Story, matters
from liuti.demo.turns import Turn
from liuti.flow.calendar import Calendar, Span
from liuti.flow.words import Role

DIRECT, TOPIC, ANY = ("direct",), ("topic",), ("direct", "topic", "urgent")
CONSULT, PRAISE, TIP_OFF = ("consult",), ("praise",), ("tip_off",)
# Results of these kinds of matter pass by themselves, for the most part: no story about an inspector.
BY_ITSELF = frozenset({"lighting", "sanitation", "greening", "consultation"})


@dataclass(frozen=True, slots=True)
class Part:
    """So many stories of one kind; `idle` is how long (least, most) nobody has touched the issue since its last turn."""

    times: int
    story: Story
    idle: tuple[str, str]
    lanes: tuple[str, ...] = DIRECT
    kinds: tuple[str, ...] = ("help", "complaint", "suggestion")
    basic: bool = False
    """Also about water, power, gas and heat, whose clocks run in hours."""
    looked_at: bool = False
    """Only matters whose result an inspector verifies."""


SOON, DAYS, WEEKS = ("0.2oh", "4oh"), ("3oh", "16oh"), ("30oh", "180oh")
PARTS = (
    # propose: 14 with the one of merge_undone
    Part(9, direct.just_in, ("0.3h", "9h"), ANY, ("help", "complaint", "suggestion", "consult", "praise")),
    Part(3, direct.just_in, ("30h", "70h"), ("direct", "topic")),
    Part(1, direct.facts_supplied, ("0.3oh", "3oh")),
    # supplement: 8
    Part(8, direct.asked_for_facts, ("2oh", "30oh")),
    # select: 22 with the leading one of merged_topic
    Part(10, topic.pooled, ("4oh", "50oh"), TOPIC),
    Part(4, topic.voting, ("2oh", "20oh"), TOPIC),
    Part(2, topic.at_the_gates, DAYS, TOPIC),
    Part(2, topic.in_reserve, ("10oh", "60oh"), TOPIC),
    Part(2, topic.pooled, ("100oh", "140oh"), TOPIC),
    Part(1, topic.recalled, DAYS, TOPIC),
    Part(1, topic.merged_topic, DAYS, TOPIC),
    # claim: 12
    Part(8, topic.on_the_board, ("1oh", "15oh"), TOPIC),
    Part(3, topic.on_the_board, ("34oh", "70oh"), TOPIC),
    Part(1, topic.stepped_aside, SOON, TOPIC),
    # solve: 50 with the other one of merge_undone and the leading one of merged_and_claimed
    Part(2, topic.claimed, ("2oh", "16oh"), TOPIC),
    Part(1, topic.claimed, ("40oh", "60oh"), TOPIC),
    Part(2, topic.planned, ("0.1oh", "0.5oh"), TOPIC),
    Part(1, topic.planned, ("5oh", "12oh"), TOPIC),
    Part(4, topic.working, ("5oh", "60oh"), TOPIC),
    Part(2, topic.working_together, ("5oh", "60oh"), TOPIC),
    Part(1, topic.extension_asked, SOON, TOPIC),
    Part(2, topic.extended, ("5oh", "60oh"), TOPIC),
    Part(1, topic.check_failed, DAYS, TOPIC),
    Part(2, topic.brought_back, ("1oh", "7oh"), TOPIC),
    Part(1, topic.escalated, ("1oh", "10oh"), TOPIC),
    Part(2, topic.designated, ("1oh", "15oh"), TOPIC),
    Part(1, topic.merged_and_claimed, DAYS, TOPIC),
    Part(1, topic.merge_undone, ("0.5h", "3h")),
    Part(4, direct.dispatched, ("0.1oh", "0.7oh")),
    Part(6, direct.at_work, ("1oh", "20oh")),
    Part(3, direct.at_work, ("60oh", "90oh")),
    Part(1, direct.at_work, ("30h", "60h"), basic=True),
    Part(2, direct.ordered, DAYS),
    Part(1, direct.sent_back, ("0.3oh", "5oh")),
    Part(2, direct.sent_back_upheld, SOON),
    Part(1, direct.sent_back_denied, SOON),
    Part(1, direct.extended_direct, ("2oh", "10oh")),
    Part(1, topic.diverted, ("2oh", "20oh"), TOPIC),
    Part(1, direct.made_urgent, ("0.1h", "0.6h")),
    Part(1, direct.urged_by_the_person, SOON),
    Part(1, direct.reopened, DAYS),
    Part(1, direct.appeal_upheld, DAYS),
    Part(1, direct.at_work, SOON, DIRECT, TIP_OFF),
    # supervise: 14
    Part(7, direct.handed_in, ("0.5oh", "15oh"), basic=True, looked_at=True),
    Part(4, topic.finished, ("0.5oh", "15oh"), TOPIC),
    Part(2, topic.finished, ("40oh", "60oh"), TOPIC),
    Part(1, direct.handed_in, SOON, DIRECT, TIP_OFF),
    # evaluate: 18
    Part(9, direct.verified, ("1oh", "16oh"), basic=True),
    Part(4, topic.to_be_rated, ("1oh", "16oh"), TOPIC),
    Part(2, topic.many_voices_rated, DAYS, TOPIC),
    Part(3, direct.verified, ("40oh", "60oh")),
    # suspended: 4
    Part(4, topic.suspended, ("10oh", "150oh"), TOPIC),
    # closed: 34
    Part(11, direct.solved, WEEKS, basic=True),
    Part(1, direct.solved, WEEKS, DIRECT, TIP_OFF),
    Part(4, direct.solved, WEEKS, DIRECT, CONSULT),
    Part(2, direct.solved, WEEKS, DIRECT, PRAISE),
    Part(3, direct.solved, WEEKS, ("urgent",)),
    Part(3, topic.solved_topic, WEEKS, TOPIC),
    Part(1, topic.done_again, WEEKS, TOPIC),
    Part(1, topic.last_round, WEEKS, TOPIC),
    Part(1, topic.partly, WEEKS, TOPIC),
    Part(1, direct.said_explained, WEEKS),
    Part(2, topic.explained, WEEKS, TOPIC),
    Part(1, direct.terminated, WEEKS),
    Part(1, direct.called_back, WEEKS),
    Part(1, direct.verified, ("17d", "25d")),
    Part(1, direct.excluded, WEEKS),
    # rejected: 9
    Part(5, direct.refused, WEEKS),
    Part(1, direct.refused_by_two, WEEKS),
    Part(2, direct.asked_for_facts, ("60oh", "150oh")),
    Part(1, direct.refusal_appealed, DAYS),
    # withdrawn: 6; merged: 9, from merged_topic and merged_and_claimed
    Part(4, direct.withdrawn, WEEKS),
    Part(2, direct.withdrawn, WEEKS, TOPIC),
)


@dataclass(frozen=True, slots=True)
class Scene:
    """One turn of one story at its moment."""

    at: datetime
    story: int
    turn: Turn


def scenes(district: District, calendar: Calendar, notice: str, now: datetime, seed: int = 6) -> list[Scene]:
    """Every turn of every story in the order of time; the last one of each lies before `now`. The same seed and now
    tell the same stories."""
    chance = random.Random(seed)  # noqa: S311 - it draws a play, it guards nothing
    found: list[Scene] = []
    for number, (part, plot) in enumerate(_plots(district, notice, chance)):
        turns = part.story(plot)
        found += [
            Scene(at, number, turn) for at, turn in zip(_times(calendar, plot, turns, part, now), turns, strict=True)
        ]
    return sorted(found, key=lambda scene: (scene.at, scene.story))


def _plots(district: District, notice: str, chance: random.Random) -> Iterator[tuple[Part, Plot]]:
    # Leaders take turns, so that nobody reaches the cap; the last of each level claims nothing and is free to.
    leaders = [p.id for p in district.of(Role.LEADER) if p.id not in IDLE_LEADERS]
    communities, number, taken = district.communities, 0, 0
    for part in PARTS:
        fitting = [m for m in matters() if _fits(part, m)]
        chance.shuffle(fitting)
        for turn in range(part.times):
            matter = fitting[(turn + number) % len(fitting)]
            taken += matter.lane == "topic"
            number += 1
            tip_off = matter.kind == "tip_off"
            yield part, Plot(
                number, chance, district, notice, matter, communities[(number * 17) % len(communities)], UNIT[matter.unit],
                leaders[taken % len(leaders)], f"intake{chance.randint(1, 3)}",
                "inspector4" if tip_off else f"inspector{chance.randint(1, 3)}",
            )  # fmt: skip


IDLE_LEADERS = frozenset({"leader6", "town4b", "deputy12"})


def _fits(part: Part, matter: Matter) -> bool:
    if matter.lane not in part.lanes or matter.kind not in part.kinds:
        return False
    if part.looked_at and matter.category in BY_ITSELF:
        return False
    return matter.lane != "direct" or part.basic or matter.category not in BASIC


# -- when ----------------------------------------------------------------------------------------------------------


def _times(calendar: Calendar, plot: Plot, turns: list[Turn], part: Part, now: datetime) -> list[datetime]:
    """The story is moved back until its last turn, and the quiet after it, lie before now."""
    draws = [plot.chance.random() for _ in turns]
    idle = _between(*part.idle, plot.chance.random())
    start = now
    while True:
        start = _at_a_fair_hour(calendar, plot, start)
        at, times = start, []
        for turn, draw in zip(turns, draws, strict=True):
            at = _after(calendar, at, turn.after, draw)
            times.append(at)
        over = _after(calendar, at, idle, 2 / 3) - now
        if over <= timedelta():
            return times
        # Small steps: past a night or a holiday, one as large as the excess would go back too far.
        start -= max(over / (8 if over > timedelta(days=3) else 40), timedelta(minutes=5))


def _between(least: str, most: str, draw: float) -> str:
    low, high = Span.parse(least), Span.parse(most)
    return str(Span(round(low.n + (high.n - low.n) * draw, 0 if low.unit == "d" else 2), low.unit))


def _after(calendar: Calendar, at: datetime, span: str, draw: float) -> datetime:
    """People are not machines: 80 to 110 % of the time, and for days any hour of the office's last day."""
    if not span:
        return at
    length = Span.parse(span)
    if length.unit == "wd":
        return calendar.due(at, length).at - timedelta(hours=0.3 + 7.5 * draw)
    if length.unit == "d":
        return at + timedelta(days=length.n, hours=draw)
    return calendar.due(at, Span(length.n * (0.8 + 0.3 * draw), length.unit)).at


def _at_a_fair_hour(calendar: Calendar, plot: Plot, at: datetime) -> datetime:
    """Nobody writes at night; a question that is to be answered the same day comes on a working morning."""
    hours = range(9, 11) if plot.pace == "today" else range(7, 21)
    while True:
        local = at.astimezone(calendar.zone)
        if local.hour in hours and (plot.pace != "today" or calendar.working(local.date())):
            return at
        # By uneven strides, lest everybody who is kept from the night writes at the same hour of the evening.
        at -= timedelta(minutes=23 + plot.number * 7 % 90)
