# Needs Python 3.11 or newer, git and make. Everything else is set up in $(VENV).
#   make run    opens the console on a demo workspace
#   make test   runs every test

VENV ?= .venv
PYTHON ?=
ARGS ?=
JOBS ?= auto
BIN = $(VENV)/bin
PY = $(BIN)/python
SOURCES = emtui widgets themes tests tools benchmarks
# No test depends on the zone of the machine; those that are about zones set their own.
TEST_ENV = TZ=UTC
# Of all tests; a part of them covers a part.
COVERAGE = $(if $(ARGS),,--cov --cov-report=term-missing:skip-covered --cov-fail-under=90)
INSTALL = $(PY) -m pip install --quiet --disable-pip-version-check
# Extras stay in the locks: pip would else look for the newest release of `name[extra]`, which has no hash there.
COMPILE = .cache/lock/bin/uv pip compile pyproject.toml --extra serve --quiet --universal --python-version 3.11 \
          --generate-hashes --no-strip-extras --no-emit-index-url --no-emit-find-links --no-annotate --no-header $(UPGRADE)

.DEFAULT_GOAL := help
.PHONY: help run test fuzz check lint types imports tidy format snapshots generated docs bench lock dist clean

help: ## Say what there is
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /|/' | awk -F'|' '{printf "  make %-10s %s\n", $$1, $$2}'

run: $(VENV)/.run-stamp ## Open the console on the demo workspace
	@$(BIN)/emtui --demo $(ARGS)

test: $(VENV)/.dev-stamp ## Run every test, with coverage; ARGS=tests/unit only some, without
	$(TEST_ENV) $(PY) -m pytest -n $(JOBS) --maxprocesses 4 --dist loadgroup $(COVERAGE) $(ARGS)

fuzz: $(VENV)/.dev-stamp ## Call the served API at random for longer (EXAMPLES=500)
	$(TEST_ENV) FUZZ_EXAMPLES=$(or $(EXAMPLES),500) $(PY) -m pytest tests/server/test_serve_fuzz.py $(ARGS)

check: lint types imports tidy ## Lint, format, types, import contracts, module length, duplicates, words

lint: $(VENV)/.dev-stamp
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)

types: $(VENV)/.dev-stamp
	$(BIN)/mypy
	$(BIN)/mypy -p benchmarks -p tests.e2e -p tests.packaging
	$(BIN)/mypy $(wildcard tools/*.py)

imports: $(VENV)/.dev-stamp
	$(BIN)/lint-imports

tidy: $(VENV)/.dev-stamp
	$(PY) tools/check_modules.py emtui widgets themes tools
	$(PY) tools/check_duplicates.py emtui widgets themes tools
	$(PY) tools/check_words.py

format: $(VENV)/.dev-stamp ## Format and mend what can be mended by itself
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

snapshots: $(VENV)/.dev-stamp ## Take the pictures of tests/ui and docs/pictures anew
	$(TEST_ENV) $(PY) -m pytest -n $(JOBS) --maxprocesses 4 tests/ui --snapshot-update $(ARGS)

generated: $(VENV)/.dev-stamp ## Write those parts of docs/ anew that come out of the program
	$(PY) tools/make_docs.py

docs: $(VENV)/.dev-stamp ## Build the documentation's site into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

bench: $(VENV)/.dev-stamp ## Measure against the budgets (a few minutes)
	$(PY) -m benchmarks $(ARGS)

lock: .cache/lock/.stamp ## Make requirements/*.lock anew (UPGRADE=--upgrade for newer releases)
	$(COMPILE) --group dev --output-file requirements/dev.lock
	$(COMPILE) --group build --constraint requirements/dev.lock --output-file requirements/run.lock
	@for lock in requirements/*.lock; do \
	  { echo "# Made by 'make lock': every release with its hashes, for every platform. Do not edit."; cat $$lock; } \
	    > .cache/lock/new && cp .cache/lock/new $$lock; \
	done

dist: $(VENV)/.dev-stamp ## Build the wheel and the sdist into dist/
	$(PY) -m build --no-isolation

clean: ## Remove what was set up and built
	rm -rf $(VENV) .cache build dist site .coverage .coverage.* coverage.xml snapshot_report.html \
	  .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find $(SOURCES) -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp is newer than what it was made of, so a second call has nothing to do.
$(VENV)/.venv-stamp: tools/make_venv.sh
	@sh tools/make_venv.sh $(VENV) $(PYTHON)
	@touch $@

$(VENV)/.run-stamp: requirements/run.lock pyproject.toml | $(VENV)/.venv-stamp
	@echo "Setting up $(VENV) ..."
	@$(INSTALL) --require-hashes --requirement requirements/run.lock
	@$(INSTALL) --no-deps --no-build-isolation --editable '.[serve]'
	@touch $@

$(VENV)/.dev-stamp: requirements/dev.lock pyproject.toml | $(VENV)/.venv-stamp
	@echo "Setting up $(VENV) for development ..."
	@$(INSTALL) --require-hashes --requirement requirements/dev.lock
	@$(INSTALL) --no-deps --no-build-isolation --editable '.[serve]'
	@touch $@

.cache/lock/.stamp: tools/make_venv.sh
	@sh tools/make_venv.sh .cache/lock $(PYTHON)
	@.cache/lock/bin/python -m pip install --quiet --disable-pip-version-check 'uv>=0.8'
	@touch $@
