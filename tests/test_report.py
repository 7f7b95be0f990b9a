"""The report: one page that asks for nothing, lets no word become markup, and shows every chart as numbers too."""

from __future__ import annotations

import base64
import re
import stat
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from liuti import policy, report
from liuti.rank import panel, words
from liuti.rank.factors import Subject
from liuti.rank.score import Voice, households, score
from liuti.report import AREAS, LETTERS, MESSAGES, MONTHS, PIECES, Behind, Matter, Message, Report, html

NOW = datetime(2026, 3, 2, 2, tzinfo=UTC)
WEIGHTS = policy.default().score.weights.model_dump()
VOID = {"meta", "link"}
EVIL = "<script>alert('x')</script><img src=x onerror=y> \" ' & {{ 7*7 }} </style> ]]> \u202e"


def message(n: int, days: int = 0, **given: Any) -> Message:
    plain = {
        "id": f"x{n}",
        "title": f"路灯坏了 {n}",
        "text": "东门大道路灯不亮",
        "at": NOW - timedelta(days=days),
        "near": 0.5,
    }
    return Message(**{**plain, **given})


def matters(*behind: Behind, titles: tuple[str, ...] = (), slots: int = 10) -> list[Matter]:
    scores = []
    for n, _ in enumerate(behind):
        title = titles[n] if titles else f"东门大道路灯坏了 {n}"
        said = words.read(
            title, "东门大道的路灯坏了,晚上有老人摔伤,请求尽快维修,居民出行不便。城管部门多次不管。全城到处都是。"
        )
        crowd = households([Voice(account="a", at=NOW)], NOW)
        subject = Subject(
            id=f"i{n}", title=title, said=said, first_proposed=NOW - timedelta(days=n), as_of=NOW, crowd=crowd
        )
        scores.append(score(subject, WEIGHTS, 1))
    of = {one.id: (one, hind) for one, hind in zip(scores, behind, strict=True)}
    return [Matter(place, *of[place.id], 0.9 if place.rank else None) for place in panel.recommend(scores, slots)]


def a_report(listed: list[Matter], **given: Any) -> Report:
    plain = {"source": "messages.csv", "as_of": NOW, "zone": "Asia/Shanghai", "policy": 1, "formula": 1, "slots": 10,
             "voices": 12, "topics": 4, "recommendable": 3, "matters": listed}  # fmt: skip
    return Report(**{**plain, **given})


@lru_cache(maxsize=1)
def usual() -> str:
    said = tuple(message(n, days=25 * n) for n in range(4))
    listed = matters(
        Behind(4, "路灯照明", (("东社区", 3), ("西社区", 1)), said), Behind(1, "", (), (message(9),)), slots=1
    )
    large = matters(
        Behind(3, "", (("东社区", 3),), tuple(message(20 + n) for n in range(3))), titles=("别的事",), slots=1
    )
    return html(a_report(listed, largest=large, slots=1))


class Page(HTMLParser):
    """The page as a browser reads it: elements with their attributes, and the text in them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == [], f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open[-1] == tag, f"</{tag}> inside {self.open[-3:]}"
        self.open.pop()

    def handle_data(self, text: str) -> None:
        self.words.append(text)

    def all(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.elements if tag == name]


# --- safe to open ----------------------------------------------------------------------------------------------------


def test_no_word_of_a_message_becomes_markup() -> None:
    said = (message(1, id=EVIL, title=EVIL, text=EVIL), message(2), message(3))
    listed = matters(Behind(3, EVIL, ((EVIL, 2),), said), titles=(EVIL,))
    shown = html(a_report(listed, source=EVIL, by_area=(EVIL, EVIL), notes=[(EVIL, EVIL)]))
    plain, evil = Page(usual()), Page(shown)
    assert {tag for tag, _ in evil.elements} <= {tag for tag, _ in plain.elements}
    assert len(evil.all("script")) == len(plain.all("script")) == 1
    assert not [name for _, given in evil.elements for name in given if name.startswith("on")]
    assert "alert('x')" in "".join(evil.words)
    assert "49" not in "".join(evil.words)


def test_signs_that_turn_a_line_around_are_left_out_and_phone_numbers_masked() -> None:
    said = (message(1, title="电话 13800138000", text="请打 0564-1234567 或 13900139000\n\n\n\u202e谢谢"),)
    shown = html(a_report(matters(Behind(1, "", (), said), titles=("找 13700137000",))))
    assert not re.search(r"1[3-9]\d{9}|\u202e", shown)
    assert "138****8000" in shown and "137****7000" in shown


def test_the_page_asks_for_nothing_from_outside() -> None:
    shown = Page(usual())
    asked = [value for _, given in shown.elements for name, value in given.items() if name in ("src", "href", "action")]
    assert all(value and (value.startswith("#") or value == "data:,") for value in asked)
    assert not re.search(r"url\(|@import|https?:", usual())
    rules = next(
        given["content"] for given in shown.all("meta") if given.get("http-equiv") == "Content-Security-Policy"
    )
    assert rules is not None and rules.startswith("default-src 'none'")


def test_the_one_script_is_the_one_the_page_allows_and_nothing_waits_for_it() -> None:
    inside = re.findall(r"<script>(.*?)</script>", usual(), re.DOTALL)
    digest = base64.b64encode(sha256(inside[0].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in usual()
    hidden = [given.get("class") for _, given in Page(usual()).elements if "hidden" in given]
    assert hidden == ["unfold"]


def test_the_file_is_its_owners_alone_and_the_same_each_time(tmp_path: Path) -> None:
    made = a_report(matters(Behind(1, "", (), (message(1),))))
    report.write(made, tmp_path / "a.html")
    report.write(made, tmp_path / "b.html")
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()
    assert stat.S_IMODE((tmp_path / "a.html").stat().st_mode) == 0o600
    assert len(list(tmp_path.iterdir())) == 2


# --- readable by everyone --------------------------------------------------------------------------------------------


def test_every_link_and_label_leads_somewhere_and_no_name_is_given_twice() -> None:
    shown = Page(usual())
    ids = [given["id"] for _, given in shown.elements if given.get("id")]
    assert len(ids) == len(set(ids))
    wanted = [str(given["href"])[1:] for given in shown.all("a")]
    wanted += [str(given["aria-labelledby"]) for _, given in shown.elements if given.get("aria-labelledby")]
    assert set(wanted) <= set(ids)


def test_every_chart_says_what_it_shows_and_has_its_numbers_in_a_table() -> None:
    shown = Page(usual())
    assert all(given.get("role") == "img" and given.get("aria-label") for given in shown.all("svg"))
    for figure in re.findall(r"<figure>.*?</figure>", usual(), re.DOTALL):
        assert "<table" in figure and "<figcaption>" in figure
    assert all(given.get("scope") for given in shown.all("th"))


def test_the_four_scores_are_bars_of_the_right_length_beside_their_numbers() -> None:
    one = matters(Behind(1))[0].score
    full = {"narrow_scope": 20, "impact": 30, "feasible": 25, "broad_benefit": 25}
    shown = html(a_report(matters(Behind(1))))
    for name, most in full.items():
        assert f'<svg class="bar {name}"' in shown
        length = re.search(rf'class="bar {name}".*?class="fill" width="([\d.]+)"', shown)
        assert length is not None and float(length[1]) == pytest.approx(100 * one.subs[name] / most, abs=0.01)
    assert f"<b>{one.total:.1f}</b>" in shown


def test_reasons_stand_in_chinese_with_english_second() -> None:
    one = matters(Behind(1))[0].score
    shown = html(a_report(matters(Behind(1))))
    for reason in (*one.strongest, *one.weakest):
        assert f'{reason.zh}<span class="en" lang="en">{reason.en}</span>' in shown
    assert [given.get("lang") for given in Page(shown).all("html")] == ["zh-CN"]


def test_all_sixteen_factors_stand_with_value_weight_and_origin() -> None:
    shown = html(a_report(matters(Behind(1))))
    for factor in matters(Behind(1))[0].score.factors:
        assert f'<td class="n">{factor.value:.2f}</td><td class="n">{factor.weight:g}</td>' in shown
        assert factor.zh in shown


def test_where_the_slots_end_and_what_is_large_but_absent_is_shown() -> None:
    assert usual().index("本轮 1 个名额到此") < usual().index("不在其中、反映最多的")
    assert "别的事" in usual() and "以下未进入本轮名额" in usual()


def test_a_page_without_matters_says_so() -> None:
    assert "没有待选的题" in html(a_report([], voices=0, topics=0, recommendable=0))
    Page(html(a_report([], voices=0, topics=0, recommendable=0)))


def _colours(part: str) -> dict[str, str]:
    found = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{3,6})", part))
    return {
        name: "#" + "".join(2 * c for c in value[1:]) if len(value) == 4 else value for name, value in found.items()
    }


def _light(colour: str) -> float:
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((_light(one), _light(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_words_stand_out_from_their_ground_and_bars_from_theirs(theme: str) -> None:
    light, dark = (_colours(part) for part in (PIECES / "report.css").read_text("utf-8").split("\n}\n", 2)[:2])
    colour = light if theme == "light" else light | dark
    grounds = [(word, ground) for word in ("ink", "quiet", "brand") for ground in ("paper", "card")]
    grounds += [
        ("warn", "warn-paper"),
        ("good", "good-paper"),
        ("aside", "aside-paper"),
        ("warn", "card"),
        ("good", "card"),
    ]
    grounds += [("ink", "track"), ("quiet", "track"), ("card", "ink")]
    weak = {pair: contrast(*(colour[name] for name in pair)) for pair in grounds}
    assert min(weak.values()) >= 4.5, {pair: value for pair, value in weak.items() if value < 4.5}
    for bar in ("narrow", "impact", "feasible", "broad", "plain"):
        assert contrast(colour[bar], colour["card"]) >= 3
        assert contrast(colour[bar], colour["track"]) >= 3


# --- growth, spread, messages ----------------------------------------------------------------------------------------


def figures(shown: str) -> list[tuple[str, int]]:
    table = re.search(r'id="growth".*?<tbody>(.*?)</tbody>', shown, re.DOTALL)
    assert table is not None
    return [(name, int(n)) for name, n in re.findall(r'<th scope="row">([\d-]+)</th><td class="n">(\d+)', table[1])]


def test_growth_counts_messages_by_the_month_they_were_written_in_here() -> None:
    late = datetime(2026, 1, 31, 17, tzinfo=UTC)  # in February by the clock of the place
    said = (message(1, at=late), message(2, at=NOW), message(3, at=NOW), message(4, at=None))
    shown = html(a_report(matters(Behind(4, "", (), said))))
    assert figures(shown) == [("2026-02", 1), ("2026-03", 2)]
    assert "顶线 2 条" in shown
    heights = re.findall(r'height="([\d.]+)"><title>(2026-0\d): \d', shown)
    assert heights == [("50.00", "2026-02"), ("100.00", "2026-03")]


def test_no_month_is_missing_and_the_oldest_are_told_as_a_sum() -> None:
    said = tuple(message(n, days=days) for n, days in enumerate((0, 40, 2000, 2100)))
    shown = html(a_report(matters(Behind(4, "", (), said))))
    months = re.findall(r'aria-label="(\d{4})-(\d\d) 至 (\d{4})-(\d\d)', shown)[0]
    first, last = int(months[0]) * 12 + int(months[1]), int(months[2]) * 12 + int(months[3])
    assert last - first == MONTHS - 1
    assert re.search(r"此前 <span[^>]*>before</span></th><td class=\"n\">2</td>", shown)
    assert all(a < b for a, b in pairwise(name for name, _ in figures(shown)))


def test_without_times_no_growth_is_drawn_and_the_page_says_why() -> None:
    said = tuple(message(n, at=None) for n in range(3))
    assert "画不出增长" in html(a_report(matters(Behind(3, "", (), said))))


def test_many_areas_share_one_bar_and_nothing_is_lost() -> None:
    found = tuple((f"第{n}社区", 20 - n) for n in range(12))
    bars = report._areas(found)
    assert len(bars) == AREAS + 1
    assert sum(bar.n for bar in bars) == sum(n for _, n in found)
    assert max(bar.length for bar in bars) == 100
    assert [bar.name for bar in report._areas(found[: AREAS + 1])] == [name for name, _ in found[: AREAS + 1]]


def test_of_many_messages_both_ends_are_printed_and_long_ones_cut() -> None:
    said = tuple(message(n, days=200 - n, text="长" * 5000) for n in range(MESSAGES + 20))
    shown = html(a_report(matters(Behind(len(said), "", (), said))))
    assert "另有 20 条未列" in shown
    assert "路灯坏了 0<" in shown and f"路灯坏了 {len(said) - 1}<" in shown
    assert "路灯坏了 40<" not in shown
    assert max(map(len, re.findall("长+", shown))) == LETTERS


def test_the_most_typical_message_is_named_where_the_earliest_is_another() -> None:
    said = (message(1, near=0.2, title="东门大道路灯坏了 0"), message(2, near=0.9, title="一整条街没有灯"), message(3))
    assert "<q>一整条街没有灯</q>" in html(a_report(matters(Behind(3, "", (), said))))
    assert "<q>" not in html(a_report(matters(Behind(2, "", (), said[:2]))))
