"""GET /metrics: how the house and this process stand, in the text format of Prometheus, for whoever may ask."""

from __future__ import annotations

import hmac
import os
import time
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path

from fastapi import APIRouter, Request, Response
from pydantic import SecretStr
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from liuti.doors.deps import not_ours, office
from liuti.flow.kernel import Refused
from liuti.store import gauges
from liuti.store.gauges import Standing
from liuti.store.pool import Pool

LOOPBACK = "127.0.0.0/8,::1/128"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BUCKETS = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
"""Seconds; a move takes a few milliseconds."""
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip")
Labels = Mapping[str, str]
Sample = tuple[str, Labels, float]
Networks = tuple[IPv4Network | IPv6Network, ...]


# -- how long requests take --------------------------------------------------------------------------------------------


class Times:
    """The requests of this process, by method, template of the path and class of the answer: never by what was asked."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str, str], tuple[list[int], list[float]]] = {}

    def add(self, method: str, route: str, status: int, seconds: float) -> None:
        key = (method if method in METHODS else "OTHER", route, f"{status // 100}xx")
        counts, total = self.kept.setdefault(key, ([0] * (len(BUCKETS) + 1), [0.0]))
        counts[bisect_left(BUCKETS, seconds)] += 1
        total[0] += seconds


class Timed:
    """Measures each request up to the beginning of its answer: a stream is no slow request, nor is a slow reader."""

    def __init__(self, app: ASGIApp, times: Times) -> None:
        self.app, self.times = app, times

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, answered = time.perf_counter(), False

        async def noted(message: Message) -> None:
            nonlocal answered
            if message["type"] == "http.response.start" and not answered:
                answered = True
                self._add(scope, message["status"], began)
            await send(message)

        try:
            await self.app(scope, receive, noted)
        except Exception:
            if not answered:  # what nobody caught is answered outside, with 500
                self._add(scope, 500, began)
            raise

    def _add(self, scope: Scope, status: int, began: float) -> None:
        self.times.add(scope["method"], template(scope), status, time.perf_counter() - began)


def template(scope: Scope) -> str:
    """The path as the routes write it; what no route knows is all one."""
    route = getattr(scope.get("route"), "path", None)
    if isinstance(route, str):
        return route
    # The short way to a move goes past the typed route of the same path.
    move = (scope.get("path_params") or {}).get("move")
    return f"/api/v1/issues/{{issue}}/{move}" if move else "none"


# -- what is said ------------------------------------------------------------------------------------------------------


def house(standing: Standing, now: datetime) -> Iterator[str]:
    """What the database says: the same from whichever process is asked."""
    most = f", not counted beyond {gauges.COUNTED}"
    yield from family(
        "liuti_issues", "gauge", f"Issues by the step they stand at{most}.",
        (("", {"step": step}, n) for step, n in standing.steps.items()),
    )  # fmt: skip
    yield from family("liuti_issues_late", "gauge", f"Issues with an overdue clock{most}.", [("", {}, standing.late)])
    yield from family(
        "liuti_issues_late_by_rung", "gauge",
        f"Late issues by rung of the ladder: 0 not urged yet, 1 urged, 2 ordered, 3 interview; of the first {gauges.LOOKED_AT}.",
        (("", {"rung": str(rung)}, n) for rung, n in standing.rungs.items()),
    )  # fmt: skip
    waiting, dead = standing.letters_waiting, standing.letters_dead
    yield from family("liuti_letters_waiting", "gauge", f"Letters that have not left yet{most}.", [("", {}, waiting)])
    yield from family("liuti_letters_dead", "gauge", f"Letters given up after their last try{most}.", [("", {}, dead)])
    for name, help_, oldest in (
        ("sweep", "Seconds the oldest due clock has been waiting to be struck.", standing.oldest_due),
        ("letters", "Seconds the oldest due letter has been waiting to be sent.", standing.oldest_letter),
    ):
        lag = max(0.0, (now - oldest).total_seconds()) if oldest is not None else 0.0
        yield from family(f"liuti_{name}_lag_seconds", "gauge", help_, [("", {}, lag)])


def process(times: Times, pool: Pool, viewers: int) -> Iterator[str]:
    """What this process says. Where several share the port each scrape meets one of them: `process` says which."""
    mine = {"process": str(os.getpid())}
    yield from family(
        "liuti_request_seconds", "histogram", "Seconds from a request to the beginning of its answer.",
        _histogram(times, mine),
    )  # fmt: skip
    for name, kind, words, value in (
        ("liuti_database_connections", "gauge", "Database connections this process may open.", pool.most),
        ("liuti_database_connections_in_use", "gauge", "Database connections in use.", pool.in_use),
        ("liuti_database_work_waiting", "gauge", "Database work without a connection yet.", pool.waiting),
        ("liuti_viewers", "gauge", "Boards that watch the live channel.", viewers),
        ("process_cpu_seconds_total", "counter", "Seconds of processor time.", time.process_time()),
        ("process_resident_memory_bytes", "gauge", "Bytes of memory in use.", memory()),
    ):
        if value is not None:
            yield from family(name, kind, words, [("", mine, value)])


def _histogram(times: Times, mine: Labels) -> Iterator[Sample]:
    for (method, route, status), (counts, total) in sorted(times.kept.items()):
        labels = mine | {"method": method, "route": route, "status": status}  # type: ignore[operator]
        seen = 0
        for edge, count in zip((*map(repr, BUCKETS), "+Inf"), counts, strict=True):
            seen += count
            yield "_bucket", labels | {"le": edge}, seen
        yield "_sum", labels, total[0]
        yield "_count", labels, seen


def memory() -> int | None:
    """Bytes in use; None where the system does not say (only Linux does)."""
    try:
        return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return None


def family(name: str, kind: str, words: str, samples: Iterable[Sample]) -> Iterator[str]:
    """One metric with its samples, a line each."""
    yield f"# HELP {name} {words}\n"
    yield f"# TYPE {name} {kind}\n"
    for suffix, labels, value in samples:
        inside = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
        number = repr(value) if isinstance(value, int) else repr(float(value))
        yield f"{name}{suffix}{{{inside}}} {number}\n" if inside else f"{name}{suffix} {number}\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


# -- who may ask -------------------------------------------------------------------------------------------------------


def router(times: Times, token: SecretStr | None, networks: str = LOOPBACK) -> APIRouter:
    """With a token: for whoever bears it, from anywhere. Without: for callers from the networks, who come straight."""
    allowed = tuple(ip_network(part.strip()) for part in networks.split(",") if part.strip())
    routes = APIRouter(include_in_schema=False)

    async def metrics(request: Request) -> Response:
        admit(request, token, allowed)
        here = office(request)
        standing = await here.engine.read(gauges.standing)
        viewers = getattr(getattr(request.app.state, "live", None), "viewers", 0)
        said = (*house(standing, here.now()), *process(times, here.engine.pool(), viewers))
        return Response("".join(said), headers={"Cache-Control": "no-store"}, media_type=CONTENT_TYPE)

    routes.add_api_route("/metrics", metrics, methods=["GET"])
    return routes


def admit(request: Request, token: SecretStr | None, allowed: Networks) -> None:
    """Refused 401 without the right token; 403, where none is set, from elsewhere or through a proxy: everybody behind
    one would come from its address."""
    if token is not None:
        kind, _, given = request.headers.get("authorization", "").partition(" ")
        right = hmac.compare_digest(given.strip().encode(), token.get_secret_value().encode())
        if kind.lower() != "bearer" or not right:
            raise not_ours()
        return
    host = request.client.host if request.client else ""
    if any(name in request.headers for name in FORWARDED) or not _within(host, allowed):
        zh, en = "指标只对本机或指定网段开放。", "Metrics are for this machine and the networks named in the settings."
        raise Refused("not_from_here", 403, zh, en)


def _within(host: str, allowed: Networks) -> bool:
    try:
        address = ip_address(host)
    except ValueError:
        return False
    # A server that listens on both kinds of addresses sees the old kind inside the new.
    plain = getattr(address, "ipv4_mapped", None) or address
    return any(plain in network for network in allowed)
