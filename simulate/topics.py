"""The topic lane: the panel meets once a week, leaders claim or are told to, a plan is made and kept."""

from __future__ import annotations

from datetime import datetime, time, timedelta

from liuti.flow.issue import Issue
from liuti.flow.words import Lane, Step
from liuti.store.act import Receipt
from simulate import numbers as n
from simulate.intake import PIECE
from simulate.numbers import CHANCES
from simulate.town import Act, Life, Scene, Town, after, chance_of, happens, wish
from simulate.working import begins

MEETS = time(14)
TUESDAY = 1
PREPARE = timedelta(days=2)


@after("accept_topic", "reserve", "recall")
def _pooled(town: Town, life: Life, _act: Act, _receipt: Receipt, at: datetime) -> None:
    meeting = _next_meeting(town, at + PREPARE)
    members = [f"panel{m}" for m in range(1, 6)]
    life.chance.shuffle(members)
    for place, member in enumerate(members[: life.chance.choice((3, 3, 5))]):
        town.want(life, meeting + place * PIECE, "vote", member=member)
    town.want(life, town.office(meeting, 0.5), "decide", tries=0)


def _next_meeting(town: Town, at: datetime) -> datetime:
    calendar = town.world.calendar
    day = at.astimezone(calendar.zone).date()
    while day.weekday() != TUESDAY or not calendar.working(day):
        day += timedelta(days=1)
    return calendar.moment(day, MEETS)


@after("at.select")
def _in_selection(town: Town, life: Life, act: Act, receipt: Receipt, at: datetime) -> None:
    if act.move in ("unmerge", "reopen") or act.of == "appeal":
        _pooled(town, life, act, receipt, at)


@wish
def vote(scene: Scene) -> Act | None:
    if scene.issue.step is not Step.SELECT:
        return None
    yes = scene.life.chance.random() < 0.8
    return Act(
        scene.town.person(scene.given["member"]), "vote", {"yes": yes, "reason": "" if yes else "条件还不成熟。"}
    )


@wish
def decide(scene: Scene) -> Act | None:
    """What the panel makes of it: divert, explain, keep in reserve; or gates and publish."""
    town, life, issue, chance = scene.town, scene.life, scene.issue, scene.life.chance
    if issue.step is not Step.SELECT or any(issue.open_asks()):
        return None
    member = town.person(f"panel{chance.randint(1, 5)}")
    draw, votes = chance.random(), [v.yes for v in issue.votes if v.round == issue.round]
    won = sum(votes) * 2 > len(votes) and len(votes) >= 3
    if draw < CHANCES["divert"] or (not won and issue.reserves >= 2):
        return Act(member, "divert", {"unit": life.unit, "reason": "单一部门即可解决。"})
    draw -= CHANCES["divert"]
    if draw < CHANCES["explain"]:
        return Act(member, "explain", {"reason": "现行规定没有依据。", "answer": "经研究,现行规定暂不支持,特此说明。"})
    draw -= CHANCES["explain"]
    if not won or (draw < CHANCES["reserve"] and issue.reserves < 2):
        next_round = town.day(scene.at + timedelta(days=chance.randint(13, 27)))
        return Act(member, "reserve", {"reason": "资金须待下一批落实。", "next_round": next_round})
    gate = len(issue.signatures) + 1
    if issue.livelihood and gate <= 3:
        town.want(life, town.office(scene.at, chance.uniform(0.5, 6)), "decide_on")
        return Act(town.person(f"gate{gate}"), "sign_gate", {"agree": True, "comment": "同意。"})
    return Act(member, "publish", {"snapshot": {}, "reason": "群众反映集中,条件成熟。"})


@wish
def decide_on(scene: Scene) -> Act | None:
    """The next gate, then it is published."""
    town, issue = scene.town, scene.issue
    if issue.step is not Step.SELECT:
        return None
    gate = len(issue.signatures) + 1
    if gate <= 3:
        town.want(scene.life, town.office(scene.at, scene.life.chance.uniform(0.5, 6)), "decide_on")
        return Act(town.person(f"gate{gate}"), "sign_gate", {"agree": True, "comment": "同意。"})
    return Act(town.person("panel1"), "publish", {"snapshot": {}, "reason": "群众反映集中,条件成熟。"})


@after("explain.denied")
def _think_again(town: Town, life: Life, _act: Act, _receipt: Receipt, at: datetime) -> None:
    town.want(life, town.office(at, 4), "decide", tries=1)


# -- 领题 -----------------------------------------------------------------------------------------------------------


@after("publish")
def _published(town: Town, life: Life, _act: Act, _receipt: Receipt, at: datetime) -> None:
    if chance_of(life, "claims"):
        town.soon(life, at, "claim", n.CLAIM)
    elif chance_of(life, "recall"):
        town.want(life, town.office(at, 5), "recall")


def _card(scene: Scene, days: int = 70) -> dict[str, object]:
    goal = scene.life.matter.goal or "按承诺办结"
    return {"goal": goal, "date": scene.town.day(scene.at + timedelta(days=days)), "lead_unit": scene.life.unit}


@wish
def claim(scene: Scene) -> Act | None:
    if scene.issue.step is not Step.CLAIM:
        return None
    leader = scene.town.person(scene.life.chance.choice(scene.town.leaders))
    if happens(scene, "conflict"):
        scene.town.soon(scene.life, scene.at, "claim", n.CLAIM)
        return Act(leader, "declare_conflict", {"reason": "本人曾任该单位负责人。"})
    return Act(leader, "claim", _card(scene))


@wish
def recall(scene: Scene) -> Act | None:
    return Act(scene.town.person("panel1"), "recall", {"reason": "另有工程已包含此项,重新研究。"})


@wish
def designate(scene: Scene) -> Act | None:
    """Nobody claimed it in time: the principal names somebody."""
    if scene.issue.step is not Step.CLAIM:
        return None
    leader = scene.life.chance.choice([one for one in scene.town.leaders if one not in scene.issue.conflicts])
    form = {"leader": leader, "prepared_by": "inspector1"}
    return Act(scene.town.person("principal"), "designate", _card(scene) | form)


@after("claim", "designate")
def _claimed(town: Town, life: Life, _act: Act, _receipt: Receipt, at: datetime) -> None:
    town.soon(life, at, "approve_plan", n.PLAN)
    if chance_of(life, "handover"):
        town.want(life, town.office(at, 60), "handover")


@wish
def handover(scene: Scene) -> Act | None:
    leader = scene.life.chance.choice([one for one in scene.town.leaders if one != scene.issue.leader])
    if scene.issue.step is not Step.SOLVE or not scene.issue.leader or scene.issue.lane is not Lane.TOPIC:
        return None
    return Act(scene.town.person(scene.issue.leader), "handover", {"leader": leader, "reason": "分工调整。"})


@wish
def approve_plan(scene: Scene) -> Act | None:
    town, life, issue, chance = scene.town, scene.life, scene.issue, scene.life.chance
    if issue.step is not Step.SOLVE or issue.plan_by:
        return None
    days = chance.randint(20, 58)
    ends = [town.day(scene.at + timedelta(days=int(days * part))) for part in (0.3, 0.9)]
    other = [town.other_unit(life)] if happens(scene, "assisting") else []
    form = {
        "goal": life.matter.goal or "按承诺办结", "lead_unit": life.unit, "assisting": other,
        "due": town.day(scene.at + timedelta(days=days)),
        "milestones": [{"title": "现场踏勘并确定做法", "due": ends[0]}, {"title": "完工并自查", "due": ends[1]}],
    }  # fmt: skip
    return Act(town.person(issue.leader), "approve_plan", form)


@after("approve_plan")
def _planned(town: Town, life: Life, act: Act, _receipt: Receipt, at: datetime) -> None:
    life.turn += 1
    begins(town, life, at, life.unit)
    town.want(life, at + PIECE, "work", turn=life.turn)
    for unit in act.form["assisting"]:
        town.soon(life, at, "sign", n.SIGN, town.pace[unit], unit=unit)
        town.want(life, town.office(at + timedelta(days=life.chance.uniform(3, 20)), 1), "finish", unit=unit)
    first, second = life.chance.uniform(4, 15), life.chance.uniform(16, 40)
    for number, days in ((1, first), (2, second)):
        town.want(life, town.office(at + timedelta(days=days), 1), "milestone", number=number)
    if chance_of(life, "topic_suspend"):
        town.want(life, town.office(at + timedelta(days=life.chance.uniform(2, 20)), 1), "suspend")


@wish
def milestone(scene: Scene) -> Act | None:
    issue, number = scene.issue, scene.given["number"]
    if issue.step is not Step.SOLVE or not _open(issue, number):
        return None
    officer = scene.town.officer(scene.life, issue.lead_unit)
    if happens(scene, "waive"):
        return Act(officer, "milestone", {"number": number, "waive": True, "reason": "方案调整后不再需要。"})
    return Act(officer, "milestone", {"number": number, "evidence": "记录已存档。"})


def _open(issue: Issue, number: int) -> bool:
    if number > len(issue.milestones) or any(
        a.move == "milestone" and a.form["number"] == number for a in issue.open_asks()
    ):
        return False
    one = issue.milestones[number - 1]
    return one.done is None and not one.waived
