"""Mixture of residuals: noise, and a few deviations ("spikes") to either side.

    r ~ (1 - pi) N(0, s^2) + pi [ a N(m, t^2) + (1 - a) N(-m, t^2) ],    t >= s

| symbol | variable | meaning                                  |
|--------|----------|------------------------------------------|
| s      | ``s``    | spread of the noise                      |
| m      | ``m``    | typical size of a deviation              |
| t      | ``t``    | spread of the deviations about it        |
| a      | ``a``    | share of the deviations that lie above   |
| pi     | ``pi``   | share of deviations among all            |

Deviations of one size to one side (m well above t, a near 1) and a heavy tail (m near 0) are both
of this kind. A deviation is noise plus a signal N(+-m, t^2 - s^2), so that it still says where the
rest of its value should lie, the better the more alike deviations are. Maximum likelihood by EM.
Used by the ``mixture`` loss, the automatic threshold and ``shrink``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from scipy.optimize import brentq
from torch import Tensor

_MIN_RATIO = 1.5  # sqrt(m^2 + t^2) / s below this and the components are one
_BIN, _FAR = 0.02, 20.0  # width of the bins of EM, and where they end, in units of s
NORMAL_MAD = 1.4826  # median absolute deviation -> standard deviation of a normal


@dataclass
class Mixture:
    s: float = 0.0
    m: float = 0.0
    t: float = 0.0
    a: float = 0.5
    pi: float = 0.1
    most: float = 0.5  # that pi may be

    @classmethod
    def fit(
        cls,
        r: Tensor,
        n_iter: int = 500,
        tol: float = 1e-6,
        n_silent: float = 0.0,
        most: float = 0.5,
    ) -> Mixture:
        """EM from a robust start. ``r``: residuals, any shape."""
        mix = cls(most=most)
        mix.update(r, n_iter, tol, n_silent)
        return mix

    def update(self, r: Tensor, n_iter: int, tol: float = 0.0, n_silent: float = 0.0) -> None:
        """EM steps from where the mixture stands, in place.

        ``n_silent`` entries beside those of ``r`` are known to be no deviations, of unknown size.
        """
        least = 1e-9 * math.sqrt(float(r.square().mean())) or 1e-150
        if self.s == 0.0:
            self.s = max(NORMAL_MAD * float(r.abs().median()), least)
            self.m, self.t = 2.7 * self.s, 1.8 * self.s
        count, value = _binned(r.cpu(), self.s)
        for _ in range(n_iter):
            before = (self.s, math.hypot(self.m, self.t), self.pi)
            self._em(count, value, least, n_silent)
            after = (self.s, math.hypot(self.m, self.t), self.pi)
            if all(abs(x - y) <= tol * y for x, y in zip(after, before, strict=True)):
                break

    def _em(self, count: Tensor, value: Tensor, least: float, n_silent: float) -> None:
        spike = count * self.spike_probability(value)
        above = spike * self._above(value)
        n, spikes, square = float(count.sum()), float(spike.sum()), value * value
        total = n + n_silent
        self.pi = min(max(spikes / total, 1 / max(total, 2)), self.most)
        noise = float(((count - spike) * square).sum()) / max(n - spikes, 1e-12)
        self.s = max(math.sqrt(max(noise, 0.0)), least)
        self.a = (float(above.sum()) + 0.5) / (spikes + 1)
        total = max(spikes, 1e-12)
        self.m = max(float(((2 * above - spike) * value).sum()) / total, 0.0)
        spread = float((above * (value - self.m) ** 2).sum())
        spread += float(((spike - above) * (value + self.m) ** 2).sum())
        apart = (_MIN_RATIO * self.s) ** 2 - self.m**2
        self.t = math.sqrt(max(spread / total, self.s**2, apart))

    def log_odds(self, r: Tensor) -> Tensor:
        """Logarithm of P(spike | r) / P(noise | r)."""
        tilt = (self.m / self.t**2) * r
        side = torch.logaddexp(tilt + math.log(self.a), math.log(1 - self.a) - tilt)
        start = math.log(self.pi / (1 - self.pi) * self.s / self.t) - 0.5 * (self.m / self.t) ** 2
        return side.add_(r * r, alpha=0.5 * (self.s**-2 - self.t**-2)).add_(start)

    def spike_probability(self, r: Tensor) -> Tensor:
        """Posterior probability that each residual is a deviation."""
        return torch.sigmoid(self.log_odds(r))

    def _above(self, r: Tensor) -> Tensor:
        """P(deviation upwards | deviation, r)."""
        return torch.sigmoid((2 * self.m / self.t**2) * r + math.log(self.a / (1 - self.a)))

    def pull(self, r: Tensor, spike: Tensor) -> tuple[Tensor, Tensor]:
        """Weight w and shift c with w (r - c) = -s^2 d/dr log density.

        Parameters
        ----------
        r, spike
            Residuals, and the probability that each is a deviation.
        """
        q = (self.s / self.t) ** 2
        weight = (1 - spike) + q * spike  # so written it stays above zero
        shift = (q * self.m) * spike * (2 * self._above(r) - 1) / weight
        return weight, shift

    def nll(self, r: Tensor) -> Tensor:
        """Negative log density of each residual."""
        noise = math.log((1 - self.pi) / self.s) - 0.5 * (r / self.s) ** 2
        return 0.5 * math.log(2 * math.pi) - noise - torch.nn.functional.softplus(self.log_odds(r))

    def even_odds(self) -> float:
        """Size from which a residual, to whichever side, is rather deviation than noise."""
        even = Mixture(self.s, self.m, self.t, 0.5, self.pi)

        def log_odds(x: float) -> float:
            return float(even.log_odds(torch.tensor(x * self.s, dtype=torch.float64)))

        high = 2.0
        while log_odds(high) <= 0:
            high *= 2
        return self.s * float(brentq(log_odds, 0.0, high, xtol=1e-12))


def _binned(r: Tensor, unit: float) -> tuple[Tensor, Tensor]:
    """Number of residuals in each bin, and their mean: EM on these costs next to nothing."""
    r, end = r.ravel(), round(_FAR / _BIN)
    place = (r / (_BIN * unit)).round_().clamp_(-end, end).long().add_(end)
    count = torch.bincount(place, minlength=2 * end + 1).double()
    total = torch.bincount(place, weights=r.double(), minlength=2 * end + 1)
    # What lies beyond the ends is little, and far apart.
    beyond = count[0] + count[-1] > 0
    far = r[(place == 0) | (place == 2 * end)].double() if beyond else total[:0]
    count[0] = count[-1] = 0
    filled = count > 0
    return (
        torch.cat([count[filled], torch.ones_like(far)]),
        torch.cat([total[filled] / count[filled], far]),
    )
