"""The ranking of a file: its topics as matters, scored by the same rules as those in the database (docs/rules.md §6)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from liuti.policy import Policy
from liuti.rank import words
from liuti.rank.agreed import Given, agreed
from liuti.rank.categories import Model
from liuti.rank.factors import Category, Subject
from liuti.rank.score import Score, Voice, Watch, households, score
from liuti.report import Behind, Message, Report
from liuti.selection import Asked, listed
from liuti.selection_files import Found, Progress, Row, Source, find

SURE = 0.5
"""A suggested category counts from this confidence on."""


@dataclass(frozen=True, slots=True)
class Guide:
    """How a file is to be judged. `model` guesses categories, `labels` says which of the policy's each of its labels is;
    `verified`: the users of the file are people somebody knows."""

    policy: Policy
    model: Model | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    verified: bool = False


def rank(given: Source, guide: Guide, asked: Asked, progress: Progress) -> Report:
    """One subject a topic, named by its earliest message, of the category most of them have; each user is a household.

    As of `given.until`; without it as of the latest message, and without any times as of now. The file is read once for
    the topics, once for their categories, once for the words of the earliest, and once more for the messages shown.
    """
    return _Ranking(given, guide, find(given, progress, whole=True)).report(asked, progress)


@dataclass(frozen=True)
class _Ranking:
    given: Source
    guide: Guide
    found: Found
    categories: dict[str, str] = field(default_factory=dict)

    def report(self, asked: Asked, progress: Progress) -> Report:
        def told(ids: Sequence[str]) -> Mapping[str, Behind]:
            return self._told({one: self.matters[int(one)] for one in ids}, progress, texts=asked.texts)

        scores = list(self._scores(progress))
        sizes = {str(n): len(of) for n, of in self.matters.items()}
        return Report(
            source=self.given.path.name, as_of=self.as_of, voices=len(self.found.ids), by_area=self._by_area(),
            notes=self._notes(), **listed(scores, sizes, self.guide.policy, asked, told),
        )  # fmt: skip

    @cached_property
    def as_of(self) -> datetime:
        return self.given.until or max((at for at in self.found.moments if at is not None), default=self.given.now)

    @cached_property
    def matters(self) -> dict[int, list[int]]:
        """The messages of each topic, by its earliest."""
        together: dict[int, list[int]] = defaultdict(list)
        for n, topic in enumerate(self.found.topic):
            together[topic].append(n)
        return {min(of, key=lambda n: (self.found.moments[n] or self.as_of, n)): of for of in together.values()}

    @cached_property
    def communities(self) -> int | None:
        """How many the file tells of; None when it has no column of them."""
        return len(set(self.found.areas) - {""}) or None if "community" in self.given.places else None

    def _scores(self, progress: Progress) -> Iterator[Score]:
        policy = self.guide.policy
        weights, most = policy.score.weights.model_dump(), policy.score.unknown_most
        given = self._given(progress)
        for n, row in enumerate(self.given.rows(progress, "评分 scoring")):
            if n in self.matters:
                yield score(self._subject(n, row, given), weights, policy.version, most)

    def _given(self, progress: Progress) -> Sequence[Given]:
        """The category of each message: what the file says, else what the model is sure of."""
        if "category" not in self.given.places and self.guide.model is None:
            return ()
        return [self._told_of(row) for row in self.given.rows(progress, "分类 sorting")]

    def _told_of(self, row: Row) -> Given:
        model, labels = self.guide.model, self.guide.labels
        if row.category:
            return Given(labels.get(row.category, row.category))
        for best in model.suggest(row.title, row.text, 1) if model is not None else ():
            if best.confidence >= SURE:
                return Given(labels.get(best.category, best.category), best.confidence)
        return Given("")

    def _subject(self, lead: int, row: Row, given: Sequence[Given]) -> Subject:
        # The words are the earliest message's alone, as in the database. With the words of three, four fifths of the large topics
        # could be recommended instead of two fifths, but a topic that mixes two matters then gathers the reasons of both.
        of = self.matters[lead]
        in_time = sorted(of, key=lambda n: (self.found.moments[n] or self.as_of, n))
        category = self._category(agreed(given[n] for n in in_time) if given else None)
        self.categories[str(lead)] = category.zh or category.code if category is not None else ""
        rule = self.guide.policy.score
        watch = Watch(same_text_accounts=rule.same_text_accounts, same_text_hours=rule.same_text_hours)
        touched = len({self.found.areas[n] for n in of} - {""}) or None
        return Subject(
            id=str(lead), title=row.title or row.text[:60], said=words.read(row.title, row.text),
            first_proposed=row.at or self.as_of, as_of=self.as_of, category=category,
            crowd=households([self._voice(n) for n in of], self.as_of, watch=watch),
            communities=touched if self.communities else None, communities_total=self.communities,
        )  # fmt: skip

    def _voice(self, n: int) -> Voice:
        user = self.found.users[n]
        return Voice(
            account=user or f"row {n}", at=self.found.moments[n] or self.as_of, household=user,
            verified=self.guide.verified, text_digest=self.found.digests[n],
        )  # fmt: skip

    def _category(self, found: Given | None) -> Category | None:
        """The policy's row of it; one the policy's table lacks is a name without values."""
        if found is None:
            return None
        label, sure = found
        for code, kept in self.guide.policy.categories.items():
            if label.lower() in (code, kept.zh, kept.en.lower()):
                return Category(
                    code=code, zh=kept.zh, en=kept.en, severity=kept.severity, units=kept.units, remit=kept.remit,
                    money=kept.money, non_exclusive=kept.non_exclusive, guessed=sure is not None, confidence=sure,
                )  # fmt: skip
        return Category(code=label, guessed=sure is not None, confidence=sure)

    def _told(self, shown: Mapping[str, Sequence[int]], progress: Progress, *, texts: bool) -> Mapping[str, Behind]:
        whose = {n: name for name, of in shown.items() for n in of} if texts else {}
        said: dict[str, list[Message]] = defaultdict(list)
        for n, row in enumerate(self.given.rows(progress, "取原文 fetching") if whose else ()):
            if n in whose:
                said[whose[n]].append(Message(str(row.id), row.title, row.text, row.at, self.found.near[n]))
        areas = self.found.areas
        told = {name: Counter(areas[n] for n in of if areas[n]).most_common() for name, of in shown.items()}
        return {name: Behind(len(of), self.categories[name], told[name], said[name]) for name, of in shown.items()}

    def _by_area(self) -> tuple[str, str]:
        if "community" in self.given.places:
            return "按文件中的社区列", "by the file's column of communities"
        return "文件没有社区列,按标题提到的区县", "the file has no communities: by the district a title names"

    def _notes(self) -> list[tuple[str, str]]:
        told = []
        if "user" not in self.given.places:
            told.append(
                ("文件没有用户列,每条留言各算一户。", "No column of users: each message counts as a household.")
            )
        if self.found.late:
            told.append(
                (f"{self.found.late} 条留言的时间无法采信。", f"{self.found.late} messages have a time that is none.")
            )
        return told
