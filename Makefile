# Two commands and nothing before them: `make lab` to learn, `make test` to test.
# Works from any folder (`make -C path/to/efficientdl lab`) and again at once the second time.

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
PORT ?= 8888
LAB ?= 00_start_here.ipynb
# On Linux the default wheel of torch brings CUDA, gigabytes that nothing here uses: the CPU
# build is looked for first, unless pip has a folder of wheels of its own.
TORCH_INDEX ?= $(if $(PIP_FIND_LINKS),,$(if $(filter Linux,$(shell uname -s)),https://download.pytorch.org/whl/cpu))
PIP := $(PY) -m pip --disable-pip-version-check
INSTALL := $(PIP) install --quiet -c constraints.txt
# In a container one is often root, and JupyterLab wants to be told that this is meant.
AS_ROOT := $(if $(filter 0,$(shell id -u)),--allow-root)
SAY := @printf '\n== %s\n'
export JUPYTER_CONFIG_PATH := $(CURDIR)/.jupyter
export JUPYTER_PLATFORM_DIRS := 1
# Threads that wait do not spin: on two shared cores spinning makes everything slower.
export OMP_WAIT_POLICY := PASSIVE

# A grader to compare with: in an environment of its own that sees ours, so that it is no dependency.
NBGRADER := $(VENV)/nbgrader
.DEFAULT_GOAL := help
.PHONY: help lab test check bench labs full clean

help:  ## This list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## */  make \1|/' | column -t -s '|'

lab: $(VENV)/.lab  ## Set up, then open JupyterLab at the course map (PORT=8888, LAB=00_start_here.ipynb)
	$(SAY) 'Opening labs/$(LAB). Ctrl-C twice stops the server.'
	@$(PY) -m jupyterlab --notebook-dir=. --port=$(PORT) --LabApp.default_url=/lab/tree/labs/$(LAB) $(AS_ROOT) $(JUPYTER_ARGS)

test: $(VENV)/.test  ## Set up, then run every test
	$(SAY) 'Testing'
	@$(PY) -m pytest -n 2 --dist loadfile $(PYTEST_ARGS)

check: $(VENV)/.test  ## Format, lint, types, floors, and labs built from their sources
	$(SAY) 'Format and lint'
	@$(PY) -m ruff format --check . && $(PY) -m ruff check .
	$(SAY) 'Types'
	@$(PY) -m basedpyright
	$(SAY) 'Floors'
	@$(PY) -c 'from importlinter.cli import lint_imports_command as main; main()'
	$(SAY) 'Labs'
	@$(PY) -m efficientdl build --check

labs: $(VENV)/.lab  ## Build labs/ and the executed solutions/ from solutions/*.py
	@$(PY) -m efficientdl build

bench: $(VENV)/.test  ## Run the benchmarks: ratios to named peers, as JSON and Markdown
	@$(PY) -m benchmarks $(BENCH_ARGS)

full: $(VENV)/.test check  ## Everything that CI runs, and what is too long for it
	@$(PY) -m pytest -m '' --full $(PYTEST_ARGS)

clean:  ## Remove the environment and every cache
	rm -rf $(VENV) .hypothesis .ruff_cache .import_linter_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bin/python:
	$(SAY) 'Making a Python environment in $(VENV)'
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else "efficientdl needs Python 3.11 or newer, got %d.%d: make lab PYTHON=python3.11" % v[:2])'
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.lab: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(SAY) 'Installing efficientdl and what it needs (minutes the first time, most of it torch)'
	@$(if $(TORCH_INDEX),$(INSTALL) --extra-index-url $(TORCH_INDEX) torch)
	@$(INSTALL) -e .
	@touch $@

$(VENV)/.test: $(VENV)/.lab
	$(SAY) 'Installing what the tests need'
	@$(INSTALL) -e '.[test]'
	@touch $@

$(VENV)/.nbgrader: $(VENV)/.test
	$(SAY) 'Installing nbgrader beside it, which one test compares with'
	@$(PY) -m venv $(NBGRADER)
	@$(PY) -c 'import site, sys; print("import site; site.addsitedir(%r)" % site.getsitepackages()[0])' \
		> "$$($(NBGRADER)/bin/python -c 'import site; print(site.getsitepackages()[0])')/ours.pth"
	@$(NBGRADER)/bin/python -m pip --disable-pip-version-check install --quiet -c constraints.txt nbgrader==0.9.6
	@touch $@
