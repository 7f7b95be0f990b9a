"""Tables written for people: the same rows as parquet, csv or xlsx, no cell of which runs as a formula."""

from __future__ import annotations

import csv
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import pyarrow as pa
import pyarrow.parquet as pq

from liuti.sheets import SheetUnfit, defused

Columns = Mapping[str, Sequence[Any]]
"""Headings and their cells, all equally many, in the order they are to stand in."""
MOST_XLSX = 1_048_575
"""Rows a spreadsheet holds below its heading."""
_UNSAID = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters XML has no way to write."""
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_LINKS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKED = "http://schemas.openxmlformats.org/package/2006"
_KINDS = "application/vnd.openxmlformats"
_XLSX = {
    "[Content_Types].xml": f'<Types xmlns="{_PACKED}/content-types"><Default Extension="rels" ContentType="{_KINDS}-package.relationships+xml"/>'
    f'<Override PartName="/xl/workbook.xml" ContentType="{_KINDS}-officedocument.spreadsheetml.sheet.main+xml"/>'
    f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_KINDS}-officedocument.spreadsheetml.worksheet+xml"/></Types>',
    "_rels/.rels": f'<Relationships xmlns="{_PACKED}/relationships"><Relationship Id="r1" Type="{_LINKS}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
    "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_LINKS}"><sheets><sheet name="liuti" sheetId="1" r:id="r1"/></sheets></workbook>',
    "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKED}/relationships"><Relationship Id="r1" Type="{_LINKS}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
}
_DECLARED = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'


def writer(path: Path) -> Callable[[Columns], None]:
    """What writes a table there, by the file's ending; SheetUnfit for another ending or a folder that is not there."""
    kinds = {".parquet": _parquet, ".csv": _csv, ".xlsx": _xlsx}
    write = kinds.get(path.suffix.lower())
    if write is None:
        zh, en = (
            f"写不成 {path.name},请用 .parquet、.csv 或 .xlsx",
            f"cannot write {path.name}; give .parquet, .csv or .xlsx",
        )
        raise SheetUnfit(zh, en)
    if not path.parent.is_dir():
        raise SheetUnfit(f"没有文件夹 {path.parent}", f"there is no folder {path.parent}")

    def whole(columns: Columns) -> None:
        with replaced(path) as rough:
            write(rough, columns)

    return whole


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """A file beside it that takes its place when the block ends well: what stands there is whole, old or new."""
    rough = path.with_name(path.name + ".part")
    try:
        yield rough
        rough.replace(path)
    finally:
        rough.unlink(missing_ok=True)


def _parquet(path: Path, columns: Columns) -> None:
    pq.write_table(pa.table({name: pa.array(cells) for name, cells in columns.items()}), path)


def _csv(path: Path, columns: Columns) -> None:
    with path.open("w", encoding="utf-8-sig", newline="") as out:
        lines = csv.writer(out)
        lines.writerow([defused(name) for name in columns])
        lines.writerows(
            [cell if _number(cell) else defused(cell) for cell in row] for row in zip(*columns.values(), strict=True)
        )


def _xlsx(path: Path, columns: Columns) -> None:
    rows = zip(*columns.values(), strict=True)
    many = len(next(iter(columns.values()), ()))
    if many > MOST_XLSX:
        raise SheetUnfit(
            f"{many} 行,表格文件放不下,请写成 .csv 或 .parquet", f"{many} rows do not fit: write .csv or .parquet"
        )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, words in _XLSX.items():
            packed.writestr(zipfile.ZipInfo(name), _DECLARED + words)
        with packed.open(_deflated("xl/worksheets/sheet1.xml"), "w") as sheet:
            sheet.write(f'{_DECLARED}<worksheet xmlns="{_MAIN}"><sheetData>'.encode())
            sheet.write(_line(tuple(columns)))
            for row in rows:
                sheet.write(_line(row))
            sheet.write(b"</sheetData></worksheet>")


def _deflated(name: str) -> zipfile.ZipInfo:
    # Without a date of its own, so that the same rows give the same bytes.
    part = zipfile.ZipInfo(name)
    part.compress_type = zipfile.ZIP_DEFLATED
    return part


def _line(row: Sequence[Any]) -> bytes:
    return f"<row>{''.join(map(_cell, row))}</row>".encode()


def _cell(cell: object) -> str:
    if _number(cell):
        return f"<c><v>{cell}</v></c>"
    return f'<c t="inlineStr"><is><t xml:space="preserve">{escape(_UNSAID.sub("", defused(cell)))}</t></is></c>'


def _number(cell: object) -> bool:
    """A number of ours, which needs no quotes: long ones would lose digits in a spreadsheet and stay words."""
    return isinstance(cell, int | float) and not isinstance(cell, bool) and 0 <= cell < 1e15
