"""Letters leave signed and once understood, never to the inside, and no terminal line shows a phone."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from standardwebhooks import Webhook, WebhookVerificationError

from liuti.senders import ConsoleSender, Letter, NotSent, Sender, WebhookSender, checked_address, is_public
from liuti.settings import new_webhook_secret
from tests.patience import PATIENCE

SECRET = new_webhook_secret()
AT = datetime(2026, 11, 23, 1, 2, 3, tzinfo=UTC)
LETTER = Letter(
    "019aa000-0000-7000-8000-00000000000a",
    "submit_result",
    "019aa000-0000-7000-8000-0000000000aa",
    7,
    "voice:019aa000-0000-7000-8000-000000000001",
    {"zh": "路灯已修好，联系电话13812341234", "en": "mended"},
    AT,
)


@dataclass
class Listener:
    """A real HTTP server of a few lines that keeps what it was sent and answers what it is told."""

    answer: bytes = b"HTTP/1.1 204 No Content\r\n\r\n"
    silent: bool = False
    heard: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    port: int = 0
    lines: dict[asyncio.Task[None] | None, asyncio.StreamWriter] = field(default_factory=dict)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.lines[asyncio.current_task()] = writer
        try:
            while head := (await reader.readuntil(b"\r\n\r\n")).decode():
                first, *lines = head.strip().split("\r\n")
                headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
                self.heard.append((first, headers, await reader.readexactly(int(headers["content-length"]))))
                if not self.silent:
                    writer.write(self.answer)
                    await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


@asynccontextmanager
async def listening(listener: Listener) -> AsyncIterator[Listener]:
    server = await asyncio.start_server(listener.serve, "127.0.0.1", 0)
    listener.port = server.sockets[0].getsockname()[1]
    try:
        yield listener
    finally:
        server.close()
        for writer in listener.lines.values():
            writer.transport.abort()
        await asyncio.gather(*filter(None, listener.lines))


def sender_to(
    listener: Listener, now: Callable[[], datetime] = lambda: datetime.now(UTC), **given: Any
) -> WebhookSender:
    given = {"allow_private": True, "host": "127.0.0.1", **given}
    url = f"http://{given.pop('host')}:{listener.port}/in?from=liuti"
    return WebhookSender(url, SECRET, "https://liuti.example", now, **given)


def sent(listener: Listener, *letters: Letter, **given: Any) -> list[tuple[str, dict[str, str], bytes]]:
    async def run() -> None:
        async with listening(listener):
            sender = sender_to(listener, **given)
            try:
                for letter in letters:
                    await sender.send(letter)
            finally:
                await sender.aclose()

    asyncio.run(run())
    return listener.heard


def test_a_letter_arrives_as_a_signed_cloud_event() -> None:
    ((first, headers, body),) = sent(Listener(), LETTER)
    assert first == "POST /in?from=liuti HTTP/1.1"
    event = Webhook(SECRET).verify(body, headers)
    assert headers["content-type"] == "application/cloudevents+json; charset=utf-8"
    assert headers["webhook-id"] == LETTER.id
    assert event == {
        "specversion": "1.0",
        "id": LETTER.id,
        "source": "https://liuti.example",
        "type": "liuti.submit_result",
        "subject": LETTER.issue,
        "time": "2026-11-23T01:02:03Z",
        "datacontenttype": "application/json",
        "data": {
            "event": "submit_result",
            "issue": LETTER.issue,
            "entry": 7,
            "recipient": LETTER.recipient,
            "words": dict(LETTER.words),
        },
    }


def test_an_altered_letter_does_not_verify() -> None:
    ((_, headers, body),) = sent(Listener(), LETTER)
    assert Webhook(SECRET).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(body.replace(b"mended", b"broken"), headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(body, headers | {"webhook-id": "another"})
    with pytest.raises(WebhookVerificationError):
        Webhook(new_webhook_secret()).verify(body, headers)


def test_a_letter_sent_twice_has_one_id_on_one_connection_and_the_time_of_each_attempt() -> None:
    beijing = timezone(timedelta(hours=8))
    times = iter([AT.astimezone(beijing), AT + timedelta(minutes=9)])
    listener = Listener()
    first, second = sent(listener, LETTER, LETTER, now=lambda: next(times))
    assert first[1]["webhook-id"] == second[1]["webhook-id"] == LETTER.id
    assert first[2] == second[2]
    assert [int(each[1]["webhook-timestamp"]) - int(AT.timestamp()) for each in (first, second)] == [0, 540]
    assert len(listener.lines) == 1
    assert first[1]["webhook-signature"] == Webhook(SECRET).sign(LETTER.id, AT, first[2].decode())


def test_a_proxy_of_the_surroundings_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    assert len(sent(Listener(), LETTER)) == 1


@pytest.mark.parametrize("status", [301, 400, 404, 410, 500, 503])
def test_any_answer_but_a_good_one_is_not_sent_and_no_redirect_is_followed(status: int) -> None:
    assert sent(Listener(), LETTER)
    answer = f"HTTP/1.1 {status} No\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n"
    listener = Listener(answer.encode())
    with pytest.raises(NotSent) as refusal:
        sent(listener, LETTER)
    assert refusal.value.status == status
    assert len(listener.heard) == 1


def test_a_listener_that_says_nothing_is_given_up() -> None:
    with pytest.raises(NotSent, match=r"no answer in 0\.2 s"):
        sent(Listener(silent=True), LETTER, seconds=0.2)


def test_a_listener_that_speaks_without_end_is_heard_no_further() -> None:
    answer = b"HTTP/1.1 200 OK\r\ncontent-length: 90000000\r\n\r\n" + b"x" * 200_000
    assert sent(Listener(answer), LETTER, seconds=PATIENCE)


@pytest.mark.parametrize("answer", [b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n"])
def test_nonsense_and_nobody_at_home_are_not_sent(answer: bytes) -> None:
    with pytest.raises(NotSent):
        sent(Listener(answer), LETTER, seconds=0.5)

    async def nobody() -> None:
        sender = sender_to(Listener(port=1))
        with pytest.raises(NotSent, match="no connection: ConnectError"):
            await sender.send(LETTER)
        await sender.aclose()

    asyncio.run(nobody())


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "2130706433", "0x7f000001", "[::ffff:127.0.0.1]", "0.0.0.0"]
)
def test_a_letter_never_goes_inside_unless_allowed(host: str) -> None:
    allowed = sent(Listener(), LETTER)
    assert len(allowed) == 1
    listener = Listener()
    with pytest.raises(NotSent) as refusal:
        sent(listener, LETTER, host=host, allow_private=False)
    assert "not a public one" in refusal.value.why or "resolve" in refusal.value.why
    assert listener.heard == [] and not listener.lines


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
        "224.0.0.1", "239.1.2.3", "255.255.255.255", "198.18.0.1", "192.0.2.1", "240.0.0.1", "::1", "::", "fe80::1",
        "fe80::1%eth0", "fc00::1", "fd12::1", "ff02::1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::",
        "2001:db8::1",
    ],
)  # fmt: skip
def test_addresses_of_the_inside_are_not_public(address: str) -> None:
    assert is_public("8.8.8.8") and is_public("2606:4700::1111") and is_public("64:ff9b::808:808")
    assert not is_public(address)


def test_one_private_address_among_public_ones_is_enough_to_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [["93.184.215.14"], ["93.184.215.14", "10.0.0.1"], []]

    async def resolved() -> list[str]:
        loop, got = asyncio.get_running_loop(), []

        async def told(*_: Any, **__: Any) -> list[Any]:
            return [(2, 1, 6, "", (address, 443)) for address in answers.pop(0)]

        monkeypatch.setattr(loop, "getaddrinfo", told)
        for _ in range(3):
            try:
                got.append(await checked_address("example.org", 443))
            except NotSent as refusal:
                got.append(refusal.why)
        return got

    assert asyncio.run(resolved()) == ["93.184.215.14", *["the host's address is not a public one"] * 2]


class Nothing(httpx.AsyncByteStream):
    """An answer without a body, as a connection would bring it."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b""


def test_the_call_goes_to_the_checked_number_under_the_hosts_own_name(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[httpx.Request] = []

    def outside(request: httpx.Request) -> httpx.Response:
        calls.append(request)
        return httpx.Response(202, stream=Nothing())

    async def run() -> None:
        async def told(*_: Any, **__: Any) -> list[Any]:
            return [(10, 1, 6, "", ("2606:4700::1111", 8443, 0, 0))]

        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", told)
        async with httpx.AsyncClient(transport=httpx.MockTransport(outside)) as client:
            url = "https://钩子.example.org:8443/in"
            await WebhookSender(url, SECRET, "x", lambda: AT, client=client).send(LETTER)

    asyncio.run(run())
    (call,) = calls
    assert str(call.url) == "https://[2606:4700::1111]:8443/in"
    assert call.headers["host"].startswith("xn--") and call.headers["host"].endswith(".example.org:8443")
    assert call.extensions["sni_hostname"] == call.headers["host"].removesuffix(":8443")


@pytest.mark.parametrize("url", ["ftp://example.org", "file:///etc/passwd", "example.org", "http://"])
def test_what_is_no_address_is_refused_at_once(url: str) -> None:
    with pytest.raises(ValueError, match="begins with"):
        WebhookSender(url, SECRET, "x", lambda: AT)


def test_certificates_are_checked(tmp_path: Path) -> None:
    async def run() -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(own_certificate(tmp_path))
        server = await asyncio.start_server(Listener().serve, "127.0.0.1", 0, ssl=context)
        port = server.sockets[0].getsockname()[1]
        sender = WebhookSender(f"https://127.0.0.1:{port}", SECRET, "x", lambda: AT, allow_private=True)
        with pytest.raises(NotSent, match="ConnectError"):
            await sender.send(LETTER)
        await sender.aclose()
        server.close()

    asyncio.run(run())


def own_certificate(folder: Path) -> Path:
    """A certificate nobody vouches for, and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(1), now + timedelta(1))
    pem = serialization.Encoding.PEM
    kept = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "own.pem").write_bytes(kept + made.sign(key, hashes.SHA256()).public_bytes(pem))
    return folder / "own.pem"


def test_the_console_shows_a_letter_in_one_line_without_phones() -> None:
    lines: list[str] = []
    sender: Sender = ConsoleSender(lines.append)
    words = {"zh": "路灯已修好，\n电话１３８ 1234 1234 或13812341234", "n": 3}
    asyncio.run(sender.send(replace(LETTER, words=words)))
    (line,) = lines
    assert "\n" not in line and "138****1234" in line
    assert "submit_result" in line and LETTER.issue in line and LETTER.recipient in line and "#7" in line
    assert "1381234" not in line and "1234 1234" not in line
    assert line.count("138****1234") == 2


def test_no_phone_is_in_what_a_failed_sending_says_or_logs(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    with pytest.raises(NotSent) as refusal:
        sent(Listener(b"HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n"), LETTER)
    assert "13812341234" not in f"{refusal.value!r}{caplog.text}"
    assert json.dumps(dict(LETTER.words), ensure_ascii=False) not in caplog.text
