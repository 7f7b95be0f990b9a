"""How well and how fast messages become topics: on real ones (a folder named by the caller) and on made ones."""

from __future__ import annotations

import csv
import resource
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from msgspec import json

from bench.made import Made, make
from liuti.rank import bcubed, sketch, text, topics
from liuti.rank.arrivals import Index

ARRIVALS = 2_000
"""Messages that come one by one after the nightly batch."""


@dataclass(frozen=True, slots=True)
class Found:
    """One measurement. Seconds are of the CPU, so that others on the machine do not change them.

    `f1` B-cubed; `sketching` what signatures alone took for the same messages in the same run; `ratio` seconds through it;
    `megabytes` the most the process has held so far; `apart` hard negative pairs kept apart, of `pairs`.
    """

    name: str
    messages: int
    f1: float
    precision: float
    recall: float
    seconds: float
    sketching: float
    megabytes: float
    apart: int = 0
    pairs: int = 0
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    agreement: float = 0.0

    @property
    def ratio(self) -> float:
        return self.seconds / self.sketching if self.sketching else 0.0


def held() -> float:
    """The most memory this process has held, in MB."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def sketching(titles: list[str], bodies: list[str]) -> float:
    """Seconds that signatures of these messages take, and nothing else."""
    begin = time.process_time()
    for at in range(0, len(titles), sketch.BATCH):
        part = slice(at, at + sketch.BATCH)
        read = text.read(titles[part], bodies[part])
        sketch.signatures(sketch.grams(read), len(titles[part]))
    return time.process_time() - begin


def timed(titles: list[str], bodies: list[str]) -> tuple[topics.Topics, float, float]:
    """Topics, their seconds, and the seconds of sketching: the mean of before and after."""
    before = sketching(titles, bodies)
    begin = time.process_time()
    found = topics.find(titles, bodies)
    took = time.process_time() - begin
    return found, took, (before + sketching(titles, bodies)) / 2


@dataclass(frozen=True, slots=True)
class Real:
    """Real messages in the order they came, with the topics known of some."""

    keys: list[int]
    titles: list[str]
    bodies: list[str]
    gold: dict[int, int]
    ignored: set[int]
    apart: list[tuple[int, int]]

    @classmethod
    def of(cls, folder: Path) -> Real:
        table = pq.read_table(folder / "messages.parquet").sort_by(
            [("created_at", "ascending"), ("msg_id", "ascending")]
        )
        gold = pq.read_table(folder / "gold_topics_dev.parquet").to_pydict()
        ignored = pq.read_table(folder / "gold_ignore.parquet").to_pydict()["msg_id"]
        with (folder / "gold_hard_negative_pairs.csv").open(encoding="utf-8") as file:
            apart = [(int(row["msg_a"]), int(row["msg_b"])) for row in csv.DictReader(file)]
        columns = table.to_pydict()
        known = dict(zip(gold["msg_id"], gold["topic_id"], strict=True))
        return cls(columns["msg_id"], columns["title"], columns["body"], known, set(ignored), apart)

    def fit(self, label: dict[int, int]) -> bcubed.Fit:
        return bcubed.against(self.gold, label, self.ignored)


def topics_real(folder: Path) -> Found:
    """All real messages at once."""
    real = Real.of(folder)
    found, seconds, sketched = timed(real.titles, real.bodies)
    label = dict(zip(real.keys, found.topic.tolist(), strict=True))
    fit = real.fit(label)
    apart = sum(label[a] != label[b] for a, b in real.apart)
    n = len(real.keys)
    return Found("topics_real", n, fit.f1, fit.precision, fit.recall, seconds, sketched, held(), apart, len(real.apart))


def topics_real_one_by_one(folder: Path) -> Found:
    """All real messages as they came; agreement is with the batch."""
    real = Real.of(folder)
    index: Index[int] = Index()
    label, each = {}, []
    begin = time.process_time()
    for key, title, body in zip(real.keys, real.titles, real.bodies, strict=True):
        start = time.perf_counter()
        label[key] = index.add(key, title, body).topic
        each.append((time.perf_counter() - start) * 1000)
    seconds = time.process_time() - begin
    fit = real.fit(label)
    batch = topics.find(real.titles, real.bodies)
    return Found(
        "topics_real_one_by_one",
        len(label),
        fit.f1,
        fit.precision,
        fit.recall,
        seconds,
        sketching(real.titles, real.bodies),
        held(),
        sum(label[a] != label[b] for a, b in real.apart),
        len(real.apart),
        float(np.percentile(each, 50)),
        float(np.percentile(each, 99)),
        bcubed.between(list(label.values()), batch.topic).f1,
    )


def topics_made(n: int, made: Made | None = None) -> Found:
    """So many made messages at once: `topics_100k`, `topics_1m`."""
    made = made or make(n)
    found, seconds, sketched = timed(made.titles, made.bodies)
    fit = bcubed.between(found.topic, made.topic)
    name = f"topics_{n // 1_000_000}m" if n >= 1_000_000 else f"topics_{n // 1000}k"
    return Found(name, n, fit.f1, fit.precision, fit.recall, seconds, sketched, held())


def topic_incremental(n: int = 100_000) -> Found:
    """Messages that come to an index of `n` grouped before; fit is of what came, agreement is with a batch over all."""
    made = make(n + ARRIVALS)
    batch = topics.find(made.titles[:n], made.bodies[:n])
    index = Index.of(range(n), made.titles[:n], made.bodies[:n], batch.topic)
    came, each = [], []
    begin = time.process_time()
    for number in range(n, n + ARRIVALS):
        start = time.perf_counter()
        came.append(index.add(number, made.titles[number], made.bodies[number]).topic)
        each.append((time.perf_counter() - start) * 1000)
    seconds = time.process_time() - begin
    whole = [*batch.topic.tolist(), *came]
    fit = bcubed.against(dict(zip(range(n, n + ARRIVALS), made.topic[n:], strict=True)), dict(enumerate(whole[n:], n)))
    again = topics.find(made.titles, made.bodies)
    return Found(
        "topic_incremental",
        n,
        fit.f1,
        fit.precision,
        fit.recall,
        seconds,
        sketching(made.titles[n:], made.bodies[n:]),
        held(),
        p50_ms=float(np.percentile(each, 50)),
        p99_ms=float(np.percentile(each, 99)),
        agreement=bcubed.between(whole, again.topic).f1,
    )


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        if argument.isdigit():
            measured = [topics_made(int(argument))]
        elif argument == "incremental":
            measured = [topic_incremental()]
        else:
            measured = [topics_real(Path(argument)), topics_real_one_by_one(Path(argument))]
        for one in measured:
            print(json.encode(one).decode(), flush=True)
