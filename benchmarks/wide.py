"""The paper's wide network against the compact chain: validation error over time.

Both by the same solver, on one split of the AUC matrix. The wide network has the published
settings (5 factors of width 500, Gaussian start of 1e-3, Adam at 1e-4, squared loss, no
centring), but runs on to the cap, since the published early stopping may end it on a plateau.
Seconds are processor seconds of one thread, which other work on the machine hardly changes.
"""

from __future__ import annotations

import time
from dataclasses import fields
from typing import Any

import numpy as np
import torch
from report import Rows
from rivals import means, rmse

from rtdmf_bio import RTDMF
from rtdmf_bio.datasets import gdsc1
from rtdmf_bio.model.holdout import holdout_mask
from rtdmf_bio.model.problem import FitSettings
from rtdmf_bio.model.settings import PRESETS
from rtdmf_bio.model.solver import fit_chain

ONE_FIT, CHOSEN = "compact, default, one fit of L", "compact, default, all by hold-out"
SAME, WIDE = "compact, the paper's objective", "wide, as published"


def wide_against_compact(quick: bool, iterations: int) -> tuple[Rows, Rows, Rows]:
    """Return one row per run, one per comparison, and the curves."""
    X = np.asarray(gdsc1().X, dtype=float)
    if quick:
        X, iterations = X[::6, ::8], 20
    held_out = holdout_mask(np.isfinite(X), 0.15, np.random.default_rng(0))
    train = np.where(held_out, np.nan, X)
    trivial = {"grand mean": np.full(X.shape, np.nanmean(train)), "two-way means": means(train)}
    runs: Rows = [
        {"run": name, "validation_rmse": rmse(fitted, X, held_out)}
        for name, fitted in trivial.items()
    ]
    # A second thread can at best halve the wide network's time; the compact chain's it leaves.
    torch.set_num_threads(1)
    descend(X, held_out, PRESETS["default"] | {"max_iter": 10})  # torch's first call is slow

    # The default does not stop on the validation error, so its last iterate is what counts.
    one_fit = descend(X, held_out, PRESETS["default"])
    runs.append(_say({"run": ONE_FIT} | one_fit[-1]))
    start = time.process_time()
    model = RTDMF().fit(X, validation=held_out)
    seconds = time.process_time() - start
    error = model.validation_rmse_["imputed"]
    runs.append(_say({"run": CHOSEN, "validation_rmse": error, "seconds": seconds}))

    # The same objective; only shape, start and step size are the compact chain's.
    compact = {"width": "auto", "init": "spectral", "optimizer": "accelerated"}
    compact |= {"learning_rate": "auto", "patience": 20, "max_iter": 4000}
    same = descend(X, held_out, PRESETS["paper"] | compact)
    runs.append(_say({"run": SAME} | best_point(same)))
    wide = descend(
        X, held_out, PRESETS["paper"] | {"early_stopping": False, "max_iter": iterations}
    )
    runs.append(_say({"run": WIDE} | best_point(wide)))
    stop = stopping_point(wide, PRESETS["paper"]["patience"])
    if stop is not None:
        runs.append(
            {"run": f"{WIDE}, early stopping (ends at {stop['iteration']})"}
            | best_point(wide, stop)
        )

    comparisons = [
        (ONE_FIT, runs[2]["validation_rmse"], runs[2]["seconds"]),
        (CHOSEN, error, seconds),
        (SAME + ", its own best", best_point(same)["validation_rmse"], best_point(same)["seconds"]),
        (SAME + ", the wide network's best", best_point(wide)["validation_rmse"], None),
    ]
    ratios = [_compare(name, target, took, same, wide) for name, target, took in comparisons]
    curves = [
        {"run": name} | point
        for name, curve in ((ONE_FIT, one_fit), (SAME, same), (WIDE, wide))
        for point in curve[:: 1 + len(curve) // 300]
    ]
    return runs, ratios, curves


def descend(X: np.ndarray, held_out: np.ndarray, params: dict[str, Any]) -> Rows:
    """One fit: its error every 10 iterations, and when that was reached."""
    known = {field.name for field in fields(FitSettings)}
    stamps: list[float] = []
    start = time.process_time()
    with torch.no_grad():
        fit = fit_chain(
            torch.as_tensor(np.nan_to_num(X), dtype=torch.float32),
            torch.as_tensor(np.isfinite(X) & ~held_out, dtype=torch.float32),
            FitSettings(**{k: v for k, v in params.items() if k in known}),
            validation=torch.as_tensor(held_out, dtype=torch.float32),
            tick=lambda _: stamps.append(time.process_time() - start),
        )
    h = fit.history
    return [
        {"validation_rmse": v, "train_rmse": t, "iteration": i, "seconds": s}
        for i, s, t, v in zip(
            h["iteration"], stamps, h["train_rmse"], h["validation_rmse"], strict=True
        )
    ]


def best_point(curve: Rows, until: dict[str, Any] | None = None) -> dict[str, Any]:
    seen = [p for p in curve if until is None or p["iteration"] <= until["iteration"]]
    point = min(seen, key=lambda p: p["validation_rmse"])
    return point | {"run_to_iteration": seen[-1]["iteration"], "run_seconds": seen[-1]["seconds"]}


def stopping_point(curve: Rows, patience: int) -> dict[str, Any] | None:
    """Where early stopping would have ended the run."""
    best, stale = float("inf"), 0
    for point in curve:
        stale = 0 if point["validation_rmse"] < best else stale + 1
        best = min(best, point["validation_rmse"])
        if stale >= patience:
            return point
    return None


def _compare(
    name: str, target: float, took: float | None, same: Rows, wide: Rows
) -> dict[str, Any]:
    """Seconds of either network to a validation error, and their ratio."""
    took = _first(same, target) if took is None else took
    reached = _first(wide, target)
    cap = wide[-1]["seconds"]
    row = {"compact": name, "to_rmse": target, "compact_seconds": took}
    row["wide_seconds"] = f"not in {cap:.0f}" if reached is None else reached
    if took is not None:
        ratio = (cap if reached is None else reached) / took
        row["wide / compact"] = ("> " if reached is None else "") + f"{ratio:.0f}"
    return row


def _first(curve: Rows, target: float) -> float | None:
    return next((p["seconds"] for p in curve if p["validation_rmse"] <= target), None)


def _say(row: dict[str, Any]) -> dict[str, Any]:
    print(*row.values(), sep="  ", flush=True)
    return row
