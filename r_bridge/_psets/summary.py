"""PharmacoGx's rules for one value per drug and line, on arrays.

``summarizeSensitivityProfiles`` of PharmacoGx 3: a pair without any value gives NA; mean, median,
max and min leave NA out, first and last do not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Summary: TypeAlias = Literal["mean", "median", "first", "last", "max", "min"]
SUMMARIES = ("mean", "median", "first", "last", "max", "min")


def summarize(
    drug: NDArray[np.int64],
    line: NDArray[np.int64],
    value: NDArray[np.float64],
    shape: tuple[int, int],
    how: Summary,
) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Summarise experiments as drugs x lines.

    Parameters
    ----------
    drug, line
        Row and column of each experiment, in the order of the experiments.
    value
        Value of each experiment, NaN for NA.
    shape
        Numbers of drugs and lines.
    how
        One of `SUMMARIES`.

    Returns
    -------
    matrix, count
        The summary, NaN where there is none, and the number of values (not NA) behind it.
    """
    cell = drug * shape[1] + line
    there = ~np.isnan(value)
    count = np.bincount(cell[there], minlength=shape[0] * shape[1]).astype(np.int32)
    matrix = np.full(shape[0] * shape[1], np.nan)
    if how not in ("first", "last"):
        cell, value = cell[there], value[there]
    if len(cell):
        order = np.lexsort((value, cell)) if how == "median" else np.argsort(cell, kind="stable")
        cell, value = cell[order], value[order]
        start = np.flatnonzero(np.r_[True, cell[1:] != cell[:-1]])
        matrix[cell[start]] = _reduce(value, start, np.r_[start[1:], len(cell)], how)
    return matrix.reshape(shape), count.reshape(shape)


def _reduce(
    value: NDArray[np.float64], start: NDArray[np.intp], end: NDArray[np.intp], how: Summary
) -> NDArray[np.float64]:
    if how == "first":
        return value[start]
    if how == "last":
        return value[end - 1]
    if how == "max":
        return np.maximum.reduceat(value, start)
    if how == "min":
        return np.minimum.reduceat(value, start)
    if how == "mean":
        return _mean(value, start, end)
    middle = start + (end - start - 1) // 2
    result = value[middle]
    even = np.flatnonzero((end - start) % 2 == 0)
    pairs = np.stack([value[middle[even]], value[middle[even] + 1]], axis=1).ravel()
    at = np.arange(len(even)) * 2
    result[even] = _mean(pairs, at, at + 2)
    return result


def _mean(
    value: NDArray[np.float64], start: NDArray[np.intp], end: NDArray[np.intp]
) -> NDArray[np.float64]:
    """R's mean: summed one by one in long double, then corrected by the mean of what is left."""
    n = end - start
    group = np.repeat(np.arange(len(start)), n)
    total = np.zeros(len(start), dtype=np.longdouble)
    # An infinite mean has no remainder, and Inf - Inf is NaN in R too.
    with np.errstate(invalid="ignore", over="ignore"):
        np.add.at(total, group, value.astype(np.longdouble))
        mean = total / n
        rest = np.zeros_like(total)
        np.add.at(rest, group, value - mean[group])
        mean = np.where(np.isfinite(mean.astype(np.float64)), mean + rest / n, mean)
        return mean.astype(np.float64)
