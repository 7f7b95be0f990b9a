"""Rows of a file become issues once, the rest is said, and a broken run goes on where it stopped."""

from __future__ import annotations

import csv
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter  # type: ignore[import-untyped] # it ships no types
from sqlalchemy import select

from liuti import importer, policy
from liuti.calendars import notices
from liuti.flow.calendar import Calendar
from liuti.flow.clocks import World
from liuti.flow.kernel import Actor
from liuti.flow.table import FLOW
from liuti.flow.words import Role
from liuti.settings import new_key
from liuti.sheets import SheetUnfit
from liuti.store import ledger, read
from liuti.store.act import Desk
from liuti.store.engine import Engine
from liuti.store.read import Wish
from liuti.store.tables import issues, voices
from liuti.store.vault import KeyRing
from tests.doors.town import at

NOW = at("2026-03-02 10:00")
HEAD = ["编号", "标题", "内容", "时间"]
ROWS = [
    ["a1", "路灯", "东门路灯坏了一周", "2026/2/27 18:05"],
    ["a2", "噪音", "夜里施工太吵", "2026/2/28 23:10"],
    ["a3", "", "", "2026/2/28 23:10"],
    ["a4", "停水", "三号楼又停水了", "not a time"],
]
COLUMNS = {"external_id": "编号", "title": "标题", "text": "内容", "reported_at": "时间"}


@pytest.fixture
def desk(engine: Engine) -> Desk:
    world = World(policy.default(), Calendar(notices()))
    return Desk(engine, FLOW, lambda: world, KeyRing.parse(new_key()), lambda: NOW)


def a_csv(path: Path, encoding: str = "utf-8-sig") -> Path:
    with path.open("w", encoding=encoding, newline="") as out:
        csv.writer(out).writerows([HEAD, *ROWS])
    return path


def a_parquet(path: Path) -> Path:
    columns = {name: [row[place] for row in ROWS] for place, name in enumerate(HEAD)}
    pq.write_table(pa.table(columns), path)
    return path


def an_xlsx(path: Path) -> Path:
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        for place, row in enumerate([HEAD, *ROWS]):
            sheet.write_row(place, 0, row)
    return path


async def entered(desk: Desk, path: Path) -> importer.Outcome:
    return await importer.import_file(desk, path, columns=COLUMNS, bad_path=path.with_suffix(".bad.csv"))


@pytest.mark.parametrize("kind", ["csv", "gb18030", "parquet", "xlsx"])
async def test_good_rows_go_in_once_and_bad_rows_are_written_down_with_the_reason(
    desk: Desk, tmp_path: Path, kind: str
) -> None:
    path = {
        "csv": lambda: a_csv(tmp_path / "rows.csv"),
        "gb18030": lambda: a_csv(tmp_path / "rows.csv", "gb18030"),
        "parquet": lambda: a_parquet(tmp_path / "rows.parquet"),
        "xlsx": lambda: an_xlsx(tmp_path / "rows.xlsx"),
    }[kind]()
    first, again = await entered(desk, path), await entered(desk, path)
    assert (first.new, first.known, first.bad) == (2, 0, 2)
    assert (again.new, again.known, again.bad) == (0, 2, 2)
    with path.with_suffix(".bad.csv").open(encoding="utf-8-sig", newline="") as left:
        bad = list(csv.DictReader(left))
    assert [row["编号"] for row in bad] == ["a3", "a4"]
    assert all(row["bad_reason_zh"] and row["bad_reason_en"] for row in bad)


async def test_a_row_speaks_for_whoever_wrote_it_not_for_the_officer_who_brought_it(desk: Desk, tmp_path: Path) -> None:
    """Else every imported household would weigh nothing in a round (docs/rules.md §6)."""
    intake = Actor("p-1", frozenset({Role.INTAKE}), unit="u-1")
    own = {"title": "积水", "text": "大厅门口积水。", "place": "办事大厅", "kind": "help"}
    await entered(desk, a_csv(tmp_path / "rows.csv"))
    await desk.act(intake, "submit", own)
    staff = await desk.engine.read(
        lambda conn: dict(conn.execute(select(issues.c.title, voices.c.staff).join_from(voices, issues)).all())
    )
    assert staff == {"路灯": False, "噪音": False, "积水": True}


async def test_the_rows_own_time_is_kept_and_clocks_start_now(desk: Desk, tmp_path: Path) -> None:
    await entered(desk, a_csv(tmp_path / "rows.csv"))
    intake = an_intake_officer()
    page = await desk.engine.read(lambda conn: read.page(conn, intake, Wish(q="路灯")))
    issue = page.found[0].issue
    assert issue.reported == at("2026-02-27 18:05")
    assert issue.submitted == NOW
    assert [timer.started for timer in issue.timers] == [NOW, NOW]


def an_intake_officer() -> Actor:
    return Actor("i", frozenset({Role.INTAKE}))


async def test_a_run_broken_off_goes_on_without_loss_or_repeat(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "many.csv"
    with path.open("w", encoding="utf-8", newline="") as out:
        csv.writer(out).writerows([HEAD, *([f"n{n}", "", f"第{n}件:楼道灯不亮", "2026-02-01"] for n in range(250))])

    def dies(done: int, _total: int | None) -> None:
        if done >= 200:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await importer.import_file(desk, path, columns=COLUMNS, bad_path=tmp_path / "bad.csv", progress=dies)
    rest = await importer.import_file(desk, path, columns=COLUMNS, bad_path=tmp_path / "bad.csv")
    assert (rest.new, rest.known, rest.bad) == (50, 200, 0)
    walked = await desk.engine.read(lambda conn: list(ledger.verify(conn)))
    assert sum(n for n in walked if isinstance(n, int)) == 250
    assert all(isinstance(n, int) for n in walked)


async def test_a_map_that_names_no_column_says_which_there_are(desk: Desk, tmp_path: Path) -> None:
    path = a_csv(tmp_path / "rows.csv")
    with pytest.raises(SheetUnfit) as unfit:
        await importer.import_file(desk, path, columns={"text": "正文"}, bad_path=tmp_path / "bad.csv")
    assert "内容" in unfit.value.zh
    assert "内容" in unfit.value.en


def test_common_headings_are_recognised() -> None:
    assert importer.guess(HEAD) == COLUMNS
