"""Interviews and bulletins; and where the boards find requests, orders and outlying acts among all entries."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True).with_variant(sa.String(27), "sqlite")
# Partial, so that what is written most (warnings, urges, co-signatures, contacts) pays for none of them.
ORDERS = "(move IN ('order', 'escalate') OR (move = 'urge' AND role = 'clock' AND facts LIKE '%\"rung\"\\:2%'))"
ACTS = (
    "move IN ('accept_direct', 'accept_topic', 'adjust', 'deny', 'exclude', 'explain', 'grant', 'merge', 'publish', "
    "'reject', 'reserve', 'send_back', 'sign', 'submit_result', 'terminate')"
)
INDEXES = {
    "ix_entries_awaits": (["at", "issue_id", "version"], "awaits <> ''"),
    "ix_entries_orders": (["at", "issue_id", "version"], ORDERS),
    "ix_entries_acts": (["move", "at"], ACTS),
}


def upgrade() -> None:
    for name, (columns, where) in INDEXES.items():
        op.create_index(name, "entries", columns, postgresql_where=sa.text(where), sqlite_where=sa.text(where))
    op.create_table(
        "measures",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(12), nullable=False),
        sa.Column("about", sa.String(80), nullable=False),
        sa.Column("issue_id", sa.String(64)),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("drafted_by", sa.String(64), nullable=False),
        sa.Column("drafted_at", MOMENT, nullable=False),
        sa.Column("approved_by", sa.String(64)),
        sa.Column("approved_at", MOMENT),
        sa.Column("done_by", sa.String(64)),
        sa.Column("done_at", MOMENT),
        sa.Column("note", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_measures"),
        sa.ForeignKeyConstraint(["issue_id"], ["issues.id"], name="fk_measures_issue_id"),
    )
    op.create_index("ix_measures_about", "measures", ["about", "id"])
