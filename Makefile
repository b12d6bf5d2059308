# The commands to remember. Each sets up what it needs: on a fresh Debian or Ubuntu, `make demo` is enough.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.PHONY: help install demo test test-swift test-python bench lint format clean

venv := .venv
python := $(venv)/bin/python
extras := test,lint
swift = "$$(python/setup/swift-toolchain)"
swift_sources := Package.swift $(shell find Sources)
setup := $(wildcard python/setup/*)

help: ## Show these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(venv)/.built ## Install what is missing (system packages, Swift), create .venv and build metarec into it

# Everything is installed once, and again when what it is installed from changes; else only the kernels are built.
$(venv)/.built: pyproject.toml $(setup) $(swift_sources)
	$(if $(filter-out $(swift_sources),$?),python/setup/install $(venv) $(extras),python/setup/build-native $(python))
	@touch $@

demo: install ## Train a cold-start recommender and compare it with the trivial floors (a few minutes)
	$(python) -m metarec.demo

test: test-swift test-python ## Run all tests

test-swift: install ## Run the Swift tests
	$(swift) test

test-python: install ## Run the Python tests and the notebooks
	$(python) -m pytest --nbmake --nbmake-timeout=60 python/tests Notebooks

bench: install $(venv)/.bench ## Measure the speed against the peers, into build/bench (BENCH=--short: a minute)
	$(python) python/benchmarks/speed.py --out build/bench $(BENCH)

$(venv)/.bench: pyproject.toml | install
	python/setup/install $(venv) $(extras),bench
	@touch $@

lint: install ## Check formatting, style and types
	$(swift) format lint --strict --recursive Sources Tests
	$(venv)/bin/ruff check python
	$(venv)/bin/ruff format --check python
	$(venv)/bin/mypy

format: install ## Format all sources in place
	$(swift) format --in-place --recursive Sources Tests
	$(venv)/bin/ruff check --fix python
	$(venv)/bin/ruff format python

clean: ## Remove everything that was built or installed here
	rm -rf .venv .build .build-py build demo.png .pytest_cache .hypothesis .mypy_cache .ruff_cache python/metarec/*.so
