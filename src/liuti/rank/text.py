"""A message as a row of plain characters: manner is left out, and where a place is named is marked."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

BODY = 400
"""Characters of a body that are read: the matter stands in front, what follows is its history."""
AFTER, BEFORE = 6, 4
"""Characters that name a place: so many after a region, so many before the word for what kind of place it is."""
DISTRICTS = 1024
"""Districts are told apart by a number below this."""

_TURN, _END = "\x1e", "\x1f"
_SEPARATORS = str.maketrans({_TURN: " ", _END: " "})
_HAN = "\u4e00-\u9fff"
_REGION = re.compile("[A-Z][0-9]{0,2}[市区县州]|西地省")
"""Regions whose names were masked before publication: `A7县`, `K市`."""
_DISTRICT = re.compile(
    f"[A-Z][0-9]{{1,2}}(?=[市区县州])|[{_HAN}][{_HAN}](?<![小社片园城景校厂库山地新辖])(?=[区县](?!域|间|别|分))"
    "|第[0-9一二三四五六七八九十百零〇]{1,5}(?=社区|居委|村|街坊|网格)"  # numbers differ by a sign, places by everything
)
_MANNER = re.compile(
    rf"(?:尊敬|敬爱)的(?:[^\s,.:;!?、。{_TURN}{_END}]{{0,12}}?(?:[:,!]|[您你]们?好[!,.。:]?))?|[您你]们?好[!,.。:]?|大家好"
    r"|此致|敬礼|谢谢|感谢您?在百忙之中|盼复|打扰了?|https?://[^\s\u4e00-\u9fff]+|\*{3,}"
)
_KINDS = [
    "小区",
    "家园",
    "花园",
    "公寓",
    "大厦",
    "大楼",
    "广场",
    "社区",
    "街道",
    "公园",
    "山庄",
    "大道",
    "幼儿",
    "小学",
    "中学",
    "学校",
    "学院",
    "大学",
    "医院",
    "公司",
    "集团",
    "市场",
    "商城",
    "佳苑",
    "新村",
    "楼盘",
    "银行",
    "平台",
    "车站",
    "高速",
    "号线",
    "片区",
    "新城",
    "安置",
    "工地",
    "名城",
    "雅苑",
    "新区",
    "酒店",
    "超市",
    "餐馆",
    "项目",
    "中心",
    "公馆",
]
_KIND = "路街镇乡村苑府湾桥巷厂邸"
_NOT_KIND = (
    "道路",
    "马路",
    "公路",
    "线路",
    "小街",
    "大街",
    "政府",
    "农村",
    "乡村",
    "乡镇",
    "城镇",
    "走路",
    "修路",
    "这里",
)


@dataclass(frozen=True, slots=True)
class Characters:
    """Messages laid end to end, one row a character.

    `code` the character, `message` its message's number, `title` whether it stands in the title, `place` whether it helps
    to name a place, `stretch` changes wherever something was left out between two characters.
    `district` holds pairs (message, number of a district its title names).
    """

    code: NDArray[np.uint32]
    message: NDArray[np.int32]
    title: NDArray[np.bool_]
    place: NDArray[np.bool_]
    stretch: NDArray[np.int32]
    district: NDArray[np.int32]


@lru_cache(maxsize=1)
def _said() -> NDArray[np.bool_]:
    return np.array([chr(c).isalnum() for c in range(0x10000)], dtype=np.bool_)


@lru_cache(maxsize=1)
def _plain() -> NDArray[np.uint32]:
    """NFKC of every character that stays one character: twelve times as fast as normalising the text itself."""
    forms = (unicodedata.normalize("NFKC", chr(c)) for c in range(0x10000))
    return np.array([ord(form) if len(form) == 1 else c for c, form in enumerate(forms)], dtype=np.uint32)


def _pairs(words: Iterable[str]) -> NDArray[np.uint32]:
    return np.array([(ord(word[0]) << 16) | ord(word[1]) for word in words], dtype=np.uint32)


@lru_cache(maxsize=1)
def _kinds() -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.uint32], NDArray[np.uint32]]:
    """First characters of kinds of places, kinds of one character, and the pairs that are a kind or look like one."""
    first, alone = np.zeros(0x10000, dtype=np.bool_), np.zeros(0x10000, dtype=np.bool_)
    first[[ord(k[0]) for k in _KINDS]] = True
    alone[[ord(k) for k in _KIND]] = True
    return first, alone, _pairs(_KINDS), _pairs(_NOT_KIND)


def _joined(titles: Sequence[str], bodies: Sequence[str]) -> str:
    rows = [f"{t}{_TURN}{b.strip()[:BODY]}" for t, b in zip(titles, bodies, strict=True)]
    joined = _END.join(rows)
    if joined.count(_TURN) != len(rows) or joined.count(_END) != len(rows) - 1:
        clean = [(t.translate(_SEPARATORS), b.translate(_SEPARATORS)) for t, b in zip(titles, bodies, strict=True)]
        joined = _END.join([f"{t}{_TURN}{b.strip()[:BODY]}" for t, b in clean])
    return joined


def _covered(begin: NDArray[np.int64], end: NDArray[np.int64], length: int) -> NDArray[np.bool_]:
    edge = np.bincount(np.maximum(begin, 0), minlength=length + 1) - np.bincount(
        np.minimum(end, length), minlength=length + 1
    )
    return np.cumsum(edge[:length]) > 0


def _spans(pattern: re.Pattern[str], joined: str) -> NDArray[np.int64]:
    return np.array([found.span() for found in pattern.finditer(joined)], dtype=np.int64).reshape(-1, 2)


def _kinds_at(code: NDArray[np.uint32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where a kind of place begins, and where the characters that name the place end."""
    first, alone, pairs, unlike = _kinds()
    small = np.minimum(code, 0xFFFF)
    at = np.flatnonzero(first[small[:-1]])
    at = at[np.isin((small[at] << 16) | small[at + 1], pairs)]
    one = np.flatnonzero(alone[small[1:]]) + 1
    one = one[~np.isin((small[one - 1] << 16) | small[one], unlike)]
    return np.concatenate([at, one]), np.concatenate([at, one + 1])


def _districts(joined: str, message: NDArray[np.int32], title: NDArray[np.bool_]) -> NDArray[np.int32]:
    rows = [
        (message[found.start()], _number(found.group())) for found in _DISTRICT.finditer(joined) if title[found.start()]
    ]
    return np.array(rows, dtype=np.int32).reshape(-1, 2)


def _number(name: str) -> int:
    total = 0
    for character in name:
        total = (total * 8191 + ord(character)) & 0xFFFFFFFF
    return (total * 2654435761 >> 16) % DISTRICTS


def read(titles: Sequence[str], bodies: Sequence[str]) -> Characters:
    """Half width, lower case, without regions, greetings and punctuation. Equal texts give equal rows."""
    code = np.frombuffer(_joined(titles, bodies).encode("utf-32-le", "surrogatepass"), dtype=np.uint32).copy()
    small = code < 0x10000
    code[small] = _plain()[code[small]]
    joined = code.tobytes().decode("utf-32-le", "surrogatepass")
    message = np.cumsum(code == ord(_END), dtype=np.int32)
    title = np.cumsum(code == ord(_TURN), dtype=np.int32) == message
    region, manner = _spans(_REGION, joined), _spans(_MANNER, joined)
    district = _districts(joined, message, title)
    code[(code >= ord("A")) & (code <= ord("Z"))] += 32
    said = _said()[np.minimum(code, 0xFFFF)]
    gone = ~said | _covered(np.append(region[:, 0], manner[:, 0]), np.append(region[:, 1], manner[:, 1]), len(code))
    kind, named = _kinds_at(code)
    place = _covered(np.append(region[:, 1], kind - BEFORE), np.append(region[:, 1] + AFTER, named), len(code))
    kept = ~gone
    stretch = np.cumsum(gone, dtype=np.int32)
    return Characters(code[kept], message[kept], title[kept], place[kept], stretch[kept], district)
