"""How long a correction takes and how much memory it needs.

Nothing heavy is imported at the top: a child process inherits the peak memory of its parent
on Linux, so the process that starts the timings has to stay small.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from report import Rows

_LOAD = "import numpy as np; from rtdmf_bio.datasets import gdsc1; adata = gdsc1(){cut}\n"
_FIT = (
    "import numpy as np; from rtdmf_bio import RTDMF; X = np.load({path!r})\n"
    "RTDMF().fit(X[:40, :60])"
)
# In a process of its own, so that the parent stays small.
_MAKE = (
    "import sys; sys.path.insert(0, {here!r})\n"
    "import numpy as np; from rtdmf_bio.datasets import gdsc1; from screens import made\n"
    "X = np.asarray(gdsc1().X, float) if {shape} is None else made(*{shape})\n"
    "np.save({path!r}, X[::{step}, ::{step}]); print(X[::{step}, ::{step}].size)"
)
# name, not timed, timed, limit in seconds
_CASES = (
    ("import rtdmf_bio", "", "import rtdmf_bio", 0.5),
    ("first use: from rtdmf_bio import RTDMF", "", "from rtdmf_bio import RTDMF", None),
    ("load gdsc1()", "", _LOAD, None),
    (
        "pp.correct of GDSC1",
        _LOAD + "import rtdmf_bio.pp; rtdmf_bio.pp.correct(adata[:40, :60].copy(), progress=False)",
        "rtdmf_bio.pp.correct(adata, progress=False)",
        8,
    ),
    (
        "pp.tune of GDSC1, 50 settings, 2 processes",
        _LOAD + "import rtdmf_bio.pp; decays = [0.1 * k for k in range(6, 16)]; grid = ["
        "{'loss': ['mixture'], 'depth': [2, 3, 4], 'weight_decay': decays}, "
        "{'loss': ['squared'], 'depth': [2, 3], 'weight_decay': [x / 3 for x in decays]}]",
        "rtdmf_bio.pp.tune(adata, grid, refit=False, n_jobs=2, progress=False)",
        60,
    ),
)
LARGE = 1e6  # entries; beyond that each fit is measured once
_ALONE = {"crossfit": 0, "retain": "all"}
KINDS = {
    "everything": {},
    "without cross-fitting": _ALONE,
    "L alone": {**_ALONE, "impute": "low-rank", "threshold": 0.1},
}
# screen, drugs and lines, limits in seconds of the kinds above; ...: none, None: not measured
_SCREENS = (
    ("GDSC1", None, (8, 3, 0.3)),
    ("250 x 400", (250, 400), (None, ..., None)),
    ("800 x 400", (800, 400), (3, 1, None)),
    ("1,500 x 480", (1500, 480), (None, ..., None)),
    ("5,000 x 1,000", (5000, 1000), (25, 10, None)),
    ("18,000 x 1,100", (18_000, 1100), (None, 60, None)),
)
_PEAK = """
import json, resource, sys
def peak():
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (2**20 if sys.platform == "darwin" else 2**10)
"""
_CLOCK = "import time; wall, cpu = time.perf_counter(), time.process_time()"
_REPORT = """
wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
print(json.dumps([wall, cpu, peak() - before, peak()]))
"""


def time_and_memory(quick: bool, repeats: int = 3) -> dict[str, Rows]:
    """Measure each case in fresh processes: median seconds, and the largest peak memory."""
    rows = []
    for name, before, timed, limit in _CASES:
        cut = "[::6, ::8].copy()" if quick else ""
        before, timed = before.replace("{cut}", cut), timed.replace("{cut}", cut)
        n = 1 if quick or "tune" in name else repeats
        rows.append(_row({"case": name}, before, timed, limit, n))
    fits, slope = _fits(quick, repeats)
    return {"Time and memory": rows, "Fits": fits, "Processor seconds, by entries": slope}


def _fits(quick: bool, repeats: int) -> tuple[Rows, Rows]:
    """Every kind of fit of every screen, and how the time of one grows with the entries."""
    import numpy as np

    rows, cost = [], []
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/screen.npy"
        for screen, shape, limits in _SCREENS[: 2 if quick else None]:
            size = run_fresh(_MAKE.format(here=str(Path(__file__).parent), path=path, shape=shape,
                                          step=4 if quick else 1))  # fmt: skip
            for (kind, settings), limit in zip(KINDS.items(), limits, strict=True):
                if limit is None:
                    continue
                row = _row(
                    {"screen": screen, "fit": kind},
                    _FIT.format(path=path),
                    f"RTDMF(**{settings!r}).fit(X)",
                    None if limit is ... else limit,
                    1 if quick or size > LARGE else repeats,
                )
                row["peak, of the float32 matrix"] = round(row["peak_mb"] * 2**20 / (4 * size), 1)
                rows.append(row)
                if kind == "without cross-fitting" and shape is not None:
                    cost.append((size, row["cpu_seconds"]))
    entries, seconds = np.log10(np.array(cost)).T
    slope = [{"from": f"{10 ** entries[0]:.0f}", "to": f"{10 ** entries[-1]:.0f}"}]
    if len(cost) > 1:
        slope[0]["slope"] = float(np.polyfit(entries, seconds, 1)[0])
    return rows, slope


def _row(row: dict, before: str, timed: str, limit: float | None, repeats: int) -> dict:
    wall, cpu, peak, _ = zip(*(run_timed(before, timed) for _ in range(repeats)), strict=True)
    row |= {
        "seconds": round(statistics.median(wall), 3),
        "slowest": round(max(wall), 3),
        "cpu_seconds": round(statistics.median(cpu), 3),
        "peak_mb": round(max(peak)),
        "limit": "" if limit is None else f"{limit} s",
    }
    row["within"] = "" if limit is None else "yes" if row["seconds"] <= limit else "no"
    print(*row.values(), sep="  ", flush=True)
    return row


def run_timed(before: str, timed: str) -> list[float]:
    """Wall and processor seconds of `timed`, how far it raised the peak, and the peak, in MB."""
    return run_fresh(f"{_PEAK}\n{before}\nbefore = peak()\n{_CLOCK}\n{timed}\n{_REPORT}")


def run_fresh(code: str) -> list[float]:
    """Run `code` in a new Python and return the numbers it printed last."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"A timed process failed:\n{code}\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])
