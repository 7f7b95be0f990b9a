"""What a district keeps of its ties: paired communities, park firms, projects, each with the unit that answers for it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, bindparam, insert, select

from liuti.store.tables import links

_ADD = insert(links)
_OF = select(links).where(links.c.kind == bindparam("kind")).order_by(links.c.id)


def add_link(
    conn: Connection,
    link_id: str,
    kind: str,
    name: str,
    unit: str = "",
    partner: str = "",
    weight: float | None = None,
) -> None:
    """A tie of `unit` to `partner` (a community, a firm); `kind` is pair 结对, firm 企业 or project 项目."""
    row = {"id": link_id, "kind": kind, "name": name, "unit_id": unit or None, "partner": partner or None}
    conn.execute(_ADD, [row | {"weight": weight}])


def links_of(conn: Connection, kind: str) -> list[dict[str, Any]]:
    """Every tie of that kind, by id."""
    return [dict(row) for row in conn.execute(_OF, {"kind": kind}).mappings()]
