"""Finding issues by Chinese words: the index beside the issues, written with them and erasable by law."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, text

from liuti.store.words import bigrams, query

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


def index(conn: Connection, issue: str, words: str) -> None:
    conn.execute(_PUT[conn.dialect.name], {"issue": issue, "tokens": bigrams(words)})


def condition(dialect: str, words: str) -> Any | None:
    """The condition that an issue holds these words; None when there is nothing to look for."""
    asked = query(words, "sqlite" if dialect == "sqlite" else "postgresql")
    return text(_FOUND[dialect]).bindparams(words=asked) if asked is not None else None
