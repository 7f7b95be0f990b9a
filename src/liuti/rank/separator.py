"""One plane for each label between its texts and all others: the least squared hinge, by Newton steps."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

STEPS, INNER, HALVINGS = 12, 10, 10
NEAR, INNER_NEAR = 1e-2, 1e-1
"""A step is the last when the slope fell to this share of the first one."""

Floats = NDArray[np.float32]


def separate(x: sparse.csr_array[np.float32], label: NDArray[np.int64], labels: int, cost: float) -> Floats:
    """Weights, one row a feature and one column a label, with a last row for the constant.

    They minimise |w|^2/2 + cost * sum(max(0, 1 - t(xw))^2) for each label against the rest (t is +1 or -1).
    The same rows in the same order give the same weights: nothing is drawn.
    """
    x = sparse.hstack([x, sparse.csr_array(np.ones((x.shape[0], 1), np.float32))], format="csr")
    turned = sparse.csr_array(x.T.tocsr())
    side = np.where(np.arange(labels) == label[:, None], 1, -1).astype(np.float32)
    weight, score = np.zeros((x.shape[1], labels), np.float32), np.zeros(side.shape, np.float32)
    worth, first = _worth(weight, score, side, cost), np.zeros(labels, np.float32)
    for step in range(STEPS):
        short = np.maximum(0, 1 - side * score)
        slope = weight - turned @ (2 * cost * side * short)
        steep = _length(slope)
        first = steep if step == 0 else first
        if (steep <= NEAR * first).all():
            break
        curve = (2 * cost * (short > 0)).astype(np.float32)
        way, its_score = _downhill(x, turned, curve, -slope, steep)
        stride, worth = _stride(weight, score, way, its_score, side, cost, worth)
        weight += stride * way
        score += stride * its_score
    return weight


def _downhill(
    x: sparse.csr_array[np.float32], turned: sparse.csr_array[np.float32], curve: Floats, left: Floats, steep: Floats
) -> tuple[Floats, Floats]:
    """The Newton direction by conjugate gradients, for all labels in one pass over the texts, and its scores."""
    way, its_score = np.zeros_like(left), np.zeros((x.shape[0], left.shape[1]), np.float32)
    push, square = left.copy(), (left * left).sum(axis=0)
    for _ in range(INNER):
        seen = x @ push
        bent = push + turned @ (curve * seen)
        far = (square / np.maximum((push * bent).sum(axis=0), 1e-20)).astype(np.float32)
        way += far * push
        its_score += far * seen
        left = left - far * bent
        now = (left * left).sum(axis=0)
        if (np.sqrt(now) <= INNER_NEAR * steep).all():
            break
        push = left + (now / np.maximum(square, 1e-20)).astype(np.float32) * push
        square = now
    return way, its_score


def _stride(
    weight: Floats, score: Floats, way: Floats, its_score: Floats, side: Floats, cost: float, worth: Floats
) -> tuple[Floats, Floats]:
    """Whole steps, halved for the labels they would make worse; no step where none helps."""
    stride, then = np.full(worth.shape, 2, np.float32), worth
    worse = np.ones(worth.shape, np.bool_)
    for _ in range(HALVINGS):
        stride = np.where(worse, stride / 2, stride).astype(np.float32)
        then = _worth(weight + stride * way, score + stride * its_score, side, cost)
        worse = then > worth
        if not worse.any():
            break
    return np.where(worse, 0, stride).astype(np.float32), np.where(worse, worth, then)


def _worth(weight: Floats, score: Floats, side: Floats, cost: float) -> Floats:
    worth: Floats = (weight * weight).sum(axis=0) / 2 + cost * (np.maximum(0, 1 - side * score) ** 2).sum(axis=0)
    return worth


def _length(slope: Floats) -> Floats:
    length: Floats = np.sqrt((slope * slope).sum(axis=0))
    return length
