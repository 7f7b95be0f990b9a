"""How well categories are suggested on real sorted messages: `LIUTI_DATA=folder python bench/categories.py`."""

from __future__ import annotations

import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from liuti.rank.categories import FOLDS, Model, cross_validate, train


def main(folder: str) -> int:
    if not folder:
        print("LIUTI_DATA is not set: no real messages, nothing was measured.", file=sys.stderr)
        return 2
    rows = pq.read_table(Path(folder) / "labelled_train.parquet").to_pylist()
    raw = [row["text_kind"] == "raw" for row in rows]
    titles = [row["title"] or "" if whole else "" for row, whole in zip(rows, raw, strict=True)]
    bodies = [row["body"] or "" if whole else row["text_segmented"] for row, whole in zip(rows, raw, strict=True)]
    labels = [row["label"] for row in rows]

    start = time.perf_counter()
    trial = cross_validate(titles, bodies, labels, [row["dup_group"] for row in rows], raw)
    seen, took = trial.measured, time.perf_counter() - start
    print(
        f"{seen.rows} raw messages in {seen.groups} groups, {FOLDS} folds, learned from {len(rows)} in all: {took:.1f} s"
    )
    print("95 % intervals by drawing groups anew, 2000 times")
    print(f"  macro-F1 {seen.macro_f1:.3f}  [{seen.low:.3f}, {seen.high:.3f}]")
    print(f"  by fold  {'  '.join(f'{fold:.3f}' for fold in seen.folds)}")
    for name, label in seen.labels.items():
        print(f"  F1       {label.f1:.3f}  [{label.low:.3f}, {label.high:.3f}]  {label.rows:3} {name}")

    start = time.perf_counter()
    written = train(titles, bodies, labels, datetime.now(UTC), trial).dump()
    print(f"trained on all in {time.perf_counter() - start:.1f} s, a file of {len(written) / 1e6:.2f} MB")
    print(suggesting(Model.load(written), [(t, b) for t, b, whole in zip(titles, bodies, raw, strict=True) if whole]))
    return 0


def suggesting(model: Model, texts: list[tuple[str, str]]) -> str:
    took = []
    for title, body in texts * 3:
        start = time.perf_counter()
        model.suggest(title, body)
        took.append((time.perf_counter() - start) * 1e3)
    half, most = np.quantile(took, [0.5, 0.99])
    return f"a suggestion takes {half:.2f} ms, p99 {most:.2f} ms"


if __name__ == "__main__":
    sys.exit(main(os.environ.get("LIUTI_DATA", "")))
