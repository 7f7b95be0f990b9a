"""Every rate, once: what is counted, out of what, in words and in code (docs/rules.md §7).

A definition turns one case into lines; each line stands for `of` things of the denominator, `hits` of which count. By
unit a line that names a unit belongs to that unit, all others to the unit that leads the case.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from msgspec import Struct

from liuti.figures.cases import Case, Promise, Rating
from liuti.figures.periods import Period


class Line(Struct, frozen=True, gc=False):
    hits: float
    of: int = 1
    unit: str = ""
    channel: str = ""
    """By which way the word came that it counts."""


class Definition(Struct, frozen=True):
    """`better`: more of it is better, so units may be ranked by it; `alert`: the name of the limit it should not pass;
    `voiced`: it tells what single people said, and is counted by channel as well."""

    key: str
    zh: str
    en: str
    numerator: tuple[str, str]
    denominator: tuple[str, str]
    lines: Callable[[Case, Period], Iterable[Line]]
    better: bool = False
    alert: str = ""
    voiced: bool = False


def _words(case: Case, period: Period) -> list[Rating]:
    """V: the last word of each voice; a case closed without a result stands there even if nobody rated it."""
    if not period.holds(case.rated_by):
        return []
    said = list(case.last_words.values())
    return said or ([Rating("", 0, 0)] if case.without_result else [])


def response(case: Case, period: Period) -> Iterator[Line]:
    """A result without any contact is no response; a unit relieved before it was late is not counted against anybody."""
    if case.wants_contact and case.contact_owed:
        in_time = bool(case.contacts) and all(promise.kept for promise in case.contacts)
        for said in _words(case, period):
            yield Line(in_time and said.contacted is not False, channel=said.channel)


def solved(case: Case, period: Period) -> Iterator[Line]:
    for said in _words(case, period):
        yield Line(not case.without_result and said.solved == "yes", channel=said.channel)


def solved_wide(case: Case, period: Period) -> Iterator[Line]:
    for said in _words(case, period):
        share = {"yes": 1, "partly": 0.5}.get(said.solved, 0)
        yield Line(0 if case.without_result else share, channel=said.channel)


def _rated_from(least: int) -> Callable[[Case, Period], Iterator[Line]]:
    def lines(case: Case, period: Period) -> Iterator[Line]:
        for said in _words(case, period):
            if said.level:
                yield Line(said.level >= least, channel=said.channel)

    return lines


def on_time(case: Case, period: Period) -> Iterator[Line]:
    if case.handling is not None and case.handling.falls_in(period):
        yield Line(case.handling.in_time)


def on_time_unextended(case: Case, period: Period) -> Iterator[Line]:
    if case.handling is not None and case.handling.falls_in(period):
        yield Line(case.handling.in_time_unextended)


def _kept(promises: Iterable[Promise], period: Period) -> Iterator[Line]:
    for promise in promises:
        if promise.falls_in(period):
            yield Line(promise.kept, unit=promise.unit)


def signed(case: Case, period: Period) -> Iterator[Line]:
    return _kept(case.signs, period)


def contacted(case: Case, period: Period) -> Iterator[Line]:
    return _kept(case.contacts, period)


def ordered(case: Case, period: Period) -> Iterator[Line]:
    return _kept(case.orders, period)


def _evaluated(case: Case, period: Period) -> bool:
    return period.holds(case.rated_by) and not case.without_result


def redone(case: Case, period: Period) -> Iterator[Line]:
    if _evaluated(case, period):
        yield Line(case.redone > 0)


def first_time(case: Case, period: Period) -> Iterator[Line]:
    if _evaluated(case, period):
        yield Line(not (case.redone or case.fails or case.reopened))


def sent_back(case: Case, period: Period) -> Iterator[Line]:
    for unit, at, asked in case.dispatches:
        if period.holds(at):
            yield Line(asked, unit=unit)


def extended(case: Case, period: Period) -> Iterator[Line]:
    if case.handling is not None and case.handling.falls_in(period):
        yield Line(case.extensions > 0)


def suspended(case: Case, _period: Period) -> Iterator[Line]:
    if case.step in ("solve", "suspended"):
        yield Line(case.step == "suspended")


def remedied(case: Case, period: Period) -> Iterator[Line]:
    """By voice: who was ever dissatisfied in this case, and whether the last word is another."""
    if period.holds(case.rated_by):
        unhappy = {rating.voice for rating in case.ratings if rating.level <= 2}
        for voice in unhappy:
            yield Line(case.last_words[voice].level >= 3)


def participation(case: Case, period: Period) -> Iterator[Line]:
    if period.holds(case.rated_by) and case.invited:
        yield Line(min(len(case.last_words), case.invited), of=case.invited)


def repeated(case: Case, period: Period) -> Iterator[Line]:
    if period.holds(case.submitted):
        yield Line(case.repeat)


V = ("办结的题的有效评价(每人以最后一次为准),加无结果办结而无人评价的题", "last words of the voices on cases closed, and cases closed without a result that nobody rated")  # fmt: skip
RATED = ("办结的题的有效评价(每人以最后一次为准)", "last words of the voices on cases closed")
DUE = ("本期应办结的题,含超期未结;挂账、补正期间不计", "cases whose result was due in the period, open overdue ones too, paused ones not")  # fmt: skip
CLOSED = ("本期经评题办结的题", "cases closed after evaluation")

DEFINITIONS: tuple[Definition, ...] = (
    Definition("response", "响应率", "Response", ("先行联系按时且评价人未否认", "contacted in time, and the rater does not deny it"),
               (V[0] + ";要求不联系的除外", V[1] + "; not where no contact was wanted"), response, better=True, voiced=True),
    Definition("solved", "解决率", "Solved", ("评价为已解决", "rated solved"), V, solved, better=True, voiced=True),
    Definition("solved_wide", "解决率(宽)", "Solved, partly as half", ("已解决计1,部分解决计0.5", "solved 1, partly ½"), V, solved_wide, voiced=True),
    Definition("satisfied", "满意率", "Satisfied", ("评价为3至5级", "levels 3 to 5"), RATED, _rated_from(3), better=True, voiced=True),
    Definition("satisfied_strict", "满意率(严)", "Satisfied, strictly", ("评价为4至5级", "levels 4 and 5"), RATED, _rated_from(4), voiced=True),
    Definition("on_time", "按期办结率", "On time", ("在延期后的时限内反馈结果", "result by the due time, extensions included"), DUE, on_time, better=True),
    Definition("on_time_unextended", "按期办结率(不计延期)", "On time without extensions", ("在原时限内反馈结果", "result by the first due time"), DUE, on_time_unextended),
    Definition("signed", "签收及时率", "Signed in time", ("按时签收", "signed by the due time"), ("本期应签收的派单", "dispatches to be signed in the period"), signed, better=True),
    Definition("contacted", "首联及时率", "First contact in time", ("按时联系到当事人", "person reached by the due time"), ("本期应先行联系的派单", "first contacts due in the period"), contacted, better=True),
    Definition("redone", "重办率", "Done again", ("不满意重办过", "done again at least once"), CLOSED, redone),
    Definition("first_time", "一次办结率", "Right the first time", ("未核查退回、未重办、未重开", "no failed check, redo or reopening"), CLOSED, first_time, better=True),
    Definition("sent_back", "退单率", "Sent back", ("单位提出退单", "the unit asked to send it back"), ("本期派单", "dispatches in the period"), sent_back),
    Definition("extended", "延期率", "Extended", ("批准延期至少一次", "an extension was granted"), DUE, extended, alert="extended"),
    Definition("suspended", "挂账率", "Suspended", ("期末挂账", "suspended at the end"), ("期末在办和挂账的题", "at work or suspended at the end"), suspended, alert="suspended"),
    Definition("ordered", "督办按时答复率", "Orders answered in time", ("按时答复", "answered by the due time"), ("本期应答复的督办单", "orders whose answer was due in the period"), ordered, better=True),
    Definition("remedied", "差评整改率", "Bad ratings remedied", ("最后一次评价为3级以上", "the last word is level 3 or better"), ("曾给1至2级的评价人", "voices that ever rated 1 or 2"), remedied, better=True, voiced=True),
    Definition("participation", "评价参与率", "Took part in rating", ("作出评价的人", "voices that rated"), ("受邀评价的人", "voices invited"), participation),
    Definition("repeated", "重复诉求率", "Repeated", ("并入他题或因已办结而不予受理", "merged into another, or refused as settled"), ("本期提出的题", "issues submitted in the period"), repeated),
)  # fmt: skip
