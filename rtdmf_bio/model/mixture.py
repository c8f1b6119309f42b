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
_BIN, _FAR = 0.01, 20.0  # width of the bins of EM, and where they end, in units of s
_FEW = 4001  # residuals, of which the bins would hold hardly more than one each
_SURE = 80.0  # log odds; beyond, single precision would have no number for the odds
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

    def update(
        self,
        r: Tensor,
        n_iter: int,
        tol: float = 0.0,
        n_silent: float = 0.0,
        where: Tensor | None = None,
        floor: float = 0.0,
    ) -> None:
        """EM steps from where the mixture stands, in place.

        Parameters
        ----------
        r
            Residuals, any shape.
        n_iter, tol
            Steps, and the relative change at which they end.
        n_silent
            So many entries beside those of ``r`` are known to be no deviations, of unknown size.
        where
            1 where a residual counts, 0 elsewhere, shape of ``r``; None: all.
        floor
            Least spread of the noise.
        """
        n_none = 0
        if where is not None:
            r, n_none = r * where, r.numel() - int(where.sum())
            if r.numel() <= _FEW:
                r, n_none = r[where > 0], 0
        mean_square = float(r.square().sum()) / max(r.numel() - n_none, 1)
        least = max(1e-9 * math.sqrt(mean_square) or 1e-150, floor)
        if self.s == 0.0:
            inside = r if where is None or n_none == 0 else r[where > 0]
            self.s = max(NORMAL_MAD * float(inside.abs().median()), least)
            self.m, self.t = 2.7 * self.s, 1.8 * self.s
        count, value = _binned(r.ravel(), self.s, n_none)
        for _ in range(n_iter):
            before = (self.s, math.hypot(self.m, self.t), self.pi)
            self._em(count, value, least, n_silent)
            after = (self.s, math.hypot(self.m, self.t), self.pi)
            if all(abs(x - y) <= tol * y for x, y in zip(after, before, strict=True)):
                break

    def _em(self, count: Tensor, value: Tensor, least: float, n_silent: float) -> None:
        odds, lean = self.odds(value)
        spike = odds.div_(odds + 1).mul_(count)
        signed, square = lean.mul_(spike), value * value
        n, spikes = float(count.sum()), float(spike.sum())
        total, few = n + n_silent, max(spikes, 1e-12)
        self.pi = min(max(spikes / total, 1 / max(total, 2)), self.most)
        within = float(torch.dot(spike, square))
        noise = (float(torch.dot(count, square)) - within) / max(n - spikes, 1e-12)
        self.s = max(math.sqrt(max(noise, 0.0)), least)
        self.a = (0.5 * (spikes + float(signed.sum())) + 0.5) / (spikes + 1)
        self.m = max(float(torch.dot(signed, value)) / few, 0.0)
        apart = (_MIN_RATIO * self.s) ** 2 - self.m**2
        self.t = math.sqrt(max(within / few - self.m**2, self.s**2, apart))

    def log_odds(self, r: Tensor) -> Tensor:
        """Logarithm of P(spike | r) / P(noise | r)."""
        tilt = (self.m / self.t**2) * r
        side = torch.logaddexp(tilt + math.log(self.a), math.log(1 - self.a) - tilt)
        start = math.log(self.pi / (1 - self.pi) * self.s / self.t) - 0.5 * (self.m / self.t) ** 2
        return side.add_(r * r, alpha=0.5 * (self.s**-2 - self.t**-2)).add_(start)

    def spike_probability(self, r: Tensor) -> Tensor:
        """Posterior probability that each residual is a deviation."""
        odds, _ = self.odds(r)
        return odds.div_(odds + 1)

    def odds(self, r: Tensor) -> tuple[Tensor, Tensor]:
        """P(deviation | r) / P(noise | r), and P(up) - P(down) of a deviation.

        Without logarithms, which cost. Odds beyond what single precision holds come out as that.
        """
        u = (r * (self.m / self.t**2)).abs_()
        log_odds = (r * r).mul_(0.5 * (self.s**-2 - self.t**-2)).add_(u)
        start = math.log(self.pi / (1 - self.pi) * self.s / self.t) - 0.5 * (self.m / self.t) ** 2
        side = torch.ones_like(r).copysign_(r)
        own = side * (self.a - 0.5) + 0.5  # share of the side that r lies on
        other = u.mul_(-2).exp_().mul_(1 - own)
        either = own + other
        lean = own.sub_(other).div_(either).mul_(side)
        return log_odds.add_(start).clamp_(max=_SURE).exp_().mul_(either), lean

    def pull(self, odds: Tensor, lean: Tensor) -> tuple[Tensor, Tensor]:
        """Weight w and shift c with w (r - c) = -s^2 d/dr log density, by what ``odds`` gives."""
        q = (self.s / self.t) ** 2
        noise = 1 / (1 + odds)
        drawn = odds * q
        weight = (1 + drawn).mul_(noise)
        return weight, lean.mul(drawn).mul_(noise).mul_(self.m).div_(weight)

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


def _binned(r: Tensor, unit: float, n_none: int) -> tuple[Tensor, Tensor]:
    """Number of residuals in each bin, and its middle: EM on these costs next to nothing.

    ``n_none`` of the residuals are zeros that do not count.
    """
    end = _FAR * unit
    n_bins = 2 * round(_FAR / _BIN) + 1
    if r.numel() <= _FEW:
        return torch.ones(r.numel(), dtype=torch.float64), r.cpu().double()
    count = torch.histc(r, n_bins, -end - _BIN * unit / 2, end + _BIN * unit / 2).cpu().double()
    value = torch.linspace(-end, end, n_bins, dtype=torch.float64)
    count[n_bins // 2] -= n_none
    n_far = r.numel() - n_none - int(count.sum())
    # What lies beyond the ends is little, and far apart.
    far = r[r.abs() > end + _BIN * unit / 2].cpu().double() if n_far else value[:0]
    filled = count > 0
    return torch.cat([count[filled], torch.ones_like(far)]), torch.cat([value[filled], far])
