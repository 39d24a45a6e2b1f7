# Comptoir: everything a developer types. Needs Python 3.11 or newer and make, nothing else.

# The Python that makes .venv; afterwards the one inside it.
PYTHON ?= $(if $(wildcard .venv/bin/python),.venv/bin/python,python3)
RUN := .venv/bin/python
DEVSTACK := $(RUN) -m devstack
SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help environment up down reset status logs demo test test-kafka test-chromium check bench lock generate clients fmt

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

environment: ## Make .venv from the hashed lock; done by the others when needed
	@command -v $(PYTHON) >/dev/null 2>&1 || { \
	  echo "Comptoir needs Python 3.11 or newer, and there is no $(PYTHON). Choose one: make PYTHON=/path/to/python3 up"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Comptoir needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V 2>&1). Choose another: make PYTHON=python3.12 up"; exit 1; }
	@$(PYTHON) libs/devstack/bootstrap.py

up: environment ## Start the whole platform in the background
	@$(DEVSTACK) up

down: environment ## End what `make up` started, and nothing else
	@$(DEVSTACK) down

reset: environment ## End it and forget all its data and secrets
	@$(DEVSTACK) reset

status: environment ## Show every process of the platform
	@$(DEVSTACK) status

logs: environment ## Follow the logs; of one process: make logs PROCESS=booking
	@$(DEVSTACK) logs --follow $(PROCESS)

demo: environment ## Drive the main job through HTTP, step by step
	@$(RUN) -m devstack.demo

test: ARGS ?= -n 3
test: environment ## Run the whole suite; a part: make test ARGS=services/booking
	@$(RUN) -m pytest $(ARGS)

test-kafka: environment ## Run the broker's contract on Apache Kafka
	@COMPTOIR_TEST_KAFKA=apache $(RUN) -m pytest -m kafka $(ARGS)

test-chromium: environment ## Run the passkeys' contract in Chromium; CHROMIUM names its program
	@COMPTOIR_TEST_CHROMIUM=$(or $(CHROMIUM),chromium) $(RUN) -m pytest -n 0 services/auth/tests/test_browser_contract.py $(ARGS)

check: environment ## Run every static check
	@$(RUN) -m tools.checks

bench: environment ## Print requests per second and CPU per request
	@$(RUN) -m tools.bench $(ARGS)

generate: environment ## Write generated code and documents again
	@$(RUN) -m tools.codegen

clients: environment ## Build the Python and the TypeScript client into dist/clients
	@$(RUN) -m tools.clients

fmt: environment ## Format the code
	@$(RUN) -m ruff format .
	@$(RUN) -m ruff check --fix --quiet .

lock: environment ## Resolve the dependencies again and write requirements.lock
	@.venv/bin/uv lock
	@.venv/bin/uv export --quiet --all-packages --all-groups --no-emit-workspace --no-header \
	  --format requirements-txt -o requirements.lock
