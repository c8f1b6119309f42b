"""Values that many measurements share: a cap, a floor, a largest dose.

| symbol | variable         | shape  | meaning                                               |
|--------|------------------|--------|-------------------------------------------------------|
| D      | ``data``         | (n, p) | measurements, NaN where not measured                  |
|        | ``piled``        | (n, p) | where D is such a value                               |
|        | ``low``, ``high``| (n, 1) | such a value at the lower, upper end of a drug, or inf |

Where measurements pile up the experiment ended before the response did: a residual there is small
for want of a measurement, not of noise, and a robust scale of all of them goes to zero. So these
entries are fitted like all others, but tell nothing of noise; nor does one whose fitted value lies
beyond the end, since its noise shows on one side only.

Nor are they deviations, as far as they can be seen: the share of entries that deviate would come
out too large if they did not count, and too small if they did in full, since what deviates beyond
the end is not seen. ``SILENT`` keeps the share of high residuals where GDSC1's AUC and ln IC50 are
cut at a cap (``benchmarks/pileups.py``).

A value piles up in a screen, or in one drug, if a good share of the measurements has it, and a
multiple of what its neighbours have: of values given with few digits each is frequent, and none
more than the next.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

SILENT = 0.05  # of an entry: what one that tells nothing counts for among those that do not deviate
WARN = 0.05  # of the measurements
_SHARE = 0.01  # of the measurements of a screen
_SHARE_OF_DRUG = 0.1
_SHARE_OF_END = 0.05  # of a drug, to be the end of its range
_LEAST = 10  # entries
FEWEST = 10  # entries that tell of noise: where there are fewer, all are taken to
_TIMES = 3.0  # as many as either neighbour has

Array = NDArray[np.float64]


@dataclass
class PileUps:
    """Where measurements pile up."""

    piled: NDArray[np.bool_]
    low: Array
    high: Array
    share: float  # of the measurements
    values: Array  # that the screen shares, most frequent first
    shares: Array
    n_drugs: int  # with a value of their own

    def message(self) -> str:
        """What a user should know."""
        common = ", ".join(
            f"{value:.6g} ({share:.1%})"
            for value, share in list(zip(self.values, self.shares, strict=True))[:3]
        )
        own = f"{self.n_drugs} drug(s) with a value of their own" if self.n_drugs else ""
        where = " and ".join(part for part in (common, own) if part)
        return (
            f"{self.share:.1%} of the measurements pile up at shared values: {where}. If that is "
            f"the end of a range, what lies beyond was not seen: these entries are fitted and "
            f"corrected, and left out where noise is estimated. If it stands for 'not measured', "
            f"set them to NaN."
        )

    def summary(self) -> dict[str, Any]:
        """What there is to say of them, in plain values."""
        names = ("share", "values", "shares", "n_drugs")
        return {name: getattr(self, name) for name in names}


@dataclass
class Telling:
    """Which residuals tell of noise; tensors of a fit."""

    data: Tensor
    piled: Tensor
    low: Tensor
    high: Tensor

    def to_cpu(self) -> Telling:
        """The same in float64 on the CPU."""
        parts = (self.data, self.piled, self.low, self.high)
        return Telling(*(part.cpu().double() for part in parts))

    def among(self, where: Tensor, residual: Tensor) -> Tensor:
        """Those of the entries at ``where`` that do, 1 or 0; residuals in the data's units."""
        fitted = self.data - residual
        told: Tensor = where * (1 - self.piled) * (fitted <= self.high) * (fitted >= self.low)
        return told


def among(telling: Telling | None, where: Tensor, residual: Tensor) -> Tensor:
    """The same where nothing may pile up, or everything."""
    if telling is None:
        return where
    told = telling.among(where, residual)
    return told if float(told.sum()) >= FEWEST else where


def pile_ups(data: Array) -> PileUps:
    """Find the values that measurements pile up at."""
    measured = np.isfinite(data)
    values, shares = _shared(data[measured], _SHARE)
    piled = np.isin(data, values) & measured
    low, high = np.full((len(data), 1), -np.inf), np.full((len(data), 1), np.inf)
    n_drugs = 0
    for i, (row, known) in enumerate(zip(data, measured, strict=True)):
        own = np.setdiff1d(_shared(row[known], _SHARE_OF_DRUG)[0], values)
        n_drugs += bool(own.size)
        piled[i] |= np.isin(row, own) & known
        for end, value in ((low, row[known].min()), (high, row[known].max())):
            if (piled[i] & (row == value)).sum() >= _SHARE_OF_END * known.sum():
                end[i] = value
    share = float(piled.sum() / measured.sum())
    return PileUps(piled, low, high, share, values, shares, n_drugs)


def _shared(values: Array, share: float) -> tuple[Array, Array]:
    """Values that pile up, and their shares, most frequent first."""
    distinct, count = np.unique(values, return_counts=True)
    around = np.concatenate([[0], count, [0]])
    neighbours = np.maximum(around[:-2], around[2:])
    found = (count >= max(_LEAST, share * values.size)) & (count >= _TIMES * neighbours)
    order = np.argsort(-count[found], kind="stable")
    return distinct[found][order], count[found][order] / values.size
