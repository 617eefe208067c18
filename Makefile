# Every command starts by bringing .venv up to date with requirements/dev.lock; nothing else has to
# be installed before. ARGS="..." is passed on, e.g. make test ARGS="-k outbox -x". up, down, reset
# and run keep their servers in .local, or where JUBILEE_FOLDER says.
PYTHON ?= python3
ARGS ?=
BIN := .venv/bin
NATIVE := $(BIN)/python -m deploy.native
SOURCES := contracts deploy libs services tests
export PYTHONUNBUFFERED := 1

.DEFAULT_GOAL := help
.PHONY: help venv demo run up down reset test nightly check format contracts bench bench-quick bench-guard day growth lock

help: ## Show this list
	@echo "make <target>:"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

venv: ## Make .venv hold what requirements/dev.lock says (every other target does this first)
	@$(PYTHON) -m deploy.native.bootstrap

demo: venv ## One world day of nine o'clocks in about a minute, processes killed on the way
	@$(NATIVE) --folder .local/demo with -- $(BIN)/python -m deploy.demo $(ARGS)

run: venv ## The whole system in real time until Ctrl-C, with its URLs and API key
	@$(NATIVE) run

up: venv ## Start private PostgreSQL and RabbitMQ and write .local/env, ready to be sourced
	@$(NATIVE) up

down: venv ## Stop what `make up` or `make run` started; data stay
	@$(NATIVE) down

reset: venv ## Stop everything and delete its data
	@$(NATIVE) reset

test: venv ## Every test, on servers of their own
	@$(NATIVE) --folder .local/test with --for-tests -- $(BIN)/python -m pytest $(ARGS)

nightly: venv ## Every test, searching wider and longer
	@JUBILEE_TEST_DEPTH=nightly $(NATIVE) --folder .local/test with --for-tests -- $(BIN)/python -m pytest $(ARGS)

check: venv ## Format, lint, types, import rules and unit tests, in about a minute
	@$(BIN)/ruff format --check $(SOURCES)
	@$(BIN)/ruff check $(SOURCES)
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m pytest -q tests/unit $(ARGS)

format: venv ## Format the sources and mend what the linter can
	@$(BIN)/ruff check --fix $(SOURCES)
	@$(BIN)/ruff format $(SOURCES)

contracts: venv ## Write contracts/published from the code
	@$(BIN)/python -m deploy.contracts

bench: venv ## Measure every target and print the table; raw results to a file
	@$(NATIVE) --folder .local/bench with --for-tests -- $(BIN)/python -m tests.bench $(ARGS)

bench-quick: venv ## The cheap rows of it at small sizes, in under three minutes
	@$(NATIVE) --folder .local/bench with --for-tests -- $(BIN)/python -m tests.bench --quick $(ARGS)

bench-guard: venv ## Fail if an item costs more than recorded at any hop, twice in a row
	@$(NATIVE) --folder .local/bench with --for-tests -- $(BIN)/python -m tests.guard $(ARGS)

day: venv ## One local day of a million greetings in fast motion, with a chart
	@$(NATIVE) --folder .local/bench with --for-tests -- $(BIN)/python -m tests.bench.day $(ARGS)

growth: venv ## What a mail costs as days and history grow, with a chart; takes long
	@$(NATIVE) --folder .local/bench with --for-tests -- $(BIN)/python -m tests.bench.growth $(ARGS)

lock: venv ## Resolve requirements/*.in anew into hash-pinned locks
	@$(BIN)/python -m deploy.native.lock
