# Everything a user types. `make run` and `make test` need Python 3.11 to 3.13 and nothing else.
CITY ?= demo_city
PYTHON ?= $(shell for p in python3.12 python3.13 python3.11 python3; do command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null && { command -v $$p; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
OUTPUT ?= output
# The bundled city lies in data/; other cities where DATA says.
DATA ?= data/$(CITY)

.PHONY: run test acceptance ui bench lint lock lock-check docs clean help
help:
	@echo "make run [CITY=name DATA=folder] | test | acceptance | ui | bench | lint | docs | lock | clean"

define venv
	@test -n "$(PYTHON)" || { echo "rtm_pipeline needs Python 3.11, 3.12 or 3.13; none was found. Install one (Debian, Ubuntu: apt-get install python3 python3-venv) and try again." >&2; exit 2; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "$(PYTHON) can't make virtual environments. Install its venv package (Debian, Ubuntu: apt-get install python3-venv) and try again." >&2; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
endef

$(VENV)/.run: locks/run.txt pyproject.toml
	$(venv)
	@echo "Installing what a run needs into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r locks/run.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: locks/dev.txt pyproject.toml
	$(venv)
	@echo "Installing what the tests need into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r locks/dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@ $(VENV)/.run

run: $(VENV)/.run
	@$(BIN)/rtm run $(CITY) --data-dir $(DATA) --output $(OUTPUT)

test: $(VENV)/.dev
	@$(BIN)/python -m pytest -q -m "not acceptance" -n 2 --dist loadfile

acceptance: $(VENV)/.dev
	@$(BIN)/python -m pytest -q -m acceptance -n 2 --dist loadfile

lint: $(VENV)/.dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

ui: $(VENV)/.dev
	@RTM_DATA_DIR=$${RTM_DATA_DIR:-data} RTM_OUTPUT=$(OUTPUT) $(BIN)/rtm ui

# The tables of docs/performance.md, beside the peers that are installed; the others in benchmarks/ need runs or hours.
bench: $(VENV)/.dev
	@$(BIN)/python benchmarks/night.py demo_city --data-dir data/demo_city
	@$(BIN)/python benchmarks/engine.py --cells 250 100 50
	@$(BIN)/python benchmarks/factors.py --cells 250
	@$(BIN)/python benchmarks/screening.py
	@$(BIN)/python benchmarks/selection.py
	@$(BIN)/python benchmarks/portfolio.py

# The site: docs/_build/index.html. A warning is an error.
docs: $(VENV)/.dev
	@$(BIN)/python -m sphinx -q -W --keep-going -b html docs docs/_build
	@echo "docs/_build/index.html"

# Whether pyproject.toml and the locks still agree.
lock-check: $(VENV)/.dev
	@$(BIN)/python locks/compile.py --check

# Resolves anew; commit the result. The files name no registry host.
lock: $(VENV)/.dev
	@$(BIN)/python locks/compile.py

clean:
	rm -rf $(VENV) $(OUTPUT) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
