"""The selection for a data team that has only a file: its messages, their topics, and categories learned from it."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from liuti.flow.kernel import Refused
from liuti.importer import FIELDS as IMPORTED
from liuti.importer import ROUNDED, guess, moment, parse_map, placed
from liuti.rank import categories, sketch, topics
from liuti.rank.categories import Model, Trial
from liuti.sheets import SheetUnfit, opened, text_of
from liuti.sheets_out import replaced, writer
from liuti.store.subjects import same_text

Progress = Callable[[str, int, int | None], None]
"""Told what is being done, and how much of how much."""
FIELDS: dict[str, Sequence[str]] = {
    "id": IMPORTED["external_id"],
    "title": IMPORTED["title"],
    "text": IMPORTED["text"],
    "reported_at": IMPORTED["reported_at"],
    "user": ["household", "user", "userid", "username", "account", "户号", "户", "用户", "留言用户", "账号", "诉求人", "来电人", "留言人"],
    "community": ["community", "neighbourhood", "neighborhood", "社区", "村社区", "所属社区", "网格", "街道", "街镇", "镇街"],
    "category": [],
}  # fmt: skip
"""What a column may be mapped to, with the headings it is known by; a category counts only when a map names it."""
ALSO = {"external_id": "id", "body": "text", "household": "user"}
AREA = re.compile("[A-Z][0-9]{0,2}[市区县州]|[一-鿿]{2}(?<![小社片园城景校厂库山地新辖各我市本])[区县](?![域间别分])")
"""A district as a title names it."""


@dataclass(frozen=True, slots=True)
class Row:
    """One message of a file. `late`: it has a time that is none."""

    id: str | int
    title: str
    text: str
    at: datetime | None
    user: str
    community: str
    category: str
    late: bool


@dataclass(frozen=True, slots=True)
class Source:
    """A file and which of its columns serves what; naive times are read in `zone`. Rows after `until` are not seen."""

    path: Path
    places: Mapping[str, int]
    zone: ZoneInfo
    now: datetime
    until: datetime | None = None

    def rows(self, progress: Progress | None = None, doing: str = "") -> Iterator[Row]:
        """The messages in the file's order, the same ones every time; rows that do not fall into cells are left out."""
        with opened(self.path) as sheet:
            for n, row in enumerate(sheet.rows, 1):
                if progress and n % 256 == 0:
                    progress(doing, n, sheet.total)
                if row.fault is None:
                    message = self._row(row.number, row.cells)
                    if self.until is None or message.at is None or message.at <= self.until:
                        yield message
            if progress:
                progress(doing, sheet.total, sheet.total)

    def _row(self, number: int, cells: Sequence[Any]) -> Row:
        found = {name: cells[at] for name, at in self.places.items() if at < len(cells)}
        said = {name: text_of(cell) for name, cell in found.items()}
        at, late = _moment(found.get("reported_at"), self.zone, self.now)
        own = found.get("id")
        own = own if isinstance(own, int) and not isinstance(own, bool) else said.get("id") or f"row-{number}"
        if isinstance(own, str) and ROUNDED.fullmatch(own):
            zh, en = (
                "编号被表格软件改写,末几位已失真,请按文本格式重新导出",
                "the spreadsheet has rounded the ids: export that column as text",
            )
            raise SheetUnfit(zh, en)
        return Row(
            own, said.get("title", ""), said.get("text", ""), at, sys.intern(said.get("user", "")),
            sys.intern(said.get("community", "")), sys.intern(said.get("category", "")), late,
        )  # fmt: skip


def _moment(cell: object, zone: ZoneInfo, now: datetime) -> tuple[datetime | None, bool]:
    if not text_of(cell):
        return None, False
    try:
        return moment(cell, zone, now).astimezone(UTC), False
    except Refused:
        return None, True


def source(path: Path, columns: str | None, zone: str, now: datetime, until: datetime | None = None) -> Source:
    """SheetUnfit when there is no such file, it is no table, or its columns do not fit; `columns` is field=column,…"""
    if not path.is_file():
        raise SheetUnfit(f"没有这个文件:{path}", f"there is no such file: {path}")
    with opened(path) as sheet:
        names = sheet.names
    asked = {ALSO.get(name, name): column for name, column in parse_map(columns or "").items()}
    places = placed(names, guess(names, FIELDS) | asked, FIELDS, option="--columns")
    return Source(path, places, ZoneInfo(zone), now, until)


# --- topics ----------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Found:
    """The topics of a file: a topic and a likeness for each of its messages, and what is kept of each message."""

    ids: list[str | int] = field(default_factory=list)
    moments: list[datetime | None] = field(default_factory=list)
    users: list[str] = field(default_factory=list)
    areas: list[str] = field(default_factory=list)
    digests: list[str] = field(default_factory=list)
    topic: list[int] = field(default_factory=list)
    near: list[float] = field(default_factory=list)
    late: int = 0


def find(given: Source, progress: Progress, *, whole: bool = False) -> Found:
    """Texts are held for one batch only; `whole` keeps of each message what a ranking needs beside its topic."""
    found, counted = Found(), []
    titles: list[str] = []
    bodies: list[str] = []
    for row in given.rows(progress, "读取 reading"):
        found.ids.append(row.id)
        found.late += row.late
        if whole:
            _keep(found, row)
        titles.append(row.title)
        bodies.append(row.text)
        if len(titles) == sketch.BATCH:
            counted.append(sketch.prepare(titles, bodies))
            titles, bodies = [], []
    if titles:
        counted.append(sketch.prepare(titles, bodies))
    done = topics.gathered(counted, progress=lambda at, of: progress("归并 gathering", 100 * at // of, 100))
    found.topic, found.near = done.topic.tolist(), [round(near, 4) for near in done.similarity.tolist()]
    return found


def _keep(found: Found, row: Row) -> None:
    named = AREA.search(row.title)
    found.moments.append(row.at)
    found.users.append(row.user)
    found.areas.append(row.community or (sys.intern(named[0]) if named else ""))
    found.digests.append(sys.intern(same_text(f"{row.title} {row.text}")))


def write_topics(given: Source, out: Path, progress: Progress) -> tuple[int, int, int]:
    """Columns id, topic, similarity, a row a message in the file's order; how many messages, topics, and in the largest.

    Ids that are whole numbers throughout stay numbers. SheetUnfit before anything is done when `out` cannot be written.
    """
    write = writer(out)
    if out.exists() and out.samefile(given.path):
        raise SheetUnfit("结果不能写进原文件", "the result cannot be written over the file itself")
    found = find(given, progress)
    ids = found.ids if all(isinstance(one, int) for one in found.ids) else [str(one) for one in found.ids]
    write({"id": ids, "topic": found.topic, "similarity": found.near})
    sizes = Counter(found.topic)
    return len(ids), len(sizes), max(sizes.values(), default=0)


# --- categories ------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Labelled:
    """Sorted messages: groups hold near-copies together, tested ones measure what was learned."""

    titles: list[str] = field(default_factory=list)
    bodies: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    groups: list[int] = field(default_factory=list)
    tested: list[bool] = field(default_factory=list)


def train(read: Labelled, out: Path, now: datetime, progress: Progress) -> Model:
    """Learn, measured by 5 folds first, and keep the model at `out`. Rows of a group are never on both sides.

    SheetUnfit when there is too little to learn from.
    """
    if not out.parent.is_dir():
        raise SheetUnfit(f"没有文件夹 {out.parent}", f"there is no folder {out.parent}")
    if not any(read.tested):
        raise SheetUnfit("没有可用来检验的行", "there are no rows to measure by")
    texts = read.titles, read.bodies, read.labels
    try:
        progress("检验 measuring", 0, None)
        trial: Trial = categories.cross_validate(*texts, read.groups, read.tested)
        progress("学习 learning", 0, None)
        model = categories.train(*texts, now, trial)
    except ValueError as fault:
        raise SheetUnfit(f"学不成:{fault}", f"nothing can be learned: {fault}") from None
    with replaced(out) as rough:
        rough.write_bytes(model.dump())
    return model


def labelled(path: Path, columns: Mapping[str, str], tested: str, progress: Progress) -> Labelled:
    """The rows of a file that have a text and a category.

    `columns`: text (several with commas: the first that is filled counts), title, label and group, "" for none.
    `tested`, as column=value, names the rows to measure by; the others only help to learn. SheetUnfit when it does not fit.
    """
    read, numbers = Labelled(), dict[str, int]()
    test, equals, value = tested.partition("=")
    if not path.is_file():
        raise SheetUnfit(f"没有这个文件:{path}", f"there is no such file: {path}")
    with opened(path) as sheet:
        texts = [_column(sheet.names, name.strip()) for name in columns["text"].split(",")]
        label = _column(sheet.names, columns["label"])
        title, group = (_column(sheet.names, columns[one]) if columns[one] else None for one in ("title", "group"))
        asked = _column(sheet.names, test.strip()) if equals else None
        for n, row in enumerate(sheet.rows, 1):
            if n % 256 == 0:
                progress("读取 reading", n, sheet.total)
            cells = ["" if row.fault else text_of(cell) for cell in row.cells]
            cells += [""] * (len(sheet.names) - len(cells))
            body = next((cells[at] for at in texts if cells[at]), "")
            head = cells[title] if title is not None else ""
            if cells[label] and (body or head):
                read.titles.append(head)
                read.bodies.append(body)
                read.labels.append(cells[label])
                name = f"g{cells[group]}" if group is not None and cells[group] else f"row {n}"
                read.groups.append(numbers.setdefault(name, len(numbers)))
                read.tested.append(asked is None or cells[asked] == value.strip())
    return read


def _column(names: Sequence[str], name: str) -> int:
    if names.count(name) != 1:
        raise SheetUnfit(
            f"文件里没有「{name}」列;有这些列:{'、'.join(names)}",
            f"there is no column {name}; there are: {', '.join(names)}",
        )
    return names.index(name)


def model_at(path: Path) -> Model:
    """The model in a file; SheetUnfit, in words, when there is none in it."""
    try:
        return Model.load(path.read_bytes())
    except OSError:
        raise SheetUnfit(f"读不到模型文件 {path}", f"the model file {path} cannot be read") from None
    except ValueError as fault:
        raise SheetUnfit(f"{path.name} 不是可用的类别模型", str(fault)) from None
