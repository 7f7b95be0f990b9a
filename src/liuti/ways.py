"""What an operator writes about mail and quiet hours, and what a person writes as an address: read, or refused."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from email.utils import parseaddr
from typing import Self
from urllib.parse import parse_qs, unquote, urlsplit
from zoneinfo import ZoneInfo

_ADDRESS = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}"
)
_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")
NIGHT = "21:00-08:00"


@dataclass(frozen=True, slots=True)
class Relay:
    """The mail server of the house; its repr shows no password."""

    host: str
    port: int
    tls: str
    """`start`: STARTTLS or nothing is sent; `whole`: from the first byte; `no`: plain, for a relay inside the house."""
    login: str = ""
    password: str = field(default="", repr=False)

    @classmethod
    def parse(cls, url: str) -> Self:
        """`smtp://login:password@host:587` (STARTTLS), `smtps://…:465`, `smtp://host:25?tls=no`; ValueError otherwise."""
        parts = urlsplit(url)
        tls = "whole" if parts.scheme == "smtps" else (parse_qs(parts.query).get("tls") or ["start"])[0]
        if parts.scheme not in ("smtp", "smtps") or not parts.hostname or tls not in ("start", "whole", "no"):
            raise ValueError("a mail server is smtp://login:password@host:587, smtps://… or smtp://host:25?tls=no")
        login, password = unquote(parts.username or ""), unquote(parts.password or "")
        if login and tls == "no":
            raise ValueError("a password is not said on an open line: leave out tls=no or the login")
        if not (login + password).isascii() or not (login + password).isprintable():
            raise ValueError("login and password of a mail server are plain ASCII")
        port = parts.port or {"whole": 465, "start": 587, "no": 25}[tls]
        return cls(parts.hostname, port, tls, login, password)


@dataclass(frozen=True, slots=True)
class Quiet:
    """The hours at which nobody is disturbed, in local time; `ends` is the first moment after them."""

    begins: time
    ends: time
    zone: ZoneInfo

    @classmethod
    def parse(cls, text: str, zone: ZoneInfo) -> Self | None:
        """`21:00-08:00`, over midnight or not; None for "" and for hours that end as they begin; ValueError otherwise."""
        found = _HOURS.fullmatch(text.strip())
        if found is None:
            if text.strip():
                raise ValueError("quiet hours are written as 21:00-08:00")
            return None
        begins, ends = time(int(found[1]), int(found[2])), time(int(found[3]), int(found[4]))
        return cls(begins, ends, zone) if begins != ends else None

    def until(self, now: datetime) -> datetime | None:
        """When they end, if `now` lies in them."""
        local = now.astimezone(self.zone)
        clock = local.time()
        over_midnight = self.begins > self.ends
        late, early = clock >= self.begins, clock < self.ends
        if not (late or early if over_midnight else late and early):
            return None
        day = local.date() + timedelta(days=1 if over_midnight and late else 0)
        return datetime.combine(day, self.ends, self.zone)


def is_address(text: str) -> bool:
    """One plain mail address and nothing beside it."""
    local = text.partition("@")[0]
    return (
        len(text) <= 254
        and _ADDRESS.fullmatch(text) is not None
        and not (local.startswith(".") or local.endswith(".") or ".." in local)
    )


def is_sender(text: str) -> bool:
    """A mail address, or a name and one in angle brackets."""
    return text.isprintable() and is_address(parseaddr(text)[1])
