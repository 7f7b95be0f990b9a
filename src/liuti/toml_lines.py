"""Where in a TOML file each key and value stands, so that a fault can be shown at its line."""

from __future__ import annotations

import re
import tomllib

Path = tuple[str | int, ...]

BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
KEY = re.compile(r"[ \t]*(\"(?:[^\"\\]|\\.)*\"|'[^']*'|[A-Za-z0-9_-]+)[ \t]*")
TEXT = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!""))*"{3,5}' + r"|'''.*?'{3,5}" + r'|"(?:[^"\\\n]|\\.)*"' + r"|'[^'\n]*'",
    re.DOTALL,
)
BARE = re.compile(r"[^,\]}#\n]+")


def lines(text: str) -> dict[Path, int]:
    """The line, from 1, of every table, key and value of a file that tomllib has accepted.

    A path is the keys from the top, with the place in the list for what is in one. For others than valid TOML the
    answer is not defined.
    """
    return _Walk(text).found


class _Walk:
    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0
        self.found: dict[Path, int] = {(): 1}
        self._counts: dict[Path, int] = {}
        self._seen, self._line = 0, 1
        here: Path = ()
        while self._skip():
            if text.startswith("[[", self.at):
                here = self._listed(self._keys(2))
            elif text[self.at] == "[":
                here = self._placed(self._keys(1))
            else:
                self._pair(here)

    def _skip(self) -> bool:
        found = BLANK.match(self.text, self.at)
        self.at = found.end() if found else self.at
        return self.at < len(self.text)

    def _mark(self, path: Path) -> None:
        self._line += self.text.count("\n", self._seen, self.at)
        self._seen = self.at
        for n in range(1, len(path) + 1):
            self.found.setdefault(path[:n], self._line)

    def _keys(self, opening: int = 0) -> list[str]:
        keys: list[str] = []
        self.at += opening
        while found := KEY.match(self.text, self.at):
            word = found[1]
            keys.append(tomllib.loads(f"key = {word}")["key"] if word[0] in "\"'" else word)
            self.at = found.end()
            if not self.text.startswith(".", self.at):
                break
            self.at += 1
        self.at += opening
        return keys

    def _placed(self, keys: list[str], *, mark: bool = True) -> Path:
        path: Path = ()
        for key in keys:
            path = (*path, key)
            if path in self._counts:
                path = (*path, self._counts[path] - 1)
        if mark:
            self._mark(path)
        return path

    def _listed(self, keys: list[str]) -> Path:
        path = (*self._placed(keys[:-1], mark=False), keys[-1])
        self._counts[path] = self._counts.get(path, 0) + 1
        path = (*path, self._counts[path] - 1)
        self._mark(path)
        return path

    def _pair(self, here: Path) -> None:
        began = self.at
        keys = self._keys()
        ended, self.at = self.at, began
        path = (*here, *keys)
        self._mark(path)
        self.at = ended + 1
        self._value(path)

    def _value(self, path: Path) -> None:
        self._skip()
        self._mark(path)
        opening = self.text[self.at]
        if opening in "[{":
            self._inside(path, "]" if opening == "[" else "}")
        elif found := (TEXT if opening in "\"'" else BARE).match(self.text, self.at):
            self.at = found.end()

    def _inside(self, path: Path, closing: str) -> None:
        self.at += 1
        place = 0
        while self._skip() and self.text[self.at] != closing:
            if self.text[self.at] == ",":
                self.at += 1
            elif closing == "]":
                self._value((*path, place))
                place += 1
            else:
                self._pair(path)
        self.at += 1
