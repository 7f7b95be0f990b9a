"""A learned model as a file: a mark, a version, a digest, and what was learned, squeezed; nothing in it is ever run."""

from __future__ import annotations

import hashlib
import zlib
from datetime import datetime
from typing import Any, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from liuti.rank.macro_f1 import Measured

MARK = b"liuti categories\n"
VERSION = 1
LARGEST = 64 * 2**20
"""Bytes a file may unfold to: a true one needs a few."""
_HEAD = len(MARK) + 2
_START = _HEAD + 32


class Learned(Protocol):
    """What of a model is kept."""

    @property
    def labels(self) -> tuple[str, ...]: ...
    @property
    def pieces(self) -> NDArray[np.uint64]: ...
    @property
    def rarity(self) -> NDArray[np.float32]: ...
    @property
    def weight(self) -> NDArray[np.float32]: ...
    @property
    def constant(self) -> NDArray[np.float32]: ...
    @property
    def sureness(self) -> float: ...
    @property
    def rows(self) -> int: ...
    @property
    def trained_at(self) -> datetime: ...
    @property
    def left_out(self) -> tuple[str, ...]: ...
    @property
    def measured(self) -> Measured | None: ...


class Page(msgspec.Struct, frozen=True):
    """The part of the file a person can read."""

    labels: tuple[str, ...]
    known: int
    sureness: float
    rows: int
    trained_at: datetime
    left_out: tuple[str, ...]
    measured: Measured | None


def write(model: Learned) -> bytes:
    """Numbers are little-endian; pieces as differences; weights by label, in half precision."""
    page = msgspec.json.encode(
        Page(
            model.labels,
            len(model.pieces),
            model.sureness,
            model.rows,
            model.trained_at,
            model.left_out,
            model.measured,
        )
    )
    steps = np.diff(model.pieces, prepend=np.uint64(0)).astype("<u8")
    weight = np.vstack([model.weight, model.constant[None]]).T.astype("<f2")
    inside = b"\n".join([page, steps.tobytes() + model.rarity.astype("<f4").tobytes() + weight.tobytes()])
    squeezed = zlib.compress(inside, 9)
    return MARK + VERSION.to_bytes(2, "big") + hashlib.sha256(squeezed).digest() + squeezed


def read(written: bytes) -> dict[str, Any]:
    """The fields of the model. ValueError when the file is no model, of another version, torn or at odds with itself."""
    if written[: len(MARK)] != MARK:
        raise ValueError("This file is no category model.")
    version = int.from_bytes(written[len(MARK) : _HEAD], "big")
    if len(written) >= _HEAD and version != VERSION:
        raise ValueError(f"This category model is of format {version}; format {VERSION} can be read. Train it anew.")
    if hashlib.sha256(written[_START:]).digest() != written[_HEAD:_START]:
        raise ValueError("This category model is torn or was changed: its digest does not fit.")
    try:
        return _fields(written[_START:])
    except (zlib.error, msgspec.DecodeError, ValueError) as wrong:
        raise ValueError(f"This category model is at odds with itself: {wrong}") from wrong


def _fields(squeezed: bytes) -> dict[str, Any]:
    unfold = zlib.decompressobj()
    inside = unfold.decompress(squeezed, LARGEST)
    if not unfold.eof:
        raise ValueError("it does not end where it should")
    first, _, numbers = inside.partition(b"\n")
    page = msgspec.json.decode(first, type=Page)
    known, labels = page.known, len(page.labels)
    if known < 1 or labels < 2 or len(numbers) != known * 12 + (known + 1) * labels * 2:
        raise ValueError("it holds another amount of numbers than it says")
    if page.trained_at.tzinfo is None:
        raise ValueError("the time of its training names no time zone")
    steps = np.frombuffer(numbers, "<u8", known)
    rarity = np.frombuffer(numbers, "<f4", known, known * 8).astype(np.float32)
    weight = np.frombuffer(numbers, "<f2", (known + 1) * labels, known * 12).reshape(labels, known + 1).T
    weight = np.ascontiguousarray(weight, np.float32)
    pieces = np.cumsum(steps, dtype=np.uint64)
    if not (np.isfinite(rarity).all() and np.isfinite(weight).all() and (pieces[1:] > pieces[:-1]).all()):
        raise ValueError("its numbers are no weights")
    fields = {name: getattr(page, name) for name in page.__struct_fields__ if name != "known"}
    return {**fields, "pieces": pieces, "rarity": rarity, "weight": weight[:-1], "constant": weight[-1]}
