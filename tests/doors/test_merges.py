"""Merges undone after people have left, over HTTP: nobody is counted twice, and nobody speaks for an issue that is not theirs (docs/rules.md §4)."""

from __future__ import annotations

from sqlalchemy import select

from liuti.store.tables import voices
from tests.doors.town import NOTICE, Town


async def two(town: Town, *, others: int = 0) -> tuple[str, str]:
    """A lead with so many co-signers, and an issue of two people merged into it."""
    lead = await town.submit(contact={"phone": "13800000001"})
    await town.later(minutes=1)
    merged = await town.submit(contact={"phone": "13800000011"})
    await town.later(minutes=1)
    await cosigned(town, merged, "13800000012")
    for n in range(others):
        await town.later(minutes=1)
        await cosigned(town, lead, f"1380000002{n}")
    await town.does("intake1", "merge", {"lead": lead, "reason": "同一处。"}, merged)
    return lead, merged


async def cosigned(town: Town, issue: str, phone: str) -> None:
    await town.does("", "cosign", {"contact": {"phone": phone}, "notice_version": NOTICE}, issue)


async def behind(town: Town, issue: str) -> list[str]:
    found = select(voices.c.id).where(voices.c.issue_id == issue, voices.c.left_at.is_(None)).order_by(voices.c.at)
    return await town.office.engine.read(lambda conn: list(conn.execute(found.order_by(voices.c.id)).scalars()))


async def sound(town: Town, issue: str) -> bool:
    """Its proposer stands behind it, and it counts as many as do."""
    state, people = await town.state(issue), await behind(town, issue)
    return state.proposer in people and state.voices == len(people)


async def test_whoever_the_lead_would_lose_as_its_proposer_is_followed_by_the_next(town: Town) -> None:
    lead, merged = await two(town, others=1)
    own = (await behind(town, lead))[-1]
    await town.does(lead, "withdraw", {}, lead)
    assert (await town.state(lead)).proposer == town.voices[merged], "the earliest other voice came with the merge"
    await town.does("intake1", "unmerge", {"reason": "不是同一处。"}, merged)
    assert await sound(town, lead) and await sound(town, merged)
    assert (await town.state(lead)).proposer == own
    assert (await town.state(merged)).proposer == town.voices[merged]


async def test_whoever_withdrew_meanwhile_does_not_come_back(town: Town) -> None:
    lead, merged = await two(town, others=1)
    await town.does(lead, "withdraw", {}, lead)
    await town.does(merged, "withdraw", {}, lead)
    await town.does("intake1", "unmerge", {"reason": "不是同一处。"}, merged)
    assert await sound(town, lead) and await sound(town, merged)
    assert [(await town.state(issue)).voices for issue in (lead, merged)] == [1, 1]


async def test_a_merge_that_would_leave_one_of_them_to_nobody_stays(town: Town) -> None:
    lead, merged = await two(town)
    await town.does(lead, "withdraw", {}, lead)
    refused = await town.refused("intake1", "unmerge", {"reason": "不是同一处。"}, merged)
    assert (refused["status"], refused["code"]) == (422, "both_keep_somebody")
    assert await sound(town, lead)
