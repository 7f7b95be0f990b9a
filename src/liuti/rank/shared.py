"""Which words two texts have in common: what a person looks at who asks whether they are the same matter."""

from __future__ import annotations

from liuti.rank.text import BODY

LEAST, MOST = 3, 6
"""Letters a word in common has at least; words told at most."""
_EDGES = " \n\t,.;:!?()，。；：！？（）、的了是在和与及就也都被把我你他们"


def shared(one: str, other: str) -> tuple[str, ...]:
    """The longest pieces of text that stand in both, longest first; of texts of any length only the front is read."""
    one, other = one[:BODY].lower(), other[:BODY].lower()
    found: dict[str, None] = {}
    start = 0
    while start <= len(one) - LEAST:
        end = start + LEAST
        if one[start:end] not in other:
            start += 1
            continue
        while end < len(one) and one[start : end + 1] in other:
            end += 1
        word = one[start:end].strip(_EDGES)
        if len(word) >= LEAST and not word.isdigit():
            found[word] = None
        start = end
    return tuple(sorted(found, key=lambda word: (-len(word), one.find(word)))[:MOST])


def marked(text: str, words: tuple[str, ...]) -> list[tuple[str, bool]]:
    """The text in pieces, each with whether it is one of the words; put together they are the text again."""
    pieces: list[tuple[str, bool]] = []
    low, plain, at = text.lower(), 0, 0
    if len(low) != len(text):  # a letter that grows when written small would shift every place
        return [(text, False)]
    while at < len(text):
        word = next((one for one in words if low.startswith(one, at)), "")
        if not word:
            at += 1
            continue
        pieces += [(text[plain:at], False)] if plain < at else []
        pieces.append((text[at : at + len(word)], True))
        plain = at = at + len(word)
    return [*pieces, (text[plain:], False)] if plain < len(text) else pieces
