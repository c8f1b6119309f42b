"""Two-component scale mixture of residuals: noise, and a few large deviations.

    r ~ (1 - pi) N(0, s^2) + pi N(0, t^2),    t > s

| symbol | variable | meaning                                |
|--------|----------|----------------------------------------|
| s      | ``s``    | spread of the noise                    |
| t      | ``t``    | spread of the deviations ("spikes")    |
| pi     | ``pi``   | their share                            |

Maximum likelihood by EM. Used by the ``mixture`` loss, the automatic threshold and ``shrink``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

_MIN_RATIO = 1.5  # t / s below this and the two components are one
NORMAL_MAD = 1.4826  # median absolute deviation -> standard deviation of a normal


@dataclass
class ScaleMixture:
    s: float = 0.0
    t: float = 0.0
    pi: float = 0.1

    @classmethod
    def fit(cls, r: Tensor, n_iter: int = 200, tol: float = 1e-6) -> ScaleMixture:
        """EM from a robust start. ``r``: residuals, any shape."""
        mix = cls()
        for _ in range(n_iter):
            before = (mix.s, mix.t, mix.pi)
            mix.update(r)
            if before[0] > 0 and all(
                abs(a - b) <= tol * abs(b)
                for a, b in zip((mix.s, mix.t, mix.pi), before, strict=True)
            ):
                break
        return mix

    def update(self, r: Tensor) -> None:
        """One EM step, re-estimating s, t and pi in place."""
        floor = 1.0 / max(r.numel(), 2)
        square = r * r
        least = 1e-9 * math.sqrt(float(square.mean())) or 1e-150
        if self.s == 0.0:
            self.s = max(NORMAL_MAD * float(r.abs().median()), least)
            self.t = 3 * self.s
        spike = 1 - self.noise_probability(r)
        total = float(spike.sum())
        self.pi = min(max(total / r.numel(), floor), 0.5)
        noise_total = max(r.numel() - total, 1e-12)
        self.s = max(math.sqrt(float(((1 - spike) * square).sum()) / noise_total), least)
        wide = math.sqrt(float((spike * square).sum()) / max(total, 1e-12))
        self.t = max(wide, _MIN_RATIO * self.s)

    def noise_probability(self, r: Tensor) -> Tensor:
        """Posterior probability that each residual is noise."""
        odds = self.pi / (1 - self.pi) * self.s / self.t
        exponent = (0.5 * (self.s**-2 - self.t**-2)) * (r * r)
        # exp overflows to inf for a huge residual: 1 / (1 + inf) = 0, which is meant.
        return 1.0 / (1.0 + odds * torch.exp(exponent))

    def precision_weight(self, r: Tensor) -> Tensor:
        """w(r) with w r = -s^2 d/dr log density: 1 for noise, (s/t)^2 for a spike."""
        noise = self.noise_probability(r)
        low = (self.s / self.t) ** 2
        return low + (1 - low) * noise

    def signal_weight(self, r: Tensor) -> Tensor:
        """E[signal | r] / r when a spike is noise plus a normal signal: the shrink weight."""
        return (1 - self.noise_probability(r)) * (1 - (self.s / self.t) ** 2)

    def nll(self, r: Tensor) -> Tensor:
        """Negative log density of each residual."""
        a = math.log((1 - self.pi) / self.s) - 0.5 * (r / self.s) ** 2
        b = math.log(self.pi / self.t) - 0.5 * (r / self.t) ** 2
        return 0.5 * math.log(2 * math.pi) - torch.logaddexp(a, b)

    def even_odds(self) -> float:
        """Size of a residual that is as likely noise as spike."""
        log_odds = math.log((1 - self.pi) / self.pi * self.t / self.s)
        return math.sqrt(2 * log_odds / (self.s**-2 - self.t**-2))

    def tail(self, threshold: float) -> float:
        """Share of pure noise at or beyond ``threshold``: the false-flag rate it stands for."""
        return math.erfc(threshold / (self.s * math.sqrt(2)))
