# make demo | test | fast | check | bench : each sets up what it needs in .venv first
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test fast check bench clean

demo: .venv/.local
	$(BIN)/tercet demo

test: check
	$(BIN)/python -m pytest

fast: .venv/.dev
	$(BIN)/python -m pytest -m "not slow"

check: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Each prints its tables and writes its JSON; all of them take hours, one takes minutes: make bench ONLY=store
ONLY ?= recall_locomo recall_beam recall_musique babi preferences timeline paths store forget together crash latency ppr embedding attention sweep
bench: .venv/.dev
	for name in $(ONLY); do $(BIN)/python benchmarks/$$name.py || exit 1; done

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/.local: .venv/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[local]"
	touch $@

.venv/.dev: .venv/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	touch $@

clean:
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache
