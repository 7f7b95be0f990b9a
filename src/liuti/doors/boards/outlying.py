"""Who stands out, by officer and unit: refusals, merges, overrides, closings without result (docs/rules.md §8)."""

from __future__ import annotations

from collections import Counter
from datetime import date
from functools import partial
from typing import Annotated, Any

from fastapi import Query, Request

from liuti.doors.api import Said, Text, answer
from liuti.doors.boards.frame import period
from liuti.doors.deps import admit, office, who
from liuti.flow.words import Role
from liuti.store import alerts as kept
from liuti.store import boards
from liuti.store.boards import Tally

LOOKS_ON = (Role.TEAM, Role.AUDITADMIN)
ALARMED = (Role.TEAM, Role.INSPECTOR, Role.PRINCIPAL, Role.AUDITADMIN)


async def outliers(request: Request, since: date | None = None, until: date | None = None) -> Said:
    """By officer and unit, over a period of days in local time, both included; the last 30 days unless said otherwise.
    `of` is what a figure is measured against, `times` how often the share is the whole district's."""
    here, actor = office(request), await who(request)
    admit(actor, *LOOKS_ON)
    asked = period(since, until, here.now(), here.desk.world())
    found = await here.engine.read(partial(boards.outliers, since=asked.begins, until=asked.ends))
    return answer({
        "since": asked.first, "until": asked.last, "whole": found.whole,
        "by_officer": _ranked(found.by_officer, found.measures["officer"]),
        "by_unit": _ranked(found.by_unit, found.measures["unit"]),
    })  # fmt: skip


async def alerts(
    request: Request, before: Text = "", limit: Annotated[int, Query(ge=1, le=kept.MOST)] = 50
) -> Said:  # fmt: skip
    """Rates that passed a limit of the policy, found every night: exclusions and extensions and suspensions, of a unit or
    of the whole district; the latest first, give the last id back as `before` to read on."""
    here, actor = office(request), await who(request)
    admit(actor, *ALARMED)
    found = await here.engine.read(partial(kept.listed, before=before, limit=limit))
    rows = [
        {name: row[name] for name in ("id", "period", "kind", "about", "hits", "n", "most", "at")}
        | {"issue": f"/api/v1/issues/{row['issue_id']}", "figures": f"/api/v1/figures?period={row['period']}&by=unit"}
        for row in found
    ]
    return answer({"rows": rows})


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
