"""Lists of a step or a kind, newest first: found without looking at all the rest."""

from __future__ import annotations

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_issues_step", "issues", ["step", "id"])
    op.create_index("ix_issues_kind", "issues", ["kind", "id"])
