"""Campaigns 专项行动: whatever their criteria find within their period, and whatever a person put in or took out (docs/rules.md §2)."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta, tzinfo
from typing import Any

from msgspec import Struct, json
from sqlalchemy import ColumnElement, Connection, and_, delete, false, func, insert, or_, select

from liuti.figures.periods import Period
from liuti.flow import sight
from liuti.flow.kernel import Actor, Refused
from liuti.flow.words import Kind
from liuti.store import figures, read
from liuti.store.audit import By, note
from liuti.store.bulk import insert_many
from liuti.store.ids import uuid7
from liuti.store.read import Found
from liuti.store.tables import grids, issues
from liuti.store.tables_registries import campaign_issues, campaigns

MOST = 100


class Criteria(Struct, frozen=True):
    """What belongs by itself: submitted in the period, and of one of each of these that is named; nothing if none is."""

    kinds: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    grids: tuple[str, ...] = ()
    """Places with all that lies within them."""


class Campaign(Struct, frozen=True):
    id: str
    name: str
    goal: str
    starts: date
    ends: date
    criteria: Criteria
    by: str
    at: datetime

    def span(self, zone: tzinfo) -> tuple[datetime, datetime]:
        """From its first midnight to before the one after its last day."""
        after = self.ends + timedelta(days=1)
        return datetime.combine(self.starts, time(), zone), datetime.combine(after, time(), zone)


def add(
    conn: Connection, name: str, goal: str, starts: date, ends: date, criteria: Criteria, by: By
) -> Campaign:  # fmt: skip
    """A new one. Refused 422 for a period that ends before it begins, and for a grid nobody knows."""
    if ends < starts:
        raise Refused("bad_period", 422, "期间须从早到晚。", "A period runs from early to late.", "ends")
    there = set(conn.execute(select(grids.c.id).where(grids.c.id.in_(criteria.grids))).scalars())
    if missing := [one for one in criteria.grids if one not in there]:
        raise Refused("no_such_grid", 422, f"没有网格 {missing[0]}。", f"There is no grid {missing[0]}.", "grids")
    made = Campaign(uuid7(by.at), name, goal, starts, ends, criteria, by.who, by.at)
    row = {
        "id": made.id, "name": name, "goal": goal, "starts": starts.isoformat(), "ends": ends.isoformat(),
        "criteria": json.encode(criteria).decode(), "by": by.who, "at": by.at,
    }  # fmt: skip
    conn.execute(insert(campaigns), [row])
    note(conn, by, "add_campaign", made.id, None, row | {"at": by.at.isoformat()})
    return made


def find(conn: Connection, campaign: str) -> Campaign:
    """Refused 404."""
    row = conn.execute(select(campaigns).where(campaigns.c.id == campaign)).mappings().first()
    if row is None:
        raise Refused("no_such_campaign", 404, "没有这个专项行动。", "There is no such campaign.")
    return _campaign(row)


def listed(conn: Connection, before: str = "", limit: int = 50) -> list[Campaign]:
    """The latest first; give the last id back as `before` to read on."""
    found = select(campaigns).order_by(campaigns.c.id.desc()).limit(max(1, min(limit, MOST)))
    found = found.where(campaigns.c.id < before) if before else found
    return [_campaign(row) for row in conn.execute(found).mappings()]


def _campaign(row: Any) -> Campaign:
    told = {"starts": date.fromisoformat(row["starts"]), "ends": date.fromisoformat(row["ends"])}
    return Campaign(**(dict(row) | told | {"criteria": json.decode(row["criteria"], type=Criteria)}))


# -- what belongs to it --------------------------------------------------------------------------------------------


def place(conn: Connection, campaign: str, actor: Actor, issue_ids: list[str], belongs: bool | None, by: By) -> None:
    """Put in (True), taken out (False), or left to the criteria again (None). Refused 404 for a campaign or issue that
    is not there or not theirs to see, 422 for a tip-off: these have a channel of their own."""
    find(conn, campaign)
    found = read.several(conn, issue_ids)
    for one in issue_ids:
        if sight.admit(actor, found[one].issue if one in found else None).kind is Kind.TIP_OFF:
            zh, en = "举报不列入专项行动。", "A tip-off belongs to no campaign."
            raise Refused("not_a_tip_off", 422, zh, en, "issues")
    chosen = campaign_issues.c.issue_id.in_(issue_ids)
    conn.execute(delete(campaign_issues).where(campaign_issues.c.campaign_id == campaign, chosen))
    if belongs is not None:
        row = {"campaign_id": campaign, "belongs": belongs, "by": by.who, "at": by.at}
        insert_many(conn, campaign_issues, [row | {"issue_id": one} for one in issue_ids])
    note(conn, by, "place_in_campaign", campaign, None, {"issues": issue_ids, "belongs": belongs})


def belongs(campaign: Campaign, zone: tzinfo) -> ColumnElement[bool]:
    """The condition on `issues`. A tip-off is never found by it."""
    by_hand = select(campaign_issues.c.issue_id).where(campaign_issues.c.campaign_id == campaign.id)
    put_in, taken_out = (by_hand.where(campaign_issues.c.belongs.is_(said)) for said in (True, False))
    found = or_(_fits(campaign, zone), issues.c.id.in_(put_in))
    return and_(issues.c.kind != Kind.TIP_OFF.value, found, issues.c.id.not_in(taken_out))


def _fits(campaign: Campaign, zone: tzinfo) -> ColumnElement[bool]:
    wanted = campaign.criteria
    if not (wanted.kinds or wanted.categories or wanted.grids):
        return false()
    begins, ends = campaign.span(zone)
    where: list[ColumnElement[bool]] = [issues.c.submitted_at >= begins, issues.c.submitted_at < ends]
    where += [issues.c.kind.in_(wanted.kinds)] if wanted.kinds else []
    where += [issues.c.category.in_(wanted.categories)] if wanted.categories else []
    if wanted.grids:
        above = grids.alias("above")
        within = (grids.c.path + "/").startswith(above.c.path + "/")
        where.append(issues.c.grid.in_(select(grids.c.id).join(above, within).where(above.c.id.in_(wanted.grids))))
    return and_(*where)


def page(
    conn: Connection, actor: Actor, campaign: str, zone: tzinfo, before: str = "", limit: int = 50
) -> tuple[list[Found], str | None]:  # fmt: skip
    """Its issues as far as this reader sees them, the newest first, and the id to read on before."""
    limit = max(1, min(limit, read.MOST))
    where = [belongs(find(conn, campaign), zone), *read.allowed(sight.scope(actor))]
    where += [issues.c.id < before] if before else []
    wanted = select(*read.SHOWN).where(*where).order_by(issues.c.id.desc()).limit(limit + 1)
    found = [read.found_in(row) for row in conn.execute(wanted).mappings()]
    return found[:limit], found[limit - 1].issue.id if len(found) > limit else None


def counts(conn: Connection, campaign: Campaign, zone: tzinfo) -> dict[str, int]:
    """How many stand at each step now, and how many of all are overdue."""
    where = belongs(campaign, zone)
    standing = select(issues.c.step, func.count().label("n")).where(where).group_by(issues.c.step)
    found = {row.step: int(row.n) for row in conn.execute(standing)}
    late = select(func.count()).select_from(issues).where(where, issues.c.overdue)
    return found | {"overdue": conn.execute(late).scalar_one()}


def cases(
    conn: Connection,
    period: Period,
    campaign: Campaign,
    zone: tzinfo,
    after: str = "",
    ahead: timedelta = figures.AHEAD,
) -> figures.Page:
    """A page of what its rates are counted from."""
    return figures.page(conn, period, after, among=belongs(campaign, zone), ahead=ahead)
