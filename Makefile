# Video2Policy. `make demo` and `make test` do all the set-up they need; `make help` lists the rest.
SHELL := /bin/bash
.DEFAULT_GOAL := help
VENV := .venv/bin
TEST := .venv-test/bin
READY := .venv/requirements.txt
WITH_VENV := PATH="$(CURDIR)/.venv/bin:$$PATH"

.PHONY: help setup setup-test demo bundle replay verify test test-slow check format bench clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 14

setup:  ## host environment, system libraries, rule environments
	@tools/setup

demo: setup  ## from two demo clips to trained policies, rollout videos and a report
	@$(WITH_VENV) tools/demo

$(READY):
	@tools/setup

verify: $(READY)  ## whether results/ is as its jobs made it; what must be made again
	@$(WITH_VENV) snakemake --cores all verify $(ARGS)

bundle: $(READY)  ## VIDEO=name: one clip's results in one archive (VARIANT=v2p, ARGS=the run's --configfile)
	@$(if $(VIDEO),,$(error name the clip: make bundle VIDEO=lift_box))
	@$(WITH_VENV) snakemake --cores all results/bundles/$(VIDEO).$(or $(VARIANT),v2p).zip $(ARGS)

replay: $(READY)  ## BUNDLE=file: judge a bundle's policies again, in the sandbox
	@$(if $(BUNDLE),,$(error name the bundle: make replay BUNDLE=lift_box.v2p.zip))
	@$(WITH_VENV) snakemake --cores all replay --config replay="$(BUNDLE)"

setup-test: setup
	@$(WITH_VENV) tools/setup-test

test: setup-test check  ## style, types, unit tests, workflow tests (minutes on 2 cores)
	@$(WITH_VENV) $(TEST)/python -m pytest -m "not slow and not heavy" -n 2 --dist loadfile

test-slow: setup-test  ## kills, documented commands, the report in a browser, whole runs
	@tools/browser
	@$(WITH_VENV) $(TEST)/python -m pytest -m 'slow and not heavy' -n 2 --dist loadfile

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
