"""Who acts in the simulated year, what each would do next and when; a wish is tried against what the flow offers."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from liuti.demo.district import UNIT, District, Place
from liuti.demo.script import LONG, SINCE, TAILS, Matter, matters
from liuti.flow.calendar import Span
from liuti.flow.clocks import World
from liuti.flow.issue import Issue
from liuti.flow.kernel import Actor
from liuti.flow.words import Role, Step
from liuti.store.act import Receipt
from liuti.store.ids import uuid7
from simulate.numbers import ANSWERED, CARES, CHANCES, HEAD, HOURS, MONTHS, PACES, REST_DAY, WEEKDAYS, Lognormal

SPOTS = ("东门", "北门", "3栋楼下", "小广场旁", "公交站边", "菜市场口")
CITIZEN = frozenset({Role.CITIZEN})


@dataclass(slots=True)
class Life:
    """One matter: what it is about, and who has spoken for it."""

    number: int
    chance: random.Random
    matter: Matter
    place: Place
    unit: str
    issue: str = ""
    step: Step | None = None
    proposer: str = ""
    last: datetime | None = None
    """When it was last moved: nobody acts before that."""
    turn: int = 0
    """How often the work has begun: what was planned for an earlier turn is dropped."""
    complex: bool = False
    ends: datetime | None = None
    """When the unit means to be ready."""


@dataclass(frozen=True, slots=True)
class Act:
    """One move somebody would make now."""

    actor: Actor
    move: str
    form: dict[str, Any] = field(default_factory=dict)
    of: str = ""
    """For an answer: the request's move."""


@dataclass(order=True, slots=True)
class Wish:
    at: datetime
    order: int
    life: Life = field(compare=False)
    name: str = field(compare=False)
    given: dict[str, Any] = field(compare=False, default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scene:
    """What somebody sees who is about to act."""

    town: Town
    life: Life
    issue: Issue
    at: datetime
    given: dict[str, Any]
    voices: list[tuple[str, str]]
    """Id and first issue of each voice; only for who asked for them."""


Thinking = Callable[[Scene], Act | None]
Reacting = Callable[["Town", Life, Act, Receipt, datetime], None]
WISHES: dict[str, Thinking] = {}
AFTER: dict[str, Reacting] = {}
VOICES: set[str] = set()
ALONE: set[str] = set()


def wish(think: Thinking) -> Thinking:
    WISHES[think.__name__] = think
    return think


def after(*moves: str) -> Callable[[Reacting], Reacting]:
    """What follows in people's minds once that move was made (or, asked for, granted)."""

    def known(react: Reacting) -> Reacting:
        for move in moves:
            AFTER[move] = react
        return react

    return known


def _kind_of(matter: Matter) -> str:
    """By which chance it is drawn."""
    if matter.kind in ("tip_off", "praise", "consult"):
        return matter.kind
    return {"urgent": "danger", "topic": "topic"}.get(matter.lane, "direct")


class Town:
    """The district with its habits. The same seed wishes the same; what becomes of it is the flow's to say."""

    def __init__(self, district: District, world: World, seed: int) -> None:
        self.district, self.world, self.seed = district, world, seed
        self.chance = random.Random(seed)
        self.queue: list[Wish] = []
        self.order = 0
        self.lives: dict[str, Life] = {}
        units = sorted(UNIT.values())
        self.pace = {unit: self.chance.choice(PACES) for unit in units}
        self.care = {unit: self.chance.choice(CARES) for unit in units}
        self.leaders = [p.id for p in district.of(Role.LEADER)]
        self.recent: dict[tuple[str, str, str], str] = {}
        """The last matter of a kind at a place: what a newer one may be merged into."""
        self.by_kind: dict[str, list[Matter]] = {}
        for matter in matters():
            self.by_kind.setdefault(_kind_of(matter), []).append(matter)

    # -- time ------------------------------------------------------------------------------------------------------

    def office(self, at: datetime, hours: float) -> datetime:
        """That much office time later."""
        return self.world.calendar.due(at, Span(round(max(hours, 0.01), 3), "oh")).at

    def day(self, at: datetime) -> str:
        return at.astimezone(self.world.calendar.zone).date().isoformat()

    # -- wishes ----------------------------------------------------------------------------------------------------

    def want(self, life: Life, at: datetime, name: str, **given: Any) -> None:
        self.order += 1
        heapq.heappush(self.queue, Wish(at.replace(microsecond=0), self.order, life, name, given))

    def soon(self, life: Life, at: datetime, name: str, takes: Lognormal, pace: float = 1.0, **given: Any) -> None:
        """After so much office time."""
        self.want(life, self.office(at, takes.draw(life.chance, pace)), name, **given)

    def later(self, life: Life, at: datetime, name: str, takes: Lognormal, **given: Any) -> None:
        """After so much time on the wall."""
        self.want(life, at + timedelta(hours=takes.draw(life.chance)), name, **given)

    def until(self, moment: datetime) -> list[Wish]:
        """What is wished up to that moment, in the order of time."""
        found = []
        while self.queue and self.queue[0].at <= moment:
            found.append(heapq.heappop(self.queue))
        return found

    def again(self, one: Wish, at: datetime) -> None:
        """The same wish a little later: time has to act first."""
        self.want(one.life, at, one.name, **one.given)

    # -- people ----------------------------------------------------------------------------------------------------

    def person(self, name: str) -> Actor:
        return self.district.people[name].actor

    def officer(self, life: Life, unit: str = "") -> Actor:
        return self.person(f"officer{(unit or life.unit).removeprefix('u-')}{life.chance.choice('ab')}")

    def head(self, unit: str) -> Actor:
        return self.person(f"head{unit.removeprefix('u-')}")

    def intake(self, life: Life) -> Actor:
        return self.person("intake4" if life.matter.kind == "tip_off" else f"intake{life.chance.randint(1, 3)}")

    def inspector(self, life: Life) -> Actor:
        return self.person("inspector4" if life.matter.kind == "tip_off" else f"inspector{life.chance.randint(1, 3)}")

    def citizen(self, issue: Issue, origin: str = "") -> Actor:
        """The proposer, as the secret of the receipt proves."""
        return Actor(issue.proposer, CITIZEN, voice=issue.proposer, issue=issue.id, origin=origin or issue.id)

    def other_unit(self, life: Life) -> str:
        return life.chance.choice([unit for unit in self.pace if unit != life.unit])

    def photo(self, at: datetime) -> dict[str, Any]:
        return {"id": uuid7(at), "name": "完工照片.jpg", "media_type": "image/jpeg", "size": 10, "sha256": "0" * 64}

    # -- the year --------------------------------------------------------------------------------------------------

    def born(self, many: int, start: datetime, end: datetime) -> None:
        """So many matters, spread over the year as people write."""
        for number, at in enumerate(self._arrivals(many, start, end)):
            chance = random.Random(f"{self.seed}/{number}")
            kind = next(
                (k for k in ("tip_off", "praise", "consult", "danger", "topic") if self._is(chance, k)), "direct"
            )
            matter = chance.choice(self.by_kind[kind])
            place = chance.choice(self.district.communities)
            life = Life(number, chance, matter, place, UNIT[matter.unit])
            life.complex = kind == "direct" and self._is(chance, "complex")
            self.want(life, at, "submit")

    def _arrivals(self, many: int, start: datetime, end: datetime) -> list[datetime]:
        zone, calendar, found = self.world.calendar.zone, self.world.calendar, list[datetime]()
        most = max(HOURS) * max(WEEKDAYS) * max(MONTHS)
        while len(found) < many:
            at = start + (end - start) * self.chance.random()
            local = at.astimezone(zone)
            worked = calendar.working(local.date())
            # A make-up workday on a Sunday is a day like Monday, a holiday on a Monday is not.
            day = WEEKDAYS[local.weekday() if local.weekday() < 5 or not worked else 0]
            weight = HOURS[local.hour] * day * MONTHS[local.month - 1]
            weight *= REST_DAY if local.weekday() < 5 and not worked else 1.0
            if self.chance.random() * most < weight:
                found.append(at)
        return sorted(found)

    def _is(self, chance: random.Random, what: str) -> bool:
        return chance.random() < CHANCES[what]

    def made(self, life: Life, act: Act, receipt: Receipt, at: datetime) -> None:
        """The move is a fact: what do people do now?"""
        if act.move == "submit":
            life.issue, life.proposer = receipt.issue, receipt.voice
            self.lives[receipt.issue] = life
        life.last, before, life.step = at, life.step, receipt.step
        if receipt.awaits:
            self.soon(life, at, "answer", ANSWERED.get(receipt.awaits, HEAD), of=act.of or act.move)
        else:
            name = f"{act.of}.denied" if act.move == "deny" else act.of or act.move
            if react := AFTER.get(name):
                react(self, life, act, receipt, at)
        if receipt.step != before and (react := AFTER.get(f"at.{receipt.step.value}")):
            react(self, life, act, receipt, at)


def happens(scene: Scene, what: str) -> bool:
    return scene.life.chance.random() < CHANCES[what]


def chance_of(life: Life, what: str) -> bool:
    return life.chance.random() < CHANCES[what]


def submission(scene: Scene) -> tuple[Actor, dict[str, Any]]:
    """By the web page mostly; else through the hotline, at the counter, or entered by a grid worker."""
    life, town, chance = scene.life, scene.town, scene.life.chance
    matter = life.matter
    given = {"c": life.place.name, "s": chance.choice(SINCE), "d": chance.choice(LONG)}
    form: dict[str, Any] = {
        "kind": matter.kind, "title": matter.title.format(**given), "category": matter.category,
        "text": matter.text.format(**given) + chance.choice(TAILS.get(matter.kind, ("",))),
        "place": life.place.name + chance.choice(SPOTS), "grid": f"{life.place.id}-{chance.randint(1, 3)}",
        "contact": contact(life, 0), "notice_version": town.world.policy.notice.version,
        "wants_contact": not chance_of(life, "no_contact"),
    }  # fmt: skip
    draw = chance.random()
    for way, form_more in _ways(life):
        if draw < CHANCES[way] and matter.kind != "tip_off":
            who = {"hotline": "intake1", "counter": "intake2", "grid_worker": f"grid{life.number % 12 + 1}"}[way]
            return town.person(who), form | form_more
        draw -= CHANCES[way]
    return Actor("", CITIZEN), form


def _ways(life: Life) -> Iterator[tuple[str, dict[str, Any]]]:
    behalf = {"on_behalf": True, "consent": True}
    yield "hotline", {"source": "12345", "external_id": f"sim-{life.number:05}"}
    yield "counter", {"source": "counter"} | behalf
    yield "grid_worker", behalf


def contact(life: Life, who: int) -> dict[str, str]:
    """A made-up resident: a number no telephone has, and a door in the community."""
    number = life.number * 40 + who
    door = f"{life.place.name}{number % 17 + 1}栋{number % 3 + 1}单元{number % 6 + 1}0{number % 4 + 1}"
    return {"name": f"示范居民{number:06}", "phone": f"100{number:08}", "address": door}
