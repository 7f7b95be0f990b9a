"""A backlog is accepted in one go, each issue by its own move; what the rules refuse stays where it is."""

from __future__ import annotations

from liuti import backlog
from liuti.backlog import Rule
from liuti.flow.kernel import Actor
from liuti.flow.words import Role
from liuti.rank.categories import Model, train
from liuti.store import ledger, topics
from tests.doors.town import Town

INTAKE = Actor("intake1", frozenset({Role.INTAKE}), unit="desk")
TEXTS = ["小区门口路灯不亮,夜里摸黑走路。", "地下车库停车费乱涨价。", "操场边的路灯坏了三盏。"]


def learned(town: Town) -> Model:
    rows = [(f"第{n}号路灯不亮,夜里很黑", "灯") for n in range(20)] + [
        (f"第{n}栋停车收费太贵", "车") for n in range(20)
    ]
    return train([""] * 40, [text for text, _ in rows], [label for _, label in rows], town.clock.now)


async def test_what_waits_is_accepted_with_what_is_suggested_and_urgent_matters_and_tip_offs_are_left(
    town: Town,
) -> None:
    lamp, park, lamps = [
        await town.submit(text=text, contact={"phone": f"1380000{n:04d}"}) for n, text in enumerate(TEXTS)
    ]
    gas = await town.submit(text="煤气漏气了快来人", contact={"phone": "13800000008"})
    tip = await town.submit(text="某所收钱办事。", kind="tip_off", contact={"phone": "13800000009"})
    rule = Rule("g-01", least=0.5, names={"灯": "lighting", "车": "parking"})
    done = await backlog.accept(town.office.desk, INTAKE, rule, learned(town), town.clock.now)
    assert done.accepted == 3
    assert done.left == {"neither_urgent_nor_tip_off": 1}, "a tip-off is not even in the list of this officer"
    assert done.categories == {"lighting": 2, "parking": 1}
    for issue, category in ((lamp, "lighting"), (park, "parking"), (lamps, "lighting")):
        seen = await town.see(issue)
        assert (seen["step"], seen["category"], seen["grid"]) == ("select", category, "g-01")
        assert await town.moves(issue) == ["submit", "accept_topic"]
        assert 0.5 <= ((await town.state(issue)).category_confidence or 0) <= 1, "nobody chose it"
    assert (await town.see(gas))["step"] == "propose"
    assert (await town.state(tip)).step == "propose"
    assert [n for n in await town.office.engine.read(lambda c: list(ledger.verify(c))) if not isinstance(n, int)] == []
    again = await backlog.accept(town.office.desk, INTAKE, rule, None, town.clock.now)
    assert again.accepted == 0


async def test_a_label_that_is_no_category_counts_as_no_suggestion(town: Town) -> None:
    lamp, park, _ = [await town.submit(text=text, contact={"phone": f"1380000{n:04d}"}) for n, text in enumerate(TEXTS)]
    done = await backlog.accept(
        town.office.desk, INTAKE, Rule("g-01", names={"灯": "lighting"}), learned(town), town.clock.now
    )
    assert (done.accepted, done.left.total()) == (3, 0)
    assert done.categories == {"lighting": 2, "other": 1}
    assert (await town.state(park)).category_confidence == 0
    word = {"category": "parking", "reason": "是停车收费。"}
    for issue in (lamp, park):
        await town.does("intake1", "reclassify", word, issue)
        assert (await town.state(issue)).category_confidence is None, "from now on a person's word"
    rows = await town.office.engine.read(lambda conn: topics.sorted_by_people(conn, 10))
    assert sorted(row.topic for row in rows) == sorted([lamp, park]), "nothing is learned from what was suggested"


async def test_without_a_model_nothing_is_guessed_and_a_category_somebody_gave_stays(town: Town) -> None:
    plain = await town.submit(text=TEXTS[0], contact={"phone": "13800000001"})
    given = await town.submit(text=TEXTS[1], category="parking", grid="g-07", contact={"phone": "13800000002"})
    await backlog.accept(town.office.desk, INTAKE, Rule("g-01"), None, town.clock.now)
    assert (await town.see(plain))["category"] == "other"
    assert [(await town.state(one)).category_confidence for one in (plain, given)] == [0, None]
    seen = await town.see(given)
    assert (seen["category"], seen["grid"]) == ("parking", "g-07")
    rows = await town.office.engine.read(lambda conn: topics.sorted_by_people(conn, 10))
    assert [(row.category, row.topic) for row in rows] == [("parking", given)], "what is learned from"
