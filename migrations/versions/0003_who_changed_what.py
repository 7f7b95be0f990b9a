"""The book of what administrators did; and the notices that were amended, until every clock was counted by the new one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True).with_variant(sa.String(27), "sqlite")
SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "audit",
        sa.Column("id", SERIAL, nullable=False, autoincrement=True),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("by", sa.String(80), nullable=False),
        sa.Column("act", sa.String(32), nullable=False),
        sa.Column("subject", sa.String(80), nullable=False),
        sa.Column("before", sa.Text(), nullable=False),
        sa.Column("after", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
    )
    op.create_index("ix_audit_subject", "audit", ["subject", "id"])
    op.create_table(
        "amended",
        sa.Column("id", SERIAL, nullable=False, autoincrement=True),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_amended"),
    )
    if op.get_context().dialect.name == "sqlite":
        _only_grows_on_sqlite("audit")
    else:
        _only_grows_on_postgres("audit")


def _only_grows_on_sqlite(table: str) -> None:
    whens = {
        "DELETE": "TRUE",
        "UPDATE": "TRUE",
        # INSERT OR REPLACE puts a new row in the place of an old one without asking the other two.
        "INSERT": f"EXISTS (SELECT 1 FROM {table} WHERE id = NEW.id)",  # noqa: S608
    }
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
