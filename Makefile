# Needs Python >= 3.11 and make, nothing else. `make quickstart` and `make test` set up what they need.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: help quickstart test test-slow docs browser bench-gmm bench-train bench-lime gpu-check check lint lock clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## */\t/' | expand -t 14

$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "make: $(PYTHON) is older than 3.11; name a newer one: make PYTHON=python3.12"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

quickstart: $(INSTALLED)  ## synthetic cells -> classifier -> density -> explanations -> one page
	$(BIN)/cellxai quickstart --config configs/quickstart.yaml

test: $(INSTALLED)  ## the fast tests
	$(BIN)/pytest -n auto --dist worksteal

test-slow: $(INSTALLED)  ## the tests that take minutes
	$(BIN)/pytest -n auto --dist worksteal -m slow

docs: $(INSTALLED)  ## the site: docs/_build/index.html (a minute)
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build

browser:  ## installs Chromium (Debian, Ubuntu), in which the slow tests open the page
	@command -v chromium >/dev/null || { run=$$([ "$$(id -u)" = 0 ] || echo sudo); \
	  $$run apt-get update -qq && $$run apt-get install -y -qq chromium >/dev/null; }

bench-gmm: $(INSTALLED)  ## gmm against scikit-learn: the table of docs/benchmarks.md (6 minutes)
	$(BIN)/python scripts/bench_gmm.py --threads 2

bench-train: $(INSTALLED)  ## training against a plain loop and timm: the table of docs/benchmarks.md (6 minutes)
	$(BIN)/python scripts/bench_train.py --threads 2 $(if $(TIMM_TRAIN),--timm-train $(TIMM_TRAIN))

bench-lime: $(INSTALLED)  ## LIME against its package and the bare forward passes (6 minutes)
	OMP_NUM_THREADS=2 $(BIN)/python scripts/bench_lime.py

gpu-check: $(INSTALLED)  ## all that needs a CUDA device, into gpu_check.json (at most 9 minutes)
	$(BIN)/python scripts/gpu_check.py

lint: $(INSTALLED)  ## style, types, import arrows
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/pyright

check: lint test test-slow  ## all that CI runs

lock:  ## pin the newest versions again, with hashes; needs uv
	uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes \
	  --no-header --upgrade --output-file requirements.lock

clean:  ## removes the environment and caches; runs/ stays
	rm -rf $(VENV) docs/_build .pytest_cache .ruff_cache .hypothesis .import_linter_cache build *.egg-info
