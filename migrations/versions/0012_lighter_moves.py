"""What a move costs on PostgreSQL: indexes hold only issues that have something to say in them; letters need no look-up."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _partial("ix_issues_lead_unit", "lead_unit", "step", "id")
    _partial("ix_issues_leader", "leader", "step", "lane")
    if op.get_context().dialect.name == "postgresql":
        where = sa.text("external_id IS NOT NULL")
        op.create_index("uq_issues_outside", "issues", ["source", "external_id"], unique=True, postgresql_where=where)
        op.drop_constraint("uq_issues_source_external_id", "issues")
        op.drop_constraint("fk_letters_issue_id", "letters")


def _partial(name: str, *columns: str) -> None:
    """The same index, over the issues that have its first column."""
    where = sa.text(f"{columns[0]} IS NOT NULL")
    op.drop_index(name, "issues")
    op.create_index(name, "issues", list(columns), postgresql_where=where, sqlite_where=where)
