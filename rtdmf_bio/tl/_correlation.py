"""Concordance of two screens, drug by drug, and its controls, on plain arrays.

| symbol | variable | shape  | meaning                                                    |
|--------|----------|--------|------------------------------------------------------------|
| A, B   | ``a, b`` | (n, p) | the same drugs and lines in two screens, NaN not measured  |
| R_ik   | ``rho``  | (n, n) | Spearman's rho of A_i and B_k over the lines both have     |

rho_i = R_ii. specificity_i = share of the other drugs k with R_ik < R_ii, ties half: does drug i
look more like itself than like others? Starred, both are those of A and B after each line's mean
over the drugs measured on it, its general sensitivity, is subtracted.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_ROUNDING = 1e-9  # of the largest value: differences below it are those of arithmetic
_Z95 = 1.959963984540054


class Concordance(NamedTuple):
    """One entry per drug, (n,); NaN where there is too little, or nothing varies."""

    n_lines: NDArray[np.intp]
    rho: Array
    pvalue: Array
    low: Array
    high: Array
    pearson: Array
    pearson_pvalue: Array
    specificity: Array
    rho_star: Array
    specificity_star: Array


def concordance(a: Array, b: Array, min_lines: int) -> Concordance:
    """All scores of two aligned screens."""
    star_a, star_b = _without_general(a), _without_general(b)
    a, b = _rounded(a, a), _rounded(b, b)
    both = np.isfinite(a) & np.isfinite(b)
    n_lines = both.sum(axis=1)
    rho, special = _scores(a, b, min_lines)
    rho_star, special_star = _scores(star_a, star_b, min_lines)
    pearson = _correlation(np.where(both, a, np.nan), np.where(both, b, np.nan))
    pearson[n_lines < min_lines] = np.nan
    low, high = _interval(rho, n_lines)
    return Concordance(
        n_lines, rho, _pvalue(rho, n_lines), low, high, pearson, _pvalue(pearson, n_lines),
        special, rho_star, special_star,
    )  # fmt: skip


def ranks(values: Array) -> Array:
    """Average ranks along the last axis, NaN left out."""
    order = np.argsort(values, axis=-1, kind="stable")
    ordered = np.take_along_axis(values, order, -1)
    new = np.ones(ordered.shape, dtype=bool)
    new[..., 1:] = ordered[..., 1:] != ordered[..., :-1]
    place = np.arange(values.shape[-1])
    start = np.maximum.accumulate(np.where(new, place, 0), axis=-1)
    # A run of equals ends where the next one starts.
    ends = np.ones(ordered.shape, dtype=bool)
    ends[..., :-1] = new[..., 1:]
    stop = np.where(ends, place, place[-1])[..., ::-1]
    stop = np.minimum.accumulate(stop, axis=-1)[..., ::-1]
    out = np.empty(values.shape)
    np.put_along_axis(out, order, 1 + (start + stop) / 2, -1)
    out[np.isnan(values)] = np.nan
    return out


def _rounded(values: Array, of: Array) -> Array:
    """So that what is equal but for the arithmetic ties in rank."""
    quantum = _ROUNDING * np.nanmax(np.abs(of), initial=0.0)
    return np.round(values / quantum) * quantum if quantum > 0 else values


def _without_general(values: Array) -> Array:
    measured = np.isfinite(values)
    total = np.where(measured, values, 0).sum(axis=0)
    return _rounded(values - total / np.maximum(measured.sum(axis=0), 1), values)


def _scores(a: Array, b: Array, min_lines: int) -> tuple[Array, Array]:
    """Each drug's rho with its twin, and the share of the other drugs that it exceeds."""
    n = len(a)
    rho, special = np.full(n, np.nan), np.full(n, np.nan)
    for i in range(n):
        both = np.isfinite(a[i]) & np.isfinite(b)  # (n, p), drug i of a beside all of b
        row = _correlation(ranks(np.where(both, a[i], np.nan)), ranks(np.where(both, b, np.nan)))
        row[both.sum(axis=1) < min_lines] = np.nan
        rho[i] = row[i]
        others = np.delete(row, i)
        others = others[np.isfinite(others)]
        if np.isfinite(rho[i]) and others.size:
            special[i] = np.mean(others < rho[i]) + np.mean(others == rho[i]) / 2
    return rho, special


def _correlation(x: Array, y: Array) -> Array:
    """Pearson's correlation row by row; ``x`` and ``y`` are NaN at the same places."""
    count = np.maximum(np.isfinite(x).sum(axis=1, keepdims=True), 1)
    x = x - np.nansum(x, axis=1, keepdims=True) / count
    y = y - np.nansum(y, axis=1, keepdims=True) / count
    size = np.sqrt(np.nansum(x * x, axis=1) * np.nansum(y * y, axis=1))
    product = np.nansum(x * y, axis=1)
    out: Array = np.divide(product, size, out=np.full(len(x), np.nan), where=size > 0)
    return np.clip(out, -1, 1)


def _pvalue(r: Array, n: NDArray[np.intp]) -> Array:
    """Two-sided, by the t distribution, as scipy.stats.spearmanr and pearsonr."""
    from scipy.stats import t

    freedom = np.maximum(n - 2, 1)
    with np.errstate(divide="ignore"):
        statistic = np.abs(r) * np.sqrt(freedom / ((1 - r) * (1 + r)))
    out: Array = 2 * t.sf(statistic, freedom)
    return out


def _interval(rho: Array, n: NDArray[np.intp]) -> tuple[Array, Array]:
    """95 % of rho, by Fisher's z with the standard error of Bonett and Wright."""
    error = np.sqrt((1 + rho**2 / 2) / np.maximum(n - 3, 1))
    z = np.arctanh(np.clip(rho, -1 + 1e-15, 1 - 1e-15))
    return np.tanh(z - _Z95 * error), np.tanh(z + _Z95 * error)
