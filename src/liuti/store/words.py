"""Chinese search without a dictionary: two neighbouring characters are a word, on both databases alike.

A run of Chinese characters becomes its pairs and, last, its final character: 路灯不亮 → 路灯 灯不 不亮 亮.
So a phrase of pairs finds the characters side by side, a pair finds any two-character word, and a
prefix finds a single character wherever it stands. Letters and digits stay whole, in lower case.
Index: FTS5 `unicode61` over `bigrams(text)`, PostgreSQL `to_tsvector('simple', bigrams(text))`.
"""

import re
import unicodedata
from typing import Literal

Dialect = Literal["sqlite", "postgresql"]

_HAN = "々〇㐀-䶿一-鿿豈-﫿\U00020000-\U000323af"
_RUN = re.compile(rf"[{_HAN}぀-ヿ가-힣]+|[^\W_{_HAN}぀-ヿ가-힣]+")
_CHUNK = re.compile(r"[^\W_]+")
_LONGEST = 64  # PostgreSQL drops a word above 2 kB; a run of letters this long is noise anyway
_ASKED = 200


def bigrams(text: str) -> str:
    """The words of a text to index, in order and parted by one blank; the same for full and half width."""
    return " ".join(word for run in _RUN.findall(_plain(text)) for word in _words(run))


def query(text: str, dialect: Dialect) -> str | None:
    """What to bind to `MATCH` (FTS5) or `to_tsquery('simple', …)`; None when there is nothing to look for.

    Characters written together must stand together, pieces parted by blanks or marks must all occur.
    Only letters and digits reach the answer and each piece is quoted, so no operator gets through.
    Characters after the first 200 are not looked at.
    """
    pieces = [_phrase(chunk, dialect) for chunk in _CHUNK.findall(_plain(text[:_ASKED]))]
    return (" AND " if dialect == "sqlite" else " & ").join(dict.fromkeys(pieces)) or None


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def _words(run: str) -> list[str]:
    if not _is_han(run):
        return [run[:_LONGEST]]
    return [*(run[at : at + 2] for at in range(len(run) - 1)), run[-1]]


def _is_han(run: str) -> bool:
    return re.match(rf"[{_HAN}぀-ヿ가-힣]", run) is not None


def _phrase(chunk: str, dialect: Dialect) -> str:
    runs = _RUN.findall(chunk)
    words = [word for run in runs for word in _words(run)]
    # The run may go on in the text, where its last character is the head of a pair and not a word.
    tail_open = _is_han(runs[-1])
    if tail_open and len(runs[-1]) > 1:
        words.pop()
    prefix = tail_open and len(runs[-1]) == 1
    if dialect == "sqlite":
        return f'"{" ".join(words)}"' + (" *" if prefix else "")
    return "(" + " <-> ".join(f"'{word}'" for word in words) + (":*)" if prefix else ")")
