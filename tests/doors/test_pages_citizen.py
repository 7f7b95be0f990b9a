"""What citizens do on pages, and what may go wrong meanwhile: one tap to join, a photo of one's own, nothing typed is lost."""

from __future__ import annotations

import io
import re

import httpx
import pytest
from PIL import Image

from liuti.flow.propose import Submit
from tests.doors.forms import forms
from tests.doors.test_pages import browser
from tests.doors.town import Town

HOLE = "学院路口有一个大坑,骑车摔倒过人,车都绕着走。"


def photo() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (64, 48), "teal").save(out, "JPEG")
    return out.getvalue()


async def known(town: Town) -> str:
    """A public issue that has found its topic."""
    issue = await town.published()
    await town.office.matters.arrive(town.office.engine, town.clock.now)
    return issue


async def proposed(town: Town, phone: httpx.AsyncClient, **more: str) -> httpx.Response:
    form = next(one for one in forms((await phone.get("/propose")).text) if one.action == "/propose")
    given = {"text": HOLE, "place": "学院路与东街路口", "contact.phone": "13800000009"} | more
    return await phone.post("/propose", data=form.sent | given)


async def test_one_tap_joins_what_others_have_raised_and_keeps_its_key_on_this_phone(town: Town) -> None:
    issue = await known(town)
    phone = browser(town)
    looked = await proposed(town, phone)
    assert looked.status_code == 200 and HOLE in looked.text
    tap = re.search(r'formaction="([^"]+)" formnovalidate name="key" value="([^"]+)"', looked.text)
    assert tap is not None and tap[1] == f"/issues/{issue}/cosign"
    form = next(one for one in forms(looked.text) if one.action == "/propose")
    sent = form.sent | {"key": [*form.sent["key"], tap[2]]}
    twice = [await one.post(tap[1], data=sent) for one in (phone, browser(town))]
    assert [one.status_code for one in twice] == [303, 303], "pressed twice before the answer came: joined once"
    late = await phone.post(tap[1], data=sent)
    assert late.status_code == 409 and "您已经附议" in late.text
    assert (await town.state(issue)).voices == 2
    page = (await phone.get(f"/issues/{issue}")).text
    assert f"/issues/{issue}/attach" in page and f"/issues/{issue}/cosign" not in page, "it is their issue too now"
    assert "13800000009" not in page


async def test_who_has_looked_and_finds_it_is_another_matter_sends_their_own(town: Town) -> None:
    issue = await known(town)
    phone = browser(town)
    form = next(one for one in forms((await proposed(town, phone)).text) if one.action == "/propose")
    sent = await phone.post("/propose", data=form.sent)
    assert sent.status_code == 201
    assert (await town.state(issue)).voices == 1


async def test_anyone_joins_from_the_public_page_without_knowing_any_number(town: Town) -> None:
    issue = await town.published()
    phone = browser(town)
    form = next(one for one in forms((await phone.get(f"/issues/{issue}")).text) if one.action.endswith("/cosign"))
    assert not form.missing
    assert (await phone.post(form.action, data=form.sent)).status_code == 303
    assert (await town.state(issue)).voices == 2


async def test_the_person_sees_their_own_photo_and_a_stranger_does_not(town: Town) -> None:
    phone = browser(town)
    form = next(one for one in forms((await phone.get("/propose")).text) if one.action == "/propose")
    given = form.sent | {"text": HOLE, "place": "学院路", "contact.phone": "13800000009"}
    receipt = await phone.post("/propose", data=given, files={"files": ("坑.jpg", photo(), "image/jpeg")})
    assert receipt.status_code == 201, receipt.text
    issue = re.findall(r'href="/issues/([^"]+)"', receipt.text)[0]
    shown = re.search(r'<img src="([^"]+)"', (await phone.get(f"/issues/{issue}")).text)
    assert shown is not None
    assert (await phone.get(shown[1])).headers["content-type"] == "image/jpeg"
    assert (await browser(town).get(shown[1])).status_code in (303, 401, 404)
    assert (await browser(town, "intake1").get(shown[1])).status_code == 200


@pytest.mark.parametrize("yes", ["true", "false"])
async def test_a_member_of_the_panel_can_vote_either_way(town: Town, yes: str) -> None:
    issue = await town.topic()
    member = browser(town, "panel1")
    form = next(one for one in forms((await member.get(f"/issues/{issue}")).text) if one.action.endswith("/vote"))
    assert form.missing == {"yes"}, "neither is chosen beforehand"
    assert (await member.post(form.action, data=form.sent | {"yes": yes})).status_code == 303
    assert [vote.yes for vote in (await town.state(issue)).votes] == [yes == "true"]


async def test_a_head_answers_the_request_that_waits_for_them(town: Town) -> None:
    issue = await town.direct(category="noise")
    await town.does(
        "officer_roads", "submit_result", {"word": "solved", "reply": "已办。", "evidence": "单", "told": True}, issue
    )
    head = browser(town, "head_roads")
    form = next(one for one in forms((await head.get(f"/issues/{issue}")).text) if one.action.endswith("/answer"))
    answered = await head.post(form.action, data=form.sent | {"answer": "grant"})
    assert answered.status_code == 303, answered.text
    assert (await town.state(issue)).step == "supervise"


async def test_anyone_reads_a_public_issue(town: Town) -> None:
    issue = await town.claimed()
    for language in ("zh", "en"):
        page = await browser(town).get(f"/issues/{issue}", headers={"Accept-Language": language})
        assert page.status_code == 200 and "修好路口" in page.text


async def test_a_session_that_ends_in_the_middle_of_a_form_loses_no_word(town: Town) -> None:
    issue = await town.submit()
    officer = browser(town, "intake1")
    form = next(one for one in forms((await officer.get(f"/issues/{issue}")).text) if one.action.endswith("/reject"))
    given = form.sent | {"route": "judicial", "reason": "该纠纷已由法院受理,\n请通过诉讼解决。"}
    lost = await browser(town).post(form.action, data=given)
    assert lost.status_code == 401 and 'href="/sign-in"' in lost.text
    (again,) = [one for one in forms(lost.text) if one.action == form.action]
    done = await officer.post(again.action, data=again.sent)
    assert done.status_code == 303, done.text
    assert (await town.state(issue)).step == "rejected"


async def test_what_was_typed_on_a_page_that_is_no_longer_true_is_still_there(town: Town) -> None:
    issue = await town.submit()
    officer = browser(town, "intake1")
    form = next(
        one for one in forms((await officer.get(f"/issues/{issue}")).text) if one.action.endswith("/ask_supplement")
    )
    await town.does("intake2", "reclassify", {"urgency": "basic", "reason": "停水。"}, issue)
    stale = await officer.post(form.action, data=form.sent | {"missing": "具体位置\n何时开始"})
    assert stale.status_code == 412 and "具体位置\n何时开始</textarea>" in stale.text
    fresh = next(one for one in forms(stale.text) if one.action == form.action)
    assert (await officer.post(fresh.action, data=fresh.sent)).status_code == 303


async def test_a_move_that_is_no_longer_open_says_so(town: Town) -> None:
    issue = await town.submit()
    officer = browser(town, "intake1")
    form = next(
        one for one in forms((await officer.get(f"/issues/{issue}")).text) if one.action.endswith("/ask_supplement")
    )
    await town.does("intake2", "accept_direct", {"unit": "roads", "category": "roads", "urgency": "general"}, issue)
    late = await officer.post(form.action, data=form.sent | {"missing": "位置"})
    assert late.status_code in (409, 412) and "data-focus" in late.text
    assert (await officer.get(form.action)).headers["location"] == f"/issues/{issue}", "reloading leads back"


EVIL = '"><script>alert(1)</script><img src=x onerror=a()>s{{7*1001}}e'


async def test_what_people_write_is_shown_as_they_wrote_it_and_runs_nowhere(town: Town) -> None:
    issue = await town.submit(text=EVIL + "路灯坏了", place=EVIL, contact={"name": EVIL, "phone": "13800000001"})
    officer = browser(town, "intake1")
    for page in (
        f"/issues/{issue}",
        "/desk",
        "/desk/issues?q=" + EVIL,
        "/sign-in?next=" + EVIL,
        "/progress?code=" + EVIL,
    ):
        text = (await officer.get(page)).text
        assert "<script>alert" not in text and "<img src=x" not in text, page
        # No id holds this: they are of hex digits in groups, and this has a letter at either end.
        assert "s7007e" not in text, page
    refused = await browser(town).post("/propose", data={"text": EVIL[:3], "place": EVIL, "contact.name": EVIL})
    assert "<script>alert" not in refused.text and "&lt;script&gt;alert(1)" in refused.text


async def test_a_field_says_how_much_it_takes(town: Town) -> None:
    page = (await browser(town).get("/propose")).text
    limit = Submit.model_json_schema()["properties"]["text"]["maxLength"]
    assert re.search(rf'<textarea id="text"[^>]* maxlength="{limit}"', page)
    assert '="&#34;' not in page, "an attribute that was escaped twice says nothing"


@pytest.mark.parametrize(("name", "body"), [("IMG_1.HEIC", b"\0\0\0\x18ftypheic"), ("a.jpg", b"MZ..."), ("b.jpg", b"")])
async def test_a_picture_that_cannot_be_kept_is_named_and_the_words_stay(town: Town, name: str, body: bytes) -> None:
    phone = browser(town)
    form = next(one for one in forms((await phone.get("/propose")).text) if one.action == "/propose")
    given = form.sent | {"text": HOLE, "place": "学院路"}
    answer = await phone.post("/propose", data=given, files={"files": (name, body, "image/jpeg")})
    assert answer.status_code == 422 and "JPEG" in answer.text
    assert HOLE + "</textarea>" in answer.text and 'value="学院路"' in answer.text
    assert 'href="#files"' in answer.text, "the way to the field stands before the form"


async def test_a_photo_survives_a_refusal_of_the_words(town: Town) -> None:
    phone = browser(town)
    form = next(one for one in forms((await phone.get("/propose")).text) if one.action == "/propose")
    given = form.sent | {"text": HOLE, "place": ""}
    refused = await phone.post("/propose", data=given, files={"files": ("坑.jpg", photo(), "image/jpeg")})
    assert refused.status_code == 422
    fresh = next(one for one in forms(refused.text) if one.action == "/propose")
    sent = await phone.post("/propose", data=fresh.sent | {"place": "学院路"})
    assert sent.status_code == 201, sent.text
    issue = re.findall(r'href="/issues/([^"]+)"', sent.text)[0]
    assert "坑.jpg" in (await phone.get(f"/issues/{issue}")).text


async def test_a_browser_without_cookies_can_still_propose_and_follow_by_the_link(town: Town) -> None:
    async with httpx.AsyncClient(
        transport=town.client._transport, base_url="http://town.test", headers={"Accept": "text/html"}
    ) as one:
        form = next(part for part in forms((await one.get("/propose")).text) if part.action == "/propose")
        one.cookies.clear()
        receipt = await one.post("/propose", data=form.sent | {"text": HOLE, "place": "学院路"})
        assert receipt.status_code == 201
        one.cookies.clear()
        code = re.search(r'id="query-code">([^<]+)<', receipt.text)
        assert code is not None
        assert (await one.get("/progress", params={"code": code[1]})).status_code == 200
