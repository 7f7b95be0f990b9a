"""What of a message is read, and where in it a place is named."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from liuti.rank import text


def said(title: str, body: str = "") -> str:
    return "".join(map(chr, text.read([title], [body]).code.tolist()))


def place(title: str, body: str = "") -> str:
    read = text.read([title], [body])
    return "".join(chr(c) for c, named in zip(read.code.tolist(), read.place.tolist(), strict=True) if named)


def test_full_width_and_capitals_read_as_half_width_and_small_letters() -> None:
    assert said("ＡＢＣ１２３路") == said("abc123路") == "abc123路"


def test_greetings_formulas_links_and_punctuation_are_left_out() -> None:
    assert said("尊敬的王局长：您好！") == ""
    assert said("尊敬的各位领导你们好我家住在云栖小区") == "我家住在云栖小区"
    assert said("尊敬的人住在云栖小区里面很多年了没有水用") == "人住在云栖小区里面很多年了没有水用"
    assert (
        said("垃圾没人清运", "领导,您好!垃圾没人清运。此致敬礼,谢谢!https://example.org/x?y=1")
        == "垃圾没人清运领导垃圾没人清运"
    )


def test_a_masked_region_is_left_out_and_what_follows_it_is_a_place() -> None:
    assert said("B3区云栖小区停水") == "云栖小区停水"
    assert "云栖" in place("B3区云栖小区停水")


def test_names_before_the_word_for_a_kind_of_place_are_places() -> None:
    assert place("请问兰亭家园何时通气").endswith("兰亭")
    assert "青溪路" in place("", "青溪路的灯坏了")
    assert place("", "我们走了很长一段道路") == ""


def test_districts_of_a_title_are_told_apart_and_those_of_a_body_do_not_count() -> None:
    def numbers(title: str, body: str = "") -> list[int]:
        return [number for _, number in text.read([title], [body]).district.tolist()]

    assert numbers("B3区停水") == numbers("再问B3区停水") != numbers("B4区停水")
    assert numbers("东湖区停水") != numbers("西山区停水")
    assert numbers("小区停水", "B3区") == []


def test_only_the_front_of_a_body_is_read() -> None:
    assert len(said("", "水" * 5000)) == text.BODY


def test_messages_keep_apart_and_title_and_body_are_known() -> None:
    read = text.read(["一二", "", "五"], ["三", "四", ""])
    assert read.message.tolist() == [0, 0, 0, 1, 2]
    assert read.title.tolist() == [True, True, False, False, True]


def test_signs_used_between_messages_do_no_harm_inside_one() -> None:
    read = text.read(["甲\x1f乙", "丙"], ["丁\x1e戊", "己"])
    assert read.message.tolist() == [0, 0, 0, 0, 1, 1]


@settings(max_examples=60)
@given(st.lists(st.tuples(st.text(max_size=40), st.text(max_size=60)), min_size=1, max_size=5))
def test_any_text_is_read_alone_as_among_others(rows: list[tuple[str, str]]) -> None:
    together = text.read([t for t, _ in rows], [b for _, b in rows])
    for number, (title, body) in enumerate(rows):
        alone = text.read([title], [body])
        mine = together.message == number
        assert alone.code.tolist() == together.code[mine].tolist()
        assert alone.place.tolist() == together.place[mine].tolist()
        assert alone.title.tolist() == together.title[mine].tolist()


def test_half_a_surrogate_pair_is_no_error() -> None:
    assert "路" in said("\ud800路")
