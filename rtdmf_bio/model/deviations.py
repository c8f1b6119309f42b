"""Which residuals are more than noise, with a false discovery rate.

    z_ij = r_ij / (s a_i b_j c_l),    |z| ~ half-t(nu, sigma) on the side that deviates less

| symbol  | variable      | shape  | meaning                                                      |
|---------|---------------|--------|--------------------------------------------------------------|
| r       | ``residual``  | (n, p) | measurement less what a fit that has not seen it says        |
| a, b, c | ``factors``   |        | of the drug, the line and the level of the fit (eighths of   |
|         |               |        | its ranks), each the mean absolute residual, shrunk to 1 by  |
|         |               |        | 20 pseudo-entries                                            |
| q       | ``qvalue``    | (n, p) | by Benjamini and Hochberg over the entries of the other side |

A response is to one side more often than to the other, noise is alike to both: so the side with
fewer values beyond four scales shows the noise, tails and all, and the other is judged by it, by
the fitted tail or by how many the lighter side has so far out, and one, whichever is more. The rate
holds as far as noise is alike to both sides, and residuals are of fits that have not seen the
entry. On the lighter side q is 1: what deviates there cannot be told from noise by its size. Lines
are worth a factor, and levels, where the likelihood of entries that did not set them says so.

Source: the false discovery rate is that of Benjamini and Hochberg (1995), a null from the data that
of Efron (2004); that it comes from one side is ours.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, stdtr

from .enrichment import benjamini_hochberg

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

LEVELS = 8
PSEUDO = 20
_FAR = 4.0  # scales, beyond which values are counted to find the lighter side
_SWEEPS = 5
_MOST_NU = 200.0  # of which a t is a normal
_BIN = 0.02  # of the logarithm
_FEWEST = 10
_CHOICES: tuple[tuple[str, ...], ...] = (
    ("drug",), ("drug", "line"), ("drug", "level"), ("drug", "line", "level"),
)  # fmt: skip


@dataclass
class Deviations:
    """Scale and q-value of every entry (n, p), NaN where there is no residual; the null."""

    scale: Array
    qvalue: Array
    nu: float
    sigma: float
    factors: tuple[str, ...]
    lighter: int  # side: 1 above, -1 below


def deviations(residual: Array, level: Array, fold: NDArray[np.int8]) -> Deviations:
    """Scale residuals, fit the null and give every entry its q-value.

    Parameters
    ----------
    residual
        (n drugs, p lines), NaN where there is none.
    level
        The fit, (n, p).
    fold
        Of cross-fitting, (n, p); the richness of the scale is chosen by fold 0 against the others.
    """
    here = np.isfinite(residual)
    place = levels(level, here)
    train, test = here & (fold != 0), here & (fold == 0)
    factors = _CHOICES[0]
    if train.any() and test.any():
        scores = [_score(residual, place, train, test, names) for names in _CHOICES]
        factors = _CHOICES[int(np.argmax(scores))]
    scale = spread(np.abs(residual), place, here, factors)
    z = np.where(here, residual / scale, 0.0)
    # Where as many lie far out, or none, the squares decide, so that no side is one by its sign.
    sides = [side * z for side in (1, -1)]
    far = [(int((s > _FAR).sum()), float((s[s > 0] ** 2).sum())) for s in sides]
    lighter = 1 if far[0] <= far[1] else -1
    null = np.sort(np.abs(z[here & (lighter * z > 0)]))
    nu, sigma = half_t(null)
    qvalue = np.where(here, 1.0, np.nan)
    heavier = here & (-lighter * z > 0)
    size = np.abs(z[heavier])
    # As many as the lighter side has so far out, whatever the fitted tail says.
    seen = (null.size - np.searchsorted(null, size, side="left") + 1) / (null.size + 1)
    qvalue[heavier] = benjamini_hochberg(np.maximum(_tail(size / sigma, nu), seen))
    return Deviations(np.where(here, scale, np.nan), qvalue, nu, sigma, factors, lighter)


def levels(level: Array, here: Mask) -> NDArray[np.intp]:
    """Eighth of the screen that the fit of an entry lies in, by the ranks of those ``here``."""
    edges = np.quantile(level[here], np.arange(1, LEVELS) / LEVELS)
    place = np.zeros(level.shape, dtype=np.intp)
    for edge in edges:  # sooner than searchsorted, there being so few
        place += level >= edge
    return place


def spread(
    size: Array, place: NDArray[np.intp], here: Mask, factors: tuple[str, ...], robust: bool = True
) -> Array:
    """Product of factors that explains the absolute residuals ``size``, (n, p), positive.

    Parameters
    ----------
    size, place, here
        Absolute residuals, their level, and where they count, (n, p).
    factors
        Of drug, line, level: those that there are.
    robust
        What lies beyond ``_FAR`` times the present scale counts as much as that.
    """
    whole = float(size[here].mean()) or 1.0
    relative = np.where(here, size / whole, 0.0)  # to the present scale
    flat = place.ravel()

    def by(name: str, values: Array) -> Array:
        if name == "level":
            return np.asarray(np.bincount(flat, values.ravel(), LEVELS), dtype=np.float64)
        return np.asarray(values.sum(1 if name == "drug" else 0))

    def at(name: str, factor: Array) -> Array:
        if name == "level":
            return np.asarray(factor[place])
        return factor[:, None] if name == "drug" else factor

    entry = {name: by(name, here.astype(np.float64)) for name in factors}
    factor = {name: np.ones_like(entry[name]) for name in factors}
    for _ in range(_SWEEPS):
        for name in factors:
            counted = relative
            if robust:
                mean = float(relative.sum()) / int(here.sum())
                counted = np.minimum(relative, _FAR * max(mean, 1e-12))
            step = (by(name, counted) + PSEUDO) / (entry[name] + PSEUDO)
            factor[name] = factor[name] * step
            relative /= at(name, step)
    out = np.full(size.shape, whole)
    for name in factors:
        out *= at(name, factor[name])
    positive: Array = np.maximum(out, 1e-12 * whole)
    return positive


def half_t(size: Array) -> tuple[float, float]:
    """Degrees of freedom and scale of a half-t by maximum likelihood; ``size`` at least 0."""
    from scipy.optimize import minimize

    size = size[size > 0]
    if size.size < _FEWEST:
        return _MOST_NU, float(np.sqrt(np.mean(size**2))) if size.size else 1.0
    unit = float(np.median(size))
    # Binned: the likelihood is asked for a hundred times.
    place = np.round(np.log(np.maximum(size / unit, 1e-4)) / _BIN).astype(int)
    value, count = np.unique(place, return_counts=True)
    value = np.exp(_BIN * value)

    def loss(x: Array) -> Any:
        nu, sigma = _nu(x[0]), float(np.exp(x[1]))
        return size.size * x[1] - float(count @ _log_density(value / sigma, nu))

    found = minimize(loss, [np.log(8.0), 0.3], method="Nelder-Mead", options={"xatol": 1e-3})
    return _nu(found.x[0]), unit * float(np.exp(found.x[1]))


def _nu(logarithm: float) -> float:
    return float(np.clip(np.exp(logarithm), 1.0, _MOST_NU))


def _log_density(z: Array, nu: float) -> Array:
    """Of Student's t (scipy.stats.t.logpdf takes ten times as long)."""
    start = gammaln((nu + 1) / 2) - gammaln(nu / 2) - 0.5 * math.log(math.pi * nu)
    density: Array = start - (nu + 1) / 2 * np.log1p(z * z / nu)
    return density


def _tail(size: Array, nu: float) -> Array:
    return np.asarray(np.minimum(2 * stdtr(nu, -size), 1.0))


def _score(
    residual: Array, place: NDArray[np.intp], train: Mask, test: Mask, factors: tuple[str, ...]
) -> float:
    """Mean log likelihood of the test entries by scale and t of the training entries."""
    scale = spread(np.abs(residual), place, train, factors)
    nu, sigma = half_t(np.abs(residual / scale)[train])
    scale = scale[test] * sigma
    return float(np.mean(_log_density(residual[test] / scale, nu) - np.log(scale)))
