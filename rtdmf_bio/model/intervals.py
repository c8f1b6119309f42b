"""How near the truth a value is.

    sigma_ij = mean |u| by drug x line x level,    P_ij +- Q_i sigma_ij

| symbol | variable   | shape  | meaning                                                          |
|--------|------------|--------|------------------------------------------------------------------|
| u      | ``unseen`` | (n, p) | measurement less prediction, by fits that have not seen it       |
| sigma  | ``size``   | (n, p) | factors of drug, line, and eighth of the screen that the         |
|        |            |        | prediction lies in (deviations.py), multiplied                   |
| Q_i    |            | (n,)   | conformal quantile of abs(u) / sigma: the drug's, drawn towards  |
|        |            |        | the screen's by n / (n + 50)                                     |

An imputed value comes with the interval that a measurement would lie in. A measured one comes with
that of its error-free value, a normal one of variance k^2 n + (1 - k)^2 r: of the noise, of
variance n, the share k is left (weights.py), and of the response 1 - k is lost, whose variance r is
the rest of that of u, or u^2 where it lies far out.

Source: conformal quantiles as by Papadopoulos et al. (2002); pooling them over drugs is ours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from .deviations import levels, spread
from .weights import Keeping

Array = NDArray[np.float64]

_POOL = 50


@dataclass
class Intervals:
    """Lower and upper end and standard deviation of every entry, (n, p), in the data's unit."""

    lower: Array
    upper: Array
    sd: Array


def intervals(
    corrected: Array,
    predicted: Array,
    unseen: Array,
    weight: Array,
    kept: Keeping,
    coverage: float,
) -> Intervals:
    """Intervals of measured and of imputed values.

    Parameters
    ----------
    corrected
        Every value, (n drugs, p lines).
    predicted
        Prediction of every entry, (n, p).
    unseen
        u, NaN where not measured, (n, p).
    weight
        Share of u that was kept, (n, p).
    kept
        Noise by drug.
    coverage
        Share of the intervals that hold what they are of, in (0, 1).
    """
    here = np.isfinite(unseen)
    place = levels(predicted, here)
    size = spread(np.abs(unseen), place, here, ("drug", "line", "level"), robust=False)
    score = np.where(here, np.abs(unseen) / size, np.nan)
    whole = _conformal(score[here], coverage)
    own, square = np.full(len(score), whole), np.ones(len(score))
    far = np.nanquantile(score, 0.99)
    all_square = float(np.mean(np.minimum(score[here], far) ** 2))
    for i, row in enumerate(score):
        row = row[np.isfinite(row)]
        share = row.size / (row.size + _POOL)
        if row.size:
            own[i] = share * _conformal(row, coverage) + (1 - share) * whole
        square[i] = share * np.mean(np.minimum(row, far) ** 2) if row.size else 0.0
        square[i] += (1 - share) * all_square
    response = np.sqrt(kept.size * (1 - kept.noise))[:, None]
    response = np.where(kept.far(unseen) > 1, np.abs(unseen), response)
    measured_sd = np.hypot(weight * kept.noise_sd[:, None], (1 - weight) * response)
    half = np.where(here, ndtri((1 + coverage) / 2) * measured_sd, own[:, None] * size)
    sd = np.where(here, measured_sd, np.sqrt(square)[:, None] * size)
    return Intervals(corrected - half, corrected + half, sd)


def _conformal(score: Array, coverage: float) -> float:
    """The quantile that a new score lies below with probability ``coverage``, at least."""
    level = min(coverage * (1 + 1 / score.size), 1.0)
    return float(np.quantile(score, level, method="higher"))
