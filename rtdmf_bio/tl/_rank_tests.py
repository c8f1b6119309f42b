"""Compare many rows between two parts of their columns, for many ways to part them, at once.

| symbol | variable            | shape  | meaning                                            |
|--------|---------------------|--------|----------------------------------------------------|
| x      | ``values``          | (n, p) | NaN where not measured                             |
| g      | ``members``         | (k, p) | 1 in the group, 0 outside, NaN: column left out    |
| m, w   | ``n_in``, ``n_out`` | (n, k) | measured columns in the group and outside          |
| U      | ``u``               | (n, k) | pairs (in, out) with x_in > x_out, ties count half |

    U      = (ranks of x within its row) g' - m (m + 1) / 2,   auroc = U / (m w)
    z      = (|U - m w / 2| - 1/2) / sqrt(m w / 12 (n + 1 - sum(t^3 - t) / (n (n - 1))))
    effect = (1 - 3 / (4 (n - 2) - 1)) (mean_in - mean_out) / pooled standard deviation

with n = m + w, and t the sizes of groups of tied values. A row is ranked once for all groups that
leave out the same columns; everything else is a product of matrices.
Source: Mann & Whitney 1947, with the usual corrections for ties and continuity; Hedges 1981.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]

# A smaller share of the squares left within the groups is rounding error.
_ROUNDING = 1e-12


@dataclass
class RankTests:
    """One number per row and group, shape (n, k); NaN where a side has no measurement.

    ``pvalue`` is two-sided. Values that are all equal have effect 0, AUROC 0.5 and p = 1; where
    neither side varies but they differ, the effect is infinite.
    """

    n_in: NDArray[np.int64]
    n_out: NDArray[np.int64]
    difference: Matrix
    effect: Matrix
    auroc: Matrix
    pvalue: Matrix


def rank_tests(values: Matrix, members: Matrix) -> RankTests:
    """Test every row against every group; see above."""
    known = ~np.isnan(members)
    patterns, which = np.unique(known, axis=0, return_inverse=True)
    shape = (len(values), len(members))
    count, number = np.zeros(shape, dtype=np.int64), np.full(shape, np.nan)
    out = RankTests(count, count.copy(), *(number.copy() for _ in range(4)))
    for j, columns in enumerate(patterns):
        groups = np.flatnonzero(which.ravel() == j)
        found = _same_columns(values[:, columns], members[np.ix_(groups, columns)])
        for name, numbers in vars(found).items():
            getattr(out, name)[:, groups] = numbers
    return out


def _same_columns(x: Matrix, g: Matrix) -> RankTests:
    from scipy.special import ndtr
    from scipy.stats import rankdata

    seen = np.isfinite(x)
    n = seen.sum(1, keepdims=True)
    n_in = seen @ g.T
    n_out = n - n_in
    last = np.where(seen, x, np.inf)
    low, high = rankdata(last, "min", axis=1), rankdata(last, "max", axis=1)
    rank = np.where(seen, (low + high) / 2, 0)
    # Each of t tied values adds t^2 - 1, together t^3 - t.
    ties = np.where(seen, (high - low + 1.0) ** 2 - 1, 0).sum(1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        pairs = n_in * n_out
        u = rank @ g.T - n_in * (n_in + 1) / 2
        sd = np.sqrt(pairs / 12 * (n + 1 - ties / (n * (n - 1))))
        pvalue = np.minimum(2 * ndtr((0.5 - np.abs(u - pairs / 2)) / sd), 1)
        pvalue[pairs == 0] = np.nan

        # Counted from the smallest value: equal values are exactly 0, and squares lose few digits.
        x = np.where(seen, x - last.min(axis=1, initial=np.inf, keepdims=True), 0)
        inside, total = x @ g.T, (x**2).sum(1, keepdims=True)
        mean_in, mean_out = inside / n_in, (x.sum(1, keepdims=True) - inside) / n_out
        difference = mean_in - mean_out
        within = total - n_in * mean_in**2 - n_out * mean_out**2
        within = np.where(within > _ROUNDING * total, within, 0)
        correction = 1 - 3 / (4 * (n - 2) - 1)
        effect = correction * difference / np.sqrt(within / (n - 2))
        effect = np.where(difference == 0, 0, effect)
        return RankTests(
            n_in.astype(np.int64), n_out.astype(np.int64), difference, effect, u / pairs, pvalue
        )
