"""What a fit minimises.

    F = (2/N) [ sum over training entries of rho(r_ij) + (decay/2) sum_l ||W_l||^2 ]
    r_ij = (D_ij - drug_i - line_j) / scale_i - (W1 ... WL)_ij

| symbol | variable          | shape              |
|--------|-------------------|--------------------|
| D      | ``data``          | (n drugs, p lines) |
| Omega  | ``train``         | (n, p), 0 or 1     |
| w, c   | ``weights``, ``shift`` | (n, p): the slope of rho is w (r - c) |
| rho    | ``loss``          | -                  |
| decay  | ``decay``         | -                  |

With ``squared`` loss and no decay F is the mean squared error, the published objective.

The scale of the problem sets everything: data are divided by their own spread, so a learning
rate means the same for AUC and ln IC50, and correct(cX) = c correct(X). ``weight_decay`` is in
units of noise: noise of standard deviation s, observed at a share q of the entries, has
singular values up to s (sqrt(n) + sqrt(p)) / sqrt(q); at 1, a mode of that size just vanishes.
The robust losses estimate s as they go, for the degrees of freedom that the chain uses up; for
``squared`` it is the whole spread.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from .factorization import DEAD, Chain, Modes, thin_svd
from .loss import Loss
from .pileups import SILENT, Telling, among, most
from .preparation import Effects, drug_scale, marchenko_pastur_median, noise_scale, two_way
from .rows import by_rows

# Less noise means less decay, a closer fit and smaller residuals: left to itself an estimate of the
# noise can run away to zero. The spectrum's bulk is no matter of the fit.
_OF_BULK = 0.25


@dataclass(frozen=True)
class FitSettings:
    """What a single fit needs to know (see RTDMF for the meaning of each)."""

    depth: int = 3
    width: int | str = "auto"
    init: str = "spectral"
    init_scale: float = 1.0
    loss: str = "squared"
    burn_in: int = 30
    optimizer: str = "accelerated"
    learning_rate: float | str = "auto"
    momentum: float = 0.9
    weight_decay: float = 0.0
    early_stopping: bool = False
    patience: int = 10
    center: str = "two-way"
    scale_power: float = 0.5
    max_iter: int = 500
    tol: float = 5e-3
    seed: int = 0


class Ground:
    """What a fit begins with, whatever its loss and decay: effects, scale and spectrum.

    Parameters
    ----------
    data, train, settings, telling
        As for :func:`rtdmf_bio.model.solver.fit_chain`; of the settings, ``center`` and
        ``scale_power`` count.
    """

    def __init__(
        self, data: Tensor, train: Tensor, settings: FitSettings, telling: Telling | None = None
    ) -> None:
        self.data = data * train  # what is not fitted cannot be seen
        self.train = train
        self.telling = telling
        self.n_train = int((train > 0).sum())
        n, p = data.shape
        self.q = self.n_train / (n * p)
        if settings.center == "two-way":
            self.effects = two_way(self.data, train, shrink=True)
        else:
            self.effects = Effects(data.new_zeros(n, 1), data.new_zeros(1, p))
        residual = (self.data - self.effects.matrix()) * train
        self.scale = drug_scale(residual, among(telling, train, residual), settings.scale_power)
        # What centring leaves of rounding alone is nothing to fit.
        rounding = 64 * torch.finfo(data.dtype).eps * float(self.data.abs().max())
        self.flat = not float(residual.abs().max()) > rounding
        if self.flat:
            self.scale = torch.ones_like(self.scale)

    @cached_property
    def spectrum(self) -> Modes:
        """Modes of the specific part in units of the drug's scale, 0 where not trained on."""
        return thin_svd((self.data - self.effects.matrix()) / self.scale * self.train)


class Problem:
    """Target, weights, decay, noise and scale; what depends on the chain is told it.

    Parameters
    ----------
    ground
        What to begin with.
    settings, eta
        As for :func:`rtdmf_bio.model.solver.fit_chain`.
    """

    def __init__(self, ground: Ground, settings: FitSettings, eta: float | None) -> None:
        self.settings, self.ground = settings, ground
        self.data, self.train, self.telling = ground.data, ground.train, ground.telling
        self.n_train, self.q, self.flat = ground.n_train, ground.q, ground.flat
        self.effects = Effects(ground.effects.drug, ground.effects.line)
        self.scale = ground.scale
        high = None if eta is None else eta / self.scale
        self.loss = Loss(settings.loss, high, settings.burn_in, most(self.telling))
        self.weights = self.train
        self.shift: Tensor | float = 0.0
        self.n_robust = 0  # refreshes under a robust loss
        self._set_target()
        # Until a robust loss has an estimate of its own, the noise is taken for the whole spread:
        # coming from too little structure, what deviates is left out, and structure added later.
        self.decay = self.decay_at(1.0)

    @cached_property
    def bulk(self) -> float:
        """Noise that the spectrum's bulk shows."""
        n, p = self.data.shape
        middle = math.sqrt(self.q * max(n, p) * marchenko_pastur_median(n, p))
        return float(self.ground.spectrum.size.median()) / middle

    def matrix(self, product: Tensor) -> Tensor:
        """Drug and line effects plus chain, in the data's units, (n, p)."""
        return self.effects.matrix() + self.scale * product

    def _set_target(self) -> None:
        """What the chain is drawn to: data less general part, in units of the drug's scale."""

        def specific(data: Tensor, drug: Tensor, scale: Tensor, train: Tensor, line: Tensor,
                     *shift: Tensor) -> tuple[Tensor]:  # fmt: skip
            out = (data - drug).sub_(line).div_(scale)
            for more in shift:
                out.sub_(more)
            return (out.mul_(train),)

        shift = (self.shift,) if isinstance(self.shift, Tensor) else ()
        drug, line = self.effects.drug, self.effects.line
        (self.target,) = by_rows(specific, self.data, drug, self.scale, self.train, line, *shift)

    def residual(self, product: Tensor) -> Tensor:
        """r, shape (n, p), 0 outside the training entries."""

        def rest(target: Tensor, product: Tensor, train: Tensor, *shift: Tensor) -> tuple[Tensor]:
            out = target - product
            for more in shift:
                out.add_(more)
            return (out.mul_(train),)

        shift = (self.shift,) if isinstance(self.shift, Tensor) else ()
        return by_rows(rest, self.target, product, self.train, *shift)[0]

    def _telling(self, residual: Tensor) -> Tensor:
        """1 where a residual, in units of the drug's scale, tells of noise."""
        if self.telling is None:
            return self.train
        return among(self.telling, self.train, self.scale * residual)

    @cached_property
    def step(self) -> float:
        """Step of a descent that the curvature allows, by the largest mode."""
        depth = self.settings.depth
        # Zeros at the missing entries shrink every singular value by q.
        top = float(thin_svd(self.target).size[0]) / self.q
        return float(1.0 / (depth * max(top, 1e-12) ** (2 - 2 / depth) + self.decay))

    def decay_at(self, noise_sd: float) -> float:
        """Weight decay under which a mode of ``weight_decay`` times pure noise just vanishes.

        A mode of observed size x settles at y with x = y + rho y^(-a), see shrinkage.py, which has
        no solution below x = y (1 + 1/a) at y = (a rho)^(1 / (1 + a)); at depth 2, below rho.
        """
        a = 1 - 2 / self.settings.depth
        x = self.vanishing(noise_sd)
        rho = x if a == 0 else (x * a / (1 + a)) ** (1 + a) / a
        return self.q * rho

    def vanishing(self, noise_sd: float) -> float:
        """Size in the data of the mode that just vanishes: ``weight_decay`` times pure noise."""
        n, p = self.data.shape
        edge = noise_sd * (math.sqrt(n) + math.sqrt(p)) / math.sqrt(self.q)
        return self.settings.weight_decay * edge

    def gradients(self, chain: Chain) -> list[Tensor]:
        """dF/dWl of half the sum of squares (the factor 2/N is the optimiser's)."""
        gradient = (chain.product() - self.target) * self.weights
        return [
            g.add_(w, alpha=self.decay)
            for g, w in zip(chain.gradients(gradient), chain.factors, strict=True)
        ]

    def slope(self, chain: Chain, product: Tensor) -> float:
        """Relative change of the product by a gradient step of the size that the problem allows."""
        steps = zip(chain.factors, self.gradients(chain), strict=True)
        moved = Chain([w - self.step * g for w, g in steps]).product()
        return float((moved - product).norm()) / max(float(product.norm()), 1e-30)

    def refresh(self, sizes: Tensor, product: Tensor, iteration: int) -> None:
        """Re-estimate loss weights, decay and drug and line effects, given the fit.

        Parameters
        ----------
        sizes
            Singular values of ``product``, largest first.
        product
            What is fitted, (n, p).
        iteration
            Number of iterations done.
        """
        residual = self.residual(product)
        if self.settings.loss != "squared":
            self.loss.floor = _OF_BULK * self.bulk
            told = self._telling(residual)
            self.loss.update(residual, told, iteration, SILENT * (self.n_train - float(told.sum())))
        if self.loss.constant:
            noise = float(residual.square().sum()) / self.n_train
        else:
            noise = max(self.noise_sd(sizes), _OF_BULK * self.bulk) ** 2
            self.decay = self.decay_at(math.sqrt(noise))
            self.n_robust += 1
            weights, self.shift = self.loss.pull(residual)
            self.weights = weights.mul_(self.train)
        if self.settings.center == "two-way" and not self.flat:
            precision = self.weights / self.scale**2
            rest = self.data - self.scale * (product + self.shift)
            self.effects.update(rest, precision, noise)
        self._set_target()

    def noise_sd(self, sizes: Tensor) -> float:
        """The loss's estimate, for the degrees of freedom that modes of these sizes have used up.

        Of a mode x in the data the fit keeps a share y / x, see ``decay_at``.
        """
        kept = self._kept(sizes).sum()
        n, p = self.data.shape
        used = float(kept * (n + p - kept) / self.weights.sum())
        return self.loss.noise_sd / math.sqrt(1 - min(used, 0.75))

    def _kept(self, modes: Tensor) -> Tensor:
        """Share y / x of each settled mode y, with x = y + (decay / q) y^(2 / L - 1)."""
        if not len(modes):
            return modes
        settled = modes.clamp_min(DEAD * max(float(modes[0]), 1e-12))
        kept = 1 / (1 + self.decay / self.q * settled ** (2 / self.settings.depth - 2))
        return torch.where(modes < settled, 0.0, kept)

    def may_rescale(self) -> bool:
        """Whether the drugs are to be scaled by their own noise."""
        return self.settings.loss == "mixture" and self.settings.scale_power > 0 and not self.flat

    def rescale(self, modes: Modes, product: Tensor) -> Modes:
        """Scale the drugs by their own noise, now that the loss tells it from deviations.

        Returns the modes that fit alike in the new scale.
        """
        residual = self.residual(product)
        told = self._telling(residual)
        noise = (1 - self.loss.spike_probability(residual)) * told
        scale = self.scale.log().mean().exp() * noise_scale(self.scale * residual, noise)
        before = Effects(self.effects.drug, self.effects.line)
        if self.settings.center == "two-way":
            # What the general part can carry in the new scale, the chain need not.
            fitted = before.matrix() + self.scale * product
            self.effects.update(fitted, self.weights / scale**2, sweeps=5)
        # The general part's change has two modes of its own.
        drug, line = before.drug - self.effects.drug, before.line - self.effects.line
        left = torch.cat([self.scale * modes.u * modes.size, drug, torch.ones_like(drug)], 1)
        right = torch.cat([modes.v, torch.ones_like(line.T), line.T], 1)
        self.scale = scale
        self._set_target()
        self.__dict__.pop("step", None)
        return Modes.of(left / scale, right).first(min(self.data.shape))
