"""How long a correction takes on a GPU, and whether it gives what the processor gives.

    python benchmarks/gpu.py [--device cuda] [--quick] [--out DIR]

Some two minutes on an H100. Every time is the median of three fits after one that is not counted.
"""

from __future__ import annotations

import statistics
import time
from typing import Any

import numpy as np
import torch
from report import Rows, make_folder, make_parser, write_tables
from screens import made
from speed import KINDS

from rtdmf_bio import RTDMF
from rtdmf_bio.datasets import gdsc1

SIZES = ((800, 400), (5_000, 1_000), (18_000, 1_100))
LARGE = 10_000  # drugs: without cross-fitting alone
AGREE = {"float64": 1e-8, "float32": 1e-3}  # of the spread


def main() -> None:
    parser = make_parser(__doc__)
    parser.add_argument("--device", default="cuda")
    given = parser.parse_args()
    if given.device == "cuda" and not torch.cuda.is_available():
        parser.exit(message="torch finds no GPU here: nothing was measured.\n")
    make_folder(given)
    agreement = _agreement(given.device, given.quick)
    times = _times(given.device, given.quick)
    name = torch.cuda.get_device_name() if given.device == "cuda" else given.device
    write_tables(
        given.out,
        "gpu",
        {
            f"Seconds on {name}, float32": times,
            f"{given.device} beside cpu, on GDSC1: largest difference, of the spread": agreement,
        },
    )
    if not all(row["agree"] for row in agreement):
        raise SystemExit("The devices do not agree.")


def _screens(quick: bool) -> dict[str, np.ndarray]:
    auc = np.asarray(gdsc1().X, dtype=float)
    if quick:
        return {"GDSC1, cut": auc[::6, ::8], "60 x 50": made(60, 50)}
    screens = {"GDSC1, 378 x 970": auc}
    return screens | {f"{n:,} x {p:,}": made(n, p) for n, p in SIZES}


def _times(device: str, quick: bool) -> Rows:
    rows: Rows = []
    for name, X in _screens(quick).items():
        row: dict[str, Any] = {"screen": name}
        for kind, settings in KINDS.items():
            if kind == "everything" and len(X) > LARGE:
                continue
            seconds = [_seconds(X, device, settings) for _ in range(2 if quick else 4)][1:]
            row[kind] = statistics.median(seconds)
        if device == "cuda":
            row["peak MB on the device"] = torch.cuda.max_memory_allocated() / 2**20
            torch.cuda.reset_peak_memory_stats()
        rows.append(row)
        print(row, flush=True)
    return rows


def _seconds(X: np.ndarray, device: str, settings: dict[str, Any]) -> float:
    start = time.perf_counter()
    RTDMF(device=device, **settings).fit(X)
    return time.perf_counter() - start


def _agreement(device: str, quick: bool) -> Rows:
    X = np.asarray(gdsc1().X, dtype=float)
    X = X[::6, ::8] if quick else X[::2, ::2]
    rows: Rows = []
    for dtype, enough in AGREE.items():
        one, other = (RTDMF(device=d, dtype=dtype).fit(X) for d in ("cpu", device))
        apart = np.nanmax(np.abs(one.corrected_ - other.corrected_)) / np.nanstd(X)
        flags = int((one.flag_ != other.flag_).sum())
        agree = bool(apart <= enough and flags <= enough * X.size)
        row = {"dtype": dtype, "corrected": float(apart), "flags that differ": flags}
        rows.append(row | {"agree": agree})
        print(rows[-1], flush=True)
    return rows


if __name__ == "__main__":
    main()
