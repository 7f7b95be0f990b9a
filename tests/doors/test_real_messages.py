"""Real citizens' messages go in, once; and one of them walks all six steps. Reads LIUTI_DATA, never copies from it."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from PIL import Image
from sqlalchemy import func, select

from liuti import importer
from liuti.store import ledger
from liuti.store.tables import issues
from tests.doors.town import Town

FOLDER = os.environ.get("LIUTI_DATA", "")
MESSAGES = Path(FOLDER) / "messages.parquet"
COLUMNS = {"text": "body", "title": "title", "external_id": "msg_id", "reported_at": "created_at"}
ALL = 4326

pytestmark = pytest.mark.skipif(not FOLDER, reason="LIUTI_DATA is not set: the real messages were not tried")


def a_photo() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (64, 48), "gray").save(out, "JPEG")
    return out.getvalue()


async def test_all_messages_go_in_and_the_second_time_none_and_one_walks_to_closed_solved(
    town: Town, tmp_path: Path
) -> None:
    desk = town.office.desk
    first = await importer.import_file(desk, MESSAGES, columns=COLUMNS, bad_path=tmp_path / "bad.csv")
    assert (first.new, first.known, first.bad) == (ALL, 0, 0)
    again = await importer.import_file(desk, MESSAGES, columns=COLUMNS, bad_path=tmp_path / "bad.csv")
    assert (again.new, again.known, again.bad) == (0, ALL, 0)
    assert (
        await town.office.engine.read(lambda conn: conn.execute(select(func.count()).select_from(issues)).scalar())
        == ALL
    )

    calm = (await town.get("/issues?step=propose&q=" + "噪音" + "&limit=20"))["issues"]
    issue: str = next(line["id"] for line in calm if line["urgency"] == "general")
    await walk(town, issue)

    seen = await town.see(issue)
    assert (seen["step"], seen["closing"], seen["overdue"]) == ("closed", "solved", False)
    assert seen["reported_at"] < seen["submitted_at"]
    made = await town.moves(issue)
    assert [m for m in ("submit", "accept_topic", "publish", "claim", "submit_result", "pass_check", "rate", "close") if m in made] == [
        "submit", "accept_topic", "publish", "claim", "submit_result", "pass_check", "rate", "close",
    ]  # fmt: skip
    walked = await town.office.engine.read(lambda conn: list(ledger.verify(conn)))
    assert [place for place in walked if not isinstance(place, int)] == []
    assert sum(n for n in walked if isinstance(n, int)) == ALL


async def walk(town: Town, issue: str) -> None:
    town.voices[issue] = (await town.state(issue)).proposer
    await town.does("intake1", "accept_topic", {"category": "noise", "urgency": "general", "grid": "g-01"}, issue)
    await town.vote(issue)
    await town.does("panel1", "publish", {"reason": "群众反映集中"}, issue)
    await town.does("leader1", "claim", town.card(), issue)
    await town.does("leader1", "approve_plan", town.plan(), issue)
    await town.does("officer_roads", "sign", {}, issue)
    await town.does("officer_roads", "contact", {"method": "phone", "result": "已联系"}, issue)
    await town.does("officer_roads", "milestone", {"number": 1, "evidence": "检查记录"}, issue)
    await town.photo("officer_roads", issue, a_photo())
    await town.result(issue)
    await town.does("inspector", "pass_check", {"method": "on_site"}, issue)
    await town.does(town.rating(issue), "rate", {"level": 5, "contacted": True, "solved": "yes"}, issue)
