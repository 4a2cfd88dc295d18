# make demo: stylise a real photograph.  make studio: the same and more in a browser.
# make test: all that CI checks.  make bench: what it costs.
# make gallery: the pictures of docs/gallery.  make lowest: the oldest versions that are allowed.
# All install what they need.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
INSTALLED := $(VENV)/installed
INSTALLED_STUDIO := $(VENV)/installed-studio
INSTALLED_DEV := $(VENV)/installed-dev
DEMO_SIZE := 512

.PHONY: demo studio test format bench styles gallery lowest clean

demo: $(INSTALLED)
	@mkdir -p out
	$(BIN)/impasto stylize "$$($(BIN)/python tools/demo_photo.py)" night-swirls --size $(DEMO_SIZE) -o out/demo.png

# STUDIO='--port 8000' hands on options.
studio: $(INSTALLED_STUDIO)
	$(BIN)/impasto studio $(STUDIO)

test: $(INSTALLED_DEV)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n logical --dist worksteal

format: $(INSTALLED_DEV)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# BENCH='--against DIR' compares with another checkout, '--largest 2048' leaves out the largest size.
bench: $(INSTALLED)
	$(BIN)/python benchmarks/bench.py $(BENCH)

styles: $(INSTALLED)
	$(BIN)/python tools/paint_styles.py

# GALLERY_INPUTS=DIR: a folder with tuebingen, starry-night and kandinsky, .jpg or .png.
# GALLERY='FILE ...' makes only these. They go to out/gallery; docs/gallery stays as it is.
gallery: $(INSTALLED)
	$(BIN)/python tools/make_gallery.py $(if $(GALLERY_INPUTS),--inputs '$(GALLERY_INPUTS)') $(GALLERY)

# In an environment of its own under the temporary directory; it downloads, and CI leaves it out.
lowest:
	$(PYTHON) tools/lowest.py

clean:
	rm -rf $(VENV) out .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# What impasto needs to run, and then what its developers do.
$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) install -c constraints.txt -e .
	@touch $@

$(INSTALLED_STUDIO): $(INSTALLED)
	$(PIP) install -c constraints.txt -e '.[studio]'
	@touch $@

$(INSTALLED_DEV): $(INSTALLED)
	$(PIP) install -c constraints.txt -e '.[dev]'
	@touch $@
