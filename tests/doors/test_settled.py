"""Scenario 6: who is refused because the matter was decided before is shown what was decided, as far as it is public."""

from __future__ import annotations

from tests.doors.conftest import town
from tests.doors.test_real_messages import a_photo
from tests.doors.town import Town

__all__ = ["town"]


async def refused_as_settled(town: Town, earlier: str) -> str:
    issue = await town.submit(contact={"phone": "13800000001"})
    form = {"route": "settled", "reason": "已办结并答复,没有新情况。", "earlier": earlier}
    await town.does("intake1", "reject", form, issue)
    await town.does("intake2", "grant", {}, issue)
    return issue


async def closed_in_public(town: Town) -> str:
    """A topic walked to its end."""
    issue = await town.claimed()
    await town.does("leader1", "approve_plan", town.plan(), issue)
    await town.does("officer_roads", "milestone", {"number": 1, "evidence": "验收单"}, issue)
    await town.photo("officer_roads", issue, a_photo())
    await town.checked(issue)
    await town.later(days=30)
    return issue


async def test_the_person_is_shown_the_public_result_that_settled_it(town: Town) -> None:
    earlier = await closed_in_public(town)
    issue = await refused_as_settled(town, earlier)
    shown = (await town.see(issue, issue))["settled_by"]
    assert (shown["id"], shown["closing"], shown["step"]) == (earlier, "solved", "closed")
    assert shown["reply"] == "已经处理完毕。"
    assert set(shown) == {"id", "href", "title", "step", "state", "lead_unit", "closing", "ended_at", "reply"}
    answer = await town.client.get(shown["href"], headers=town.headers(issue))
    assert answer.status_code == 200, "the link leads where this person may go"
    assert (await town.client.get(shown["href"])).status_code == 200


async def test_what_is_not_public_is_shown_to_officials_only(town: Town) -> None:
    earlier = await town.direct_checked()
    issue = await refused_as_settled(town, earlier)
    assert (await town.see(issue, issue))["settled_by"] is None
    assert (await town.see(issue))["settled_by"]["id"] == earlier


async def test_an_issue_that_is_not_there_settles_nothing(town: Town) -> None:
    issue = await refused_as_settled(town, "01999999-0000-7000-8000-000000000000")
    assert (await town.see(issue, issue))["settled_by"] is None
    other = await town.submit()
    assert "settled_by" not in await town.see(other, other)
