# Everything a person or CI runs. Needs Python 3.11 or newer and Git; the rest is installed into .venv.
.DEFAULT_GOAL := help
SHELL := bash
.SHELLFLAGS := -euo pipefail -c

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# The peers have wishes about versions of their own, so they live apart from the development tools.
BENCH := .venv-bench
BENCH_STAMP := $(BENCH)/.installed

.PHONY: help setup demo test test-s3 check format bench bench-remote bench-erasure scale sweep powerloss fuzz mutants clean

help: ## list the targets
	@grep -E '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

setup: $(STAMP) ## make .venv with dataver and its development tools

# The stamp is newer than pyproject.toml when the environment is up to date.
$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "dataver needs Python 3.11 or newer; say which with: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) \
	  || { echo "python3 -m venv failed; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

demo: $(STAMP) ## play the quickstart on real files, offline; DEMO_FULL=1 fetches whole releases from npm
	@PATH="$(CURDIR)/$(BIN):$$PATH" examples/demo.sh

test: $(STAMP) ## run the tests that take seconds to minutes
	$(BIN)/python -m pytest -q -n 2 $(ARGS)

test-s3: $(STAMP) ## run the contract of remotes and erasures against Ceph's S3 gateway (Debian; installs it as root)
	@missing=; for program in radosgw ceph-mon ceph-osd ceph; do command -v $$program >/dev/null || missing=1; done; \
	  test -z "$$missing" && exit 0; \
	  echo "installing Ceph's gateway with apt-get (290 MB)"; \
	  apt-get -qq update \
	  && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends \
	       radosgw ceph-mon ceph-osd ceph-common >/dev/null \
	  || { echo "Ceph is missing: as root on Debian, apt-get install radosgw ceph-mon ceph-osd ceph-common" >&2; exit 1; }
	$(BIN)/python -m pytest -q -m ceph tests/store tests/erasure tests/e2e/erasure $(ARGS)

check: $(STAMP) ## format, lint, types and import contracts, without changing a file
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: $(STAMP) ## put the files into the format that check asks for
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

$(BENCH_STAMP): pyproject.toml
	@test -x $(BENCH)/bin/python || $(PYTHON) -m venv $(BENCH)
	$(BENCH)/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[bench]'
	@touch $@

bench-remote: $(STAMP) ## measure dataver beside its peers on an S3 server and write docs/benchmarks-remote.md (long)
	$(BIN)/python -m benchmarks.remote $(ARGS)

bench-erasure: $(STAMP) ## measure what erasure costs and write docs/benchmarks-erasure.md (minutes)
	$(BIN)/python -m benchmarks.erasure $(ARGS)

bench: $(BENCH_STAMP) ## measure dataver beside its peers and write docs/benchmarks.md (long)
	$(BENCH)/bin/python -m benchmarks $(ARGS)

scale: $(STAMP) ## run the tests that take minutes or much room: a million files, whole data sets
	$(BIN)/python -m pytest -q -m scale $(ARGS)

sweep: $(STAMP) ## break every mutating system call of every command, one at a time (long; needs strace)
	$(BIN)/python -m pytest -q -n 2 -m sweep tests/faults tests/e2e/network $(ARGS)

powerloss: $(STAMP) ## cut the power under ext4 and XFS at every moment (as root; needs xfsprogs)
	$(BIN)/python -m pytest -q -m powerloss tests/faults $(ARGS)

$(VENV)/.fuzzer: $(STAMP)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[fuzz]' \
	  || { echo "the fuzzer atheris cannot be installed for $$($(BIN)/python -V) on $$(uname -sm), for the reason above;" \
	    "it runs on Linux with the versions of Python that it publishes wheels for" >&2; exit 1; }
	@touch $@

fuzz: $(VENV)/.fuzzer ## feed every parser with what a fuzzer thinks of, FUZZ_SECONDS (30) each
	$(BIN)/python -m tests.fuzz $(ARGS)

mutants: $(STAMP) ## break one rule of the code at a time and show that a test notices each
	$(BIN)/python -m tests.mutants $(ARGS)

clean: ## remove what the other targets made
	rm -rf $(VENV) $(BENCH) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
