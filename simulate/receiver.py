"""The outside world: an HTTP server that checks each signature and writes down what came in; now and then it is away.

A program of its own (`python -m simulate.receiver`): its orders come as one JSON line on standard input, its port goes
out as a line, and it ends with its input.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import sys
from hashlib import sha256
from pathlib import Path
from typing import TextIO

import httptools
from msgspec import Struct, json

FILE = "deliveries.jsonl"
_ANSWERS = {
    status: f"HTTP/1.1 {status} {word}\r\nContent-Length: 0\r\n\r\n".encode()
    for status, word in ((200, "OK"), (401, "Unauthorized"), (503, "Service Unavailable"))
}


class Orders(Struct):
    """Where to write, what letters are signed with, and when not to be there: out of a thousand first tries `fails`,
    and every try between two simulated times (seconds since 1970)."""

    path: str
    secret: str
    fails: int = 0
    away: tuple[int, int] = (0, 0)


class Delivery(Struct, array_like=True):
    """One try that reached the server, and what it answered."""

    id: str
    status: int
    at: int
    issue: str
    entry: int
    event: str
    recipient: str


class _Said(Struct):
    issue: str
    entry: int
    event: str
    recipient: str


class _Event(Struct):
    data: _Said


_EVENT = json.Decoder(_Event)


class Desk:
    """Decides what each try is answered."""

    def __init__(self, orders: Orders, out: TextIO) -> None:
        self._orders, self._out = orders, out
        self._key = base64.b64decode(orders.secret.removeprefix("whsec_"))
        self._seen: set[str] = set()

    def answer(self, headers: dict[bytes, bytes], body: bytes) -> int:
        name, at = headers[b"webhook-id"], headers[b"webhook-timestamp"]
        wanted = base64.b64encode(hmac.digest(self._key, b".".join((name, at, body)), "sha256"))
        given = headers[b"webhook-signature"].partition(b",")[2]
        said = _EVENT.decode(body).data
        status = self._status(name.decode(), int(at)) if hmac.compare_digest(wanted, given) else 401
        row = Delivery(name.decode(), status, int(at), said.issue, said.entry, said.event, said.recipient)
        self._out.write(json.encode(row).decode() + "\n")
        return status

    def _status(self, name: str, at: int) -> int:
        first = name not in self._seen
        self._seen.add(name)
        unlucky = first and int.from_bytes(sha256(name.encode()).digest()[:4]) % 1000 < self._orders.fails
        away = self._orders.away[0] <= at < self._orders.away[1]
        return 503 if unlucky or away else 200


class Line(asyncio.Protocol):
    """One connection; requests come one after the other."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._headers: dict[bytes, bytes] = {}
        self._body = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport, self._parser = transport, httptools.HttpRequestParser(self)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.lower()] = value

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        status = self._desk.answer(self._headers, self._body)
        self._headers, self._body = {}, b""
        self._transport.write(_ANSWERS[status])


async def serve(orders: Orders, out: TextIO) -> None:
    loop = asyncio.get_running_loop()
    desk = Desk(orders, out)
    server = await loop.create_server(lambda: Line(desk), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


def main() -> None:
    orders = json.decode(sys.stdin.readline(), type=Orders)
    with Path(orders.path).open("w", encoding="utf-8") as out:
        asyncio.run(serve(orders, out))


def deliveries(path: Path) -> list[Delivery]:
    """Every try, in the order they came."""
    decoder = json.Decoder(Delivery)
    with path.open("rb") as lines:
        return [decoder.decode(line) for line in lines]


if __name__ == "__main__":
    main()
