"""What the sections of truth.py share."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from report import Rows

import rtdmf_bio as rt
from rtdmf_bio.model.holdout import holdout_mask
from rtdmf_bio.model.thresholding import Thresholded, judge

Array = np.ndarray


def again(
    model: rt.RTDMF,
    noise_sd: Any = None,
    replicates: Any = None,
    grouped: bool = True,
    **params: Any,
) -> Thresholded:
    """What the same fit gives where something else is known or asked for."""
    basis = model._basis
    judged = judge(basis.fitted, basis.checked.data, replicates, noise_sd)
    basis = replace(basis, judged=judged, groups=basis.groups if grouped else {})
    if not grouped:
        params["retain"] = ("shrink",)
    return basis.threshold(model.threshold_, {**model.params_, **params})


def hidden(data: Array, seed: int) -> Array:
    """15 % of the measurements, boolean (n, p)."""
    return holdout_mask(np.isfinite(data), 0.15, np.random.default_rng(seed))


def interval(draws: Array) -> str:
    return "[{:.3g}, {:.3g}]".format(*np.quantile(draws, (0.025, 0.975)))


def mean(rows: Rows) -> dict[str, Any]:
    """Mean of each number, and the first of each text."""
    first = rows[0]
    return {
        name: first[name]
        if isinstance(first[name], str)
        else float(np.mean([row[name] for row in rows]))
        for name in first
    }


def say(row: dict[str, Any]) -> None:
    """Print a row of a table, as progress."""
    texts = (f"{v:.4g}" if isinstance(v, float) else str(v) for v in row.values())
    print("; ".join(f"{k} {v}" for k, v in zip(row, texts, strict=True)), flush=True)
