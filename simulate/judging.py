"""Inspectors look, people say how it went, some of it is done again; then it ends, and a few ends are disputed."""

from __future__ import annotations

from datetime import datetime, timedelta

from liuti.flow.words import Closing, Step
from liuti.store.act import Receipt
from simulate import numbers as n
from simulate.town import VOICES, Act, Life, Scene, Town, after, chance_of, happens, wish
from simulate.working import as_voice, do_again

OPEN_END = (Closing.EXPLAINED, Closing.TERMINATED)


# -- 督题 -----------------------------------------------------------------------------------------------------------


@after("at.supervise")
def _handed_in(town: Town, life: Life, _act: Act, _receipt: Receipt, at: datetime) -> None:
    town.soon(life, at, "check", n.CHECK)


@wish
def check(scene: Scene) -> Act | None:
    if scene.issue.step is not Step.SUPERVISE:
        return None
    town, unit = scene.town, scene.issue.lead_unit
    inspector = town.inspector(scene.life)
    if scene.life.chance.random() > town.care.get(unit, 0.9):
        return Act(inspector, "fail_check", {"defects": ["两处仍未完工", "现场材料未清走"], "method": "on_site"})
    return Act(inspector, "pass_check", {"method": "on_site", "note": "现场查看,与反馈一致。"})


@after("fail_check")
def _failed(town: Town, life: Life, _act: Act, _receipt: Receipt, at: datetime) -> None:
    do_again(town, life, at, life.unit)


# -- 评题 -----------------------------------------------------------------------------------------------------------


@after("at.evaluate")
def _invited(town: Town, life: Life, _act: Act, _receipt: Receipt, at: datetime) -> None:
    if chance_of(life, "rates"):
        town.later(life, at, "rate", n.RATE)
    elif chance_of(life, "called") and life.matter.kind != "tip_off":
        town.soon(life, at, "call", n.CHECK)
    town.later(life, at, "voices_rate", n.RATE)


def _level(scene: Scene) -> int:
    """Good work is liked; whose matter was only explained likes it less."""
    care = scene.town.care.get(scene.issue.lead_unit, 0.9)
    if scene.issue.own_word is Closing.EXPLAINED:
        care -= 0.3
    if scene.life.chance.random() < care:
        return scene.life.chance.choice((3, 4, 4, 5, 5, 5))
    return scene.life.chance.choice((1, 2, 2))


def _said(scene: Scene) -> dict[str, object]:
    level = _level(scene)
    chance = scene.life.chance
    solved = chance.choice(("yes", "yes", "yes", "partly")) if level > 2 else chance.choice(("no", "partly"))
    form: dict[str, object] = {"level": level, "contacted": chance.random() < 0.95, "solved": solved}
    if level <= 2 and happens(scene, "reason"):
        form["reason"] = "只修了一半,另一头还是老样子。"
    return form


@wish
def rate(scene: Scene) -> Act | None:
    ended_open = scene.issue.step is Step.CLOSED and scene.issue.closing in OPEN_END
    if scene.issue.step is not Step.EVALUATE and not ended_open:
        return None
    return Act(scene.town.citizen(scene.issue), "rate", _said(scene))


@wish
def voices_rate(scene: Scene) -> Act | None:
    """One of the others; whoever comes after is asked in turn."""
    left = [voice for voice in scene.voices if voice[0] != scene.issue.proposer]
    done = scene.given.get("done", 0)
    if scene.issue.step is not Step.EVALUATE or done >= len(left):
        return None
    scene.town.later(scene.life, scene.at, "voices_rate", n.COSIGN, done=done + 1)
    if not happens(scene, "voice_rates"):
        return None
    return Act(as_voice(scene.issue, *left[done]), "rate", _said(scene))


@wish
def call(scene: Scene) -> Act | None:
    """Three tries; who answers is written down as a rating by telephone."""
    if scene.issue.step is not Step.EVALUATE or scene.issue.verdict.proposer_level:
        return None
    caller = scene.town.person(f"caller{scene.life.chance.randint(1, 2)}")
    form = {"voice": scene.issue.proposer, "number": "13800000000"}
    if happens(scene, "answers"):
        return Act(caller, "rate", form | _said(scene))
    if scene.issue.verdict.tries < 2:
        scene.town.soon(scene.life, scene.at, "call", n.CHECK)
    return Act(caller, "rate", form | {"outcome": "no_answer"})


@after("rate")
def _rated(town: Town, life: Life, _act: Act, receipt: Receipt, at: datetime) -> None:
    if receipt.step is Step.SOLVE:  # redo or escalate followed at once
        do_again(town, life, at, life.unit)
        town.soon(life, at, "respond", n.RESPOND)


# -- ends ----------------------------------------------------------------------------------------------------------


@after("at.closed", "at.rejected")
def _ended(town: Town, life: Life, _act: Act, receipt: Receipt, at: datetime) -> None:
    over(town, life, at, unhappy=receipt.step is Step.REJECTED)


def over(town: Town, life: Life, at: datetime, *, unhappy: bool) -> None:
    if chance_of(life, "rates") and life.step is Step.CLOSED:
        town.later(life, at, "rate", n.RATE)
    if chance_of(life, "appeal_unhappy" if unhappy else "appeal"):
        town.want(life, at + timedelta(days=life.chance.uniform(0.5, 29)), "appeal")
    elif chance_of(life, "reopen"):
        town.want(life, town.office(at + timedelta(days=life.chance.uniform(2, 60)), 1), "reopen")
    elif chance_of(life, "exclude") and life.step is Step.CLOSED:
        town.want(life, town.office(at, life.chance.uniform(4, 40)), "exclude")


@wish
def appeal(scene: Scene) -> Act | None:
    if scene.issue.is_open or (scene.issue.asks and any(a.move == "appeal" for a in scene.issue.asks)):
        return None
    return Act(scene.town.citizen(scene.issue), "appeal", {"reason": "答复与现场情况不符,请求复核。"})


@after("appeal")
def _upheld(town: Town, life: Life, _act: Act, receipt: Receipt, at: datetime) -> None:
    if receipt.step is Step.SOLVE:
        do_again(town, life, at, life.unit)


@wish
def reopen(scene: Scene) -> Act | None:
    if scene.issue.step not in (Step.CLOSED, Step.REJECTED):
        return None
    return Act(scene.town.inspector(scene.life), "reopen", {"ground": "new_fact", "reason": "同一处又坏了。"})


@after("reopen")
def _reopened(town: Town, life: Life, _act: Act, receipt: Receipt, at: datetime) -> None:
    if receipt.step is Step.SOLVE:
        do_again(town, life, at, life.unit)


@wish
def exclude(scene: Scene) -> Act | None:
    unit = scene.issue.lead_unit
    if scene.issue.step is not Step.CLOSED or not unit or scene.issue.assignment(unit) is None:
        return None
    code = scene.life.chance.choice(("repeat", "no_duty", "force_majeure", "malicious"))
    return Act(scene.town.officer(scene.life, unit), "exclude", {"code": code, "reason": "与上月同一诉求重复。"})


VOICES.add("voices_rate")
