"""Stories that never see the panel: refused, withdrawn, asked for facts, or straight to the unit and back."""

from __future__ import annotations

from liuti.demo.script import (
    Plot,
    accept_direct,
    accept_topic,
    begin,
    direct,
    other_unit,
    passed,
    progress,
    rated,
    result,
    submit,
)
from liuti.demo.turns import PROPOSER, Heard, Later, Ordered, Turn
from liuti.flow.words import Step

# -- 出题 propose ------------------------------------------------------------------------------------------------------


def just_in(plot: Plot) -> list[Turn]:
    return submit(plot)


def asked_for_facts(plot: Plot) -> list[Turn]:
    asked = Turn("2oh", plot.intake, "ask_supplement", {"missing": ["具体位置", "什么时间最严重"]})
    return [*submit(plot, place="unknown", grid=""), asked]


def facts_supplied(plot: Plot) -> list[Turn]:
    supplied = {"text": "在3栋和4栋之间，晚上最明显。", "place": f"{plot.place.name}3栋", "grid": plot.grid}
    return [*asked_for_facts(plot), Turn("26h", PROPOSER, "supply", supplied)]


def withdrawn(plot: Plot) -> list[Turn]:
    into_select = accept_topic(plot) if plot.matter.lane == "topic" else []
    return [*submit(plot), *into_select, Turn("5h", PROPOSER, "withdraw")]


def refused(plot: Plot) -> list[Turn]:
    routes = {
        "judicial": "双方的合同纠纷已经起诉，请等待法院判决。",
        "outside": "该路段不在本区管辖，已告知对方区的热线。",
        "petition": "该事项已由信访机构受理，请等待答复。",
    }
    route = plot.chance.choice(sorted(routes))
    return [*submit(plot), Turn("3oh", plot.intake, "reject", {"route": route, "reason": routes[route]})]


def refused_by_two(plot: Plot) -> list[Turn]:
    form = {"route": "discipline", "reason": "反映的是工作人员作风问题，请向纪检监察机关提出。"}
    return [
        *submit(plot),
        Turn("2oh", "intake1", "reject", form),
        Turn("1oh", "intake2", "grant", {"reason": "同意，途径已写明。"}),
    ]


def refusal_appealed(plot: Plot) -> list[Turn]:
    appeal = {"reason": "小区就在本区，属地写错了，请求复核。"}
    return [*refused(plot), Turn("2d", PROPOSER, "appeal", appeal)]


# -- 解题 solve, direct lane -------------------------------------------------------------------------------------------


def dispatched(plot: Plot) -> list[Turn]:
    return [*submit(plot), *accept_direct(plot)]


def at_work(plot: Plot) -> list[Turn]:
    return [*dispatched(plot), *begin(plot)]


def ordered(plot: Plot) -> list[Turn]:
    """Late: an inspector orders it, the unit answers, it is struck off the list of orders."""
    order = {"to": f"unit:{plot.unit}", "text": "请于两个工作日内书面说明超期原因和完成时间。"}
    return [
        *at_work(plot), Turn("7wd", plot.inspector, "order", order),
        Turn("1wd", plot.head, "respond", {"reply": "备件缺货导致超期，已调货，三日内完成。"}),
        Turn("5oh", plot.inspector, "settle", {"order": Ordered(), "note": "原因清楚。"}),
    ]  # fmt: skip


def sent_back(plot: Plot) -> list[Turn]:
    form = {"basis": "区级权责清单第37条", "reason": "该地块由另一单位管养。", "unit": other_unit(plot)}
    return [
        *dispatched(plot), Turn("3oh", plot.officer, "send_back", form),
        Turn("1oh", plot.head, "grant", {"reason": "情况属实。"}),
    ]  # fmt: skip


def sent_back_upheld(plot: Plot) -> list[Turn]:
    new = other_unit(plot).removeprefix("u-")
    return [
        *sent_back(plot), Turn("4oh", plot.inspector, "grant", {"reason": "权责清单明确，改派。"}),
        Turn("0.5oh", f"officer{new}a", "sign"),
        Turn("2oh", f"officer{new}a", "contact", {"method": "phone", "result": "已联系，明日到现场。"}),
    ]  # fmt: skip


def sent_back_denied(plot: Plot) -> list[Turn]:
    return [*sent_back(plot), Turn("4oh", plot.inspector, "deny", {"reason": "属地单位先办，费用另议。"}), *begin(plot)]


def extended_direct(plot: Plot) -> list[Turn]:
    form = {"until": Later(4), "reason": "灯具需订制。"}
    return [
        *at_work(plot), Turn("1wd", plot.officer, "extend", form),
        Turn("1oh", plot.head, "grant", {"reason": "情况属实。"}),
        Turn("2oh", plot.inspector, "grant", {"reason": "同意，请告知群众。"}),
    ]  # fmt: skip


def made_urgent(plot: Plot) -> list[Turn]:
    form = {"urgency": "urgent", "reason": "雨天会漏到配电箱，按紧急办。"}
    return [*dispatched(plot), *begin(plot)[:1], Turn("0.5oh", plot.intake, "reclassify", form)]


def handed_in(plot: Plot) -> list[Turn]:
    return [*direct(plot), *result(plot)]


def verified(plot: Plot) -> list[Turn]:
    return [*handed_in(plot), *passed(plot)]


def solved(plot: Plot) -> list[Turn]:
    return [*verified(plot), rated(plot.chance.choice((3, 4, 5, 5, 5)), plot.chance.choice(("3h", "20h", "50h")))]


def said_explained(plot: Plot) -> list[Turn]:
    return [
        *direct(plot),
        *result(plot, "explained"),
        *passed(plot),
        rated(3, solved="no", text="理由听懂了，还是希望能办。"),
    ]


def called_back(plot: Plot) -> list[Turn]:
    """Somebody who does not read letters: two calls in vain, then a rating by telephone."""
    call = {"voice": Heard(0), "number": "13800000000"}
    in_vain = call | {"outcome": "no_answer"}
    told = call | {"level": 4, "contacted": True, "solved": "yes"}
    return [
        *verified(plot), *(Turn("5oh", "caller1", "rate", in_vain, at=Step.EVALUATE) for _ in range(2)),
        Turn("6oh", "caller1", "rate", told, at=Step.EVALUATE),
    ]  # fmt: skip


def terminated(plot: Plot) -> list[Turn]:
    tried = {"method": "phone", "reached": False, "result": "无人接听。"}
    form = {
        "ground": "uncooperative",
        "reason": "三次联系均未接听，无法核实。",
        "answer": "因多次联系不上，本件终止办理，可随时再提。",
    }
    return [
        *dispatched(plot), Turn("0.5oh", plot.officer, "sign"), *(Turn("4oh", plot.officer, "contact", tried) for _ in range(3)),
        Turn("4oh", plot.officer, "terminate", form), Turn("1oh", plot.head, "grant", {"reason": "属实。"}),
        Turn("2oh", "intake3", "grant", {"reason": "已核对通话记录。"}),
    ]  # fmt: skip


def reopened(plot: Plot) -> list[Turn]:
    form = {"ground": "new_fact", "reason": "同一处又坏了。"}
    return [*solved(plot), Turn("6d", plot.inspector, "reopen", form, at=Step.CLOSED)]


def appeal_upheld(plot: Plot) -> list[Turn]:
    appeal = {"reason": "答复说办不了，但隔壁小区同样的问题解决了。"}
    return [
        *said_explained(plot), Turn("3d", PROPOSER, "appeal", appeal, at=Step.CLOSED),
        Turn("4wd", "team5", "grant", {"reason": "申诉理由成立，重新办理。"}, at=Step.CLOSED),
    ]  # fmt: skip


def excluded(plot: Plot) -> list[Turn]:
    ask = {"code": "repeat", "reason": "与上月同一诉求重复。"}
    return [
        *solved(plot), Turn("1wd", plot.officer, "exclude", ask, at=Step.CLOSED),
        Turn("1wd", plot.inspector, "grant", {"reason": "核对属实。"}, at=Step.CLOSED),
    ]  # fmt: skip


def urged_by_the_person(plot: Plot) -> list[Turn]:
    return [
        *at_work(plot),
        Turn("2d", PROPOSER, "urge", {"text": "请问进展怎么样了？"}),
        progress(plot, "3oh", "材料明天到，到后半天可完。"),
    ]
