"""Characters become numbers: hashed pairs of them, short signatures, and which rows are worth comparing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from liuti.rank.text import Characters

BITS = 20
"""Pairs of characters are told apart by a number of so many bits."""
LANES = 16
"""Numbers in a signature."""

_A, _B = np.uint32(0x9E3779B1), np.uint32(0x85EBCA77)
_M1, _M2 = np.uint32(0x2C1B3C6D), np.uint32(0x297A2D39)
_LANES = (np.arange(1, LANES + 1, dtype=np.uint64) * 0x9E3779B97F4A7C15 >> 32).astype(np.uint32) | np.uint32(1)


@dataclass(frozen=True, slots=True)
class Grams:
    """One row an occurrence: the message, the hashed gram, whether it stands in the title, whether it names a place.

    Rows of one message stand together, in the order of messages.
    """

    message: NDArray[np.int32]
    gram: NDArray[np.uint32]
    title: NDArray[np.bool_]
    place: NDArray[np.bool_]


def _mixed(value: NDArray[np.uint32]) -> NDArray[np.uint32]:
    value ^= value >> np.uint32(15)
    value *= _M1
    value ^= value >> np.uint32(12)
    value *= _M2
    value ^= value >> np.uint32(15)
    return value


def grams(read: Characters) -> Grams:
    """Every pair of neighbouring characters. Across what was left out they count as words, not as a place."""
    n = len(read.code)
    if n < 2:
        none = np.zeros(0, dtype=np.bool_)
        return Grams(np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.uint32), none, none)
    field = read.message * 2 + read.title
    kept = np.flatnonzero(field[:-1] == field[1:])
    gram = read.code[kept] * _A + read.code[kept + 1] * _B
    near = read.place[:-1] & read.place[1:] & (read.stretch[:-1] == read.stretch[1:])
    return Grams(read.message[kept], _mixed(gram) >> np.uint32(32 - BITS), read.title[kept], near[kept])


def signatures(found: Grams, messages: int) -> NDArray[np.uint32]:
    """A row of `LANES` numbers a message: two messages agree in about as many as they share of their grams (MinHash)."""
    out = np.full((messages, LANES), 0xFFFFFFFF, dtype=np.uint32)
    if not len(found.gram):
        return out
    starts = np.flatnonzero(np.diff(found.message, prepend=-1))
    spread = (found.gram + np.uint32(1)) * _A
    for lane, odd in enumerate(_LANES):
        mixed = spread * odd
        mixed ^= mixed >> np.uint32(15)
        mixed *= _M1
        out[found.message[starts], lane] = np.minimum.reduceat(mixed, starts)
    return out


def pairs_in_lists(
    key: NDArray[np.int64], row: NDArray[np.int64], order: NDArray[np.int64], width: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows that stand under one key and, sorted by `order` there, at most `width` apart; positions into the inputs.

    A long list costs `width` comparisons a row, not its square: what stands far apart in it meets again when
    its neighbours have become one.
    """
    by = np.lexsort((row, order, key))
    sorted_key = key[by]
    left, right = [], []
    for step in range(1, width + 1):
        at = np.flatnonzero(sorted_key[step:] == sorted_key[:-step])
        if not len(at):
            break
        left.append(by[at])
        right.append(by[at + step])
    if not left:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    return np.concatenate(left), np.concatenate(right)
