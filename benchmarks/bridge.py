"""Measure how long PharmacoSets take to read, with R and without.

    python benchmarks/bridge.py [--pset FILE --measure NAME] [--quick] [--out DIR]

Needs R and rpy2. See README.md beside this file for what the tables say.
"""

from __future__ import annotations

import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from report import Rows, make_folder, make_parser, write_tables
from speed import run_fresh

_MAKE = """function(path, drugs, lines) {
  set.seed(1)
  d <- paste0("drug-", seq_len(drugs)); l <- paste0("line-", seq_len(lines)); n <- drugs * lines
  info <- data.frame(sampleid = rep(l, each = drugs), treatmentid = rep(d, lines),
                     min.Dose.uM = runif(n), max.Dose.uM = runif(n), duration_h = 72)
  rownames(info) <- paste(info$treatmentid, info$sampleid, sep = "_")
  profiles <- data.frame(aac_recomputed = runif(n), HS = runif(n), E_inf = runif(n),
                         EC50 = runif(n), row.names = rownames(info))
  setClass("PharmacoSet", representation(treatmentResponse = "list", sample = "data.frame",
    treatment = "data.frame", curation = "list", annotation = "list"), where = .GlobalEnv)
  x <- new("PharmacoSet", annotation = list(name = "made"),
    treatmentResponse = list(info = info, profiles = profiles,
      raw = array(runif(n * 18), c(n, 9, 2), list(rownames(info), 1:9, c("Dose", "Viability")))),
    sample = data.frame(sampleid = l, tissueid = sample(letters, lines, TRUE), row.names = l),
    treatment = data.frame(treatmentid = d, row.names = d))
  removeClass("PharmacoSet", where = .GlobalEnv)
  attr(x, "class") <- structure("PharmacoSet", package = "PharmacoGx")
  saveRDS(x, path)
}"""
_OPEN = """function(path, measure) {
  if (grepl("rds$", path)) x <- readRDS(path)
  else { into <- new.env(); x <- get(load(path, envir = into), envir = into) }
  response <- attr(x, "treatmentResponse")
  if (is.na(measure)) return(length(response$profiles[[1]]))
  dim(tapply(response$profiles[[measure]], list(
    factor(response$info$treatmentid, rownames(attr(x, "treatment"))),
    factor(response$info$sampleid, rownames(attr(x, "sample")))), median, na.rm = TRUE))
}"""
_READ = """
import resource, json, time, r_bridge
r_bridge.read_pset({small!r}, "aac_recomputed", backend={backend!r}, progress=False)
wall = time.perf_counter()
r_bridge.read_pset({path!r}, {measure!r}, backend={backend!r}, progress=False)
wall = time.perf_counter() - wall
print(json.dumps([wall, 0, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10]))
"""


def main() -> None:
    parser = make_parser(__doc__)
    parser.add_argument("--pset", type=Path, help="a PharmacoSet of the current generation")
    parser.add_argument("--measure", default="auc_recomputed")
    given = parser.parse_args()
    make_folder(given)
    with tempfile.TemporaryDirectory() as folder:
        path, small = Path(folder, "made.rds"), Path(folder, "small.rds")
        size = (8, 10) if given.quick else (400, 750)
        for file, (drugs, lines) in ((path, size), (small, (3, 4))):
            code = f"({_MAKE})({str(file)!r}, {drugs}, {lines})"
            subprocess.run(["Rscript", "-e", code], check=True, capture_output=True)
        files = [(f"made, {size[0]} x {size[1]}", path, "aac_recomputed")]
        if given.pset is not None:
            files.insert(0, (given.pset.name, given.pset, given.measure))
        repeats = 1 if given.quick else 7
        # In this order: a child inherits the peak memory of its parent.
        whole = [row for file in files for row in in_fresh_processes(*file, small, given.quick)]
        ratios = [row for file in files for row in against_r(*file, small, repeats)]
    write_tables(
        given.out,
        "bridge",
        {
            "Against plain R, in one process, in turn": ratios,
            "read_pset in a fresh process, without starting Python and R": whole,
        },
    )


def against_r(name: str, path: Path, measure: str, small: Path, repeats: int) -> Rows:
    """Time `read_pset` and plain R on the same file, one after the other."""
    import r_bridge

    r_bridge.read_pset(small, "aac_recomputed", backend="r", progress=False)  # starts R
    import rpy2.rinterface as ri

    opened = ri.baseenv["eval"](ri.parse(_OPEN))
    file = ri.StrSexpVector([str(path)])
    ways = {
        "R: load": lambda: opened(file, ri.StrSexpVector([ri.NA_Character])),
        "R: load and median by tapply": lambda: opened(file, ri.StrSexpVector([measure])),
        "read_pset": lambda: r_bridge.read_pset(path, measure, backend="r"),
    }
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for repeat in range(repeats + 1):
        for way, run in ways.items():
            start = time.perf_counter()
            run()
            if repeat:
                seconds[way].append(time.perf_counter() - start)
    rows = []
    for way, taken in seconds.items():
        pairs = zip(seconds["read_pset"], taken, strict=True)
        ratio = statistics.median(ours / theirs for ours, theirs in pairs)
        middle = statistics.median(taken)
        rows.append(
            {"file": name, "way": way, "seconds": f"{middle:.2f}", "read_pset": f"{ratio:.2f} x"}
        )
    return rows


def in_fresh_processes(name: str, path: Path, measure: str, small: Path, quick: bool) -> Rows:
    """Seconds and peak memory of each back end, which a small file has started."""
    rows = []
    for backend in ("r", "rdata"):
        code = _READ.format(path=str(path), measure=measure, backend=backend, small=str(small))
        runs = [run_fresh(code) for _ in range(1 if quick or backend == "rdata" else 3)]
        wall, _, peak = zip(*runs, strict=True)
        rows.append(
            {
                "file": name,
                "back end": backend,
                "seconds": f"{statistics.median(wall):.2f}",
                "peak MB": f"{max(peak):.0f}",
            }
        )
    return rows


if __name__ == "__main__":
    main()
