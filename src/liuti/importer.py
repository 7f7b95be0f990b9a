"""Brings in the matters another system has collected, row by row from a file, each once and however often it is run."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import partial
from hashlib import sha256
from itertools import islice
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from msgspec import json
from rich.console import Console, Group
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from liuti.flow.kernel import Actor, Refused
from liuti.flow.people import IN_PERSON
from liuti.flow.propose import UNKNOWN
from liuti.flow.words import Channel, Role
from liuti.policy import Policy
from liuti.sheets import Leftovers, Row, SheetUnfit, opened, text_of
from liuti.store import outside
from liuti.store.act import Desk

if TYPE_CHECKING:
    from sqlalchemy import Connection

BATCH = 100
"""Rows a transaction: enough to share the price of a commit, few enough not to hold up a running server."""
FIELDS: dict[str, Sequence[str]] = {
    "text": ["text", "body", "content", "message", "details", "description", "内容", "正文", "详情", "描述", "诉求内容", "诉求描述", "诉求详情", "留言内容", "留言详情", "反映内容", "问题描述", "事项描述", "事项内容", "工单内容", "来信内容", "来电内容"],
    "title": ["title", "subject", "summary", "标题", "主题", "题目", "诉求标题", "诉求主题", "留言主题", "留言标题", "事项标题", "问题标题", "工单标题"],
    "place": ["place", "location", "地点", "位置", "诉求地点", "事发地点", "发生地点", "问题地点", "事发地址", "诉求地址", "事发位置"],
    "external_id": ["externalid", "msgid", "messageid", "ticketid", "requestid", "caseid", "servicerequestid", "uniquekey", "id", "编号", "工单编号", "工单号", "留言编号", "诉求编号", "受理编号", "事项编号", "流水号", "序列号"],
    "reporter": ["user", "userid", "username", "reporter", "reporterid", "用户", "用户编号", "用户名", "留言用户", "账号"],
    "reported_at": ["reportedat", "createdat", "createddate", "createdtime", "requesteddatetime", "submittedat", "created", "留言时间", "诉求时间", "来电时间", "反映时间", "提交时间", "登记时间", "来信时间", "受理时间", "创建时间", "上报时间", "时间", "日期"],
    "name": ["姓名", "联系人", "诉求人", "来电人", "反映人", "留言人", "contactname"],
    "phone": ["phone", "mobile", "telephone", "phonenumber", "电话", "手机", "手机号", "手机号码", "联系电话", "联系方式", "来电号码"],
    "address": ["联系地址", "家庭住址", "住址", "homeaddress"],
    "kind": (),
    "category": (),
    "grid": (),
    "danger": (),
    "against": (),
}  # fmt: skip
"""What a column may be mapped to, with the headings it is recognised by; the last five only when a map names them:
their words differ from system to system, and an address may be the matter's or the person's."""
NEEDED = (("text", "title"),)
"""Of each of these one at least."""
KINDS = {
    "咨询": "consult", "求助": "help", "投诉": "complaint", "建议": "suggestion", "表扬": "praise", "感谢": "praise",
    "举报": "tip_off",
}  # fmt: skip
YES, NO = ("true", "yes", "y", "1", "是", "有"), ("", "false", "no", "n", "0", "否", "无")
TOO_LONG = {"string_too_long": "过长", "string_pattern_mismatch": "写法不对", "enum": "不在可选之列"}
WRITTEN = re.compile(
    r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?(?:[ T]*(\d{1,2})[:时点](\d{1,2})(?:[:分](\d{1,2}))?[分秒]?)?"
)
ROUNDED = re.compile(r"\d(\.\d+)?[eE]\+\d+")
FIRST_YEAR = 1900
Progressed = Callable[[int, int | None], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How many rows became issues, were there already, and went to the file of bad rows; seconds of wall time."""

    new: int
    known: int
    bad: int
    seconds: float


@dataclass(frozen=True, slots=True)
class _Entry:
    """A row as the desk will hear it."""

    row: Row
    number: str
    form: dict[str, Any]


Verdict = bool | Refused
"""True: a new issue; False: known; else why not."""


async def import_file(
    desk: Desk, path: Path, *, source: Channel = Channel.IMPORT, columns: Mapping[str, str], bad_path: Path,
    progress: Progressed = lambda _done, _total: None,
) -> Outcome:  # fmt: skip
    """Enter every row as intake of its source, known by (source, external id): run again, it adds what is missing.

    `columns` says which column serves each field (see `guess`, `parse_map`). Naive times are read in the policy's zone
    and kept as `reported_at`; clocks start now. A row without a place is at `unknown`; one without a number is known
    by a digest of its mapped cells, so rows alike in all of them are one. Rows that do not fit go to `bad_path`, which
    is written anew each run. A transaction takes BATCH rows: killed at any point, nothing is lost and nothing is twice.
    Reads in the event loop, so it wants a program of its own. Raises SheetUnfit when file and map do not fit together.
    """
    started, counts = perf_counter(), {"new": 0, "known": 0, "bad": 0}
    if _same_file(bad_path, path):
        raise SheetUnfit("错误行文件不能就是导入文件", "the file of bad rows cannot be the file itself")
    with opened(path) as sheet:
        places = placed(sheet.names, columns)
        heading = ("bad_row", "bad_external_id", "bad_code", "bad_reason_zh", "bad_reason_en", *sheet.names)
        with Leftovers(bad_path, heading) as bad:
            done = 0
            progress(done, sheet.total)
            for rows in _batches(sheet.rows):
                for entry, verdict in await _enter(desk, rows, places, source):
                    if isinstance(verdict, Refused):
                        bad.add((*_why(entry, verdict), *entry.row.cells))
                    counts["bad" if isinstance(verdict, Refused) else "new" if verdict else "known"] += 1
                bad.flush()
                done += len(rows)
                progress(done, sheet.total)
    return Outcome(**counts, seconds=perf_counter() - started)


def _same_file(one: Path, other: Path) -> bool:
    return one.resolve() == other.resolve()


def _batches(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while batch := list(islice(rows, BATCH)):
        yield batch


async def _enter(
    desk: Desk, rows: Iterable[Row], places: Mapping[str, int], source: Channel
) -> list[tuple[_Entry, Verdict]]:
    """The verdict on each row, in the file's order, once all of them are a fact."""
    policy, now = desk.world().policy, desk.now()
    read = [_read(row, places, source, policy, now) for row in rows]
    entries = [entry for entry, fault in read if fault is None]
    verdicts = iter(await desk.engine.write(partial(_write, desk=desk, entries=entries, source=source)))
    return [(entry, fault if fault is not None else next(verdicts)) for entry, fault in read]


def _write(conn: Connection, desk: Desk, entries: Sequence[_Entry], source: Channel) -> list[Verdict]:
    """May be run again from the start, so it tells nobody anything but by its answer."""
    actor = Actor(f"import:{source.value}", frozenset({Role.INTAKE}))
    known = outside.known(conn, source.value, [entry.number for entry in entries])
    verdicts: list[Verdict] = []
    for entry in entries:
        title, text = entry.form["title"], entry.form["text"]
        if (before := known.get(entry.number)) is not None:
            verdicts.append(_OTHER_WORDS if _differ(before, title, text) else False)
            continue
        try:
            receipt = outside.apart(conn, partial(desk.act_now, conn, actor, "submit", entry.form))
        except Refused as refused:
            verdicts.append(refused)
        else:
            known[entry.number] = outside.Words(title, text)
            verdicts.append(not receipt.replayed)
    return verdicts


_OTHER_WORDS = Refused(
    "number_taken", 409,
    "这个编号已有一件题,但文字不同;若编号列选对了,请在原题上补充。",
    "This number has an issue with other words; if the column is the right one, add them to that issue.", "external_id",
)  # fmt: skip


def _differ(before: outside.Words, title: str, text: str) -> bool:
    return not before.text.startswith(text) or bool(title and before.title and title != before.title)


# --- which column is what --------------------------------------------------------------------------------------------


def columns_of(path: Path) -> tuple[str, ...]:
    """The headings of the file; SheetUnfit if it has none."""
    with opened(path) as sheet:
        return sheet.names


def guess(names: Sequence[str], fields: Mapping[str, Sequence[str]] = FIELDS) -> dict[str, str]:
    """Which columns serve which fields, by their headings in Chinese or English; the better-known heading wins."""
    plain = {re.sub(r"[\s_\-:：]+", "", name).lower(): name for name in reversed(names)}
    found: dict[str, str] = {}
    for field, headings in fields.items():
        if heading := next((plain[h] for h in headings if h in plain), None):
            found[field] = heading
    return found


def parse_map(words: str) -> dict[str, str]:
    """`text=body,title=title` as fields and columns; SheetUnfit when it is written otherwise."""
    pairs = [pair.partition("=") for pair in words.split(",") if pair.strip()]
    if bad := [left for left, equals, right in pairs if not (left.strip() and equals and right.strip())]:
        raise SheetUnfit(f"列对应写作 字段=列名,这里不是:{bad[0]}", f"a map is written field=column, not: {bad[0]}")
    return {left.strip(): right.strip() for left, _, right in pairs}


def placed(
    names: Sequence[str], columns: Mapping[str, str], fields: Iterable[str] = tuple(FIELDS),
    needed: Iterable[Sequence[str]] = NEEDED, option: str = "--map",
) -> dict[str, int]:  # fmt: skip
    """Where each mapped field stands in a row. SheetUnfit names what there is when the map asks for something else, or
    when of one of the `needed` groups no field is mapped, with the `option` that says it."""
    there = "、".join(names), ", ".join(names)
    if unknown := [field for field in columns if field not in fields]:
        known = ", ".join(fields)
        raise SheetUnfit(f"没有字段 {unknown[0]};可用字段:{known}", f"there is no field {unknown[0]}; fields: {known}")
    for column in columns.values():
        if names.count(column) != 1:
            zh, en = (
                ("没有", "there is no column") if column not in names else ("有不止一个", "there are several columns")
            )
            raise SheetUnfit(f"文件里{zh}「{column}」列;有这些列:{there[0]}", f"{en} {column}; there are: {there[1]}")
    if missing := [group[0] for group in needed if columns.keys().isdisjoint(group)]:
        raise SheetUnfit(
            f"不知道哪一列是 {missing[0]},请用 {option} {missing[0]}=列名 指明;有这些列:{there[0]}",
            f"which column is the {missing[0]}? Say {option} {missing[0]}=COLUMN; there are: {there[1]}",
        )
    return {field: names.index(column) for field, column in columns.items()}


# --- from a row to a form --------------------------------------------------------------------------------------------


def _read(
    row: Row, places: Mapping[str, int], source: Channel, policy: Policy, now: datetime
) -> tuple[_Entry, Refused | None]:
    cells = {field: row.cells[at] for field, at in places.items() if at < len(row.cells)}
    words = {field: text_of(cell) for field, cell in cells.items()}
    number = words.get("external_id", "")
    if row.fault is not None:
        return _Entry(row, number, {}), Refused("torn_row", 422, *row.fault)
    try:
        form = _form(words, cells.get("reported_at"), policy, now)
    except Refused as refused:
        return _Entry(row, number, {}), refused
    number = number or digest_of(form)
    return _Entry(row, number, form | {"external_id": number, "source": source.value}), None


def _form(words: Mapping[str, str], reported: object, policy: Policy, now: datetime) -> dict[str, Any]:
    for field, text in words.items():
        if "\x00" in text:
            raise _bad("control_character", "含有不可见的控制字符", "has a control character in it", field)
    if ROUNDED.fullmatch(words.get("external_id", "")):
        raise _bad(
            "rounded_number", "编号被表格软件改写,末几位已失真,请按文本格式重新导出",
            "the spreadsheet has rounded this number: export the column as text", "external_id",
        )  # fmt: skip
    form: dict[str, Any] = {
        "title": words.get("title", ""),
        "text": words.get("text", ""),
        "place": words.get("place") or UNKNOWN,
        "contact": {part: words.get(part, "") for part in ("name", "phone", "address")},
    }
    if text_of(reported):
        form["reported_at"] = moment(reported, ZoneInfo(policy.hours.zone), now)
    form |= {field: words[field] for field in ("grid", "against", "reporter") if words.get(field)}
    if kind := words.get("kind"):
        form["kind"] = KINDS.get(kind, kind.lower())
    if category := words.get("category"):
        form["category"] = _category(category, policy)
    if "danger" in words:
        form["danger"] = _yes(words["danger"])
    return form


def _bad(code: str, zh: str, en: str, field: str) -> Refused:
    return Refused(code, 422, f"{field}:{zh}。", f"{field}: {en}.", field)


def _category(words: str, policy: Policy) -> str:
    for code, category in policy.categories.items():
        if words.lower() in (code, category.zh, category.en.lower()):
            return code
    raise _bad("category_is_known", f"没有这个类别:{words}", f"there is no such category: {words}", "category")


def _yes(words: str) -> bool:
    if (answer := words.lower()) in YES or answer in NO:
        return answer in YES
    raise _bad("not_yes_or_no", f"应填是或否,不是 {words}", f"is yes or no, not {words}", "danger")


def moment(cell: object, zone: ZoneInfo, now: datetime, field: str = "reported_at") -> datetime:
    """The time in a cell, aware; without an offset it is the zone's. Refused when it is none, or lies before 1900 or
    more than a day ahead: what a program writes that knows no time."""
    try:
        at = _written(cell)
        at = at if at.tzinfo is not None else at.replace(tzinfo=zone)
        if at.year >= FIRST_YEAR and at <= now + timedelta(days=1):
            return at
    except (ValueError, OverflowError):
        pass
    words = text_of(cell)[:40]
    raise _bad("bad_time", f"不是可信的时间:{words}", f"not a time to be believed: {words}", field)


def _written(cell: object) -> datetime:
    if isinstance(cell, datetime):
        return cell
    if isinstance(cell, date):
        return datetime.combine(cell, time())
    words = text_of(cell)
    try:
        return datetime.fromisoformat(words)
    except ValueError:
        if (found := WRITTEN.fullmatch(words)) is None:
            raise
        year, month, day, hour, minute, second = (int(part or 0) for part in found.groups())
        return datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 - the caller gives it its zone


def digest_of(form: Mapping[str, Any]) -> str:
    """A number for a row that has none: SHA-256 over what was mapped, the same whichever kind of file it came in."""
    return "sha256:" + sha256(json.encode(form, order="deterministic")).hexdigest()[:40]


def _why(entry: _Entry, refused: Refused) -> tuple[object, ...]:
    faults = refused.extra.get("faults", ())
    zh = refused.zh + "".join(f" {f['field']}:{TOO_LONG.get(f['rule'], f['rule'])}。" for f in faults)
    en = refused.en + "".join(f" {f['field']}: {f['message']}." for f in faults)
    return entry.row.number, entry.number, refused.code, zh, en


# --- on the terminal -------------------------------------------------------------------------------------------------


def columns_shown(columns: Mapping[str, str], sheet: Sequence[str]) -> Group:
    """Which column is taken for what, and which are left out; printed before anything is written."""
    table = Table("字段 field", "列 column", box=None)
    for field, column in columns.items():
        table.add_row(field, Text(column))
    left = [name for name in sheet if name not in columns.values()]
    return Group(table, Text(f"不导入 left out: {', '.join(left) or '-'}", style="dim"))


def unverified_shown(source: Channel, columns: Mapping[str, str]) -> Text:
    """Says beforehand when nobody will count as verified though the source knows its people; else empty."""
    if source is Channel.HOTLINE and "phone" not in columns:
        return Text("没有来电号码一列:来电人均按未核实计  no column of caller numbers: everybody counts as unverified")
    if source in IN_PERSON and not {"phone", "address"} & columns.keys():
        return Text(
            "没有电话或住址一列:各人按未核实计  no column of phones or addresses: everybody counts as unverified"
        )
    return Text()


@contextmanager
def progress_bar(console: Console) -> Iterator[Progressed]:
    """A bar on the terminal for as long as the block lasts; yields what `import_file` takes as `progress`."""
    row = (TextColumn("导入 import"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*row, console=console) as bar:
        task = bar.add_task("import", total=None)

        def progress(done: int, total: int | None) -> None:
            bar.update(task, completed=done, total=total)

        yield progress


def render(outcome: Outcome, bad_path: Path) -> Text:
    """What came of it, in two lines and, where rows did not fit, a third that says where they lie."""
    o = outcome
    rate = (o.new + o.known + o.bad) / o.seconds if o.seconds else 0.0
    lines = [
        f"新增 {o.new} 件,已有 {o.known} 件,有误 {o.bad} 行;用时 {o.seconds:.1f} 秒,每秒 {rate:.0f} 行",
        f"{o.new} new, {o.known} known, {o.bad} bad; {o.seconds:.1f} s, {rate:.0f} rows a second",
    ]
    if o.bad:
        lines.append(f"有误的行及原因 bad rows and why: {bad_path}")
    return Text("\n".join(lines))
