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

bench: .venv/.dev
	$(BIN)/python benchmarks/recall_locomo.py

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
