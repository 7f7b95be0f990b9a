"""Real messages from the import to a claim: topics, categories, scores, a round, the top five published. Reads LIUTI_DATA."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from liuti import backlog, importer
from liuti.backlog import Rule
from liuti.rank.categories import Model, train
from liuti.store import ledger, people, rounds
from tests.doors.town import Town

FOLDER = os.environ.get("LIUTI_DATA", "")
COLUMNS = {"text": "body", "title": "title", "external_id": "msg_id", "reported_at": "created_at", "reporter": "user"}
NAMES = {
    "城乡建设": "property", "环境保护": "environment", "交通运输": "transport", "教育文体": "schools",
    "劳动和社会保障": "social_security", "卫生计生": "medical",
}  # fmt: skip
"""The labels of the training rows, and the row of the policy's table that is like them; 商贸旅游 has lifts, fees and fraud
in it and is like none."""

pytestmark = pytest.mark.skipif(not FOLDER, reason="LIUTI_DATA is not set: no round was held on real messages")


@pytest.fixture(scope="module")
def model() -> Model:
    rows = pq.read_table(Path(FOLDER) / "labelled_train.parquet").to_pylist()
    raw = [row["text_kind"] == "raw" for row in rows]
    titles = [row["title"] or "" if is_raw else "" for row, is_raw in zip(rows, raw, strict=True)]
    bodies = [row["body"] or "" if is_raw else row["text_segmented"] for row, is_raw in zip(rows, raw, strict=True)]
    return train(titles, bodies, [row["label"] for row in rows], datetime(2026, 1, 1, tzinfo=UTC))


async def test_from_the_import_to_a_claim(town: Town, tmp_path: Path, model: Model) -> None:
    desk, engine = town.office.desk, town.office.engine
    file = Path(FOLDER) / "messages.parquet"
    went_in = await importer.import_file(desk, file, columns=COLUMNS, bad_path=tmp_path / "bad.csv")
    assert went_in.new == 4326
    assert await town.office.matters.arrive(engine, town.clock.now) == 4326
    largest = (await town.get("/topics", "analyst"))["topics"]
    assert largest[0]["messages"] >= 10

    intake = await engine.read(lambda conn: people.actor_of(conn, "intake1"))
    assert intake is not None
    done = await backlog.accept(desk, intake, Rule("g-01", least=0.0, names=NAMES), model, town.clock.now)
    assert done.accepted + done.left.total() == 4326
    assert set(done.left) == {"neither_urgent_nor_tip_off"}
    assert done.left.total() < 500
    assert 100 < done.categories["other"] < 1500
    assert not done.categories["food"], "lifts, fees and fraud are no matter of food"

    form = {"slots": 10, "as_of": "2020-01-10T00:00:00+08:00"}
    answer = await town.client.post("/api/v1/rounds", json=form, headers=town.headers("analyst"))
    assert answer.status_code == 201, answer.text
    opened = answer.json()
    assert opened["recommended"] == 10
    lines = (await town.get(f"/rounds/{opened['id']}?limit=100", "panel1"))["lines"]
    assert [line["rank"] for line in lines[:10]] == list(range(1, 11))
    assert all(line["score"]["recommendable"] for line in lines[:10])
    assert all(
        shown == again for _, shown, again in await engine.read(lambda c: list(rounds.replayed(c, opened["id"])))
    )

    top = [line["issue"]["id"] for line in lines[:5]]
    for line in lines[:5]:
        issue = line["issue"]["id"]
        await town.vote(issue)
        await town.does("panel1", "publish", {"snapshot": line["snapshot"]}, issue)
    await town.does("leader1", "claim", town.card(), top[0])
    public = (await town.get(f"/rounds/{opened['number']}", ""))["lines"]
    assert [line["issue"]["id"] for line in public] == top
    assert all(line["score"]["strongest"] and "raw" not in line["score"]["factors"][0] for line in public)
    broken = [
        found for found in await engine.read(lambda conn: list(ledger.verify(conn))) if not isinstance(found, int)
    ]
    assert broken == []
