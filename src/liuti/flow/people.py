"""Who is behind an issue: contacts, voices, consent, and the files they bring (docs/rules.md §1)."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from liuti.flow.kernel import Case, Fault, Row, rule
from liuti.flow.parts import Id
from liuti.flow.words import Channel, Role


class Contact(BaseModel):
    """How to reach a person; encrypted at rest, kept apart from the issue."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)
    name: str = Field("", max_length=64)
    phone: str = Field("", max_length=32, pattern=r"^[0-9+\-() ０-９]*$")
    address: str = Field("", max_length=200)
    email: str = Field("", max_length=254, pattern=r"^([^@\s]+@[^@\s]+)?$")
    language: Literal["", "zh", "en"] = ""
    """In which letters come; the house's own when empty."""


class FileRef(BaseModel):
    """One stored file, as the door found it to be; callers never write these."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    id: Id
    name: str
    media_type: str
    size: int
    sha256: str


@rule
def consent_on_behalf(case: Case) -> bool | Fault:
    """代人提交的,须经本人同意。
    Entering on somebody's behalf needs their consent."""
    return not case.form.on_behalf or case.form.consent or Fault(field="consent")


@rule
def notice_shown(case: Case) -> bool | Fault:
    """请先阅读现行的个人信息告知书(版本 {current})。
    Please read the current privacy notice first (version {current})."""
    current = case.world.policy.notice.version
    own_entry = case.role == Role.INTAKE and not case.form.on_behalf
    return own_entry or case.form.notice_version == current or Fault(current=current, field="notice_version")


IN_PERSON = frozenset({Channel.COUNTER, Channel.GRID})


def is_verified(channel: Channel, contact: Contact) -> bool:
    """Met at the counter or by a grid worker, or called the hotline, which handed over the caller's number. What another
    system calls its users is no number (docs/rules.md §1)."""
    called = channel is Channel.HOTLINE and any(char.isdigit() for char in contact.phone)
    return called or channel in IN_PERSON


def add_voice(case: Case, channel: Channel) -> None:
    """A person behind the issue; the contact goes to the store's vault, not into the issue or the ledger."""
    values = {
        "id": case.facts.fresh,
        "issue_id": case.issue.id,
        "contact": case.form.contact,
        "channel": channel.value,
        "verified": is_verified(channel, case.form.contact),
        "staff": _speaks_for_itself(case, channel),
        "at": case.now,
    }
    case.rows.append(Row("voices", values))


def _speaks_for_itself(case: Case, channel: Channel) -> bool:
    """Whether an official proposes in person. A hotline's call, and whatever another system sent, is somebody's of whom
    the official only writes down what was said (docs/rules.md §6: staff accounts weigh nothing, residents do)."""
    if case.role == Role.CITIZEN or case.form.on_behalf or channel is Channel.HOTLINE:
        return False
    return not (getattr(case.form, "external_id", "") or getattr(case.form, "reporter", ""))


def add_files(case: Case, files: tuple[FileRef, ...]) -> None:
    for ref in files:
        values = ref.model_dump() | {"issue_id": case.issue.id, "by": case.actor.id, "role": case.role, "at": case.now}
        case.rows.append(Row("files", values))
