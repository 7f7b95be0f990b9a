# `make` prints the words. Needs python3 >= 3.11 with venv; everything else comes from requirements.lock.

PYTHON ?= python3
PORT ?= 8000
DIR ?= demo
OUT ?=
SIZE ?= 100000
ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
READY := $(VENV)/.ready
BROWSER_TESTS := $(wildcard tests/browser/test_*.py)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo serve check test browser bench simulate screenshots lighthouse docs docs-check lock ci clean

help: ## these words
	@awk -F ':.*## ' '/^[a-z -]+:.*## / { printf "make %-22s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: $(READY) ## .venv from requirements.lock, checked by hash; nothing to do when it is up to date
	@:

# A virtual environment knows its own path: one that was moved or copied is made anew.
ifneq ($(shell cat $(READY) 2>/dev/null),$(CURDIR))
.PHONY: $(READY)
endif

# One recipe with one stamp at its end, so that a setup broken off half way is done again.
$(READY): requirements.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "make: $(PYTHON) is missing (Debian: apt-get install python3 python3-venv)" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "make: Python 3.11 or newer is needed, $(PYTHON) is $$($(PYTHON) -V 2>&1); try make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "make: $(PYTHON) has no venv or no pip (Debian: apt-get install python3-venv)" >&2; exit 1; }
	@{ $(BIN)/python -c '' && grep -qF '$(CURDIR)/$(VENV)/' $(BIN)/pip; } 2>/dev/null || $(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "make: $(VENV) was made by an older Python: make clean, then again" >&2; exit 1; }
	@echo "make: installing requirements.lock into $(VENV), about half a minute the first time"
	@$(PIP) install --require-hashes -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation --no-index -e .
	@echo '$(CURDIR)' > $@

demo: setup ## a made-up town to try, in the browser; PORT=8000 DIR=demo say where
	$(BIN)/liuti demo --port $(PORT) --dir $(DIR)

serve: setup ## the real thing, by the settings in the environment; ARGS= go to `liuti serve`
	$(BIN)/liuti serve $(ARGS)

check: setup ## ruff, mypy --strict, and the arrows between the rooms
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict src tests
	$(BIN)/lint-imports

test: setup ## all tests but those in a browser; ARGS= go to pytest
	$(BIN)/python -m pytest -n auto --ignore=tests/browser $(ARGS)

browser: setup ## the tests in a browser (Debian: chromium fonts-noto-cjk); without one they say what was not tried
	@test -n "$(BROWSER_TESTS)" || { echo "make browser: not made yet, nothing was tested" >&2; exit 2; }
	$(BIN)/python -m pytest -n 2 --dist worksteal tests/browser $(ARGS)

screenshots: setup ## every page on phone and desktop, light and dark, into screenshots/
	$(BIN)/python -m tests.browser.screenshots $(ARGS)

lighthouse: setup ## the citizen's pages judged by Lighthouse; needs npm and fetches it into a folder of its own
	$(BIN)/python -m tests.browser.lighthouse $(ARGS)

bench: setup ## measurements, against limits taken in the same run; OUT=file.json keeps the numbers, SIZE=1000000 is for growth
	@test -f bench/run.py || { echo "make bench: not made yet, nothing was measured" >&2; exit 2; }
	$(BIN)/python bench/run.py $(if $(OUT),--out $(OUT)) --size $(SIZE)

simulate: setup ## a year of 20,000 made-up issues on the real thing, workers killed, all of it counted again; ARGS="--issues 400"
	$(BIN)/python -m simulate.main $(ARGS)

docs: setup ## openapi/openapi.json and the picture of the flow, written from the code
	$(BIN)/liuti docs

docs-check: setup ## do they still say what the code says?
	$(BIN)/liuti docs --check

lock: ## requirements.lock anew from pyproject.toml, with hashes, without addresses; ARGS=--upgrade for newer ones
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@test -x $(BIN)/uv || $(PIP) install uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --all-extras --generate-hashes \
		--no-header --no-annotate $(ARGS) pyproject.toml -o requirements.lock
	@! grep -nE '://|@ |^--' requirements.lock || { echo "make: an address got into requirements.lock" >&2; exit 1; }

ci: check test docs-check $(if $(BROWSER_TESTS),browser) ## everything a change must pass

clean: ## away with .venv, caches and builds; the demo's folder stays
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache dist build
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +
