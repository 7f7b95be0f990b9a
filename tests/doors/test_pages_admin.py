"""The three admins on pages: each does their own part and no other's, and everything they do is in the book."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sqlalchemy import select, update

from liuti import flow
from liuti.doors.pages.book import ACTS
from liuti.doors.pages.labels import ASKED, event_named
from liuti.flow.table import FLOW
from liuti.flow.words import ROLE_NAMES, Role
from liuti.policy import default_words
from liuti.store import audit, people
from liuti.store.tables import entries, letters
from tests.doors.test_pages import browser
from tests.doors.town import Town


async def signed(town: Town, role: str) -> str:
    """An admin of that role, who may come in."""
    from liuti.store import passes

    def settle(conn: object) -> str:
        people.add_person(conn, role, role, role, roles=[Role(role)])  # type: ignore[arg-type]
        return passes.make_token(conn, role, "test", town.clock(), 1)  # type: ignore[arg-type]

    if role not in town.secrets:
        town.secrets[role] = await town.office.engine.write(settle)
    return role


async def test_a_person_is_added_by_one_admin_and_given_roles_by_another(town: Town) -> None:
    sysadmin, secadmin = browser(town, "sysadmin"), browser(town, await signed(town, "secadmin"))
    made = await sysadmin.post(
        "/admin/people", data={"login": "New.Person", "name": "新来的", "unit": "roads", "roles": "inspector"}
    )
    assert made.status_code == 200 and "new.person" in made.text
    secret = re.search(r'class="code">new\.person  ([^\s<]+)<', made.text)
    assert secret is not None
    person = next(one for one in await town.office.engine.read(people.listed) if one.login == "new.person")
    assert person.roles == frozenset(), "a sysadmin hands out no roles"

    assert (await sysadmin.post(f"/admin/people/{person.id}/roles", data={"roles": "officer"})).status_code == 403
    given = await secadmin.post(f"/admin/people/{person.id}/roles", data={"roles": ["", "officer"]})
    assert given.status_code == 303
    assert (await secadmin.post("/admin/people", data={"login": "x", "name": "x"})).status_code == 403
    assert (await secadmin.post("/admin/people/secadmin/roles", data={"roles": "officer"})).status_code == 403

    newcomer = browser(town)
    entered = await newcomer.post("/sign-in", data={"login": "new.person", "password": secret[1]})
    assert entered.status_code == 303 and entered.headers["location"] == "/desk"
    book = await town.office.engine.read(lambda conn: audit.page(conn, person.id))
    assert {row["act"] for row in book.rows} >= {"add_person", "set_roles"}


async def test_roles_that_do_not_go_together_are_refused_in_words(town: Town) -> None:
    secadmin = browser(town, await signed(town, "secadmin"))
    answer = await secadmin.post("/admin/people/inspector/roles", data={"roles": ["sysadmin", "inspector"]})
    assert answer.status_code == 422 and "三员分设" in answer.text


async def test_whoever_is_kept_out_is_out_at_once(town: Town) -> None:
    assert (await browser(town, "head_roads").get("/desk")).status_code == 200
    await browser(town, "sysadmin").post("/admin/people/head_roads/active", data={"active": "false"})
    assert (await browser(town, "head_roads").get("/desk")).status_code == 303


async def test_a_policy_is_checked_line_by_line_and_nothing_is_kept(town: Town) -> None:
    sysadmin = browser(town, "sysadmin")
    assert "version" in (await sysadmin.get("/admin/policy")).text
    fine = await sysadmin.post("/admin/policy", data={"words": default_words()})
    assert fine.status_code == 200 and "校验通过" in fine.text
    bad = await sysadmin.post("/admin/policy", data={"words": default_words().replace("claims = 5", 'claims = "many"')})
    line = default_words()[: default_words().index("claims = 5")].count("\n") + 1
    assert bad.status_code == 422 and f"第 {line} 行" in bad.text and "many" in bad.text


async def test_the_ledger_is_checked_page_by_page_and_a_forged_entry_is_named(town: Town) -> None:
    issue = await town.submit()
    auditor = browser(town, await signed(town, "auditadmin"))
    assert "1 条链" in (await auditor.get("/admin/ledger?after=")).text

    def forge(conn: object) -> None:
        if conn.dialect.name == "postgresql":  # type: ignore[attr-defined]
            conn.exec_driver_sql("ALTER TABLE entries DISABLE TRIGGER ALL")  # type: ignore[attr-defined]
        else:
            for (name,) in conn.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'trigger'").all():  # type: ignore[attr-defined]
                conn.exec_driver_sql(f"DROP TRIGGER {name}")  # type: ignore[attr-defined]
        conn.execute(entries.update().where(entries.c.issue_id == issue).values(actor="somebody"))  # type: ignore[attr-defined]

    await town.office.engine.write(forge)
    page = (await auditor.get("/admin/ledger?after=")).text
    assert issue in page and "记录被改动" in page


@pytest.mark.parametrize(
    "path",
    ["/admin", "/admin/people", "/admin/policy", "/admin/calendar", "/admin/letters", "/admin/ledger", "/admin/audit"],
)
async def test_nobody_else_gets_in(town: Town, path: str) -> None:
    assert (await browser(town, "inspector").get(path)).status_code == 403
    assert (await browser(town).get(path)).status_code == 303


async def test_a_notice_that_is_none_is_refused_with_what_was_typed(town: Town) -> None:
    answer = await browser(town, "sysadmin").post("/admin/calendar", data={"words": "年份 = 2027"})
    assert answer.status_code == 422 and "年份 = 2027" in answer.text


async def test_the_book_is_read_in_words_and_names(town: Town) -> None:
    secadmin = browser(town, await signed(town, "secadmin"))
    auditor = browser(town, await signed(town, "auditadmin"))
    assert (await secadmin.post("/admin/people/head_roads/roles", data={"roles": ["", "officer"]})).status_code == 303
    page = (await auditor.get("/admin/audit?subject=head_roads")).text
    assert "调整角色" in page and "承办人" in page and "单位负责人" in page
    english = (await auditor.get("/admin/audit?subject=head_roads&lang=en")).text
    assert "Changed roles" in english and ROLE_NAMES[Role.UNIT_HEAD][1] in english
    for code in ("set_roles", "unit_head", "T0", "{&#39;"):
        assert code not in page, code


def test_every_act_of_the_book_has_words() -> None:
    written = "".join(path.read_text("utf-8") for path in Path("src/liuti").rglob("*.py") if path.name != "book.py")
    acts = set(re.findall(r'(?:note|changed)\(\s*conn, (?:by|By\([^()]*\)), "(\w+)"', written))
    assert len(acts) > 15
    assert acts <= set(ACTS), acts - set(ACTS)


TOLD = re.compile(r'tell\("([a-z._]+)"')


async def test_a_letter_given_up_is_told_by_what_it_is_about_and_sent_again(town: Town) -> None:
    issue = await town.submit(text="路灯不亮三天了。")
    first = select(letters.c.id).where(letters.c.issue_id == issue).order_by(letters.c.id).limit(1).scalar_subquery()
    given_up = update(letters).where(letters.c.id == first)
    dead = given_up.values(dead_at=town.clock.now, next_at=None, tries=8, fault="Connection refused")
    await town.office.engine.write(lambda conn: conn.execute(dead))
    sysadmin = browser(town, "sysadmin")
    page = await sysadmin.get("/admin/letters")
    assert FLOW.moves["submit"].zh in page.text and "试了 8 次" in page.text and "Connection refused" in page.text
    assert "路灯" not in page.text
    again = re.search(r'action="(/admin/letters/\d+)"', page.text)
    assert again is not None
    await sysadmin.post(again[1])
    assert "Connection refused" not in (await sysadmin.get("/admin/letters")).text


def test_every_letter_there_can_be_has_a_name_in_both_languages() -> None:
    source = "".join(one.read_text("utf-8") for one in Path(*flow.__path__).glob("*.py"))
    told = {*TOLD.findall(source), *FLOW.moves, *(f"{move}.{what}" for move in FLOW.moves for what in ASKED)}
    assert {"interview", "invite", "order.drafted"} <= told
    for event in (*told, "alert.suspended"):
        zh, en = event_named(event)
        assert re.search("[\u4e00-\u9fff]", zh) and en and not re.search("[\u4e00-\u9fff]", en), event
