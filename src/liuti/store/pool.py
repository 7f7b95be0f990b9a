"""How busy an engine is, in three numbers."""

from __future__ import annotations

from typing import NamedTuple


class Pool(NamedTuple):
    """The database connections of this process; of SQLite its readers, and the queue of its one writer."""

    most: int
    in_use: int
    waiting: int
    """Work that has been accepted and has no connection yet."""
