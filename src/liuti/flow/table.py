"""The agreed table, put together from the step files and inspected once."""

from liuti.flow import anywhere, asks, claim, evaluate, merging, propose, select, solve, supervise, weigh
from liuti.flow.machine import Flow

FLOW = Flow(
    sorted(
        (
            m
            for room in (propose, merging, select, weigh, claim, solve, asks, supervise, evaluate, anywhere)
            for m in room.MOVES
        ),
        key=lambda move: move.row,
    )
)
