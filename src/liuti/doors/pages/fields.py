"""A form of the flow as fields on a page, and what a page sent back as the form's fields."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin
from zoneinfo import ZoneInfo

from pydantic import BaseModel

from liuti.doors.pages.labels import CHOICES, LEVELS, label
from liuti.flow.issue import Issue
from liuti.flow.words import Role
from liuti.policy import Policy
from liuti.rank.words import FACTOR_EN, FACTOR_ZH
from liuti.store.directory import Directory

Option = tuple[str, str]
LONG = {"text", "reason", "answer", "reply", "evidence", "comment", "result", "basis", "goal", "note"}
BLANK_ROWS = 3
"""Rows for milestones shown empty; a page sends as many as are filled in."""


@dataclass(slots=True)
class Field:
    """One field as a template draws it. `kind` says how; `value` is what stands in it, as it was typed."""

    name: str
    kind: str
    label: str
    hint: str = ""
    required: bool = False
    value: Any = ""
    options: list[Option] = field(default_factory=list)
    most: int | None = None
    fault: str = ""
    parts: list[list[Field]] = field(default_factory=list)
    """Fields of a group, or of each row of a list of groups."""


class Around(NamedTuple):
    """What choices are drawn from."""

    issue: Issue | None
    names: Directory
    policy: Policy
    t: Callable[[str, str], str]


Choose = Callable[[Around], Iterable[Option]]


def _named(table: str) -> Choose:
    return lambda a: [(code, a.t(one.zh, one.en)) for code, one in getattr(a.policy, table).items()]


def _units(a: Around) -> Iterable[Option]:
    return a.names.units.items()


def _at_work(a: Around) -> Iterable[Option]:
    if a.issue is None:
        return ()
    units = [("unit:" + one.unit, a.names.units.get(one.unit, one.unit)) for one in a.issue.assignments if one.active]
    leader = [("person:" + a.issue.leader, a.issue.leader_post)] if a.issue.leader else []
    return units + leader


def _places(a: Around) -> Iterable[Option]:
    return [(one.id, ("" if one.level == "town" else "\u3000") + one.name) for one in a.names.communities]


def _holding(*roles: Role) -> Choose:
    return lambda a: [(one.id, " ".join(filter(None, (one.post, one.name)))) for one in a.names.holding(*roles)]


def _orders(a: Around) -> Iterable[Option]:
    orders = a.issue.orders if a.issue is not None else ()
    return [(str(one.id), f"{one.id} {one.text[:30]}") for one in orders if one.settled is None]


def _milestones(a: Around) -> Iterable[Option]:
    milestones = a.issue.milestones if a.issue is not None else ()
    return [(str(n), f"{n} {one.title}") for n, one in enumerate(milestones, 1) if one.done is None and not one.waived]


CHOOSE: dict[str, Choose] = {
    "category": _named("categories"), "grid": _places, "unit": _units, "lead_unit": _units, "against": _units,
    "assisting": _units, "leader": _holding(Role.LEADER, Role.PRINCIPAL), "prepared_by": _holding(Role.INSPECTOR),
    "route": _named("routes"), "cause": _named("suspend_causes"), "Termination.ground": _named("terminate_grounds"),
    "Adjustment.code": _named("adjust_codes"), "Exclusion.code": _named("exclude_causes"),
    "factor": lambda a: [(name, a.t(zh, FACTOR_EN[name])) for name, zh in FACTOR_ZH.items()],
    "level": lambda a: [(str(n), a.t(*words)) for n, words in LEVELS.items()],
    "order": _orders, "OrderSheet.to": _at_work, "MilestoneReport.number": _milestones,
}  # fmt: skip


# -- showing -------------------------------------------------------------------------------------------------------


MACHINES = {"snapshot", "confidence"}
"""What a machine writes into a form, and nobody by hand."""


def fields_of(
    form: type[BaseModel], around: Around, given: Mapping[str, Any] | None = None, faults: Mapping[str, str] | None = None,
    leave_out: Iterable[str] = (), prefix: str = "",
) -> list[Field]:  # fmt: skip
    """The form's fields in its order, filled with what was given; `faults` are sentences by field name."""
    left = set(leave_out)
    return [
        _field(form, name, around, given or {}, faults or {}, prefix)
        for name in form.model_fields
        if name not in left and name not in MACHINES
    ]


def _field(
    form: type[BaseModel], name: str, around: Around, given: Mapping[str, Any], faults: Mapping[str, str], prefix: str
) -> Field:
    spec, said = form.model_fields[name], label(form.__name__, name)
    kind, inner = _kind(spec.annotation)
    plain = None if spec.is_required() else spec.get_default(call_default_factory=True)
    made = Field(
        prefix + name, kind, around.t(said.zh, said.en), around.t(said.hint_zh, said.hint_en), spec.is_required(),
        given.get(name, _plain(plain)), most=_most(spec.metadata), fault=faults.get(name, ""),
    )  # fmt: skip
    choose = CHOOSE.get(f"{form.__name__}.{name}") or (
        CHOOSE.get(name) if kind in ("text", "lines", "number") else None
    )
    if choose is not None:
        made.options, made.kind = list(choose(around)), "many" if kind == "lines" else "choice"
    elif kind == "choice":
        made.options = [(value, around.t(*CHOICES.get(value, (value, value)))) for value in inner]
    elif kind == "check" and made.required:
        made.kind = (
            "whether"  # a box left empty would be no answer, and a browser does not send one that must be ticked
        )
    elif kind == "text" and (name in LONG or (made.most or 0) > 500):
        made.kind = "area"
    elif kind == "group":
        made.parts = [fields_of(inner, around, given.get(name), _below(faults, name), prefix=f"{prefix}{name}.")]
    elif kind == "rows":
        made.parts = _rows(inner, around, name, given.get(name) or [], faults, prefix)
    return made


def _rows(
    inner: type[BaseModel], around: Around, name: str, given: Any, faults: Mapping[str, str], prefix: str
) -> list[list[Field]]:
    rows = [*given, *({} for _ in range(max(1, BLANK_ROWS - len(given))))]
    return [
        fields_of(inner, around, row, _below(faults, f"{name}.{n}"), prefix=f"{prefix}{name}.{n}.")
        for n, row in enumerate(rows)
    ]


def _below(faults: Mapping[str, str], name: str) -> dict[str, str]:
    return {key.removeprefix(name + "."): words for key, words in faults.items() if key.startswith(name + ".")}


def _plain(value: Any) -> Any:
    """A default as a page shows it."""
    if isinstance(value, StrEnum):
        return value.value
    return "" if value is None or value == () or isinstance(value, BaseModel) else value


def _most(metadata: Iterable[Any]) -> int | None:
    return next((one.max_length for one in metadata if getattr(one, "max_length", None)), None)


def _kind(annotation: Any) -> tuple[str, Any]:
    """How a type is drawn, and what is inside of it."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        kind, within = _kind(next(one for one in inner if one is not type(None)))
        return ("maybe", within) if kind == "check" else (kind, within)
    if hasattr(annotation, "__metadata__"):
        return _kind(annotation.__origin__)
    if origin is dict:
        return "pairs", None
    if origin is Literal:
        return "choice", [one.value if isinstance(one, StrEnum) else one for one in inner]
    if origin is tuple:
        return _kind_of_many(inner[0])
    return _kind_of_one(annotation)


def _kind_of_many(one: Any) -> tuple[str, Any]:
    if isinstance(one, type) and issubclass(one, BaseModel):
        return ("files", None) if "sha256" in one.model_fields else ("rows", one)
    return "lines", None


def _kind_of_one(one: Any) -> tuple[str, Any]:
    if not isinstance(one, type):
        return "text", None
    if issubclass(one, StrEnum):
        return "choice", [value.value for value in one]
    if issubclass(one, BaseModel):
        return "group", one
    for known, kind in ((bool, "check"), (datetime, "moment"), (date, "date"), (int, "number"), (float, "number")):
        if issubclass(one, known):
            return kind, None
    return ("moment" if one.__name__ == "AwareDatetime" else "text"), None


# -- reading back --------------------------------------------------------------------------------------------------


def read_back(form: type[BaseModel], sent: Mapping[str, list[str]], zone: ZoneInfo, prefix: str = "") -> dict[str, Any]:
    """The form's fields out of what a page sent: values by name, several where a name came more than once.

    Nothing is judged here. What is empty is left out, so that the form's own default or its own refusal speaks.
    """
    found: dict[str, Any] = {}
    for name, spec in form.model_fields.items():
        kind, inner = _kind(spec.annotation)
        value = _sent(kind, inner, prefix + name, sent, zone)
        if value is not None:
            found[name] = value
    return found


def _sent(kind: str, inner: Any, name: str, sent: Mapping[str, list[str]], zone: ZoneInfo) -> Any:
    if kind == "group":
        return read_back(inner, sent, zone, f"{name}.") or None
    if kind == "rows":
        return _sent_rows(inner, name, sent, zone)
    if kind == "pairs":
        return {
            key.removeprefix(name + "."): each[-1] for key, each in sent.items() if key.startswith(name + ".")
        } or None
    values = sent.get(name, [])
    return _sent_values(kind, values, zone) if values and kind != "files" else None


def _sent_values(kind: str, values: list[str], zone: ZoneInfo) -> Any:
    if kind == "lines":
        return [line.strip() for value in values for line in value.splitlines() if line.strip()] or None
    if kind == "check":
        # A box that is not ticked is not sent at all: the page sends the empty value beside it, to tell it was there.
        return "true" in values
    return _sent_one(kind, values[-1].strip(), zone)


def _sent_one(kind: str, text: str, zone: ZoneInfo) -> Any:
    if not text:
        return None
    if kind == "number" and text.isdecimal() and len(text) <= 9:
        return int(text)  # a request is picked by its number before its form is read
    if kind == "maybe":
        return {"true": True, "false": False}.get(text, text)
    return _moment(text, zone) if kind == "moment" else text


def _sent_rows(inner: type[BaseModel], name: str, sent: Mapping[str, list[str]], zone: ZoneInfo) -> Any:
    numbers = {key[len(name) + 1 :].split(".")[0] for key in sent if key.startswith(name + ".")}
    rows = (read_back(inner, sent, zone, f"{name}.{n}.") for n in sorted(numbers, key=lambda n: (len(n), n)))
    return [row for row in rows if row] or None


def _moment(text: str, zone: ZoneInfo) -> Any:
    """A browser's local time is the district's; what cannot be read goes on as it is, for the form to refuse."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)


def by_name(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found
