"""Residual thresholding: from a fit and the data to the corrected matrix and its flags.

    R = D - L,   high = |R| >= eta,   corrected = B + w (D - B)

| symbol | variable      | shape  | meaning                                                        |
|--------|---------------|--------|----------------------------------------------------------------|
| D      | ``data``      | (n, p) | measurements, NaN where not measured                           |
| L      | ``low_rank``  | (n, p) | broad structure, by a fit that has not seen the entry          |
| P      | ``predicted`` | (n, p) | prediction, likewise; where not measured, of all that is       |
| B      | ``base``      | (n, p) | L; with ``shrink`` P                                           |
| w      | ``weight``    | (n, p) | share kept, by the rules of retention.py                       |

Of an entry that is a bound (``censored``) the corrected value is not drawn beyond it to the side
that it rules out. What no experiment gives and is kept all the same (``whole``) stays as measured.

Steps (ii) and (iii) of the paper: high residuals that cluster in a group of cell lines are signal
(enrichment.py), the rest is drawn in. What ``shrink`` keeps of an entry is said by weights.py, what
is more than noise by deviations.py, how near the truth it comes by intervals.py. The corrected
matrix is split into a general and a specific part (parts.py), which may be weighed.
Source: Hu et al. 2025; ``shrink`` and the parts are ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .deviations import Deviations, deviations
from .enrichment import Enrichment, enriched_entries, enrichment
from .intervals import Few, Intervals, intervals, widened
from .parts import General, general_part
from .preparation import two_way_means
from .retention import flags, retain, within_bounds
from .stages import Array, Fitted
from .weights import Keeping, keeping

Groups = Mapping[str, NDArray[np.object_]]


@dataclass(frozen=True)
class Thresholding:
    """How residuals are judged (see RTDMF for the meaning of each)."""

    threshold: float
    by_fdr: float | None  # high is what has at most this q-value, not what reaches the threshold
    rules: tuple[str, ...]  # of retention
    fdr: float
    min_group_size: int
    specific_weight: float
    coverage: float


@dataclass
class Judged:
    """What is known of the residuals whatever the threshold; matrices (n, p)."""

    low_rank: Array
    residual: Array  # D - L, NaN where not measured
    predicted: Array
    unseen: Array  # D - P, NaN where not measured or not known
    counted: Array  # the same of D as fits saw it, by which noise is judged
    found: Deviations
    kept: Keeping | None  # of u, with cross-fitting
    whole: NDArray[np.bool_] | None = None  # kept as measured, whatever the rule
    censored: NDArray[np.int8] | None = None  # 1: the true value is at or above D, -1: at or below
    few: Few | None = None  # drugs and lines of which nothing is learned
    unit: Array | None = None  # what D was divided by for fits; L, P and noise are of that

    def as_measured(self, part: Array) -> Array:
        """What fits say, (n, p), in the unit that each entry was measured in."""
        return part if self.unit is None else part * self.unit


@dataclass
class Thresholded:
    """What came of it; matrices (n, p)."""

    threshold: float  # with a false discovery rate, of an entry of typical scale
    corrected: Array
    specific: Array
    weight: Array
    flag: NDArray[np.int8]
    parts: General
    tests: Enrichment | None
    beyond: float  # share of the unexplained, taken as normal, at or beyond the threshold
    interval: Intervals | None


def judge(
    fitted: Fitted,
    data: Array,
    replicates: NDArray[np.object_] | None = None,
    noise_sd: Array | None = None,
    line_replicates: NDArray[np.object_] | None = None,
    *,
    seen: Array | None = None,
    whole: NDArray[np.bool_] | None = None,
    censored: NDArray[np.int8] | None = None,
    few: Few | None = None,
    unit: Array | None = None,
) -> Judged:
    """Say what is noise, by residuals of fits that have not seen the entry where there are such.

    Parameters
    ----------
    fitted
        The fit to ``data``.
    data
        Drugs x cell lines, NaN where not measured, (n, p).
    replicates
        One label per drug (n,), or None.
    noise_sd
        Noise of each drug (n,), if it is known.
    line_replicates
        One label per line (p,), or None.
    seen
        ``data`` as fits saw it, by which noise is judged; None: the same.
    whole, censored, few, unit
        As in :class:`Judged`.
    """
    seen = data if seen is None else seen
    more: dict[str, Any] = {"whole": whole, "censored": censored, "few": few, "unit": unit}
    low, predicted = fitted.low_rank, fitted.predicted
    if fitted.unseen is None or fitted.unseen_low_rank is None or fitted.fold is None:
        unknown, fold = np.full(data.shape, np.nan), np.full(data.shape, -1, dtype=np.int8)
        found = deviations(seen - low, predicted, fold)
        residual = data - (low if unit is None else low * unit)
        return Judged(low, residual, predicted, unknown, unknown, found, None, **more)
    low = np.where(np.isfinite(fitted.unseen_low_rank), fitted.unseen_low_rank, low)
    predicted = np.where(np.isfinite(fitted.unseen), fitted.unseen, predicted)
    counted = seen - fitted.unseen
    by = 1.0 if unit is None else unit
    unseen = counted if seen is data else data - fitted.unseen * by
    telling = counted
    if fitted.telling is not None:
        telling = np.where(fitted.telling.piled.numpy() > 0, np.nan, counted)
    kept = keeping(
        telling,
        seen - two_way_means(seen),
        noise_sd=noise_sd,
        data=seen,
        replicates=replicates,
        line_replicates=line_replicates,
    )
    found = deviations(seen - low, predicted, fitted.fold)
    return Judged(low, data - low * by, predicted, unseen, counted, found, kept, **more)


def threshold_residuals(
    judged: Judged, fitted: Fitted, data: Array, groups: Groups, settings: Thresholding
) -> Thresholded:
    """Say what is signal, draw in the rest, and flag every entry.

    Parameters
    ----------
    judged, fitted, data
        The fit to ``data``, drugs x cell lines, NaN where not measured, (n, p).
    groups
        Groupings of the lines by name, one label per line (p,), None where there is none.
    settings
        Threshold, rules and what they need.
    """
    observed, residual, threshold = np.isfinite(data), judged.residual, settings.threshold
    qvalue = np.nan_to_num(judged.found.qvalue, nan=1.0)
    significant = qvalue <= settings.fdr
    if settings.by_fdr is None:
        high, tested = observed & (np.abs(np.nan_to_num(residual)) >= threshold), residual
    else:
        high = observed & (qvalue <= settings.by_fdr)
        # Each in units of its own scale, times the typical one.
        scale = judged.found.scale / np.sqrt(np.nanmean(judged.found.scale**2))
        tested = residual / scale
        threshold = float(np.min(np.abs(tested)[high], initial=np.inf))
    tests, enriched = _enriched(tested, threshold, groups, settings)
    shrink = "shrink" in settings.rules
    base, share = judged.low_rank, None
    if shrink:
        base, share = judged.predicted, np.ones(data.shape)  # what nothing predicts is kept
        if judged.kept is not None:
            share = judged.kept.share_kept(judged.unseen, high & significant)
    held = retain(
        settings.rules,
        residual,
        high,
        threshold,
        enriched=enriched,
        jump=fitted.jump,
        significant=significant,
        reliability=share,
    )
    base, predicted = judged.as_measured(base), judged.as_measured(fitted.predicted)
    if judged.whole is not None and settings.rules != ("none",):
        held.weight[judged.whole], held.retained[judged.whole] = 1.0, True
        high = high | judged.whole
    denoised = np.where(observed, base + held.weight * (data - base), predicted)
    denoised = within_bounds(denoised, data, judged.censored)
    parts = general_part(judged.predicted)
    specific = denoised - judged.as_measured(parts.matrix())
    corrected, whole = denoised, held.weight == 1
    if shrink and settings.specific_weight < 1:
        weight = settings.specific_weight
        weighed = parts.weighed(weight, parts.slope.mean()) + weight * specific
        corrected = np.where(observed & ~held.retained, weighed, denoised)
        corrected = within_bounds(corrected, data, judged.censored)
    # w = 1 keeps the measurement itself, to the last bit.
    corrected = np.where(observed & whole, data, corrected)
    interval = None
    if shrink and judged.kept is not None:
        interval = intervals(
            corrected,
            judged.predicted,
            judged.unseen,
            judged.counted,
            held.weight,
            judged.kept,
            settings.coverage,
            judged.censored,
            data,
        )
        if judged.few is not None:
            interval = widened(interval, corrected, judged.few, settings.coverage)
        if judged.unit is not None:
            interval = interval.scaled(corrected, judged.unit)
    return Thresholded(
        threshold=threshold,
        corrected=corrected,
        specific=specific,
        weight=held.weight,
        flag=flags(observed, high, held.retained),
        parts=parts,
        tests=tests,
        beyond=fitted.noise.tail(threshold / fitted.unit),
        interval=interval,
    )


def _enriched(
    residual: Array, threshold: float, groups: Groups, settings: Thresholding
) -> tuple[Enrichment | None, NDArray[np.bool_] | None]:
    """The tests, and the high residuals in enriched groups."""
    if not groups:
        return None, None
    tests = enrichment(residual, threshold, groups, min_group_size=settings.min_group_size)
    return tests, enriched_entries(tests, residual, threshold, groups, fdr=settings.fdr)
