"""A place on a map, where the district has one: the point stands behind the words of the place as a geo: address (RFC 5870)."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import urlsplit

from fastapi import Response

from liuti.settings import Settings

_GEO = re.compile(r"\s*geo:(-?\d{1,2}(?:\.\d{1,6})?),(-?\d{1,3}(?:\.\d{1,6})?)\s*$")


class Map(NamedTuple):
    tiles: str
    lat: float
    lon: float
    zoom: int


def map_of(settings: Settings) -> Map | None:
    """The district's map; None where no tile address is set."""
    if not settings.map_tiles:
        return None
    lat, lon, zoom = settings.map_center.split(",")
    return Map(settings.map_tiles, float(lat), float(lon), int(zoom))


def with_point(place: str, point: str) -> str:
    """The place in words with the point picked on the map behind it; what is no point is left out."""
    words, known = split(place)
    found = (
        _GEO.search(f" geo:{point.strip()}") if point.strip() else known and _GEO.search(f" geo:{known[0]},{known[1]}")
    )
    if not found or abs(float(found[1])) > 90 or abs(float(found[2])) > 180:
        return words
    return f"{words} geo:{found[1]},{found[2]}".strip()


def split(place: str) -> tuple[str, tuple[float, float] | None]:
    """The words of a place, and its point if somebody picked one."""
    found = _GEO.search(place)
    if found is None:
        return place, None
    return place[: found.start()].strip(), (float(found[1]), float(found[2]))


def allow_tiles(response: Response, shown: Map | None) -> None:
    """The one thing a page loads from elsewhere: pictures of the map's own server, on pages with a map."""
    if shown is not None:
        parts = urlsplit(shown.tiles.replace("{s}.", "*."))
        host = f"{parts.scheme}://{parts.netloc}"
        response.headers["Content-Security-Policy"] = (
            f"default-src 'self'; img-src 'self' data: {host}; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
        )
