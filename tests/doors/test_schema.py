"""Whatever is sent, the server answers in words its own document knows: every operation, everybody, never a 5xx."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as draws
from pydantic import SecretStr
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.errors import InvalidSchema
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Err, Ok
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi import checks

from liuti.doors.app import make_app
from liuti.flow.table import FLOW
from liuti.flow.words import Step
from liuti.policy import default_words
from liuti.settings import Settings, new_key
from tests.doors.test_real_messages import a_photo
from tests.doors.town import NOTICE, Clockwork, Town, at

Operation = APIOperation[Any, Any, Any, Any]
DRAWN = 5
# Issues a move is tried on: what is drawn wrong hardly ever changes one.
STOCK = {GenerationMode.POSITIVE: 4, GenerationMode.NEGATIVE: 2}
FEW = draws(
    max_examples=DRAWN, derandomize=True, database=None, deadline=None, phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
CHECKS = [
    not_a_server_error, checks.status_code_conformance, checks.content_type_conformance,
    checks.response_headers_conformance, checks.response_schema_conformance,
]  # fmt: skip
PROPOSER, WHOSE = "its proposer", "whose move it is"
CALLERS = ("", PROPOSER, "officer_roads", "intake1", "panel1", "inspector", "sysadmin", WHOSE)
# Who of the town stands for a role or relation the document names as the one whose move it is.
FITTING = {
    "own_unit": "head_roads", "lead_unit": "head_roads", "assisting_unit": "head_water", "addressee": "head_roads",
    "its_leader": "leader1", "leader": "leader1", "principal": "principal", "official": "inspector", "handler": "head_roads",
    "gate": "gate1", "caller": "caller", "team": "team", "analyst": "analyst", "panel": "panel2", "intake": "intake2",
    "unit_head": "head_roads",
    "inspector": "inspector", "grid_worker": "grid", "voice": PROPOSER, "proposer": PROPOSER, "citizen": "",
}  # fmt: skip
BY_LETTER = {"GET /api/v1/sample", "POST /api/v1/sample"}
"""Opened by the token of a letter alone, which stands in no list; they have tests of their own."""
WRONG = ("nobody", "a\x00b", "路灯" * 40, "x" * 300, "%", "01999999-0000-7000-8000-000000000000")
# Dates that suit the day of the town, for the example of a form: those drawn may be any.
DATES = {"until": "2026-03-11", "date": "2026-04-01", "review": "2026-05-01", "next_round": "2026-03-20"}


@pytest.fixture
async def town(sqlite_template: Path, tmp_path: Path) -> AsyncIterator[Town]:
    """The town of the other tests, where nobody comes up against a cap on claims or on words from one place."""
    shutil.copyfile(sqlite_template, tmp_path / "liuti.db")
    roomy = re.sub(r"(?m)^(claims|proposals_per_day|cosigns_per_day) = \d+$", r"\1 = 900", default_words())
    (tmp_path / "policy.toml").write_text(roomy, "utf-8")
    settings = Settings(
        database_url=f"sqlite:///{tmp_path / 'liuti.db'}", keys=SecretStr(new_key()), files_dir=tmp_path / "files",
        policy_file=tmp_path / "policy.toml",
    )  # fmt: skip
    clock = Clockwork(at("2026-03-02 10:00"))
    app = make_app(settings, clock)
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://town.test")
    async with app.router.lifespan_context(app), client:
        place = Town(client, app.state.office, clock)
        await place.settle()
        yield place


# -- issues wherever a move may be made --------------------------------------------------------------------------------


async def _standing_at(town: Town, step: Step, turn: int) -> str:
    """A new issue at that step; at `solve` by turns claimed, with an open request, with a second unit, and plain."""
    if step is Step.SELECT:
        issue = await town.topic()
        if turn % 2:
            await town.vote(issue)
    elif step is Step.CLAIM:
        issue = await town.published()
    elif step is Step.SOLVE and turn == 0:
        issue = await town.claimed()
    elif step in (Step.SOLVE, Step.SUPERVISE, Step.EVALUATE, Step.SUSPENDED):
        issue = await town.direct(category="noise", who="intake1")
        await _further(town, step, turn, issue)
    else:
        issue = await town.submit("intake1", place="unknown", contact={"phone": "13800000001"})
        await _aside(town, step, issue)
    return issue


async def _further(town: Town, step: Step, turn: int, issue: str) -> None:
    if step is Step.SUPERVISE:
        await town.result(issue)
    elif step is Step.EVALUATE:
        await town.checked(issue)
    elif step is Step.SUSPENDED:
        form = {"cause": "season", "review": town.day(60), "evidence": "冬季不具备施工条件。"}
        await town.does("leader1", "suspend", form, issue)
        await town.does("inspector", "grant", {}, issue)
    elif turn == 2:
        await town.does("leader1", "add_unit", {"unit": "water", "reason": "涉及管线。"}, issue)
    elif turn == 1:
        await town.does("head_roads", "extend", {"until": town.day(9), "reason": "灯具到货推迟。"}, issue)


async def _aside(town: Town, step: Step, issue: str) -> None:
    if step is Step.SUPPLEMENT:
        await town.does("intake1", "ask_supplement", {"missing": ["具体地点"]}, issue)
    elif step is Step.MERGED:
        await town.does("intake1", "merge", {"lead": await town.topic(), "reason": "同一路段。"}, issue)
    elif step is Step.REJECTED:
        await town.does("intake1", "reject", {"route": "outside", "reason": "不在本区管辖范围。"}, issue)
    elif step is Step.WITHDRAWN:
        await town.does(issue, "withdraw", {}, issue)
    elif step is Step.CLOSED:
        await town.does("intake1", "accept_topic", {"category": "roads", "urgency": "general", "grid": "g-01"}, issue)
        await town.does("panel1", "explain", {"reason": "无法定依据。", "answer": "现行规定不支持。"}, issue)
        await town.does("inspector", "grant", {}, issue)


async def _beside(town: Town, path: str, number: int) -> dict[str, str]:
    """What the path may name that stands beside the issues: a project, a campaign, a team, its finding, a link."""

    async def made(who: str, where: str, form: dict[str, Any]) -> str:
        answer = await town.client.post(f"/api/v1{where}", json=form, headers=town.headers(who))
        assert answer.is_success, answer.text
        return str(answer.json()["id"])

    span = {"starts": "2026-03-01", "ends": "2026-03-31"}
    project = {"name": "路灯", "goal": "120盏", "lead_unit": "roads", "leader": "leader1", "planned": "2026-11-30"}
    if "{campaign}" in path:
        return {"campaign": await made("inspector", "/campaigns", span | {"name": "噪声", "goal": "三日内处置"})}
    if "{project}" in path or "{link}" in path:
        target = await made("inspector", "/projects", project | {"name": f"路灯{number}"})
        if "{project}" in path:
            return {"project": target}
        return {"link": await made("leader1", "/links", {"kind": "livelihood", "target": target})}
    if "{team}" in path or "{finding}" in path:
        form = span | {"name": "督导组", "over_units": ["roads"], "members": [{"person": "team"}]}
        team = await made("inspector", "/teams", form)
        if "{team}" in path:
            return {"team": team}
        finding = await made("team", f"/teams/{team}/findings", {"unit": "roads", "text": "照片不符。"})
        if not path.endswith("answer"):
            await made("head_roads", f"/findings/{finding}/answer", {"text": "已更正。"})
        return {"finding": finding}
    return {}


async def _stock(town: Town, operation: Operation, many: int) -> list[dict[str, str]]:
    """What the path may name, as it is in the town: issues at the steps of the move, a code, a file, a round."""
    states = operation.definition.raw.get("x-states", [])
    answers = len(states) == len(Step)
    steps = [Step(name) for name in states] or [Step.SELECT, Step.SOLVE]
    stock = []
    for turn, step in zip(range(many), cycle(steps), strict=False):
        # A move of every step answers a request, and it is at `solve` that one is open.
        issue = await (_standing_at(town, Step.SOLVE, 1) if answers else _standing_at(town, step, turn))
        stock.append({"issue": issue, "round": "1"})
        if "{code}" in operation.path:
            stock[-1]["code"] = (await town.see(issue))["query_code"]
        if "{file}" in operation.path:
            await town.photo("intake1", issue, a_photo())
            stock[-1]["file"] = (await town.get(f"/issues/{issue}/files"))["files"][0]["id"]
    stock = [one | await _beside(town, operation.path, number) for number, one in enumerate(stock)]
    if "{round}" in operation.path:  # refused when one is open already
        await town.client.post("/api/v1/rounds", json={"slots": 3}, headers=town.headers("analyst"))
    return stock


# -- what is drawn, and who sends it -----------------------------------------------------------------------------------


def _readable(found: Ok[Operation] | Err[InvalidSchema]) -> Operation:
    """An operation the document describes well enough to draw from; raises what is wrong with it."""
    if isinstance(found, Ok):
        return found.ok()
    raise found.err()


def _cases(operation: Operation, mode: GenerationMode) -> list[Case[Any]]:
    """A few of them, and of the right ones the document's own example too."""
    drawn: list[Case[Any]] = []

    @FEW
    @given(operation.as_strategy(generation_mode=mode))
    def take(case: Case[Any]) -> None:
        drawn.append(case)

    take()
    for case in drawn[:-1]:
        # Drawn, it is never the issue's version, and nothing behind the door would be reached.
        case.headers.pop("If-Match", None)
    content = operation.definition.raw.get("requestBody", {}).get("content", {}).get("application/json", {})
    if mode.is_positive and "example" in content:
        example = content["example"] | {name: date for name, date in DATES.items() if name in content["example"]}
        path = dict(drawn[0].path_parameters)
        drawn.append(operation.Case(path_parameters=path, body=example, media_type="application/json"))
    for case in drawn:
        _with_real_ids(case)
    return drawn


def _with_real_ids(case: Case[Any]) -> None:
    """Units and people the town has, where the form asks for any: no drawn text would ever name one."""
    move = FLOW.moves.get(case.operation.definition.raw.get("operationId", ""))
    if move is not None and isinstance(case.body, dict):
        known = dict.fromkeys(move.form.units, "water") | dict.fromkeys(move.form.people, "leader2")
        known |= {"notice_version": NOTICE}
        case.body = case.body | {name: real for name, real in known.items() if isinstance(case.body.get(name), str)}


def _callers(operation: Operation) -> tuple[str, ...]:
    """Everybody; a passer-by alone where the server does not ask who comes."""
    return CALLERS if operation.definition.raw.get("security") else ("",)


def _fitting(operation: Operation) -> str:
    """The last one the document names of whom the town has somebody: the first ones call every operation anyway."""
    roles = [role for role in operation.definition.raw.get("x-roles", ["leader"]) if role != "clock"]
    return next(FITTING[role] for role in reversed(roles) if role in FITTING)


class Letter:
    """The request as drawn, made ready once for all callers; what the server does not foresee is raised here."""

    def __init__(self, case: Case[Any]) -> None:
        ready = requests.Request(**case.as_transport_kwargs(base_url="http://town.test")).prepare()
        self.method, self.path, self.query = case.method, case.operation.path, str(ready.url).partition("?")[2]
        self.headers = {_bytes(name): _bytes(value) for name, value in ready.headers.items() if name != "Authorization"}
        self.body = _bytes(ready.body) if isinstance(ready.body, (bytes, str)) else None

    async def send(self, town: Town, secret: str, named: dict[str, Any]) -> httpx.Response:
        """In the name of whoever holds the secret, about what is named in the path."""
        path = self.path.format_map({name: quote(str(value), safe="") for name, value in named.items()})
        url = f"{path}?{self.query}" if self.query else path
        headers = self.headers | ({b"Authorization": _bytes(f"Bearer {secret}")} if secret else {})
        try:
            return await town.client.request(self.method, url, headers=headers, content=self.body)
        except Exception as fault:
            fault.add_note(f"sent: {self.method} {url} {self.body!r}")
            raise


def _bytes(value: bytes | str) -> bytes:
    return value if isinstance(value, bytes) else value.encode("utf-8")


# -- and what comes back -----------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Tally:
    """What was answered, by status and by operation, and every answer the document does not know."""

    by_status: Counter[int] = field(default_factory=Counter)
    done: Counter[str] = field(default_factory=Counter)
    reached: Counter[str] = field(default_factory=Counter)
    """Answers from behind the door: neither 401 nor 404."""
    wrong: dict[str, str] = field(default_factory=dict)
    known: set[tuple[str, int, str, bytes]] = field(default_factory=set)
    """Answers held against the document already: most refusals are the same word for word."""

    def take(self, case: Case[Any], who: str, answered: httpx.Response) -> None:
        status, label = answered.status_code, case.operation.label
        self.by_status[status] += 1
        self.done[label] += status < 300
        self.reached[label] += status not in (401, 404)
        same = (label, status, str(answered.headers), answered.content)
        if same in self.known:
            return
        self.known.add(same)
        try:
            case.validate_response(answered, checks=CHECKS)
        except FailureGroup as failures:
            for failure in failures.exceptions:
                sent = f"as {who!r} {str(answered.request.url)[:300]} {answered.request.content[:300]!r}"
                told = f"{failure}\n{sent}\n{answered.text[:500]}"
                self.wrong.setdefault(f"{label}: {type(failure).__name__} {status}", told)


async def _ask(town: Town, operation: Operation, mode: GenerationMode, tally: Tally) -> None:
    """Every case by every caller, two times of three about an issue that stands where the move may be made."""
    stock = await _stock(town, operation, STOCK[mode] if "{" in operation.path else 1)
    for number, case in enumerate(_cases(operation, mode)):
        drawn, letter = dict(case.path_parameters or {}), Letter(case)
        for turn, caller in enumerate(_callers(operation)):
            real, way = stock[(number + turn) % len(stock)], (number + turn) % 6
            chosen = drawn if way == 4 else dict.fromkeys(drawn, WRONG[number % len(WRONG)]) if way == 5 else real
            named = drawn | {name: chosen[name] for name in drawn.keys() & real.keys()}
            who = _fitting(operation) if caller == WHOSE else caller
            secret = town.secrets.get(real["issue"] if who == PROPOSER else who, "")
            tally.take(case, caller, await letter.send(town, secret, named))


@pytest.mark.parametrize("mode", list(GenerationMode))
async def test_no_request_is_answered_but_as_the_document_says(town: Town, mode: GenerationMode) -> None:
    app = cast(httpx.ASGITransport, town.client._transport).app
    schema = schemathesis.openapi.from_dict(cast(Any, app).openapi())
    tally = Tally()
    operations = map(_readable, schema.get_all_operations())
    # Signing out comes last: the passes of all callers end with it.
    for operation in sorted(operations, key=lambda one: one.label == "DELETE /api/v1/session"):
        if operation.label == "GET /api/v1/events":
            continue  # it does not end, and has tests of its own
        # Where nothing but an id in the path is asked, nothing can be drawn wrong: `WRONG` stands for it.
        if mode.is_positive or operation.query or operation.headers or operation.body:
            await _ask(town, operation, mode, tally)
    assert not tally.wrong, "\n\n".join(f"{key}\n{told}" for key, told in tally.wrong.items())
    locked = [label for label, behind in tally.reached.items() if not behind and label not in BY_LETTER]
    assert not locked, "nobody came through these doors"
    assert tally.reached.total() > tally.by_status.total() / 2, tally.by_status
    if mode.is_positive:
        undone = [label for label, times in tally.done.items() if not times]
        assert len(undone) < len(tally.done) / 3, f"nobody could do {undone}"
