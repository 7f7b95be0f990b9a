"""What leaders have in hand: claims 领题, legacy claims from before, and links 挂钩, which are no claims (docs/rules.md §2, §7)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple

from msgspec import Struct
from sqlalchemy import Connection, RowMapping, bindparam, func, insert, literal, select, union_all, update
from sqlalchemy.exc import IntegrityError

from liuti.flow.kernel import Actor, Refused
from liuti.flow.words import OPEN, Lane, Role
from liuti.store.audit import By, changed, note
from liuti.store.ids import uuid7
from liuti.store.people import actor_of, people_by_role, plain_login, roles_of
from liuti.store.tables import issues, links, people
from liuti.store.tables_registries import leader_links, legacy_claims, projects

LinkKind = Literal["industry", "livelihood"]
MOST = 100
MOST_TARGETS = 2_000
OPEN_STEPS = frozenset(step.value for step in OPEN)


# -- by leader -----------------------------------------------------------------------------------------------------


class Held(NamedTuple):
    """What one leader has: claims here and legacy ones, by open and closed, and standing links by kind."""

    leader: Actor
    claims: Counter[str]
    legacy: Counter[str]
    links: Counter[str]

    @property
    def claimed_here(self) -> bool:
        return self.claims.total() > 0

    @property
    def claimed(self) -> bool:
        """A leader with a legacy claim has a claim; a link is none."""
        return self.claimed_here or self.legacy.total() > 0


_HAVE = union_all(
    select(literal("claims").label("what"), issues.c.leader, issues.c.step.label("state"), func.count().label("n"))
    .where(issues.c.leader.is_not(None), issues.c.lane == Lane.TOPIC.value)
    .group_by(issues.c.leader, issues.c.step),
    select(literal("legacy"), legacy_claims.c.leader, legacy_claims.c.state, func.count())
    .group_by(legacy_claims.c.leader, legacy_claims.c.state),
    select(literal("links"), leader_links.c.leader, leader_links.c.kind, func.count())
    .where(leader_links.c.ended_at.is_(None))
    .group_by(leader_links.c.leader, leader_links.c.kind),
)  # fmt: skip


def by_leader(conn: Connection, level: str = "") -> list[Held]:
    """Everybody who is a leader now, by level and id. In the direct lane nobody claims: those issues count for nobody."""
    leaders = [one for one in people_by_role(conn, Role.LEADER) if level in ("", one.level)]
    found = {one.id: Held(one, Counter(), Counter(), Counter()) for one in leaders}
    for row in conn.execute(_HAVE):
        if row.leader not in found:
            continue
        held = found[row.leader]
        if row.what == "claims":
            held.claims["open" if row.state in OPEN_STEPS else "closed"] += row.n
        else:
            (held.legacy if row.what == "legacy" else held.links)[row.state] += row.n
    return sorted(found.values(), key=lambda held: (held.leader.level, held.leader.id))


# -- links ---------------------------------------------------------------------------------------------------------


def add_link(conn: Connection, actor: Actor, leader: str, kind: LinkKind, target: str, by: By) -> dict[str, Any]:
    """A leader tied to an industry or livelihood project. Refused 403 for another leader's, 422 for whom or what is not
    there, 409 where the link stands already."""
    _own(actor, leader)
    person = actor_of(conn, leader)
    if person is None or person.roles.isdisjoint({Role.LEADER, Role.PRINCIPAL}):
        raise Refused("no_such_leader", 422, "没有这位领导。", "There is no such leader.", "leader")
    there = {
        "industry": select(links.c.id).where(links.c.kind == "project", links.c.id == target),
        "livelihood": select(projects.c.id).where(projects.c.id == target),
    }[kind]
    if conn.execute(there).first() is None:
        raise Refused("no_such_project", 422, "没有这个项目。", "There is no such project.", "target")
    row: dict[str, Any] = {
        "id": uuid7(by.at),
        "leader": leader,
        "kind": kind,
        "target": target,
        "by": by.who,
        "at": by.at,
    }
    try:
        conn.execute(insert(leader_links), [row | {"ended_by": None, "ended_at": None}])
    except IntegrityError:
        zh, en = "该领导已与此项目挂钩。", "This leader is linked to that project already."
        raise Refused("linked", 409, zh, en, "target") from None
    note(conn, by, "add_link", row["id"], None, {"leader": leader, "kind": kind, "target": target})
    return row | {"ended_by": None, "ended_at": None}


_LINK = select(leader_links).where(leader_links.c.id == bindparam("id")).with_for_update()


def end_link(conn: Connection, actor: Actor, link: str, by: By) -> dict[str, Any]:
    """It stays on record with its days. Refused 404, 403 for another leader's, 409 where it has ended."""
    row = conn.execute(_LINK, {"id": link}).mappings().first()
    if row is None:
        raise Refused("no_such_link", 404, "没有这条挂钩。", "There is no such link.")
    _own(actor, row["leader"])
    if row["ended_at"] is not None:
        raise Refused("link_ended", 409, "此挂钩已经解除。", "This link has ended already.")
    values = {"ended_by": by.who, "ended_at": by.at}
    conn.execute(update(leader_links).where(leader_links.c.id == link).values(values))
    changed(conn, by, "end_link", link, {"ended_at": None}, {"ended_at": by.at.isoformat()})
    return dict(row) | values


def _own(actor: Actor, leader: str) -> None:
    if Role.INSPECTOR not in actor.roles and leader != actor.id:
        raise Refused("own_links_only", 403, "领导只能办理自己的挂钩。", "A leader sets links only for themselves.")


def links_of(conn: Connection, leader: str = "", before: str = "", limit: int = 50) -> list[RowMapping]:
    """The latest first; of one leader if named."""
    found = select(leader_links).order_by(leader_links.c.id.desc()).limit(max(1, min(limit, MOST)))
    found = found.where(leader_links.c.leader == leader) if leader else found
    found = found.where(leader_links.c.id < before) if before else found
    return list(conn.execute(found).mappings())


_TARGETS = union_all(
    *(
        select(each.limit(MOST_TARGETS).subquery())
        for each in (
            select(literal("industry").label("kind"), links.c.id, links.c.name)
            .where(links.c.kind == "project").order_by(links.c.name),
            select(literal("livelihood").label("kind"), projects.c.id, projects.c.name)
            .where(projects.c.struck_off_at.is_(None)).order_by(projects.c.name),
        )
    )
).order_by("name")  # fmt: skip


def targets(conn: Connection) -> dict[LinkKind, list[tuple[str, str]]]:
    """What a leader can be linked to, by id and name: industry projects, and livelihood projects not struck off."""
    found: dict[LinkKind, list[tuple[str, str]]] = {"industry": [], "livelihood": []}
    for row in conn.execute(_TARGETS):
        found[row.kind].append((row.id, row.name))
    return found


# -- legacy claims -------------------------------------------------------------------------------------------------


class Legacy(Struct, frozen=True):
    """One claim of a list kept before: the leader by account or name, and what was promised."""

    number: str
    leader: str
    level: str
    title: str
    goal: str
    claimed: str
    """The local day."""
    state: str
    """open or closed"""


def legacy_of(conn: Connection, leader: str, limit: int = MOST) -> list[RowMapping]:
    """One leader's legacy claims, the latest first."""
    found = select(legacy_claims).where(legacy_claims.c.leader == leader)
    return list(
        conn.execute(found.order_by(legacy_claims.c.claimed.desc(), legacy_claims.c.number).limit(limit)).mappings()
    )


Verdict = Literal["new", "known", "closed"] | Refused


def bring_in(conn: Connection, source: str, rows: Sequence[Legacy], by: By) -> list[Verdict]:
    """Each once, known by (source, number); the cap of claims does not look at them. A known one that is open here and
    closed in the list is closed; one that differs otherwise is refused. Runs in the caller's transaction."""
    found = select(legacy_claims).where(
        legacy_claims.c.source == source, legacy_claims.c.number.in_([row.number for row in rows])
    )
    known = {row["number"]: dict(row) for row in conn.execute(found).mappings()}
    everybody = _Names(conn.execute(_EVERYBODY).mappings())
    verdicts: list[Verdict] = []
    for row in rows:
        try:
            verdicts.append(_one(conn, source, row, everybody.find(row.leader, row.level), known, by))
        except Refused as refused:
            verdicts.append(refused)
    return verdicts


def _one(
    conn: Connection, source: str, row: Legacy, leader: str, known: dict[str, dict[str, Any]], by: By
) -> Verdict:  # fmt: skip
    said = {"leader": leader, "title": row.title, "goal": row.goal, "claimed": row.claimed}
    before, subject = known.get(row.number), f"{source}/{row.number}"[:80]
    if before is None:
        kept = {"source": source, "number": row.number, "state": row.state} | said
        conn.execute(insert(legacy_claims), [kept | {"by": by.who, "at": by.at}])
        known[row.number] = kept
        note(conn, by, "import_claim", subject, None, {"leader": leader, "state": row.state})
        return "new"
    if any(before[name] != value for name, value in said.items()):
        zh, en = "这个编号已有一条领题,但内容不同。", "This number has a claim with other contents."
        raise Refused("number_taken", 409, zh, en, "number")
    if (before["state"], row.state) != ("open", "closed"):
        return "known"
    mine = (legacy_claims.c.source == source) & (legacy_claims.c.number == row.number)
    conn.execute(update(legacy_claims).where(mine).values(state="closed"))
    before["state"] = "closed"
    changed(conn, by, "close_claim", subject, {"state": "open"}, {"state": "closed"})
    return "closed"


_EVERYBODY = select(people.c.id, people.c.login, people.c.name, people.c.roles, people.c.level)


class _Names:
    """Who is meant by an account or a name: leaders before others, and of the level that is named."""

    def __init__(self, rows: Iterable[RowMapping]) -> None:
        self.by_login: dict[str, str] = {}
        self.by_name: dict[str, list[RowMapping]] = {}
        for row in rows:
            self.by_login[row["login"]] = row["id"]
            self.by_name.setdefault(row["name"], []).append(row)

    def find(self, words: str, level: str) -> str:
        """The id; Refused when nobody is called so, or more than one."""
        if (login := self.by_login.get(plain_login(words))) is not None:
            return login
        found = self.by_name.get(words, [])
        for fits in (lambda row: _leads(row["roles"]), lambda row: not level or row["level"] == level):
            found = [row for row in found if fits(row)] or found
        if not found:
            zh, en = f"没有这位领导:{words}", f"there is no such leader: {words}"
            raise Refused("no_such_leader", 422, zh, en, "leader")
        if len(found) > 1:
            zh, en = f"不止一人叫{words},请写账号", f"more than one person is called {words}: give the account"
            raise Refused("leader_not_unique", 422, zh, en, "leader")
        return str(found[0]["id"])


def _leads(roles: str) -> bool:
    return not roles_of(roles).isdisjoint({Role.LEADER, Role.PRINCIPAL})


def with_legacy(conn: Connection, before: str, as_of: datetime) -> set[str]:
    """Leaders with a legacy claim of a day before that one, as far as the list had been brought in by then."""
    there = legacy_claims.c.claimed < before, legacy_claims.c.at <= as_of
    return set(conn.execute(select(legacy_claims.c.leader).where(*there).distinct()).scalars())
