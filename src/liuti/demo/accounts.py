"""Who may come in to the demo: one file for programs, one for the shell, and a table for the eyes."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE
from rich.table import Table

from liuti.demo.district import DEPARTMENTS, OFFICES, TEAMS, TOWNS, UNIT, District, Person, numeral
from liuti.flow.words import ROLE_NAMES
from liuti.store import passes

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

PASSWORD = "liuti-demo"  # noqa: S105 - printed on the terminal, opens a town that does not exist
JSON, ENV = "accounts.json", "accounts.env"
LEAD = UNIT["urban"]
JOINED = UNIT["enforcement"]
# What the shell calls them; the leader is one who has claimed nothing yet.
SHELL = {
    "INTAKE": "intake1", "INTAKE2": "intake2", "TIP_INTAKE": "intake4", "ANALYST": "analyst1",
    **{f"PANEL{n}": f"panel{n}" for n in range(1, 6)}, **{f"GATE{n}": f"gate{n}" for n in range(1, 4)},
    "LEADER": "leader6", "LEADER2": "town4b", "PRINCIPAL": "principal",
    "OFFICER": f"officer{LEAD.removeprefix('u-')}a", "HEAD": f"head{LEAD.removeprefix('u-')}",
    "OFFICER2": f"officer{JOINED.removeprefix('u-')}a", "HEAD2": f"head{JOINED.removeprefix('u-')}",
    "INSPECTOR": "inspector1", "INSPECTOR2": "inspector2", "TIP_INSPECTOR": "inspector4", "TEAM": "team5",
    "CALLER": "caller1", "GRID_WORKER": "grid1", "SYSADMIN": "sysadmin", "SECADMIN": "secadmin", "AUDITADMIN": "auditadmin",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Account:
    """One line of accounts.json; the token stays good until it is revoked."""

    login: str
    password: str
    role: str
    name: str
    post: str
    level: str
    unit: str
    unit_name: str
    token: str


def open_accounts(conn: Connection, district: District, now: datetime) -> list[Account]:
    """A bearer token for everybody."""
    named = unit_names()
    return [
        _account(one, named.get(one.unit, ""), passes.make_token(conn, one.id, "demo", now, None))
        for one in district.people.values()
    ]


def _account(one: Person, unit_name: str, token: str) -> Account:
    return Account(one.id, PASSWORD, one.roles[0].value, one.name, one.post, one.level, one.unit, unit_name, token)


def unit_names() -> dict[str, str]:
    """Every unit of the demo by id, as people read it."""
    departments = {unit: f"示范区{name}" for unit, name in zip(UNIT.values(), DEPARTMENTS.values(), strict=True)}
    offices = {unit: name for unit, (name, _) in OFFICES.items()}
    towns = {f"x-town{n}": f"示范区{town}镇" for n, town in enumerate(TOWNS, start=1)}
    return departments | offices | towns | {f"x-team{n}": f"示范区第{numeral(n)}督导组" for n in range(1, TEAMS + 1)}


def write(folder: Path, accounts: list[Account], base: str, notice: str) -> None:
    """Both files, readable for their owner alone."""
    known = [{name: getattr(one, name) for name in Account.__slots__} for one in accounts]
    found = {"base": base, "notice_version": notice, "unit": LEAD, "unit2": JOINED, "shell": SHELL, "accounts": known}
    keep_private(folder / JSON, json.dumps(found, ensure_ascii=False, indent=1) + "\n")
    token = {one.login: one.token for one in accounts}
    lines = [("BASE", base), ("NOTICE", notice), ("UNIT", LEAD), ("UNIT2", JOINED)]
    lines += [(name, token[login]) for name, login in SHELL.items()]
    keep_private(folder / ENV, "".join(f"export {name}={value}\n" for name, value in lines))


def kept(folder: Path) -> tuple[list[Account], str]:
    """The accounts an earlier run wrote, and the notice version they were written with."""
    found: Mapping[str, Any] = json.loads((folder / JSON).read_text("utf-8"))
    return [Account(**one) for one in found["accounts"]], found["notice_version"]


def keep_private(path: Path, text: str) -> None:
    """Mode 0600 from the first byte on, and whole or not at all."""
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:
        out.write(text)
    draft.replace(path)


def table(accounts: list[Account], folder: Path) -> Table:
    """One line for each account the shell knows by name; the rest stand in the files."""
    shown = Table(title=f"账号 accounts   密码 password: {PASSWORD}", title_justify="left", box=SIMPLE)
    for head in ("login", "角色 role", "岗位 post", "token"):
        shown.add_column(head, no_wrap=True)
    by_login = {one.login: one for one in accounts}
    for variable, login in SHELL.items():
        one = by_login[login]
        shown.add_row(one.login, f"{ROLE_NAMES[one.role][0]} {one.role}", one.post, f"${variable}")
    shown.caption = f"{len(accounts)} 个账号 accounts: {folder / JSON}\nshell: . {folder / ENV}"
    shown.caption_justify = "left"
    return shown
