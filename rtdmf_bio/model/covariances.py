"""Covariances of the drugs, or of the lines, of a completed matrix: broad and local.

    S = F F' / p of mean diagonal 1,    E_ab = sd_a sd_b exp(h (corr_ab - 1)),  sd_a^2 = S_aa

| symbol | variable    | shape  | meaning                                                    |
|--------|-------------|--------|------------------------------------------------------------|
| F      | ``rows``    | (m, k) | the matrix, each row less its mean                         |
| S      | ``broad``   |        | covariance of the rows, by its ``BROAD`` largest modes     |
| E      | ``local``   |        | the same of near neighbours alone                          |
| h      | ``reach``   | scalar | how fast a neighbour's say falls with the correlation      |

Where there are more than ``LARGE`` rows, E is not formed: it is C W^-1 C' by its columns C of
``LANDMARKS`` of the rows, W being those rows of C, and what that leaves of the diagonal
(benchmarks/README.md says what that costs).

Source: landmarks by Williams & Seeger (NIPS 2000), the diagonal by Snelson & Ghahramani (2005).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from .factorization import eigh
from .rows import some_rows

BROAD = 60  # modes of S: the factorization's few and what is left beside them
TOP = 40  # modes of E that the solver takes care of first
LARGE = 2500
LANDMARKS = 400
_ROUNDS = 4  # of power iteration
_SPARE = 8


@dataclass
class Dense:
    """A symmetric matrix (m, m), as it is."""

    matrix: Tensor

    @property
    def diagonal(self) -> Tensor:
        return self.matrix.diagonal()

    def left(self, v: Tensor) -> Tensor:
        """Times ``v`` of shape (m, k)."""
        return self.matrix @ v

    def right(self, v: Tensor) -> Tensor:
        """``v`` of shape (k, m) times it."""
        return v @ self.matrix


@dataclass
class ByLandmarks:
    """The same as ``factor @ factor.T + diag(rest)``, of shapes (m, k) and (m,)."""

    factor: Tensor
    rest: Tensor

    @property
    def diagonal(self) -> Tensor:
        return self.factor.square().sum(1) + self.rest

    def left(self, v: Tensor) -> Tensor:
        return torch.addmm(self.rest[:, None] * v, self.factor, self.factor.T @ v)

    def right(self, v: Tensor) -> Tensor:
        return torch.addmm(v * self.rest, v @ self.factor, self.factor.T)


@dataclass
class Side:
    """What is known of the drugs, or of the lines."""

    broad: tuple[Tensor, Tensor]  # vectors (m, k), and variances (k,)
    local: Dense | ByLandmarks
    top: tuple[Tensor, Tensor]  # of local

    @classmethod
    def of(cls, filled: Tensor, reach: float) -> Side:
        """Of the rows of a matrix without gaps."""
        rows = filled - filled.mean(1, keepdim=True)
        eps = torch.finfo(rows.dtype).eps
        variance = rows.square().mean(1)
        size = variance.mean()
        if not float(size) > eps:
            rows, size = torch.zeros_like(rows), torch.ones_like(size)
            variance = torch.zeros_like(variance)
        rows = rows / (size * rows.shape[1]).sqrt()
        sd = (variance / size).clamp_min(eps).sqrt()
        broad = leading(lambda v: rows @ (rows.T @ v), len(rows), BROAD, like=rows)
        local = _local(rows, sd, reach)
        return cls(broad, local, leading(local.left, len(rows), TOP, like=rows))


def _local(rows: Tensor, sd: Tensor, reach: float) -> Dense | ByLandmarks:
    n = len(rows)
    unit = rows / sd[:, None]
    if n <= LARGE:
        return Dense(_near(unit @ unit.T, reach) * torch.outer(sd, sd))
    some = some_rows(n, LANDMARKS).to(rows.device)
    columns = _near(unit @ unit[some].T, reach)
    values, vectors = eigh(columns[some])
    kept = values > torch.finfo(rows.dtype).eps * LANDMARKS * values[0]
    factor = columns @ (vectors[:, kept] / values[kept].sqrt()) * sd[:, None]
    return ByLandmarks(factor, (sd.square() - factor.square().sum(1)).clamp_min(0))


def _near(correlation: Tensor, reach: float) -> Tensor:
    return correlation.sub_(1).mul_(reach).exp_()


def leading(
    times: Callable[[Tensor], Tensor], m: int, rank: int, like: Tensor
) -> tuple[Tensor, Tensor]:
    """The leading eigenvectors (m, rank) and eigenvalues (rank,), by block power iteration.

    Nearly so: such as are small and alike are not told apart.

    Parameters
    ----------
    times
        The matrix times a matrix of m rows.
    m, rank
        Its size, and how many.
    like
        A tensor of the device and precision asked for.
    """
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(m, min(rank + _SPARE, m), generator=generator, dtype=torch.float64)
    basis = start.to(like)
    for _ in range(_ROUNDS):
        basis = torch.linalg.qr(times(basis).cpu()).Q.to(like)
    values, turn = eigh(basis.T @ times(basis))
    rank = min(rank, m)
    return basis @ turn[:, :rank], values[:rank].clamp_min(0)
