"""The table of the ladder's upper rungs: interviews and bulletins, records beside the issue (docs/rules.md §5)."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, String, Table, Text

from liuti.store.tables import META, Moment

measures = Table(
    "measures",
    META,
    Column("id", String(64), primary_key=True),
    Column("kind", String(12), nullable=False),
    Column("about", String(80), nullable=False),
    Column("issue_id", ForeignKey("issues.id")),
    Column("text", Text, nullable=False),
    Column("drafted_by", String(64), nullable=False),
    Column("drafted_at", Moment, nullable=False),
    Column("approved_by", String(64)),
    Column("approved_at", Moment),
    Column("done_by", String(64)),
    Column("done_at", Moment),
    Column("note", Text, nullable=False),
)
Index("ix_measures_about", measures.c.about, measures.c.id)
