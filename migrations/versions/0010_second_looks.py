"""Where the strike-off ledger and the second looks find what was passed among all entries."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0007"
branch_labels = None
depends_on = None

PASSED = sa.text("move = 'pass_check'")


def upgrade() -> None:
    columns = ["at", "issue_id", "version"]
    op.create_index("ix_entries_passed", "entries", columns, postgresql_where=PASSED, sqlite_where=PASSED)
