"""What two texts have in common is told in whole pieces, and marked where it stands without changing a letter."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from liuti.rank.shared import MOST, marked, shared

ONE, OTHER = "学院路口有一个大坑,车都绕着走。", "学院路口的大坑一直没人修,车都绕着走。"


def test_the_longest_pieces_come_first_and_glue_stands_at_no_end() -> None:
    assert shared(ONE, OTHER) == ("车都绕着走", "学院路口")
    assert shared("公园的长椅坏了", "楼下太吵睡不着") == ()
    assert shared("2026年的事", "2026年的事情") == ("2026年的事",)


def test_digits_alone_tell_nothing() -> None:
    assert shared("电话13800000001打不通", "编号13800000001查不到") == ()


def test_what_stands_in_both_is_marked_in_each() -> None:
    words = shared(ONE, OTHER)
    assert marked(ONE, words) == [("学院路口", True), ("有一个大坑,", False), ("车都绕着走", True), ("。", False)]
    assert marked("没有", ()) == [("没有", False)]


@given(st.text(max_size=60), st.text(max_size=60))
def test_put_together_the_pieces_are_the_text_and_no_more_words_are_told_than_fit(one: str, other: str) -> None:
    words = shared(one, other)
    assert len(words) <= MOST and all(word in one.lower() and word in other.lower() for word in words)
    for text in (one, other):
        assert "".join(piece for piece, _ in marked(text, words)) == text
