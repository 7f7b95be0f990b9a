"""Which lines the settings open to the outside: the house's own, mail, SMS."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from zoneinfo import ZoneInfo

from liuti.mail import SmtpMailer
from liuti.post import Post
from liuti.senders import ConsoleSender, Sender, WebhookSender
from liuti.settings import Settings
from liuti.sms import ConsoleSms, Sms, SmsGateway
from liuti.store.engine import Engine
from liuti.store.vault import KeyRing
from liuti.ways import Quiet, Relay


def post_of(
    settings: Settings, engine: Engine, ring: KeyRing, now: Callable[[], datetime], zone: Callable[[], ZoneInfo]
) -> Post:
    """What the worker sends letters by; whoever asked closes it. `zone` is where quiet hours are quiet."""
    mailer = None
    if settings.smtp_url is not None:
        mailer = SmtpMailer(Relay.parse(settings.smtp_url.get_secret_value()), settings.mail_from)
    return Post(
        house_of(settings, now), engine, ring, now, mailer=mailer,
        # Without a gateway texts are the terminal's only where codes are asked for: letters have the house.
        sms=sms_of(settings, now) if settings.sms_url else None,
        quiet=lambda: Quiet.parse(settings.quiet_hours, zone()), language=settings.letter_language,
    )  # fmt: skip


def house_of(settings: Settings, now: Callable[[], datetime]) -> Sender:
    """The webhook, or the terminal."""
    if settings.webhook_url is None or settings.webhook_secret is None:
        return ConsoleSender()
    return WebhookSender(settings.webhook_url, settings.webhook_secret.get_secret_value(), settings.base_url, now)


def sms_of(settings: Settings, now: Callable[[], datetime]) -> Sms:
    """The gateway, or the terminal."""
    if settings.sms_url is None or settings.sms_secret is None:
        return ConsoleSms()
    secret = settings.sms_secret.get_secret_value()
    return SmsGateway(settings.sms_url, secret, settings.base_url, now, allow_private=settings.sms_private)
