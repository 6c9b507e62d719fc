# Every check of this project; `make help` lists them.
BIN ?= .venv/bin

.PHONY: help check lint format types contracts pages docs test soak fuzz bench ci

help:  ## list what can be made
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):[^#]*## /  make \1\t/' | expand -t 18

check: lint types contracts pages test  ## everything that must hold before a commit

lint:  ## format and lint, changing nothing
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

format:  ## format, and mend what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

types:  ## strict types, as Linux and as macOS see them
	$(BIN)/mypy
	$(BIN)/mypy --platform darwin

contracts:  ## which floor may import what
	$(BIN)/lint-imports --no-logo

pages:  ## the generated pages are fresh
	$(BIN)/python docs/generate.py --check

docs:  ## write the generated pages
	$(BIN)/python docs/generate.py

test:  ## all tests, budgets and mirror among them
	$(BIN)/pytest

soak:  ## the long stories, told longer
	$(BIN)/pytest -m soak -n 0 --timeout 3600

fuzz:  ## every parser on hostile input, SECONDS (60) each
	$(BIN)/python -m tests.fuzz all --seconds $(or $(SECONDS),60)

bench:  ## figures beside their floors, written to docs/benchmarks.md
	$(BIN)/python -m tests.bench --write

ci:  ## what CI runs, in fresh environments
	.ci/run
