"""What to know before asking: for each request and weighty move the rule and what follows from it, in one breath."""

from __future__ import annotations

from datetime import datetime

from liuti.doors.pages.spans import said
from liuti.flow.calendar import Span
from liuti.flow.clocks import World
from liuti.flow.issue import Issue
from liuti.flow.words import Lane

Pair = tuple[str, str]

PLAIN: dict[str, Pair] = {
    "sign": ("签收即确认由本单位办理,签收时限停。", "Signing says that your unit handles it; its clock stops."),
    "contact": (
        "联系上了时限才停;没联系上也记一次,时限照走。",
        "Only reaching the person stops the clock; a try that failed is noted, and it runs on.",
    ),
    "progress": (
        "公开的进展会发给群众,也在进度页显示。",
        "What may be public is sent to the people and stands on the progress page.",
    ),
    "milestone": (
        "完成须附依据,群众和领导都会收到;不做的须领导同意。",
        "Done needs evidence, the people and the leader hear of it; waiving one needs the leader's word.",
    ),
    "attach": (
        "完工照片是核查的依据,在现场拍的请勾选;照片里的位置信息会去掉。",
        "Photos of the finished work are what verification goes by: tick those taken on site. Where they were taken is removed.",
    ),
    "add_unit": (
        "请来的单位另有签收时限;主办单位仍对结果负责。",
        "The unit asked in has its own time to sign; the lead unit still answers for the result.",
    ),
    "finish": ("只完成本单位的部分,主办单位会收到通知。", "Only your unit's part; the lead unit is told."),
    "submit_result": (
        "负责人同意后转外单位核查;核查退回或群众不满意的,要重办。",
        "With the head's word it goes to verification outside your unit; sent back there or rated badly, it is done again.",
    ),
    "declare_conflict": (
        "申报后您不能再办这件题,不能撤回。",
        "After it you may not act on this issue any more; it cannot be taken back.",
    ),
    "resume": ("原因消除才能恢复,剩余时限接着走。", "Only when its cause is gone; what was left of the time runs on."),
    "respond": ("回复即停督办单时限;与事实不符会再次督办。", "An answer stops the order's clock; one that is not true brings another."),
}  # fmt: skip


def rules(issue: Issue, unit: str, world: World, when: dict[str, datetime | None]) -> dict[str, Pair]:
    """Sentences by move, with this issue's own figures. `when` is filled with the moments they speak of."""
    return PLAIN | {
        "extend": _extend(issue, world),
        "send_back": _send_back(issue, unit, world, when),
        "terminate": _terminate(issue, world),
        "suspend": _suspend(world),
    }


def _extend(issue: Issue, world: World) -> Pair:
    limits, used = world.policy.limits, issue.extensions
    most = limits.extensions.direct if issue.lane is Lane.DIRECT else limits.extensions.topic
    if used >= most:
        return (
            f"此题最多延期 {most} 次,已经用完:再提会被退回。",
            f"It may be extended {_times(most)}, and has been: another request is refused.",
        )
    by = ("督查员", "an inspector") if used == 0 else ("领题(分管)领导", "its leader")
    return (
        (
            f"到期前提出,最多 {most} 次(已用 {used} 次),每次不超过原时限,累计不超过 {limits.extend_total_days} 天。"
            f"负责人同意后由{by[0]}批准;批准前时限照走,理由会告诉出题人。"
        ),
        (
            f"Before it is due, {_times(most)} at most ({used} so far), each no longer than the original, "
            f"{limits.extend_total_days} days together. With the head's word {by[1]} grants it; until then the clock runs, and the "
            f"proposer is told the reason."
        ),
    )


def _send_back(issue: Issue, unit: str, world: World, when: dict[str, datetime | None]) -> Pair:
    own, within = issue.assignment(unit), world.policy.limits.send_back
    when["send_back"] = world.calendar.due(own.dispatched, within).at if own is not None else None
    if own is not None and own.ruled:
        return (
            "此题已裁定由本单位先办,不能再退。",
            "A ruling has put it with your unit: it cannot be sent back again.",
        )
    zh, en = said(_span(within))
    return (
        (
            f"派单后 {zh}内,写明依据和建议单位,只能退一次。负责人同意后由受理员或督查员裁定:成立即改派,不成立由本单位先办、不得再退。"
            f"解题时限不重新计算。"
        ),
        (
            f"Within {en} of the dispatch, with the legal basis and the unit suggested, once. With the head's word intake or an "
            f"inspector rules: upheld, it goes there; else your unit acts and may not send it back. The time to solve does not start anew."
        ),
    )


def _span(given: object) -> Span:
    return given if isinstance(given, Span) else Span.parse(str(given))


def _terminate(issue: Issue, world: World) -> Pair:
    least = world.policy.limits.terminate_tries
    return (
        (
            f"只限列明的情形;以不配合为由须先记 {least} 次联系(现 {issue.tries} 次)。负责人同意后由受理员批准;"
            f"终止按未解决计入本单位解决率,并请群众评价。"
        ),
        (
            f"Only on the grounds listed; for lack of cooperation {least} tries are logged first (now {issue.tries}). With the "
            f"head's word intake grants it; it counts as not solved for your unit, and the people are asked to rate."
        ),
    )


def _suspend(world: World) -> Pair:
    limits = world.policy.limits
    return (
        (
            f"限列明的原因,复核日在 {limits.suspend_days} 天内,累计不超过 {limits.suspend_total_days} 天。督查员同意后时限暂停,"
            f"到复核日不续即恢复;挂账率公开统计。"
        ),
        (
            f"Only for the causes listed, to be looked at again within {limits.suspend_days} days, {limits.suspend_total_days} "
            f"together. With an inspector's word the clocks pause; at that day it resumes unless renewed. The share suspended is published."
        ),
    )


def _times(n: int) -> str:
    return {1: "once", 2: "twice"}.get(n, f"{n} times")
