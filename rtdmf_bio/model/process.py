"""Prediction of every entry by a Gaussian process, whose covariances come from a completion.

    Y = (D - mean_i) / scale_i on the training entries,   Y ~ N(0, K + N)
    K = .1 (Sd x Sl + Ed x El) + 5 Ed x I + 1 I x El,     E_ab = sd_a sd_b exp(h (corr_ab - 1))
    prediction = mean + scale K (K + N)^-1 Y

| symbol  | variable          | shape          | meaning                                           |
|---------|-------------------|----------------|---------------------------------------------------|
| D       | ``data``          | (n, p)         | measurements                                      |
| scale_i | ``scale``         | (n, 1)         | overall spread, (the drug's / the median) ** .5   |
| Sd, Sl  | ``across``        | (n, n), (p, p) | covariance of drugs, of lines, in D completed     |
| Ed, El  | ``local``         | (n, n), (p, p) | the same, of near neighbours alone                |
| N       | ``noise``         | (n, p)         | variance of an entry: drug^.5 x line^.5           |
| x       |                   |                | Kronecker product                                 |

Sd x Sl is what the factorization knows already. E is what no low rank sees: drugs that share a
target, lines that share an origin, among hundreds that do not. ``Ed x I`` lets such drugs deviate
together in one line, ``I x El`` such lines under one drug. A factorization that explains half of
the variance leaves a third of it to these.

Solved by conjugate gradients over the training entries, with the diagonal for preconditioner. No
seed. The weights were set on GDSC1's AUC and CCLE, about which errors change little
(benchmarks/truth.py has the ablation); h is chosen of two on a hold-out (stages.py): 2 on most
screens, 6 where there are hundreds of compounds like another, as in NCI-60.

Source: Gaussian process regression with Kronecker covariances, Bonilla et al. (NIPS 2007) and
Stegle et al. (NIPS 2011); the local kernel and its weights are ours.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

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
    rest = ((data - completed) / scale * train).square()
    noise = (rest.sum(1, keepdim=True) / count).sqrt()
    noise = noise * (rest.sum(0, keepdim=True) / train.sum(0, keepdim=True).clamp_min(1)).sqrt()
    out = mean + scale * _posterior_mean(y, train, _Kernel(filled, reach), noise, tick)
    # Where nothing but rounding varies, there is nothing to solve.
    return torch.where(torch.isfinite(out), out, completed)


class _Kernel:
    """K as a product with a matrix (n, p)."""

    def __init__(self, filled: Tensor, reach: float) -> None:
        self.across = (_covariance(filled), _covariance(filled.T))
        self.local = tuple(_local(S, reach) for S in self.across)

    def __call__(self, v: Tensor) -> Tensor:
        (Sd, Sl), (Ed, El) = self.across, self.local
        a, b, c, d = WEIGHTS
        near = Ed @ v
        return a * (Sd @ v @ Sl) + (b * near + d * v) @ El + c * near

    def diagonal(self) -> Tensor:
        (Sd, Sl), (a, b, c, d) = (S.diagonal() for S in self.across), WEIGHTS
        return (a + b) * torch.outer(Sd, Sl) + c * Sd[:, None] + d * Sl


def _covariance(rows: Tensor) -> Tensor:
    """Covariance of the rows, of mean variance 1."""
    rows = rows - rows.mean(1, keepdim=True)
    product = rows @ rows.T / rows.shape[1]
    size = product.diagonal().mean()
    return product / size if float(size) > torch.finfo(rows.dtype).eps else 0 * product


def _local(covariance: Tensor, reach: float) -> Tensor:
    sd = covariance.diagonal().clamp_min(torch.finfo(covariance.dtype).eps).sqrt()
    both = torch.outer(sd, sd)
    return both * torch.exp(reach * (covariance / both - 1))


def _posterior_mean(
    y: Tensor, train: Tensor, kernel: _Kernel, noise: Tensor, tick: Callable[[int], object]
) -> Tensor:
    """K (K + N)^-1 y by conjugate gradients over the training entries."""
    precondition = train / (noise + kernel.diagonal())
    alpha, rest = torch.zeros_like(y), y.clone()
    ahead = step = precondition * rest
    size, enough = float((rest * ahead).sum()), _TOL**2 * float(y.square().sum())
    for k in range(_MOST_STEPS):
        if float(rest.square().sum()) <= enough:
            break
        image = train * kernel(step) + noise * step
        curvature = float((step * image).sum())
        if not curvature > 0:  # rounding is all that is left
            break
        pace = size / curvature
        alpha, rest = alpha + pace * step, rest - pace * image
        ahead = precondition * rest
        before, size = size, float((rest * ahead).sum())
        step = ahead + (size / before) * step
        tick(k)
    return kernel(alpha)
