"""The few numbers a simulated year is drawn from: what was fitted to real requests, and what was only assumed."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

# -- fitted --------------------------------------------------------------------------------------------------------
# By `python -m simulate.fit` from 59,921 requests of three cities. Arrivals are relative to a mean of 1: the hours of
# the two sets that people write into around the clock, the weekdays of the two that cover whole weeks, the months of
# the one that covers a whole year. Durations are lognormal, by the 10 %, 50 % and 90 % quantiles of hours from the
# request to its end, over the categories with 30 requests or more whose median lies below a day, below five, above.

HOURS = (
    0.63, 0.53, 0.30, 0.26, 0.20, 0.20, 0.32, 0.69, 1.16, 1.67, 1.72, 1.82,
    1.69, 1.63, 1.71, 1.54, 1.51, 1.23, 1.14, 1.04, 0.87, 0.81, 0.69, 0.63,
)  # fmt: skip
WEEKDAYS = (1.31, 1.21, 1.19, 1.08, 0.99, 0.59, 0.63)
MONTHS = (1.05, 0.80, 0.81, 0.89, 0.95, 1.08, 1.30, 1.24, 0.94, 0.97, 0.96, 1.02)


@dataclass(frozen=True, slots=True)
class Lognormal:
    """Hours: half of all take less than `median`."""

    median: float
    sigma: float

    def draw(self, chance: random.Random, pace: float = 1.0) -> float:
        return self.median * pace * math.exp(chance.gauss(0.0, self.sigma))


WORK = {"quick": Lognormal(2.9, 1.60), "usual": Lognormal(70.6, 0.98), "slow": Lognormal(493.3, 1.47)}
"""From the dispatch to the result, by kind of matter."""

# -- assumed -------------------------------------------------------------------------------------------------------
# No source says these; they are set so that every move of the table is made, most of them in time and some of them late.

REST_DAY = 0.55
"""How many write on a holiday, against the same weekday when it is worked."""
TRIAGE = {"urgent": Lognormal(0.3, 0.7), "basic": Lognormal(0.6, 0.7), "other": Lognormal(4.0, 0.9)}
"""Hours on the wall: somebody is on duty at intake at any hour."""
# Office hours, before the unit's own pace.
SIGN, CONTACT, HEAD, RESPOND = Lognormal(0.25, 0.7), Lognormal(2.2, 0.8), Lognormal(1.0, 0.8), Lognormal(5.0, 0.9)
AGAIN = Lognormal(7.0, 0.7)
CHECK, RULE, SETTLE, APPEAL = Lognormal(6.0, 0.9), Lognormal(3.0, 0.9), Lognormal(8.0, 0.8), Lognormal(45.0, 0.8)
ANSWERED = {"unit_head": HEAD, "ruling": RULE, "inspector": RULE, "team": APPEAL, "exclusion_team": CHECK}
"""By whom a request waits for."""
CLAIM, PLAN, DESIGNATE = Lognormal(8.0, 0.8), Lognormal(9.0, 0.8), Lognormal(5.0, 0.8)
# Hours on the wall.
SUPPLY, RATE, WITHDRAW, COSIGN = Lognormal(40.0, 1.0), Lognormal(30.0, 1.1), Lognormal(30.0, 1.0), Lognormal(20.0, 1.2)
URGENT = {"sign": Lognormal(0.2, 0.6), "contact": Lognormal(0.4, 0.6), "work": Lognormal(0.9, 0.7)}

CHANCES = {
    "hotline": 0.25, "counter": 0.08, "grid_worker": 0.08, "no_contact": 0.05, "danger": 0.02,
    "topic": 0.06, "consult": 0.14, "praise": 0.02, "tip_off": 0.01, "complex": 0.08,
    "reject": 0.05, "second": 0.25, "supplement": 0.05, "supplies": 0.75, "merge": 0.03, "unmerge": 0.05,
    "withdraw": 0.02, "cosign": 0.10, "urge": 0.05, "reclassify": 0.02,
    "send_back": 0.03, "ruled": 0.6, "add_unit": 0.03, "progress": 0.25, "not_reached": 0.06, "extend": 0.35, "suspend": 0.01,
    "terminate": 0.008, "explained": 0.05, "partly": 0.05, "head_denies": 0.03, "order": 0.8, "respond": 0.85, "settle": 0.9,
    "livelihood": 0.15, "reserve": 0.12, "explain": 0.06, "divert": 0.15, "recall": 0.02, "claims": 0.75, "conflict": 0.02,
    "handover": 0.02, "assisting": 0.25, "topic_suspend": 0.08, "waive": 0.05, "adjust": 0.04,
    "rates": 0.45, "voice_rates": 0.3, "called": 0.93, "answers": 0.5, "reason": 0.7,
    "exclude": 0.01, "appeal": 0.02, "appeal_unhappy": 0.15, "upheld": 0.25, "reopen": 0.006,
    "resumes": 0.5, "renews": 0.1,
}  # fmt: skip
"""How likely each turn is, where it is open at all."""

PACES = (0.55, 0.75, 0.9, 1.0, 1.0, 1.15, 1.4, 1.9)
"""How fast units are against each other: dealt out among them."""
CARES = (0.98, 0.95, 0.93, 0.9, 0.86, 0.8, 0.7)
"""How likely a unit's work is good: it passes the check, and people like it."""
