"""The selection score: households behind a matter, sixteen factors to one total with reasons, and its replay."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby

import msgspec

from liuti.rank.factors import CRITERIA, FACTORS, Crowd, Factor, Origin, Subject, judged

FORMULA = 1  # raised with any change of a factor's rule; the old rule then stays in FORMULAS under its number
UNKNOWN_MOST = 30.0
POINT_DIGITS = 4  # of a factor's points
TOTAL_DIGITS = 2  # of a sub-score, and so of the total, which is the sum of the four as shown
REASONS = 3


class FormulaError(ValueError):
    """A snapshot was made by a formula this version of the software does not have."""


class Voice(msgspec.Struct, frozen=True, kw_only=True):
    """One person's word for a matter. ``household`` empty: stands alone, unverified. ``text_digest``: the same for
    texts that are nearly the same, empty for a co-signature without words."""

    account: str
    at: datetime
    household: str = ""
    verified: bool = False
    staff: bool = False
    text_digest: str = ""

    @property
    def home(self) -> str:
        return f"h:{self.household}" if self.household else f"a:{self.account}"

    @property
    def proven(self) -> bool:
        return self.verified and bool(self.household)


class Watch(msgspec.Struct, frozen=True, kw_only=True):
    """When copies and bursts are flagged (the policy's score.same_text_accounts and same_text_hours; a burst is this
    many households new within so many hours, whatever they wrote)."""

    same_text_accounts: int = 5
    same_text_hours: int = 24
    burst_households: int = 20
    burst_hours: int = 24


def households(
    voices: Iterable[Voice],
    as_of: datetime,
    cleared: Collection[str] = (),
    reviewed: datetime | None = None,
    watch: Watch = Watch(),  # noqa: B008 -- frozen
) -> Crowd:
    """Counts whom a matter comes from, as the score may count them (docs/rules.md §6, against gaming).

    Staff accounts weigh nothing; accounts of a household are one; a text seen from ``same_text_accounts`` accounts
    within ``same_text_hours`` makes its households one until its digest is among ``cleared``. Households of such a
    text or of a burst stay out of ``recent`` (the last 30 days) and ``before`` (the 90 before) until a person has
    looked: a burst up to ``reviewed`` is free. A household counts there from its first word on. What is later
    than ``as_of`` is not seen. The order of ``voices`` does not matter.
    """
    seen = sorted((v for v in voices if v.at <= as_of), key=lambda v: (v.at, v.account))
    people = [v for v in seen if not v.staff]
    flagged = _copied(people, watch) - set(cleared)
    proven = {v.home for v in people if v.proven}
    own = {v.home for v in people if v.text_digest not in flagged}
    copies = [{v.home for v in people if v.text_digest == text} - own for text in sorted(flagged)]
    counted = [*({home} for home in own), *_joined(copies)]
    verified = sum(1 for homes in counted if homes & proven)
    first: dict[str, datetime] = {}
    for voice in people:
        first.setdefault(voice.home, voice.at)
    burst = _burst(first, reviewed, watch)
    moments = [at for home, at in first.items() if home in own and home not in burst]
    month, quarter = as_of - timedelta(days=30), as_of - timedelta(days=120)
    return Crowd(
        verified=verified, unverified=len(counted) - verified,
        recent=sum(month < at for at in moments), before=sum(quarter < at <= month for at in moments),
        voices=len(seen), accounts=len({v.account for v in seen}), staff=len(seen) - len(people),
        households=len(first), held_back=len(first) - len(moments), same_text=tuple(sorted(flagged)),
        burst=bool(burst),
    )  # fmt: skip


def _copied(people: Sequence[Voice], watch: Watch) -> set[str]:
    """The texts that came from enough accounts within the hours."""
    span, found = timedelta(hours=watch.same_text_hours), set()
    for text, group in groupby(sorted(people, key=lambda v: (v.text_digest, v.at)), key=lambda v: v.text_digest):
        same = list(group)
        start = 0
        for end, voice in enumerate(same):
            while voice.at - same[start].at > span:
                start += 1
            # Fewer voices than accounts asked for cannot be enough, so the set is made only where it may tell.
            if text and end - start + 1 >= watch.same_text_accounts:
                accounts = {v.account for v in same[start : end + 1]}
                if len(accounts) >= watch.same_text_accounts:
                    found.add(text)
                    break
    return found


def _joined(groups: Iterable[set[str]]) -> list[set[str]]:
    """Groups that share a household are one group."""
    apart: list[set[str]] = []
    for group in groups:
        touching = [one for one in apart if one & group]
        if group:
            apart = [one for one in apart if not one & group] + [group.union(*touching)]
    return apart


def _burst(first: Mapping[str, datetime], reviewed: datetime | None, watch: Watch) -> set[str]:
    """The households that came, since the last review, within too few hours of too many others."""
    span = timedelta(hours=watch.burst_hours)
    order = sorted((at, home) for home, at in first.items() if reviewed is None or at > reviewed)
    found: set[str] = set()
    start = done = 0
    for end, (at, _) in enumerate(order):
        while at - order[start][0] > span:
            start += 1
        if end - start + 1 >= watch.burst_households:
            found.update(home for _, home in order[max(start, done) : end + 1])
            done = end + 1
    return found


class Reason(msgspec.Struct, frozen=True):
    factor: str
    zh: str
    en: str


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """A total of 0 to 100 with all it was made of. ``version`` is the policy's, ``formula`` the rules'."""

    id: str
    title: str
    first_proposed: datetime
    formula: int
    version: int
    total: float
    subs: dict[str, float]
    unknown_weight: float
    unknown_most: float
    recommendable: bool
    strongest: tuple[Reason, ...]
    weakest: tuple[Reason, ...]
    factors: tuple[Factor, ...]

    def value(self, factor: str) -> float:
        return next(one.value for one in self.factors if one.name == factor)


def score(subject: Subject, weights: Mapping[str, float], version: int, unknown_most: float = UNKNOWN_MOST) -> Score:
    """The score under these weights of the sixteen, which add up to 100; ValueError if they do not."""
    _check(weights)
    return _weighed(subject, judged(subject), weights, version, unknown_most, FORMULA)


def _check(weights: Mapping[str, float]) -> None:
    if set(weights) != set(FACTORS):
        raise ValueError(f"weights are for {sorted(FACTORS)}, not {sorted(weights)}")
    if not all(math.isfinite(w) and w >= 0 for w in weights.values()) or abs(sum(weights.values()) - 100) > 1e-9:
        raise ValueError("weights are 0 or more and add up to 100")


def _weighed(
    subject: Subject, found: Iterable[Factor], weights: Mapping[str, float], version: int, most: float, formula: int
) -> Score:
    factors = tuple(
        msgspec.structs.replace(one, weight=float(weights[one.name]), points=_points(one.value, weights[one.name]))
        for one in found
    )
    points = {one.name: one.points for one in factors}
    subs = {name: round(math.fsum(points[one] for one in of), TOTAL_DIGITS) for name, of in CRITERIA.items()}
    unknown = round(math.fsum(one.weight for one in factors if one.origin is Origin.UNKNOWN), TOTAL_DIGITS)
    strongest, weakest = _reasons(factors)
    return Score(
        id=subject.id, title=subject.title, first_proposed=subject.first_proposed, formula=formula, version=version,
        total=round(math.fsum(subs.values()), TOTAL_DIGITS), subs=subs, unknown_weight=unknown, unknown_most=most,
        recommendable=unknown <= most, strongest=strongest, weakest=weakest, factors=factors,
    )  # fmt: skip


def _points(value: float, weight: float) -> float:
    return round(value * weight, POINT_DIGITS)


def _reasons(factors: Sequence[Factor]) -> tuple[tuple[Reason, ...], tuple[Reason, ...]]:
    """For: the most points among what is known. Against: the most points lost among the rest, the unknown included."""
    known = [one for one in factors if one.origin is not Origin.UNKNOWN and one.points > 0]
    best = sorted(known, key=lambda one: -one.points)[:REASONS]
    rest = [one for one in factors if one not in best and one.points < one.weight]
    worst = sorted(rest, key=lambda one: one.points - one.weight)[:REASONS]
    return _told(best), _told(worst)


def _told(factors: Iterable[Factor]) -> tuple[Reason, ...]:
    return tuple(Reason(one.name, one.zh, one.en) for one in factors)


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """What a round freezes of one matter: enough to compute its score again at any later time."""

    formula: int
    version: int
    unknown_most: float
    weights: dict[str, float]
    subject: Subject


class _Formula(msgspec.Struct):
    formula: int


def freeze(subject: Subject, weights: Mapping[str, float], version: int, unknown_most: float = UNKNOWN_MOST) -> bytes:
    """The snapshot as JSON, the same bytes for the same inputs."""
    _check(weights)
    snapshot = Snapshot(
        formula=FORMULA, version=version, unknown_most=unknown_most, weights=dict(weights), subject=subject
    )
    return msgspec.json.encode(snapshot, order="sorted")


def replay(frozen: bytes) -> Score:
    """The score as it was: by the weights and the formula in the snapshot, whatever is in force today. FormulaError
    for a formula that is not in FORMULAS, msgspec.ValidationError for what is no snapshot."""
    formula = msgspec.json.decode(frozen, type=_Formula).formula
    if formula not in FORMULAS:
        have = ", ".join(map(str, sorted(FORMULAS)))
        raise FormulaError(f"the snapshot was made by formula {formula}; this version has {have}")
    return FORMULAS[formula](frozen)


def weights_of(frozen: bytes) -> dict[str, float]:
    """The weights a snapshot was frozen with."""
    return msgspec.json.decode(frozen, type=Snapshot).weights


def reweighed(frozen: bytes, weights: Mapping[str, float]) -> Score:
    """The score as it would be under other weights, all else as it was frozen: to look at, never to keep. ValueError
    where the weights do not add up to 100."""
    _check(weights)
    kept = msgspec.json.decode(frozen, type=Snapshot)
    return replay(msgspec.json.encode(msgspec.structs.replace(kept, weights=dict(weights))))


def _first(frozen: bytes) -> Score:
    kept = msgspec.json.decode(frozen, type=Snapshot)
    return _weighed(kept.subject, judged(kept.subject), kept.weights, kept.version, kept.unknown_most, formula=1)


FORMULAS: dict[int, Callable[[bytes], Score]] = {1: _first}
