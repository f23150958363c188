# `make demo` and `make test` each set up .venv on a machine with Python 3.11 and do the rest.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export OPENBLAS_NUM_THREADS ?= 1

.PHONY: demo test docs lowest lint types clean

$(VENV)/.installed: setup.py pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --no-compile --editable ".[dev,docs,ray,dask]"
	$(BIN)/python -m compileall -qq -j 0 -x /tests/ $(VENV)/lib || true # by all cores, where pip takes one; some are templates
	touch $@

demo: $(VENV)/.installed
	$(BIN)/embodied-ssl demo --out demo

test: $(VENV)/.installed
	$(BIN)/python -m pytest -n auto --dist worksteal -m "slow or not slow" $(TESTS)

# With the lowest version of everything that setup.py allows, laid over what is installed: tests of what asks libraries
# for something, each of them in one file at least. torch's bound is the release that is installed.
LOWEST := $(patsubst %,tests/%.py, \
	cli/test_commands cli/test_config datasets/test_charts datasets/test_collect datasets/test_encoded \
	datasets/test_exports datasets/test_images datasets/test_import_formats datasets/test_importing \
	datasets/test_readers datasets/test_shards datasets/test_videos encoders/test_encoders envs/test_envs \
	envs/test_objects evaluation/test_dense evaluation/test_evaluation evaluation/test_report exporting/test_export \
	studies/test_study training/test_callbacks test_plugins)

lowest: $(VENV)/lowest/.installed
	$(VENV)/lowest/bin/python -m pytest -n auto --dist worksteal -m "not slow" $(or $(TESTS),$(LOWEST))

$(VENV)/lowest/.installed: $(VENV)/.installed
	rm -rf $(VENV)/lowest
	$(BIN)/python -m venv $(VENV)/lowest
	$(BIN)/python .ci/lower_bounds.py > $(VENV)/lowest/bounds.txt
	echo "import site; site.addsitedir('$$($(BIN)/python -c 'import site; print(site.getsitepackages()[0])')')" \
		> $$($(VENV)/lowest/bin/python -c 'import site; print(site.getsitepackages()[0])')/over.pth
	$(VENV)/lowest/bin/pip install --quiet --requirement $(VENV)/lowest/bounds.txt
	touch $@

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# On a regular install, as users have it: in an editable one mypy does not find the folders that are mapped.
types: $(VENV)/.installed
	rm -rf $(VENV)/types
	mkdir -p $(VENV)/types/source
	cp -r setup.py pyproject.toml README.md embodied_ssl envs datasets $(VENV)/types/source
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --target $(VENV)/types $(VENV)/types/source
	cd $(VENV)/types && ../bin/mypy --config-file $(CURDIR)/pyproject.toml -p embodied_ssl
	cd $(VENV)/types && ../bin/mypy --config-file $(CURDIR)/pyproject.toml --warn-unused-ignores \
		--follow-imports silent $(CURDIR)/tests/typed_doors.py

# The pages of docs/, into build/site: tutorials are run, cards are made from the code, links are followed.
docs: export NO_MKDOCS_2_WARNING = 1
docs: $(VENV)/.installed
	$(BIN)/python -m mkdocs --quiet build --strict
	$(BIN)/python docs/links.py build/site

clean:
	rm -rf $(VENV) demo build dist *.egg-info
