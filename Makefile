# make demo, make test, make quick, make lint and make vignettes set up all they need in .venv.
# Nothing else is touched, but that make test, as root on Debian, installs R.
PYTHON ?= python3
NEWEST_PYTHON ?= $(firstword $(foreach p,python3.13 python3.12,$(shell $p -c '' 2>&- && echo $p)))
BIN := .venv/bin
# In a rule, of the environment that the target lies in.
PIP = $(@D)/bin/python -m pip --disable-pip-version-check install --quiet $(UPGRADE) \
  --constraint constraints.txt

.PHONY: demo test quick test-newest vignettes lint bench clean .venv-newest/installed

demo: .venv/installed
	mkdir -p demo
	$(BIN)/rtdmf-bio correct rtdmf_bio/datasets/data/gdsc1.h5ad demo/gdsc1_corrected.h5ad \
	  --group-key tissue --enrichment demo/enrichment.csv --picture demo/correction.png --force

# test-newest runs them with the newest Python here and the newest AnnData, pandas and so on. It is
# no part of make test: torch for another Python is a large download.
# Two at a time, so that a thread each is enough: with more they wait for each other.
test quick test-newest: export OMP_NUM_THREADS = 1
test: .venv/installed .venv/installed-r
test-newest: .venv-newest/installed .venv-newest/installed-r
test test-newest:
	$(<D)/bin/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

# Without R, without data that cannot be bundled, without long fits; of some rooms alone with
# ROOM="tl pp", which are the names of test files from their beginning.
quick: .venv/installed
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not r and not data and not slow" $(QUICK)
QUICK = $(foreach room,$(ROOM),$(or $(wildcard tests/test_$(room).py tests/test_$(room)_*.py),\
  $(error There are no tests of $(room))))

vignettes: .venv/installed-docs
	$(BIN)/python scripts/render_vignettes.py vignettes vignettes/html

lint: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: .venv/installed .venv/installed-r
	$(BIN)/python benchmarks/correction.py
	$(BIN)/python benchmarks/tables.py
	$(BIN)/python benchmarks/simulation.py
	$(BIN)/python benchmarks/truth.py
	$(BIN)/python benchmarks/bridge.py
	$(BIN)/python benchmarks/r_package.py

clean:
	rm -rf .venv .venv-newest demo vignettes/html

.venv-newest/%: override PYTHON = $(or $(NEWEST_PYTHON),$(error \
  There is no python3.13 or python3.12. Pass one: make test-newest NEWEST_PYTHON=...))
.venv-newest/%: UPGRADE = --upgrade --upgrade-strategy eager

# torch first and alone: its CPU build is pinned, and nothing after it may pull another.
.venv/installed .venv-newest/installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, e.g. make PYTHON=python3.11" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(@D)
	$(PIP) torch
	$(PIP) --editable '.[test]'
	touch $@

# R and its packages are used where they are, fetched from Debian where that is allowed, and done
# without elsewhere: then the tests that need them say so and skip.
R_PACKAGES := reticulate testthat knitr rmarkdown roxygen2 SummarizedExperiment
DEBIAN_R := r-base-core r-cran-reticulate r-cran-testthat r-cran-knitr r-cran-rmarkdown \
  r-cran-roxygen2 r-bioc-summarizedexperiment qpdf

.venv/installed-r .venv-newest/installed-r: %/installed-r: %/installed
	@Rscript -e 'q(status = !all(nzchar(sapply(commandArgs(TRUE), \(p) system.file(package = p)))))' \
	  $(R_PACKAGES) 2>/dev/null || { \
	  [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq && \
	  DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends $(DEBIAN_R) \
	    >/dev/null; \
	} || echo "R, or a package of it, is not here and was not installed: tests that need it will skip."
	@! command -v R >/dev/null || { $(PIP) --editable '.[r]' && touch $@; } || \
	  echo "rpy2 could not be installed: tests that need R will skip."

.venv/installed-dev: .venv/installed
	$(PIP) --editable '.[dev]'
	touch $@

.venv/installed-docs: .venv/installed
	$(PIP) --editable '.[docs]'
	touch $@
