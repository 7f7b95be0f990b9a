"""The data team's commands: topics and a ranking out of a file, rounds in a database, categories, each fault in words."""

from __future__ import annotations

import csv
import random
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import typer
import xlsxwriter  # type: ignore[import-untyped] # it ships no types
from msgspec import json
from rich.console import Console
from sqlalchemy import Connection, update
from typer.testing import CliRunner, Result

from liuti import cli_select, policy, selection
from liuti.calendars import notices
from liuti.flow.calendar import Calendar
from liuti.flow.clocks import World
from liuti.flow.kernel import Actor
from liuti.flow.table import FLOW
from liuti.flow.words import Role, Step
from liuti.rank import sketch, topics
from liuti.selection import Asked
from liuti.selection_files import Source, find, source, write_topics
from liuti.selection_ranking import Guide, rank
from liuti.settings import Settings, new_key
from liuti.sheets import opened
from liuti.sheets_out import writer
from liuti.store import people, read, rounds
from liuti.store import topics as kept
from liuti.store.act import Desk
from liuti.store.audit import page
from liuti.store.engine import Blocking
from liuti.store.tables import issues
from liuti.store.topics import Member
from liuti.store.vault import KeyRing
from tests.doors.town import at

NOW = at("2026-03-02 10:00")
ZONE = "Asia/Shanghai"
ABOUT = {
    "noise": ("南湖花园夜里广场舞音响太吵", ["南湖花园广场舞音响开到半夜", "南湖花园广场舞喇叭声太响", "孩子没法写作业", "老人睡不着觉"]),
    "lamp": ("东门大道路灯坏了没人修", ["东门大道一排路灯全坏了", "东门大道路灯不亮", "晚上走路看不见", "希望尽快维修路灯"]),
    "water": ("翠苑新村自来水发黄", ["翠苑新村自来水又黄又浑", "翠苑新村水龙头流出黄水", "不敢拿来做饭", "请检测水质"]),
}  # fmt: skip
Rows = list[dict[str, Any]]


def rows(each: int = 6) -> Rows:
    """So many messages about each of three matters, in an order of their own, a day between two of a matter."""
    chance, made = random.Random(3), []
    for n in range(each):
        for name, (title, said) in ABOUT.items():
            body = "，".join(chance.sample(said, 3)) + "。请有关部门处理,谢谢!"
            day = NOW - timedelta(days=each - n)
            made.append({"编号": f"{name}-{n}", "标题": title, "内容": body, "时间": f"{day:%Y/%m/%d %H:%M}",
                         "用户": f"user{n % 4}", "社区": f"第{n % 3 + 1}社区"})  # fmt: skip
    return made


def a_file(path: Path, made: Rows) -> Path:
    heading = list(made[0])
    if path.suffix == ".parquet":
        pq.write_table(pa.table({name: [row[name] for row in made] for name in heading}), path)
    elif path.suffix == ".csv":
        with path.open("w", encoding="gb18030", newline="") as out:
            csv.writer(out).writerows([heading, *(row.values() for row in made)])
    else:
        with xlsxwriter.Workbook(path) as book:
            sheet = book.add_worksheet()
            for place, row in enumerate([heading, *(list(row.values()) for row in made)]):
                sheet.write_row(place, 0, row)
    return path


def table(path: Path) -> list[tuple[Any, ...]]:
    with opened(path) as sheet:
        return [sheet.names, *(tuple(row.cells) for row in sheet.rows)]


def quiet(_doing: str, _done: int, _total: int | None) -> None:
    """No bar."""


def opened_at(path: Path, columns: str | None = None, until: datetime | None = None) -> Source:
    return source(path, columns, ZONE, NOW, until)


# --- topics of a file ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("came", [".parquet", ".csv", ".xlsx"])
@pytest.mark.parametrize("goes", [".parquet", ".csv", ".xlsx"])
def test_topics_come_out_of_any_table_into_any_table(tmp_path: Path, came: str, goes: str) -> None:
    made, out = rows(), tmp_path / f"out{goes}"
    assert write_topics(opened_at(a_file(tmp_path / f"in{came}", made)), out, quiet) == (18, 3, 6)
    heading, *lines = table(out)
    assert heading == ("id", "topic", "similarity")
    assert [line[0] for line in lines] == [row["编号"] for row in made]
    of = {name: {line[1] for line in lines if line[0].startswith(name)} for name in ABOUT}
    assert all(len(topic) == 1 for topic in of.values())
    assert len(set.union(*of.values())) == 3
    assert all(0 <= float(line[2]) <= 1 for line in lines)


def test_a_file_read_in_batches_has_the_topics_of_its_texts_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = rows(8)
    whole = topics.find([row["标题"] for row in made], [row["内容"] for row in made])
    monkeypatch.setattr(sketch, "BATCH", 5)
    assert find(opened_at(a_file(tmp_path / "in.parquet", made)), quiet).topic == whole.topic.tolist()


@pytest.mark.parametrize("ending", [".parquet", ".csv", ".xlsx"])
def test_the_same_file_gives_the_same_bytes(tmp_path: Path, ending: str) -> None:
    given = opened_at(a_file(tmp_path / "in.csv", rows()))
    first, second = tmp_path / f"a{ending}", tmp_path / f"b{ending}"
    write_topics(given, first, quiet)
    write_topics(given, second, quiet)
    assert first.read_bytes() == second.read_bytes()


def test_numbers_stay_numbers_and_rows_without_one_are_named_by_their_row(tmp_path: Path) -> None:
    made = rows()
    for n, row in enumerate(made):
        row["编号"] = 700 + n
    write_topics(opened_at(a_file(tmp_path / "in.parquet", made)), tmp_path / "out.parquet", quiet)
    assert pq.read_table(tmp_path / "out.parquet").column("id").to_pylist() == list(range(700, 718))
    for row in made:
        del row["编号"]
    write_topics(opened_at(a_file(tmp_path / "in.csv", made)), tmp_path / "out.csv", quiet)
    assert table(tmp_path / "out.csv")[1][0] == "row-2"


@pytest.mark.parametrize("ending", [".csv", ".xlsx"])
def test_no_id_becomes_a_formula(tmp_path: Path, ending: str) -> None:
    ids = ['=HYPERLINK("x","y")', "+1", "-1", "@sum", "＝1", "plain", "a<b&c\x07"]
    writer(tmp_path / f"out{ending}")({"id": ids, "topic": list(range(7))})
    written = [str(line[0]) for line in table(tmp_path / f"out{ending}")[1:]]
    assert all(cell.startswith("'") for cell in written[:5])
    assert written[5] == "plain"
    assert written[6].startswith("a<b&c")


def test_what_was_there_stays_whole_when_writing_breaks_off(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    out.write_text("before")
    with pytest.raises(ValueError, match="shorter"):
        writer(out)({"id": ["a", "b"], "topic": [1]})
    assert (out.read_text(), sorted(tmp_path.iterdir())) == ("before", [out])


def test_an_empty_table_gives_an_empty_table(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("id,text\n")
    assert write_topics(opened_at(tmp_path / "in.csv"), tmp_path / "out.parquet", quiet) == (0, 0, 0)
    assert table(tmp_path / "out.parquet") == [("id", "topic", "similarity")]


FAULTS: dict[str, tuple[str, str | None, str, str]] = {
    "no such file": ("none.csv", None, "out.csv", "there is no such file"),
    "not a table": ("in.txt", None, "out.csv", "not a table I know"),
    "another ending": ("in.csv", None, "out.txt", "cannot write"),
    "no such folder": ("in.csv", None, "away/out.csv", "there is no folder"),
    "no such column": ("in.csv", "text=words", "out.csv", "there is no column words; there are: 编号"),
    "no such field": ("in.csv", "colour=内容", "out.csv", "there is no field colour"),
    "no text": ("bare.csv", None, "out.csv", "which column is the text?"),
    "written over itself": ("in.csv", None, "in.csv", "cannot be written over the file itself"),
    "no map": ("in.csv", "内容", "out.csv", "a map is written field=column"),
    "torn": ("torn.parquet", None, "out.csv", "cannot be read"),
    "rounded ids": ("rounded.csv", None, "out.csv", "has rounded the ids"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_of_a_file_is_said_in_two_languages_and_leaves_no_trace(
    command: Command, tmp_path: Path, fault: str
) -> None:
    name, columns, out, words = FAULTS[fault]
    a_file(tmp_path / "in.csv", rows(1))
    (tmp_path / "in.txt").write_text("a")
    (tmp_path / "bare.csv").write_text("甲,乙\n1,2\n")
    (tmp_path / "torn.parquet").write_bytes(b"PAR1 and no more")
    (tmp_path / "rounded.csv").write_text("id,text\n3.2E+17,abc\n")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    given = ["--columns", columns] if columns else []
    done = command("topics", str(tmp_path / name), "--out", str(tmp_path / out), *given)
    assert done.exit_code == 2
    assert words in " ".join(done.stderr.split())
    assert re.search("[一-鿿]", done.stderr)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_the_command_says_what_it_found(command: Command, tmp_path: Path) -> None:
    a_file(tmp_path / "in.csv", rows())
    done = command("topics", str(tmp_path / "in.csv"), "--out", str(tmp_path / "out.csv"))
    assert done.exit_code == 0, done.stderr
    assert "18 messages, 3 topics, the largest of 6" in done.stdout


# --- the ranking of a file -------------------------------------------------------------------------------------------


def ranked(path: Path, guide: Guide | None = None, until: datetime | None = None, *, texts: bool = True) -> Any:
    given = opened_at(path, until=until)
    return rank(given, guide or Guide(policy.default()), Asked(2, 2, texts), quiet)


def factor(matter: Any, name: str) -> Any:
    return next(one for one in matter.score.factors if one.name == name)


def test_a_topic_of_a_file_is_one_matter_of_its_earliest_message(tmp_path: Path) -> None:
    found = ranked(a_file(tmp_path / "in.csv", rows()))
    assert (found.voices, found.topics, len(found.matters), len(found.largest)) == (18, 3, 2, 1)
    assert {one.score.title for one in (*found.matters, *found.largest)} == {title for title, _ in ABOUT.values()}
    assert found.matters[0].score.total >= found.matters[1].score.total
    first = found.matters[0]
    assert first.score.first_proposed == min(message.at for message in first.behind.messages)
    assert len(first.behind.messages) == first.behind.size == 6


def test_users_are_households_and_communities_are_counted(tmp_path: Path) -> None:
    path = a_file(tmp_path / "in.csv", rows())
    plain, known = (ranked(path, Guide(policy.default(), verified=verified)).matters[0] for verified in (False, True))
    assert factor(plain, "households").raw["unverified"] == 4
    assert factor(known, "households").raw["verified"] == 4
    assert factor(known, "households").value > factor(plain, "households").value
    assert factor(plain, "spread").raw["communities"] == 3
    assert dict(plain.behind.areas) == {"第1社区": 2, "第2社区": 2, "第3社区": 2}


def test_without_users_each_message_is_a_household_and_the_report_says_so(tmp_path: Path) -> None:
    made = [{name: cell for name, cell in row.items() if name not in ("用户", "社区")} for row in rows()]
    found = ranked(a_file(tmp_path / "in.csv", made))
    assert factor(found.matters[0], "households").raw["unverified"] == 6
    assert "No column of users" in found.notes[0][1]
    assert factor(found.matters[0], "spread").raw["communities"] is None


def test_the_score_is_as_of_the_latest_message_or_an_earlier_moment(tmp_path: Path) -> None:
    path = a_file(tmp_path / "in.csv", rows())
    assert ranked(path).as_of == NOW - timedelta(days=1)
    early = ranked(path, until=NOW - timedelta(days=4))
    assert (early.voices, early.as_of) == (9, NOW - timedelta(days=4))


def test_a_category_of_the_file_brings_the_policys_first_values(tmp_path: Path) -> None:
    path = a_file(tmp_path / "in.csv", [row | {"类": "供水排水"} for row in rows()])
    given = opened_at(path, "category=类")
    matter = rank(given, Guide(policy.default()), Asked(2, 2, texts=False), quiet).matters[0]
    assert matter.behind.category == "供水排水"
    assert factor(matter, "severity").value == policy.default().categories["water"].severity
    assert "推测" not in factor(matter, "severity").zh
    assert (matter.place.rank, matter.firm) == (1, 1.0)


def test_a_topic_of_a_file_has_the_category_of_most_of_its_messages(tmp_path: Path) -> None:
    plain = rows()
    topics_ = {row["标题"]: [one for one in plain if one["标题"] == row["标题"]] for row in plain}
    for of in topics_.values():
        for n, row in enumerate(sorted(of, key=lambda one: str(one["时间"]))):
            row["类"] = "食品安全" if n == 0 else "供水排水"
    given = opened_at(a_file(tmp_path / "in.csv", plain), "category=类")
    found = rank(given, Guide(policy.default()), Asked(3, 3, texts=False), quiet)
    assert {one.behind.category for one in found.matters} == {"供水排水"}


def test_times_that_are_none_are_counted_and_said(tmp_path: Path) -> None:
    made = rows()
    made[0]["时间"] = "soon"
    assert "1 messages have a time that is none" in ranked(a_file(tmp_path / "in.csv", made)).notes[0][1]


def test_a_file_is_ranked_on_the_terminal_with_its_reasons(command: Command, tmp_path: Path) -> None:
    path, page_ = a_file(tmp_path / "in.csv", rows()), tmp_path / "out.html"
    done = command("rank", "--file", str(path), "--slots", "2", "--top", "3", "--report", str(page_))
    assert done.exit_code == 0, done.stderr
    assert "南湖花园夜里广场舞音响太吵" in done.stdout
    assert "18 voices, 3 topics" in done.stdout
    assert page_.read_text("utf-8").count('class="matter"') == 3


# --- the database ----------------------------------------------------------------------------------------------------


@pytest.fixture
def town(database_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Three matters at `select`, of which two are one topic, a fourth still being checked, an analyst and a panel."""
    monkeypatch.setenv("LIUTI_KEYS", new_key())
    world = World(policy.default(), Calendar(notices()))

    def settle(conn: Connection) -> None:
        people.add_grid(conn, "d", "示范区", "district")
        people.add_grid(conn, "t", "一镇", "town", "d")
        people.add_grid(conn, "c1", "东社区", "community", "t", population=3000)
        people.add_grid(conn, "c2", "西社区", "community", "t", population=2000)
        people.add_unit(conn, "desk", "受理", "department")
        people.add_person(conn, "p-analyst", "analyst", "甲", roles=[Role.ANALYST], unit="desk")
        people.add_person(conn, "p-panel", "panel", "乙", roles=[Role.PANEL], unit="desk")

    def propose(conn: Connection, desk: Desk) -> list[str]:
        actor, found = Actor("p-intake", frozenset({Role.INTAKE})), []
        for n, (name, grid) in enumerate((("noise", "c1"), ("noise", "c2"), ("lamp", "c1"), ("water", "c2"))):
            title, said = ABOUT[name]
            form = {"kind": "complaint", "title": title, "text": "，".join(said), "place": "示范", "grid": grid,
                    "source": "12345", "external_id": f"x{n}", "reported_at": (NOW - timedelta(days=40 - n)).isoformat(),
                    "contact": {"phone": f"1380013800{n}"}}  # fmt: skip
            issue = desk.act_now(conn, actor, "submit", form).issue
            found.append(issue)
            if name != "water":
                accepted = {"category": name if name == "noise" else "lighting", "urgency": "general", "grid": grid}
                desk.act_now(conn, actor, "accept_topic", accepted, issue)
        return found

    with Blocking(database_url) as engine:
        engine.write(settle)
        desk = Desk(engine, FLOW, lambda: world, KeyRing.parse(new_key()), lambda: NOW)  # type: ignore[arg-type]
        first, second, *_ = engine.write(partial(propose, desk=desk))
        together = [Member(first, first, "吵", 1.0), Member(second, first, "吵", 0.8)]
        engine.write(partial(kept.place, members=together, source="batch", now=NOW))
    return database_url


def test_what_waits_is_ranked_without_a_trace(command: Command, town: str, tmp_path: Path) -> None:
    page_ = tmp_path / "out.html"
    done = command("rank", "--database-url", town, "--top", "5", "--report", str(page_))
    assert done.exit_code == 0, done.stderr
    assert "3 voices, 2 topics" in done.stdout
    assert ABOUT["water"][0] not in done.stdout
    assert command("rounds", "--database-url", town).exit_code == 0
    shown = page_.read_text("utf-8")
    assert "东社区" in shown and "西社区" in shown and "噪声扰民" in shown
    with Blocking(town) as engine:
        assert engine.read(page).rows == []


def test_a_ranking_looks_back_and_not_ahead(command: Command, town: str) -> None:
    done = command("rank", "--database-url", town, "--as-of", "2026-03-02")
    assert done.exit_code == 0, done.stderr
    assert "截至 2026-03-02 23:59" in done.stdout
    assert "is not after now" in command("rank", "--database-url", town, "--as-of", "2999-01-01").stderr
    assert "not a moment" in command("rank", "--database-url", town, "--as-of", "gestern").stderr


def test_a_round_is_opened_shown_replayed_and_closed(command: Command, town: str) -> None:
    on = ("--database-url", town)
    opened_ = command("rounds", "open", "--slots", "1", "--by", "analyst", *on)
    assert opened_.exit_code == 0, opened_.stderr
    assert "round 1 is open: 2 matters, 2 recommendable, 1 recommended" in opened_.stdout
    assert "Round 1 is still open" in command("rounds", "open", "--slots", "1", "--by", "analyst", *on).stderr
    shown = command("rounds", "show", "1", *on).stdout
    assert ABOUT["noise"][0] in shown and "得分未进入本轮名额" in shown
    replayed = command("rounds", "replay", "1", *on)
    assert (replayed.exit_code, "2 equal when computed again, 0 differ" in replayed.stdout) == (0, True)
    assert "round 1 is closed" in command("rounds", "close", "1", "--by", "panel", *on).stdout
    assert "This round is closed" in command("rounds", "close", "1", "--by", "panel", *on).stderr
    listed = command("rounds", *on).stdout
    assert len(re.findall(r"\d{4}-\d\d-\d\d \d\d:\d\d", listed)) == 3
    with Blocking(town) as engine:
        assert [(row["act"], row["after"]["for"]) for row in engine.read(page).rows] == [
            ("close_round", "p-panel"), ("open_round", "p-analyst"),
        ]  # fmt: skip


def test_a_round_looks_back_and_not_ahead(command: Command, town: str) -> None:
    opening = partial(command, "rounds", "open", "--slots", "1", "--by", "analyst", "--database-url", town)
    assert "is not after now" in opening("--as-of", "2999-01-01").stderr
    assert "not a moment" in opening("--as-of", "gestern").stderr
    assert "Nothing waits to be selected" in opening("--as-of", "2001-01-01").stderr
    done = opening("--as-of", "2026-03-02T09:00")
    assert done.exit_code == 0, done.stderr
    with Blocking(town) as engine:
        (row,) = engine.read(rounds.listed)
        found, _ = engine.read(partial(rounds.lines, round_id=row.id))
    assert row.as_of == at("2026-03-02 09:00")
    waited = {line.score.title: factor(line, "waiting").raw["days"] for line in found}
    assert all(days < 60 for days in waited.values()), "as at that day, not as at today"


def test_who_may_not_open_a_round_is_told_why(command: Command, town: str) -> None:
    opening = partial(command, "rounds", "open", "--database-url", town)
    assert "This move is for: analyst" in opening("--slots", "1", "--by", "panel").stderr
    assert "no such person" in opening("--slots", "1", "--by", "nobody").stderr
    assert "Slots are 1 to 200" in opening("--slots", "0", "--by", "analyst").stderr
    assert "There is no such round" in command("rounds", "show", "7", "--database-url", town).stderr


def test_a_line_that_does_not_replay_is_named_and_ends_with_1(
    command: Command, town: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    command("rounds", "open", "--slots", "1", "--by", "analyst", "--database-url", town)
    lines = [("i-1", 61.5, 61.5), ("i-2", 60.0, 59.99)]
    monkeypatch.setattr(rounds, "replayed", lambda _conn, _round: iter(lines))
    done = command("rounds", "replay", "1", "--database-url", town)
    assert done.exit_code == 1
    assert "i-2: 60.0 → 59.99" in done.stdout
    assert "1 equal when computed again, 1 differ" in done.stdout


def test_a_database_of_another_version_or_kind_is_refused(
    command: Command, bare_database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIUTI_KEYS", new_key())
    (tmp_path / "letter.txt").write_text("no database, but long enough to be read as the beginning of one " * 40)
    assert "run `liuti migrate` first" in command("rank", "--database-url", bare_database_url).stderr
    assert command("rank", "--database-url", "mysql://a/b").exit_code == 2
    assert "cannot be opened" in command("rank", "--database-url", f"sqlite:///{tmp_path / 'letter.txt'}").stderr


def test_the_ranking_of_a_topic_shows_only_what_still_waits(town: str) -> None:
    def close_one(conn: Connection) -> None:
        state = read.STATE.decode(conn.execute(issues.select().where(issues.c.id == ids[1])).one().state)
        state.step = Step.CLOSED
        conn.execute(
            update(issues)
            .where(issues.c.id == ids[1])
            .values(step=Step.CLOSED.value, state=json.encode(state).decode())
        )

    with Blocking(town) as engine:
        topic = engine.read(kept.largest)[0].topic_id
        ids = [row["id"] for row in engine.read(partial(kept.members, topic=topic))]
        engine.write(close_one)
    found = selection.rank(Settings(database_url=town), Asked(5, 5, texts=True), NOW)
    noise = next(one for one in found.matters if one.score.title == ABOUT["noise"][0])
    assert [message.id for message in noise.behind.messages] == ids[:1]


# --- categories ------------------------------------------------------------------------------------------------------


def labelled(path: Path) -> Path:
    chance = random.Random(5)
    made: Rows = []
    for label, (title, said) in ABOUT.items():
        for n in range(40):
            body = "，".join(chance.sample(said, 3))
            raw = n % 2 == 0
            made.append({"label": label, "title": title if raw else "", "body": body if raw else "",
                         "cut": "" if raw else " ".join(body), "group": len(made) // 4, "as": "raw" if raw else "cut"})  # fmt: skip
    return a_file(path, made)


def test_categories_are_trained_measured_and_suggested_with_their_words(command: Command, tmp_path: Path) -> None:
    model = tmp_path / "model.liuti"
    done = command("categories", "train", str(labelled(tmp_path / "in.csv")), "--out", str(model), "--text", "body,cut",
                   "--group", "group", "--test", "as=raw")  # fmt: skip
    assert done.exit_code == 0, done.stderr
    assert "macro-F1 1.000 (1.000-1.000), 5 folds" in done.stdout
    assert "60 条检验,120 条学习" in done.stdout
    asked = command("categories", "suggest", "--model", str(model), "东门大道的路灯坏了")
    assert asked.stdout.index("lamp") < asked.stdout.index("noise")
    assert "路灯" in asked.stdout
    assert "nothing is guessed" in command("categories", "suggest", "--model", str(model), "xyzzy").stdout


def test_a_model_guesses_the_categories_of_a_file_by_the_names_given(command: Command, tmp_path: Path) -> None:
    model, page_ = tmp_path / "model.liuti", tmp_path / "out.html"
    command("categories", "train", str(labelled(tmp_path / "l.csv")), "--out", str(model), "--text", "body,cut")
    done = command("rank", "--file", str(a_file(tmp_path / "in.csv", rows())), "--model", str(model),
                   "--labels", "lamp=lighting", "--report", str(page_))  # fmt: skip
    assert done.exit_code == 0, done.stderr
    shown = page_.read_text("utf-8")
    assert re.search(r"「路灯照明」\(推测的类别,把握 \d+%\)", shown)
    assert re.search(r"「噪声扰民」\(推测的类别,把握 \d+%\)", shown)


def test_what_cannot_be_learned_or_loaded_is_said(command: Command, tmp_path: Path) -> None:
    few = a_file(tmp_path / "in.csv", [{"label": "a", "title": "b", "body": "c"}])
    out = str(tmp_path / "m")
    assert "Two categories" in command("categories", "train", str(few), "--out", out).stderr
    assert "there is no column kind" in command("categories", "train", str(few), "--out", out, "--label", "kind").stderr
    assert "no rows to measure" in command("categories", "train", str(few), "--out", out, "--test", "label=z").stderr
    assert "no category model" in command("categories", "suggest", "--model", str(few), "x").stderr
    assert "cannot be read" in command("categories", "suggest", "--model", out, "x").stderr
    assert not Path(out).exists()


# --- how a command is typed ------------------------------------------------------------------------------------------

Command = Callable[..., Result]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Command:
    monkeypatch.setattr(cli_select, "OUT", Console(width=220))
    monkeypatch.setattr(cli_select, "ERR", Console(width=220, stderr=True))
    app = typer.Typer(pretty_exceptions_enable=False)
    cli_select.add(app)

    def run(*words: str) -> Result:
        done = CliRunner().invoke(app, list(words))
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done

    return run


def test_the_commands_stand_beside_the_others(command: Command) -> None:
    assert all(name in command("--help").stdout for name in ("topics", "rank", "rounds", "categories"))
