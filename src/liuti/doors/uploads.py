"""Uploads: read within limits, looked at and written anew off the event loop, kept under the name of their content."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from fastapi import Request
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException

from liuti.doors.deps import Malformed, form_of, office, too_large
from liuti.doors.files import Accepted, FileLimits, accept
from liuti.flow.kernel import Refused
from liuti.store.ids import uuid7


def is_multipart(request: Request) -> bool:
    return request.headers.get("content-type", "").startswith("multipart/form-data")


async def form_with_files(request: Request) -> Any:
    """A move's form out of a multipart body: fields by name, or one part `form` holding JSON; the rest are files."""
    policy = office(request).desk.world().policy.files
    most = policy.max_bytes * policy.max_per_issue + 100_000
    if int(request.headers.get("content-length") or most + 1) > most:
        raise too_large(most)
    try:
        async with request.form(max_files=policy.max_per_issue, max_fields=40, max_part_size=100_000) as parts:
            return await _gathered(request, parts)
    except HTTPException as fault:
        zh, en = "上传的内容不完整或无法读取。", f"The upload cannot be read: {fault.detail}"
        raise Refused("bad_upload", 422, zh, en) from None


async def _gathered(request: Request, parts: FormData) -> Any:
    given: dict[str, Any] = {}
    uploads: list[UploadFile] = []
    for name, value in parts.multi_items():
        if isinstance(value, UploadFile):
            uploads.append(value)
        elif name == "form":
            inner = form_of(value.encode())
            if isinstance(inner, Malformed):
                return inner
            given |= inner
        elif "\x00" in value:
            return Malformed()
        else:
            given[name] = {"true": True, "false": False}.get(value, value)
    given["files"] = [await keep(request, upload) for upload in uploads]
    return given


async def keep(request: Request, upload: UploadFile) -> dict[str, Any]:
    """Looked at, written anew and on disk; what a form says of it. Refused 413, 422 for what is not taken."""
    here = office(request)
    policy = here.desk.world().policy.files
    raw = await upload.read(policy.max_bytes + 1)
    if len(raw) > policy.max_bytes:
        raise too_large(policy.max_bytes)
    limits = replace(FileLimits(), image_bytes=policy.max_bytes, pdf_bytes=policy.max_bytes, pixels=policy.max_pixels)
    accepted = await asyncio.to_thread(accept, raw, upload.filename or "", limits)
    if accepted.media_type not in policy.types:
        raise Refused("file_type", 422, "本地区不接收此类文件。", "This kind of file is not taken here.", "files")
    await asyncio.to_thread(_store, here.settings.files_dir, accepted)
    return {
        "id": uuid7(here.now()), "name": accepted.name, "media_type": accepted.media_type,
        "size": len(accepted.body), "sha256": accepted.sha256,
    }  # fmt: skip


def path_of(folder: Path, sha256: str) -> Path:
    return folder / sha256[:2] / sha256


def _store(folder: Path, accepted: Accepted) -> None:
    """On disk before any row speaks of it; the same content is kept once."""
    path = path_of(folder, accepted.sha256)
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.urandom(6).hex()}")
    with draft.open("wb") as out:
        out.write(accepted.body)
        out.flush()
        os.fsync(out.fileno())
    draft.replace(path)
