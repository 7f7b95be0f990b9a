"""The ledger: one hash chain an issue, sealed over a digest of the words, so that words can be erased by law."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple, get_args

from msgspec import json
from sqlalchemy import Connection, bindparam, select

from liuti.flow.kernel import Decision
from liuti.store.tables import entries, issues
from liuti.store.vault import SealName, seal

START = ""


@dataclass(frozen=True, slots=True)
class Broken:
    """The first place where a chain does not hold."""

    issue: str
    version: int
    zh: str
    en: str


def row_of(decision: Decision, previous: str, algorithm: SealName) -> dict[str, Any]:
    """The entry for a decision, sealed onto the chain; `words` are the form's free text, salted and digested."""
    form, issue = decision.form, decision.issue
    given = form.model_dump(mode="json", exclude_defaults=True, exclude=set(form.personal))
    words = {name: given.pop(name) for name in form.words if name in given}
    salt = os.urandom(16) if words else None
    text = json.encode(words).decode() if words else None
    row = {
        "issue_id": issue.id,
        "version": issue.version,
        "move": decision.move,
        "actor": decision.actor.id or issue.proposer,
        "role": decision.role,
        "unit": decision.actor.unit,
        "from_step": decision.came_from.value if decision.came_from else None,
        "to_step": issue.step.value,
        "at": decision.at,
        "facts": json.encode(given | decision.noted, order="deterministic").decode(),
        "words": text,
        "salt": salt,
        "words_digest": digest(algorithm, text, salt),
        "algorithm": algorithm,
        "previous": previous,
        "awaits": decision.awaits,
        "key": None,
        "key_digest": None,
        "receipt": None,
    }
    row["seal"] = sealed(row)
    return row


def chained(made: list[Decision], head: str, algorithm: SealName) -> list[dict[str, Any]]:
    """The entries of decisions on one issue, one sealed onto the other, the first onto `head`."""
    found: list[dict[str, Any]] = []
    for decision in made:
        found.append(row_of(decision, found[-1]["seal"] if found else head, algorithm))
    return found


def digest(algorithm: SealName, words: str | None, salt: bytes | None) -> str:
    """Of the words with their salt, so that erased short words cannot be guessed back; empty when there are none."""
    return seal(algorithm, salt or b"", words.encode()) if words is not None else ""


def sealed(row: dict[str, Any]) -> str:
    """The seal over everything an entry says but the words themselves."""
    at: datetime = row["at"]
    parts = (
        row["previous"], row["issue_id"], str(row["version"]), row["move"], row["actor"], row["role"], row["unit"],
        row["from_step"] or "", row["to_step"], at.astimezone(UTC).isoformat(), row["facts"], row["words_digest"],
        row["awaits"],
    )  # fmt: skip
    return seal(row["algorithm"], *[part.encode() for part in parts])


_CHAINS = (
    select(issues.c.id, issues.c.version.label("claimed"), issues.c.head, entries)
    .select_from(issues.outerjoin(entries, entries.c.issue_id == issues.c.id))
    .where(issues.c.id > bindparam("after"), issues.c.id <= bindparam("upto"))
    .order_by(issues.c.id, entries.c.version)
)
_CHAIN = (
    select(issues.c.id, issues.c.version.label("claimed"), issues.c.head, entries)
    .select_from(issues.outerjoin(entries, entries.c.issue_id == issues.c.id))
    .where(issues.c.id == bindparam("id"))
    .order_by(entries.c.version)
)
_IDS = select(issues.c.id).where(issues.c.id > bindparam("after")).order_by(issues.c.id).limit(500)


class Walked(NamedTuple):
    """A part of all chains: how many, what is broken in them, and the last one's issue."""

    chains: int
    broken: list[Broken]
    last: str


def walk(conn: Connection, after: str = "") -> Iterator[Walked]:
    """Every chain after that of the issue `after`, 500 at a time."""
    while ids := conn.execute(_IDS, {"after": after}).scalars().all():
        upto = ids[-1]
        chain: list[Any] = []
        broken: list[Broken] = []
        for row in conn.execute(_CHAINS, {"after": after, "upto": upto}).mappings():
            if chain and chain[0]["id"] != row["id"]:
                broken += _walk(chain)
                chain = []
            chain.append(row)
        broken += _walk(chain)
        yield Walked(len(ids), broken, upto)
        after = upto


def verify(conn: Connection) -> Iterator[Broken | int]:
    """Walk every chain; yields each break, and after each batch the number of issues walked (for a progress bar)."""
    for part in walk(conn):
        yield from part.broken
        yield part.chains


def verify_one(conn: Connection, issue: str) -> Broken | None:
    """The first break in the chain of one issue; None when it is whole."""
    return next(_walk(list(conn.execute(_CHAIN, {"id": issue}).mappings())), None)


def _walk(chain: list[Any]) -> Iterator[Broken]:
    """At most one break a chain: the first. After it nothing further along can be trusted."""
    if not chain:
        return
    issue, previous = chain[0]["id"], START
    for number, row in enumerate(chain, start=1):
        if fault := _fault(row, number, previous):
            yield Broken(issue, number, *fault)
            return
        previous = row["seal"]
    if chain[-1]["version"] != chain[0]["claimed"] or previous != chain[0]["head"]:
        yield Broken(issue, len(chain) + 1, "末尾的记录缺失", "entries are missing at the end")


def _fault(row: Any, number: int, previous: str) -> tuple[str, str] | None:
    if row["version"] != number:
        return "记录缺失", "an entry is missing"
    # An algorithm nobody knows was written by nobody of ours: it is named like any other change, not stumbled over.
    known = row["algorithm"] in get_args(SealName)
    if not known or row["previous"] != previous or sealed(dict(row)) != row["seal"]:
        return "记录被改动", "the entry was altered"
    if row["words"] is not None and digest(row["algorithm"], row["words"], row["salt"]) != row["words_digest"]:
        return "文字被改动", "its words were altered"
    return None
