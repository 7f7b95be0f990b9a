"""The three admins' pages: people and roles, the policy, calendars, dead letters, the ledger (docs/rules.md §8 rule 5)."""

from __future__ import annotations

import secrets
from functools import partial
from typing import Any

from fastapi import APIRouter, Request, Response

from liuti import policy as policies
from liuti.calendars import notices, words_of
from liuti.doors.deps import office, same_site
from liuti.doors.hashing import Hashing
from liuti.doors.pages.book import Speaker
from liuti.doors.pages.doorway import holding
from liuti.doors.pages.frame import PageRoute, directory, go, page, reader_of
from liuti.doors.pages.labels import event_named
from liuti.doors.pages.sent import Sent, sent
from liuti.flow.kernel import Actor, Refused
from liuti.flow.words import ADMINS, Role
from liuti.policy import PolicyError
from liuti.store import audit, ledger, outbox, passes, people
from liuti.store.audit import By
from liuti.store.ids import uuid7
from liuti.store.world import import_notice

SHOWN = 50
CHAINS = 2_000
"""Chains walked for one page; the next page goes on."""
GIVEN = [role for role in Role if role not in (Role.CITIZEN, Role.CLOCK)]


def router() -> APIRouter:
    routes = APIRouter(include_in_schema=False, route_class=PageRoute)
    for path, get in (
        ("", hub), ("/people", staff), ("/policy", policy_page), ("/calendar", calendar), ("/letters", letters),
        ("/ledger", chains), ("/audit", book),
    ):  # fmt: skip
        routes.add_api_route(f"/admin{path}", get, methods=["GET"])
    for path, post in (
        ("/people", add), ("/people/{person}/active", set_active), ("/people/{person}/password", set_password),
        ("/people/{person}/roles", set_roles), ("/policy", check_policy), ("/calendar", add_notice),
        ("/letters/{letter}", revive),
    ):  # fmt: skip
        routes.add_api_route(f"/admin{path}", post, methods=["POST"])
    return routes


async def admin(request: Request, *roles: Role) -> Actor:
    """Whoever holds one of the roles; Refused 401, 403 for everybody else."""
    same_site(request)
    return await holding(request, *roles)


async def hub(request: Request) -> Response:
    actor = await admin(request, *ADMINS)
    return await page(request, "admin/hub.html", roles=actor.roles)


# -- people --------------------------------------------------------------------------------------------------------


async def staff(request: Request) -> Response:
    return await _staff(request)


async def _staff(
    request: Request, refused: Refused | None = None, given: Sent | None = None, secret: str = ""
) -> Response:
    actor = await admin(request, Role.SYSADMIN, Role.SECADMIN)
    after = request.query_params.get("after", "")[:64]
    found = await office(request).engine.read(partial(people.listed, after=after, most=SHOWN + 1))
    words: dict[str, Any] = {
        "people": found[:SHOWN], "after": found[SHOWN - 1].login if len(found) > SHOWN else None, "roles": actor.roles,
        "given": GIVEN, "refused": refused, "sent": given, "secret": secret, "levels": people.LEADER_LEVELS,
    }  # fmt: skip
    return await page(request, "admin/people.html", refused.status if refused else 200, **words)


async def add(request: Request) -> Response:
    """A person without roles, with a first password shown once: a secadmin hands out the roles."""
    here, actor = office(request), await admin(request, Role.SYSADMIN)
    given, now = await sent(request), here.now()
    secret = secrets.token_urlsafe(9)
    login, name = given.one("login").strip()[:64], given.one("name").strip()[:64]
    try:
        if not login or not name:
            raise Refused("bad_form", 422, "请填写登录名和姓名。", "Give a login and a name.", "login")
        kept = await _hashed(request, secret)
        make = partial(
            people.add_person, person_id=uuid7(now), login=login, name=name, unit=given.one("unit")[:64],
            post=given.one("post")[:100], level=given.one("level")[:16], password_hash=kept, by=By(actor.id, now),
        )  # fmt: skip
        await here.engine.write(make)
    except Refused as refused:
        return await _staff(request, refused, given)
    return await _staff(request, secret=f"{people.plain_login(login)}  {secret}")


async def set_active(request: Request, person: str) -> Response:
    here, actor = office(request), await admin(request, Role.SYSADMIN)
    active = (await sent(request)).one("active") == "true"
    await here.engine.write(partial(passes.set_active, person_id=person, by=By(actor.id, here.now()), active=active))
    return go("/admin/people", "kept")


async def set_password(request: Request, person: str) -> Response:
    """A new first password, shown once; whoever came in by the old one is out."""
    here, actor = office(request), await admin(request, Role.SYSADMIN)
    secret = secrets.token_urlsafe(9)
    kept = await _hashed(request, secret)
    await here.engine.write(partial(passes.set_password, person_id=person, kept=kept, by=By(actor.id, here.now())))
    return await _staff(request, secret=secret)


async def _hashed(request: Request, secret: str) -> str:
    hashing: Hashing = request.app.state.hashing
    return await hashing.do(passes.password_hash, secret)


async def set_roles(request: Request, person: str) -> Response:
    here, actor = office(request), await admin(request, Role.SECADMIN)
    given = await sent(request)
    try:
        chosen = [Role(name) for name in given.fields.get("roles", []) if name]
        await here.engine.write(partial(people.set_roles, by=actor, person_id=person, roles=chosen, now=here.now()))
    except ValueError:
        return await _staff(request, Refused("no_such_role", 422, "没有这个角色。", "There is no such role.", "roles"))
    except Refused as refused:
        return await _staff(request, refused)
    return go("/admin/people", "kept")


# -- the rules -----------------------------------------------------------------------------------------------------


async def policy_page(request: Request) -> Response:
    await admin(request, *ADMINS)
    return await _policy(request, None)


async def check_policy(request: Request) -> Response:
    """Whether a policy file would be taken: nothing is kept."""
    await admin(request, *ADMINS)
    return await _policy(request, (await sent(request)).one("words"))


async def _policy(request: Request, words: str | None) -> Response:
    faults: list[Any] = []
    if words is not None:
        try:
            policies.load(words)
        except PolicyError as error:
            faults = list(error.faults)
    here = office(request)
    shown = words if words is not None else here.settings.policy_words() or policies.default_words()
    checked = words is not None
    return await page(
        request, "admin/policy.html", 422 if faults else 200, words=shown, faults=faults, checked=checked,
        from_file=here.settings.policy_file is not None,
    )  # fmt: skip


async def calendar(request: Request) -> Response:
    return await _calendar(request, None, "")


async def add_notice(request: Request) -> Response:
    """Keep the notice of a year; due times that were provisional are counted again by the worker."""
    here, actor = office(request), await admin(request, Role.SYSADMIN)
    words = (await sent(request)).one("words")
    try:
        await here.engine.write(partial(import_notice, words=words, now=here.now(), by=actor.id))
    except ValueError as error:
        return await _calendar(request, str(error), words)
    return go("/admin/calendar", "kept")


async def _calendar(request: Request, fault: str | None, words: str) -> Response:
    await admin(request, Role.SYSADMIN)
    years = sorted(office(request).desk.world().calendar.years)
    example = next((year, told) for year in (*reversed(years), notices()[-1].year) if (told := words_of(year)))
    return await page(
        request, "admin/calendar.html", 422 if fault else 200, years=years, fault=fault, words=words, example=example
    )


# -- letters and the ledger ----------------------------------------------------------------------------------------


async def letters(request: Request) -> Response:
    """Letters given up, by event and where they should have gone; never what they say."""
    await admin(request, Role.SYSADMIN)
    found = await office(request).engine.read(partial(outbox.dead, most=SHOWN))
    return await page(request, "admin/letters.html", letters=found, named=event_named)


async def revive(request: Request, letter: int) -> Response:
    here, _ = office(request), await admin(request, Role.SYSADMIN)
    await here.engine.write(partial(outbox.revive, letter=letter, now=here.now()))
    return go("/admin/letters", "kept")


async def chains(request: Request) -> Response:
    """Walk a part of all chains, on asking; whole in a minute or two, page by page."""
    await admin(request, Role.AUDITADMIN)
    after, walked = request.query_params.get("after", "")[:64], 0
    asked = "after" in request.query_params
    broken: list[Any] = []

    def walk(conn: Any) -> str:
        nonlocal walked
        last = ""
        for part in ledger.walk(conn, after):
            broken.extend(part.broken)
            walked, last = walked + part.chains, part.last
            if walked >= CHAINS:
                return last
        return ""

    following = await office(request).engine.read(walk) if asked else ""
    before = (
        int(request.query_params.get("walked", "0")[:9] or 0)
        if request.query_params.get("walked", "0").isdecimal()
        else 0
    )
    return await page(
        request, "admin/ledger.html", asked=asked, walked=before + walked, broken=broken, following=following
    )


async def book(request: Request) -> Response:
    """What administrators did, the latest first."""
    await admin(request, Role.AUDITADMIN)
    asked = request.query_params
    read = partial(audit.page, subject=asked.get("subject", "")[:80], cursor=asked.get("cursor", "")[:20], limit=SHOWN)
    found = await office(request).engine.read(read)
    categories = {name: (one.zh, one.en) for name, one in office(request).desk.world().policy.categories.items()}
    speaker = Speaker(await reader_of(request), await directory(office(request)), categories)
    return await page(
        request,
        "admin/audit.html",
        rows=found.rows,
        cursor=found.cursor,
        subject=asked.get("subject", ""),
        speaker=speaker,
    )
