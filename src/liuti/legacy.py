"""Brings in the claims leaders made before this software did: a list from a file, row by row, each once however often it is run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from zoneinfo import ZoneInfo

from liuti.flow.kernel import Refused
from liuti.importer import digest_of, moment, placed
from liuti.sheets import Leftovers, Row, SheetUnfit, opened, text_of
from liuti.store.claims import Legacy, Verdict

BATCH = 100
"""Rows a transaction."""
FIELDS: dict[str, Sequence[str]] = {
    "number": ["number", "no", "id", "编号", "序号", "领题编号", "项目编号"],
    "leader": ["leader", "account", "login", "领题领导", "领导", "姓名", "领导姓名", "账号", "责任领导"],
    "level": ["level", "层级", "级别", "领导层级"],
    "title": ["title", "题目", "领题", "领题事项", "事项", "标题", "问题"],
    "goal": ["goal", "目标", "承诺", "目标承诺", "办理目标", "措施"],
    "date": ["date", "claimed", "日期", "领题日期", "领题时间", "时间"],
    "state": ["state", "status", "状态", "办理状态", "进展", "办结情况"],
}
NEEDED = ("leader", "title", "date")
LEVELS = {"区": "district", "区级": "district", "镇": "town", "镇街": "town", "街道": "town", "部门": "department"}
STATES = {
    "": "open", "open": "open", "在办": "open", "未办结": "open", "办理中": "open", "进行中": "open", "推进中": "open",
    "closed": "closed", "done": "closed", "办结": "closed", "已办结": "closed", "完成": "closed", "已完成": "closed", "销号": "closed",
    "已销号": "closed",
}  # fmt: skip
LONGEST = {"title": 400, "goal": 4000, "number": 64}
BringIn = Callable[[Sequence[Legacy]], list[Verdict]]
"""One batch, in a transaction of its own."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How many rows are new, were known, are closed now, and went to the file of bad rows."""

    new: int
    known: int
    closed: int
    bad: int


def import_file(
    path: Path, bring_in: BringIn, *, columns: Mapping[str, str], zone: ZoneInfo, now: datetime, bad_path: Path,
    progress: Callable[[int, int | None], None] = lambda _done, _total: None,
) -> Outcome:  # fmt: skip
    """Every row that fits, a batch at a time; the others with their reason to `bad_path`, written anew each run.

    A row without a number is known by a digest of its cells. Raises SheetUnfit when file and columns do not fit.
    """
    if bad_path.resolve() == path.resolve():
        raise SheetUnfit("错误行文件不能就是导入文件", "the file of bad rows cannot be the file itself")
    counts: Counter[str] = Counter()
    with opened(path) as sheet:
        places = placed(sheet.names, columns, FIELDS, [(name,) for name in NEEDED])
        heading = ("bad_row", "bad_code", "bad_reason_zh", "bad_reason_en", *sheet.names)
        done = 0
        with Leftovers(bad_path, heading) as bad:
            while rows := list(islice(sheet.rows, BATCH)):
                read = [_read(row, places, zone, now) for row in rows]
                answers = _answers(read, bring_in)
                for row, one in zip(rows, read, strict=True):
                    verdict = one if isinstance(one, Refused) else next(answers)
                    if isinstance(verdict, Refused):
                        bad.add((row.number, verdict.code, verdict.zh, verdict.en, *row.cells))
                    counts["bad" if isinstance(verdict, Refused) else verdict] += 1
                bad.flush()
                done += len(rows)
                progress(done, sheet.total)
    return Outcome(counts["new"], counts["known"], counts["closed"], counts["bad"])


def _answers(read: Sequence[Legacy | Refused], bring_in: BringIn) -> Iterator[Verdict]:
    return iter(bring_in([one for one in read if not isinstance(one, Refused)]))


def _read(row: Row, places: Mapping[str, int], zone: ZoneInfo, now: datetime) -> Legacy | Refused:
    if row.fault is not None:
        return Refused("torn_row", 422, *row.fault)
    cells = {field: row.cells[at] for field, at in places.items() if at < len(row.cells)}
    words = {field: text_of(cell) for field, cell in cells.items()}
    try:
        return _claim(words, cells.get("date"), zone, now)
    except Refused as refused:
        return refused


def _claim(words: Mapping[str, str], day: object, zone: ZoneInfo, now: datetime) -> Legacy:
    for field in NEEDED:
        if not words.get(field):
            raise _bad("missing", "未填写", "is empty", field)
    for field, text in words.items():
        if "\x00" in text:
            raise _bad("control_character", "含有不可见的控制字符", "has a control character in it", field)
        if len(text) > LONGEST.get(field, 200):
            raise _bad("too_long", "过长", "is too long", field)
    level = words.get("level", "")
    level = LEVELS.get(level, level)
    if level not in ("", *LEVELS.values()):
        raise _bad("no_such_level", f"没有这个层级:{level}", f"there is no such level: {level}", "level")
    state = STATES.get(words.get("state", "").lower())
    if state is None:
        raise _bad("no_such_state", "应为在办或办结", "is open or closed", "state")
    claimed = moment(day, zone, now, "date").astimezone(zone).date().isoformat()
    number = words.get("number") or digest_of({name: words.get(name, "") for name in ("leader", "title", "date")})
    return Legacy(number, words["leader"], level, words["title"], words.get("goal", ""), claimed, state)


def _bad(code: str, zh: str, en: str, field: str) -> Refused:
    return Refused(code, 422, f"{field}:{zh}。", f"{field}: {en}.", field)
