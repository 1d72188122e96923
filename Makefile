# make demo | test | fast | check | bench | mini : each sets up what it needs in .venv first
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test fast check bench mini clean

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
ONLY ?= recall_locomo recall_beam recall_musique babi preferences timeline paths store forget together crash latency ppr embedding attention sweep calls
bench: .venv/.dev
	for name in $(ONLY); do $(BIN)/python benchmarks/$$name.py || exit 1; done

# The small language model, from nothing: an hour and more on one core. A run that was stopped is taken up again.
# SMOKE=1 goes the whole way with a tiny one in a minute. On a GPU: make mini MINI="--width 256 --layers 8 --inner 704
# --heads 8 --kv-heads 4 --vocabulary 4096 --rows 96 --length 512 --steps 20000 --notes 8 --workers 14 --compile"
# Memory that is handed back to the system costs a third of the time on a CPU, so it is kept.
MINI ?= $(if $(SMOKE),--steps 60 --every 30 --width 64 --layers 2 --inner 96 --vocabulary 600 --rows 2 --length 256 --text 0,)
mini: .venv/.dev
	MALLOC_MMAP_THRESHOLD_=2000000000 MALLOC_TRIM_THRESHOLD_=8000000000 \
	$(BIN)/python benchmarks/mini/train.py build/$(if $(SMOKE),mini-smoke,mini) $(MINI)
	$(BIN)/python benchmarks/explicit_memory.py --model build/$(if $(SMOKE),mini-smoke,mini) \
		--questions $(if $(SMOKE),1 --pairs 8,100) --json build/explicit_memory.json

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
