"""Messages in numbers: the same whoever counts them, and alike where the texts are alike."""

from __future__ import annotations

import numpy as np
import pytest

from liuti.rank import sketch, text

TITLES = ["云栖小区停水三天", "兰亭路路灯不亮", "", "云栖小区停水三天"]
BODIES = ["物业说水泵坏了,一直没有修好。", "晚上走路看不见,请派人修。", "", "物业说水泵坏了,一直没有修好。"]


def test_a_batch_is_counted_the_same_alone_and_among_others() -> None:
    whole = sketch.prepare(TITLES, BODIES)
    until = np.cumsum(whole.length)
    for i, (title, body) in enumerate(zip(TITLES, BODIES, strict=True)):
        alone = sketch.prepare([title], [body])
        assert alone.packed.tolist() == whole.packed[until[i] - whole.length[i] : until[i]].tolist()
        assert alone.signature.tolist() == whole.signature[i : i + 1].tolist()
        assert alone.digest[0] == whole.digest[i]


def test_equal_texts_have_equal_digests_and_others_do_not() -> None:
    digest = sketch.prepare(TITLES, BODIES).digest
    assert digest[0] == digest[3]
    assert len(set(digest.tolist())) == 3


def test_what_is_packed_says_gram_times_title_and_place() -> None:
    batch = sketch.prepare(["停水停水"], ["停水"])
    gram, times = batch.packed & np.uint32(sketch.SPACE - 1), batch.packed >> np.uint32(20) & np.uint32(7)
    assert sorted(times.tolist()) == [1, 3]
    assert len(set(gram.tolist())) == 2
    assert set((batch.packed >> np.uint32(23) & np.uint32(1)).tolist()) == {1}


def test_signatures_agree_about_as_much_as_texts_do() -> None:
    rng = np.random.default_rng(5)
    letters = [chr(0x4E00 + int(c)) for c in rng.integers(0, 3000, 400)]
    first, second = "".join(letters[:300]), "".join(letters[100:])
    read = text.read([first[:150], second[:150]], [first[150:], second[150:]])
    signature = sketch.signatures(sketch.grams(read), 2)
    assert 2 <= int((signature[0] == signature[1]).sum()) <= 14
    same = sketch.signatures(sketch.grams(text.read([first] * 2, [""] * 2)), 2)
    assert same[0].tolist() == same[1].tolist()


def test_a_batch_has_a_greatest_size() -> None:
    with pytest.raises(ValueError, match="at most"):
        sketch.prepare([""] * (sketch.BATCH + 1), [""] * (sketch.BATCH + 1))


def test_rows_are_of_length_one_and_a_text_without_a_place_is_placed_by_its_words() -> None:
    batch = sketch.prepare(TITLES + ["停了又停了"] * 2, BODIES + ["还是停了"] * 2)
    counts = np.bincount(batch.packed & np.uint32(sketch.SPACE - 1), minlength=sketch.SPACE)
    whole, place = sketch.weighed(batch, sketch.rarity(counts, batch.messages), counts > 0)
    for rows in (whole, place):
        length = np.sqrt(np.asarray(rows.multiply(rows).sum(axis=1)).ravel())
        assert np.allclose(length[[0, 3, 4, 5]], 1, atol=1e-5)
    assert (place[[4]].indices == whole[[4]].indices).all()
    assert place[[0]].nnz < whole[[0]].nnz


def test_pairs_stand_under_one_key_at_most_so_far_apart() -> None:
    key = np.array([1, 1, 1, 2, 2, 3])
    row = np.arange(6)
    left, right = sketch.pairs_in_lists(key, row, np.zeros(6, dtype=np.int64), 1)
    assert sorted(zip(left.tolist(), right.tolist(), strict=True)) == [(0, 1), (1, 2), (3, 4)]
    left, right = sketch.pairs_in_lists(key, row, np.zeros(6, dtype=np.int64), 9)
    assert len(left) == 4
    assert len(sketch.pairs_in_lists(key[:0], row[:0], row[:0], 3)[0]) == 0
