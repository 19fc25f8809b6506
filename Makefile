# demo           run the full pipeline on synthetic images
# test           run the test suite
# test-portable  run the test suite as on other machines
# test-bounds    run the test suite with the lowest and the newest dependencies
# check          lint, format, import layers, types
# docs           build the documentation site into site/
# bench          run the benchmarks (BENCH='--rounds 5 --full')
PYTHON ?= python3
BIN := .venv/bin
BENCH ?= --rounds 3
STAMP := .venv/.installed

PYTEST := $(BIN)/pytest --numprocesses 2 --dist worksteal

.PHONY: demo test test-portable test-bounds check docs bench clean

demo: $(STAMP)
	$(BIN)/lesionlens demo

test: $(STAMP)
	$(PYTEST)

test-portable: $(STAMP)
	sh tests/portable.sh $(PYTEST)

test-bounds: $(STAMP)
	sh tests/bounds.sh $(BIN)/uv --numprocesses 2 --dist worksteal

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache
	$(BIN)/mypy

docs: $(STAMP)
	$(BIN)/python docs/generate.py --check
	$(BIN)/zensical build --strict --clean

bench: $(STAMP)
	$(BIN)/python benchmarks/run.py $(BENCH)

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

clean:
	rm -rf .venv .cache site
