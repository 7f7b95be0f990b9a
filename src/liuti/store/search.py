"""Finding issues by Chinese words: the index beside the issues, written with them and erasable by law."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, text

from liuti.store.words import Dialect, bigrams, query

_PUT = {
    "sqlite": text("INSERT INTO issue_words (issue_id, tokens) VALUES (:issue, :tokens)"),
    "postgresql": text(
        "INSERT INTO issue_words (issue_id, tokens) VALUES (CAST(:issue AS varchar), to_tsvector('simple', CAST(:tokens AS text)))"
    ),
}
_FOUND = {
    "sqlite": "issues.id IN (SELECT issue_id FROM issue_words WHERE issue_words MATCH :words)",
    "postgresql": "issues.id IN (SELECT issue_id FROM issue_words WHERE tokens @@ to_tsquery('simple', CAST(:words AS text)))",
}
RARE = 2_000
"""So many issues are looked at one by one; words of more come by soon enough among the newest.
PostgreSQL cannot know beforehand: it takes every pair of characters it has no figures on for one in two hundred."""
_SOME = text(
    f"SELECT 1 FROM issue_words WHERE tokens @@ to_tsquery('simple', CAST(:words AS text)) LIMIT {RARE + 1}"  # noqa: S608
)
_FEW = (
    "issues.id IN (WITH found AS MATERIALIZED (SELECT issue_id FROM issue_words "
    "WHERE tokens @@ to_tsquery('simple', CAST(:words AS text))) SELECT issue_id FROM found)"
)


def index(conn: Connection, issue: str, words: str) -> None:
    conn.execute(_PUT[conn.dialect.name], {"issue": issue, "tokens": bigrams(words)})


def condition(conn: Connection, words: str) -> Any | None:
    """The condition that an issue holds these words; None when there is nothing to look for."""
    dialect: Dialect = "sqlite" if conn.dialect.name == "sqlite" else "postgresql"
    asked = query(words, dialect)
    if asked is None:
        return None
    rare = dialect == "postgresql" and len(conn.execute(_SOME, {"words": asked}).all()) <= RARE
    return text(_FEW if rare else _FOUND[dialect]).bindparams(words=asked)
