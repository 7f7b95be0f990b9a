"""Which door and which number a person means: one spelling each, and what of it may be shown."""

import re
import unicodedata
from collections.abc import Iterable

_DASHES = re.compile(r"[‐-―−~_﹣]")
_OLD_FORMS = str.maketrans("號棟單樓層門組隊區鎮鄉縣", "号栋单楼层门组队区镇乡县")
_NUMERALS = "零〇一二两三四五六七八九十百"
_NUMERAL = re.compile(rf"[{_NUMERALS}]+(?=号|栋|幢|座|单元|室|房|户|楼|层|组|队|弄|门|$)")
_DIGIT = {"零": 0, "〇": 0, "一": 1, "二": 2, "两": 2, "三": 3, "四": 4, "五": 5, "六": 6, "七": 7, "八": 8, "九": 9}
# Province and city drop only where the chain is beyond doubt: reading 翡翠城北区 as a district would
# make one household of every 3栋501 in town, while an unread prefix only splits a household in two.
_PROVINCE = r"(?:[一-鿿]{2,3}省|(?:内蒙古|[一-鿿]{2,4}族)自治区)"
_CITY = r"[一-鿿]{2,4}(?<![超菜夜门早商])[市州盟](?=[一-鿿]{1,3}[区县市])"
_DISTRICT = r"[^路街道村苑园庄城小社\W\d]{1,3}[区县市]"
_ABOVE = re.compile(rf"^(?:中国)?(?:{_PROVINCE}(?:{_CITY})?(?:{_DISTRICT})?|{_CITY}{_DISTRICT})(?=[^\W\d])")
_SPELLINGS = (
    (re.compile(r"第(?=\d)"), ""),
    (re.compile(r"(\d|[a-z])(?:号楼|#楼|幢|座|栋楼|栋)"), r"\1栋"),
    (re.compile(r"(\d)#(?=.*\d)"), r"\1栋"),
    (re.compile(r"(\d)#$"), r"\1号"),
    (re.compile(r"(\d|[a-z])门(?=-?\d)"), r"\1单元"),
    (re.compile(r"(?<![\d-])(\d{1,3})-(\d{1,2})-([a-z]?\d{1,5})(?:[号室房户])?$"), r"\1栋\2单元\3室"),
    (re.compile(r"(?<=栋)-?(\d{1,2})-([a-z]?\d{1,5})(?:[号室房户])?$"), r"\1单元\2室"),
    (re.compile(r"(?<![\d-])(\d{1,3})-([a-z]?\d{3,5})(?:[室房户])?$"), r"\1栋\2室"),
    (re.compile(r"(?<!\d)-|-(?!\d)"), ""),
    (re.compile(r"(?<=[栋元层楼])([a-z]?\d{1,5})(?:[号室房户]|$)"), r"\1室"),
    (re.compile(r"(?<=号)([a-z]?\d{3,5})(?:[号室房户]|$)"), r"\1室"),
    (re.compile(r"(\d)[房户](?:间|号)?"), r"\1室"),
    (re.compile(r"(?<=\d室).*"), ""),
)
# Letters at either side, or the four of a UUID before the dash, mean an id, not a phone; Chinese characters do not.
_PHONE_IN_LINE = re.compile(
    r"(?<![0-9A-Za-z])(?:\+?86[ -]?)?"
    r"(?:1[3-9]\d(?:[ -]?\d{4}){2}|(?<!\d-)(?<![0-9A-Fa-f]{4}-)0[1-9]\d{1,2}[ -]?\d{7,8})(?![0-9A-Za-z])"
)
_FULL_WIDTH = {0xFF10 + digit: str(digit) for digit in range(10)} | {0xFF0B: "+", 0xFF0D: "-"}
_ZEROS = re.compile(r"(?<![\da-z])0+(?=\d)")
_LONGEST, _ROUNDS = 200, 12
_ROOM = re.compile(r"[^\W\d_]{2}.*\d室$")
_HOUSE = re.compile(r"[^\W\d_]{2}.*\d号$")
_MANY_DOORS = re.compile(r"栋|单元|小区|花园|公寓|大厦|广场|市场|新村|家园|花苑")


def phone_of(text: str) -> str:
    """The digits of a phone number as it is dialled inside the country; "" when there are none.

    Full-width digits, blanks, dashes and +86 / 0086 / 86 go; a landline keeps its area code's 0,
    so `+86 564 1234567` and `0564-1234567` are one number. Idempotent.
    """
    plain = unicodedata.normalize("NFKC", text)
    digits = "".join(str(unicodedata.digit(mark)) for mark in plain if mark.isdigit())
    abroad = plain.lstrip(" (").startswith("+86") or digits.startswith("0086")
    if abroad:
        digits = digits.removeprefix("00").removeprefix("86")
    elif re.fullmatch(r"861[3-9]\d{9}", digits):
        return digits[2:]
    area_lost = abroad and len(digits) >= 10 and not re.match(r"0|[48]00|1[3-9]\d{9}$", digits)
    return "0" + digits if area_lost else digits


def door_of(address: str, own_area: Iterable[str] = ()) -> str | None:
    """One spelling of an address down to the door, or None when it does not reach one.

    Equal for full and half width, blanks, 号楼/幢/座/#, 室/房/户, 三栋 and 3栋, `3-2-501`, and with
    or without province and city; `own_area` names what may also be left out here, for example
    the city and the district the house stands in. A gate number (幸福路12号) is a door unless the
    place has many (小区, 3栋). Where spelling leaves doubt two keys come out rather than one:
    a household counted twice can be merged, two families counted as one lose a vote.
    Source: docs/rules.md §1.
    """
    area, key = tuple(own_area), address[:_LONGEST]
    # One spelling can open the way for another (A幢楼5 → a栋楼5室 → a栋5室): go on until none has anything to do.
    for _ in range(_ROUNDS):
        before, key = key, _spelled(key, area)
        if key == before:
            break
    else:
        return None
    reaches = _ROOM.match(key) or (_HOUSE.match(key) and not _MANY_DOORS.search(key))
    return key if reaches else None


def mask_phone(phone: str) -> str:
    """`138****1234`; of a shorter number the last two digits, of a very short one nothing."""
    digits = phone_of(phone)
    if len(digits) >= 11:
        return f"{digits[:3]}{'*' * (len(digits) - 7)}{digits[-4:]}"
    return "*" * (len(digits) - 2) + digits[-2:] if len(digits) >= 7 else "*" * len(digits)


def mask_name(name: str) -> str:
    """The first character and at most two stars: 张三丰 → 张**, 张三 → 张*; a single one is hidden."""
    plain = name.strip()
    return plain[0] + "*" * min(len(plain) - 1, 2) if len(plain) > 1 else "*" * len(plain)


def mask_address(address: str) -> str:
    """The road or place up to its first number, then four stars; without a number, its first half."""
    plain = unicodedata.normalize("NFKC", address[:_LONGEST]).strip()
    if not plain:
        return ""
    number = re.search(rf"\d|#|[a-zA-Z]|[{_NUMERALS}]+(?=号|栋|幢|座|单元|室|房|户|楼|层|组|队|弄)", plain)
    half = min(len(plain) // 2, 6)
    return plain[: number.start() if number else half] + "****"


def hide_phones(line: str) -> str:
    """The line with every phone number in it masked; for whatever goes to a terminal or a log."""
    return _PHONE_IN_LINE.sub(lambda found: mask_phone(found.group()), line.translate(_FULL_WIDTH))


def _spelled(address: str, own_area: tuple[str, ...]) -> str:
    key = unicodedata.normalize("NFKC", address).translate(_OLD_FORMS).lower()
    key = re.sub(r"[^\w#-]", "", _DASHES.sub("-", key))
    key = _ABOVE.sub("", key)
    for name in own_area:
        key = key.removeprefix(name)
    key = _NUMERAL.sub(lambda run: _count(run.group()), key)
    for spelling, one in _SPELLINGS:
        key = spelling.sub(one, key)
    return _ZEROS.sub("", key)


def _count(numeral: str) -> str:
    """十二 → 12, 一百零五 → 105, 五〇一 → 501."""
    if not set(numeral) & {"十", "百"}:
        return "".join(str(_DIGIT[mark]) for mark in numeral)
    total, ones = 0, 0
    for mark in numeral:
        if mark in "十百":
            total, ones = total + (ones or 1) * (10 if mark == "十" else 100), 0
        else:
            ones = _DIGIT[mark]
    return str(total + ones)
