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

# The quick tests with the lowest version of everything that setup.py allows, laid over what is installed. Without those
# that can hardly tell: of what is computed by torch alone, whose bound is the release that is installed (each method
# learns by the command line here), of optional engines, of processes and signals, of how the code and the pages read, of
# what is refused and said.
LOWEST := tests/cli tests/datasets tests/encoders tests/envs tests/evaluation tests/exporting tests/training \
	tests/studies/test_study.py tests/test_plugins.py \
	$(patsubst %,--ignore=tests/%.py, \
		cli/test_demo cli/test_documented cli/test_learning_commands cli/test_limits cli/test_refusals \
		cli/test_train_command datasets/test_captions datasets/test_identity datasets/test_motor_signals \
		datasets/test_slurm datasets/test_stopping encoders/test_rescaling envs/test_compiled envs/test_control \
		envs/test_copies envs/test_exact envs/test_raster envs/test_roam envs/test_scenes envs/test_world \
		evaluation/test_attention evaluation/test_classifier evaluation/test_cloning evaluation/test_detection \
		evaluation/test_fine_tuning evaluation/test_go_there evaluation/test_imitation evaluation/test_made_again \
		evaluation/test_physics evaluation/test_relative_motion evaluation/test_touch evaluation/test_whose_numbers \
		training/test_compilation training/test_distributed training/test_learned_from training/test_memory \
		training/test_more_steps training/test_optimization training/test_precision)

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
