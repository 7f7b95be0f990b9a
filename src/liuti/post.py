"""Who gets what by which way: citizens by mail or SMS, not at night; everybody else by the house's own line."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial

from liuti.letter_words import LANGUAGES, Language, Spoken, speak
from liuti.mail import Mail, Mailer
from liuti.senders import Letter, NotSent, NotYet, Sender
from liuti.sms import Short, Sms, mobile
from liuti.store.engine import Engine
from liuti.store.reach import Reach, reach_of
from liuti.store.vault import KeyRing, Unreadable
from liuti.ways import Quiet, is_address


class Post:
    """Sends one letter or raises NotSent, as every Sender.

    A voice's letter goes by mail when they left an address and there is a relay, else by SMS when they left a mobile
    and there is a gateway; a way that is refused for good makes room for the next. A voice that left nothing, and
    every official, unit and role, is the house's: the webhook or the terminal, at any hour, without a contact in it.
    """

    def __init__(
        self, house: Sender, engine: Engine, ring: KeyRing, now: Callable[[], datetime], *, mailer: Mailer | None = None,
        sms: Sms | None = None, quiet: Callable[[], Quiet | None] = lambda: None, language: Language = "zh",
    ) -> None:  # fmt: skip
        self._house, self._engine, self._ring, self._now = house, engine, ring, now
        self._mailer, self._sms, self._quiet, self._language = mailer, sms, quiet, language

    async def send(self, letter: Letter) -> None:
        kind, _, voice = letter.recipient.partition(":")
        reach = await self._reach(voice) if kind == "voice" and (self._mailer or self._sms) else Reach()
        ways = self._ways(letter, reach)
        if not ways:
            await self._house.send(letter)
            return
        if not letter.urgent and (quiet := self._quiet()) is not None and (until := quiet.until(self._now())):
            raise NotYet(until)
        for n, way in enumerate(ways, start=1):
            try:
                await way()
            except NotSent as fault:
                if not fault.final or n == len(ways):
                    raise
            else:
                return

    async def aclose(self) -> None:
        """Lets go of every line that holds on to something."""
        for line in (self._mailer, self._sms, self._house):
            if (close := getattr(line, "aclose", None)) is not None:
                await close()

    async def _reach(self, voice: str) -> Reach:
        try:
            return await self._engine.ask(partial(reach_of, voice_id=voice, ring=self._ring))
        except Unreadable:
            raise NotSent("the contact does not open: is its key still in the ring?") from None

    def _ways(self, letter: Letter, reach: Reach) -> list[Callable[[], Awaitable[None]]]:
        language = next((one for one in LANGUAGES if one == reach.language), self._language)
        ways: list[Callable[[], Awaitable[None]]] = []
        if self._mailer is not None and is_address(reach.email):
            ways.append(partial(self._by_mail, self._mailer, letter, reach.email, language))
        if self._sms is not None and (number := mobile(reach.phone)):
            ways.append(partial(self._by_sms, self._sms, letter, number, language))
        return ways

    async def _by_mail(self, mailer: Mailer, letter: Letter, address: str, language: Language) -> None:
        said = speak(letter.event, language, letter.words)
        await mailer.send(Mail(letter.id, address, said.subject, said.text, language, letter.at))

    async def _by_sms(self, sms: Sms, letter: Letter, number: str, language: Language) -> None:
        said = speak(letter.event, language, letter.words)
        await sms.send(short_of(letter, said, number))


def short_of(letter: Letter, said: Spoken, number: str) -> Short:
    """The letter as a short text; its fields go along, for gateways that fill templates of their own."""
    fields = {name: str(value) for name, value in letter.words.items() if name not in ("token", "reply")}
    return Short(letter.id, number, said.event, said.language, said.sms, fields)
