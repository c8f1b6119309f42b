"""The end of a compact chain's descent, found by shrinking singular values.

Of all chains with product M the balanced one has the least weight decay, L / 2 sum_k y_k^(2/L) of
the singular values y of M. So the descent comes to rest where each mode y of the fit, and the size
x that it has in the data, obey

    x = y + rho y^(-a),    a = 1 - 2 / L,    rho = decay

which has no solution y > 0 where x is too small. Beginning with the largest modes of the data,

    X = M + w (target - M)            what is missing filled by the fit, deviations drawn in
    X = sum_k u_k x_k v_k'            its leading modes, by a step of block power iteration
    M = sum_k u_k y(x_k) v_k'

with Nesterov's extrapolation of M, begun anew where it goes uphill.

| symbol | variable        | shape             |
|--------|-----------------|-------------------|
| M      | ``product``     | (n, p)            |
| X      | ``filled``      | (n, p)            |
| u, y, v| ``modes``       | (n, r), (r,), (p, r): the modes alive, and ``_SPARE`` more |
| x      | ``seen``        | (r,)              |
| L      | ``depth``       | number of factors |

Weights w are at most one, so that no step goes past the minimum of its quadratic bound.

Source: Mazumder, Hastie & Tibshirani 2010 for depth 2, where y = x - rho; O'Donoghue & Candes 2015
for the restart. Deeper chains are ours.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from .factorization import Modes, eigh
from .fit import Fit, StopReason, Watch
from .problem import Problem
from .rows import by_rows

_REFRESH = 4  # iterations between updates of effects and monitors
_REWEIGH = 2  # the same where weights are updated, too, which takes the more updates
_SPARE = 8  # modes that are carried beside those alive, at least, to see what comes up
_START = 0.8  # of the size that just vanishes: modes to begin with
_SETTLED = 1 / 3  # of tol: change in one iteration, while nothing else changes
_BURNT_IN = 0.02  # change in one iteration, when a robust loss may begin
_RESCALE = (2, 4)  # refreshes under a robust loss after which the drugs are scaled anew
_ADD = 3  # rounds of taking up modes that the burn-in lost
_NEWTON = 20
_OF_NOISE = 0.05  # change since the weights were last looked at
_NOTHING = 1e-30  # squared size of a product


def shrink_to_rest(problem: Problem, watch: Watch, tick: Callable[[int], object]) -> Fit:
    """Fit by shrinkage until it changes less than ``tol``, or to ``max_iter``.

    Parameters
    ----------
    problem, watch
        What to minimise, and the curve to write.
    tick
        As for :func:`rtdmf_bio.model.solver.fit_chain`.
    """
    s = problem.settings
    shrinkage = Shrinkage(problem)
    if problem.flat:
        return watch.fit(shrinkage.alive.first(0).chain(s.depth), 0, StopReason.CONVERGED)
    burn_in = s.burn_in if s.loss in ("hard", "mixture") else 0
    every, enough = (_REFRESH, _SETTLED) if s.loss == "squared" else (_REWEIGH, 1.0)
    looks = _RESCALE[-1] if problem.may_rescale() else 1
    why, done, added, before = StopReason.MAX_ITERATIONS, 0, 0, shrinkage.product.clone()
    for iteration in range(1, s.max_iter + 1):
        moved = shrinkage.step()
        still = moved <= enough * s.tol and iteration > 1
        if not still and iteration - done < every and iteration < s.max_iter:
            continue
        if moved <= _BURNT_IN and iteration < burn_in:
            problem.loss.burn_in = burn_in = iteration
        product, modes = shrinkage.product, shrinkage.alive
        settled = still
        if s.loss != "squared":
            settled = still and problem.n_robust > looks and _rests(product, before, problem)
            before = product.clone()
        watch.record(modes.rank, product, iteration)
        tick(iteration - done)
        done = iteration
        missed = settled and added < _ADD and shrinkage.add_missed()
        added += missed
        problem.refresh(modes.size, product, iteration)
        if settled and not missed:
            why = StopReason.CONVERGED
            break
        if problem.n_robust in _RESCALE and problem.may_rescale():
            modes = problem.rescale(modes, product)
            shrinkage.begin(modes, modes.rank)
            before = shrinkage.product.clone()
    return watch.fit(shrinkage.alive.chain(s.depth), done, why)


def _rests(product: Tensor, before: Tensor, problem: Problem) -> bool:
    """Whether a fit has changed little, compared with itself and with the noise."""
    change, size = float((product - before).norm()), float(product.norm())
    noise = problem.loss.noise_sd * math.sqrt(product.numel())
    tol = problem.settings.tol
    return change <= tol * size and change <= max(_OF_NOISE * noise, 0.1 * tol * size)


class Shrinkage:
    """The iteration: ``step`` by ``step`` under the problem's weights, decay and target."""

    def __init__(self, problem: Problem) -> None:
        s = problem.settings
        self.problem = problem
        self.most = min(*problem.data.shape, *(() if s.width == "auto" else (int(s.width),)))
        spectrum = problem.ground.spectrum
        # Zeros at the missing entries shrink every singular value by q.
        large = spectrum.size / problem.q > _START * problem.vanishing(1.0)
        n_alive = min(max(int(large.sum()), 1), self.most)
        self.begin(spectrum.first(n_alive + _SPARE).times(1 / problem.q), n_alive)

    def begin(self, modes: Modes, n_alive: int) -> None:
        """Go on from these modes, of which the first are alive."""
        self.modes = modes.first(self.most)
        self.n_alive = min(n_alive, self.modes.rank)
        self.seen = self.modes.size
        self.product = self.alive.product()
        self.change = torch.zeros_like(self.product)
        self.pace = 1.0

    @property
    def alive(self) -> Modes:
        return self.modes.first(self.n_alive)

    def step(self) -> float:
        """One iteration; returns the relative change of the product."""
        problem, depth = self.problem, self.problem.settings.depth
        pace = (1 + math.sqrt(1 + 4 * self.pace**2)) / 2
        beyond = (self.pace - 1) / pace

        def fill(product: Tensor, change: Tensor, target: Tensor, weight: Tensor) -> tuple[Tensor]:
            ahead = torch.add(product, change, alpha=beyond)
            return (torch.lerp(ahead, target, weight),)

        parts = self.product, self.change, problem.target, problem.weights
        (filled,) = by_rows(fill, *parts)
        u = _orthonormal(filled @ self.modes.v)
        right = filled.T @ u
        squares, turn = eigh(right.T @ right)
        self.seen = squares.clamp_min(0).sqrt()
        right = right @ turn
        size = shrunk(self.seen, problem.decay, depth)
        self.n_alive = int((size > 0).sum())
        tiny = torch.finfo(size.dtype).tiny
        self.modes = Modes(u @ turn, size, right / self.seen.clamp_min(tiny))
        new = self.alive.product()
        change = torch.sub(new, self.product, out=self.product)
        square = float(torch.dot(change.ravel(), change.ravel()))
        along = float(torch.dot(change.ravel(), self.change.ravel()))
        moved = math.sqrt(square / max(float(size.square().sum()), _NOTHING))
        self.product, self.change, self.pace = new, change, pace
        if beyond * along > square:  # uphill from where the step began
            self.pace = 1.0
        self._carry(filled, self.n_alive + max(_SPARE, self.n_alive // 8))
        return moved

    def add_missed(self) -> bool:
        """Take up spare modes that the descent would: such as are above the noise in the data.

        An entry that is missing is filled by the fit, so that a mode that is not in it has only
        the share q of its size in X.
        """
        problem = self.problem
        noise = 1.0 if problem.loss.constant else problem.noise_sd(self.alive.size)
        spare = self.seen[self.n_alive :] / problem.q
        n_more = int((spare > problem.vanishing(noise)).sum())
        n_more = min(n_more, self.most - self.n_alive)
        if n_more <= 0:
            return False
        more = shrunk(spare[:n_more], problem.decay / problem.q, problem.settings.depth)
        size = torch.cat([self.alive.size, more, self.seen[self.n_alive + n_more :]])
        self.begin(Modes(self.modes.u, size, self.modes.v), self.n_alive + n_more)
        return True

    def _carry(self, filled: Tensor, rank: int) -> None:
        """Carry that many modes; new ones begin with the rows that those carried explain least."""
        rank = min(rank, self.most)
        modes, extra = self.modes, rank - self.modes.rank
        if extra <= 0:
            self.modes, self.seen = modes.first(rank), self.seen[:rank]
            return
        left = filled.square().sum(1) - (filled @ modes.v).square().sum(1)
        extra = min(extra, len(left))
        rows = filled[left.topk(extra).indices].T
        both = torch.cat([modes.v, rows], 1).cpu()
        rows = torch.linalg.qr(both)[0][:, modes.rank :].to(rows.device)
        none = modes.size.new_zeros(extra)
        self.modes = modes.with_more(Modes(modes.u.new_zeros(len(modes.u), extra), none, rows))
        self.seen = torch.cat([self.seen, none])


def shrunk(x: Tensor, rho: float, depth: int) -> Tensor:
    """The larger solution y of x = y + rho y^(-a), a = 1 - 2 / depth; 0 where there is none."""
    a = 1 - 2 / depth
    if a == 0 or rho == 0:
        return (x - rho).clamp_min(0)
    least = (a * rho) ** (1 / (1 + a))
    seen = x.cpu().double().numpy()
    y = np.maximum(seen, least)
    for _ in range(_NEWTON):  # from above, where the right side is convex: no step goes too far
        pull = rho * y**-a
        step = (y + pull - seen) / np.maximum(1 - a * pull / y, 1e-6)
        y = np.maximum(y - step, least)
        if np.all(np.abs(step) <= 1e-12 * y):
            break
    out: Tensor = torch.as_tensor(np.where(seen > least * (1 + 1 / a), y, 0.0)).to(x)
    return out


def _orthonormal(columns: Tensor) -> Tensor:
    """Orthonormal columns that span the same, by Cholesky's factor of their inner products."""
    tiny = torch.finfo(columns.dtype).tiny
    columns = columns / columns.norm(dim=0).clamp_min(tiny)
    gram = (columns.T @ columns).cpu().double()
    gram.diagonal().add_(64 * torch.finfo(columns.dtype).eps)
    factor, failed = torch.linalg.cholesky_ex(gram)
    if failed:  # they depend on each other
        basis: Tensor = torch.linalg.qr(columns.cpu())[0]
        return basis.to(columns.device)
    one = torch.eye(len(gram), dtype=gram.dtype)
    turn = torch.linalg.solve_triangular(factor, one, upper=False).T.to(columns)
    out: Tensor = columns @ turn
    return out
