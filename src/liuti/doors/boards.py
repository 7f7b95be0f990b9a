"""督题: the boards of whoever watches over the work: late, asked for, to be verified or phoned, ordered, standing out (docs/rules.md §5, §8)."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request, Response
from msgspec.structs import replace

from liuti.doors.api import Text, answer
from liuti.doors.deps import office, who
from liuti.doors.moves import problems
from liuti.flow import sight
from liuti.flow.anywhere import responsible
from liuti.flow.clocks import World
from liuti.flow.issue import Ask, Issue, Timer
from liuti.flow.kernel import CLOCK, NO_FACTS, Actor, Case, Refused, not_yours
from liuti.flow.parts import drawn
from liuti.flow.standing import addressed
from liuti.flow.table import FLOW
from liuti.flow.words import OFFICIALS, Clock, Relation, Role, Step
from liuti.store import boards, read
from liuti.store.boards import Asked, Late, Ordered, Tally
from liuti.store.read import Found

Cursor = Annotated[str, Query(max_length=200)]
Limit = Annotated[int, Query(ge=1, le=read.MOST)]
WATCHED = (Role.INSPECTOR, Role.TEAM, Role.PRINCIPAL, Role.AUDITADMIN, Role.LEADER, Role.OFFICER, Role.UNIT_HEAD)
LONGEST = timedelta(days=366)
YEARS = (2000, 2999)


ASKED = (*sorted(OFFICIALS), Role.AUDITADMIN)
VERIFIES = (Role.INSPECTOR, Role.TEAM)
LOOKS_ON = (Role.TEAM, Role.AUDITADMIN)


def router() -> APIRouter:
    routes = APIRouter(prefix="/api/v1/boards", tags=["supervise"], responses=problems(401, 403, 422))
    for reading, roles, summary in (
        (overdue, WATCHED, "超期台账 what is late or about to be, with the story of its clocks"),
        (requests, ASKED, "待批申请 requests that wait for you, or for a role"),
        (verification, VERIFIES, "核查清单 results to be verified, the drawn sample marked"),
        (callbacks, (Role.CALLER,), "回访清单 who is to be phoned, and the tries so far"),
        (outliers, LOOKS_ON, "异常分布 refusals, merges, overrides, closings without result, by officer and unit"),
        (orders, WATCHED, "督办单 orders drafted, signed, answered, settled"),
    ):
        more = {"x-roles": [role.value for role in roles]}
        routes.add_api_route(f"/{reading.__name__}", reading, methods=["GET"], summary=summary, openapi_extra=more)
    return routes


def admit(actor: Actor, *roles: Role) -> None:
    if not actor.id:
        raise Refused("sign_in", 401, "请先登录。", "Please sign in.")
    if not actor.roles.isdisjoint(sight.BLIND):
        raise sight.blind()
    if actor.roles.isdisjoint(roles):
        raise not_yours(roles)


# -- late ----------------------------------------------------------------------------------------------------------


async def overdue(
    request: Request, step: Step | None = None, unit: Text = "", leader: Text = "", grid: Text = "",
    rung: Annotated[int | None, Query(ge=0, le=5)] = None, colour: Literal["", "yellow", "red"] = "", counts: bool = False,
    cursor: Cursor = "", limit: Limit = 50,
) -> Response:  # fmt: skip
    """The earliest due first; leaders and units read of their own. `rung` is the level of the ladder reached, L0 to L5.
    A page may be short of `limit`; give `cursor` back until it is null. `counts` adds how many are red, and where."""
    here, actor = office(request), await who(request)
    admit(actor, *WATCHED)
    world, now = here.desk.world(), here.now()
    wish = Late(step, unit, leader, grid, rung, colour, cursor, limit)
    ladder, most = world.policy.ladder, world.policy.clocks.overall_most
    # A clock warned by now is due within what is left of the longest one there is.
    until = now + timedelta(days=most) * (1 - ladder.warn_at) + timedelta(days=1)

    def look(conn: Any) -> tuple[boards.Board, dict[str, list[dict[str, Any]]], dict[str, dict[str, int]] | None]:
        page = boards.late(conn, actor, wish, now, until)
        told = boards.told(conn, [one.issue.id for one in page.rows])
        return page, told, boards.late_counts(conn, actor, wish, now) if counts else None

    page, told, numbers = await here.engine.read(look)
    rows = [_late_row(actor, one, told[one.issue.id], world, now) for one in page.rows]
    body: dict[str, Any] = {"rows": rows, "cursor": page.cursor}
    return answer(body | ({"red": numbers} if numbers is not None else {}))


def _late_row(actor: Actor, found: Found, told: list[dict[str, Any]], world: World, now: datetime) -> dict[str, Any]:
    issue = found.issue
    late = boards.alarms(issue, now)
    story = _seen(actor, issue, told)
    return {
        "issue": sight.listed(actor, issue, found.row, now),
        "colour": boards.worst(late),
        "rung": max(timer.rung for timer, _ in late),
        "interviews_proposed": issue.interviews,
        "clocks": [
            clock_of(timer, now)
            | {"rung": timer.rung, "late": who_is_late(issue, timer, world, now)}
            | {"history": history(timer, story)}
            for timer, colour in late
        ],
    }


def clock_of(timer: Timer, now: datetime) -> dict[str, Any]:
    """The clock as every reader sees it, its colour by the time of day, even where the sweep is late."""
    view = sight.clock_view(timer, now)
    return view | {"colour": boards.alarm(timer, now) or view["colour"]}


def who_is_late(issue: Issue, timer: Timer, world: World, now: datetime) -> list[str]:
    """Whom the clock's urges go to: unit:ID, person:ID or role:NAME; of several units at work, the late one."""
    return list(responsible(_case(issue, "warn", world, now), timer))


def _case(issue: Issue, move: str, world: World, now: datetime) -> Case:
    return Case(issue, CLOCK, FLOW.moves[move], None, now, world, NO_FACTS, now)


def _seen(actor: Actor, issue: Issue, told: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The entries as this reader may see them."""
    lines = (sight.entry_seen(actor, issue, one, {one["unit"]: one["unit_name"] or one["unit"]}) for one in told)
    return [line for line in lines if line is not None]


def history(timer: Timer, story: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What happened to one clock, in order: the times are the clock's own, by whom and why is what the ledger says.

    Where the ledger's line lies too far back to have been read, the time stands alone.
    """
    events = [_event("started", timer.started, _made_at(timer.started, story, timer.clock), story)]
    for since, until in timer.pauses:
        events.append(_event("paused", since, _made_at(since, story), story))
        events.append(_event("resumed", until, _made_at(until, story), story))
    if timer.paused is not None:
        events.append(_event("paused", timer.paused, _made_at(timer.paused, story), story))
    for line in story:
        if line["at"] >= timer.started and (what := _what_it_did(timer, line)):
            event = _event(what, line["at"], line, story)
            extended = line["facts"].get("extended", {}) if what == "extended" else {}
            events.append(event | {name: extended[name] for name in ("from", "to") if name in extended})
    return sorted(events, key=lambda event: event["at"])


def _what_it_did(timer: Timer, line: dict[str, Any]) -> str:
    facts = line["facts"]
    if line["move"] in _BY_TIME:
        mine = facts.get("clock") == timer.clock and facts.get("unit", "") == timer.unit
        return {"warn": "warned", "overdue": "struck", "urge": "urged"}[line["move"]] if mine else ""
    granted = "extended" in facts and timer.extended + (timer.clock is Clock.OVERALL) > 0
    return "extended" if granted and timer.clock in (facts["extended"]["clock"], Clock.OVERALL) else ""


# What time does by itself moves no clock but its own.
_BY_TIME = ("warn", "overdue", "urge")


def _made_at(moment: datetime, story: list[dict[str, Any]], clock: Clock | None = None) -> dict[str, Any] | None:
    """The entry that did it: of several at one moment the one whose row starts the clock, then one that changed the
    step, then rather a deed than a request."""
    there = [line for line in story if line["at"] == moment and line["move"] not in _BY_TIME]
    return min(
        there,
        key=lambda line: (bool(line["awaits"]), clock not in _starts(line), line["from"] == line["to"]),
        default=None,
    )


def _starts(line: dict[str, Any]) -> tuple[Clock, ...]:
    move = FLOW.moves.get(line["facts"].get("of", line["move"]))
    return move.starts if move is not None else ()


_WHY = ("reason", "evidence", "basis", "defects", "text", "note")


def _event(what: str, at: datetime, line: dict[str, Any] | None, story: list[dict[str, Any]]) -> dict[str, Any]:
    """By whom and why; a grant's reason is the one its request gave."""
    event: dict[str, Any] = {"what": what, "at": at}
    if line is None:
        return event
    number, of = line["facts"].get("request"), line["facts"].get("of", line["move"])
    asked = next((one for one in story if one["move"] == of and one["facts"].get("request") == number), None)
    said = ((asked if number is not None and asked is not None else line).get("words")) or {}
    event |= {"move": of, "by": line["by"], "role": line["role"], "unit": line["unit"]}
    event["why"] = next((said[name] for name in _WHY if said.get(name)), None)
    if asked is not None and asked is not line and number is not None:
        event["asked_by"] = asked["by"]
    return event | ({"rung": line["facts"]["rung"]} if "rung" in line["facts"] else {})


# -- asked for -----------------------------------------------------------------------------------------------------


async def requests(
    request: Request, role: Text = "", move: Text = "", cursor: Cursor = "", limit: Limit = 50
) -> Response:
    """Without `role`, those you may answer now: not your own, none of your own unit's, none you took part in where
    that keeps you out. With it, those that wait for that role, as far as you may see them."""
    here, actor = office(request), await who(request)
    admit(actor, *ASKED)
    _known_role(role)
    world, now = here.desk.world(), here.now()

    def fits(issue: Issue, ask: Ask) -> bool:
        return role in waits_for(ask) if role else may_answer(issue, ask, actor, world, now)

    found = await here.engine.read(
        partial(boards.requests, actor=actor, fits=fits, move=move, cursor=cursor, limit=limit)
    )
    return answer({"rows": [_asked(actor, one, world, now) for one in found.rows], "cursor": found.cursor})


def _known_role(role: str) -> None:
    if role and role not in {*Role, *Relation}:
        raise Refused("bad_form", 422, "没有这个角色。", "There is no such role.", "role")


def waits_for(ask: Ask) -> list[str]:
    """Roles or relations of whoever has the request now."""
    signer = next((s for s in FLOW.moves[ask.move].asks_of if s.name == ask.awaits[0]), None)
    return [one.value for one in signer.who] if signer is not None else []


def may_answer(issue: Issue, ask: Ask, actor: Actor, world: World, now: datetime) -> bool:
    """Judged by the flow itself, with this one request open."""
    return "grant" in FLOW.open_to(replace(issue, asks=(ask,)), actor, world, now)


def _asked(actor: Actor, one: Asked, world: World, now: datetime) -> dict[str, Any]:
    issue, ask = one.found.issue, one.ask
    move = FLOW.moves[ask.move]
    hidden = ask.role in (Relation.PROPOSER, Relation.VOICE) and sight.hides_identity(actor, issue)
    clocks = [t for t in issue.timers if t.clock in (Clock.RULING, Clock.APPEAL) and t.unit == str(ask.id)]
    held = (Clock.SOLVE, Clock.REDO, Clock.HOLD) if ask.move in ("extend", "suspend", "handover") else ()
    clocks += [t for t in issue.timers if t.clock in held and t.stopped is None]
    return {
        "issue": sight.listed(actor, issue, one.found.row, now), "request": ask.id, "move": ask.move,
        "name": {"zh": move.zh, "en": move.en}, "asked_at": ask.at, "by": None if hidden else ask.by, "role": ask.role,
        "unit": ask.unit or None, "form": ask.form, "review": ask.form.get("review"), "awaits": ask.awaits[0],
        "waits_for": waits_for(ask), "yours": may_answer(issue, ask, actor, world, now),
        "took_part": actor.id in issue.took_part, "waited_seconds": int((now - ask.at).total_seconds()),
        "clocks": [clock_of(t, now) for t in clocks],
    }  # fmt: skip


# -- to be verified ------------------------------------------------------------------------------------------------


async def verification(request: Request, cursor: Cursor = "", limit: Limit = 50) -> Response:
    """Results that an inspector outside the unit may verify, the earliest due first; a team reads the same list.
    `drawn` says whether the policy's seed draws it from what the clock would have passed: anybody can draw it again."""
    here, actor = office(request), await who(request)
    admit(actor, *VERIFIES)
    world, now = here.desk.world(), here.now()
    reads_on = Role.INSPECTOR not in actor.roles

    def fits(issue: Issue) -> bool:
        return reads_on or "pass_check" in FLOW.open_to(issue, actor, world, now)

    def look(conn: Any) -> tuple[boards.Board, dict[str, list[dict[str, Any]]]]:
        page = boards.at_step(conn, actor, Step.SUPERVISE, fits, cursor, limit)
        failed = [one.issue.id for one in page.rows if one.issue.check_fails]
        return page, boards.told(conn, failed, "fail_check")

    page, failed = await here.engine.read(look)
    rows = [_to_verify(actor, one, failed.get(one.issue.id, []), world, now) for one in page.rows]
    return answer({"rows": rows, "draw": world.policy.draw.model_dump(), "cursor": page.cursor})


def _to_verify(actor: Actor, found: Found, failed: list[dict[str, Any]], world: World, now: datetime) -> dict[str, Any]:
    issue = found.issue
    category, review = world.policy.categories.get(issue.category), issue.timer(Clock.REVIEW)
    physical = category is not None and category.physical
    return {
        "issue": sight.listed(actor, issue, found.row, now), "own_word": issue.own_word, "reply": issue.reply or None,
        "sample": issue.to_inspect, "drawn": drawn(_case(issue, "warn", world, now)),
        "photos": issue.photos, "site_photos": issue.site_photos,
        "on_site": physical and not issue.site_photos,
        "check_fails": issue.check_fails, "redos": issue.redos, "last_round": issue.last_round,
        "defects": [
            {"at": line["at"], "by": line["by"], "method": line["facts"].get("method", "on_site"),
             "defects": (line.get("words") or {}).get("defects", [])} for line in _seen(actor, issue, failed)
        ],
        "clock": clock_of(review, now) if review is not None else None,
    }  # fmt: skip


# -- to be phoned --------------------------------------------------------------------------------------------------


async def callbacks(request: Request, cursor: Cursor = "", limit: Limit = 50) -> Response:
    """Whose call-back is due, the earliest first, those who phoned before those who only did not answer. The number
    itself is opened at `people`, for a purpose, and the look is on record."""
    here, actor = office(request), await who(request)
    admit(actor, Role.CALLER)
    world, now = here.desk.world(), here.now()

    def fits(issue: Issue) -> bool:
        return issue.timer(Clock.CALLBACK) is not None and "rate" in FLOW.open_to(issue, actor, world, now)

    def look(conn: Any) -> tuple[boards.Board, dict[str, list[dict[str, Any]]], dict[str, list[dict[str, Any]]]]:
        page = boards.at_step(conn, actor, Step.EVALUATE, fits, cursor, limit)
        called = [one.issue.id for one in page.rows if one.issue.verdict.tries]
        return page, boards.unrated(conn, [one.issue for one in page.rows]), boards.told(conn, called, "rate")

    page, people, calls = await here.engine.read(look)
    rows = [
        _to_phone(actor, one, people.get(one.issue.id, []), calls.get(one.issue.id, []), world, now)
        for one in page.rows
    ]
    return answer({"rows": rows, "cursor": page.cursor})


def _to_phone(
    actor: Actor, found: Found, people: list[dict[str, Any]], calls: list[dict[str, Any]], world: World, now: datetime
) -> dict[str, Any]:
    issue = found.issue
    timer = issue.timer(Clock.CALLBACK)
    assert timer is not None
    since = [line for line in calls if line["role"] == Role.CALLER and line["at"] >= timer.started]
    tries = [{"at": line["at"], "by": line["actor"], "voice": line["facts"].get("voice"),
              "outcome": line["facts"].get("outcome", "rated")} for line in since]  # fmt: skip
    opened = sight.may_open_contact(actor, issue)
    return {
        "issue": sight.listed(actor, issue, found.row, now), "round": issue.verdict.round,
        "invited": issue.verdict.invited, "rated": issue.verdict.rated,
        "tries": issue.verdict.tries, "tries_most": world.policy.limits.call_tries, "calls": tries,
        "people": [
            {"voice": one["id"], "proposer": one["id"] == issue.proposer, "channel": one["channel"],
             "phoned": bool(one["phoned"]), "has_number": bool(one["has_number"]),
             "tries": sum(1 for call in tries if call["voice"] == one["id"])} for one in people
        ] if opened else [],
        "contact": f"/api/v1/issues/{issue.id}/people" if opened else None,
        "clock": clock_of(timer, now),
    }  # fmt: skip


# -- ordered -------------------------------------------------------------------------------------------------------


async def orders(
    request: Request, state: Literal["", "drafted", "signed", "answered", "settled"] = "", cursor: Cursor = "",
    limit: Limit = 50,
) -> Response:  # fmt: skip
    """The latest first. `yours`: to be signed or settled by you as an inspector, or addressed to you."""
    here, actor = office(request), await who(request)
    admit(actor, *WATCHED)
    now = here.now()
    found = await here.engine.read(partial(boards.orders, actor=actor, state=state, cursor=cursor, limit=limit))
    return answer({"rows": [_ordered(actor, one, now) for one in found.rows], "cursor": found.cursor})


def _ordered(actor: Actor, one: Ordered, now: datetime) -> dict[str, Any]:
    issue, order = one.found.issue, one.order
    timer = next((t for t in reversed(issue.timers) if t.clock is Clock.ORDER and t.unit == str(order.id)), None)
    inspects = Role.INSPECTOR in actor.roles and one.state in ("drafted", "answered")
    return {
        "issue": sight.listed(actor, issue, one.found.row, now), "order": order.id, "state": one.state, "to": order.to,
        "text": order.text or None, "about": order.clock or None, "drafted_at": order.drafted, "signed_at": order.signed,
        "signed_by": order.signed_by or None, "responded_at": order.responded, "reply": order.reply or None,
        "settled_at": order.settled,
        "yours": inspects or (one.state == "signed" and addressed(order.to, actor, issue)),
        "clock": clock_of(timer, now) if timer is not None else None,
    }  # fmt: skip


# -- standing out --------------------------------------------------------------------------------------------------


async def outliers(request: Request, since: date | None = None, until: date | None = None) -> Response:
    """By officer and unit, over a period of days in local time, both included; the last 30 days unless said otherwise.
    `of` is what a figure is measured against, `times` how often the share is the whole district's."""
    here, actor = office(request), await who(request)
    admit(actor, *LOOKS_ON)
    zone = ZoneInfo(here.desk.world().policy.hours.zone)
    last = until or here.now().astimezone(zone).date()
    # Beyond these years there is nothing to count, and no day before or after to count to.
    first = since or (last - timedelta(days=29) if last.year > YEARS[0] else last)
    if not timedelta() <= last - first < LONGEST or not (YEARS[0] <= first.year <= last.year <= YEARS[1]):
        zh, en = "期间须从早到晚,不超过366天。", "A period runs from early to late, 366 days at most."
        raise Refused("bad_period", 422, zh, en, "since")
    begins = datetime.combine(first, time(), zone).astimezone(UTC)
    ends = datetime.combine(last + timedelta(days=1), time(), zone).astimezone(UTC)
    found = await here.engine.read(partial(boards.outliers, since=begins, until=ends))
    return answer({
        "since": first, "until": last, "whole": found.whole,
        "by_officer": _ranked(found.by_officer, found.measures["officer"]),
        "by_unit": _ranked(found.by_unit, found.measures["unit"]),
    })  # fmt: skip


def _ranked(tallies: dict[tuple[str, str], Tally], measures: dict[tuple[str, str], int]) -> list[dict[str, Any]]:
    """Those with the most first. A share is of the same person's or unit's own decisions of that sort."""
    of, made = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for (name, done), number in measures.items():
        for move, counted in boards.MEASURE.items():
            if done in counted:
                of[name, move] += number
                of[EVERYBODY, move] += number
    for (name, move), tally in tallies.items():
        for who_ in (name, EVERYBODY):
            made[who_, move] += tally.made
            of[who_, move] += tally.made if move in boards.MEASURE[move] else 0
    rows = []
    for (name, move), tally in tallies.items():
        share, usual = _share(made, of, name, move), _share(made, of, EVERYBODY, move)
        times = round(share / usual, 2) if share is not None and usual else None
        rows.append(
            {"who": name, "move": move, **tally._asdict(), "of": of[name, move], "share": share, "times": times}
        )
    return sorted(rows, key=lambda row: (-row["made"], -row["asked"], row["who"], row["move"]))


EVERYBODY = ""


def _share(made: Counter[tuple[str, str]], of: Counter[tuple[str, str]], name: str, move: str) -> float | None:
    return made[name, move] / of[name, move] if of[name, move] else None
