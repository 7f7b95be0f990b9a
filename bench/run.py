"""Measures what liuti costs, beside what the databases themselves can do in the same minutes: `make bench`."""

import runpy
import sys
from pathlib import Path

if __name__ == "__main__":
    # bench/ borrows the PostgreSQL of tests/, and both are found from the project's root.
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    runpy.run_module("bench.measure", run_name="__main__")
