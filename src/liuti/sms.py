"""How a short text reaches a phone: by a signed call to whatever gateway the district has, or onto the terminal."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from liuti.letter_words import Language
from liuti.senders import NotSent, SignedPost
from liuti.store.household import hide_phones, mask_phone, phone_of

_MOBILE = re.compile(r"1[3-9]\d{9}")
NO_SUCH_NUMBER = 422
"""What a gateway answers to a number that no try will ever reach."""


@dataclass(frozen=True, slots=True)
class Short:
    """One short text; `id` stays the same however often it is sent. Its repr shows neither phone nor words."""

    id: str
    phone: str = field(repr=False)
    template: str
    """The event, or `code`: gateways that send only registered templates choose theirs by it."""
    language: Language
    text: str = field(repr=False)
    fields: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What the text was filled from, for such gateways."""


class Sms(Protocol):
    """Sends one text or raises NotSent; may be called again with the same one."""

    async def send(self, text: Short) -> None: ...

    async def aclose(self) -> None: ...


class ConsoleSms:
    """One line a text, its phone masked; for the demo. It shows codes, so the line is not for a log that is kept."""

    def __init__(self, write: Callable[[str], None] = print) -> None:
        self._write = write

    async def send(self, text: Short) -> None:
        self._write(f"☎ {text.template} → {mask_phone(text.phone)} {hide_phones(text.text)}")

    async def aclose(self) -> None: ...


class SmsGateway:
    """A signed CloudEvent `liuti.sms` for each text, to an address that passes it on to the provider.

    Any 2xx is taken for sent, 422 for a number that cannot be reached; `webhook-id` lets the gateway drop repeats.
    """

    def __init__(self, url: str, secret: str, source: str, now: Callable[[], datetime], **more: Any) -> None:
        self._source, self._now, self._line = source, now, SignedPost(url, secret, now, **more)

    async def send(self, text: Short) -> None:
        event = {
            "specversion": "1.0", "id": text.id, "source": self._source, "type": "liuti.sms",
            "time": self._now().isoformat(), "datacontenttype": "application/json",
            "data": {
                "phone": text.phone, "template": text.template, "language": text.language, "text": text.text,
                "fields": dict(text.fields),
            },
        }  # fmt: skip
        try:
            await self._line.post(text.id, event)
        except NotSent as fault:
            raise NotSent(f"sms: {fault.why}", fault.status, final=fault.status == NO_SUCH_NUMBER) from None

    async def aclose(self) -> None:
        await self._line.aclose()


def mobile(text: str) -> str:
    """The number an SMS can go to, as it is dialled; "" for a landline and for what is no number."""
    number = phone_of(text)
    return number if _MOBILE.fullmatch(number) else ""
