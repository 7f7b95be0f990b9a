"""What is made from the flow and kept in the tree: the OpenAPI document, the table of moves, the picture of the steps."""

from __future__ import annotations

import base64
import json
from pathlib import Path

from liuti.flow.table import FLOW
from liuti.flow.words import ENDS, ROLE_NAMES, SIX, STATE_NAMES, STEP_NAMES, Step


def write(root: Path, *, check: bool = False) -> list[str]:
    """Write what differs and name it; with `check`, only name it."""
    stale = []
    for name, text in made().items():
        path = root / name
        if not path.exists() or path.read_text("utf-8") != text:
            stale.append(name)
            if not check:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, "utf-8")
    return stale


def made() -> dict[str, str]:
    return {
        "openapi/openapi.json": openapi(),
        "docs/flow.svg": picture("zh"),
        "docs/flow.en.svg": picture("en"),
        "docs/moves.md": moves(),
    }


def openapi() -> str:
    from liuti.doors.app import make_app
    from liuti.settings import Settings

    keys = "1:" + base64.b64encode(bytes(32)).decode()
    document = make_app(Settings(keys=keys)).openapi()  # type: ignore[arg-type]
    return json.dumps(document, ensure_ascii=False, indent=1, sort_keys=False) + "\n"


def moves() -> str:
    lines = [
        "# The moves", "", "Made from the flow by `make docs`. The rules in words: [rules.md](rules.md).", "",
        "| row | move | from | by | granted by | to | starts | stops |", "|---|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    for m in FLOW.moves.values():
        cells = (
            str(m.row), f"`{m.name}` {m.zh}", ", ".join(m.at) or "(new)", ", ".join(ROLE_NAMES[w.value][1] for w in m.by),
            ", ".join(s.name for s in m.asks_of), ", ".join(m.to) or "same", ", ".join(m.starts), ", ".join(m.stops),
        )  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


# -- the picture ---------------------------------------------------------------------------------------------------

_W, _H, _GAP = 132, 74, 34


def picture(language: str) -> str:
    """The six steps in a row, side states below, ends at the bottom; an arrow for each way a move leads."""
    n = 0 if language == "zh" else 1
    place = _places()
    width, height = 6 * _W + 5 * _GAP + 40, 470
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" font-family="system-ui, \'Noto Sans CJK SC\', sans-serif">',
        f"<title>{'六题办理的十二个状态' if n == 0 else 'The twelve states of an issue'}</title>",
        '<defs><marker id="a" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="10" markerHeight="10" markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0 8 4 0 8z" fill="#6b7280"/></marker></defs>',
        f'<rect width="{width}" height="{height}" fill="#fbfaf7"/>',
    ]
    drawn = {(a, b) for move in FLOW.moves.values() for a in move.at for b in move.to if a != b}
    parts += [_arrow(place[a], place[b], main=(a, b) in _MAIN) for a, b in sorted(drawn)]
    parts += [_box(step, place[step], n) for step in Step]
    return "\n".join([*parts, "</svg>", ""])


_MAIN = set(zip(SIX, (*SIX[1:], Step.CLOSED), strict=True))


def _places() -> dict[Step, tuple[float, float]]:
    spots: dict[Step, tuple[float, float]] = {step: (20.0 + i * (_W + _GAP), 90.0) for i, step in enumerate(SIX)}
    spots[Step.SUPPLEMENT] = (20.0, 235.0)
    spots[Step.SUSPENDED] = (20 + 3 * (_W + _GAP), 235.0)
    for i, step in zip((0, 1, 2, 5), (Step.REJECTED, Step.MERGED, Step.WITHDRAWN, Step.CLOSED), strict=True):
        spots[step] = (20 + i * (_W + _GAP), 375.0)
    return spots


def _box(step: Step, at: tuple[float, float], n: int) -> str:
    x, y = at
    fill = "#9a3412" if step in SIX else "#6b7280" if step in ENDS else "#a16207"
    head = STEP_NAMES[step.value][n] if step.value in STEP_NAMES else STATE_NAMES[step.value][n]
    under = STATE_NAMES[step.value][n] if step.value in STEP_NAMES else step.value
    return (
        f'<g><rect x="{x}" y="{y}" width="{_W}" height="{_H}" rx="10" fill="{fill}"/>'
        f'<text x="{x + _W / 2}" y="{y + 33}" fill="#fff" font-size="{20 if n == 0 else 16}" font-weight="600" text-anchor="middle">{head}</text>'
        f'<text x="{x + _W / 2}" y="{y + 56}" fill="#fff" font-size="12" text-anchor="middle">{under}</text></g>'
    )


def _arrow(a: tuple[float, float], b: tuple[float, float], *, main: bool) -> str:
    (ax, ay), (bx, by) = a, b
    style = 'stroke="#9a3412" stroke-width="3"' if main else 'stroke="#9ca3af" stroke-width="1.2"'
    if ay == by:
        forward = bx > ax
        near = abs(bx - ax) <= _W + _GAP
        if forward and near:
            path = f"M{ax + _W} {ay + _H / 2}H{bx - 2}"
        else:
            y = ay if ay < 300 else ay + _H
            lift = (28 + abs(bx - ax) / 14) * (-1 if ay < 300 else 1)
            shift = 14 if forward else -14
            path = f"M{ax + _W / 2 + shift} {y}C{ax + _W / 2 + shift} {y + lift} {bx + _W / 2 + shift} {y + lift} {bx + _W / 2 + shift} {y}"
    else:
        down = by > ay
        sx, tx = ax + _W / 2 + (10 if down else -10), bx + _W / 2 + (10 if down else -10)
        sy, ty = (ay + _H, by) if down else (ay, by + _H)
        mid = (sy + ty) / 2
        path = f"M{sx} {sy}C{sx} {mid} {tx} {mid} {tx} {ty}"
    return f'<path d="{path}" fill="none" {style} marker-end="url(#a)"/>'
