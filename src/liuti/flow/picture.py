"""The flow as a table for programs and as lines for people: printed, compared and drawn from the same rows."""

from __future__ import annotations

from typing import Any

from liuti.flow.machine import Flow
from liuti.flow.words import ROLE_NAMES, STATE_NAMES, Step


def table(flow: Flow) -> dict[str, Any]:
    """`{"states": [...], "moves": [{"name", "from", "to", "by", "form", "clocks"}...]}`; an empty `to` is the same step."""
    return {
        "states": [
            {"name": s.value, "zh": STATE_NAMES[s][0], "en": STATE_NAMES[s][1], "moves": [m.name for m in flow.at[s]]} for s in Step
        ],
        "moves": [
            {
                "name": m.name, "row": m.row, "zh": m.zh, "en": m.en, "from": [s.value for s in m.at], "to": [s.value for s in m.to],
                "by": [w.value for w in m.by], "granted_by": [s.name for s in m.asks_of], "form": m.form.__name__,
                "clocks": {"starts": [c.value for c in m.starts], "stops": [c.value for c in m.stops]},
                "rules": [{"code": g.code, "status": g.status, "zh": g.zh, "en": g.en} for g in (*m.duties, *m.agains, *m.guards)],
            }
            for m in flow.moves.values()
        ],
    }  # fmt: skip


def lines(flow: Flow) -> list[tuple[str, str, str, str, str]]:
    """Row, move, from, by, to: for the terminal."""
    return [
        (
            str(m.row), f"{m.name} {m.zh}", ", ".join(m.at) or "(new)", ", ".join(ROLE_NAMES[w.value][0] for w in m.by),
            ", ".join(m.to) or "same",
        )
        for m in flow.moves.values()
    ]  # fmt: skip
