"""The tables of the selection: topics, rounds, what each round froze, and how the panel changed its ranks (docs/rules.md §6)."""

from __future__ import annotations

from sqlalchemy import Column, Float, ForeignKey, Index, Integer, String, Table, Text

from liuti.store.tables import META, Moment

topics = Table(
    "topics",
    META,
    Column("id", String(64), primary_key=True),
    Column("title", String(400), nullable=False),
    Column("at", Moment, nullable=False),
)

# Which matter an issue belongs to: guessed on arrival, reconciled by the nightly batch; no part of the issue's state.
topic_members = Table(
    "topic_members",
    META,
    Column("issue_id", ForeignKey("issues.id"), primary_key=True),
    Column("topic_id", ForeignKey("topics.id"), nullable=False),
    Column("similarity", Float, nullable=False),
    Column("source", String(8), nullable=False),
    Column("at", Moment, nullable=False),
)
Index("ix_topic_members_topic", topic_members.c.topic_id, topic_members.c.issue_id)
Index("ix_topic_members_at", topic_members.c.at, topic_members.c.issue_id)

# Work that is done once in a while by whichever worker comes first.
chores = Table(
    "chores",
    META,
    Column("name", String(32), primary_key=True),
    Column("at", Moment, nullable=False),
)

rounds = Table(
    "rounds",
    META,
    Column("id", String(64), primary_key=True),
    Column("number", Integer, nullable=False, unique=True),
    Column("by", String(64), nullable=False),
    Column("at", Moment, nullable=False),
    Column("as_of", Moment, nullable=False),
    Column("slots", Integer, nullable=False),
    Column("policy", Integer, nullable=False),
    Column("formula", Integer, nullable=False),
    Column("firmness", Text, nullable=False),
    Column("closed_at", Moment),
    Column("closed_by", String(64)),
)

# One line of a round's list. `snapshot` is what the score replays from; `score` what was shown of it.
places = Table(
    "places",
    META,
    Column("round_id", ForeignKey("rounds.id"), primary_key=True),
    Column("line", Integer, primary_key=True),
    Column("issue_id", ForeignKey("issues.id"), nullable=False),
    Column("topic_id", String(64)),
    Column("rank", Integer),
    Column("by_total", Integer),
    Column("why", String(12), nullable=False),
    Column("total", Float, nullable=False),
    Column("snapshot", Text, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("score", Text, nullable=False),
)
Index("ix_places_issue", places.c.issue_id, places.c.round_id)

# Written beside the issue's own entry when a second member grants the adjustment.
adjustments = Table(
    "adjustments",
    META,
    Column("issue_id", ForeignKey("issues.id"), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("round_id", ForeignKey("rounds.id"), nullable=False),
    Column("what", String(8), nullable=False),
    Column("code", String(64), nullable=False),
    Column("reason", Text, nullable=False),
    Column("to_rank", Integer),
    Column("other", String(64), nullable=False),
    Column("at", Moment, nullable=False),
)
Index("ix_adjustments_round", adjustments.c.round_id, adjustments.c.at)
