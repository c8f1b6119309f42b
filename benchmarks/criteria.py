"""Which validation score finds an L that planted signal did not leak into.

Sixty settings on each published simulation: rank correlation of every criterion with RE, the
number of training entries wrongly recovered, and the RE of the setting it picks. The table is in
``rtdmf_bio/model/tuning.py``; some seven minutes.
"""

from __future__ import annotations

import argparse
import itertools
import warnings

import numpy as np
import torch
from scipy.stats import spearmanr
from screens import SYNTHETIC, THRESHOLD, published

from rtdmf_bio import RTDMF
from rtdmf_bio.model.mixture import Mixture

LOSSES, DEPTHS, DECAYS = ("mixture", "squared", "clip", "hard"), (3, 2, 4), (1, 0.5, 0.7, 1.4, 2)


def criteria(of_l: np.ndarray, of_c: np.ndarray, s: float) -> dict[str, float]:
    """Scores from validation residuals of L and of the completed matrix; s is the noise."""
    r, square = np.abs(of_l), of_l**2
    residual = torch.as_tensor(of_l)
    return {
        "mse of C": np.mean(of_c**2),
        "mse of L": np.mean(square),
        **{f"truncated, {k} s": np.mean(np.minimum(square, (k * s) ** 2)) for k in (1.5, 2, 3, 4)},
        "truncated, 3 s, of C": np.mean(np.minimum(of_c**2, 9 * s**2)),
        "Welsch, 2 s": np.mean(1 - np.exp(-square / (2 * s) ** 2)),
        "Geman-McClure, 3 s": np.mean(square / (1 + square / (3 * s) ** 2)),
        "Huber, 1.5 s": np.mean(np.where(r < 1.5 * s, square / 2, 1.5 * s * (r - 0.75 * s))),
        "median": np.median(r),
        "mixture likelihood": float(Mixture.fit(residual).nll(residual).mean()),
    }


def compare(name: str) -> None:
    """Print one row per criterion."""
    screen = published(name)
    train = ~(screen.validation | screen.test)
    rows, wrong, noise = [], [], None
    for depth, loss, decay in itertools.product(DEPTHS, LOSSES, DECAYS):
        model = RTDMF(depth=depth, loss=loss, weight_decay=float(decay), refit=False)
        model.fit(screen.seen, validation=screen.validation)
        noise = model.unexplained_sd_ if noise is None else noise
        of_l, of_c = screen.data - model.low_rank_, screen.data - model.completed_
        rows.append(criteria(of_l[screen.validation], of_c[screen.validation], noise))
        rows[-1]["error of L (oracle)"] = np.mean((model.low_rank_ - screen.low_rank) ** 2)
        wrong.append(int(((of_l > THRESHOLD) != (screen.signal > THRESHOLD))[train].sum()))
    print(f"{name}: RE {min(wrong)} to {max(wrong)}, default {wrong[0]}")
    for criterion in rows[0]:
        scores = [row[criterion] for row in rows]
        picked = wrong[int(np.argmin(scores))]
        print(f"  {criterion:22s} {spearmanr(scores, wrong).statistic:+.2f}  picks RE {picked}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", help="name of one simulation, such as residual_p0.01")
    only = parser.parse_args().only
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    for path in sorted(SYNTHETIC.glob(f"{only or '*'}.npz")):
        compare(path.stem)
