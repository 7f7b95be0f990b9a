"""The import, the harder half: other spellings, other encodings, two at once, torn rows, files that are no table."""

from __future__ import annotations

import asyncio
import base64
import csv
import os
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter  # type: ignore[import-untyped]
from rich.console import Console
from sqlalchemy import Connection, insert, select

from liuti import importer, policy
from liuti.calendars import notices
from liuti.flow.calendar import Calendar
from liuti.flow.clocks import World
from liuti.flow.kernel import Refused
from liuti.flow.table import FLOW
from liuti.flow.words import Channel
from liuti.importer import Outcome
from liuti.sheets import SheetUnfit
from liuti.store import ledger, outside
from liuti.store.act import Desk
from liuti.store.engine import Engine
from liuti.store.tables import entries, issues, units, voices
from liuti.store.vault import KeyRing

NOW = datetime(2026, 11, 2, 2, 0, tzinfo=UTC)
NAMES = ("工单编号", "标题", "诉求内容", "诉求时间", "备注")
PLAIN: Sequence[Sequence[Any]] = (
    ("T-001", "路灯不亮", "小区东门的路灯坏了一周,晚上很黑。", datetime.fromisoformat("2019-02-28 11:25:05"), "转办"),
    ("T-002", "", "幸福路口积水很深,\n行人绕行。", datetime.fromisoformat("2019-07-19 18:00:00"), ""),
    ("", "噪音扰民", '楼下餐馆半夜还在放音乐,"每天如此"。', datetime.fromisoformat("2020-01-06 08:30:00"), "=1+1"),
)


@pytest.fixture
async def desk(engine: Engine) -> Desk:
    world = World(policy.default(), Calendar(notices()))
    ring = KeyRing.parse("1:" + base64.b64encode(b"k" * 32).decode())
    return Desk(engine, FLOW, lambda: world, ring, lambda: NOW)


def write_csv(
    path: Path, rows: Sequence[Sequence[Any]] = PLAIN, names: Sequence[str] = NAMES, encoding: str = "utf-8"
) -> Path:
    with path.open("w", encoding=encoding, newline="") as file:
        csv.writer(file).writerows([names, *rows])
    return path


def write_xlsx(path: Path, rows: Sequence[Sequence[Any]] = PLAIN, names: Sequence[str] = NAMES) -> Path:
    with xlsxwriter.Workbook(path) as book:
        sheet, moment = book.add_worksheet(), book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        sheet.merge_range(0, 0, 0, len(names) - 1, "某区群众诉求清单")
        for at, row in enumerate([names, *rows], start=1):
            for column, cell in enumerate(row):
                if isinstance(cell, datetime):
                    sheet.write_datetime(at, column, cell, moment)
                elif isinstance(cell, str):
                    sheet.write_string(at, column, cell)
                else:
                    sheet.write(at, column, cell)
    return path


def write_parquet(path: Path, rows: Sequence[Sequence[Any]] = PLAIN, names: Sequence[str] = NAMES) -> Path:
    pq.write_table(pa.table({name: [row[at] for row in rows] for at, name in enumerate(names)}), path)
    return path


async def run(desk: Desk, path: Path, columns: Mapping[str, str] | None = None, **more: Any) -> Outcome:
    columns = columns or importer.guess(importer.columns_of(path))
    return await importer.import_file(desk, path, columns=columns, bad_path=bad_of(path), **more)


def bad_of(path: Path) -> Path:
    return path.with_name(path.name + ".bad.csv")


def bad_rows(path: Path) -> list[dict[str, str]]:
    with bad_of(path).open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def counted(outcome: Outcome) -> tuple[int, int, int]:
    return outcome.new, outcome.known, outcome.bad


async def there(desk: Desk) -> list[tuple[Any, ...]]:
    asked = select(issues.c.external_id, issues.c.title, issues.c.body, issues.c.place, issues.c.reported_at)
    found = await desk.engine.read(lambda conn: conn.execute(asked.order_by(issues.c.external_id)).all())
    return [tuple(row) for row in found]


async def chains_hold(desk: Desk) -> bool:
    return all(isinstance(n, int) for n in await desk.engine.read(lambda conn: list(ledger.verify(conn))))


# --- once and only once ----------------------------------------------------------------------------------------------


async def test_a_second_run_adds_nothing(desk: Desk, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv")
    assert counted(await run(desk, path)) == (3, 0, 0)
    before = await there(desk)
    assert counted(await run(desk, path)) == (0, 3, 0)
    assert await there(desk) == before and await chains_hold(desk)
    assert not bad_of(path).exists()


async def test_the_same_rows_as_csv_xlsx_and_parquet_are_the_same_issues(desk: Desk, tmp_path: Path) -> None:
    assert counted(await run(desk, write_csv(tmp_path / "a.csv"))) == (3, 0, 0)
    assert counted(await run(desk, write_xlsx(tmp_path / "a.xlsx"))) == (0, 3, 0)
    assert counted(await run(desk, write_parquet(tmp_path / "a.parquet"))) == (0, 3, 0)


class PowerCut(Exception):
    """What happens in the middle of an import."""


@pytest.mark.parametrize("after", [1, 2, 3])
async def test_broken_off_in_the_middle_and_started_again_nothing_is_lost_or_twice(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    monkeypatch.setattr(importer, "BATCH", 2)
    rows = [(f"T-{n}", "", f"第{n}号路灯坏了。", "", "") for n in range(8)]
    path = write_csv(tmp_path / "a.csv", rows)
    write: Callable[..., Any] = desk.engine.write
    begun = 0

    async def cut(fn: Callable[[Connection], Any]) -> Any:
        nonlocal begun
        begun += 1

        def work(conn: Connection) -> Any:
            done = fn(conn)
            if begun == after:
                raise PowerCut
            return done

        return await write(work)

    with monkeypatch.context() as during:
        during.setattr(desk.engine, "write", cut)
        with pytest.raises(PowerCut):
            await run(desk, path)
    kept = 2 * (after - 1)
    assert len(await there(desk)) == kept
    assert counted(await run(desk, path)) == (8 - kept, kept, 0)
    assert len(await there(desk)) == 8 and await chains_hold(desk)


async def test_a_number_that_comes_again_with_other_words_is_not_lost_in_silence(desk: Desk, tmp_path: Path) -> None:
    rows = [("T-1", "", "东门的路灯坏了。", "", ""), ("T-1", "", "西门的水管爆了。", "", "")]
    path = write_csv(tmp_path / "a.csv", rows)
    assert counted(await run(desk, path)) == (1, 0, 1)
    [bad] = bad_rows(path)
    assert (bad["bad_row"], bad["bad_code"], bad["诉求内容"]) == ("3", "number_taken", "西门的水管爆了。")
    assert counted(await run(desk, path)) == (0, 1, 1)


async def test_a_row_without_a_number_is_known_by_its_content(desk: Desk, tmp_path: Path) -> None:
    words = ("", "噪音", "楼下餐馆半夜还在放音乐。", "2020-01-06 08:30:00", "")
    other = (*words[:3], "2020-01-07 08:30:00", "")
    assert counted(await run(desk, write_csv(tmp_path / "a.csv", [words, other, words]))) == (2, 1, 0)
    numbers = [row[0] for row in await there(desk)]
    assert all(number.startswith("sha256:") for number in numbers) and len(set(numbers)) == 2


async def test_the_same_number_from_two_sources_is_two_issues(desk: Desk, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", PLAIN[:1])
    assert counted(await run(desk, path, source=Channel.HOTLINE)) == (1, 0, 0)
    assert counted(await run(desk, path, source=Channel.LETTER)) == (1, 0, 0)


async def test_two_imports_of_one_file_at_once_make_each_issue_once(desk: Desk, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", [(f"T-{n}", "", f"第{n}号路灯坏了。", "", "") for n in range(250)])
    columns = importer.guess(NAMES)
    one, other = await asyncio.gather(
        importer.import_file(desk, path, columns=columns, bad_path=tmp_path / "one.bad.csv"),
        importer.import_file(desk, path, columns=columns, bad_path=tmp_path / "other.bad.csv"),
    )
    assert (one.new + other.new, one.known + other.known, one.bad + other.bad) == (250, 250, 0)
    assert len(await there(desk)) == 250 and await chains_hold(desk)


async def test_whoever_is_beaten_to_a_number_looks_again_and_hurts_no_neighbour(desk: Desk) -> None:
    unit = {"id": "u-1", "name": "住建局", "kind": "department", "supervisor": None, "active": True}
    tries = 0

    def work(conn: Connection) -> str:
        nonlocal tries
        tries += 1
        if tries == 1:
            conn.execute(insert(units), [unit | {"id": "u-2"}, unit])
        return "known"

    def batch(conn: Connection) -> str:
        conn.execute(insert(units), unit)
        return outside.apart(conn, lambda: work(conn))

    assert await desk.engine.write(batch) == "known" and tries == 2
    assert await desk.engine.read(lambda conn: conn.execute(select(units.c.id)).scalars().all()) == ["u-1"]


# --- what is kept ----------------------------------------------------------------------------------------------------


async def test_the_rows_own_time_is_kept_and_the_clocks_start_at_the_import(desk: Desk, tmp_path: Path) -> None:
    await run(desk, write_csv(tmp_path / "a.csv", PLAIN[:1]), source=Channel.HOTLINE)
    asked = select(issues.c.reported_at, issues.c.submitted_at, issues.c.due_at, issues.c.place, issues.c.source)
    row = (await desk.engine.read(lambda conn: conn.execute(asked).all()))[0]
    # 11:25:05 in the policy's zone, eight hours ahead of UTC.
    assert row.reported_at == datetime(2019, 2, 28, 3, 25, 5, tzinfo=UTC)
    assert row.submitted_at == NOW < row.due_at
    assert (row.place, row.source) == ("unknown", "12345")
    who = select(entries.c.actor, entries.c.role, voices.c.staff).join(voices, voices.c.issue_id == entries.c.issue_id)
    assert await desk.engine.read(lambda conn: [tuple(r) for r in conn.execute(who)]) == [
        ("import:12345", "intake", False)
    ]


@pytest.mark.parametrize(
    ("source", "phone", "user", "verified"),
    [
        (Channel.HOTLINE, "13800000001", "", True), (Channel.HOTLINE, "", "U0001", False),
        (Channel.HOTLINE, "-", "", False), (Channel.COUNTER, "", "", True), (Channel.GRID, "", "", True),
        (Channel.IMPORT, "13800000001", "U0001", False), (Channel.LETTER, "13800000001", "", False),
    ],
)  # fmt: skip
async def test_the_hotline_verifies_by_the_callers_number_and_by_nothing_it_calls_people(
    desk: Desk, tmp_path: Path, source: Channel, phone: str, user: str, verified: bool
) -> None:
    path = write_csv(tmp_path / "a.csv", [("T-1", phone, "路灯坏了。", user, "")])
    columns = {"external_id": NAMES[0], "phone": NAMES[1], "text": NAMES[2], "reporter": NAMES[3]}
    done = await importer.import_file(desk, path, source=source, columns=columns, bad_path=tmp_path / "bad.csv")
    assert done.new == 1
    assert await desk.engine.read(lambda conn: conn.execute(select(voices.c.verified)).scalar()) is verified


def test_that_nobody_will_count_as_verified_is_said_beforehand() -> None:
    said = importer.unverified_shown
    assert "no column of caller numbers" in said(Channel.HOTLINE, {"text": "a", "reporter": "b"}).plain
    assert "no column of phones or addresses" in said(Channel.COUNTER, {"text": "a"}).plain
    assert not said(Channel.HOTLINE, {"text": "a", "phone": "b"})
    assert not said(Channel.GRID, {"text": "a", "address": "b"})
    assert not said(Channel.IMPORT, {"text": "a"})


@pytest.mark.parametrize(
    "cell",
    ["2019-02-28 11:25:05", "2019/2/28 11:25:05", "2019年2月28日 11时25分05秒", "2019-02-28T03:25:05Z", "20190228T112505"],
)  # fmt: skip
def test_a_time_is_read_however_it_is_written(cell: str) -> None:
    zone = ZoneInfo("Asia/Shanghai")
    assert importer.moment(cell, zone, NOW) == datetime(2019, 2, 28, 3, 25, 5, tzinfo=UTC)


@pytest.mark.parametrize("cell", ["昨天", "0001-01-01 00:00:00", "2027-01-01", "9999-12-31", "2019-02-30", 43524.5])
def test_what_is_no_time_to_be_believed_is_refused(cell: object) -> None:
    with pytest.raises(Refused) as refused:
        importer.moment(cell, ZoneInfo("Asia/Shanghai"), NOW)
    assert refused.value.code == "bad_time"


async def test_no_rate_limit_stands_in_the_way_of_many_rows_with_one_phone(desk: Desk, tmp_path: Path) -> None:
    rows = [(f"T-{n}", f"第{n}号路灯坏了。", "13800000000") for n in range(30)]
    path = write_csv(tmp_path / "a.csv", rows, ("id", "text", "联系电话"))
    assert counted(await run(desk, path)) == (30, 0, 0)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_csv_is_read_in_every_encoding_offices_save_it_in(desk: Desk, tmp_path: Path, encoding: str) -> None:
    assert counted(await run(desk, write_csv(tmp_path / "a.csv", encoding=encoding))) == (3, 0, 0)
    assert (await there(desk))[0][:3] == ("T-001", PLAIN[0][1], PLAIN[0][2])


# --- bad rows --------------------------------------------------------------------------------------------------------


async def test_bad_rows_go_to_a_file_with_the_reason_and_the_rest_goes_on(desk: Desk, tmp_path: Path) -> None:
    rows = [
        ("T-1", "", "东门的路灯坏了。", "", "=HYPERLINK(1)"),
        ("T-2", "", "坏", "", "@SUM(1)"),
        ("T-3", "长" * 201, "西门的路灯坏了。", "", "-1"),
        ("T-4", "", "南门的路灯坏了。", "去年", ""),
        ("3.2021E+17", "", "北门的路灯坏了。", "", ""),
        ("T-6", "", "桥上的路灯\x00坏了。", "", ""),
        ("T-7", "", "河边的路灯坏了", "", "", "因为下雨"),
        ("T-8", "", "山上的路灯坏了。", "", ""),
    ]
    path = write_csv(tmp_path / "a.csv", rows)
    assert counted(await run(desk, path)) == (2, 0, 6)
    assert [row[0] for row in await there(desk)] == ["T-1", "T-8"] and await chains_hold(desk)
    bad = bad_rows(path)
    assert [(row["bad_row"], row["bad_external_id"], row["bad_code"]) for row in bad] == [
        ("3", "T-2", "says_what"),
        ("4", "T-3", "bad_form"),
        ("5", "T-4", "bad_time"),
        ("6", "3.2021E+17", "rounded_number"),
        ("7", "T-6", "control_character"),
        ("8", "T-7", "torn_row"),
    ]
    assert "title:过长" in bad[1]["bad_reason_zh"] and "200 characters" in bad[1]["bad_reason_en"]
    assert [row["备注"] for row in bad[:2]] == ["'@SUM(1)", "'-1"]
    assert bad_of(path).stat().st_mode & 0o077 == 0


async def test_a_bad_row_put_right_goes_in_and_its_file_goes(desk: Desk, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", [("T-1", "", "坏", "", "")])
    assert counted(await run(desk, path)) == (0, 0, 1)
    mended = write_csv(path, [("T-1", "", "东门的路灯坏了。", "", "")])
    assert counted(await run(desk, mended)) == (1, 0, 0)
    assert not bad_of(path).exists()


async def test_the_file_of_bad_rows_can_be_imported_itself(desk: Desk, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", [("T-1", "", "东门的路灯坏了。", "去年", "")])
    await run(desk, path)
    mended = tmp_path / "mended.csv"
    mended.write_text(bad_of(path).read_text("utf-8-sig").replace("去年", "2019-02-28"), "utf-8-sig")
    assert counted(await run(desk, mended)) == (1, 0, 0)
    assert (await there(desk))[0][0] == "T-1"


# --- maps and files that do not fit ----------------------------------------------------------------------------------


def refusal(path: Path, columns: Mapping[str, str]) -> SheetUnfit:
    with pytest.raises(SheetUnfit) as unfit:
        importer.placed(importer.columns_of(path), columns)
    return unfit.value


def test_a_wrong_map_is_told_which_columns_there_are(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv")
    assert importer.placed(NAMES, {"text": "诉求内容"}) == {"text": 2}
    for columns in ({"text": "body"}, {"title": "题名"}, {"place": "备注"}):
        fault = refusal(path, columns)
        assert "、".join(NAMES) in fault.zh and ", ".join(NAMES) in fault.en
    fault = refusal(path, {"text": "诉求内容", "colour": "备注"})
    assert "external_id" in fault.zh and "there is no field colour" in fault.en
    twice = write_csv(tmp_path / "b.csv", [("1", "2")], ("内容", "内容"))
    assert "several columns 内容" in refusal(twice, {"text": "内容"}).en


def test_a_map_is_written_as_pairs() -> None:
    assert importer.parse_map("text=body, title = 标题") == {"text": "body", "title": "标题"}
    with pytest.raises(SheetUnfit, match="field=column"):
        importer.parse_map("text")


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (("msg_id", "user", "title", "created_at", "body"),
         {"text": "body", "title": "title", "external_id": "msg_id", "reported_at": "created_at", "reporter": "user"}),
        (NAMES, {"text": "诉求内容", "title": "标题", "external_id": "工单编号", "reported_at": "诉求时间"}),
        (("category", "kind", "address", "x"), {}),
    ],
)  # fmt: skip
def test_headings_in_both_languages_are_recognised(names: tuple[str, ...], found: dict[str, str]) -> None:
    assert importer.guess(names) == found


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.txt", b"x"),
        ("a.csv", b""),
        ("a.csv", b"\xff\xfe\xff\xff"),
        ("a.csv", "内容\n小区东门的路灯坏了一周,晚上很黑".encode() + b"\xff\n"),
        ("a.xlsx", b"nope"),
        ("a.parquet", b"nope"),
    ],
)
def test_a_file_that_is_no_table_is_refused_in_both_languages(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(SheetUnfit) as unfit:
        importer.columns_of(path)
    assert unfit.value.zh and unfit.value.en


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_the_file_itself_is_never_taken_for_the_file_of_bad_rows(desk: Desk, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv")
    with pytest.raises(SheetUnfit):
        await importer.import_file(desk, path, columns={"text": "诉求内容"}, bad_path=path)
    assert path.stat().st_size > 0


# --- on the terminal, and in earnest ---------------------------------------------------------------------------------


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_the_bar_and_the_summary_say_how_it_went(desk: Desk, tmp_path: Path) -> None:
    path, seen = write_xlsx(tmp_path / "a.xlsx"), list[tuple[int, int | None]]()
    console = Console(record=True, width=100, file=(tmp_path / "out").open("w", encoding="utf-8"))
    console.print(importer.columns_shown(importer.guess(NAMES), NAMES))
    with importer.progress_bar(console) as bar:

        def progress(done: int, total: int | None) -> None:
            seen.append((done, total))
            bar(done, total)

        outcome = await run(desk, path, progress=progress)
    console.print(importer.render(Outcome(outcome.new, 0, 2, 1.0), bad_of(path)))
    console.file.close()
    told = console.export_text()
    assert seen == [(0, 3), (3, 3)]
    assert "left out: 备注" in told and "新增 3 件" in told and "3 new, 0 known, 2 bad" in told and "3/3" in told


@pytest.mark.slow
@pytest.mark.skipif("LIUTI_DATA" not in os.environ, reason="LIUTI_DATA names no folder with messages.parquet")
async def test_the_real_messages_go_in_once(desk: Desk, tmp_path: Path) -> None:
    path = Path(os.environ["LIUTI_DATA"]) / "messages.parquet"
    bad = tmp_path / "bad.csv"
    columns = importer.guess(importer.columns_of(path))
    assert counted(await importer.import_file(desk, path, columns=columns, bad_path=bad)) == (4326, 0, 0)
    assert counted(await importer.import_file(desk, path, columns=columns, bad_path=bad)) == (0, 4326, 0)
    assert await chains_hold(desk)
