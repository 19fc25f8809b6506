# demo: images to report · test: the suite · test-portable: the suite as other machines run it · check: lint, format, types · docs: the site · bench: timings (BENCH='--rounds 5 --full')
PYTHON ?= python3
BIN := .venv/bin
BENCH ?= --rounds 3
STAMP := .venv/.installed

.PHONY: demo test test-portable check docs bench clean

demo: $(STAMP)
	$(BIN)/lesionlens demo

test: $(STAMP)
	$(BIN)/pytest

test-portable: $(STAMP)
	sh tests/portable.sh $(BIN)/pytest

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(STAMP)
	$(BIN)/mkdocs build --strict

bench: $(STAMP)
	$(BIN)/python benchmarks/run.py $(BENCH)

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

clean:
	rm -rf .venv site
