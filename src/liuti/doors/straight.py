"""The short way to a move: its address is looked up, where the typed routes would be tried one after the other.

The typed routes of `moves` say what a move asks and who may make it, and the documents are made from them; sixty
patterns tried twice a request cost as much as the move's own work. Both end in `moves.act`.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from liuti.doors import moves
from liuti.flow.table import FLOW

PREFIX = ["", "api", "v1", "issues"]


class Straight(BaseRoute):
    """POST /api/v1/issues/{issue}/{move} for every move that has a route; leaves all else to the routes after it."""

    def __init__(self) -> None:
        answers = {"grant", "deny"}
        self.moves = answers | {move.name for move in FLOW.moves.values() if moves.routed(move) and move.at}

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if scope["type"] == "http" and scope["method"] == "POST":
            parts = scope["path"].removeprefix(scope.get("root_path", "")).split("/")
            if len(parts) == 6 and parts[5] in self.moves and parts[4] and parts[:4] == PREFIX:
                return Match.FULL, {"path_params": {"issue": parts[4], "move": parts[5]}}
        return Match.NONE, {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        answer = await moves.act(request, request.path_params["move"], request.path_params["issue"])
        await answer(scope, receive, send)
