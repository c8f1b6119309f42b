"""How long a correction takes and how much memory it needs.

Nothing heavy is imported at the top: a child process inherits the peak memory of its parent
on Linux, so the process that starts the timings has to stay small.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys

from report import Rows

_LOAD = "import numpy as np; from rtdmf_bio.datasets import gdsc1; adata = gdsc1(){cut}\n"
_ARRAY = _LOAD + (
    "X = np.asarray(adata.X, float); tissue = adata.var['tissue'].to_numpy()\n"
    "from rtdmf_bio import RTDMF\n"
)
_NUMBERS = "threshold=0.1, weight_decay=1.0, impute_weight_decay=0.3, impute='low-rank'"
# name, not timed, timed, limit in seconds, limit in MB
_CASES = (
    ("python", "", "pass", None, None),
    ("import torch", "", "import torch", None, None),
    ("import rtdmf_bio", "", "import rtdmf_bio", 0.5, None),
    ("first use: from rtdmf_bio import RTDMF", "", "from rtdmf_bio import RTDMF", None, None),
    ("load gdsc1()", "", _LOAD, None, None),
    ("plain fit, nothing to choose", _ARRAY, f"RTDMF({_NUMBERS}).fit(X, groups=tissue)", 2, None),
    ("RTDMF().fit, all by hold-out", _ARRAY, "RTDMF().fit(X, groups=tissue)", 20, 1500),
    (
        "pp.correct, all by hold-out",
        _LOAD + "import rtdmf_bio.pp",
        "rtdmf_bio.pp.correct(adata, progress=False)",
        20,
        1500,
    ),
)
_REPORT = """
import json, resource, sys
use = resource.getrusage(resource.RUSAGE_SELF)
peak = use.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
print(json.dumps([wall, use.ru_utime + use.ru_stime - cpu, peak]))
"""


def time_and_memory(quick: bool, repeats: int = 5) -> Rows:
    """Measure each case in fresh processes: median seconds, and the largest peak memory."""
    rows = []
    for name, before, timed, max_seconds, max_mb in _CASES:
        cut = "[::6, ::8].copy()" if quick else ""
        before, timed = before.replace("{cut}", cut), timed.replace("{cut}", cut)
        runs = [run_timed(before, timed) for _ in range(1 if quick else repeats)]
        wall, cpu, peak = zip(*runs, strict=True)
        row = {
            "case": name,
            "seconds": round(statistics.median(wall), 3),
            "slowest": round(max(wall), 3),
            "cpu_seconds": round(statistics.median(cpu), 3),
            "peak_mb": round(max(peak)),
            "limit": ", ".join(
                f"{limit} {unit}" for limit, unit in ((max_seconds, "s"), (max_mb, "MB")) if limit
            ),
        }
        over = bool(max_seconds) and row["seconds"] > max_seconds
        row["within"] = "" if not row["limit"] else "no" if over else "yes"
        if max_mb and row["peak_mb"] > max_mb:
            row["within"] = "no"
        rows.append(row)
        print(*row.values(), sep="  ", flush=True)
    return rows


def run_timed(before: str, timed: str) -> list[float]:
    """Wall and processor seconds of `timed`, and the peak of the whole process in MB."""
    return run_fresh(
        f"{before}\nimport time\nwall, cpu = time.perf_counter(), time.process_time()\n"
        f"{timed}\nwall = time.perf_counter() - wall\n{_REPORT}"
    )


def run_fresh(code: str) -> list[float]:
    """Run `code` in a new Python and return the numbers it printed last."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"A timed process failed:\n{code}\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])
