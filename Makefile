# Everything here sets up what it needs on a machine that has Python 3.11+ and make.
# `make demo ARGS=--no-serve` passes options on; `make test ARGS="-k runs"` likewise.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(VENV)/uv/bin/uv
READY := $(VENV)/.ready
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help setup demo dev test sandbox-tools check format bench bench-read bench-events bench-results bench-upload bench-apps azurite bench-promptfoo bench-import bench-waiting bench-webhooks bench-tasks openapi client migration lock clean

help: ## Show what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## Make .venv with the locked dependencies

$(UV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Assay needs Python 3.11 or newer; this is $$($(PYTHON) --version). Try: make PYTHON=python3.12"; exit 2; }
	@# Some systems ship Python without venv but with pip; either will do.
	{ $(PYTHON) -m venv $(VENV)/uv && \
	  $(VENV)/uv/bin/python -m pip install --quiet --disable-pip-version-check 'uv>=0.9'; } || \
	  $(PYTHON) -m pip install --quiet --disable-pip-version-check --target $(VENV)/uv 'uv>=0.9' || \
	  { echo "Python has neither venv nor pip; on Debian: apt-get install python3-venv"; exit 2; }

$(READY): requirements.lock pyproject.toml | $(UV)
	$(UV) venv --quiet --allow-existing --python $(PYTHON) $(VENV)
	$(UV) pip sync --quiet --compile-bytecode --python $(BIN)/python --require-hashes requirements.lock
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --editable .
	@$(BIN)/python -m compileall -q src
	@touch $@

demo: $(READY) ## Evaluate the sample project, print the comparison, then serve
	@$(BIN)/assay demo $(ARGS)

dev: $(READY) ## Serve, and start again whenever the code changes
	@$(BIN)/python -m watchfiles --filter python --target-type command "$(BIN)/assay up $(ARGS)" src

test: $(READY) sandbox-tools ## Run the tests, in parallel, against a real PostgreSQL
	@$(BIN)/python -m pytest -n auto --dist worksteal $(ARGS)

sandbox-tools: ## Install git and bubblewrap, for sandboxes, where they are missing and apt-get may
	@command -v git >/dev/null && command -v bwrap >/dev/null || \
		{ apt-get update -qq && apt-get install -y -qq git bubblewrap; } || \
		{ echo "Sandboxes need git and bubblewrap; on Debian, as root: apt-get install git bubblewrap"; exit 2; }

azurite: ## Install Azurite from npm, for the tests of files in Azure
	npm install --prefix tests/azurite --no-audit --no-fund --no-package-lock --loglevel=error

check: $(READY) ## Lint, format, types, import contracts, what is written by scripts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python scripts/openapi.py --check
	$(BIN)/python scripts/client.py --check

format: $(READY) ## Format the code and mend what the linter can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(READY) ## Run the benchmarks and print their tables
	@$(BIN)/python benchmarks/run_engine.py $(ARGS)
	@$(BIN)/python benchmarks/read_with_key.py; read=$$?; \
		$(BIN)/python benchmarks/event_feed.py && exit $$read

bench-read: $(READY) ## Only: a read with an API key, against a bare route
	@$(BIN)/python benchmarks/read_with_key.py $(ARGS)

bench-events: $(READY) ## Only: the event feed, with 500 readers
	@$(BIN)/python benchmarks/event_feed.py $(ARGS)

bench-results: $(READY) ## Only: pages of a run of 100,000 cells, while another one writes
	@$(BIN)/python benchmarks/results_pages.py $(ARGS)

bench-upload: $(READY) ## Only: the upload of 2 GB, and the memory it takes
	@$(BIN)/python benchmarks/upload.py $(ARGS)

bench-apps: $(READY) ## Only: lists, searches and history of a million rows, and tags
	@$(BIN)/python benchmarks/apps_lists.py; lists=$$?; \
		$(BIN)/python benchmarks/apps_history.py; history=$$?; \
		$(BIN)/python benchmarks/apps_tags.py && exit $$((lists + history))

bench-promptfoo: $(READY) ## Hold grading and speed against promptfoo, from npm
	@$(BIN)/python benchmarks/promptfoo_agreement.py $(ARGS)

bench-import: $(READY) ## Hold the import of a million items against COPY by psql
	@$(BIN)/python benchmarks/dataset_import.py $(ARGS)

bench-waiting: $(READY) ## Only: from respond to askers who wait, a thousand at once
	@$(BIN)/python benchmarks/waiting_askers.py $(ARGS)

bench-webhooks: $(READY) ## Send 10,000 webhooks while workers are killed
	@$(BIN)/python benchmarks/webhooks.py $(ARGS)

bench-tasks: $(READY) ## From the start of a task to its model, and fifty at once
	@$(BIN)/python benchmarks/task_start.py $(ARGS)

openapi: $(READY) ## Write openapi.json anew
	@$(BIN)/python scripts/openapi.py

client: $(READY) ## Write the client for threads anew, from the one for event loops
	@$(BIN)/python scripts/client.py

migration: $(READY) ## Write a migration from the models: make migration NAME=run_budgets
	@$(BIN)/python scripts/migration.py $(NAME)

lock: $(UV) ## Resolve the dependencies anew
	$(UV) pip compile --quiet --upgrade --universal --generate-hashes --group dev --extra otel --extra embeddings --extra mcp --extra e2b pyproject.toml \
		--custom-compile-command "make lock" -o requirements.lock
	$(UV) pip compile --quiet --universal --generate-hashes --extra otel --extra mcp --extra e2b -c requirements.lock pyproject.toml \
		--custom-compile-command "make lock" -o requirements-runtime.lock

clean: ## Remove what was made here
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache dist build
