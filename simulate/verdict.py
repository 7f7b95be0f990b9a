"""What the year came to, in numbers: the checks one after the other, the table of figures, the last line, and one page."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from msgspec import Struct
from rich.box import SIMPLE
from rich.table import Table
from sqlalchemy import Connection, func, select

from liuti import monthly
from liuti.flow.clocks import World
from liuti.flow.words import STATE_NAMES, Step
from liuti.monthly import Report
from liuti.store.engine import Engine
from liuti.store.tables import entries, issues
from simulate import checks, rates, receiver
from simulate.checks import SHOWN, Found
from simulate.record import Played

CHECKS = (
    ("clocks", "every clock's story adds up: started, paused, extended, due, stopped"),
    ("strikes", "every overdue clock struck once"),
    ("ladder", "every step of the ladder at its time, urged once a day at most"),
    ("letters", "no letter lost"),
    ("repeats", "nothing came twice but what a killed worker had in hand"),
    ("rates", "rates equal to the recomputation"),
    ("chains", "every chain whole"),
)


class Told(Struct):
    """The figures that are printed, and what did not hold."""

    found: Found
    ends: dict[str, int]
    made: dict[str, int]
    reports: list[Report]


async def examine(engine: Engine, world: World, played: Played, folder: Path) -> Told:
    """All checks on what the year left behind; nothing is changed."""
    found = Found()
    came = receiver.deliveries(folder / receiver.FILE)
    last = played.ticks[-1]
    told = await engine.read(lambda conn: list(checks.stories(conn)))
    await engine.read(partial(checks.clocks, told=told, world=world, tick=played.wanted.tick, last=last, found=found))
    await engine.read(partial(checks.posted, told=told, killed=played.killed, came=came, found=found))
    await engine.read(partial(checks.chains, found=found))
    year = str(played.start.year)
    names = [*rates.months(played.start.year), year]
    made = await rates.reports(engine, world, names, last)
    rates.compare(rates.lives(told), made, found)
    ends, moves = await engine.read(_counts)
    return Told(found, ends, moves, made)


def _counts(conn: Connection) -> tuple[dict[str, int], dict[str, int]]:
    ends = conn.execute(select(issues.c.step, func.count()).group_by(issues.c.step)).all()
    moves = conn.execute(select(entries.c.move, entries.c.role, func.count()).group_by(entries.c.move, entries.c.role))
    made: Counter[str] = Counter()
    for move, role, n in moves:
        made["by time" if role == "clock" else "by people"] += n
        made[move] += n
    return {row[0]: row[1] for row in ends}, dict(made)


def table(played: Played, told: Told) -> Table:
    counts, made = told.found.counts, told.made
    shown = Table(title=f"{played.start.year}, simulated", title_justify="left", box=SIMPLE, show_header=False)
    busy = sum(one.busy for one in played.killed)
    lines: list[tuple[str, str]] = [
        ("issues by state", ", ".join(f"{STATE_NAMES[Step(step)][1]} {n:,}" for step, n in sorted(told.ends.items()))),
        ("entries", f"{made['by people']:,} by people, {made['by time']:,} by time"),
        ("clocks", f"{counts['clocks']:,}, paused at some time {counts['paused clocks']:,}, overdue at some time {counts['overdue']:,}"),
        ("strikes", ", ".join(f"{kind} {counts[kind]:,}" for kind in ("warn", "overdue", "urge", "lapse", "close", "resume"))),
        ("orders", f"{made.get('order', 0):,} signed, {made.get('respond', 0):,} answered, {made.get('settle', 0):,} settled"),
        ("letters", f"{counts['letters']:,} written, {counts['deliveries']:,} came, {counts['repeats']:,} of them again, {counts['turned away']:,} turned away at first"),
        ("killed workers", f"{len(played.killed)}, at work {busy}, with {counts['in hand of the killed']:,} letters in hand"),
        ("refusals", ", ".join(f"{code} {n}" for code, n in played.refused.items()) or "none"),
        ("not offered any more", f"{sum(played.not_offered.values()):,}: " + ", ".join(f"{move} {n}" for move, n in list(played.not_offered.items())[:6])),
        ("ticks", f"{len(played.ticks):,}, {played.wanted.tick.total_seconds() / 60:g} minutes apart at least; time came first {played.time_first:,} times"),
        ("wall time", f"{played.seconds / 60:.1f} minutes to play"),
    ]  # fmt: skip
    total = told.reports[-1].tables["unit"].total
    named = [one for one in told.reports[-1].tables["unit"].definitions if one.key in total.rates]
    lines += [(one.en, total.rates[one.key].raw.text) for one in named]
    for name, words in lines:
        shown.add_row(name, words)
    return shown


def faults(found: Found) -> list[str]:
    said = []
    for check, words in CHECKS:
        if of := found.faults.get(check):
            said.append(f"DOES NOT HOLD: {words}: {len(of)}")
            said += [f"    {one}" for one in of[:SHOWN]]
    return said


def last_line(played: Played, found: Found) -> str:
    counts = found.counts
    if not found.holds:
        wrong = ", ".join(f"{name} {len(found.faults[name]):,}" for name, _ in CHECKS if found.faults.get(name))
        return f"does not hold: {wrong}"
    return (
        f"held: {played.wanted.issues:,} issues, {counts['clocks']:,} clocks add up, {counts['overdue']:,} overdue struck once each, "
        f"{counts['warn'] + counts['overdue'] + counts['urge']:,} steps within {played.wanted.tick.total_seconds() / 60:g} minutes, "
        f"{counts['letters']:,} letters, none lost, {counts['repeats']:,} came again after {len(played.killed)} killings, "
        f"{counts['rates']:,} rates equal, {counts['chains']:,} chains whole"
    )


def write(played: Played, told: Told, folder: Path) -> None:
    """The reports as `liuti report` writes them, and a page that names them all."""
    for report in told.reports:
        monthly.write(report, folder / f"report-{report.period.name}.html")
    (folder / "index.html").write_text(page(played, told), "utf-8")


def page(played: Played, told: Told) -> str:
    """One page that works offline: each month's three rates beside its cases, what was checked, and the reports."""
    rows = "".join(_row(report) for report in told.reports)
    held = "".join(
        f"<li class={'bad' if told.found.faults.get(name) else 'good'}>{html.escape(words)}"
        f"{': ' + str(len(told.found.faults[name])) if told.found.faults.get(name) else ''}</li>"
        for name, words in CHECKS
    )
    figures = "".join(
        f"<tr><th>{html.escape(str(name))}</th><td>{html.escape(str(words))}</td></tr>"
        for name, words in zip(*(column.cells for column in table(played, told).columns), strict=True)
    )
    return PAGE.format(
        year=played.start.year, issues=f"{played.wanted.issues:,}", rows=rows, held=held, figures=figures,
        last=html.escape(last_line(played, told.found)),
    )  # fmt: skip


KEYS: Sequence[str] = ("response", "solved", "satisfied", "on_time", "signed", "first_time")


def _row(report: Report) -> str:
    group, name = report.tables["unit"].total, report.period.name
    cells = "".join(_cell(group.rates[key].raw) for key in KEYS)
    return f'<tr><th><a href="report-{name}.html">{name}</a></th><td>{group.cases:,}</td>{cells}</tr>'


def _cell(share: object) -> str:
    value, text = getattr(share, "value", None), str(getattr(share, "text", ""))
    bar = f'<i style="width:{100 * value:.0f}%"></i>' if value is not None else ""
    said = f"{100 * value:.1f} %" if value is not None else text
    return f'<td title="{html.escape(text)}">{bar}<b>{said}</b></td>'


PAGE = """<!doctype html>
<html lang="zh"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>模拟年 {year}</title>
<style>
body {{ font: 15px/1.5 system-ui, "Noto Sans CJK SC", sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; color: #1c2733 }}
table {{ border-collapse: collapse; width: 100%; margin: 1rem 0 }} th {{ text-align: left; font-weight: 600; white-space: nowrap }}
th, td {{ padding: .3rem .6rem; border-bottom: 1px solid #d7dde3; vertical-align: top; position: relative }}
td i {{ position: absolute; inset: .3rem auto .3rem .3rem; max-width: calc(100% - .6rem); background: #cfe3f5; z-index: 0 }}
td b {{ position: relative; font-weight: 400 }} .good::marker {{ content: "✓ "; color: #1a7f37 }}
.bad::marker {{ content: "✗ "; color: #b3261e }} .bad {{ color: #b3261e }} .last {{ background: #f2f5f8; padding: .6rem .8rem }}
</style>
<h1>模拟年 {year} <small>{issues} 件 issues</small></h1>
<p class="last">{last}</p>
<ul>{held}</ul>
<table><thead><tr><th>月份 month</th><th>件 cases</th><th>响应率 response</th><th>解决率 solved</th><th>满意率 satisfied</th>
<th>按期办结率 on time</th><th>签收及时率 signed</th><th>一次办结率 first time</th></tr></thead><tbody>{rows}</tbody></table>
<table>{figures}</table>
</html>
"""
