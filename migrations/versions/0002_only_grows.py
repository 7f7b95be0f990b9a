"""The ledger only grows, whoever asks; and the words that issues are found by (docs/rules.md §8 rule 8)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# What the law may ask to be erased, and what stands there afterwards; everything else stays as it was written.
ERASED = {"entries": {"words": "NULL", "salt": "NULL"}, "ratings": {"text": "''"}, "looks": {}}
# The unique keys by which INSERT OR REPLACE would put a new row in the place of an old one without asking a trigger.
KEYS = {
    "entries": ("issue_id = NEW.issue_id AND version = NEW.version", "key = NEW.key"),
    "ratings": ("issue_id = NEW.issue_id AND voice_id = NEW.voice_id AND round = NEW.round",),
    "looks": ("id = NEW.id",),
}


def upgrade() -> None:
    if op.get_context().dialect.name == "sqlite":
        for table in ERASED:
            _only_grows_on_sqlite(table)
        op.execute("CREATE VIRTUAL TABLE issue_words USING fts5(issue_id UNINDEXED, tokens, tokenize='unicode61')")
    else:
        for table in ERASED:
            _only_grows_on_postgres(table)
        _search_on_postgres()


def _only_grows_on_sqlite(table: str) -> None:
    erased = ERASED[table]
    columns = [column["name"] for column in sa.inspect(op.get_bind()).get_columns(table)]
    same = [f'NEW."{name}" IS OLD."{name}"' for name in columns if name not in erased]
    gone = [f'NEW."{name}" IS {nothing}' for name, nothing in erased.items()]
    whens = {
        "DELETE": "TRUE",
        "UPDATE": f"NOT ({' AND '.join(same + gone)})" if erased else "TRUE",
        "INSERT": " OR ".join(f"EXISTS (SELECT 1 FROM {table} WHERE {key})" for key in KEYS[table]),  # noqa: S608
    }
    for what, when in whens.items():
        op.execute(
            f"CREATE TRIGGER {table}_{what.lower()} BEFORE {what} ON {table} WHEN {when} "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        )


def _only_grows_on_postgres(table: str) -> None:
    """A change is let through when the old row, erased, is the new row."""
    erase = " ".join(f'OLD."{name}" = {nothing};' for name, nothing in ERASED[table].items())
    let_through = f"IF TG_OP = 'UPDATE' THEN {erase} IF NEW IS NOT DISTINCT FROM OLD THEN RETURN NEW; END IF; END IF;"
    op.execute(
        f"CREATE FUNCTION {table}_only_grows() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"{let_through if erase else ''} "
        f"RAISE EXCEPTION '{table} is append-only' USING ERRCODE = 'restrict_violation'; END $$"
    )
    for name, when in (
        ("row", f"BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW"),
        ("table", f"BEFORE TRUNCATE ON {table} FOR EACH STATEMENT"),
    ):
        op.execute(f"CREATE TRIGGER {table}_{name} {when} EXECUTE FUNCTION {table}_only_grows()")


def _search_on_postgres() -> None:
    op.create_table(
        "issue_words",
        sa.Column("issue_id", sa.String(64), nullable=False),
        sa.Column("tokens", postgresql.TSVECTOR(), nullable=False),
        sa.PrimaryKeyConstraint("issue_id", name="pk_issue_words"),
    )
    op.create_index("ix_issue_words_tokens", "issue_words", ["tokens"], postgresql_using="gin")
