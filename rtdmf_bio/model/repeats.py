"""Noise of each drug from what was measured more than once.

    s_i^2 = sum of squares within repeats / degrees of freedom,
    noise_i^2 = (n_i s_i^2 + 5 c v_i) / (n_i + 5),    c = sum n_i s_i^2 / sum n_i v_i

| symbol | variable | shape | meaning                                                          |
|--------|----------|-------|------------------------------------------------------------------|
| n      | ``count``| (n,)  | degrees of freedom                                               |
| v      | ``whole``| (n,)  | mean square of the drug, about which noise is alike in all drugs |

Repeats are of drugs (rows), of lines (columns) or of single experiments. Rows or columns that
repeat another may differ from it by a shift, which is no noise here. A few squares far out count as
the limit does. What repeats have in common, such as a plate, cannot be seen in them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

REPLICATES = "replicates"  # where noise is known from
FEWEST = 10  # lines, or drugs, that two repeats have in common
_PSEUDO = 5  # degrees of freedom's worth of the screen's ratio
_LIMIT = 5.0  # standard deviations
_MEDIAN = 0.4549  # of a chi-squared variable with one degree of freedom


def within_rows(data: Array, labels: NDArray[np.object_]) -> tuple[Array, Array]:
    """Sum of squares and degrees of freedom of each row, (n,), from rows with the same label.

    Parameters
    ----------
    data
        (n, p), NaN where not measured.
    labels
        One per row, (n,), None: of its own.
    """
    square, count = np.zeros(len(data)), np.zeros(len(data))
    for rows in _repeated(labels):
        block = data[rows]
        here = np.isfinite(block).sum(0) > 1
        if here.sum() < FEWEST:
            continue
        block = block[:, here] - np.nanmedian(block[:, here], axis=1, keepdims=True)
        square[rows] = _limited(np.nanvar(block, axis=0, ddof=1)).sum()
        count[rows] = here.sum()
    return square, count


def within_columns(data: Array, labels: NDArray[np.object_]) -> tuple[Array, Array]:
    """The same from columns with the same label, (p,)."""
    square, count = np.zeros(len(data)), np.zeros(len(data))
    for columns in _repeated(labels):
        block = data[:, columns]
        n = np.isfinite(block).sum(1)
        here = n > 1
        if here.sum() < FEWEST:
            continue
        block = block[here] - np.nanmean(block[here], axis=1, keepdims=True)
        variance = np.nanvar(block - np.nanmedian(block, axis=0), axis=1, ddof=1)
        square[here] += (n[here] - 1) * _limited(variance, np.nanvar(data[here], axis=1))
        count[here] += n[here] - 1
    return square, count


def within_pairs(
    values: Array, drug: NDArray[np.intp], line: NDArray[np.intp], shape: tuple[int, int]
) -> tuple[Array, Array]:
    """The same from experiments on the same pair of drug and line; NaN is none.

    Parameters
    ----------
    values, drug, line
        Of each experiment.
    shape
        Numbers of drugs and of lines.
    """
    known = np.isfinite(values)
    place, values = drug[known] * shape[1] + line[known], values[known]
    pair, at = np.unique(place, return_inverse=True)
    n = np.bincount(at, minlength=pair.size)
    mean = np.bincount(at, values, pair.size) / n
    total = np.bincount(at, (values - mean[at]) ** 2, pair.size)
    repeated = n > 1
    if not repeated.any():
        return np.zeros(shape[0]), np.zeros(shape[0])
    owner = pair[repeated] // shape[1]
    freedom = np.asarray(n[repeated] - 1, dtype=np.float64)

    def by_drug(part: Array, at: NDArray[np.intp] = owner) -> Array:
        return np.asarray(np.bincount(at, part, shape[0]), dtype=np.float64)

    every = drug[known]
    n_drug = np.maximum(np.bincount(every, minlength=shape[0]), 1)
    centred = values - (by_drug(values, every) / n_drug)[every]
    whole = by_drug(centred**2, every) / n_drug
    square = freedom * _limited(total[repeated] / freedom, whole[owner])
    return by_drug(square), by_drug(freedom)


def pooled(square: Array, count: Array, whole: Array) -> Array:
    """Variance of the noise of each drug, (n,), from its own repeats and those of the screen."""
    here = count > 0
    ratio = square[here].sum() / max(float((count * whole)[here].sum()), np.finfo(float).tiny)
    noise: Array = (square + _PSEUDO * ratio * whole) / (count + _PSEUDO)
    return noise


def noise_of_summaries(
    values: Array,
    drug: NDArray[np.intp],
    line: NDArray[np.intp],
    matrix: Array,
    how: str,
) -> Array | None:
    """Standard deviation of the error of what repeated experiments were summarised to.

    Parameters
    ----------
    values, drug, line
        Of each experiment, NaN where there is no value.
    matrix
        Their summaries, (n drugs, p lines).
    how
        ``"mean"``, ``"median"``, ``"first"`` or ``"last"``; of others nothing is known.

    Returns
    -------
    (n,), root mean square over the lines, NaN for a drug without values; None where there are too
    few repeats, or nothing is known.
    """
    if how not in ("mean", "median", "first", "last"):
        return None
    square, count = within_pairs(values, drug, line, matrix.shape)
    if count.sum() < FEWEST or not square.sum() > 0:
        return None
    measured = np.isfinite(matrix)
    known = np.isfinite(values)
    n = np.bincount((drug * matrix.shape[1] + line)[known], minlength=matrix.size)
    n = np.maximum(n.reshape(matrix.shape), 1)
    share = 1 / n if how in ("mean", "median") else np.ones(matrix.shape)
    if how == "median":
        share = np.where(n > 2, np.pi / 2, 1.0) * share
    some = measured.any(1)
    whole, part = np.full(len(matrix), np.nan), np.full(len(matrix), np.nan)
    whole[some] = np.nanvar(matrix[some], axis=1)
    part[some] = np.nanmean(np.where(measured, share, np.nan)[some], axis=1)
    noise = np.full(len(matrix), np.nan)
    noise[some] = np.sqrt(pooled(square[some], count[some], whole[some]) * part[some])
    return noise


def _repeated(labels: NDArray[np.object_]) -> list[list[int]]:
    """Places with the same label, where there are several."""
    places: dict[object, list[int]] = {}
    for i, label in enumerate(labels):
        if label is not None:
            places.setdefault(label, []).append(i)
    return [same for same in places.values() if len(same) > 1]


def _limited(variance: Array, whole: Array | float = 1.0) -> Array:
    """Variances, of what lies far out beside ``whole`` as much as the limit allows."""
    whole = np.maximum(whole, np.finfo(float).tiny)
    middle = float(np.median(variance / whole)) / _MEDIAN
    return np.minimum(variance, _LIMIT**2 * middle * whole) if middle > 0 else variance
