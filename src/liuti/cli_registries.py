"""The inspection office's commands: claims of leaders, with the import of an old list."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from liuti.cli_select import ERR, OUT, Url, database, in_words

# ruff: noqa: PLC0415 - a command loads only what it needs
claims = typer.Typer(no_args_is_help=True, help="claims and links by leader; the import of an old list")


def add(app: typer.Typer) -> None:
    """Put these commands beside the others."""
    app.add_typer(claims, name="claims")


@claims.command("import")
def import_(
    file: Path,
    source: Annotated[str, typer.Option(help="which list it is; with the number it names a claim")] = "legacy",
    columns: Annotated[
        str | None,
        typer.Option("--map", help="number=编号,leader=领导,title=题目,goal=目标,date=日期,state=状态,level=层级"),
    ] = None,
    bad: Annotated[Path | None, typer.Option(help="where rows go that cannot be taken")] = None,
    database_url: Url = None,
) -> None:
    """Legacy claims out of a csv, xlsx or parquet file; run again it adds what is missing and closes what was closed.
    They stand outside the cap of claims."""
    from liuti import importer, legacy, office
    from liuti.flow.kernel import Refused
    from liuti.store import claims as kept
    from liuti.store.engine import Blocking
    from liuti.store.world import load_world

    with in_words():
        if not 1 <= len(source) <= 64 or not source.isprintable():
            raise Refused("bad_source", 422, "来源须为 1-64 个可见字符。", "A source has 1-64 visible characters.")
        there = importer.columns_of(file)
        chosen = importer.parse_map(columns) if columns else importer.guess(there, legacy.FIELDS)
        ERR.print(importer.columns_shown(chosen, there))
        settings = database(database_url)
        bad_path = bad or file.with_name(file.name + ".bad.csv")
        with Blocking(settings.database_url) as engine, importer.progress_bar(ERR) as progress:
            zone = engine.read(partial(load_world, policy_words=settings.policy_words())).calendar.zone
            hand = office.hand()

            def bring_in(rows: Sequence[kept.Legacy]) -> list[kept.Verdict]:
                found: list[kept.Verdict] = engine.write(partial(kept.bring_in, source=source, rows=rows, by=hand))
                return found

            came = legacy.import_file(
                file, bring_in, columns=chosen, zone=zone, now=datetime.now(UTC), bad_path=bad_path, progress=progress
            )
    OUT.print(
        f"新增 {came.new} 条,已有 {came.known} 条,新办结 {came.closed} 条,有误 {came.bad} 行\n"
        f"{came.new} new, {came.known} known, {came.closed} closed now, {came.bad} bad"
        + (f"\n有误的行及原因 bad rows and why: {bad_path}" if came.bad else ""),
        highlight=False,
    )


@claims.command("report")
def report(
    level: Annotated[str, typer.Option(help="district town department")] = "",
    without: Annotated[bool, typer.Option("--without", help="only leaders without a claim")] = False,
    database_url: Url = None,
) -> None:
    """Claims, legacy claims and links by leader, and who has none. Not for the public."""
    from liuti.store.claims import by_leader
    from liuti.store.engine import Blocking

    with in_words():
        settings = database(database_url)
        with Blocking(settings.database_url) as engine:
            found = engine.read(partial(by_leader, level=level))
    shown = Table(
        "领导 leader", "岗位 post", "层级 level", "领题 在办/办结", "历史 在办/办结", "挂钩 产业/民生", box=None
    )
    for one in found:
        if without and one.claimed:
            continue
        pairs = [(one.claims, "open", "closed"), (one.legacy, "open", "closed"), (one.links, "industry", "livelihood")]
        cells = (f"{count[first]}/{count[second]}" for count, first, second in pairs)
        shown.add_row(one.leader.id, one.leader.post, one.leader.level, *cells)
    OUT.print(shown)
    none, here = sum(not one.claimed for one in found), sum(one.claimed_here for one in found)
    OUT.print(
        f"领导 {len(found)} 位,有领题 {len(found) - none} 位(不含历史 {here} 位),无领题 {none} 位\n"
        f"{len(found)} leaders, {len(found) - none} with a claim ({here} without the legacy ones), {none} without",
        highlight=False,
    )
