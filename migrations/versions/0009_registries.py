"""Beside the issues: campaigns, livelihood projects with their ledger, links and legacy claims, inspection teams with samples and findings."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0007"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True).with_variant(sa.String(27), "sqlite")
KEYS = {
    "project_strikes": ("project_id", "version"),
    "team_samples": ("id",),
    "finding_acts": ("finding_id", "version"),
}


def upgrade() -> None:
    _campaigns_and_projects()
    _leaders()
    _teams()
    for table, key in KEYS.items():
        if op.get_context().dialect.name == "sqlite":
            _only_grows_on_sqlite(table, key)
        else:
            _only_grows_on_postgres(table)


def _campaigns_and_projects() -> None:
    op.create_table(
        "campaigns",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("goal", sa.Text(), nullable=False),
        sa.Column("starts", sa.String(10), nullable=False),
        sa.Column("ends", sa.String(10), nullable=False),
        sa.Column("criteria", sa.Text(), nullable=False),
        sa.Column("by", sa.String(64), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_campaigns"),
    )
    op.create_table(
        "campaign_issues",
        sa.Column("campaign_id", sa.String(64), nullable=False),
        sa.Column("issue_id", sa.String(64), nullable=False),
        sa.Column("belongs", sa.Boolean(), nullable=False),
        sa.Column("by", sa.String(64), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("campaign_id", "issue_id", name="pk_campaign_issues"),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaigns.id"], name="fk_campaign_issues_campaign_id"),
        sa.ForeignKeyConstraint(["issue_id"], ["issues.id"], name="fk_campaign_issues_issue_id"),
    )
    op.create_table(
        "projects",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("goal", sa.Text(), nullable=False),
        sa.Column("lead_unit", sa.String(64), nullable=False),
        sa.Column("leader", sa.String(64), nullable=False),
        sa.Column("planned", sa.String(10), nullable=False),
        sa.Column("struck_off_at", MOMENT),
        sa.Column("by", sa.String(64), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_projects"),
        sa.ForeignKeyConstraint(["lead_unit"], ["units.id"], name="fk_projects_lead_unit"),
        sa.ForeignKeyConstraint(["leader"], ["people.id"], name="fk_projects_leader"),
    )
    op.create_table(
        "project_issues",
        sa.Column("project_id", sa.String(64), nullable=False),
        sa.Column("issue_id", sa.String(64), nullable=False),
        sa.Column("by", sa.String(64), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("project_id", "issue_id", name="pk_project_issues"),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_project_issues_project_id"),
        sa.ForeignKeyConstraint(["issue_id"], ["issues.id"], name="fk_project_issues_issue_id"),
    )
    op.create_table(
        "project_strikes",
        sa.Column("project_id", sa.String(64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("act", sa.String(12), nullable=False),
        sa.Column("by", sa.String(64), nullable=False),
        sa.Column("unit", sa.String(64), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("project_id", "version", name="pk_project_strikes"),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_project_strikes_project_id"),
    )


def _leaders() -> None:
    stands = sa.text("ended_at IS NULL")
    op.create_table(
        "leader_links",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("leader", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(12), nullable=False),
        sa.Column("target", sa.String(64), nullable=False),
        sa.Column("by", sa.String(64), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("ended_by", sa.String(64)),
        sa.Column("ended_at", MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_leader_links"),
        sa.ForeignKeyConstraint(["leader"], ["people.id"], name="fk_leader_links_leader"),
    )
    op.create_index(
        "uq_leader_links_stands",
        "leader_links",
        ["leader", "kind", "target"],
        unique=True,
        postgresql_where=stands,
        sqlite_where=stands,
    )
    op.create_table(
        "legacy_claims",
        sa.Column("source", sa.String(64), nullable=False),
        sa.Column("number", sa.String(64), nullable=False),
        sa.Column("leader", sa.String(64), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("goal", sa.Text(), nullable=False),
        sa.Column("claimed", sa.String(10), nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("by", sa.String(80), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("source", "number", name="pk_legacy_claims"),
        sa.ForeignKeyConstraint(["leader"], ["people.id"], name="fk_legacy_claims_leader"),
    )
    op.create_index("ix_legacy_claims_leader", "legacy_claims", ["leader"])


def _teams() -> None:
    op.create_table(
        "teams",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("units", sa.Text(), nullable=False),
        sa.Column("grids", sa.Text(), nullable=False),
        sa.Column("starts", sa.String(10), nullable=False),
        sa.Column("ends", sa.String(10), nullable=False),
        sa.Column("by", sa.String(64), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_teams"),
    )
    op.create_table(
        "team_members",
        sa.Column("team_id", sa.String(64), nullable=False),
        sa.Column("person_id", sa.String(64), nullable=False),
        sa.Column("former_units", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("team_id", "person_id", name="pk_team_members"),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"], name="fk_team_members_team_id"),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name="fk_team_members_person_id"),
    )
    op.create_index("ix_team_members_person", "team_members", ["person_id"])
    op.create_table(
        "team_samples",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("team_id", sa.String(64), nullable=False),
        sa.Column("seed", sa.String(100), nullable=False),
        sa.Column("share", sa.Float(), nullable=False),
        sa.Column("population", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("drawn", sa.Text(), nullable=False),
        sa.Column("by", sa.String(64), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_team_samples"),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"], name="fk_team_samples_team_id"),
    )
    op.create_index("ix_team_samples_team", "team_samples", ["team_id", "id"])
    op.create_table(
        "findings",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("team_id", sa.String(64), nullable=False),
        sa.Column("issue_id", sa.String(64)),
        sa.Column("unit_id", sa.String(64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("warn_at", MOMENT, nullable=False),
        sa.Column("due_at", MOMENT, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_findings"),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"], name="fk_findings_team_id"),
        sa.ForeignKeyConstraint(["issue_id"], ["issues.id"], name="fk_findings_issue_id"),
        sa.ForeignKeyConstraint(["unit_id"], ["units.id"], name="fk_findings_unit_id"),
    )
    op.create_index("ix_findings_due", "findings", ["state", "due_at", "id"])
    op.create_index("ix_findings_unit", "findings", ["unit_id", "state", "due_at"])
    op.create_table(
        "finding_acts",
        sa.Column("finding_id", sa.String(64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("act", sa.String(8), nullable=False),
        sa.Column("by", sa.String(64), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("due_at", MOMENT, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("finding_id", "version", name="pk_finding_acts"),
        sa.ForeignKeyConstraint(["finding_id"], ["findings.id"], name="fk_finding_acts_finding_id"),
    )


def _only_grows_on_sqlite(table: str, key: tuple[str, ...]) -> None:
    same = " AND ".join(f"{name} = NEW.{name}" for name in key)
    whens = {
        "DELETE": "TRUE",
        "UPDATE": "TRUE",
        # INSERT OR REPLACE puts a new row in the place of an old one without asking the other two.
        "INSERT": f"EXISTS (SELECT 1 FROM {table} WHERE {same})",  # noqa: S608
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
