"""The book of administrators' changes: one reader, page by page."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection

from liuti.flow.kernel import Actor
from liuti.flow.words import Role
from liuti.store import passes, people
from tests.doors.conftest import town
from tests.doors.town import Town

__all__ = ["town"]

SECADMIN = Actor("sec", frozenset({Role.SECADMIN}))


@pytest.fixture
async def audited(town: Town) -> Town:
    """The town with an audit admin, and an intake officer whose roles were changed twice."""

    def settle(conn: Connection) -> dict[str, str]:
        for admin in (Role.AUDITADMIN, Role.SECADMIN):
            people.add_person(conn, admin.value, admin.value, admin.value, roles={admin})
        people.set_roles(conn, SECADMIN, "intake2", {Role.INTAKE, Role.CALLER}, town.clock.now)
        people.set_roles(conn, SECADMIN, "intake2", {Role.CALLER}, town.clock.now)
        admins = ("auditadmin", "secadmin")
        return {one: passes.make_token(conn, one, "test", town.clock.now, None) for one in admins}

    town.secrets |= await town.office.engine.write(settle)
    return town


async def test_the_audit_admin_reads_who_changed_whose_roles_page_by_page(audited: Town) -> None:
    first = await audited.get("/audit?subject=intake2&limit=1", "auditadmin")
    [row] = first["changes"]
    assert (row["by"], row["act"], row["subject"]) == ("sec", "set_roles", "intake2")
    assert (row["before"], row["after"]) == ({"roles": "intake,caller"}, {"roles": "caller"})
    rest = await audited.get(f"/audit?subject=intake2&cursor={first['cursor']}", "auditadmin")
    assert [r["act"] for r in rest["changes"]] == ["set_roles", "make_token"]
    assert rest["cursor"] is None
    everything = await audited.get("/audit?limit=100", "auditadmin")
    assert len(everything["changes"]) > len(rest["changes"]) + 1


@pytest.mark.parametrize("who", ["intake1", "inspector", "principal", "team", "sysadmin", "secadmin"])
async def test_nobody_else_reads_it(audited: Town, who: str) -> None:
    answer = await audited.client.get("/api/v1/audit", headers=audited.headers(who))
    assert (answer.status_code, answer.json()["code"]) == (403, "not_yours")


async def test_a_passer_by_and_a_citizen_do_not_read_it(audited: Town) -> None:
    issue = await audited.submit()
    assert (await audited.client.get("/api/v1/audit")).status_code == 401
    assert (await audited.client.get("/api/v1/audit", headers=audited.headers(issue))).status_code == 403


async def test_a_cursor_of_somebody_elses_is_refused(audited: Town) -> None:
    answer = await audited.client.get("/api/v1/audit?cursor=abc", headers=audited.headers("auditadmin"))
    assert (answer.status_code, answer.json()["code"]) == (422, "bad_cursor")
    assert (await audited.client.get("/api/v1/audit?limit=0", headers=audited.headers("auditadmin"))).status_code == 422


async def test_signing_out_is_on_record(audited: Town) -> None:
    now = audited.clock.now
    secret = await audited.office.engine.write(lambda conn: passes.open_session(conn, "intake1", now))
    answer = await audited.client.delete("/api/v1/session", headers=audited.headers(secret))
    assert answer.status_code == 204
    [row] = (await audited.get("/audit?subject=intake1&limit=1", "auditadmin"))["changes"]
    assert (row["act"], row["by"], row["before"]["kind"]) == ("revoke", "intake1", "session")
