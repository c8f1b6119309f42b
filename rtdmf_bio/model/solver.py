"""The descent: from a problem to a fit, and the states it may end in.

Every ``_REFRESH`` iterations the weights, the decay and the drug and line effects are estimated
anew (problem.py), the rank is looked at (rank.py), and the fit may end.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from . import optimizers
from .factorization import Chain
from .loss import Loss
from .pileups import Telling
from .preparation import Effects
from .problem import FitSettings, Problem
from .rank import RankControl, start

_REFRESH = 10  # iterations between updates of weights, effects and monitors
_RESCALE = (2, 6)  # refreshes after the burn-in
_NEARLY = 4.0  # times tol, when modes that the burn-in lost are looked for


class StopReason(enum.Enum):
    """Why a fit ended, the best end first; the value says what it means and what to do."""

    CONVERGED = "The fit changed less than tol: nothing to do."
    EARLY_STOPPED = "The validation error stopped improving; its best iterate was kept."
    MAX_ITERATIONS = "The fit was still changing at max_iter; raise max_iter or tol."
    DIVERGED = "The fit produced non-finite values; use a smaller learning_rate or init_scale."
    NOISE_VANISHED = (
        "The noise was estimated far below the spread of the residuals, so that flags mean little: "
        "look for measurements that are alike but for rounding, or give threshold."
    )
    INTERRUPTED = "The fit was interrupted; nothing was stored. Run it again."


@dataclass
class Fit:
    """Fitted drug and line effects and chain, and how the descent went."""

    chain: Chain
    effects: Effects
    scale: Tensor
    loss: Loss
    n_iter: int = 0
    stop_reason: StopReason = StopReason.MAX_ITERATIONS
    history: dict[str, list[float]] = field(default_factory=dict)
    jump: Tensor | None = None

    def structure(self) -> Tensor:
        """The chain in the data's units, (n, p)."""
        return self.scale * self.chain.product()

    def matrix(self) -> Tensor:
        """Drug and line effects plus chain, (n, p)."""
        return self.effects.matrix() + self.structure()


def fit_chain(
    data: Tensor,
    train: Tensor,
    settings: FitSettings,
    *,
    eta: float | None = None,
    telling: Telling | None = None,
    validation: Tensor | None = None,
    track_jumps: bool = False,
    tick: Callable[[int], object] | None = None,
) -> Fit:
    """Fit drug and line effects and chain to the entries where ``train`` is 1.

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
    telling
        Which residuals tell of noise; None: all.
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
    problem = Problem(data, train, settings, eta, telling)
    watch = _Watch(data, problem, validation)
    return _descend(problem, watch, track_jumps, tick or (lambda _: None))


class _Watch:
    """The curve of a descent, and its best iterate by validation error."""

    def __init__(self, data: Tensor, problem: Problem, validation: Tensor | None) -> None:
        self.problem = problem
        self.validation = None if validation is None else (validation > 0, data)
        self.history: dict[str, list[float]] = {
            name: [] for name in ("iteration", "train_rmse", "validation_rmse", "rank")
        }
        self.forget()

    def forget(self) -> None:
        """Take the next iterate for the best so far."""
        self.best: tuple[float, Chain, Effects, int] | None = None
        self.stale = 0

    def record(self, chain: Chain, product: Tensor, iteration: int) -> None:
        """Add a point to the curve."""
        problem = self.problem
        residual = problem.residual(product).mul_(problem.scale)
        train_rmse = float(residual.square_().sum() / problem.n_train) ** 0.5
        error = math.nan
        if self.validation is not None:
            where, data = self.validation
            error = float((data - problem.matrix(product))[where].square().mean().sqrt())
        point = iteration, train_rmse, error, chain.rank
        for values, value in zip(self.history.values(), point, strict=True):
            values.append(value)
        if not math.isfinite(train_rmse):
            raise FloatingPointError(f"iteration {iteration}: {StopReason.DIVERGED.value}")

    def over(self, chain: Chain) -> tuple[Chain, Effects, int] | None:
        """Keep the iterate if it is the best; return the best one once it is too long ago."""
        error, iteration = self.history["validation_rmse"][-1], int(self.history["iteration"][-1])
        if self.best is None or error < self.best[0]:
            effects = Effects(self.problem.effects.drug, self.problem.effects.line)
            self.best, self.stale = (error, chain.clone(), effects, iteration), 0
            return None
        self.stale += 1
        return self.best[1:] if self.stale >= self.problem.settings.patience else None


def _descend(
    problem: Problem, watch: _Watch, track_jumps: bool, tick: Callable[[int], object]
) -> Fit:
    s = problem.settings
    chain = start(problem)
    del problem.spectrum  # it is as large as the matrix
    jump = torch.zeros_like(problem.data) if track_jumps else None

    def fit(chain: Chain, effects: Effects, n_iter: int, why: StopReason) -> Fit:
        history = dict(watch.history)
        return Fit(chain, effects, problem.scale, problem.loss, n_iter, why, history, jump)

    if problem.flat or (s.width == "auto" and chain.rank == 0):
        return fit(chain, problem.effects, 0, StopReason.CONVERGED)
    # A small start sits still before it grows: only early stopping or max_iter may end it.
    small = s.init != "spectral" or s.init_scale < 1
    may_settle = not s.early_stopping and not small
    rank = RankControl(problem, may_settle)
    optimizer = optimizers.make(
        s.optimizer, problem.gradients, s.learning_rate, s.momentum, problem.n_train
    )
    optimizer.reset(chain, problem.step)
    previous = product = chain.product()
    for iteration in range(1, s.max_iter + 1):
        chain = optimizer.step(chain)
        if jump is not None:
            now = chain.product()
            change = (now - product).abs() * problem.scale
            rms = change.square().mean().sqrt().clamp_min(1e-30)
            torch.maximum(jump, change / rms, out=jump)
            product = now
        if iteration % _REFRESH and iteration != s.max_iter:
            continue
        product = chain.product()
        watch.record(chain, product, iteration)
        tick(iteration - (iteration - 1) // _REFRESH * _REFRESH)
        if s.early_stopping and watch.validation is not None:
            best = watch.over(chain)
            if best is not None:
                return fit(*best, StopReason.EARLY_STOPPED)
        moved = math.inf  # what is left of a stretch at max_iter moves little for being short
        if iteration % _REFRESH == 0 and _may_end(problem, iteration):
            moved = float((product - previous).norm()) / max(float(product.norm()), 1e-30)
            looked_at = (may_settle or s.width == "auto") and moved <= _NEARLY * s.tol
            if looked_at and s.learning_rate != "auto":  # a small rate moves little anywhere
                moved = max(moved, _REFRESH * problem.slope(chain, product))
        previous = product
        other = None
        if s.width == "auto":
            other = rank.resize(chain, product, moved <= s.tol)
            if other is None and moved <= _NEARLY * s.tol:
                other = rank.add_missed(chain, product)
        if other is not None:
            chain = other
            optimizer.reset(chain, problem.step)
            product = chain.product()  # a change of shape is no jump of the descent
        elif moved <= s.tol and may_settle:
            problem.refresh(chain, product, iteration)
            return fit(chain, problem.effects, iteration, StopReason.CONVERGED)
        problem.refresh(chain, product, iteration)
        if problem.n_robust in _RESCALE and problem.may_rescale():
            chain = problem.rescale(chain, product)
            optimizer.reset(chain, problem.step)
            product = previous = chain.product()
            watch.forget()
    if watch.best is not None:
        return fit(*watch.best[1:], StopReason.MAX_ITERATIONS)
    return fit(chain, problem.effects, s.max_iter, StopReason.MAX_ITERATIONS)


def _may_end(problem: Problem, iteration: int) -> bool:
    """Not before a robust loss has begun, and scaled the drugs."""
    if problem.settings.loss in ("hard", "mixture"):
        return problem.n_robust > _RESCALE[0]
    return iteration > _REFRESH
