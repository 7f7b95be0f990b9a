"""Batches of messages become topics. Reads real messages from LIUTI_DATA when that is set, never copies from it."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from bench.made import make
from liuti.rank import bcubed, sketch, topics

FOLDER = os.environ.get("LIUTI_DATA", "")
real = pytest.mark.skipif(not FOLDER, reason="LIUTI_DATA is not set: the real messages were not tried")

WATER = [
    ("云栖小区停水三天没人管", "我们云栖小区从周一开始停水,物业说水泵坏了,一直没修好。"),
    ("投诉云栖小区水泵坏了不修", "云栖小区水泵坏了,停水三天,老人只能提水上楼,物业不修。"),
    ("云栖小区何时恢复供水?", "停水好几天了,云栖小区的水泵坏了,物业一直说在修。"),
]
ELSEWHERE = [(title.replace("云栖", "兰亭"), body.replace("云栖", "兰亭")) for title, body in WATER]
OTHER = [
    ("烧烤店油烟扰民谁来管", "楼下烧烤店每晚冒烟,油烟飘进屋里,不敢开窗,孩子咳嗽,城管来了也只劝几句。地址:云栖小区。"),
    ("晚上烧烤店油烟很大", "云栖小区烧烤店每晚油烟很大,飘进屋里,孩子咳嗽,只好不敢开窗。找过城管,净化器没有装。"),
]
_CROWD = make(900, seed=21)
CROWD = list(zip(_CROWD.titles, _CROWD.bodies, strict=True))
"""Others, so that it shows which words are rare."""
ALL = WATER + ELSEWHERE + OTHER + CROWD


def found(rows: list[tuple[str, str]]) -> list[int]:
    return list(topics.find([t for t, _ in rows], [b for _, b in rows]).topic.tolist())


def test_paraphrases_are_one_topic_and_another_matter_at_the_place_is_another() -> None:
    label = found(ALL)
    assert len(set(label[:3])) == 1
    assert len(set(label[6:8])) == 1
    assert label[0] != label[6]
    assert not set(label[:8]) & set(label[8:])


def test_the_same_words_about_another_place_are_another_topic() -> None:
    label = found(ALL)
    assert len(set(label[3:6])) == 1
    assert label[0] != label[3]


def test_the_same_words_about_another_district_are_another_topic() -> None:
    rows = [(f"B{n}区幸福小区停水三天没人管", "幸福小区停水三天,物业说水泵坏了,一直没修好。") for n in (3, 3, 4, 4)]
    label = found(rows + OTHER + CROWD)
    assert label[0] == label[1] != label[2] == label[3]


def test_topics_are_numbered_in_order_of_their_first_message() -> None:
    label = found(ALL)
    firsts = [label.index(number) for number in range(max(label) + 1)]
    assert firsts == sorted(firsts)


def test_the_order_of_messages_does_not_change_the_groups() -> None:
    made = make(1500, seed=4)
    before = topics.find(made.titles, made.bodies)
    order = np.random.default_rng(2).permutation(1500)
    after = topics.find([made.titles[i] for i in order], [made.bodies[i] for i in order])
    back = np.empty(1500, dtype=np.int32)
    back[order] = after.topic
    assert bcubed.between(before.topic, back).f1 == 1.0
    assert np.allclose(before.similarity[order], after.similarity, atol=1e-2)


def test_the_same_messages_give_the_same_numbers_again() -> None:
    made = make(600, seed=9)
    one, two = topics.find(made.titles, made.bodies), topics.find(made.titles, made.bodies)
    assert one.topic.tolist() == two.topic.tolist()
    assert one.similarity.tolist() == two.similarity.tolist()


def test_batches_prepared_elsewhere_give_the_same_topics() -> None:
    made = make(700, seed=6)
    cuts = [slice(0, 100), slice(100, 650), slice(650, 700)]
    apart = topics.gathered([sketch.prepare(made.titles[cut], made.bodies[cut]) for cut in cuts])
    assert apart.topic.tolist() == topics.find(made.titles, made.bodies).topic.tolist()


def test_made_messages_of_known_topics_are_found() -> None:
    made = make(3000, seed=12)
    result = topics.find(made.titles, made.bodies)
    assert bcubed.between(result.topic, made.topic).f1 >= 0.9
    assert result.topic.dtype == np.int32
    assert result.similarity.dtype == np.float32
    assert 0 <= result.similarity.min() <= result.similarity.max() <= 1


def test_copies_are_one_topic_even_of_words_without_a_place() -> None:
    label = found([("咨询落户", "要带什么材料")] * 4 + CROWD)
    assert len(set(label[:4])) == 1


@pytest.mark.parametrize("rows", [[], [("", "")], [("", "")] * 3, [("路", "")], [("青溪路", "路灯不亮")]])
def test_few_or_empty_messages_are_no_error(rows: list[tuple[str, str]]) -> None:
    result = topics.find([t for t, _ in rows], [b for _, b in rows])
    assert len(result.topic) == len(result.similarity) == len(rows)


def test_progress_is_told_and_ends_at_the_whole() -> None:
    told: list[tuple[int, int]] = []
    made = make(1100, seed=2)
    topics.find(made.titles, made.bodies, progress=lambda done, total: told.append((done, total)))
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert told[-1][0] == told[-1][1] == told[0][1]


@real
def test_real_messages_are_found_and_hard_negatives_stay_apart() -> None:
    columns = pq.read_table(Path(FOLDER) / "messages.parquet").to_pydict()
    gold = pq.read_table(Path(FOLDER) / "gold_topics_dev.parquet").to_pydict()
    ignored = set(pq.read_table(Path(FOLDER) / "gold_ignore.parquet")["msg_id"].to_pylist())
    result = topics.find(columns["title"], columns["body"])
    label = dict(zip(columns["msg_id"], result.topic.tolist(), strict=True))
    fit = bcubed.against(dict(zip(gold["msg_id"], gold["topic_id"], strict=True)), label, ignored)
    assert fit.f1 >= 0.93
    with (Path(FOLDER) / "gold_hard_negative_pairs.csv").open(encoding="utf-8") as file:
        pairs = [(int(row["msg_a"]), int(row["msg_b"])) for row in csv.DictReader(file)]
    assert [(a, b) for a, b in pairs if label[a] == label[b]] == []
