# Needs python ≥ 3.11 and make, nothing else: what is missing is installed into .venv.
# PYTHON=python3.12 chooses the interpreter of a new .venv; ARGS="-k watch" goes to the tool that runs.

PYTHON ?= python3
# Many tests wait for processes and sockets, so two more of them than cores keep the cores busy.
JOBS ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) + 2)
VENV := .venv
BIN := $(VENV)/bin
LOCK := pyproject.toml uv.lock cli/pyproject.toml clients/python/pyproject.toml $(wildcard plugins/*/pyproject.toml)
# --inexact: uv itself lives in the same environment, and must not remove itself.
SYNC := UV_PYTHON_DOWNLOADS=never $(BIN)/uv sync --frozen --inexact --all-packages --no-default-groups --quiet
OURS := core server cli clients plugins tests examples benchmarks
# Tests and the demo start many processes; where Python is told to keep no bytecode, each would compile everything anew, for a second or two.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help demo test shake bench lint format protos released clean

help: ## List what can be made
	@awk 'BEGIN { FS = ":.*## " } /^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.runs ## See it work: a server, three simulated shops, every number checked
	@$(BIN)/zaiko demo $(ARGS)

test: $(VENV)/.tests ## Run the tests
	$(BIN)/pytest -q --numprocesses=$(JOBS) --dist=loadfile --durations=15 $(ARGS)

shake: $(VENV)/.tests ## Run the tests while their processes freeze at random
	$(BIN)/python tests/support/freeze.py $(BIN)/pytest -q --numprocesses=$(JOBS) $(ARGS)

bench: $(VENV)/.tests ## Measure every figure of speed beside its limit; about a quarter of an hour
	$(BIN)/python -m benchmarks.speed $(ARGS)

lint: $(VENV)/.lints ## Check style, types, imports and protos; changes nothing
	$(BIN)/ruff check $(OURS)
	$(BIN)/ruff format --check $(OURS)
	$(BIN)/mypy
	@if grep -q importlinter pyproject.toml; then $(BIN)/lint-imports; fi
	cd proto && ../$(BIN)/buf lint && ../$(BIN)/buf format --diff --exit-code && ../$(BIN)/buf build -o /dev/null && ../$(BIN)/buf breaking --against released/v1.binpb

format: $(VENV)/.lints ## Bring Python and protos into the common form
	$(BIN)/ruff check --fix $(OURS)
	$(BIN)/ruff format $(OURS)
	cd proto && ../$(BIN)/buf format --write

protos: $(VENV)/.lints ## Make the Python stubs anew from the protos
	cd proto && ../$(BIN)/buf lint
	$(BIN)/python proto/generate

released: $(VENV)/.lints ## When a release is made: its protos are what later ones are compared with
	cd proto && ../$(BIN)/buf breaking --against released/v1.binpb && ../$(BIN)/buf build --exclude-source-info -o released/v1.binpb

clean: ## Remove what can be made again
	rm -rf examples/clients/*/gen examples/clients/*/node_modules examples/clients/*/target examples/clients/*/.venv $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis build dist
	find $(OURS) proto -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/uv:
	@$(PYTHON) -c 'import sys; sys.exit("zaiko needs python >= 3.11; choose one with PYTHON=…" if sys.version_info < (3, 11) else 0)'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV) …"
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(BIN)/python -m ensurepip >/dev/null
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check "uv>=0.9"

# The stamps say for which locked versions the environment was made, so that a second call installs nothing.
$(VENV)/.runs: $(LOCK) | $(BIN)/uv
	@$(SYNC) --extra simulators
	@touch $@

$(VENV)/.tests: $(LOCK) | $(BIN)/uv
	@$(SYNC) --extra simulators --group test
	@touch $@ $(VENV)/.runs

$(VENV)/.lints: $(LOCK) | $(BIN)/uv
	@$(SYNC) --extra simulators --group dev
	@touch $@ $(VENV)/.tests $(VENV)/.runs
