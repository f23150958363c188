# `make demo` and `make test` each set up .venv on a machine with Python 3.11 and do the rest.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export OPENBLAS_NUM_THREADS ?= 1

.PHONY: demo test lint types clean

$(VENV)/.installed: setup.py pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --editable ".[dev,ray,dask]"
	touch $@

demo: $(VENV)/.installed
	$(BIN)/embodied-ssl demo --out demo

test: $(VENV)/.installed
	$(BIN)/python -m pytest -n auto -m "slow or not slow" $(TESTS)

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# On a regular install, as users have it: in an editable one mypy does not find the folders that are mapped.
types: $(VENV)/.installed
	rm -rf build $(VENV)/types
	$(BIN)/pip install --quiet --no-deps --target $(VENV)/types .
	cd $(VENV)/types && ../bin/mypy --config-file $(CURDIR)/pyproject.toml -p embodied_ssl

clean:
	rm -rf $(VENV) demo build dist *.egg-info
