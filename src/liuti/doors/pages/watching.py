"""督题 on pages: the wall of what is late, the order desk, the gate, call-backs, what is suspended, who stands out."""

from __future__ import annotations

from datetime import date
from typing import Any

from fastapi import APIRouter, Request, Response

from liuti.doors import leaders
from liuti.doors.boards import asking, lateness, ordering, outlying, passing, phoning, verifying
from liuti.doors.boards.frame import WATCHED
from liuti.doors.deps import admit, office
from liuti.doors.pages import moving
from liuti.doors.pages.fields import Around
from liuti.doors.pages.frame import PageRoute, directory, page, reader_of
from liuti.flow import sight
from liuti.flow.issue import Issue
from liuti.flow.kernel import Actor
from liuti.flow.table import FLOW
from liuti.flow.words import Role, Step
from liuti.store import read
from liuti.store.read import Wish

SHOWN, AT_THE_GATE = 30, 8
TABS = (
    ("/boards/overdue", "超期墙", "Late", WATCHED),
    ("/boards/orders", "督办单", "Orders", WATCHED),
    ("/boards/requests", "待批申请", "Requests", asking.ASKED),
    ("/boards/verification", "核查", "Verification", verifying.VERIFIES),
    ("/boards/rechecks", "复核抽样", "Second looks", passing.RECHECKS),
    ("/boards/strike-offs", "销号台账", "Strike-offs", WATCHED),
    ("/boards/suspended", "挂账", "Suspended", WATCHED),
    ("/boards/callbacks", "回访", "Call-backs", (Role.CALLER,)),
    ("/boards/outliers", "异常分布", "Outliers", outlying.LOOKS_ON),
    ("/boards/leaders", "领导领题", "Leaders", leaders.WATCHERS),
    ("/boards/alerts", "预警", "Alerts", outlying.ALARMED),
)
"""Each board with whoever reads it: the same as at the API's doors, which are asked again."""


def router() -> APIRouter:
    routes = APIRouter(include_in_schema=False, route_class=PageRoute)
    for path, get in (
        ("", hub), ("/overdue", overdue), ("/orders", orders), ("/requests", requests), ("/verification", verification),
        ("/rechecks", rechecks), ("/strike-offs", strike_offs), ("/suspended", suspended), ("/callbacks", callbacks),
        ("/outliers", outliers), ("/alerts", alerts), ("/leaders", by_leader),
    ):  # fmt: skip
        routes.add_api_route(f"/boards{path}", get, methods=["GET"])
    return routes


async def _board(request: Request, name: str, **words: Any) -> Response:
    roles = (await reader_of(request)).actor.roles
    tabs = [(href, zh, en) for href, zh, en, who in TABS if not roles.isdisjoint(who)]
    return await page(
        request, f"watching/{name}.html", tabs=tabs, moves=FLOW.moves, at=f"/boards/{name.replace('_', '-')}", **words
    )


async def hub(request: Request) -> Response:
    """The first board this reader has."""
    actor = (await reader_of(request)).actor
    if Role.CALLER in actor.roles:
        return await callbacks(request)
    return await overdue(request)


def _int(text: str, most: int) -> int | None:
    return min(int(text), most) if text.isascii() and text.isdecimal() and len(text) < 9 else None


def _known(text: str, known: tuple[str, ...]) -> Any:
    return text if text in known else ""


async def overdue(request: Request) -> Response:
    """The wall: the earliest due first, with the level of the ladder and the story of each clock."""
    asked = request.query_params
    step = asked.get("step", "")
    said = await lateness.overdue(
        request, step=Step(step) if step in {one.value for one in Step} else None, unit=asked.get("unit", "")[:100],
        grid=asked.get("grid", "")[:100], rung=_int(asked.get("rung", ""), 5),
        colour=_known(asked.get("colour", ""), ("yellow", "red")), counts=True, cursor=asked.get("cursor", "")[:200], limit=SHOWN,
    )  # fmt: skip
    return await _board(request, "overdue", board=said.said, asked=asked)


async def orders(request: Request) -> Response:
    """To be signed, answered or settled, each with the one thing its reader can do next."""
    asked = request.query_params
    state = _known(asked.get("state", ""), ("drafted", "signed", "answered", "settled"))
    said = await ordering.orders(request, state, asked.get("cursor", "")[:200], SHOWN)
    return await _board(request, "orders", board=said.said, state=state)


async def requests(request: Request) -> Response:
    """What waits for this reader's word."""
    said = await asking.requests(request, "", "", request.query_params.get("cursor", "")[:200], SHOWN)
    return await _board(request, "requests", board=said.said)


async def suspended(request: Request) -> Response:
    """By the day they are to be looked at again."""
    here, actor = office(request), (await reader_of(request)).actor
    admit(actor, *WATCHED)
    wish = Wish(
        Step.SUSPENDED, cursor=request.query_params.get("cursor", "")[:200], limit=SHOWN, by_deadline=True,
        mine=actor.roles.isdisjoint({Role.INSPECTOR, Role.TEAM, Role.PRINCIPAL, Role.AUDITADMIN}),
    )  # fmt: skip
    found = await here.engine.read(lambda conn: read.page(conn, actor, wish))
    now = here.now()
    lines = [sight.listed(actor, one.issue, one.row, now) for one in found.found]
    return await _board(request, "suspended", lines=lines, cursor=found.cursor, mine=wish.mine)


async def by_leader(request: Request) -> Response:
    """Who has which claims and links, and who has none; a link is no claim."""
    level = _known(request.query_params.get("level", ""), ("district", "town", "department"))
    without = _known(request.query_params.get("without", ""), ("claim", "link"))
    said = await leaders.leaders(request, level, without)
    return await _board(request, "leaders", board=said.said, level=level, without=without)


# -- the gate ------------------------------------------------------------------------------------------------------


async def verification(request: Request) -> Response:
    """Results to be verified, photos of before and after side by side, with both decisions beside them."""
    here, reader = office(request), await reader_of(request)
    said = await verifying.verification(request, request.query_params.get("cursor", "")[:200], AT_THE_GATE)
    ids = [row["issue"]["id"] for row in said.said["rows"]]
    found, files = await here.engine.read(lambda conn: (read.several(conn, ids), read.files_of_several(conn, ids)))
    decisions = {}
    for issue, one in found.items():
        decisions[issue] = await _decisions(request, one.issue, reader.actor, ("pass_check", "fail_check"))
    photos = {
        issue: _before_and_after(files.get(issue, []))
        for issue, one in found.items()
        if sight.may_see_files(reader.actor, one.issue)
    }
    return await _board(request, "verification", board=said.said, decisions=decisions, photos=photos)


async def _decisions(request: Request, issue: Issue, actor: Actor, names: tuple[str, ...]) -> list[moving.Offer]:
    here, reader = office(request), await reader_of(request)
    world = here.desk.world()
    around = Around(issue, await directory(here), world.policy, reader.t)
    made = []
    for name in names:
        if name in FLOW.open_to(issue, actor, world, here.now()):
            move = FLOW.moves[name]
            offer = moving.offer_of(request, name, move.zh, move.en, move.form, around)
            offer.action = f"/issues/{issue.id}/{name}"
            made.append(offer)
    return made


CITIZENS = frozenset({"citizen", "proposer", "voice"})


def _before_and_after(files: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """What people sent in, and what those at work did."""
    pictures = [one for one in files if one["media_type"].startswith("image/")]
    return [one for one in pictures if one["role"] in CITIZENS], [
        one for one in pictures if one["role"] not in CITIZENS
    ]


async def rechecks(request: Request) -> Response:
    asked = request.query_params
    state = _known(asked.get("state", "waiting"), ("waiting", "agreed", "disagreed"))
    said = await passing.rechecks(request, state, asked.get("cursor", "")[:200], SHOWN)
    return await _board(request, "rechecks", board=said.said, state=state)


async def strike_offs(request: Request) -> Response:
    asked = request.query_params
    said = await passing.strike_offs(
        request, asked.get("unit", "")[:100], _day(asked.get("since", "")), _day(asked.get("until", "")),
        asked.get("cursor", "")[:200], SHOWN,
    )  # fmt: skip
    return await _board(request, "strike_offs", board=said.said, asked=asked)


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


# -- people, and who stands out ------------------------------------------------------------------------------------


async def callbacks(request: Request) -> Response:
    """Who is to be phoned: the number is opened on the issue's page, for a purpose; the outcome is kept here."""
    here, reader = office(request), await reader_of(request)
    said = await phoning.callbacks(request, request.query_params.get("cursor", "")[:200], AT_THE_GATE)
    ids = [row["issue"]["id"] for row in said.said["rows"]]
    found = await here.engine.read(lambda conn: read.several(conn, ids))
    decisions = {issue: await _decisions(request, one.issue, reader.actor, ("rate",)) for issue, one in found.items()}
    return await _board(request, "callbacks", board=said.said, decisions=decisions)


async def outliers(request: Request) -> Response:
    asked = request.query_params
    said = await outlying.outliers(request, _day(asked.get("since", "")), _day(asked.get("until", "")))
    return await _board(request, "outliers", board=said.said)


async def alerts(request: Request) -> Response:
    said = await outlying.alerts(request, request.query_params.get("before", "")[:100], 50)
    return await _board(request, "alerts", board=said.said)
