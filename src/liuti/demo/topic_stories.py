"""Stories of the topic lane: chosen by the panel, claimed by a leader, planned, done, verified, rated; and merged ones."""

from __future__ import annotations

from liuti.demo.script import (
    Plot,
    accept_direct,
    accept_topic,
    begin,
    chosen,
    claim,
    cosign,
    gates,
    milestones,
    other_unit,
    passed,
    plan,
    publish,
    rated,
    result,
    submit,
    votes,
)
from liuti.demo.turns import In, Later, Other, Turn
from liuti.flow.words import Step

# -- 并单 merge --------------------------------------------------------------------------------------------------------


def neighbours_merged(plot: Plot, neighbours: int, *, lead: list[Turn]) -> list[Turn]:
    """Several neighbours write about one matter; intake puts them under the first."""
    turns = submit(plot)
    for number in range(1, neighbours + 1):
        turns += submit(plot, who=number, issue=number, after="0.4h")
    reason = {"lead": Other(0), "reason": "同一地点同一问题。"}
    turns += [Turn("0.3oh", plot.intake, "merge", reason, issue=number) for number in range(1, neighbours + 1)]
    turns += [cosign(plot, "3h", who=20 + number) for number in range(3)]
    return turns + lead


def merged_topic(plot: Plot) -> list[Turn]:
    return neighbours_merged(plot, 5, lead=[*accept_topic(plot), *votes(plot)])


def merged_and_claimed(plot: Plot) -> list[Turn]:
    return neighbours_merged(plot, 4, lead=[*accept_topic(plot), *votes(plot, 5), *publish(), *claim(plot)])


def merge_undone(plot: Plot) -> list[Turn]:
    undone = Turn("20h", plot.intake, "unmerge", {"reason": "现场看是两处不同的问题。"}, issue=1)
    return neighbours_merged(plot, 1, lead=[*accept_direct(plot), *begin(plot), undone])


# -- 选题 select -------------------------------------------------------------------------------------------------------


def pooled(plot: Plot) -> list[Turn]:
    voices = [cosign(plot, f"{3 + n}h", who=n + 1) for n in range(plot.chance.choice((0, 0, 1, 3)))]
    return [*submit(plot), *accept_topic(plot), *voices]


def voting(plot: Plot) -> list[Turn]:
    return [*pooled(plot), *votes(plot, plot.chance.choice((1, 2, 3)), 1)]


def diverted(plot: Plot) -> list[Turn]:
    return [
        *pooled(plot),
        Turn("2wd", "analyst1", "divert", {"unit": plot.unit, "reason": "单一部门即可解决。"}),
        *begin(plot),
    ]


def at_the_gates(plot: Plot) -> list[Turn]:
    return [*submit(plot), *accept_topic(plot, livelihood=True), *votes(plot), *gates(2)]


def in_reserve(plot: Plot) -> list[Turn]:
    form = {"reason": "资金须待下一批落实。", "next_round": In(26)}
    return [*submit(plot), *accept_topic(plot), *votes(plot, 1, 2), Turn("1oh", "panel2", "reserve", form)]


def recalled(plot: Plot) -> list[Turn]:
    form = {"reason": "另有工程已包含此项，重新研究。"}
    return [
        *chosen(plot),
        Turn("1wd", "panel1", "recall", form),
        Turn("2oh", "panel3", "grant", {"reason": "同意收回。"}),
    ]


def explained(plot: Plot) -> list[Turn]:
    form = {"reason": "现行规定没有依据。", "answer": "经研究，现行规定暂不支持，已列入明年立项建议，特此说明。"}
    return [
        *submit(plot), *accept_topic(plot), Turn("4wd", "panel2", "explain", form),
        Turn("3oh", plot.inspector, "grant", {"reason": "答复有依据。"}),
    ]  # fmt: skip


# -- 领题 claim --------------------------------------------------------------------------------------------------------


def on_the_board(plot: Plot) -> list[Turn]:
    return wanted_by_many(plot, chosen(plot, livelihood=plot.chance.random() < 0.3))


def wanted_by_many(plot: Plot, turns: list[Turn]) -> list[Turn]:
    """Neighbours of as many households say the same once it is accepted: the score sees how many it concerns."""
    voices = [cosign(plot, f"{1 + n % 4}h", who=10 + n) for n in range(plot.chance.randint(7, 14))]
    return [*turns[:2], *voices, *turns[2:]]


def stepped_aside(plot: Plot) -> list[Turn]:
    return [
        *wanted_by_many(plot, chosen(plot)),
        Turn("3oh", plot.leader, "declare_conflict", {"reason": "本人曾任该单位负责人。"}),
    ]


def designated(plot: Plot) -> list[Turn]:
    form = {
        "leader": plot.leader, "prepared_by": plot.inspector, "goal": plot.matter.goal, "date": In(60), "lead_unit": plot.unit,
    }  # fmt: skip
    return [*chosen(plot), Turn("5wd", "principal", "designate", form)]


# -- 解题 solve, topic lane --------------------------------------------------------------------------------------------


def claimed(plot: Plot) -> list[Turn]:
    return [*chosen(plot), *claim(plot)]


def planned(plot: Plot) -> list[Turn]:
    return [*claimed(plot), *plan(plot)]


def working(plot: Plot) -> list[Turn]:
    signed = planned(plot) + begin(plot)
    return signed + milestones(plot)[: plot.chance.choice((1, 2))]


def working_together(plot: Plot) -> list[Turn]:
    """A lead unit and an assisting one; the assisting one has finished its part."""
    helper = other_unit(plot)
    number = helper.removeprefix("u-")
    return [
        *claimed(plot), *plan(plot, (helper,)), *begin(plot), Turn("0.2oh", f"officer{number}a", "sign"),
        *milestones(plot)[:1],
        Turn("3wd", f"officer{number}a", "finish", {"text": "占道手续已办妥，我单位部分完成。"}),
    ]  # fmt: skip


def extension_asked(plot: Plot) -> list[Turn]:
    form = {"until": Later(10), "reason": "定制设备到货推迟。"}
    return [
        *working(plot), Turn("3wd", plot.officer, "extend", form),
        Turn("3oh", plot.head, "grant", {"reason": "情况属实。"}),
    ]  # fmt: skip


def extended(plot: Plot) -> list[Turn]:
    return [*extension_asked(plot), Turn("4oh", plot.inspector, "grant", {"reason": "理由成立，请告知群众。"})]


def suspended(plot: Plot) -> list[Turn]:
    form = {
        "cause": plot.chance.choice(("season", "higher_permit", "next_budget")),
        "review": In(80),
        "evidence": "会商纪要和批复流程单。",
    }
    return [
        *working(plot), Turn("3wd", plot.leader, "suspend", form),
        Turn("1wd", plot.inspector, "grant", {"reason": "原因属实，到期复核。"}),
    ]  # fmt: skip


def finished(plot: Plot, word: str = "solved") -> list[Turn]:
    return [*planned(plot), *begin(plot), *milestones(plot), *result(plot, word, after="1wd")]


def check_failed(plot: Plot) -> list[Turn]:
    form = {"defects": ["两处仍未完工", "现场材料未清走"], "method": "on_site"}
    return [*finished(plot), Turn("1wd", plot.inspector, "fail_check", form)]


def to_be_rated(plot: Plot) -> list[Turn]:
    return [*finished(plot), *passed(plot, "1wd")]


def many_voices_rated(plot: Plot) -> list[Turn]:
    voices = [cosign(plot, f"{2 + n}h", who=n + 1) for n in range(5)]
    start, rest = finished(plot)[:2], finished(plot)[2:]
    some = [rated(plot.chance.choice((3, 4, 5, 5)), "7h", voice=n) for n in (1, 2, 3)]
    return [*start, *voices, *rest, *passed(plot, "1wd"), *some]


def solved_topic(plot: Plot) -> list[Turn]:
    return [*to_be_rated(plot), rated(plot.chance.choice((4, 5, 5)), text="比承诺的还早几天，满意。")]


def done_again(plot: Plot) -> list[Turn]:
    """A bad word with a reason brings it back; the second time it holds."""
    return [
        *to_be_rated(plot), rated(1, reason="只修了一半，另一头还是老样子。"),
        *again(plot), rated(4, text="这回修好了。"),
    ]  # fmt: skip


def brought_back(plot: Plot) -> list[Turn]:
    return [*to_be_rated(plot), rated(2, reason="位置不对，我们这栋没修到。")]


def again(plot: Plot) -> list[Turn]:
    contact = {"method": "visit", "result": "上门听取意见，当面确认补做的地方。"}
    return [
        Turn("2oh", plot.officer, "contact", contact, at=Step.SOLVE),
        *result(plot, after="1wd"), *passed(plot),
    ]  # fmt: skip


def last_round(plot: Plot) -> list[Turn]:
    """Three bad words: an order, a meeting, one last round; what the unit calls solved ends as partly."""
    bad = [rated(1, reason=why) for why in ("没修好。", "还是老样子。", "跟上次说的一样，没解决。")]
    reply = {"reply": "领题领导已与出题人面谈，两日内补做完成。"}
    return [
        *to_be_rated(plot), bad[0], *again(plot), bad[1], *again(plot), bad[2],
        Turn("5oh", plot.head, "respond", reply), *again(plot), rated(2, text="好一些，但没有全部解决。"),
    ]  # fmt: skip


def escalated(plot: Plot) -> list[Turn]:
    return last_round(plot)[:-7]


def partly(plot: Plot) -> list[Turn]:
    return [*to_be_rated(plot), rated(3, solved="partly", text="大部分好了，还有一处没弄。")]
