# `make demo` and `make test` each set up .venv on a machine with Python 3.11 and do the rest.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export OPENBLAS_NUM_THREADS ?= 1

.PHONY: demo test lint types clean

$(VENV)/.installed: setup.py pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --editable ".[dev]"
	touch $@

demo: $(VENV)/.installed
	$(BIN)/embodied-ssl demo --out demo

test: $(VENV)/.installed
	$(BIN)/python -m pytest -n auto -m "slow or not slow" $(TESTS)

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed
	$(BIN)/mypy -p embodied_ssl

clean:
	rm -rf $(VENV) demo build dist *.egg-info
