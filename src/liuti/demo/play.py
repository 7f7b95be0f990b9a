"""The stage: turns are played through the desk at their own times, and between them time strikes and letters leave."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from hashlib import sha256 as digest
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace
from PIL import Image, ImageDraw

from liuti.demo.district import District
from liuti.demo.spread import Scene
from liuti.demo.turns import ANYBODY, PROPOSER, Heard, In, Later, Ordered, Other, Photo, Turn
from liuti.flow.issue import Issue
from liuti.flow.kernel import ANYONE, Actor, Refused
from liuti.flow.words import Clock
from liuti.store import outbox, passes, read
from liuti.store.act import Desk
from liuti.store.ids import uuid7

if TYPE_CHECKING:
    from sqlalchemy import Connection

POSTMAN = "demo"
BATCH = 60
MOVES_TWO = frozenset({"merge", "unmerge"})


class Stage:
    """Holds which issue a story's number stands for, and when time acts next on each."""

    def __init__(self, desk: Desk, district: District, pictures: Sequence[dict[str, Any]]) -> None:
        self.desk, self.district, self.pictures = desk, district, pictures
        self.zone = desk.world().calendar.zone
        self.ids: dict[tuple[int, int], str] = {}
        self.due: dict[str, datetime] = {}
        self.moves = self.strikes = self.photos = 0

    async def play(self, scenes: Sequence[Scene], until: datetime, shown: Callable[[int], object]) -> None:
        """All scenes, some at a time in one transaction; then time runs on to `until`. `shown` counts the scenes."""
        for first in range(0, len(scenes), BATCH):
            some = scenes[first : first + BATCH]
            await self.desk.engine.write(partial(self._play, scenes=some))
            shown(len(some))
        await self.desk.engine.write(lambda conn: self._strike(conn, until))
        await self.desk.engine.write(lambda conn: self._deliver(conn, until))

    def _play(self, conn: Connection, scenes: Sequence[Scene]) -> None:
        for scene in scenes:
            self._strike(conn, scene.at)
            self._turn(conn, scene)
        self._deliver(conn, scenes[-1].at)

    def _turn(self, conn: Connection, scene: Scene) -> None:
        turn, story, at = scene.turn, scene.story, scene.at
        issue = self.ids.get((story, turn.issue), "")
        if turn.at is not None and self._read(conn, issue).step is not turn.at:
            return
        form = self._filled(conn, turn.form, scene)
        try:
            receipt = self.desk.act_now(conn, self._actor(conn, turn, issue), turn.move, form, issue, at)
        except Refused as refused:
            refused.add_note(f"story {story}: {turn.who} {turn.move} at {at:%Y-%m-%d %H:%M}Z: {refused.en}")
            raise
        self.moves += 1
        self.ids[story, turn.issue] = receipt.issue
        self._note(receipt.issue, receipt.due_at)
        if turn.move in MOVES_TWO:
            for number, other in self.ids.items():
                if number[0] == story:
                    self._note(other, self._read(conn, other).due_at)

    def _actor(self, conn: Connection, turn: Turn, issue: str) -> Actor:
        if turn.who == ANYBODY:
            return ANYONE
        if turn.who != PROPOSER and not turn.who.startswith("voice:"):
            return self.district.people[turn.who].actor
        now = self._read(conn, issue)
        if turn.who == PROPOSER:
            return self._voice(conn, now.proposer)
        voice = self._voice(conn, read.voices_of(conn, now)[int(turn.who.removeprefix("voice:"))]["id"])
        return replace(voice, rating=now.verdict.round)

    @staticmethod
    def _voice(conn: Connection, voice: str) -> Actor:
        found = passes.voice_actor(conn, voice)
        assert found is not None
        return found

    def _filled(self, conn: Connection, form: Any, scene: Scene) -> Any:
        """The form with its dates, ids and pictures put in."""
        if isinstance(form, dict):
            return {name: self._filled(conn, value, scene) for name, value in form.items() if value is not None}
        if isinstance(form, (list, tuple)):
            return [self._filled(conn, value, scene) for value in form]
        return self._put(conn, form, scene)

    def _put(self, conn: Connection, wanted: Any, scene: Scene) -> Any:
        if isinstance(wanted, In):
            return self._day(scene.at + timedelta(days=wanted.days))
        if isinstance(wanted, Other):
            return self.ids[scene.story, wanted.issue]
        if isinstance(wanted, Photo):
            self.photos += 1
            picture = self.pictures[self.photos % len(self.pictures)]
            return picture | {"id": uuid7(scene.at), "name": wanted.name}
        if isinstance(wanted, (Heard, Later, Ordered)):
            return self._known(conn, wanted, self._read(conn, self.ids[scene.story, scene.turn.issue]))
        return wanted

    def _known(self, conn: Connection, wanted: Heard | Later | Ordered, issue: Issue) -> str | int:
        """What only the issue itself can say."""
        if isinstance(wanted, Heard):
            return str(read.voices_of(conn, issue)[wanted.voice]["id"])
        if isinstance(wanted, Ordered):
            return max(order.id for order in issue.orders if order.signed)
        timer = issue.timer(Clock.SOLVE)
        assert timer is not None
        return self._day(timer.due + timedelta(days=wanted.days))

    def _day(self, at: datetime) -> str:
        return at.astimezone(self.zone).date().isoformat()

    # -- between the turns -----------------------------------------------------------------------------------------

    def _strike(self, conn: Connection, until: datetime) -> None:
        """Time acts on each issue a few seconds after it is due, as a worker's sweep would."""
        while self.due:
            issue = min(self.due, key=self.due.__getitem__)
            if self.due[issue] > until:
                return
            at = min(self.due[issue] + timedelta(seconds=5), until)
            self.strikes += self.desk.strike(conn, [issue], at)
            self._note(issue, self._read(conn, issue).due_at)

    def _deliver(self, conn: Connection, now: datetime) -> None:
        """What was written in the past has long been delivered: a worker that starts must not send it all again."""
        while letters := outbox.take(conn, POSTMAN, now, 500):
            for letter in letters:
                outbox.sent(conn, letter["id"], POSTMAN, letter["at"])

    def _note(self, issue: str, due: datetime | None) -> None:
        if due is None:
            self.due.pop(issue, None)
        else:
            self.due[issue] = due

    @staticmethod
    def _read(conn: Connection, issue: str) -> Issue:
        found = read.find(conn, issue)
        assert found is not None
        return found.issue


def draw_pictures(folder: Path) -> list[dict[str, Any]]:
    """A few plain drawings to stand for photos, kept where the doors look for files; what a form says of each."""
    found = []
    for sky, ground in (("#9ec5e8", "#7a7a72"), ("#26324a", "#3a3a38"), ("#c9d6cf", "#6d7f5a")):
        image = Image.new("RGB", (640, 420), sky)
        pen = ImageDraw.Draw(image)
        pen.rectangle((0, 300, 640, 420), fill=ground)
        pen.rectangle((310, 90, 322, 320), fill="#555555")
        pen.ellipse((284, 60, 348, 110), fill="#ffe9a8")
        body = BytesIO()
        image.save(body, "JPEG", quality=80)
        # Kept by the digest of their bytes, as every upload is.
        sha256 = digest(body.getvalue()).hexdigest()
        path = folder / sha256[:2] / sha256
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body.getvalue())
        found.append({"media_type": "image/jpeg", "size": len(body.getvalue()), "sha256": sha256})
    return found
