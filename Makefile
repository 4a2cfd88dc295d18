# make demo: stylise a real photograph.  make test: all that CI checks.  make bench: what it costs.
# All install what they need.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
INSTALLED := $(VENV)/installed
DEMO_SIZE := 512

.PHONY: demo test format bench styles clean

demo: $(INSTALLED)
	@mkdir -p out
	$(BIN)/impasto stylize "$$($(BIN)/python tools/demo_photo.py)" night-swirls --size $(DEMO_SIZE) -o out/demo.png

test: $(INSTALLED)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n logical --dist worksteal

format: $(INSTALLED)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# BENCH='--against DIR' compares with another checkout, '--largest 2048' leaves out the largest size.
bench: $(INSTALLED)
	$(BIN)/python benchmarks/bench.py $(BENCH)

styles: $(INSTALLED)
	$(BIN)/python tools/paint_styles.py

clean:
	rm -rf $(VENV) out .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) install -c constraints.txt -e '.[dev]'
	@touch $@
