"""What stays inside the house though it stands in the ledger, over HTTP (docs/rules.md §8)."""

from __future__ import annotations

from tests.doors.town import Town


async def lines(town: Town, issue: str, who: str) -> list[tuple[str, str]]:
    """The timeline as that reader sees it: move and words."""
    entries = (await town.get(f"/issues/{issue}/timeline", who))["entries"]
    return [(line["move"], (line.get("words") or {}).get("text", "")) for line in entries]


async def test_progress_that_is_not_public_is_read_by_officials_alone(town: Town) -> None:
    issue = await town.direct()
    inner, outer = ("progress", "施工方报价过高,正在压价。"), ("progress", "明日进场铣刨。")
    await town.does("officer_roads", "progress", {"text": inner[1], "public": False}, issue)
    await town.does("officer_roads", "progress", {"text": outer[1]}, issue)
    assert {inner, outer} <= set(await lines(town, issue, "inspector"))
    told = await lines(town, issue, issue)
    assert outer in told and inner not in told
