# `make demo` and `make test` do all their own set-up; PYTHON may name any Python 3.10 to 3.13.
PYTHON ?= python3
PYTHON37 ?= python3.7

VENV := .venv
VENV_TF1 := .venv-tf1
BIN := $(VENV)/bin
# One stamp per extra: present means installed, older than setup.cfg means install again.
DEMO := $(VENV)/.installed-demo
TEST := $(VENV)/.installed-test
TF1 := $(VENV_TF1)/.installed

.PHONY: demo test lint table benchmarks goldens clean

demo: $(DEMO)
	$(BIN)/python examples/demo.py

test: $(TEST)
	$(BIN)/python -m pytest

lint: $(TEST)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# The README's table of names, out of the registry that the code uses.
table: $(TEST)
	$(BIN)/python -m compat.table README.md

# They need no extra; the demo's is the smaller one.
benchmarks: $(DEMO)
	$(BIN)/python benchmarks/small_records.py
	$(BIN)/python benchmarks/fixed_records.py
	$(BIN)/python benchmarks/raw_arrays.py
	$(BIN)/python benchmarks/python_loaders.py
	$(BIN)/python benchmarks/device_transfer.py

# Asks the real TensorFlow 1.15.5 again, and fails where its answers differ from the committed ones.
goldens: $(DEMO) $(TF1)
	$(BIN)/python examples/data.py
	$(VENV_TF1)/bin/python tests/goldens/record.py --data examples/data
	git diff --exit-code HEAD -- tests/goldens

clean:
	rm -rf $(VENV) $(VENV_TF1) examples/data

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(DEMO) $(TEST): $(VENV)/.installed-%: setup.cfg pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[$*]'
	touch $@

$(TF1): Makefile
	$(PYTHON37) -m venv $(VENV_TF1)
	$(VENV_TF1)/bin/python -m pip install --quiet --disable-pip-version-check \
		tensorflow==1.15.5 'protobuf<3.21' 'numpy<1.19'
	touch $@
