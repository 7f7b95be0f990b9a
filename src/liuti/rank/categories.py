"""Which category a message belongs to: learned from messages people have sorted, with the words that spoke for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import minimize_scalar

from liuti.rank import category_file
from liuti.rank.macro_f1 import Measured, measure
from liuti.rank.pieces import pieces, plain
from liuti.rank.separator import Floats, separate
from liuti.rank.spoken import words

COST = 1.0
SEEN = 3
"""Messages a piece must stand in before it is learned: rarer ones are names."""
PIECES = 100_000
"""Pieces that are learned at most: those whose share differs most between the categories."""
LEAST = 10
"""Messages a category needs before it is learned."""
FOLDS = 5
SEED = 1
SURENESS = 2.0
"""How steeply a lead becomes confidence where nobody measured it."""

Counts = sparse.csr_array[np.float32]


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A category, how sure (0 to 1, all categories together 1), and the words of the text that spoke for it."""

    category: str
    confidence: float
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Trial:
    """How good the guesses were, and how steeply a lead should become confidence by them."""

    measured: Measured
    sureness: float


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """What was learned: for each known piece (sorted numbers) its rarity and its weight for each label."""

    labels: tuple[str, ...]
    pieces: NDArray[np.uint64]
    rarity: Floats
    weight: Floats
    constant: Floats
    sureness: float
    rows: int
    trained_at: datetime
    left_out: tuple[str, ...] = ()
    measured: Measured | None = None

    def suggest(self, title: str, body: str, n: int = 3) -> list[Suggestion]:
        """The n likeliest categories, likeliest first; none where the text holds no piece that was learned."""
        text = plain(title, body)
        number, place, length = pieces(text)
        each, back, times = np.unique(number, return_inverse=True, return_counts=True)
        which = np.minimum(np.searchsorted(self.pieces, each), len(self.pieces) - 1)
        known = self.pieces[which] == each
        if not known.any():
            return []
        place, length, back = place[known[back]], length[known[back]], (np.cumsum(known) - 1)[back[known[back]]]
        which, times = which[known], times[known]
        value = (1 + np.log(times)) * self.rarity[which]
        value /= np.sqrt(value @ value)
        sure = _shares(self.sureness * (value @ self.weight[which] + self.constant))
        best = np.argsort(-sure, kind="stable")[:n]
        lead = self.weight[which][:, best] - self.weight[which].mean(axis=1, keepdims=True)
        spoke = words(text, place, length, self.rarity[which][back], ((value / times)[:, None] * lead)[back])
        return [Suggestion(self.labels[i], float(sure[i]), told) for i, told in zip(best, spoke, strict=True)]

    def dump(self) -> bytes:
        """The model as a file; the same model gives the same bytes."""
        return category_file.write(self)

    @classmethod
    def load(cls, written: bytes) -> Self:
        """ValueError, in words, when the file is torn, no model at all, or of another version."""
        return cls(**category_file.read(written))


def train(
    titles: Sequence[str],
    bodies: Sequence[str],
    labels: Sequence[str],
    trained_at: datetime,
    trial: Trial | None = None,
) -> Model:
    """Learn from sorted messages, raw or as words set apart by blanks (the title may then be empty).

    About 60 kB of memory a message while it lasts.

    `trial` is what `cross_validate` gave for the same messages: it is kept with the model and sets its sureness.
    Categories of fewer than LEAST messages are left out and named in `left_out`. ValueError when fewer than two remain,
    or when `trained_at` names no time zone.
    """
    if trained_at.tzinfo is None:
        raise ValueError("The time of training names no time zone.")
    table = _Table.of(titles, bodies)
    kept, number = _numbered(labels, len(table))
    rows = np.flatnonzero(number >= 0)
    known, rarity, weight, constant = _learn(table, rows, number[rows], len(kept))
    left_out = tuple(sorted(set(labels) - set(kept)))
    sureness, measured = (trial.sureness, trial.measured) if trial else (SURENESS, None)
    return Model(kept, known, rarity, weight, constant, sureness, len(rows), trained_at, left_out, measured)


def cross_validate(
    titles: Sequence[str],
    bodies: Sequence[str],
    labels: Sequence[str],
    groups: Sequence[int],
    tested: Sequence[bool] | None = None,
    folds: int = FOLDS,
) -> Trial:
    """Guess every tested message by a model that saw no message of its group; the others only ever help to learn.

    Groups of near-copies are dealt out to the folds whole, label by label, in an order that is always the same.
    Messages whose category is too rare to be learned are not counted.
    """
    table = _Table.of(titles, bodies)
    kept, number = _numbered(labels, len(table))
    group = np.asarray(groups)
    counted = (np.ones(len(table), np.bool_) if tested is None else np.asarray(tested, np.bool_)) & (number >= 0)
    fold = _dealt(group, number, counted, folds)
    score = np.zeros((len(table), len(kept)), np.float64)
    for f in range(folds):
        rows = np.flatnonzero((fold != f) & (number >= 0))
        asked = np.flatnonzero((fold == f) & counted)
        if len(asked):
            known, rarity, weight, constant = _learn(table, rows, number[rows], len(kept))
            score[asked] = _valued(table.counts[asked][:, table.places(known)], rarity) @ weight + constant
    rows = np.flatnonzero(counted)
    true, guessed = [kept[i] for i in number[rows]], [kept[i] for i in score[rows].argmax(axis=1)]
    return Trial(
        measure(true, guessed, group[rows].tolist(), fold[rows].tolist()), _sureness(score[rows], number[rows])
    )


@dataclass(frozen=True, slots=True)
class _Table:
    """How often each piece (column, sorted numbers) stands in each message (row)."""

    pieces: NDArray[np.uint64]
    counts: Counts

    @classmethod
    def of(cls, titles: Sequence[str], bodies: Sequence[str]) -> Self:
        if len(titles) != len(bodies):
            raise ValueError(f"{len(titles)} titles, but {len(bodies)} bodies.")
        found = [
            np.unique(pieces(plain(title, body))[0], return_counts=True)
            for title, body in zip(titles, bodies, strict=True)
        ]
        if not found:
            raise ValueError("There are no messages to learn from.")
        known, column = np.unique(np.concatenate([number for number, _ in found]), return_inverse=True)
        ends = np.concatenate([[0], np.cumsum([len(number) for number, _ in found])])
        times = np.concatenate([count for _, count in found]).astype(np.float32)
        # What is too rare in all messages is too rare in any part of them.
        often = np.bincount(column, minlength=len(known)) >= SEEN
        stays = often[column]
        ends = np.concatenate([[0], np.cumsum(stays)])[ends]
        column = (np.cumsum(often) - 1)[column[stays]]
        return cls(known[often], sparse.csr_array((times[stays], column, ends), shape=(len(found), int(often.sum()))))

    def __len__(self) -> int:
        return int(self.counts.shape[0])

    def places(self, known: NDArray[np.uint64]) -> NDArray[np.int64]:
        return np.searchsorted(self.pieces, known)


def _numbered(labels: Sequence[str], rows: int) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """The labels that are learned, sorted, and the number of each message's label, -1 for those left out."""
    if len(labels) != rows:
        raise ValueError(f"{rows} messages, but {len(labels)} labels.")
    kept = sorted(label for label, count in Counter(labels).items() if count >= LEAST)
    if len(kept) < 2:
        raise ValueError(f"Two categories of {LEAST} messages or more are needed, but there are {len(kept)}.")
    number = {label: i for i, label in enumerate(kept)}
    return tuple(kept), np.array([number.get(label, -1) for label in labels])


def _learn(
    table: _Table, rows: NDArray[np.intp], label: NDArray[np.int64], labels: int
) -> tuple[NDArray[np.uint64], Floats, Floats, Floats]:
    counts = table.counts[rows]
    seen = np.bincount(counts.indices, minlength=counts.shape[1])
    often = np.flatnonzero(seen >= SEEN)
    if not len(often):
        raise ValueError(f"No piece of text stands in {SEEN} messages: there is nothing to learn from.")
    which = np.sort(often[np.argsort(-_telling(counts, label, labels)[often], kind="stable")[:PIECES]])
    rarity = (np.log((1 + len(rows)) / (1 + seen[which])) + 1).astype(np.float32)
    weight = separate(_valued(counts[:, which], rarity), label, labels, COST)
    # As the file keeps them, so that a model read back says the very same.
    weight = weight.astype(np.float16).astype(np.float32)
    return table.pieces[which], rarity, weight[:-1], weight[-1]


def _telling(counts: Counts, label: NDArray[np.int64], labels: int) -> NDArray[np.float64]:
    """Chi-square of each piece: how unevenly the messages it stands in are spread over the labels."""
    row = np.repeat(label, np.diff(counts.indptr))
    width = counts.shape[1]
    stands = np.bincount(row * width + counts.indices, minlength=labels * width).reshape(labels, width)
    due = np.outer(np.bincount(label, minlength=labels) / len(label), stands.sum(axis=0))
    uneven: NDArray[np.float64] = ((stands - due) ** 2 / np.maximum(due, 1e-9)).sum(axis=0)
    return uneven


def _valued(counts: Counts, rarity: Floats) -> Counts:
    """TF-IDF, (1 + log times) x rarity, each row of length one."""
    row = np.repeat(np.arange(counts.shape[0]), np.diff(counts.indptr))
    value = (1 + np.log(counts.data)) * rarity[counts.indices]
    length = np.sqrt(np.bincount(row, value * value, counts.shape[0]))
    return sparse.csr_array(((value / length[row]).astype(np.float32), counts.indices, counts.indptr), counts.shape)


def _dealt(
    group: NDArray[np.int64], number: NDArray[np.int64], counted: NDArray[np.bool_], folds: int
) -> NDArray[np.int64]:
    """The fold of each message; -1 where its group holds none that is counted."""
    names, first = np.unique(group[counted], return_index=True)
    shuffled = np.random.default_rng(SEED).permutation(len(names))
    order = shuffled[np.argsort(number[counted][first][shuffled], kind="stable")]
    fold = {int(names[i]): place % folds for place, i in enumerate(order)}
    return np.array([fold.get(int(g), -1) for g in group])


def _sureness(score: NDArray[np.float64], number: NDArray[np.int64]) -> float:
    """The steepness under which the true labels were likeliest, had one guess more gone wrong: few are no proof."""
    true = np.zeros(score.shape)
    true[np.arange(len(number)), number] = 1
    wrong = 1 / (len(number) + 2)
    hoped = true * (1 - wrong) + (1 - true) * wrong / (score.shape[1] - 1)

    def surprise(steepness: float) -> float:
        return float(-(hoped * np.log(np.maximum(_shares(steepness * score), 1e-12))).sum())

    return round(float(minimize_scalar(surprise, bounds=(0.1, 20.0), method="bounded").x), 3)


def _shares(score: NDArray[np.float64]) -> NDArray[np.float64]:
    up = np.exp(score - score.max(axis=-1, keepdims=True))
    shares: NDArray[np.float64] = up / up.sum(axis=-1, keepdims=True)
    return shares
