"""The R package rtdmfbio: checked by R's own tools, and equal to Python to the last bit."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest

import r_bridge
import rtdmf_bio as rt

sys.path.insert(0, str(Path(__file__).parent))
import made_psets as made

SOURCE = Path(__file__).resolve().parents[1] / "r_bridge" / "rtdmfbio"
NEEDED = ("reticulate", "testthat", "knitr", "rmarkdown", "roxygen2")
MEASURE = "auc_recomputed"
NOTES = {
    "checking CRAN incoming feasibility": "new to CRAN, and its licence has a file",
    "checking package dependencies": "PharmacoGx, which it enhances, is on Bioconductor",
    "checking for future file timestamps": "no network to ask for the time",
}
"""What R CMD check notes, and why it may."""


def environment(**more):
    # rpy2 runs an R in this process, whose variables are not for others.
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("R_", "PYTHON_SESSION"))}
    return {**kept, "RETICULATE_PYTHON": sys.executable, **more}


def run(*command, cwd, **more):
    out = subprocess.run(
        command, cwd=cwd, env=environment(**more), capture_output=True, text=True, check=False
    )
    assert out.returncode == 0, out.stdout[-4000:] + out.stderr[-4000:]
    return out.stdout + out.stderr


@pytest.fixture(scope="module")
def rscript():
    """Rscript, where it has the packages that the R package is made with."""
    if shutil.which("Rscript") is None:
        pytest.skip("R is not here (make test gets it, as root on Debian)")
    wanted = ", ".join(f"'{name}'" for name in NEEDED)
    code = f"for (p in c({wanted})) if (!nzchar(system.file(package = p))) cat(p, '')"
    lacking = run("Rscript", "-e", code, cwd=".").split()
    if lacking:
        pytest.skip(f"R lacks {', '.join(lacking)} (make test gets them, as root on Debian)")
    return "Rscript"


@pytest.fixture(scope="module")
def python_in_r(rscript):
    """Rscript, where its reticulate can run this Python."""
    code = "cat(system.file('config/config.py', package = 'reticulate'))"
    ask = [sys.executable, run("Rscript", "-e", code, cwd=".")]
    said = subprocess.run(ask, capture_output=True, text=True, check=False).stderr
    # 1.28 takes 3.12, which has no module imp, for older than 3.4.
    if "No module named 'imp'" in said:
        version = ".".join(map(str, sys.version_info[:2]))
        pytest.skip(f"R's reticulate is too old to run Python {version}")
    return rscript


@pytest.fixture(scope="module")
def library(python_in_r, tmp_path_factory):
    folder = tmp_path_factory.mktemp("library")
    run(
        "R",
        "CMD",
        "INSTALL",
        "--no-docs",
        "--no-test-load",
        "-l",
        str(folder),
        str(SOURCE),
        cwd=folder,
    )
    return folder


def test_r_cmd_check_finds_no_error_no_warning_and_only_notes_that_are_known(python_in_r, tmp_path):
    """It runs the testthat suite and the examples; the build runs the vignette."""
    run("R", "CMD", "build", str(SOURCE), cwd=tmp_path)
    (package,) = tmp_path.glob("rtdmfbio_*.tar.gz")
    check = subprocess.run(
        ["R", "CMD", "check", "--as-cran", "--no-manual", "--no-build-vignettes", package.name],
        cwd=tmp_path,
        # A busy machine takes seconds to start Python, in whatever example comes first.
        env=environment(
            _R_CHECK_CRAN_INCOMING_REMOTE_="false",
            _R_CHECK_FORCE_SUGGESTS_="false",
            _R_CHECK_EXAMPLE_TIMING_THRESHOLD_="600",
        ),
        capture_output=True,
        text=True,
        check=False,
    )
    log = check.stdout
    tests = tmp_path / "rtdmfbio.Rcheck" / "tests"
    report = "".join(file.read_text()[-3000:] for file in tests.glob("*.Rout*"))
    assert re.search(r"^Status: (OK|\d+ NOTEs?)$", log, re.MULTILINE), log[-3000:] + report
    noted = re.findall(r"^\* (.*) \.\.\. (?:\[.*\] )?NOTE", log, re.MULTILINE)
    assert set(noted) <= set(NOTES), log
    assert re.search(r"FAIL 0 \| WARN 0 \| SKIP 0 \| PASS \d{3}", report), report
    vignette = (tmp_path / "rtdmfbio.Rcheck/rtdmfbio/doc/pharmacoset.html").read_text()
    assert "PLX-4720" in vignette
    assert "Python was not ready" not in vignette


def test_the_manual_is_what_roxygen_makes_of_the_comments(rscript, tmp_path):
    copy = shutil.copytree(SOURCE, tmp_path / "rtdmfbio")
    code = "roxygen2::roxygenise('rtdmfbio', load_code = 'source')"
    run("Rscript", "-e", code, cwd=tmp_path)
    made = {path.name: path.read_text() for path in [copy / "NAMESPACE", *(copy / "man").iterdir()]}
    kept = [SOURCE / "NAMESPACE", *(SOURCE / "man").iterdir()]
    assert made == {path.name: path.read_text() for path in kept}


def test_both_packages_have_one_version():
    assert f"\nVersion: {rt.__version__}\n" in (SOURCE / "DESCRIPTION").read_text()


def screen():
    """A hundred drugs of GDSC1 on the lines of five tissues, in float64."""
    adata = rt.datasets.gdsc1()[:100]
    some = adata.var["tissue"].isin(["skin", "leukemia", "breast", "bone", "kidney"])
    adata = adata[:, some].copy()
    adata.X = adata.X.astype(np.float64)
    return adata


CORRECT = """
library(rtdmfbio)
args <- commandArgs(TRUE)
se <- rtdmf_gdsc1("SummarizedExperiment")
wanted <- se$tissue %in% c("skin", "leukemia", "breast", "bone", "kidney")
se <- se[1:100, wanted]
x <- SummarizedExperiment::assay(se, "auc")
m <- rtdmf_correct(x, groups = list(tissue = se$tissue), higher_is = "resistant", progress = FALSE)
write_h5ad(rtdmf_result(m), file.path(args[1], "matrix.h5ad"))
write_h5ad(rtdmf_correct(se, progress = FALSE), file.path(args[1], "experiment.h5ad"))
"""


@pytest.fixture(scope="module")
def from_r(library, tmp_path_factory):
    folder = tmp_path_factory.mktemp("from_r")
    (folder / "correct.R").write_text(CORRECT)
    run("Rscript", "correct.R", str(folder), cwd=folder, R_LIBS=str(library))
    return folder


@pytest.mark.parametrize("name", ["matrix", "experiment"])
def test_r_gets_what_python_gets_to_the_last_bit(name, from_r):
    """In another process, where R's BLAS would multiply for torch if it were let."""
    ours, theirs = screen(), anndata.read_h5ad(from_r / f"{name}.h5ad")
    rt.pp.correct(ours)
    for layer in (None, "rtdmf", "rtdmf_residual", "rtdmf_flag"):
        expected, found = (a.X if layer is None else a.layers[layer] for a in (ours, theirs))
        np.testing.assert_array_equal(found, expected)
    assert list(theirs.obs_names) == list(ours.obs_names)
    assert list(theirs.var["tissue"]) == list(ours.var["tissue"])
    result, expected = theirs.uns["rtdmf"], ours.uns["rtdmf"]
    assert set(result) == set(expected)
    assert result["threshold"] == expected["threshold"]
    assert result["validation_rmse"] == expected["validation_rmse"]
    table, other = rt.tl.enrichment(theirs), rt.tl.enrichment(ours)
    pd.testing.assert_frame_equal(table, other, check_dtype=False, check_exact=True)


def test_what_r_writes_can_be_drawn_and_read_in_python(from_r):
    adata = anndata.read_h5ad(from_r / "matrix.h5ad")
    figure = rt.pl.correction(adata)
    assert len(figure.axes) == 5
    import matplotlib.pyplot as plt

    plt.close(figure)


PSETS = """
library(rtdmfbio)
args <- commandArgs(TRUE)
for (name in args[-1]) {
  pset <- readRDS(file.path(args[1], paste0(name, ".rds")))
  before <- serialize(pset, NULL)
  corrected <- suppressMessages(rtdmf_correct(
    pset, measure = "auc_recomputed", groups = NULL, threshold = 0.3, weight_decay = 1,
    impute = "low-rank", progress = FALSE
  ))
  stopifnot(identical(before, serialize(pset, NULL)))
  saveRDS(corrected, file.path(args[1], paste0(name, "_corrected.rds")))
}
"""


@pytest.fixture(scope="module")
def psets(library, tmp_path_factory):
    folder = tmp_path_factory.mktemp("psets")
    for name in made.GENERATIONS:
        made.write(folder / f"{name}.rds", made.pset(name))
    (folder / "psets.R").write_text(PSETS)
    run("Rscript", "psets.R", str(folder), *made.GENERATIONS, cwd=folder, R_LIBS=str(library))
    return folder


@pytest.mark.parametrize("generation", made.GENERATIONS)
def test_a_pharmacoset_of_any_generation_gets_what_python_writes(generation, psets, backend):
    source = psets / f"{generation}.rds"
    adata = r_bridge.read_pset(source, MEASURE, backend=backend, progress=False)
    rt.pp.correct(adata, group_key=None, threshold=0.3, weight_decay=1, impute="low-rank")
    theirs = r_bridge.read_pset(
        psets / f"{generation}_corrected.rds",
        f"{MEASURE}_rtdmf",
        layers=[MEASURE, f"{MEASURE}_rtdmf_flag"],
        backend=backend,
        progress=False,
    )
    tested = np.isfinite(theirs.X)
    assert theirs.uns["measure"]["higher_is"] == "sensitive"
    assert list(theirs.obs_names) == list(adata.obs_names)
    assert list(theirs.var_names) == list(adata.var_names)
    np.testing.assert_array_equal(theirs.X[tested], adata.layers["rtdmf"][tested])
    np.testing.assert_array_equal(theirs.layers[MEASURE], adata.X)
    flags = theirs.layers[f"{MEASURE}_rtdmf_flag"]
    np.testing.assert_array_equal(flags[tested], adata.layers["rtdmf_flag"][tested])
    assert set(np.unique(flags[np.isfinite(adata.X)])) <= {1, 2, 3}
    assert tested[np.isfinite(adata.X)].all()


REAL = """
library(rtdmfbio)
args <- commandArgs(TRUE)
for (path in args[-1]) {
  x <- if (grepl("rds$", path)) readRDS(path) else get(load(path))
  y <- suppressMessages(rtdmf_correct(x, measure = "auc_recomputed", group_missing = "ignore",
                                      unmeasured = "nan", progress = FALSE))
  write_h5ad(rtdmf_result(y), file.path(args[1], paste0(basename(path), ".h5ad")))
}
"""


def test_real_pharmacosets_give_in_r_what_they_give_in_python(library, tmp_path, shared_data):
    files = sorted(shared_data("psets").glob("GDSCsmall_*.rd*"))
    assert files
    (tmp_path / "real.R").write_text(REAL)
    run("Rscript", "real.R", str(tmp_path), *map(str, files), cwd=tmp_path, R_LIBS=str(library))
    for file in files:
        ours = r_bridge.read_pset(file, MEASURE, progress=False)
        rt.pp.correct(ours, group_missing="ignore", unmeasured="nan", progress=False)
        theirs = anndata.read_h5ad(tmp_path / f"{file.name}.h5ad")
        np.testing.assert_array_equal(theirs.X, ours.X)
        for layer in ("rtdmf", "rtdmf_flag"):
            np.testing.assert_array_equal(theirs.layers[layer], ours.layers[layer])


def test_readme_example_runs(library, tmp_path):
    """As a whole, on the bundled screen."""
    text = (SOURCE.parent.parent / "README.md").read_text()
    (tmp_path / "readme.R").write_text(re.search(r"```r\n(.*?)```", text, re.S).group(1))
    said = run("Rscript", "readme.R", cwd=tmp_path, R_LIBS=str(library))
    assert re.search(r"Dabrafenib +tissueid +skin sensitive", said)


INTERRUPT = """
library(rtdmfbio)
x <- rtdmf_gdsc1()
cat("begins\\n")
said <- tryCatch(rtdmf_correct(x, tol = 1e-12, max_iter = 1e6, progress = FALSE),
                 interrupt = function(i) "stopped")
cat(said, "\\n")
cat(dim(rtdmf_correct(x[1:20, 1:100], progress = FALSE)), "\\n")
"""


def test_an_interrupt_stops_python_and_r_goes_on(library, tmp_path):
    (tmp_path / "interrupt.R").write_text(INTERRUPT)
    process = subprocess.Popen(
        ["Rscript", "interrupt.R"],
        cwd=tmp_path,
        env=environment(R_LIBS=str(library)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "begins\n"
    # Long enough for Python to begin, and a fraction of what it would take.
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(3)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    assert "stopped" in said
    assert "20 100" in said
    assert process.returncode == 0


def test_an_object_of_the_real_class_keeps_it(library, tmp_path):
    """With the package of a PharmacoSet loaded, its class is defined and dispatches."""
    from test_bridge_pharmacogx import STAND_IN

    for name, text in STAND_IN.items():
        path = tmp_path / "PharmacoGx" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    run("R", "CMD", "INSTALL", "-l", str(library), "PharmacoGx", cwd=tmp_path)
    made.write(tmp_path / "x.rds", made.pset("current"))
    code = """
    library(PharmacoGx); library(rtdmfbio)
    setClass("Derived", contains = "PharmacoSet")
    for (x in list(readRDS("x.rds"), as(readRDS("x.rds"), "Derived"))) {
      y <- suppressMessages(rtdmf_correct(x, measure = "auc_recomputed", groups = NULL,
                                          threshold = 0.3, weight_decay = 1,
                                          impute = "low-rank", progress = FALSE))
      stopifnot(validObject(y), identical(class(y), class(x)),
                "auc_recomputed_rtdmf" %in% names(sensitivityProfiles(y)))
      cat(dim(rtdmf_flags(y)), "")
    }
    """
    try:
        said = run("Rscript", "-e", code, cwd=tmp_path, R_LIBS=str(library))
    finally:
        shutil.rmtree(library / "PharmacoGx")
    assert said.split()[-4:] == ["5", "7", "5", "7"]
