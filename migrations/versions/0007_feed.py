"""The ledger read onwards by time: what the live boards are told from."""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_entries_at", "entries", ["at", "issue_id", "version"])
