"""The forms of a page as a browser would fill and send them."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser


@dataclass(slots=True)
class Shown:
    """One form: `sent` is what goes when its button is pressed at once, `needed` what the browser insists on first."""

    action: str
    method: str = "get"
    sent: dict[str, list[str]] = field(default_factory=dict)
    needed: set[str] = field(default_factory=set)
    buttons: list[tuple[str, str]] = field(default_factory=list)

    @property
    def missing(self) -> set[str]:
        """Needed and still empty."""
        return {name for name in self.needed if not any(self.sent.get(name, []))}


def forms(page: str) -> list[Shown]:
    reader = _Reader()
    reader.feed(page)
    return reader.found


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[Shown] = []
        self._form: Shown | None = None
        self._select = self._text = ""
        self._options: list[tuple[str, bool]] = []
        self._words = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value if value is not None else "" for name, value in attrs}
        if tag == "form":
            self._form = Shown(given.get("action", ""), given.get("method", "get"))
            self.found.append(self._form)
        elif self._form is not None:
            self._part(self._form, tag, given)

    def _part(self, form: Shown, tag: str, given: dict[str, str]) -> None:
        name = given.get("name", "")
        if "required" in given and name:
            form.needed.add(name)
        if tag == "input" and name and given.get("type") != "file":
            if given.get("type") not in ("checkbox", "radio") or "checked" in given:
                form.sent.setdefault(name, []).append(given.get("value", ""))
        elif tag == "select":
            self._select, self._options = name, []
        elif tag == "option":
            self._options.append((given.get("value", ""), "selected" in given))
        elif tag == "textarea":
            self._text, self._words = name, ""
        elif tag == "button":
            form.buttons.append((name, given.get("value", "")))

    def handle_data(self, data: str) -> None:
        if self._text:
            self._words += data

    def handle_endtag(self, tag: str) -> None:
        if self._form is None:
            return
        if tag == "form":
            self._form = None
        elif tag == "textarea":
            self._form.sent.setdefault(self._text, []).append(self._words)
            self._text = ""
        elif tag == "select":
            chosen = next((value for value, on in self._options if on), self._options[0][0] if self._options else "")
            self._form.sent.setdefault(self._select, []).append(chosen)
            self._select = ""
