"""What a page sent: fields by name, photos looked at and kept, and whatever was refused shown again with nothing lost."""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from fastapi import Request
from msgspec import DecodeError, json
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from liuti.doors.deps import NO_VERSION, Office, office, too_large
from liuti.doors.pages.fields import by_name, read_back
from liuti.doors.uploads import keep
from liuti.flow.kernel import Form, Refused

KEPT = "files_kept"
"""A photo that is on disk already, told by a signed reference: a browser never sends a file a second time by itself."""


@dataclass(slots=True)
class Sent:
    fields: dict[str, list[str]]
    files: list[dict[str, Any]] = field(default_factory=list)
    fault: Refused | None = None
    """What is wrong with a file; said where the move would be refused, so that the words stay and good photos too."""

    def one(self, name: str) -> str:
        return self.fields.get(name, [""])[-1]

    @property
    def version(self) -> int | None:
        """The version the page was made from; what is no number is no version of ours."""
        text = self.one("version")
        return (int(text) if text.isdecimal() and len(text) <= 9 else NO_VERSION) if text else None

    @property
    def key(self) -> str | None:
        """What the page carries so that a button pressed twice does one thing."""
        text = self.one("key")
        return text if 1 <= len(text) <= 100 and text.isprintable() else None


async def sent(request: Request) -> Sent:
    """Fields and photos of a page's form; Refused 413, 422 for what is too large or cannot be read."""
    here = office(request)
    limits = here.desk.world().policy.files
    most = limits.max_bytes * limits.max_per_issue + 200_000
    if int(request.headers.get("content-length") or 0) > most:
        raise too_large(most)
    try:
        async with request.form(max_files=limits.max_per_issue, max_fields=300, max_part_size=100_000) as parts:
            plain = [(name, value) for name, value in parts.multi_items() if isinstance(value, str)]
            uploads = [one for _, one in parts.multi_items() if isinstance(one, UploadFile) and one.filename]
            files, fault = await _kept(request, uploads)
    except HTTPException as broken:
        zh, en = "上传的内容不完整或无法读取。", f"The upload cannot be read: {broken.detail}"
        raise Refused("bad_upload", 422, zh, en, "files") from None
    if any("\x00" in value for _, value in plain):
        zh, en = "内容含有无法保存的字符。", "It holds a character that cannot be kept."
        raise Refused("bad_value", 422, zh, en)
    found = Sent(by_name(plain), fault=fault)
    kept = (_opened(here, token) for token in found.fields.get(KEPT, []))
    found.files = [ref for ref in kept if ref is not None] + files
    request.state.sent = found
    return found


async def _kept(request: Request, uploads: list[UploadFile]) -> tuple[list[dict[str, Any]], Refused | None]:
    """Those that can be kept, and what is wrong with the first that cannot, by its name."""
    files, fault = [], None
    for upload in uploads:
        try:
            files.append(await keep(request, upload))
        except Refused as refused:
            name = (upload.filename or "")[:60]
            zh, en = f"{name}: {refused.zh}", f"{name}: {refused.en}"
            fault = fault or Refused(refused.code, refused.status, zh, en, "files", **refused.extra)
    return files, fault


def raw_of(request: Request, form: type[Form], given: Sent) -> dict[str, Any]:
    raw = read_back(form, given.fields, office(request).desk.world().calendar.zone)
    if "files" in form.model_fields and given.files:
        raw["files"] = given.files
    return raw


# -- photos kept while the words are put right ---------------------------------------------------------------------


def held(here: Office, files: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """What a page sends back instead of photos it cannot send again: (token, name) of each."""
    return [(_signed(here, json.encode(ref)), ref["name"]) for ref in files]


def _mark(here: Office, body: bytes) -> bytes:
    return hmac.new(here.settings.keys.get_secret_value().encode(), b"kept-file:" + body, sha256).digest()[:16]


def _signed(here: Office, body: bytes) -> str:
    return urlsafe_b64encode(_mark(here, body) + body).decode()


def _opened(here: Office, token: str) -> dict[str, Any] | None:
    try:
        whole = urlsafe_b64decode(token.encode())
    except ValueError:
        return None
    mark, body = whole[:16], whole[16:]
    if not hmac.compare_digest(mark, _mark(here, body)):
        return None
    try:
        ref: dict[str, Any] = json.decode(body)
    except DecodeError:
        return None
    return ref


# -- what was refused, field by field ------------------------------------------------------------------------------

_RULES = {
    "missing": ("请填写。", "Please fill in."),
    "string_too_short": ("请填写。", "Please fill in."),
    "string_too_long": ("太长了。", "Too long."),
    "string_pattern_mismatch": ("格式不对。", "This does not look right."),
    "enum": ("请选择一项。", "Please choose."),
    "literal_error": ("请选择一项。", "Please choose."),
    "too_long": ("太多了。", "Too many."),
}


def faults_of(refused: Refused) -> dict[str, tuple[str, str]]:
    """Sentences (zh, en) by field; the rule itself under the field it is about, or under "" when it is about none."""
    listed: list[Mapping[str, Any]] = refused.extra.get("faults", [])
    if not listed:
        return {refused.field or "": (refused.zh, refused.en)}
    dates = ("填一个日期。", "Give a date.")
    return {
        one["field"]: _RULES.get(
            one["rule"], dates if one["rule"].startswith("date") else ("填得不对。", "This is not right.")
        )
        for one in listed
    }
