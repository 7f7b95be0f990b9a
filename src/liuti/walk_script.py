"""What is said and done on the walk: six chapters, one for each step, in the order the rules ask for."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

RESIDENT = "resident"


@dataclass(frozen=True, slots=True)
class Act:
    """`who` (a login of the demo, or the resident) makes the move; a photo goes as multipart/form-data."""

    who: str
    move: str
    zh: str
    en: str
    form: dict[str, Any] = field(default_factory=dict)
    photo: str = ""


@dataclass(frozen=True, slots=True)
class Chapter:
    zh: str
    en: str
    acts: tuple[Act, ...]


def chapters(known: dict[str, Any], today: date, phone: str) -> tuple[Chapter, ...]:
    """The six, with the accounts file's unit and people; every date is counted from `today`, `phone` is the resident's."""
    login, unit = known["shell"], known["unit"]

    def day(ahead: int) -> str:
        return (today + timedelta(days=ahead)).isoformat()

    return (
        Chapter("老百姓出题", "people propose", _propose(known["notice_version"], phone)),
        Chapter("大数据选题", "data selects", _select(login)),
        Chapter("委领导领题", "leaders claim", _claim(login, unit, day)),
        Chapter("一条龙解题", "departments solve", _solve(login, unit, day)),
        Chapter("督查办督题", "inspectors supervise", _supervise(login)),
        Chapter("老百姓评题", "people evaluate", _evaluate()),
    )


def _propose(notice: str, phone: str) -> tuple[Act, ...]:
    form = {
        "kind": "help", "text": "小区东门到公交站这一段，路灯坏了一个星期，晚上接孩子看不见路。", "place": "第四社区东门",
        "grid": "c04-1", "category": "lighting", "notice_version": notice,
        "contact": {"name": "示范居民", "phone": phone, "address": "第四社区3栋2单元501"},
    }  # fmt: skip
    return (
        Act(
            RESIDENT,
            "submit",
            "不用注册，写下一件事：路灯坏了。",
            "needs no account and writes: the lights are out.",
            form,
        ),
    )


def _select(login: dict[str, str]) -> tuple[Act, ...]:
    accept = {"category": "lighting", "urgency": "general", "grid": "c04-1", "livelihood": True}
    votes = [
        Act(login[f"PANEL{n}"], "vote", "投票同意。", "votes in favour.", {"yes": True, "reason": "群众普遍受益。"})
        for n in (1, 2, 3)
    ]
    signed = [
        Act(
            login[f"GATE{n}"], "sign_gate", f"签第{'一二三'[n - 1]}道把关。", f"signs gate {n} of three.",
            {"agree": True, "comment": "同意。"},
        )
        for n in (1, 2, 3)
    ]  # fmt: skip
    publish = {"snapshot": {}, "reason": "群众反映集中，条件成熟。"}
    return (
        Act(
            login["INTAKE"],
            "accept_topic",
            "受理入库，列为为民办实事。",
            "accepts it as a topic, a livelihood one.",
            accept,
        ),
        *votes,
        *signed,
        Act(login["PANEL1"], "publish", "选定并公开发布。", "publishes it: the page is public from now on.", publish),
    )


def _claim(login: dict[str, str], unit: str, day: Any) -> tuple[Act, ...]:
    form = {"goal": "两周内修好这一段全部路灯", "date": day(20), "lead_unit": unit}
    return (Act(login["LEADER"], "claim", "领题，写下承诺和日期。", "claims it: a goal, a date, a lead unit.", form),)


def _solve(login: dict[str, str], unit: str, day: Any) -> tuple[Act, ...]:
    plan = {
        "goal": "修复十二盏路灯，夜间照度达标", "lead_unit": unit, "due": day(14),
        "milestones": [{"title": "检修线路", "due": day(7)}],
    }  # fmt: skip
    result = {"word": "solved", "reply": "十二盏路灯已全部修复。", "evidence": "验收单"}
    officer, head = login["OFFICER"], login["HEAD"]
    called = {"method": "phone", "result": "已电话联系，约好晚上一起看现场。"}
    return (
        Act(
            login["LEADER"],
            "approve_plan",
            "定方案：目标、里程碑、主办单位。",
            "approves the plan; its clock starts.",
            plan,
        ),
        Act(officer, "sign", "签收。", "signs for it."),
        Act(officer, "contact", "先行联系出题人。", "calls the resident before anything else.", called),
        Act(officer, "progress", "登记进展。", "notes progress.", {"text": "线路已排查，今晚换灯。", "public": True}),
        Act(officer, "milestone", "完成里程碑。", "reports the milestone done.", {"number": 1, "evidence": "检修记录"}),
        Act(
            officer,
            "attach",
            "上传完工照片。",
            "uploads a photo of the finished work.",
            {"note": "完工照片"},
            "完工.png",
        ),
        Act(
            officer, "submit_result", "反馈结果，等负责人同意。", "hands in the result; the head has to agree.", result
        ),
        Act(head, "grant", "同意反馈。", "agrees: it leaves the unit.", {"reason": "情况属实。"}),
    )


def _supervise(login: dict[str, str]) -> tuple[Act, ...]:
    form = {"method": "on_site", "note": "夜间到场查看，十二盏全亮。"}
    told = "from outside the unit looks on site and passes it."
    return (Act(login["INSPECTOR"], "pass_check", "到现场核查，通过，销号。", told, form),)


def _evaluate() -> tuple[Act, ...]:
    form = {"level": 5, "contacted": True, "solved": "yes", "text": "晚上亮堂了，谢谢。"}
    return (
        Act(
            RESIDENT, "rate", "评价：非常满意，已解决。", "rates: level 5, solved. All have rated, so it closes.", form
        ),
    )
