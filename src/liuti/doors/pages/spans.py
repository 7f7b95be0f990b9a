"""Lengths of the policy in a person's words."""

from __future__ import annotations

from liuti.flow.calendar import Span

_UNITS = {
    "wd": ("个工作日", "working day"), "oh": ("个工作小时", "office hour"), "h": ("小时", "hour"), "d": ("天", "day"),
}  # fmt: skip


def said(span: Span) -> tuple[str, str]:
    """`5wd` as (zh, en): 5 个工作日, 5 working days."""
    zh, en = _UNITS[span.unit]
    return f"{span.n:g} {zh}", f"{span.n:g} {en}{'' if span.n == 1 else 's'}"
