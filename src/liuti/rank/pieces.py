"""A message as pieces of two to four letters, each a number: what the categories are learned from."""

from __future__ import annotations

import re
import unicodedata

import numpy as np
from numpy.typing import NDArray

SIZES = (2, 3, 4)
TITLE, BODY = 100, 1500
"""Characters that are read: they bound the time of a suggestion."""
BREAK = "\n"

_HAN = "\u3400-\u9fff"
_GAP = re.compile(rf"(?<=[{_HAN}])\s+|\s+(?=[{_HAN}])")
_ALONE = re.compile(r"(?<![a-z])[a-z](?![a-z])")
"""One Latin letter by itself is the number of a house or a masked region, and says nothing about the matter."""
_SILENT = re.compile(r"[\W\d_]|[^\u0000-\uffff]")


def plain(title: str, body: str) -> str:
    """Lower case, one width, no blanks beside Chinese characters, line breaks for all that is no letter.

    The title stands in it twice and so weighs double. Words cut apart by blanks and running text come out alike, so that
    both can be learned from together; digits are left out, and with them telephone and house numbers.
    """
    text = unicodedata.normalize("NFKC", f"{title[:TITLE]}。{title[:TITLE]}。{body[:BODY]}").lower()
    return _SILENT.sub(BREAK, _ALONE.sub(BREAK, _GAP.sub("", text)))


def pieces(text: str) -> tuple[NDArray[np.uint64], NDArray[np.int64], NDArray[np.int64]]:
    """The number, place and length of every piece of a plain text; no piece reaches over a break."""
    code = np.frombuffer(text.encode("utf-16-le"), np.uint16).astype(np.uint64)
    code[code == ord(BREAK)] = 0
    number, place, length = [], [], []
    for size in SIZES:
        if len(code) < size:
            break
        key, whole = np.zeros(len(code) - size + 1, np.uint64), np.ones(len(code) - size + 1, np.bool_)
        for i in range(size):
            part = code[i : len(code) - size + 1 + i]
            key = (key << np.uint64(16)) | part
            whole &= part > 0
        at = np.flatnonzero(whole)
        number.append(key[at])
        place.append(at)
        length.append(np.full(len(at), size))
    if not number:
        return np.zeros(0, np.uint64), np.zeros(0, np.int64), np.zeros(0, np.int64)
    return np.concatenate(number), np.concatenate(place), np.concatenate(length)


def letters(number: int) -> str:
    """The letters a piece was made of."""
    return number.to_bytes(8, "big").decode("utf-16-be").lstrip("\0")
