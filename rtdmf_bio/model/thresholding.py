"""Residual thresholding: from a fit and the data to the corrected matrix and its flags.

    R = D - L,   high = |R| >= eta,   X = B + w (D - B),   corrected = X, weighed

| symbol | variable              | shape  | meaning                                           |
|--------|-----------------------|--------|---------------------------------------------------|
| D      | ``data``              | (n, p) | measurements, NaN where not measured              |
| L      | ``Fitted.low_rank``   | (n, p) | broad structure                                   |
| B      | ``base``              | (n, p) | L; with ``shrink`` what the other drugs say of it |
| w      | ``weight``            | (n, p) | share kept, by the rules of retention.py          |
| X      | ``denoised``          | (n, p) | split into general and specific part by parts.py  |

Steps (ii) and (iii) of the paper: high residuals that cluster in a group of cell lines are signal
(enrichment.py), the rest is drawn in.
Source: Hu et al. 2025; ``shrink`` and the weighing of parts are ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from .enrichment import Enrichment, enriched_entries, enrichment
from .noise import DrugNoise
from .parts import General, general_part, leave_one_out, reliability, replicated
from .retention import flags, retain
from .stages import Array, Fitted

Groups = Mapping[str, NDArray[np.object_]]


@dataclass(frozen=True)
class Thresholding:
    """How residuals are judged (see RTDMF for the meaning of each)."""

    threshold: float
    rules: tuple[str, ...]  # of retention
    fdr: float
    min_group_size: int
    specific_weight: float


@dataclass
class Thresholded:
    """What came of it; matrices (n, p)."""

    corrected: Array
    specific: Array
    residual: Array
    weight: Array
    flag: NDArray[np.int8]
    parts: General
    reliability: Array | None  # (n, 1)
    tests: Enrichment | None
    false_flag_rate: float


def threshold_residuals(
    fitted: Fitted,
    data: Array,
    groups: Groups,
    settings: Thresholding,
    replicates: NDArray[np.object_] | None = None,
) -> Thresholded:
    """Say what is signal, draw in the rest, and flag every entry.

    Parameters
    ----------
    fitted
        The fit to ``data``.
    data
        Drugs x cell lines, NaN where not measured, (n, p).
    groups
        Groupings of the lines by name, one label per line (p,), None where there is none.
    settings
        Threshold, rules and what they need.
    replicates
        One label per drug (n,), or None; the share to keep is then taken from replicates.
    """
    observed, threshold = np.isfinite(data), settings.threshold
    low_rank, completed = fitted.low_rank, fitted.completed
    residual = np.where(observed, data - low_rank, np.nan)
    tests, enriched = _enriched(residual, groups, settings)
    base, predicted, deviation, reliable = low_rank, completed, None, None
    if "shrink" in settings.rules:
        filled = np.where(observed, data, completed)
        base = predicted = leave_one_out(filled, observed, fitted.scale)
        reliable = _reliability(fitted, data, base, filled, replicates)
        error = torch.as_tensor(np.where(observed, data - completed, 0.0) / fitted.unit)
        deviation = fitted.noise_refined.deviation_weight(error).numpy()
    kept = retain(
        settings.rules,
        residual,
        threshold,
        enriched=enriched,
        jump=fitted.jump,
        deviation=deviation,
        reliability=reliable,
    )
    denoised = np.where(observed, base + kept.weight * (data - base), completed)
    parts = general_part(predicted)
    specific = denoised - parts.matrix()
    corrected = denoised
    if "shrink" in settings.rules and settings.specific_weight < 1:
        share = settings.specific_weight
        weighed = parts.weighed(share, parts.slope.mean()) + share * specific
        corrected = np.where(observed, weighed, completed)
    return Thresholded(
        # w = 1 keeps the measurement itself, to the last bit.
        corrected=np.where(observed & (kept.weight == 1), data, corrected),
        specific=specific,
        residual=residual,
        weight=kept.weight,
        flag=flags(observed, residual, threshold, kept.retained),
        parts=parts,
        reliability=reliable,
        tests=tests,
        false_flag_rate=fitted.noise.tail(threshold / fitted.unit),
    )


def _enriched(
    residual: Array, groups: Groups, settings: Thresholding
) -> tuple[Enrichment | None, NDArray[np.bool_] | None]:
    """The tests, and the high residuals in enriched groups."""
    if not groups:
        return None, None
    threshold = settings.threshold
    tests = enrichment(residual, threshold, groups, min_group_size=settings.min_group_size)
    return tests, enriched_entries(tests, residual, threshold, groups, fdr=settings.fdr)


def _reliability(
    fitted: Fitted,
    data: Array,
    base: Array,
    filled: Array,
    replicates: NDArray[np.object_] | None,
) -> Array:
    """Share kept of what the other drugs do not predict, (n, 1)."""
    observed = np.isfinite(data)
    if replicates is not None:
        share = replicated(filled, observed, fitted.scale, replicates)
        return np.full((len(data), 1), share)
    unseen = torch.as_tensor(np.where(observed, data - base, 0.0) / fitted.unit)
    measured = torch.as_tensor(observed, dtype=torch.float64)
    noise = DrugNoise.fit(unseen, measured, measured > 0, fitted.telling)
    return reliability(noise.sd_by_drug.numpy().ravel())[:, None]
