"""Tables people send as files: read a few rows at a time, and written back so that no cell runs as a formula."""

from __future__ import annotations

import codecs
import csv
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from types import TracebackType
from typing import IO, Any, NamedTuple, Self

import pyarrow as pa
import pyarrow.parquet as pq
from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook

AT_ONCE = 500
"""Rows read ahead of a parquet file; of csv one row is held, of xlsx the whole first sheet."""
LARGEST_SHEET = 512 << 20
"""Bytes an xlsx may unpack to: its sheet is held in memory, at about twice its unpacked size."""
SURELY_UTF8 = 12
"""Characters beyond ASCII that no text in GB 18030 forms by chance as valid UTF-8 from its start."""
EXACT = 1e15
"""A spreadsheet keeps 15 digits of a number: from here on its last digits may be made up."""
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


class SheetUnfit(Exception):  # noqa: N818 - an answer to the person who sent the file
    """The file cannot be read as a table, or not as asked; `zh` and `en` say why and what would do."""

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(f"{zh}\n{en}")
        self.zh, self.en = zh, en


class Row(NamedTuple):
    """One row; `number` is what a spreadsheet shows beside it (the heading of csv is row 1), in parquet from 1."""

    number: int
    cells: Sequence[Any]
    fault: tuple[str, str] | None = None
    """Why the row cannot be told apart into its cells, in Chinese and English."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """The names of its columns, its rows in order (to be walked once) and how many there are at most."""

    names: tuple[str, ...]
    total: int
    rows: Iterator[Row]


@contextmanager
def opened(path: Path) -> Iterator[Sheet]:
    """The table in a .parquet, .csv (UTF-8 or GB 18030; comma, semicolon or tab) or .xlsx file (its first sheet).

    Raises SheetUnfit for anything else, at once or at the row where reading ends. Blank rows are left out.
    """
    opener = {".parquet": _parquet, ".csv": _csv, ".xlsx": _xlsx}.get(path.suffix.lower())
    if opener is None:
        raise SheetUnfit(
            f"不认识 {path.suffix or path.name},请用 .parquet、.csv 或 .xlsx",
            f"not a table I know: {path.suffix or path.name}; give .parquet, .csv or .xlsx",
        )
    try:
        with opener(path) as sheet:
            yield sheet
    except (pa.ArrowException, CalamineError, zipfile.BadZipFile) as fault:
        raise SheetUnfit(f"{path.name} 读不下去:{fault}", f"{path.name} cannot be read: {fault}") from None


# --- parquet ---------------------------------------------------------------------------------------------------------


@contextmanager
def _parquet(path: Path) -> Iterator[Sheet]:
    with pq.ParquetFile(path) as file:
        yield Sheet(tuple(file.schema_arrow.names), file.metadata.num_rows, _parquet_rows(file))


def _parquet_rows(file: pq.ParquetFile) -> Iterator[Row]:
    number = 0
    for batch in file.iter_batches(batch_size=AT_ONCE):
        for cells in zip(*(_plain(column).to_pylist() for column in batch.columns), strict=True):
            number += 1
            if not _blank(cells):
                yield Row(number, cells)


def _plain(column: pa.Array[Any]) -> pa.Array[Any]:
    # Python's times know no nanoseconds; the cells would come as pandas' own or not at all.
    kind = column.type
    if isinstance(kind, pa.TimestampType) and kind.unit == "ns":
        return column.cast(pa.timestamp("us", tz=kind.tz), safe=False)
    return column


# --- csv -------------------------------------------------------------------------------------------------------------


@contextmanager
def _csv(path: Path) -> Iterator[Sheet]:
    """Walked three times: for the encoding, for the number of rows, and for the rows, so that none need be held."""
    encoding = _encoding(path)
    with path.open(encoding=encoding, newline="") as lines:
        first = lines.readline()
        mark = max(",;\t", key=first.count)
        lines.seek(0)
        total = sum(1 for row in _records(lines, mark) if row.fault or row.cells) - 1
    with path.open(encoding=encoding, newline="") as lines:
        records = _records(lines, mark)
        heading = next((row for row in records if row.cells), None)
        if heading is None:
            raise SheetUnfit(f"{path.name} 是空的", f"{path.name} is empty")
        names = tuple(str(cell).strip() for cell in heading.cells)
        yield Sheet(names, max(total, 0), _fitting(records, len(names)))


def _records(lines: IO[str], mark: str) -> Iterator[Row]:
    reader = csv.reader(lines, delimiter=mark)
    number = 0
    while True:
        number += 1
        try:
            yield Row(number, next(reader))
        except StopIteration:
            return
        except csv.Error as fault:
            yield Row(number, (), (f"这一行无法分列:{fault}", f"the row does not fall into cells: {fault}"))


def _fitting(records: Iterator[Row], width: int) -> Iterator[Row]:
    """A longer row has its text torn at a comma: no cell of it can be trusted. A shorter one ends in empty cells."""
    for row in records:
        cells, fault = row.cells, row.fault
        if not fault and not _blank(cells[width:]):
            fault = (
                f"有 {len(cells)} 列,表头只有 {width} 列,可能是文字里的逗号没加引号",
                f"{len(cells)} cells under {width} headings: a comma inside the text without quotes?",
            )
        if fault or not _blank(cells):
            yield Row(row.number, cells, fault)


def _encoding(path: Path) -> str:
    """UTF-8 where the whole file is; GB 18030 otherwise, unless it began as UTF-8 and is only broken somewhere."""
    decoder, seen, at = codecs.getincrementaldecoder("utf-8-sig")(), 0, 0
    with path.open("rb") as file:
        try:
            while chunk := file.read(1 << 20):
                seen += _beyond_ascii(decoder.decode(chunk))
                at += len(chunk)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError as fault:
            seen += _beyond_ascii(fault.object[: fault.start].decode("utf-8"))
            if seen >= SURELY_UTF8:
                raise SheetUnfit(
                    f"{path.name} 是 UTF-8,但第 {at} 字节之后有损坏,请重新导出",
                    f"{path.name} is UTF-8, but broken after byte {at}: export it again",
                ) from None
        else:
            return "utf-8-sig"
    legacy: codecs.IncrementalDecoder = codecs.getincrementaldecoder("gb18030")()
    with path.open("rb") as file:
        try:
            while chunk := file.read(1 << 20):
                legacy.decode(chunk)
            legacy.decode(b"", final=True)
        except UnicodeDecodeError:
            raise SheetUnfit(
                f"{path.name} 既不是 UTF-8 也不是 GB 18030,请另存为 UTF-8",
                f"{path.name} is neither UTF-8 nor GB 18030: save it as UTF-8",
            ) from None
    return "gb18030"


def _beyond_ascii(words: str) -> int:
    return 0 if words.isascii() else sum(letter > "\x7f" for letter in words)


# --- xlsx ------------------------------------------------------------------------------------------------------------


@contextmanager
def _xlsx(path: Path) -> Iterator[Sheet]:
    with zipfile.ZipFile(path) as packed:
        size = sum(part.file_size for part in packed.infolist())
    if size > LARGEST_SHEET:
        raise SheetUnfit(
            f"{path.name} 解开有 {size >> 20} MB,超过 {LARGEST_SHEET >> 20} MB,请另存为 csv",
            f"{path.name} unpacks to {size >> 20} MB, above {LARGEST_SHEET >> 20}: save it as csv",
        )
    with CalamineWorkbook.from_path(path) as book:
        sheet = book.get_sheet_by_index(0)
        rows = _numbered(sheet)
        # Lists often begin with one merged cell that names the list; the heading is the first row of several cells.
        heading = next((row for row in rows if sum(not _empty(cell) for cell in row.cells) > 1), None)
        if heading is None:
            rows = _numbered(sheet)
            heading = next((row for row in rows if not _blank(row.cells)), None)
        if heading is None:
            raise SheetUnfit(f"{path.name} 的第一张表是空的", f"the first sheet of {path.name} is empty")
        names = tuple(text_of(cell) for cell in heading.cells)
        last = sheet.end[0] + 1 if sheet.end else heading.number  # counted from 0, and total_height is one short
        yield Sheet(names, last - heading.number, (row for row in rows if not _blank(row.cells)))


def _numbered(sheet: CalamineSheet) -> Iterator[Row]:
    return (Row(number, cells) for number, cells in enumerate(sheet.iter_rows(), start=1))


# --- cells -----------------------------------------------------------------------------------------------------------


def text_of(cell: object) -> str:
    """A cell as a person reads it: 188006.0 is 188006, none is empty; from 10¹⁵ on in powers, as 3.2E+17."""
    if cell is None:
        return ""
    if isinstance(cell, float):
        if abs(cell) >= EXACT:
            return f"{cell:.15E}"
        return str(int(cell)) if cell.is_integer() else repr(cell)
    if isinstance(cell, datetime | date):
        return cell.isoformat()
    return str(cell).strip()


def defused(cell: object) -> str:
    """The same, quoted where a spreadsheet would run it as a formula."""
    words = text_of(cell)
    return "'" + words if words.startswith(FORMULA) else words


def _empty(cell: object) -> bool:
    return cell is None or (isinstance(cell, str) and not cell.strip())


def _blank(cells: Sequence[object]) -> bool:
    return all(_empty(cell) for cell in cells)


class Leftovers:
    """A csv for rows that did not fit, opened at the first of them, readable only by its owner: it holds what people
    wrote. One left from an earlier run goes at the start, so that what lies there is always of the latest."""

    def __init__(self, path: Path, heading: Sequence[str]) -> None:
        self._path, self._heading, self._file = path, heading, None
        path.unlink(missing_ok=True)

    _file: IO[str] | None

    def add(self, cells: Sequence[object]) -> None:
        if self._file is None:
            self._path.touch(mode=0o600)
            self._file = self._path.open("w", encoding="utf-8-sig", newline="")
            self.add(self._heading)
        csv.writer(self._file).writerow([defused(cell) for cell in cells])

    def flush(self) -> None:
        if self._file is not None:
            self._file.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._file is not None:
            self._file.close()
