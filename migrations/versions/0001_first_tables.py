"""The first tables. What a column means stands in `liuti.store.tables`; this is how they were on the first day."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True).with_variant(sa.String(27), "sqlite")
SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _the_issue_and_its_units()
    _the_ledger()
    _letters()
    _the_people_behind_an_issue()
    _who_works_here()
    _what_is_looked_up()


def _index(name: str, table: str, *columns: str, unique: bool = False, where: str = "") -> None:
    condition = sa.text(where) if where else None
    op.create_index(name, table, list(columns), unique=unique, postgresql_where=condition, sqlite_where=condition)


def _the_issue_and_its_units() -> None:
    op.create_table(
        "issues",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("query_code", sa.String(16), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("step", sa.String(12), nullable=False),
        sa.Column("lane", sa.String(8)),
        sa.Column("kind", sa.String(12), nullable=False),
        sa.Column("urgency", sa.String(8), nullable=False),
        sa.Column("category", sa.String(64), nullable=False),
        sa.Column("grid", sa.String(64), nullable=False),
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("external_id", sa.String(128)),
        sa.Column("lead_unit", sa.String(64)),
        sa.Column("leader", sa.String(64)),
        sa.Column("lead_issue", sa.String(64)),
        sa.Column("against", sa.String(64)),
        sa.Column("public", sa.Boolean(), nullable=False),
        sa.Column("overdue", sa.Boolean(), nullable=False),
        sa.Column("provisional", sa.Boolean(), nullable=False),
        sa.Column("due_at", MOMENT),
        sa.Column("submitted_at", MOMENT, nullable=False),
        sa.Column("reported_at", MOMENT),
        sa.Column("closing", sa.String(12)),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("head", sa.String(64), nullable=False),
        sa.Column("deadline", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_issues"),
        sa.UniqueConstraint("query_code", name="uq_issues_query_code"),
        sa.UniqueConstraint("source", "external_id", name="uq_issues_source_external_id"),
    )
    _index("ix_issues_category", "issues", "category", "id")
    _index("ix_issues_due", "issues", "due_at", "id", where="due_at IS NOT NULL")
    _index("ix_issues_grid", "issues", "grid", "id")
    _index("ix_issues_lead_issue", "issues", "lead_issue", where="lead_issue IS NOT NULL")
    _index("ix_issues_lead_unit", "issues", "lead_unit", "step", "id")
    _index("ix_issues_leader", "issues", "leader", "step", "lane")
    _index("ix_issues_overdue", "issues", "overdue", "id", where="overdue")
    _index("ix_issues_provisional", "issues", "id", where="provisional")
    _index("ix_issues_step_deadline", "issues", "step", "deadline", "id")
    op.create_table(
        "assignments",
        sa.Column("issue_id", sa.String(64), nullable=False),
        sa.Column("unit_id", sa.String(64), nullable=False),
        sa.Column("lead", sa.Boolean(), nullable=False),
        sa.Column("status", sa.String(12), nullable=False),
        sa.ForeignKeyConstraint(["issue_id"], ["issues.id"], name="fk_assignments_issue_id"),
        sa.PrimaryKeyConstraint("issue_id", "unit_id", name="pk_assignments"),
    )
    _index("ix_assignments_unit", "assignments", "unit_id", "issue_id")


def _the_ledger() -> None:
    op.create_table(
        "entries",
        sa.Column("issue_id", sa.String(64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("move", sa.String(32), nullable=False),
        sa.Column("actor", sa.String(64), nullable=False),
        sa.Column("role", sa.String(32), nullable=False),
        sa.Column("unit", sa.String(64), nullable=False),
        sa.Column("from_step", sa.String(12)),
        sa.Column("to_step", sa.String(12), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.Column("words", sa.Text()),
        sa.Column("salt", sa.LargeBinary()),
        sa.Column("words_digest", sa.String(64), nullable=False),
        sa.Column("algorithm", sa.String(8), nullable=False),
        sa.Column("previous", sa.String(64), nullable=False),
        sa.Column("seal", sa.String(64), nullable=False),
        sa.Column("awaits", sa.String(32), nullable=False),
        sa.Column("key", sa.String(200)),
        sa.Column("key_digest", sa.String(64)),
        sa.Column("receipt", sa.Text()),
        sa.ForeignKeyConstraint(["issue_id"], ["issues.id"], name="fk_entries_issue_id"),
        sa.PrimaryKeyConstraint("issue_id", "version", name="pk_entries"),
    )
    _index("uq_entries_key", "entries", "key", unique=True, where="key IS NOT NULL")
    op.create_table(
        "ratings",
        sa.Column("issue_id", sa.String(64), nullable=False),
        sa.Column("voice_id", sa.String(64), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("contacted", sa.Boolean()),
        sa.Column("solved", sa.String(8)),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("channel", sa.String(16), nullable=False),
        sa.Column("by", sa.String(64), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["issue_id"], ["issues.id"], name="fk_ratings_issue_id"),
        sa.PrimaryKeyConstraint("issue_id", "voice_id", "round", name="pk_ratings"),
    )
    op.create_table(
        "looks",
        sa.Column("id", SERIAL, autoincrement=True, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("person_id", sa.String(64), nullable=False),
        sa.Column("issue_id", sa.String(64)),
        sa.Column("voice_id", sa.String(64)),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("act", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_looks"),
    )
    _index("ix_looks_issue", "looks", "issue_id")


def _letters() -> None:
    op.create_table(
        "letters",
        sa.Column("id", SERIAL, autoincrement=True, nullable=False),
        sa.Column("issue_id", sa.String(64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("event", sa.String(48), nullable=False),
        sa.Column("recipient", sa.String(80), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("next_at", MOMENT),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("lease", sa.String(40)),
        sa.Column("sent_at", MOMENT),
        sa.Column("dead_at", MOMENT),
        sa.Column("fault", sa.Text()),
        sa.ForeignKeyConstraint(["issue_id"], ["issues.id"], name="fk_letters_issue_id"),
        sa.PrimaryKeyConstraint("id", name="pk_letters"),
        sa.UniqueConstraint(
            "issue_id", "version", "event", "recipient", name="uq_letters_issue_id_version_event_recipient"
        ),
    )
    _index("ix_letters_dead", "letters", "dead_at", where="dead_at IS NOT NULL")
    _index("ix_letters_next", "letters", "next_at", "id", where="next_at IS NOT NULL")


def _the_people_behind_an_issue() -> None:
    op.create_table(
        "voices",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("issue_id", sa.String(64), nullable=False),
        sa.Column("origin_id", sa.String(64), nullable=False),
        sa.Column("act", sa.String(8), nullable=False),
        sa.Column("person", sa.String(64)),
        sa.Column("household", sa.String(64), nullable=False),
        sa.Column("channel", sa.String(16), nullable=False),
        sa.Column("verified", sa.Boolean(), nullable=False),
        sa.Column("staff", sa.Boolean(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("left_at", MOMENT),
        sa.ForeignKeyConstraint(["issue_id"], ["issues.id"], name="fk_voices_issue_id"),
        sa.PrimaryKeyConstraint("id", name="pk_voices"),
    )
    _index("ix_voices_issue", "voices", "issue_id", "id")
    _index("ix_voices_person", "voices", "person", "at")
    op.create_table(
        "contacts",
        sa.Column("voice_id", sa.String(64), nullable=False),
        sa.Column("sealed", sa.LargeBinary()),
        sa.Column("phone_hash", sa.String(64)),
        sa.Column("household", sa.String(64)),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("voice_id", name="pk_contacts"),
    )
    _index("ix_contacts_phone", "contacts", "phone_hash", "at")
    op.create_table(
        "files",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("issue_id", sa.String(64), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("media_type", sa.String(64), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("by", sa.String(64), nullable=False),
        sa.Column("role", sa.String(32), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["issue_id"], ["issues.id"], name="fk_files_issue_id"),
        sa.PrimaryKeyConstraint("id", name="pk_files"),
    )
    _index("ix_files_issue", "files", "issue_id")


def _who_works_here() -> None:
    op.create_table(
        "units",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("kind", sa.String(24), nullable=False),
        sa.Column("supervisor", sa.String(64)),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_units"),
    )
    op.create_table(
        "grids",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("level", sa.String(16), nullable=False),
        sa.Column("parent", sa.String(64)),
        sa.Column("path", sa.String(400), nullable=False),
        sa.Column("population", sa.Integer()),
        sa.Column("tags", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["parent"], ["grids.id"], name="fk_grids_parent"),
        sa.PrimaryKeyConstraint("id", name="pk_grids"),
    )
    _index("ix_grids_path", "grids", "path")
    op.create_table(
        "people",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("login", sa.String(64), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("post", sa.String(100), nullable=False),
        sa.Column("unit_id", sa.String(64)),
        sa.Column("level", sa.String(16), nullable=False),
        sa.Column("grid", sa.String(64), nullable=False),
        sa.Column("roles", sa.Text(), nullable=False),
        sa.Column("tip_offs", sa.Boolean(), nullable=False),
        sa.Column("former_units", sa.Text(), nullable=False),
        sa.Column("password", sa.String(200)),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("locked_until", MOMENT),
        sa.ForeignKeyConstraint(["unit_id"], ["units.id"], name="fk_people_unit_id"),
        sa.PrimaryKeyConstraint("id", name="pk_people"),
        sa.UniqueConstraint("login", name="uq_people_login"),
    )
    op.create_table(
        "passes",
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("person_id", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("made_at", MOMENT, nullable=False),
        sa.Column("ends_at", MOMENT),
        sa.Column("revoked_at", MOMENT),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name="fk_passes_person_id"),
        sa.PrimaryKeyConstraint("digest", name="pk_passes"),
    )
    _index("ix_passes_person", "passes", "person_id")


def _what_is_looked_up() -> None:
    op.create_table(
        "notices",
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("year", name="pk_notices"),
    )
    op.create_table(
        "policies",
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("version", name="pk_policies"),
    )
    op.create_table(
        "links",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("unit_id", sa.String(64)),
        sa.Column("partner", sa.String(64)),
        sa.Column("weight", sa.Float()),
        sa.PrimaryKeyConstraint("id", name="pk_links"),
    )
