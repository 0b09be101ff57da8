# make demo          installs what the demo needs, starts it, prints one URL
# make install       everything a developer needs, into .venv
# make test check    the tests (real livekit-server and Chromium included); linters and types
# make test-gpu      the tests that need an NVIDIA GPU
# make bench         short measurements of this machine; BENCH="render" for one of them
# make train         trains the voice-to-face net: a night on a CPU, see docs/training.md; SCALE=0.1 to rehearse
# make constraints   writes constraints.txt from what is installed now

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PACKAGES := -e ./livekit-plugins-avaluma -e './avatar-worker[demo,build]'
PINNED := $(wildcard constraints.txt)
SOURCES := pyproject.toml avatar-worker/pyproject.toml livekit-plugins-avaluma/pyproject.toml $(PINNED)
PIP := $(BIN)/python -m pip --disable-pip-version-check

.PHONY: help install demo test test-gpu check bench train train-test constraints clean

help:
	@sed -n 's/^# //p' Makefile | head -7

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info < (3, 15) else \
	  f"Python 3.11 to 3.14 is needed, $(PYTHON) is {sys.version.split()[0]}; run `make PYTHON=python3.12 ...` with another one")'
	@echo "Making $(VENV) ..."
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "python3-venv is missing (Debian: sudo apt-get install python3-venv)" >&2; exit 1; }
	@$(PIP) install --quiet 'pip>=25.1'

# What a person who runs the demo needs: no test tools, no linters.
$(VENV)/.runtime: $(BIN)/python $(SOURCES)
	@echo "Installing the worker, the plugin and the demo into $(VENV) ..."
	@$(PIP) install $(addprefix -c ,$(PINNED)) $(PACKAGES)
	@$(BIN)/avatar-worker download-files || echo "Going on: only building avatars needs that model." >&2
	@touch $@

$(VENV)/.development: $(VENV)/.runtime
	@echo "Installing test and lint tools into $(VENV) ..."
	@$(PIP) install $(addprefix -c ,$(PINNED)) --group test --group lint $(PACKAGES)
	@$(BIN)/avatar-worker download-files
	@touch $@

install: $(VENV)/.development

demo: $(VENV)/.runtime
	@$(BIN)/avatar-worker demo

test: $(VENV)/.development
	@echo "livekit-server: $$($(BIN)/python -m avatar_worker.demo.livekit_server)"
	@echo "Chromium: $$($(BIN)/python -m avatar_worker.demo.chromium)"
	$(BIN)/python -m pytest

test-gpu: $(VENV)/.development
	$(BIN)/python -m pytest -m gpu

check: $(VENV)/.development
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy -p avatar_worker -p livekit.plugins.avaluma -p avaluma_livekit_plugin -p training
	$(BIN)/mypy examples
	$(BIN)/mypy benchmarks tests/fakes
	$(BIN)/lint-imports

BENCH ?= render join
bench: $(VENV)/.development
	@for name in $(BENCH); do $(BIN)/avatar-worker bench $$name --short; done

# Training has an environment of its own: torch is large, and nobody else needs it.
TRAIN := .venv-train
SPEAKERS := espeak-ng libespeak-ng1 flite festival festvox-kallpc16k festvox-kdlpc16k festvox-us-slt-hts
SCALE ?= 1

$(TRAIN)/.installed: pyproject.toml avatar-worker/pyproject.toml
	@for tool in espeak-ng flite festival npm; do command -v $$tool >/dev/null || { \
	  echo "$$tool is missing (Debian: sudo apt-get install $(SPEAKERS) npm)" >&2; exit 1; }; done
	@$(PYTHON) -m venv $(TRAIN)
	@$(TRAIN)/bin/python -m pip install --quiet 'pip>=25.1'
	@$(TRAIN)/bin/python -m pip --disable-pip-version-check install --group train -e ./avatar-worker
	@touch $@

train: $(TRAIN)/.installed
	nice -n 19 $(TRAIN)/bin/python -m training.recipe --scale $(SCALE)

train-test: $(TRAIN)/.installed
	$(TRAIN)/bin/python -m pytest -c training/tests/pytest.ini training/tests

constraints: $(VENV)/.development
	@{ echo "# Exact versions of everything that is installed for users, tests and linters. Written by 'make constraints'."; \
	   $(PIP) freeze --exclude-editable | sort -f; } > constraints.new
	@mv constraints.new constraints.txt
	@echo "constraints.txt: $$(grep -c == constraints.txt) packages"

clean:
	rm -rf $(VENV) $(TRAIN) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
