"""Readings of the supervision boards: what is late, asked for, ordered, to be verified or phoned, and who stands out (docs/rules.md §5, §8)."""

from liuti.store.boards.asking import Asked, requests
from liuti.store.boards.lateness import Late, alarm, alarms, late, late_counts, worst
from liuti.store.boards.ordering import Ordered, orders, state_of
from liuti.store.boards.outlying import MEASURE, OUTLYING, Tally, outliers
from liuti.store.boards.pages import WATCHERS, Board
from liuti.store.boards.passing import Rechecked, Struck, rechecks, struck_off
from liuti.store.boards.stories import Story, stories, told
from liuti.store.boards.waiting import at_step, unrated

__all__ = [
    "MEASURE", "OUTLYING", "WATCHERS", "Asked", "Board", "Late", "Ordered", "Rechecked", "Story", "Struck", "Tally", "alarm", "alarms", "at_step", "late",
    "late_counts", "orders", "outliers", "rechecks", "requests", "state_of", "stories", "struck_off", "told", "unrated", "worst",
]  # fmt: skip
