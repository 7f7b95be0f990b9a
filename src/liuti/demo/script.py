"""What a story is about and who plays in it, and the scenes that most stories share."""

from __future__ import annotations

import random
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from liuti.demo.district import UNIT, District, Place
from liuti.demo.turns import ANYBODY, PROPOSER, In, Photo, Turn
from liuti.flow.words import Step


@dataclass(frozen=True, slots=True)
class Matter:
    """One of the everyday matters of matters.toml."""

    unit: str
    category: str
    kind: str
    lane: str
    title: str
    text: str
    reply: str
    goal: str = ""


@cache
def matters() -> tuple[Matter, ...]:
    read = tomllib.loads(files("liuti.demo").joinpath("matters.toml").read_text("utf-8"))
    return tuple(Matter(**one) for one in read["matter"])


SINCE = ("这三天", "上星期起", "最近半个月", "这十来天", "这一个多月", "这几天")
LONG = ("三天", "一个星期", "半个月", "十来天", "一个多月", "四五天")
TAILS = {
    "complaint": ("请尽快处理。", "盼回复。", "希望给个说法。", "请管一管。", ""),
    "help": ("请尽快处理。", "麻烦派人来看看。", "盼解决。", "谢谢。", ""),
    "suggestion": ("请考虑。", "盼回复。", "谢谢。", ""),
    "consult": ("谢谢。", "麻烦告知。", ""),
}


@dataclass(frozen=True, slots=True)
class Plot:
    """What one story is about and who plays in it; drawn once, so that the same seed tells the same story."""

    number: int
    chance: random.Random
    district: District
    notice: str
    """Version of the privacy notice that people are shown."""
    matter: Matter
    place: Place
    unit: str
    leader: str
    intake: str
    inspector: str

    @property
    def officer(self) -> str:
        return f"officer{self.unit.removeprefix('u-')}{self.chance.choice('ab')}"

    @property
    def head(self) -> str:
        return head_of(self.unit)

    @property
    def grid(self) -> str:
        return f"{self.place.id}-{self.chance.randint(1, 3)}"

    @property
    def pace(self) -> str:
        """How fast this kind of matter has to go."""
        if self.matter.lane == "urgent":
            return "urgent"
        if self.matter.kind in ("consult", "praise"):
            return "today"
        return "basic" if self.matter.category in BASIC else "usual"


Story = Callable[[Plot], list[Turn]]
BASIC = frozenset({"heating", "water", "power", "gas"})
# accept, sign, contact, note progress, hand in the result, its head's consent: the working rhythm of each pace.
RHYTHM = {
    "urgent": ("0.2h", "0.1h", "0.2h", "0.4h", "0.4h", "0.1h"),
    "today": ("0.4oh", "0.2oh", "0.3oh", "0.5oh", "0.4oh", "0.3oh"),
    "basic": ("0.8h", "0.5oh", "1h", "3h", "2h", "0.5h"),
    "usual": ("2oh", "0.5oh", "3oh", "6oh", "9oh", "2oh"),
}


def head_of(unit: str) -> str:
    return f"head{unit.removeprefix('u-')}"


def someone(plot: Plot, who: int = 0) -> dict[str, str]:
    """A made-up resident: a number nobody has, and a door in the community the story plays in."""
    number = plot.number * 40 + who
    door = f"{plot.place.name}{number % 17 + 1}栋{number % 3 + 1}单元{number % 6 + 1}0{number % 4 + 1}"
    return {"name": f"示范居民{number:05}", "phone": f"1380000{number:04}", "address": door}


def words(plot: Plot) -> tuple[str, str]:
    """Title and text of the matter, as this person puts it."""
    given = {"c": plot.place.name, "s": plot.chance.choice(SINCE), "d": plot.chance.choice(LONG)}
    tail = plot.chance.choice(TAILS.get(plot.matter.kind, ("",)))
    return plot.matter.title.format(**given), plot.matter.text.format(**given) + tail


def submit(plot: Plot, who: int = 0, issue: int = 0, after: str = "", **more: Any) -> list[Turn]:
    """By the web page mostly; else through the hotline, at the counter, or entered by a grid worker."""
    title, text = words(plot)
    spot = plot.chance.choice(("东门", "北门", "3栋楼下", "小广场旁", "公交站边", "菜市场口"))
    form: dict[str, Any] = {
        "kind": plot.matter.kind, "title": title, "text": text, "place": f"{plot.place.name}{spot}",
        "grid": f"{plot.place.id}-1", "category": plot.matter.category, "contact": someone(plot, who),
        "notice_version": plot.notice,
    }  # fmt: skip
    by, draw = ANYBODY, plot.chance.random()
    if plot.matter.kind == "tip_off" and plot.number % 2:
        form["against"] = UNIT["enforcement"]
    elif issue == 0 and plot.matter.kind != "tip_off":
        if draw < 0.18:
            by = "intake1"
            form |= {"source": "12345", "external_id": f"示范-{plot.number:05}"}
        elif draw < 0.26:
            by = f"grid{plot.number % 12 + 1}"
            form |= {"on_behalf": True, "consent": True}
        elif draw < 0.32:
            by = "intake2"
            form |= {"source": "counter", "on_behalf": True, "consent": True}
    return [Turn(after, by, "submit", form | more, issue=issue)]


def cosign(plot: Plot, after: str, who: int, issue: int = 0) -> Turn:
    text = plot.chance.choice(("我家也一样", "我也遇到了", "同感，盼解决", ""))
    return Turn(
        after,
        ANYBODY,
        "cosign",
        {"text": text, "contact": someone(plot, who), "notice_version": plot.notice},
        issue=issue,
    )


def accept_topic(plot: Plot, *, livelihood: bool | None = None, urgency: str = "general") -> list[Turn]:
    form = {"category": plot.matter.category, "urgency": urgency, "grid": plot.grid, "livelihood": livelihood}
    return [Turn("2oh", plot.intake, "accept_topic", form)]


def accept_direct(plot: Plot, issue: int = 0) -> list[Turn]:
    who = "intake4" if plot.matter.kind == "tip_off" else plot.intake
    form = {"unit": plot.unit, "category": plot.matter.category, "grid": plot.grid}
    return [Turn(RHYTHM[plot.pace][0], who, "accept_direct", form, issue=issue)]


def votes(plot: Plot, yes: int = 4, no: int = 0) -> list[Turn]:
    members = [f"panel{number}" for number in range(1, 6)]
    plot.chance.shuffle(members)
    waits = ["5wd", *["0.2oh"] * 4]
    ballots = [True] * yes + [False] * no
    return [
        Turn(wait, who, "vote", {"yes": ballot, "reason": "" if ballot else "条件还不成熟。"})
        for wait, who, ballot in zip(waits, members, ballots, strict=False)
    ]


def gates(how_many: int = 3) -> list[Turn]:
    comments = ("同意，实施条件具备。", "同意。", "同意列入为民办实事清单。")
    return [
        Turn("2oh", f"gate{n}", "sign_gate", {"agree": True, "comment": comments[n - 1]})
        for n in range(1, how_many + 1)
    ]


def publish() -> list[Turn]:
    return [Turn("1oh", "panel1", "publish", {"snapshot": {}, "reason": "群众反映集中，条件成熟。"})]


def chosen(plot: Plot, *, livelihood: bool = False) -> list[Turn]:
    """From the first message to the claim board."""
    signed = gates() if livelihood else []
    return [*submit(plot), *accept_topic(plot, livelihood=livelihood or None), *votes(plot), *signed, *publish()]


def claim(plot: Plot, after: str = "1wd") -> list[Turn]:
    return [Turn(after, plot.leader, "claim", {"goal": plot.matter.goal, "date": In(70), "lead_unit": plot.unit})]


def plan(plot: Plot, assisting: tuple[str, ...] = ()) -> list[Turn]:
    form = {
        "goal": plot.matter.goal, "lead_unit": plot.unit, "assisting": assisting, "due": In(50),
        "milestones": [{"title": "现场踏勘并确定做法", "due": In(15)}, {"title": "完工并自查", "due": In(45)}],
    }  # fmt: skip
    return [Turn("1wd", plot.leader, "approve_plan", form)]


def begin(plot: Plot, issue: int = 0) -> list[Turn]:
    """The unit signs and reaches the person."""
    _, sign, contact, *_ = RHYTHM[plot.pace]
    method = plot.chance.choice(("phone", "phone", "visit"))
    told = plot.chance.choice(
        ("已电话联系，约定时间上门查看。", "已联系到本人，核实了地点和情况。", "当面听取了意见。")
    )
    return [
        Turn(sign, plot.officer, "sign", issue=issue),
        Turn(contact, plot.officer, "contact", {"method": method, "result": told}, issue=issue),
    ]


def progress(plot: Plot, after: str, text: str) -> Turn:
    return Turn(after, plot.officer, "progress", {"text": text, "public": True})


def milestones(plot: Plot) -> list[Turn]:
    return [
        Turn("5wd", plot.officer, "milestone", {"number": 1, "evidence": "踏勘记录和做法说明已存档。"}),
        progress(plot, "5wd", "材料已到场，按计划推进。"),
        Turn("8wd", plot.officer, "milestone", {"number": 2, "evidence": "完工自查表已签字。"}),
    ]


def result(plot: Plot, word: str = "solved", after: str = "", issue: int = 0) -> list[Turn]:
    """A photo, the reply, and the head's consent; the reply is told to the person."""
    _, _, _, _, done, consent = RHYTHM[plot.pace]
    reply = plot.matter.reply if word != "explained" else "经核实，现有规定和条件暂不支持，原因已当面说明。"
    form = {"word": word, "reply": reply, "evidence": "办理记录", "told": True}
    officer = plot.officer
    return [
        Turn(after or done, officer, "attach", {"files": [Photo("完工照片.jpg")], "note": "完工照片"}, issue=issue),
        Turn("0.1h", officer, "submit_result", form, issue=issue),
        Turn(consent, plot.head, "grant", {"reason": "情况属实，同意反馈。"}, issue=issue),
    ]


def direct(plot: Plot) -> list[Turn]:
    """From the message to the unit's result, without a panel."""
    middle = RHYTHM[plot.pace][3]
    return [*submit(plot), *accept_direct(plot), *begin(plot), progress(plot, middle, "已安排人员现场处理。")]


def passed(plot: Plot, after: str = "6oh") -> list[Turn]:
    form = {"method": "on_site", "note": "现场查看，与反馈一致。"}
    return [Turn(after, plot.inspector, "pass_check", form, at=Step.SUPERVISE)]


def rated(level: int = 5, after: str = "20h", voice: int | None = None, solved: str = "", **more: Any) -> Turn:
    """By the proposer's secret, or by the token in a voice's letter."""
    who = PROPOSER if voice is None else f"voice:{voice}"
    form = {"level": level, "contacted": True, "solved": solved or ("yes" if level > 2 else "no")}
    return Turn(after, who, "rate", form | more, at=Step.EVALUATE)


def other_unit(plot: Plot) -> str:
    """A department that is not the story's own."""
    return UNIT["urban"] if plot.unit != UNIT["urban"] else UNIT["enforcement"]
