"""Readings of the supervision boards: what is late, asked for, ordered, to be verified or phoned, and who stands out (docs/rules.md §5, §8)."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, TypeVar

from msgspec import json
from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    Select,
    String,
    and_,
    bindparam,
    false,
    func,
    or_,
    select,
    text,
    tuple_,
    union_all,
)

from liuti.flow import sight
from liuti.flow.clocks import STRIKES
from liuti.flow.issue import Ask, Issue, Order, Timer
from liuti.flow.kernel import Actor, Refused
from liuti.flow.words import OPEN, UNIT_ROLES, Clock, Role, Step
from liuti.store import read
from liuti.store.read import Found, Wish
from liuti.store.tables import Moment, assignments, contacts, entries, issues, ratings, units, voices

T = TypeVar("T")
SPARE = 3
"""Rows looked at for each row wanted, where only the whole state can tell: a page is one statement, and may be short."""
WATCHERS = frozenset({Role.INSPECTOR, Role.TEAM, Role.PRINCIPAL, Role.AUDITADMIN})
"""They see everybody's lateness; leaders and units see their own."""
# A clock may run at these; an appeal's at an end too.
_CLOCKED = (*OPEN, Step.CLOSED, Step.REJECTED)
# What never starts, stops, pauses, extends or climbs a clock.
_ASIDE = ("cosign", "attach", "vote", "sign_gate", "progress", "milestone", "finish", "declare_conflict")
MOST_ENTRIES = 80
"""Of one issue's history, the latest."""
COUNTED = 1000


class Board(NamedTuple):
    rows: list[Any]
    cursor: str | None
    """Give it back to read on; None at the end. A page may hold fewer rows than asked for and still have a cursor."""


# -- reading on ----------------------------------------------------------------------------------------------------


def _mark(*key: Any) -> str:
    return base64.urlsafe_b64encode(json.encode(key)).decode()


def _key(cursor: str, shape: type[T]) -> T:
    """The key a cursor holds, or Refused 422 `bad_cursor`: whatever somebody made up must not reach the database."""
    try:
        key = json.decode(base64.urlsafe_b64decode(cursor.encode()), type=shape)
        at, issue, version = (*key, 0)[:3]  # type: ignore[misc]
        if at.tzinfo is None or at.astimezone(UTC).year < 2000 or "\x00" in issue or not 0 <= version < 2**31:
            raise ValueError("no key of ours")
    except (ValueError, OverflowError) as error:
        zh, en = "翻页标记无效,请从头查起。", "This cursor is not ours: start from the first page."
        raise Refused("bad_cursor", 422, zh, en, "cursor") from error
    return key


def _fill(
    rows: Sequence[RowMapping], looked_at: int, limit: int, take: Callable[[RowMapping], T | None],
    mark: Callable[[RowMapping], str],
) -> tuple[list[T], str | None]:  # fmt: skip
    """As many rows as wanted of those looked at, and where to go on: after the last one looked at."""
    taken: list[T] = []
    for place, row in enumerate(rows):
        if len(taken) == limit:
            return taken, mark(rows[place - 1])
        if (one := take(row)) is not None:
            taken.append(one)
    return taken, mark(rows[-1]) if len(rows) == looked_at else None


def _by_deadline(row: RowMapping) -> str:
    return _mark(row["deadline"], row["id"])


def _after_deadline(cursor: str) -> list[ColumnElement[bool]]:
    if not cursor:
        return []
    deadline, last = _key(cursor, tuple[datetime, str])
    given = tuple_(bindparam("mark_at", deadline, type_=Moment), bindparam("mark_id", last, type_=String))
    return [tuple_(issues.c.deadline, issues.c.id) > given]


def _before_entry(cursor: str) -> list[ColumnElement[bool]]:
    if not cursor:
        return []
    at, issue, version = _key(cursor, tuple[datetime, str, int])
    mark = bindparam("mark_at", at, type_=Moment)
    return [
        or_(
            entries.c.at < mark,
            and_(entries.c.at == mark, tuple_(entries.c.issue_id, entries.c.version) < tuple_(issue, version)),
        )
    ]


def _by_entry(row: RowMapping) -> str:
    return _mark(row["entry_at"], row["id"], row["entry_version"])


def _own(actor: Actor) -> list[ColumnElement[bool]]:
    """Leaders and units read of their own; whoever watches over all of them is not narrowed."""
    if not actor.roles.isdisjoint(WATCHERS):
        return []
    mine: list[ColumnElement[bool]] = [issues.c.leader == actor.id] if Role.LEADER in actor.roles else []
    if actor.unit and not actor.roles.isdisjoint(UNIT_ROLES):
        mine.append(read._at_work(actor.unit))
    return [or_(*mine)] if mine else [false()]


# -- what is late --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Late:
    """What the overdue board should hold; empty fields do not narrow it."""

    step: Step | None = None
    unit: str = ""
    leader: str = ""
    grid: str = ""
    rung: int | None = None
    colour: str = ""
    cursor: str = ""
    limit: int = 50


def alarm(timer: Timer, now: datetime) -> str:
    """`red` once the due time passed, `yellow` from the warning on, else "": by the clock, even where the sweep is late.

    A clock whose time does something else than make somebody late (it lapses, closes or resumes) never alarms.
    """
    if not timer.running or timer.clock in STRIKES:
        return ""
    if timer.red or timer.due <= now:
        return "red"
    return "yellow" if timer.warned or (timer.next is not None and timer.next <= now) else ""


def alarms(issue: Issue, now: datetime) -> list[tuple[Timer, str]]:
    """The clocks of an issue that are late or about to be, the earliest due first."""
    found = [(timer, colour) for timer in issue.timers if (colour := alarm(timer, now))]
    return sorted(found, key=lambda one: one[0].due)


def worst(found: list[tuple[Timer, str]]) -> str:
    """The colour of a whole row: red as soon as one of its clocks is."""
    return "red" if any(colour == "red" for _, colour in found) else "yellow"


LAG = timedelta(hours=1)
"""How long what time only closes or resumes may wait for the sweep and still be found among the yellow."""


def late(conn: Connection, actor: Actor, wish: Late, now: datetime, until: datetime) -> Board:
    """Issues late or about to be, the earliest due first, in one statement. `until` is the latest due time of a clock
    that can have been warned by now."""
    limit = max(1, min(wish.limit, read.MOST))
    most = limit * SPARE
    where = [*_late_where(conn, actor, wish), issues.c.deadline <= (now if wish.colour == "red" else until)]
    if wish.colour == "yellow":
        where.append(issues.c.deadline > now - LAG)
    picked = _earliest(wish.step, [*where, *_after_deadline(wish.cursor)], most)
    found = select(*read._SHOWN).join(picked, picked.c.id == issues.c.id)
    rows = conn.execute(found.order_by(issues.c.deadline, issues.c.id).limit(most)).mappings().all()

    def take(row: RowMapping) -> Found | None:
        one = read._found(row)
        late_ones = alarms(one.issue, now)
        fits = late_ones and wish.colour in ("", worst(late_ones))
        fits = fits and (wish.rung is None or max(t.rung for t, _ in late_ones) == wish.rung)
        return one if fits and sight.may_see(actor, one.issue) else None

    return Board(*_fill(rows, most, limit, take, _by_deadline))


def _late_where(conn: Connection, actor: Actor, wish: Late) -> list[ColumnElement[bool]]:
    narrow = read._narrow(conn, actor, Wish(unit=wish.unit, leader=wish.leader, grid=wish.grid))
    # A first sieve for the few that stand so high; the state itself decides.
    climbed = [issues.c.state.like(f'%"rung":{wish.rung}%')] if wish.rung else []
    return [*read._allowed(sight.scope(actor)), *_own(actor), *narrow, *climbed]


def _earliest(step: Step | None, where: list[ColumnElement[bool]], most: int) -> Any:
    """The first by deadline, step by step along the index, so that a page does not grow with the table."""
    columns = (issues.c.id, issues.c.deadline, issues.c.step, issues.c.lead_unit, issues.c.grid, issues.c.leader)
    order = (issues.c.deadline, issues.c.id)
    each = [
        select(*columns).where(issues.c.step == one.value, *where).order_by(*order).limit(most).subquery()
        for one in ([step] if step else _CLOCKED)
    ]
    return union_all(*(select(one) for one in each)).subquery("picked")


def late_counts(conn: Connection, actor: Actor, wish: Late, now: datetime) -> dict[str, dict[str, int]]:
    """How many are red by step, unit, grid and leader, counted over the 1000 longest overdue at each step."""
    picked = _earliest(wish.step, [*_late_where(conn, actor, wish), issues.c.deadline <= now], COUNTED)
    by: dict[str, dict[str, int]] = {"step": {}, "lead_unit": {}, "grid": {}, "leader": {}}
    grouped = select(*(picked.c[name] for name in by), func.count().label("n"))
    for row in conn.execute(grouped.group_by(*(picked.c[name] for name in by))).mappings():
        for name, counts in by.items():
            counts[row[name] or ""] = counts.get(row[name] or "", 0) + row["n"]
    return by


# -- what the ledger says of them ----------------------------------------------------------------------------------

_ENTRY = (
    entries.c.issue_id, entries.c.version, entries.c.move, entries.c.actor, entries.c.role, entries.c.unit,
    entries.c.from_step, entries.c.to_step, entries.c.at, entries.c.facts, entries.c.words, entries.c.awaits,
    entries.c.seal,
)  # fmt: skip


def _told(condition: ColumnElement[bool]) -> Select[Any]:
    """The latest entries of each of the issues `ids`, in their order."""
    back = func.row_number().over(partition_by=entries.c.issue_id, order_by=entries.c.version.desc()).label("back")
    ours = entries.c.issue_id.in_(bindparam("ids", expanding=True))
    numbered = select(*_ENTRY, back).where(ours, condition).subquery()
    name = units.c.name.label("unit_name")
    found = select(numbered, name).outerjoin(units, units.c.id == numbered.c.unit)
    return found.where(numbered.c.back <= MOST_ENTRIES).order_by(numbered.c.issue_id, numbered.c.version)


_OF_CLOCKS = _told(entries.c.move.not_in(_ASIDE))
_OF_MOVES = {name: _told(entries.c.move == name) for name in ("fail_check", "rate")}


def told(conn: Connection, ids: Sequence[str], move: str = "") -> dict[str, list[dict[str, Any]]]:
    """Of each issue the entries that touched its clocks, or those of one move; one statement, 80 an issue at most."""
    found: dict[str, list[dict[str, Any]]] = {one: [] for one in ids}
    if ids:
        for row in conn.execute(_OF_MOVES[move] if move else _OF_CLOCKS, {"ids": list(ids)}).mappings():
            plain = {"words": json.decode(row["words"] or "null"), "facts": json.decode(row["facts"])}
            found[row["issue_id"]].append(dict(row) | plain)
    return found


# -- requests and orders, found by the entries that made them ----------------------------------------------------------

_ENTRY_KEYS = (
    entries.c.at.label("entry_at"), entries.c.version.label("entry_version"), entries.c.move.label("entry_move"),
    entries.c.facts.label("entry_facts"),
)  # fmt: skip
_NEWEST = (entries.c.at.desc(), entries.c.issue_id.desc(), entries.c.version.desc())
_WITH_ISSUE = select(*read._SHOWN, *_ENTRY_KEYS).join(entries, entries.c.issue_id == issues.c.id)
# Written bare: a parameter would not match the partial index.
_AWAITS = text("entries.awaits <> ''")
_STANDS = or_(entries.c.to_step == issues.c.step, entries.c.move == "appeal")
_ASKED = _WITH_ISSUE.where(_AWAITS, entries.c.move.not_in(("grant", "deny")), _STANDS).order_by(*_NEWEST)


class Asked(NamedTuple):
    found: Found
    ask: Ask


def requests(
    conn: Connection, actor: Actor, fits: Callable[[Issue, Ask], bool], move: str = "", cursor: str = "", limit: int = 50
) -> Board:  # fmt: skip
    """Requests still open that `fits`, the latest first. One that lapsed at a change of step is not found any more."""
    where = [*read._allowed(sight.scope(actor)), *_before_entry(cursor)]
    most = limit * SPARE
    stmt = _ASKED.where(*where, entries.c.move == move) if move else _ASKED.where(*where)
    rows = conn.execute(stmt.limit(most)).mappings().all()

    def take(row: RowMapping) -> Asked | None:
        one, number = read._found(row), json.decode(row["entry_facts"]).get("request")
        ask = next((a for a in one.issue.open_asks() if a.id == number), None)
        seen = ask is not None and sight.may_see(actor, one.issue)
        return Asked(one, ask) if seen and ask is not None and fits(one.issue, ask) else None

    return Board(*_fill(rows, most, limit, take, _by_entry))


class Ordered(NamedTuple):
    found: Found
    order: Order
    state: str


# The entry an order stands in: its signing, its draft by the ladder's second rung, or the last round after two redos.
_OF_ORDERS = text(
    "(entries.move IN ('order', 'escalate') OR "
    "(entries.move = 'urge' AND entries.role = 'clock' AND entries.facts LIKE '%\"rung\"\\:2%'))"
)
_ORDERS = _WITH_ISSUE.where(_OF_ORDERS).order_by(*_NEWEST)


def state_of(order: Order) -> str:
    if order.settled is not None:
        return "settled"
    return "answered" if order.responded is not None else "signed" if order.signed is not None else "drafted"


def orders(conn: Connection, actor: Actor, state: str = "", cursor: str = "", limit: int = 50) -> Board:
    """Written orders, the latest drafted or signed first; a draft that was signed stands at its signing."""
    where = [*read._allowed(sight.scope(actor)), *_own(actor), *_before_entry(cursor)]
    most = limit * SPARE
    rows = conn.execute(_ORDERS.where(*where).limit(most)).mappings().all()

    def take(row: RowMapping) -> Ordered | None:
        one = read._found(row)
        order = _order_of(one.issue, row)
        if order is None or not sight.may_see(actor, one.issue) or state not in ("", state_of(order)):
            return None
        return Ordered(one, order, state_of(order))

    return Board(*_fill(rows, most, limit, take, _by_entry))


def _order_of(issue: Issue, row: RowMapping) -> Order | None:
    """The order an entry signed, or the one time drafted in it; a draft signed since stands at its signing instead."""
    facts = json.decode(row["entry_facts"])
    if row["entry_move"] == "order":
        return next((o for o in issue.orders if o.id == facts.get("order")), None)
    clock, unit = facts.get("clock", ""), facts.get("unit", "")
    to = "unit:" + unit if unit and clock != Clock.ORDER else ""
    by_clock = (o for o in issue.orders if o.drafted == row["entry_at"] and o.signed_by in ("", "clock"))
    return next((o for o in by_clock if o.clock == clock and to in ("", o.to)), None)


# -- verification and call-backs ---------------------------------------------------------------------------------------


def at_step(
    conn: Connection, actor: Actor, step: Step, fits: Callable[[Issue], bool], cursor: str = "", limit: int = 50
) -> Board:  # fmt: skip
    """What stands at a step and `fits`, outside the actor's own unit, the most pressing first."""
    at_work = select(assignments.c.issue_id).where(
        assignments.c.unit_id == actor.unit, assignments.c.status != "sent_back"
    )
    outside = [issues.c.id.not_in(at_work)] if actor.unit else []
    where = [issues.c.step == step.value, *read._allowed(sight.scope(actor)), *outside, *_after_deadline(cursor)]
    most = limit * SPARE
    found = select(*read._SHOWN).where(*where).order_by(issues.c.deadline, issues.c.id).limit(most)

    def take(row: RowMapping) -> Found | None:
        one = read._found(row)
        return one if sight.may_see(actor, one.issue) and fits(one.issue) else None

    return Board(*_fill(conn.execute(found).mappings().all(), most, limit, take, _by_deadline))


MOST_VOICES = 20
_RATED = (
    select(func.max(ratings.c.round))
    .where(ratings.c.issue_id == voices.c.issue_id, ratings.c.voice_id == voices.c.id)
    .scalar_subquery()
)


def unrated(conn: Connection, found: Sequence[Issue]) -> dict[str, list[dict[str, Any]]]:
    """Of each issue the first 20 voices invited that have not rated in its round, those who phoned first.

    Whether there is a number, never the number: that is opened for a purpose, and on record (docs/rules.md §8).
    """
    by_round: dict[int, list[str]] = {}
    invited = {issue.id: timer.started for issue in found if (timer := issue.latest(Clock.EVALUATE)) is not None}
    people: dict[str, list[dict[str, Any]]] = {one: [] for one in invited}
    for issue in found:
        by_round.setdefault(issue.verdict.round, []).append(issue.id)
    if not by_round:
        return people
    waiting = [and_(voices.c.issue_id.in_(ids), func.coalesce(_RATED, 0) < number) for number, ids in by_round.items()]
    phoned = (voices.c.channel == "12345").label("phoned")
    place = func.row_number().over(partition_by=voices.c.issue_id, order_by=(phoned.desc(), voices.c.at, voices.c.id))
    has_number = contacts.c.phone_hash.is_not(None).label("has_number")
    numbered = (
        select(voices.c.id, voices.c.issue_id, voices.c.channel, voices.c.at, phoned, has_number, place.label("place"))
        .select_from(voices.outerjoin(contacts, contacts.c.voice_id == voices.c.id))
        .where(or_(*waiting), voices.c.left_at.is_(None))
        .subquery()
    )
    for row in conn.execute(
        select(numbered).where(numbered.c.place <= MOST_VOICES).order_by(numbered.c.issue_id, numbered.c.place)
    ).mappings():
        if row["issue_id"] in invited and row["at"] <= invited[row["issue_id"]]:
            people[row["issue_id"]].append(dict(row))
    return people


# -- who stands out ------------------------------------------------------------------------------------------------

OUTLYING = ("reject", "merge", "adjust", "explain", "terminate", "exclude", "send_back")
# What an officer's or unit's figure is measured against: how many they decided, or brought to a result.
MEASURE = {
    "reject": ("accept_topic", "accept_direct", "reject"), "merge": ("accept_topic", "accept_direct", "merge"),
    "adjust": ("publish", "reserve"), "explain": ("publish", "reserve", "explain"),
    "terminate": ("submit_result", "terminate"), "exclude": ("submit_result",), "send_back": ("sign", "send_back"),
}  # fmt: skip
# Written bare, as above: of all entries only these are found by their move.
_COUNTED_MOVES = sorted({*OUTLYING, "grant", "deny", *(move for moves in MEASURE.values() for move in moves)})
_IS_ACT = text(f"entries.move IN ({', '.join(repr(move) for move in _COUNTED_MOVES)})")
MOST_ACTS = 20_000
"""Entries one answer is computed from; a longer period is asked for piece by piece."""
_IN_PERIOD = (
    _IS_ACT, entries.c.at >= bindparam("since", type_=Moment), entries.c.at < bindparam("until", type_=Moment),
)  # fmt: skip
_LIGHT = (
    entries.c.issue_id, entries.c.version, entries.c.move, entries.c.actor, entries.c.unit, entries.c.awaits, entries.c.facts,
)  # fmt: skip
_ACTS = (
    select(*_LIGHT)
    .where(entries.c.move.in_((*OUTLYING, "grant", "deny")), *_IN_PERIOD)
    .order_by(entries.c.at, entries.c.issue_id, entries.c.version)
    .limit(MOST_ACTS + 1)
)
_ASKS_OF = select(*_LIGHT).where(
    entries.c.issue_id.in_(bindparam("ids", expanding=True)), entries.c.move.in_(OUTLYING), _AWAITS
)
_RECENT = (
    select(entries.c.move, entries.c.actor, entries.c.unit)
    .where(entries.c.move.in_(sorted({m for moves in MEASURE.values() for m in moves} - set(OUTLYING))), *_IN_PERIOD)
    .limit(10 * MOST_ACTS)
    .subquery()
)
_MEASURES = select(_RECENT, func.count().label("n")).group_by(_RECENT.c.move, _RECENT.c.actor, _RECENT.c.unit)


class Tally(NamedTuple):
    """What one officer or unit did of one kind: in force, asked for, and denied."""

    made: int = 0
    asked: int = 0
    denied: int = 0


class Outliers(NamedTuple):
    by_officer: dict[tuple[str, str], Tally]
    by_unit: dict[tuple[str, str], Tally]
    measures: dict[str, dict[tuple[str, str], int]]
    """`officer` and `unit`: how often each made each move that a figure is measured against."""
    whole: bool
    """False when the period held more than 20,000 such entries (or 200,000 to measure by): not all of it is counted."""


def outliers(conn: Connection, since: datetime, until: datetime) -> Outliers:
    """Refusals, merges, overrides, closings without result, exclusions and send-backs, from the ledger alone.

    Each counts for who asked for it, in the period in which it came into force; three statements at most.
    """
    period = {"since": since, "until": until}
    acts = conn.execute(_ACTS, period).mappings().all()
    whole, acts = len(acts) <= MOST_ACTS, acts[:MOST_ACTS]
    asked = {
        (row["issue_id"], json.decode(row["facts"]).get("request")): row
        for row in acts
        if row["awaits"] and row["move"] in OUTLYING
    }
    answers = [
        (row, json.decode(row["facts"])) for row in acts if row["move"] in ("grant", "deny") and not row["awaits"]
    ]
    answers = [(row, facts) for row, facts in answers if facts["of"] in OUTLYING]
    earlier = sorted({row["issue_id"] for row, facts in answers if (row["issue_id"], facts["request"]) not in asked})
    if earlier:
        for row in conn.execute(_ASKS_OF, {"ids": earlier}).mappings():
            asked.setdefault((row["issue_id"], json.decode(row["facts"]).get("request")), row)
    measures, measured = _measures(conn, period)
    found = Outliers({}, {}, measures, whole and measured < 10 * MOST_ACTS)
    for row in acts:
        if row["move"] in OUTLYING:
            _count(found, row["move"], row, "asked" if row["awaits"] else "made")
    for row, facts in answers:
        _count(
            found, facts["of"], asked[row["issue_id"], facts["request"]], "made" if row["move"] == "grant" else "denied"
        )
    return found


def _count(found: Outliers, move: str, row: RowMapping, what: str) -> None:
    for tallies, who in ((found.by_officer, row["actor"]), (found.by_unit, row["unit"])):
        if who:
            tally = tallies.get((who, move), Tally())
            tallies[who, move] = tally._replace(**{what: getattr(tally, what) + 1})


def _measures(conn: Connection, period: dict[str, datetime]) -> tuple[dict[str, dict[tuple[str, str], int]], int]:
    """What figures are measured against, and how many entries that was."""
    found: dict[str, dict[tuple[str, str], int]] = {"officer": {}, "unit": {}}
    total = 0
    for move, actor, unit, number in conn.execute(_MEASURES, period):
        total += number
        for name, who in (("officer", actor), ("unit", unit)):
            found[name][who, move] = found[name].get((who, move), 0) + number
    return found, total
