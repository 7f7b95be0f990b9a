"""Whatever is sent, the server answers in its own words: never a 5xx, on any route, for anybody."""

from __future__ import annotations

import asyncio
import base64
import itertools
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from pydantic import SecretStr
from schemathesis import Case, GenerationMode
from sqlalchemy import Connection

from liuti.demo import district
from liuti.doors.app import make_app
from liuti.flow.words import OFFICIALS, Role
from liuti.policy import default
from liuti.settings import Settings
from liuti.store import passes, people
from liuti.store.act import Desk

NOW = datetime(2026, 11, 2, 2, 0, tzinfo=UTC)
DISTRICT = district.draw(default().gates)
BASE = "http://testserver"
WRONG = ["none", "a\x00b", "路灯" * 40, "x" * 300, "%"]
FEW = settings(
    max_examples=3, derandomize=True, database=None, deadline=None, phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)  # fmt: skip


@dataclass(slots=True)
class Town:
    """A server with issues at several steps, and the passes of those who come to it."""

    runner: asyncio.Runner
    client: httpx.AsyncClient
    document: dict[str, Any]
    issues: list[str]
    passes: dict[str, str]

    def send(self, prepared: requests.PreparedRequest, who: str) -> httpx.Response:
        """The request as drawn, in the name of `who`. What the server does not foresee is raised here."""
        assert prepared.url is not None
        drawn = {_bytes(name): _bytes(value) for name, value in prepared.headers.items() if name != "Authorization"}
        given = {b"Authorization": f"Bearer {self.passes[who]}".encode()} if self.passes[who] else {}
        body = _bytes(prepared.body) if isinstance(prepared.body, (bytes, str)) else None
        sending = self.client.request(prepared.method or "GET", prepared.url, headers=drawn | given, content=body)
        return self.runner.run(sending)


def _bytes(value: bytes | str) -> bytes:
    return value if isinstance(value, bytes) else value.encode("utf-8")


@pytest.fixture
def town(database_url: str, tmp_path: Path) -> Iterator[Town]:
    keys = SecretStr("1:" + base64.b64encode(b"k" * 32).decode())
    app = make_app(Settings(database_url=database_url, keys=keys, files_dir=tmp_path / "files"), lambda: NOW)
    life = app.router.lifespan_context(app)
    with asyncio.Runner() as runner:
        runner.run(life.__aenter__())
        desk: Desk = app.state.office.desk
        found, token = runner.run(desk.engine.write(lambda conn: settle(conn, desk)))
        client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE)
        yield Town(runner, client, app.openapi(), found, {"somebody of every role": token, "anybody": ""})
        runner.run(client.aclose())
        runner.run(life.__aexit__(None, None, None))


def settle(conn: Connection, desk: Desk) -> tuple[list[str], str]:
    """The district, one person who holds every role of an official, and issues where the first four steps leave them."""
    district.settle(conn, DISTRICT, "")
    people.add_person(
        conn, "everyone", "everyone", "全能", roles=OFFICIALS, unit="u-01", post=default().gates[0], level="district",
        tip_offs=True,
    )  # fmt: skip
    intake, leader = DISTRICT.of(Role.INTAKE)[0].actor, DISTRICT.of(Role.LEADER)[0].actor
    panel = [person.actor for person in DISTRICT.of(Role.PANEL)[:3]]
    topic = {"category": "lighting", "urgency": "general", "grid": "c01-1"}
    promise = {"goal": "年底前修好", "date": "2026-12-20", "lead_unit": "u-01"}
    plan = {
        "goal": "修复",
        "lead_unit": "u-01",
        "due": "2026-12-15",
        "milestones": [{"title": "检修", "due": "2026-12-10"}],
    }
    path: list[tuple[Any, str, dict[str, Any]]] = [
        (intake, "accept_topic", topic), *((member, "vote", {"yes": True}) for member in panel),
        (panel[0], "publish", {"snapshot": {}, "reason": "群众反映集中"}), (leader, "claim", promise),
        (leader, "approve_plan", plan),
    ]  # fmt: skip
    found = []
    for length in (0, 0, 1, 1, 5, 5, 6, 7, 7):
        issue = desk.act_now(conn, intake, "submit", {"text": "东门的路灯坏了一周,晚上很黑", "place": "东门"}).issue
        for actor, move, form in path[:length]:
            desk.act_now(conn, actor, move, form, issue)
        found.append(issue)
    return found, passes.make_token(conn, "everyone", "test", NOW, None)


def prepared(case: Case[Any]) -> requests.PreparedRequest:
    return requests.Request(**case.as_transport_kwargs(base_url=BASE)).prepare()


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_no_request_of_the_documents_is_answered_with_a_fault(town: Town, mode: GenerationMode) -> None:
    seen: set[int] = set()
    for found in schemathesis.openapi.from_dict(town.document).get_all_operations():
        operation = found.ok()  # type: ignore[union-attr]
        drawn = operation.as_strategy(generation_mode=mode)

        @FEW
        @given(drawn, st.sampled_from(town.issues), st.sampled_from(sorted(town.passes)))
        def nothing_breaks(case: Case[Any], issue: str, who: str) -> None:
            if "issue" in (case.path_parameters or {}):
                case.path_parameters["issue"] = issue
            answered = town.send(prepared(case), who)
            seen.add(answered.status_code)
            assert answered.status_code < 500, (case.method, case.path, who, answered.text)

        # Some operations take nothing that could be drawn wrong.
        with suppress(Unsatisfiable):
            nothing_breaks()
    assert seen >= {200, 401, 403, 404, 422}


def test_the_example_of_every_operation_is_answered_wherever_an_issue_stands(town: Town) -> None:
    for path, methods in town.document["paths"].items():
        example = (
            methods.get("post", {}).get("requestBody", {}).get("content", {}).get("application/json", {}).get("example")
        )
        if example is None:
            continue
        for issue in dict.fromkeys((*town.issues[1::3], *WRONG[:2])):
            for who in town.passes:
                request = requests.Request("POST", BASE + path.replace("{issue}", quote(issue, safe="")), json=example)
                answered = town.send(request.prepare(), who)
                assert answered.status_code < 500, (path, issue, who, answered.text)


def test_a_value_no_database_can_keep_is_refused_and_not_stumbled_over(town: Town) -> None:
    readings = [(path, methods) for path, methods in town.document["paths"].items() if "get" in methods]
    for (path, methods), value in itertools.product(readings, WRONG):
        names = [given["name"] for given in methods["get"].get("parameters", ()) if given["in"] == "query"]
        full = path
        for name in ("issue", "file", "code", "step"):
            full = full.replace(f"{{{name}}}", quote(value, safe=""))
        for query in ({}, *({name: value} for name in names)):
            answered = town.send(requests.Request("GET", BASE + full, params=query).prepare(), "somebody of every role")
            assert answered.status_code < 500, (path, query, answered.text)
