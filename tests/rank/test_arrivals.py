"""Messages as they come. Reads real messages from LIUTI_DATA when that is set, never copies from it."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from bench.made import make
from liuti.rank import bcubed, topics
from liuti.rank.arrivals import Index

FOLDER = os.environ.get("LIUTI_DATA", "")
real = pytest.mark.skipif(not FOLDER, reason="LIUTI_DATA is not set: the real messages were not tried")

WATER = ("云栖小区停水三天没人管", "我们云栖小区从周一开始停水,物业说水泵坏了,一直没修好。")
AGAIN = ("投诉云栖小区水泵坏了不修", "云栖小区水泵坏了,停水三天,老人只能提水上楼,物业不修。")
THERE = (WATER[0].replace("云栖", "兰亭"), WATER[1].replace("云栖", "兰亭"))


def with_some(n: int = 400) -> Index[str]:
    made = make(n, seed=8)
    index: Index[str] = Index()
    for number, (title, body) in enumerate(zip(made.titles, made.bodies, strict=True)):
        index.add(f"m{number}", title, body)
    return index


def test_the_first_message_has_a_topic_of_its_own() -> None:
    index: Index[str] = Index()
    placed = index.add("a", *WATER)
    assert (placed.topic, placed.similarity, placed.new, placed.nearest) == (0, 1.0, True, [])


def test_a_message_joins_its_topic_and_names_its_nearest() -> None:
    index = with_some()
    first = index.add("a", *WATER)
    second = index.add("b", *AGAIN)
    assert first.new
    assert not second.new
    assert second.topic == first.topic
    assert second.nearest[0][0] == "a"
    assert 0 < second.similarity <= 1


def test_the_same_words_about_another_place_open_a_topic() -> None:
    index = with_some()
    first, there = index.add("a", *WATER), index.add("b", *THERE)
    assert there.new
    assert there.topic != first.topic


def test_asking_what_is_similar_keeps_nothing() -> None:
    index = with_some(100)
    index.add("a", *WATER)
    before = len(index)
    near = index.similar(*AGAIN, 3)
    assert near[0][0] == "a"
    assert len(near) <= 3
    assert [n for _, n in near] == sorted((n for _, n in near), reverse=True)
    assert index.similar(*AGAIN, 3) == near
    assert len(index) == before


def test_a_copy_is_wholly_similar() -> None:
    index = with_some(200)
    index.add("a", *WATER)
    index.add("b", *AGAIN)
    key, likeness = index.similar(*WATER, 1)[0]
    assert key == "a"
    assert likeness == pytest.approx(1, abs=0.3)


@pytest.mark.parametrize(("title", "body"), [("", ""), ("路", ""), ("!!!", "???")])
def test_a_message_of_nothing_is_no_error(title: str, body: str) -> None:
    index = with_some(60)
    assert index.similar(title, body) == []
    assert index.add("x", title, body).new


def test_an_index_goes_on_from_the_nightly_batch() -> None:
    made = make(1200, seed=3)
    batch = topics.find(made.titles[:1000], made.bodies[:1000])
    index = Index.of(range(1000), made.titles[:1000], made.bodies[:1000], batch.topic)
    assert len(index) == 1000
    came = [index.add(n, made.titles[n], made.bodies[n]) for n in range(1000, 1200)]
    assert all(placed.topic > batch.topic.max() for placed in came if placed.new)
    label = [*batch.topic.tolist(), *(placed.topic for placed in came)]
    assert bcubed.between(label, made.topic).f1 >= 0.88


def test_one_by_one_and_batch_agree_on_made_messages() -> None:
    made = make(1500, seed=5)
    index: Index[int] = Index()
    rows = enumerate(zip(made.titles, made.bodies, strict=True))
    one_by_one = [index.add(n, title, body).topic for n, (title, body) in rows]
    batch = topics.find(made.titles, made.bodies)
    assert bcubed.between(one_by_one, batch.topic).f1 >= 0.8
    assert bcubed.between(one_by_one, made.topic).f1 >= 0.8


@real
def test_real_messages_one_by_one_in_the_order_they_came() -> None:
    columns = pq.read_table(Path(FOLDER) / "messages.parquet").to_pydict()
    gold = pq.read_table(Path(FOLDER) / "gold_topics_dev.parquet").to_pydict()
    ignored = set(pq.read_table(Path(FOLDER) / "gold_ignore.parquet")["msg_id"].to_pylist())
    index: Index[int] = Index()
    label: dict[int, int] = {}
    for i in np.argsort(np.array(columns["created_at"], dtype="datetime64[ms]"), kind="stable").tolist():
        key = columns["msg_id"][i]
        label[key] = index.add(key, columns["title"][i], columns["body"][i], nearest=0).topic
    fit = bcubed.against(dict(zip(gold["msg_id"], gold["topic_id"], strict=True)), label, ignored)
    assert fit.f1 >= 0.88
