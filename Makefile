# Everything that is done with this project by hand or by a machine. `make help` lists it.
# Needed beforehand: make, Python 3.11 or newer; for some tests what .ci/tools and .ci/toolchains name.

PYTHON ?= python3
# More than a small machine has processors, because many tests wait on the real clock, and consumers
# of conformance use a tenth of a processor.
WORKERS ?= 4
CONFORMANCE_WORKERS ?= 6
VENV := .venv
BIN := $(VENV)/bin
CONFIG := config.example.yaml
COVERAGE :=
REGISTRY ?=
IMAGE ?=
REPOSITORY ?=

# A virtual environment holds the path of its directory, so one that was copied or moved along with
# the tree is made anew: its stamp bears another name.
HERE := $(shell printf %s '$(CURDIR)' | cksum | cut -d ' ' -f 1)
MADE := $(VENV)/.made-$(HERE)
RUNTIME := $(VENV)/.runtime-$(HERE)
DEVELOPMENT := $(VENV)/.development-$(HERE)
SUPPLY := $(VENV)/.supply-$(HERE)
SCRIPTS := .ci/run .ci/toolchains .ci/tools

# What the image and the tests of the wheel install, to the byte; what the wheel is built with; and
# clients of SLS for the tests of conformance.
LOCK := .ci/requirements.txt
BUILD_LOCK := .ci/build-requirements.txt
CLIENTS_LOCK := tests/conformance/clients/requirements.txt
COMPILE := uv pip compile --quiet --universal --python-version 3.11 --upgrade --generate-hashes \
	--no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock'
BUILT_WITH := 'import tomllib; project = tomllib.load(open("pyproject.toml", "rb")); \
	print(*project["build-system"]["requires"], sep="\n")'

# What a shell has set for another project must not leak into this one.
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV

.DEFAULT_GOAL := help
.PHONY: help setup tools toolchains demo test tests coverage conformance lint ruff format imports typecheck words yaml \
	shell dockerfile example-check generate wheel sdist chart test-wheel test-image mutants lock audit sbom \
	release-notes clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(RUNTIME) ## run the exporter against a simulated SLS, on loopback
	@$(BIN)/sls-exporter demo

# Each part runs, and tells what it finds, even where one before it failed.
test: setup ## set up everything, then lint, typecheck and run all tests
	@$(MAKE) --no-print-directory --keep-going lint tests

# A file stays with one worker, so that what it builds for all of its tests is built once. The order
# of the files is that of tests/conftest.py.
tests: $(DEVELOPMENT) ## run the tests
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(COVERAGE) \
		|| $(call AGAIN,)

coverage: setup ## set up everything, then run all tests with branch coverage
	@$(MAKE) --no-print-directory tests COVERAGE='--cov --cov-report=term'

# Servers and consumers are built before, because a build slows down consumers on the real clock. If a
# build fails, its tests fail with the reason. A worker gets tests one by one, as some take minutes.
conformance: toolchains $(DEVELOPMENT) ## run software of others against the simulator and the exporter
	-$(BIN)/python -m tests.conformance.builds
	$(BIN)/python -m pytest -n $(CONFORMANCE_WORKERS) --maxschedchunk 1 tests/conformance \
		|| $(call AGAIN,tests/conformance)

toolchains:
	@.ci/toolchains

# Many tests run on the real clock. One that fails beside others runs once more, alone. What fails
# twice, or for another reason than a failed test, is a failure.
define AGAIN
{ [ $$? -eq 1 ] && echo 'Tests that failed run again, alone.' && \
	$(BIN)/python -m pytest --last-failed --last-failed-no-failures none $(1); }
endef

lint: ruff format imports typecheck words yaml shell dockerfile example-check ## check all that is not run

ruff: $(DEVELOPMENT)
	$(BIN)/ruff check

format: $(DEVELOPMENT)
	$(BIN)/ruff format --check

imports: $(DEVELOPMENT)
	$(BIN)/lint-imports --no-logo

typecheck: $(DEVELOPMENT) ## check the types with mypy
	$(BIN)/mypy

words: $(DEVELOPMENT) ## check that comments, messages and test names use plain words
	$(BIN)/python -m tools.prose

yaml: $(DEVELOPMENT)
	$(BIN)/yamllint --strict .

shell: $(DEVELOPMENT)
	$(BIN)/shellcheck $(SCRIPTS)

dockerfile: $(DEVELOPMENT)
	$(BIN)/hadolint Dockerfile

example-check: $(RUNTIME) ## check the example configuration with the exporter itself
	SLS_KEY_ID=id SLS_KEY_SECRET=secret $(BIN)/sls-exporter check --config.file=$(CONFIG) >/dev/null

generate: $(DEVELOPMENT) ## write all generated files; FILES=docs/truth.md plays the scenes for that
	$(BIN)/python -m tools.generate $(FILES)

wheel: $(DEVELOPMENT) ## build the wheel into dist/
	rm -rf dist
	$(BIN)/python -m hatchling build -t wheel

sdist: $(DEVELOPMENT) ## build the source distribution into dist/
	$(BIN)/python -m hatchling build -t sdist

# REGISTRY, IMAGE and REPOSITORY are the defaults of a released chart.
chart: $(DEVELOPMENT) ## pack the chart into dist/
	$(BIN)/python -m tools.chart_archive dist --registry='$(REGISTRY)' --image='$(IMAGE)' \
		--repository='$(REPOSITORY)'

test-wheel: wheel ## install that wheel into fresh environments, and test it there
	SLS_EXPORTER_WHEEL=$$(echo dist/*.whl) $(BIN)/python -m pytest tests/process/test_wheel.py

test-image: $(DEVELOPMENT) tools ## build the image, run a container of it against a simulated SLS
	$(BIN)/python -m pytest tests/process/test_image.py

mutants: $(DEVELOPMENT) ## put small faults into the core one by one, list those no test notices
	$(BIN)/python -m tools.mutants $(MODULES)

lock: $(SUPPLY) ## lock the newest dependencies that pyproject.toml allows, with their hashes
	$(BIN)/$(COMPILE) --output-file $(LOCK) pyproject.toml
	$(BIN)/python -c $(BUILT_WITH) | $(BIN)/$(COMPILE) --output-file $(BUILD_LOCK) -
	$(BIN)/$(COMPILE) --output-file $(CLIENTS_LOCK) --group pyproject.toml:clients

audit: $(SUPPLY) ## look for known weaknesses in what is locked (asks a service on the network)
	$(BIN)/pip-audit --strict --require-hashes --disable-pip \
		--requirement $(LOCK) --requirement $(BUILD_LOCK)

sbom: $(SUPPLY) ## write what the wheel in dist/ runs with beside it, as a CycloneDX document
	$(PYTHON) -m venv --clear --without-pip build/sbom
	$(BIN)/python -m pip --python build/sbom/bin/python install --quiet --require-hashes \
		--requirement $(LOCK)
	$(BIN)/python -m pip --python build/sbom/bin/python install --quiet --no-deps dist/*.whl
	$(BIN)/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible \
		--output-file "$$(echo dist/*.whl).cdx.json" build/sbom

release-notes: ## print the changelog of TAG=vX.Y.Z, if every file agrees with that version
	@$(PYTHON) -m tools.release "$(TAG)"

setup: $(DEVELOPMENT) tools ## install what tests and linters need

tools:
	@.ci/tools

$(MADE):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo 'Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11' >&2; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	@touch $@

$(RUNTIME): $(MADE) pyproject.toml
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(DEVELOPMENT): $(RUNTIME) pyproject.toml
	$(BIN)/python -m pip install --quiet --group dev
	@touch $@

$(SUPPLY): $(RUNTIME) pyproject.toml
	$(BIN)/python -m pip install --quiet --group supply
	@touch $@

clean: ## remove everything that was made
	rm -rf $(VENV) dist build .coverage .coverage.* .pytest_cache .mypy_cache .ruff_cache \
		.hypothesis .import_linter_cache tests/conformance/.build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
