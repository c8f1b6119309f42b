"""Deep linear factorization of a matrix.

    M = W1 W2 ... WL

| symbol | variable        | shape                         |
|--------|-----------------|-------------------------------|
| M      | ``product()``   | (n drugs, p lines)            |
| Wl     | ``factors[l]``  | (n, r), (r, r), ..., (r, p)   |
| L      | ``depth``       | number of factors             |
| G      | ``gradient``    | dF/dM, (n, p)                 |

The gradient of any objective F(M) is closed form:
dF/dWl = (W1 ... W(l-1))' G (W(l+1) ... WL)'.

Source: Hu et al. 2025, equations for deep matrix factorization; Arora et al. 2019 for the
balanced start, under which gradient descent keeps Wl' Wl = W(l+1) W(l+1)'.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import torch
from torch import Tensor

DEAD = 1e-3  # a mode below this share of the largest has been shrunk away
_SMALL = 512  # rows of a matrix whose eigenvectors the CPU finds sooner than a GPU
INITS = ("spectral", "gaussian", "orthogonal", "identity", "uniform")


@dataclass
class Chain:
    """A product of matrices and its derivatives."""

    factors: list[Tensor]

    @property
    def depth(self) -> int:
        return len(self.factors)

    @property
    def rank(self) -> int:
        """Narrowest inner width, the largest rank the product can have."""
        return min(min(w.shape) for w in self.factors)

    @property
    def is_tall(self) -> bool:
        """More drugs than lines: what is multiplied from the right stays smaller."""
        return self.factors[0].shape[0] > self.factors[-1].shape[1]

    def turned(self) -> Chain:
        """The chain of the transposed product; its factors are views."""
        return Chain([w.T for w in reversed(self.factors)])

    def product(self) -> Tensor:
        if self.is_tall:
            return self.turned().product().T
        out = self.factors[0]
        for w in self.factors[1:]:
            out = out @ w
        return out

    def gradients(self, gradient: Tensor) -> list[Tensor]:
        """dF/dWl for every factor, from dF/dM.

        M = A WL with A = W1 ... W(L-1), so dF/dWL = A' G and dF/dA = G WL': the two products of
        the size of M. Every other factor follows from dF/dA the same way, at the inner width.
        """
        if self.is_tall:
            return [g.T for g in reversed(self.turned().gradients(gradient.T))]
        lefts = [self.factors[0]]
        for w in self.factors[1:-1]:
            lefts.append(lefts[-1] @ w)
        out = []
        for left, w in zip(reversed(lefts), reversed(self.factors), strict=False):
            out.append(left.T @ gradient)
            gradient = gradient @ w.T
        return [gradient, *reversed(out)]

    def clone(self) -> Chain:
        return Chain([w.clone() for w in self.factors])

    def mode_sizes(self) -> Tensor:
        """Singular values of the product of a balanced chain, largest first."""
        last = self.factors[-1]
        gram = torch.linalg.eigvalsh((last @ last.T).cpu().double()).clamp_min(0).flip(0)
        sizes: Tensor = gram.pow(self.depth / 2)
        return sizes

    def modes(self) -> Modes:
        """Singular value decomposition of the product, without forming it."""
        left = self.factors[0]
        for w in self.factors[1:-1]:
            left = left @ w
        return Modes.of(left, self.factors[-1].T)


@dataclass
class Modes:
    """A matrix of low rank by its singular values, largest first: u diag(size) v'."""

    u: Tensor  # (n, r)
    size: Tensor  # (r,)
    v: Tensor  # (p, r)

    @classmethod
    def of(cls, left: Tensor, right: Tensor) -> Modes:
        """Those of ``left @ right.T``, of shapes (n, r) and (p, r)."""
        home = left.device
        q1, r1 = torch.linalg.qr(left.cpu())
        q2, r2 = torch.linalg.qr(right.cpu())
        u, size, vh = torch.linalg.svd(r1 @ r2.T, full_matrices=False)
        return cls((q1 @ u).to(home), size.to(home), (q2 @ vh.T).to(home))

    @property
    def rank(self) -> int:
        return len(self.size)

    def product(self) -> Tensor:
        return (self.u * self.size) @ self.v.T

    def first(self, rank: int) -> Modes:
        """The largest ``rank`` of them."""
        return Modes(self.u[:, :rank], self.size[:rank], self.v[:, :rank])

    def times(self, factor: float) -> Modes:
        """As many times as large."""
        return Modes(self.u, factor * self.size, self.v)

    def with_more(self, other: Modes) -> Modes:
        """These and then the others."""
        return Modes(
            torch.cat([self.u, other.u], 1),
            torch.cat([self.size, other.size]),
            torch.cat([self.v, other.v], 1),
        )

    def chain(self, depth: int) -> Chain:
        """The balanced chain with this product."""
        a = self.size.clamp_min(0).pow(1.0 / depth)
        inner = [torch.diag(a) for _ in range(depth - 2)]
        return Chain([self.u * a, *inner, a[:, None] * self.v.T])


def eigh(gram: Tensor) -> tuple[Tensor, Tensor]:
    """Eigenvalues of a small symmetric matrix, largest first, and eigenvectors in columns.

    In double precision, which mps has not, and on the CPU, which is the fastest at this size.
    """
    small = gram.device.type == "mps" or len(gram) <= _SMALL
    values, vectors = torch.linalg.eigh((gram.cpu() if small else gram).double())
    values, vectors = values.flip(0).to(gram.dtype), vectors.flip(1).to(gram.dtype)
    return values.to(gram.device), vectors.to(gram.device)


def thin_svd(matrix: Tensor) -> Modes:
    """All modes, by the eigenvectors of the smaller product of the matrix with itself.

    Modes below the root of the precision, compared with the largest, are not to be trusted.
    """
    if matrix.shape[0] > matrix.shape[1]:
        turned = thin_svd(matrix.T)
        return Modes(turned.v, turned.size, turned.u)
    values, u = eigh(matrix @ matrix.T)
    size = values.clamp_min(0).sqrt()
    return Modes(u, size, (matrix.T @ u) / size.clamp_min(torch.finfo(size.dtype).tiny))


def random_chain(
    shape: tuple[int, int],
    depth: int,
    width: int,
    init: str,
    init_scale: float,
    generator: torch.Generator,
    dtype: torch.dtype,
) -> Chain:
    """The paper's starts for a wide network, drawn alike for every device and precision.

    ``gaussian``: every weight N(0, init_scale^2). The other three make the end-to-end matrix of
    size ``init_scale``: ``orthogonal`` and ``identity`` scale each factor by
    ``init_scale^(1/depth)``, ``uniform`` draws from +-sqrt(3) init_scale^(1/depth) (rows x
    columns)^(-1/4).
    """
    sizes = [shape[0], *[width] * (depth - 1), shape[1]]
    factors = []
    for rows, cols in itertools.pairwise(sizes):
        if init == "gaussian":
            w = torch.randn(rows, cols, generator=generator, dtype=torch.float64) * init_scale
        elif init == "uniform":
            edge = math.sqrt(3.0) * init_scale ** (1 / depth) * (rows * cols) ** -0.25
            w = (2 * torch.rand(rows, cols, generator=generator, dtype=torch.float64) - 1) * edge
        elif init == "identity":
            w = torch.eye(rows, cols, dtype=torch.float64) * init_scale ** (1 / depth)
        else:  # orthogonal
            tall = (max(rows, cols), min(rows, cols))
            w = torch.randn(tall, generator=generator, dtype=torch.float64)
            q, r = torch.linalg.qr(w)
            q = q * torch.sign(torch.diagonal(r))
            w = (q if rows >= cols else q.T) * (init_scale * math.sqrt(shape[0])) ** (1 / depth)
        factors.append(w.to(dtype))
    return Chain(factors)
