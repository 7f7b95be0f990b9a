"""Bad input gets a clear answer and loses nothing, on both databases alike."""

from __future__ import annotations

import pytest

from tests.doors.town import NOTICE, Town


@pytest.mark.parametrize(
    "body",
    [b"{", b"[]", b"7", b"\xff\xfe", b'{"text": "\\u0000 \\u574f\\u4e86", "place": "x"}', b'{"text": {"a": 1}}'],
)
async def test_a_body_that_is_no_form_is_422_and_leaves_no_issue(town: Town, body: bytes) -> None:
    answer = await town.client.post("/api/v1/issues", content=body)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "bad_form"
    assert (await town.get("/issues"))["issues"] == []


async def test_a_field_nobody_asked_for_is_named(town: Town) -> None:
    problem = await town.refused(
        "", "submit", {"text": "路灯坏了", "place": "东门", "notice_version": NOTICE, "txt": "?"}
    )
    assert (problem["code"], problem["field"]) == ("bad_form", "txt")


@pytest.mark.parametrize(
    "path", ["/api/v1/issues/%00", "/api/v1/issues/nobody", "/api/v1/issues/x/timeline", "/nowhere"]
)
async def test_what_is_not_there_is_a_problem_and_never_a_fault(town: Town, path: str) -> None:
    answer = await town.client.get(path, headers=town.headers("intake1"))
    assert answer.status_code in (404, 422)
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "query", ["cursor=%25%25", "cursor=bm90", "limit=0", "limit=101", "step=nowhere", "overdue=perhaps"]
)
async def test_a_list_asked_for_wrongly_says_so(town: Town, query: str) -> None:
    answer = await town.client.get(f"/api/v1/issues?{query}", headers=town.headers("intake1"))
    assert answer.status_code == 422


async def test_words_of_a_query_language_are_only_words(town: Town) -> None:
    issue = await town.submit(text="路灯坏了 AND OR NOT")
    for words in ("路灯", "AND", '"', "路灯*", "' OR 1=1 --", "& | !", "(", "灯"):
        await town.get(f"/issues?q={words.replace('&', '%26').replace('#', '%23')}")
    assert [line["id"] for line in (await town.get("/issues?q=路灯"))["issues"]] == [issue]
