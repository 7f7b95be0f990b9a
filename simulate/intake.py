"""What comes in is sorted, put under an earlier one, asked back or refused; and whoever has a request on the desk answers it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from liuti.flow.issue import Ask
from liuti.flow.kernel import ANYONE, Actor
from liuti.flow.words import Step, Urgency
from liuti.store.act import Receipt
from simulate import numbers as n
from simulate.numbers import CHANCES
from simulate.town import ALONE, Act, Life, Scene, Town, after, chance_of, contact, happens, submission, wish

REASON = {"reason": "情况属实。"}
DENIALS = {
    "submit_result": "head_denies", "send_back": "ruled", "appeal": "upheld", "extend": "head_denies", "suspend": "ruled",
}  # fmt: skip
ROUTES = ("judicial", "outside", "petition")
SECOND = ("discipline", "settled", "secret")
PIECE = timedelta(minutes=3)


# -- 出题 -----------------------------------------------------------------------------------------------------------


@wish
def submit(scene: Scene) -> Act:
    actor, form = submission(scene)
    return Act(actor, "submit", form)


@after("submit")
def _submitted(town: Town, life: Life, _act: Act, _receipt: Receipt, at: datetime) -> None:
    to_triage(town, life, at)
    if chance_of(life, "withdraw"):
        town.later(life, at, "withdraw", n.WITHDRAW)
    if chance_of(life, "cosign") and life.matter.kind != "tip_off":
        for who in range(1, life.chance.randint(1, 4) + 1):
            town.later(life, at, "cosign", n.COSIGN, who=who)
    if chance_of(life, "urge"):
        town.want(life, at + timedelta(days=life.chance.uniform(3, 12)), "urge")


def to_triage(town: Town, life: Life, at: datetime) -> None:
    basic = life.matter.category in ("heating", "water", "power", "gas")
    haste = "urgent" if life.matter.lane == "urgent" else "basic" if basic else "other"
    town.later(life, at, "triage", n.TRIAGE[haste])


@wish
def withdraw(scene: Scene) -> Act:
    return Act(scene.town.citizen(scene.issue), "withdraw")


@wish
def cosign(scene: Scene) -> Act:
    notice = scene.town.world.policy.notice.version
    form = {"text": "我也遇到了。", "contact": contact(scene.life, scene.given["who"]), "notice_version": notice}
    return Act(ANYONE, "cosign", form)


@wish
def urge(scene: Scene) -> Act:
    return Act(scene.town.citizen(scene.issue), "urge", {"text": "请问进展怎么样了?"})


@wish
def triage(scene: Scene) -> Act | None:
    """Refuse it, ask back, put it under an earlier one, or send it on."""
    town, life, issue = scene.town, scene.life, scene.issue
    if issue.step is not Step.PROPOSE:
        return None
    officer, draw = town.intake(life), life.chance.random()
    if draw < CHANCES["reject"] and not issue.danger:
        route = life.chance.choice(SECOND if happens(scene, "second") else ROUTES)
        earlier = {"earlier": issue.id} if route == "settled" else {}
        return Act(officer, "reject", {"route": route, "reason": "已告知依法可走的途径。"} | earlier)
    draw -= CHANCES["reject"]
    if draw < CHANCES["supplement"] and not issue.supplement_asked and not issue.danger:
        return Act(officer, "ask_supplement", {"missing": ["具体位置", "什么时间最严重"]})
    draw -= CHANCES["supplement"]
    matter = life.matter
    key = (matter.kind, matter.category, life.place.id)
    lead = town.recent.get(key)
    if lead and lead != issue.id and (draw < 4 * CHANCES["merge"]) and matter.kind != "tip_off" and not issue.danger:
        town.want(life, scene.at, "merge", lead=lead)
        return None
    town.recent[key] = issue.id
    grid = f"{life.place.id}-1"
    if matter.lane == "topic" and issue.urgency is not Urgency.URGENT and not life.complex:
        livelihood = True if happens(scene, "livelihood") else None
        form = {"category": matter.category, "urgency": "general", "grid": grid, "livelihood": livelihood}
        return Act(officer, "accept_topic", form)
    form = {"unit": life.unit, "category": matter.category, "grid": grid}
    return Act(officer, "accept_direct", form | ({"urgency": "complex"} if life.complex else {}))


ALONE |= {"merge", "unmerge"}


@wish
def merge(scene: Scene) -> Act | None:
    """Under the earlier one where that still goes; else it is sorted like any other."""
    town, life = scene.town, scene.life
    lead = town.lives[scene.given["lead"]]
    if lead.step not in (Step.PROPOSE, Step.SELECT, Step.CLAIM, Step.SOLVE, Step.SUSPENDED, Step.SUPPLEMENT):
        town.recent.pop((life.matter.kind, life.matter.category, life.place.id), None)
        town.want(life, scene.at + PIECE, "triage")
        return None
    return Act(town.intake(life), "merge", {"lead": scene.given["lead"], "reason": "同一地点同一问题。"})


@after("merge")
def _merged(town: Town, life: Life, _act: Act, _receipt: Receipt, at: datetime) -> None:
    if chance_of(life, "unmerge"):
        town.want(life, at + timedelta(days=life.chance.uniform(0.2, 6)), "unmerge")


@wish
def unmerge(scene: Scene) -> Act:
    return Act(scene.town.intake(scene.life), "unmerge", {"reason": "现场看是两处不同的问题。"})


@after("ask_supplement")
def _asked_back(town: Town, life: Life, _act: Act, _receipt: Receipt, at: datetime) -> None:
    if chance_of(life, "supplies"):
        town.later(life, at, "supply", n.SUPPLY)


@wish
def supply(scene: Scene) -> Act:
    return Act(scene.town.citizen(scene.issue), "supply", {"text": "在3栋和4栋之间,晚上最明显。"})


@after("at.propose", "reject.denied")
def _back_at_intake(town: Town, life: Life, act: Act, _receipt: Receipt, at: datetime) -> None:
    if act.move != "submit":
        to_triage(town, life, at)


# -- requests ------------------------------------------------------------------------------------------------------


@wish
def answer(scene: Scene) -> Act | None:
    """Whoever has the request on the desk grants it, mostly."""
    ask = next((a for a in scene.issue.open_asks() if a.move == scene.given["of"]), None)
    if ask is None:
        return None
    waits = ask.awaits[0]
    who = _answerer(scene, ask, waits)
    ruling = waits in ("ruling", "team", "its_leader") or ask.move in ("submit_result", "suspend")
    no = DENIALS.get(ask.move, "head_denies") if ruling else "head_denies"
    share = 1 - CHANCES[no] if no in ("ruled", "upheld") else CHANCES[no]
    form: dict[str, Any] = {"request": ask.id}
    if scene.life.chance.random() < share:
        return Act(who, "deny", form | {"reason": "理由不充分。"}, of=ask.move)
    if ask.move == "appeal" and ask.unit:
        form["unit"] = scene.town.other_unit(scene.life)
    return Act(who, "grant", form | REASON, of=ask.move)


def _answerer(scene: Scene, ask: Ask, waits: str) -> Actor:
    town, life, chance = scene.town, scene.life, scene.life.chance
    others = {"panel": [f"panel{m}" for m in range(1, 6)], "intake": [f"intake{m}" for m in range(1, 4)]}
    if waits == "unit_head":
        return town.head(ask.unit)
    if waits in others:
        if life.matter.kind == "tip_off":
            return town.intake(life)
        return town.person(chance.choice([name for name in others[waits] if name != ask.by]))
    if waits == "its_leader":
        return town.person(scene.issue.leader)
    if waits in ("team", "exclusion_team"):
        return town.person(f"team{chance.randint(1, 5)}")
    return town.person("principal") if waits == "principal" else town.inspector(life)
