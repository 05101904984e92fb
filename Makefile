# Video2Policy. `make demo` and `make test` do all the set-up they need; `make help` lists the rest.
SHELL := /bin/bash
.DEFAULT_GOAL := help
VENV := .venv/bin
TEST := .venv-test/bin
WITH_VENV := PATH="$(CURDIR)/.venv/bin:$$PATH"

.PHONY: help setup setup-test demo test test-slow check format bench clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 14

setup:  ## host environment, system libraries, rule environments
	@tools/setup

demo: setup  ## from two demo clips to trained policies, rollout videos and a report
	@$(WITH_VENV) tools/demo

setup-test: setup
	@$(WITH_VENV) tools/setup-test

test: setup-test check  ## style, types, unit tests, workflow tests (about 8 minutes on 2 cores)
	@$(WITH_VENV) $(TEST)/python -m pytest -m "not slow" -n 2 --dist loadfile

test-slow: setup-test  ## kills, documented commands, the report in a browser, whole runs
	@tools/browser
	@$(WITH_VENV) $(TEST)/python -m pytest -m slow

check: setup-test  ## ruff, mypy, snakefmt, snakemake --lint
	@$(TEST)/ruff check .
	@$(TEST)/ruff format --check .
	@$(TEST)/mypy
	@$(VENV)/snakefmt --check Snakefile rules
	@$(WITH_VENV) $(VENV)/snakemake --lint

format: setup-test  ## let ruff and snakefmt rewrite the code
	@$(TEST)/ruff check --fix --quiet . ; $(TEST)/ruff format .
	@$(VENV)/snakefmt Snakefile rules

bench: setup-test  ## print the speed tables of docs/ (quiet machine, minutes)
	@$(TEST)/python -m bench.environment
	@$(TEST)/python -m bench.training

clean:  ## remove environments and results
	rm -rf .venv .venv-test .snakemake results logs benchmarks
