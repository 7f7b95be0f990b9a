"""The report of a month as a file: for people, for programs, as a table."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from msgspec import json
from msgspec.structs import replace
from python_calamine import CalamineWorkbook

from liuti import monthly
from liuti.figures.cases import Case, Leader
from liuti.monthly import Gathered, Report, report_of
from liuti.sheets import SheetUnfit
from liuti.store.figures import LEVELS, Frame
from tests.figures.test_rates import OCTOBER, case
from tests.figures.test_tables import LIMITS, many
from tests.flow.cast import WORLD


def report(cases: list[Case], name: str = "住建局") -> Report:
    names: dict[str, dict[str, str]] = {
        "unit": {"roads": name}, "category": {}, "grid": {}, "leader": {"b": "副主任二"}, "level": LEVELS,
    }  # fmt: skip
    leaders = [Leader("a", "district"), Leader("b", "district")]
    frame = Frame(WORLD, LIMITS, leaders, {"unit": {"roads": "department"}}, names, {})
    return report_of(Gathered(frame, cases), OCTOBER)


def month() -> Report:
    return report([*many(40, 38, leader="a", step="closed"), case(id="x", step="suspended")])


def test_the_page_tells_the_rates_with_interval_and_rank_and_what_passes_a_limit() -> None:
    page = monthly.html(month())
    assert "38/40 (83.5-98.6 %)" in page
    assert "第1" in page
    assert "住建局" in page
    assert "挂账率 1/1,高于 3%" in page
    assert "副主任二" in page, "who has no claim"
    assert "http://" not in page
    assert "https://" not in page
    assert "任何时候重算结果相同" in page


def test_a_page_without_a_single_case_is_a_page() -> None:
    assert "督评报告 2026-10" in monthly.html(report([]))


def test_an_exclusion_above_the_limit_is_named_with_its_unit() -> None:
    cases = [replace(one, excluded="no_duty") if k < 6 else one for k, one in enumerate(many(100, 90))]
    assert "住建局 剔除 6/100,高于 5%" in monthly.html(report(cases))


def test_no_name_is_more_than_text_on_the_page() -> None:
    assert "<script>" not in monthly.html(report(many(40, 38), name="<script>alert(1)</script>"))


def test_the_same_month_gives_the_same_bytes(tmp_path: Path) -> None:
    for kind in monthly.KINDS:
        first, second = tmp_path / f"a{kind}", tmp_path / f"b{kind}"
        monthly.write(month(), first)
        monthly.write(month(), second)
        assert first.read_bytes() == second.read_bytes(), kind
    assert not list(tmp_path.glob("*.part"))


def test_the_tables_hold_every_rate_of_every_group(tmp_path: Path) -> None:
    monthly.write(month(), tmp_path / "m.csv")
    with (tmp_path / "m.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    found = next(row for row in rows if (row["维度"], row["编号"], row["指标"]) == ("unit", "roads", "满意率"))
    assert (found["原始分子"], found["原始分母"], found["名次"], found["名称"]) == ("38", "40", "1", "住建局")
    monthly.write(month(), tmp_path / "m.xlsx")
    sheet = CalamineWorkbook.from_path(tmp_path / "m.xlsx").get_sheet_by_index(0).to_python()
    assert len(sheet) == len(rows) + 1
    monthly.write(month(), tmp_path / "m.json")
    assert json.decode((tmp_path / "m.json").read_bytes())["unit"]["total"]["rates"]["satisfied"]["raw"]["hits"] == 38


def test_another_ending_is_refused_in_words(tmp_path: Path) -> None:
    for name in ("m.docx", "m.parquet"):
        with pytest.raises(SheetUnfit, match=name):
            monthly.write(month(), tmp_path / name)
    with pytest.raises(SheetUnfit, match="folder"):
        monthly.write(month(), tmp_path / "none" / "m.json")
