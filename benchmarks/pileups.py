"""What a cap on the measurements does to noise and flags.

    python benchmarks/pileups.py [--only SCREEN ...] [--quick] [--out DIR]

Each screen is cut at its upper end, so that a growing share of the measurements has one value, and
so that each drug has a value of its own, as with a largest dose, and corrected by default without
groups. GDSC1 is bundled; on its two measures ``MOST`` and ``SILENT`` of
``rtdmf_bio/model/pileups.py`` were chosen, and the screens of ../shared/data, where they are
present, confirm them.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from report import Rows, make_folder, write_tables
from screens import DATA

import rtdmf_bio as rt
from rtdmf_bio.model.retention import is_high, is_measured

CUTS = {
    "none": (0.0,),
    "at one value": (0.2, 0.4, 0.5, 0.6),
    "each drug at its own": (0.1, 0.2, 0.4, 0.6),
}
OTHERS = ("gdsc1000", "ctrpv2", "ccle", "prism")


def screens(only: list[str] | None, quick: bool) -> Iterator[tuple[str, np.ndarray]]:
    """Name and matrix (drugs, lines) of every screen asked for."""
    gdsc1 = rt.datasets.gdsc1()
    found = {"gdsc1": np.asarray(gdsc1.X), "gdsc1_ln_ic50": np.asarray(gdsc1.layers["ln_ic50"])}
    for name in OTHERS:
        file = "matrix_auc_from_actarea" if name == "ccle" else "matrix"
        path = DATA / name / f"{file}.csv.gz"
        if path.exists():
            found[name] = pd.read_csv(path, index_col=0).to_numpy(float)
    for name in only or found:
        matrix = found[name].astype(float)
        if quick:
            matrix = matrix[:60, :150]
        matrix = matrix[np.isfinite(matrix).sum(1) > 20]
        yield name, matrix[:, np.isfinite(matrix).sum(0) > 5]


def cut(matrix: np.ndarray, share: float, how: str) -> np.ndarray:
    """The same with what lies above one value, or one of each drug, at this value."""
    axis = 1 if "drug" in how else None
    return np.minimum(matrix, np.nanquantile(matrix, 1 - share, axis=axis, keepdims=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=("gdsc1", "gdsc1_ln_ic50", *OTHERS))
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    make_folder(given)
    warnings.simplefilter("ignore")
    rows: Rows = []
    for name, matrix in screens(given.only, given.quick):
        whole = None
        for how, share in ((how, share) for how, shares in CUTS.items() for share in shares):
            model = rt.RTDMF().fit(cut(matrix, share, how))
            high = float(is_high(model.flag_).sum() / is_measured(model.flag_).sum())
            whole = high if whole is None else whole
            rmse = model.validation_rmse_
            rows.append(
                {
                    "screen": name,
                    "cut": how,
                    "at the cap": share,
                    "high": high,
                    "of the uncut": high / whole,
                    "threshold": model.threshold_,
                    "unexplained sd": model.unexplained_sd_,
                    "held-out RMSE": rmse["imputed"],
                    "two-way means": rmse["two_way_means"],
                    "end": model.stop_reason_.name.lower(),
                }
            )
            print(rows[-1], flush=True)
    write_tables(given.out, "pileups", {"Screens cut at their upper end": rows}, as_csv=False)


if __name__ == "__main__":
    main()
