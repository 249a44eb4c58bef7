# Everything runs in .venv; every target makes what it needs first.
PYTHON ?= python3.11
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
SHOP   ?= demo-shop

.DEFAULT_GOAL := help
.PHONY: help install demo test check bench browser clean

help: ## this list
	@awk -F':.*## ' '/^[a-z]+:.*## /{printf "make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(STAMP) ## the virtual environment in .venv, with aisle and its tools

# torch goes first and alone: its CPU build must be in place before anything asks for "torch".
$(STAMP): pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "aisle needs Python 3.11 or newer: set PYTHON=…"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV): a few minutes the first time."
	$(BIN)/python -m pip install --quiet --disable-pip-version-check torch==2.13.0
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

demo: install ## build the demo shop and open its storefront; it trains meanwhile
	$(BIN)/aisle demo $(SHOP)

browser: ## Debian's Chromium for the tests that drive a browser, when it can be had
	@command -v chromium >/dev/null || { \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "Installing Chromium for the browser tests."; \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium fonts-noto-cjk >/dev/null; \
	  else echo "No Chromium here: the browser tests will be skipped (apt-get install chromium)."; fi; }

test: install browser ## the whole test suite
	$(BIN)/python -m pytest

check: install ## style and types
	$(BIN)/ruff check src tests benchmarks
	$(BIN)/ruff format --check src tests benchmarks
	$(BIN)/mypy

bench: install ## the evidence: what benchmarks/README.md says, measured here
	$(BIN)/python benchmarks/all.py

clean: ## remove what the targets above made
	rm -rf $(VENV) $(SHOP) .mypy_cache .ruff_cache .pytest_cache .hypothesis
