"""Mail over a real SMTP server: whole, in any language, to one mailbox, and never a word of it in a fault or a log."""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from liuti.mail import Mail, SmtpMailer
from liuti.senders import NotSent
from liuti.ways import Relay, is_address
from tests.patience import PATIENCE
from tests.smtp_server import SmtpServer, serving

AT = datetime(2026, 11, 23, 1, 2, 3, tzinfo=UTC)
FROM = "六题办理 <no-reply@liuti.example>"
MAIL = Mail("letter_0123", "wang@post.example", "办理时限延长（查询码 7K3M9QX2W4HA）", "您好：\n新的期限。\n", "zh", AT)


async def mailed(server: SmtpServer, *mails: Mail, **given: Any) -> None:
    tls = given.pop("tls", "no")
    login, password = given.pop("login", ""), given.pop("password", "")
    mailer = SmtpMailer(Relay("127.0.0.1", server.port, tls, login, password), FROM, **given)
    try:
        for mail in mails:
            await mailer.send(mail)
    finally:
        await mailer.aclose()


def certified(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's context with a certificate for 127.0.0.1, and a client's that trusts it alone."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "post")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(1), now + timedelta(1))
    builder = builder.add_extension(
        x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
    ).add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    shown = builder.sign(key, hashes.SHA256()).public_bytes(pem)
    (folder / "post.pem").write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain) + shown)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "post.pem")
    client = ssl.create_default_context(cadata=shown.decode())
    return server, client


async def refusal(work: Callable[[], Awaitable[Any]]) -> NotSent:
    with pytest.raises(NotSent) as refused:
        await work()
    return refused.value


# -- arriving ------------------------------------------------------------------------------------------------------


async def test_a_mail_arrives_with_a_chinese_subject_and_text_and_says_who_it_is_from() -> None:
    async with serving(SmtpServer()) as server:
        await mailed(server, MAIL)
    (taken,) = server.taken
    assert (taken.sender, taken.to) == ("no-reply@liuti.example", ["wang@post.example"])
    assert taken.message["Subject"] == MAIL.subject and taken.text == MAIL.text
    assert taken.message["From"] == FROM and taken.message["To"] == MAIL.to
    assert taken.message["Date"].datetime == AT and taken.message["Message-ID"] == "<letter_0123@liuti.example>"
    assert taken.message["Auto-Submitted"] == "auto-generated" and taken.message["Content-Language"] == "zh-CN"
    assert taken.words.isascii() and max(map(len, taken.words.split(b"\r\n"))) <= 998
    assert server.heard[0].lower() == "ehlo liuti.example", "the name of the machine is nobody's business"


async def test_a_line_that_is_one_dot_does_not_end_the_mail() -> None:
    text = "一\n.\nMAIL FROM:<evil@post.example>\n..二\n"
    async with serving(SmtpServer()) as server:
        await mailed(server, replace(MAIL, text=text))
    (taken,) = server.taken
    assert taken.text == text and not [line for line in server.heard if "evil" in line]


async def test_ten_mails_go_side_by_side_and_no_more() -> None:
    async with serving(SmtpServer()) as server:
        mailer = SmtpMailer(Relay("127.0.0.1", server.port, "no"), FROM)
        await asyncio.gather(*(mailer.send(replace(MAIL, id=f"letter_{n}")) for n in range(30)))
        await mailer.aclose()
    assert len({taken.message["Message-ID"] for taken in server.taken}) == 30
    assert server.most_at_once <= 11, "one may still be hanging up"


# -- refused -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "final"),
    [
        ("550 5.1.1 <wang@post.example> no such user", True), ("550 wang@post.example unknown", True),
        ("551 gone", True), ("550 5.2.1 disabled", True), ("550 5.7.1 relaying denied for wang@post.example", False),
        ("554 5.7.1 blocked", False), ("552 5.2.2 mailbox full", False), ("530 sign in first", False),
        ("450 4.2.0 grey-listed", False), ("421 4.3.0 too busy", False), ("451 try again", False),
    ],
)  # fmt: skip
async def test_only_a_mailbox_that_is_not_there_is_refused_for_good_and_its_address_is_repeated_nowhere(
    answer: str, final: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    async with serving(SmtpServer()) as server:
        await mailed(server, MAIL)
        server.answers["rcpt"] = [answer]
        fault = await refusal(lambda: mailed(server, MAIL))
    assert (fault.status, fault.final) == (int(answer[:3]), final)
    assert len(server.taken) == 1
    assert "wang" not in f"{fault!r} {fault.why} {caplog.text}" and "wang" not in repr(MAIL)


@pytest.mark.parametrize(
    ("where", "answer"),
    [
        ("connect", "554 who are you"), ("connect", "421 too many"), ("ehlo", "500 what"), ("mail", "550 5.1.8 not you"),
        ("mail", "451 later"), ("data", "451 later"), ("dot", "554 5.6.0 spam"), ("dot", "452 4.3.1 full"), ("connect", ""),
        ("ehlo", ""), ("mail", ""), ("rcpt", ""), ("data", ""), ("connect", "nonsense"),
    ],
)  # fmt: skip
async def test_whatever_else_goes_wrong_may_be_tried_again_and_succeeds_then(where: str, answer: str) -> None:
    async with serving(SmtpServer(answers={where: [answer, answer] if where == "ehlo" else [answer]})) as server:
        if where == "ehlo":
            server.answers["helo"] = [answer]
        fault = await refusal(lambda: mailed(server, MAIL))
        assert not fault.final and fault.why.startswith("mail: ")
        assert server.taken == []
        server.answers.clear()
        await mailed(server, MAIL)
    assert len(server.taken) == 1


async def test_a_line_lost_after_the_last_byte_sends_again_under_the_same_message_id() -> None:
    async with serving(SmtpServer(answers={"dot": [""]})) as server:
        fault = await refusal(lambda: mailed(server, MAIL))
        assert not fault.final
        await mailed(server, MAIL)
    assert [taken.message["Message-ID"] for taken in server.taken] == ["<letter_0123@liuti.example>"] * 2


@pytest.mark.parametrize("where", ["connect", "rcpt", "dot"])
@pytest.mark.parametrize("manner", ["…", "~"])
async def test_a_server_that_falls_silent_or_never_ends_is_given_up_in_time_and_so_is_its_thread(
    where: str, manner: str
) -> None:
    async with serving(SmtpServer(answers={where: [manner]})) as server:
        async with asyncio.timeout(PATIENCE):
            fault = await refusal(lambda: mailed(server, MAIL, seconds=0.3))
    assert fault.why == "mail: no answer in 0.3 s" or "no connection" in fault.why


async def test_a_server_that_has_taken_the_mail_and_then_says_nothing_has_taken_it() -> None:
    async with serving(SmtpServer(answers={"quit": ["…"]})) as server:
        async with asyncio.timeout(PATIENCE):
            await mailed(server, MAIL, seconds=2 * PATIENCE)
    assert len(server.taken) == 1


async def test_nobody_at_home_may_be_tried_again() -> None:
    fault = await refusal(lambda: mailed(SmtpServer(port=1), MAIL))
    assert fault.why == "mail: no connection: ConnectionRefusedError" and not fault.final


# -- nothing gets in beside the mail -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "a@post.example\r\nRCPT TO:<evil@post.example>", "a@post.example\n", "a@post.example, evil@post.example",
        "<a@post.example>", "a b@post.example", "a@post.example>", "Wang <a@post.example>", "a@post", "@post.example",
        "a@", "", "a..b@post.example", ".a@post.example", "a@-post.example", "王@post.example", "a@\x00post.example",
        "a@post.example ORCPT=rfc822;evil", "x" * 65 + "@post.example", "a@" + "b." * 130 + "example", '"a b"@post.example',
    ],
)  # fmt: skip
async def test_what_is_not_one_plain_address_gets_no_conversation(address: str) -> None:
    assert is_address("wang.er+liuti@mail.post.example")
    assert not is_address(address)
    async with serving(SmtpServer()) as server:
        await mailed(server, MAIL)
        fault = await refusal(lambda: mailed(server, replace(MAIL, to=address)))
    assert fault.final and server.conversations == 1


@pytest.mark.parametrize("gap", ["\r\n", "\n", "\r", "\u2028", "\x0b", "\x85", "\x1c", "\0"])
async def test_no_subject_brings_a_header_of_its_own(gap: str) -> None:
    async with serving(SmtpServer()) as server:
        await mailed(server, replace(MAIL, subject=f"您好{gap}Bcc: evil@post.example{gap}{gap}another text"))
    (taken,) = server.taken
    assert taken.message["Bcc"] is None and taken.to == [MAIL.to] and taken.text == MAIL.text
    assert sorted(map(str.lower, taken.message.keys())) == sorted(
        ["from", "to", "subject", "date", "message-id", "content-language", "auto-submitted", "mime-version",
         "content-type", "content-transfer-encoding"]
    )  # fmt: skip


@pytest.mark.parametrize(
    "sender", ["", "liuti", "a@b", "A <a@post.example>\r\nBcc: <evil@post.example>", "a, b@c.example x"]
)
def test_mails_are_from_somebody(sender: str) -> None:
    SmtpMailer(Relay("127.0.0.1", 1, "no"), FROM)
    with pytest.raises(ValueError, match="from an address"):
        SmtpMailer(Relay("127.0.0.1", 1, "no"), sender)


# -- the line is covered -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tls", ["start", "whole"])
async def test_a_password_is_said_on_a_covered_line(tls: str, tmp_path: Path) -> None:
    context, trusting = certified(tmp_path)
    async with serving(SmtpServer(context, whole=tls == "whole", login="liuti:gehe im")) as server:
        await mailed(server, MAIL, tls=tls, login="liuti", password="gehe im", context=trusting)
        wrong = await refusal(lambda: mailed(server, MAIL, tls=tls, login="liuti", password="x", context=trusting))
        strange = await refusal(lambda: mailed(server, MAIL, tls=tls, login="liuti", password="gehe im"))
    assert len(server.taken) == 1
    assert wrong.why == "mail: SMTPAuthenticationError 535" and not wrong.final
    assert strange.why == "mail: no connection: SSLCertVerificationError"


async def test_where_no_cover_is_offered_neither_password_nor_mail_is_said() -> None:
    async with serving(SmtpServer(login="liuti:geheim")) as server:
        fault = await refusal(lambda: mailed(server, MAIL, tls="start", login="liuti", password="geheim"))
    assert "SMTPNotSupportedError" in fault.why
    assert not [line for line in server.heard if line.startswith(("AUTH", "MAIL"))] and server.taken == []


def test_a_mail_server_is_named_by_an_address_whose_password_is_not_shown() -> None:
    assert Relay.parse("smtp://mail.example") == Relay("mail.example", 587, "start")
    assert Relay.parse("smtps://liuti:a%40b@mail.example") == Relay("mail.example", 465, "whole", "liuti", "a@b")
    assert Relay.parse("smtp://10.0.0.7:2525?tls=no") == Relay("10.0.0.7", 2525, "no")
    assert "geheim" not in repr(Relay.parse("smtp://liuti:geheim@mail.example"))


@pytest.mark.parametrize(
    "url",
    [
        "", "mail.example", "http://mail.example", "smtp://", "smtp://mail.example?tls=maybe", "smtp://mail.example:port",
        "smtp://liuti:geheim@mail.example?tls=no", "smtp://liuti:%0d%0aRSET@mail.example",
    ],
)  # fmt: skip
def test_what_names_no_mail_server_is_refused_at_once(url: str) -> None:
    Relay.parse("smtp://mail.example:25?tls=no")
    with pytest.raises(ValueError) as fault:
        Relay.parse(url)
    assert "geheim" not in str(fault.value)
