"""The command screen, the rates everybody may read, and the monthly report: pictures with their numbers beside them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request, Response

from liuti import monthly
from liuti.doors.deps import Office, office
from liuti.doors.figures import admit_to, tells_all
from liuti.doors.pages.counting import counting, report
from liuti.doors.pages.frame import PageRoute, page, reader_of
from liuti.figures.few import hidden
from liuti.flow.words import SIX
from liuti.store import gauges, read, screen
from liuti.store.gauges import Standing
from liuti.store.screen import FROM, Rising, Spot

THREE = ("response", "solved", "satisfied")
SHOWN = (*THREE, "on_time", "first_time")
MONTHS = 12
MINUTE = timedelta(minutes=1)


class Now(NamedTuple):
    """The state of the house at one moment, for all who watch it."""

    at: datetime
    counts: dict[str, int]
    standing: Standing
    rising: list[Rising]
    spots: list[Spot]


def router() -> APIRouter:
    routes = APIRouter(include_in_schema=False, route_class=PageRoute)
    routes.add_api_route("/command", command, methods=["GET"])
    routes.add_api_route("/command/now", live, methods=["GET"])
    routes.add_api_route("/statistics", statistics, methods=["GET", "HEAD"])
    routes.add_api_route("/map", where, methods=["GET", "HEAD"])
    routes.add_api_route("/reports", reports, methods=["GET"])
    routes.add_api_route("/reports/{name}", one_report, methods=["GET"])
    return routes


async def now_of(here: Office) -> Now:
    """At most a minute old; read once for everybody."""

    async def look() -> Now:
        now = here.now()

        def all_of(conn: Any) -> tuple[Any, ...]:
            return gauges.standing(conn), screen.rising(conn, now), screen.spots(conn)

        standing, rising, spots = await here.engine.read(all_of)
        return Now(now, standing.steps, standing, rising, spots)

    found: Now | None = await counting(here).of("now", look, MINUTE)
    return found or await look()


async def command(request: Request) -> Response:
    """Officials only: counts by step, what is late by rung, rising topics, the map, the month's rates."""
    here, reader = office(request), await reader_of(request)
    admit_to(reader.actor, "unit")
    now = await now_of(here)
    month = _months(here, 1)[0]
    return await page(
        request, "command/screen.html", **_words(now), month=month, shown=SHOWN,
        report=_told(await report(here, month), tells_all(reader.actor)),
    )  # fmt: skip


async def live(request: Request) -> Response:
    """The part of the screen that changes: fetched anew when something moved."""
    here, reader = office(request), await reader_of(request)
    admit_to(reader.actor, "unit")
    return await page(request, "command/now.html", **_words(await now_of(here)))


def _words(now: Now) -> dict[str, Any]:
    six = [(step.value, now.counts[step.value]) for step in SIX]
    return {"house": now, "six": six, "most": max(n for _, n in six) or 1, "towns": _towns(now.spots), "from_": FROM,
            "beyond": read.COUNTED, "counted": gauges.COUNTED}  # fmt: skip


def _towns(spots: Sequence[Spot]) -> list[tuple[str, list[tuple[Spot, int]]]]:
    """Communities by town, each with a class from 0 (nothing, or too few people to show) to 4 (most)."""
    shown = [one.issues for one in spots if one.people >= FROM]
    most = max(shown, default=1)
    found: dict[str, list[tuple[Spot, int]]] = {}
    for one in spots:
        level = 0 if one.people < FROM else min(4, 1 + int(3.999 * one.issues / most))
        found.setdefault(one.town, []).append((one, level))
    return list(found.items())


def _months(here: Office, n: int) -> list[str]:
    """Names of the last `n` months, this one first."""
    zone: ZoneInfo = here.desk.world().calendar.zone
    today = here.now().astimezone(zone).date()
    found = []
    year, month = today.year, today.month
    for _ in range(n):
        found.append(f"{year}-{month:02}")
        year, month = (year, month - 1) if month > 1 else (year - 1, 12)
    return found


# -- for everybody -------------------------------------------------------------------------------------------------


async def statistics(request: Request) -> Response:
    """The rates of a month for the whole district and by unit, never of a person: always with n and interval."""
    here = office(request)
    months = _months(here, MONTHS)
    asked = request.query_params.get("month", months[0])
    month = asked if asked in months else months[0]
    return await page(
        request, "command/statistics.html", months=months, month=month, shown=SHOWN,
        report=_told(await report(here, month), whole=False),
    )  # fmt: skip


def _told(made: monthly.Report | None, whole: bool) -> monthly.Report | None:
    """Who knows the cases, as every unit does, would know whose word a small count is (docs/rules.md §8)."""
    return made if made is None or whole else made._replace(tables={"unit": hidden(made.tables["unit"])})


async def where(request: Request) -> Response:
    """Open issues by community; a place with fewer than five people behind its issues shows no number."""
    return await page(request, "command/map.html", **_words(await now_of(office(request))))


async def reports(request: Request) -> Response:
    here, reader = office(request), await reader_of(request)
    admit_to(reader.actor, "unit")
    return await page(request, "command/reports.html", months=_months(here, MONTHS))


async def one_report(request: Request, name: str) -> Response:
    """The month as one page, or as a file by its ending; whoever may not read of leaders gets it from those who may."""
    here, reader = office(request), await reader_of(request)
    admit_to(reader.actor, "leader")
    period, _, ending = name.partition(".")
    made = await report(here, period)
    if made is None:
        return await page(request, "command/counting.html", 202)
    if ending == "json":
        headers = {"Content-Disposition": f'attachment; filename="{period}.json"'}
        return Response(monthly.as_json(made), media_type="application/json", headers=headers)
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    return Response(
        monthly.html(made),
        media_type="text/html",
        headers={"Content-Security-Policy": policy, "Cache-Control": "no-store"},
    )
