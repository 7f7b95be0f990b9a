"""Working time: the checks of docs/rules.md §5, laws that hold for any moment, and a slow reckoning to compare with."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import chinese_calendar  # type: ignore[import-untyped]
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from liuti.calendars import notices
from liuti.flow.calendar import Calendar, Due, Notice, Rest, Span, Unit

SHANGHAI = ZoneInfo("Asia/Shanghai")
CALENDAR = Calendar(notices())
DAY = timedelta(days=1)
BOUNDS = (datetime.fromisoformat("2024-01-02"), datetime.fromisoformat("2026-11-15"))
CUTOFF, NEXT_BY = time(15), time(12)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


def due(start: str, span: str) -> datetime:
    return CALENDAR.due(at(start), Span.parse(span)).at


def local(day: date, hour: int = 17, minute: int = 30) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=SHANGHAI)


moments = st.datetimes(*BOUNDS, timezones=st.just(SHANGHAI))
worldwide = st.datetimes(*BOUNDS, timezones=st.just(UTC))
units = st.sampled_from(["wd", "oh", "h", "d"])
lengths = st.integers(1, 20)


# Spans


@pytest.mark.parametrize(
    ("text", "n", "unit"),
    [("5wd", 5, "wd"), ("0.5h", 0.5, "h"), ("1oh", 1, "oh"), ("15d", 15, "d"), ("1.5oh", 1.5, "oh")],
)
def test_a_span_reads_back_as_it_was_written(text: str, n: float, unit: str) -> None:
    span = Span.parse(text)
    assert (span.n, span.unit, str(span)) == (n, unit, text)
    assert span == Span.parse(text)
    assert len({span, Span.parse(text)}) == 1


@pytest.mark.parametrize(
    "text", ["", "5", "wd", "5 wd", "-1wd", "0wd", "0.5wd", "1.5d", "5w", "1e3h", "nanh", "٣wd", "9" * 400 + "h"]
)
def test_what_is_not_a_span_is_refused_in_words(text: str) -> None:
    with pytest.raises(ValueError, match=r"span|days are counted whole"):
        Span.parse(text)


# The checks of the rules


@pytest.mark.parametrize(
    ("start", "span", "end"),
    [
        ("2026-09-30T10:00", "5wd", "2026-10-13T17:30"),
        ("2026-02-13T10:00", "1wd", "2026-02-14T17:30"),
        ("2026-02-13T10:00", "2wd", "2026-02-24T17:30"),
        ("2026-09-18T10:00", "1wd", "2026-09-20T17:30"),
        # Day 0 at any hour of a working day; a rest day counts as the next working one.
        ("2026-09-18T00:00", "1wd", "2026-09-20T17:30"),
        ("2026-09-18T23:59:59.999999", "1wd", "2026-09-20T17:30"),
        ("2026-09-19T00:00", "1wd", "2026-09-21T17:30"),
        ("2026-10-03T12:00", "1wd", "2026-10-09T17:30"),
        # Office hours.
        ("2026-09-21T08:00", "1oh", "2026-09-21T10:00"),
        ("2026-09-21T16:30", "1oh", "2026-09-21T17:30"),
        ("2026-09-21T17:00", "1oh", "2026-09-22T09:30"),
        ("2026-09-30T17:30", "1oh", "2026-10-08T10:00"),
        ("2026-10-01T03:00", "17oh", "2026-10-09T17:30"),
        # Round the clock, and calendar days.
        ("2026-10-01T23:30", "0.5h", "2026-10-02T00:00"),
        ("2026-09-30T23:59", "15d", "2026-10-15T17:30"),
        ("2026-10-01T00:00", "15d", "2026-10-16T17:30"),
    ],
)
def test_a_span_is_due_when_the_rules_say(start: str, span: str, end: str) -> None:
    assert due(start, span) == at(end)


def test_answers_are_in_utc_whatever_zone_was_asked_in() -> None:
    for unit in ("1wd", "1oh", "1h", "1d"):
        here = CALENDAR.due(at("2026-09-21T10:00"), Span.parse(unit))
        there = CALENDAR.due(at("2026-09-21T10:00").astimezone(ZoneInfo("America/New_York")), Span.parse(unit))
        assert here == there
        assert here.at.tzinfo is UTC


def test_a_naive_moment_is_refused() -> None:
    with pytest.raises(TypeError):
        CALENDAR.due(datetime(2026, 9, 21), Span.parse("1wd"))  # noqa: DTZ001


@pytest.mark.parametrize(
    ("arrived", "answer"),
    [
        ("2026-09-21T08:00", "2026-09-21T17:30"),
        ("2026-09-21T15:00", "2026-09-21T17:30"),
        ("2026-09-21T15:00:01", "2026-09-22T12:00"),
        ("2026-09-24T23:00", "2026-09-28T12:00"),
        ("2026-09-25T10:00", "2026-09-28T17:30"),
        ("2026-09-27T16:00", "2026-09-28T17:30"),
    ],
)
def test_a_consultation_is_answered_the_same_working_day(arrived: str, answer: str) -> None:
    assert CALENDAR.same_day(at(arrived), CUTOFF, NEXT_BY) == Due(at(answer), provisional=False)


# The notices


def days(year: int) -> list[date]:
    return [date(year, 1, 1) + DAY * n for n in range((date(year + 1, 1, 1) - date(year, 1, 1)).days)]


@pytest.mark.parametrize("year", [2024, 2025, 2026])
def test_every_day_agrees_with_an_independent_calendar(year: int) -> None:
    assert {day for day in days(year) if CALENDAR.working(day)} == {
        d for d in days(year) if chinese_calendar.is_workday(d)
    }


def test_2026_is_as_the_rules_list_it() -> None:
    def span(month: int, first: int, last: int) -> set[date]:
        return {date(2026, month, day) for day in range(first, last + 1)}

    off = (
        span(1, 1, 3)
        | span(2, 15, 23)
        | span(4, 4, 6)
        | span(5, 1, 5)
        | span(6, 19, 21)
        | span(9, 25, 27)
        | span(10, 1, 7)
    )
    worked = {date(2026, m, d) for m, d in ((1, 4), (2, 14), (2, 28), (5, 9), (9, 20), (10, 10))}
    notice = notices()[-1]
    assert (notice.year, set(notice.off), set(notice.worked)) == (2026, off, worked)
    assert sum(map(CALENDAR.working, days(2026))) == 248
    assert CALENDAR.years == (2024, 2025, 2026)


NOTICE = (
    'year = 2030\nsource = "x"\n[[holiday]]\nname = "a"\nfirst = 2030-05-01\nlast = 2030-05-05\nworked = [2030-05-11]\n'
)


def test_a_notice_may_move_work_into_the_december_before() -> None:
    assert Notice.parse(NOTICE.replace("2030-05-11", "2029-12-29")).worked == {date(2029, 12, 29)}


@pytest.mark.parametrize(
    ("good", "bad", "why"),
    [
        ("2030-05-11", "2030-05-13", "weekday"),
        ("2030-05-11", "2030-05-04", "both off and worked"),
        ("2030-05-11", "2031-05-10", "not a day of 2030"),
        ("last = 2030-05-05", "last = 2030-04-30", "no holiday"),
        ("last = 2030-05-05\n", "", "lacks last"),
        ("worked", "wroked", "no wroked"),
        ("source", "sauce", "lacks source"),
        ("year = 2030", "year = 2030\nmonth = 5", "no month"),
        ("first = 2030-05-01", 'first = "2030-05-01"', "is written as"),
        ("year = 2030", "year = '2030'", "is a number"),
        ("year = 2030", "year = 30", "a year from"),
    ],
)
def test_a_faulty_notice_is_refused_in_words(good: str, bad: str, why: str) -> None:
    assert Notice.parse(NOTICE).off == {date(2030, 5, day) for day in range(1, 6)}
    with pytest.raises(ValueError, match=why):
        Notice.parse(NOTICE.replace(good, bad))


def test_two_notices_for_one_year_are_refused() -> None:
    with pytest.raises(ValueError, match="one notice"):
        Calendar([Notice.parse(NOTICE)] * 2)


# A year without a notice


@pytest.mark.parametrize(
    ("start", "span", "provisional"),
    [
        ("2026-12-24T10:00", "5wd", False),
        ("2026-12-25T10:00", "5wd", True),
        ("2026-12-31T17:00", "1oh", True),
        ("2026-12-31T16:30", "1oh", False),
        ("2026-12-31T10:00", "48h", False),
        ("2026-12-31T10:00", "15d", False),
        ("2027-03-01T10:00", "1wd", True),
        ("2023-12-29T10:00", "1wd", True),
        ("2024-01-01T00:00", "1wd", False),
    ],
)
def test_a_year_without_a_notice_makes_the_due_time_provisional(start: str, span: str, provisional: bool) -> None:
    assert CALENDAR.due(at(start), Span.parse(span)).provisional is provisional


def test_a_gap_between_two_notices_is_not_passed_over_silently() -> None:
    gap = Calendar([notices()[0], notices()[2]])
    assert gap.due(at("2024-12-31T10:00"), Span(300, "wd")).provisional
    assert not gap.due(at("2026-01-05T10:00"), Span(3, "wd")).provisional


def test_the_notice_once_imported_settles_what_was_provisional() -> None:
    text = (
        'year = 2027\nsource = "test"\n[[holiday]]\nname = "元旦"\nfirst = 2027-01-01\nlast = 2027-01-03\nworked = []\n'
    )
    start, span = at("2026-12-25T10:00"), Span(5, "wd")
    assert CALENDAR.due(start, span) == Due(at("2027-01-01T17:30"), provisional=True)
    assert Calendar([*notices(), Notice.parse(text)]).due(start, span) == Due(at("2027-01-04T17:30"), provisional=False)


def test_same_day_and_resumption_are_provisional_too() -> None:
    assert CALENDAR.same_day(at("2026-12-31T16:00"), CUTOFF, NEXT_BY) == Due(at("2027-01-01T12:00"), provisional=True)
    rest = CALENDAR.rest(at("2026-12-28T10:00"), at("2026-12-30T17:30"), "wd")
    assert CALENDAR.resume(at("2026-12-29T10:00"), rest) == Due(at("2026-12-31T17:30"), provisional=False)
    assert CALENDAR.resume(at("2026-12-30T10:00"), rest) == Due(at("2027-01-01T17:30"), provisional=True)


def test_far_years_are_reckoned_and_those_out_of_reach_refused() -> None:
    assert CALENDAR.due(at("2091-03-01T10:00"), Span(1, "wd")) == Due(at("2091-03-02T17:30"), provisional=True)
    assert CALENDAR.due(at("1971-03-01T10:00"), Span(1, "d")).at == at("1971-03-02T17:30")
    assert CALENDAR.due(at("2026-01-05T10:00"), Span(5000, "oh")).provisional
    for year in (1960, 2300):
        with pytest.raises(ValueError, match="reaches from 1970 to 2200"):
            Calendar().due(datetime(year, 1, 1, tzinfo=UTC), Span(1, "wd"))


# Pauses


def resumed(paused: str, due_at: str, now: str, unit: Unit = "wd") -> Due:
    return CALENDAR.resume(at(now), CALENDAR.rest(at(paused), at(due_at), unit))


@pytest.mark.parametrize(
    ("unit", "paused", "due_at", "now", "end"),
    [
        # Whole working days: Monday to Wednesday is two, from Thursday on they end on Monday.
        ("wd", "2026-03-02T10:00", "2026-03-04T17:30", "2026-03-05T16:00", "2026-03-09T17:30"),
        ("wd", "2026-03-02T10:00", "2026-03-04T17:30", "2026-03-02T22:00", "2026-03-04T17:30"),
        ("wd", "2026-03-07T10:00", "2026-03-10T17:30", "2026-03-09T23:00", "2026-03-10T17:30"),
        # Its last day: a clock paused with the whole day left does not come back to ten minutes.
        ("wd", "2026-03-04T09:00", "2026-03-04T17:30", "2026-03-05T17:20", "2026-03-06T17:30"),
        ("wd", "2026-03-04T17:20", "2026-03-04T17:30", "2026-03-05T09:00", "2026-03-05T17:30"),
        ("wd", "2026-03-04T09:00", "2026-03-04T17:30", "2026-03-05T20:00", "2026-03-06T17:30"),
        ("d", "2026-03-04T09:00", "2026-03-19T17:30", "2026-03-05T20:00", "2026-03-20T17:30"),
        ("d", "2026-03-04T09:00", "2026-03-04T17:30", "2026-03-07T10:00", "2026-03-08T17:30"),
        ("h", "2026-03-04T09:00", "2026-03-04T10:30", "2026-03-08T23:10", "2026-03-09T00:40"),
        ("oh", "2026-03-06T17:00", "2026-03-09T09:30", "2026-03-10T17:10", "2026-03-11T09:40"),
        ("oh", "2026-03-06T17:00", "2026-03-09T09:30", "2026-03-06T23:00", "2026-03-09T10:00"),
    ],
)
def test_a_resumed_clock_has_what_it_had(unit: Unit, paused: str, due_at: str, now: str, end: str) -> None:
    assert resumed(paused, due_at, now, unit).at == at(end)


@pytest.mark.parametrize("unit", ["wd", "oh", "h", "d"])
def test_a_clock_late_at_the_pause_stays_late(unit: Unit) -> None:
    rest = CALENDAR.rest(at("2026-03-05T10:00"), at("2026-03-04T17:30"), unit)
    assert rest == Rest(unit, timedelta(), at("2026-03-05T10:00"), at("2026-03-04T17:30"))
    assert rest.late
    assert CALENDAR.resume(at("2026-03-20T10:00"), rest) == Due(at("2026-03-04T17:30"), provisional=False)


@given(moments, moments, lengths, units, st.floats(0, 1))
def test_at_resumption_a_clock_never_has_less_than_at_the_pause(
    start: datetime, later: datetime, n: int, unit: Unit, part: float
) -> None:
    end = CALENDAR.due(start, Span(n, unit)).at
    paused = start + (end - start) * part
    now = max(paused, later)
    rest = CALENDAR.rest(paused, end, unit)
    again = CALENDAR.resume(now, rest)
    assert CALENDAR.rest(now, again.at, unit).left >= rest.left
    assert again.at >= end
    if not rest.late:
        assert again.at >= now or again.at == end


@given(
    moments, st.timedeltas(timedelta(), timedelta(days=60)), lengths, st.sampled_from(["oh", "h"]), st.floats(0, 0.99)
)
def test_hours_are_conserved_to_the_microsecond(
    start: datetime, away: timedelta, n: int, unit: Unit, part: float
) -> None:
    end = CALENDAR.due(start, Span(n, unit)).at
    rest = CALENDAR.rest(start + (end - start) * part, end, unit)
    now = start + (end - start) * part + away
    assert CALENDAR.rest(now, CALENDAR.resume(now, rest).at, unit).left == rest.left


@given(moments, lengths, st.sampled_from(["oh", "h"]), st.lists(st.floats(0, 1), min_size=2, max_size=6))
def test_many_pauses_cost_a_clock_nothing(start: datetime, n: int, unit: Unit, parts: list[float]) -> None:
    span = Span(n, unit)
    now, end = start, CALENDAR.due(start, span).at
    worked = timedelta()
    for part in parts:
        paused = now + (end - now) * part
        worked += CALENDAR.rest(now, end, unit).left - CALENDAR.rest(paused, end, unit).left
        now = paused + timedelta(hours=31)
        end = CALENDAR.resume(now, CALENDAR.rest(paused, end, unit)).at
        assume(now < end)
    assert worked + CALENDAR.rest(now, end, unit).left == timedelta(hours=n)


@given(moments, lengths, st.sampled_from(["wd", "d"]), st.times(), st.times())
def test_a_pause_within_one_day_changes_nothing(start: datetime, n: int, unit: Unit, one: time, other: time) -> None:
    end = CALENDAR.due(start, Span(n, unit)).at
    day = start.date() + DAY
    paused, now = (datetime.combine(day, moment, SHANGHAI) for moment in sorted((one, other)))
    assert CALENDAR.resume(now, CALENDAR.rest(paused, end, unit)).at == end


# Laws, and a slow reckoning that walks the days


@cache
def slow(zone: str) -> Calendar:
    return Calendar(notices(), zone)


def walked(calendar: Calendar, start: datetime, n: int) -> datetime:
    day = start.astimezone(calendar.zone).date()
    while not calendar.working(day):
        day += DAY
    for _ in range(n):
        day += DAY
        while not calendar.working(day):
            day += DAY
    return datetime.combine(day, calendar.closes, calendar.zone)


def office(calendar: Calendar, a: datetime, b: datetime) -> timedelta:
    total, day = timedelta(), a.astimezone(calendar.zone).date()
    while day <= b.astimezone(calendar.zone).date():
        opens, closes = (
            datetime.combine(day, t, calendar.zone).astimezone(UTC) for t in (calendar.opens, calendar.closes)
        )
        if calendar.working(day):
            total += max(timedelta(), min(b, closes) - max(a, opens))
        day += DAY
    return total


ZONES = ["Asia/Shanghai", "America/New_York", "Africa/Cairo", "America/Havana", "Asia/Kathmandu", "Pacific/Apia", "UTC"]


@given(worldwide, lengths, st.sampled_from(ZONES))
def test_working_days_agree_with_walking_them_in_any_zone(start: datetime, n: int, zone: str) -> None:
    calendar = slow(zone)
    assert calendar.due(start, Span(n, "wd")).at == walked(calendar, start, n)


@given(worldwide, lengths, st.sampled_from(ZONES))
def test_office_hours_agree_with_walking_them_in_any_zone(start: datetime, n: int, zone: str) -> None:
    calendar = slow(zone)
    end = calendar.due(start, Span(n, "oh")).at
    assert office(calendar, start, end) == timedelta(hours=n)
    assert office(calendar, start, end - timedelta(microseconds=1)) < timedelta(hours=n)
    assert calendar.office_seconds(start, end) == n * 3600
    assert calendar.office_seconds(end, start) == -n * 3600


@given(moments, moments, lengths, lengths, units)
def test_later_starts_and_longer_spans_are_never_due_earlier(
    one: datetime, other: datetime, n: int, m: int, unit: Unit
) -> None:
    first, second = sorted((one, other))
    assert CALENDAR.due(first, Span(n, unit)).at <= CALENDAR.due(second, Span(n, unit)).at
    assert CALENDAR.due(one, Span(min(n, m), unit)).at <= CALENDAR.due(one, Span(max(n, m), unit)).at
    assert CALENDAR.due(one, Span(n, unit)).at > one


@given(moments, moments, moments)
def test_office_time_adds_up(a: datetime, b: datetime, c: datetime) -> None:
    a, b, c = (moment.replace(microsecond=0) for moment in sorted((a, b, c)))
    total: Callable[[datetime, datetime], int] = CALENDAR.office_seconds
    assert total(a, b) + total(b, c) == total(a, c) >= 0


@given(moments)
def test_the_next_working_day_is_the_first_after_this_one(moment: datetime) -> None:
    day = moment.date() + DAY
    while not CALENDAR.working(day):
        day += DAY
    assert CALENDAR.next_working_day_start(moment) == local(day, 9, 0)


@given(moments, lengths, units, st.floats(0, 1))
def test_part_of_the_time_is_used_within_the_time_and_in_order(
    start: datetime, n: int, unit: Unit, part: float
) -> None:
    end = CALENDAR.due(start, Span(n, unit)).at
    steps = [CALENDAR.fraction(start, end, p, unit) for p in sorted((part, 0.75, 1.0))]
    assert all(a <= b for a, b in pairwise([start, *steps]))
    assert steps[-1] == end
    warned = CALENDAR.fraction(start, end, unit=unit)
    if unit in ("wd", "oh"):
        assert CALENDAR.office_seconds(start, warned) == pytest.approx(
            0.75 * CALENDAR.office_seconds(start, end), abs=1
        )
    else:
        assert warned - start == pytest.approx((end - start) * 0.75, abs=timedelta(seconds=1))


def test_the_warning_of_a_span_over_a_holiday_falls_on_working_time() -> None:
    start = at("2026-09-30T09:00")
    # Six days of 8.5 hours, 75 % of them four and a half: 30 September, 8, 9 and 10 October, and half of the 12th.
    assert CALENDAR.fraction(start, due("2026-09-30T09:00", "5wd")) == at("2026-10-12T13:15")
    assert CALENDAR.fraction(at("2026-10-02T09:00"), at("2026-10-04T09:00")) == at("2026-10-03T21:00")
    assert CALENDAR.fraction(at("2026-10-04T09:00"), at("2026-10-02T09:00")) == at("2026-10-02T09:00")


def test_an_office_that_closes_before_it_opens_is_refused() -> None:
    with pytest.raises(ValueError, match="opens before it closes"):
        Calendar(opens=time(18))
