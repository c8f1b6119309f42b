"""Noise of a whole screen: a mixture whose size differs between drugs.

    r_ij / scale_i ~ a mixture of noise and deviations (see mixture.py)

| symbol  | variable      | shape  |
|---------|---------------|--------|
| r       | ``residual``  | (n, p) |
| scale_i | ``scale``     | (n, 1) |

A matrix holds quiet drugs, which hardly act on any line, beside widely varying ones. One noise
level for all would be that of the quiet ones, and call a fifth of a screen deviant. The
threshold stays one number, in the data's units: what is even odds at the root mean square noise.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .mixture import Mixture
from .pileups import FEWEST, SILENT, Telling, among, most
from .preparation import drug_scale

_TOL, _TOL_OF_MORE = 1e-6, 1e-4  # of EM


@dataclass
class DrugNoise:
    """Noise of each drug, and how much of the residuals is deviation."""

    mixture: Mixture
    scale: Tensor
    sd_by_drug: Tensor
    sd: float

    @classmethod
    def fit(
        cls,
        residual: Tensor,
        observed: Tensor,
        where: Tensor,
        telling: Telling | None = None,
    ) -> DrugNoise:
        """Estimate from the residuals at ``where`` (boolean), the drugs' scales from all observed.

        Parameters
        ----------
        residual, observed
            Residuals (n, p), and 1 where they are measured.
        where
            Entries that stand for new ones: those held out, if there are any.
        telling
            Which residuals tell of noise; None: all.
        """
        return cls.fit_each(residual, observed, [where], telling)[0]

    @classmethod
    def fit_each(
        cls,
        residual: Tensor,
        observed: Tensor,
        parts: Sequence[Tensor],
        telling: Telling | None = None,
    ) -> list[DrugNoise]:
        """The same of several parts of the entries, each a boolean (n, p); the first precisely."""
        # In double precision and on the CPU: it runs a few times a correction, and mps has neither.
        told = among(telling, observed, residual).cpu().double()
        residual, observed = residual.cpu().double(), observed.cpu().double()
        scales: dict[bool, Tensor] = {}
        out: list[DrugNoise] = []
        for part in parts:
            where = part.cpu()
            here = where & (told > 0)
            all_tell = int(here.sum()) < FEWEST
            if all_tell:
                here = where
            if all_tell not in scales:
                who = observed if all_tell else told
                scale = drug_scale(residual * who, who, 1.0)
                scales[all_tell] = scale if float(scale.max()) > 0 else torch.ones_like(scale)
            scale = scales[all_tell]
            silent = SILENT * float(where.sum() - here.sum())
            mixture = Mixture.fit(
                (residual / scale)[here],
                tol=_TOL if not out else _TOL_OF_MORE,
                n_silent=silent,
                most=most(telling),
            )
            sd_by_drug = mixture.s * scale
            share = where.sum(1, keepdim=True) / where.sum()
            sd = math.sqrt(float((share * sd_by_drug**2).sum()))
            out.append(cls(mixture, scale, sd_by_drug, sd))
        return out

    def even_odds(self) -> float:
        """Size from which a residual is rather deviation than noise, at the typical noise."""
        return self.sd * self.mixture.even_odds() / self.mixture.s

    def tail(self, threshold: float) -> float:
        """Share of normal noise so large at or beyond ``threshold``, on average over drugs."""
        z = threshold / (self.sd_by_drug * math.sqrt(2))
        return float(torch.erfc(z).mean())

    def nll(self, residual: Tensor, where: Tensor) -> float:
        """Mean negative log density of the residuals at ``where``."""
        where = where.cpu()
        scaled = self.mixture.nll((residual.cpu().double() / self.scale)[where])
        return float((scaled + self.scale.log().expand(residual.shape)[where]).mean())
