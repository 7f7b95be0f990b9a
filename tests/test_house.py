"""The rules of the house, as lints with a kind message."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from liuti import drawing
from liuti.flow.kernel import Guard, parse
from liuti.flow.table import FLOW

ROOT = Path(__file__).parent.parent
MOVES = list(FLOW.moves.values())
GUARDS = {g.code: g for m in MOVES for g in (*m.duties, *m.agains, *m.guards)}
CHINESE = re.compile(r"[一-鿿]")


@pytest.mark.parametrize("guard", GUARDS.values(), ids=lambda g: g.code)
def test_a_guard_says_its_rule_in_both_languages(guard: Guard) -> None:
    assert CHINESE.search(guard.zh), f"{guard.code}: the first line of its docstring is the rule in Chinese"
    assert not CHINESE.search(guard.en), f"{guard.code}: the second line is the rule in English"


@pytest.mark.parametrize("move", [m for m in MOVES if m.form.example], ids=lambda m: m.name)
def test_the_example_of_a_form_is_a_valid_form(move: object) -> None:
    form = FLOW.moves[getattr(move, "name", "")].form
    parse(form, form.example)


@pytest.mark.parametrize("move", MOVES, ids=lambda m: m.name)
def test_a_forms_marked_fields_exist(move: object) -> None:
    form = FLOW.moves[getattr(move, "name", "")].form
    marked = {*form.words, *form.personal, *form.units, *form.people}
    assert marked <= set(form.model_fields), f"{form.__name__} marks fields it does not have"


def test_below_the_doors_nobody_asks_for_the_time() -> None:
    asking = re.compile(r"datetime\.(now|utcnow|today)\(|\btime\.time\(|date\.today\(")
    rooms = [
        *(ROOT / "src/liuti/flow").rglob("*.py"),
        *(ROOT / "src/liuti/store").rglob("*.py"),
        ROOT / "src/liuti/policy.py",
    ]
    found = [str(path) for path in rooms if asking.search(path.read_text("utf-8"))]
    assert not found, f"time is an argument below the doors, not asked for: {found}"


def test_what_is_made_from_the_flow_is_in_step(monkeypatch: pytest.MonkeyPatch) -> None:
    assert drawing.write(ROOT, check=True) == [], "run `make docs` and commit what it wrote"


def test_importing_liuti_does_nothing() -> None:
    script = (
        "import sys, liuti, liuti.flow.table, liuti.policy, liuti.cli\n"
        "assert not {'fastapi', 'sqlalchemy', 'asyncpg', 'uvicorn'} & set(sys.modules), 'loaded too much'"
    )
    done = subprocess.run([sys.executable, "-c", script], env={}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_decision_says_what_why_and_what_was_given_up() -> None:
    for path in (ROOT / "docs/decisions").glob("*.md"):
        text = path.read_text("utf-8")
        assert "**What.**" in text and "**Why.**" in text, path.name


def test_code_cites_rules_that_exist() -> None:
    rules = (ROOT / "docs/rules.md").read_text("utf-8")
    sections = set(re.findall(r"^## (?:§)?(\d+)", rules, re.MULTILINE))
    for path in (ROOT / "src").rglob("*.py"):
        for section in re.findall(r"docs/rules\.md §(\d+)", path.read_text("utf-8")):
            assert section in sections, f"{path.name} cites §{section}, which docs/rules.md does not have"
