"""Losses: residuals in, weights out. The solver descends on sum w(r) (r - c(r)).

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

The shift c is zero but for ``mixture``, where a spike is drawn to the typical size of spikes. Its
share of spikes pi differs between drugs and lines, since deviations cluster: the odds of a spike
are pi / (1 - pi) times those of its drug and of its line, which are estimated as the fit goes.
Source: Hu et al. 2025, Algorithm 1; Huber 1964.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import softplus

from .mixture import NORMAL_MAD, Mixture
from .rows import by_rows

LOSSES = ("squared", "clip", "hard", "mixture")
_EM_STEPS = 5  # EM creeps near its end; one step an update would hold up the whole fit
_AUTO_ETA = 2.5  # robust standard deviations, the usual cut for an outlier
_PRIOR_ENTRIES = 20.0  # entries that the screen's share counts for, beside a drug's or line's own


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
    most
        Share of deviations that ``mixture`` may find at most.
    """

    def __init__(
        self, name: str, eta: Tensor | None = None, burn_in: int = 30, most: float = 0.5
    ) -> None:
        self.name = name
        self.eta = eta
        self.burn_in = burn_in if name in ("hard", "mixture") else 0
        self.mixture = Mixture(most=most)
        self.floor = 0.0  # of the mixture's noise
        self.noise_sd = 1.0  # squared loss cannot tell noise from the whole spread
        self._auto_eta = eta is None
        self._active = name != "squared" and self.burn_in == 0
        self._by_drug: Tensor | float = 0.0  # log odds of a spike, beyond those of the screen
        self._by_line: Tensor | float = 0.0
        self._last: tuple[Tensor, Tensor, Tensor] | None = None

    @property
    def constant(self) -> bool:
        """True while the weights are all one."""
        return not self._active

    def update(self, r: Tensor, train: Tensor, iteration: int, n_silent: float = 0.0) -> None:
        """Re-estimate the state from the residuals where ``train`` is 1; both (n, p).

        ``n_silent`` more entries are known not to deviate.
        """
        if self.name == "squared" or iteration < self.burn_in:
            return
        self._active = True
        if self.name == "mixture":
            self.mixture.update(r, _EM_STEPS, n_silent=n_silent, where=train, floor=self.floor)
            self.noise_sd = self.mixture.s
            self._cluster(r, train)
            return
        spread = (NORMAL_MAD * r[train > 0].abs().median()).clamp_min(torch.finfo(r.dtype).tiny)
        self.noise_sd = float(spread)
        if self._auto_eta:
            self.eta = _AUTO_ETA * spread

    def _cluster(self, r: Tensor, train: Tensor) -> None:
        """Odds of each drug and line, from posteriors that do not know of them.

        Fed back into themselves they would turn whole drugs into deviations.
        """
        pi = self.mixture.pi
        screen = math.log(pi / (1 - pi))

        def beyond(spikes: Tensor, dim: int) -> Tensor:
            share = spikes + _PRIOR_ENTRIES * pi
            share = share / (train.sum(dim, keepdim=True) + _PRIOR_ENTRIES)
            return torch.logit(share, eps=1e-6) - screen

        def posterior(r: Tensor, train: Tensor) -> tuple[Tensor, ...]:
            odds, lean = self.mixture.odds(r)
            return odds, lean, (odds / (1 + odds)).mul_(train)

        odds, lean, spike = by_rows(posterior, r, train)
        self._last = r, odds, lean  # of which the pull is asked for next
        self._by_drug = beyond(spike.sum(1, keepdim=True), 1)
        self._by_line = beyond(spike.sum(0, keepdim=True), 0)

    def spike_probability(self, r: Tensor) -> Tensor:
        """Posterior probability of a spike, shape of ``r``, under ``mixture``."""

        def posterior(r: Tensor, drug: Tensor, line: Tensor) -> tuple[Tensor]:
            odds = self.mixture.odds(r)[0].mul_(self._odds(drug, line))
            return (odds.div_(1 + odds),)

        return by_rows(posterior, r, *self._by_either(r))[0]

    def _by_either(self, r: Tensor) -> tuple[Tensor, Tensor]:
        """Factors of the odds of a spike, (n, 1) and (1, p), in units of the screen's odds."""
        n, p = r.shape
        drug, line = (torch.as_tensor(x).to(r).exp() for x in (self._by_drug, self._by_line))
        return drug.expand(n, 1), line.expand(1, p)

    def _odds(self, drug: Tensor, line: Tensor) -> Tensor:
        # Whatever clusters, no drug and no line is mostly deviation: odds of one at most.
        pi = self.mixture.pi
        return (drug * line).clamp_(max=(1 - pi) / pi)

    def _log_odds(self, r: Tensor) -> Tensor:
        return self.mixture.log_odds(r) + self._odds(*self._by_either(r)).log()

    def pull(self, r: Tensor) -> tuple[Tensor, Tensor | float]:
        """Weight in [0, 1] and shift of each residual; (n, p)."""
        if self._active and self.name == "mixture":
            return self._pull_of_mixture(r)
        if self.constant or self.eta is None:  # clip before its first update
            return torch.ones_like(r), 0.0
        if self.name == "clip":
            return (self.eta / r.abs()).clamp(max=1.0), 0.0
        return (r.abs() < self.eta).to(r.dtype), 0.0

    def _pull_of_mixture(self, r: Tensor) -> tuple[Tensor, Tensor]:
        last, self._last = self._last, None
        known = last is not None and last[0] is r
        odds, lean = last[1:] if last is not None and known else self.mixture.odds(r)

        def pull(odds: Tensor, lean: Tensor, drug: Tensor, line: Tensor) -> tuple[Tensor, ...]:
            return self.mixture.pull(odds.mul_(self._odds(drug, line)), lean)

        weight, shift = by_rows(pull, odds, lean, *self._by_either(r))
        return weight, shift

    def value(self, r: Tensor) -> Tensor:
        """Rho of each residual, up to a constant, so that d value / dr = w (r - c)."""
        if self._active and self.name == "mixture":
            gain, none = (softplus(self._log_odds(x)) for x in (r, torch.zeros_like(r)))
            return 0.5 * r * r - self.mixture.s**2 * (gain - none)
        if self.constant or self.eta is None:
            return 0.5 * r * r
        if self.name == "clip":
            size = r.abs()
            return torch.where(size <= self.eta, 0.5 * r * r, self.eta * (size - 0.5 * self.eta))
        return 0.5 * torch.minimum(r * r, self.eta**2 * torch.ones_like(r))
