"""The tables. An issue is one row: its whole state as JSON text, and the columns lists are found by (docs/rules.md §1)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)  # fmt: skip

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
META = MetaData(naming_convention=NAMES)


class Moment(TypeDecorator[datetime]):
    """An aware UTC time; SQLite keeps it as fixed-width text, so that it sorts as it runs."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        return dialect.type_descriptor(String(27) if dialect.name == "sqlite" else DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None or dialect.name != "sqlite":
            return value
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None or dialect.name != "sqlite":
            return value.astimezone(UTC) if value is not None else None
        return datetime.fromisoformat(value)


def _id(name: str = "id", **more: Any) -> Column[str]:
    return Column(name, String(64), **more)


issues = Table(
    "issues",
    META,
    _id(primary_key=True),
    Column("query_code", String(16), nullable=False, unique=True),
    Column("version", Integer, nullable=False),
    Column("step", String(12), nullable=False),
    Column("lane", String(8)),
    Column("kind", String(12), nullable=False),
    Column("urgency", String(8), nullable=False),
    Column("category", String(64), nullable=False),
    Column("grid", String(64), nullable=False),
    Column("source", String(16), nullable=False),
    Column("external_id", String(128)),
    Column("lead_unit", String(64)),
    Column("leader", String(64)),
    Column("lead_issue", String(64)),
    Column("against", String(64)),
    Column("public", Boolean, nullable=False),
    Column("overdue", Boolean, nullable=False),
    Column("provisional", Boolean, nullable=False),
    Column("due_at", Moment),
    Column("deadline", Moment, nullable=False),
    Column("submitted_at", Moment, nullable=False),
    Column("reported_at", Moment),
    Column("closing", String(12)),
    Column("title", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("place", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("head", String(64), nullable=False),
    UniqueConstraint("source", "external_id").ddl_if(dialect="sqlite"),
)
# Partial wherever a column is mostly empty: a move writes an issue into every index that holds it, which on PostgreSQL
# costs more than writing the issue.
Index(
    "uq_issues_outside",
    issues.c.source,
    issues.c.external_id,
    unique=True,
    postgresql_where=issues.c.external_id.is_not(None),
).ddl_if(dialect="postgresql")
Index(
    "ix_issues_due",
    issues.c.due_at,
    issues.c.id,
    postgresql_where=issues.c.due_at.is_not(None),
    sqlite_where=issues.c.due_at.is_not(None),
)
Index("ix_issues_step_deadline", issues.c.step, issues.c.deadline, issues.c.id)
Index(
    "ix_issues_lead_unit",
    issues.c.lead_unit,
    issues.c.step,
    issues.c.id,
    postgresql_where=issues.c.lead_unit.is_not(None),
    sqlite_where=issues.c.lead_unit.is_not(None),
)
Index(
    "ix_issues_leader",
    issues.c.leader,
    issues.c.step,
    issues.c.lane,
    postgresql_where=issues.c.leader.is_not(None),
    sqlite_where=issues.c.leader.is_not(None),
)
Index("ix_issues_grid", issues.c.grid, issues.c.id)
Index("ix_issues_category", issues.c.category, issues.c.id)
Index(
    "ix_issues_lead_issue",
    issues.c.lead_issue,
    postgresql_where=issues.c.lead_issue.is_not(None),
    sqlite_where=issues.c.lead_issue.is_not(None),
)
Index(
    "ix_issues_overdue", issues.c.overdue, issues.c.id, postgresql_where=text("overdue"), sqlite_where=text("overdue")
)
# Newest first within one step or kind, however rare it is among all.
Index("ix_issues_step", issues.c.step, issues.c.id)
Index("ix_issues_kind", issues.c.kind, issues.c.id)
Index("ix_issues_provisional", issues.c.id, postgresql_where=text("provisional"), sqlite_where=text("provisional"))

assignments = Table(
    "assignments",
    META,
    Column("issue_id", ForeignKey("issues.id"), primary_key=True),
    Column("unit_id", String(64), primary_key=True),
    Column("lead", Boolean, nullable=False),
    Column("status", String(12), nullable=False),
)
Index("ix_assignments_unit", assignments.c.unit_id, assignments.c.issue_id)

entries = Table(
    "entries",
    META,
    Column("issue_id", ForeignKey("issues.id"), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("move", String(32), nullable=False),
    Column("actor", String(64), nullable=False),
    Column("role", String(32), nullable=False),
    Column("unit", String(64), nullable=False),
    Column("from_step", String(12)),
    Column("to_step", String(12), nullable=False),
    Column("at", Moment, nullable=False),
    Column("facts", Text, nullable=False),
    Column("words", Text),
    Column("salt", LargeBinary),
    Column("words_digest", String(64), nullable=False),
    Column("algorithm", String(8), nullable=False),
    Column("previous", String(64), nullable=False),
    Column("seal", String(64), nullable=False),
    Column("awaits", String(32), nullable=False),
    Column("key", String(200)),
    Column("key_digest", String(64)),
    Column("receipt", Text),
)
Index(
    "uq_entries_key",
    entries.c.key,
    unique=True,
    postgresql_where=entries.c.key.is_not(None),
    sqlite_where=entries.c.key.is_not(None),
)

# What the boards look for among all entries; partial, so that what is written most pays for none of them.
_OF_ORDERS = text(
    "(move IN ('order', 'escalate', 'settle') OR (move = 'urge' AND role = 'clock' AND facts LIKE '%\"rung\"\\:2%'))"
)
_ACTS = text(
    "move IN ('accept_direct', 'accept_topic', 'adjust', 'deny', 'exclude', 'explain', 'grant', 'merge', 'publish', "
    "'reject', 'reserve', 'send_back', 'sign', 'submit_result', 'terminate')"
)
_AWAITS = text("awaits <> ''")
_PASSED = text("move = 'pass_check'")
_IN_TIME = (entries.c.at, entries.c.issue_id, entries.c.version)
Index("ix_entries_at", *_IN_TIME)
Index("ix_entries_awaits", *_IN_TIME, postgresql_where=_AWAITS, sqlite_where=_AWAITS)
Index("ix_entries_orders", *_IN_TIME, postgresql_where=_OF_ORDERS, sqlite_where=_OF_ORDERS)
Index("ix_entries_passed", *_IN_TIME, postgresql_where=_PASSED, sqlite_where=_PASSED)
Index("ix_entries_acts", entries.c.move, entries.c.at, postgresql_where=_ACTS, sqlite_where=_ACTS)

letters = Table(
    "letters",
    META,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("issue_id", String(64), nullable=False),
    Column("version", Integer, nullable=False),
    Column("event", String(48), nullable=False),
    Column("recipient", String(80), nullable=False),
    Column("at", Moment, nullable=False),
    Column("next_at", Moment),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("lease", String(40)),
    Column("sent_at", Moment),
    Column("dead_at", Moment),
    Column("fault", Text),
    UniqueConstraint("issue_id", "version", "event", "recipient"),
    # A letter is written with its entry, which refers to the issue itself; PostgreSQL looks up each reference of each
    # row, and that was a fifth of what it does for a strike.
    ForeignKeyConstraint(["issue_id"], ["issues.id"]).ddl_if(dialect="sqlite"),
)
Index(
    "ix_letters_next",
    letters.c.next_at,
    letters.c.id,
    postgresql_where=letters.c.next_at.is_not(None),
    sqlite_where=letters.c.next_at.is_not(None),
)
Index(
    "ix_letters_dead",
    letters.c.dead_at,
    postgresql_where=letters.c.dead_at.is_not(None),
    sqlite_where=letters.c.dead_at.is_not(None),
)

contacts = Table(
    "contacts",
    META,
    Column("voice_id", String(64), primary_key=True),
    Column("sealed", LargeBinary),
    Column("phone_hash", String(64)),
    Column("household", String(64)),
    Column("at", Moment, nullable=False),
)
Index("ix_contacts_phone", contacts.c.phone_hash, contacts.c.at)

voices = Table(
    "voices",
    META,
    _id(primary_key=True),
    Column("issue_id", ForeignKey("issues.id"), nullable=False),
    Column("origin_id", String(64), nullable=False),
    Column("act", String(8), nullable=False),
    Column("person", String(64)),
    Column("household", String(64), nullable=False),
    Column("channel", String(16), nullable=False),
    Column("verified", Boolean, nullable=False),
    Column("staff", Boolean, nullable=False),
    Column("words", Text, nullable=False),
    Column("at", Moment, nullable=False),
    Column("left_at", Moment),
)
Index("ix_voices_issue", voices.c.issue_id, voices.c.id)
Index("ix_voices_person", voices.c.person, voices.c.at)

ratings = Table(
    "ratings",
    META,
    Column("issue_id", ForeignKey("issues.id"), primary_key=True),
    Column("voice_id", String(64), primary_key=True),
    Column("round", Integer, primary_key=True),
    Column("level", Integer, nullable=False),
    Column("contacted", Boolean),
    Column("solved", String(8)),
    Column("text", Text, nullable=False),
    Column("channel", String(16), nullable=False),
    Column("by", String(64), nullable=False),
    Column("at", Moment, nullable=False),
)

files = Table(
    "files",
    META,
    _id(primary_key=True),
    Column("issue_id", ForeignKey("issues.id"), nullable=False),
    Column("name", String(200), nullable=False),
    Column("media_type", String(64), nullable=False),
    Column("size", Integer, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("by", String(64), nullable=False),
    Column("role", String(32), nullable=False),
    Column("at", Moment, nullable=False),
)
Index("ix_files_issue", files.c.issue_id)

units = Table(
    "units",
    META,
    _id(primary_key=True),
    Column("name", String(200), nullable=False),
    Column("kind", String(24), nullable=False),
    Column("supervisor", String(64)),
    Column("active", Boolean, nullable=False),
)

grids = Table(
    "grids",
    META,
    _id(primary_key=True),
    Column("name", String(200), nullable=False),
    Column("level", String(16), nullable=False),
    Column("parent", ForeignKey("grids.id")),
    Column("path", String(400), nullable=False),
    Column("population", Integer),
    Column("tags", Text, nullable=False),
)
Index("ix_grids_path", grids.c.path)

people = Table(
    "people",
    META,
    _id(primary_key=True),
    Column("login", String(64), nullable=False, unique=True),
    Column("name", String(64), nullable=False),
    Column("post", String(100), nullable=False),
    Column("unit_id", ForeignKey("units.id")),
    Column("level", String(16), nullable=False),
    Column("grid", String(64), nullable=False),
    Column("roles", Text, nullable=False),
    Column("tip_offs", Boolean, nullable=False),
    Column("former_units", Text, nullable=False),
    Column("password", String(200)),
    Column("active", Boolean, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("locked_until", Moment),
)

passes = Table(
    "passes",
    META,
    Column("digest", String(64), primary_key=True),
    Column("person_id", ForeignKey("people.id"), nullable=False),
    Column("kind", String(8), nullable=False),
    Column("name", String(100), nullable=False),
    Column("made_at", Moment, nullable=False),
    Column("ends_at", Moment),
    Column("revoked_at", Moment),
)
Index("ix_passes_person", passes.c.person_id)

looks = Table(
    "looks",
    META,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("at", Moment, nullable=False),
    Column("person_id", String(64), nullable=False),
    Column("issue_id", String(64)),
    Column("voice_id", String(64)),
    Column("purpose", Text, nullable=False),
    Column("act", String(32), nullable=False),
)
Index("ix_looks_issue", looks.c.issue_id)

audit = Table(
    "audit",
    META,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("at", Moment, nullable=False),
    Column("by", String(80), nullable=False),
    Column("act", String(32), nullable=False),
    Column("subject", String(80), nullable=False),
    Column("before", Text, nullable=False),
    Column("after", Text, nullable=False),
)
Index("ix_audit_subject", audit.c.subject, audit.c.id)

notices = Table(
    "notices",
    META,
    Column("year", Integer, primary_key=True),
    Column("words", Text, nullable=False),
    Column("at", Moment, nullable=False),
)

# What a notice said before it was amended, until every running clock has been counted by what it says now.
amended = Table(
    "amended",
    META,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("year", Integer, nullable=False),
    Column("words", Text, nullable=False),
    Column("at", Moment, nullable=False),
)

policies = Table(
    "policies",
    META,
    Column("version", Integer, primary_key=True),
    Column("words", Text, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("at", Moment, nullable=False),
)

links = Table(
    "links",
    META,
    _id(primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("name", String(200), nullable=False),
    Column("unit_id", String(64)),
    Column("partner", String(64)),
    Column("weight", Float),
)
