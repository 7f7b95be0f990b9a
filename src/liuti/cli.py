"""The command line: `liuti demo` to try it, `serve` and `work` to run it, and what an administrator needs beside."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from liuti import cli_registries, cli_select
from liuti.flow.kernel import Refused
from liuti.settings import Settings, SettingsUnfit, settings_in_words

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
user = typer.Typer(no_args_is_help=True, help="people and their roles")
token = typer.Typer(no_args_is_help=True, help="bearer tokens for programs")
calendar = typer.Typer(no_args_is_help=True, help="the yearly notices of working days")
app.add_typer(user, name="user")
app.add_typer(token, name="token")
app.add_typer(calendar, name="calendar")
letters = typer.Typer(no_args_is_help=True, help="the letters people get")
app.add_typer(letters, name="letters")
cli_select.add(app)
cli_registries.add(app)
OUT = Console()
ERR = Console(stderr=True)
Url = Annotated[
    str | None, typer.Option("--database-url", envvar="LIUTI_DATABASE_URL", help="postgresql://… or sqlite:///path")
]


def fail(zh: str, en: str) -> typer.Exit:
    ERR.print(f"[red]{zh}[/red]\n{en}", highlight=False)
    return typer.Exit(2)


def settings(**given: Any) -> Settings:
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        words: SettingsUnfit = settings_in_words(error)
        raise fail(words.zh, words.en) from None


def _policy_of(chosen: Settings) -> None:
    """Say what is wrong with the policy file, line by line, before anything starts."""
    from liuti.policy import PolicyError, load

    try:
        if words := chosen.policy_words():
            load(words)
    except PolicyError as error:
        raise fail(
            f"政策文件有误 {chosen.policy_file}:\n{error}", "The policy file is at fault, see the lines above."
        ) from None
    except OSError:
        raise fail(
            f"读不到政策文件 {chosen.policy_file}", f"The policy file {chosen.policy_file} cannot be read."
        ) from None


# -- to try it -----------------------------------------------------------------------------------------------------


@app.command()
def demo(
    port: int = 8000,
    folder: Annotated[Path, typer.Option("--dir", help="where the demo lives; delete it to begin anew")] = Path("demo"),
    prepare_only: Annotated[bool, typer.Option(help="set up and stop, serve nothing")] = False,
) -> None:
    """A fictional district with 200 issues on SQLite, played through the flow; server and worker included."""
    from liuti import demo as town

    try:
        prepared = asyncio.run(town.prepare(folder, datetime.now(UTC), port))
    except Refused as refused:
        raise fail(refused.zh, refused.en) from None
    OUT.print(town.accounts_table(prepared))
    if prepare_only:
        return
    OUT.print(f"[bold]http://127.0.0.1:{port}[/bold]   Ctrl-C 停止 to stop", highlight=False)
    _serve(prepared.settings, "127.0.0.1", port, with_worker=True)


@app.command()
def walk(
    base: Annotated[str, typer.Option(help="a running server")] = "http://127.0.0.1:8000",
    accounts: Annotated[Path, typer.Option(help="written by `liuti demo`")] = Path("demo/accounts.json"),
) -> None:
    """One issue through all six steps over HTTP, told as it happens."""
    from liuti import walk as story

    if not accounts.exists():
        raise fail(
            f"没有 {accounts}:请先运行 liuti demo(另开一个终端)。",
            f"{accounts} is not there: run `liuti demo` first, in another terminal.",
        )
    if not asyncio.run(story.walk(base, accounts)):
        raise typer.Exit(1)


# -- to run it -----------------------------------------------------------------------------------------------------


@app.command()
def serve(
    database_url: Url = None,
    host: str = "127.0.0.1",
    port: int = 8000,
    workers: Annotated[int, typer.Option(help="server processes")] = 1,
    with_worker: Annotated[bool, typer.Option(help="run the worker inside this server (one small machine)")] = False,
) -> None:
    """The server. Run `liuti migrate` first, and at least one `liuti work` beside it."""
    _serve(settings(database_url=database_url), host, port, workers=workers, with_worker=with_worker)


def _serve(chosen: Settings, host: str, port: int, *, workers: int = 1, with_worker: bool = False) -> None:
    from liuti import serving
    from liuti.store import migrate as migrations

    _policy_of(chosen)
    if migrations.pending(chosen.database_url):
        raise fail("数据库结构需要升级,请先运行 liuti migrate。", "The database is behind: run `liuti migrate` first.")
    if workers > 1:
        serving.several(chosen, host, port, workers)
    else:
        serving.here(chosen, host, port, with_worker)


@app.command()
def work(database_url: Url = None) -> None:
    """The worker: clocks strike, letters leave. Run as many as you like; Ctrl-C finishes what is in hand."""
    from liuti import serving

    serving.alone(settings(database_url=database_url))


@app.command()
def migrate(database_url: Url = None) -> None:
    """Bring the tables to this version; safe to run from several places at once."""
    from liuti import office
    from liuti.store import migrate as migrations

    chosen = settings(database_url=database_url)
    _policy_of(chosen)
    migrations.upgrade(chosen.database_url)
    version = 0

    def keep() -> None:
        nonlocal version
        version = office.keep_policy(chosen)

    _done(keep)
    shown = f"数据库结构 {migrations.current(chosen.database_url)},政策第 {version} 版  tables up to date, policy {version} kept"
    OUT.print(shown, highlight=False)


@app.command("import")
def import_(
    file: Path,
    database_url: Url = None,
    source: Annotated[
        str,
        typer.Option(help="web 12345 grid counter letter import; 12345 with caller numbers, counter and grid verify"),
    ] = "import",
    columns: Annotated[
        str | None, typer.Option("--map", help="text=body,title=title,external_id=msg_id,reported_at=created_at")
    ] = None,
    bad: Annotated[Path | None, typer.Option(help="where rows go that cannot be taken")] = None,
) -> None:
    """Issues out of a parquet, csv or xlsx file; the second time, none."""
    from liuti import office
    from liuti.sheets import SheetUnfit

    if not file.exists():
        raise fail(f"没有这个文件:{file}", f"There is no such file: {file}")
    try:
        asyncio.run(office.import_rows(settings(database_url=database_url), file, source, columns, bad))
    except SheetUnfit as unfit:
        raise fail(unfit.zh, unfit.en) from None
    except ValueError as error:
        raise fail(str(error), "") from None


# -- to look at it -------------------------------------------------------------------------------------------------


@app.command()
def flow(as_json: Annotated[bool, typer.Option("--json", help="for programs")] = False) -> None:
    """The flow: every state and every move."""
    from liuti.flow import picture
    from liuti.flow.table import FLOW

    if as_json:
        print(json.dumps(picture.table(FLOW), ensure_ascii=False, indent=1))
        return
    shown = Table("#", "动作 move", "从 from", "由 by", "到 to")
    for line in picture.lines(FLOW):
        shown.add_row(*line)
    OUT.print(shown)


@app.command()
def due(start: str, span: str) -> None:
    """When a span is over: `liuti due 2026-09-30T10:00+08:00 5wd` (also 24h, 1oh, 15d)."""
    from liuti.calendars import notices
    from liuti.flow.calendar import Calendar, Span

    calendar_ = Calendar(notices())
    try:
        at = datetime.fromisoformat(start)
        at = at if at.tzinfo else at.replace(tzinfo=calendar_.zone)
        result = calendar_.due(at, Span.parse(span))
    except ValueError as error:
        raise fail(f"看不懂:{error}", f"Not understood: {error}") from None
    print(result.at.astimezone(calendar_.zone).isoformat(timespec="minutes"))
    if result.provisional:
        ERR.print("暂定:该年度节假日通知尚未导入。provisional: the notice of that year is not loaded.", style="yellow")


@app.command()
def report(
    period: Annotated[str, typer.Argument(help="2026-10, 2026-Q4 or 2026")],
    out: Annotated[Path, typer.Option("--out", help="report.html, .xlsx, .csv or .json")],
    database_url: Url = None,
) -> None:
    """The figures of a period: the three rates with their intervals, on-time, and all the others; the same a year later."""
    from liuti import monthly
    from liuti.sheets import SheetUnfit

    chosen = settings(database_url=database_url)
    try:
        asyncio.run(monthly.make(chosen.database_url, period, out, datetime.now(UTC), chosen.policy_words()))
    except SheetUnfit as unfit:
        raise fail(unfit.zh, unfit.en) from None
    except ValueError as error:
        raise fail(f"没有这样的时段:{period}", str(error)) from None
    OUT.print(f"已写 written: {out}", highlight=False)


@letters.command("preview")
def letters_preview(
    event: Annotated[str, typer.Argument(help="submit, extend, invite …; none: all of them")] = "",
    language: Annotated[str, typer.Option("--lang", help="zh or en")] = "zh",
) -> None:
    """What people are written, with an example's names and dates."""
    from liuti.letter_words import events
    from liuti.letters import preview

    for name in (event,) if event else events():
        said = preview(name, "en" if language == "en" else "zh")
        OUT.rule(said.event)
        OUT.print(f"{said.subject}\n\n{said.text}\nSMS ({len(said.sms)}): {said.sms}", markup=False, highlight=False)


@app.command()
def verify(database_url: Url = None) -> None:
    """Walk every chain of the ledger; names the first broken place of each and exits with 1."""
    from rich.progress import Progress

    from liuti.store import ledger
    from liuti.store.engine import Blocking

    broken, walked = [], 0
    with Blocking(database_url or settings().database_url) as engine, Progress(console=ERR, transient=True) as bar:
        task = bar.add_task("核对账本 verifying", total=None)

        def walk_all(conn: Any) -> None:
            nonlocal walked
            for found in ledger.verify(conn):
                if isinstance(found, int):
                    walked += found
                    bar.update(task, completed=walked, description=f"核对账本 verifying {walked}")
                else:
                    broken.append(found)

        engine.read(walk_all)
    for place in broken[:20]:
        OUT.print(
            f"[red]断裂 broken[/red] issue {place.issue} entry {place.version}: {place.zh} {place.en}", highlight=False
        )
    OUT.print(
        f"{walked} 条链已核对,{len(broken)} 处断裂  {walked} chains walked, {len(broken)} broken", highlight=False
    )
    if broken:
        raise typer.Exit(1)


@app.command()
def key() -> None:
    """A fresh key for LIUTI_KEYS."""
    from liuti.settings import new_key

    print(new_key())


@app.command()
def rotate(database_url: Url = None) -> None:
    """Seal every contact with the newest of LIUTI_KEYS; afterwards the old key is needed for look-ups only."""
    from rich.progress import Progress

    from liuti import office

    with Progress(console=ERR, transient=True) as bar:
        task = bar.add_task("更换密钥 rotating", total=None)
        turned = office.rotate(settings(database_url=database_url), lambda n: bar.update(task, completed=n))
    OUT.print(f"{turned} 个联系方式已换新钥  {turned} contacts sealed anew", highlight=False)


@app.command()
def docs(
    check: Annotated[bool, typer.Option(help="compare only; exit 1 when something is out of step")] = False,
) -> None:
    """Write openapi/openapi.json and the picture of the flow, or compare them."""
    from liuti import drawing

    stale = drawing.write(Path(), check=check)
    for name in stale:
        OUT.print(f"{'过时 out of step' if check else '已写 written'}: {name}", highlight=False)
    if check and stale:
        raise typer.Exit(1)


# -- people --------------------------------------------------------------------------------------------------------


@user.command("add")
def user_add(
    login: str,
    name: Annotated[str, typer.Option()],
    roles: Annotated[str, typer.Option(help="commas between: intake,panel")],
    unit: Annotated[str, typer.Option(help="id of the unit")] = "",
    post: Annotated[str, typer.Option(help="as in the policy for gates")] = "",
    level: Annotated[str, typer.Option(help="district town department, for leaders")] = "",
    password: Annotated[str, typer.Option(prompt=True, hide_input=True, confirmation_prompt=True)] = "",
    database_url: Url = None,
) -> None:
    """A person with roles in a unit."""
    from liuti import office

    _done(lambda: office.add_user(settings(database_url=database_url), login, name, roles, unit, post, level, password))


@user.command("list")
def user_list(database_url: Url = None) -> None:
    """Everybody with their roles."""
    from liuti import office

    shown = Table("login", "name", "post", "unit", "roles")
    for row in office.list_users(settings(database_url=database_url)):
        shown.add_row(*row)
    OUT.print(shown)


@user.command("unit")
def user_unit(unit: str, name: str, kind: str = "department", supervisor: str = "", database_url: Url = None) -> None:
    """A unit, with its supervising leader (a person's id)."""
    from liuti import office

    _done(lambda: office.add_unit(settings(database_url=database_url), unit, name, kind, supervisor))


@token.command("make")
def token_make(
    login: str, name: Annotated[str, typer.Option()] = "cli", days: int = 90, database_url: Url = None
) -> None:
    """A bearer token; shown once."""
    from liuti import office

    _done(lambda: print(office.make_token(settings(database_url=database_url), login, name, days)))


@token.command("revoke")
def token_revoke(secret: str, database_url: Url = None) -> None:
    """A token or session that is no longer good."""
    from liuti import office

    _done(lambda: office.revoke(settings(database_url=database_url), secret))


@calendar.command("add")
def calendar_add(file: Path, database_url: Url = None) -> None:
    """The State Council's notice of a year; provisional due times are then computed again by the worker."""
    from liuti import office

    _done(lambda: office.add_notice(settings(database_url=database_url), file.read_text("utf-8")))


def _done(call: Any) -> None:
    try:
        call()
    except Refused as refused:
        raise fail(refused.zh, refused.en) from None
    except ValueError as error:
        raise fail(str(error), "") from None
