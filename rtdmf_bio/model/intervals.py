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

Of a drug, or a line, with hardly any measurement the factors are those of the others, which leave
out its level. So what is imputed of it gets at least the width of a trivial prediction: the
quantile of the distances of all measurements from the means of their lines, or of their drugs.

A bound says on which side of it the value lies. So one end is the bound. The other is as far from
the corrected value as of an imputed one, and at least where a normal distribution ends, cut off at
the bound, whose mean is drug + line and whose spread is the drug's (:func:`_reach_of_bounds`): fits
take a bound for the value, and so predict too little beyond it.

Source: conformal quantiles as by Papadopoulos et al. (2002); pooling them over drugs is ours.
Censored normal distributions by EM as of Dempster et al. (1977).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr, ndtr, ndtri

from .deviations import levels, spread
from .weights import Keeping

Array = NDArray[np.float64]

_POOL = 50
_STEPS = 40  # of EM
_MOST_SPREADS = 10.0  # of a bound from the mean, beyond which tails are not computed


@dataclass
class Intervals:
    """Lower and upper end and standard deviation of every entry, (n, p), in the data's unit."""

    lower: Array
    upper: Array
    sd: Array

    def scaled(self, middle: Array, by: Array) -> Intervals:
        """As wide in another unit, about the same values."""
        lower, upper = (
            np.where(by == 1, end, middle + by * (end - middle)) for end in (self.lower, self.upper)
        )
        return Intervals(lower, upper, self.sd * by)


@dataclass
class Few:
    """Drugs (n,) and lines (p,) with too few measurements, and what a trivial prediction misses."""

    drugs: NDArray[np.bool_]
    lines: NDArray[np.bool_]
    imputed: NDArray[np.bool_]  # (n, p)
    misses: tuple[Array, Array, Array]  # absolute, of means by line, by drug and of all

    @classmethod
    def of(cls, data: Array, fewest: int) -> Few:
        """Those with fewer than ``fewest`` measurements in ``data``, (n, p), which may be NaN."""
        measured = np.isfinite(data)
        drugs, lines = measured.sum(1) < fewest, measured.sum(0) < fewest
        none: Array = np.zeros(0)
        misses = (none, none, none)
        if drugs.any() or lines.any():
            known = data[measured]
            off = [np.abs(data - np.nanmean(data, axis=k, keepdims=True))[measured] for k in (0, 1)]
            misses = (off[0], off[1], np.abs(known - known.mean()))
        return cls(drugs, lines, ~measured, misses)


def widened(interval: Intervals, corrected: Array, few: Few, coverage: float) -> Intervals:
    """What is imputed of such drugs and lines, at least as wide as a trivial prediction is off."""
    if not few.drugs.any() and not few.lines.any():
        return interval
    half, sd = (interval.upper - interval.lower) / 2, interval.sd.copy()
    drugs, lines = few.drugs[:, None], few.lines[None]
    cases = (drugs & ~lines, ~drugs & lines, drugs & lines)
    for where, miss in zip(cases, few.misses, strict=True):
        at = where & few.imputed
        half[at] = np.maximum(half[at], np.quantile(miss, coverage))
        sd[at] = np.maximum(sd[at], np.sqrt(np.mean(miss**2)))
    lower, upper = interval.lower.copy(), interval.upper.copy()
    some = few.imputed & (drugs | lines)
    lower[some], upper[some] = (corrected - half)[some], (corrected + half)[some]
    return Intervals(lower, upper, sd)


def intervals(
    corrected: Array,
    predicted: Array,
    unseen: Array,
    counted: Array,
    weight: Array,
    kept: Keeping,
    coverage: float,
    censored: NDArray[np.int8] | None = None,
    data: Array | None = None,
) -> Intervals:
    """Intervals of measured and of imputed values.

    Parameters
    ----------
    corrected
        Every value, (n drugs, p lines).
    predicted
        Prediction of every entry, (n, p).
    unseen, counted
        u, NaN where not measured, (n, p), and the same by which noise is judged, which lies nowhere
        too far out.
    weight
        Share of u that was kept, (n, p).
    kept
        Noise by drug.
    coverage
        Share of the intervals that hold what they are of, in (0, 1).
    censored
        1 where the value is at or above the measurement, -1 where at or below, 0 elsewhere, (n, p).
        Such an entry is no measurement that tells how far predictions are off. Its interval is one
        of an imputed value, and ends at the bound at the latest. None: there are none.
    data
        The measurements, (n, p), where some are bounds.
    """
    here = np.isfinite(counted)
    if censored is not None and (here & (censored == 0)).any():
        here &= censored == 0
    place = levels(predicted, here)
    size = spread(np.abs(counted), place, here, ("drug", "line", "level"), robust=False)
    score = np.where(here, np.abs(counted) / size, np.nan)
    whole = _conformal(np.sort(score[here])[None], np.array([here.sum()]), coverage)[0]
    count = here.sum(1)
    share = count / (count + _POOL)
    own = share * _conformal(np.sort(score, axis=1), count, coverage) + (1 - share) * whole
    near = np.where(here, np.minimum(score, np.quantile(score[here], 0.99)), 0.0) ** 2
    square = share * near.sum(1) / np.maximum(count, 1) + (1 - share) * near.sum() / here.sum()
    response = np.sqrt(kept.size * (1 - kept.noise))[:, None]
    response = np.where(kept.far(unseen) > 1, np.abs(unseen), response)
    measured_sd = np.hypot(weight * kept.noise_sd[:, None], (1 - weight) * response)
    told = here if censored is None else here & (censored == 0)
    half = np.where(told, ndtri((1 + coverage) / 2) * measured_sd, own[:, None] * size)
    sd = np.where(told, measured_sd, np.sqrt(square)[:, None] * size)
    lower, upper = corrected - half, corrected + half
    if censored is not None and data is not None:
        reach = _reach_of_bounds(predicted + counted, censored, coverage)
        above, below = censored > 0, censored < 0
        lower = np.where(below, np.minimum(lower, data - reach), np.where(above, data, lower))
        upper = np.where(above, np.maximum(upper, data + reach), np.where(below, data, upper))
    return Intervals(lower, upper, sd)


def _reach_of_bounds(data: Array, censored: NDArray[np.int8], coverage: float) -> Array:
    """How far beyond its bound a value lies at most, with probability ``coverage``, (n, p).

    By a normal distribution with the mean drug + line, drawn towards their mean by what they vary,
    and the drug's own spread, drawn towards the screen's; 0 where there is no bound.
    """
    here = np.isfinite(data)
    at = np.nonzero(here & (censored != 0))
    out = np.zeros(data.shape)
    if not at[0].size:
        return out
    side, bound = censored[at].astype(float), data[at]
    guess, more = np.where(here, data, 0.0), np.zeros(data.shape)
    count = np.maximum(here.sum(1), 1), np.maximum(here.sum(0), 1)
    told = (here & (censored == 0)).sum(1)
    share = told / (told + _POOL)
    line = np.zeros(data.shape[1])
    mean, sd = out, np.ones(len(data))
    for _ in range(_STEPS):
        middle = guess[here].mean()
        drug = _drawn(np.where(here, guess - middle - line, 0.0).sum(1), count[0], sd**2)
        line = _drawn(
            np.where(here, guess - middle - drug[:, None], 0.0).sum(0), count[1], (sd**2).mean()
        )
        mean = middle + drug[:, None] + line
        square = np.where(here, (guess - mean) ** 2 + more, 0.0).sum(1)
        sd = np.sqrt(share * square / count[0] + (1 - share) * square.sum() / here.sum())
        if not (sd > 0).all():
            return out
        spread = sd[at[0]]
        off = np.clip(side * (bound - mean[at]) / spread, -_MOST_SPREADS, _MOST_SPREADS)
        hazard = np.exp(-0.5 * off**2 - log_ndtr(-off)) / math.sqrt(2 * math.pi)
        guess[at] = mean[at] + side * spread * np.maximum(hazard, off)
        more[at] = spread**2 * np.clip(1 + off * hazard - hazard**2, 0.0, 1.0)
    out[at] = spread * (-ndtri((1 - coverage) * ndtr(-off)) - off)
    return out


def _drawn(total: Array, count: NDArray[np.int64], noise: Array | float) -> Array:
    """Means from their sums, drawn towards 0 by how much of what they vary by is noise."""
    mean, error = total / count, noise / count
    varies = max(float(np.mean(mean**2 - error)), 0.0)
    return np.asarray(mean * varies / np.maximum(varies + error, 1e-300))


def _conformal(scores: Array, count: NDArray[np.int64], coverage: float) -> Array:
    """The quantile of each row that a new score lies below with probability ``coverage``, at least.

    ``scores`` are sorted, ``count`` of each row are numbers and the last are not; 0 of none.
    """
    rank = np.ceil(np.minimum(coverage * (count + 1), count)).astype(np.int64)
    found = np.take_along_axis(scores, np.maximum(rank - 1, 0)[:, None], axis=1)[:, 0]
    return np.where(count > 0, found, 0.0)
