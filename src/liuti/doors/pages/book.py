"""The book of administrators in words: what was done, to whom, and what changed; ids become names as far as they are known."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from typing import Any, NamedTuple

from msgspec import DecodeError, json

from liuti.doors.pages.frame import Reader
from liuti.doors.pages.labels import CHOICES, LABELS
from liuti.flow.words import ROLE_NAMES
from liuti.store.directory import Directory

ACTS: dict[str, tuple[str, str]] = {
    "add_person": ("添加人员", "added a person"), "set_roles": ("调整角色", "changed roles"),
    "set_active": ("停用或启用账号", "kept out or let in"), "set_password": ("重设密码", "set a new password"),
    "make_token": ("发放接口令牌", "issued a token"), "revoke": ("收回接口令牌", "revoked a token"),
    "add_unit": ("添加单位", "added a unit"), "supervise": ("确定分管领导", "named the supervising leader"),
    "register_policy": ("登记政策版本", "registered a policy"), "import_notice": ("导入节假日通知", "imported a holiday notice"),
    "add_campaign": ("设立专项行动", "opened a campaign"), "place_in_campaign": ("把题归入专项行动", "put issues into a campaign"),
    "add_project": ("登记民生项目", "added a livelihood project"), "place_in_project": ("把题归入民生项目", "put issues into a project"),
    "strike_off_project": ("民生项目销号", "struck off a project"), "reopen_project": ("民生项目恢复", "took up a project again"),
    "add_link": ("领导挂钩项目", "linked a leader to a project"), "end_link": ("解除挂钩", "ended a link"),
    "import_claim": ("导入历史领题", "brought in a legacy claim"), "close_claim": ("历史领题办结", "closed a legacy claim"),
    "add_team": ("组建督导组", "formed an inspection team"), "draw_sample": ("抽取样本", "drew a sample"),
    "raise_finding": ("提出督导问题", "raised a finding"), "answer_finding": ("答复督导问题", "answered a finding"),
    "close_finding": ("督导问题销号", "closed a finding"),
    "place": ("移动议题归属", "moved a message to another topic"),
}  # fmt: skip
FIELDS: dict[str, tuple[str, str]] = {
    "roles": ("角色", "roles"), "active": ("可以登录", "may sign in"), "supervisor": ("分管领导", "supervising leader"),
    "login": ("登录名", "login"), "post": ("职务", "post"), "level": ("层级", "level"), "kind": ("类型", "kind"),
    "target": ("项目", "project"), "state": ("状态", "state"), "units": ("单位", "units"), "grids": ("辖区", "places"),
    "members": ("成员", "members"), "starts": ("开始", "from"), "ends": ("结束", "until"), "begins": ("开始", "from"),
    "ends_at": ("结束", "until"), "begins_at": ("开始", "from"), "due_at": ("期限", "due"), "ended_at": ("解除于", "ended at"), "planned": ("计划完成", "planned for"),
    "seed": ("种子", "seed"), "share": ("比例", "share"), "population": ("总数", "out of"), "drawn": ("抽中", "drawn"),
    "unit_id": ("单位", "unit"), "digest": ("摘要", "digest"), "words": ("原文", "text"), "issues": ("题", "issues"),
    "belongs": ("归入", "belongs"), "topic": ("议题", "topic"), "sessions_ended": ("同时退出的登录", "sessions ended"),
    "name": ("名称", "name"), "kinds": ("类型", "kinds"), "former": ("原单位", "former units"),
    "expires_at": ("有效至", "good until"), "criteria": ("范围", "criteria"), "categories": ("类别", "categories"),
}  # fmt: skip
VALUES: dict[str, tuple[str, str]] = {
    "open": ("在办", "open"), "closed": ("办结", "closed"), "industry": ("产业", "industry"), "livelihood": ("民生", "livelihood"),
    "token": ("接口令牌", "token"), "session": ("登录", "session"), "set-up": ("系统初始化", "set up with the system"),
    "district": ("区级", "district"), "town": ("镇街", "town"), "department": ("部门", "department"),
}  # fmt: skip
WORDS: tuple[Mapping[str, tuple[str, str]], ...] = (ROLE_NAMES, VALUES, CHOICES)
UNSAID = frozenset({"id", "version", "issue", "sample", "at", "by", "digest", "pass"})
"""What tells a reader nothing beside the rest."""
TITLED = frozenset({"add_campaign", "add_project", "add_team", "add_unit"})
"""What made something with a name of its own."""
LONG = 60
_ID = re.compile(r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{20,}$")
_MOMENT = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d")
_DAY = re.compile(r"^\d{4}-\d\d-\d\d$")


class Told(NamedTuple):
    """A line of the book as it is read: `facts` are name, what it was and what it is."""

    at: datetime
    by: str
    act: str
    subject: str
    facts: list[tuple[str, str, str]]


class Speaker:
    """Says ids, moments and codes as this reader knows them."""

    def __init__(self, reader: Reader, names: Directory, categories: Mapping[str, tuple[str, str]]) -> None:
        self._t, self._names, self._words = reader.t, names, (*WORDS, categories)
        self._when: Callable[[str], str] = str
        self._day: Callable[[date], str] = str

    def line(self, row: Mapping[str, Any], when: Callable[[str], str], day: Callable[[date], str]) -> Told:
        self._when, self._day = when, day
        before, after = row["before"] or {}, row["after"] or {}
        named = [
            one for one in {**before, **after} if one not in UNSAID and not (one == "name" and row["act"] in TITLED)
        ]
        facts = [(self._field(one), self._value(before.get(one)), self._value(after.get(one))) for one in named]
        told = [fact for fact in facts if fact[1] or fact[2]]
        title = after.get("name") if row["act"] in TITLED else None
        subject = str(title or self._value(row["subject"]))
        return Told(row["at"], self._value(row["by"]), self._said(ACTS, row["act"]), subject, told)

    def _said(self, words: Mapping[str, tuple[str, str]], name: str) -> str:
        return self._t(*words[name]) if name in words else name

    def _field(self, name: str) -> str:
        if name in FIELDS or name not in LABELS:
            return self._said(FIELDS, name)
        return self._t(LABELS[name].zh, LABELS[name].en)

    def _value(self, value: Any) -> str:
        if isinstance(value, bool):
            return self._t("是", "yes") if value else self._t("否", "no")
        if isinstance(value, Mapping):
            told = {self._field(key): self._value(one) for key, one in value.items()}
            return self._listed(f"{key} {one}" for key, one in told.items() if one)
        if isinstance(value, (list, tuple)):
            if value and all(_ID.match(str(one)) for one in value):
                return self._t(f"{len(value)} 件", f"{len(value)} issues")
            return self._listed(map(self._value, value))
        return "" if value is None else self._word(str(value))

    def _listed(self, said: Iterable[str]) -> str:
        told = [one for one in said if one]
        some = told[:8]
        rest = self._t(f" 等 {len(told)} 项", f" and {len(told) - 8} more") if len(told) > len(some) else ""
        return self._t("、", ", ").join(some) + rest

    def _word(self, text: str) -> str:
        known = self._named(text) or next(
            (self._t(*words[text]) for words in self._words if text and text in words), ""
        )
        if known:
            return known
        if _MOMENT.match(text):
            return self._when(text)
        if _DAY.match(text):
            return self._day(date.fromisoformat(text))
        if _ID.match(text):
            return self._t("编号 ", "no. ") + text[-6:]
        if text[:1] in "[{":
            return self._parsed(text)
        return text if len(text) <= LONG else text[:LONG] + "…"

    def _named(self, text: str) -> str:
        names = self._names
        if text in names.officials:
            return names.officials[text].name
        return names.units.get(text) or (names.place_name(text) if text in names.places else "")

    def _parsed(self, text: str) -> str:
        """What was kept as JSON in one column."""
        try:
            return self._value(json.decode(text))
        except DecodeError:
            return text
