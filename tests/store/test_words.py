"""Search finds Chinese words by their characters, on a real FTS5 and a real PostgreSQL alike."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from liuti.store.words import Dialect, bigrams, query

TEXTS = [
    "幸福路的路灯不亮，晚上走路很危险",
    "路边的灯坏了，不亮",
    "３号楼２单元电梯停运 WiFi也断了",
    "13号楼停水",
    "暖气不热，打12345没人接",
    "Street lamp LED-20 broken near 叶集一中门口",
]
Found = Callable[[str], list[int]]


def fts(texts: list[str]) -> Found:
    table = sqlite3.connect(":memory:")
    table.execute("CREATE VIRTUAL TABLE words USING fts5(body, tokenize='unicode61')")
    table.executemany("INSERT INTO words(rowid, body) VALUES (?, ?)", [(at, bigrams(t)) for at, t in enumerate(texts)])

    def found(asked: str) -> list[int]:
        match = query(asked, "sqlite")
        if match is None:
            return []
        rows = table.execute("SELECT rowid FROM words WHERE words MATCH ? ORDER BY rowid", (match,))
        return [row[0] for row in rows]

    return found


@pytest.fixture(scope="module")
def postgres_found(postgres_server: str) -> Iterator[Found]:
    with asyncio.Runner() as runner:
        link = runner.run(asyncpg.connect(postgres_server))
        runner.run(link.execute("CREATE TEMP TABLE words (at int, body tsvector)"))
        rows = [(at, bigrams(text)) for at, text in enumerate(TEXTS)]
        runner.run(link.executemany("INSERT INTO words VALUES ($1, to_tsvector('simple', $2))", rows))

        def found(asked: str) -> list[int]:
            match = query(asked, "postgresql")
            if match is None:
                return []
            look = "SELECT at FROM words WHERE body @@ to_tsquery('simple', $1) ORDER BY at"
            return [row["at"] for row in runner.run(link.fetch(look, match))]

        yield found
        runner.run(link.close())


@pytest.fixture(params=["sqlite", "postgresql"])
def found(request: pytest.FixtureRequest) -> Iterator[Found]:
    if request.param == "sqlite":
        yield fts(TEXTS)
    else:
        yield request.getfixturevalue("postgres_found")


FINDS = [
    ("路灯", [0]),
    ("路灯不亮", [0]),
    ("灯坏了", [1]),
    ("不亮", [0, 1]),
    ("亮", [0, 1]),
    ("灯", [0, 1]),
    ("路", [0, 1]),
    ("热", [4]),
    ("路灯 不亮", [0]),
    ("不亮，路边", [1]),
    ("路灯坏了", []),
    ("灯路", []),
    ("3号楼", [2]),
    ("３号", [2]),
    ("号楼", [2, 3]),
    ("13号楼", [3]),
    ("wifi", [2]),
    ("WIFI也", [2]),
    ("WiFi也断了", [2]),
    ("12345", [4]),
    ("打12345没", [4]),
    ("led 20", [5]),
    ("一中", [5]),
    ("叶集一中门口", [5]),
    ("lamp", [5]),
    ("lam", []),
    ("lamp 路灯", []),
]


@pytest.mark.parametrize(("asked", "expected"), FINDS)
def test_a_search_finds(found: Found, asked: str, expected: list[int]) -> None:
    assert found(asked) == expected


@pytest.mark.parametrize("nothing", ["", "   ", "，。！", "()*\"'", "&|!<->:*", "\x00", "_", "😀"])
def test_a_search_for_nothing_is_none(nothing: str) -> None:
    assert query("路灯", "sqlite") and query("路灯", "postgresql")
    assert query(nothing, "sqlite") is None and query(nothing, "postgresql") is None


HOSTILE = [
    '路灯" OR "x',
    "NEAR(路 灯)",
    "body:路灯",
    "路灯*",
    "路灯) | (x",
    "'路灯' <-> !x",
    "路灯':* & 'x",
    "a\\'b",
    "AND OR NOT",
    "-路",
    "^路",
    "路\x00灯",
    "1e5 3.5 a@b.cn http://x.cn/y --",
    "\ud800路",
    "٣٤ ² Ⅷ ① ㍿ ﬁ",
    "é ü ß İ",
    "བོད་ཡིག",
    "字" * 500,
    "a" * 5000,
]


@pytest.mark.parametrize("asked", HOSTILE)
def test_no_search_can_speak_to_the_database(found: Found, asked: str) -> None:
    assert found("路灯") == [0]
    found(asked)


@given(st.text())
def test_any_text_can_be_asked_for(asked: str) -> None:
    fts(TEXTS[:1])(asked)


@given(
    st.text(alphabet="路灯不亮坏了abAB19，。 -_３Ｆ", min_size=1, max_size=30), st.integers(0, 29), st.integers(1, 12)
)
def test_every_piece_of_a_text_that_starts_and_ends_with_its_words_is_found(text: str, start: int, length: int) -> None:
    piece = text[start : start + length]
    whole_words = not (_cuts_a_word(text, start) or _cuts_a_word(text, start + length))
    if query(piece, "sqlite") and whole_words:
        assert fts([text])(piece) == [0]


def _cuts_a_word(text: str, at: int) -> bool:
    """Letters and digits are found whole only; between Chinese characters any cut will do."""
    return 0 < at < len(text) and all(mark in "abAB19３Ｆ" for mark in text[at - 1 : at + 1])


def test_the_index_is_pairs_and_the_last_character() -> None:
    assert bigrams("路灯不亮，坏") == "路灯 灯不 不亮 亮 坏"
    assert bigrams("３号楼ＬＥＤ灯") == "3 号楼 楼 led 灯"
    assert bigrams("a" * 5000) == "a" * 64
    assert bigrams(" ，") == ""


@pytest.mark.parametrize(
    ("asked", "dialect", "expression"),
    [
        ("路灯不亮", "sqlite", '"路灯 灯不 不亮"'),
        ("路", "sqlite", '"路" *'),
        ("3楼 led", "sqlite", '"3 楼" * AND "led"'),
        ("路灯不亮", "postgresql", "('路灯' <-> '灯不' <-> '不亮')"),
        ("路", "postgresql", "('路':*)"),
        ("3楼 led", "postgresql", "('3' <-> '楼':*) & ('led')"),
    ],
)
def test_what_is_asked_of_each_database(asked: str, dialect: Dialect, expression: str) -> None:
    assert query(asked, dialect) == expression
