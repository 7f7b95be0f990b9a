"""How good a sorting into categories is: macro-F1, with the interval that so few messages allow."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

DRAWS = 2000
SEED = 20_200_101
OUTER = (0.025, 0.975)


class OfLabel(msgspec.Struct, frozen=True):
    """The F1 of one label with its interval, and how many messages truly carry it."""

    f1: float
    low: float
    high: float
    rows: int


class Measured(msgspec.Struct, frozen=True):
    """Macro-F1 over `rows` messages, between `low` and `high` in 95 of 100 redrawings of their groups.

    `folds` holds the macro-F1 of each fold.
    """

    macro_f1: float
    low: float
    high: float
    rows: int
    groups: int
    labels: dict[str, OfLabel]
    folds: tuple[float, ...] = ()


def macro_f1(true: Sequence[str], guessed: Sequence[str]) -> float:
    """The mean over labels of 2 x hits / (times true + times guessed); labels neither true nor guessed do not count.

    ValueError when there is nothing to score, or the columns differ in length.
    """
    names, table = _tables(true, guessed, range(len(true)))
    return float(_mean(_f1(table.sum(axis=0).reshape(1, len(names), len(names))))[0])


def measure(
    true: Sequence[str], guessed: Sequence[str], groups: Sequence[int], folds: Sequence[int] | None = None
) -> Measured:
    """Score `guessed` against `true`; the interval is a percentile bootstrap that draws whole groups, with a fixed seed.

    Groups and not messages are drawn: near-copies are right or wrong together, and would make the interval too narrow.
    """
    names, table = _tables(true, guessed, groups)
    size, count = len(names), len(table)
    whole = table.sum(axis=0).reshape(1, size, size)
    drawn = np.random.default_rng(SEED).multinomial(count, np.full(count, 1 / count), size=DRAWS)
    each = _f1((drawn @ table).reshape(DRAWS, size, size))
    low, high = np.quantile(_mean(each), OUTER)
    f1, often = _f1(whole)[0], whole[0].sum(axis=1)
    edges = [np.nanquantile(each[:, i], OUTER) for i in range(size)]
    labels = {
        name: OfLabel(float(f1[i]), float(edges[i][0]), float(edges[i][1]), int(often[i]))
        for i, name in enumerate(names)
    }
    score = float(_mean(f1[None])[0])
    return Measured(score, float(low), float(high), len(true), count, labels, _by_fold(true, guessed, folds))


def _by_fold(true: Sequence[str], guessed: Sequence[str], folds: Sequence[int] | None) -> tuple[float, ...]:
    if folds is None:
        return ()
    at = {fold: [i for i, f in enumerate(folds) if f == fold] for fold in sorted(set(folds))}
    return tuple(macro_f1([true[i] for i in rows], [guessed[i] for i in rows]) for rows in at.values())


def _tables(
    true: Sequence[str], guessed: Sequence[str], groups: Sequence[int] | range
) -> tuple[list[str], NDArray[np.int64]]:
    """For each group, how often each label (row) was guessed as each (column), laid flat."""
    if not true or not len(true) == len(guessed) == len(groups):
        raise ValueError(f"Nothing to score: {len(true)} true labels, {len(guessed)} guesses, {len(groups)} groups.")
    names = sorted({*true, *guessed})
    number = {name: i for i, name in enumerate(names)}
    _, group = np.unique(np.asarray(groups), return_inverse=True)
    cell = np.array([number[t] * len(names) + number[g] for t, g in zip(true, guessed, strict=True)])
    table = np.zeros((int(group.max()) + 1, len(names) ** 2), np.int64)
    np.add.at(table, (group, cell), 1)
    return names, table


def _f1(tables: NDArray[np.int64]) -> NDArray[np.float64]:
    hits = np.diagonal(tables, axis1=1, axis2=2)
    met = tables.sum(axis=1) + tables.sum(axis=2)
    return np.where(met > 0, 2 * hits / np.maximum(met, 1), np.nan)


def _mean(f1: NDArray[np.float64]) -> NDArray[np.float64]:
    counted = ~np.isnan(f1)
    mean: NDArray[np.float64] = np.where(counted, f1, 0.0).sum(axis=1) / counted.sum(axis=1)
    return mean
