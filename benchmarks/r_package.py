"""Measure what the way from R to Python and back costs, beside the fit itself.

    python benchmarks/r_package.py [--quick] [--out DIR]

Needs R with reticulate; rtdmfbio is installed into a temporary folder. See README.md beside this
file for what the table says.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from report import make_folder, make_parser, write_tables

# The same matrix and settings in both; in R the time within pp.correct is taken out.
_SETTINGS = {"threshold": 0.3, "weight_decay": 1, "impute": "low-rank", "progress": False}
_PYTHON = """
import json, sys, time
import numpy as np
import rtdmf_bio as rt
from anndata import AnnData
n, repeats, settings = json.loads(sys.argv[1])
X = np.fromfile(sys.argv[2]).reshape((n, n), order="F")
taken = []
for _ in range(repeats + 1):
    start = time.perf_counter()
    adata = AnnData(X)
    rt.pp.correct(adata, group_key=None, **settings)
    taken.append(time.perf_counter() - start)
print(json.dumps(taken[1:]))
"""
_TIMED = """
import time
import rtdmf_bio.pp as pp
plain, taken = pp.correct, []
def timed(*args, **kwargs):
    start = time.perf_counter()
    plain(*args, **kwargs)
    taken.append(time.perf_counter() - start)
pp.correct = timed
"""
_R = """
library(rtdmfbio)
args <- commandArgs(TRUE)
n <- as.integer(args[1]); repeats <- as.integer(args[2]); path <- args[3]
set.seed(1)
x <- outer(rnorm(n), rnorm(n)) + matrix(rnorm(n * n), n)
x[sample(n * n, n * n / 5)] <- NA
dimnames(x) <- list(paste0("drug", 1:n), paste0("line", 1:n))
writeBin(as.vector(x), path)
reticulate::py_run_string(readLines(args[4]) |> paste(collapse = "\\n"))
whole <- vapply(0:repeats, function(i) {
  system.time(rtdmf_correct(x, threshold = 0.3, weight_decay = 1, impute = "low-rank",
                            progress = FALSE))[["elapsed"]]
}, 0)
echo <- vapply(0:repeats, function(i) {
  system.time(rtdmfbio:::call_python("echo", x))[["elapsed"]]
}, 0)
fit <- reticulate::py_eval("[float(x) for x in taken]")
cat(jsonlite::toJSON(list(whole = whole[-1], fit = fit[-1], echo = echo[-1]), digits = 6))
"""


def main() -> None:
    given = make_parser(__doc__).parse_args()
    make_folder(given)
    n, repeats = (50, 1) if given.quick else (1000, 5)
    with tempfile.TemporaryDirectory() as folder:
        in_r, alone = measure(Path(folder), n, repeats)
    beyond = [whole - fit for whole, fit in zip(in_r["whole"], in_r["fit"], strict=True)]
    middle = statistics.median
    rows = [
        {"part": "fit in Python alone", "seconds": f"{middle(alone):.2f}", "limit": ""},
        {"part": "fit within R", "seconds": f"{middle(in_r['fit']):.2f}", "limit": ""},
        {"part": "rtdmf_correct beyond the fit", "seconds": f"{middle(beyond):.2f}", "limit": 0.5},
        {
            "part": "the matrix there and back",
            "seconds": f"{middle(in_r['echo']):.2f}",
            "limit": 0.5,
        },
    ]
    write_tables(given.out, "r_package", {f"rtdmfbio on a {n} x {n} matrix": rows}, as_csv=False)


def measure(folder: Path, n: int, repeats: int) -> tuple[dict[str, list[float]], list[float]]:
    """Seconds in R, whole and within the fit, and of the same fits in Python."""
    source = Path(__file__).parents[1] / "r_bridge" / "rtdmfbio"
    env: dict[str, Any] = {
        **os.environ, "R_LIBS": str(folder), "RETICULATE_PYTHON": sys.executable
    }  # fmt: skip
    install = ["R", "CMD", "INSTALL", "--no-docs", "--no-test-load", "-l", str(folder), str(source)]
    subprocess.run(install, check=True, capture_output=True)
    (folder / "timed.py").write_text(_TIMED)
    (folder / "run.R").write_text(_R)
    matrix = folder / "matrix"
    args = [str(n), str(repeats), str(matrix), str(folder / "timed.py")]
    out = subprocess.run(
        ["Rscript", str(folder / "run.R"), *args],
        env=env, check=True, stdout=subprocess.PIPE, text=True,
    ).stdout  # fmt: skip
    alone = subprocess.run(
        [sys.executable, "-c", _PYTHON, json.dumps([n, repeats, _SETTINGS]), str(matrix)],
        check=True, stdout=subprocess.PIPE, text=True,
    ).stdout  # fmt: skip
    return json.loads(out), json.loads(alone)


if __name__ == "__main__":
    main()
