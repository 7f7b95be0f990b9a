"""What stands beside the demo's issues: a campaign, livelihood projects, links and legacy claims, an inspection team at work."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from liuti.demo.district import UNIT
from liuti.flow.calendar import Span
from liuti.flow.clocks import World
from liuti.flow.kernel import Actor
from liuti.flow.words import Step
from liuti.store import campaigns, claims, findings, projects, teams
from liuti.store.audit import By
from liuti.store.campaigns import Criteria
from liuti.store.claims import Legacy
from liuti.store.findings import Term
from liuti.store.people import actor_of
from liuti.store.teams import Team

if TYPE_CHECKING:
    from sqlalchemy import Connection

# Name, goal, lead unit, leader, planned day from today; the first one is struck off.
PROJECTS = (
    ("老旧小区加装路灯", "加装路灯120盏,夜间全亮。", "urban", "leader1", -12),
    ("背街小巷路面修复", "修复小巷18条。", "transport", "leader2", -3),
    ("社区老年食堂", "新开老年食堂5处。", "civil", "leader3", 60),
)
# Leader, and an industry project's id or a place in PROJECTS.
LINKS: tuple[tuple[str, str | int], ...] = (
    ("leader1", "project-01"), ("leader4", "project-02"), ("town1a", "project-03"), ("leader3", 2), ("town2a", 1),
)  # fmt: skip
LEGACY = (
    Legacy("历史-001", "leader5", "district", "东湾镇排水管网改造", "改造管网3公里。", "2025-03-10", "closed"),
    Legacy("历史-002", "town3a", "town", "西岭镇公交线路优化", "新增线路2条。", "2025-06-18", "open"),
)
SEED = "示范督导-1"


def settle_registries(conn: Connection, world: World, now: datetime) -> None:
    """Made by the same functions the doors call, at times that lie behind `now`; the same whenever the demo is made."""
    today = now.astimezone(world.calendar.zone).date()
    _campaign(conn, today, now - timedelta(days=25))
    made = _projects(conn, today, now - timedelta(days=40))
    struck = By("inspector1", now - timedelta(days=10))
    projects.strike_off(conn, made[0], _actor(conn, "inspector1"), "现场核查120盏均亮,验收单齐全。", struck)
    by = By("inspector1", now - timedelta(days=30))
    inspector = _actor(conn, "inspector1")
    for leader, target in LINKS:
        kind: claims.LinkKind = "industry" if isinstance(target, str) else "livelihood"
        claims.add_link(conn, inspector, leader, kind, target if isinstance(target, str) else made[target], by)
    claims.bring_in(conn, "历史领题", LEGACY, by)
    _team(conn, world, today, now)


def _actor(conn: Connection, person: str) -> Actor:
    found = actor_of(conn, person)
    assert found is not None
    return found


def _campaign(conn: Connection, today: date, at: datetime) -> None:
    wanted = Criteria(categories=("heating", "water", "power"))
    begins, ends = today - timedelta(days=60), today + timedelta(days=60)
    name, goal = "温暖过冬专项行动", "供暖、供水、供电诉求三日内见面。"
    campaigns.add(conn, name, goal, begins, ends, wanted, By("principal", at))


def _projects(conn: Connection, today: date, at: datetime) -> list[str]:
    return [
        projects.add(
            conn, name, goal, UNIT[unit], leader, today + timedelta(days=days),
            By("inspector1", at + timedelta(minutes=number)),
        ) for number, (name, goal, unit, leader, days) in enumerate(PROJECTS)
    ]  # fmt: skip


def _team(conn: Connection, world: World, today: date, now: datetime) -> None:
    """One finding is overdue, the other answered; the sample can be drawn again by its seed."""
    over = [UNIT["water"], UNIT["gas"], UNIT["property"]]
    at = now - timedelta(days=20)
    begins, ends = today - timedelta(days=20), today + timedelta(days=70)
    members: dict[str, list[str]] = {"team1": [], "team1b": []}
    made = teams.add(conn, "第一督导组", over, ["town1"], begins, ends, members, By("principal", at))
    team = teams.find(conn, made)
    drawn = now - timedelta(days=14)
    steps = (Step.SOLVE, Step.SUPERVISE, Step.EVALUATE, Step.CLOSED)
    teams.draw(conn, team, steps, 0.2, SEED, By("team1", drawn))
    _finding(conn, world, team, UNIT["property"], "两件题的现场照片与核查记录不符。", now - timedelta(days=12))
    answered = _finding(conn, world, team, UNIT["water"], "先行联系记录缺时间。", now - timedelta(days=6))
    head = f"head{UNIT['water'].removeprefix('u-')}"
    findings.answer(conn, answered, _actor(conn, head), "已补记并抽查同类记录。", By(head, now - timedelta(days=4)))


def _finding(conn: Connection, world: World, team: Team, unit: str, text: str, at: datetime) -> str:
    due = world.calendar.due(at, Span.parse("3wd")).at
    term = Term(due, world.calendar.fraction(at, due, world.policy.ladder.warn_at, "wd"))
    day = at.astimezone(world.calendar.zone).date()
    return findings.raise_(conn, team, _actor(conn, "team1"), unit, "", text, term, day, By("team1", at))
