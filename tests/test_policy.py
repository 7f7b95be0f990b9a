"""The policy file: what is shipped is as the rules say, and what breaks them is named by line in both languages."""

import re
from importlib.resources import files

import pytest

from liuti import policy, toml_lines
from liuti.flow.calendar import Span
from liuti.flow.words import Clock, Urgency
from liuti.policy import PolicyError, load

TEXT = files("liuti").joinpath("policy.toml").read_text("utf-8")
POLICY = policy.default()


def line_of(text: str, needle: str) -> int:
    return text[: text.index(needle)].count("\n") + 1


def faults(text: str) -> tuple[policy.Fault, ...]:
    with pytest.raises(PolicyError) as caught:
        load(text)
    return caught.value.faults


def changed(good: str, bad: str) -> str:
    assert TEXT.count(good) == 1, good
    return TEXT.replace(good, bad)


# What is shipped


@pytest.mark.parametrize(
    ("clock", "urgency", "span"),
    [
        ("intake", "urgent", "1h"),
        ("intake", "basic", "2h"),
        ("intake", "general", "24h"),
        ("intake", "complex", "24h"),
        ("overall", "general", "120d"),
        ("supplement", "general", "5wd"),
        ("select", "general", "10wd"),
        ("claim", "general", "3wd"),
        ("designate", "general", "2wd"),
        ("plan", "general", "3wd"),
        ("sign", "urgent", "0.5h"),
        ("sign", "basic", "1oh"),
        ("sign", "complex", "1oh"),
        ("contact", "urgent", "1h"),
        ("contact", "general", "1wd"),
        ("solve", "urgent", "2h"),
        ("solve", "basic", "24h"),
        ("solve", "general", "5wd"),
        ("solve", "complex", "15wd"),
        ("ruling", "general", "1wd"),
        ("review", "urgent", "3wd"),
        ("redo", "general", "3wd"),
        ("order", "general", "2wd"),
        ("bad_review", "general", "1wd"),
        ("callback", "general", "3wd"),
        ("evaluate", "general", "15d"),
        ("appeal", "general", "15wd"),
    ],
)
def test_every_clock_runs_as_long_as_the_rules_say(clock: str, urgency: str, span: str) -> None:
    assert POLICY.span(clock, urgency) == Span.parse(span)
    assert POLICY.span(Clock(clock), Urgency(urgency)) == Span.parse(span)


def test_every_clock_but_the_one_with_its_own_date_has_a_span() -> None:
    for clock in set(Clock) - {Clock.HOLD}:
        assert POLICY.span(clock).n > 0
    with pytest.raises(KeyError):
        POLICY.span(Clock.HOLD)


def test_the_limits_are_those_of_the_rules() -> None:
    limits = POLICY.limits
    assert (limits.min_visible, limits.claims, limits.unmerge_days, limits.reserve_days, limits.reserves) == (
        4,
        5,
        7,
        30,
        2,
    )
    assert (limits.panel, limits.override_chars, limits.redos, limits.redo_share, limits.redo_from) == (
        3,
        20,
        2,
        0.3,
        5,
    )
    assert (limits.fails_to_interview, limits.urge_days, limits.appeal_days, limits.reopen_days) == (3, 5, 30, 90)
    assert (limits.send_back, limits.extend_total_days) == (Span(1, "wd"), 30)
    assert (limits.extensions.direct, limits.extensions.topic) == (1, 2)
    assert (limits.suspend_days, limits.suspend_total_days, limits.explained_rate_days) == (90, 365, 15)
    assert (limits.proposals_per_day, limits.cosigns_per_day, limits.excluded_share) == (5, 20, 0.05)
    assert (POLICY.clocks.overall_more, POLICY.clocks.overall_most) == (30, 180)
    assert (POLICY.clocks.solve_topic_most, POLICY.clocks.solve_topic_most_extended) == (60, 90)
    assert (POLICY.draw.share, POLICY.ladder.warn_at) == (0.1, 0.75)


def test_the_weights_of_the_four_criteria_are_20_30_25_25() -> None:
    weights = list(POLICY.score.weights.model_dump().values())
    assert [sum(weights[:3]), sum(weights[3:8]), sum(weights[8:12]), sum(weights[12:])] == [20, 30, 25, 25]


def test_a_refusal_has_its_route_and_three_of_them_a_second_officer() -> None:
    assert {code for code, route in POLICY.routes.items() if route.second} == {"discipline", "secret", "settled"}
    assert set(POLICY.routes) == {"judicial", "discipline", "petition", "secret", "outside", "settled"}


def test_a_policy_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        POLICY.limits.claims = 9  # type: ignore[misc]
    with pytest.raises(TypeError):
        POLICY.routes["new"] = POLICY.routes["outside"]  # type: ignore[index]


def test_the_digest_is_of_what_is_said_and_not_of_how() -> None:
    assert re.fullmatch(r"[0-9a-f]{64}", POLICY.digest)
    assert load("# a comment\n" + changed("claims = 5", "claims   =   5")).digest == POLICY.digest
    assert load(changed("claims = 5", "claims = 6")).digest != POLICY.digest


def test_a_policy_kept_before_a_key_was_added_is_read_and_is_the_same_policy() -> None:
    before = load(changed("few_households = 6\n", ""))
    assert (before.score.few_households, before.digest) == (6, POLICY.digest)
    assert load(changed("few_households = 6", "few_households = 7")).digest != POLICY.digest


# What breaks the rules


@pytest.mark.parametrize(
    ("good", "bad", "path", "en"),
    [
        ('claim = "3wd"', 'claim = "3w"', "clocks.claim", "a number and a unit"),
        ('claim = "3wd"', 'claim = "0wd"', "clocks.claim", "longer than nothing"),
        ('claim = "3wd"', "claim = 3", "clocks.claim", "a number and a unit"),
        ('urgent = "0.5h"', 'urgent = "0.5wd"', "clocks.sign.urgent", "counted whole"),
        ("\nclaims = 5", "\nclaims = 0", "limits.claims", "1 or more"),
        ("\nclaims = 5", '\nclaims = "5"', "limits.claims", "whole number"),
        ("\nclaims = 5", "\nclaims = true", "limits.claims", "whole number"),
        ("panel = 3", "panel = 4", "limits.panel", "odd"),
        ("panel = 3", "panel = 1", "limits.panel", "at least 3"),
        ("redo_share = 0.3", "redo_share = 30", "limits.redo_share", "1 or less"),
        ("redo_share = 0.3", "redo_share = nan", "limits.redo_share", "finite"),
        ('"领导小组办公室"]', '"巡回指导组"]', "gates", "each another"),
        (', "领导小组办公室"]', "]", "gates", "three posts"),
        ("warn_at = 0.75", "warn_at = 1.0", "ladder.warn_at", "below 1"),
        ("closes = 17:30:00", 'closes = "17:30"', "hours.closes", "time of day"),
        ('zone = "Asia/Shanghai"', 'zone = "Asia/Nowhere"', "hours.zone", "no time zone"),
        ('number = "122"', 'number = "123"', "danger.numbers[3].number", "is not written as"),
        ('"火灾隐患", "消防隐患"', '"火灾隐患", "火灾隐患"', "danger.harmless[1]", "twice"),
        ("access_log = 1095", "access_log = 90", "retention.access_log", "183 or more"),
        ('zh = "供热供暖"', 'zh = " "', "categories.heating.zh", "empty"),
        ('0.3, urgency = "general"', '0.3, urgency = "soon"', "categories.wages.urgency", "one of"),
        ("[adjust_codes]", "[adjust_codes]\nBad = { zh = 'a', en = 'b' }", "adjust_codes.Bad", "is not written as"),
    ],
)  # fmt: skip
def test_a_fault_names_its_line_its_key_and_the_rule_in_both_languages(good: str, bad: str, path: str, en: str) -> None:
    text = changed(good, bad)
    (fault,) = faults(text)
    added = bad.lstrip("\n").splitlines()[-1]
    assert fault.path == path
    assert fault.line == line_of(text, added)
    assert en in fault.en
    assert re.search(r"[\u4e00-\u9fff]", fault.zh)


@pytest.mark.parametrize(
    ("good", "bad", "path", "header"),
    [
        ("concrete = 8", "concrete = 9", "score.weights", "[score.weights]"),
        ("satisfied = 0.40", "satisfied = 0.50", "rates.composite", "composite ="),
        ("opens = 09:00:00", "opens = 18:00:00", "hours.closes", "closes ="),
        ("cutoff = 15:00:00", "cutoff = 19:00:00", "same_day", "[same_day]"),
        (
            "solve_topic_most_extended = 90",
            "solve_topic_most_extended = 50",
            "clocks.solve_topic_most_extended",
            "solve_topic_most_e",
        ),
        ("overall_most = 180", "overall_most = 100", "clocks.overall_most", "overall_most"),
        ("suspend_total_days = 365", "suspend_total_days = 60", "limits.suspend_total_days", "suspend_total"),
        ("\nclaims = 5", "", "limits.claims", "[limits]"),
        ("malicious =", "mean =", "exclude_causes", "[exclude_causes]"),
        ("inadmissible =", "unlawful_after_all =", "terminate_grounds", "[terminate_grounds]"),
    ],
)
def test_a_rule_over_several_keys_names_one_of_them_or_their_table(good: str, bad: str, path: str, header: str) -> None:
    text = changed(good, bad)
    (fault,) = faults(text)
    assert (fault.path, fault.line) == (path, line_of(text, header))


def test_a_misspelt_key_is_a_fault_beside_the_one_it_leaves_missing() -> None:
    text = changed("\nclaims = 5", "\nclams = 5")
    assert [(f.line, f.path) for f in faults(text)] == [
        (line_of(text, "[limits]"), "limits.claims"),
        (line_of(text, "clams"), "limits.clams"),
    ]


def test_all_faults_come_at_once_in_the_order_of_the_file() -> None:
    text = TEXT.replace('claim = "3wd"', 'claim = "x"').replace("panel = 3", "panel = 2").replace('"119"', '"911"')
    found = faults(text)
    assert [fault.path for fault in found] == ["clocks.claim", "limits.panel", "danger.numbers[0].number"]
    with pytest.raises(PolicyError, match=r"line \d+: clocks\.claim: .* / 时长"):
        load(text)


@pytest.mark.parametrize(("text", "line"), [("a = 1\nb = \n", 2), ("a = 1\na = 2\n", 2), ("a = [1,\n", 2)])
def test_a_file_that_is_not_toml_says_where(text: str, line: int) -> None:
    (fault,) = faults(text)
    assert "not valid TOML" in fault.en
    assert fault.line == line


def test_an_empty_file_lacks_every_section_but_those_that_came_later_with_what_holds_without_them() -> None:
    needed = {name for name, field in policy.Policy.model_fields.items() if field.is_required()}
    assert {fault.path for fault in faults("")} == needed
    assert set(policy.Policy.model_fields) - needed <= {"phone_codes", "sample"}


def test_lines_are_found_in_every_shape_of_toml() -> None:
    text = '''# "no = 1"
a.b = 1
"c.d" = { e = [1, 2], f = "}#" }
[t."u v"]
w = [
  "x", # ]
  """y
  z""",
  { k = 1 },
]
[[l]]
n = 1
[l.m]
o = 2
[[l]]
n = 'q'
'''
    found = toml_lines.lines(text)
    assert found["a", "b"] == 2
    assert (found["c.d", "e", 1], found["c.d", "f"]) == (3, 3)
    assert (found["t", "u v"], found["t", "u v", "w"], found["t", "u v", "w", 0], found["t", "u v", "w", 1]) == (
        4,
        5,
        6,
        7,
    )
    assert found["t", "u v", "w", 2, "k"] == 9
    assert (found["l", 0], found["l", 0, "m", "o"], found["l", 1], found["l", 1, "n"]) == (11, 14, 15, 16)


# Words of danger


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("煤气漏气了快来人", "119"),
        ("煤 气 漏 气 了", "119"),
        ("楼下厨房着火了", "119"),
        ("有老人晕倒在路边", "120"),
        ("隔壁有人持刀", "110"),
        ("路口发生车祸", "122"),
        ("There is a gas  leak in my flat", "119"),
        ("路灯不亮", None),
        ("楼道堆放杂物,有火灾隐患", None),
        ("", None),
    ],
)
def test_the_emergency_number_is_shown_for_its_words(text: str, number: str | None) -> None:
    assert POLICY.emergency_number(text) == number


def test_a_harmless_phrase_does_not_hide_a_danger_beside_it() -> None:
    assert POLICY.emergency_number("之前就有火灾隐患,现在着火了") == "119"


def test_a_gap_ends_with_the_sentence() -> None:
    assert POLICY.emergency_number("燃气管道一直在漏") == "119"
    assert POLICY.emergency_number("燃气费太贵。屋顶漏雨") is None


@pytest.mark.parametrize(
    ("text", "category", "danger", "urgency"),
    [
        ("路灯不亮三天了", "lighting", False, "general"),
        ("路灯不亮三天了", "lighting", True, "urgent"),
        ("煤气漏气了快来人", "other", False, "urgent"),
        ("井盖丢了一个", "roads", False, "urgent"),
        ("家里停水两天", "other", False, "basic"),
        ("暖气片摸着不热", "consultation", False, "basic"),
        ("孩子上学路上太远", "heating", False, "basic"),
        ("房本一直办不下来", "housing", False, "complex"),
        ("说不清的事", "no_such_category", False, "general"),
    ],
)
def test_the_provisional_urgency_follows_danger_words_and_category(
    text: str, category: str, danger: bool, urgency: str
) -> None:
    assert POLICY.urgency_of(text, category, danger) is Urgency(urgency)


def test_a_policy_may_do_without_words() -> None:
    bare = re.sub(r"basic_words = \[.*?\n\]", "basic_words = []", TEXT, flags=re.DOTALL)
    assert load(bare).urgency_of("停水", "other", danger=False) is Urgency.GENERAL
