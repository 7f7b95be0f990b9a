"""Where a reader can go from every page, by what they are; and the sentences a page begins with after something was done."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from liuti.flow import sight
from liuti.flow.words import ADMINS, OFFICIALS, UNIT_ROLES, Role

if TYPE_CHECKING:
    from liuti.doors.pages.frame import Reader


class Item(NamedTuple):
    href: str
    zh: str
    en: str
    roles: frozenset[Role] | None = None
    """Who finds it in the menu; None: everybody who is not at work."""


MENU = (
    Item("/propose", "我要出题", "Propose"),
    Item("/progress", "查进度", "Progress"),
    Item("/issues", "公开题目", "Public issues"),
    Item("/statistics", "办得怎样", "Results"),
    Item("/rounds", "选题公示", "Selection"),
    Item("/desk", "我的工作台", "My desk", OFFICIALS),
    Item("/desk/intake", "受理台", "Intake", frozenset({Role.INTAKE})),
    Item("/desk/unit", "本单位", "My unit", UNIT_ROLES),
    Item("/desk/enter", "电话登记", "Enter a call", frozenset({Role.INTAKE, Role.GRID_WORKER})),
    Item("/desk/issues", "全部题目", "All issues", OFFICIALS),
    Item(
        "/boards",
        "督题",
        "Supervision",
        OFFICIALS - {Role.GRID_WORKER, Role.INTAKE, Role.ANALYST, Role.PANEL, Role.GATE} | {Role.AUDITADMIN},
    ),
    Item("/admin", "管理", "Administration", ADMINS),
    Item("/command", "指挥屏", "Command screen", OFFICIALS | {Role.AUDITADMIN}),
    Item("/topics", "议题", "Topics", frozenset({Role.INTAKE, Role.ANALYST, Role.PANEL})),
    Item("/rounds", "选题", "Rounds", frozenset(sight.WEIGHERS)),
    Item("/gates", "把关", "Gates", frozenset({Role.GATE})),
    Item("/leader", "领题", "Claims", frozenset({Role.LEADER, Role.PRINCIPAL})),
)

DONE: dict[str, tuple[str, str]] = {
    "signed_out": ("您已退出。", "You are signed out."),
    "asked": ("申请已提交,等待另一人答复。", "Asked: another person has to answer."),
    "opened_round": ("这一轮已经评分并冻结。", "The round is scored and frozen."),
    "closed_round": ("这一轮已经结束。", "The round is closed."),
    "linked": ("已挂钩。", "Linked."),
    "link_ended": ("挂钩已解除。", "The link has ended."),
    "placed": ("已移动。", "Moved."),
    "kept": ("已保存。", "Saved."),
}
"""Moves add their own: see `pages/moving.py`."""


def items(reader: Reader) -> list[Item]:
    """Officials find their work, everybody else the public pages."""
    roles = reader.actor.roles
    if reader.official:
        return [one for one in MENU if one.roles is not None and not roles.isdisjoint(one.roles)]
    extra = [one for one in MENU if one.roles is not None and not roles.isdisjoint(one.roles)]
    return extra or [one for one in MENU if one.roles is None]


def current(found: list[Item], path: str) -> str:
    """The address of the item this page belongs to: its own, else the nearest one above it; empty where there is none.

    One issue is not below the public ones: it may be the reader's own, which nobody else finds there.
    """
    below = "" if path.startswith("/issues/") else path
    above = [one.href for one in found if path == one.href or below.startswith(one.href + "/")]
    return max(above, key=len, default="")
