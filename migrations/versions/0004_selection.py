"""Topics, rounds, what each round froze, and how the panel changed its ranks: what a round froze stays as it was."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True).with_variant(sa.String(27), "sqlite")
# Tables that only grow, with the key by which INSERT OR REPLACE would get around that on SQLite.
FROZEN = {
    "places": "round_id = NEW.round_id AND line = NEW.line",
    "adjustments": "issue_id = NEW.issue_id AND version = NEW.version",
}


def upgrade() -> None:
    op.create_table(
        "topics",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("title", sa.String(400), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_topics"),
    )
    op.create_table(
        "topic_members",
        sa.Column("issue_id", sa.String(64), nullable=False),
        sa.Column("topic_id", sa.String(64), nullable=False),
        sa.Column("similarity", sa.Float(), nullable=False),
        sa.Column("source", sa.String(8), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("issue_id", name="pk_topic_members"),
        sa.ForeignKeyConstraint(["issue_id"], ["issues.id"], name="fk_topic_members_issue_id"),
        sa.ForeignKeyConstraint(["topic_id"], ["topics.id"], name="fk_topic_members_topic_id"),
    )
    op.create_index("ix_topic_members_topic", "topic_members", ["topic_id", "issue_id"])
    op.create_index("ix_topic_members_at", "topic_members", ["at", "issue_id"])
    op.create_table(
        "rounds",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("by", sa.String(64), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("as_of", MOMENT, nullable=False),
        sa.Column("slots", sa.Integer(), nullable=False),
        sa.Column("policy", sa.Integer(), nullable=False),
        sa.Column("formula", sa.Integer(), nullable=False),
        sa.Column("firmness", sa.Text(), nullable=False),
        sa.Column("closed_at", MOMENT),
        sa.Column("closed_by", sa.String(64)),
        sa.PrimaryKeyConstraint("id", name="pk_rounds"),
        sa.UniqueConstraint("number", name="uq_rounds_number"),
    )
    op.create_table(
        "places",
        sa.Column("round_id", sa.String(64), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("issue_id", sa.String(64), nullable=False),
        sa.Column("topic_id", sa.String(64)),
        sa.Column("rank", sa.Integer()),
        sa.Column("by_total", sa.Integer()),
        sa.Column("why", sa.String(12), nullable=False),
        sa.Column("total", sa.Float(), nullable=False),
        sa.Column("snapshot", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("score", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("round_id", "line", name="pk_places"),
        sa.ForeignKeyConstraint(["round_id"], ["rounds.id"], name="fk_places_round_id"),
        sa.ForeignKeyConstraint(["issue_id"], ["issues.id"], name="fk_places_issue_id"),
    )
    op.create_index("ix_places_issue", "places", ["issue_id", "round_id"])
    op.create_table(
        "adjustments",
        sa.Column("issue_id", sa.String(64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("round_id", sa.String(64), nullable=False),
        sa.Column("what", sa.String(8), nullable=False),
        sa.Column("code", sa.String(64), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("to_rank", sa.Integer()),
        sa.Column("other", sa.String(64), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("issue_id", "version", name="pk_adjustments"),
        sa.ForeignKeyConstraint(["issue_id"], ["issues.id"], name="fk_adjustments_issue_id"),
        sa.ForeignKeyConstraint(["round_id"], ["rounds.id"], name="fk_adjustments_round_id"),
    )
    op.create_index("ix_adjustments_round", "adjustments", ["round_id", "at"])
    op.create_table(
        "chores",
        sa.Column("name", sa.String(32), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_chores"),
    )
    for table, key in FROZEN.items():
        _only_grows_on_sqlite(table, key) if op.get_context().dialect.name == "sqlite" else _only_grows_on_postgres(
            table
        )


def _only_grows_on_sqlite(table: str, key: str) -> None:
    whens = {"DELETE": "TRUE", "UPDATE": "TRUE", "INSERT": f"EXISTS (SELECT 1 FROM {table} WHERE {key})"}  # noqa: S608
    for what, when in whens.items():
        op.execute(
            f"CREATE TRIGGER {table}_{what.lower()} BEFORE {what} ON {table} WHEN {when} "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        )


def _only_grows_on_postgres(table: str) -> None:
    op.execute(
        f"CREATE FUNCTION {table}_only_grows() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"RAISE EXCEPTION '{table} is append-only' USING ERRCODE = 'restrict_violation'; END $$"
    )
    for name, when in (
        ("row", f"BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW"),
        ("table", f"BEFORE TRUNCATE ON {table} FOR EACH STATEMENT"),
    ):
        op.execute(f"CREATE TRIGGER {table}_{name} {when} EXECUTE FUNCTION {table}_only_grows()")
