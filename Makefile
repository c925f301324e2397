# Every command there is. `make` alone lists them.
.DEFAULT_GOAL := help
SHELL := /bin/sh
PYTHON ?= python3
KAFKA_TESTS ?= tests/support tests/end_to_end tests/chaos
BIN := .venv/bin
PROJECTS := libs/common services/api services/ingestor services/scheduler tools/esi_simulator tools/cli
EDITABLE := $(foreach project,$(PROJECTS),-e ./$(project))
INSTALLED := .venv/.installed
UV := $(shell command -v uv 2>/dev/null)

.PHONY: help install up demo test test-kafka test-storms bench-ingest bench-ingest-scale bench-freshness bench-schedule bench-schedulers bench-read bench-export check format lock clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' Makefile

install: $(INSTALLED) ## Install everything from requirements.lock into .venv

$(INSTALLED): requirements.lock $(PROJECTS:%=%/pyproject.toml)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Freeport needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1). Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || \
	  { rm -rf .venv; echo "$(PYTHON) cannot make a virtual environment. On Debian and Ubuntu: apt install python3-venv"; exit 1; }
	@echo "Installing into .venv (a minute or two, once)"
ifneq ($(UV),)
	@VIRTUAL_ENV=.venv $(UV) pip sync --quiet --compile-bytecode --require-hashes requirements.lock
	@VIRTUAL_ENV=.venv $(UV) pip install --quiet --no-deps --no-build-isolation $(EDITABLE)
else
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation $(EDITABLE)
endif
	@$(BIN)/python -m compileall -q $(PROJECTS:%=%/src)  # else every process would compile anew where it may not write
	@touch $(INSTALLED)

up: $(INSTALLED) ## Run the whole stack here until Ctrl-C (LIVE=1: against the real ESI)
	@$(BIN)/freeport up $(if $(LIVE),--live)

demo: $(INSTALLED) ## Run the stack, ask it for an ingest, show the market, and stop
	@$(BIN)/freeport demo $(if $(LIVE),--live)

test: $(INSTALLED) ## Run every test on a real PostgreSQL, broker and upstream
	@$(BIN)/pytest -n 4 --dist loadscope --no-loadscope-reorder

test-kafka: $(INSTALLED) ## Run the end-to-end and fault tests on Apache Kafka (needs Java 17+ and Maven)
	@TEST_BROKER=apache-kafka $(BIN)/pytest -n 3 --dist loadscope $(KAFKA_TESTS)

test-storms: $(INSTALLED) ## Weather 2,000 storms of upstream's instead of 200 (a quarter of an hour)
	@STORMS=2000 $(BIN)/pytest tests/ingestor/test_storms.py

bench-ingest: $(INSTALLED) ## Measure the ingestor on a market of 46,000 contracts (5 minutes; a quiet machine)
	@PYTHONPATH=tests $(BIN)/python -m bench.ingest

bench-ingest-scale: $(INSTALLED) ## Measure it from 5,000 to 200,000 contracts and draw docs/ingest-scale.svg (10 minutes)
	@PYTHONPATH=tests $(BIN)/python -m bench.scale

bench-freshness: $(INSTALLED) ## Measure how soon a new contract is served while a backlog is read (12 minutes)
	@PYTHONPATH=tests $(BIN)/python -m bench.freshness

bench-schedule: $(INSTALLED) ## Measure how late 1,000 to 100,000 schedules fire, before 1, 2 and 5 replicas (13 minutes)
	@PYTHONPATH=tests $(BIN)/python -m bench.schedule $(if $(ONLY),--only $(ONLY))

bench-schedulers: $(INSTALLED) ## Hold the scheduler beside APScheduler and taskiq while they are killed, frozen and told a wrong time (8 minutes)
	@PYTHONPATH=tests $(BIN)/python -m bench.schedulers $(if $(ONLY),--only $(ONLY))

bench-read: $(INSTALLED) ## Measure the api on markets of 46,000 and 460,000 contracts (12 minutes; 3 more to make them)
	@PYTHONPATH=tests $(BIN)/python -m bench.read $(if $(SIZE),--size $(SIZE)) $(if $(ONLY),--only $(ONLY)) $(if $(ROUNDS),--rounds $(ROUNDS))

bench-export: $(INSTALLED) ## Export a million contracts in each format, and ask for others meanwhile (3 minutes)
	@PYTHONPATH=tests $(BIN)/python -m bench.export

check: $(INSTALLED) ## Lint, format check, types, architecture, compose file and Dockerfile
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml
	@$(BIN)/hadolint Dockerfile

format: $(INSTALLED) ## Format the code and fix what ruff can fix
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

lock: $(INSTALLED) ## Write requirements.lock anew, keeping versions that still fit
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --custom-compile-command "make lock" \
	  $(foreach name,common api ingestor scheduler esi-simulator cli,--no-emit-package freeport-$(name)) \
	  --group pyproject.toml:dev $(PROJECTS:%=%/pyproject.toml) --output-file requirements.lock

clean: ## Remove what the local stack stored (FREEPORT_HOME, default .freeport)
	@test ! -x $(BIN)/freeport || $(BIN)/freeport clean
