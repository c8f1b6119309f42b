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
out too large if they did not count, and too small if they did in full (``SILENT``), since what
deviates beyond the end is not seen. What is left lies to one side of the fit, and a mixture that
looks for deviations to a side would take up to half of it for such. So they are held to be few
(``MOST``): 6 to 8 % are found in GDSC1's AUC and ln IC50 as they are. Then the share of high
residuals falls where a cap hides deviations, and does not rise for what it leaves
(``benchmarks/pileups.py``).

A value piles up in a screen, or in one drug, if a good share of the measurements has it, and a
multiple of what its neighbours have: of values given with few digits each is frequent, and none
more than the next. Values alike but for rounding are one. In small screens a few at a drug's end
are enough where most drugs have them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

SILENT = 0.05  # of an entry: what one that tells nothing counts for among those that do not deviate
MOST = 0.1  # of the entries that tell of noise: deviations
WARN = 0.05  # of the measurements: the user is told, and deviations are held to be few
_SHARE = 0.01  # of the measurements of a screen
_SHARE_OF_DRUG = 0.1
_SHARE_OF_END = 0.05  # of a drug, to be the end of its range
_LEAST = 10  # entries
FEWEST = 10  # entries that tell of noise: where there are fewer, all are taken to
_FEW = 3  # entries at the end of a drug, where _RULE of the drugs have as many
_RULE = 0.5
_TIMES = 3.0  # as many as either neighbour has
_ALIKE = 1e-5  # of the screen's range: values that differ by less are one

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

    @property
    def most(self) -> float:
        """Share of deviations among what tells of noise, at most."""
        return MOST if self.share >= WARN else 0.5

    def with_censored(
        self, censored: NDArray[np.int8] | None, measured: NDArray[np.bool_]
    ) -> PileUps:
        """The same with measurements that are bounds, which tell nothing of noise either."""
        if censored is None:
            return self
        piled = self.piled | ((censored != 0) & measured)
        return replace(self, piled=piled, share=float(piled.sum() / measured.sum()))

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
    most: float

    def to_cpu(self) -> Telling:
        """The same in float64 on the CPU."""
        parts = (self.data, self.piled, self.low, self.high)
        data, piled, low, high = (part.cpu().double() for part in parts)
        return Telling(data, piled, low, high, self.most)

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


def most(telling: Telling | None) -> float:
    """Share of deviations, at most."""
    return 0.5 if telling is None else telling.most


def pile_ups(data: Array) -> PileUps:
    """Find the values that measurements pile up at."""
    measured = np.isfinite(data)
    known = data[measured]
    low, high = np.quantile(known, [0.05, 0.95])
    width = _ALIKE * ((high - low) or np.ptp(known) or 1.0)

    def alike(row: Array, value: float) -> NDArray[np.bool_]:
        return np.abs(row - value) <= width / 2

    values = _shared(np.sort(known), _SHARE, width)
    shares = np.array([alike(known, value).mean() for value in values])
    piled = np.zeros(data.shape, bool)
    for value in values:
        piled |= alike(data, value)
    n_common = piled.sum(1)
    few = np.zeros((len(data), 2), bool)
    for i, row in enumerate(data):
        ordered = np.sort(row[measured[i]])
        for value in _shared(ordered, _SHARE_OF_DRUG, width):
            piled[i] |= alike(row, value)
        few[i] = [_few_at_start(outwards, width) for outwards in (ordered, -ordered[::-1])]
    # Too few to say so of one drug, but not where it is the rule.
    few &= few.mean(0) >= _RULE
    ends = np.full((2, len(data), 1), [[[-np.inf]], [[np.inf]]])
    for i, row in enumerate(data):
        for side, end in enumerate((np.nanmin(row), np.nanmax(row))):
            at = alike(row, end)
            piled[i] |= at & few[i, side]
            if (piled[i] & at).sum() >= _SHARE_OF_END * measured[i].sum():
                ends[side, i] = end
    share = float(piled.sum() / measured.sum())
    n_drugs = int((piled.sum(1) > n_common).sum())
    return PileUps(piled, ends[0], ends[1], share, values, shares, n_drugs)


def _shared(ordered: Array, share: float, width: float) -> Array:
    """Values that pile up, most frequent first."""
    # What the edge of a bin divides lies amid one when the bins are moved by half.
    found = (_in_bins(ordered, share, width, edge) for edge in (0.0, 0.5))
    return max(found, key=lambda one: one[0])[1]


def _in_bins(ordered: Array, share: float, width: float, edge: float) -> tuple[int, Array]:
    """How many do, and at which values; the first bin begins ``edge`` of it below the least."""
    place = np.floor((ordered - ordered[0]) / width + edge)
    start = np.flatnonzero(np.diff(place, prepend=-1.0))
    count = np.diff(start, append=ordered.size)
    around = np.concatenate([[0], count, [0]])
    neighbours = np.maximum(around[:-2], around[2:])
    found = (count >= max(_LEAST, share * ordered.size)) & (count >= _TIMES * neighbours)
    start, count = start[found], count[found]
    middle = [np.median(ordered[k : k + n]) for k, n in zip(start, count, strict=True)]
    order = np.argsort(-count, kind="stable")
    return int(count.sum()), np.array(middle)[order]


def _few_at_start(ordered: Array, width: float) -> bool:
    """Whether a few pile up at the least value."""
    first = int((ordered <= ordered[0] + width).sum())
    if first == ordered.size:
        return False
    second = int((ordered <= ordered[first] + width).sum()) - first
    return first >= max(_FEW, _SHARE_OF_DRUG * ordered.size, _TIMES * second)
