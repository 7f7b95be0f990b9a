"""Messages in numbers: hashed pairs of characters, short signatures, rows weighed by rarity, and which of them to compare."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from liuti.rank import text
from liuti.rank.text import Characters

Floats = NDArray[np.float32]
Longs = NDArray[np.int64]

BITS = 20
"""Pairs of characters are told apart by a number of so many bits."""
SPACE = 1 << BITS
LANES = 16
"""Numbers in a signature."""
BATCH = 1024
"""Messages read at a time: a message's number within its batch and a gram's number fill 32 bits with two marks."""
CHUNK = 16384
"""Pairs of rows multiplied at a time."""
TITLE = 1.0
"""What standing in the title adds to a gram's count."""
RARE, RARE_PLACE = 1.4, 2.0
"""Powers of a gram's rarity in a text and in the name of a place."""
COMMON = 0.5
"""A gram in more than this share of the messages tells nothing."""
NAMED = 0.5
"""Share of its count that a gram keeps in its text where it names a place: that is judged by itself."""

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
    if not len(found.gram) or not messages:
        return out
    starts = np.flatnonzero(np.diff(found.message, prepend=-1))
    spread = (found.gram + np.uint32(1)) * _A
    for lane, odd in enumerate(_LANES):
        mixed = spread * odd
        mixed ^= mixed >> np.uint32(15)
        mixed *= _M1
        out[found.message[starts], lane] = np.minimum.reduceat(mixed, starts)
    return out


@dataclass(frozen=True, slots=True)
class Counted:
    """A batch of messages in numbers. `packed` holds a row a gram of a message: 20 bits gram, then how often (3), title (1), place (3)."""

    messages: int
    length: NDArray[np.int32]
    packed: NDArray[np.uint32]
    district: NDArray[np.int32]
    signature: NDArray[np.uint32]
    digest: NDArray[np.uint64]


def prepare(titles: Sequence[str], bodies: Sequence[str], *, signed: bool = True) -> Counted:
    """A batch of at most `BATCH` messages, alone: batches may be prepared anywhere and in any order.

    Without signatures where nothing will be compared by them.
    """
    if len(titles) > BATCH:
        raise ValueError(f"a batch has at most {BATCH} messages")
    read = text.read(titles, bodies)
    found = grams(read)
    length, packed = _packed(found, len(titles))
    signature = signatures(found, len(titles) if signed else 0)
    return Counted(len(titles), length, packed, read.district, signature, _digest(read, len(titles)))


def _packed(found: Grams, messages: int) -> tuple[NDArray[np.int32], NDArray[np.uint32]]:
    """How many different grams each message has, and a packed row for each of them."""
    if not len(found.gram):
        return np.zeros(messages, dtype=np.int32), np.zeros(0, dtype=np.uint32)
    marks = (found.title.astype(np.uint32) << np.uint32(1)) | found.place
    key: NDArray[np.uint32] = (
        (found.message.astype(np.uint32) << np.uint32(BITS + 2)) | (found.gram << np.uint32(2)) | marks
    )
    key.sort()
    whole = key >> np.uint32(2)
    start = np.flatnonzero(np.diff(whole, prepend=np.uint32(0xFFFFFFFF)))
    times = np.minimum(np.diff(start, append=len(key)), 7).astype(np.uint32)
    titled = np.bitwise_or.reduceat(key, start) >> np.uint32(1) & np.uint32(1)
    placed = np.minimum(np.add.reduceat((key & np.uint32(1)).astype(np.int32), start), 7).astype(np.uint32)
    gram = whole[start] & np.uint32(SPACE - 1)
    packed = gram | times << np.uint32(BITS) | titled << np.uint32(BITS + 3) | placed << np.uint32(BITS + 4)
    return np.bincount(whole[start] >> np.uint32(BITS), minlength=messages).astype(np.int32), packed


def _digest(read: text.Characters, messages: int) -> NDArray[np.uint64]:
    """A number a message that is the same for equal texts, and else hardly ever."""
    out = np.zeros(messages, dtype=np.uint64)
    if len(read.code):
        start = np.flatnonzero(np.diff(read.message, prepend=-1))
        place = np.arange(len(read.code)) - np.repeat(start, np.diff(start, append=len(read.code)))
        mixed = (read.code.astype(np.uint64) + np.uint64(1)) * (
            place.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) | np.uint64(1)
        )
        mixed ^= mixed >> np.uint64(29)
        mixed *= np.uint64(0xD6E8FEB86659FD93)
        out[read.message[start]] = np.add.reduceat(mixed, start)
    return out


FEW = 300
"""In a young district, where one matter may make up most of what came in, so many messages of it are not yet common."""


def rarity(counts: NDArray[np.int64], messages: int) -> Floats:
    """How rare each gram is, 0 for what is in too many messages."""
    weight = np.log((1 + messages) / (1 + np.clip(counts, 1, messages))) + 1
    weight[counts > max(COMMON * messages, FEW)] = 0
    return weight.astype(np.float32)


def tallied(batch: Counted) -> tuple[Longs, NDArray[np.int32], Floats, Floats]:
    """Of every packed row its message and gram, and what it counts in the text and in the name of a place, before rarity."""
    log = (1 + np.log(np.maximum(np.arange(8), 1))).astype(np.float32)
    message = np.repeat(np.arange(batch.messages), batch.length)
    gram = (batch.packed & np.uint32(SPACE - 1)).astype(np.int32)
    title = (TITLE * (batch.packed >> np.uint32(BITS + 3) & np.uint32(1))).astype(np.float32)
    whole = log[batch.packed >> np.uint32(BITS) & np.uint32(7)] + title
    placed = batch.packed >> np.uint32(BITS + 4) & np.uint32(7)
    place = np.where(placed > 0, log[placed] + title, np.float32(0))
    return message, gram, np.where(placed > 0, NAMED * whole, whole), place


def weighed(batch: Counted, rare: Floats, met: NDArray[np.bool_]) -> tuple[sparse.csr_array, sparse.csr_array]:
    """The batch's rows of length 1: of its texts, and of the names of places in them.

    `met` says which grams more than one message has: the others count in no text, but they do in the name of a place,
    for a place heard of for the first time is another place. A text that names none is placed by all its words.
    """
    message, gram, whole, place = tallied(batch)
    weight = rare[gram]
    whole, place = whole * weight**RARE * met[gram], place * weight**RARE_PLACE
    nowhere = np.bincount(message, place, minlength=batch.messages) == 0
    place = np.where(nowhere[message], whole, place)
    return _rows(message, gram, whole, met, batch.messages), _rows(message, gram, place, met, batch.messages)


def _rows(
    message: Longs, gram: NDArray[np.int32], value: Floats, met: NDArray[np.bool_], messages: int
) -> sparse.csr_array:
    at = np.flatnonzero(value)
    norm = np.sqrt(np.bincount(message[at], value[at] ** 2, minlength=messages))
    # What no other message has counts in the length, and then meets nothing.
    at = at[met[gram[at]]]
    message = message[at]
    value = (value[at] / np.maximum(norm, 1e-9)[message]).astype(np.float32)
    until = np.concatenate([[0], np.cumsum(np.bincount(message, minlength=messages))])
    return sparse.csr_array((value, gram[at], until), shape=(messages, SPACE))


class Rows:
    """Sparse rows that grow at the end; a row is never changed."""

    def __init__(self, matrix: sparse.csr_array) -> None:
        self.take(matrix)

    def take(self, matrix: sparse.csr_array) -> None:
        """Hold these rows instead."""
        self.matrix = matrix
        self._value, self._column, self._until = matrix.data, matrix.indices, matrix.indptr

    def grow(self, rows: sparse.csr_array) -> None:
        """Add rows. Room is made twice as large at a time, so that a row is moved but a few times."""
        used, height = int(self.matrix.indptr[-1]), self.matrix.shape[0]
        self._value = _room(self._value, used, rows.data)
        self._column = _room(self._column, used, rows.indices)
        self._until = _room(self._until, height + 1, rows.indptr[1:] + used)
        height += rows.shape[0]
        end = used + len(rows.data)
        held = self._value[:end], self._column[:end], self._until[: height + 1]
        self.matrix = sparse.csr_array(held, shape=(height, self.matrix.shape[1]), copy=False)

    def dot(self, left: Longs, right: Longs) -> Floats:
        """Products of the rows of each pair."""
        out = np.empty(len(left), dtype=np.float32)
        for at in range(0, len(left), CHUNK):
            a, b = self.matrix[left[at : at + CHUNK]], self.matrix[right[at : at + CHUNK]]
            out[at : at + CHUNK] = a.multiply(b).sum(axis=1)
        return out


def _room(held: NDArray[Any], used: int, more: NDArray[Any]) -> NDArray[Any]:
    """`held` up to `used` and `more` behind it, in the same place if there is room."""
    end = used + len(more)
    if end > len(held):
        held, old = np.empty(2 * end, dtype=held.dtype), held
        held[:used] = old[:used]
    held[used:end] = more
    return held


def lengths(counted: Sequence[Counted], met: NDArray[np.bool_]) -> tuple[float, float]:
    """Grams of a message on average that another has too, and grams that name places of a message that names any."""
    grams = named = naming = 0
    for batch in counted:
        place = batch.packed >> np.uint32(BITS + 4) > 0
        grams += int(met[batch.packed & np.uint32(SPACE - 1)].sum())
        named += int(place.sum())
        naming += len(np.unique(np.repeat(np.arange(batch.messages), batch.length)[place]))
    return grams / max(sum(batch.messages for batch in counted), 1), named / max(naming, 1)


def districts(counted: Sequence[Counted]) -> sparse.csr_array:
    """Of every message the districts named in its title, one of them each with equal parts."""
    base = np.cumsum([0, *(batch.messages for batch in counted)])
    pairs = np.concatenate([batch.district + np.array([[at, 0]]) for at, batch in zip(base[:-1], counted, strict=True)])
    pairs = np.unique(pairs, axis=0) if len(pairs) else pairs.astype(np.int64)
    many = np.bincount(pairs[:, 0], minlength=base[-1])
    value = (1 / np.maximum(many, 1))[pairs[:, 0]].astype(np.float32)
    return sparse.csr_array((value, (pairs[:, 0], pairs[:, 1])), shape=(int(base[-1]), text.DISTRICTS))


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
