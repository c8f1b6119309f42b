"""Losses: residuals in, weights out. The solver descends on sum w(r) r.

| loss    | rho(r)                               | w(r)                              |
|---------|--------------------------------------|-----------------------------------|
| squared | r^2 / 2                              | 1                                 |
| clip    | Huber at eta                         | min(1, eta / |r|)                 |
| hard    | r^2 / 2 below eta, constant above    | 1 below eta, 0 from eta on        |
| mixture | -s^2 log of a noise + spike density  | P(noise|r) + P(spike|r) (s/t)^2   |

r is the residual in units of the drug's scale. ``clip`` is the published code's clamp of the
prediction to D +- eta during training, written as the loss it minimises; ``hard`` is
Algorithm 1's in-training rule. ``hard`` and ``mixture`` begin after a burn-in of squared loss,
since at the start every residual is high and nothing would train.
Source: Hu et al. 2025, Algorithm 1; Huber 1964.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .mixture import NORMAL_MAD, ScaleMixture

LOSSES = ("squared", "clip", "hard", "mixture")
_EM_STEPS = 5  # EM creeps near its end; one step an update would hold up the whole fit
_AUTO_ETA = 2.5  # robust standard deviations, the usual cut for an outlier


class Loss:
    """One loss with its running state.

    Parameters
    ----------
    name
        One of ``LOSSES``.
    eta
        In-training threshold per drug, shape (n, 1), in scaled units, for ``clip`` and ``hard``.
        None: 2.5 robust standard deviations of the residuals, re-estimated as the fit goes.
    burn_in
        Iterations of plain squared loss before ``hard`` and ``mixture`` begin.
    """

    def __init__(self, name: str, eta: Tensor | None = None, burn_in: int = 30) -> None:
        self.name = name
        self.eta = eta
        self.burn_in = burn_in if name in ("hard", "mixture") else 0
        self.mixture = ScaleMixture()
        self.noise_sd = 1.0  # squared loss cannot tell noise from the whole spread
        self._auto_eta = eta is None
        self._active = name != "squared" and self.burn_in == 0

    @property
    def constant(self) -> bool:
        """True while the weights are all one."""
        return not self._active

    def update(self, r: Tensor, iteration: int) -> None:
        """Re-estimate the state from the training residuals, shape (number of entries,)."""
        if self.name == "squared" or iteration < self.burn_in:
            return
        self._active = True
        if self.name == "mixture":
            for _ in range(_EM_STEPS):
                self.mixture.update(r)
            self.noise_sd = self.mixture.s
            return
        spread = (NORMAL_MAD * r.abs().median()).clamp_min(torch.finfo(r.dtype).tiny)
        self.noise_sd = float(spread)
        if self._auto_eta:
            self.eta = _AUTO_ETA * spread

    def weights(self, r: Tensor) -> Tensor:
        """Weight of each residual in [0, 1], the shape of ``r``."""
        if self.constant:
            return torch.ones_like(r)
        if self.name == "mixture":
            return self.mixture.precision_weight(r)
        if self.eta is None:  # clip before its first update
            return torch.ones_like(r)
        if self.name == "clip":
            return (self.eta / r.abs()).clamp(max=1.0)
        return (r.abs() < self.eta).to(r.dtype)

    def value(self, r: Tensor) -> Tensor:
        """Rho of each residual, up to a constant, so that d value / dr = weights(r) r."""
        if self._active and self.name == "mixture":
            zero = torch.zeros(1, dtype=r.dtype, device=r.device)
            return self.mixture.s**2 * (self.mixture.nll(r) - self.mixture.nll(zero))
        if self.constant or self.eta is None:
            return 0.5 * r * r
        if self.name == "clip":
            size = r.abs()
            return torch.where(size <= self.eta, 0.5 * r * r, self.eta * (size - 0.5 * self.eta))
        return 0.5 * torch.minimum(r * r, self.eta**2 * torch.ones_like(r))
