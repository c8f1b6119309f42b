"""Parts of a simulated screen, as arrays: low-rank structure, and the signal planted on it."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]

# Regions as first and last drug, first and last line, in block sides; as in the published sets.
TWO_BLOCK = ((0, 1, 0, 1), (1, 2, 1, 2))
MIXED = ((0, 2, 0, 1), (0, 1, 3, 3.5), (2.5, 3.5, 0.5, 2))
STRIPE = (4, 4)  # a single drug, after this many sides, over this many sides of lines
_CLUSTERS_PER_KEPT = 3


@dataclass
class Planted:
    """Signal (n drugs, p lines) in its order before shuffling, and where its blocks lie."""

    signal: Matrix
    blocks: list[tuple[NDArray[np.intp], NDArray[np.intp]]] = field(default_factory=list)

    @property
    def inside(self) -> NDArray[np.bool_]:
        """Entries inside any block, (n, p)."""
        mask = np.zeros(self.signal.shape, dtype=bool)
        for drugs, lines in self.blocks:
            mask[np.ix_(drugs, lines)] = True
        return mask

    def line_groups(self) -> list[str]:
        """One label per line: lines in the same blocks form a group, all others groups as large."""
        n_lines = self.signal.shape[1]
        named = [[k for k, (_, at) in enumerate(self.blocks, 1) if j in at] for j in range(n_lines)]
        labels = [
            f"block{'s' if len(k) > 1 else ''} {'+'.join(map(str, k))}" if k else "" for k in named
        ]
        others = np.array([j for j in range(n_lines) if not named[j]], dtype=int)
        n_named = len({label for label in labels if label})
        size = max(1.0, (n_lines - others.size) / max(1, n_named))
        pieces = np.array_split(others, max(1, round(others.size / size)))
        for k, piece in enumerate(pieces, 1):
            for j in piece:
                labels[j] = f"other {k:0{len(str(len(pieces)))}d}"
        return labels


def regions(signal: str, side: int) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Drugs and lines of each region of ``two_block`` or ``mixed``, with blocks of this side."""
    corners = [
        tuple(int(edge * side) for edge in region)
        for region in (TWO_BLOCK if signal == "two_block" else MIXED)
    ]
    if signal == "mixed":
        drug, end = (int(edge * side) for edge in STRIPE)
        corners.append((drug, drug + 1, 0, end))
    return [(np.arange(a, b), np.arange(c, d)) for a, b, c, d in corners]


def nmf(uniform: Matrix, rank: int, seed: int) -> Matrix:
    """Return W H, nonnegative factors of the inner width ``rank`` fitted to ``uniform``."""
    from sklearn.decomposition import NMF

    # A few dozen iterations: what counts is a product of nonnegative factors, not the best one.
    model = NMF(rank, init="nndsvda", tol=1e-3, max_iter=2000, random_state=seed)
    left = model.fit_transform(uniform)
    product: Matrix = left @ model.components_
    return product


def deep(uniform: Matrix, rank: int) -> Matrix:
    """Return W1 W2 W3 W4 of the inner width ``rank``, descended from a small balanced start.

    A random start of that size makes the accelerated descent diverge now and then.
    """
    import torch

    from ..model.device import limited_threads
    from ..model.problem import FitSettings
    from ..model.solver import fit_chain

    data = torch.from_numpy(uniform)
    settings = FitSettings(
        depth=4,
        width=rank,
        init="spectral",
        init_scale=0.01,
        center="none",
        scale_power=0.0,
        max_iter=300,
    )
    with limited_threads(uniform.size * rank):
        fit = fit_chain(data, torch.ones_like(data), settings)
    product: Matrix = fit.matrix().numpy()
    return product


def block_signal(
    shape: tuple[int, int],
    signal: str,
    *,
    side: int,
    p_inside: float,
    p_outside: float,
    inside: tuple[float, float],
    outside: tuple[float, float],
    rng: np.random.Generator,
) -> Planted:
    """Plant the regions of ``two_block`` or ``mixed``, and scattered entries around them.

    Every draw is made for the whole matrix, so that changing one parameter changes nothing else,
    and a larger probability adds entries to those that were there.
    """
    chance, size = rng.random(shape), rng.random(shape)
    planted = Planted(np.zeros(shape), regions(signal, side))
    at = planted.inside
    for where, p, (low, high) in ((at, p_inside, inside), (~at, p_outside, outside)):
        hit = where & (chance < p)
        planted.signal[hit] = low + (high - low) * size[hit]
    return planted


def residual_signal(
    shape: tuple[int, int],
    source: Matrix,
    *,
    naive_rank: int,
    n_biclusters: int,
    residual_min: float,
    p_outside: float,
    rng: np.random.Generator,
) -> Planted:
    """Plant what a naive low-rank fit leaves of a real matrix, biclusters first.

    Raises
    ------
    ValueError
        If the source is too small, or nothing of its residual is large enough.
    """
    drugs, lines = (
        np.sort(rng.permutation(have)[:want])
        for have, want in zip(source.shape, shape, strict=True)
    )
    seed, chance = int(rng.integers(2**31)), rng.random(shape)
    source = source[np.ix_(drugs, lines)]
    smallest = max(_CLUSTERS_PER_KEPT * n_biclusters, naive_rank + 1)
    if min(source.shape) < smallest:
        raise ValueError(
            f"The source offers {source.shape[0]} drugs x {source.shape[1]} lines; at least "
            f"{smallest} of each are needed. Lower n_biclusters ({n_biclusters}) and naive_rank "
            f"({naive_rank}), or pass a larger source."
        )
    residual = _naive_residual(source, naive_rank)
    high = residual >= residual_min
    if not high.any():
        raise ValueError(
            f"No residual of the source reaches residual_min={residual_min:g}; the largest is "
            f"{residual.max():.3g}. Lower residual_min, or bring the source to the unit of the "
            f"simulation."
        )
    drug_order, line_order, sizes = _biclusters(residual, high, n_biclusters, seed)
    here = np.ix_(drug_order, line_order)
    residual, high = residual[here], high[here]

    planted = Planted(np.zeros(shape))
    edges = np.cumsum([(0, 0), *sizes], axis=0)
    for (a, c), (b, d) in itertools.pairwise(edges):
        planted.blocks.append((np.arange(a, b), np.arange(c, d)))
    n, p = residual.shape
    inside = planted.inside[:n, :p]
    loose = high & ~inside
    # P is the share of all entries around the biclusters; only high ones can be kept.
    rate = p_outside * (~inside).sum() / max(1, loose.sum())
    keep = (high & inside) | (loose & (chance[:n, :p] < rate))
    planted.signal[:n, :p] = np.where(keep, residual, 0)
    return planted


def _naive_residual(data: Matrix, rank: int) -> Matrix:
    """Data minus a truncated SVD, refilled twenty times; 0 where not measured, (n, p)."""
    measured = np.isfinite(data)
    values = np.where(measured, data, 0)
    mean = values.sum(1, keepdims=True) / np.maximum(1, measured.sum(1, keepdims=True))
    filled = np.where(measured, values, mean)
    for _ in range(20):
        u, s, vt = np.linalg.svd(filled, full_matrices=False)
        low_rank = (u[:, :rank] * s[:rank]) @ vt[:rank]
        filled = np.where(measured, values, low_rank)
    return np.where(measured, values - low_rank, 0)


def _biclusters(
    residual: Matrix, high: NDArray[np.bool_], n_kept: int, seed: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], list[tuple[int, int]]]:
    """Order drugs and lines by bicluster, those kept first, and give their sizes.

    Kept are those whose high residuals most exceed the share of their area, in standard
    deviations of a binomial count: the largest by area is the bulk, where nothing happens.
    """
    from sklearn.cluster import SpectralCoclustering

    positive = residual.clip(0)
    # No row or column may sum to zero.
    positive += 1e-3 * positive.mean()
    model = SpectralCoclustering(_CLUSTERS_PER_KEPT * n_kept, random_state=seed).fit(positive)
    row, column = model.row_labels_, model.column_labels_
    rate, excess = high.mean(), {}
    for k in range(_CLUSTERS_PER_KEPT * n_kept):
        cell = high[np.ix_(row == k, column == k)]
        if min(cell.shape) >= 2:
            excess[k] = (cell.sum() - rate * cell.size) / math.sqrt(rate * cell.size)
    kept = sorted((k for k in excess if excess[k] > 0), key=lambda k: -excess[k])[:n_kept]
    place: dict[Any, int] = {k: i for i, k in enumerate(kept)}
    orders = [
        np.argsort([place.get(k, n_kept) for k in labels], kind="stable")
        for labels in (row, column)
    ]
    sizes = [(int((row == k).sum()), int((column == k).sum())) for k in kept]
    return orders[0], orders[1], sizes
