"""Pages answer in both languages and to everybody, offer what the flow accepts, and lose nothing that was typed."""

from __future__ import annotations

import re

import httpx
import pytest

from liuti.doors.deps import COOKIE
from liuti.doors.pages.frame import typeset
from liuti.doors.pages.maps import split, with_point
from liuti.flow.table import FLOW
from tests.doors.town import NOTICE, Town

PAGE = {"Accept": "text/html"}
PUBLIC = ("/", "/propose", "/progress", "/issues", "/sign-in", "/privacy", "/docs")


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_the_reference_shows_every_operation(town: Town, language: str) -> None:
    answer = await town.client.get("/docs", headers={"Accept-Language": language})
    assert answer.status_code == 200
    document = (await town.client.get("/openapi.json")).json()
    paths = [path for path, methods in document["paths"].items() if methods]
    assert len(paths) > 70
    assert [path for path in paths if path not in answer.text] == []


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_public_pages_answer_in_the_language_asked_for(town: Town, language: str) -> None:
    await town.submit()
    for path in PUBLIC:
        answer = await town.client.get(path, headers=PAGE | {"Accept-Language": language})
        assert answer.status_code == 200, path
        assert answer.headers["content-language"] == ("en" if language == "en" else "zh-CN")
        words = re.sub(r"<(script|style|pre|select|symbol)\b.*?</\1>|<[^>]+>", "", answer.text, flags=re.S)
        if language == "en" and path != "/docs":
            left = re.sub(r"中文", "", words)
            assert not re.findall(r"[\u4e00-\u9fff]+", left), path


def test_a_chinese_sentence_is_set_with_chinese_punctuation() -> None:
    assert typeset("先看,再办(很快):好") == "先看\uff0c再办\uff08很快\uff09\uff1a好"
    assert typeset("10:30, a,b (c)") == "10:30, a,b (c)"


def browser(town: Town, who: str = "") -> httpx.AsyncClient:
    """A browser of its own; with the session of an official, if named."""
    cookies = {COOKIE: town.secrets[who]} if who else {}
    return httpx.AsyncClient(
        transport=town.client._transport, base_url="http://town.test", headers=PAGE, cookies=cookies
    )


def hidden(page: str, name: str) -> str:
    found = re.search(rf'<input type="hidden" name="{name}" value="([^"]*)"', page)
    assert found is not None, name
    return found[1]


async def test_a_citizen_proposes_on_a_page_and_an_officer_accepts_it_on_another(town: Town) -> None:
    phone = browser(town)
    form = (await phone.get("/propose")).text
    sent = {
        "text": "东门的路灯坏了一周,晚上很黑。", "place": "东门3号", "contact.phone": "13800000001", "kind": "help",
        "notice_version": hidden(form, "notice_version"), "key": hidden(form, "key"), "danger": "",
    }  # fmt: skip
    receipt = await phone.post("/propose", data=sent)
    assert receipt.status_code == 201, receipt.text
    again = await phone.post("/propose", data=sent | {"looked": "1"})
    link = re.search(r'href="(http://town.test/receipts/[^"]+)"', receipt.text)
    assert link is not None and link[1] in again.text, "a button pressed twice sends once"

    other = browser(town)
    opened = await other.get(link[1].removeprefix("http://town.test"), follow_redirects=True)
    assert opened.status_code == 200 and "东门的路灯坏了一周" in opened.text
    issue = str(opened.url).rsplit("/", 1)[1]

    officer = browser(town, "intake1")
    assert f"/issues/{issue}" in (await officer.get("/desk")).text
    page = (await officer.get(f"/issues/{issue}")).text
    given = {"category": "", "urgency": "general", "version": hidden(page, "version"), "key": "one"}
    refused = await officer.post(f"/issues/{issue}/accept_topic", data=given)
    assert refused.status_code == 422 and "general" in refused.text and 'aria-invalid="true"' in refused.text
    done = await officer.post(f"/issues/{issue}/accept_topic", data=given | {"category": "lighting", "grid": "g-1"})
    assert done.status_code == 303, done.text
    assert (await town.state(issue)).step == "select"


async def test_what_was_typed_stands_there_again_when_it_was_refused(town: Town) -> None:
    phone = browser(town)
    answer = await phone.post("/propose", data={"text": "坏", "place": "东门3号", "contact.phone": "13800000001"})
    assert answer.status_code == 422
    assert 'value="东门3号"' in answer.text and 'value="13800000001"' in answer.text and ">坏</textarea>" in answer.text


async def test_a_page_offers_exactly_the_moves_the_api_names(town: Town) -> None:
    issue = await town.direct(category="noise", who="intake1")
    for who in ("head_roads", "officer_roads", "intake1", "inspector", "leader1", "team"):
        named = (await town.client.get(f"/api/v1/issues/{issue}", headers=town.headers(who))).json()["moves"]
        page = (await browser(town, who).get(f"/issues/{issue}")).text
        offered = set(re.findall(rf'action="/issues/{issue}/([a-z_]+)"', page))
        assert offered == set(named) - {"grant", "deny"}, who
        assert set(named) <= {*FLOW.moves, "grant", "deny"}


async def test_who_is_not_signed_in_is_asked_to_and_comes_back(town: Town) -> None:
    answer = await browser(town).get("/desk/issues?q=路灯")
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/sign-in?next=/desk/issues%3Fq%3D")


@pytest.mark.parametrize(
    "address", ["//evil.example", "https://evil.example/", "/\\evil.example", "javascript:alert(1)"]
)
async def test_nobody_is_sent_to_another_site(town: Town, address: str) -> None:
    answer = await browser(town).get("/prefer", params={"lang": "en", "back": address})
    assert answer.headers["location"] == "/"


async def test_a_form_from_another_site_is_refused(town: Town) -> None:
    issue = await town.submit()
    answer = await browser(town, "intake1").post(
        f"/issues/{issue}/accept_topic", data={"category": "noise"}, headers={"Origin": "https://evil.example"}
    )
    assert answer.status_code == 403
    assert (await town.state(issue)).step == "propose"


async def test_a_file_is_served_packed_and_for_good_under_its_mark(town: Town) -> None:
    page = (await browser(town).get("/")).text
    address = re.search(r'href="(/static/liuti\.css\?v=[0-9a-f]+)"', page)
    assert address is not None
    answer = await town.client.get(address[1])
    assert "immutable" in answer.headers["cache-control"] and answer.headers["content-encoding"] == "gzip"
    for outside in ("/static/../templates/frame.html", "/static/%2e%2e/templates/frame.html", "/static/nothing.css"):
        assert (await town.client.get(outside)).status_code == 404


async def test_where_there_is_no_page_whoever_is_signed_in_stays_so(town: Town) -> None:
    missing = await browser(town, "intake1").get("/no-such-page")
    assert missing.status_code == 404 and "没有找到" in missing.text
    assert 'action="/sign-out"' in missing.text and 'href="/desk/intake"' in missing.text
    anyone = await browser(town).get("/no-such-page")
    assert anyone.status_code == 404 and 'action="/sign-out"' not in anyone.text


def test_a_point_stands_behind_the_words_of_a_place() -> None:
    assert with_point("东门3号", "31.23041,121.4737") == "东门3号 geo:31.23041,121.4737"
    assert with_point("东门3号 geo:1.0,2.0", "") == "东门3号 geo:1.0,2.0"
    assert with_point("东门3号 geo:1.0,2.0", "3.0,4.0") == "东门3号 geo:3.0,4.0"
    assert with_point("", "31.2,121.5") == "geo:31.2,121.5"
    for bad in ("here", "91.0,0.0", "1,2,3", "1.0,200.0"):
        assert with_point("东门3号", bad) == "东门3号"
    assert split("东门3号 geo:31.23041,121.4737") == ("东门3号", (31.23041, 121.4737))
    assert split("东门3号") == ("东门3号", None)


async def test_what_is_alike_is_shown_before_sending_and_sent_all_the_same(town: Town) -> None:
    first = await town.published()
    await town.office.matters.arrive(town.office.engine, town.clock())
    phone = browser(town)
    sent = {
        "text": "学院路口有一个大坑,车都绕着走。", "place": "学院路与东街路口", "contact.phone": "13800000009",
        "notice_version": NOTICE,
    }  # fmt: skip
    look = await phone.post("/propose", data=sent)
    assert look.status_code == 200 and f"/issues/{first}" in look.text and "我也遇到" in look.text
    assert hidden(look.text, "looked") == "1"
    done = await phone.post("/propose", data=sent | {"looked": "1"})
    assert done.status_code == 201
    assert f"/issues/{first}" in (await phone.post("/similar", data=sent)).text


async def test_units_that_join_are_ticked_in_a_list_and_stay_ticked(town: Town) -> None:
    issue = await town.claimed()
    desk = browser(town, "leader1")
    page = (await desk.get(f"/issues/{issue}")).text
    assert re.search(r'type="checkbox" name="assisting" value="water"', page)
    sent = {"assisting": ["water", "roads"], "due": "soon", "version": hidden(page, "version")}
    again = await desk.post(f"/issues/{issue}/approve_plan", data=sent)
    assert again.status_code == 422
    assert re.search(r'name="assisting" value="water" checked', again.text)
