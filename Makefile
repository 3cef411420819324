# Two commands for a newcomer: make demo, make test. Both make their own environment; Python 3.11 or newer is all they need.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help demo test lint bench test-faults secrets clean
.DEFAULT_GOAL := help

help:
	@echo "make demo   run the whole simulated plant, historian and API on this machine (ARGS=\"--port 8080\")"
	@echo "make test   run the test suite"
	@echo "make lint   ruff, mypy --strict, import-linter"
	@echo "make bench  run the benchmarks"
	@echo "make test-faults  tests/faults with their whole counts: two hours of late answers, garbage, kills and full disks"
	@echo "make secrets  write random passwords for docker-compose.yml to .env"
	@echo "make clean  remove the environment"

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "monazite needs Python 3.11 or newer, this is %s; set PYTHON=" % sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: $(BIN)/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test,lint]'
	@touch $@

demo: $(VENV)/installed
	$(BIN)/monazite up $(ARGS)

test: $(VENV)/installed-dev
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal $(ARGS)

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/installed-dev
	$(BIN)/python -m benchmarks $(ARGS)

test-faults: $(VENV)/installed-dev
	MONAZITE_FULL_FAULTS=1 $(BIN)/python -m pytest -s tests/faults $(ARGS)

secrets:
	@$(PYTHON) deploy/make_secrets.py

clean:
	rm -rf $(VENV)
