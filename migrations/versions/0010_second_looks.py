"""Where the strike-off ledger and the second looks find what was passed; alerts of rates that passed their limit; residents asked."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True).with_variant(sa.String(27), "sqlite")
PASSED = sa.text("move = 'pass_check'")
# Besides what it was: an answer that proved untrue drafts an order where the one before is settled.
ORDERS = sa.text(
    "(move IN ('order', 'escalate', 'settle') OR (move = 'urge' AND role = 'clock' AND facts LIKE '%\"rung\"\\:2%'))"
)


def upgrade() -> None:
    columns = ["at", "issue_id", "version"]
    op.drop_index("ix_entries_orders", "entries")
    op.create_index("ix_entries_orders", "entries", columns, postgresql_where=ORDERS, sqlite_where=ORDERS)
    op.create_index("ix_entries_passed", "entries", columns, postgresql_where=PASSED, sqlite_where=PASSED)
    op.create_index("ix_measures_issue", "measures", ["issue_id"])
    op.create_table(
        "alerts",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("period", sa.String(10), nullable=False),
        sa.Column("kind", sa.String(12), nullable=False),
        sa.Column("about", sa.String(80), nullable=False),
        sa.Column("hits", sa.Float(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("most", sa.Float(), nullable=False),
        sa.Column("issue_id", sa.String(64), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_alerts"),
        sa.ForeignKeyConstraint(["issue_id"], ["issues.id"], name="fk_alerts_issue_id"),
        sa.UniqueConstraint("period", "kind", "about", name="uq_alerts_period_kind_about"),
    )
    key = [
        sa.Column("issue_id", sa.String(64), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("voice_id", sa.String(64), nullable=False),
    ]
    op.create_table(
        "residents",
        *(column._copy() for column in key),
        sa.Column("person", sa.String(64), nullable=False),
        sa.Column("seed", sa.String(100), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("issue_id", "round", "voice_id", name="pk_residents"),
        sa.ForeignKeyConstraint(["issue_id"], ["issues.id"], name="fk_residents_issue_id"),
    )
    op.create_index("ix_residents_at", "residents", ["at"])
    op.create_table(
        "resident_answers",
        *(column._copy() for column in key),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("solved", sa.String(8), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("issue_id", "round", "voice_id", name="pk_resident_answers"),
        sa.ForeignKeyConstraint(["issue_id"], ["issues.id"], name="fk_resident_answers_issue_id"),
    )
    op.create_index("ix_resident_answers_at", "resident_answers", ["at"])
