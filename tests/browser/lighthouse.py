"""The citizen's pages judged by Lighthouse 12.8 on a slow phone: `make lighthouse`. Not part of CI: it wants a quiet machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from playwright.sync_api import sync_playwright

from liuti.flow.words import Step
from tests.browser.house import House, played
from tests.browser.tour import rating_link
from tests.browser.visitor import MISSING, executable

LIGHTHOUSE = "lighthouse@12.8.2"
FASTEST, MOST_BYTES = 0.95, 120_000
CHROME = "--headless=new --disable-background-networking --disable-component-update --disable-sync"


def main() -> int:
    """How many pages fall short; a line for each page."""
    with sync_playwright() as playwright:
        browser = executable(playwright)
    if browser is None:
        sys.exit(MISSING)
    short = 0
    with TemporaryDirectory() as folder, House(played(Path(folder) / "demo"), Path(folder) / "house") as house:
        rated, public = house.an_issue(Step.EVALUATE), house.an_issue(Step.CLAIM)
        secret = house.office.ring.voice_secret(rated.proposer)
        for path in (
            "/", "/propose", "/progress", "/issues", f"/issues/{public.id}", rating_link(house, rated), f"/receipts/{secret}"
        ):  # fmt: skip
            fast, open_to_all, size = judged(house.base + path, browser, Path(folder))
            fits = fast >= FASTEST and open_to_all == 1 and size <= MOST_BYTES
            short += not fits
            line = f"performance {fast:.2f}  accessibility {open_to_all:.2f}  {size / 1000:6.1f} kB"
            print(f"{path[:30]:30}  {line}  {'' if fits else 'SHORT'}")  # noqa: T201 - what the command came to
    return short


def judged(address: str, browser: str, folder: Path) -> tuple[float, float, int]:
    """Performance and accessibility from 0 to 1, and the bytes that went over the line."""
    sandbox = " --no-sandbox" if hasattr(os, "geteuid") and os.geteuid() == 0 else ""
    out = folder / "lighthouse.json"
    command = [
        "npx", "--yes", "--cache", str(folder / "npm"), LIGHTHOUSE, address, "--quiet", "--output=json", f"--output-path={out}",
        "--only-categories=performance,accessibility", f"--chrome-flags={CHROME}{sandbox}",
    ]  # fmt: skip
    subprocess.run(command, check=True, env=os.environ | {"CHROME_PATH": browser}, cwd=folder, timeout=300)
    found: dict[str, Any] = json.loads(out.read_text("utf-8"))
    scores, audits = found["categories"], found["audits"]
    return (
        scores["performance"]["score"],
        scores["accessibility"]["score"],
        int(audits["total-byte-weight"]["numericValue"]),
    )


if __name__ == "__main__":
    sys.exit(main())
