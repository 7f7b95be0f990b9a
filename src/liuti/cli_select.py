"""The analyst's commands: topics of a file, the ranking with its report, the rounds, and learned categories."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from liuti.flow.kernel import Refused
from liuti.settings import Settings, SettingsUnfit, settings_in_words

# ruff: noqa: PLC0415 - a command loads only what it needs
if TYPE_CHECKING:
    from liuti.policy import Policy
    from liuti.report import Report
    from liuti.selection_files import Progress

OUT = Console()
ERR = Console(stderr=True)
Url = Annotated[
    str | None, typer.Option("--database-url", envvar="LIUTI_DATABASE_URL", help="postgresql://… or sqlite:///path")
]
LOOK_BACK = "score as at an earlier moment: 2026-03-01 or 2026-03-01T09:00+08:00"
By = Annotated[str, typer.Option("--by", help="login of the analyst (to close: or of the panel)")]
Name = Annotated[str, typer.Argument(metavar="N", help="number or id of the round")]
rounds = typer.Typer(invoke_without_command=True, help="the panel's rounds: list, open, show, close, replay")
categories = typer.Typer(no_args_is_help=True, help="categories learned from sorted messages")
DIFFERENT = 20
"""Lines shown of those that do not replay."""


def add(app: typer.Typer) -> None:
    """Put these commands beside the others."""
    app.command()(topics)
    app.command()(rank)
    app.command()(accept)
    app.add_typer(rounds, name="rounds")
    app.add_typer(categories, name="categories")


def fail(zh: str, en: str) -> typer.Exit:
    ERR.print(f"[red]{escape(zh)}[/red]\n{escape(en)}", highlight=False)
    return typer.Exit(2)


@contextmanager
def in_words() -> Iterator[None]:
    """What a file, the rules or the settings refuse, said to the person; exit 2."""
    from liuti.policy import PolicyError
    from liuti.sheets import SheetUnfit

    try:
        yield
    except (SheetUnfit, Refused, SettingsUnfit) as unfit:
        raise fail(unfit.zh, unfit.en) from None
    except PolicyError as error:
        raise fail(f"政策文件有误:\n{error}", "The policy file is at fault, see the lines above.") from None
    except OSError as error:
        raise fail(f"读写失败:{error}", f"not read or written: {error}") from None


def settings(url: str | None) -> Settings:
    try:
        return Settings(database_url=url) if url else Settings()
    except ValidationError as error:
        raise settings_in_words(error) from None


def database(url: str | None) -> Settings:
    """The settings of a database that can be read by this version; Refused otherwise."""
    from liuti.store import migrate
    from liuti.store.engine import DatabaseFault

    chosen = settings(url)
    try:
        behind = migrate.pending(chosen.database_url)
    except ValueError as error:
        raise Refused("bad_database", 422, f"数据库地址有误:{error}", str(error)) from None
    except DatabaseFault as fault:
        zh, en = f"数据库打不开:{fault.orig}", f"The database cannot be opened: {fault.orig}"
        raise Refused("no_database", 503, zh, en) from None
    if behind:
        zh, en = "数据库结构需要升级,请先运行 liuti migrate。", "The database is behind: run `liuti migrate` first."
        raise Refused("database_behind", 409, zh, en)
    return chosen


def policy(file: Path | None) -> Policy:
    """The district's, else the default; a team that has only a file needs no other setting."""
    from liuti import policy as policies

    return policies.load(file.read_text("utf-8")) if file is not None else policies.default()


@contextmanager
def bar() -> Iterator[Progress]:
    """A bar for each thing done, for as long as the block lasts."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

    tasks: dict[str, TaskID] = {}
    row = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*row, console=ERR, transient=True) as shown:

        def progress(doing: str, done: int, total: int | None) -> None:
            task = tasks.setdefault(doing, shown.add_task(doing, total=total)) if doing not in tasks else tasks[doing]
            shown.update(task, completed=done, total=total)

        yield progress


def said(zh: str, en: str) -> None:
    OUT.print(f"{escape(zh)}  {escape(en)}", highlight=False, soft_wrap=True)


def moment(text: str | None, zone: str) -> datetime | None:
    """Without an offset it is in the zone; the end of the day when no hour is given."""
    from zoneinfo import ZoneInfo

    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        zh, en = f"看不懂的时刻:{text},请写作 2026-03-01 或 2026-03-01T09:00", f"not a moment: {text}; write 2026-03-01"
        raise Refused("bad_moment", 422, zh, en) from None
    if "T" not in text and " " not in text and len(text) <= 10:
        at = at.replace(hour=23, minute=59, second=59)
    return at if at.tzinfo else at.replace(tzinfo=ZoneInfo(zone))


# --- topics and ranking ----------------------------------------------------------------------------------------------


def topics(
    file: Path,
    out: Annotated[Path, typer.Option("--out", help="id, topic, similarity: .parquet, .csv or .xlsx")],
    columns: Annotated[str | None, typer.Option(help="id=msg_id,title=title,text=body")] = None,
) -> None:
    """Which messages of a file are the same matter; needs no database."""
    from liuti import policy as policies
    from liuti import selection_files as files

    started = perf_counter()
    with in_words(), bar() as progress:
        given = files.source(file, columns, policies.default().hours.zone, datetime.now(UTC))
        messages, found, largest = files.write_topics(given, out, progress)
    seconds = perf_counter() - started
    said(f"{messages} 条留言,{found} 个议题,最大的 {largest} 条;用时 {seconds:.1f} 秒,已写入 {out}",
         f"{messages} messages, {found} topics, the largest of {largest}; {seconds:.1f} s")  # fmt: skip


def rank(
    database_url: Url = None,
    file: Annotated[Path | None, typer.Option(help="rank the messages of this file instead")] = None,
    columns: Annotated[
        str | None, typer.Option(help="of the file: id=…,title=…,text=…,reported_at=…,user=…,community=…")
    ] = None,
    model: Annotated[
        Path | None, typer.Option(envvar="LIUTI_CATEGORY_MODEL", help="guess categories of the file by this model")
    ] = None,
    labels: Annotated[str, typer.Option(help="the model's labels as the policy's: 环境保护=environment,…")] = "",
    verified: Annotated[bool, typer.Option(help="the users of the file are verified households")] = False,
    as_of: Annotated[str | None, typer.Option(metavar="MOMENT", help=LOOK_BACK)] = None,
    top: Annotated[int, typer.Option(min=1, max=500, help="lines shown")] = 20,
    slots: Annotated[int, typer.Option(min=1, max=200, help="slots to recommend for")] = 10,
    report: Annotated[Path | None, typer.Option(help="write a page that works offline")] = None,
    policy_file: Annotated[
        Path | None, typer.Option("--policy", envvar="LIUTI_POLICY_FILE", help="the district's; else the default")
    ] = None,
) -> None:
    """Score what waits to be selected and say why; nothing is written to the database."""
    from liuti import report as pages
    from liuti import selection, selection_ranking
    from liuti import selection_files as files
    from liuti.importer import parse_map

    asked, now = selection.Asked(slots, top, texts=report is not None), datetime.now(UTC)
    with in_words():
        rule = policy(policy_file)
        until = moment(as_of, rule.hours.zone)
        if until is not None and until > now:
            raise Refused("bad_form", 422, "时刻不得晚于现在。", "The moment is not after now.")
        if file is None:
            found = selection.rank(database(database_url), asked, now, until)
        else:
            with bar() as progress:
                given = files.source(file, columns, rule.hours.zone, now, until)
                learned = files.model_at(model) if model is not None else None
                guide = selection_ranking.Guide(rule, learned, parse_map(labels), verified)
                found = selection_ranking.rank(given, guide, asked, progress)
        if report is not None:
            pages.write(found, report)
    OUT.print(_ranking(found))
    for zh, en in found.notes:
        said(zh, en)
    said(f"{found.voices} 人次反映,{found.topics} 个议题,可推荐 {found.recommendable} 个;截至 {_local(found.as_of, found.zone)}",
         f"{found.voices} voices, {found.topics} topics, {found.recommendable} recommendable")  # fmt: skip
    if report is not None:
        said(f"报告已写入 {report}", f"the report: {report}")


def _local(at: datetime, zone: str) -> str:
    from zoneinfo import ZoneInfo

    return f"{at.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}"


def _ranking(found: Report) -> Table:
    shown = Table(
        "位", "总分", "小切口", "影响大", "能办成", "普遍受益", "待核", "人次", "题与最强理由 title, strongest reason"
    )
    for column in shown.columns[:8]:
        column.justify, column.no_wrap = "right", True
    for one in found.matters:
        score = one.score
        subs = [f"{score.subs[name]:.1f}" for name in ("narrow_scope", "impact", "feasible", "broad_benefit")]
        why = escape(score.strongest[0].zh) if score.strongest else "-"
        place = str(one.place.rank or "-") + ("*" if one.place.why.value == "set_aside" else "")
        shown.add_row(
            place, f"{score.total:.1f}", *subs, f"{score.unknown_weight:g}", str(one.behind.size),
            f"{escape(score.title)}\n[dim]{why}[/dim]",
        )  # fmt: skip
    shown.caption = "* 预留名额 a slot set aside"
    return shown


# --- rounds ----------------------------------------------------------------------------------------------------------


def _hand() -> Any:
    from liuti.store.audit import By as Hand

    try:
        login = getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container's number without a name
        login = "unnamed"
    return Hand(f"shell:{login}"[:80], datetime.now(UTC))


@rounds.callback()
def rounds_list(context: typer.Context, database_url: Url = None) -> None:
    """All rounds, the latest first."""
    from liuti import selection

    if context.invoked_subcommand is not None:
        return
    shown = Table("轮 round", "开始 opened", "截至 as of", "名额 slots", "政策 policy", "结束 closed")
    with in_words():
        for row in selection.list_rounds(database(database_url)):
            closed = f"{row.closed_at:%Y-%m-%d %H:%M}" if row.closed_at else "-"
            shown.add_row(
                str(row.number), f"{row.at:%Y-%m-%d %H:%M}", f"{row.as_of:%Y-%m-%d %H:%M}", str(row.slots),
                str(row.policy), closed,
            )  # fmt: skip
    OUT.print(shown)


@rounds.command("open")
def rounds_open(
    slots: Annotated[int, typer.Option()],
    by: By,
    as_of: Annotated[str | None, typer.Option(metavar="MOMENT", help=LOOK_BACK)] = None,
    database_url: Url = None,
) -> None:
    """Score what waits, freeze it, recommend; who opens a round has no vote in it."""
    from liuti import selection

    with in_words():
        chosen = database(database_url)
        until = moment(as_of, policy(chosen.policy_file).hours.zone)
        opened = selection.open_round(chosen, by, slots, _hand(), until)
    said(f"第 {opened.number} 轮已开,{opened.scored} 题,可推荐 {opened.recommendable} 题,入选 {opened.recommended} 题",
         f"round {opened.number} is open: {opened.scored} matters, {opened.recommendable} recommendable, {opened.recommended} recommended")  # fmt: skip


@rounds.command("show")
def rounds_show(name: Name, top: Annotated[int, typer.Option(min=1, max=5000)] = 20, database_url: Url = None) -> None:
    """A round's list: original and final rank, the scores, why."""
    from liuti import selection
    from liuti.rank.panel import WORDS, Why

    with in_words():
        found, lines = selection.show_round(database(database_url), name, top)
    shown = Table("原位", "终位", "总分", "小切口", "影响大", "能办成", "普遍受益", "待核", "状态 step", "题 title")
    for line in lines:
        subs = [f"{line.score.subs[one]:.1f}" for one in ("narrow_scope", "impact", "feasible", "broad_benefit")]
        shown.add_row(
            str(line.place.rank or "-"), str(line.final_rank or "-"), f"{line.score.total:.1f}", *subs,
            f"{line.score.unknown_weight:g}", line.issue.step.value,
            f"{escape(line.row['title'])}\n[dim]{WORDS[Why(line.place.why)][0]}[/dim]",
        )  # fmt: skip
    OUT.print(shown)
    state = f"{found.closed_at:%Y-%m-%d} 结束 closed" if found.closed_at else "进行中 open"
    said(f"第 {found.number} 轮,{found.slots} 个名额,{state}", f"round {found.number}, {found.slots} slots")


@rounds.command("close")
def rounds_close(name: Name, by: By, database_url: Url = None) -> None:
    """End a round; what it froze stays."""
    from liuti import selection

    with in_words():
        number = selection.close_round(database(database_url), name, by, _hand())
    said(f"第 {number} 轮已结束", f"round {number} is closed")


@rounds.command("replay")
def rounds_replay(name: Name, database_url: Url = None) -> None:
    """Compute every line again from its snapshot; exit 1 when any differs from what was shown."""
    from liuti import selection

    with in_words():
        equal, differ = selection.replay_round(database(database_url), name)
    for issue, shown, found in differ[:DIFFERENT]:
        OUT.print(f"[red]不同 differs[/red] {issue}: {shown} → {found}", highlight=False)
    said(f"{equal} 题重算相同,{len(differ)} 题不同", f"{equal} equal when computed again, {len(differ)} differ")
    if differ:
        raise typer.Exit(1)


def accept(
    by: Annotated[str, typer.Option("--by", help="login of the intake officer in whose name it is done")],
    grid: Annotated[str, typer.Option(help="where issues belong that name no grid")],
    model: Annotated[
        Path | None, typer.Option(envvar="LIUTI_CATEGORY_MODEL", help="made by `liuti categories train`")
    ] = None,
    least: Annotated[float, typer.Option(min=0, max=1, help="how sure a suggested category must be")] = 0.5,
    otherwise: Annotated[str, typer.Option(help="the category of what nothing is suggested for")] = "other",
    labels: Annotated[str, typer.Option(help="the model's labels as categories: 环境保护=environment,…")] = "",
    database_url: Url = None,
) -> None:
    """Accept a backlog into the pool of topics: everything at `propose` but urgent matters and tip-offs."""
    from liuti import selection
    from liuti import selection_files as files
    from liuti.backlog import Rule

    names = {left.strip(): right.strip() for left, _, right in (one.partition("=") for one in labels.split(",") if one)}
    with in_words(), bar() as progress:
        learned = files.model_at(model) if model is not None else None
        rule = Rule(grid, least, otherwise, names)
        made = selection.accept(database(database_url), by, rule, learned, datetime.now(UTC), progress)
    left = ", ".join(f"{code} {n}" for code, n in made.left.items())
    said(
        f"受理入库 {made.accepted} 件;未受理 {made.left.total()} 件",
        f"{made.accepted} accepted; {made.left.total()} left: {left or '-'}",
    )
    shown = Table("类别 category", "件 issues")
    for code, n in made.categories.most_common():
        shown.add_row(escape(code), str(n))
    OUT.print(shown)


# --- categories ------------------------------------------------------------------------------------------------------


@categories.command("train")
def categories_train(
    out: Annotated[Path, typer.Option("--out", help="where the model goes, as model.liuti")],
    file: Annotated[
        Path | None, typer.Argument(help="sorted messages; without a file the issues intake has sorted")
    ] = None,
    database_url: Url = None,
    text: Annotated[
        str, typer.Option(help="column of the text; of several with commas the first that is filled")
    ] = "body",
    title: Annotated[str, typer.Option(help="column of the title, '' for none")] = "title",
    label: Annotated[str, typer.Option(help="column of the category")] = "label",
    group: Annotated[str, typer.Option(help="column that marks near-copies, '' for none")] = "",
    test: Annotated[str, typer.Option(help="measure by rows with column=value only")] = "",
) -> None:
    """Learn categories from sorted messages, measured by 5 folds."""
    from liuti import selection
    from liuti import selection_files as files

    started = perf_counter()
    columns = {"text": text, "title": title, "label": label, "group": group}
    with in_words(), bar() as progress:
        read = (
            files.labelled(file, columns, test, progress)
            if file is not None
            else selection.labelled(database(database_url))
        )
        model = files.train(read, out, datetime.now(UTC), progress)
    measured = model.measured
    assert measured is not None
    shown = Table("类别 category", "F1", "95%", "条 rows")
    for name, one in sorted(measured.labels.items(), key=lambda each: -each[1].f1):
        shown.add_row(escape(name), f"{one.f1:.3f}", f"{one.low:.3f}-{one.high:.3f}", str(one.rows))
    OUT.print(shown)
    said(f"macro-F1 {measured.macro_f1:.3f}({measured.low:.3f}-{measured.high:.3f}),5 折,{measured.rows} 条检验,{model.rows} 条学习",
         f"macro-F1 {measured.macro_f1:.3f} ({measured.low:.3f}-{measured.high:.3f}), 5 folds; {perf_counter() - started:.1f} s")  # fmt: skip
    if model.left_out:
        said(f"太少而未学:{'、'.join(model.left_out)}", f"too few to be learned: {', '.join(model.left_out)}")
    said(f"模型已写入 {out}", f"the model: {out}")


@categories.command("suggest")
def categories_suggest(
    text: str,
    model: Annotated[Path, typer.Option(envvar="LIUTI_CATEGORY_MODEL", help="made by `liuti categories train`")],
    title: Annotated[str, typer.Option()] = "",
) -> None:
    """The likeliest categories of a text, how sure, and the words that spoke for each."""
    from liuti import selection_files as files

    with in_words():
        learned = files.model_at(model)
    found = learned.suggest(title, text)
    if not found:
        said("没有可依据的词,不猜", "no word to go by: nothing is guessed")
        return
    shown = Table("类别 category", "把握 confidence", "依据的词 words that spoke for it")
    for one in found:
        shown.add_row(escape(one.category), f"{one.confidence:.0%}", escape("、".join(one.words)))
    OUT.print(shown)
    if learned.measured is not None:
        said(
            f"模型 macro-F1 {learned.measured.macro_f1:.3f}",
            f"trained {learned.trained_at:%Y-%m-%d} on {learned.rows} messages",
        )
