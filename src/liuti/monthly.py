"""The report of a period: its cases gathered page by page, and its figures as JSON, a table, or one page of HTML."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from jinja2 import Environment
from msgspec import json

from liuti.figures.cases import Case
from liuti.figures.periods import Period, period_of
from liuti.figures.tables import BY, Figures, Group, Rate, Share, compute
from liuti.flow.clocks import World
from liuti.sheets import SheetUnfit
from liuti.sheets_out import replaced, writer
from liuti.store import figures
from liuti.store.engine import Engine, open_engine
from liuti.store.figures import Frame
from liuti.store.world import load_world
from liuti.templating import templates

PIECES = Path(__file__).parent / "monthly_pieces"
DIMENSIONS = (
    ("unit", "单位", "By unit"), ("category", "类别", "By category"), ("grid", "网格", "By grid"),
    ("level", "领题层级", "By level of the leader"),
)  # fmt: skip
COLUMNS = ("response", "solved", "satisfied", "on_time", "signed", "first_time")
WAYS = {"token": "本人评价 by the person", "callback": "回访 called back"}
KINDS = (".html", ".json", ".csv", ".xlsx")


class Gathered(NamedTuple):
    frame: Frame
    cases: list[Case]


class Report(NamedTuple):
    """A period's figures by every dimension, with the names of their keys."""

    period: Period
    frame: Frame
    tables: dict[str, Figures]


async def gather(
    engine: Engine, period: Period, world: World, tell: Callable[[int], None] | None = None,
    read: Callable[..., figures.Page] = figures.page,
) -> Gathered:  # fmt: skip
    """Everything a period's figures are made of. Each page is a transaction of its own; `tell` hears how many cases.
    `read` gives the pages, where not all of the district's issues are wanted."""
    frame = await engine.read(partial(figures.frame, period=period, world=world))
    cases: list[Case] = []
    after, ahead = "", timedelta(days=frame.world.policy.clocks.overall_most)
    while True:
        page = await engine.read(partial(read, period=period, after=after, ahead=ahead))
        found = await asyncio.to_thread(figures.cases_of, page, period, frame.world)
        cases += found
        if tell is not None:
            tell(len(found))
        if not page.last:
            return Gathered(frame, cases)
        after = page.last


async def make(
    database_url: str, name: str, path: Path, now: datetime, policy_words: str | None = None,
    tell: Callable[[int], None] | None = None,
) -> Report:  # fmt: skip
    """`liuti report 2026-10 --out report.html`: read, count, write. Raises ValueError for what is no period, SheetUnfit
    for a file that cannot be written; both before anything is read."""
    fit(path)
    engine = open_engine(database_url, pool=1)
    try:
        world = await engine.read(partial(load_world, policy_words=policy_words))
        period = period_of(name, now, world.calendar.zone)
        made = report_of(await gather(engine, period, world, tell), period)
    finally:
        await engine.close()
    await asyncio.to_thread(write, made, path)
    return made


def figures_by(gathered: Gathered, period: Period, by: str) -> Figures:
    frame = gathered.frame
    return compute(gathered.cases, period, by, frame.limits, frame.leaders, frame.tiers.get(by), frame.above)


def report_of(gathered: Gathered, period: Period) -> Report:
    return Report(period, gathered.frame, {by: figures_by(gathered, period, by) for by in BY})


def write(report: Report, path: Path) -> None:
    """By the file's ending: a page for people, JSON, or the rates as a table. Whole or not at all.

    Raises SheetUnfit for another ending, and for a folder that is not there.
    """
    fit(path)
    kind = path.suffix.lower()
    if kind in (".csv", ".xlsx"):
        writer(path)(table(report))
        return
    with replaced(path) as rough:
        rough.write_bytes(html(report).encode() if kind == ".html" else as_json(report))


def fit(path: Path) -> None:
    """Raises SheetUnfit when no report can be written there."""
    if path.suffix.lower() not in KINDS:
        given = "、".join(KINDS)
        raise SheetUnfit(f"写不成 {path.name},请用 {given}", f"cannot write {path.name}; give {', '.join(KINDS)}")
    if not path.parent.is_dir():
        raise SheetUnfit(f"没有文件夹 {path.parent}", f"there is no folder {path.parent}")


def as_json(report: Report) -> bytes:
    """The same bytes for the same period, whenever it is made."""
    asked, limits = report.frame.residents, report.frame.limits
    whole: dict[str, Any] = dict(report.tables) | ({"residents": asked.shares(limits)} if asked.invited else {})
    return json.format(json.encode(whole, order="deterministic"), indent=1) + b"\n"


# -- as a table ----------------------------------------------------------------------------------------------------


def table(report: Report) -> dict[str, list[Any]]:
    """A row for each rate of each group; the total stands under 全部."""
    rows = [row for by, made in report.tables.items() for row in _rows(by, made, report.frame)]
    return {name: [row[name] for row in rows] for name in rows[0]}


def _rows(by: str, made: Figures, frame: Frame) -> list[dict[str, Any]]:
    named = {one.key: one.zh for one in made.definitions}
    groups = [*([made.total] if by == BY[0] else []), *made.groups]
    return [
        {
            "维度": "全部" if group is made.total else by,
            "编号": group.key,
            "名称": frame.names[by].get(group.key, ""),
            "同类": group.tier,
            "指标": zh,
            **_cells("原始", group.rates[key].raw),
            **_cells("剔除后", group.rates[key].adjusted),
            "名次": group.rates[key].rank or "",
            "说明": group.rates[key].adjusted.text,
        }
        for group in groups
        for key, zh in named.items()
    ]


def _cells(name: str, share: Share) -> dict[str, Any]:
    numbers = {"分子": share.hits, "分母": share.n, "值": share.value, "下限": share.low, "上限": share.high}
    return {name + what: "" if number is None else number for what, number in numbers.items()}


# -- as a page -----------------------------------------------------------------------------------------------------


def html(report: Report) -> str:
    """One page that works offline and on paper."""
    zone = ZoneInfo(report.frame.world.policy.hours.zone)
    total, names = report.tables["unit"], report.frame.names
    return _pieces().get_template("page.html").render(
        report=report.period, total=total, whole=total.total, tables=report.tables, names=names, columns=COLUMNS,
        dimensions=DIMENSIONS, ways=WAYS, residents=report.frame.residents.shares(report.frame.limits), said={one.key: one for one in total.definitions}, limits=report.frame.limits,
        alerts=_alerts(total.total, total.groups, names["unit"], report.frame), idle=_idle(report.tables["leader"], names["leader"]),
        local=lambda text: f"{datetime.fromisoformat(text).astimezone(zone):%Y-%m-%d %H:%M}",
        style=(PIECES / "month.css").read_text("utf-8"),
    )  # fmt: skip


def _alerts(whole: Group, groups: Sequence[Group], names: dict[str, str], frame: Frame) -> list[tuple[str, str]]:
    """What passes a limit of the policy: extensions and suspensions of the whole, exclusions by unit."""
    limits = frame.limits
    found = [
        (f"{zh} {rate.raw.text},高于 {most:.0%}", f"{en}: above {most:.0%}")
        for zh, en, rate, most in (
            ("延期率", "extended", whole.rates["extended"], limits.extended_alert),
            ("挂账率", "suspended", whole.rates["suspended"], limits.suspended_alert),
        )
        if rate.alert
    ]
    for group in groups:
        if group.excluded_alert:
            name, share = names.get(group.key, group.key), f"{group.excluded}/{group.cases}"
            zh = f"{name} 剔除 {share},高于 {limits.excluded_alert:.0%},请督导组核查"
            found.append((zh, f"excluded {share}: above {limits.excluded_alert:.0%}"))
    return found


def _idle(by_leader: Figures, names: dict[str, str]) -> list[str]:
    def without(rate: Rate) -> bool:
        return bool(rate.raw.n) and not rate.raw.hits

    return [names.get(group.key, group.key) for group in by_leader.groups if without(group.rates["claimed"])]


@cache
def _pieces() -> Environment:
    made = templates(PIECES)
    made.filters["percent"] = lambda share: f"{100 * share:.1f}%"
    return made
