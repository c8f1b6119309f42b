"""Fit of the general part and the chain by full-gradient descent.

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

import enum
import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from .factorization import Chain, balanced, random_chain, thin_svd
from .loss import Loss
from .preparation import General, drug_scale, marchenko_pastur_median, noise_scale, two_way

_REFRESH = 10  # iterations between updates of weights, general part and monitors
_RESCALE = (2, 6)  # refreshes after the burn-in
_ADD = 3  # rounds of taking up modes that the burn-in lost
_NEARLY = 4.0  # times tol, when these begin
_START_RANK = 64
_DEAD = 1e-3  # a mode below this share of the largest has been shrunk away


class StopReason(enum.Enum):
    """Why a fit ended; the value says what it means and what to do."""

    CONVERGED = "The fit changed less than tol: nothing to do."
    EARLY_STOPPED = "The validation error stopped improving; its best iterate was kept."
    MAX_ITERATIONS = "The fit was still changing at max_iter; raise max_iter or tol."
    DIVERGED = "The fit produced non-finite values; use a smaller learning_rate."
    INTERRUPTED = "The fit was interrupted; nothing was stored. Run it again."


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


@dataclass
class Fit:
    """A fitted general part and chain, and how the descent went."""

    chain: Chain
    general: General
    scale: Tensor
    loss: Loss
    n_iter: int = 0
    stop_reason: StopReason = StopReason.MAX_ITERATIONS
    history: dict[str, list[float]] = field(default_factory=dict)
    jump: Tensor | None = None

    def specific(self) -> Tensor:
        """The chain in the data's units, (n, p)."""
        return self.scale * self.chain.product()

    def matrix(self) -> Tensor:
        """General part plus chain, (n, p)."""
        return self.general.matrix() + self.specific()


class limited_threads:
    """Use torch threads only where the work repays them, and restore the setting.

    One product of the size of a screen (1e7 multiplications) takes under a millisecond. A second
    thread saves a third of that on an idle machine, and on a busy one the two wait for each other
    many times as long.
    """

    def __init__(self, n_multiplications: float) -> None:
        self.enough = n_multiplications > 1e8

    def __enter__(self) -> None:
        self.before = torch.get_num_threads()
        if not self.enough and self.before > 1:
            torch.set_num_threads(1)

    def __exit__(self, *_: object) -> None:
        if torch.get_num_threads() != self.before:
            torch.set_num_threads(self.before)


def fit_chain(
    data: Tensor,
    train: Tensor,
    settings: FitSettings,
    *,
    eta: float | None = None,
    validation: Tensor | None = None,
    track_jumps: bool = False,
    tick: Callable[[int], object] | None = None,
) -> Fit:
    """Fit general part and chain to the entries where ``train`` is 1.

    Parameters
    ----------
    data
        Finite everywhere (zero where not measured), shape (n drugs, p lines).
    train
        1 on entries to fit, 0 elsewhere, shape and dtype of ``data``. Entries at 0 have no
        influence on the fit.
    settings
        The fit's settings.
    eta
        In-training threshold of ``clip`` and ``hard``, in the data's units; None: automatic.
    validation
        Mask of entries whose error is monitored, and stopped on with ``early_stopping``.
    track_jumps
        Record the largest single-iteration change of each fitted value, in units of that
        iteration's root mean square change (for ``retain="abrupt"``).
    tick
        Called with the number of iterations done since the last call.

    Raises
    ------
    FloatingPointError
        If the descent diverges.
    """
    return _Descent(data, train, settings, eta, validation, track_jumps, tick).run()


class _Descent:
    def __init__(
        self,
        data: Tensor,
        train: Tensor,
        settings: FitSettings,
        eta: float | None,
        validation: Tensor | None,
        track_jumps: bool,
        tick: Callable[[int], object] | None,
    ) -> None:
        self.settings = settings
        self.data = data * train  # what is not fitted cannot be seen
        self.train = train
        self.n_train = int((train > 0).sum())
        self.validation = None if validation is None else (validation > 0, data)
        self.tick = tick or (lambda _: None)
        n, p = data.shape
        if settings.center == "two-way":
            self.general = two_way(self.data, train, shrink=True)
        else:
            self.general = General(data.new_zeros(n, 1), data.new_zeros(1, p))
        residual = (self.data - self.general.matrix()) * train
        self.scale = drug_scale(residual, train, settings.scale_power)
        # What centring leaves of rounding alone is nothing to fit.
        rounding = 64 * torch.finfo(data.dtype).eps * float(self.data.abs().max())
        self.flat = not float(residual.abs().max()) > rounding
        if self.flat:
            self.scale = torch.ones_like(self.scale)
        eta_scaled = None if eta is None else eta / self.scale
        self.loss = Loss(settings.loss, eta_scaled, settings.burn_in)
        self.weights = train
        self.shift: Tensor | float = 0.0
        self.n_robust = 0  # refreshes under a robust loss
        self.n_added = 0
        self._set_target()

        self.q = self.n_train / (n * p)
        self.jump = torch.zeros_like(data) if track_jumps else None
        self.history: dict[str, list[float]] = {
            "iteration": [],
            "train_rmse": [],
            "validation_rmse": [],
            "rank": [],
        }
        self.chain, top, self.bulk = self._start()
        # A small start sits still before it grows: only early stopping or max_iter may end it.
        small = settings.init != "spectral" or settings.init_scale < 1
        self.may_settle = not settings.early_stopping and not small
        self.saturated = True  # until a mode dies, the rank may be too small
        # Until a robust loss has an estimate of its own, the noise is taken for the whole spread:
        # coming from too little structure, what deviates is left out, and structure added later.
        self.decay = self._decay(1.0)
        self.step = self._step(top)

    def _set_target(self) -> None:
        """What the chain is drawn to: data less general part, in units of the drug's scale."""
        specific = (self.data - self.general.matrix()) / self.scale
        self.target = (specific - self.shift) * self.train

    def _residual(self, product: Tensor) -> Tensor:
        """r, shape (n, p), 0 outside the training entries."""
        return (self.target - product + self.shift) * self.train

    def _step(self, top: float) -> float:
        """Step that the curvature allows for a largest mode of size ``top``."""
        depth = self.settings.depth
        return float(1.0 / (depth * max(top, 1e-12) ** (2 - 2 / depth) + self.decay))

    def _start(self) -> tuple[Chain, float, float]:
        """Return the chain, the largest mode, and the noise that the bulk of the spectrum shows."""
        s = self.settings
        n, p = self.data.shape
        u, size, vh = thin_svd(self.target)
        bulk = float(size.median()) / math.sqrt(self.q * max(n, p) * marchenko_pastur_median(n, p))
        size = size / self.q  # zeros at the missing entries shrink every singular value by q
        top = float(size[0])
        if s.width == "auto":
            r = min(_START_RANK, n, p)
            return balanced(u[:, :r], s.init_scale * size[:r], vh[:r], s.depth), top, bulk
        width = int(s.width)
        if s.init == "spectral":
            r = min(width, n, p)
            return balanced(u[:, :r], s.init_scale * size[:r], vh[:r], s.depth), top, bulk
        generator = torch.Generator().manual_seed(s.seed)
        chain = random_chain(
            (n, p), s.depth, width, s.init, s.init_scale, generator, self.data.dtype
        )
        return Chain([w.to(self.data.device) for w in chain.factors]), top, bulk

    def _decay(self, noise_sd: float) -> float:
        """Weight decay under which a mode of ``weight_decay`` times pure noise just vanishes.

        A mode of observed size x settles at y with x = y + rho y^(-a), a = 1 - 2 / L, which has
        no solution below x = y (1 + 1/a) at y = (a rho)^(1 / (1 + a)); at depth 2, below rho.
        """
        a = 1 - 2 / self.settings.depth
        x = self._vanishing(noise_sd)
        rho = x if a == 0 else (x * a / (1 + a)) ** (1 + a) / a
        return self.q * rho

    def _vanishing(self, noise_sd: float) -> float:
        """Size in the data of the mode that just vanishes: ``weight_decay`` times pure noise."""
        n, p = self.data.shape
        edge = noise_sd * (math.sqrt(n) + math.sqrt(p)) / math.sqrt(self.q)
        return self.settings.weight_decay * edge

    def _gradients(self, chain: Chain, product: Tensor) -> list[Tensor]:
        """dF/dWl of half the sum of squares (the factor 2/N is the optimiser's)."""
        gradient = (product - self.target) * self.weights
        return [
            g.add_(w, alpha=self.decay)
            for g, w in zip(chain.gradients(gradient), chain.factors, strict=True)
        ]

    def _refresh(self, product: Tensor, iteration: int) -> None:
        """Re-estimate loss weights and general part, given the chain."""
        residual = self._residual(product)
        if self.settings.loss != "squared":
            self.loss.update(residual, self.train, iteration)
        if self.loss.constant:
            noise = float(residual.square().sum()) / self.n_train
        else:
            # Less noise means less decay, a closer fit and smaller residuals: left to itself the
            # estimate can run away to zero. The spectrum's bulk is no matter of the fit.
            noise = max(self._noise_sd(), 0.25 * self.bulk) ** 2
            self.decay = self._decay(math.sqrt(noise))
            self.n_robust += 1
            weights, self.shift = self.loss.pull(residual)
            self.weights = weights * self.train
        if self.settings.center == "two-way" and not self.flat:
            precision = self.weights / self.scale**2
            rest = self.data - self.scale * (product + self.shift)
            self.general.update(rest * self.train, precision, noise)
        self._set_target()

    def _noise_sd(self) -> float:
        """The loss's estimate, for the degrees of freedom that the chain has used up.

        Of a mode x in the data the chain keeps a share y / x, see ``_decay``.
        """
        kept = self._kept(self.chain.mode_sizes()).sum()
        n, p = self.data.shape
        used = float(kept * (n + p - kept) / self.weights.sum())
        return self.loss.noise_sd / math.sqrt(1 - min(used, 0.75))

    def _kept(self, modes: Tensor) -> Tensor:
        """Share y / x of each settled mode y, with x = y + (decay / q) y^(2 / L - 1)."""
        settled = modes.clamp_min(_DEAD * max(float(modes[0]), 1e-12))
        kept = 1 / (1 + self.decay / self.q * settled ** (2 / self.settings.depth - 2))
        return torch.where(modes < settled, 0.0, kept)

    def _rescale(self, product: Tensor) -> None:
        """Scale the drugs by their own noise, now that the loss tells it from deviations."""
        residual = self._residual(product)
        noise = (1 - self.loss.spike_probability(residual)) * self.train
        scale = self.scale.log().mean().exp() * noise_scale(self.scale * residual, noise)
        fitted = self.general.matrix() + self.scale * product
        if self.settings.center == "two-way":
            # What the general part can carry in the new scale, the chain need not.
            self.general.update(fitted, self.weights / scale**2, sweeps=5)
        rank, depth = self.chain.rank + 2, self.settings.depth  # the general part's change has two
        u, size, vh = thin_svd((fitted - self.general.matrix()) / scale)
        self.chain = balanced(u[:, :rank], size[:rank], vh[:rank], depth)
        self.scale = scale
        self._set_target()
        self.step = self._step(float(thin_svd(self.target)[1][0]) / self.q)

    def _record(self, product: Tensor, iteration: int) -> float:
        residual = self._residual(product).mul_(self.scale)
        train_rmse = float(residual.square_().sum() / self.n_train) ** 0.5
        error = math.nan
        if self.validation is not None:
            where, data = self.validation
            fitted = self.general.matrix() + self.scale * product
            error = float((data - fitted)[where].square().mean().sqrt())
        h = self.history
        h["iteration"].append(iteration)
        h["train_rmse"].append(train_rmse)
        h["validation_rmse"].append(error)
        h["rank"].append(self.chain.rank)
        if not math.isfinite(train_rmse):
            raise FloatingPointError(f"iteration {iteration}: {StopReason.DIVERGED.value}")
        return error

    def run(self) -> Fit:
        s = self.settings
        if self.flat or (s.width == "auto" and self.chain.rank == 0):
            return self._result(self.chain, self.general, 0, StopReason.CONVERGED)
        move = _Accelerated(self) if s.optimizer == "accelerated" else _TorchOptimizer(self)
        previous = self.chain.product()
        product = previous
        best: tuple[float, Chain, General, int] | None = None
        stale = 0
        for iteration in range(1, s.max_iter + 1):
            move.step()
            if self.jump is not None:
                now = self.chain.product()
                change = (now - product).abs() * self.scale
                rms = change.square().mean().sqrt().clamp_min(1e-30)
                torch.maximum(self.jump, change / rms, out=self.jump)
                product = now
            if iteration % _REFRESH and iteration != s.max_iter:
                continue
            product = self.chain.product()
            error = self._record(product, iteration)
            self.tick(iteration - (iteration - 1) // _REFRESH * _REFRESH)
            if s.early_stopping and self.validation is not None:
                if best is None or error < best[0]:
                    general = General(self.general.drug, self.general.line)
                    best, stale = (error, self.chain.clone(), general, iteration), 0
                else:
                    stale += 1
                    if stale >= s.patience:
                        return self._result(best[1], best[2], best[3], StopReason.EARLY_STOPPED)
            moved = float((product - previous).norm())
            previous = product
            moved = (
                moved / max(float(product.norm()), 1e-30) if self._may_end(iteration) else math.inf
            )
            settled = moved <= s.tol
            if s.width == "auto" and self._resize(product, settled):
                move.reset()
                product = self.chain.product()  # a change of shape is no jump of the descent
            elif moved <= _NEARLY * s.tol and self._add_missed(product):
                move.reset()
                product = self.chain.product()
            elif settled and self.may_settle:
                self._refresh(product, iteration)
                return self._result(self.chain, self.general, iteration, StopReason.CONVERGED)
            self._refresh(product, iteration)
            if self.n_robust in _RESCALE and self._may_rescale():
                self._rescale(product)
                move.reset()
                product = previous = self.chain.product()
                best, stale = None, 0
        if best is not None:
            return self._result(best[1], best[2], best[3], StopReason.MAX_ITERATIONS)
        return self._result(self.chain, self.general, s.max_iter, StopReason.MAX_ITERATIONS)

    def _may_end(self, iteration: int) -> bool:
        """Not before a robust loss has begun, and scaled the drugs."""
        if self.settings.loss in ("hard", "mixture"):
            return self.n_robust > _RESCALE[0]
        return iteration > _REFRESH

    def _may_rescale(self) -> bool:
        return self.settings.loss == "mixture" and self.settings.scale_power > 0 and not self.flat

    def _resize(self, product: Tensor, settled: bool) -> bool:
        """Drop modes that have been shrunk away; double their number while none has.

        Modes are added once the fit has settled, or, on the way up from a small start, as soon
        as the last one has grown to matter. Returns whether the chain changed its shape.
        """
        modes = self.chain.mode_sizes()
        alive = max(int((modes > _DEAD * modes[0]).sum()), 1)
        rank, full = self.chain.rank, min(self.data.shape)
        rising = self.settings.init_scale < 1
        if not rising and alive < rank:
            self.saturated = False
        if alive <= 0.8 * rank and not rising:
            u, size, vh = self.chain.svd()
            self.chain = balanced(u[:, :alive], size[:alive], vh[:alive], self.settings.depth)
            return True
        due = float(modes[-1]) > 0.02 * float(modes[0]) if rising else settled
        if self.saturated and due and rank < full:
            self._grow(self._missed(product), min(rank, full - rank))
            return True
        return False

    def _add_missed(self, product: Tensor) -> bool:
        """Take up modes above the noise that the burn-in shrank away, deviations aside."""
        burnt_in = self.settings.loss in ("hard", "mixture") and self.settings.width == "auto"
        if not burnt_in or not self.may_settle or self.n_added == _ADD:
            return False
        self.n_added += 1
        missed = self._missed(product)
        extra = int((missed[1] > self._vanishing(self._noise_sd())).sum())
        extra = min(extra, min(self.data.shape) - self.chain.rank)
        if extra > 0:
            self._grow(missed, extra)
        return extra > 0

    def _missed(self, product: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Thin SVD of the weighted residual."""
        return thin_svd((self.target - product) * self.weights / self.q)

    def _grow(self, missed: tuple[Tensor, Tensor, Tensor], extra: int) -> None:
        """Extend the chain by the leading modes of ``missed``."""
        u, size, vh = self.chain.svd()
        u2, size2, vh2 = missed
        self.chain = balanced(
            torch.cat([u, u2[:, :extra]], 1),
            torch.cat([size, self.settings.init_scale * size2[:extra]]),
            torch.cat([vh, vh2[:extra]], 0),
            self.settings.depth,
        )

    def _result(self, chain: Chain, general: General, n_iter: int, why: StopReason) -> Fit:
        return Fit(
            chain, general, self.scale, self.loss, n_iter, why, dict(self.history), self.jump
        )


class _Accelerated:
    """Nesterov's method with the step of the problem's scale and restart by gradient.

    Restart: O'Donoghue & Candes 2015, the gradient scheme.
    """

    def __init__(self, descent: _Descent) -> None:
        self.d = descent
        self.reset()

    def reset(self) -> None:
        d = self.d
        lr = d.settings.learning_rate
        self.size = d.step if lr == "auto" else float(lr) * 2 / d.n_train
        self.t = 1.0
        self.ahead = self.d.chain.clone()

    def step(self) -> None:
        d, ahead = self.d, self.ahead
        gradients = d._gradients(ahead, ahead.product())
        new = [w - self.size * g for w, g in zip(ahead.factors, gradients, strict=True)]
        old = d.chain.factors
        uphill = sum(
            float(((y - n) * (n - o)).sum())
            for y, n, o in zip(ahead.factors, new, old, strict=True)
        )
        t = 1.0 if uphill > 0 else (1 + math.sqrt(1 + 4 * self.t**2)) / 2
        beta = 0.0 if uphill > 0 else (self.t - 1) / t
        self.t = t
        self.ahead = Chain([n + beta * (n - o) for n, o in zip(new, old, strict=True)])
        d.chain = Chain(new)


class _TorchOptimizer:
    """Gradient descent, momentum, Adam or Adagrad from torch, on the mean squared error."""

    def __init__(self, descent: _Descent) -> None:
        self.d = descent
        self.reset()

    def reset(self) -> None:
        s, d = self.d.settings, self.d
        factors = d.chain.factors
        name = s.optimizer
        if s.learning_rate != "auto":
            lr = float(s.learning_rate)
        else:
            lr = d.step * d.n_train / 2 if name in ("gd", "momentum") else 1e-3
        self.optimizer: torch.optim.Optimizer
        if name == "adam":
            self.optimizer = torch.optim.Adam(factors, lr)
        elif name == "adagrad":
            self.optimizer = torch.optim.Adagrad(factors, lr)
        else:
            momentum = s.momentum if name == "momentum" else 0.0
            self.optimizer = torch.optim.SGD(factors, lr, momentum=momentum)

    def step(self) -> None:
        d = self.d
        gradients = d._gradients(d.chain, d.chain.product())
        for w, g in zip(d.chain.factors, gradients, strict=True):
            w.grad = g * (2 / d.n_train)
        self.optimizer.step()
