"""A real SMTP server of a few lines: it keeps what it was sent and misbehaves as it is told."""

from __future__ import annotations

import asyncio
import base64
import email
import email.policy
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage

from tests.patience import until


@dataclass
class Taken:
    """One mail as it was taken: the envelope, and the bytes between DATA and the dot."""

    sender: str
    to: list[str]
    words: bytes

    @property
    def message(self) -> EmailMessage:
        found = email.message_from_bytes(self.words, policy=email.policy.default)
        assert isinstance(found, EmailMessage)
        return found

    @property
    def text(self) -> str:
        return str(self.message.get_content()).replace("\r\n", "\n")


@dataclass
class SmtpServer:
    """`answers` replaces the answer to a command for the next times it comes; "" hangs up instead, "…" says nothing, "~" goes on and on."""

    context: ssl.SSLContext | None = None
    whole: bool = False
    """TLS from the first byte, instead of STARTTLS."""
    login: str = ""
    answers: dict[str, list[str]] = field(default_factory=dict)
    taken: list[Taken] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)
    port: int = 0
    conversations: int = 0
    at_once: int = 0
    most_at_once: int = 0
    _lines: set[asyncio.StreamWriter] = field(default_factory=set)
    _over: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.conversations += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self._lines.add(writer)
        try:
            await self._converse(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        finally:
            self.at_once -= 1
            self._lines.discard(writer)
            writer.transport.abort()

    async def _converse(  # noqa: PLR0912 - one case a command reads best in one piece
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        async def say(command: str, usual: str) -> bool:
            replaced = self.answers.get(command)
            words = replaced.pop(0) if replaced else usual
            if not words:
                raise ConnectionAbortedError
            if words == "…":
                await self._over.wait()
                raise ConnectionAbortedError
            while words == "~" and not self._over.is_set():
                writer.write(b"250-and\r\n")
                await writer.drain()
                await asyncio.sleep(0.02)
            writer.write(words.replace("\n", "\r\n").encode() + b"\r\n")
            await writer.drain()
            return words == usual

        sender, to = "", list[str]()
        await say("connect", "220 post.example ready")
        while line := (await reader.readline()).decode("ascii").rstrip("\r\n"):
            self.heard.append(line)
            command, _, rest = line.partition(" ")
            match command.upper():
                case "EHLO":
                    offers = ["post.example", *self._offers(writer), "SIZE 1000000"]
                    lines = [f"250-{offer}" for offer in offers[:-1]] + [f"250 {offers[-1]}"]
                    await say("ehlo", "\n".join(lines))
                case "STARTTLS":
                    assert self.context is not None
                    if await say("starttls", "220 go ahead"):
                        await writer.start_tls(self.context)
                case "AUTH":
                    known = base64.b64decode(rest.partition(" ")[2]).decode().lstrip("\0").replace("\0", ":")
                    await say("auth", "235 welcome" if known == self.login else "535 5.7.8 who are you")
                case "MAIL":
                    sender, to = rest.partition("<")[2].partition(">")[0], []
                    await say("mail", "250 ok")
                case "RCPT":
                    address = rest.partition("<")[2].partition(">")[0]
                    if await say("rcpt", "250 ok"):
                        to.append(address)
                case "DATA":
                    if await say("data", "354 go on"):
                        words = (await reader.readuntil(b"\r\n.\r\n")).removesuffix(b".\r\n")
                        replaced = self.answers.get("dot")
                        if not replaced or replaced[0] in ("", "…"):
                            self.taken.append(Taken(sender, to, words.replace(b"\r\n..", b"\r\n.")))
                        await say("dot", "250 taken")
                case "QUIT":
                    await say("quit", "221 good bye")
                    return
                case _:
                    await say(command.lower(), "250 ok")

    def _offers(self, writer: asyncio.StreamWriter) -> list[str]:
        covered = writer.get_extra_info("ssl_object") is not None
        offers = ["STARTTLS"] if self.context is not None and not self.whole and not covered else []
        return offers + (["AUTH PLAIN"] if self.login and (covered or self.context is None) else [])

    def hang_up(self) -> None:
        self._over.set()
        for writer in list(self._lines):
            writer.transport.abort()


@asynccontextmanager
async def serving(server: SmtpServer) -> AsyncIterator[SmtpServer]:
    listening = await asyncio.start_server(
        server.serve, "127.0.0.1", 0, ssl=server.context if server.whole else None, limit=10_000_000
    )
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        server.hang_up()
        await until(lambda: not server.at_once)  # conversations end on their own once hung up
