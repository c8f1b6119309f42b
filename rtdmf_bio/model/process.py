"""Prediction of every entry by a Gaussian process, whose covariances come from a completion.

    Y = (D - mean_i) / scale_i on the training entries,   Y ~ N(0, K + N)
    K = .1 (Sd x Sl + Ed x El) + 5 Ed x I + 1 I x El,     E_ab = sd_a sd_b exp(h (corr_ab - 1))
    prediction = mean + scale K (K + N)^-1 Y

| symbol  | variable          | shape          | meaning                                           |
|---------|-------------------|----------------|---------------------------------------------------|
| D       | ``data``          | (n, p)         | measurements                                      |
| scale_i | ``scale``         | (n, 1)         | overall spread, (the drug's / the median) ** .5   |
| Sd, Sl  | ``broad``         | (n, n), (p, p) | covariance of drugs, of lines, in D completed     |
| Ed, El  | ``local``         | (n, n), (p, p) | the same, of near neighbours alone                |
| N       | ``noise``         | (n, p)         | variance of an entry: drug^.5 x line^.5           |
| x       |                   |                | Kronecker product                                 |

Sd x Sl is what the factorization knows already. E is what no low rank sees: drugs that share a
target, lines that share an origin, among hundreds that do not. ``Ed x I`` lets such drugs deviate
together in one line, ``I x El`` such lines under one drug. A factorization that explains half of
the variance leaves a third of it to these.

Sd and Sl are taken by their 60 largest modes. Solved by conjugate gradients over the training
entries. Most steps would go to what many entries share, so they are preconditioned by the inverse
that K + N would have if nothing were missing on the leading eigenvectors of Ed and El, and on the
rest by the diagonal: a third of the steps. No seed.

The weights were set on GDSC1's AUC and CCLE, about which errors change little (benchmarks/truth.py
has the ablation); h is chosen of two on a hold-out (stages.py): 2 on most screens, 6 where there
are hundreds of compounds like another, as in NCI-60.

Source: Gaussian process regression with Kronecker covariances, Bonilla et al. (NIPS 2007) and
Stegle et al. (NIPS 2011); the local kernel and its weights are ours.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from .covariances import Side

WEIGHTS = (0.1, 0.1, 5.0, 1.0)  # of Sd x Sl, Ed x El, Ed x I, I x El
REACHES = (2.0, 6.0)  # h: how fast a neighbour's say falls with the correlation
_SCALE_POWER = 0.5
_LEAST_SPREAD = 1e-3  # of the median drug's: a constant drug has none
_TOL = 2e-3  # relative residual: where single entries settle; the error does so before
_MOST_STEPS = 200


def predict(
    data: Tensor,
    train: Tensor,
    completed: Tensor,
    tick: Callable[[int], object],
    reach: float = REACHES[0],
) -> Tensor:
    """Predict every entry from the training entries, the rest of it unseen.

    Parameters
    ----------
    data
        Measurements (n drugs, p lines), any value where ``train`` is 0.
    train
        1 at training entries, 0 elsewhere, (n, p).
    completed
        A prediction of every entry from the training entries alone, (n, p).
    tick
        Called with the number of steps done.
    reach
        h, positive.

    Returns
    -------
    (n, p), in the unit of ``data``.
    """
    count = train.sum(1, keepdim=True).clamp_min(1)
    mean = (data * train).sum(1, keepdim=True) / count
    centred = (data - mean) * train
    spread = (centred.square().sum(1, keepdim=True) / count).sqrt()
    middle = spread.median().clamp_min(torch.finfo(data.dtype).tiny)
    scale = (spread / middle).clamp_min(_LEAST_SPREAD) ** _SCALE_POWER
    scale = scale * ((centred / scale).square().sum() / train.sum()).sqrt()
    if not float(scale.max()) > 0:
        return mean.expand_as(data).clone()
    y = centred / scale
    filled = torch.where(train > 0, y, (completed - mean) / scale)
    if not bool(torch.isfinite(filled.square().sum())):  # nothing but rounding varies
        return completed
    rest = ((data - completed) / scale * train).square()
    noise = (rest.sum(1, keepdim=True) / count).sqrt()
    noise = noise * (rest.sum(0, keepdim=True) / train.sum(0, keepdim=True).clamp_min(1)).sqrt()
    out = mean + scale * _posterior_mean(y, train, _Kernel(filled, reach), noise, tick)
    return torch.where(torch.isfinite(out), out, completed)


class _Kernel:
    """K as a product with a matrix (n, p)."""

    def __init__(self, filled: Tensor, reach: float) -> None:
        self.drugs, self.lines = Side.of(filled, reach), Side.of(filled.T, reach)
        (self.Qd, broad_d), (self.Ql, broad_l) = self.drugs.broad, self.lines.broad
        self.broad = WEIGHTS[0] * torch.outer(broad_d, broad_l)

    def __call__(self, v: Tensor) -> Tensor:
        _, b, c, d = WEIGHTS
        near = self.drugs.local.left(v)
        out = self.lines.local.right(torch.add(d * v, near, alpha=b)).add_(near, alpha=c)
        inner = self.broad * (self.Qd.T @ v @ self.Ql)
        return out.addmm_(self.Qd, inner @ self.Ql.T)

    def diagonal(self) -> Tensor:
        """Of K, (n, p)."""
        Ed, El = self.drugs.local.diagonal, self.lines.local.diagonal
        return _local(Ed[:, None], El) + self.Qd.square() @ self.broad @ self.Ql.square().T


def _local(drug: Tensor, line: Tensor) -> Tensor:
    """Eigenvalues or diagonal of the terms of K in Ed and El, of those of the two."""
    _, b, c, d = WEIGHTS
    return b * drug * line + c * drug + d * line


class _Preconditioner:
    """Nearly (K + N)^-1 over the training entries.

    With leading eigenvectors U of Ed and V of El, and the rest of either in proportion to the unit
    matrix, K + N is diagonal on the four parts of a matrix: within both, within one, beyond both.
    The noise, and what K leaves beyond both, differ between entries, by which these are scaled.
    """

    def __init__(self, kernel: _Kernel, train: Tensor, noise: Tensor) -> None:
        (self.U, top_d), (self.V, top_l) = kernel.drugs.top, kernel.lines.top
        rest_d = _beyond(kernel.drugs.local.diagonal, self.U, top_d)
        rest_l = _beyond(kernel.lines.local.diagonal, self.V, top_l)
        own = _local(rest_d[:, None], rest_l) + noise
        mean = float((noise * train).sum() / train.sum())
        drug = torch.cat([top_d, rest_d.mean()[None]])
        line = torch.cat([top_l, rest_l.mean()[None]])
        size = _local(drug[:, None], line) + mean
        size[:-1, :-1] += self._broad(kernel)
        self.scale = train * (size[-1, -1] / own).sqrt()
        self.beyond = float(1 / size[-1, -1])
        self.drug = 1 / size[:-1, -1:] - self.beyond
        self.line = 1 / size[-1, :-1] - self.beyond
        self.both = 1 / size[:-1, :-1] - 1 / size[:-1, -1:] - 1 / size[-1, :-1] + self.beyond

    def _broad(self, kernel: _Kernel) -> Tensor:
        """Diagonal of the term in Sd and Sl on U and V."""
        within_d, within_l = (self.U.T @ kernel.Qd).square(), (self.V.T @ kernel.Ql).square()
        return within_d @ kernel.broad @ within_l.T

    def __call__(self, r: Tensor) -> Tensor:
        r = self.scale * r
        by_drug, by_line = self.U.T @ r, r @ self.V
        within = self.drug * by_drug + (self.both * (by_drug @ self.V)) @ self.V.T
        out = torch.mul(r, self.beyond, out=r).addmm_(self.U, within)
        return out.addmm_(self.line * by_line, self.V.T).mul_(self.scale)


def _beyond(diagonal: Tensor, vectors: Tensor, values: Tensor) -> Tensor:
    """Diagonal of what some eigenvectors leave."""
    return (diagonal - vectors.square() @ values).clamp_min(0)


def _posterior_mean(
    y: Tensor, train: Tensor, kernel: _Kernel, noise: Tensor, tick: Callable[[int], object]
) -> Tensor:
    """K (K + N)^-1 y by conjugate gradients over the training entries."""
    precondition = _Preconditioner(kernel, train, noise)
    alpha, rest = torch.zeros_like(y), y.clone()
    step = precondition(rest)
    size, enough = _dot(rest, step), _TOL**2 * _dot(y, y)
    for _ in range(_MOST_STEPS):
        if _dot(rest, rest) <= enough:
            break
        image = kernel(step).mul_(train).addcmul_(noise, step)
        curvature = _dot(step, image)
        if not curvature > 0:  # rounding is all that is left
            break
        alpha.add_(step, alpha=size / curvature)
        rest.sub_(image, alpha=size / curvature)
        ahead = precondition(rest)
        before, size = size, _dot(rest, ahead)
        step.mul_(size / before).add_(ahead)
        tick(1)
    return kernel(alpha)


def _dot(a: Tensor, b: Tensor) -> float:
    return float(torch.dot(a.ravel(), b.ravel()))
