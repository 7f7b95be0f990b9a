"""The tables of what stands beside the issues: campaigns, livelihood projects, links and legacy claims of leaders, inspection teams (docs/rules.md §2, §8)."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, ForeignKey, Index, Integer, String, Table, Text, text

from liuti.store.tables import META, Moment

# Days are local ones, written 2026-03-02: a period does not move with the zone it is read in.
campaigns = Table(
    "campaigns",
    META,
    Column("id", String(64), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("goal", Text, nullable=False),
    Column("starts", String(10), nullable=False),
    Column("ends", String(10), nullable=False),
    Column("criteria", Text, nullable=False),
    Column("by", String(64), nullable=False),
    Column("at", Moment, nullable=False),
)

# What a person put into a campaign, or took out of what its criteria find.
campaign_issues = Table(
    "campaign_issues",
    META,
    Column("campaign_id", ForeignKey("campaigns.id"), primary_key=True),
    Column("issue_id", ForeignKey("issues.id"), primary_key=True),
    Column("belongs", Boolean, nullable=False),
    Column("by", String(64), nullable=False),
    Column("at", Moment, nullable=False),
)

projects = Table(
    "projects",
    META,
    Column("id", String(64), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("goal", Text, nullable=False),
    Column("lead_unit", ForeignKey("units.id"), nullable=False),
    Column("leader", ForeignKey("people.id"), nullable=False),
    Column("planned", String(10), nullable=False),
    Column("struck_off_at", Moment),
    Column("by", String(64), nullable=False),
    Column("at", Moment, nullable=False),
)

project_issues = Table(
    "project_issues",
    META,
    Column("project_id", ForeignKey("projects.id"), primary_key=True),
    Column("issue_id", ForeignKey("issues.id"), primary_key=True),
    Column("by", String(64), nullable=False),
    Column("at", Moment, nullable=False),
)

# The ledger of strike-offs 销号: only grows, the database sees to it.
project_strikes = Table(
    "project_strikes",
    META,
    Column("project_id", ForeignKey("projects.id"), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("act", String(12), nullable=False),
    Column("by", String(64), nullable=False),
    Column("unit", String(64), nullable=False),
    Column("at", Moment, nullable=False),
    Column("text", Text, nullable=False),
)

leader_links = Table(
    "leader_links",
    META,
    Column("id", String(64), primary_key=True),
    Column("leader", ForeignKey("people.id"), nullable=False),
    Column("kind", String(12), nullable=False),
    Column("target", String(64), nullable=False),
    Column("by", String(64), nullable=False),
    Column("at", Moment, nullable=False),
    Column("ended_by", String(64)),
    Column("ended_at", Moment),
)
_STANDS = text("ended_at IS NULL")
Index(
    "uq_leader_links_stands",
    leader_links.c.leader,
    leader_links.c.kind,
    leader_links.c.target,
    unique=True,
    postgresql_where=_STANDS,
    sqlite_where=_STANDS,
)

legacy_claims = Table(
    "legacy_claims",
    META,
    Column("source", String(64), primary_key=True),
    Column("number", String(64), primary_key=True),
    Column("leader", ForeignKey("people.id"), nullable=False),
    Column("title", Text, nullable=False),
    Column("goal", Text, nullable=False),
    Column("claimed", String(10), nullable=False),
    Column("state", String(8), nullable=False),
    Column("by", String(80), nullable=False),
    Column("at", Moment, nullable=False),
)
Index("ix_legacy_claims_leader", legacy_claims.c.leader)

teams = Table(
    "teams",
    META,
    Column("id", String(64), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("units", Text, nullable=False),
    Column("grids", Text, nullable=False),
    Column("starts", String(10), nullable=False),
    Column("ends", String(10), nullable=False),
    Column("by", String(64), nullable=False),
    Column("at", Moment, nullable=False),
)

team_members = Table(
    "team_members",
    META,
    Column("team_id", ForeignKey("teams.id"), primary_key=True),
    Column("person_id", ForeignKey("people.id"), primary_key=True),
    Column("former_units", Text, nullable=False),
)
Index("ix_team_members_person", team_members.c.person_id)

# Whoever has the seed and the population draws the same sample again; a drawn one only grows by another.
team_samples = Table(
    "team_samples",
    META,
    Column("id", String(64), primary_key=True),
    Column("team_id", ForeignKey("teams.id"), nullable=False),
    Column("seed", String(100), nullable=False),
    Column("share", Float, nullable=False),
    Column("population", Text, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("drawn", Text, nullable=False),
    Column("by", String(64), nullable=False),
    Column("at", Moment, nullable=False),
)
Index("ix_team_samples_team", team_samples.c.team_id, team_samples.c.id)

findings = Table(
    "findings",
    META,
    Column("id", String(64), primary_key=True),
    Column("team_id", ForeignKey("teams.id"), nullable=False),
    Column("issue_id", ForeignKey("issues.id")),
    Column("unit_id", ForeignKey("units.id"), nullable=False),
    Column("version", Integer, nullable=False),
    Column("state", String(8), nullable=False),
    Column("warn_at", Moment, nullable=False),
    Column("due_at", Moment, nullable=False),
    Column("at", Moment, nullable=False),
)
Index("ix_findings_due", findings.c.state, findings.c.due_at, findings.c.id)
Index("ix_findings_unit", findings.c.unit_id, findings.c.state, findings.c.due_at)

# What was said and done about a finding, in order; only grows.
finding_acts = Table(
    "finding_acts",
    META,
    Column("finding_id", ForeignKey("findings.id"), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("act", String(8), nullable=False),
    Column("by", String(64), nullable=False),
    Column("at", Moment, nullable=False),
    Column("due_at", Moment, nullable=False),
    Column("text", Text, nullable=False),
)
