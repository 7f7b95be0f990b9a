"""How a letter leaves the house: to the terminal, or as a signed CloudEvent to an address of the outside world."""

import asyncio
import ipaddress
import json
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

import httpx
from standardwebhooks import Webhook

from liuti.store.household import hide_phones

_ANSWER = 65_536
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class Letter:
    """One notice to one recipient about one move; `id` stays the same however often it is sent."""

    id: str
    event: str
    issue: str
    entry: int
    recipient: str
    words: Mapping[str, Any]
    at: datetime
    urgent: bool = False
    """A matter of danger: it does not wait for the morning."""


class NotSent(Exception):  # noqa: N818 - an answer to the worker: try again later
    """The letter did not arrive: `why` for the dead-letter list (no address, no words of the letter), HTTP `status`.

    `final`: whoever was to receive it says that they never will, so that trying again only annoys.
    """

    def __init__(self, why: str, status: int | None = None, *, final: bool = False) -> None:
        super().__init__(why)
        self.why, self.status, self.final = why, status, final


class NotYet(NotSent):
    """Nobody was disturbed at this hour, and nothing was tried: the letter is due again at `until`."""

    def __init__(self, until: datetime) -> None:
        super().__init__("quiet hours")
        self.until = until


class Sender(Protocol):
    """Sends one letter or raises NotSent; may be called again with the same letter."""

    async def send(self, letter: Letter) -> None: ...


class ConsoleSender:
    """One line a letter, phones masked; for the demo and for a house without a webhook.

    The words may hold a rating token, so the line is for a terminal and not for a log that is kept.
    """

    def __init__(self, write: Callable[[str], None] = print) -> None:
        self._write = write

    async def send(self, letter: Letter) -> None:
        words = "; ".join(f"{name}={value}" for name, value in letter.words.items())
        line = f"{letter.at:%Y-%m-%d %H:%M} ✉ {letter.event} → {letter.recipient} [{letter.issue} #{letter.entry}]"
        self._write(hide_phones(" ".join(f"{line} {words}".split())))


class SignedPost:
    """POSTs CloudEvents 1.0 JSON signed by Standard Webhooks; `webhook-id` is the id of what is sent.

    The host is resolved and checked at every sending and the connection goes to the address that was
    checked, so a name that points inside (or begins to, between look and call) reaches nothing.
    Redirects and proxy variables are not followed. `now` gives the time of the attempt.
    """

    def __init__(
        self,
        url: str,
        secret: str,
        now: Callable[[], datetime],
        *,
        allow_private: bool = False,
        seconds: float = 15.0,
        client: httpx.AsyncClient | None = None,
    ) -> None:
        self._url, self._signer, self._now = httpx.URL(url), Webhook(secret), now
        if self._url.scheme not in {"http", "https"} or not self._url.host:
            raise ValueError("a webhook address begins with http:// or https:// and names a host")
        self._allow_private, self._seconds = allow_private, seconds
        self._client = client or httpx.AsyncClient(trust_env=False, follow_redirects=False, timeout=seconds)

    async def post(self, name: str, event: Mapping[str, Any]) -> None:
        """Returns on 2xx; NotSent otherwise, within `seconds` altogether. `name` is the same at every try."""
        body = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
        at = self._now().astimezone(UTC)
        headers = {
            "host": self._url.netloc.decode(),
            "content-type": "application/cloudevents+json; charset=utf-8",
            "webhook-id": name,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": self._signer.sign(msg_id=name, timestamp=at, data=body),
        }
        try:
            async with asyncio.timeout(self._seconds):
                status = await self._post(body.encode(), headers)
        except TimeoutError:
            raise NotSent(f"no answer in {self._seconds:g} s") from None
        except httpx.HTTPError as fault:
            raise NotSent(f"no connection: {type(fault).__name__}") from fault
        if not 200 <= status < 300:
            raise NotSent(f"answered {status}", status)

    async def aclose(self) -> None:
        """Lets go of the connections; it is of no use afterwards."""
        await self._client.aclose()

    async def _post(self, body: bytes, headers: dict[str, str]) -> int:
        host = self._url.raw_host.decode().strip("[]")
        address = await checked_address(host, self._port(), allow_private=self._allow_private)
        # The certificate must still be the name's, though the call goes to the number.
        call = self._client.stream(
            "POST",
            self._url.copy_with(host=address),
            content=body,
            headers=headers,
            extensions={"sni_hostname": host},
        )
        async with call as answer:
            taken = 0
            async for piece in answer.aiter_raw():  # read out only so that the connection can serve again
                taken += len(piece)
                if taken > _ANSWER:
                    break
            return answer.status_code

    def _port(self) -> int:
        return self._url.port or (443 if self._url.scheme == "https" else 80)


class WebhookSender:
    """Every letter as a signed event to one address; `more` goes to `SignedPost`."""

    def __init__(self, url: str, secret: str, source: str, now: Callable[[], datetime], **more: Any) -> None:
        self._source, self._line = source, SignedPost(url, secret, now, **more)

    async def send(self, letter: Letter) -> None:
        await self._line.post(letter.id, event_of(letter, self._source))

    async def aclose(self) -> None:
        """Lets go of the connections; the sender is of no use afterwards."""
        await self._line.aclose()


def event_of(letter: Letter, source: str) -> dict[str, Any]:
    """The letter in CloudEvents 1.0 structured form; `source` names this installation."""
    return {
        "specversion": "1.0",
        "id": letter.id,
        "source": source,
        "type": f"liuti.{letter.event}",
        "subject": letter.issue,
        "time": letter.at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "datacontenttype": "application/json",
        "data": {
            "event": letter.event,
            "issue": letter.issue,
            "entry": letter.entry,
            "recipient": letter.recipient,
            "words": dict(letter.words),
        },
    }


async def checked_address(host: str, port: int, *, allow_private: bool = False) -> str:
    """One address of the host to connect to; NotSent when it has none or one of them is not public."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as fault:
        raise NotSent("the host's name does not resolve") from fault
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if not addresses or not (allow_private or all(map(is_public, addresses))):
        raise NotSent("the host's address is not a public one")
    return addresses[0]


def is_public(address: str) -> bool:
    """Whether an address belongs to the open internet, also when IPv6 wraps an IPv4 one."""
    number = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(number, ipaddress.IPv6Address):
        inner = number.ipv4_mapped or number.sixtofour or (number.teredo or (None, None))[1]
        if number in _NAT64:
            inner = ipaddress.IPv4Address(int(number) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return number.is_global and not number.is_multicast
