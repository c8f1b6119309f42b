"""Test whether a group's residuals lie further out than those of the drug's other lines.

Needs no threshold. For one side, r_ij the residual of drug i in line j, positive on that side:

    r+_ij = max(r_ij, 0),   size_j = (sum_i r+_ij / mean_j r+_ij + c) / (n_j + c)
    a_ij = E[k-th smallest of N_i exponentials] - 1,   k = rank of r_ij / size_j within drug i
    T_ig = sum of a_ij over j in g,   p_ig = P(T >= T_ig)

| symbol | variable       | shape  |
|--------|----------------|--------|
| r      | ``residual``   | (n, p) |
| size   | in ``unnoisy`` | (p,)   |
| a      | ``scores``     | (n, p) |

The scores are Savage's: nearly none for the bulk, the more the further out on that side. A line
that is noisy, or tender, on a side would be far out with every drug; so each is divided by its mean
size there, that of ``c`` average drugs added. p is that of drawing as many of the drug's N scores
as the group has lines, by the gamma distribution with the mean, variance and skewness of T: exact
for N without end, cautious in the far tail where N is small. Ties share their mean score.
Source: Savage 1956; moments of a sample without replacement.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
Mask = NDArray[np.bool_]

_PRIOR = 1.0  # c


def rank_tails(residual: Matrix, seen: Mask, member: Matrix) -> Matrix:
    """P(a sum of scores as large), (n, k); 1 where a drug's residuals are all alike.

    Parameters
    ----------
    residual
        (n, p), positive on the side tested.
    seen
        Entries that count, (n, p).
    member
        Which lines are in each group, 0 or 1, (p, k).
    """
    from scipy.special import gammainc, gammaincc, ndtr

    score = scores(unnoisy(residual, seen), seen)
    n, m = seen.sum(1, keepdims=True), seen @ member
    left = np.maximum(n - 1, 1)
    square, cube = ((score**k).sum(1, keepdims=True) / np.maximum(n, 1) for k in (2, 3))
    sd = np.sqrt(m * (n - m) / left * square)
    third = m * (n - m) * (n - 2 * m) / (left * np.maximum(n - 2, 1)) * cube
    with np.errstate(divide="ignore", invalid="ignore"):
        t, skew = score @ member / sd, third / sd**3
        # A gamma of this shape, less its mean, has variance and skewness; turned if it is negative.
        shape = 4 / skew**2
        at = np.maximum(shape + np.sign(skew) * np.sqrt(shape) * t, 0.0)
        tail = np.where(skew > 0, gammaincc(shape, at), gammainc(shape, at))
    tail = np.where(np.abs(skew) > 1e-4, tail, ndtr(-t))
    return np.asarray(np.where(sd > 0, tail, 1.0))


def unnoisy(residual: Matrix, seen: Mask) -> Matrix:
    """Residuals in units of each line's mean size where positive; 0 where not seen."""
    above = np.where(seen, np.maximum(residual, 0.0), 0.0)
    mean = above.sum(1, keepdims=True) / np.maximum(seen.sum(1, keepdims=True), 1)
    relative = np.divide(above, mean, out=np.zeros_like(above), where=mean > 0)
    size = (relative.sum(0) + _PRIOR) / (seen.sum(0) + _PRIOR)
    return np.asarray(np.where(seen, residual, 0.0) / size)


def scores(values: Matrix, seen: Mask) -> Matrix:
    """Savage scores within each row, of mean zero; 0 where not seen, and where all are tied."""
    from scipy.stats import rankdata

    n = seen.sum(1, keepdims=True)
    last = np.where(seen, values, np.inf)
    low, high = (
        np.where(seen, rankdata(last, way, axis=1), 1).astype(np.int64) for way in ("min", "max")
    )
    # The k-th smallest of N exponentials has the mean H_N - H_(N-k), H the harmonic numbers.
    harmonic = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, seen.shape[1] + 1))])
    summed = np.concatenate([[0.0], np.cumsum(harmonic)])
    passed = (summed[n - low + 1] - summed[n - high]) / (high - low + 1)
    return np.where(seen & (high - low + 1 < n), harmonic[n] - passed - 1, 0.0)
