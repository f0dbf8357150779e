# Every target sets up what it needs. `make run` and `make test` are all a newcomer has to know.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
JOBS ?= 3
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: help run install dev test check format programs unit bench coverage clean

help:            ## This list.
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

run: install     ## Serve CONFIG=…, or without one a mirror of Docker Hub on 127.0.0.1:5000 with its data in ./data.
	@exec $(BIN)/entrepot serve $(CONFIG)

install: $(VENV)/.installed
dev: $(VENV)/.dev

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Entrepot needs Python 3.11 or newer; try: make PYTHON=python3.12")'
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml requirements.lock | $(VENV)/bin/python
	@echo "installing the locked dependencies into $(VENV) ..."
	@$(PIP) install -r requirements.lock
	@$(PIP) install --no-deps -e .
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.installed
	@$(PIP) install -r requirements-dev.lock
	@touch $@

programs:        ## Install the real programs that tests run (Debian, as root); elsewhere say what is missing.
	@./scripts/install-programs

test: dev programs check unit ## Everything: static checks and the whole suite.

check: dev       ## Lint, types and the import rule.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

unit: dev        ## The suite alone, JOBS tests at a time (0: in one process); ARGS="-k name" selects.
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal $(ARGS)

coverage: dev    ## The suite under coverage, worker processes included.
	$(BIN)/python -m coverage run -m pytest $(ARGS)
	$(BIN)/python -m coverage combine -q
	$(BIN)/python -m coverage report

format: dev      ## Format and mend what can be mended by itself.
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: dev programs ## Side by side with docker-registry and nginx; writes bench/RESULTS.md.
	$(BIN)/python -m bench

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
