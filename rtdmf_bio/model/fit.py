"""A fit, the states it may end in, and the curve of how it went."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass, field

from torch import Tensor

from .factorization import Chain
from .loss import Loss
from .preparation import Effects
from .problem import Problem


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
    """Fitted drug and line effects and chain, and how it went."""

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


class Watch:
    """The curve of a fit, and its best iterate by validation error."""

    def __init__(self, data: Tensor, problem: Problem, validation: Tensor | None) -> None:
        self.problem = problem
        self.data, self.validation = data, validation
        self.n_validation = 0.0 if validation is None else float(validation.sum())
        self.history: dict[str, list[float]] = {
            name: [] for name in ("iteration", "train_rmse", "validation_rmse", "rank")
        }
        self.forget()

    def forget(self) -> None:
        """Take the next iterate for the best so far."""
        self.best: tuple[float, Chain, Effects, int] | None = None
        self.stale = 0

    def record(self, rank: int, product: Tensor, iteration: int) -> None:
        """Add a point to the curve."""
        problem = self.problem
        residual = problem.residual(product).mul_(problem.scale)
        train_rmse = float(residual.square_().sum() / problem.n_train) ** 0.5
        error = math.nan
        if self.validation is not None and self.n_validation:
            missed = (self.data - problem.matrix(product)).square_().mul_(self.validation)
            error = float(missed.sum() / self.n_validation) ** 0.5
        point = iteration, train_rmse, error, rank
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

    def fit(
        self,
        chain: Chain,
        n_iter: int,
        why: StopReason,
        effects: Effects | None = None,
        jump: Tensor | None = None,
    ) -> Fit:
        """What has been reached."""
        p = self.problem
        history = dict(self.history)
        return Fit(chain, effects or p.effects, p.scale, p.loss, n_iter, why, history, jump)
