# Every target creates what it needs; `make` alone lists them.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# Arguments for the tools behind the targets, as in: make test PYTEST_ARGS="-k lock -x"
SERVE_ARGS ?=
PYTEST_ARGS ?=
BENCH_ARGS ?=
LOCK_ARGS ?=
FUZZ_ARGS ?=

# The applications of examples/: scripts, notebooks, and folders that hold a main file.
EXAMPLES = $(wildcard examples/*.py examples/*.ipynb) \
	$(patsubst %/,%,$(sort $(dir $(wildcard examples/*/main.py examples/*/main.ipynb))))

# The folders that are type-checked: those of these three that hold Python files.
TYPED = $(foreach folder,src tests bench,\
	$(if $(shell find $(folder) -name '*.py' -print -quit 2>/dev/null),$(folder)))

# The tests run hundreds of processes that import the same modules.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help serve test check lint lint-style lint-mypy lint-pyright fuzz bench bench-micro bench-lock docs lock format venv chromium nginx clean

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | \
		while IFS='|' read -r target text; do printf '%-16s %s\n' "$$target" "$$text"; done

serve: venv ## Serve the applications in examples/ (SERVE_ARGS="--port 5007")
	$(BIN)/hyperfocal serve $(SERVE_ARGS) $(EXAMPLES)

test: venv chromium nginx ## Run the tests, with coverage (PYTEST_ARGS="-k lock -x")
	HYPERFOCAL_CHROMIUM="$$(tools/ensure-chromium)" HYPERFOCAL_NGINX="$$(tools/ensure-nginx)" \
		$(BIN)/pytest --numprocesses=2 --dist=loadfile --no-loadscope-reorder \
			--cov --cov-report=term:skip-covered $(PYTEST_ARGS)

check: ## Run all that CI runs: lint, then test
	$(MAKE) --no-print-directory lint
	$(MAKE) --no-print-directory test

lint: venv ## Check format, lint rules, types and import contracts
	$(MAKE) --no-print-directory --jobs=2 --keep-going --output-sync=target \
		lint-style lint-mypy lint-pyright

lint-style: venv
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports --no-logo

lint-mypy: venv
	$(BIN)/mypy $(strip $(TYPED))

lint-pyright: venv
	$(BIN)/pyright $(strip $(TYPED))

fuzz: venv ## Fuzz one target with coverage (FUZZ_ARGS="--target patches --seconds 600")
	$(BIN)/python -m tests.fuzz $(FUZZ_ARGS)

bench: venv ## Run the benchmarks, some 50 minutes (BENCH_ARGS="--help")
	$(BIN)/python -m bench $(BENCH_ARGS)

bench-micro: venv ## Time the encoder, patches and the wire alone (BENCH_ARGS="--help")
	$(BIN)/python -m bench.micro $(BENCH_ARGS)

bench-lock: $(VENV)/.locked ## Write the lock files of the benchmarks' peers anew
	@for peer in $(basename $(notdir $(wildcard bench/requirements/*.in))); do \
		echo "bench/requirements/$$peer.lock"; \
		python="$$(sed -n 's/^# Python \([0-9.]*\):.*/\1/p' bench/requirements/$$peer.in)"; \
		if [ -z "$$python" ]; then set -- --constraints requirements.lock; else set --; fi; \
		$(LOCK) --python-version "$${python:-3.11}" $(LOCK_ARGS) "$$@" \
			bench/requirements/$$peer.in --output-file bench/requirements/$$peer.lock || exit 1; \
	done

docs: venv ## Build the user's guide into build/site
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --clean --site-dir build/site

lock: $(VENV)/.locked ## Write the lock files anew from pyproject.toml (LOCK_ARGS=--upgrade)
	$(LOCK) --python-version 3.11 $(LOCK_ARGS) --group dev --group docs pyproject.toml \
		--output-file requirements.lock
	$(LOCK) --python-version 3.11 --constraints requirements.lock pyproject.toml \
		--output-file requirements-serve.lock

# One resolution for every platform and every Python that pyproject.toml allows.
LOCK = $(BIN)/uv pip compile --quiet --no-config --universal \
	--generate-hashes --no-annotate --no-emit-index-url --no-emit-find-links \
	--custom-compile-command "make lock"

format: $(VENV)/.locked ## Format the code and apply the safe lint fixes
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

venv: $(VENV)/.installed ## Build .venv from the lock, with hyperfocal editable in it

chromium: ## Find Chromium for the browser tests, or install Debian's
	@tools/ensure-chromium >/dev/null

nginx: ## Find nginx for the tests of proxies, or install Debian's
	@tools/ensure-nginx >/dev/null

clean: ## Remove everything that the other targets made
	rm -rf $(VENV) build dist site .coverage .coverage.* htmlcov
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A changed lock makes a new environment: nothing is left over from the one before.
$(VENV)/.locked: requirements.lock
	PYTHON="$(PYTHON)" tools/make-venv $(VENV) requirements.lock
	@touch $@

$(VENV)/.installed: $(VENV)/.locked pyproject.toml
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	$(BIN)/python -m pip check
	@touch $@
