"""One prediction of every entry, of several that differ in what they see.

    P = T + b (C + a (G - C) - T),    a, b in [0, 1]

| symbol | variable    | shape  | sees                                           |
|--------|-------------|--------|------------------------------------------------|
| T      | ``means``   | (n, p) | drug and line effects                          |
| C      | ``completed``| (n, p)| broad structure: the deep factorization        |
| G      | ``process`` | (n, p) | that, and near neighbours (process.py)         |
| a      | ``process`` | scalar | share of G beside C                            |
| b      | ``beyond``  | scalar | share of what either says beyond the means     |

a and b are least squares over entries that none of the three has seen, so that what does not help
on this screen is refused, wholly or in part. Entries far out count less (Huber's weights).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from .mixture import NORMAL_MAD

_FAR = 3.0  # robust standard deviations


@dataclass
class Parts:
    """Predictions of every entry, (n, p); ``process`` None: there is none."""

    low_rank: Tensor
    completed: Tensor
    process: Tensor | None
    means: Tensor

    def rows(self, rows: slice | Tensor) -> Parts:
        """Of some drugs."""
        process = None if self.process is None else self.process[rows]
        return Parts(self.low_rank[rows], self.completed[rows], process, self.means[rows])

    def without_low_rank(self) -> Parts:
        """With the means for broad structure."""
        return replace(self, low_rank=self.means)

    def at(self, where: Tensor, other: Parts) -> Parts:
        """These where ``where``, and the others elsewhere."""

        def pick(a: Tensor, b: Tensor) -> Tensor:
            return torch.where(where, a, b)

        process = None
        if self.process is not None and other.process is not None:
            process = pick(self.process, other.process)
        return Parts(
            pick(self.low_rank, other.low_rank),
            pick(self.completed, other.completed),
            process,
            pick(self.means, other.means),
        )


@dataclass
class Blend:
    """How much of each prediction is taken."""

    process: float = 0.5  # without anything to judge by
    beyond: float = 1.0

    @classmethod
    def fit(cls, data: Tensor, parts: Parts, where: Tensor) -> Blend:
        """By least squares over the entries at ``where`` (boolean), which no part has seen."""
        rest = (data - parts.completed)[where].double()
        far = _FAR * NORMAL_MAD * rest.abs().median()
        weight = torch.where(rest.abs() > far, far / rest.abs(), 1.0)

        def share(base: Tensor, other: Tensor) -> float:
            step = (other - base)[where].double()
            size = float((weight * step.square()).sum())
            along = float((weight * step * (data - base)[where].double()).sum())
            return min(max(along / size, 0.0), 1.0) if size > 0 else 0.0

        blend = cls(0.0 if parts.process is None else share(parts.completed, parts.process))
        blend.beyond = share(parts.means, blend.of(parts))
        return blend

    def of(self, parts: Parts) -> Tensor:
        """The prediction, (n, p)."""
        best = parts.completed
        if parts.process is not None and self.process:
            best = best + self.process * (parts.process - best)
        if self.beyond == 1:  # the prediction itself, to the last bit
            return best
        return parts.means + self.beyond * (best - parts.means)
