"""Names for rows: UUIDv7, so that a key says roughly when and an index grows at its end."""

import os
from datetime import datetime


def uuid7(now: datetime, entropy: bytes | None = None) -> str:
    """A UUIDv7 (RFC 9562) of the aware time `now`, as 36 lower-case characters.

    Ids of different milliseconds sort as their times do; within one millisecond the
    microseconds (12 bits) do it, and 62 random bits keep two of them apart.
    `entropy` (8 bytes or more) stands in for the random bits where a test wants one answer.
    ValueError when `now` is naive or `entropy` too short.
    """
    if now.tzinfo is None:
        raise ValueError("uuid7 wants an aware time")
    noise = os.urandom(8) if entropy is None else entropy
    if len(noise) < 8:
        raise ValueError("uuid7 wants 8 bytes of entropy")
    millis, micros = divmod(round(now.timestamp() * 1_000_000), 1000)
    fraction = micros * 4096 // 1000
    tail = int.from_bytes(noise[:8], "big") & (1 << 62) - 1
    text = f"{millis << 80 | 7 << 76 | fraction << 64 | 2 << 62 | tail:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
