"""Months, quarters and years by local midnights."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from liuti.figures.periods import period_of

SHANGHAI = ZoneInfo("Asia/Shanghai")
LATER = datetime(2027, 6, 1, tzinfo=UTC)


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


@pytest.mark.parametrize(
    ("name", "start", "end"),
    [
        ("2026-10", "2026-10-01", "2026-11-01"), ("2026-12", "2026-12-01", "2027-01-01"),
        ("2026-Q1", "2026-01-01", "2026-04-01"), ("2026-Q4", "2026-10-01", "2027-01-01"),
        ("2026", "2026-01-01", "2027-01-01"),
    ],
)  # fmt: skip
def test_a_period_runs_from_local_midnight_to_local_midnight(name: str, start: str, end: str) -> None:
    period = period_of(name, LATER, SHANGHAI)
    assert (period.start, period.end) == (local(start), local(end))
    assert period.final
    assert period.holds(local(start))
    assert not period.holds(local(end))


def test_a_period_that_runs_is_told_up_to_now_and_not_final() -> None:
    period = period_of("2026-10", local("2026-10-15T12:00"), SHANGHAI)
    assert period.as_of == local("2026-10-15T12:00")
    assert not period.final
    assert not period.holds(local("2026-10-16"))
    assert period_of("2026-10", local("2026-11-01"), SHANGHAI).final


@pytest.mark.parametrize(
    "name", ["2026-13", "2026-00", "2026-Q5", "26-10", "", "2026-1", "next", "0000", "9999", "२०२६"]
)
def test_other_names_are_no_period(name: str) -> None:
    with pytest.raises(ValueError, match="period"):
        period_of(name, LATER, SHANGHAI)


def test_what_has_not_begun_has_no_figures() -> None:
    with pytest.raises(ValueError, match="not begun"):
        period_of("2027-07", LATER, SHANGHAI)
