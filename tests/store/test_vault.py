"""The vault keeps what it is given, for whom it was given, and through a change of keys."""

import base64
import hashlib
import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from liuti.settings import Settings, new_key, new_webhook_secret, settings_in_words
from liuti.store.household import door_of, hide_phones, phone_of
from liuti.store.ids import uuid7
from liuti.store.vault import (
    CODE_LETTERS,
    KeyRing,
    KeysUnfit,
    Unreadable,
    api_token,
    check_query_code,
    digest_token,
    mask_address,
    mask_name,
    mask_phone,
    query_code,
    seal,
)

ONE = "1:" + base64.b64encode(bytes(range(32))).decode()
TWO = "2:" + base64.b64encode(bytes(range(32, 64))).decode()
OTHER = "1:" + base64.b64encode(bytes(range(64, 96))).decode()
OLD, BOTH = KeyRing.parse(ONE), KeyRing.parse(f"{ONE},{TWO}")
VOICE = "019aa000-0000-7000-8000-000000000001"
NEIGHBOUR = "019aa000-0000-7000-8000-000000000002"
ISSUE = "019aa000-0000-7000-8000-0000000000aa"


# Keys


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ,",
        "nonsense",
        "1:",
        "1:c2hvcnQ=",
        "0:" + ONE[2:],
        "256:" + ONE[2:],
        f"{TWO},{ONE}",
        f"{ONE},{ONE}",
        "²:" + ONE[2:],
        "1:" + "密" * 32,
        ONE + "AAAA",
    ],
)
def test_a_ring_that_cannot_work_is_refused_in_both_languages_without_showing_a_key(text: str) -> None:
    assert KeyRing.parse(ONE).newest == 1
    with pytest.raises(KeysUnfit) as refusal:
        KeyRing.parse(text)
    assert refusal.value.zh and refusal.value.en
    assert ONE[2:] not in str(refusal.value)


def test_a_ring_shows_no_key_when_printed() -> None:
    assert repr(BOTH) == "KeyRing(_keys=(_Key(version=1), _Key(version=2)))"


def test_settings_without_keys_say_so_in_both_languages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIUTI_KEYS", ONE)
    assert Settings().ring().newest == 1
    monkeypatch.delenv("LIUTI_KEYS")
    with pytest.raises(ValidationError) as refusal:
        Settings()
    words = settings_in_words(refusal.value)
    assert "LIUTI_KEYS：没有配置密钥" in words.zh
    assert "LIUTI_KEYS: there are no keys" in words.en


def test_settings_never_repeat_a_malformed_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIUTI_KEYS", "1:cGFzc3dvcmQ=")
    with pytest.raises(ValidationError) as refusal:
        Settings()
    assert "cGFzc3dvcmQ" not in f"{refusal.value}{settings_in_words(refusal.value)}"


def told(**given: Any) -> Settings:
    """Settings as text from the environment makes them."""
    return Settings(**given)


def test_settings_are_frozen_and_hide_their_secrets() -> None:
    settings = told(keys=new_key(), webhook_url="https://example.org/in/", webhook_secret=new_webhook_secret())
    assert settings.webhook_url == "https://example.org/in"
    assert settings.keys.get_secret_value() not in repr(settings)
    with pytest.raises(ValueError, match="frozen"):
        settings.pool = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    "fault",
    [
        {"webhook_url": "https://example.org"},
        {"webhook_secret": "plain"},
        {"webhook_secret": "whsec_c2hvcnQ="},
        {"base_url": "ftp://x"},
        {"seal": "md5"},
        {"trusted_proxies": "proxy.example"},
        {"trusted_proxies": "10.0.0.1/8"},
        {"workers": 0},
    ],
)
def test_settings_that_cannot_work_are_refused(fault: dict[str, str]) -> None:
    assert told(keys=ONE).seal == "sha256"
    with pytest.raises(ValidationError):
        told(keys=ONE, **fault)


def test_trusted_proxies_are_networks_and_none_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIUTI_KEYS", ONE)
    assert Settings().proxies() == ()
    monkeypatch.setenv("LIUTI_TRUSTED_PROXIES", "10.0.0.0/8, ::1")
    assert [str(each) for each in Settings().proxies()] == ["10.0.0.0/8", "::1/128"]


def test_an_empty_setting_is_one_that_was_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIUTI_KEYS", ONE)
    monkeypatch.setenv("LIUTI_WEBHOOK_URL", "")
    assert Settings().webhook_url is None


# Contacts


@given(st.text())
def test_a_contact_comes_back_as_it_went_in(words: str) -> None:
    assert BOTH.decrypt(BOTH.encrypt(words, VOICE), VOICE) == words


def test_a_contact_moved_to_another_voice_or_another_part_does_not_open() -> None:
    sealed = OLD.encrypt("张三", VOICE, "name")
    assert OLD.decrypt(sealed, VOICE, "name") == "张三"
    with pytest.raises(Unreadable):
        OLD.decrypt(sealed, NEIGHBOUR, "name")
    with pytest.raises(Unreadable):
        OLD.decrypt(sealed, VOICE, "address")


def test_every_altered_byte_and_every_cut_is_noticed() -> None:
    sealed = OLD.encrypt("13812341234", VOICE)
    assert OLD.decrypt(sealed, VOICE) == "13812341234"
    for at in range(len(sealed)):
        with pytest.raises(Unreadable):
            OLD.decrypt(sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :], VOICE)
        with pytest.raises(Unreadable):
            OLD.decrypt(sealed[:at], VOICE)


def test_the_same_words_never_look_the_same_twice() -> None:
    assert OLD.encrypt("13812341234", VOICE) != OLD.encrypt("13812341234", VOICE)


def test_after_a_rotation_old_contacts_open_and_new_ones_use_the_new_key() -> None:
    old = OLD.encrypt("张三", VOICE)
    new = BOTH.encrypt("李四", VOICE)
    assert BOTH.decrypt(old, VOICE) == "张三"
    assert (old[0], new[0]) == (1, 2)
    assert not BOTH.is_current(old) and BOTH.is_current(new)
    with pytest.raises(Unreadable):
        OLD.decrypt(new, VOICE)
    with pytest.raises(Unreadable):
        KeyRing.parse(OTHER).decrypt(old, VOICE)


def test_hashes_to_look_up_by_survive_a_rotation() -> None:
    assert BOTH.phone_hash("138 1234 1234") == OLD.phone_hash("13812341234")
    assert BOTH.household_hash("幸福路12号", None) == OLD.household_hash("幸福路12号", None)
    assert KeyRing.parse(OTHER).phone_hash("13812341234") != OLD.phone_hash("13812341234")


def test_a_phone_without_digits_has_no_hash() -> None:
    with pytest.raises(ValueError, match="digits"):
        OLD.phone_hash("无")


# Households


def test_a_household_is_the_door_else_the_phone_else_nobody() -> None:
    door = OLD.household_hash("幸福小区3栋501室", "13812341234")
    assert door == OLD.household_hash("幸福小区三号楼501", "13900000000")
    assert door != OLD.household_hash("幸福小区3栋502室", "13812341234")
    by_phone = OLD.household_hash("幸福小区", "13812341234")
    assert by_phone == OLD.household_hash(None, "+86 138-1234-1234") != door
    assert by_phone != OLD.phone_hash("13812341234")
    assert OLD.household_hash("幸福小区", "") is None
    assert OLD.household_hash(None, None) is None


@pytest.mark.parametrize(
    "same",
    [
        [
            "幸福小区3栋2单元501室",
            "幸福小区 3 栋 2 单元 501",
            "幸福小区３号楼２单元５０１室",
            "幸福小区三号楼二单元五〇一室",
            "幸福小区3幢2门0501房",
            "幸福小区3座2单元501户",
            "幸福小区3#2单元501号",
            "幸福小区第三栋第二单元501室",
            "幸福小区3-2-501",
            "幸福小区３－２－５０１室",
            "幸福小区3栋2-501",
            "幸福小区3号楼-2单元-501",
            "安徽省六安市叶集区幸福小区3栋2单元501室(张家)",
            "六安市叶集区幸福小区,3栋,2单元,501室",
        ],
        ["幸福小区3栋501", "幸福小区3-501", "幸福小区三号楼501室", "幸福小区3#501", "幸福小区03栋0501室"],
        ["幸福小区A栋501", "幸福小区a座501室", "幸福小区Ａ幢５０１"],
        ["幸福路12号", "幸福路十二号", "幸福路12號", "幸福路 12 号", "中国安徽省六安市叶集区幸福路12号", "幸福路12#"],
        ["桃园村第三组12号", "桃园村3组12号", "桃园村三组十二号"],
        ["幸福路12号501室", "幸福路12号501", "幸福路12号501房"],
        ["幸福路112号", "幸福路一百一十二号"],
        ["内蒙古自治区赤峰市红山区解放街5号", "解放街5号"],
    ],
)
def test_one_door_in_many_spellings_is_one_household(same: list[str]) -> None:
    assert {door_of(spelling) for spelling in same} == {door_of(same[0])}
    assert door_of(same[0]) is not None


def test_different_doors_stay_different() -> None:
    doors = [
        "幸福小区3栋501室",
        "幸福小区3栋2单元501室",
        "幸福小区3栋1单元501室",
        "幸福小区13栋501室",
        "幸福小区3栋502室",
        "幸福小区3栋5层1室",
        "幸福小区东区3栋501室",
        "翡翠城北区3栋501室",
        "翡翠城南区3栋501室",
        "六安市翡翠城南区5栋501室",
        "六安市翡翠城北区5栋501室",
        "和平新区东苑3栋501室",
        "东苑3栋501室",
        "幸福路12号",
        "幸福路1号2室",
        "幸福路12-1号",
        "幸福路112号",
        "幸福东路12号",
        "三里路12号",
        "里路12号",
        "姚李镇幸福路12号",
        "万家超市北区东门12号",
        "东门12号",
    ]
    assert len({door_of(door) for door in doors} - {None}) == len(doors)


@pytest.mark.parametrize(
    "vague",
    ["", "幸福小区", "幸福小区3栋", "幸福小区3栋2单元", "幸福小区12号", "3栋501", "幸福路", "12号", "全区", "？？"],
)
def test_an_address_that_reaches_no_door_makes_no_household(vague: str) -> None:
    assert door_of(vague) is None


@pytest.mark.parametrize("part", ["十", "1", "#1", "-1", "1栋", "幸福", "﷽"])
def test_a_text_without_end_costs_no_time(part: str) -> None:
    begun = time.process_time()
    door_of(part * 20_000)
    mask_address(part * 20_000)
    hide_phones(part * 20_000)
    assert time.process_time() - begun < 0.5


def test_the_names_of_ones_own_area_may_be_left_out() -> None:
    area = ("安徽省", "六安市", "叶集区")
    assert {door_of(f"{lead}幸福路12号", area) for lead in ("", "叶集区", "六安市叶集区", "六安市")} == {"幸福路12号"}


@given(st.text(alphabet="0123456789一二十百〇栋幢单元门号室房-#楼小区幸福路省市 ()aA第村组", max_size=24))
def test_a_door_spelled_our_way_stays_as_it_is(address: str) -> None:
    door = door_of(address)
    if door is not None:
        assert door_of(door) == door


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("13812341234", "13812341234"),
        ("+86 138-1234-1234", "13812341234"),
        ("0086 13812341234", "13812341234"),
        ("8613812341234", "13812341234"),
        ("１３８１２３４１２３４", "13812341234"),
        ("＋８６ １３８ １２３４ １２３４", "13812341234"),
        ("(+86)13812341234", "13812341234"),
        ("0564-1234567", "05641234567"),
        ("+86 564 1234567", "05641234567"),
        ("+86 10 6552 9988", "01065529988"),
        ("+86 400 123 4567", "4001234567"),
        ("12345", "12345"),
        ("86123456", "86123456"),
        ("无", ""),
    ],
)
def test_a_phone_has_one_spelling(written: str, number: str) -> None:
    assert phone_of(written) == number
    assert phone_of(number) == number


# Masks


@pytest.mark.parametrize(
    ("shown", "masked"),
    [("13812341234", "138****1234"), ("+86 138 1234 1234", "138****1234"), ("05641234567", "056****4567"),
     ("1234567", "*****67"), ("12345", "*****"), ("", "")],
)  # fmt: skip
def test_a_phone_is_shown_masked(shown: str, masked: str) -> None:
    assert mask_phone(shown) == masked


@pytest.mark.parametrize(
    ("shown", "masked"), [("张三丰", "张**"), ("张三", "张*"), ("欧阳锋大侠", "欧**"), ("张", "*"), (" ", "")]
)
def test_a_name_is_shown_masked(shown: str, masked: str) -> None:
    assert mask_name(shown) == masked


@pytest.mark.parametrize(
    ("shown", "masked"),
    [("六安市叶集区幸福路12号3栋501", "六安市叶集区幸福路****"), ("桃园村十二号", "桃园村****"),
     ("翡翠城A座501", "翡翠城****"), ("王家大院", "王家****"), ("３栋", "****"), ("", "")],
)  # fmt: skip
def test_an_address_is_shown_masked(shown: str, masked: str) -> None:
    assert mask_address(shown) == masked


def test_phones_in_a_line_are_masked_and_ids_are_not() -> None:
    line = f"电话13812341234，或+86 139-1234-5678、0564-1234567；编号 {VOICE} a13812341234"
    assert hide_phones(line) == f"电话138****1234，或139****5678、056****4567；编号 {VOICE} a13812341234"


def test_an_id_whose_last_group_is_all_digits_is_no_landline() -> None:
    uuid = "01a2046a-48ac-7f8d-a5bd-089123450533"
    assert hide_phones(f"letter {uuid} → 电话-0564-1234567") == f"letter {uuid} → 电话-056****4567"


# Bearer secrets


def test_a_voice_secret_opens_as_its_voice_before_and_after_a_rotation() -> None:
    secret = OLD.voice_secret(VOICE)
    claim = BOTH.open_secret(secret)
    assert claim is not None and claim.voice_id == VOICE
    renewed = BOTH.voice_secret(VOICE.upper())
    claim = BOTH.open_secret(renewed)
    assert claim is not None and claim.voice_id == VOICE
    assert OLD.open_secret(renewed) is None
    assert KeyRing.parse(OTHER).open_secret(secret) is None


def test_a_rating_token_opens_as_its_voice_issue_and_round() -> None:
    claim = OLD.open_rating(OLD.rating_token(VOICE, ISSUE, 2))
    assert claim is not None
    assert (claim.voice_id, claim.issue_id, claim.round) == (VOICE, ISSUE, 2)
    assert len({OLD.rating_token(VOICE, ISSUE, each) for each in range(256)}) == 256


def test_one_kind_of_secret_never_passes_for_the_other() -> None:
    secret, token = OLD.voice_secret(VOICE), OLD.rating_token(VOICE, ISSUE, 1)
    assert OLD.open_secret(secret) and OLD.open_rating(token)
    assert OLD.open_rating(secret) is None and OLD.open_secret(token) is None
    assert OLD.open_secret(token.replace("lr1", "lv1")) is None
    assert OLD.open_rating(secret.replace("lv1", "lr1")) is None


@pytest.mark.parametrize("rating", [False, True])
def test_no_other_spelling_of_a_secret_opens(rating: bool) -> None:
    secret = OLD.rating_token(VOICE, ISSUE, 1) if rating else OLD.voice_secret(VOICE)
    opened = OLD.open_rating if rating else OLD.open_secret
    assert opened(secret)
    for at, letter in enumerate(secret):
        for other in {"A", "B", "_", "-", "=", " ", "é", "9"} - {letter}:
            assert opened(secret[:at] + other + secret[at + 1 :]) is None
    for other in ("", secret[:-1], secret + "A", secret + "=", secret + "\n", "lv1.", "lv1", secret[4:], "\ud800" * 48):
        assert opened(other) is None


@given(st.text())
def test_nothing_made_up_opens_or_breaks(text: str) -> None:
    assert OLD.open_secret(text) is None and OLD.open_secret("lv1." + text) is None
    assert OLD.open_rating(text) is None and OLD.open_rating("lr1." + text) is None
    assert len(digest_token(text)) == 64


def test_a_secret_fits_into_an_address_as_it_is() -> None:
    for secret in (OLD.voice_secret(VOICE), OLD.rating_token(VOICE, ISSUE, 9), api_token()[0]):
        assert set(secret) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")


def test_a_programs_token_is_known_by_its_digest() -> None:
    text, digest = api_token()
    assert digest == digest_token(text) == hashlib.sha256(text.encode()).hexdigest()
    assert api_token()[0] != text


# Query codes


@given(st.binary(min_size=7, max_size=16))
def test_a_query_code_checks_out_however_it_is_typed(entropy: bytes) -> None:
    code = query_code(entropy)
    assert len(code) == 12 and set(code) <= set(CODE_LETTERS)
    assert check_query_code(code) == code
    assert check_query_code(f" {code[:4].lower()}-{code[4:8]} {code[8:]}".replace("0", "o").replace("1", "l")) == code


@given(st.binary(min_size=7, max_size=7), st.integers(0, 11), st.sampled_from(CODE_LETTERS))
def test_one_wrong_letter_in_a_query_code_is_noticed(entropy: bytes, at: int, letter: str) -> None:
    code = query_code(entropy)
    typed = code[:at] + letter + code[at + 1 :]
    assert check_query_code(typed) == (code if typed == code else None)


@given(st.binary(min_size=7, max_size=7), st.integers(0, 11), st.integers(0, 11))
def test_two_letters_swapped_in_a_query_code_are_noticed(entropy: bytes, one: int, two: int) -> None:
    letters = list(code := query_code(entropy))
    letters[one], letters[two] = letters[two], letters[one]
    typed = "".join(letters)
    assert check_query_code(typed) == (code if typed == code else None)


def test_query_codes_use_all_their_randomness() -> None:
    assert len({query_code(number.to_bytes(7, "big")) for number in range(1000)}) == 1000
    assert {query_code(bytes(6) + bytes([number]))[0] for number in range(32)} == set(CODE_LETTERS)
    with pytest.raises(ValueError, match="7 random bytes"):
        query_code(b"short")


@pytest.mark.parametrize("typed", ["", "ABC", "U" * 12, "０" * 12, "0" * 13])
def test_what_is_no_query_code_is_none(typed: str) -> None:
    assert check_query_code("0" * 12) == "0" * 12
    assert check_query_code(typed) is None


# Seals


def test_a_seal_tells_its_parts_apart() -> None:
    lists = [(b"ab", b"c"), (b"a", b"bc"), (b"abc",), (b"abc", b""), (b"", b"abc"), ()]
    for algorithm in ("sha256", "sm3"):
        assert len({seal(algorithm, *parts) for parts in lists}) == len(lists)
    assert seal("sha256", b"a") == hashlib.sha256(bytes(7) + b"\x01a").hexdigest()
    assert seal("sha256", b"a") != seal("sm3", b"a")
    with pytest.raises(ValueError, match="unknown seal"):
        seal("md5", b"a")  # type: ignore[arg-type]


# Ids


def test_ids_sort_as_their_times_do_and_say_when() -> None:
    start = datetime(2026, 11, 23, 1, 2, 3, 4, UTC)
    ids = [uuid7(start + timedelta(microseconds=step)) for step in range(3000)]
    assert ids == sorted(ids) and len(set(ids)) == 3000
    parsed = uuid.UUID(ids[0])
    assert str(parsed) == ids[0] and parsed.version == 7 and parsed.variant == uuid.RFC_4122
    assert parsed.int >> 80 == int(start.timestamp() * 1000)
    assert uuid7(start, bytes(8)) == uuid7(start, bytes(8)) != uuid7(start)


def test_an_id_wants_an_aware_time_and_enough_chance() -> None:
    with pytest.raises(ValueError, match="aware"):
        uuid7(datetime(2026, 1, 1, tzinfo=UTC).replace(tzinfo=None))
    with pytest.raises(ValueError, match="entropy"):
        uuid7(datetime(2026, 1, 1, tzinfo=UTC), b"short")
