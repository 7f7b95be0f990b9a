"""Each of the sixteen factors against values computed by hand, at its edges, and where nothing can tell."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from liuti import policy
from liuti.rank.factors import (
    CRITERIA,
    FACTORS,
    Category,
    Crowd,
    Factor,
    History,
    Origin,
    Override,
    Subject,
    effective,
    judged,
)
from liuti.rank.words import FACTOR_ZH, GROUP_ZH, GROUPS, MARK_ZH, MARKS, OUTSIDER_ZH, OUTSIDERS, Said, read

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
LIGHTING = Category(
    code="lighting", zh="路灯照明", en="Street lighting", severity=0.5, units=1, remit=1.0, money=0.9, non_exclusive=1.0
)
OTHER = Category(
    code="other", zh="其他", en="Other", severity=0.5, units=1, remit=0.5, money=0.5, non_exclusive=0.5
)  # fmt: skip


def subject(**given: Any) -> Subject:
    return Subject(**{"id": "i1", "title": "路灯不亮", "said": Said(), "first_proposed": NOW, "as_of": NOW, **given})


def by(name: str, **given: Any) -> Factor:
    return FACTORS[name](subject(**given))


def found(name: str, **given: Any) -> tuple[float, str]:
    one = by(name, **given)
    return one.value, one.origin.value


UNKNOWN = (0.5, "unknown")


def test_there_are_sixteen_named_as_the_policys_weights_in_four_criteria() -> None:
    weights = policy.default().score.weights.model_dump()
    assert list(FACTORS) == list(weights) == [name for names in CRITERIA.values() for name in names]
    assert {one: sum(weights[n] for n in names) for one, names in CRITERIA.items()} == {
        "narrow_scope": 20, "impact": 30, "feasible": 25, "broad_benefit": 25,
    }  # fmt: skip


def test_every_list_of_words_has_a_name_to_show() -> None:
    assert (set(MARK_ZH), set(OUTSIDER_ZH), set(GROUP_ZH)) == (set(MARKS), set(OUTSIDERS), set(GROUPS))
    assert set(FACTOR_ZH) == set(FACTORS)


def test_of_a_bare_subject_only_counts_are_known() -> None:
    known = {one.name: one.value for one in judged(subject()) if one.origin is not Origin.UNKNOWN}
    assert known == {"households": 0.0, "growth": 0.0, "waiting": 0.0}
    assert all(one.value == 0.5 and "待核" in one.zh for one in judged(subject()) if one.origin is Origin.UNKNOWN)


@pytest.mark.parametrize(
    ("marks", "value"), [((), 0.0), (("place",), 0.2), (("place", "time", "request"), 0.6), (tuple(MARKS), 1.0)]
)
def test_concrete_is_a_fifth_for_each_kind_of_mark(marks: tuple[str, ...], value: float) -> None:
    assert found("concrete", said=Said(length=40, marks=marks)) == (value, "presumed")


def test_a_photo_without_words_leaves_concrete_open() -> None:
    assert found("concrete", said=read("", "  ")) == UNKNOWN


@pytest.mark.parametrize(("number", "value"), [(1, 1.0), (2, 0.7), (3, 0.4), (4, 0.1), (9, 0.1)])
def test_units_by_their_number(number: int, value: float) -> None:
    assert found("units", units_named=tuple(f"u{n}" for n in range(number))) == (value, "presumed")
    assert found("units", category=Category(code="roads", units=number)) == (value, "presumed")


def test_units_named_by_a_person_go_before_the_table_and_the_table_before_the_text() -> None:
    text = Said(departments=("police", "housing", "water"))
    assert found("units", units_named=("u1", "u2", "u1"), category=LIGHTING, said=text)[0] == 0.7
    assert found("units", category=LIGHTING, said=text)[0] == 1.0
    assert found("units", category=OTHER, said=text) == (0.4, "presumed")
    assert found("units", category=OTHER) == UNKNOWN


@pytest.mark.parametrize(
    ("median", "value"),
    [(0, 1.0), (30, 1.0), (30.5, 0.7), (90, 0.7), (90.1, 0.4), (180, 0.4), (181, 0.1)],
)
def test_days_by_the_median_of_the_like(median: float, value: float) -> None:
    assert found("days", history=History(closed=3, solved=1, median_days=median)) == (value, "presumed")


def test_two_cases_make_no_median() -> None:
    assert found("days", history=History(closed=2, solved=2, median_days=5)) == UNKNOWN
    assert found("days", history=History(closed=5, solved=2)) == UNKNOWN


@pytest.mark.parametrize("name", ["severity", "remit", "money", "non_exclusive"])
def test_the_table_of_the_policy_speaks_first(name: str) -> None:
    for code, row in policy.default().categories.items():
        given = Category(code=code, **{k: v for k, v in row.model_dump().items() if k in Category.__struct_fields__})
        expected = UNKNOWN if code == "other" else (getattr(row, name), "presumed")
        assert found(name, category=given) == expected, code


def test_a_suggested_category_says_that_it_is_one() -> None:
    one = by("severity", category=Category(code="noise", zh="噪声扰民", severity=0.4, guessed=True))
    assert "推测" in one.zh and "suggested" in one.en and one.raw["guessed"] is True


@pytest.mark.parametrize(("harm", "value"), [("life", 0.9), ("livelihood", 0.7), ("nuisance", 0.4), ("question", 0.2)])
def test_severity_by_the_gravest_word_where_the_table_is_silent(harm: str, value: float) -> None:
    assert found("severity", category=OTHER, said=Said(harm=harm)) == (value, "presumed")


@pytest.mark.parametrize(
    ("verified", "unverified", "h"),
    [
        (0, 0, 0.0), (0, 1, 0.3), (0, 10, 3.0), (0, 11, 3.0), (0, 1000, 3.0), (12, 10, 15.0), (12, 11, 15.0),
        (20, 10, 23.0), (20, 17, 25.0), (20, 500, 25.0), (50, 0, 50.0),
    ],
)  # fmt: skip
def test_unverified_households_count_as_far_as_verified_ones_bear_them_out(
    verified: int, unverified: int, h: float
) -> None:
    assert effective(verified, unverified) == pytest.approx(h)


@pytest.mark.parametrize(("verified", "value"), [(0, 0.0), (1, 0.1763), (5, 0.4557), (50, 1.0), (51, 1.0), (5000, 1.0)])
def test_households_on_a_log_scale_to_fifty(verified: int, value: float) -> None:
    assert found("households", crowd=Crowd(verified=verified)) == (value, "presumed")


@pytest.mark.parametrize(
    ("recent", "before", "value"),
    [
        (4, 0, 0.0),  # below 5
        (5, 0, 1.0),  # r = 5 ÷ 1
        (5, 15, 0.0),  # r = 1
        (6, 15, 0.1),  # r = 1.2
        (8, 9, 0.8333),  # r = 8 ÷ 3
        (9, 9, 1.0),  # r = 3
        (5, 300, 0.0),
        (5, 2, 1.0),  # mean below 1 counts as 1
    ],
)
def test_growth_is_the_last_month_against_the_three_before(recent: int, before: int, value: float) -> None:
    assert found("growth", crowd=Crowd(recent=recent, before=before)) == (value, "presumed")


def test_growth_that_waits_for_review_says_so() -> None:
    one = by("growth", crowd=Crowd(recent=2, held_back=50, burst=True))
    assert one.value == 0 and "50" in one.zh and "待复核" in one.zh and "review" in one.en


@pytest.mark.parametrize(("times", "value"), [(0, 0.0), (1, 0.5), (2, 0.75), (3, 1.0), (12, 1.0)])
def test_recurrence_by_how_often_it_came_back(times: int, value: float) -> None:
    assert found("recurrence", returned=times, said=Said(returned=2)) == (value, "presumed")


def test_a_text_that_says_it_came_back_is_heard_where_nobody_counted() -> None:
    assert found("recurrence", said=Said(returned=1)) == (0.5, "presumed")
    assert found("recurrence", said=Said(returned=2)) == (0.75, "presumed")


@pytest.mark.parametrize(("days", "value"), [(-1, 0.0), (0, 0.0), (15, 0.25), (30, 0.5), (60, 1.0), (61, 1.0)])
def test_waiting_is_full_at_sixty_days(days: float, value: float) -> None:
    assert found("waiting", as_of=NOW + timedelta(days=days)) == (value, "presumed")


def test_remit_and_money_by_words_where_the_table_is_silent() -> None:
    assert found("remit", said=Said(office="private", departments=("police",)))[0] == 0.3
    assert found("remit", said=Said(office="public"))[0] == found("remit", said=Said(departments=("water",)))[0] == 0.7
    assert found("money", said=Said(cost="works"))[0] == 0.3
    assert found("money", said=Said(cost="upkeep"))[0] == 0.8


@pytest.mark.parametrize(
    ("closed", "solved", "value"), [(1, 0, 0.4), (1, 1, 0.6), (6, 5, 0.7), (96, 96, 0.98), (96, 0, 0.02)]
)
def test_past_success_of_the_like(closed: int, solved: int, value: float) -> None:
    assert found("past_success", history=History(closed=closed, solved=solved)) == (value, "presumed")


def test_no_case_of_the_like_is_no_knowledge() -> None:
    assert found("past_success", history=History()) == found("past_success") == UNKNOWN


@pytest.mark.parametrize(
    ("outside", "value"),
    [
        ((), 0.8),
        (("bank",), 0.5),
        (("bank", "court"), 0.3),
        (("bank", "court", "railway"), 0.1),
        (tuple(OUTSIDERS), 0.1),
    ],
)
def test_dependency_by_the_outsiders_in_the_text(outside: tuple[str, ...], value: float) -> None:
    assert found("dependency", said=Said(length=30, outsiders=outside)) == (value, "presumed")


def test_a_short_text_tells_nothing_by_what_it_does_not_mention() -> None:
    assert found("dependency", said=Said(length=29)) == UNKNOWN
    assert found("dependency", said=Said(length=5, outsiders=("bank",))) == (0.5, "presumed")


def test_beneficiaries_on_a_log_scale_to_the_grids_population() -> None:
    assert found("beneficiaries", people=99, population=9999) == (0.5, "presumed")
    assert found("beneficiaries", people=3000, population=3000) == found("beneficiaries", people=9000, population=3000)
    assert found("beneficiaries", said=Said(scope="community", people=1500), population=3000)[0] == 0.9135
    assert found("beneficiaries", said=Said(scope="counted", people=600))[0] == round(
        math.log(601) / math.log(10001), 4
    )
    assert found("beneficiaries", people=0, crowd=Crowd(verified=0), population=100) == (0.0, "presumed")


def test_where_only_households_tell_the_rest_of_the_people_is_unknown_until_they_are_many() -> None:
    assert found("beneficiaries", crowd=Crowd(verified=33)) == UNKNOWN
    assert found("beneficiaries", crowd=Crowd(verified=34)) == (0.5032, "presumed")  # 102 people of 10,000
    assert "户数" in by("beneficiaries", crowd=Crowd(verified=600), said=Said(scope="community", people=1500)).zh


def test_only_households_that_weigh_claim_a_crowd() -> None:
    assert by("beneficiaries", crowd=Crowd(unverified=500)).raw["behind"] == 9, "3 persons for each of h = 3"
    assert by("beneficiaries", crowd=Crowd(verified=40, unverified=500)).raw["behind"] == 150
    assert by("beneficiaries", crowd=Crowd(verified=540)).raw["behind"] == 1620


def test_a_suggested_category_is_named_as_suggested_with_how_sure_it_is() -> None:
    guessed = replace(LIGHTING, guessed=True)
    assert "「路灯照明」一类" in by("severity", category=LIGHTING).zh
    assert "「路灯照明」(推测的类别)一类" in by("severity", category=guessed).zh
    sure = by("severity", category=replace(guessed, confidence=0.634))
    assert "「路灯照明」(推测的类别,把握 63%)一类" in sure.zh
    assert "Street lighting (suggested, 63% sure)" in sure.en
    assert sure.raw == {"category": "lighting", "guessed": True, "confidence": 0.634}


def test_one_homes_story_does_not_say_how_many_use_a_street_lamp() -> None:
    mine = Said(scope="home", people=3)
    assert found("beneficiaries", said=mine, category=LIGHTING) == UNKNOWN
    assert found("beneficiaries", said=mine, category=Category(code="wages", non_exclusive=0.3)) == (0.1505, "presumed")


def test_spread_over_the_communities() -> None:
    assert found("spread", communities=2, communities_total=12) == (0.4283, "presumed")
    assert found("spread", communities=12, communities_total=12) == (1.0, "presumed")
    assert found("spread", communities=1, communities_total=1) == (1.0, "presumed")
    assert found("spread", communities=1) == (0.2891, "presumed")
    assert found("spread", communities=20, communities_total=12) == (1.0, "presumed")
    assert found("spread", said=Said(wide=True, marks=("place",))) == (0.8, "presumed")
    assert found("spread", said=Said(marks=("place",))) == (0.2891, "presumed")
    assert found("spread", communities=0) == UNKNOWN


def test_vulnerable_by_text_and_tags_of_the_grid() -> None:
    assert found("vulnerable", tags=()) == (0.0, "presumed")
    assert found("vulnerable", said=Said(groups=("children",))) == (0.6, "presumed")
    assert found("vulnerable", said=Said(groups=("disabled",))) == (0.8, "presumed")
    assert found("vulnerable", said=Said(groups=("elderly",)), tags=("elderly",)) == (0.6, "presumed")
    assert found("vulnerable", said=Said(groups=("elderly",)), tags=("poor", "widows")) == (1.0, "presumed")
    assert by("vulnerable", tags=("widows",)).zh == "涉及widows"


def test_openness_by_whom_the_text_speaks_of_where_the_table_is_silent() -> None:
    assert found("non_exclusive", said=Said(scope="home")) == (0.3, "presumed")
    assert found("non_exclusive", said=Said(scope="street")) == (0.8, "presumed")


def replacement(value: float = 0.9, at: datetime = NOW, **given: Any) -> Override:
    return Override(**{"factor": "money", "value": value, "evidence": "预算表第 3 行", "by": "p7", "at": at, **given})


def test_a_persons_value_with_evidence_takes_the_place_of_the_presumed_one_and_shows_both() -> None:
    one = judged(subject(category=LIGHTING, overrides=(replacement(0.2),)))[list(FACTORS).index("money")]
    assert (one.value, one.origin, one.raw["first"], one.raw["by"]) == (0.2, Origin.EVIDENCE, 0.9, "p7")
    assert "预算表第 3 行" in one.zh and "p7" not in one.zh + one.en


def test_the_latest_replacement_holds_in_whatever_order_they_stand() -> None:
    old, new = replacement(0.1), replacement(0.3, NOW + timedelta(seconds=1))
    for order in ((old, new), (new, old)):
        assert judged(subject(overrides=order))[list(FACTORS).index("money")].value == 0.3


@pytest.mark.parametrize(
    "wrong",
    [
        {"factor": "luck"}, {"value": 1.1}, {"value": -0.1}, {"value": math.nan}, {"evidence": " "}, {"by": ""},
        {"at": datetime(2026, 3, 1)},  # noqa: DTZ001 -- the fault under test
    ],
)  # fmt: skip
def test_a_replacement_without_evidence_author_or_measure_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        replacement(**wrong)


def test_a_subject_with_impossible_figures_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        subject(as_of=datetime(2026, 3, 1))  # noqa: DTZ001 -- the fault under test
    with pytest.raises(ValueError, match="0 or more"):
        subject(population=-1)
    with pytest.raises(ValueError, match="solved"):
        History(closed=1, solved=2)
    with pytest.raises(ValueError, match="median"):
        History(closed=3, median_days=math.nan)


@pytest.mark.parametrize(
    ("text", "field", "value"),
    [
        ("中山路3号门口路灯坏了半年,请尽快维修", "marks", ("place", "time", "thing", "request")),
        ("希望领导重视民生", "marks", ("request",)),
        ("我们小区三百多户居民停水", "people", 900),
        ("全村２千余户", "people", 6000),
        ("近万名学生上学难", "people", 10_000),
        ("住2单元03户", "people", 0),
        ("十几名业主联名", "people", 13),
        ("我是中山小区的一名业主,我的工资被拖欠,我投诉了", "scope", "home"),
        ("我们小区没有暖气", "scope", "community"),
        ("来往行人没有斑马线可走", "scope", "street"),
        ("路灯不亮", "scope", ""),
        ("我是一名出租车司机,油补没有发", "scope", ""),
        ("作为一个上班族,白天很忙,工资没有发", "scope", ""),
        ("公交车司机随意变道", "scope", ""),
        ("这条线路的上班族都在等车", "scope", "street"),
        ("导游骗游客买东西,我要求退款", "scope", "home"),
        ("外地游客找不到路标", "scope", "street"),
        ("车位比周边小区还贵,我不服,我要退款", "scope", "home"),
        ("扬尘影响周边小区居民", "scope", "street"),
        ("经过这条路的司机都很头疼", "scope", "street"),
        ("公交到处理厂为止", "wide", False),
        ("垃圾到处都是", "wide", False),
        ("楼道里随处可见广告,车辆普遍乱停", "wide", False),
        ("各小区垃圾到处都是", "wide", True),
        ("本市是安全城市", "wide", False),
        ("我多次向城管投诉", "returned", 2),
        ("年年内涝", "returned", 2),
        ("2015年年中开工", "returned", 0),
        ("再次反映噪音", "returned", 1),
        ("变电站有致癌物", "groups", ()),
        ("大学生毕业后买房", "groups", ()),
        ("被执行人不还钱", "scope", ""),
        ("家有八旬老人和残疾孩子", "groups", ("elderly", "children", "disabled")),
        ("开发商不办证,法院判决已生效", "outsiders", ("developer", "court")),
        ("城管和交警互相推诿", "departments", ("urban_management", "police")),
        ("新建一座桥", "cost", "works"),
        ("请清理垃圾", "cost", "upkeep"),
        ("井盖没了,有人摔伤", "harm", "life"),
    ],
)
def test_what_a_message_says(text: str, field: str, value: object) -> None:
    assert getattr(read(text), field) == value


def test_only_words_of_our_lists_are_kept_of_a_message() -> None:
    said = read("张三家的小区", "电话13800000000,我家住3栋501,物业不管垃圾,影响李四的生活,开发商跑了,银行叫王五不付款")
    passing = read("路障", "路过赵六店的司机都骂,3栋501小区居民也骂")
    kept = "".join(word for one in (said, passing) for words in one.found.values() for word in words)
    assert not any(one in kept for one in ("张三", "李四", "王五", "赵六", "138", "501"))


CHARS = st.text(
    alphabet="我们小区业主0123456789一二三十百千万多余户名的。,路灯坏了请老人孩子全市再次多反映 ", max_size=80
)


@given(CHARS, CHARS)
def test_whatever_is_written_every_value_lies_within_0_and_1(title: str, body: str) -> None:
    for one in judged(subject(said=read(title, body), as_of=NOW + timedelta(days=7))):
        assert 0 <= one.value <= 1 and one.zh and one.en


@given(st.integers(0, 400), st.integers(0, 400), st.integers(0, 400))
def test_more_unverified_households_never_lower_a_value(verified: int, unverified: int, more: int) -> None:
    for said in (Said(), Said(scope="building", people=100, length=40)):
        less = judged(subject(said=said, crowd=Crowd(verified=verified, unverified=unverified)))
        full = judged(subject(said=said, crowd=Crowd(verified=verified, unverified=unverified + more)))
        assert all(a.value <= b.value for a, b in zip(less, full, strict=True))
