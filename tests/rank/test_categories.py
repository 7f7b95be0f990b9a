"""Categories are learned from sorted messages, suggested with reasons, and kept in a file that cannot deceive."""

from __future__ import annotations

import hashlib
import json
import os
import random
import time
import zlib
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy import sparse
from scipy.optimize import minimize

from liuti.rank.categories import LEAST, Model, _Table, _valued, cross_validate, train
from liuti.rank.category_file import LARGEST, MARK
from liuti.rank.macro_f1 import macro_f1, measure
from liuti.rank.pieces import letters, pieces, plain
from liuti.rank.separator import separate
from liuti.rank.spoken import words

FOLDER = os.environ.get("LIUTI_DATA", "")
real = pytest.mark.skipif(not FOLDER, reason="LIUTI_DATA is not set: categories were not tried on real messages")
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
ABOUT = {
    "noise": "夜里装修太吵|电锯声不停|喇叭响到半夜|噪声吵得睡不着|广场音响太响|机器轰鸣扰人",
    "roads": "路面坑洼难行|井盖松动异响|人行道砖破损|护栏撞坏没修|坑洼积水溅人|路面塌了一块",
    "school": "老师补课收费|学位安排不公|食堂饭菜变质|招生名额太少|校服价格太高|课后托管取消",
}
AROUND = [
    "我家住在三单元",
    "希望有人来看看",
    "已经半个月了",
    "打过电话没有人理",
    "邻居们都有意见",
    "老人受不了",
    "请尽快处理",
]


def corpus(each: int = 30, seed: int = 5) -> tuple[list[str], list[str], list[str]]:
    chance = random.Random(seed)
    titles, bodies, labels = [], [], []
    for label, about in ABOUT.items():
        for _ in range(each):
            said = chance.sample(about.split("|"), 3)
            titles.append(said[0])
            bodies.append("，".join([chance.choice(AROUND), *said[1:], *chance.sample(AROUND, 2)]) + "。")
            labels.append(label)
    return titles, bodies, labels


@lru_cache(maxsize=1)
def learned() -> Model:
    titles, bodies, labels = corpus()
    return train(titles, bodies, labels, NOON, cross_validate(titles, bodies, labels, range(len(labels))))


# the scorer, by hand


def test_macro_f1_is_the_mean_of_the_labels_f1() -> None:
    # a: 1 hit, 2 true, 1 guessed: 2/3. b: 2 hits, 2 true, 3 guessed: 4/5. c: 1.
    assert macro_f1("aabbc", "abbbc") == pytest.approx((2 / 3 + 4 / 5 + 1) / 3)


def test_a_label_that_is_only_guessed_counts_as_nothing_right() -> None:
    assert macro_f1("aa", "ab") == pytest.approx((2 / 3 + 0) / 2)
    assert macro_f1("ab", "aa") == pytest.approx((2 / 3 + 0) / 2)


def test_rare_labels_weigh_as_much_as_common_ones() -> None:
    # a: 9 hits, 9 true, 10 guessed: 18/19. b: never hit. Nine of ten are right all the same.
    assert macro_f1("a" * 9 + "b", "a" * 10) == pytest.approx(18 / 19 / 2)


def test_all_right_is_one_and_all_wrong_is_nought() -> None:
    assert macro_f1("abc", "abc") == 1
    assert macro_f1("abc", "bca") == 0


def test_nothing_or_uneven_columns_are_not_scored() -> None:
    for true, guessed in (("", ""), ("ab", "a")):
        with pytest.raises(ValueError, match="Nothing to score"):
            macro_f1(true, guessed)


def test_a_measure_tells_labels_and_folds() -> None:
    seen = measure("aabbc", "abbbc", range(5), [0, 0, 1, 1, 1])
    assert {name: (round(f1.f1, 4), f1.rows) for name, f1 in seen.labels.items()} == {
        "a": (0.6667, 2),
        "b": (0.8, 2),
        "c": (1.0, 1),
    }
    assert seen.folds == pytest.approx(((2 / 3 + 0) / 2, 1.0))
    assert (seen.rows, seen.groups) == (5, 5)
    assert seen == measure("aabbc", "abbbc", range(5), [0, 0, 1, 1, 1])


def test_the_interval_is_that_of_a_share_where_it_is_known() -> None:
    # One label against another, both equally often right: macro-F1 is close to the share that is right, .9 of 400.
    true, guessed = "ab" * 200, "ab" * 180 + "ba" * 20
    seen = measure(true, guessed, range(400))
    half = 1.96 * (0.9 * 0.1 / 400) ** 0.5
    assert seen.macro_f1 == pytest.approx(0.9)
    assert (seen.low, seen.high) == pytest.approx((0.9 - half, 0.9 + half), abs=0.01)


def test_near_copies_do_not_make_the_interval_narrower() -> None:
    true, guessed = "ab" * 20, "ab" * 16 + "ba" * 4
    once = measure(true, guessed, range(40))
    copied = measure(true * 4, guessed * 4, [*range(40)] * 4)
    alone = measure(true * 4, guessed * 4, range(160))
    assert copied.high - copied.low == pytest.approx(once.high - once.low)
    assert alone.high - alone.low < 0.7 * (copied.high - copied.low)


# the text


def test_running_text_and_words_set_apart_come_out_alike() -> None:
    assert plain("", "路面坑洼，井盖松动") == plain("", "路面 坑洼 ， 井盖 松动")


def test_width_case_numbers_and_single_letters_do_not_matter() -> None:
    assert plain("ＷＩＦＩ断了", "电话13800000000").split() == plain("wifi断了", "电话139").split()
    assert plain("", "B7县井盖").split() == plain("", "C县井盖").split()


def test_pieces_are_two_to_four_letters_and_reach_over_no_break() -> None:
    number, place, length = pieces("井盖松\n响")
    found = [letters(n) for n in number.tolist()]
    assert sorted(found) == sorted(["井盖", "盖松", "井盖松"])
    assert all("井盖松\n响"[p : p + n] == word for word, p, n in zip(found, place, length, strict=True))


@pytest.mark.parametrize("text", ["", "\n", "井", "\n井\n"])
def test_a_text_too_short_has_no_pieces(text: str) -> None:
    assert len(pieces(text)[0]) == 0


# learning


@pytest.mark.parametrize("cost", [0.1, 3.0, 300.0])
def test_the_planes_are_the_best_there_are(cost: float) -> None:
    chance = np.random.default_rng(4)
    x = chance.normal(size=(60, 7)).astype(np.float32) * np.array([1, 1, 9, 1, 0.1, 1, 4], np.float32)
    label = (x[:, 0] + chance.normal(scale=0.7, size=60) > 0).astype(np.int64)

    def loss(w: np.ndarray) -> float:
        side = np.where(label == 1, 1, -1)
        return float(w @ w / 2 + cost * (np.maximum(0, 1 - side * (x @ w[:-1] + w[-1])) ** 2).sum())

    mine = separate(sparse.csr_array(x), label, 2, cost)
    assert loss(mine[:, 1].astype(np.float64)) == pytest.approx(minimize(loss, np.zeros(8)).fun, rel=1e-3)
    assert mine[:, 0] == pytest.approx(-mine[:, 1], abs=2e-2)


def test_a_message_gets_its_category_with_the_words_that_spoke_for_it() -> None:
    first, second, third = learned().suggest("井盖松动", "我家住在三单元，人行道砖破损，请尽快处理。")
    assert first.category == "roads"
    assert {"井盖松动"} <= set(first.words)
    assert first.confidence > 0.8 > second.confidence >= third.confidence
    assert first.confidence + second.confidence + third.confidence == pytest.approx(1)


def test_the_words_are_in_the_message_and_differ_by_category() -> None:
    title, body = "路面坑洼难行", "食堂饭菜变质，电锯声不停"
    told = {s.category: s.words for s in learned().suggest(title, body)}
    assert set(told) == set(ABOUT)
    for label, spoke in told.items():
        assert spoke
        assert all(any(word in said for said in ABOUT[label].split("|")) for word in spoke), (label, spoke)
        assert all(word in title + body for word in spoke)


def test_n_is_how_many_are_suggested() -> None:
    assert [len(learned().suggest("井盖松动", "", n)) for n in (1, 2, 3, 9)] == [1, 2, 3, 3]


def test_a_suggestion_weighs_a_text_as_learning_did() -> None:
    titles, bodies, _ = corpus()
    model, table = replace(learned(), sureness=1.0), _Table.of(titles, bodies)
    score = _valued(table.counts[:, table.places(model.pieces)], model.rarity) @ model.weight + model.constant
    odds = np.exp(score)
    for i, (title, body) in enumerate(zip(titles, bodies, strict=True)):
        sure = {s.category: s.confidence for s in model.suggest(title, body)}
        assert [sure[label] for label in model.labels] == pytest.approx(odds[i] / odds[i].sum(), abs=1e-4)


def test_where_few_pieces_may_be_learned_they_are_the_telling_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("liuti.rank.categories.PIECES", 40)
    titles, bodies, labels = corpus()
    model = train(titles, bodies, labels, NOON)
    assert len(model.pieces) == 40
    assert all(any(letters(n) in said for said in ABOUT.values()) for n in model.pieces.tolist())


def test_words_end_where_letters_cling_least_and_hold_none_that_only_join() -> None:
    text = "路面的坑洼难行"
    number, place, length = pieces(text)
    common = {"路面": 1.0, "坑洼": 1.0, "难行": 1.0}
    rarity = np.array([common.get(letters(n), 2.0) for n in number.tolist()], np.float32)
    spoke = np.array([[float("洼" in letters(n)), float("面" in letters(n))] for n in number.tolist()])
    assert words(text, place, length, rarity, spoke) == [("坑洼", "难行"), ("路面", "坑洼")]


@pytest.mark.parametrize("text", ["", "12345", "…！", "龘靐齉爩", "\x00\n", "\ud800", "😀🚧", "𠮷𠮷𠮷"])
def test_nothing_is_guessed_about_a_text_with_nothing_known(text: str) -> None:
    assert learned().suggest(text, text) == []


def test_words_set_apart_teach_about_running_text() -> None:
    titles, bodies, labels = corpus()
    model = train([""] * len(labels), [f"{t} {' '.join(b)}" for t, b in zip(titles, bodies, strict=True)], labels, NOON)
    fresh = corpus(each=10, seed=9)
    guessed = [model.suggest(title, body, 1)[0].category for title, body, _ in zip(*fresh, strict=True)]
    assert macro_f1(fresh[2], guessed) > 0.95


def test_learning_twice_gives_the_same_file() -> None:
    titles, bodies, labels = corpus()
    assert train(titles, bodies, labels, NOON).dump() == train(titles, bodies, labels, NOON).dump()


def test_a_rare_category_is_left_out_and_named() -> None:
    titles, bodies, labels = corpus()
    labels[: LEAST - 1] = ["rare"] * (LEAST - 1)
    model = train(titles, bodies, labels, NOON)
    assert (model.left_out, model.labels, model.rows) == (("rare",), tuple(ABOUT), len(labels) - LEAST + 1)
    labels[:LEAST] = ["rare"] * LEAST
    assert "rare" in train(titles, bodies, labels, NOON).labels


def test_what_cannot_be_learned_is_refused_in_words() -> None:
    titles, bodies, labels = corpus()
    with pytest.raises(ValueError, match="Two categories of 10 messages"):
        train(titles, bodies, ["one"] * len(labels), NOON)
    with pytest.raises(ValueError, match="labels"):
        train(titles, bodies, labels[1:], NOON)
    with pytest.raises(ValueError, match="bodies"):
        train(titles, bodies[1:], labels, NOON)
    with pytest.raises(ValueError, match="no messages"):
        train([], [], [], NOON)
    with pytest.raises(ValueError, match="nothing to learn from"):
        train(["1"] * len(labels), ["2"] * len(labels), labels, NOON)
    with pytest.raises(ValueError, match="time zone"):
        train(titles, bodies, labels, NOON.replace(tzinfo=None))


# cross-validation


def nonsense(each: int, copies: int) -> tuple[list[str], list[str], list[int]]:
    """Texts that tell nothing about their labels, each with near-copies of the same label."""
    chance = random.Random(11)
    bodies, labels, groups = [], [], []
    for group in range(each * 2):
        letters = [chr(chance.randrange(0x5000, 0x5040)) for _ in range(40)]
        for copy in range(copies):
            bodies.append("".join(letters) + AROUND[copy])
            labels.append("ab"[group % 2])
            groups.append(group)
    return bodies, labels, groups


def test_near_copies_are_never_on_both_sides() -> None:
    bodies, labels, groups = nonsense(30, 3)
    empty = [""] * len(bodies)
    apart = cross_validate(empty, bodies, labels, groups).measured
    assert cross_validate(empty, bodies, labels, range(len(bodies))).measured.macro_f1 > 0.95
    assert apart.macro_f1 < 0.7
    assert (apart.rows, apart.groups, len(apart.folds)) == (180, 60, 5)


def test_others_help_to_learn_but_never_with_their_own_group() -> None:
    titles, bodies, labels = corpus(each=10)
    more = corpus(each=40, seed=77)
    few = cross_validate(titles, bodies, labels, range(30)).measured
    tested = [True] * 30 + [False] * 120
    helped = cross_validate(titles + more[0], bodies + more[1], labels + more[2], [*range(150)], tested).measured
    assert helped.rows == few.rows == 30
    assert helped.macro_f1 >= few.macro_f1


def test_copies_in_a_messages_own_group_can_neither_help_nor_mislead() -> None:
    bodies, labels, groups = nonsense(30, 1)
    other = [{"a": "b", "b": "a"}[label] for label in labels]
    columns = [""] * 180, bodies * 3, labels + other * 2
    tested = [True] * 60 + [False] * 120
    own = cross_validate(*columns, groups * 3, tested).measured
    foreign = cross_validate(*columns, range(180), tested).measured
    assert foreign.macro_f1 < 0.1
    assert own.macro_f1 > 0.3


def test_the_measure_is_kept_with_the_model_and_sets_how_sure_it_is() -> None:
    titles, bodies, labels = corpus()
    trial = cross_validate(titles, bodies, labels, range(len(labels)))
    model = Model.load(learned().dump())
    assert (model.measured, model.sureness) == (trial.measured, trial.sureness)
    assert model.measured is not None
    assert model.measured.macro_f1 > 0.95
    chance = random.Random(3)
    muddled = [chance.choice(list(ABOUT)) if chance.random() < 0.4 else label for label in labels]
    doubtful = cross_validate(titles, bodies, muddled, range(len(labels)))
    assert doubtful.sureness < trial.sureness / 2


# the file


def test_a_model_read_back_says_the_very_same() -> None:
    model, again = learned(), Model.load(learned().dump())
    assert again.dump() == model.dump()
    assert (again.labels, again.rows, again.trained_at) == (("noise", "roads", "school"), 90, NOON)
    for title, body, _ in zip(*corpus(each=5, seed=8), strict=True):
        assert again.suggest(title, body) == model.suggest(title, body)


def test_a_torn_or_changed_file_is_refused_in_words() -> None:
    written = learned().dump()
    Model.load(written)
    for size in (len(MARK), len(MARK) + 1, len(MARK) + 20, len(MARK) + 34, len(written) // 2, len(written) - 1):
        with pytest.raises(ValueError, match=r"torn|no category model"):
            Model.load(written[:size])
    for place in range(len(MARK) + 2, len(written), 97):
        changed = bytearray(written)
        changed[place] ^= 1
        with pytest.raises(ValueError, match="torn"):
            Model.load(bytes(changed))


@pytest.mark.parametrize("foreign", [b"", b"PK\x03\x04", b"\x80\x04\x95pickle", b"liuti", b"{}"])
def test_a_foreign_file_is_refused_in_words(foreign: bytes) -> None:
    with pytest.raises(ValueError, match="no category model"):
        Model.load(foreign)


def test_a_file_of_another_version_says_what_to_do() -> None:
    written = learned().dump()
    with pytest.raises(ValueError, match=r"format 2; format 1 can be read\. Train it anew"):
        Model.load(MARK + b"\x00\x02" + written[len(MARK) + 2 :])


def sealed(inside: bytes) -> bytes:
    squeezed = zlib.compress(inside)
    return MARK + b"\x00\x01" + hashlib.sha256(squeezed).digest() + squeezed


def test_a_file_at_odds_with_itself_is_refused_though_its_digest_fits() -> None:
    page, _, numbers = zlib.decompress(learned().dump()[len(MARK) + 34 :]).partition(b"\n")
    Model.load(sealed(page + b"\n" + numbers))
    told = json.loads(page)
    for wrong in (
        page + b"\n" + numbers[:-2],
        json.dumps(told | {"known": told["known"] + 1}).encode() + b"\n" + numbers,
        json.dumps(told | {"known": -1}).encode() + b"\n" + numbers,
        json.dumps(told | {"labels": ["noise"]}).encode() + b"\n" + numbers,
        json.dumps(told | {"rows": "many"}).encode() + b"\n" + numbers,
        json.dumps(told | {"trained_at": "2026-03-02T12:00:00"}).encode() + b"\n" + numbers,
        page + b"\n" + bytes(8) * 2 + numbers[16:],
        page + b"\n" + numbers[:-2] + b"\x00\x7c",
        b"not a page\n" + numbers,
        b"",
    ):
        with pytest.raises(ValueError, match="at odds with itself"):
            Model.load(sealed(wrong))


def test_a_file_that_unfolds_without_end_is_refused() -> None:
    with pytest.raises(ValueError, match="does not end"):
        Model.load(sealed(bytes(LARGEST + 1)))


# real messages


@pytest.fixture(scope="module")
def sorted_messages() -> tuple[list[str], list[str], list[str], list[int], list[bool]]:
    rows = pq.read_table(Path(FOLDER) / "labelled_train.parquet").to_pylist()
    raw = [row["text_kind"] == "raw" for row in rows]
    return (
        [row["title"] or "" if whole else "" for row, whole in zip(rows, raw, strict=True)],
        [row["body"] or "" if whole else row["text_segmented"] for row, whole in zip(rows, raw, strict=True)],
        [row["label"] for row in rows],
        [row["dup_group"] for row in rows],
        raw,
    )


@real
@pytest.mark.slow
def test_real_messages_are_sorted_well_quickly_and_by_a_small_file(
    sorted_messages: tuple[list[str], list[str], list[str], list[int], list[bool]],
) -> None:
    titles, bodies, labels, groups, raw = sorted_messages
    trial = cross_validate(titles, bodies, labels, groups, raw)
    assert trial.measured.rows == 344
    assert trial.measured.macro_f1 >= 0.86
    model = train(titles, bodies, labels, NOON, trial)
    assert len(model.dump()) < 5_000_000
    asked = [(title, body) for title, body, whole in zip(titles, bodies, raw, strict=True) if whole]
    took = []
    for title, body in asked:
        start = time.process_time()
        model.suggest(title, body)
        took.append(time.process_time() - start)
    assert sorted(took)[len(took) // 2] < 0.002
