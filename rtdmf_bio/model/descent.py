"""Gradient descent on the factors of a chain, wide or compact, by any optimizer.

Every ``_REFRESH`` iterations the weights, the decay and the drug and line effects are estimated
anew (problem.py), the rank is looked at (rank.py), and the fit may end.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

from . import optimizers
from .fit import Fit, StopReason, Watch
from .problem import Problem
from .rank import RankControl, start

_REFRESH = 10  # iterations between updates of weights, effects and monitors
_RESCALE = (2, 6)  # refreshes under a robust loss after which the drugs are scaled anew
_NEARLY = 4.0  # times tol, when modes that the burn-in lost are looked for


def descend(
    problem: Problem, watch: Watch, track_jumps: bool, tick: Callable[[int], object]
) -> Fit:
    """Descend to rest, to max_iter or until the validation error stops improving.

    Parameters
    ----------
    problem, watch
        What to minimise, and the curve to write.
    track_jumps, tick
        As for :func:`rtdmf_bio.model.solver.fit_chain`.
    """
    s = problem.settings
    chain = start(problem)
    jump = torch.zeros_like(problem.data) if track_jumps else None
    if problem.flat or (s.width == "auto" and chain.rank == 0):
        return watch.fit(chain, 0, StopReason.CONVERGED, jump=jump)
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
        watch.record(chain.rank, product, iteration)
        tick(iteration - (iteration - 1) // _REFRESH * _REFRESH)
        if s.early_stopping and watch.validation is not None:
            best = watch.over(chain)
            if best is not None:
                chain, effects, n_iter = best
                return watch.fit(chain, n_iter, StopReason.EARLY_STOPPED, effects, jump)
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
            problem.refresh(chain.mode_sizes(), product, iteration)
            return watch.fit(chain, iteration, StopReason.CONVERGED, jump=jump)
        problem.refresh(chain.mode_sizes(), product, iteration)
        if problem.n_robust in _RESCALE and problem.may_rescale():
            chain = problem.rescale(chain.modes(), product).chain(s.depth)
            optimizer.reset(chain, problem.step)
            product = previous = chain.product()
            watch.forget()
    if watch.best is not None:
        _, chain, effects, n_iter = watch.best
        return watch.fit(chain, n_iter, StopReason.MAX_ITERATIONS, effects, jump)
    return watch.fit(chain, s.max_iter, StopReason.MAX_ITERATIONS, jump=jump)


def _may_end(problem: Problem, iteration: int) -> bool:
    """Not before a robust loss has begun, and scaled the drugs."""
    if problem.settings.loss in ("hard", "mixture"):
        return problem.n_robust > _RESCALE[0]
    return iteration > _REFRESH
