# Both `make demo` and `make test` set up everything they need in .venv.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
SCREEN := $(if $(DISPLAY)$(WAYLAND_DISPLAY),,xvfb-run -a -s "-screen 0 1400x1000x24")

.PHONY: demo test check docs-images docs-gallery docs-mattes clean

demo: $(VENV)/.ready
	$(PY) -m napari_softlayers._cli demo --output demo

test: $(VENV)/.ready
	sh tools/system_libraries.sh
	$(SCREEN) $(PY) -m pytest -n 2 --dist loadgroup $(TESTS)

check: $(VENV)/.ready
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

docs-images: $(VENV)/.ready
	sh tools/system_libraries.sh
	$(SCREEN) $(PY) tools/docs_images.py

docs-gallery: $(VENV)/.ready
	$(PY) tools/gallery.py

docs-mattes: $(VENV)/.ready
	$(PY) tools/mattes_picture.py

$(VENV)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --upgrade "pip>=25.1"
	$(PY) -m pip install --quiet --constraint constraints.txt torch
	$(PY) -m pip install --quiet --constraint constraints.txt --editable . --group dev
	touch $@

clean:
	rm -rf $(VENV) demo build dist src/*.egg-info
