"""The units at work: they sign, reach the person, plan their time, hand in, or ask for more of it, or for somebody else."""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec.structs import replace

from liuti.flow.issue import Issue
from liuti.flow.kernel import ANYONE, Actor
from liuti.flow.words import Clock, Lane, Step, Urgency
from liuti.store.act import Receipt
from simulate import numbers as n
from simulate.intake import PIECE
from simulate.numbers import CHANCES
from simulate.town import WISHES, Act, Life, Scene, Town, after, chance_of, happens, wish

# -- 解题 -----------------------------------------------------------------------------------------------------------


def begins(town: Town, life: Life, at: datetime, unit: str) -> None:
    """A unit has it on its desk."""
    urgent, pace = life.matter.lane == "urgent", town.pace[unit]
    for name, usual in (("sign", n.SIGN), ("contact", n.CONTACT)):
        if urgent:
            town.later(life, at, name, n.URGENT[name], unit=unit)
        else:
            town.soon(life, at, name, usual, pace, unit=unit)
    if chance_of(life, "send_back") and not urgent:
        town.want(life, town.office(at, life.chance.uniform(0.3, 7)), "send_back", unit=unit)


@after("accept_direct", "divert")
def _dispatched(town: Town, life: Life, act: Act, _receipt: Receipt, at: datetime) -> None:
    life.unit = act.form.get("unit", life.unit)
    life.turn += 1
    begins(town, life, at, life.unit)
    town.want(life, at + PIECE, "work", turn=life.turn)
    for name, when in (("reclassify", 20), ("add_unit", 12), ("suspend", 16), ("terminate", 20)):
        if chance_of(life, name):
            town.want(life, town.office(at, life.chance.uniform(0.5, when)), name)


@wish
def work(scene: Scene) -> None:
    """The unit plans its time: when it will be ready, what it notes on the way, whether it asks for more."""
    town, life, issue = scene.town, scene.life, scene.issue
    timer = issue.timer(Clock.SOLVE)
    if timer is None or scene.given["turn"] != life.turn:
        return
    pace = town.pace[issue.lead_unit]
    if life.matter.lane == "urgent":
        ready = scene.at + timedelta(hours=n.URGENT["work"].draw(life.chance, pace))
    elif life.matter.kind in ("consult", "praise"):
        ready = town.office(scene.at, n.WORK["quick"].draw(life.chance, pace * 0.7))
    elif issue.lane is Lane.TOPIC:
        ready = scene.at + (timer.due - scene.at) * life.chance.lognormvariate(-0.25, 0.35) * pace
    else:
        speed = {Urgency.BASIC: "quick", Urgency.COMPLEX: "slow"}.get(issue.urgency, "usual")
        share = 0.35 if speed == "slow" else 0.8
        ready = scene.at + timedelta(hours=min(n.WORK[speed].draw(life.chance, pace * share), 3000))
    works(town, life, issue, scene.at, ready)


def works(town: Town, life: Life, issue: Issue, at: datetime, ready: datetime) -> None:
    timer = issue.timer(Clock.SOLVE)
    assert timer is not None
    night = life.matter.lane == "urgent"
    life.ends = ready if night else town.office(ready, life.chance.uniform(0.05, 1.5))
    town.want(life, life.ends, "report", turn=life.turn)
    if chance_of(life, "progress"):
        middle = at + (life.ends - at) * life.chance.uniform(0.2, 0.8)
        town.want(life, middle if night else town.office(middle, 0.1), "progress", unit=issue.lead_unit)
    if life.ends > timer.due and timer.due - at > timedelta(days=2) and chance_of(life, "extend"):
        town.want(life, at + (timer.due - at) * life.chance.uniform(0.3, 0.98), "extend", turn=life.turn)


@wish
def sign(scene: Scene) -> Act | None:
    own = scene.issue.assignment(scene.given["unit"])
    if own is None or own.signed is not None:
        return None
    return Act(scene.town.officer(scene.life, scene.given["unit"]), "sign")


def reach(scene: Scene) -> Act | None:
    unit = scene.given["unit"]
    if not scene.issue.wants_contact or scene.issue.assignment(unit) is None or unit != scene.issue.lead_unit:
        return None
    officer = scene.town.officer(scene.life, unit)
    if happens(scene, "not_reached"):
        scene.town.soon(scene.life, scene.at, "contact", n.CONTACT, unit=unit)
        return Act(officer, "contact", {"method": "phone", "reached": False, "result": "无人接听。"})
    return Act(officer, "contact", {"method": "phone", "result": "已联系,核实了地点和情况。"})


WISHES["contact"] = reach  # `contact` is what a person leaves


@wish
def progress(scene: Scene) -> Act | None:
    if scene.issue.assignment(scene.given["unit"]) is None:
        return None
    officer = scene.town.officer(scene.life, scene.given["unit"])
    return Act(officer, "progress", {"text": "已安排人员现场处理。", "public": True})


@wish
def add_unit(scene: Scene) -> Act | None:
    town, life, lead = scene.town, scene.life, scene.issue.lead_unit
    unit = life.chance.choice([u for u in town.pace if scene.issue.assignment(u) is None])
    return (
        Act(town.officer(life, lead), "add_unit", {"unit": unit, "reason": "涉及占道,需会同办理。"}) if lead else None
    )


@after("add_unit")
def _joined(town: Town, life: Life, act: Act, _receipt: Receipt, at: datetime) -> None:
    unit = act.form["unit"]
    town.soon(life, at, "sign", n.SIGN, town.pace[unit], unit=unit)
    town.soon(life, at, "finish", n.AGAIN, town.pace[unit], unit=unit)


@wish
def finish(scene: Scene) -> Act | None:
    own = scene.issue.assignment(scene.given["unit"])
    if own is None or own.lead or own.done is not None:
        return None
    return Act(scene.town.officer(scene.life, scene.given["unit"]), "finish", {"text": "我单位部分已完成。"})


@wish
def reclassify(scene: Scene) -> Act | None:
    """Mostly the category only; now and then it turns out more urgent, or less."""
    chance = scene.life.chance
    if scene.life.matter.kind in ("tip_off", "consult", "praise"):
        return None
    form = {"reason": "核对后更正。"} | chance.choice(
        ({"category": "other"}, {"urgency": "basic"}, {"urgency": "complex"})
    )
    return Act(scene.town.intake(scene.life), "reclassify", form)


@wish
def send_back(scene: Scene) -> Act | None:
    own = scene.issue.assignment(scene.given["unit"])
    if own is None or own.ruled or not own.lead or any(a.move == "send_back" for a in scene.issue.asks):
        return None
    unit = scene.life.chance.choice([u for u in scene.town.pace if u not in (own.unit, scene.issue.against)])
    form = {"basis": "区级权责清单第37条", "reason": "该地块由另一单位管养。", "unit": unit}
    return Act(scene.town.officer(scene.life, own.unit), "send_back", form)


@after("send_back")
def _sent_back(town: Town, life: Life, _act: Act, _receipt: Receipt, at: datetime) -> None:
    town.want(life, at + PIECE, "taken_over")


@wish
def taken_over(scene: Scene) -> None:
    """The unit a ruling named begins; what the old one had planned is dropped."""
    life, issue = scene.life, scene.issue
    life.unit, life.turn = issue.lead_unit, life.turn + 1
    begins(scene.town, life, scene.at, life.unit)
    scene.town.want(life, scene.at + PIECE, "work", turn=life.turn)


@wish
def extend(scene: Scene) -> Act | None:
    """Some days more, within what the rules leave."""
    issue, town = scene.issue, scene.town
    timer = issue.timer(Clock.REDO) or issue.timer(Clock.SOLVE)
    if timer is None or scene.given["turn"] != scene.life.turn or issue.urgency in (Urgency.BASIC, Urgency.URGENT):
        return None
    days = min((timer.due - timer.started).days - 1, scene.life.chance.randint(2, 14))
    if days < 1 or timer.length == "same_day":
        return None
    form = {"until": town.day(timer.due + timedelta(days=days)), "reason": "备件到货推迟。"}
    return Act(town.officer(scene.life, issue.lead_unit), "extend", form)


@wish
def suspend(scene: Scene) -> Act | None:
    if (scene.issue.lane is Lane.TOPIC and not scene.issue.plan_by) or not scene.issue.leader:
        return None
    cause = scene.life.chance.choice(("season", "higher_permit", "next_budget", "third_party"))
    review = scene.town.day(scene.at + timedelta(days=scene.life.chance.randint(10, 80)))
    form = {"cause": cause, "review": review, "evidence": "会商纪要和批复流程单。"}
    return Act(scene.town.person(scene.issue.leader), "suspend", form)


@after("suspend")
def _suspended(town: Town, life: Life, _act: Act, _receipt: Receipt, at: datetime) -> None:
    if chance_of(life, "renews"):
        town.want(life, at + timedelta(days=8), "suspend")
    elif chance_of(life, "resumes"):
        town.want(life, town.office(at + timedelta(days=life.chance.uniform(3, 40)), 1), "resume")


@wish
def resume(scene: Scene) -> Act | None:
    if scene.issue.step is not Step.SUSPENDED:
        return None
    return Act(scene.town.officer(scene.life, scene.issue.lead_unit), "resume", {"reason": "许可已经批复。"})


@after("resume")
def _resumed(town: Town, life: Life, _act: Act, _receipt: Receipt, at: datetime) -> None:
    life.turn += 1
    town.soon(life, at, "report", n.AGAIN, 2.0, turn=life.turn)


@wish
def terminate(scene: Scene) -> Act | None:
    form = {"ground": "inadmissible", "reason": "核实后不属受理范围。", "answer": "经核实,本件终止办理,可随时再提。"}
    if scene.issue.lane is not Lane.DIRECT or scene.issue.danger:
        return None
    return Act(scene.town.officer(scene.life, scene.issue.lead_unit), "terminate", form)


@wish
def report(scene: Scene) -> Act | None:
    """A photo first where works are physical, then the result."""
    town, life, issue = scene.town, scene.life, scene.issue
    if scene.given["turn"] != life.turn or issue.step is not Step.SOLVE:
        return None
    open_ones = [place for place, m in enumerate(issue.milestones, 1) if m.done is None and not m.waived]
    if open_ones:
        town.want(life, scene.at + PIECE, "milestone", number=open_ones[0])
        town.want(life, scene.at + 2 * PIECE, "report", turn=life.turn)
        return None
    category = town.world.policy.categories[issue.category]
    officer = town.officer(life, issue.lead_unit)
    if category.physical and not issue.photos:
        town.want(life, scene.at + PIECE, "report", turn=life.turn)
        return Act(officer, "attach", {"files": [town.photo(scene.at)], "note": "完工照片"})
    draw = life.chance.random()
    bad, some = CHANCES["explained"], CHANCES["explained"] + CHANCES["partly"]
    word = "explained" if draw < bad else "partly" if draw < some else "solved"
    form = {"word": word, "reply": life.matter.reply, "evidence": "办理记录", "told": True}
    return Act(officer, "submit_result", form)


@after("submit_result.denied", "terminate.denied")
def _not_good_enough(town: Town, life: Life, _act: Act, _receipt: Receipt, at: datetime) -> None:
    town.soon(life, at, "report", n.AGAIN, turn=life.turn)


def do_again(town: Town, life: Life, at: datetime, unit: str) -> None:
    """A failed check, a bad word or a new fact: it is on the unit's desk once more."""
    life.turn += 1
    town.soon(life, at, "contact", n.CONTACT, town.pace[unit], unit=unit)
    town.soon(life, at, "report", n.AGAIN, town.pace[unit], turn=life.turn)


def as_voice(issue: Issue, voice: str, origin: str) -> Actor:
    """One who holds the single-use token of this round's letter."""
    return replace(ANYONE, id=voice, voice=voice, issue=issue.id, origin=origin, rating=issue.verdict.round)
