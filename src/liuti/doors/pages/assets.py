"""Stylesheets, scripts and pictures from this very server: read once, compressed once, named by their content."""

from __future__ import annotations

import gzip
from functools import cache
from hashlib import sha256
from mimetypes import guess_type
from pathlib import Path
from typing import NamedTuple

from fastapi import Request, Response

from liuti.flow.kernel import Refused

STATIC = Path(__file__).parents[1] / "static"
FOR_GOOD = "public, max-age=31536000, immutable"
"""A file asked for by the mark of its content never changes under that address."""


class Asset(NamedTuple):
    body: bytes
    packed: bytes
    """The same with gzip, or as it is where that saves nothing."""
    mark: str
    media_type: str


@cache
def asset(name: str) -> Asset | None:
    """One file of static/, by its path below; None for what is not there or lies outside."""
    path = (STATIC / name).resolve()
    if not path.is_relative_to(STATIC) or not path.is_file():
        return None
    body = path.read_bytes()
    packed = gzip.compress(body, 9, mtime=0)
    media_type = guess_type(path.name)[0] or "application/octet-stream"
    return Asset(body, packed if len(packed) < len(body) else body, sha256(body).hexdigest()[:12], media_type)


def address(name: str) -> str:
    """Where a page finds the file. Without Bootstrap (LIUTI_SKIP_VENDOR=1) pages are plain, so a missing file is no fault."""
    found = asset(name)
    return f"/static/{name}?v={found.mark}" if found is not None else ""


async def serve(request: Request, name: str) -> Response:
    found = asset(name)
    if found is None:
        raise Refused("no_such_file", 404, "没有这个文件。", "There is no such file.")
    kept = FOR_GOOD if request.query_params.get("v") == found.mark else "public, max-age=600"
    headers = {"Cache-Control": kept, "ETag": f'"{found.mark}"', "Vary": "Accept-Encoding"}
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    if found.packed is not found.body and "gzip" in request.headers.get("accept-encoding", ""):
        return Response(found.packed, headers=headers | {"Content-Encoding": "gzip"}, media_type=found.media_type)
    return Response(found.body, headers=headers, media_type=found.media_type)
