"""What stands beside the issues for whoever watches over the work: interviews and bulletins, and alerts (docs/rules.md §5, §7)."""

from __future__ import annotations

from sqlalchemy import Column, Float, ForeignKey, Index, Integer, String, Table, Text, UniqueConstraint

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
Index("ix_measures_issue", measures.c.issue_id)

# A rate that passed a limit of the policy: told once a period, whatever it does afterwards.
alerts = Table(
    "alerts",
    META,
    Column("id", String(64), primary_key=True),
    Column("period", String(10), nullable=False),
    Column("kind", String(12), nullable=False),
    Column("about", String(80), nullable=False),
    Column("hits", Float, nullable=False),
    Column("n", Integer, nullable=False),
    Column("most", Float, nullable=False),
    Column("issue_id", ForeignKey("issues.id"), nullable=False),
    Column("at", Moment, nullable=False),
    UniqueConstraint("period", "kind", "about"),
)

# Residents drawn to be asked about a matter, and what they said: apart from voices and ratings.
residents = Table(
    "residents",
    META,
    Column("issue_id", ForeignKey("issues.id"), primary_key=True),
    Column("round", Integer, primary_key=True),
    Column("voice_id", String(64), primary_key=True),
    Column("person", String(64), nullable=False),
    Column("seed", String(100), nullable=False),
    Column("at", Moment, nullable=False),
)
Index("ix_residents_at", residents.c.at)
resident_answers = Table(
    "resident_answers",
    META,
    Column("issue_id", ForeignKey("issues.id"), primary_key=True),
    Column("round", Integer, primary_key=True),
    Column("voice_id", String(64), primary_key=True),
    Column("level", Integer, nullable=False),
    Column("solved", String(8), nullable=False),
    Column("text", Text, nullable=False),
    Column("at", Moment, nullable=False),
)
Index("ix_resident_answers_at", resident_answers.c.at)
