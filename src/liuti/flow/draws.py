"""A draw that everybody who recomputes it makes alike: by a seed and the ids, without chance (docs/rules.md §2)."""

from __future__ import annotations

import math
from collections.abc import Iterable
from hashlib import sha256


def drawn(seed: str, ids: Iterable[str], share: float) -> list[str]:
    """So large a share of the ids, rounded up, sorted; the same whatever order they come in.

    Each id's number is the SHA-256 of seed and id; the smallest are drawn. Nobody who does not choose the seed can
    tell beforehand which.
    """
    numbered = sorted((sha256(f"{seed}:{one}".encode()).digest(), one) for one in set(ids))
    # Less a hair: 0.1 · 30 is a little more than 3 as a machine counts.
    most = math.ceil(share * len(numbered) - 1e-9)
    return sorted(one for _, one in numbered[:most])


def digest_of(ids: Iterable[str]) -> str:
    """SHA-256 over the sorted ids, one a line: says of a population that it is the one that was drawn from."""
    return sha256("\n".join(sorted(set(ids))).encode()).hexdigest()
