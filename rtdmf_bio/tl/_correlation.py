"""Concordance of two screens, drug by drug, and its controls, on plain arrays.

| symbol | variable | shape  | meaning                                                    |
|--------|----------|--------|------------------------------------------------------------|
| A, B   | ``a, b`` | (n, p) | the same drugs and lines in two screens, NaN not measured  |
| R_ik   | ``rho``  | (n, n) | Spearman's rho of A_i and B_k over the lines both have     |

rho_i = R_ii. specificity_i = share of the other drugs k with R_ik < R_ii, ties half: does drug i
look more like itself than like others? Starred, both are those of what drug effects d and line
effects l, the general sensitivity, leave of each screen: A_ij - d_i - l_j, where d and l are the
least squares fit to what was measured in A. Line means without the drugs' levels would not do:
where there are gaps, a line's mean tells which drugs it lacks, and so do the same gaps elsewhere.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._adata.sources import TWO_WAY_RESIDUAL, trivial_sources

Array = NDArray[np.float64]

_ROUNDING = 1e-9  # of the median size: differences below it are those of arithmetic
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
    pearson = _pearson(a, b, both)
    pearson[n_lines < min_lines] = np.nan
    low, high = _interval(rho, n_lines)
    return Concordance(
        n_lines, rho, _pvalue(rho, n_lines), low, high, pearson, _pvalue(pearson, n_lines),
        special, rho_star, special_star,
    )  # fmt: skip


class Ranks:
    """Average ranks along rows, of any part of them: sorting is done once, for all parts."""

    def __init__(self, values: Array) -> None:
        p = values.shape[-1]
        self._order = np.argsort(values, axis=-1, kind="stable")
        ordered = np.take_along_axis(values, self._order, -1)
        new = np.ones((len(values), p + 1), dtype=bool)
        new[:, 1:-1] = ordered[:, 1:] != ordered[:, :-1]
        place = np.arange(p)
        # Where the run of equals of each value starts, and where it ends, in the sorted row.
        first = np.maximum.accumulate(np.where(new[:, :-1], place, 0), axis=-1)
        last = np.minimum.accumulate(np.where(new[:, 1:], place + 1, p)[:, ::-1], axis=-1)[:, ::-1]
        self._first, self._last = np.empty_like(first), np.empty_like(last)
        np.put_along_axis(self._first, self._order, first, -1)
        np.put_along_axis(self._last, self._order, last, -1)

    def __call__(self, part: NDArray[np.bool_]) -> Array:
        """Ranks within the ``part`` of each row, less their mean; 0 outside. No NaN in it."""
        before = np.zeros((len(part), part.shape[1] + 1))
        np.cumsum(_along(part, self._order), axis=1, out=before[:, 1:])
        # Halves and wholes: sums of their products are exact, so that equals stay equal.
        out: Array = _along(before, self._first) + _along(before, self._last) - before[:, -1:]
        return out / 2 * part


def _along(values: NDArray[Any], index: NDArray[np.intp]) -> NDArray[Any]:
    """As take_along_axis over rows, faster, with one row of indices for all or one for each."""
    if len(index) == 1:
        index = np.broadcast_to(index, (len(values), index.shape[1]))
    start = np.arange(len(values))[:, None] * values.shape[1]
    out: NDArray[Any] = np.take(values, index + start)
    return out


def _rounded(values: Array, of: Array) -> Array:
    """So that what is equal but for the arithmetic ties in rank.

    The median size is the scale: one extrapolated value must not make all others equal.
    """
    size = np.abs(of[np.isfinite(of) & (of != 0)])
    if not size.size:
        return values
    quantum = _ROUNDING * np.median(size)
    with np.errstate(over="ignore"):
        rounded = np.round(values / quantum) * quantum
    return np.where(np.isinf(rounded), values, rounded)


def _without_general(values: Array) -> Array:
    return _rounded(trivial_sources(values)[TWO_WAY_RESIDUAL], values)


def _scores(a: Array, b: Array, min_lines: int) -> tuple[Array, Array]:
    """Each drug's rho with its twin, and the share of the other drugs that it exceeds."""
    n = len(a)
    rho, special = np.full(n, np.nan), np.full(n, np.nan)
    known_a, known_b, ranks_b = np.isfinite(a), np.isfinite(b), Ranks(b)
    for i in range(n):
        both = known_a[i] & known_b  # (n, p), drug i of a beside all of b
        row = _cosine(Ranks(a[i : i + 1])(both), ranks_b(both))
        row[both.sum(axis=1) < min_lines] = np.nan
        rho[i] = row[i]
        others = np.delete(row, i)
        others = others[np.isfinite(others)]
        if np.isfinite(rho[i]) and others.size:
            special[i] = np.mean(others < rho[i]) + np.mean(others == rho[i]) / 2
    return rho, special


def _pearson(a: Array, b: Array, both: NDArray[np.bool_]) -> Array:
    """Pearson's correlation row by row, over what ``both`` have."""
    count = np.maximum(both.sum(axis=1, keepdims=True), 1)

    def centred(values: Array) -> Array:
        values = np.where(both, values, 0)
        # Its scale does not matter, but the square of a huge value is infinite; and a constant
        # row is now all 1, of which the mean is exact.
        largest = np.abs(values).max(axis=1, initial=0, keepdims=True)
        values = np.divide(values, largest, out=np.zeros_like(values), where=largest > 0)
        return np.where(both, values - values.sum(axis=1, keepdims=True) / count, 0)

    return _cosine(centred(a), centred(b))


def _cosine(x: Array, y: Array) -> Array:
    size = np.sqrt(np.einsum("ij,ij->i", x, x) * np.einsum("ij,ij->i", y, y))
    product = np.einsum("ij,ij->i", x, y)
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
