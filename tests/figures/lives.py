"""Issues that live through a year by the flow's own decisions, drawn from a seed, with every state they passed through."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec import json

from liuti.figures.cases import Rating
from liuti.figures.past import Entry, Past, Rated, past
from liuti.flow.issue import Issue
from liuti.flow.kernel import Refused
from liuti.flow.words import Step
from liuti.store import ledger
from tests.flow.cast import LEAD, RIGHT, Story, good

YEAR = datetime(2026, 1, 5, 2, 0, tzinfo=UTC)
Row = dict[str, Any]


@dataclass
class Told:
    """One issue's rows as a database has them; `states`: the issue after each entry, as far as that is known."""

    rows: list[Row] = field(default_factory=list)
    states: list[Issue] = field(default_factory=list)
    ratings: list[Row] = field(default_factory=list)
    voices: list[tuple[datetime, datetime | None]] = field(default_factory=list)


@dataclass
class Life(Told):
    """A story with the rows it would have left."""

    story: Story = field(default_factory=Story)

    @property
    def entries(self) -> list[Entry]:
        return [entry_of(row) for row in self.rows]

    def past(self, at: datetime, state: Issue | None = None, known: int | None = None) -> Past:
        """As it stood then, told from the last state, or from `state` with only the first `known` entries."""
        entries = self.entries if known is None else self.entries[:known]
        return past(state or self.story.issue, at, entries, [rated(row) for row in self.ratings], self.voices)

    def state_at(self, at: datetime) -> Issue | None:
        return next((s for s, r in zip(reversed(self.states), reversed(self.rows), strict=True) if r["at"] <= at), None)


def entry_of(row: Mapping[str, Any]) -> Entry:
    return Entry(
        row["move"], row["unit"], row["from_step"], row["to_step"], row["at"], row["awaits"], json.decode(row["facts"])
    )


def rated(row: Row) -> Rated:
    said = Rating(row["voice_id"], row["round"], row["level"], row["solved"] or "", row["contacted"], row["channel"])
    return Rated(said, row["at"])


def told(story: Story) -> Life:
    """The rows that story would have left."""
    life, head = Life(story=story), ""
    for decision in story.trail:
        row = ledger.row_of(decision, head, "sha256")
        head = row["seal"]
        life.rows.append(row)
        life.states.append(copy(decision.issue))
        for beside in decision.rows:
            if beside.table == "ratings":
                life.ratings.append(dict(beside.values))
            elif beside.table == "voices":
                life.voices.append((decision.at, None))
    return life


# Who may try what, where the issue stands; what is refused is not done. Often: more often than once a line.
TRIES: dict[Step, Sequence[tuple[str, str]]] = {
    Step.PROPOSE: (
        *3 * (("intake_2", "accept_direct"),), *3 * (("intake_2", "accept_topic"),), ("intake_2", "ask_supplement"),
        ("intake_2", "reject"), ("voice", "cosign"),
    ),
    Step.SUPPLEMENT: (("proposer", "supply"), ("proposer", "supply"), ("clock", "wait")),
    Step.SELECT: (
        ("panel_1", "vote"), ("panel_2", "vote"), ("panel_3", "vote"), *3 * (("panel_1", "publish"),),
        ("panel_1", "reserve"), ("panel_1", "explain"), ("panel_1", "divert"),
    ),
    Step.CLAIM: (("its_leader", "claim"), ("its_leader", "claim"), ("leader_2", "claim"), ("clock", "wait")),
    Step.SOLVE: (
        *2 * (("its_leader", "approve_plan"), ("officer_lead", "sign"), ("officer_lead", "contact")),
        ("officer_right", "sign"), ("officer_right", "contact"), ("officer_assist", "sign"), ("officer_lead", "milestone"),
        ("officer_lead", "milestone"), ("head_lead", "extend"), ("its_leader", "suspend"), ("head_lead", "send_back"),
        ("head_lead", "terminate"), *2 * (("head_lead", "submit_result"), ("head_right", "submit_result")),
        ("inspector", "order"), ("head_lead", "respond"), ("intake_2", "reclassify"), ("officer_lead", "try_contact"),
    ),
    Step.SUPERVISE: (*3 * (("inspector_2", "pass_check"),), ("inspector_2", "fail_check")),
    Step.EVALUATE: (("proposer", "rate"), ("voice", "rate"), ("proposer", "bad"), ("head_lead", "exclude")),
    Step.SUSPENDED: (("officer_lead", "resume"), ("clock", "wait")),
    Step.CLOSED: (("inspector_2", "reopen"), ("clock", "wait"), ("proposer", "rate"), ("head_lead", "exclude"), ("clock", "wait")),
    Step.REJECTED: (("inspector_2", "reopen"), ("clock", "wait")),
}  # fmt: skip
ANSWERS = (
    "intake",
    "head_lead",
    "head_right",
    "inspector_2",
    "intake_2",
    "its_leader",
    "panel_2",
    "team_2",
    "leader_2",
)


def life(seed: int) -> Life:
    """One issue for at most a year, or until it rests."""
    draw = random.Random(seed)
    story = Story(now=YEAR + timedelta(hours=draw.uniform(0, 5000)), issue=Issue(f"i-{seed}"))
    changes = {"kind": draw.choice(("help", "complaint", "consult")), "wants_contact": draw.random() < 0.9}
    story.act("stranger", "submit", good(story, "submit") | changes)
    for _ in range(draw.randrange(3)):
        story.act("stranger", "cosign")
    for _ in range(draw.randrange(10, 45)):
        if story.issue.step not in TRIES:
            break
        story.wait(hours=draw.choice((0.2, 0.5, 1, 3, 10, 24, 60, 200)))
        _try(story, draw)
        _answer(story, draw)
    story.wait(days=draw.choice((1, 20, 60)))
    return told(story)


def _try(story: Story, draw: random.Random) -> None:
    if story.issue.step not in TRIES:
        return
    who, move = draw.choice(TRIES[story.issue.step])
    with contextlib.suppress(Refused):
        _act(story, draw, who, move)


def _act(story: Story, draw: random.Random, who: str, move: str) -> None:
    if move == "wait":
        story.wait(days=3)
    elif move == "cosign":
        story.act("stranger", "cosign")
    elif move == "bad":
        story.act(who, "rate", {"level": draw.choice((1, 2)), "solved": "no", "reason": "没修"})
    elif move == "rate":
        said = {"level": draw.randrange(1, 6), "contacted": draw.choice((True, False, None))}
        story.act(who, "rate", said | {"solved": draw.choice(("yes", "partly", "no", None))})
    elif move == "try_contact":
        story.act(who, "contact", {"method": "phone", "reached": False, "result": "无人接听。"})
    elif move == "reclassify":
        story.act(who, move, {"category": draw.choice(("roads", "noise"))} | _haste(draw) | {"reason": "更正。"})
    elif move == "reject" and draw.random() < 0.5:
        story.act(who, move, {"route": "settled", "earlier": "i-0", "reason": "已办结,无新情况。"})
    elif move == "order":
        story.act(who, move, {"to": f"unit:{draw.choice((LEAD, RIGHT))}", "text": "请书面说明。"})
    else:
        story.act(who, move)


def _haste(draw: random.Random) -> Row:
    return {"urgency": draw.choice(("basic", "general", "complex"))} if draw.random() < 0.5 else {}


def _answer(story: Story, draw: random.Random) -> None:
    """Somebody answers what waits, mostly with a yes."""
    for _ in range(3):
        if not story.issue.asks or not story.issue.asks[-1].open or draw.random() < 0.2:
            return
        for who in ANSWERS:
            try:
                story.answer(who, "grant" if draw.random() < 0.8 else "deny")
                break
            except Refused:
                continue
