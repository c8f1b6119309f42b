"""What is taken out before the chain: drug and line effects, and each drug's scale.

    D = G + diag(scale) C + noise,    G_ij = drug_i + line_j

| symbol | variable          | shape   |
|--------|-------------------|---------|
| D      | ``data``          | (n, p)  |
| drug_i | ``Effects.drug``  | (n, 1)  |
| line_j | ``Effects.line``  | (1, p)  |
| scale  | ``scale``         | (n, 1)  |
| C      | the chain         | (n, p)  |

G is the two-way fit by weighted least squares over observed entries, each effect shrunk by its
reliability (drugs and lines are draws from a population; what of their spread chance explains is
taken off). It is re-estimated while the chain descends, since the two share what they explain.
``scale`` is a damped power of each drug's robust residual spread, so that a few widely varying
drugs do not decide the fit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

CENTERS = ("two-way", "none")
_LOG_MAD_VARIANCE = 1.36  # of n observations, times n: the MAD is 37 % efficient
_LOG_SD_VARIANCE = 0.5  # the same for the standard deviation
_SWEEPS = 20  # alternating sweeps from zero; with 15-40 % missing they contract fast
_ROUNDS = 200  # of sweeps, at most, of a fit to the end


@dataclass
class Effects:
    """Drug effects and line effects."""

    drug: Tensor
    line: Tensor

    def matrix(self) -> Tensor:
        return self.drug + self.line

    def update(
        self, data: Tensor, weights: Tensor, noise: float | None = None, sweeps: int = 1
    ) -> None:
        """Weighted least squares of ``data`` on drug + line effects, by alternation.

        Parameters
        ----------
        data, weights
            (n, p); entries of weight 0 do not count.
        noise
            Variance of an entry of weight 1; the effects are shrunk. None: they are not.
        """
        tiny = torch.finfo(data.dtype).tiny
        by_drug = weights.sum(1, keepdim=True).clamp_min(tiny)
        by_line = weights.sum(0, keepdim=True).clamp_min(tiny)
        weighted = weights * data
        drug_sum, line_sum = weighted.sum(1, keepdim=True), weighted.sum(0, keepdim=True)
        for _ in range(sweeps):
            drug, mean = _effects((drug_sum - weights @ self.line.T) / by_drug, by_drug, noise)
            self.drug = drug + mean
            # The split between the two is free: the line effects get mean zero.
            self.line, shift = _effects(
                (line_sum - self.drug.T @ weights) / by_line, by_line, noise
            )
            self.drug = self.drug + shift


def _effects(raw: Tensor, weight: Tensor, noise: float | None) -> tuple[Tensor, Tensor]:
    """Deviations from the weighted mean, shrunk by their reliability, and that mean."""
    mean = (raw * weight).sum() / weight.sum()
    effect = raw - mean
    if noise is None:
        return effect, mean
    error = noise / weight
    # Weighted, since an effect that hardly any entry speaks for may be of any size.
    true = ((weight * (effect.square() - error)).sum() / weight.sum()).clamp_min(0.0)
    return effect * torch.nan_to_num(true / (true + error)), mean  # 0 / 0: nothing to shrink


def two_way(data: Tensor, mask: Tensor, shrink: bool = False) -> Effects:
    """Two-way fit over the entries where ``mask`` is 1; ``data`` finite everywhere."""
    n, p = data.shape
    effects = Effects(data.new_zeros(n, 1), data.new_zeros(1, p))
    effects.update(data, mask, sweeps=_SWEEPS)
    if shrink:
        left = (data - effects.matrix()).square() * mask
        effects.update(data, mask, float(left.sum() / mask.sum()), sweeps=_SWEEPS)
    return effects


def two_way_means(data: NDArray[np.float64]) -> NDArray[np.float64]:
    """Drug effect + line effect of ``data`` (n, p), NaN where not measured, fitted to the end.

    By alternation, until a round of sweeps changes the fit by less than 1e-10 of the data's size.
    Drugs and lines that share no measurement with the rest, not even through others, have no
    unique fit; they get the one that alternation from zero leads to.
    """
    values = torch.as_tensor(np.nan_to_num(data))
    measured = torch.as_tensor(np.isfinite(data), dtype=torch.float64)
    effects = two_way(values, measured)
    size = float(values.abs().max())
    for _ in range(_ROUNDS):
        before = effects.matrix()
        effects.update(values, measured, sweeps=10)
        if float((effects.matrix() - before).abs().max()) <= 1e-10 * size:
            break
    fitted: NDArray[np.float64] = effects.matrix().numpy()
    return fitted


def trivial_answers(
    data: NDArray[np.float64], train: NDArray[np.bool_]
) -> tuple[float, NDArray[np.float64]]:
    """Grand mean, and drug mean + line mean (n, p), of the entries where ``train`` is True."""
    effects = two_way(
        torch.as_tensor(np.where(train, data, 0.0)), torch.as_tensor(train, dtype=torch.float64)
    )
    return float(data[train].mean()), effects.matrix().numpy()


def drug_scale(residual: Tensor, mask: Tensor, power: float) -> Tensor:
    """(robust spread of each drug / its median over drugs) ** power, times the overall spread.

    The spread is the median absolute deviation, which a few selective responses do not move; the
    ratio is damped, see ``_damped``.
    """
    home = residual.device
    residual, mask = residual.cpu(), mask.cpu()  # once a fit, and mps lacks nanmedian
    overall = torch.sqrt((residual**2 * mask).sum() / mask.sum())
    size = torch.where(mask > 0, residual.abs(), torch.nan)
    spread = torch.nanmedian(size, dim=1, keepdim=True).values
    return (overall * _damped(spread, _LOG_MAD_VARIANCE / mask.sum(1, keepdim=True), power)).to(
        home
    )


def noise_scale(residual: Tensor, noise: Tensor, power: float = 1.0) -> Tensor:
    """(noise of each drug / its median over drugs) ** power; (n, 1), of geometric mean one.

    Parameters
    ----------
    residual, noise
        Residuals (n, p), and the probability that each is noise; 0 where not measured.
    """
    n = noise.sum(1, keepdim=True).clamp_min(1.0)
    spread = ((noise * residual.square()).sum(1, keepdim=True) / n).sqrt()
    ratio = _damped(spread.cpu(), _LOG_SD_VARIANCE / n.cpu(), power).to(residual.device)
    return ratio / ratio.log().mean().exp()


def _damped(spread: Tensor, chance: Tensor, power: float) -> Tensor:
    """(spread / its median) ** power, less what chance explains of the differences.

    Each spread is pulled towards the median by the share of the variance of its logarithm that is
    sampling error (``chance``), so that drugs which differ by chance alone are scaled alike, and
    one that little is known of like most.
    """
    middle = torch.nanmedian(spread)
    if power == 0 or not middle > 0:
        return torch.ones_like(spread)
    relative = torch.nan_to_num(spread / middle, nan=1.0).clamp(0.1, 10.0).log()
    n = 1 / chance  # in proportion to entries; 0 where there is none
    total = n.sum()
    true = ((n * relative.square()).sum() / total - (n > 0).sum() / total).clamp_min(0.0)
    reliable = true / (true + chance).clamp_min(1e-12)
    return (power * torch.nan_to_num(reliable) * relative).exp()


def marchenko_pastur_median(n: int, p: int) -> float:
    """Median of the squared singular values of n x p unit noise, divided by max(n, p).

    A median is not moved by structure of low rank, which makes it a measure of the noise
    (Gavish & Donoho 2014).
    """
    beta = min(n, p) / max(n, p)
    low, high = (1 - math.sqrt(beta)) ** 2, (1 + math.sqrt(beta)) ** 2
    # Substituting x = (low + high) / 2 - (high - low) / 2 cos(angle) removes the edges' roots.
    angle = (torch.arange(2000, dtype=torch.float64) + 0.5) * (math.pi / 2000)
    x = (low + high) / 2 - (high - low) / 2 * torch.cos(angle)
    mass = (torch.sin(angle) ** 2 / x).cumsum(0)
    return float(x[torch.searchsorted(mass, mass[-1] / 2)])
