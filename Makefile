# Every target sets up what it needs first (scripts/setup.sh); what is there is not set up again.
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup demo jar test unit soak lint format docs clean

export PYTHON
# SPARK=4.0: any target in a second environment with that Spark; without it the newest that is supported.
export SPARK
READY := . .venv$(addprefix -,$(SPARK))/environment &&
PYTEST := python -m pytest -q
# Tests with Spark in two processes, each with a session and files of its own: one alone leaves a third of two cores idle.
TWO := --numprocesses=2 --dist=loadfile

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):[^#]*## /  make \1\t/' | expand -t 16

setup: ## virtual environment, packages, Java and Delta's jars, where they are missing
	@scripts/setup.sh

demo: setup ## run the demo's jobs under spark-lineage, twice the first time, and ask what they left
	@$(READY) python jobs/demo.py $(ARGS)

jar: setup ## the jar for drivers that are not Python, where the wheel takes it from
	@$(READY) python -m spark_lineage.cli jar spark_lineage/capture/bridge/spark-lineage-bridge.jar

test: lint unit ## lint, types, unit tests, and the tests that need Spark (fixed seeds, under 20 minutes)
	@scripts/setup.sh tests
	@$(READY) $(PYTEST) $(TWO) tests/spark -m "not soak" $(ARGS)

unit: setup ## only the tests that need no JVM
	@$(READY) $(PYTEST) --numprocesses=auto --dist=worksteal tests/unit -m "not soak" $(ARGS)

soak: lint ## every test, the long ones and random seeds too, and on Spark 4.0; summary in benchmarks/results/
	@scripts/setup.sh soak
	@$(READY) python scripts/soak.py $(ARGS)

lint: setup ## ruff and mypy
	@$(READY) ruff check . && ruff format --check . && mypy

format: setup ## put the source in ruff's form
	@$(READY) ruff check --fix . ; ruff format .

docs: setup ## write again what the docs take from the code
	@$(READY) python scripts/configuration_doc.py && python scripts/commands_doc.py && python scripts/coverage_doc.py

clean: ## throw the virtual environments and the demo away
	rm -rf .venv .venv-* demo .mypy_cache .ruff_cache .pytest_cache
