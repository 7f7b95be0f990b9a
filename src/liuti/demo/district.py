"""A district of the usual size that does not exist: its units, places, people, firms and projects, named by their posts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from liuti.flow.kernel import Actor
from liuti.flow.words import Role
from liuti.store import people
from liuti.store.links import add_link

if TYPE_CHECKING:
    from sqlalchemy import Connection

ONES = "零一二三四五六七八九"
COMMUNITIES, PAIRED, FIRMS, PROJECTS, TEAMS = 50, 26, 57, 39, 5
TOWNS = ("东湾", "南桥", "西岭", "北川")

# Short name, then the name that people read; each has a head, two officers and a supervising leader.
DEPARTMENTS = {
    "urban": "城市管理局", "housing": "住房和建设局", "transport": "交通运输局", "water_office": "水务局",
    "environment": "生态环境分局", "education": "教育局", "health": "卫生健康局", "civil": "民政局",
    "labour": "人力资源和社会保障局", "market": "市场监督管理局", "traffic": "交警大队", "emergency": "应急管理局",
    "permits": "行政审批局", "heat": "供热服务中心", "water": "供水服务中心", "power": "供电服务中心",
    "gas": "燃气服务中心", "greening": "园林绿化中心", "sanitation": "环境卫生中心", "bus": "公共交通中心",
    "property": "房产服务中心", "enforcement": "综合执法大队", "land": "自然资源分局", "farm": "农业农村局",
    "culture": "文化体育旅游局", "economy": "经济发展局", "invest": "招商服务局", "finance": "财政局",
    "veterans": "退役军人事务局", "insurance": "医疗保障局",
}  # fmt: skip
UNIT = {short: f"u-{number:02}" for number, short in enumerate(DEPARTMENTS, start=1)}
"""Id of a department by its short name."""
OFFICES = {
    "x-leaders": ("示范区管理委员会", "leadership"),
    "x-intake": ("示范区诉求受理中心", "intake"),
    "x-topics": ("示范区选题办公室", "selection"),
    "x-gates": ("示范区领导小组", "selection"),
    "x-inspect": ("示范区督查室", "inspection"),
    "x-calls": ("示范区回访中心", "callback"),
    "x-systems": ("示范区信息中心", "systems"),
}


def numeral(number: int) -> str:
    """1 → 一, 10 → 十, 26 → 二十六; below 100."""
    tens, ones = divmod(number, 10)
    return ("" if tens == 0 else ("" if tens == 1 else ONES[tens]) + "十") + (ONES[ones] if ones or not tens else "")


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with an account; `id` is the login too."""

    id: str
    name: str
    post: str
    roles: tuple[Role, ...]
    unit: str = ""
    level: str = ""
    grid: str = ""
    tip_offs: bool = False
    former_units: tuple[str, ...] = ()

    @property
    def actor(self) -> Actor:
        """As the flow sees them: the same as the store would read back."""
        return Actor(
            self.id, frozenset(self.roles), self.unit, self.level, self.post, self.name, self.tip_offs,
            frozenset(self.former_units),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Place:
    id: str
    name: str
    level: str
    parent: str
    population: int | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class District:
    """Who and what there is, before a single row is written."""

    people: dict[str, Person]
    places: tuple[Place, ...]
    supervisors: dict[str, str] = field(default_factory=dict)
    """Supervising leader of each department, by id."""

    def of(self, role: Role) -> list[Person]:
        return [person for person in self.people.values() if role in person.roles]

    @property
    def communities(self) -> list[Place]:
        return [place for place in self.places if place.level == "community"]


def draw(gates: Sequence[str]) -> District:
    """The whole district; `gates` are the posts that the policy names for the three signatures."""
    found = {person.id: person for person in _everybody(gates)}
    leaders = [p.id for p in found.values() if p.level == "district" and p.id != "principal"]
    supervisors = {unit: leaders[place % len(leaders)] for place, unit in enumerate(UNIT.values())}
    return District(found, tuple(_places()), supervisors)


def _everybody(gates: Sequence[str]) -> Iterator[Person]:
    yield Person("principal", "示范主任", "主要领导", (Role.PRINCIPAL,), "x-leaders", "district")
    yield from _leaders()
    yield from _offices(gates)
    for unit, name in zip(UNIT.values(), DEPARTMENTS.values(), strict=True):
        tail = unit.removeprefix("u-")
        yield Person(f"head{tail}", f"示范局长{numeral(int(tail))}", f"{name}负责人", (Role.UNIT_HEAD,), unit)
        for letter in "ab":
            told = f"示范承办人{numeral(int(tail))}{'甲' if letter == 'a' else '乙'}"
            yield Person(f"officer{tail}{letter}", told, f"{name}承办人", (Role.OFFICER,), unit)
    for team in range(1, TEAMS + 1):
        # One who came from a department may not inspect it again: the rule has somebody to bite.
        former = (f"u-{team:02}",)
        name = f"第{numeral(team)}督导组"
        yield Person(f"team{team}", f"示范督导组长{numeral(team)}", f"{name}组长", (Role.TEAM,), f"x-team{team}")
        yield Person(
            f"team{team}b", f"示范督导员{numeral(team)}", f"{name}成员", (Role.TEAM,), f"x-team{team}", former_units=former
        )  # fmt: skip
    for number in range(1, 13):
        grid = f"c{number * 4:02}-1"
        yield Person(f"grid{number}", f"示范网格员{numeral(number)}", "网格员", (Role.GRID_WORKER,), grid=grid)


def _leaders() -> Iterator[Person]:
    role = (Role.LEADER,)
    for number in range(1, 7):
        yield Person(
            f"leader{number}", f"示范副主任{numeral(number)}", f"副主任{numeral(number)}", role, "x-leaders", "district"
        )
    for place, town in enumerate(TOWNS, start=1):
        for letter, post in (("a", "书记"), ("b", "镇长")):
            yield Person(f"town{place}{letter}", f"示范{town}{post}", f"{town}镇{post}", role, f"x-town{place}", "town")
    for number in range(1, 13):
        unit = f"u-{number:02}"
        name = list(DEPARTMENTS.values())[number - 1]
        yield Person(f"deputy{number}", f"示范分管局长{numeral(number)}", f"{name}副局长", role, unit, "department")


def _offices(gates: Sequence[str]) -> Iterator[Person]:
    for number in range(1, 4):
        yield Person(f"intake{number}", f"示范受理员{numeral(number)}", "受理员", (Role.INTAKE,), "x-intake")
    yield Person("intake4", "示范受理员四", "举报受理专员", (Role.INTAKE,), "x-intake", tip_offs=True)
    for number in range(1, 3):
        yield Person(f"analyst{number}", f"示范选题员{numeral(number)}", "选题员", (Role.ANALYST,), "x-topics")
    for number in range(1, 6):
        yield Person(f"panel{number}", f"示范选题委员{numeral(number)}", "选题会成员", (Role.PANEL,), "x-topics")
    for number, post in enumerate(gates, start=1):
        yield Person(f"gate{number}", f"示范把关人{numeral(number)}", post, (Role.GATE,), "x-gates")
    for number in range(1, 4):
        yield Person(f"inspector{number}", f"示范督查员{numeral(number)}", "督查员", (Role.INSPECTOR,), "x-inspect")
    # A result on a tip-off is verified too, so one inspector is named for them.
    yield Person("inspector4", "示范督查员四", "举报督查专员", (Role.INSPECTOR,), "x-inspect", tip_offs=True)
    for number in range(1, 3):
        yield Person(f"caller{number}", f"示范回访员{numeral(number)}", "回访员", (Role.CALLER,), "x-calls")
    for role, name in ((Role.SYSADMIN, "系统"), (Role.SECADMIN, "安全"), (Role.AUDITADMIN, "审计")):
        yield Person(role.value, f"示范{name}管理员", f"{name}管理员", (role,), "x-systems")


def _places() -> Iterator[Place]:
    """District > 4 towns > 50 communities > 150 grids; people are counted in the grids."""
    yield Place("district", "示范区", "district", "", COMMUNITIES * 3 * 640)
    for number, name in enumerate(TOWNS, start=1):
        yield Place(f"town{number}", f"{name}镇", "town", "district")
    for number in range(1, COMMUNITIES + 1):
        town = f"town{(number - 1) * len(TOWNS) // COMMUNITIES + 1}"
        tags = tuple(
            tag for every, tag in ((5, "old_housing"), (7, "many_elderly"), (11, "near_park")) if number % every == 0
        )
        yield Place(f"c{number:02}", f"第{numeral(number)}社区", "community", town, 3 * 640, tags)
    for number in range(1, COMMUNITIES + 1):
        for part in range(1, 4):
            people_there = 540 + (number * 37 + part * 53) % 201
            yield Place(
                f"c{number:02}-{part}", f"第{numeral(number)}社区{part}号网格", "grid", f"c{number:02}", people_there
            )


def settle(conn: Connection, district: District, password_hash: str) -> None:
    """Write it down: units, places, people, pairings, firms, projects. Everybody has the one demo password."""
    for unit, name in zip(UNIT.values(), DEPARTMENTS.values(), strict=True):
        people.add_unit(conn, unit, f"示范区{name}", "department")
    for unit, (name, kind) in OFFICES.items():
        people.add_unit(conn, unit, name, kind)
    for number, town in enumerate(TOWNS, start=1):
        people.add_unit(conn, f"x-town{number}", f"示范区{town}镇", "town")
    for number in range(1, TEAMS + 1):
        people.add_unit(conn, f"x-team{number}", f"示范区第{numeral(number)}督导组", "team")
    for place in district.places:
        people.add_grid(conn, place.id, place.name, place.level, place.parent, place.population, place.tags)
    for one in district.people.values():
        people.add_person(
            conn, one.id, one.id, one.name, roles=one.roles, unit=one.unit, post=one.post, level=one.level, grid=one.grid,
            tip_offs=one.tip_offs, former_units=one.former_units, password_hash=password_hash,
        )  # fmt: skip
    for unit, leader in district.supervisors.items():
        people.supervise(conn, unit, leader)
    _tie(conn, district)


def _tie(conn: Connection, district: District) -> None:
    units = list(UNIT.values())
    for number, place in enumerate(district.communities[:PAIRED], start=1):
        unit = units[(number - 1) % len(units)]
        add_link(conn, f"pair-{number:02}", "pair", f"{place.name}结对共建", unit, place.id)
    serving = (UNIT["invest"], UNIT["economy"], UNIT["permits"])
    for number in range(1, FIRMS + 1):
        add_link(conn, f"firm-{number:02}", "firm", f"园区示范企业{number:02}", serving[number % len(serving)])
    for number in range(1, PROJECTS + 1):
        firm = f"firm-{(number * 3) % FIRMS + 1:02}"
        add_link(
            conn, f"project-{number:02}", "project", f"示范项目{number:02}", serving[number % len(serving)], firm, 1.0
        )
