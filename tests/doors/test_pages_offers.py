"""A page offers exactly the moves the flow would take: for everybody in the demo district, in every state there is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from liuti import demo
from liuti.demo.accounts import Account
from liuti.doors.app import make_app
from liuti.doors.deps import COOKIE
from liuti.doors.pages.keys import KEPT
from liuti.flow.issue import Issue
from liuti.flow.words import ENDS, Step
from liuti.store import read
from liuti.store.tables import issues
from tests.browser.house import NOW, played
from tests.doors.forms import Shown, forms

OF_EACH_STATE = 4


class Desks:
    """The demo district in this process: its people, and for each state some issues unlike each other."""

    def __init__(self, app: Any, accounts: list[Account]) -> None:
        self.office, self.accounts = app.state.office, {one.login: one for one in accounts}
        self._transport = httpx.ASGITransport(app)

    def client(self, login: str = "", **cookies: str) -> httpx.AsyncClient:
        given = cookies | ({COOKIE: self.accounts[login].token} if login else {})
        return httpx.AsyncClient(
            transport=self._transport, base_url="http://town.test", headers={"Accept": "text/html"}, cookies=given
        )

    async def waiting(self, step: Step) -> list[Issue]:
        """Issues in that state, each unlike the others; those where somebody waits for an answer come first."""
        wanted = select(issues.c.state).where(issues.c.step == step.value).order_by(issues.c.id)
        rows = await self.office.engine.read(lambda conn: conn.execute(wanted).scalars().all())
        found: dict[Any, Issue] = {}
        for one in map(read.STATE.decode, rows):
            asks = tuple(ask.move for ask in one.open_asks())
            found.setdefault((not asks, asks, one.lane or "", one.kind, not one.lead_unit), one)
        return [found[unlike] for unlike in sorted(found)][:OF_EACH_STATE]

    def around(self, issue: Issue) -> list[str]:
        """One of each role, and whoever is at work on it."""
        roles = {one.role: one.login for one in reversed(self.accounts.values())}
        units = {one.unit for one in issue.assignments}
        at_work = {one.login for one in self.accounts.values() if one.unit in units and one.role != "leader"}
        return sorted({*roles.values(), *at_work, *({issue.leader} if issue.leader else ()), "intake4", "inspector4"})

    def secret(self, issue: Issue) -> str:
        found: str = self.office.ring.voice_secret(issue.proposer)
        return found

    def phone(self, issue: Issue) -> httpx.AsyncClient:
        """The proposer's, with the receipt kept on it."""
        return self.client(**{KEPT: f"{issue.id}~{self.secret(issue)}"})


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> demo.Prepared:
    return played(tmp_path_factory.mktemp("district") / "demo")


@pytest.fixture
async def desks(prepared: demo.Prepared) -> AsyncIterator[Desks]:
    app = make_app(prepared.settings, lambda: NOW)
    async with app.router.lifespan_context(app):
        yield Desks(app, prepared.accounts)


def offered(page: str, issue: str) -> list[Shown]:
    return [one for one in forms(page) if one.action.startswith(f"/issues/{issue}/")]


# -- the same as the API ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", Step)
async def test_a_page_offers_the_moves_the_flow_would_take_and_no_others(desks: Desks, step: Step) -> None:
    there = await desks.waiting(step)
    assert there, f"the demo has no issue at {step}"
    for issue in there:
        for login in desks.around(issue):
            bearer = {"Authorization": f"Bearer {desks.accounts[login].token}", "Accept": "application/json"}
            await compare(desks.client(), bearer, desks.client(login), issue, login)
        bearer = {"Authorization": f"Bearer {desks.secret(issue)}", "Accept": "application/json"}
        await compare(desks.client(), bearer, desks.phone(issue), issue, "its proposer")
        await compare(desks.client(), {"Accept": "application/json"}, desks.client(), issue, "anyone")


async def compare(
    api: httpx.AsyncClient, bearer: dict[str, str], reader: httpx.AsyncClient, issue: Issue, who: str
) -> None:
    told = await api.get(f"/api/v1/issues/{issue.id}", headers=bearer)
    page = await reader.get(f"/issues/{issue.id}")
    if told.status_code != 200:
        assert page.status_code == (303 if told.status_code == 401 else told.status_code), (who, told.text)
        return
    moves = set(told.json()["moves"])
    expected = {name if name not in ("grant", "deny") else "answer" for name in moves}
    assert page.status_code == 200, (who, page.status_code)
    assert names(offered(page.text, issue.id)) == expected, (who, issue.step)


# -- pressed at once --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", Step)
async def test_a_button_that_asks_nothing_does_what_it_says_or_names_the_field_it_lacks(
    desks: Desks, step: Step
) -> None:
    pressed = dict[str, int]()
    for issue in await desks.waiting(step):
        for reader in [desks.phone(issue), *map(desks.client, desks.around(issue))]:
            await press(reader, issue, pressed)
    assert not {name: status for name, status in pressed.items() if status not in (303, 422)}, pressed
    assert 303 in pressed.values() or step in ENDS, pressed


async def press(reader: httpx.AsyncClient, issue: Issue, pressed: dict[str, int]) -> None:
    """Whatever this reader can do here without filling in anything, each once and from a fresh page."""
    page = (await reader.get(f"/issues/{issue.id}")).text
    for name in sorted(names(offered(page, issue.id))):
        fresh = (await reader.get(f"/issues/{issue.id}")).text
        form = next((one for one in offered(fresh, issue.id) if one.action.endswith("/" + name)), None)
        if form is None or form.missing or name in pressed:
            continue
        more = {button: [value] for button, value in form.buttons[:1] if button}
        answer = await reader.post(form.action, data=form.sent | more)
        pressed[name] = answer.status_code
        if answer.status_code == 422:
            assert 'role="alert"' in answer.text and ("aria-invalid" in answer.text or "data-focus" in answer.text), (
                name
            )


def names(found: list[Shown]) -> set[str]:
    return {one.action.rsplit("/", 1)[1] for one in found}
