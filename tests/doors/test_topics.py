"""What else says the same: suggested before sending and at intake, reconciled at night, merged as moves (docs/rules.md §6)."""

from __future__ import annotations

from datetime import timedelta
from zlib import crc32

from liuti.matters import Matters, reconcile
from liuti.rank.categories import train
from liuti.store import topics
from tests.doors.town import NOTICE, Body, Town

LAMP = "人民路第三小学门口的路灯坏了两个星期,晚上放学天黑,孩子过马路很危险,请尽快修好。"
AGAIN = "人民路第三小学门口路灯坏了两个多星期,晚上放学天黑看不清,孩子过马路很危险,盼尽快修好。"
ELSEWHERE = "幸福小区物业乱收停车费,每月涨了一倍,没有公示收费依据,请查一查。"
NOISE = [
    "建设路地铁工地夜里两点还在打桩,整栋楼的人睡不着,请责令停工。",
    "北门菜市场下水道堵塞,污水流到街上臭气熏天,请派人疏通。",
    "城西公园健身器材断裂,老人差点摔倒,请维修更换。",
    "12路公交车早高峰半小时才来一班,上班天天迟到,请加密班次。",
    "阳光花园电梯三天两头停运,困过人,物业只说等配件。",
]


async def told(town: Town, text: str, who: str = "") -> str:
    town.clock.now += timedelta(minutes=1)
    return await town.submit(
        who, text=text, place=text[:5], contact={"phone": f"138{crc32(text.encode()) % 10**8:08d}"}
    )


async def arrive(town: Town) -> int:
    return await town.office.matters.arrive(town.office.engine, town.clock.now)


async def topic_of(town: Town, issue: str) -> str | None:
    return await town.office.engine.read(lambda conn: topics.topic_of(conn, issue))


async def a_few(town: Town) -> tuple[str, str, str]:
    for text in NOISE:
        await told(town, text)
    return await told(town, LAMP), await told(town, AGAIN), await told(town, ELSEWHERE)


async def test_a_new_issue_gets_its_topic_on_arrival_and_a_paraphrase_gets_the_same(town: Town) -> None:
    first, again, other = await a_few(town)
    assert await arrive(town) == 8
    assert await topic_of(town, again) == await topic_of(town, first) == first
    assert await topic_of(town, other) == other
    assert await arrive(town) == 0


async def test_a_citizen_is_shown_only_what_is_public_and_intake_all_of_it(town: Town) -> None:
    first, again, _ = await a_few(town)
    await arrive(town)
    asked = f"/similar?title=&text={LAMP}"
    assert (await town.get(asked, ""))["similar"] == []
    seen = [one["issue"]["id"] for one in (await town.get(asked, "intake1"))["similar"]]
    assert seen[:2] == [first, again]
    for issue in (first,):
        await town.does("intake1", "accept_topic", {"category": "lighting", "urgency": "general", "grid": "g-1"}, issue)
        await town.vote(issue)
        await town.does("panel1", "publish", {}, issue)
    assert [one["issue"]["id"] for one in (await town.get(asked, ""))["similar"]] == [first]


async def test_a_tip_off_is_compared_with_nothing(town: Town) -> None:
    tip = await town.submit(text=LAMP, kind="tip_off", contact={"phone": "13800000009"})
    other = await told(town, AGAIN)
    assert await arrive(town) == 1
    assert await topic_of(town, tip) is None
    near = await town.get(f"/issues/{other}/suggestions", "intake1")
    assert near["similar"] == []


async def test_intake_reads_topic_duplicates_and_a_category_with_the_words_that_spoke_for_it(town: Town) -> None:
    first, again, _ = await a_few(town)
    await arrive(town)
    told_ = await town.get(f"/issues/{again}/suggestions", "intake1")
    assert (told_["topic"], told_["categories"]) == (first, [])
    assert told_["similar"][0]["issue"]["id"] == first
    rows = [(f"第{n}号路灯不亮,夜里很黑", "lighting") for n in range(20)] + [
        (f"第{n}栋停车收费太贵", "parking") for n in range(20)
    ]
    model = train([""] * 40, [text for text, _ in rows], [label for _, label in rows], town.clock.now)
    town.office.categories = model
    best = (await town.get(f"/issues/{again}/suggestions", "intake1"))["categories"][0]
    assert best["category"] == "lighting"
    assert 0.5 < best["confidence"] <= 1
    assert any("路灯" in word for word in best["words"])
    answer = await town.client.get(f"/api/v1/issues/{again}/suggestions", headers=town.headers("officer_roads"))
    assert answer.status_code in (403, 404)


async def test_the_batch_moves_what_belongs_elsewhere_but_not_what_a_person_placed(town: Town) -> None:
    first, again, other = await a_few(town)
    await arrive(town)
    engine = town.office.engine
    answer = await town.client.put(
        f"/api/v1/issues/{other}/topic", json={"topic": first}, headers=town.headers("analyst")
    )
    assert answer.status_code == 200, answer.text
    await engine.write(
        lambda conn: topics.move(conn, [topics.Member(again, again, "x", 1.0)], "arrival", town.clock.now)
    )
    done = await reconcile(engine, town.clock.now)
    assert (done.messages, done.placed, done.moved) == (8, 0, 1)
    assert done.agreement < 1
    assert await topic_of(town, again) == first
    assert await topic_of(town, other) == first
    assert (await reconcile(engine, town.clock.now)).moved == 0


async def test_a_second_process_learns_what_the_first_one_placed(town: Town) -> None:
    first, again, _ = await a_few(town)
    await arrive(town)
    fresh = Matters()
    near = await fresh.similar(town.office.engine, "", LAMP, 3)
    assert [issue for issue, _ in near][:2] == [first, again]
    third = await told(town, LAMP.replace("两个", "三个") + "再次反映。")
    assert await fresh.arrive(town.office.engine, town.clock.now) == 1
    assert await topic_of(town, third) == first
    assert await arrive(town) == 0


async def test_a_topic_opens_into_its_messages_and_is_merged_by_moves(town: Town) -> None:
    first, again, _ = await a_few(town)
    await arrive(town)
    largest: Body = (await town.get("/topics", "analyst"))["topics"][0]
    assert (largest["topic_id"], largest["messages"]) == (first, 2)
    opened = await town.get(f"/topics/{first}", "analyst")
    assert [m["issue"]["id"] for m in opened["messages"]] == [first, again]
    refused = await town.client.post(f"/api/v1/topics/{first}/merge", json={}, headers=town.headers("officer_roads"))
    assert refused.status_code == 403
    answer = await town.client.post(f"/api/v1/topics/{first}/merge", json={}, headers=town.headers("intake1"))
    assert answer.json() == {"lead": first, "merged": [again], "refused": []}
    assert (await town.see(again))["step"] == "merged"
    assert (await town.see(first))["voices"] == 2
    assert "merge" in await town.moves(again)


async def test_thirty_neighbours_unmerged_weigh_as_one_matter_with_thirty_households(town: Town) -> None:
    for text in NOISE:
        await told(town, text)
    ids = [
        await town.submit(
            "intake1", text=f"{LAMP}第{n}户反映。", place="人民路", source="12345", external_id=f"t{n}",
            contact={"phone": f"1380001{n:04d}", "address": f"人民路{n + 1}号"}, on_behalf=True, consent=True,
            notice_version=NOTICE,
        )
        for n in range(30)
    ]  # fmt: skip
    await arrive(town)
    for issue in ids:
        await town.does("intake1", "accept_topic", {"category": "lighting", "urgency": "general", "grid": "g-1"}, issue)
    answer = await town.client.post("/api/v1/rounds", json={"slots": 1}, headers=town.headers("analyst"))
    assert answer.status_code == 201, answer.text
    lines = (await town.get(f"/rounds/{answer.json()['number']}", "analyst"))["lines"]
    assert len(lines) == 1
    households = next(f for f in lines[0]["score"]["factors"] if f["name"] == "households")
    assert households["raw"]["verified"] == 30
