"""How a letter goes by mail: one SMTP conversation, in a thread, that ends in time and says no address to a log."""

from __future__ import annotations

import asyncio
import re
import smtplib
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, formataddr, parseaddr
from typing import Protocol

from liuti.letter_words import Language
from liuti.senders import NotSent
from liuti.ways import Relay, is_address, is_sender

AT_ONCE = 10
"""Conversations at a time: as many as the worker sends letters."""
_ENHANCED = re.compile(rb"([245])\.(\d{1,3})\.(\d{1,3})\b")
_NO_SUCH_MAILBOX = frozenset({550, 551, 553})
_NO_SUCH_ADDRESS = frozenset({"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1"})
"""RFC 3463: what they mean stays so. A relay that does not know *us* says 5.7.x, and its words are no fault of the address."""


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail; `id` stays the same however often it is sent. Its repr shows neither address nor words."""

    id: str
    to: str = field(repr=False)
    subject: str = field(repr=False)
    text: str = field(repr=False)
    language: Language
    at: datetime


class Mailer(Protocol):
    """Sends one mail or raises NotSent; may be called again with the same one."""

    async def send(self, mail: Mail) -> None: ...

    async def aclose(self) -> None: ...


class SmtpMailer:
    """Mails by one relay. `sender` is who they are from, as `六题办理 <no-reply@example.org>`.

    A mailbox the relay says it does not know makes the refusal final; whatever else goes wrong may be tried again.
    When the line is lost after the last byte nobody knows whether the mail was taken: it goes again, with the same
    Message-ID.
    """

    def __init__(
        self, relay: Relay, sender: str, *, seconds: float = 15.0, context: ssl.SSLContext | None = None
    ) -> None:
        name, address = parseaddr(sender)
        if not is_sender(sender):
            raise ValueError("mails are from an address, as: 六题办理 <no-reply@example.org>")
        self._relay, self._name, self._address, self._seconds = relay, name, address, seconds
        self._context = context or ssl.create_default_context()
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="liuti-mail")

    async def send(self, mail: Mail) -> None:
        """Returns once the relay has taken it; NotSent otherwise, within `seconds` altogether."""
        if not is_address(mail.to):
            raise NotSent("mail: not an address", final=True)
        line = _Line(self._relay, self._context, self._seconds)
        words = self._message(mail).as_bytes(policy=SMTP)
        running = asyncio.get_running_loop().run_in_executor(self._threads, line.carry, self._address, mail.to, words)
        try:
            async with asyncio.timeout(self._seconds):
                await asyncio.shield(running)
        except TimeoutError:
            raise NotSent(f"mail: no answer in {self._seconds:g} s") from None
        finally:
            if not running.done():
                line.cut()
                running.add_done_callback(lambda done: done.cancelled() or done.exception())

    async def aclose(self) -> None:
        """Ends the threads; a conversation still going on is not waited for longer than its own time."""
        await asyncio.to_thread(self._threads.shutdown)

    def _message(self, mail: Mail) -> EmailMessage:
        message = EmailMessage(policy=SMTP)
        message["From"] = formataddr((self._name, self._address))
        message["To"] = mail.to
        message["Subject"] = " ".join(mail.subject.split())
        message["Date"] = format_datetime(mail.at)
        message["Message-ID"] = f"<{mail.id}@{self._address.rpartition('@')[2]}>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(mail.text, cte="base64")
        message["Content-Language"] = "zh-CN" if mail.language == "zh" else "en"
        return message


class _Line:
    """One conversation, in a thread; `cut` ends it from outside."""

    def __init__(self, relay: Relay, context: ssl.SSLContext, seconds: float) -> None:
        self._relay, self._context, self._seconds = relay, context, seconds
        self._smtp: smtplib.SMTP | None = None
        self._is_cut = False

    def carry(self, sender: str, to: str, words: bytes) -> None:
        try:
            self._converse(sender, to, words)
        except smtplib.SMTPRecipientsRefused as refused:
            raise _refused("recipient", *refused.recipients[to], of_the_mailbox=_NO_SUCH_MAILBOX) from None
        except smtplib.SMTPDataError as fault:
            raise _refused("mail", fault.smtp_code, fault.smtp_error) from None
        except smtplib.SMTPResponseException as fault:  # who we are, not whom we write to: the next try may be let in
            raise NotSent(f"mail: {type(fault).__name__} {fault.smtp_code}", fault.smtp_code) from None
        except (OSError, smtplib.SMTPException, ValueError) as fault:
            raise NotSent(f"mail: no connection: {type(fault).__name__}") from None

    def cut(self) -> None:
        """Whoever waits for the other side waits no longer."""
        self._is_cut = True
        sock = self._smtp.sock if self._smtp is not None else None
        if sock is not None:
            with suppress(OSError):
                # Not the TLS socket's own shutdown: that would take its state from under the reading thread.
                socket.socket.shutdown(sock, socket.SHUT_RDWR)

    def _converse(self, sender: str, to: str, words: bytes) -> None:
        if self._is_cut:  # its time ran out before a thread was free
            return
        relay = self._relay
        name = sender.rpartition("@")[2]  # the machine's own would have to be looked up
        smtp = self._smtp = (
            smtplib.SMTP_SSL(local_hostname=name, timeout=self._seconds, context=self._context)
            if relay.tls == "whole"
            else smtplib.SMTP(local_hostname=name, timeout=self._seconds)
        )
        # Whose certificate it must be: the constructor sets it only when it connects by itself.
        smtp._host = relay.host  # type: ignore[attr-defined]
        try:
            code, said = smtp.connect(relay.host, relay.port)
            if code != 220:
                raise smtplib.SMTPConnectError(code, said)
            if self._is_cut:  # while there was nothing to cut yet
                return
            if relay.tls == "start":
                smtp.starttls(context=self._context)
            if relay.login:
                smtp.login(relay.login, relay.password)
            smtp.sendmail(sender, [to], words)
            # Its answer is not waited for: the mail is taken, and nothing said now changes that.
            with suppress(OSError, smtplib.SMTPException):
                smtp.putcmd("quit")
        finally:
            smtp.close()


def _refused(what: str, code: int, words: bytes | str, of_the_mailbox: frozenset[int] = frozenset()) -> NotSent:
    """Only numbers are kept of what the relay said: its words repeat the address."""
    found = _ENHANCED.search(words if isinstance(words, bytes) else words.encode())
    enhanced = found[0].decode() if found else ""
    final = enhanced in _NO_SUCH_ADDRESS if enhanced else code in of_the_mailbox
    return NotSent(f"mail: {what} refused {code} {enhanced}".strip(), code, final=final)
